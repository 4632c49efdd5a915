//! Causes to exit numbers: the taxonomy of the three command pages, in one exhaustive match.

use crate::error::Error;

/// The command did what it was asked.
pub(crate) const OK: u8 = 0;
/// Transport, API and local failures (each page, Exit codes, 1).
pub(crate) const FAILURE: u8 = 1;
/// The command line is wrong, or ssh is absent (each page, Exit codes, 2).
pub(crate) const USAGE: u8 = 2;
/// Credentials are missing, insecure or refused (each page, Exit codes, 3).
pub(crate) const CREDENTIALS: u8 = 3;
/// 403 that is no relation denial (each page, Exit codes, 4).
pub(crate) const FORBIDDEN: u8 = 4;
/// 403 with the code `rebac_denied` (each page, Exit codes, 77).
pub(crate) const REBAC_DENIED: u8 = 77;

/// The number for a cause. There is no `_` arm: a new cause does not compile until somebody has
/// chosen its number.
pub(crate) fn code(error: &Error) -> u8 {
    match error {
        Error::Usage { .. } | Error::SshNotFound => USAGE,
        Error::MissingCredentials { .. }
        | Error::InsecureCredentials { .. }
        | Error::InvalidCredentials { .. }
        | Error::Unauthorized(_)
        | Error::StepUp(_) => CREDENTIALS,
        Error::Forbidden(_) => FORBIDDEN,
        Error::RebacDenied(_) => REBAC_DENIED,
        Error::SshExit { handed_through, .. } => handed_through.unwrap_or(FAILURE),
        Error::Api(_)
        | Error::Transport { .. }
        | Error::Timeout { .. }
        | Error::Tls { .. }
        | Error::Redirect { .. }
        | Error::Answer { .. }
        | Error::Endpoint(_)
        | Error::Session(_)
        | Error::Render(_)
        | Error::OutputFile { .. }
        | Error::Output(_)
        | Error::Audit { .. }
        | Error::Forwarder { .. }
        | Error::SshExec { .. }
        | Error::Internal => FAILURE,
    }
}
