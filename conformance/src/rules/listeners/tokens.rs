//! Tokens of every wrong kind at each listener: those of `fixtures/tokens`, which another
//! installation signed, and those of this one that belong elsewhere. Each is refused, the journal
//! says why, and not a byte of it comes back.

use serde_json::{Value, json};

use super::ssh::expect_end;
use super::tcp_client::{Shown, TARGET, connect};
use super::told::{expect_refused_as, refusals};
use super::{draft, open, text_of};
use crate::bench::{Bench, Canary, Family, Login, Server};
use crate::fixture;
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, Reason, expect_eq, fail};

const ORDER: &str = "fixtures/tokens/order.json";
/// Many wrong tokens in one go: a wrong one is answered late on purpose.
const OFFER: &str = include_str!("paramiko/offer.py");
const CONNECT: &str = include_str!("paramiko/connect.py");

pub(super) fn all() -> Outcome<Vec<Rule>> {
    let cases = cases()?;
    let mut rules = Vec::new();
    for family in Family::ALL {
        for reason in ["malformed", "algorithm", "signature"] {
            let here: Vec<Case> = cases.iter().filter(|case| case.due == reason).cloned().collect();
            rules.push(strangers(family, reason, here));
        }
        for belonging in
            [Belonging::Session, Belonging::Kind, Belonging::Tampered, Belonging::Early]
        {
            rules.push(own(family, belonging));
        }
    }
    Ok(rules)
}

#[derive(Clone)]
struct Case {
    name: String,
    token: String,
    /// The refusal at a listener whose keys did not sign it.
    due: &'static str,
}

fn cases() -> Outcome<Vec<Case>> {
    let mut cases = Vec::new();
    for path in fixture::list("tokens/cases/") {
        let case = fixture::json(&path)?;
        let due = match case["refusal"].as_str() {
            Some("malformed") => "malformed",
            Some("algorithm") => "algorithm",
            // Whatever else is wrong with it, and also where nothing is: the key is not known here.
            _ => "signature",
        };
        let text = |member: &str| case[member].as_str().unwrap_or_default().to_owned();
        cases.push(Case { name: text("name"), token: text("token"), due });
    }
    Ok(cases)
}

fn tokens(family: Family, slug: &str) -> RuleDraft {
    draft(format!("tokens.{}.{slug}", family.kind()), Side::Server)
}

fn strangers(family: Family, reason: &'static str, cases: Vec<Case>) -> Rule {
    let claims: Vec<Claim> = cases.iter().map(|case| Claim::token(case.name.clone())).collect();
    let mut rule = tokens(family, reason)
        .title(format!(
            "Every token of the collection that is {} is refused by a {} listener",
            if reason == "signature" { "signed elsewhere" } else { reason },
            family.kind()
        ))
        .source(ORDER, reason)
        .claims(claims)
        .fix("Judge a token in the published order, and name the first check that fails.");
    if family == Family::Ssh {
        rule = rule.needs([Need::Python("paramiko")]);
    }
    rule.check(move |bench| {
        let server = bench.server()?;
        let offered = match family {
            Family::Ssh => at_ssh(bench, &server, &cases)?,
            Family::Kubeconfig => at_k8s(bench, &server, &cases)?,
            Family::TcpForward => at_tcp(&server, &cases)?,
        };
        expect_eq(
            "the reasons in the journal",
            &vec![reason.to_owned(); offered],
            &refusals(&server)?,
        )?;
        let journal = server.journal()?.to_string();
        silent(&cases, "the journal", journal.as_bytes())
    })
}

/// Nothing that looks like one of the tokens; the shortest of them could be anything.
fn silent(cases: &[Case], place: &str, bytes: &[u8]) -> Outcome {
    for case in cases.iter().filter(|case| case.token.len() > 24) {
        Canary::new(format!("the token {}", case.name), &case.token).absent_from(place, bytes)?;
    }
    Ok(())
}

/// What can stand in a header as it is, and in the head of a request.
fn portable(case: &&Case) -> bool {
    let fits = (1..4096).contains(&case.token.len());
    fits && case.token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn at_ssh(bench: &Bench, server: &Server, cases: &[Case]) -> Outcome<usize> {
    let tokens: Vec<&str> = cases.iter().map(|case| case.token.as_str()).collect();
    let mut ports = Vec::new();
    let first = Login::of(&open(server, Family::Ssh)?)?;
    // Four connections are a session's limit, and each try takes its time.
    for _ in 0..8 {
        ports.push(Login::of(&open(server, Family::Ssh)?)?.port);
    }
    let list = json!({"tokens": tokens, "ports": ports}).to_string();
    let list = bench.sandbox()?.write("tmp/tokens.json", list, 0o600)?;
    let ran = bench.paramiko(&first, &format!("{CONNECT}\n{OFFER}"))?.env("TOKENS", list).go()?;
    expect_end("the library client", 0, &ran)?;
    let said = ran.stdout_json()?;
    expect_eq("the tokens that were let in", &json!([]), &said["let_in"])?;
    let heard = said["heard"].as_array().map(Vec::len);
    expect_eq("the tokens that were turned away", &Some(tokens.len()), &heard)?;
    silent(cases, "what the client was told", said["heard"].to_string().as_bytes())?;
    Ok(tokens.len())
}

fn k8s_call(
    bench: &Bench,
    server: &Server,
    issued: &Value,
    token: &str,
) -> Outcome<(u16, Vec<u8>)> {
    let url = format!("https://{}", text_of(issued, "listener_endpoint"));
    let call = bench.call_at(&url, server.ca_path(), "GET", "/api/v1/namespaces")?;
    let response = call.bearer(token).send()?.response;
    let head: String =
        response.headers.0.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    Ok((response.status, [head.as_bytes(), &response.body[..]].concat()))
}

fn at_k8s(bench: &Bench, server: &Server, cases: &[Case]) -> Outcome<usize> {
    let issued = open(server, Family::Kubeconfig)?;
    let mut offered = 0;
    for case in cases.iter().filter(portable) {
        let (status, answer) = k8s_call(bench, server, &issued, &case.token)?;
        expect_eq(format!("the answer to {}", case.name), &401, &status)?;
        silent(std::slice::from_ref(case), "the answer", &answer)?;
        offered += 1;
    }
    Ok(offered)
}

fn at_tcp(server: &Server, cases: &[Case]) -> Outcome<usize> {
    let issued = open(server, Family::TcpForward)?;
    let mut offered = 0;
    for case in cases.iter().filter(portable) {
        let refused = connect(&issued, TARGET, Shown::Bearer(&case.token))?;
        expect_eq(format!("the answer to {}", case.name), &407, &refused.status)?;
        silent(std::slice::from_ref(case), "the answer", &refused.answer)?;
        offered += 1;
    }
    Ok(offered)
}

/// Really signed by this installation, and yet not for this door, or not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belonging {
    Session,
    Kind,
    Tampered,
    Early,
}

fn own(family: Family, belonging: Belonging) -> Rule {
    let (slug, what, reason) = match belonging {
        Belonging::Session => ("session", "another session's token", "session"),
        Belonging::Kind => ("kind", "a token of another kind of session", "kind"),
        Belonging::Tampered => {
            ("tampered", "its own token with one character changed", "signature")
        }
        Belonging::Early => ("early", "its own token before its time", "not_yet_valid"),
    };
    let mut rule = tokens(family, slug)
        .title(format!("A {} listener refuses {what}", family.kind()))
        .source(ORDER, reason)
        .fix("Judge a token in the published order, and name the first check that fails.");
    if family == Family::Ssh {
        rule = rule.needs([Need::Program("ssh")]);
    }
    if belonging == Belonging::Early {
        rule = rule.needs([Need::Clock]);
    }
    rule.check(move |bench| {
        let server = bench.server()?;
        let issued = open(&server, family)?;
        let wrong = match belonging {
            Belonging::Session => vec![open(&server, family)?["token"].clone()],
            Belonging::Kind => Family::ALL
                .into_iter()
                .filter(|other| *other != family)
                .map(|other| Ok(open(&server, other)?["token"].clone()))
                .collect::<Outcome<_>>()?,
            Belonging::Tampered => vec![json!(tampered(text_of(&issued, "token"))?)],
            Belonging::Early => {
                let issued_at = text_of(&issued["session"], "issued_at");
                let moment: jiff::Timestamp = issued_at
                    .parse()
                    .map_err(|error| Reason::Broken(format!("issued_at {issued_at}: {error}")))?;
                let before = moment - jiff::SignedDuration::from_secs(2);
                server.freeze_clock(&before.to_string())?;
                vec![issued["token"].clone()]
            }
        };
        for token in &wrong {
            refused(bench, &server, family, &issued, token.as_str().unwrap_or_default())?;
        }
        expect_refused_as(&server, reason)
    })
}

/// The token with its payload changed in one character, still base64url.
fn tampered(token: &str) -> Outcome<String> {
    let at = token.find('.').map(|dot| dot + 20);
    let Some((at, old)) = at.and_then(|at| Some((at, token.get(at..=at)?))) else {
        return fail("the token", "three parts", token.len());
    };
    let new = if old == "A" { "B" } else { "A" };
    let mut changed = token.to_owned();
    changed.replace_range(at..=at, new);
    Ok(changed)
}

/// Shows the token at the listener as a client would, and is turned away in silence about it.
fn refused(bench: &Bench, server: &Server, family: Family, issued: &Value, token: &str) -> Outcome {
    let canary = Canary::new("the refused token", token);
    let said = match family {
        Family::Ssh => {
            let login = Login::of(issued)?.with_token(token);
            let once =
                ["-o", "NumberOfPasswordPrompts=1", "-o", "PreferredAuthentications=password"];
            let ran = bench.openssh()?.run(&login, &once, Some("true"))?.go()?;
            expect_end("a login with it", 255, &ran)?;
            ran.stderr
        }
        Family::Kubeconfig => {
            let (status, answer) = k8s_call(bench, server, issued, token)?;
            expect_eq("the answer", &401, &status)?;
            answer
        }
        Family::TcpForward => {
            let refused = connect(issued, TARGET, Shown::Bearer(token))?;
            refused.expect(407)?;
            refused.answer
        }
    };
    canary.absent_from("the refusal", &said)?;
    canary.absent_from("the journal", server.journal()?.to_string().as_bytes())
}
