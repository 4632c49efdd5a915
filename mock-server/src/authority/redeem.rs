//! Judging a token the way the node in front of a resource does: fixed order, no leeway.
//!
//! The first check that fails names the refusal: malformed, algorithm, signature, kind, session,
//! not yet valid, expired, user. A refusal never holds a byte of the token, so it can be logged.
//! `kid`, `typ`, `iss`, `aud`, `sub` and `iat` are not looked at, as they are not by the node.

use jiff::Timestamp;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::VerifyingKey;
use super::jws;

/// A longer token is malformed before anything of it is read.
const MAX_BYTES: usize = 8_192;

/// Beyond this a JSON number no longer tells whole seconds apart.
const MAX_DATE: f64 = 9_007_199_254_740_992.0;

/// What the one who redeems knows about the connection at hand.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub session_id: &'a str,
    /// `ssh`, `k8s` or `tcp`.
    pub kind: &'a str,
    /// The user who logs in; `None` where the kind has none.
    pub user: Option<&'a str>,
    pub now: Timestamp,
}

/// What a good token still has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Redeemed {
    pub session_id: String,
    pub expires_at: f64,
    /// Not empty: only these may be run.
    pub allowed_commands: Vec<String>,
    pub impersonate_groups: Vec<String>,
}

/// Why a token is not good here, in the order in which it is asked.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    #[error("the token is not a compact JWS of two JSON objects")]
    Malformed,
    #[error("the token is not signed with EdDSA")]
    Algorithm,
    #[error("the signature is not by a key of this installation")]
    Signature,
    #[error("the token is for another kind of session")]
    Kind,
    #[error("the token is for another session")]
    Session,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token has expired")]
    Expired,
    #[error("the token is for another user")]
    User,
}

impl Refusal {
    /// Every refusal, in the order of the checks.
    pub const ORDER: [Self; 8] = [
        Self::Malformed,
        Self::Algorithm,
        Self::Signature,
        Self::Kind,
        Self::Session,
        Self::NotYetValid,
        Self::Expired,
        Self::User,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Kind => "kind",
            Self::Session => "session",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::User => "user",
        }
    }
}

/// Judges `token`. During a rotation `keys` holds the current and the previous key.
pub fn redeem(
    token: &str,
    keys: &[VerifyingKey],
    expected: &Expected<'_>,
) -> Result<Redeemed, Refusal> {
    let parts = Parts::read(token).ok_or(Refusal::Malformed)?;
    if parts.header.alg.as_deref() != Some("EdDSA") {
        return Err(Refusal::Algorithm);
    }
    let signed = keys.iter().any(|key| {
        UnparsedPublicKey::new(&ED25519, key.0)
            .verify(parts.signing_input.as_bytes(), &parts.signature)
            .is_ok()
    });
    if !signed {
        return Err(Refusal::Signature);
    }

    let claims = parts.claims;
    let target = parts.target;
    if claims.kind.as_deref() != Some(expected.kind)
        || target.kind.as_deref() != Some(expected.kind)
    {
        return Err(Refusal::Kind);
    }
    let session_id = claims.jti.filter(|jti| jti == expected.session_id).ok_or(Refusal::Session)?;
    let now = expected.now.as_duration().as_secs_f64();
    if claims.nbf.is_some_and(|nbf| nbf > now) {
        return Err(Refusal::NotYetValid);
    }
    let expires_at = claims.exp.filter(|exp| now < *exp).ok_or(Refusal::Expired)?;
    if expected.user.is_some() && target.user.as_deref() != expected.user {
        return Err(Refusal::User);
    }
    Ok(Redeemed {
        session_id,
        expires_at,
        allowed_commands: target.allowed_commands.unwrap_or_default(),
        impersonate_groups: target.impersonate_groups.unwrap_or_default(),
    })
}

struct Parts<'a> {
    header: Header,
    claims: Read,
    target: Target,
    signing_input: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// All that is wrong before a key is needed. `None` is malformed.
    fn read(token: &'a str) -> Option<Self> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let (signing_input, signature) = token.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        let header: Header = object(&jws::decode(header)?)?;
        let claims: Read = object(&jws::decode(payload)?)?;
        let dates = [claims.nbf, claims.exp];
        if dates.into_iter().flatten().any(|date| date.abs() >= MAX_DATE) {
            return None;
        }
        let target = match &claims.target {
            Some(target) => object(target.get().as_bytes())?,
            None => Target::default(),
        };
        let signature = jws::decode(signature)?;
        Some(Self { header, claims, target, signing_input, signature })
    }
}

/// Serde would read a struct from an array as well; a token says objects.
fn object<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Option<T> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    // As text, since a member that is skipped over would not be looked at as such.
    serde_json::from_str(std::str::from_utf8(json).ok()?).ok()
}

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
}

/// The claims that are looked at. A duplicate of one of them is malformed, because two readers
/// could each believe another one.
#[derive(Deserialize)]
struct Read {
    kind: Option<String>,
    jti: Option<String>,
    nbf: Option<f64>,
    exp: Option<f64>,
    target: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
struct Target {
    kind: Option<String>,
    user: Option<String>,
    allowed_commands: Option<Vec<String>>,
    impersonate_groups: Option<Vec<String>>,
}
