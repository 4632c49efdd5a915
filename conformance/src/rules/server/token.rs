//! The session token: signed by the published key, about its own session, and short enough.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use super::installation::{issued, read, reread, session_path, sessions_of};
use super::{DOCUMENT, PAGE, must, should};
use crate::bench::{Bench, Canary, Family, Identity, PROJECT_ID, RESOURCE_ID, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = Family::ALL.into_iter().map(target_claim).collect();
    rules.extend([
        rule("signature", "A token verifies with the key of the JWKS that its header names")
            .claims([Claim::operation("GetJwks", 200)])
            .fix("Sign with Ed25519 and publish the key under the token's kid.")
            .check(signature),
        rule("header", "A token's header says EdDSA, at+jwt and a kid")
            .fix("Write alg EdDSA, typ at+jwt and the kid of the published key.")
            .check(header),
        rule("session", "jti is the session id; iss, aud and sub name domain, resource and identity")
            .fix("Fill the claims from the session.")
            .check(session),
        rule("times", "iat and nbf are the moment of issue, exp is expires_at")
            .fix("Fill iat, nbf and exp from issued_at and expires_at of the session.")
            .check(times),
        rule("length", "A token stays under 1,024 bytes, whatever the target holds")
            .fix("Leave lists out of the claims, or refuse with invalid_target, where the token would grow longer.")
            .check(length),
        rule("lists", "Commands and groups that fit are in the claims; the session has them in any case")
            .fix("Put allowed_commands and impersonate_groups into the target claim.")
            .check(lists),
        must("server.token.delivered_once")
            .source(DOCUMENT, "IssuedSession, x-delivered-once")
            .claims([Claim::operation("GetSession", 200), Claim::operation("ListSessions", 200)])
            .needs([Need::Journal])
            .title("The token of a session is in the 201 and can be read nowhere else, nor can its signature")
            .fix("Never keep the token; show kid and jti where a token has to be named.")
            .check(delivered_once),
        must("server.jwks.public_only")
            .source(DOCUMENT, "GetJwks")
            .claims([Claim::operation("GetJwks", 200)])
            .title("The JWKS holds public keys only, and needs no token")
            .fix("Publish kty, crv, x, kid; never d.")
            .check(public_only),
    ]);
    rules
}

fn rule(slug: &str, title: &'static str) -> RuleDraft {
    should(format!("server.token.{slug}"))
        .source(PAGE, "The token")
        .claims([Claim::operation("IssueSession", 201)])
        .title(title)
}

/// The three parts of a compact JWT, decoded where they are JSON.
struct Jwt {
    header: Value,
    claims: Value,
    signed: String,
    signature: Vec<u8>,
}

fn parse(issued: &Value) -> Outcome<Jwt> {
    let token = issued["token"].as_str().unwrap_or_default();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return fail("the token", "three parts", parts.len());
    };
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    let object = |part| serde_json::from_slice::<Value>(&decoded(part)).unwrap_or_default();
    let jwt = Jwt {
        header: object(header),
        claims: object(claims),
        signed: format!("{header}.{claims}"),
        signature: decoded(signature),
    };
    let whole = jwt.header.is_object() && jwt.claims.is_object();
    expect(whole, "the token", "a header and claims that are JSON objects", token.len())?;
    Ok(jwt)
}

fn jwks(server: &Server) -> Outcome<Value> {
    server.get("/.well-known/jwks.json").send()?.expect(200)
}

/// Whether a key of the set with the token's kid verifies it.
pub(super) fn verifies(keys: &Value, issued: &Value) -> Outcome<bool> {
    let jwt = parse(issued)?;
    let key =
        keys["keys"].as_array().into_iter().flatten().find(|key| key["kid"] == jwt.header["kid"]);
    let Some(x) = key.and_then(|key| key["x"].as_str()) else { return Ok(false) };
    let public = URL_SAFE_NO_PAD.decode(x).unwrap_or_default();
    let key = UnparsedPublicKey::new(&ED25519, public);
    Ok(key.verify(jwt.signed.as_bytes(), &jwt.signature).is_ok())
}

fn signature(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let keys = jwks(&server)?;
    for family in Family::ALL {
        let issued = issued(&server, family, Identity::Operator)?;
        let holds = verifies(&keys, &issued)?;
        expect(
            holds,
            format!("the signature of a {} token", family.kind()),
            "one that verifies",
            "none",
        )?;
    }
    Ok(())
}

fn header(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let jwt = parse(&issued(&server, Family::Ssh, Identity::Operator)?)?;
    let kid = &jwks(&server)?["keys"][0]["kid"];
    expect_eq("the header", &json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid}), &jwt.header)
}

fn session(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for family in Family::ALL {
        let issued = issued(&server, family, Identity::Operator)?;
        let (claims, session) = (parse(&issued)?.claims, &issued["session"]);
        let text = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
        for (claim, due) in [
            ("jti", text("id")),
            ("kind", family.kind().to_owned()),
            ("iss", format!("plexsphere://domain/{}", text("domain_id"))),
            ("aud", format!("resource://{RESOURCE_ID}")),
            ("sub", format!("identity://{}", text("identity_id"))),
        ] {
            expect_eq(format!("the claim {claim}"), &json!(due), &claims[claim])?;
        }
    }
    Ok(())
}

fn times(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let call = server.issue(Family::Ssh, Identity::Operator)?;
    let issued =
        call.edit(|body| body["requested_ttl_seconds"] = json!(321)).send()?.expect(201)?;
    let claims = parse(&issued)?.claims;
    let moment = |value: &Value| {
        let parsed = value.as_str().unwrap_or_default().parse::<jiff::Timestamp>();
        json!(parsed.map(jiff::Timestamp::as_second).unwrap_or_default())
    };
    expect_eq("iat", &moment(&issued["session"]["issued_at"]), &claims["iat"])?;
    expect_eq("nbf", &claims["iat"], &claims["nbf"])?;
    expect_eq("exp", &moment(&issued["expires_at"]), &claims["exp"])
}

fn target_claim(family: Family) -> Rule {
    rule(&format!("target.{}", family.kind()), "")
        .title(format!(
            "The target claim of kind {} is flat, with a kind of its own",
            family.kind()
        ))
        .fix("Write the fields of the target beside its kind, not below it.")
        .check(move |bench| {
            let server = bench.server()?;
            let claims = parse(&issued(&server, family, Identity::Operator)?)?.claims;
            let mut due = family.target()[family.kind()].clone();
            due["kind"] = json!(family.kind());
            expect_eq("the target claim", &due, &claims["target"])
        })
}

fn length(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let commands: Vec<String> = (0..64).map(|at| format!("{at:0>200}")).collect();
    let groups: Vec<String> = (0..32).map(|at| format!("{at:0>250}")).collect();
    let ssh = json!({"ssh": {"user": "ops", "allowed_commands": commands}});
    let k8s = json!({"k8s": {"user": "u".repeat(255), "impersonate_groups": groups}});
    let tcp = json!({"tcp": {"host": "h".repeat(255), "port": 65535}});
    let keys = jwks(&server)?;
    for (family, target) in
        [(Family::Ssh, ssh), (Family::Kubeconfig, k8s), (Family::TcpForward, tcp)]
    {
        let call = server.issue(family, Identity::Operator)?.edit(|body| body["target"] = target);
        let exchange = call.send()?;
        if exchange.status() == 400 {
            exchange.expect_problem(400, "invalid_target")?;
            continue;
        }
        let issued = exchange.expect(201)?;
        let length = issued["token"].as_str().map_or(0, str::len);
        expect(length < 1024, "the length of the token", "under 1,024 bytes", length)?;
        expect(verifies(&keys, &issued)?, "its signature", "one that verifies", "none")?;
    }
    Ok(())
}

fn lists(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for (family, field) in
        [(Family::Ssh, "allowed_commands"), (Family::Kubeconfig, "impersonate_groups")]
    {
        let kind = family.kind();
        let call = server.issue(family, Identity::Operator)?;
        let list = json!(["uptime", "system:masters"]);
        let issued =
            call.edit(|body| body["target"][kind][field] = list.clone()).send()?.expect(201)?;
        expect_eq(
            format!("{field} in the claims"),
            &list,
            &parse(&issued)?.claims["target"][field],
        )?;
        let session = reread(&server, &issued)?;
        expect_eq(format!("{field} of the session"), &list, &session["target"][kind][field])?;
    }
    Ok(())
}

fn delivered_once(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    let canary = Canary::new("the session token", issued["token"].as_str().unwrap_or_default());
    let paths = [
        session_path(&issued),
        sessions_of(PROJECT_ID),
        "/v1/auth/whoami".to_owned(),
        "/.well-known/jwks.json".to_owned(),
        "/v1/openapi.json".to_owned(),
    ];
    for path in paths {
        canary.absent_from(&path, read(&server, &path)?.to_string().as_bytes())?;
    }
    for path in ["/__mock/requests", "/__mock/world", "/__mock/ready"] {
        let shown = server.control("GET", path, None)?.to_string();
        canary.absent_from(path, shown.as_bytes())?;
    }
    Ok(())
}

fn public_only(bench: &Bench) -> Outcome {
    let keys = jwks(&bench.server()?)?;
    for key in keys["keys"].as_array().into_iter().flatten() {
        expect_eq("the private part of a key", &Value::Null, &key["d"])?;
        let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap_or_default());
        expect_eq("the length of a public key", &Some(32), &public.ok().map(|key| key.len()))?;
    }
    Ok(())
}
