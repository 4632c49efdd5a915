//! `plexctl tcp-forward`: a session of kind tcp, and the two addresses a tunnel joins; with
//! `--listen` the tunnel too.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use serde::Serialize;

use crate::api::Client;
use crate::api::wire::Target;
use crate::cli::Persistent;
use crate::commands::{Patience, Reach, Reveal, SHORT_HELP};
use crate::context::Context;
use crate::error::Error;
use crate::local::forwarder::{LocalAddress, Reservation};
use crate::local::tunnel::{Node, Tunnel};
use crate::names::Checks;
use crate::output::{Format, Output};
use crate::process;
use crate::session::{self, Ask, Session};

const LONG_HELP: &str = "\
Examples:
  The addresses for a tunnel to a database, on a local port of your choice:
    plexctl tcp-forward --server https://localhost:8080 \\
      --project-id 0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0 \\
      --resource-id 0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3 \\
      --host 10.0.0.5 --port 5432 --local-addr 127.0.0.1:15432
  The tunnel itself, until Ctrl-C:
    plexctl tcp-forward --server https://localhost:8080 \\
      --project-id 0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0 \\
      --resource-id 0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3 \\
      --host 10.0.0.5 --port 80 --local-addr 127.0.0.1:18080 --listen

What it prints (with --output json or yaml: one document, with session_id and expires_at too):
    local_addr: 127.0.0.1:15432
    listener_endpoint: 100.64.0.12:2200
  plexctl binds nothing for longer than it takes to find a free port: your own tunnel client
  listens on the first address and connects to the second. The token stays hidden unless
  --reveal-secrets is given.

With --listen:
  plexctl listens on the local address itself, prints the same once it does, and carries every
  connection to the target: by HTTP CONNECT through the listener of the session, which is shown the
  token when it asks for it, or over a plain pipe (--plain-pipe). Where the session carries one
  connection at a time, the others wait for their turn, also for a client that keeps an idle
  connection open; when one has waited for a second, a line on stderr says for which. It ends by
  Ctrl-C, SIGTERM or a closed terminal, and then revokes the session; or with the session, when that
  expires, was idle for too long or is revoked. Each of these is 0, and one line on stderr says which
  it was.

Exit codes:
  0   the session was issued and both addresses were printed; with --listen, the tunnel has ended
  1   transport or API failure, a 5xx, a session without a usable listener endpoint,
      or a local address that cannot be used, for one because the port is in use
  2   a malformed or missing --project-id or --resource-id, an empty --host,
      or a --port outside 1-65535
  3   missing or insecure credentials, 401, or 401 step_up_required
  4   403 Forbidden
  77  403 Forbidden with the code rebac_denied

Environment and files: see plexctl --help.";

/// Issue a TCP session and print the addresses a tunnel joins
///
/// Asks the control plane for a one-time mediated session of kind tcp and prints the local address
/// and the listener endpoint of the session, for a tunnel client of your own. With --listen it is
/// the tunnel itself.
#[derive(clap::Args)]
#[command(
    override_usage = "plexctl tcp-forward --project-id UUID --resource-id UUID --host HOST --port PORT [flags]",
    after_help = SHORT_HELP,
    after_long_help = LONG_HELP
)]
pub(crate) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Host the tunnel ends at (required)
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Port the tunnel ends at, 1-65535 (required)
    #[arg(long, value_name = "PORT", allow_negative_numbers = true)]
    port: Option<String>,
    /// Local address of the tunnel; port 0 takes a free one [default: 127.0.0.1:0]
    #[arg(long, value_name = "ADDR:PORT")]
    local_addr: Option<String>,
    /// Listen on the local address and carry its connections, until interrupted
    #[arg(long)]
    listen: bool,
    /// The listener of the session is a plain pipe that asks for no token (with --listen)
    #[arg(long)]
    plain_pipe: bool,
    /// Lifetime to ask for, in seconds; 0 leaves it to the server
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    ttl_seconds: Option<String>,
    #[command(flatten)]
    patience: Patience,
}

/// What the default forwarder says.
#[derive(Serialize)]
struct Coordinates<'a> {
    local_addr: String,
    listener_endpoint: &'a str,
    session_id: String,
    expires_at: String,
}

pub(crate) fn run(args: &Args, persistent: &Persistent, output: &Output) -> Result<(), Error> {
    let mut checks = Checks::default();
    let (project_id, resource_id) = args.reach.check(&mut checks);
    let host = checks.text("--host", args.host.as_deref());
    let port = checks.port("--port", args.port.as_deref());
    let local = match LocalAddress::parse(args.local_addr.as_deref()) {
        Ok(local) => Some(local),
        Err(fault) => {
            checks.add(fault);
            None
        }
    };
    if args.plain_pipe && !args.listen {
        checks.add("--plain-pipe goes with --listen");
    }
    // It becomes a line of a request there.
    if args.listen && host.is_some_and(|host| !host.bytes().all(|byte| byte.is_ascii_graphic())) {
        checks.add("--host holds a blank or a character outside ASCII");
    }
    let ttl_seconds = checks.ttl("--ttl-seconds", args.ttl_seconds.as_deref());
    let wait = args.patience.check(&mut checks);
    checks.finish("tcp-forward")?;
    let (Some(project_id), Some(resource_id)) = (project_id, resource_id) else {
        return Err(Error::Internal);
    };
    let (Some(host), Some(port), Some(local)) = (host, port, local) else {
        return Err(Error::Internal);
    };

    process::harden();
    let context = Context::resolve(persistent, output)?;
    // Before the request: an address that cannot be had must not cost a session.
    let place = if args.listen {
        Place::Bound(local.listen()?)
    } else {
        Place::Reserved(Reservation::make(&local)?)
    };
    let reveal = Reveal::prepare(persistent)?;
    let client = Arc::new(Client::new(&context)?);
    let ask =
        Ask { project_id, resource_id, target: Target::Tcp { host, port }, ttl_seconds, wait };
    let session = session::issue(&client, &ask, output)?;
    reveal.show("tcp-forward", &ask, &session, output)?;

    match place {
        Place::Reserved(reservation) => say(&session, reservation.release(), output),
        Place::Bound((listener, address)) => {
            say(&session, address.to_string(), output)?;
            if !address.ip().is_loopback() {
                output.remark(&format!("{address} can be reached from outside this machine"));
            }
            let token = (!args.plain_pipe).then(|| Arc::clone(&session.token));
            let tunnel = Tunnel {
                listener,
                local: address,
                node: Node::new(&session.endpoint, host, port, token),
                client: Arc::clone(&client),
                project_id,
                session_id: session.id,
                expires: session.expires,
            };
            let end = tunnel.run(output).map_err(|error| session.abandon(error))?;
            output.note(&format!("forwarding has ended: {end}"));
            if end.leaves_session() {
                session.end();
            }
            Ok(())
        }
    }
}

/// The local end: the address of a tunnel of somebody else's, or of ours.
enum Place {
    Reserved(Reservation),
    Bound((TcpListener, SocketAddr)),
}

/// Prints the two ends. A session that nobody can be told of is of no use.
fn say(session: &Session<'_>, local_addr: String, output: &Output) -> Result<(), Error> {
    let listener_endpoint = session.endpoint.as_str();
    if output.format() == Format::Text {
        let text = format!("local_addr: {local_addr}\nlistener_endpoint: {listener_endpoint}\n");
        return output.payload(text.as_bytes()).map_err(|error| session.abandon(error));
    }
    let coordinates = Coordinates {
        local_addr,
        listener_endpoint,
        session_id: session.id.to_string(),
        expires_at: session.expires_at.to_string(),
    };
    output.document(&coordinates).map_err(|error| session.abandon(error))
}
