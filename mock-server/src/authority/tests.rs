//! The token cases of `fixtures/tokens`, minting, and the development CA.

use std::sync::Arc;

use jiff::Timestamp;
use rust_embed::RustEmbed;
use serde::Deserialize;
use serde_json::Value;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{
    Claims, DevCa, Expected, Keys, MAX_TOKEN_BYTES, Refusal, TargetClaims, TokenTooLong, jws,
    redeem,
};

#[derive(RustEmbed)]
#[folder = "../fixtures/tokens"]
struct Fixtures;

#[derive(Deserialize)]
struct Case {
    token: String,
    keys: Vec<String>,
    context: Context,
    verdict: String,
    refusal: Option<Refusal>,
}

#[derive(Deserialize)]
struct Context {
    now: Timestamp,
    session_id: String,
    kind: String,
    user: Option<String>,
}

fn fixture(path: &str) -> Value {
    serde_json::from_slice(&Fixtures::get(path).expect(path).data).unwrap()
}

fn case(name: &str) -> Case {
    serde_json::from_value(fixture(&format!("cases/{name}.json"))).expect(name)
}

fn case_names() -> Vec<String> {
    Fixtures::iter()
        .filter_map(|path| Some(path.strip_prefix("cases/")?.strip_suffix(".json")?.to_owned()))
        .collect()
}

fn key(name: &str) -> Keys {
    let keys = fixture("keys.json");
    let known = keys["keys"].as_array().unwrap();
    let key = known.iter().find(|key| key["name"] == name).expect(name);
    let seed = jws::decode(key["seed"].as_str().unwrap()).unwrap();
    let keys = Keys::from_seed(seed.try_into().unwrap());
    assert_eq!(keys.jwks()["keys"][0], key["jwk"], "{name}");
    keys
}

fn verdict(case: &Case) -> Result<super::Redeemed, Refusal> {
    let keys: Vec<_> = case.keys.iter().map(|name| key(name).verifying_key()).collect();
    let context = &case.context;
    let expected = Expected {
        session_id: &context.session_id,
        kind: &context.kind,
        user: context.user.as_deref(),
        now: context.now,
    };
    redeem(&case.token, &keys, &expected)
}

#[test]
fn every_case_gets_its_verdict() {
    let names = case_names();
    let mut refusals = std::collections::BTreeSet::new();
    for name in &names {
        let case = case(name);
        let judged = verdict(&case);
        assert_eq!(judged.as_ref().err().copied(), case.refusal, "{name}");
        assert_eq!(case.verdict == "accepted", judged.is_ok(), "{name}");
        refusals.extend(case.refusal);
    }
    assert_eq!(refusals, Refusal::ORDER.into(), "a refusal that no case shows");
}

#[test]
fn the_order_is_the_documented_one() {
    let order = fixture("order.json");
    let documented: Vec<&str> = order["order"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["refusal"].as_str().unwrap())
        .collect();
    assert_eq!(documented, Refusal::ORDER.map(Refusal::name));
    for refusal in Refusal::ORDER {
        assert_eq!(serde_json::to_value(refusal).unwrap(), refusal.name());
    }
}

#[test]
fn a_good_token_says_what_may_be_done() {
    let redeemed = verdict(&case("valid_allowed_commands")).unwrap();
    assert_eq!(redeemed.allowed_commands, ["uptime", "df -h"]);
    let redeemed = verdict(&case("valid_k8s")).unwrap();
    assert_eq!(redeemed.impersonate_groups, ["system:masters", "ops"]);
    assert_eq!(redeemed.session_id, case("valid_k8s").context.session_id);
}

#[test]
fn no_refusal_quotes_the_token() {
    for name in case_names() {
        let case = case(&name);
        let Err(refusal) = verdict(&case) else { continue };
        let said = format!("{refusal} {refusal:?} {}", refusal.name());
        for part in case.token.split('.').filter(|part| part.len() > 3) {
            assert!(!said.contains(part), "{name}: {said}");
        }
    }
}

fn claims<'a>(target: TargetClaims<'a>, kind: &'a str) -> Claims<'a> {
    Claims {
        iss: "plexsphere://domain/0190a8b8-d0d0-7d0d-8d0d-d0d0d0d0d0d0",
        aud: "resource://0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3",
        sub: "identity://0190a8b8-1d1d-71d1-81d1-1d1d1d1d1d1d",
        jti: "0190a8b8-5e55-7e55-8e55-5e55e55e55e5",
        kind,
        target,
        iat: 1_780_315_140,
        nbf: 1_780_315_140,
        exp: 1_780_316_940,
    }
}

/// The cases were signed elsewhere; the same claims must give the same bytes here.
#[test]
fn minting_gives_the_bytes_of_the_valid_cases() {
    let keys = key("current");
    let groups = ["system:masters", "ops"].map(str::to_owned);
    let commands = ["uptime", "df -h"].map(str::to_owned);
    for (name, target, kind) in [
        ("valid_ssh", TargetClaims::Ssh { user: "ops", allowed_commands: &[] }, "ssh"),
        (
            "valid_allowed_commands",
            TargetClaims::Ssh { user: "ops", allowed_commands: &commands },
            "ssh",
        ),
        (
            "valid_k8s",
            TargetClaims::K8s { user: "platform-admin", impersonate_groups: &groups },
            "k8s",
        ),
        ("valid_tcp", TargetClaims::Tcp { host: "10.0.0.5", port: 5432 }, "tcp"),
    ] {
        let claims = claims(target, kind);
        assert_eq!(keys.mint(&claims).unwrap(), case(name).token, "{name}");
        assert_eq!(keys.fits(&claims), Ok(()));
    }
}

#[test]
fn no_token_is_longer_than_a_client_can_carry() {
    let keys = key("current");
    let mut longest = 0;
    for length in 0..400 {
        let commands = ["x".repeat(length)];
        let claims = claims(TargetClaims::Ssh { user: "o", allowed_commands: &commands }, "ssh");
        match keys.mint(&claims) {
            Ok(token) => {
                assert!(token.len() <= MAX_TOKEN_BYTES);
                assert_eq!(keys.fits(&claims), Ok(()));
                longest = longest.max(token.len());
            }
            Err(TokenTooLong { bytes }) => {
                assert!(bytes > MAX_TOKEN_BYTES);
                assert_eq!(keys.fits(&claims), Err(TokenTooLong { bytes }));
            }
        }
    }
    assert!(longest >= MAX_TOKEN_BYTES - 2, "stopped early, at {longest}");
}

#[test]
fn the_host_key_is_another_key_and_stays_the_same() {
    // As `ssh-keygen -l` prints it for the key derived from the first test seed.
    let fingerprint = "SHA256:A8bk3TuVEXmvE13GGQKcp9Wk+XNpascA0049Iih61w8";
    assert_eq!(key("current").ssh_host_fingerprint(), fingerprint);
    assert_ne!(key("previous").ssh_host_fingerprint(), fingerprint);
}

#[test]
fn a_key_does_not_show_itself() {
    let shown = format!("{:?}", Keys::from_seed([7; 32]));
    assert!(shown.contains("kid") && !shown.contains("seed") && !shown.contains("7, 7"), "{shown}");
}

#[test]
fn a_temporary_ca_goes_with_its_server() {
    let ca = DevCa::create(None).unwrap();
    let file = ca.file().to_owned();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), ca.pem());
    let directory = file.parent().unwrap().to_owned();
    // The key is in memory only.
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    drop(ca);
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_kept_ca_is_trusted_again() {
    let state = tempfile::tempdir().unwrap();
    let directory = state.path().join("made/on/demand");
    let first = DevCa::create(Some(&directory)).unwrap();
    let second = DevCa::create(Some(&directory)).unwrap();
    assert_eq!(first.pem(), second.pem());
    assert_eq!(second.file(), directory.join("ca.pem"));
    handshake(first.pem(), &second).await.unwrap();
    let stranger = DevCa::create(None).unwrap();
    assert!(handshake(stranger.pem(), &second).await.is_err());
}

#[cfg(unix)]
#[test]
fn a_kept_key_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let state = tempfile::tempdir().unwrap();
    DevCa::create(Some(state.path())).unwrap();
    let mode = std::fs::metadata(state.path().join("ca.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_ca_that_ends_soon_or_is_damaged_is_replaced() {
    let state = tempfile::tempdir().unwrap();
    let path = state.path().join("ca.key");
    let first = DevCa::create(Some(state.path())).unwrap().pem().to_owned();
    let key = std::fs::read_to_string(&path).unwrap();
    let (_, pem) = key.split_once('\n').unwrap();
    let mut known = vec![first];
    for damaged in [
        format!("expires: 2020-01-01\n{pem}"),
        pem.to_owned(),
        "expires: 9999-01-01\n".to_owned(),
        format!("expires: 9999-01-01\n{}", pem.replace('M', "N")),
        String::new(),
    ] {
        std::fs::write(&path, &damaged).unwrap();
        let replaced = DevCa::create(Some(state.path())).unwrap().pem().to_owned();
        assert!(!known.contains(&replaced), "kept with {damaged}");
        known.push(replaced);
    }
}

#[test]
fn a_certificate_of_another_key_is_replaced() {
    let state = tempfile::tempdir().unwrap();
    let first = DevCa::create(Some(state.path())).unwrap().pem().to_owned();
    let stranger = DevCa::create(None).unwrap();
    std::fs::write(state.path().join("ca.pem"), stranger.pem()).unwrap();
    let replaced = DevCa::create(Some(state.path())).unwrap().pem().to_owned();
    assert!(replaced != first && replaced != stranger.pem());
}

#[test]
fn servers_that_start_at_once_share_one_ca() {
    let state = tempfile::tempdir().unwrap();
    let together = std::sync::Barrier::new(8);
    let pems: Vec<String> = std::thread::scope(|scope| {
        let start = || {
            together.wait();
            DevCa::create(Some(state.path())).unwrap().pem().to_owned()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let kept = std::fs::read_to_string(state.path().join("ca.pem")).unwrap();
    assert!(pems.iter().all(|pem| *pem == kept));
}

#[test]
fn a_state_directory_that_cannot_be_made_is_named() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("file");
    std::fs::write(&file, "").unwrap();
    let Err(error) = DevCa::create(Some(&file.join("below"))) else { panic!("made") };
    assert!(error.to_string().contains("file/below"), "{error}");
}

async fn handshake(trusted: &str, ca: &DevCa) -> std::io::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (client, server) = tokio::io::duplex(16 * 1024);
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let acceptor = TlsAcceptor::from(ca.server_config(None).unwrap());
    let (client, _) = tokio::join!(connector.connect(name, client), acceptor.accept(server));
    client.map(drop)
}
