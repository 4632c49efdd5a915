//! Whether a server plays a scenario as its file says, down to the wire. What is expected is what
//! our own player of the format makes of the file; the two players share no line.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::heard::{End, Enough, Heard, Message, listen};
use super::{issued, source_of};
use crate::bench::referee::{self, Answer, Body, ContentLength, Phase, WireScript};
use crate::bench::{Family, Headers, Identity, PROJECT_ID, Request, Scenario, Server};
use crate::bench::{RESOURCE_ID, contains};
use crate::rule::{Claim, Need, Rule, Side};
use crate::verdict::{Outcome, expect, expect_eq, fail};

/// How long a stalled connection must be silent to count as stalled.
const STALL: Duration = Duration::from_millis(150);
/// Long enough for any scenario that goes on by itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// As much of an endless answer as we care to hear.
const ENOUGH: usize = 1 << 20;

pub(super) fn rule(scenario: &Scenario) -> Outcome<Rule> {
    let source = source_of(scenario, None)?;
    let name = scenario.name.clone();
    Ok(Rule::should(format!("server.scenario.{name}"), Side::Server)
        .title(format!("/scenarios/{name} answers as its file says: {}", scenario.title))
        .source(source.page, source.fact)
        .claims([Claim::scenario(name.clone(), "server")])
        .needs([Need::Scenarios])
        .fix("Play the file to the byte: status, header fields, body, declared length, and where on the wire it breaks off.")
        .check(move |bench| {
            let scenario = Scenario::load(&name)?;
            let server = bench.server()?;
            expect_played(&server, &scenario, &request(&name))?;
            let whoami = server.get("/v1/auth/whoami").bearer(Identity::Operator.token());
            whoami.send()?.expect(200).map(drop)
        }))
}

/// Over http, and where the connection matters over TLS too.
pub(crate) fn expect_played(server: &Server, scenario: &Scenario, asked: &Request) -> Outcome {
    plays(server, scenario, asked, false)?;
    let transport = scenario.tags.iter().any(|tag| tag == "transport");
    if transport && server.https_url().is_some() {
        plays(server, scenario, asked, true)?;
    }
    Ok(())
}

/// The request a client would send, to the scenario's own base URL.
fn request(scenario: &str) -> Request {
    let family = Family::Ssh;
    let body = serde_json::json!({
        "resource_id": RESOURCE_ID, "kind": family.kind(), "target": family.target(),
    });
    let path = format!("/scenarios/{scenario}/v1/projects/{PROJECT_ID}/sessions");
    bare("POST", path, Identity::Operator.token(), &body)
}

/// A request with as little as will do, whose answer ends its connection.
pub(crate) fn bare(method: &str, path: String, token: &str, body: &Value) -> Request {
    let mut headers = Headers::default();
    for (name, value) in [
        ("host", "127.0.0.1"),
        ("authorization", &format!("Bearer {token}")),
        ("content-type", "application/json"),
        ("connection", "close"),
    ] {
        headers.push(name, value);
    }
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Request { method: method.into(), path, headers, body }
}

fn plays(server: &Server, scenario: &Scenario, asked: &Request, https: bool) -> Outcome {
    let wire = scenario.answer.wire.clone().unwrap_or_default();
    let limit = if wire.stall.is_some() { STALL } else { PATIENCE };
    let slow = wire.drip.is_some_and(|drip| drip.every_ms >= 50);
    let mut connection = server.connection(https, limit)?;
    asked.write_to(&mut connection)?;
    let enough = match &scenario.answer.body {
        Some(Body::Fill { bytes: None, .. }) => Enough::Bytes(ENOUGH),
        // Enough of the body to see that it comes in drops.
        _ if slow => Enough::OfBody(12),
        _ => Enough::Everything,
    };
    let heard = listen(&mut connection, enough);
    drop(connection);
    if let Some(raw) = &wire.raw {
        expect(heard.bytes == raw.as_bytes(), "the bytes", "those of the file", heard.bytes.len())?;
        return expect_eq("how it ended", &End::Closed, &heard.end);
    }
    if let Some(delay) = wire.delay_before_ms {
        let held = heard.silence.is_some_and(|silence| silence >= Duration::from_millis(delay));
        expect(held, "the pause", format!("{delay} ms"), format!("{:?}", heard.silence))?;
    }
    if breaks_off(&heard, &wire)? {
        return Ok(());
    }
    let took = heard.took;
    let message = Message::parse(heard.bytes)?;
    let expected = Expected::of(scenario, asked)?;
    expected.head(&message, &scenario.answer)?;
    if let Some(drip) = wire.drip {
        let pieces = message.body.len().div_ceil(drip.bytes).saturating_sub(1);
        let least = Duration::from_millis(drip.every_ms) * u32::try_from(pieces).unwrap_or(1) / 2;
        let drops = format!("{pieces} drops within {least:?} or more");
        expect(took >= least, "the body", drops, format!("{took:?}"))?;
    }
    if enough != Enough::Everything {
        return expected.beginning(&message);
    }
    expect_eq("how it ended", &due_end(&wire), &heard.end)?;
    if wire.stall.or(wire.reset).or(wire.close).is_some() {
        return expected.half(&message);
    }
    expected.whole(&message, scenario, asked)
}

fn due_end(wire: &WireScript) -> End {
    match (wire.stall, wire.reset) {
        (Some(_), _) => End::Silent,
        (None, Some(_)) => End::Reset,
        (None, None) => End::Closed,
    }
}

/// Whether the answer has to stop before its body; then it is judged here.
fn breaks_off(heard: &Heard, wire: &WireScript) -> Outcome<bool> {
    let phase = wire.stall.or(wire.reset).or(wire.close);
    let begun = heard.bytes.starts_with(b"HTTP/1.1 ");
    let whole = contains(&heard.bytes, b"\r\n\r\n");
    match phase {
        None | Some(Phase::MidBody) => return Ok(false),
        Some(Phase::BeforeHeaders) => expect_eq("the bytes sent", &0, &heard.bytes.len())?,
        Some(Phase::MidHeaders) => {
            expect(begun && !whole, "the head", "begun, not ended", heard.bytes.len())?;
        }
    }
    expect_eq("how it ended", &due_end(wire), &heard.end)?;
    Ok(true)
}

/// The answer as our own player would send it.
struct Expected {
    message: Message,
    endless: bool,
}

impl Expected {
    fn of(scenario: &Scenario, asked: &Request) -> Outcome<Self> {
        let answer = Arc::new(scenario.answer.clone());
        let prepared = referee::prepare(&answer, asked, Some(&scenario.name))?;
        let mut message = Message::parse(prepared.head().to_vec())?;
        let endless = prepared.is_endless();
        message.body = prepared.into_body();
        Ok(Self { message, endless })
    }

    fn head(&self, found: &Message, answer: &Answer) -> Outcome {
        let code = |message: &Message| message.status_line.get(..12).map(<[u8]>::to_vec);
        let line = String::from_utf8_lossy(&found.status_line).into_owned();
        let due = String::from_utf8_lossy(&self.message.status_line).into_owned();
        expect(code(found) == code(&self.message), "the status line", &due, &line)?;
        if answer.reason_phrase.is_some() {
            expect_eq("the status line", &due, &line)?;
        }
        let issued = matches!(answer.body, Some(Body::Issued { .. }));
        for name in self.message.names() {
            // Each session has its own location, and each encoder its own idea of a length.
            let own = (issued && matches!(name, "location" | "content-length"))
                || (name == "content-length" && answer.content_encoding.is_some())
                || name == "connection";
            if !own {
                let shown = |values: Vec<&[u8]>| format!("{} values", values.len());
                let (due, is) = (self.message.values(name), found.values(name));
                expect(due == is, format!("the field {name}"), "as the file has it", shown(is))?;
            }
        }
        let length = found.values("content-length");
        match &answer.content_length {
            Some(ContentLength::Word(_)) => {
                expect(length.is_empty(), "content-length", "none", format!("{length:?}"))
            }
            _ if self.endless => Ok(()),
            _ => Ok(()),
        }
    }

    /// Something of the body, and of no other.
    fn beginning(&self, found: &Message) -> Outcome {
        let (due, is) = (&self.message.body, &found.body);
        let alike = if self.endless {
            // The text repeats, so any stretch of it holds a whole block somewhere.
            let sample = &due[..due.len().min(64)];
            contains(is, sample)
        } else {
            !is.is_empty()
        };
        expect(alike, "the body", "the beginning of the file's", format!("{} bytes", is.len()))
    }

    /// The body breaks off after its head was sent and before its end.
    fn half(&self, found: &Message) -> Outcome {
        let declared = found.values("content-length").first().map(|text| text.to_vec());
        let declared: Option<usize> =
            declared.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
        let sent = found.body.len();
        let short = sent > 0 && declared.is_none_or(|declared| sent < declared);
        expect(short, "the body", format!("a part of {declared:?} bytes"), sent)
    }

    fn whole(&self, found: &Message, scenario: &Scenario, asked: &Request) -> Outcome {
        let answer = &scenario.answer;
        if answer.content_length.is_none() && !found.body.is_empty() {
            let framed = found
                .values("content-length")
                .first()
                .is_some_and(|text| String::from_utf8_lossy(text).parse() == Ok(found.body.len()));
            let chunked = !found.values("transfer-encoding").is_empty();
            expect(framed || chunked, "the length declared", found.body.len(), "another")?;
        }
        match &answer.body {
            Some(Body::Issued { patch }) => {
                let is: Value = serde_json::from_slice(&found.content()?)
                    .or_else(|error| fail("the body", "the honest session, patched", error))?;
                let due = serde_json::from_slice(&self.message.content()?)?;
                issued::expect_patched(&is, &due, patch, &asked.json())
            }
            Some(Body::Json(template)) => {
                let mut due: Value = serde_json::from_slice(&self.message.content()?)?;
                let mut is: Value = serde_json::from_slice(&found.content()?)
                    .or_else(|error| fail("the body", "the file's document", error))?;
                issued::forget_ids(template, &mut due);
                issued::forget_ids(template, &mut is);
                expect_eq("the body", &due, &is)
            }
            _ => {
                let alike = found.says_as(&self.message)?;
                expect(alike, "the body", "the bytes of the file", found.body.len())
            }
        }
    }
}
