//! What a session token says, in the order in which it says it.

use serde::Serialize;

/// The claims of a session token. The fields are written in this order, so that equal claims make
/// equal tokens.
#[derive(Debug, Clone, Serialize)]
pub struct Claims<'a> {
    /// `plexsphere://domain/<id>`
    pub iss: &'a str,
    /// `resource://<id>`
    pub aud: &'a str,
    /// `identity://<id>`
    pub sub: &'a str,
    /// The session id.
    pub jti: &'a str,
    /// `ssh`, `k8s` or `tcp`.
    pub kind: &'a str,
    pub target: TargetClaims<'a>,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

/// The target, flat and with its own kind, unlike the nested target of the API.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TargetClaims<'a> {
    Ssh {
        user: &'a str,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        allowed_commands: &'a [String],
    },
    K8s {
        user: &'a str,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        impersonate_groups: &'a [String],
    },
    Tcp {
        host: &'a str,
        port: u16,
    },
}
