//! An answer as YAML, for whoever asks for that before JSON.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use serde_json::Value;

use super::negotiate::{JSON, YAML, prefers_yaml};

/// The answer as it was asked for. What goes on, or is no JSON, stays as it is.
pub(crate) async fn as_asked(headers: &HeaderMap, answer: Response<Body>) -> Response<Body> {
    let is_json = answer.headers().get(header::CONTENT_TYPE).is_some_and(|media| media == JSON);
    let is_whole = answer.body().size_hint().exact().is_some();
    if !is_json || !is_whole || !prefers_yaml(headers) {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    // A body that is at hand does not fail to arrive.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let Some(text) = written(&bytes) else { return Response::from_parts(head, bytes.into()) };
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(YAML));
    Response::from_parts(head, text.into())
}

fn written(json: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(json).ok()?;
    serde_saphyr::to_string(&document).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a YAML 1.1 reader would take for something else than text stays text.
    #[test]
    fn texts_stay_texts() {
        for text in [
            "yes",
            "no",
            "1_000",
            "0x1f",
            "null",
            "~",
            "1e3",
            "",
            " a ",
            "a: b",
            "- a",
            "2026-01-01",
            "line\nline\n",
            "#",
            "\u{7f}",
            "é\u{2028}",
            "'",
            "\"",
            "*",
            "@",
        ] {
            let document = serde_json::json!({ "text": text, "list": [text], text: 1 });
            let yaml = written(document.to_string().as_bytes()).unwrap();
            let read: Value = serde_saphyr::from_str(&yaml).unwrap();
            assert_eq!(read, document, "{yaml}");
            if text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                assert!(
                    yaml.contains(&format!("text: \"{text}\""))
                        || yaml.contains(&format!("text: '{text}'")),
                    "{yaml}"
                );
            }
        }
    }
}
