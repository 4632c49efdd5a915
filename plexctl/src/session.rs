//! The flow all three commands share: issue a session, insist that it can be used, and revoke it
//! when it cannot (docs/decisions/0007-*.md).

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::api::Client;
use crate::api::wire::{IssueSession, Issued, Target};
use crate::endpoint::{Endpoint, Fault};
use crate::error::Error;
use crate::output::Output;
use crate::secret::{MAX_TOKEN, Secret};
use crate::untrusted::shown;

/// How far the two clocks may differ before a lifetime counts as shortened.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(5);

/// What to ask for.
pub(crate) struct Ask<'a> {
    pub(crate) project_id: Uuid,
    pub(crate) resource_id: Uuid,
    pub(crate) target: Target<'a>,
    pub(crate) ttl_seconds: Option<u32>,
}

/// A session that can be used.
pub(crate) struct Session<'a> {
    pub(crate) id: Uuid,
    pub(crate) token: Secret,
    pub(crate) endpoint: Endpoint,
    pub(crate) expires_at: Timestamp,
    project_id: Uuid,
    client: &'a Client<'a>,
    output: &'a Output,
}

/// Asks for a session; on success it has been checked through and through.
pub(crate) fn issue<'a>(
    client: &'a Client<'a>,
    ask: &Ask<'_>,
    output: &'a Output,
) -> Result<Session<'a>, Error> {
    let kind = ask.target.kind();
    let request = IssueSession {
        resource_id: ask.resource_id,
        kind,
        target: &ask.target,
        requested_ttl_seconds: ask.ttl_seconds,
        idempotency_key: Uuid::now_v7().to_string(),
    };
    let mut issued = client.issue_session(ask.project_id, &request, kind)?;
    let id = std::mem::replace(&mut issued.session_id, Err(String::new()));
    let id = id.map_err(Error::Session)?;
    let issued_at = issued.issued_at.take();
    match judge(issued, ask) {
        Ok((token, endpoint, expires_at)) => {
            tell_if_shortened(ask.ttl_seconds, issued_at.as_deref(), expires_at, output);
            let project_id = ask.project_id;
            Ok(Session { id, token, endpoint, expires_at, project_id, client, output })
        }
        Err(error) => {
            revoke(client, ask.project_id, id, output);
            Err(error)
        }
    }
}

fn judge(issued: Issued, ask: &Ask<'_>) -> Result<(Secret, Endpoint, Timestamp), Error> {
    let token = issued.token.map_err(Error::Session)?;
    let token =
        Secret::new(token, MAX_TOKEN).map_err(|why| Error::Session(format!("the token {why}")))?;
    if let Some(disagreement) = issued.disagreement {
        return Err(Error::Session(disagreement));
    }
    let expires_at = issued.expires_at.map_err(Error::Session)?.parse::<Timestamp>();
    let expires_at =
        expires_at.map_err(|_| Error::Session("expires_at is not an RFC 3339 time".into()))?;
    let text = issued.listener_endpoint.ok_or(Error::Endpoint(Fault::Missing))?;
    let endpoint = match Endpoint::parse(&text, ask.target.kind()) {
        Ok(endpoint) => endpoint,
        // A server that puts the token there does not get it shown.
        Err(Fault::Bad { why, .. }) => {
            return Err(Error::Endpoint(Fault::Bad { shown: shown(&token.redact(text)), why }));
        }
        Err(Fault::Missing) => return Err(Error::Endpoint(Fault::Missing)),
    };
    Ok((token, endpoint, expires_at))
}

/// The server may grant less than was asked for; the caller plans by what was granted.
fn tell_if_shortened(
    asked: Option<u32>,
    issued_at: Option<&str>,
    expires_at: Timestamp,
    output: &Output,
) {
    let Some(asked) = asked else { return };
    let asked_for = SignedDuration::from_secs(i64::from(asked));
    let (from, slack) = match issued_at.and_then(|at| at.parse::<Timestamp>().ok()) {
        Some(issued_at) => (issued_at, SignedDuration::from_secs(1)),
        None => (Timestamp::now(), CLOCK_SLACK),
    };
    let granted = expires_at.duration_since(from);
    if granted + slack < asked_for {
        output.note(&format!(
            "the server shortened the session: it expires at {expires_at} \
             ({asked} s requested, {} s granted)",
            granted.as_secs().max(0)
        ));
    }
}

fn revoke(client: &Client<'_>, project_id: Uuid, id: Uuid, output: &Output) {
    match client.revoke_session(project_id, id) {
        Ok(()) => output.note(&format!("session {id} was revoked, because it cannot be used")),
        Err(_) => {
            output.note(&format!("session {id} could not be revoked and stays until it ends"));
        }
    }
}

impl Session<'_> {
    /// Gives up a session that turned out to be of no use; the error that made it so is returned
    /// unchanged, whatever comes of the revocation.
    pub(crate) fn abandon(&self, error: Error) -> Error {
        revoke(self.client, self.project_id, self.id, self.output);
        error
    }
}
