//! Everything that can go wrong, by cause. No numbers here: `exit` turns causes into them.

use std::path::PathBuf;

use crate::api::problem::Refusal;
use crate::endpoint::Fault;

/// A cause. `Display` is the message, `<what>: <why>`, in lower case and on one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("usage: {message}")]
    Usage { message: String, hint: Option<String> },
    #[error("ssh: local ssh client not found on PATH")]
    SshNotFound,

    #[error("credentials: no token for {server}{why}")]
    MissingCredentials { server: String, why: String },
    #[error("credentials: {} is not safe to read a secret from: {why}", path.display())]
    InsecureCredentials { path: PathBuf, why: String, hint: Option<String> },
    #[error("credentials: {source_name}: {why}")]
    InvalidCredentials { source_name: String, why: String },

    #[error("{op}: the credential was refused: {0}", op = .0.operation)]
    Unauthorized(Box<Refusal>),
    #[error("{op}: a stronger login is required: {0}", op = .0.operation)]
    StepUp(Box<Refusal>),
    #[error("{op}: forbidden: {0}", op = .0.operation)]
    Forbidden(Box<Refusal>),
    #[error("{op}: denied by the relations of the resource: {0}", op = .0.operation)]
    RebacDenied(Box<Refusal>),
    #[error("{op}: the server answered with an error: {0}", op = .0.operation)]
    Api(Box<Refusal>),

    #[error("{operation}: {why}")]
    Transport { operation: &'static str, why: String, hint: Option<String> },
    #[error("{operation}: no complete answer within {seconds} s")]
    Timeout { operation: &'static str, seconds: f64 },
    #[error("{operation}: tls: {why}")]
    Tls { operation: &'static str, why: String, hint: Option<String> },
    #[error("{operation}: the server redirects (http {status}), which is never followed")]
    Redirect { operation: &'static str, status: u16 },
    #[error("{operation}: unusable answer: {why}")]
    Answer { operation: &'static str, why: String },

    #[error("issued session: {0}")]
    Endpoint(Fault),
    #[error("issued session: {0}")]
    Session(String),

    #[error("kubeconfig: cannot be rendered: {0}")]
    Render(String),
    #[error("output file: {}: {why}", path.display())]
    OutputFile { path: PathBuf, why: String },
    #[error("output: cannot write to stdout: {0}")]
    Output(std::io::Error),
    #[error("audit: {}: {why}", path.display())]
    Audit { path: PathBuf, why: String },
    #[error("forward: cannot use local address {address}: {why}")]
    Forwarder { address: String, why: String },
    #[error("ssh: cannot start {}: {why}", path.display())]
    SshExec { path: PathBuf, why: String },
    #[error("ssh: the local ssh client {outcome}")]
    SshExit {
        outcome: String,
        /// The number the caller asked to be handed through, if they did.
        handed_through: Option<u8>,
        /// True when handing it through is all there is to say.
        silent: bool,
        hint: Option<String>,
    },
    #[error("internal error: this is a defect in plexctl, please report it")]
    Internal,
}

impl Error {
    /// A usage error without a hint.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// The stable name of the cause, for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::SshNotFound => "ssh_not_found",
            Self::MissingCredentials { .. } => "missing_credentials",
            Self::InsecureCredentials { .. } => "insecure_credentials",
            Self::InvalidCredentials { .. } => "invalid_credentials",
            Self::Unauthorized(_) => "unauthorized",
            Self::StepUp(_) => "step_up_required",
            Self::Forbidden(_) => "forbidden",
            Self::RebacDenied(_) => "rebac_denied",
            Self::Api(_) => "api",
            Self::Transport { .. } => "transport",
            Self::Timeout { .. } => "timeout",
            Self::Tls { .. } => "tls",
            Self::Redirect { .. } => "redirect",
            Self::Answer { .. } => "answer",
            Self::Endpoint(_) => "listener_endpoint",
            Self::Session(_) => "session",
            Self::Render(_) => "render",
            Self::OutputFile { .. } => "output_file",
            Self::Output(_) => "output",
            Self::Audit { .. } => "audit",
            Self::Forwarder { .. } => "forwarder",
            Self::SshExec { .. } => "ssh_exec",
            Self::SshExit { .. } => "ssh_exit",
            Self::Internal => "internal",
        }
    }

    /// What the server said, when it was the server that refused.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Unauthorized(refusal)
            | Self::StepUp(refusal)
            | Self::Forbidden(refusal)
            | Self::RebacDenied(refusal)
            | Self::Api(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the server says that there is no such session.
    pub(crate) fn is_unknown_session(&self) -> bool {
        self.refusal().is_some_and(|r| r.status == 404 && r.code() == Some("session_not_found"))
    }

    /// The HTTP status behind the error, if there was one.
    pub(crate) fn http_status(&self) -> Option<u16> {
        match self {
            Self::Redirect { status, .. } => Some(*status),
            other => other.refusal().map(|refusal| refusal.status),
        }
    }

    /// What the person at the keyboard can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. }
            | Self::InsecureCredentials { hint, .. }
            | Self::Transport { hint, .. }
            | Self::Tls { hint, .. }
            | Self::SshExit { hint, .. } => hint.clone(),
            Self::SshNotFound => Some("install an OpenSSH client, or put it on PATH".into()),
            Self::MissingCredentials { .. } => Some(
                "give --token-file PATH (mode 0600), set PLEXSPHERE_TOKEN, or use a profile \
                 that holds a token for this server"
                    .into(),
            ),
            Self::InvalidCredentials { .. } => None,
            Self::Unauthorized(_) => Some(
                "the token is unknown, expired or revoked: log in again and retry with the new one"
                    .into(),
            ),
            Self::StepUp(refusal) => Some(match refusal.acr_values.as_deref() {
                Some(acr) => format!(
                    "re-authenticate with a stronger method before retrying (required: {acr})"
                ),
                None => "re-authenticate with a stronger method before retrying".into(),
            }),
            Self::Forbidden(_) => None,
            Self::RebacDenied(_) => Some(
                "ask an administrator for access to this resource, naming the correlation id"
                    .into(),
            ),
            Self::Api(refusal) => refusal.hint().map(str::to_owned),
            Self::Timeout { .. } => Some("raise the limit with --timeout SECONDS".into()),
            Self::Redirect { .. } => Some("give the final URL with --server".into()),
            Self::Endpoint(fault) => fault.hint().map(str::to_owned),
            Self::Answer { .. } => {
                Some("is --server really the URL of a plexsphere control plane?".into())
            }
            Self::Session(_)
            | Self::Render(_)
            | Self::OutputFile { .. }
            | Self::Output(_)
            | Self::Audit { .. }
            | Self::Forwarder { .. }
            | Self::SshExec { .. }
            | Self::Internal => None,
        }
    }
}
