//! Which operation a method and a path name.

use hyper::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    IssueSession,
    ListSessions,
    GetSession,
    AttachSession,
    RevokeSession,
    PostNodeSessionCallback,
    Whoami,
    ListProjects,
    GetProject,
    ListResources,
    GetResource,
    CheckAuthorization,
    GetHealth,
    GetVersion,
    GetOpenApi,
    GetJwks,
}

impl Operation {
    pub const ALL: [Self; 16] = [
        Self::IssueSession,
        Self::ListSessions,
        Self::GetSession,
        Self::AttachSession,
        Self::RevokeSession,
        Self::PostNodeSessionCallback,
        Self::Whoami,
        Self::ListProjects,
        Self::GetProject,
        Self::ListResources,
        Self::GetResource,
        Self::CheckAuthorization,
        Self::GetHealth,
        Self::GetVersion,
        Self::GetOpenApi,
        Self::GetJwks,
    ];

    /// The name it has in the contract and in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IssueSession => "IssueSession",
            Self::ListSessions => "ListSessions",
            Self::GetSession => "GetSession",
            Self::AttachSession => "AttachSession",
            Self::RevokeSession => "RevokeSession",
            Self::PostNodeSessionCallback => "PostNodeSessionCallback",
            Self::Whoami => "Whoami",
            Self::ListProjects => "ListProjects",
            Self::GetProject => "GetProject",
            Self::ListResources => "ListResources",
            Self::GetResource => "GetResource",
            Self::CheckAuthorization => "CheckAuthorization",
            Self::GetHealth => "GetHealth",
            Self::GetVersion => "GetVersion",
            Self::GetOpenApi => "GetOpenApi",
            Self::GetJwks => "GetJwks",
        }
    }
}

/// A path of ours, with the ids in it as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'p> {
    Sessions { project: &'p str },
    Session { project: &'p str, session: &'p str },
    Attachment { project: &'p str, session: &'p str },
    Revocation { project: &'p str, session: &'p str },
    Callback { node: &'p str, session: &'p str },
    Projects,
    Project { project: &'p str },
    Resources { project: &'p str },
    Resource { project: &'p str, resource: &'p str },
    Whoami,
    AuthzCheck,
    Health,
    Version,
    OpenApi,
    Jwks,
}

impl<'p> Place<'p> {
    pub fn find(path: &'p str) -> Option<Self> {
        // The longest of ours has six segments; a path of a million is not taken apart.
        let mut segments = [""; 6];
        let mut count = 0;
        for segment in path.strip_prefix('/')?.split('/') {
            *segments.get_mut(count)? = segment;
            count += 1;
        }
        Some(match segments[..count] {
            ["v1", "projects"] => Self::Projects,
            ["v1", "projects", project] => Self::Project { project },
            ["v1", "projects", project, "sessions"] => Self::Sessions { project },
            ["v1", "projects", project, "sessions", session] => match by_verb(session) {
                Some(session) => Self::Revocation { project, session },
                None => Self::Session { project, session },
            },
            ["v1", "projects", project, "sessions", session, "revoke"] => {
                Self::Revocation { project, session }
            }
            ["v1", "projects", project, "sessions", session, "attach"] => {
                Self::Attachment { project, session }
            }
            ["v1", "nodes", node, "sessions", session] => Self::Callback { node, session },
            ["v1", "projects", project, "resources"] => Self::Resources { project },
            ["v1", "projects", project, "resources", resource] => {
                Self::Resource { project, resource }
            }
            ["v1", "auth", "whoami"] => Self::Whoami,
            ["v1", "authz", "check"] => Self::AuthzCheck,
            ["v1", "healthz"] | ["healthz"] | ["readyz"] => Self::Health,
            ["v1", "version"] => Self::Version,
            ["v1", "openapi.json"] => Self::OpenApi,
            [".well-known", "jwks.json"] => Self::Jwks,
            _ => return None,
        })
    }

    /// What may be done here, `GET` standing for `HEAD` too.
    fn operations(self) -> (Option<Operation>, Option<Operation>) {
        match self {
            Self::Sessions { .. } => (Some(Operation::ListSessions), Some(Operation::IssueSession)),
            Self::Session { .. } => (Some(Operation::GetSession), None),
            Self::Attachment { .. } => (Some(Operation::AttachSession), None),
            Self::Revocation { .. } => (None, Some(Operation::RevokeSession)),
            Self::Callback { .. } => (None, Some(Operation::PostNodeSessionCallback)),
            Self::Projects => (Some(Operation::ListProjects), None),
            Self::Project { .. } => (Some(Operation::GetProject), None),
            Self::Resources { .. } => (Some(Operation::ListResources), None),
            Self::Resource { .. } => (Some(Operation::GetResource), None),
            Self::Whoami => (Some(Operation::Whoami), None),
            Self::AuthzCheck => (None, Some(Operation::CheckAuthorization)),
            Self::Health => (Some(Operation::GetHealth), None),
            Self::Version => (Some(Operation::GetVersion), None),
            Self::OpenApi => (Some(Operation::GetOpenApi), None),
            Self::Jwks => (Some(Operation::GetJwks), None),
        }
    }

    pub fn operation(self, method: &Method) -> Option<Operation> {
        let (get, post) = self.operations();
        match *method {
            Method::GET | Method::HEAD => get,
            Method::POST => post,
            _ => None,
        }
    }

    /// The value of an `Allow` header.
    pub fn allow(self) -> &'static str {
        match self.operations() {
            (Some(_), Some(_)) => "GET, HEAD, POST, OPTIONS",
            (Some(_), None) => "GET, HEAD, OPTIONS",
            (None, _) => "POST, OPTIONS",
        }
    }
}

/// `<id>:revoke`, the older spelling; some clients escape the colon.
fn by_verb(segment: &str) -> Option<&str> {
    [":revoke", "%3Arevoke", "%3arevoke"].into_iter().find_map(|verb| segment.strip_suffix(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_revoke_are_one_place() {
        let wanted = Some(Place::Revocation { project: "p", session: "s" });
        for path in ["s:revoke", "s%3Arevoke", "s%3arevoke", "s/revoke"] {
            assert_eq!(Place::find(&format!("/v1/projects/p/sessions/{path}")), wanted, "{path}");
        }
    }

    #[test]
    fn paths_that_are_not_ours_are_nothing() {
        for path in ["", "/", "v1", "/v1", "/v1/projects/", "/v1/projects/p/sessions/s/attach/x/y"]
        {
            assert!(
                Place::find(path).is_none_or(|place| place == Place::Project { project: "" }),
                "{path}"
            );
        }
        assert_eq!(Place::find(&"/x".repeat(100_000)), None);
    }

    #[test]
    fn methods_decide_between_the_operations_of_a_place() {
        let place = Place::find("/v1/projects/p/sessions").unwrap();
        assert_eq!(place.operation(&Method::POST), Some(Operation::IssueSession));
        assert_eq!(place.operation(&Method::HEAD), Some(Operation::ListSessions));
        assert_eq!(place.operation(&Method::DELETE), None);
    }
}
