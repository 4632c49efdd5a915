//! Namespaces: simulated installations side by side on one server, each with a world,
//! a clock, keys, sessions and a journal of its own, made by its first use.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hashbrown::HashMap;
use jiff::Timestamp;
use ring::hmac;

use crate::authority::Keys;
use crate::node::{self, Clusters, Node, Site, host_of};
use crate::rebac::Model;
use crate::world::annex::Annex;
use crate::world::clock::Clock;
use crate::world::directory::Directory;
use crate::world::faults::Faults;
use crate::world::file::{WorldError, WorldFile};
use crate::world::ids::Ids;
use crate::world::journal::{Journal, Open};
use crate::world::k0rdent::{self, Kubeconfigs};
use crate::world::sessions::Sessions;

/// The namespace behind `/v1`; `/ns/default/v1` is the same one.
pub const DEFAULT: &str = "default";

/// A bound on what a client can make the server keep.
const MOST: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    #[error(
        "a namespace is named by 1 to 64 letters, digits, dots, underscores and dashes, and not \
         by one or two dots alone"
    )]
    Name,
    #[error(
        "this server keeps at most {MOST} namespaces; DELETE /ns/<name>/__mock/namespace forgets one"
    )]
    Full,
}

/// What is true in a namespace until it is reset or given another world.
#[derive(Debug)]
pub struct Installation {
    pub directory: Arc<Directory>,
    pub model: Arc<Model>,
    pub clock: Clock,
    pub ids: Ids,
    pub keys: Arc<Keys>,
    pub kid: Arc<str>,
    pub cursors: hmac::Key,
    /// The host that endpoints name.
    pub host: Box<str>,
    /// What its sessions lead to; without one, nowhere.
    pub node: Option<Node>,
    /// How long the body of a request may take.
    pub patience: Duration,
    /// The simulated clusters that kubeconfigs lead to.
    pub clusters: Clusters,
    report_delay: AtomicU32,
    /// What other systems keep here.
    pub annex: Annex,
    sessions: Mutex<Sessions>,
    k0rdent: Mutex<Kubeconfigs>,
}

impl Installation {
    /// The sessions as they are now: whatever was due has happened.
    pub fn sessions(&self, now: Timestamp) -> MutexGuard<'_, Sessions> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.sweep(now.as_second());
        sessions
    }

    /// The kubeconfigs that the k0rdent surface issued.
    pub fn k0rdent(&self) -> MutexGuard<'_, Kubeconfigs> {
        self.k0rdent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what time has made due.
    pub fn sweep(&self) {
        let now = self.clock.now();
        drop(self.sessions(now));
        self.k0rdent().sweep(now);
        self.annex.settle(now);
    }

    /// For how many seconds a node keeps to itself where a session listens.
    pub fn report_delay(&self) -> u32 {
        self.report_delay.load(Ordering::Relaxed)
    }

    pub fn set_report_delay(&self, seconds: u32) {
        self.report_delay.store(seconds, Ordering::Relaxed);
    }
}

/// A world, checked and ready to be lived in.
#[derive(Debug, Clone)]
pub struct Scene {
    directory: Arc<Directory>,
    model: Arc<Model>,
}

impl Scene {
    pub fn prepare(file: WorldFile) -> Result<Self, WorldError> {
        let directory = Directory::resolve(file)?;
        node::check(&directory.file)?;
        k0rdent::check(&directory.file)?;
        if let Some(rancher) = &directory.file.rancher {
            rancher.check(|name| directory.file.clusters.contains_key(name))?;
        }
        let model = Model::build(&directory.file.permissions, &directory.relations())
            .map_err(|error| WorldError::Syntax(error.to_string()))?;
        Ok(Self { directory: Arc::new(directory), model: Arc::new(model) })
    }

    pub fn directory(&self) -> &Directory {
        &self.directory
    }
}

/// What every namespace starts from.
#[derive(Debug)]
pub struct Origin {
    pub scene: Scene,
    pub clock: Clock,
    pub seed: [u8; 32],
    pub journal: usize,
    /// Where the server listens.
    pub bind: IpAddr,
    /// How long the body of a request may take.
    pub patience: Duration,
    /// What all nodes share; without it there are none.
    pub site: Option<Arc<Site>>,
}

#[derive(Debug)]
pub struct Namespace {
    pub name: Box<str>,
    pub journal: Arc<Journal>,
    pub faults: Faults,
    seed: [u8; 32],
    origin: Arc<Origin>,
    now: RwLock<Arc<Installation>>,
}

impl Namespace {
    fn create(name: &str, origin: Arc<Origin>) -> Self {
        let seed = derive(&origin.seed, &[b"namespace", name.as_bytes()]);
        let journal = Arc::new(Journal::new(origin.journal));
        let ground = Ground { name, seed: &seed, journal: &journal, origin: &origin };
        let first = ground.install(&origin.scene, origin.clock.fork(), 0);
        let now = RwLock::new(Arc::new(first));
        Self { name: name.into(), journal, faults: Faults::default(), seed, origin, now }
    }

    pub fn installation(&self) -> Arc<Installation> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The line that a request will have in the journal.
    pub fn trail(
        &self,
        installation: &Installation,
        now: Timestamp,
        method: &str,
        path: &Arc<str>,
    ) -> Open {
        let mut trail = self.journal.open(now, method, path);
        if installation.directory.holds_secret(path) {
            trail.hide_path();
        }
        trail
    }

    fn replace(&self, next: Installation) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    /// Back to how the namespace began: world, clock, ids, sessions, faults, journal.
    pub fn reset(&self) {
        self.faults.clear();
        self.replace(self.ground().install(&self.origin.scene, self.origin.clock.fork(), 0));
        self.journal.clear();
    }

    /// Another world, without sessions, at the time it is here.
    pub fn enter(&self, scene: &Scene) {
        let before = self.installation();
        // Another stretch of ids, so that none means two sessions.
        let stretch = before.ids.stretch() + 1;
        self.replace(self.ground().install(scene, before.clock.fork(), stretch));
    }

    fn ground(&self) -> Ground<'_> {
        Ground { name: &self.name, seed: &self.seed, journal: &self.journal, origin: &self.origin }
    }
}

/// What installations of one namespace are made on.
struct Ground<'n> {
    name: &'n str,
    seed: &'n [u8; 32],
    journal: &'n Arc<Journal>,
    origin: &'n Origin,
}

impl Ground<'_> {
    fn install(&self, scene: &Scene, clock: Clock, stretch: u64) -> Installation {
        let seed = self.seed;
        let mut keys = Keys::from_seed(derive(seed, &[b"signing key"]));
        let site = self.origin.site.as_ref();
        if let Some(kept) = site.and_then(|site| site.host_seed()) {
            keys = keys.with_ssh_host_seed(derive(kept, &[b"host", self.name.as_bytes()]));
        }
        let world = &scene.directory.file;
        let host = world.listeners.host.clone().unwrap_or_else(|| host_of(self.origin.bind));
        let node = site.filter(|_| world.listeners.served).map(|site| {
            Node::new(Arc::clone(site), Arc::clone(self.journal), &host, keys.ssh_host_seed())
        });
        Installation {
            directory: Arc::clone(&scene.directory),
            model: Arc::clone(&scene.model),
            clock,
            ids: Ids::new(derive(seed, &[b"ids", &stretch.to_be_bytes()]), stretch),
            kid: Arc::from(keys.kid()),
            keys: Arc::new(keys),
            cursors: hmac::Key::new(hmac::HMAC_SHA256, &derive(seed, &[b"cursors"])),
            host: host.into(),
            node,
            patience: self.origin.patience,
            clusters: Clusters::default(),
            report_delay: AtomicU32::new(world.listeners.report_delay_seconds),
            annex: Annex::default(),
            sessions: Mutex::new(Sessions::new(world.sessions.retention_seconds)),
            k0rdent: Mutex::default(),
        }
    }
}

fn derive(seed: &[u8; 32], purpose: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, seed));
    for part in purpose {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut derived = [0; 32];
    derived.copy_from_slice(context.sign().as_ref());
    derived
}

#[derive(Debug)]
pub struct Namespaces {
    default: Arc<Namespace>,
    origin: Arc<Origin>,
    others: RwLock<HashMap<Box<str>, Arc<Namespace>>>,
}

impl Namespaces {
    pub fn new(origin: Origin) -> Self {
        let origin = Arc::new(origin);
        let default = Arc::new(Namespace::create(DEFAULT, Arc::clone(&origin)));
        Self { default, origin, others: RwLock::default() }
    }

    pub fn default_one(&self) -> Arc<Namespace> {
        Arc::clone(&self.default)
    }

    /// The namespace of this name, which its first use makes.
    pub fn named(&self, name: &str) -> Result<Arc<Namespace>, NamespaceError> {
        if name == DEFAULT {
            return Ok(self.default_one());
        }
        if let Some(known) = self.others.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Arc::clone(known));
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        // Clients that tidy URLs would take these two for steps up, into another world.
        let step = matches!(name, "." | "..");
        if name.is_empty() || step || name.len() > 64 || !name.bytes().all(legal) {
            return Err(NamespaceError::Name);
        }
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.get(name) {
            return Ok(Arc::clone(known));
        }
        if others.len() >= MOST {
            return Err(NamespaceError::Full);
        }
        let made = Arc::new(Namespace::create(name, Arc::clone(&self.origin)));
        others.insert(name.into(), Arc::clone(&made));
        Ok(made)
    }

    /// Ends what lives in a namespace and makes room for another. The default one begins anew.
    pub fn forget(&self, namespace: &Namespace) {
        namespace.reset();
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        others.remove(&namespace.name);
    }

    /// Does everywhere what time has made due, so that nothing is kept for want of a visit.
    pub fn sweep(&self) {
        let others: Vec<_> = {
            let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
            others.values().map(Arc::clone).collect()
        };
        for namespace in others.iter().chain([&self.default]) {
            namespace.installation().sweep();
        }
    }
}
