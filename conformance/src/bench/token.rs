//! A verifier of session tokens that owes nothing to the server: the checks of `fixtures/tokens`,
//! in their order. Signatures are verified by jsonwebtoken over ring.

use std::sync::Once;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult};
use jsonwebtoken::signature::{Error as SignatureError, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

const LONGEST: usize = 8192;
/// Beyond it a date is no longer exact as JSON reads numbers.
const DATE_LIMIT: f64 = 9_007_199_254_740_992.0;

/// Who presents a token where, and when.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// Seconds since 1970.
    pub now: f64,
    pub session_id: &'a str,
    pub kind: &'a str,
    /// Nobody, for kinds that have no user.
    pub user: Option<&'a str>,
}

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
}

/// What a node reads; serde refuses a member that stands there twice.
#[derive(Deserialize)]
struct Claims {
    jti: Option<String>,
    kind: Option<String>,
    target: Option<Target>,
    nbf: Option<f64>,
    exp: Option<f64>,
}

#[derive(Deserialize)]
struct Target {
    kind: Option<String>,
    user: Option<String>,
}

/// The first check that the token fails; `None` when it is accepted. `keys` are the `x` of Ed25519
/// JWKs.
pub fn refusal(token: &str, keys: &[&str], at: &Situation<'_>) -> Option<&'static str> {
    let Some((header, claims)) = parse(token) else { return Some("malformed") };
    let target = claims.target.as_ref();
    let user = target.and_then(|target| target.user.as_deref());
    let checks = [
        ("algorithm", header.alg.as_deref() == Some("EdDSA")),
        ("signature", keys.iter().any(|key| verifies(token, key))),
        (
            "kind",
            claims.kind.as_deref() == Some(at.kind)
                && target.is_some_and(|target| target.kind.as_deref() == Some(at.kind)),
        ),
        ("session", claims.jti.as_deref() == Some(at.session_id)),
        ("not_yet_valid", claims.nbf.is_none_or(|nbf| nbf <= at.now)),
        ("expired", claims.exp.is_some_and(|exp| at.now < exp)),
        ("user", at.user.is_none() || user == at.user),
    ];
    checks.into_iter().find(|(_, holds)| !holds).map(|(name, _)| name)
}

fn parse(token: &str) -> Option<(Header, Claims)> {
    if token.len() > LONGEST {
        return None;
    }
    let parts: Vec<Vec<u8>> =
        token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part)).collect::<Result<_, _>>().ok()?;
    let [header, claims, _] = &parts[..] else { return None };
    // A list would be read as a struct, member by member.
    let object = |bytes: &[u8]| bytes.trim_ascii_start().first() == Some(&b'{');
    if !object(header) || !object(claims) {
        return None;
    }
    let target = serde_json::from_slice::<Value>(claims).ok()?["target"].clone();
    let header: Header = serde_json::from_slice(header).ok()?;
    let claims: Claims = serde_json::from_slice(claims).ok()?;
    let dates = [claims.nbf, claims.exp];
    let sane = dates.into_iter().flatten().all(|date| date.is_finite() && date < DATE_LIMIT);
    (sane && (target.is_object() || target.is_null())).then_some((header, claims))
}

/// The claims as they stand, without any check.
pub fn claims_of(token: &str) -> Option<Value> {
    let claims = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// Whether the key made the signature. jsonwebtoken takes the token apart once more, in its own way.
pub fn verifies(token: &str, x: &str) -> bool {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // Nobody else in this process has one.
        let _ = RING.install_default();
    });
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    // Time and audience are judged by us, against a moment of the rule's choosing.
    validation.validate_exp = false;
    validation.validate_aud = false;
    let Ok(key) = DecodingKey::from_ed_components(x) else { return false };
    jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
}

/// Ed25519 by ring, and nothing else: other algorithms are refused, signing too.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: ring_verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

fn no_signer(_: &Algorithm, _: &EncodingKey) -> JwtResult<Box<dyn JwtSigner>> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

fn ring_verifier(algorithm: &Algorithm, key: &DecodingKey) -> JwtResult<Box<dyn JwtVerifier>> {
    if *algorithm != Algorithm::EdDSA {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(Ed25519(key.try_get_as_bytes()?.to_vec())))
}

struct Ed25519(Vec<u8>);

impl Verifier<Vec<u8>> for Ed25519 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Ed25519 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}
