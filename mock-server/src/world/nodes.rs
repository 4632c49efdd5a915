//! What a world file says of nodes: who they are, where they listen, and where targets lead.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A node, which holds the listeners of sessions and reports on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    pub id: Uuid,
    pub name: String,
    #[serde(default)]
    pub keys: Vec<NodeKey>,
}

/// A node's secret key, which it shows as a bearer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeKey {
    pub nsk: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpTarget {
    pub host: String,
    pub port: u16,
    pub leads_to: LeadsTo,
}

/// `echo`, `hello`, or a loopback address with its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LeadsTo {
    BuiltIn(BuiltIn),
    Address(SocketAddr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltIn {
    Echo,
    Hello,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listeners {
    /// The host in endpoints; without one, the address that is listened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Under contract 2026-08: how long until a read of the session shows the endpoint.
    pub report_delay_seconds: u32,
    /// Whether anything listens there at all.
    pub served: bool,
    pub tcp_auth: TcpAuth,
    /// Whether the second connection to a session is refused.
    pub single_use: bool,
}

/// What a client of a tcp session has to show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpAuth {
    #[default]
    Token,
    None,
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            host: None,
            report_delay_seconds: 0,
            served: true,
            tcp_auth: TcpAuth::Token,
            single_use: false,
        }
    }
}
