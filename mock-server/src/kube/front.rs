//! The paths of an API server that are no resources: health, version, discovery, documents.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use super::discovery::Offered;
use super::negotiate;
use super::openapi;
use super::status::{self, Refusal, respond};

/// What a server says of itself.
pub(crate) struct Front<'a> {
    /// Written like `v1.32.4`.
    pub(crate) version: &'a str,
    pub(crate) offered: &'a Offered,
    /// The OpenAPI document under a path such as `apis/apps/v1`.
    pub(crate) document: fn(&str) -> Option<&'static str>,
}

/// The major and the minor, which kubectl compares with its own.
pub(crate) fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split('.');
    let numbers = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().map(|_| numbers)
}

impl Front<'_> {
    pub(crate) fn answer(
        &self,
        path: &str,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Refusal> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Refusal::method_not_allowed(None));
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let found = match parts.as_slice() {
            [] => Some(self.offered.root()),
            ["version"] => Some(self.version()),
            ["healthz" | "livez" | "readyz", ..] => {
                negotiate::plain(headers, "text/plain")?;
                return Ok(status::typed(StatusCode::OK, "text/plain; charset=utf-8", "ok"));
            }
            [root @ ("api" | "apis")] => {
                negotiate::plain(headers, "application/json")?;
                return Ok(self.discovery(*root == "api", headers));
            }
            ["api", version] => self.offered.resources("", version),
            ["apis", group] => self.offered.group(group),
            ["apis", group, version] => self.offered.resources(group, version),
            ["openapi", "v2"] => {
                return Ok(status::typed(StatusCode::OK, openapi::V2_MEDIA, Bytes::new()));
            }
            ["openapi", "v3"] => Some(openapi::index(self.offered)),
            ["openapi", "v3", rest @ ..] => match (self.document)(&rest.join("/")) {
                Some(document) => {
                    return Ok(status::typed(StatusCode::OK, "application/json", document));
                }
                None => None,
            },
            _ => None,
        };
        let found = found.ok_or_else(Refusal::no_such_resource)?;
        negotiate::plain(headers, "application/json")?;
        Ok(respond(StatusCode::OK, &found))
    }

    fn version(&self) -> Value {
        let (major, minor) = numbers(self.version).unwrap_or_default();
        json!({
            "major": major.to_string(), "minor": minor.to_string(), "gitVersion": self.version,
            "gitCommit": "0000000000000000000000000000000000000000", "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none",
            "compiler": "none", "platform": "linux/amd64",
        })
    }

    fn discovery(&self, core: bool, headers: &HeaderMap) -> Response<Body> {
        let Some(version) = negotiate::aggregated(headers) else {
            let plain = if core { Offered::versions() } else { self.offered.groups() };
            return respond(StatusCode::OK, &plain);
        };
        // kubectl reads the form off the media type, parameters and all.
        let media = match version {
            "v2" => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            _ => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        };
        let list = self.offered.aggregated(core, version);
        let mut response = status::typed(StatusCode::OK, media, list.to_string());
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
        response
    }
}
