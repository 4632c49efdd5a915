//! Who may do what on a cluster whose description does not say.

use super::kinds::KINDS;
use crate::kube::Rule;
use crate::kube::rbac::{AUTHENTICATED, reading};

/// What holds when a description says nothing: whoever is authenticated may look at
/// everything but secrets.
pub(crate) fn default_rules() -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.plural != "secrets") {
        let mut resources = vec![kind.plural.to_owned()];
        if kind.kind == "Pod" {
            resources.push("pods/log".to_owned());
        }
        match rules.iter_mut().find(|rule| rule.api_groups == [kind.group]) {
            Some(rule) => rule.resources.extend(resources),
            None => rules.push(Rule {
                users: Vec::new(),
                groups: vec![AUTHENTICATED.to_owned()],
                verbs: reading(),
                api_groups: vec![kind.group.to_owned()],
                resources,
                resource_names: Vec::new(),
                namespaces: Vec::new(),
                paths: Vec::new(),
            }),
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::rbac::allowed;
    use crate::kube::request::Query;
    use crate::kube::{Caller, RequestInfo};
    use axum::http::{Method, Uri};

    fn asked(method: &Method, uri: &str) -> RequestInfo {
        let uri: Uri = uri.parse().unwrap();
        RequestInfo::read(method, &uri, &Query::parse(uri.query().unwrap_or("")))
    }

    #[test]
    fn by_default_people_look_and_masters_do() {
        let (rules, viewer) = (default_rules(), Caller::new("ana", &["devs"]));
        let master = Caller::new("root", &["system:masters"]);
        for (method, uri, expected) in [
            (Method::GET, "/api/v1/pods", true),
            (Method::GET, "/api/v1/pods?watch=1", true),
            (Method::GET, "/api/v1/namespaces/a/pods/b/log", true),
            (Method::GET, "/api/v1/namespaces/a/pods/b/exec", false),
            (Method::GET, "/api/v1/namespaces/a/secrets", false),
            (Method::POST, "/api/v1/namespaces/a/pods", false),
            (Method::DELETE, "/api/v1/namespaces/a", false),
            (Method::GET, "/version", true),
            (Method::GET, "/metrics", false),
            (Method::POST, "/apis/authentication.k8s.io/v1/selfsubjectreviews", true),
        ] {
            let asked = asked(&method, uri);
            assert_eq!(allowed(&rules, &viewer, &asked), expected, "{uri}");
            assert!(allowed(&rules, &master, &asked), "{uri}");
        }
    }
}
