//! Is this the node it says it is? A node shows its secret key (NSK) as a bearer, and may speak
//! for itself only.

use uuid::Uuid;

use super::Denial;
use crate::namespace::Installation;
use crate::world::directory::{Index, NodeLogin};

/// What is wrong with a node's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    Missing,
    Unknown,
    Revoked,
}

/// The node behind a key that is good.
pub fn authenticate_node(
    installation: &Installation,
    bearer: Option<&str>,
) -> Result<NodeLogin, Denial> {
    let directory = &installation.directory;
    let nsk = bearer.ok_or(Denial::NodeKey(KeyFault::Missing))?;
    let login = directory.node_login(nsk).ok_or(Denial::NodeKey(KeyFault::Unknown))?;
    if directory.node_key(login).revoked {
        return Err(Denial::NodeKey(KeyFault::Revoked));
    }
    Ok(login)
}

/// Whether `login` is the node of this id, which is then named.
pub fn is_node(
    installation: &Installation,
    login: NodeLogin,
    id: Option<Uuid>,
) -> Result<Index, Denial> {
    let own = installation.directory.node(login.node).id;
    if id == Some(own) { Ok(login.node) } else { Err(Denial::NodeMismatch) }
}
