//! `plexctl ssh`: a session of kind ssh, handed to the local ssh client.

use crate::api::Client;
use crate::api::wire::Target;
use crate::cli::Persistent;
use crate::commands::{Patience, Reach, Reveal, SHORT_HELP};
use crate::context::Context;
use crate::endpoint::is_fingerprint;
use crate::error::Error;
use crate::local::ssh_client::{self, Run};
use crate::names::Checks;
use crate::output::{Format, Output};
use crate::session::{self, Ask};
use crate::{env, process};

const LONG_HELP: &str = "\
Examples:
  Log in as ops for at most a quarter of an hour:
    plexctl ssh --server https://localhost:8080 \\
      --project-id 0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0 \\
      --resource-id 0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3 \\
      --login-user ops --ttl-seconds 900

How the token reaches ssh:
  ssh is started as \"ssh <listener_endpoint>\" and finds the token in PLEXCTL_SESSION_TOKEN, never
  in its arguments. Since ssh itself does not read that variable, plexctl also names itself as
  SSH_ASKPASS: it answers the password prompt of this one host with the token, and the host key
  prompt with the fingerprint that came with the endpoint. --no-askpass leaves your own set-up alone.
  The token is given only when ssh has compared the host key with that fingerprint. Where your ssh
  configuration takes keys unasked, it has to keep them (UserKnownHostsFile), and no others.

Exit codes:
  0   the session was issued and the local ssh client ended successfully
  1   transport or API failure, a 5xx, a session without a usable listener endpoint,
      ssh could not be started, or ssh ended with a failure of its own
  2   a malformed --project-id or --resource-id, a missing required flag,
      or no ssh client on PATH
  3   missing or insecure credentials, 401, or 401 step_up_required
  4   403 Forbidden
  77  403 Forbidden with the code rebac_denied

Environment and files: see plexctl --help.";

/// Issue an SSH session and start the local ssh client with it
///
/// Asks the control plane for a one-time mediated session of kind ssh and starts the local ssh
/// client against the listener of the session. The one-time token is handed over in the
/// environment, so that it never shows in a list of processes.
#[derive(clap::Args)]
#[command(
    override_usage = "plexctl ssh --project-id UUID --resource-id UUID --login-user USER [flags]",
    after_help = SHORT_HELP,
    after_long_help = LONG_HELP
)]
pub(crate) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// User the session logs in as (required)
    #[arg(long, value_name = "USER")]
    login_user: Option<String>,
    /// Lifetime to ask for, in seconds; 0 leaves it to the server
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    ttl_seconds: Option<String>,
    /// Do not answer ssh's prompts; keep my own SSH_ASKPASS
    #[arg(long)]
    no_askpass: bool,
    /// End with ssh's own exit status instead of 1
    #[arg(long)]
    pass_exit_status: bool,
    /// Turn a bare host:port endpoint into ssh://USER@host:port [env: PLEXCTL_SSH_URI=1]
    #[arg(long)]
    ssh_uri: bool,
    /// Host key the listener must show, SHA256:..., instead of the one in the endpoint
    #[arg(long, value_name = "SHA256:...")]
    host_key_fingerprint: Option<String>,
    #[command(flatten)]
    patience: Patience,
}

pub(crate) fn run(args: &Args, persistent: &Persistent, output: &Output) -> Result<(), Error> {
    let mut checks = Checks::default();
    let (project_id, resource_id) = args.reach.check(&mut checks);
    let user = checks.login_user("--login-user", args.login_user.as_deref());
    let ttl_seconds = checks.ttl("--ttl-seconds", args.ttl_seconds.as_deref());
    if args.host_key_fingerprint.as_deref().is_some_and(|text| !is_fingerprint(text)) {
        checks
            .add("--host-key-fingerprint: not SHA256: and 43 characters, as ssh-keygen -l prints");
    }
    let wait = args.patience.check(&mut checks);
    checks.finish("ssh")?;
    let (Some(project_id), Some(resource_id), Some(user)) = (project_id, resource_id, user) else {
        return Err(Error::Internal);
    };

    process::harden();
    let context = Context::resolve(persistent, output)?;
    // Before the request: a session that no client could use must not be issued.
    let program = ssh_client::find()?;
    let reveal = Reveal::prepare(persistent)?;
    let client = Client::new(&context)?;
    let ask = Ask { project_id, resource_id, target: Target::Ssh { user }, ttl_seconds, wait };
    let session = session::issue(&client, &ask, output)?;
    reveal.show("ssh", &ask, &session, output)?;

    let uri = args.ssh_uri || env::switch(env::SSH_URI);
    let run = Run {
        program: &program,
        endpoint: &session.endpoint,
        token: &session.token,
        uri_for: uri.then_some(user),
        askpass: !args.no_askpass,
        pin: args.host_key_fingerprint.as_deref(),
        pass_exit_status: args.pass_exit_status,
    };
    if output.format() == Format::Text {
        output.release_remarks();
    }
    // Once ssh has run, the session is the server's to end: the token is spent.
    run.start().map_err(|error| match error {
        Error::SshExec { .. } => session.abandon(error),
        other => other,
    })
}
