//! The reviews of oneself: `auth whoami`, `auth can-i`, `auth can-i --list`. kubectl sends
//! these as protobuf, everybody else as JSON.

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::protobuf::{Message, unwrap_envelope};
use super::rbac::{self, Caller, Rule};
use super::request::RequestInfo;
use super::status::Refusal;

/// The reviews, as discovery lists them: group, plural, kind.
pub(crate) const REVIEWS: &[(&str, &str, &str)] = &[
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
];

/// Answers a review, if that is what the request is.
pub(crate) fn answer(
    rules: &[Rule],
    caller: &Caller,
    asked: &RequestInfo,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Result<Value, Refusal>> {
    let (_, _, kind) = REVIEWS
        .iter()
        .find(|(group, plural, _)| *group == asked.group && *plural == asked.resource)?;
    // Clients from before these were stable ask for the beta; the shape is the same.
    if !matches!(asked.version.as_str(), "v1" | "v1beta1") {
        return None;
    }
    if asked.verb != "create" {
        return Some(Err(Refusal::method_not_allowed(None)));
    }
    let spec = match Spec::read(headers, body) {
        Ok(spec) => spec,
        Err(refusal) => return Some(Err(refusal)),
    };
    let (spec, status) = match *kind {
        "SelfSubjectReview" => (Ok(Value::Null), json!({ "userInfo": user_info(caller) })),
        "SelfSubjectAccessReview" => match spec.access() {
            Ok((shown, wanted)) => {
                let allowed = rbac::allowed(rules, caller, &wanted);
                (Ok(shown), json!({ "allowed": allowed }))
            }
            Err(refusal) => (Err(refusal), Value::Null),
        },
        _ => match spec.namespace() {
            Ok(namespace) => {
                (Ok(json!({ "namespace": namespace })), rules_status(rules, caller, &namespace))
            }
            Err(refusal) => (Err(refusal), Value::Null),
        },
    };
    Some(spec.map(|spec| {
        let mut review = json!({
            "kind": kind,
            "apiVersion": format!("{}/{}", asked.group, asked.version),
            "metadata": { "creationTimestamp": null },
            "status": status,
        });
        if !spec.is_null() {
            review["spec"] = spec;
        }
        review
    }))
}

fn user_info(caller: &Caller) -> Value {
    let mut info = json!({ "username": caller.user, "groups": caller.all_groups() });
    if !caller.uid.is_empty() {
        info["uid"] = caller.uid.clone().into();
    }
    if !caller.extra.is_empty() {
        let extra: Map<String, Value> =
            caller.extra.iter().map(|(key, values)| (key.clone(), json!(values))).collect();
        info["extra"] = extra.into();
    }
    info
}

fn rules_status(rules: &[Rule], caller: &Caller, namespace: &str) -> Value {
    let mut resources: Vec<Value> = Vec::new();
    let mut paths: Vec<Value> = Vec::new();
    if caller.is_master() {
        resources.push(json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }));
        paths.push(json!({ "verbs": ["*"], "nonResourceURLs": ["*"] }));
    }
    for (group, plural) in rbac::OPEN_REVIEWS {
        resources.push(json!({ "verbs": ["create"], "apiGroups": [group], "resources": [plural] }));
    }
    paths.push(json!({ "verbs": ["get"], "nonResourceURLs": rbac::OPEN_PATHS }));
    for rule in rules.iter().filter(|rule| rule.binds(caller) && rule.in_namespace(namespace)) {
        if !rule.resources.is_empty() {
            let mut shown = json!({
                "verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources,
            });
            if !rule.resource_names.is_empty() {
                shown["resourceNames"] = json!(rule.resource_names);
            }
            resources.push(shown);
        }
        if !rule.paths.is_empty() {
            paths.push(json!({ "verbs": rule.verbs, "nonResourceURLs": rule.paths }));
        }
    }
    json!({ "resourceRules": resources, "nonResourceRules": paths, "incomplete": false })
}

/// The `spec` of a review in whichever encoding it came.
enum Spec<'a> {
    Json(Value),
    Protobuf(Message<'a>),
}

impl<'a> Spec<'a> {
    fn read(headers: &HeaderMap, body: &'a [u8]) -> Result<Self, Refusal> {
        let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if media.is_some_and(|media| media.starts_with("application/vnd.kubernetes.protobuf")) {
            let review = unwrap_envelope(body).map(Message);
            let spec = review.and_then(|review| review.message(2));
            return spec.map(Spec::Protobuf).ok_or_else(|| undecodable("broken protobuf"));
        }
        let review: Value =
            serde_json::from_slice(body).map_err(|error| undecodable(&error.to_string()))?;
        Ok(Spec::Json(review.get("spec").cloned().unwrap_or_default()))
    }

    fn namespace(&self) -> Result<String, Refusal> {
        match self {
            Spec::Json(spec) => Ok(text(spec, "namespace")),
            Spec::Protobuf(spec) => spec.text(1).ok_or_else(|| undecodable("broken protobuf")),
        }
    }

    /// What is asked about: as JSON to show again, and as a request to judge.
    fn access(&self) -> Result<(Value, RequestInfo), Refusal> {
        let spec = match self {
            Spec::Json(spec) => spec.clone(),
            Spec::Protobuf(spec) => {
                attributes(*spec).ok_or_else(|| undecodable("broken protobuf"))?
            }
        };
        let resource = spec.get("resourceAttributes").filter(|value| value.is_object());
        let other = spec.get("nonResourceAttributes").filter(|value| value.is_object());
        let info = match (resource, other) {
            (Some(resource), None) => RequestInfo {
                verb: verb(&text(resource, "verb")),
                path: String::new(),
                is_resource: true,
                group: text(resource, "group"),
                version: text(resource, "version"),
                resource: text(resource, "resource"),
                subresource: text(resource, "subresource"),
                namespace: text(resource, "namespace"),
                name: text(resource, "name"),
            },
            (None, Some(other)) => RequestInfo {
                verb: verb(&text(other, "verb")),
                path: text(other, "path"),
                is_resource: false,
                group: String::new(),
                version: String::new(),
                resource: String::new(),
                subresource: String::new(),
                namespace: String::new(),
                name: String::new(),
            },
            _ => {
                return Err(Refusal::bad_request(
                    "exactly one of nonResourceAttributes or resourceAttributes must be specified",
                ));
            }
        };
        Ok((spec, info))
    }
}

fn undecodable(why: &str) -> Refusal {
    Refusal::bad_request(format!("the object provided is unrecognized: {why}"))
}

fn text(object: &Value, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Rules know these verbs and `*`; asking about another is asking about none of them.
fn verb(asked: &str) -> &'static str {
    const KNOWN: &[&str] = &[
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "head",
        "post",
        "put",
        "*",
    ];
    KNOWN.iter().find(|known| **known == asked).copied().unwrap_or("other")
}

/// `SelfSubjectAccessReviewSpec` by its field numbers.
fn attributes(spec: Message<'_>) -> Option<Value> {
    const RESOURCE: &[(u64, &str)] = &[
        (1, "namespace"),
        (2, "verb"),
        (3, "group"),
        (4, "version"),
        (5, "resource"),
        (6, "subresource"),
        (7, "name"),
    ];
    const OTHER: &[(u64, &str)] = &[(1, "path"), (2, "verb")];
    let mut shown = Map::new();
    for (number, key, fields) in
        [(1, "resourceAttributes", RESOURCE), (2, "nonResourceAttributes", OTHER)]
    {
        let message = spec.message(number)?;
        if message.is_empty() {
            continue;
        }
        let mut inner = Map::new();
        for (number, key) in fields {
            let value = message.text(*number)?;
            if !value.is_empty() {
                inner.insert((*key).to_owned(), value.into());
            }
        }
        shown.insert(key.to_owned(), inner.into());
    }
    Some(shown.into())
}
