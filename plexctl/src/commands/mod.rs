//! One file for each command: its flags and what it does with them.

pub(crate) mod kubeconfig;
pub(crate) mod ssh;
pub(crate) mod tcp_forward;

use std::time::Duration;

use uuid::Uuid;

use crate::audit::{Audit, Entry};
use crate::cli::Persistent;
use crate::error::Error;
use crate::names::Checks;
use crate::output::Output;
use crate::session::{Ask, Session};

/// What `-h` ends with.
const SHORT_HELP: &str = "See --help for examples, exit codes and more.";

// What every command reaches. No doc comment: clap would take it for the command's own.
#[derive(clap::Args)]
struct Reach {
    /// Project that owns the resource (UUID, required)
    #[arg(long, value_name = "UUID")]
    project_id: Option<String>,
    /// Resource to reach (UUID, required)
    #[arg(long, value_name = "UUID")]
    resource_id: Option<String>,
}

// For sessions whose endpoint comes later. No doc comment, as above.
#[derive(clap::Args)]
struct Patience {
    /// How long to wait for a listener endpoint that the session does not have yet
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    wait: Option<String>,
}

impl Patience {
    fn check(&self, checks: &mut Checks) -> Option<Duration> {
        checks.wait("--wait", self.wait.as_deref())
    }
}

impl Reach {
    /// The project and the resource, or two more remarks about the command line.
    fn check(&self, checks: &mut Checks) -> (Option<Uuid>, Option<Uuid>) {
        (
            checks.uuid("--project-id", self.project_id.as_deref()),
            checks.uuid("--resource-id", self.resource_id.as_deref()),
        )
    }
}

/// `--reveal-secrets`, from opening the audit file to showing the token.
struct Reveal(Option<Audit>);

impl Reveal {
    /// Opens the audit file if the token is to be shown.
    fn prepare(persistent: &Persistent) -> Result<Self, Error> {
        if persistent.reveal_secrets.unwrap_or(false) {
            Audit::open().map(|audit| Self(Some(audit)))
        } else {
            Ok(Self(None))
        }
    }

    /// Records the use and shows the token, in that order.
    fn show(
        self,
        command: &str,
        ask: &Ask<'_>,
        session: &Session<'_>,
        output: &Output,
    ) -> Result<(), Error> {
        let Some(mut audit) = self.0 else { return Ok(()) };
        let entry = Entry::new(command, ask.project_id, ask.resource_id, session.id);
        audit.record(&entry).map_err(|error| session.abandon(error))?;
        output.reveal(&session.token, &audit.path().display().to_string());
        Ok(())
    }
}
