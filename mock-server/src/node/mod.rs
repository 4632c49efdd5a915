//! The node side: puts a listener behind every session that is issued, and ends it with the
//! session. This is where the doors of `listeners` meet what answers behind them and what
//! the installation knows; neither of them knows the other.

mod backends;
#[cfg(unix)]
mod host_shell;
#[cfg(unix)]
mod kin;
mod log;
mod redeemer;
mod report;
mod site;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hyper::body::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::cluster::Caller;
use crate::listeners::{self, EndReason, Ended, Redeemer, k8s, ssh, tcp};
use crate::namespace::Installation;
use crate::net::Duplex;
use crate::world::file::{TcpAuth, WorldError, WorldFile};
use crate::world::journal::Journal;
use crate::world::kind::RevokeReason;
use crate::world::sessions::{Bell, NewSession, Session, Target};

use backends::Backends;
pub use backends::Clusters;
use log::Log;
use redeemer::Door;
pub use report::{Activity, Report, TerminatedBy, take};
pub use site::{Site, host_of};

/// The node of one installation.
pub struct Node {
    site: Arc<Site>,
    journal: Arc<Journal>,
    backends: Arc<Backends>,
    interface: IpAddr,
    host_key: ssh::HostKey,
    /// The sessions that are listened for.
    open: Arc<Mutex<HashMap<Uuid, Ended>>>,
}

impl Node {
    pub fn new(site: Arc<Site>, journal: Arc<Journal>, host: &str, host_seed: &[u8; 32]) -> Self {
        let interface = site.interface(host);
        let host_key = ssh::HostKey::from_seed(host_seed);
        let (backends, open) = (Arc::default(), Arc::default());
        Self { site, journal, backends, interface, host_key, open }
    }

    /// What answers on ssh: a simulated machine, unless this one was offered.
    fn shell(
        &self,
        machine: impl FnOnce(&Backends) -> Arc<dyn ssh::Backend>,
    ) -> Arc<dyn ssh::Backend> {
        #[cfg(unix)]
        if self.site.host_shell {
            return Arc::new(host_shell::HostShell);
        }
        machine(&self.backends)
    }

    /// What leads from a WebSocket to the session's ssh listener.
    pub fn bridge(&self, session: &Session) -> Option<Bridge> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = open.get(&session.id)?.clone();
        let listener = SocketAddr::new(site::reachable(self.interface), session.port);
        Some(Bridge { listener, ended })
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Node")
    }
}

/// The way to a listener, for as long as its session lives.
#[derive(Debug)]
pub struct Bridge {
    listener: SocketAddr,
    ended: Ended,
}

impl Bridge {
    pub async fn carry(self, stream: Box<dyn Duplex>, early: Bytes) {
        listeners::bridge(stream, early, self.listener, self.ended).await;
    }
}

/// Whether what a world says of machines, clusters and targets can be built.
pub fn check(world: &WorldFile) -> Result<(), WorldError> {
    backends::check(world)
}

/// A port that is taken for a session about to exist.
#[derive(Debug)]
pub struct Prepared(TcpListener);

/// Takes the port of a new session, if this installation serves sessions.
pub fn prepare(installation: &Installation, new: &mut NewSession) -> io::Result<Option<Prepared>> {
    let Some(node) = &installation.node else {
        new.port = listeners::wished_port(new.id);
        return Ok(None);
    };
    let listener = listeners::take_port(new.id, node.interface)?;
    new.port = listener.local_addr()?.port();
    Ok(Some(Prepared(listener)))
}

impl Prepared {
    /// Serves the session from now on; the bell that is returned ends that.
    pub fn open(self, installation: &Arc<Installation>, session: &Session) -> Bell {
        let (end, ended) = watch::channel(None);
        let Some(node) = &installation.node else { return Bell::new(|_| ()) };
        let (open, id) = (Arc::clone(&node.open), session.id);
        if let Ok(listener) = tokio::net::TcpListener::from_std(self.0) {
            open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, ended.clone());
            let opening = Opening { node, installation, session, ended };
            opening.serve(listener);
        }
        Bell::new(move |reason| {
            open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            // Nobody listens any more: then nothing has to end.
            let _ = end.send(Some(end_reason(reason)));
        })
    }
}

fn end_reason(reason: RevokeReason) -> EndReason {
    match reason {
        RevokeReason::TtlExpired => EndReason::Expired,
        RevokeReason::IdleTimeout => EndReason::Idle,
        _ => EndReason::Revoked,
    }
}

struct Opening<'o> {
    node: &'o Node,
    installation: &'o Arc<Installation>,
    session: &'o Session,
    ended: Ended,
}

impl Opening<'_> {
    fn serve(self, listener: tokio::net::TcpListener) {
        let (redeemer, activity) = (self.redeemer(), self.activity());
        let directory = &self.installation.directory;
        let resource = directory.resource(self.session.resource);
        let clock = clock(Arc::downgrade(self.installation));
        let ended = self.ended;
        match &*self.session.target {
            Target::Ssh { user, .. } => {
                let Ok(bound) = ssh::Bound::over(listener, &self.node.host_key) else { return };
                let backend =
                    self.node.shell(|backends| backends.machine(directory, resource, clock));
                let user = user.to_string();
                let door = ssh::Door { user, redeemer, activity, backend, ended };
                tokio::spawn(bound.serve(door));
            }
            Target::K8s { user, impersonate_groups } => {
                let Some(tls) = self.node.site.tls() else { return };
                let backend = self.node.backends.cluster(directory, resource, Arc::clone(&clock));
                let door = k8s::Door {
                    caller: Caller {
                        user: user.to_string(),
                        groups: impersonate_groups.clone(),
                        ..Caller::default()
                    },
                    backend,
                    clock,
                    tls,
                    redeemer,
                    activity,
                    ended,
                    patience: self.installation.patience,
                };
                tokio::spawn(door.serve(listener));
            }
            Target::Tcp { host, port } => {
                let world = &directory.file;
                let door = tcp::Door {
                    host: host.clone(),
                    port: *port,
                    asks_token: world.listeners.tcp_auth == TcpAuth::Token,
                    lead: backends::lead(world, host, *port),
                    redeemer,
                    activity,
                    ended,
                };
                tokio::spawn(door.serve(listener));
            }
        }
    }

    fn redeemer(&self) -> Arc<dyn Redeemer> {
        Arc::new(Door::new(self.installation, self.session, self.log(), self.ended.clone()))
    }

    fn activity(&self) -> Arc<dyn listeners::Activity> {
        Arc::new(self.log())
    }

    fn log(&self) -> Log {
        Log {
            installation: Arc::downgrade(self.installation),
            journal: Arc::clone(&self.node.journal),
            session: self.session.id,
            kind: self.session.kind,
            started: Arc::default(),
        }
    }
}

/// The installation's clock, for as long as there is an installation.
fn clock(installation: Weak<Installation>) -> crate::cluster::Clock {
    Arc::new(move || {
        installation.upgrade().map_or_else(Timestamp::now, |installation| installation.clock.now())
    })
}
