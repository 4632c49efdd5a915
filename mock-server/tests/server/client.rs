//! A caller of the server under test.

use mock_server::{Builder, MockServer};
use serde_json::{Value, json};

pub(crate) const PROJECT: &str = "0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0";
pub(crate) const RESOURCE: &str = "0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3";
pub(crate) const NOON: &str = "2026-06-01T12:00:00Z";

/// A server with a fixed seed and a clock that stands at noon.
pub(crate) fn at_noon() -> Builder {
    MockServer::builder().seed(1).clock(NOON)
}

pub(crate) fn ssh() -> Value {
    json!({"resource_id": RESOURCE, "kind": "ssh", "target": {"ssh": {"user": "ops"}}})
}

pub(crate) fn k8s() -> Value {
    json!({"resource_id": RESOURCE, "kind": "k8s", "target": {"k8s": {"user": "admin"}}})
}

pub(crate) fn tcp() -> Value {
    let target = json!({"tcp": {"host": "10.0.0.5", "port": 5432}});
    json!({"resource_id": RESOURCE, "kind": "tcp", "target": target})
}

pub(crate) fn with(mut body: Value, key: &str, value: impl Into<Value>) -> Value {
    body[key] = value.into();
    body
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The code of a problem, after checking that it is a proper one.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(problem[member].is_string(), "{member} of {problem}");
        }
        let code = problem["code"].as_str().unwrap().to_owned();
        let tail = format!("/errors/{}", code.replace('_', "-"));
        assert!(problem["type"].as_str().unwrap().ends_with(&tail), "{problem}");
        code
    }

    /// `401 unauthenticated` in one string, which reads well in tables.
    pub(crate) fn verdict(&self) -> String {
        match self.status {
            200..=299 => self.status.to_string(),
            _ => format!("{} {}", self.status, self.code()),
        }
    }
}

/// A base URL and a token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .new_agent();
        Self { agent, base: base.to_owned(), token: Some("psk_dev_operator".to_owned()) }
    }

    /// The `host:port` of the server.
    pub(crate) fn address(&self) -> String {
        self.base.split("://").nth(1).unwrap().split('/').next().unwrap().to_owned()
    }

    pub(crate) fn of(server: &MockServer) -> Self {
        Self::new(server.http_url())
    }

    pub(crate) fn with_agent(mut self, agent: ureq::Agent) -> Self {
        self.agent = agent;
        self
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) fn nobody(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    pub(crate) fn below(&self, path: &str) -> Self {
        Self { base: format!("{}{path}", self.base), ..self.clone() }
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.unwrap_or_default().to_owned();
        let mut response = self.agent.run(request.body(body).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), text }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some(&body.to_string()))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(&body.to_string()))
    }

    pub(crate) fn issue(&self, body: &Value) -> Answer {
        self.post(&format!("/v1/projects/{PROJECT}/sessions"), body)
    }

    /// Issues, and must succeed.
    pub(crate) fn issued(&self, body: &Value) -> Value {
        let answer = self.issue(body);
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    pub(crate) fn session(&self, id: &Value) -> Answer {
        self.get(&format!("/v1/projects/{PROJECT}/sessions/{}", id.as_str().unwrap()))
    }

    pub(crate) fn revoke(&self, id: &Value) -> Answer {
        let id = id.as_str().unwrap();
        self.send("POST", &format!("/v1/projects/{PROJECT}/sessions/{id}/revoke"), None)
    }

    pub(crate) fn list(&self, query: &str) -> Answer {
        self.get(&format!("/v1/projects/{PROJECT}/sessions{query}"))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        let answer = self.put("/__mock/clock", &json!({"advance_seconds": seconds}));
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    pub(crate) fn journal(&self) -> Value {
        self.get("/__mock/requests").json()
    }

    /// Changes the world that is there.
    pub(crate) fn change_world(&self, change: impl FnOnce(&mut Value)) {
        let mut world = self.get("/__mock/world").json();
        change(&mut world);
        let answer = self.put("/__mock/world", &world);
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}
