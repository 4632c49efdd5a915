//! Fitting a scenario's document to the request at hand.

use serde_json::Value;

/// What the request at hand says, where it says it; empty where it does not.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The path of the request.
    pub instance: &'a str,
    pub project_id: &'a str,
    pub resource_id: &'a str,
    pub session_id: &'a str,
    pub kind: &'a str,
}

/// The document after the operations of RFC 6902, themselves filled in first.
pub(super) fn patched(
    mut body: Value,
    patch: &[Value],
    occasion: &Occasion<'_>,
) -> Result<Vec<u8>, String> {
    for operation in patch {
        let operation = serde_json::from_value(filled(operation, occasion))
            .map_err(|error| error.to_string())?;
        json_patch::patch(&mut body, &[operation]).map_err(|error| error.to_string())?;
    }
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

/// The document with the placeholders of its strings filled in.
pub(super) fn filled(document: &Value, occasion: &Occasion<'_>) -> Value {
    match document {
        Value::String(text) if text.contains('{') => Value::String(fill(text, occasion)),
        Value::Array(items) => items.iter().map(|item| filled(item, occasion)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), filled(value, occasion)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// One pass over the text, so that what is filled in is never itself taken for a placeholder.
fn fill(text: &str, occasion: &Occasion<'_>) -> String {
    let known = [
        ("{instance}", occasion.instance),
        ("{project_id}", occasion.project_id),
        ("{resource_id}", occasion.resource_id),
        ("{session_id}", occasion.session_id),
        ("{kind}", occasion.kind),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((name, value)) = known.iter().find(|(name, _)| rest.starts_with(name)) {
            out.push_str(value);
            rest = &rest[name.len()..];
        } else {
            out.push('{');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OCCASION: Occasion<'_> = Occasion {
        instance: "/v1/{kind}",
        project_id: "p",
        resource_id: "r",
        session_id: "s",
        kind: "ssh",
    };

    #[test]
    fn placeholders_are_filled_once_and_only_known_ones() {
        for (text, expected) in [
            ("{kind}", "ssh"),
            ("a{session_id}b{resource_id}c{project_id}", "asbrcp"),
            ("{instance}", "/v1/{kind}"),
            ("{unknown} {kind", "{unknown} {kind"),
            ("{{kind}}", "{ssh}"),
        ] {
            assert_eq!(filled(&json!([{"x": text}]), &OCCASION), json!([{"x": expected}]));
        }
    }

    #[test]
    fn a_patch_that_does_not_apply_is_an_error() {
        let body = json!({"a": 1});
        let patch = [json!({"op": "remove", "path": "/b"})];
        assert!(patched(body.clone(), &patch, &OCCASION).is_err());
        assert!(patched(body.clone(), &[json!({"op": "paint"})], &OCCASION).is_err());
        let patch = [json!({"op": "add", "path": "/b", "value": "{kind}"})];
        assert_eq!(patched(body, &patch, &OCCASION).unwrap(), br#"{"a":1,"b":"ssh"}"#);
    }
}
