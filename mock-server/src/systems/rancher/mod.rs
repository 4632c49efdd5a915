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

pub use visit::{Visit, answer};

/// Whether a path, after the base, is spoken to Rancher.
pub fn owns(path: &str) -> bool {
    matches!(path.split('/').nth(1), Some("api" | "apis" | "k8s" | "livez" | "openapi" | "version"))
        && path.starts_with('/')
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_are_known() {
        for path in ["/api", "/apis/ext.cattle.io/v1", "/k8s/clusters/local/api", "/version"] {
            assert!(super::owns(path), "{path}");
        }
        for path in ["", "/", "/v1/projects", "/healthz", "/apish", "/v1/version", "apis/x"] {
            assert!(!super::owns(path), "{path}");
        }
    }
}
