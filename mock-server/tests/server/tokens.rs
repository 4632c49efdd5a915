//! The tokens in the answers: genuine, bounded, and about the session they came with.

use mock_server::authority::{Expected, VerifyingKey, redeem};
use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::client::{Client, at_noon, k8s, ssh, tcp};

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn verify(client: &Client, token: &str) {
    let jwks = client.get("/.well-known/jwks.json").json();
    let key = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key)
        .verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
}

#[test]
fn tokens_say_what_the_session_says() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    for (body, target) in [
        (ssh(), json!({"kind": "ssh", "user": "ops"})),
        (k8s(), json!({"kind": "k8s", "user": "admin"})),
        (tcp(), json!({"kind": "tcp", "host": "10.0.0.5", "port": 5432})),
    ] {
        let issued = client.issued(&body);
        let token = issued["token"].as_str().unwrap();
        verify(&client, token);
        let (claims, session) = (claims(token), &issued["session"]);
        assert_eq!(claims["jti"], issued["session_id"]);
        assert_eq!(claims["kind"], body["kind"]);
        assert_eq!(claims["target"], target);
        let uri = |start: &str, id: &Value| format!("{start}{}", id.as_str().unwrap());
        assert_eq!(claims["iss"], uri("plexsphere://domain/", &session["domain_id"]));
        assert_eq!(claims["aud"], uri("resource://", &session["resource_id"]));
        assert_eq!(claims["sub"], uri("identity://", &session["identity_id"]));
        assert_eq!(claims["iat"], 1_780_315_200);
        assert_eq!(claims["nbf"], claims["iat"]);
        assert_eq!(claims["exp"], 1_780_315_200 + 1800);
    }
}

#[test]
fn the_largest_targets_still_make_a_token_that_ssh_can_carry() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let commands: Vec<String> = (0..64).map(|n| format!("/usr/bin/command-{n} --flag")).collect();
    let groups: Vec<String> = (0..32).map(|n| format!("company:department:group-{n}")).collect();
    let mut many_commands = ssh();
    many_commands["target"]["ssh"]["allowed_commands"] = json!(commands);
    let mut many_groups = k8s();
    many_groups["target"]["k8s"]["impersonate_groups"] = json!(groups);
    let mut long_user = k8s();
    long_user["target"]["k8s"]["user"] = "u".repeat(255).into();
    for body in [many_commands, many_groups, long_user] {
        let issued = client.issued(&body);
        let token = issued["token"].as_str().unwrap();
        assert!(token.len() < 1024, "{}", token.len());
        verify(&client, token);
        assert_eq!(issued["session"]["target"], body["target"], "the session has it in full");
    }
}

#[test]
fn the_token_is_nowhere_but_in_the_first_answer() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let issued = client.issued(&ssh());
    let token = issued["token"].as_str().unwrap();
    for answer in
        [client.session(&issued["session_id"]), client.list(""), client.get("/__mock/requests")]
    {
        assert!(!answer.text.contains(token) && !answer.text.contains("eyJ"), "{}", answer.text);
    }
}

#[test]
fn limits_of_the_target_are_kept() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let target = |kind: &str, target: Value| json!({"resource_id": crate::client::RESOURCE, "kind": kind, "target": target});
    let many = |count: usize| vec!["x"; count];
    let accepted = [
        target("ssh", json!({"ssh": {"user": "u", "allowed_commands": many(64)}})),
        target("k8s", json!({"k8s": {"user": "u", "impersonate_groups": many(32)}})),
        target("tcp", json!({"tcp": {"host": "h", "port": 65535}})),
    ];
    for body in accepted {
        client.issued(&body);
    }
    let refused = [
        target("ssh", json!({"ssh": {"user": "u", "allowed_commands": many(65)}})),
        target("k8s", json!({"k8s": {"user": "u", "impersonate_groups": many(33)}})),
        target("tcp", json!({"tcp": {"host": "h", "port": 0}})),
        target("tcp", json!({"tcp": {"host": "h", "port": 65536}})),
        target("tcp", json!({"tcp": {"host": "", "port": 1}})),
        target("ssh", json!({"ssh": {"user": ""}})),
        target("ssh", json!({"ssh": {"user": "a\nb"}})),
        target("ssh", json!({"ssh": {"user": "u".repeat(256)}})),
        target("ssh", json!({"ssh": {"user": "ü".repeat(100)}})),
        target("k8s", json!({"k8s": {"user": "\"".repeat(255)}})),
        target("ssh", json!({})),
        target("ssh", json!({"vnc": {"user": "u"}})),
        target("ssh", json!({"k8s": {"user": "u"}})),
        target("ssh", json!({"ssh": {"user": "u"}, "tcp": {"host": "h", "port": 1}})),
    ];
    for body in refused {
        assert_eq!(client.issue(&body).verdict(), "400 invalid_target", "{body}");
    }
}

#[test]
fn a_listener_would_take_the_token_for_its_own_session_only() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let issued = client.issued(&ssh());
    let jwks = client.get("/.well-known/jwks.json").json();
    let key = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    let keys = [VerifyingKey(key.try_into().unwrap())];
    let now: jiff::Timestamp = crate::client::NOON.parse().unwrap();
    let token = issued["token"].as_str().unwrap();
    let id = issued["session_id"].as_str().unwrap();
    let taken = |session: &str, kind: &str, user: Option<&str>| {
        redeem(token, &keys, &Expected { session_id: session, kind, user, now }).is_ok()
    };
    assert!(taken(id, "ssh", Some("ops")));
    assert!(!taken("0190a8b8-0000-7000-8000-000000000000", "ssh", Some("ops")));
    assert!(!taken(id, "tcp", None));
    assert!(!taken(id, "ssh", Some("root")));
}
