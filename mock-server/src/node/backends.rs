//! What answers behind the doors, made when the first client is in: starting the server and
//! issuing a session cost nothing of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::Value;

use crate::cluster::{Clock, Cluster};
use crate::listeners::k8s;
use crate::listeners::ssh::{Answer, Backend, Request, Task};
use crate::listeners::tcp::Lead;
use crate::machine::{Machine, MachineDescription};
use crate::world::directory::Directory;
use crate::world::file::{BuiltIn, LeadsTo, Resource, WorldError, WorldFile};

type Named<T> = Mutex<HashMap<Option<String>, Arc<OnceLock<Option<T>>>>>;

/// The machines and clusters of one installation, by name.
#[derive(Default)]
pub(super) struct Backends {
    machines: Named<Machine>,
    clusters: Named<Cluster>,
}

impl std::fmt::Debug for Backends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backends")
    }
}

/// Clusters by name, each made when it is first called for.
#[derive(Default)]
pub struct Clusters(Named<Cluster>);

impl std::fmt::Debug for Clusters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clusters")
    }
}

impl Clusters {
    /// The cluster of this name, as it is described where it is made.
    pub fn of(&self, name: String, described: Option<&Value>, now: Timestamp) -> Option<Cluster> {
        let make = || Cluster::described(described, now).ok();
        shared(&self.0, Some(name)).get_or_init(make).clone()
    }
}

fn shared<T>(named: &Named<T>, name: Option<String>) -> Arc<OnceLock<Option<T>>> {
    let mut named = named.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(named.entry(name).or_default())
}

impl Backends {
    /// The machine of a resource, as one session sees it.
    pub(super) fn machine(
        &self,
        directory: &Arc<Directory>,
        resource: &Resource,
        clock: Clock,
    ) -> Arc<dyn Backend> {
        let machine = shared(&self.machines, resource.machine.clone());
        let (directory, name) = (Arc::clone(directory), resource.machine.clone());
        Arc::new(LateMachine { machine, directory, name, clock, session: OnceLock::new() })
    }

    /// The cluster of a resource, which all sessions share.
    pub(super) fn cluster(
        &self,
        directory: &Arc<Directory>,
        resource: &Resource,
        clock: Clock,
    ) -> k8s::Backend {
        let cluster = shared(&self.clusters, resource.cluster.clone());
        let (directory, name) = (Arc::clone(directory), resource.cluster.clone());
        Arc::new(move || {
            let described = name.as_ref().and_then(|name| directory.file.clusters.get(name));
            cluster.get_or_init(|| Cluster::described(described, clock()).ok()).clone()
        })
    }
}

struct LateMachine {
    machine: Arc<OnceLock<Option<Machine>>>,
    directory: Arc<Directory>,
    name: Option<String>,
    clock: Clock,
    session: OnceLock<Option<Machine>>,
}

impl Backend for LateMachine {
    fn run(&self, request: Request) -> Task {
        let make = || {
            let machines = &self.directory.file.machines;
            let described = self.name.as_ref().and_then(|name| machines.get(name));
            make_machine(described, Arc::clone(&self.clock)).ok()
        };
        let own = || self.machine.get_or_init(make).as_ref().map(Machine::for_session);
        match self.session.get_or_init(own) {
            Some(machine) => machine.run(request),
            None => Box::pin(async { Answer::Exit(255) }),
        }
    }
}

fn make_machine(described: Option<&Value>, clock: Clock) -> Result<Machine, String> {
    match described {
        None => Machine::standard(clock).map_err(|error| error.to_string()),
        Some(described) => MachineDescription::deserialize(described)
            .map_err(|error| error.to_string())
            .and_then(|one| Machine::new(one, clock).map_err(|error| error.to_string())),
    }
}

/// Where a target leads; one that the world does not name, to the echo.
pub(super) fn lead(world: &WorldFile, host: &str, port: u16) -> Lead {
    let named = (world.tcp_targets.iter())
        .find(|target| target.port == port && target.host.eq_ignore_ascii_case(host));
    match named.map(|target| target.leads_to) {
        None | Some(LeadsTo::BuiltIn(BuiltIn::Echo)) => Lead::Echo,
        Some(LeadsTo::BuiltIn(BuiltIn::Hello)) => Lead::Hello,
        Some(LeadsTo::Address(address)) => Lead::Address(address),
    }
}

/// Builds everything a world describes once, to see that it can be.
pub(super) fn check(world: &WorldFile) -> Result<(), WorldError> {
    let wrong = |place: String, what: String| WorldError::Content { place, what };
    for (name, described) in &world.machines {
        make_machine(Some(described), Arc::new(Timestamp::now))
            .map_err(|what| wrong(format!("machines.{name}"), what))?;
    }
    for (name, described) in &world.clusters {
        Cluster::described(Some(described), Timestamp::now())
            .map_err(|error| wrong(format!("clusters.{name}"), error.to_string()))?;
    }
    for (n, resource) in world.resources.iter().enumerate() {
        let place = |field: &str| format!("resources[{n}].{field}");
        if let Some(name) =
            resource.machine.as_ref().filter(|one| !world.machines.contains_key(*one))
        {
            return Err(wrong(place("machine"), format!("there is no machine `{name}`")));
        }
        if let Some(name) =
            resource.cluster.as_ref().filter(|one| !world.clusters.contains_key(*one))
        {
            return Err(wrong(place("cluster"), format!("there is no cluster `{name}`")));
        }
    }
    for (n, target) in world.tcp_targets.iter().enumerate() {
        if let LeadsTo::Address(address) = target.leads_to
            && !address.ip().is_loopback()
        {
            let what = "nothing outside the loopback interface is dialled".to_owned();
            return Err(wrong(format!("tcp_targets[{n}].leads_to"), what));
        }
    }
    Ok(())
}
