//! PostNodeSessionCallback: what a node tells of a session that listens on it.

use hyper::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;

use super::body::{self, Object, Taken, present};
use super::exchange::{Answer, Exchange, no_content};
use super::refusal::Refusal;
use super::wire::uuid;
use crate::listeners::LONGEST_ENDPOINT;
use crate::node::{self, Activity, Report, TerminatedBy};
use crate::world::kind::{Kind, Status};

/// What a command may be told with.
const LONGEST_COMMAND: usize = 1024;

/// Exactly one member, named like the session's kind.
#[derive(Debug, Deserialize)]
struct NodeSessionCallback {
    #[serde(default, deserialize_with = "present")]
    ssh: Option<Object<SshActivity>>,
    #[serde(default, deserialize_with = "present")]
    k8s: Option<Object<K8sActivity>>,
    #[serde(default, deserialize_with = "present")]
    tcp: Option<Object<TcpActivity>>,
}

#[derive(Debug, Deserialize)]
struct SshActivity {
    command: String,
    #[serde(default)]
    exit_code: Option<i64>,
    #[serde(default, rename = "started_at")]
    _started_at: Option<Timestamp>,
    #[serde(default, rename = "completed_at")]
    _completed_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct K8sActivity {
    verb: String,
    #[serde(default)]
    resource_kind: Option<String>,
    #[serde(default, rename = "namespace")]
    _namespace: Option<String>,
    #[serde(default, rename = "name")]
    _name: Option<String>,
    #[serde(default)]
    status_code: Option<u16>,
    #[serde(default, rename = "duration_ms")]
    _duration_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct TcpActivity {
    phase: Phase,
    #[serde(default, rename = "target_host")]
    _target_host: Option<String>,
    #[serde(default, rename = "target_port")]
    _target_port: Option<u16>,
    #[serde(default)]
    bytes_in: Option<u64>,
    #[serde(default)]
    bytes_out: Option<u64>,
    #[serde(default)]
    terminated_by: Option<TerminatedBy>,
    #[serde(default)]
    listener_endpoint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    SessionStarted,
    SessionEnded,
}

impl NodeSessionCallback {
    fn checked(self) -> Result<(Kind, Report), Refusal> {
        match (self.ssh, self.k8s, self.tcp) {
            (Some(Object(ssh)), None, None) => ssh.checked().map(|report| (Kind::Ssh, report)),
            (None, Some(Object(k8s)), None) => k8s.checked().map(|report| (Kind::K8s, report)),
            (None, None, Some(Object(tcp))) => tcp.checked().map(|report| (Kind::Tcp, report)),
            _ => Err(Refusal::invalid_body("send exactly one of ssh, k8s, tcp")),
        }
    }
}

impl SshActivity {
    fn checked(self) -> Result<Report, Refusal> {
        if self.command.len() > LONGEST_COMMAND {
            return Err(Refusal::invalid_body("a command has at most 1024 bytes"));
        }
        Ok(Report::of(match self.exit_code {
            None => Activity::CommandExecuted,
            Some(code) => Activity::CommandExited { status: u32::try_from(code).ok() },
        }))
    }
}

impl K8sActivity {
    fn checked(self) -> Result<Report, Refusal> {
        let words = [Some(&self.verb), self.resource_kind.as_ref()];
        let is_word = |text: &String| {
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !words.into_iter().flatten().all(is_word) {
            return Err(Refusal::invalid_body("verb and resource_kind are words"));
        }
        let resource = self.resource_kind.unwrap_or_default();
        let status = self.status_code;
        Ok(Report::of(Activity::ApiRequest { verb: self.verb.into(), resource, status }))
    }
}

impl TcpActivity {
    fn checked(self) -> Result<Report, Refusal> {
        let (bytes_in, bytes_out) = (self.bytes_in.unwrap_or(0), self.bytes_out.unwrap_or(0));
        match self.phase {
            Phase::SessionEnded => {
                let terminated_by = self.terminated_by;
                Ok(Report::of(Activity::SessionEnded { bytes_in, bytes_out, terminated_by }))
            }
            Phase::SessionStarted => {
                if let Some(endpoint) = &self.listener_endpoint
                    && !is_endpoint(endpoint)
                {
                    return Err(Refusal::invalid_body("listener_endpoint reads host:port"));
                }
                let endpoint = self.listener_endpoint;
                Ok(Report { activity: Activity::SessionStarted, endpoint })
            }
        }
    }
}

fn is_endpoint(text: &str) -> bool {
    let port = |port: &str| {
        port.len() <= 5 && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.len() <= LONGEST_ENDPOINT
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.rsplit_once(':').is_some_and(|(host, tail)| !host.is_empty() && port(tail))
}

pub(super) fn take(
    x: &mut Exchange,
    headers: &HeaderMap,
    (node, session): (&str, &str),
    taken: Taken,
) -> Answer {
    let node = x.node(headers, node)?;
    x.provisioned()?;
    let request: NodeSessionCallback = body::json(headers, taken, &mut x.trail)?;
    let (kind, mut report) = request.checked()?;
    // Endpoints are reported from the generation on that reads them from there.
    if x.generation.endpoint_at_issue() && report.endpoint.take().is_some() {
        x.trail.note_unread("tcp.listener_endpoint");
    }
    let unknown =
        || Refusal::new(404, "session_not_found", "no session with this id is on this node");
    let id = uuid(session).ok_or_else(unknown)?;
    x.trail.session_id = Some(id);
    let found = x.installation.sessions(x.now).get(id).cloned();
    let session = found
        .filter(|one| x.installation.directory.node_of(one.resource) == Some(node))
        .ok_or_else(unknown)?;
    x.trail.kind = Some(session.kind);
    if session.kind != kind {
        return Err(Refusal::invalid_body("the activity is not of the session's kind"));
    }
    // That it is over may be told when it is.
    let is_farewell = matches!(report.activity, Activity::SessionEnded { .. });
    match session.status {
        Status::Revoked if !is_farewell => {
            Err(Refusal::new(409, "session_already_revoked", "the session was revoked"))
        }
        Status::Expired if !is_farewell => {
            Err(Refusal::new(409, "session_expired", "the session has expired"))
        }
        _ => {
            let about = (session.id, session.kind);
            node::take(&x.installation, &x.namespace.journal, about, &report);
            Ok(no_content())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_end_in_a_port() {
        for good in ["100.64.0.12:2200", "[::1]:1", "ssh://a;b=c@h:22", "h:0"] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in ["", "h", ":1", "h:", "h:123456", "h:+1", "h :1", &"h".repeat(300)] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }
}
