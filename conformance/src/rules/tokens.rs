//! Tokens that a server hands out, before the verifier of a node: good in their own situation,
//! refused for the stated reason in every other.

use serde_json::Value;

use crate::bench::token::{Situation, claims_of, refusal};
use crate::bench::{Bench, Family, Identity};
use crate::rule::{Claim, Need, Rule, Side};
use crate::verdict::{Outcome, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    Family::ALL.into_iter().map(rule).collect()
}

fn rule(family: Family) -> Rule {
    Rule::should(format!("server.token.before_a_node.{}", family.kind()), Side::Server)
        .title(format!(
            "A {} token passes a node's checks for its own session, and no other's",
            family.kind()
        ))
        .source("docs/decisions/0031-token.md", "EdDSA, claims, and the keys at /.well-known/jwks.json")
        .claims([Claim::operation("GetJwks", 200), Claim::token("live")])
        .needs([Need::SeededTokens])
        .fix("Sign jti, kind, target.kind, target.user, nbf and exp of the session, with a key of the JWKS.")
        .check(move |bench| presented(bench, family))
}

fn presented(bench: &Bench, family: Family) -> Outcome {
    let server = bench.server()?;
    let issued = server.issue(family, Identity::Operator)?.send()?.expect(201)?;
    let other = server.issue(family, Identity::Operator)?.send()?.expect(201)?;
    let jwks = server.get("/.well-known/jwks.json").send()?.expect(200)?;
    let keys: Vec<&str> =
        jwks["keys"].as_array().into_iter().flatten().filter_map(|key| key["x"].as_str()).collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (token, session_id) = (text(&issued["token"]), text(&issued["session_id"]));
    let claims = claims_of(&token).unwrap_or_default();
    let (from, until) =
        (claims["nbf"].as_f64().unwrap_or_default(), claims["exp"].as_f64().unwrap_or_default());
    let target = family.target();
    let own = Situation {
        now: from,
        session_id: &session_id,
        kind: family.kind(),
        user: target[family.kind()]["user"].as_str(),
    };
    let judge = |what: &str, due: Option<&str>, token: &str, keys: &[&str], at: &Situation<'_>| {
        expect_eq(format!("the verdict on the token {what}"), &due, &refusal(token, keys, at))
    };
    judge("for its own session", None, &token, &keys, &own)?;
    let last = Situation { now: until - 1.0, ..own.clone() };
    judge("a second before its end", None, &token, &keys, &last)?;
    let over = Situation { now: until, ..own.clone() };
    judge("at its end", Some("expired"), &token, &keys, &over)?;
    let early = Situation { now: from - 1.0, ..own.clone() };
    judge("before its time", Some("not_yet_valid"), &token, &keys, &early)?;
    let theirs = text(&other["session_id"]);
    let elsewhere = Situation { session_id: &theirs, ..own.clone() };
    judge("of another session", Some("session"), &token, &keys, &elsewhere)?;
    for kind in Family::ALL.map(Family::kind).into_iter().filter(|kind| *kind != family.kind()) {
        let at = Situation { kind, ..own.clone() };
        judge("at another kind of listener", Some("kind"), &token, &keys, &at)?;
    }
    if own.user.is_some() {
        let at = Situation { user: Some("somebody-else"), ..own.clone() };
        judge("of another user", Some("user"), &token, &keys, &at)?;
    }
    judge("without the server's keys", Some("signature"), &token, &[], &own)?;
    // The other session's claims under this session's signature.
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (mine, second) = (parts(&token), parts(&text(&other["token"])));
    let (Some(signature), [header, claims, ..]) = (mine.last(), &second[..]) else {
        return expect_eq("the parts of a token", &3, &second.len());
    };
    let mixed = format!("{header}.{claims}.{signature}");
    judge("put together from two", Some("signature"), &mixed, &keys, &elsewhere)
}
