//! The composition root: a world, a port, a certificate, one ready line. The binary and the
//! library entry put the same server together here.

mod embedded;
pub mod greeting;
mod ready;
mod signals;

use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::runtime::{Handle, Runtime};

use crate::authority::{CaError, DevCa};
use crate::namespace::{Namespaces, Origin, Scene};
use crate::net;
use crate::node::Site;
use crate::route::{self, Reach, Server};
use crate::systems::plexsphere::Generation;
use crate::underway::Underway;
use crate::world::clock::Clock;
use crate::world::embedded as worlds;
use crate::world::file::{MOST_WORLD, WorldError, WorldFile};

pub use embedded::{Builder, MockServer};
pub use ready::{Ready, write_atomically};
pub use signals::Signals;

/// How often what is due is done without anybody asking.
const SWEEP: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}; {}", way_out(source))]
    Listen { address: SocketAddr, source: io::Error },
    #[error(
        "there is no world file {place}, and the embedded worlds are {}", worlds::names().join(", ")
    )]
    NoWorld { place: String },
    #[error("{place}: {source}")]
    World { place: String, source: WorldError },
    #[error("{place}: {source}")]
    File { place: String, source: io::Error },
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error("`{0}` is not a moment in RFC 3339")]
    Clock(String),
    #[error("what the server is made of was not finished")]
    Unfinished,
    #[error("the system gives no random numbers")]
    Random,
}

fn way_out(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrNotAvailable => "--bind takes an address of this machine",
        io::ErrorKind::PermissionDenied => "choose a port above 1023 with --port, or 0 for any",
        _ => "choose another port with --port, or 0 for any",
    }
}

/// Everything that can be chosen about a server.
#[derive(Debug, Clone)]
pub struct Config {
    pub address: SocketAddr,
    pub generation: Generation,
    pub world: World,
    pub seed: Option<u64>,
    pub clock: Option<Timestamp>,
    pub state_dir: Option<PathBuf>,
    pub journal: usize,
    /// Whether sessions lead anywhere.
    pub node: bool,
    /// Whether ssh sessions get a shell on this very machine.
    pub host_shell: bool,
    /// How long the body of a request may take.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            generation: Generation::default(),
            world: World::Named("default".to_owned()),
            seed: None,
            clock: None,
            state_dir: None,
            journal: 10_000,
            node: true,
            host_shell: false,
            patience: net::intake::PATIENCE,
        }
    }
}

#[derive(Debug, Clone)]
pub enum World {
    /// An embedded one, or else a file.
    Named(String),
    /// YAML or JSON at hand.
    Text(String),
}

impl World {
    /// Whether it travels inside the program, and so is known to be right.
    pub fn is_embedded(&self) -> bool {
        matches!(self, Self::Named(name) if worlds::has(name))
    }
}

/// A server that has its address and its certificate, and no world yet. Whoever connects waits in
/// the backlog.
pub struct Bound {
    listener: TcpListener,
    tls: net::Tls,
    /// The host of endpoints, which the certificate is for as well.
    host: Arc<OnceLock<Box<str>>>,
    /// Kept, because its directory goes when it does.
    ca: Arc<DevCa>,
    pub ready: Ready,
}

/// A server that is complete, and serves nobody yet.
pub struct Prepared {
    bound: Bound,
    server: Arc<Server>,
}

impl Prepared {
    pub fn scene_tokens(&self) -> Vec<greeting::Row> {
        greeting::rows(&self.server.namespaces.default_one().installation().directory)
    }

    /// Whether sessions of the server's own world lead anywhere.
    pub fn lands(&self) -> bool {
        self.server.namespaces.default_one().installation().node.is_some()
    }

    pub fn ca_pem(&self) -> &str {
        self.bound.ca.pem()
    }

    pub fn ready(&self) -> &Ready {
        &self.bound.ready
    }
}

/// An address taken, and no certificate yet.
pub struct Taken {
    listener: TcpListener,
    bound: SocketAddr,
    /// The CA of a state directory, which somebody else may hold for a while. Wait for it: left to
    /// itself it would write there after the server is gone.
    kept: Option<Underway<Result<DevCa, CaError>>>,
}

/// Binds first, because that is what most likely fails, and cheaply.
pub fn take(config: &Config) -> Result<Taken, StartError> {
    let address = config.address;
    let listener =
        TcpListener::bind(address).map_err(|source| StartError::Listen { address, source })?;
    let bound = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
    let begin = |place: PathBuf| Underway::begin(move || DevCa::create(Some(&place)));
    Ok(Taken { listener, bound, kept: config.state_dir.clone().map(begin) })
}

impl Taken {
    /// Completes when [`certify`](Self::certify) need not wait.
    pub async fn settled(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.over().await;
        }
    }

    pub fn certify(self) -> Result<Bound, StartError> {
        // A temporary CA takes as long as the world does that another thread lays out meanwhile: on
        // a thread of its own it would take longer by the making of the thread.
        let ca = match self.kept {
            Some(kept) => kept.wait().ok_or(StartError::Unfinished)??,
            None => DevCa::create(None)?,
        };
        let ca = Arc::new(ca);
        let ready = Ready::new(self.bound, ca.file());
        let host = Arc::default();
        let tls = certificate(Arc::clone(&ca), Arc::clone(&host));
        Ok(Bound { listener: self.listener, tls, host, ca, ready })
    }
}

impl Bound {
    pub fn furnish(self, world: Furnishing) -> Result<Prepared, StartError> {
        let Furnished { namespaces, generation, site } = world.wait()?;
        if let Some(site) = site {
            // A listener that is slow to end keeps neither the certificate nor its directory.
            let shared = Arc::downgrade(&self.tls);
            site.present(Arc::new(move || shared.upgrade().and_then(|tls| tls())));
        }
        // Nobody asks for the certificate before the world is there.
        let _ = self.host.set(namespaces.default_one().installation().host.clone());
        let ready = self.ready.to_json();
        let reach = Reach { https: self.ready.https.clone(), ca_pem: self.ca.pem().to_owned() };
        let reach = Arc::new(reach);
        let server = Arc::new(Server { namespaces, generation, ready, reach });
        Ok(Prepared { bound: self, server })
    }
}

/// A world being laid out while the address and the certificate are made.
pub struct Furnishing(Underway<Result<Furnished, StartError>>);

struct Furnished {
    namespaces: Namespaces,
    generation: Generation,
    site: Option<Arc<Site>>,
}

impl Furnishing {
    pub fn begin(config: &Config, runtime: &Handle) -> Self {
        let held = config.clone();
        let furnish = move || {
            let site = held.node.then(|| site(&held)).transpose()?;
            let namespaces = namespaces(&held, site.clone())?;
            Ok(Furnished { namespaces, generation: held.generation, site })
        };
        // A file may be a pipe that nobody writes to, and a state directory may be far away.
        if config.world.is_embedded() && config.state_dir.is_none() {
            Self(Underway::begin_on(runtime, furnish))
        } else {
            Self(Underway::begin(furnish))
        }
    }

    /// Completes when [`furnish`](Bound::furnish) need not wait.
    pub async fn over(&mut self) {
        self.0.over().await;
    }

    fn wait(self) -> Result<Furnished, StartError> {
        self.0.wait().ok_or(StartError::Unfinished)?
    }
}

fn namespaces(config: &Config, site: Option<Arc<Site>>) -> Result<Namespaces, StartError> {
    Ok(Namespaces::new(Origin {
        scene: scene(&config.world)?,
        clock: config.clock.map_or_else(Clock::machine, Clock::frozen_at),
        seed: seed(config.seed)?,
        journal: config.journal,
        bind: config.address.ip(),
        patience: config.patience,
        site,
    }))
}

/// Where runs are to be alike by their seed, host keys follow from it like everything else.
fn site(config: &Config) -> Result<Arc<Site>, StartError> {
    let mut site = Site::at(config.address.ip());
    site.host_shell = config.host_shell;
    if let Some(directory) = config.state_dir.as_ref().filter(|_| config.seed.is_none()) {
        let place = || directory.display().to_string();
        site = (site.kept_in(directory))
            .map_err(|source| StartError::File { place: place(), source })?;
    }
    Ok(Arc::new(site))
}

fn scene(world: &World) -> Result<Scene, StartError> {
    let (place, file) = match world {
        World::Text(text) => ("world".to_owned(), WorldFile::parse(text)),
        World::Named(name) => match worlds::find(name) {
            Some(file) => (format!("world {name}"), file),
            None => {
                let text = read_bounded(Path::new(name)).map_err(|source| {
                    let place = name.clone();
                    match source.kind() {
                        io::ErrorKind::NotFound => StartError::NoWorld { place },
                        _ => StartError::File { place, source },
                    }
                })?;
                (name.clone(), WorldFile::parse(&text))
            }
        },
    };
    file.and_then(Scene::prepare).map_err(|source| StartError::World { place, source })
}

/// A device has no end.
fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MOST_WORLD + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_WORLD {
        return Err(io::Error::other("larger than a world can be, which is 1 MiB"));
    }
    Ok(text)
}

/// What the server presents. It is made when somebody first speaks TLS, not while the start waits.
fn certificate(ca: Arc<DevCa>, host: Arc<OnceLock<Box<str>>>) -> net::Tls {
    let made = OnceLock::new();
    let make = move || ca.server_config(host.get().map(|host| &**host)).ok();
    Arc::new(move || made.get_or_init(&make).clone())
}

/// A number makes runs alike; without one, no two are.
fn seed(number: Option<u64>) -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    match number {
        Some(number) => {
            let text = format!("mock-server seed {number}");
            seed.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        }
        None => SystemRandom::new().fill(&mut seed).map_err(|_| StartError::Random)?,
    }
    Ok(seed)
}

/// Threads beyond the few that a loopback can feed would only cost memory.
pub fn runtime() -> Result<Runtime, StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores().clamp(1, 4))
        .enable_all()
        .build()
        .map_err(StartError::Runtime)
}

/// The standard library would also read the quotas of three control groups, which takes longer than
/// a thread too many costs.
#[cfg(target_os = "linux")]
fn cores() -> usize {
    let ours = rustix::thread::sched_getaffinity(None);
    ours.map_or(2, |cores| usize::try_from(cores.count()).unwrap_or(2))
}

#[cfg(not(target_os = "linux"))]
fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Serves until `shutdown` completes; then the certificate's directory is gone as well.
pub async fn serve(
    prepared: Prepared,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), StartError> {
    let Prepared { bound: Bound { listener, tls, ca, .. }, server } = prepared;
    listener.set_nonblocking(true).map_err(StartError::Runtime)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Runtime)?;
    let sweeper = tokio::spawn(sweep(Arc::clone(&server)));
    let handler = move |request, _peer| route::answer(Arc::clone(&server), request);
    // Among the connections' own threads: one that is accepted then needs no other to be woken.
    let served = tokio::spawn(net::serve(listener, tls, handler, shutdown)).await;
    sweeper.abort();
    drop(ca);
    served.map_err(|_| StartError::Unfinished)
}

async fn sweep(server: Arc<Server>) {
    let mut tick = tokio::time::interval(SWEEP);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        server.namespaces.sweep();
    }
}
