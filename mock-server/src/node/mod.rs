//! The node side: puts a listener behind every session that is issued, and ends it with the
//! session. This is where the doors of `listeners` meet what answers behind them and what
//! the installation knows; neither of them knows the other.

mod backends;
mod log;
mod redeemer;
mod site;

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Weak};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::cluster::Caller;
use crate::listeners::{self, Activity, EndReason, Redeemer, k8s, ssh, tcp};
use crate::namespace::Installation;
use crate::world::file::{TcpAuth, WorldError, WorldFile};
use crate::world::journal::Journal;
use crate::world::kind::RevokeReason;
use crate::world::sessions::{Bell, NewSession, Session, Target};

use backends::Backends;
pub use backends::Clusters;
use log::Log;
use redeemer::Door;
pub use site::Site;

/// The node of one installation.
#[derive(Debug)]
pub struct Node {
    site: Arc<Site>,
    journal: Arc<Journal>,
    backends: Arc<Backends>,
}

impl Node {
    pub fn new(site: Arc<Site>, journal: Arc<Journal>) -> Self {
        Self { site, journal, backends: Arc::default() }
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
    if installation.node.is_none() {
        new.port = listeners::wished_port(new.id);
        return Ok(None);
    }
    let listener = listeners::take_port(new.id)?;
    new.port = listener.local_addr()?.port();
    Ok(Some(Prepared(listener)))
}

impl Prepared {
    /// Serves the session from now on; the bell that is returned ends that.
    pub fn open(self, installation: &Arc<Installation>, session: &Session) -> Bell {
        let (end, ended) = watch::channel(None);
        if let Some(node) = &installation.node
            && let Ok(listener) = tokio::net::TcpListener::from_std(self.0)
        {
            let opening = Opening { node, installation, session, ended };
            opening.serve(listener);
        }
        Bell::new(move |reason| {
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
    ended: listeners::Ended,
}

impl Opening<'_> {
    fn serve(self, listener: tokio::net::TcpListener) {
        let (redeemer, activity) = (self.redeemer(), self.activity());
        let directory = &self.installation.directory;
        let world = &directory.file;
        let resource = directory.resource(self.session.resource);
        let clock = clock(Arc::downgrade(self.installation));
        let ended = self.ended;
        match &*self.session.target {
            Target::Ssh { user, .. } => {
                let key = ssh::HostKey::from_seed(self.installation.keys.ssh_host_seed());
                let Ok(bound) = ssh::Bound::over(listener, &key) else { return };
                let described =
                    resource.machine.as_ref().and_then(|name| world.machines.get(name)).cloned();
                let name = resource.machine.clone();
                let backend = self.node.backends.machine(name, described, clock);
                let user = user.to_string();
                let door = ssh::Door { user, redeemer, activity, backend, ended };
                tokio::spawn(bound.serve(door));
            }
            Target::K8s { user, impersonate_groups } => {
                let Some(tls) = self.node.site.tls() else { return };
                let described =
                    resource.cluster.as_ref().and_then(|name| world.clusters.get(name)).cloned();
                let name = resource.cluster.clone();
                let door = k8s::Door {
                    caller: Caller {
                        user: user.to_string(),
                        groups: impersonate_groups.clone(),
                        ..Caller::default()
                    },
                    backend: self.node.backends.cluster(name, described, Arc::clone(&clock)),
                    clock,
                    tls,
                    redeemer,
                    activity,
                    ended,
                };
                tokio::spawn(door.serve(listener));
            }
            Target::Tcp { host, port } => {
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

    fn activity(&self) -> Arc<dyn Activity> {
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
