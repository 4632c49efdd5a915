//! `plexctl kubeconfig`: a session of kind k8s, rendered as a kubeconfig.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::api::Client;
use crate::api::wire::Target;
use crate::cli::Persistent;
use crate::commands::{Patience, Reach, SHORT_HELP};
use crate::context::{self, Context};
use crate::error::Error;
use crate::local::sink::FileSink;
use crate::names::Checks;
use crate::output::Output;
use crate::session::{self, Ask};
use crate::{env, process, render};

const LONG_HELP: &str = "\
Examples:
  A kubeconfig in a private file, and kubectl with it:
    plexctl kubeconfig --server https://localhost:8080 \\
      --project-id 0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0 \\
      --resource-id 0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3 \\
      --impersonate-user platform-admin --impersonate-group ops \\
      --output-file ./plexsphere.kubeconfig
    kubectl --kubeconfig ./plexsphere.kubeconfig get namespaces

Exit codes:
  0   the kubeconfig was written to stdout or --output-file
  1   transport or API failure, a 5xx, a session without a usable listener endpoint,
      a render failure, or a failure to write --output-file
  2   a malformed --project-id or --resource-id, or a missing required flag
  3   missing or insecure credentials, 401, or 401 step_up_required
  4   403 Forbidden
  77  403 Forbidden with the code rebac_denied

Environment and files: see plexctl --help.";

/// Issue a Kubernetes session and write a kubeconfig for it
///
/// Asks the control plane for a one-time mediated session of kind k8s and writes a minimal
/// kubeconfig: one cluster (the listener of the session, over https), one user (the one-time
/// token), one context named plexsphere. It goes to stdout, or with --output-file to a file of
/// mode 0600 that replaces an older one in a single step.
#[derive(clap::Args)]
#[command(
    override_usage = "plexctl kubeconfig --project-id UUID --resource-id UUID --impersonate-user USER [flags]",
    after_help = SHORT_HELP,
    after_long_help = LONG_HELP
)]
pub(crate) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Kubernetes user the session acts as (required)
    #[arg(long, value_name = "USER")]
    impersonate_user: Option<String>,
    /// Kubernetes group the session asserts; repeat it for more
    #[arg(long, value_name = "GROUP")]
    impersonate_group: Vec<String>,
    /// Lifetime to ask for, in seconds; 0 leaves it to the server
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    ttl_seconds: Option<String>,
    /// Write the kubeconfig to this file (mode 0600) instead of stdout
    #[arg(long, value_name = "PATH")]
    output_file: Option<PathBuf>,
    /// PEM file of the authority that signed the listener's certificate; embedded
    #[arg(long, value_name = "PEM")]
    certificate_authority: Option<PathBuf>,
    #[command(flatten)]
    patience: Patience,
}

pub(crate) fn run(args: &Args, persistent: &Persistent, output: &Output) -> Result<(), Error> {
    let mut checks = Checks::default();
    let (project_id, resource_id) = args.reach.check(&mut checks);
    let user = checks.text("--impersonate-user", args.impersonate_user.as_deref());
    for group in &args.impersonate_group {
        checks.optional_text("--impersonate-group", group);
    }
    let ttl_seconds = checks.ttl("--ttl-seconds", args.ttl_seconds.as_deref());
    match args.output_file.as_deref().map(Path::as_os_str) {
        Some(path) if path.is_empty() => checks.add("--output-file is empty"),
        Some(path) if path == "-" => checks.add("--output-file: stdout is already the default"),
        _ => {}
    }
    let wait = args.patience.check(&mut checks);
    checks.finish("kubeconfig")?;
    let (Some(project_id), Some(resource_id), Some(user)) = (project_id, resource_id, user) else {
        return Err(Error::Internal);
    };
    let authority = args.certificate_authority.as_deref().map(embeddable).transpose()?;

    process::harden();
    let context = Context::resolve(persistent, output)?;
    let sink = args.output_file.as_deref().map(FileSink::prepare).transpose()?;
    let client = Client::new(&context)?;
    let target = Target::K8s { user, impersonate_groups: &args.impersonate_group };
    let ask = Ask { project_id, resource_id, target, ttl_seconds, wait };
    let session = session::issue(&client, &ask, output)?;

    let rendered =
        render::kubeconfig::render(session.endpoint.as_str(), &session.token, authority.as_deref())
            .map_err(|error| session.abandon(error))?;
    match sink {
        Some(sink) => sink.write(rendered.as_bytes()).map_err(|error| session.abandon(error)),
        None => {
            output.payload(rendered.as_bytes()).map_err(|error| session.abandon(error))?;
            advise(output);
            Ok(())
        }
    }
}

/// The authority's PEM file, unless its private key is in it too: a kubeconfig is handed around.
fn embeddable(path: &Path) -> Result<Vec<u8>, Error> {
    const FLAG: &str = "--certificate-authority";
    let (pem, _) = context::authorities(FLAG, path)?;
    if String::from_utf8_lossy(&pem).contains("PRIVATE KEY-----") {
        return Err(Error::Usage {
            message: format!("{FLAG}: {}: it holds a private key", path.display()),
            hint: Some("give a file with certificates only".into()),
        });
    }
    Ok(pem)
}

/// A kubeconfig on a screen or in a job log is a credential on a screen or in a job log.
fn advise(output: &Output) {
    let place = if std::io::stdout().is_terminal() {
        "the terminal"
    } else if env::text(env::CI).is_some() {
        "what may be a job log"
    } else {
        return;
    };
    output
        .note(&format!("a token was written to {place}; --output-file keeps it in a private file"));
}
