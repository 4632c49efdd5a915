//! The Rancher surface: `kubeconfigs.ext.cattle.io` and what surrounds it, as a Kubernetes API
//! that a stock kubectl speaks to, and the clusters behind `/k8s/clusters/<id>`.

mod api;
mod change;
mod create;
mod documents;
mod kinds;
mod layout;
mod operation;
mod render;
mod rules;
mod staged;
mod state;
mod tokens;
mod visit;

use hyper::HeaderMap;

pub use visit::{Visit, answer};

/// Whether a request, by its path after the base, is spoken to Rancher. The root and two health
/// paths are plexsphere's as well: there a token tells who is meant, because Rancher's consist of
/// a name and a secret.
pub fn owns(path: &str, headers: &HeaderMap) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    match rest.split('/').next().unwrap_or_default() {
        "api" | "apis" | "k8s" | "livez" | "openapi" | "version" => true,
        "healthz" | "readyz" => visit::names_token(headers),
        "" => rest.is_empty() && visit::names_token(headers),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::AUTHORIZATION;

    #[test]
    fn paths_are_known() {
        let nobody = HeaderMap::new();
        for path in ["/api", "/apis/ext.cattle.io/v1", "/k8s/clusters/local/api", "/version"] {
            assert!(super::owns(path, &nobody), "{path}");
        }
        for path in ["", "/", "/v1/projects", "/healthz", "/apish", "/v1/version", "apis/x"] {
            assert!(!super::owns(path, &nobody), "{path}");
        }
    }

    #[test]
    fn a_token_tells_whose_health_is_asked_for() {
        let showing = |token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            headers
        };
        let (rancher, plexsphere) = (showing("token-abcde:secret"), showing("psk_dev_operator"));
        for path in ["/", "/healthz", "/readyz", "/readyz/ping"] {
            assert!(super::owns(path, &rancher) && !super::owns(path, &plexsphere), "{path}");
        }
        for path in ["", "//", "/v1/healthz", "/healthzz", "/.well-known/jwks.json"] {
            assert!(!super::owns(path, &rancher), "{path}");
        }
    }
}
