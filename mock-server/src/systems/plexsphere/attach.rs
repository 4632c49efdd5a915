//! AttachSession: a session's ssh listener, reached through a WebSocket.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::exchange::{Answer, Exchange};
use super::refusal::{Refusal, Shape};
use super::wire::uuid;
use super::{sessions, view};
use crate::net::Handover;
use crate::world::kind::{Kind, Status};

/// What RFC 6455 has both sides mix into the key.
const MIXED_IN: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub(super) fn attach(x: &mut Exchange, head: &Parts, (project, id): (&str, &str)) -> Answer {
    let caller = x.caller(&head.headers)?;
    x.provisioned()?;
    if x.installation.node.is_none() {
        let detail = "nothing listens on this installation";
        return Err(Refusal::new(501, "access_attach_not_provisioned", detail));
    }
    let project = uuid(project).ok_or_else(Refusal::project_not_found)?;
    let id = uuid(id).ok_or_else(Refusal::session_not_found)?;
    let session = sessions::look_up(x, project, id)?;
    if session.identity != caller.identity() {
        let object = format!("resource:{}", x.installation.directory.resource(session.resource).id);
        x.permitted(caller, "administer", &object)?;
    }
    let conflict = |code, detail: &'static str| Err(Refusal::new(409, code, detail));
    if session.status != Status::Active {
        return conflict("session_not_active", "the session has ended");
    }
    if session.kind != Kind::Ssh {
        return conflict("session_not_ssh", "only ssh sessions can be attached to");
    }
    if view::is_pending(&x.installation, x.generation, &session, x.now) {
        return conflict("session_listener_pending", "the node has not reported a listener yet");
    }
    let accept = accepted(head).ok_or_else(upgrade_required)?;
    let bridge = (x.installation.node.as_ref())
        .and_then(|node| node.bridge(&session))
        .ok_or_else(Refusal::internal)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response.extensions_mut().insert(Handover::to(|stream, early| bridge.carry(stream, early)));
    Ok(response)
}

/// What proves to the client that it was understood, if it asked for a WebSocket.
fn accepted(head: &Parts) -> Option<HeaderValue> {
    let tokens = |name: &HeaderName| {
        let values = head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|token| token.trim().to_ascii_lowercase())
    };
    let upgrades = head.method == Method::GET
        && tokens(&UPGRADE).any(|token| token == "websocket")
        && tokens(&CONNECTION).any(|token| token == "upgrade")
        && head.headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if !upgrades {
        return None;
    }
    let key = head.headers.get(SEC_WEBSOCKET_KEY)?.to_str().ok()?.trim();
    // Sixteen bytes, whatever they are.
    STANDARD.decode(key).ok().filter(|bytes| bytes.len() == 16)?;
    let mixed = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{MIXED_IN}").as_bytes());
    HeaderValue::from_str(&STANDARD.encode(mixed)).ok()
}

fn upgrade_required() -> Refusal {
    Refusal {
        shape: Shape::Upgrade,
        ..Refusal::new(426, "upgrade_required", "this is a WebSocket; ask for an upgrade to one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc_is_accepted_as_there() {
        let request = hyper::Request::builder()
            .header("upgrade", "WebSocket")
            .header("connection", "keep-alive, Upgrade")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(accepted(&head).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for name in ["upgrade", "connection", "sec-websocket-version", "sec-websocket-key"] {
            let mut lacking = head.clone();
            lacking.headers.remove(name);
            assert_eq!(accepted(&lacking), None, "{name}");
        }
        let mut posted = head;
        posted.method = Method::POST;
        assert_eq!(accepted(&posted), None);
    }
}
