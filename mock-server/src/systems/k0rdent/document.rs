//! What is handed out: the resource as the page describes it, and the kubeconfig itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::ACCEPT;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::route::Reach;
use crate::world::k0rdent::{K0rdent, Kubeconfig, Site};

pub const YAML: &str = "application/yaml";

/// The resource: the page's eight members. None of them is a secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource<'k> {
    self_link: String,
    id: &'k str,
    uid: Uuid,
    display_name: String,
    description: String,
    issued_for: &'k str,
    #[serde(serialize_with = "second")]
    created_at: Timestamp,
    /// Not there for one that never ends.
    #[serde(serialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl<'k> Resource<'k> {
    pub fn of(kubeconfig: &'k Kubeconfig, world: &K0rdent, base: &str) -> Self {
        let site = kubeconfig.site;
        let cluster = world.cluster(site);
        let cluster = cluster.display_name.as_ref().unwrap_or(&cluster.id);
        Self {
            self_link: self_link(kubeconfig, world, base),
            id: &kubeconfig.id,
            uid: kubeconfig.uid,
            display_name: format!("{} on {cluster}", kubeconfig.issued_for),
            description: format!("Acts as {} with the role {}", kubeconfig.user, kubeconfig.role),
            issued_for: &kubeconfig.issued_for,
            created_at: kubeconfig.created,
            expires_at: kubeconfig.expires,
        }
    }
}

pub fn self_link(kubeconfig: &Kubeconfig, world: &K0rdent, base: &str) -> String {
    let Names { region, project, cluster } = Names::of(world, kubeconfig.site);
    format!(
        "{base}/v1/regions/{region}/projects/{project}/compute/clusters/{cluster}/kubeconfigs/{}",
        kubeconfig.id
    )
}

struct Names<'w> {
    region: &'w str,
    project: &'w str,
    cluster: &'w str,
}

impl<'w> Names<'w> {
    fn of(world: &'w K0rdent, site: Site) -> Self {
        Self {
            region: &world.regions[site.region].id,
            project: &world.project(site).id,
            cluster: &world.cluster(site).id,
        }
    }
}

/// The path below which the cluster's API answers.
pub fn cluster_path(world: &K0rdent, site: Site, base: &str) -> String {
    let Names { region, project, cluster } = Names::of(world, site);
    format!("{base}{}/regions/{region}/projects/{project}/clusters/{cluster}", super::door::BASE)
}

/// The kubeconfig, as kubectl reads it. Texts are written as JSON, which is YAML too.
pub fn yaml(
    kubeconfig: &Kubeconfig,
    secret: &str,
    world: &K0rdent,
    base: &str,
    reach: &Reach,
) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let cluster = quoted(&world.cluster(kubeconfig.site).id);
    let server = quoted(&format!("{}{}", reach.https, cluster_path(world, kubeconfig.site, base)));
    let authority = STANDARD.encode(&reach.ca_pem);
    let user = quoted(&kubeconfig.issued_for);
    let token = quoted(secret);
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: {cluster}\n\
        \x20 cluster:\n\
        \x20   server: {server}\n\
        \x20   certificate-authority-data: {authority}\n\
         users:\n\
         - name: {user}\n\
        \x20 user:\n\
        \x20   token: {token}\n\
         contexts:\n\
         - name: {cluster}\n\
        \x20 context:\n\
        \x20   cluster: {cluster}\n\
        \x20   user: {user}\n\
         current-context: {cluster}\n"
    )
}

/// Whether the client would rather have the file than the resource: by quality, then by order.
pub fn wants_yaml(headers: &HeaderMap) -> bool {
    let mut best: Option<(f32, bool)> = None;
    let fields = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in fields.flat_map(|field| field.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let yaml = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/yaml" | "application/x-yaml" | "text/yaml" => true,
            "application/json" | "application/*" | "*/*" => false,
            _ => continue,
        };
        let quality = parts
            .find_map(|part| part.strip_prefix("q=")?.parse().ok())
            .map_or(1.0, |quality: f32| quality);
        if quality > 0.0 && best.is_none_or(|(known, _)| quality > known) {
            best = Some((quality, yaml));
        }
    }
    best.is_some_and(|(_, yaml)| yaml)
}

/// RFC 3339 without a fraction, as the page's example has it.
fn second<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

#[expect(clippy::ref_option, reason = "serde hands over the field by reference")]
fn seconds<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => second(moment, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_for_those_who_prefer_it() {
        for (accept, wanted) in [
            ("", false),
            ("*/*", false),
            ("application/json", false),
            ("application/yaml", true),
            ("Application/X-YAML; q=0.8", true),
            ("application/json, application/yaml", false),
            ("application/yaml, application/json", true),
            ("application/json;q=0.5, text/yaml", true),
            ("application/yaml;q=0", false),
            ("image/png", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(wants_yaml(&headers), wanted, "{accept}");
        }
        assert!(!wants_yaml(&HeaderMap::new()));
    }
}
