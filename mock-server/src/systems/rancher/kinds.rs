//! The kinds of object that Rancher itself serves, their types, and how they look as tables.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::documents;
use crate::kube::discovery::Group;
use crate::kube::table::Columns;
use crate::kube::{Kind, READ, age};

pub(super) const EXT: &str = "ext.cattle.io";
pub(super) const MANAGEMENT: &str = "management.cattle.io";

/// The groups that are Rancher's own, in the order they are listed.
pub(super) const GROUPS: &[Group] = &[(EXT, "v1"), (MANAGEMENT, "v3")];

const ALL: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const CHANGE: &[&str] = &["get", "list", "patch", "update", "watch"];
const END: &[&str] = &["delete", "get", "list", "watch"];

pub(super) static KUBECONFIG: Kind = Kind {
    schema: documents::kubeconfig,
    through: through::<Kubeconfig>,
    layout: |_| (KUBECONFIG_COLUMNS, kubeconfig),
    ..management("Kubeconfig", "kubeconfigs", "kubeconfig", EXT, "v1", ALL)
};

pub(super) static CLUSTER: Kind = Kind {
    schema: documents::cluster,
    ..management("Cluster", "clusters", "cluster", MANAGEMENT, "v3", READ)
};

pub(super) static FEATURE: Kind = Kind {
    schema: documents::feature,
    through: through::<Feature>,
    layout: |_| (&["Name", "Custom Value", "Default", "Description"], feature),
    ..management("Feature", "features", "feature", MANAGEMENT, "v3", CHANGE)
};

pub(super) static SETTING: Kind = Kind {
    schema: documents::setting,
    through: through::<Setting>,
    layout: |_| (&["Name", "Value"], setting),
    ..management("Setting", "settings", "setting", MANAGEMENT, "v3", CHANGE)
};

pub(super) static TOKEN: Kind = Kind {
    schema: documents::token,
    ..management("Token", "tokens", "token", MANAGEMENT, "v3", END)
};

pub(super) static USER: Kind = Kind {
    schema: documents::user,
    through: through::<User>,
    ..management("User", "users", "user", MANAGEMENT, "v3", CHANGE)
};

pub(super) static KINDS: [&Kind; 6] = [&KUBECONFIG, &CLUSTER, &FEATURE, &SETTING, &TOKEN, &USER];

const fn management(
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    group: &'static str,
    version: &'static str,
    verbs: &'static [&'static str],
) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural,
        singular,
        short: &[],
        categories: &[],
        subresources: &[],
        namespaced: false,
        verbs,
        schema: documents::cluster,
        through: through::<Loose>,
        layout: |_| (&["Name", "Age"], named),
        fields: |_| &[],
    }
}

fn through<T: DeserializeOwned + Serialize>(object: Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(object).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Kubeconfig {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: KubeconfigSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<KubeconfigStatus>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct KubeconfigStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conditions: Option<Vec<Condition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KubeconfigSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Feature {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: FeatureSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct FeatureSpec {
    /// Null: as by default. It is shown even so.
    value: Option<bool>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Setting {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    value: String,
    default: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    customized: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct User {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_ids: Option<Vec<String>>,
}

/// Whatever is not written by clients.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Loose {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    object.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn born(object: &Value, now: Timestamp) -> Value {
    age::since(object.pointer("/metadata/creationTimestamp").and_then(Value::as_str), now).into()
}

fn named(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![text(object, "/metadata/name").into(), born(object, now)]
}

const KUBECONFIG_COLUMNS: Columns =
    &["Name", "TTL", "Tokens", "Status", "Age", "+User", "+Clusters", "+Description"];

fn kubeconfig(object: &Value, now: Timestamp) -> Vec<Value> {
    let ttl = object.pointer("/spec/ttl").and_then(Value::as_i64).unwrap_or_default();
    let owners = items(object, "/metadata/ownerReferences");
    let owners = owners.iter().filter(|owner| text(owner, "/kind") == TOKEN.kind).count();
    let status = match text(object, "/status/summary") {
        "" => "<unknown>",
        summary => summary,
    };
    let clusters: Vec<&str> =
        items(object, "/spec/clusters").iter().filter_map(Value::as_str).collect();
    // The key of this label has a slash in it, which a pointer writes otherwise.
    let user = text(object, "/metadata/labels/cattle.io~1user-id");
    vec![
        text(object, "/metadata/name").into(),
        age::human(ttl).into(),
        format!("{owners}/{}", items(object, "/status/tokens").len()).into(),
        status.into(),
        born(object, now),
        user.into(),
        clusters.join(",").into(),
        text(object, "/spec/description").into(),
    ]
}

fn feature(object: &Value, _: Timestamp) -> Vec<Value> {
    let shown = |path: &str| object.pointer(path).map_or_else(String::new, plain);
    vec![
        text(object, "/metadata/name").into(),
        shown("/spec/value").into(),
        shown("/status/default").into(),
        text(object, "/status/description").into(),
    ]
}

fn setting(object: &Value, _: Timestamp) -> Vec<Value> {
    vec![text(object, "/metadata/name").into(), text(object, "/value").into()]
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The kind at a place, if it is Rancher's.
pub(super) fn at(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS
        .into_iter()
        .find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
}

pub(super) fn is_own(group: &str) -> bool {
    GROUPS.iter().any(|(own, _)| *own == group)
}

/// The settings that a Rancher has from the beginning, as far as they rule kubeconfigs, with
/// their defaults.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("auth-token-max-ttl-minutes", "129600"),
    ("cacerts", ""),
    ("kubeconfig-default-token-ttl-minutes", "43200"),
    ("kubeconfig-generate-token", "true"),
    ("server-url", ""),
];

/// The features, with their defaults and what they do.
pub(super) fn features() -> BTreeMap<&'static str, (bool, &'static str)> {
    BTreeMap::from([(
        "ext-kubeconfigs",
        (true, "Serves kubeconfigs.ext.cattle.io, with which kubeconfigs are generated."),
    )])
}
