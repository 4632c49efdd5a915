//! Who may do what. Rules only ever allow; what no rule allows is forbidden.

use serde::Deserialize;

use super::request::RequestInfo;
use super::status::Refusal;

/// The group that no rule can bind.
const MASTERS: &str = "system:masters";
pub(crate) const AUTHENTICATED: &str = "system:authenticated";

/// Who is asking, as whoever stands in front of the cluster has established it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Caller {
    pub user: String,
    pub uid: String,
    pub groups: Vec<String>,
    pub extra: Vec<(String, Vec<String>)>,
}

impl Caller {
    pub fn new(user: impl Into<String>, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Self { user: user.into(), groups, ..Self::default() }
    }

    pub(crate) fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }

    /// Everybody who got this far is authenticated, and belongs to the group of those who are.
    pub(crate) fn all_groups(&self) -> Vec<String> {
        let mut groups = self.groups.clone();
        if self.user != "system:anonymous" && !groups.iter().any(|group| group == AUTHENTICATED) {
            groups.push(AUTHENTICATED.to_owned());
        }
        groups
    }
}

/// One line of permission in a cluster's description.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    #[serde(default)]
    pub users: Vec<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    #[serde(default = "reading")]
    pub verbs: Vec<String>,
    #[serde(default = "everything")]
    pub api_groups: Vec<String>,
    #[serde(default)]
    pub resources: Vec<String>,
    #[serde(default)]
    pub resource_names: Vec<String>,
    /// Empty means every namespace, and the cluster itself.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Paths outside of resources; a trailing `*` covers what follows.
    #[serde(default)]
    pub paths: Vec<String>,
}

pub(crate) fn reading() -> Vec<String> {
    ["get", "list", "watch"].map(str::to_owned).to_vec()
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What is open to everybody authenticated on any cluster, so that clients can find their way.
pub(crate) const OPEN_PATHS: &[&str] = &[
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
];

/// The reviews of oneself, open likewise.
pub(crate) const OPEN_REVIEWS: &[(&str, &str)] = &[
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
];

fn covers(list: &[String], value: &str) -> bool {
    list.iter().any(|entry| entry == "*" || entry == value)
}

pub(crate) fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern,
    }
}

impl Rule {
    pub(crate) fn binds(&self, caller: &Caller) -> bool {
        covers(&self.users, &caller.user)
            || caller.all_groups().iter().any(|group| covers(&self.groups, group))
    }

    pub(crate) fn in_namespace(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || covers(&self.namespaces, namespace)
    }

    fn allows(&self, asked: &RequestInfo) -> bool {
        if !covers(&self.verbs, asked.verb) {
            return false;
        }
        if !asked.is_resource {
            return self.paths.iter().any(|pattern| path_matches(pattern, &asked.path));
        }
        let resource = asked.full_resource();
        let any_of = format!("*/{}", asked.subresource);
        let named = covers(&self.resources, &resource)
            || (!asked.subresource.is_empty() && self.resources.contains(&any_of));
        named
            && covers(&self.api_groups, &asked.group)
            && self.in_namespace(&asked.namespace)
            && (self.resource_names.is_empty() || covers(&self.resource_names, &asked.name))
    }
}

pub(crate) fn allowed(rules: &[Rule], caller: &Caller, asked: &RequestInfo) -> bool {
    if caller.is_master() {
        return true;
    }
    let open = if asked.is_resource {
        asked.verb == "create"
            && OPEN_REVIEWS.contains(&(asked.group.as_str(), asked.resource.as_str()))
    } else {
        matches!(asked.verb, "get" | "head")
            && OPEN_PATHS.iter().any(|pattern| path_matches(pattern, &asked.path))
    };
    open || rules.iter().any(|rule| rule.binds(caller) && rule.allows(asked))
}

/// The same, as a gate.
pub(crate) fn authorize(
    rules: &[Rule],
    caller: &Caller,
    asked: &RequestInfo,
) -> Result<(), Refusal> {
    if allowed(rules, caller, asked) {
        return Ok(());
    }
    if !asked.is_resource {
        return Err(Refusal::forbidden_path(&caller.user, asked.verb, &asked.path));
    }
    let place = if asked.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", asked.namespace)
    };
    let why = format!(
        "User {:?} cannot {} resource {:?} in API group {:?} {place}",
        caller.user,
        asked.verb,
        asked.full_resource(),
        asked.group,
    );
    Err(Refusal::forbidden(&asked.resource, &asked.group, &asked.name, &why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::request::Query;
    use axum::http::{Method, Uri};

    fn asked(method: &Method, uri: &str) -> RequestInfo {
        let uri: Uri = uri.parse().unwrap();
        RequestInfo::read(method, &uri, &Query::parse(uri.query().unwrap_or("")))
    }

    #[test]
    fn rules_are_narrow() {
        let rule: Rule = serde_json::from_str(
            r#"{"groups":["devs"],"verbs":["delete"],"resources":["pods","*/log"],
                "namespaces":["shop"],"api_groups":[""]}"#,
        )
        .unwrap();
        let (rules, dev) = ([rule], Caller::new("ana", &["devs"]));
        let other = Caller::new("bo", &["ops"]);
        for (uri, expected) in [
            ("/api/v1/namespaces/shop/pods/a", true),
            ("/api/v1/namespaces/shop/pods/a/log", true),
            ("/api/v1/namespaces/shop/pods/a/exec", false),
            ("/api/v1/namespaces/bank/pods/a", false),
            ("/apis/apps/v1/namespaces/shop/pods/a", false),
        ] {
            assert_eq!(allowed(&rules, &dev, &asked(&Method::DELETE, uri)), expected, "{uri}");
            assert!(!allowed(&rules, &other, &asked(&Method::DELETE, uri)), "{uri}");
        }
    }

    #[test]
    fn the_refusal_reads_like_the_real_one() {
        let refused = authorize(
            &[],
            &Caller::new("ana", &[]),
            &asked(&Method::POST, "/api/v1/namespaces/shop/pods"),
        );
        let status = refused.unwrap_err().status();
        assert_eq!(
            status["message"],
            "pods is forbidden: User \"ana\" cannot create resource \"pods\" in API group \"\" in the namespace \"shop\""
        );
        assert_eq!(status["code"], 403);
    }
}
