//! What is told of a session's life, by the listeners here as by a node that calls in: it puts
//! idleness off, and is noted in the journal. No token and no command text comes this far.

use std::borrow::Cow;

use serde::Deserialize;
use uuid::Uuid;

use crate::namespace::Installation;
use crate::world::journal::Journal;
use crate::world::kind::Kind;

/// One thing that a node tells.
#[derive(Debug, Clone)]
pub struct Report {
    pub activity: Activity,
    /// Where the session listens, if the node says so.
    pub endpoint: Option<String>,
}

/// What happened, by the names that the contract has for it.
#[derive(Debug, Clone)]
pub enum Activity {
    SessionStarted,
    /// What is run may hold a secret: that it was run is told, and not what it says.
    CommandExecuted,
    CommandExited {
        status: Option<u32>,
    },
    ApiRequest {
        verb: Cow<'static, str>,
        resource: String,
        status: Option<u16>,
    },
    SessionEnded {
        bytes_in: u64,
        bytes_out: u64,
        terminated_by: Option<TerminatedBy>,
    },
}

/// Why a node closed a listener. The session itself ends by its own rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TerminatedBy {
    TtlExpired,
    IdleTimeout,
    PlexdClose,
    OperatorRevoke,
}

impl TerminatedBy {
    fn detail(self) -> &'static str {
        match self {
            Self::TtlExpired => "&terminated_by=ttl_expired",
            Self::IdleTimeout => "&terminated_by=idle_timeout",
            Self::PlexdClose => "&terminated_by=plexd_close",
            Self::OperatorRevoke => "&terminated_by=operator_revoke",
        }
    }
}

impl Report {
    pub fn of(activity: Activity) -> Self {
        Self { activity, endpoint: None }
    }
}

impl Activity {
    fn name(&self) -> &'static str {
        match self {
            Self::SessionStarted => "session_started",
            Self::CommandExecuted => "command_executed",
            Self::CommandExited { .. } => "command_exited",
            Self::ApiRequest { .. } => "api_request",
            Self::SessionEnded { .. } => "session_ended",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::SessionStarted | Self::CommandExecuted => String::new(),
            Self::CommandExited { status } => {
                status.map_or_else(String::new, |code| format!("?exit={code}"))
            }
            Self::ApiRequest { verb, resource, status } => {
                let status = status.map_or_else(String::new, |code| format!("&status={code}"));
                format!("?verb={verb}&resource={resource}{status}")
            }
            Self::SessionEnded { bytes_in, bytes_out, terminated_by } => {
                let cause = terminated_by.map_or("", TerminatedBy::detail);
                carried(*bytes_in, *bytes_out) + cause
            }
        }
    }
}

pub(super) fn carried(bytes_in: u64, bytes_out: u64) -> String {
    format!("?bytes_in={bytes_in}&bytes_out={bytes_out}")
}

/// Takes a report on a session that is known.
pub fn take(
    installation: &Installation,
    journal: &std::sync::Arc<Journal>,
    (session, kind): (Uuid, Kind),
    report: &Report,
) {
    let now = installation.clock.now();
    let mut sessions = installation.sessions(now);
    if let Some(endpoint) = &report.endpoint {
        sessions.report_endpoint(session, endpoint);
    }
    if !matches!(report.activity, Activity::SessionEnded { .. }) {
        sessions.touch(session, now.as_second());
    }
    drop(sessions);
    let note = Note {
        operation: "SessionActivity",
        code: report.activity.name(),
        detail: &report.activity.detail(),
    };
    note.write(installation, journal, (session, kind));
}

/// A line in the journal that is no request.
#[derive(Clone, Copy)]
pub(super) struct Note<'n> {
    pub operation: &'static str,
    pub code: &'static str,
    pub detail: &'n str,
}

/// How such lines are told from requests.
const METHOD: &str = "NODE";

impl Note<'_> {
    pub(super) fn write(
        &self,
        installation: &Installation,
        journal: &std::sync::Arc<Journal>,
        (session, kind): (Uuid, Kind),
    ) {
        let path = format!("/listeners/{}{}", kind.word(), self.detail);
        let mut entry = journal.open(installation.clock.now(), METHOD, &path.into());
        entry.operation = self.operation;
        entry.code = Some(Cow::Borrowed(self.code));
        entry.kind = Some(kind);
        entry.session_id = Some(session);
    }
}
