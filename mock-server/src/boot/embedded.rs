//! The library entry: a server inside a test, on a port of its own, gone when dropped.

use std::net::IpAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{Config, Furnishing, StartError, Taken, World, runtime, serve, take};
use crate::systems::plexsphere::Generation;

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct MockServer {
    http_url: String,
    https_url: String,
    ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What may be chosen; everything has a default.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    config: Config,
    clock: Option<String>,
}

impl MockServer {
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `http://127.0.0.1:<port>`
    pub fn http_url(&self) -> &str {
        &self.http_url
    }

    /// `https://localhost:<port>`, under the authority of [`ca_pem`](Self::ca_pem).
    pub fn https_url(&self) -> &str {
        &self.https_url
    }

    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

impl Builder {
    /// Fixes keys and ids.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self
    }

    /// Freezes the clock at an RFC 3339 moment.
    pub fn clock(mut self, moment: impl Into<String>) -> Self {
        self.clock = Some(moment.into());
        self
    }

    /// The name of an embedded world, or the path of a world file.
    pub fn world(mut self, world: impl Into<String>) -> Self {
        self.config.world = World::Named(world.into());
        self
    }

    /// A world written here, in YAML or JSON.
    pub fn world_text(mut self, text: impl Into<String>) -> Self {
        self.config.world = World::Text(text.into());
        self
    }

    pub fn contract(mut self, generation: Generation) -> Self {
        self.config.generation = generation;
        self
    }

    /// How many requests the journal of a namespace remembers.
    pub fn journal(mut self, entries: usize) -> Self {
        self.config.journal = entries;
        self
    }

    /// How long the body of a request may take before it is a 408; 30 seconds by default.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.config.patience = patience;
        self
    }

    /// Lets sessions lead nowhere, so that their endpoints follow from the seed alone.
    pub fn no_node(mut self) -> Self {
        self.config.node = false;
        self
    }

    /// Listens on this address instead of 127.0.0.1, with all that sessions lead to.
    pub fn bind(mut self, address: IpAddr) -> Self {
        self.config.address.set_ip(address);
        self
    }

    /// Starts on a free port of the loopback interface, and returns when requests are answered.
    pub fn start(mut self) -> Result<MockServer, StartError> {
        if let Some(moment) = &self.clock {
            let parsed = moment.parse::<Timestamp>();
            self.config.clock = Some(parsed.map_err(|_| StartError::Clock(moment.clone()))?);
        }
        let runtime = runtime()?;
        let world = Furnishing::begin(&self.config, runtime.handle());
        let prepared =
            take(&self.config).and_then(Taken::certify).and_then(|bound| bound.furnish(world));
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                // Whoever starts a server from a task must not wait for threads to end.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let (stop, stopped) = oneshot::channel();
        let mut server = MockServer {
            http_url: prepared.ready().http.clone(),
            https_url: prepared.ready().https.clone(),
            ca_pem: prepared.ca_pem().to_owned(),
            stop: Some(stop),
            thread: None,
        };
        // The port is bound already, so whoever connects from here on is served.
        server.thread = Some(std::thread::spawn(move || {
            runtime.block_on(async {
                // Whatever ends it, the owner learns by the connections' end.
                let _ = serve(prepared, async {
                    let _ = stopped.await;
                })
                .await;
            });
        }));
        Ok(server)
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_cannot_start_says_so_to_a_task_as_well() {
        let started = MockServer::builder().world_text("domains: 7").start();
        assert!(matches!(started, Err(StartError::World { .. })), "{started:?}");
        let address = std::net::Ipv4Addr::new(192, 0, 2, 1).into();
        let started = MockServer::builder().bind(address).start();
        assert!(matches!(started, Err(StartError::Listen { .. })), "{started:?}");
    }
}
