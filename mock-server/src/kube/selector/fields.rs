//! Field selectors: `status.phase!=Running,spec.nodeName=worker-1`. Each kind offers a
//! fixed set of fields and refuses the rest.

use serde_json::Value;

use crate::kube::Kind;

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct FieldSelector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    field: String,
    value: String,
    equal: bool,
}

impl FieldSelector {
    pub(crate) fn parse(text: &str, kind: &Kind) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (field, value, equal) = if let Some((field, value)) = part.split_once("!=") {
                (field, value, false)
            } else if let Some((field, value)) = part.split_once("==") {
                (field, value, true)
            } else if let Some((field, value)) = part.split_once('=') {
                (field, value, true)
            } else {
                return Err(format!("invalid selector: '{text}'; can't understand '{part}'"));
            };
            let field = field.trim();
            let known = field == "metadata.name"
                || (field == "metadata.namespace" && kind.namespaced)
                || (kind.fields)(kind).contains(&field);
            if !known {
                return Err(format!("field label not supported: {field}"));
            }
            let value = value.trim();
            requirements.push(Requirement {
                field: field.to_owned(),
                value: value.to_owned(),
                equal,
            });
        }
        Ok(Self(requirements))
    }

    /// One more requirement: this name. A watch on one object is a watch on the collection.
    pub(crate) fn and_name(mut self, name: &str) -> Self {
        let (field, value) = ("metadata.name".to_owned(), name.to_owned());
        self.0.push(Requirement { field, value, equal: true });
        self
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|requirement| {
            (read(object, &requirement.field) == requirement.value) == requirement.equal
        })
    }
}

/// A field as the selector compares it: absent is the zero value of its type.
fn read(object: &Value, field: &str) -> String {
    let path = match field {
        "source" => "/source/component".to_owned(),
        dotted => format!("/{}", dotted.replace('.', "/")),
    };
    match object.pointer(&path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => match field {
            "spec.unschedulable" | "spec.hostNetwork" => "false".to_owned(),
            "status.replicas" => "0".to_owned(),
            _ => String::new(),
        },
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kinds;
    use serde_json::json;

    #[test]
    fn fields_choose() {
        let pod = kinds::named("Pod").unwrap();
        let object = json!({
            "metadata": { "name": "a", "namespace": "shop" },
            "spec": { "nodeName": "w1" }, "status": { "phase": "Running" },
        });
        for (text, expected) in [
            ("", true),
            ("metadata.name=a", true),
            ("metadata.namespace!=shop", false),
            ("spec.nodeName==w1,status.phase!=Succeeded,status.phase!=Failed", true),
            ("status.podIP=", true),
            ("spec.hostNetwork=false", true),
        ] {
            assert_eq!(
                FieldSelector::parse(text, pod).unwrap().matches(&object),
                expected,
                "{text}"
            );
        }
        assert!(!FieldSelector::default().and_name("b").matches(&object));
    }

    #[test]
    fn fields_nobody_offers_are_refused() {
        let (pod, node) = (kinds::named("Pod").unwrap(), kinds::named("Node").unwrap());
        assert_eq!(
            FieldSelector::parse("spec.colour=red", pod),
            Err("field label not supported: spec.colour".to_owned())
        );
        assert!(FieldSelector::parse("metadata.namespace=a", node).is_err());
        assert!(FieldSelector::parse("metadata.name", pod).is_err());
    }
}
