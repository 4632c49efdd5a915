//! Where a session can be used. Endpoints follow from the session alone, so that nothing
//! has to be remembered and two runs with one seed name the same places.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use crate::namespace::Installation;
use crate::world::sessions::Target;

/// The ports a node hands out to mediated sessions.
const FIRST_PORT: u64 = 32_768;
const LAST_PORT: u64 = 60_999;

/// What RFC 3986 leaves unreserved stays readable in the user part of a URI.
const USER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest endpoint the contract allows.
pub const LONGEST_ENDPOINT: usize = 261;

/// The listener endpoint of a session. For ssh it is a URI that a stock client can dial, with
/// the user to log in as and the host key to expect; otherwise `host:port`.
pub fn endpoint(installation: &Installation, session: Uuid, target: &Target) -> String {
    let host = &installation.directory.file.listeners.host;
    let port = port(session);
    match target {
        Target::Ssh { user, .. } => {
            let user = utf8_percent_encode(user, USER);
            let key = installation.keys.ssh_host_fingerprint();
            format!("ssh://{user};fingerprint={key}@{host}:{port}")
        }
        Target::K8s { .. } | Target::Tcp { .. } => format!("{host}:{port}"),
    }
}

/// The last bytes of a UUIDv7 are random, or follow from the seed.
fn port(session: Uuid) -> u64 {
    FIRST_PORT + session.as_u64_pair().1 % (LAST_PORT - FIRST_PORT + 1)
}
