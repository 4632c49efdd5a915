//! What happens at a session's door, as its log: activity puts idleness off, and everything
//! that is told goes into the journal. No token comes this far.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use uuid::Uuid;

use crate::listeners::{Activity, Event};
use crate::namespace::Installation;
use crate::world::journal::Journal;
use crate::world::kind::Kind;

#[derive(Clone)]
pub(super) struct Log {
    pub installation: Weak<Installation>,
    pub journal: Arc<Journal>,
    pub session: Uuid,
    pub kind: Kind,
    /// Whether anybody was let in. A session that nobody used ends without a word.
    pub started: Arc<AtomicBool>,
}

/// How entries of the node are told from requests.
const METHOD: &str = "NODE";

impl Log {
    /// A token that was not accepted, by the name of the reason.
    pub(super) fn refused(&self, name: &'static str) {
        self.note("RedeemToken", Cow::Borrowed(name), "");
    }

    fn note(&self, operation: &'static str, code: Cow<'static, str>, detail: &str) {
        let Some(installation) = self.installation.upgrade() else { return };
        let path = format!("/listeners/{}{detail}", self.kind.word());
        let mut entry = self.journal.open(installation.clock.now(), METHOD, &path.into());
        entry.operation = operation;
        entry.code = Some(code);
        entry.kind = Some(self.kind);
        entry.session_id = Some(self.session);
    }

    fn touch(&self) {
        if let Some(installation) = self.installation.upgrade() {
            let now = installation.clock.now();
            installation.sessions(now).touch(self.session, now.as_second());
        }
    }
}

impl Activity for Log {
    fn report(&self, event: Event) {
        let carried =
            |bytes_in: u64, bytes_out: u64| format!("?bytes_in={bytes_in}&bytes_out={bytes_out}");
        let (name, detail, alive) = match event {
            Event::Traffic { .. } => return self.touch(),
            Event::SessionStarted => {
                self.started.store(true, Ordering::Relaxed);
                ("session_started", String::new(), true)
            }
            Event::ConnectionOpened { .. } => ("connection_opened", String::new(), true),
            Event::ConnectionClosed { bytes_in, bytes_out, .. } => {
                ("connection_closed", carried(bytes_in, bytes_out), false)
            }
            // What is typed may be a secret: a command is told of, and not what it says.
            Event::CommandExecuted { .. } => ("command_executed", String::new(), true),
            Event::CommandExited { exit_status, .. } => {
                let status = exit_status.map_or_else(String::new, |code| format!("?exit={code}"));
                ("command_exited", status, true)
            }
            Event::ApiRequest { verb, resource, status, .. } => {
                ("api_request", format!("?verb={verb}&resource={resource}&status={status}"), true)
            }
            Event::RequestRefused { request, .. } => {
                ("request_refused", format!("?request={request}"), false)
            }
            Event::SessionEnded { .. } if !self.started.load(Ordering::Relaxed) => return,
            Event::SessionEnded { bytes_in, bytes_out, .. } => {
                ("session_ended", carried(bytes_in, bytes_out), false)
            }
        };
        if alive {
            self.touch();
        }
        self.note("SessionActivity", Cow::Borrowed(name), &detail);
    }
}
