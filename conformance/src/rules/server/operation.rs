//! The operations that want a bearer.

use serde_json::{Value, json};

use crate::bench::RESOURCE_ID;

/// One operation that wants a bearer, and what is in its path.
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) slug: &'static str,
    /// The name it is counted by.
    pub(super) counted: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) body: Option<fn() -> Value>,
}

pub(super) const OPERATIONS: [Operation; 11] = [
    Operation {
        id: "IssueSession",
        slug: "issue_session",
        counted: "IssueSession",
        method: "POST",
        path: "/v1/projects/{project}/sessions",
        body: Some(issue_body),
    },
    Operation {
        id: "ListSessions",
        slug: "list_sessions",
        counted: "ListSessions",
        method: "GET",
        path: "/v1/projects/{project}/sessions",
        body: None,
    },
    Operation {
        id: "GetSession",
        slug: "get_session",
        counted: "GetSession",
        method: "GET",
        path: "/v1/projects/{project}/sessions/{session}",
        body: None,
    },
    Operation {
        id: "RevokeSession",
        slug: "revoke_session",
        counted: "RevokeSession",
        method: "POST",
        path: "/v1/projects/{project}/sessions/{session}/revoke",
        body: Some(|| json!({})),
    },
    Operation {
        id: "RevokeSessionByVerb",
        slug: "revoke_session_by_verb",
        counted: "RevokeSession",
        method: "POST",
        path: "/v1/projects/{project}/sessions/{session}:revoke",
        body: None,
    },
    Operation {
        id: "Whoami",
        slug: "whoami",
        counted: "Whoami",
        method: "GET",
        path: "/v1/auth/whoami",
        body: None,
    },
    Operation {
        id: "ListProjects",
        slug: "list_projects",
        counted: "ListProjects",
        method: "GET",
        path: "/v1/projects",
        body: None,
    },
    Operation {
        id: "GetProject",
        slug: "get_project",
        counted: "GetProject",
        method: "GET",
        path: "/v1/projects/{project}",
        body: None,
    },
    Operation {
        id: "ListResources",
        slug: "list_resources",
        counted: "ListResources",
        method: "GET",
        path: "/v1/projects/{project}/resources",
        body: None,
    },
    Operation {
        id: "GetResource",
        slug: "get_resource",
        counted: "GetResource",
        method: "GET",
        path: "/v1/projects/{project}/resources/{resource}",
        body: None,
    },
    Operation {
        id: "CheckAuthorization",
        slug: "check_authorization",
        counted: "CheckAuthorization",
        method: "POST",
        path: "/v1/authz/check",
        body: Some(check_body),
    },
];

fn issue_body() -> Value {
    json!({"resource_id": RESOURCE_ID, "kind": "tcp",
        "target": {"tcp": {"host": "10.0.0.5", "port": 5432}}})
}

fn check_body() -> Value {
    json!({"subject": "identity:0190a8b8-1d00-7000-8000-000000000001", "relation": "act",
        "resource": format!("resource:{RESOURCE_ID}")})
}
