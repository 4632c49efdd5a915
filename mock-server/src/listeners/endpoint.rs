//! How the place where a session can be used is written.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::namespace::Installation;
use crate::world::sessions::{Session, Target};

/// What RFC 3986 leaves unreserved stays readable in the user part of a URI.
const USER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest endpoint the contract allows.
pub const LONGEST_ENDPOINT: usize = 261;

/// The listener endpoint of a session. For ssh it is a URI that a stock client can dial, with
/// the user to log in as and the host key to expect; otherwise `host:port`.
pub fn endpoint(installation: &Installation, session: &Session) -> String {
    let host = &installation.host;
    let port = session.port;
    match &*session.target {
        Target::Ssh { user, .. } => {
            let user = utf8_percent_encode(user, USER);
            let key = installation.keys.ssh_host_fingerprint();
            format!("ssh://{user};fingerprint={key}@{}:{port}", dialled(host))
        }
        Target::K8s { .. } | Target::Tcp { .. } => format!("{host}:{port}"),
    }
}

/// OpenSSH takes no IPv6 literal in a URI, and `localhost` for that one.
fn dialled(host: &str) -> &str {
    if host == "[::1]" { "localhost" } else { host }
}
