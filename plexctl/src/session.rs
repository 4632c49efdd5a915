//! The flow all three commands share: issue a session, insist that it can be used, and revoke it
//! when it cannot (docs/decisions/0007-*.md).

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::api::Client;
use crate::api::wire::{IssueSession, Issued, Kind, Target};
use crate::endpoint::{Endpoint, Fault};
use crate::error::Error;
use crate::output::Output;
use crate::secret::{MAX_TOKEN, Secret};
use crate::untrusted::shown;
use crate::wait;

/// How far the two clocks may differ before a lifetime counts as shortened.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(5);

/// Where a lifetime ends that no clock can hold.
const FOREVER: Duration = Duration::from_secs(86_400 * 365);

/// What to ask for.
pub(crate) struct Ask<'a> {
    pub(crate) project_id: Uuid,
    pub(crate) resource_id: Uuid,
    pub(crate) target: Target<'a>,
    pub(crate) ttl_seconds: Option<u32>,
    /// How long to wait for an endpoint that is not there yet.
    pub(crate) wait: Option<Duration>,
}

/// A session that can be used.
pub(crate) struct Session<'a> {
    pub(crate) id: Uuid,
    pub(crate) token: Arc<Secret>,
    pub(crate) endpoint: Endpoint,
    pub(crate) expires_at: Timestamp,
    /// The same moment by our own clock, however wrong the two clocks are.
    pub(crate) expires: Instant,
    project_id: Uuid,
    client: &'a Client,
    output: &'a Output,
}

/// Asks for a session; on success it has been checked through and through.
pub(crate) fn issue<'a>(
    client: &'a Client,
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
    let issued_at = issued_at.and_then(|at| at.parse::<Timestamp>().ok());
    let received = Instant::now();
    let judged = judge(issued).and_then(|(token, expires_at, text)| {
        let text = match (text.filter(|text| !text.is_empty()), ask.wait) {
            (None, Some(limit)) => wait::for_endpoint(client, ask.project_id, id, limit)?,
            (text, _) => text.ok_or(Error::Endpoint(Fault::Missing))?,
        };
        Ok((endpoint(text, &token, ask.target.kind())?, token, expires_at))
    });
    match judged {
        Ok((endpoint, token, expires_at)) => {
            tell_if_shortened(ask.ttl_seconds, issued_at, expires_at, output);
            let lifetime = expires_at.duration_since(issued_at.unwrap_or_else(Timestamp::now));
            // Further ahead than the clock reaches is as good as never.
            let expires = received
                .checked_add(Duration::try_from(lifetime).unwrap_or_default())
                .unwrap_or_else(|| received + FOREVER);
            let (project_id, token) = (ask.project_id, Arc::new(token));
            Ok(Session { id, token, endpoint, expires_at, expires, project_id, client, output })
        }
        Err(error) => {
            revoke(client, ask.project_id, id, output);
            Err(error)
        }
    }
}

/// The token, the end, and the endpoint as it was written.
fn judge(issued: Issued) -> Result<(Secret, Timestamp, Option<String>), Error> {
    let token = issued.token.map_err(Error::Session)?;
    let token =
        Secret::new(token, MAX_TOKEN).map_err(|why| Error::Session(format!("the token {why}")))?;
    if let Some(disagreement) = issued.disagreement {
        return Err(Error::Session(disagreement));
    }
    let expires_at = issued.expires_at.map_err(Error::Session)?.parse::<Timestamp>();
    let expires_at =
        expires_at.map_err(|_| Error::Session("expires_at is not an RFC 3339 time".into()))?;
    Ok((token, expires_at, issued.listener_endpoint))
}

fn endpoint(text: String, token: &Secret, kind: Kind) -> Result<Endpoint, Error> {
    Endpoint::parse(&text, kind).map_err(|fault| match fault {
        // A server that puts the token there does not get it shown.
        Fault::Bad { why, .. } => {
            Error::Endpoint(Fault::Bad { shown: shown(&token.redact(text)), why })
        }
        other => Error::Endpoint(other),
    })
}

/// The server may grant less than was asked for; the caller plans by what was granted.
fn tell_if_shortened(
    asked: Option<u32>,
    issued_at: Option<Timestamp>,
    expires_at: Timestamp,
    output: &Output,
) {
    let Some(asked) = asked else { return };
    let asked_for = SignedDuration::from_secs(i64::from(asked));
    let (from, slack) = match issued_at {
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

fn revoke(client: &Client, project_id: Uuid, id: Uuid, output: &Output) {
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

    /// Gives back a session that is of no more use, though it could be used still.
    pub(crate) fn end(&self) {
        if self.client.revoke_session(self.project_id, self.id).is_ok() {
            self.output.note(&format!("session {} was revoked", self.id));
        } else {
            self.output
                .note(&format!("session {} could not be revoked and stays until it ends", self.id));
        }
    }
}
