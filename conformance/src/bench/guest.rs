//! Manners towards a server that is somebody else's: it is asked with the one credential we were
//! given, and every session that a rule was given is given back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::contract::{Generation, System};
use super::http::{Request, Response};
use super::world::Identity;
use crate::verdict::{Outcome, skip};

pub(crate) struct Guest {
    token: String,
    /// Operations that the server does not claim to have.
    without: Vec<String>,
    /// Requests that revoke what was issued.
    debts: Mutex<Vec<Request>>,
    patience: Arc<Patience>,
}

/// What a run has learnt about the limits of a server that is not ours.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Waiting did not help: whatever is used up does not come back by itself.
    futile: AtomicBool,
}

/// A window of a minute, and a little more. Whoever asks for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(75);

/// What rules write for the credential of a seeded identity, or of a seeded node.
const SEEDED: [&str; 2] = ["Bearer psk_dev_", "Bearer nsk_dev_"];

impl Guest {
    pub(crate) fn new(token: &str, without: &[String], patience: Arc<Patience>) -> Self {
        let (token, without) = (token.to_owned(), without.to_vec());
        Self { token, without, debts: Mutex::default(), patience }
    }

    /// How long to wait before the same request is sent again, after `waited` in vain: as the
    /// server says, or until the window of a rate is over. A rule that holds sessions itself may
    /// want more than there can be at a time, and no waiting gives it that.
    pub(crate) fn pause(&self, response: &Response, waited: Duration) -> Option<Duration> {
        if response.status != 429 {
            return None;
        }
        let told = response.headers.get("retry-after").and_then(|text| text.trim().parse().ok());
        let pause = match told {
            Some(seconds) => Duration::from_secs(seconds).max(Duration::from_millis(100)),
            None if self.patience.futile.load(Ordering::Relaxed) => return None,
            None => {
                let detail = response.json()["detail"].to_string();
                let rate = detail.contains("rate") || detail.contains("minute");
                let holds = !self.debts.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
                if holds && !rate {
                    return None;
                }
                waited.clamp(Duration::from_secs(1), Duration::from_secs(10))
            }
        };
        if waited + pause <= LONGEST_WAIT {
            return Some(pause);
        }
        self.patience.futile.store(true, Ordering::Relaxed);
        None
    }

    /// Puts our credential where a rule asks as the operator. Nobody else can be asked as.
    pub(crate) fn dress(&self, request: &mut Request, prefix: &str) -> Outcome {
        let path = request.path.strip_prefix(prefix).unwrap_or_default();
        // Not ours to change, whatever it would let us do.
        if path.contains("/__mock/") {
            return skip("a server with the mock's control routes");
        }
        let operation =
            System::Plexsphere.contract(Generation::default())?.operation_of(&request.method, path);
        if let Some(operation) = operation
            && self.without.contains(&operation.id)
        {
            return skip(format!("a server that has {}", operation.id));
        }
        let Some(given) = request.headers.get("authorization") else { return Ok(()) };
        if given.strip_prefix("Bearer ") == Some(Identity::Operator.token()) {
            request.headers.remove("authorization");
            request.headers.push("authorization", format!("Bearer {}", self.token));
        } else if SEEDED.iter().any(|seeded| given.starts_with(seeded)) {
            return skip("the default world and its seeded tokens");
        }
        Ok(())
    }

    /// Remembers a session that was issued, and skips a rule that the server has no room for.
    pub(crate) fn note(&self, request: &Request, response: &Response) -> Outcome {
        if response.status == 429 {
            return skip("a server whose limits leave room for the rule");
        }
        let path = request.path.split('?').next().unwrap_or_default();
        if response.status == 201
            && path.ends_with("/sessions")
            && let Some(id) = response.json()["session_id"].as_str()
        {
            let mut revoke = request.clone();
            revoke.path = format!("{path}/{id}/revoke");
            revoke.body = b"{}".to_vec();
            self.debts.lock().unwrap_or_else(PoisonError::into_inner).push(revoke);
        }
        Ok(())
    }

    pub(crate) fn debts(&self) -> Vec<Request> {
        std::mem::take(&mut *self.debts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guest")
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::Headers;
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>, detail: &str) -> Response {
        let mut headers = Headers::default();
        if let Some(seconds) = retry_after {
            headers.push("Retry-After", seconds);
        }
        let body = serde_json::json!({"detail": detail}).to_string().into_bytes();
        Response { status, headers, body }
    }

    #[test]
    fn a_rate_is_waited_for_and_a_cap_of_ones_own_is_not() {
        let guest = Guest::new("t", &[], Arc::default());
        let after = |response: &Response, waited| {
            guest.pause(response, Duration::from_secs(waited)).map(|pause| pause.as_secs())
        };
        assert_eq!(after(&answer(403, None, "rate"), 0), None);
        assert_eq!(after(&answer(429, Some("7"), ""), 0), Some(7));
        assert_eq!(after(&answer(429, Some("3600"), ""), 0), None, "nobody waits an hour");
        let guest = Guest::new("t", &[], Arc::default());
        let after = |response: &Response, waited| {
            guest.pause(response, Duration::from_secs(waited)).map(|pause| pause.as_secs())
        };
        assert_eq!(after(&answer(429, None, "the rate of 8 sessions a minute"), 0), Some(1));
        let held = Request { path: "/v1/projects/p/sessions".into(), ..Request::default() };
        let given = Response {
            status: 201,
            body: br#"{"session_id":"s"}"#.to_vec(),
            ..Response::default()
        };
        guest.note(&held, &given).unwrap();
        assert_eq!(after(&answer(429, None, "2 sessions are active"), 0), None);
        assert_eq!(after(&answer(429, None, "the rate is used up"), 70), None, "long enough");
        assert_eq!(after(&answer(429, None, "the rate is used up"), 0), None, "it did not help");
    }
}
