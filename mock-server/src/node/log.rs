//! What happens at a session's door, told as a node tells it. No token comes this far.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use uuid::Uuid;

use super::report::{self, Activity, Note, Report, TerminatedBy, carried};
use crate::listeners::{self, EndReason, Event};
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

impl Log {
    /// A token that was not accepted, by the name of the reason.
    pub(super) fn refused(&self, name: &'static str) {
        self.note(Note { operation: "RedeemToken", code: name, detail: "" });
    }

    fn note(&self, note: Note<'_>) {
        if let Some(installation) = self.installation.upgrade() {
            note.write(&installation, &self.journal, (self.session, self.kind));
        }
    }

    /// What the contract has no name for is noted only.
    fn detail(&self, code: &'static str, detail: &str) {
        self.note(Note { operation: "SessionActivity", code, detail });
    }

    fn touch(&self) {
        if let Some(installation) = self.installation.upgrade() {
            let now = installation.clock.now();
            installation.sessions(now).touch(self.session, now.as_second());
        }
    }

    fn tell(&self, activity: Activity) {
        if let Some(installation) = self.installation.upgrade() {
            let session = (self.session, self.kind);
            report::take(&installation, &self.journal, session, &Report::of(activity));
        }
    }
}

fn cause(reason: EndReason) -> TerminatedBy {
    match reason {
        EndReason::Revoked => TerminatedBy::OperatorRevoke,
        EndReason::Expired => TerminatedBy::TtlExpired,
        EndReason::Idle => TerminatedBy::IdleTimeout,
        EndReason::Shutdown => TerminatedBy::PlexdClose,
    }
}

impl listeners::Activity for Log {
    fn report(&self, event: Event) {
        match event {
            Event::Traffic { .. } => self.touch(),
            Event::SessionStarted => {
                self.started.store(true, Ordering::Relaxed);
                self.tell(Activity::SessionStarted);
            }
            Event::ConnectionOpened { .. } => {
                self.touch();
                self.detail("connection_opened", "");
            }
            Event::ConnectionClosed { bytes_in, bytes_out, .. } => {
                self.detail("connection_closed", &carried(bytes_in, bytes_out));
            }
            Event::CommandExecuted { .. } => self.tell(Activity::CommandExecuted),
            Event::CommandExited { exit_status, .. } => {
                self.tell(Activity::CommandExited { status: exit_status });
            }
            Event::ApiRequest { verb, resource, status, .. } => {
                let status = Some(status);
                self.tell(Activity::ApiRequest { verb: verb.into(), resource, status });
            }
            Event::RequestRefused { request, .. } => {
                self.detail("request_refused", &format!("?request={request}"));
            }
            Event::SessionEnded { bytes_in, bytes_out, reason } => {
                if self.started.load(Ordering::Relaxed) {
                    let terminated_by = Some(cause(reason));
                    self.tell(Activity::SessionEnded { bytes_in, bytes_out, terminated_by });
                }
            }
        }
    }
}
