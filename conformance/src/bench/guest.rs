//! Manners towards a server that is somebody else's: it is asked with the one credential we were
//! given, and every session that a rule was given is given back.

use std::sync::{Mutex, PoisonError};

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
}

/// What rules write for the credential of a seeded identity.
const SEEDED: &str = "Bearer psk_dev_";

impl Guest {
    pub(crate) fn new(token: &str, without: &[String]) -> Self {
        Self { token: token.to_owned(), without: without.to_vec(), debts: Mutex::default() }
    }

    /// Puts our credential where a rule asks as the operator. Nobody else can be asked as.
    pub(crate) fn dress(&self, request: &mut Request, prefix: &str) -> Outcome {
        let path = request.path.strip_prefix(prefix).unwrap_or_default();
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
        } else if given.starts_with(SEEDED) {
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
