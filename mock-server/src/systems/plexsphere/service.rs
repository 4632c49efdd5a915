//! What the server says about itself: health, version, contract, keys.

use std::sync::OnceLock;

use axum::body::Body;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::exchange::{Answer, Exchange, json as answer};
use super::generation::Generation;
use super::refusal::Refusal;

/// The parts that may be away leave the rest working, so the worst is `degraded`.
pub fn health(x: &Exchange) -> Response<Body> {
    let world = &x.installation.directory.file;
    let whole = world.signer.available && world.authz.available;
    answer(200, &json!({"status": if whole { "ready" } else { "degraded" }}))
}

pub fn version(x: &Exchange) -> Response<Body> {
    let version = env!("CARGO_PKG_VERSION");
    answer(200, &json!({"version": version, "contract": x.generation.name()}))
}

pub fn jwks(x: &Exchange) -> Response<Body> {
    answer(200, &x.installation.keys.jwks())
}

/// The contract as this generation has it.
pub fn openapi(x: &Exchange) -> Answer {
    static DOCUMENTS: [OnceLock<Option<String>>; 3] = [const { OnceLock::new() }; 3];
    let document = DOCUMENTS[x.generation as usize].get_or_init(|| render(x.generation));
    let text = document.as_ref().ok_or_else(Refusal::internal)?;
    let mut response = Response::new(Body::from(text.clone()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn render(generation: Generation) -> Option<String> {
    const CONTRACT: &str = include_str!("../../../../fixtures/contract/plexsphere.json");
    let mut document: Value = serde_json::from_str(CONTRACT).ok()?;
    let patch = document.pointer(&format!("/x-generations/{}/patch", generation.name()))?.clone();
    let patch: json_patch::Patch = serde_json::from_value(patch).ok()?;
    json_patch::patch(&mut document, &patch).ok()?;
    // What is left describes one generation; how the others differ is no part of it.
    document.as_object_mut()?.remove("x-generations");
    serde_json::to_string(&document).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generation_has_its_document() {
        for generation in [Generation::June, Generation::July, Generation::August] {
            let document: Value = serde_json::from_str(&render(generation).unwrap()).unwrap();
            assert_eq!(document["info"]["version"], generation.name());
            assert_eq!(document.get("x-generations"), None);
        }
    }
}
