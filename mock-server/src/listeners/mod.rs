//! The doors a session's client really connects to, one room each.
//!
//! A listener knows one session. It redeems tokens through a [`Redeemer`] and
//! tells what happened through an [`Activity`]; it sees no world, no gate and
//! no other session. Binding and serving are two phases: a port that cannot be
//! had is told before the session is handed out.

mod attach;
mod endpoint;
pub mod k8s;
mod meter;
mod porch;
mod port;
mod pulse;
pub mod ssh;
pub mod tcp;

use tokio::sync::watch;

pub use attach::bridge;
pub use endpoint::{LONGEST_ENDPOINT, endpoint};
pub(crate) use port::take as take_port;
pub use port::wished as wished_port;

/// Why a live session came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    Revoked,
    Expired,
    Idle,
    /// The mock itself is being stopped.
    Shutdown,
}

impl EndReason {
    /// The words a connected person is shown.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Revoked => "this session has been revoked",
            Self::Expired => "this session has expired",
            Self::Idle => "this session was idle for too long",
            Self::Shutdown => "the server is shutting down",
        }
    }
}

/// Fires once, with the reason. Whoever ends sessions holds the other half and
/// keeps it for as long as the session lives: a dropped half ends the session.
pub type Ended = watch::Receiver<Option<EndReason>>;

/// Waits for the end of a session.
pub async fn end_of(ended: &mut Ended) -> EndReason {
    match ended.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        _ => EndReason::Shutdown,
    }
}

/// What a token, once accepted, allows.
#[derive(Clone, Debug)]
pub struct Redeemed {
    pub session_id: uuid::Uuid,
    /// The login user; empty for kinds that have none.
    pub user: String,
    /// When not empty: the only command lines that may be run, to the letter.
    pub allowed_commands: Vec<String>,
    pub expires_at: jiff::Timestamp,
    pub ended: Ended,
}

/// Why a token was not accepted: a short name for the journal, such as
/// `expired` or `bad_signature`. It never holds a byte of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub name: &'static str,
}

/// Judges tokens for one session's listener.
pub trait Redeemer: Send + Sync {
    /// Accepts or refuses a token offered under a login name. Refusals are
    /// journalled by the redeemer, which alone knows what to compare with.
    ///
    /// # Errors
    /// When the token does not open this session.
    fn redeem(&self, token: &str, user: &str) -> Result<Redeemed, Refusal>;

    /// Lets one more connection in, for kinds that redeem more than once on each.
    ///
    /// # Errors
    /// When the session has been used and may be used once only.
    fn enter(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

/// What happened on a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first client is in.
    SessionStarted,
    /// A client is in.
    ConnectionOpened {
        connection: u64,
    },
    ConnectionClosed {
        connection: u64,
        bytes_in: u64,
        bytes_out: u64,
    },
    /// Bytes went either way; told at most once a second.
    Traffic {
        connection: u64,
    },
    /// A command began; empty for a shell.
    CommandExecuted {
        connection: u64,
        command: String,
    },
    CommandExited {
        connection: u64,
        command: String,
        /// Nothing when a signal ended it or its client went away.
        exit_status: Option<u32>,
    },
    /// A request to an API behind the listener was answered.
    ApiRequest {
        connection: u64,
        verb: &'static str,
        resource: String,
        status: u16,
    },
    /// A client asked for something this session does not give.
    RequestRefused {
        connection: u64,
        request: &'static str,
    },
    /// The listener has stopped; all its connections are closed.
    SessionEnded {
        reason: EndReason,
        bytes_in: u64,
        bytes_out: u64,
    },
}

impl Event {
    /// A connection beyond those that are taken.
    fn too_many(connection: u64) -> Self {
        Self::RequestRefused { connection, request: "connection_limit" }
    }
}

/// Is told what happens. Called from connection tasks: it must not block.
pub trait Activity: Send + Sync {
    fn report(&self, event: Event);
}
