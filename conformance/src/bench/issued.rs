//! The honest 201: a complete issued session with a token that is really signed, made without
//! a line of the server under judgement.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::verdict::{Outcome, Reason};

/// The numbers of a session where the request leaves them open.
const DEFAULT_TTL_SECONDS: i64 = 1800;
const MAX_TTL_SECONDS: i64 = 3600;
const DOMAIN_ID: &str = "0190a8b8-d0d0-7d0d-8d0d-d0d0d0d0d0d0";
const IDENTITY_ID: &str = "0190a8b8-1d1d-71d1-81d1-1d1d1d1d1d1d";

/// What the referee hands out for one request.
#[derive(Debug, Clone)]
pub struct Issued {
    pub session_id: String,
    pub token: String,
    pub location: String,
    pub body: Value,
}

/// Answers an issue request as an honest control plane would, whatever is missing in it.
pub(crate) fn issue(project_id: &str, request: &Value, now: Timestamp) -> Outcome<Issued> {
    let session_id = Uuid::now_v7().to_string();
    let kind = request["kind"].as_str().unwrap_or("ssh").to_owned();
    let resource_id = request["resource_id"].as_str().unwrap_or_default().to_owned();
    let asked = request["requested_ttl_seconds"].as_i64().unwrap_or(DEFAULT_TTL_SECONDS);
    let issued_at = whole_seconds(now);
    let expires_at = issued_at + SignedDuration::from_secs(asked.clamp(1, MAX_TTL_SECONDS));
    let target = request["target"].clone();
    let mut flat = target.get(&kind).cloned().unwrap_or_else(|| json!({}));
    flat["kind"] = json!(kind);
    let claims = json!({
        "iss": format!("plexsphere://domain/{DOMAIN_ID}"),
        "aud": format!("resource://{resource_id}"),
        "sub": format!("identity://{IDENTITY_ID}"),
        "jti": session_id,
        "kind": kind,
        "target": flat,
        "iat": issued_at.as_second(),
        "nbf": issued_at.as_second(),
        "exp": expires_at.as_second(),
    });
    let token = sign(&claims)?;
    let endpoint = endpoint(&kind, &target)?;
    let location = format!("/v1/projects/{project_id}/sessions/{session_id}");
    let body = json!({
        "session_id": session_id,
        "token": token,
        "expires_at": expires_at.to_string(),
        "listener_endpoint": endpoint,
        "session": {
            "id": session_id,
            "project_id": project_id,
            "domain_id": DOMAIN_ID,
            "resource_id": resource_id,
            "identity_id": IDENTITY_ID,
            "kind": kind,
            "status": "active",
            "issued_at": issued_at.to_string(),
            "expires_at": expires_at.to_string(),
            "last_active_at": issued_at.to_string(),
            "idle_timeout_seconds": 900,
            "target": target,
        },
    });
    Ok(Issued { session_id, token, location, body })
}

/// A well-formed endpoint of the kind; nothing listens there.
fn endpoint(kind: &str, target: &Value) -> Outcome<String> {
    if kind != "ssh" {
        return Ok("127.0.0.1:32768".to_owned());
    }
    let user: String = target["ssh"]["user"]
        .as_str()
        .unwrap_or("ops")
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    let fingerprint = base64::engine::general_purpose::STANDARD_NO_PAD
        .encode(ring::digest::digest(&ring::digest::SHA256, key()?.public_key().as_ref()));
    Ok(format!("ssh://{user};fingerprint=SHA256:{fingerprint}@127.0.0.1:32768"))
}

/// A compact EdDSA JWT over the claims.
pub(crate) fn sign(claims: &Value) -> Outcome<String> {
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "referee-1"});
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(claims));
    let signature = key()?.sign(signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
}

/// The referee's key: fixed, public, and good for nothing but tests.
fn key() -> Outcome<&'static Ed25519KeyPair> {
    static KEY: OnceLock<Result<Ed25519KeyPair, String>> = OnceLock::new();
    KEY.get_or_init(|| {
        Ed25519KeyPair::from_seed_unchecked(b"the referee's own published seed")
            .map_err(|error| error.to_string())
    })
    .as_ref()
    .map_err(|error| Reason::Broken(format!("the referee's key: {error}")))
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_verifies_with_its_own_key_and_names_its_session() {
        let request = json!({"kind": "ssh", "target": {"ssh": {"user": "ops"}},
            "resource_id": "0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3"});
        let issued = issue("p", &request, Timestamp::UNIX_EPOCH).unwrap();
        let parts: Vec<&str> = issued.token.split('.').collect();
        let public = key().unwrap().public_key().as_ref();
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public)
            .verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &signature)
            .unwrap();
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        assert_eq!(claims["jti"], json!(issued.session_id));
        assert_eq!(claims["exp"], json!(1800));
        assert!(issued.token.len() < 1024);
    }
}
