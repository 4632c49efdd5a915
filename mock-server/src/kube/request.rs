//! What a request asks, read from its method, path and query and from nothing else.

use axum::http::{Method, Uri};
use percent_encoding::percent_decode_str;

/// The attributes every later decision is made from, authorization first.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; outside
    /// of resources the method in lower case.
    pub verb: &'static str,
    pub path: String,
    /// Whether the path names a resource at all; `/version` does not.
    pub is_resource: bool,
    pub group: String,
    pub version: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

/// The query, decoded once. A key given twice counts where it is first.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        });
        Self(pairs.collect())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A text parameter, where absent and empty mean the same.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.get(key).unwrap_or_default()
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some("true" | "1" | "True" | "t" | "T" | "TRUE" | ""))
    }

    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(|value| value.parse().ok())
    }
}

impl RequestInfo {
    pub(crate) fn read(method: &Method, uri: &Uri, query: &Query) -> Self {
        let path = uri.path().to_owned();
        let mut info = Self {
            verb: plain_verb(method),
            path: path.clone(),
            is_resource: false,
            group: String::new(),
            version: String::new(),
            resource: String::new(),
            subresource: String::new(),
            namespace: String::new(),
            name: String::new(),
        };
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let rest = match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => {
                info.version = (*version).to_owned();
                rest
            }
            ["apis", group, version, rest @ ..] if !rest.is_empty() => {
                (info.group, info.version) = ((*group).to_owned(), (*version).to_owned());
                rest
            }
            _ => return info,
        };
        info.is_resource = true;
        let rest = match rest {
            ["namespaces", namespace, resource, rest @ ..]
                if !matches!(*resource, "status" | "finalize") =>
            {
                info.namespace = (*namespace).to_owned();
                info.resource = (*resource).to_owned();
                rest
            }
            [resource, rest @ ..] => {
                info.resource = (*resource).to_owned();
                // A namespace is in itself: a rule for one namespace covers reading it.
                if let ("namespaces", Some(name)) = (*resource, rest.first()) {
                    info.namespace = (*name).to_owned();
                }
                rest
            }
            [] => rest,
        };
        if let [name, rest @ ..] = rest {
            info.name = (*name).to_owned();
            info.subresource = rest.join("/");
        }
        info.verb = resource_verb(method, !info.name.is_empty(), query);
        info
    }

    /// `pods` or `pods/log`, as rules name it.
    pub(crate) fn full_resource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

fn plain_verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::HEAD => "head",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::OPTIONS => "options",
        _ => "other",
    }
}

fn resource_verb(method: &Method, named: bool, query: &Query) -> &'static str {
    let watching = query.get("watch").is_some() && query.flag("watch");
    match *method {
        Method::GET | Method::HEAD if watching => "watch",
        Method::GET | Method::HEAD if named => "get",
        Method::GET | Method::HEAD => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => plain_verb(method),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        for (method, uri, expected) in [
            (Method::GET, "/version", "get|||||"),
            (Method::GET, "/api/v1", "get|||||"),
            (Method::GET, "/apis/apps/v1", "get|||||"),
            (Method::GET, "/api/v1/pods?limit=5", "list||pods|||"),
            (Method::GET, "/api/v1/pods?watch=true", "watch||pods|||"),
            (Method::GET, "/api/v1/pods?watch=0", "list||pods|||"),
            (Method::GET, "/api/v1/namespaces/shop", "get||namespaces||shop|shop"),
            (Method::GET, "/api/v1/namespaces/shop/pods", "list||pods||shop|"),
            (Method::GET, "/api/v1/namespaces/shop/pods/a/log", "get||pods|log|shop|a"),
            (Method::DELETE, "/api/v1/namespaces/shop/pods", "deletecollection||pods||shop|"),
            (
                Method::PUT,
                "/api/v1/namespaces/shop/finalize",
                "update||namespaces|finalize|shop|shop",
            ),
            (
                Method::PATCH,
                "/apis/apps/v1/namespaces/a/deployments/b",
                "patch|apps|deployments||a|b",
            ),
            (Method::GET, "/api/v1/nodes/a%2Fb", "get||nodes|||a/b"),
        ] {
            let uri: Uri = uri.parse().unwrap();
            let info = RequestInfo::read(&method, &uri, &Query::parse(uri.query().unwrap_or("")));
            let read = format!(
                "{}|{}|{}|{}|{}|{}",
                info.verb, info.group, info.resource, info.subresource, info.namespace, info.name
            );
            assert_eq!(read, expected, "{method} {uri}");
        }
    }
}
