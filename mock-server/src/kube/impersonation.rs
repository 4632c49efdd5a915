//! `--as`: whoever may speak for others may be taken for them.

use axum::http::HeaderMap;

use super::rbac::{self, Caller, Rule};
use super::request::RequestInfo;
use super::status::Refusal;

const EXTRA: &str = "impersonate-extra-";

/// The caller to judge by: the one asked for, once the real one may ask.
pub(crate) fn caller(rules: &[Rule], real: Caller, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let all = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.map(str::to_owned).collect()
    };
    let user = all("impersonate-user").into_iter().next().unwrap_or_default();
    let groups = all("impersonate-group");
    let uid = all("impersonate-uid").into_iter().next().unwrap_or_default();
    let mut extra: Vec<(String, Vec<String>)> = Vec::new();
    for name in headers.keys() {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy().into_owned();
            extra.push((key, all(name.as_str())));
        }
    }
    if user.is_empty() {
        if groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return Ok(real);
        }
        return Err(Refusal::bad_request("requested impersonation without a user name"));
    }
    let mut wanted = vec![("users", user.as_str())];
    wanted.extend(groups.iter().map(|group| ("groups", group.as_str())));
    if !uid.is_empty() {
        wanted.push(("uids", uid.as_str()));
    }
    wanted.extend(extra.iter().map(|(key, _)| ("userextras", key.as_str())));
    for (resource, name) in wanted {
        let asked = RequestInfo {
            verb: "impersonate",
            path: String::new(),
            is_resource: true,
            group: String::new(),
            version: "v1".to_owned(),
            resource: resource.to_owned(),
            subresource: String::new(),
            namespace: String::new(),
            name: name.to_owned(),
        };
        rbac::authorize(rules, &real, &asked)?;
    }
    Ok(Caller { user, uid, groups, extra })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_may_speak_for_others() {
        let rules = [];
        let mut headers = HeaderMap::new();
        headers.insert("impersonate-user", "bob".parse().unwrap());
        headers.append("impersonate-group", "devs".parse().unwrap());
        headers.append("impersonate-extra-scopes", "a".parse().unwrap());
        let master = Caller::new("root", &["system:masters"]);
        let bob = caller(&rules, master, &headers).unwrap();
        assert_eq!((bob.user.as_str(), bob.groups.as_slice()), ("bob", &["devs".to_owned()][..]));
        assert_eq!(bob.extra, [("scopes".to_owned(), vec!["a".to_owned()])]);
        let refused = caller(&rules, Caller::new("ana", &[]), &headers).unwrap_err().status();
        assert_eq!(
            refused["message"],
            "users \"bob\" is forbidden: User \"ana\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope"
        );
        headers.remove("impersonate-user");
        assert!(caller(&rules, Caller::new("ana", &[]), &headers).is_err());
    }
}
