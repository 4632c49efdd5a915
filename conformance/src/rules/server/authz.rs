//! CheckAuthorization: the gate's question, asked in the open.

use serde_json::{Value, json};

use super::installation::{CONTRACTOR, NOBODY, SERVICE, VIEWER, expect_refused, issue_as};
use super::{DOCUMENT, must, should};
use crate::bench::{Bench, Family, Identity, RESOURCE_ID, Server};
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule("allowed", "An allowed check is 200 with the relations that led there")
            .fix("Answer decision, correlation_id and relation_path.")
            .check(allowed),
        rule("denied", "A denied check is 200 as well, with the reason")
            .fix("Answer 200 with decision denied and the reason.")
            .check(denied),
        rule("unknown_names", "A subject, relation or resource that is not there is denied, and no error")
            .fix("Deny what cannot be derived.")
            .check(unknown_names),
        rule("correlation", "Every check has a correlation id of its own")
            .fix("Make a new correlation id for every decision.")
            .check(correlation),
        should("server.check_authorization.as_the_gate")
            .source(DOCUMENT, "CheckAuthorization: as the gate of IssueSession does")
            .claims([Claim::operation("CheckAuthorization", 200)])
            .title("The check and the gate of IssueSession decide alike, with the same reason")
            .fix("Let both ask the same evaluation.")
            .check(as_the_gate),
        must("server.check_authorization.invalid_check_request")
            .source(DOCUMENT, "CheckAuthorization, 400")
            .claims([Claim::refusal("CheckAuthorization", 400, "invalid_check_request")])
            .title("A name that is not of the form type:id is 400 invalid_check_request")
            .fix("Check the form of subject, relation and resource.")
            .check(invalid),
        must("server.check_authorization.invalid_body")
            .source(DOCUMENT, "CheckAuthorization, 400")
            .claims([Claim::refusal("CheckAuthorization", 400, "invalid_body")])
            .title("A check without one of its three fields, or with one of another type, is 400 invalid_body")
            .fix("Require subject, relation and resource as text.")
            .check(invalid_body),
    ]
}

fn rule(slug: &str, title: &'static str) -> RuleDraft {
    must(format!("server.check_authorization.{slug}"))
        .source(DOCUMENT, "CheckAuthorization, 200")
        .claims([Claim::operation("CheckAuthorization", 200)])
        .title(title)
}

const OLIVIA: &str = "identity:0190a8b8-1d00-7000-8000-000000000001";

fn check(server: &Server, subject: &str, relation: &str, resource: &str) -> Outcome<Value> {
    let body = json!({"subject": subject, "relation": relation, "resource": resource});
    ask(server, &body)?.send()?.expect(200)
}

fn ask(server: &Server, body: &Value) -> Outcome<crate::bench::Call> {
    Ok(server.post("/v1/authz/check", body).bearer(&server.token(Identity::Operator)?))
}

fn the_resource() -> String {
    format!("resource:{RESOURCE_ID}")
}

fn allowed(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for relation in ["act", "view"] {
        let answer = check(&server, OLIVIA, relation, &the_resource())?;
        expect_eq("the decision", &json!("allowed"), &answer["decision"])?;
        let path = answer["relation_path"].to_string();
        expect(path.contains("operator"), "relation_path", "how the operator came to it", &path)?;
        expect_eq("the reason of what is allowed", &Value::Null, &answer["reason"])?;
    }
    server.expect_count("CheckAuthorization", 2)
}

fn denied(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let answer = check(&server, OLIVIA, "administer", &the_resource())?;
    expect_eq("the decision", &json!("denied"), &answer["decision"])?;
    expect_eq("the reason", &json!("insufficient_relation"), &answer["reason"])
}

fn unknown_names(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for (subject, relation, resource) in [
        (format!("identity:{NOBODY}"), "act", the_resource()),
        (OLIVIA.to_owned(), "juggle", the_resource()),
        (OLIVIA.to_owned(), "act", format!("resource:{NOBODY}")),
        ("ghost:1".to_owned(), "act", "castle:2".to_owned()),
    ] {
        let answer = check(&server, &subject, relation, &resource)?;
        expect_eq("the decision", &json!("denied"), &answer["decision"])?;
    }
    Ok(())
}

fn correlation(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let answer = check(&server, OLIVIA, "act", &the_resource())?;
        seen.push(answer["correlation_id"].as_str().unwrap_or_default().to_owned());
    }
    seen.sort();
    seen.dedup();
    expect_eq("how many of four correlation ids are distinct", &4, &seen.len())
}

fn as_the_gate(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let tokens = [
        Identity::Operator.token(),
        Identity::Admin.token(),
        Identity::Outsider.token(),
        VIEWER,
        CONTRACTOR,
        SERVICE,
    ];
    for token in tokens {
        let me = server.get("/v1/auth/whoami").bearer(token).send()?.expect(200)?;
        let subject = format!("identity:{}", me["subject"].as_str().unwrap_or_default());
        let answer = check(&server, &subject, "act", &the_resource())?;
        let gate = issue_as(&server, Family::TcpForward, token)?.send()?;
        let may = gate.status() == 201;
        let said = answer["decision"] == "allowed";
        expect_eq(format!("whether {token} may act, by the check"), &may, &said)?;
        expect_eq("the reason, by both", &gate.json()["reason"], &answer["reason"])?;
    }
    Ok(())
}

fn invalid(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let right = json!({"subject": OLIVIA, "relation": "act", "resource": the_resource()});
    for (field, wrong) in [
        ("subject", "olivia"),
        ("subject", "identity:"),
        ("subject", ":x"),
        ("subject", ""),
        ("subject", "Identity:x"),
        ("subject", "identity:a b"),
        ("resource", "nothing"),
        ("resource", "resource:\u{7}"),
        ("relation", ""),
        ("relation", "act!"),
        ("relation", "a b"),
    ] {
        let mut body = right.clone();
        body[field] = json!(wrong);
        expect_refused(ask(&server, &body)?, 400, "invalid_check_request")?;
    }
    Ok(())
}

fn invalid_body(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let right = json!({"subject": OLIVIA, "relation": "act", "resource": the_resource()});
    for field in ["subject", "relation", "resource"] {
        for wrong in [Value::Null, json!(1), json!(["a"])] {
            let mut body = right.clone();
            body[field] = wrong;
            expect_refused(ask(&server, &body)?, 400, "invalid_body")?;
        }
        let mut body = right.clone();
        if let Some(object) = body.as_object_mut() {
            object.remove(field);
        }
        expect_refused(ask(&server, &body)?, 400, "invalid_body")?;
    }
    for bytes in ["", "[]", "{", "null"] {
        let call = ask(&server, &right)?.body(bytes);
        expect_refused(call, 400, "invalid_body")?;
    }
    Ok(())
}
