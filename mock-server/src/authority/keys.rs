//! The signing key of a namespace, what is published of it, and minting.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::hmac;
use serde_json::{Value, json};

use super::claims::Claims;
use super::jws;
use super::signer::{SIGNATURE, Signer};

/// Stock OpenSSH reads a password into a buffer of this size and cuts off what does not fit, so no
/// token may reach it.
pub const MAX_TOKEN_BYTES: usize = 1_023;

/// The public half of an Ed25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey(pub [u8; 32]);

/// An Ed25519 key derived from 32 bytes, ready to sign. `Debug` shows the key id only.
pub struct Keys {
    key: Signer,
    public: VerifyingKey,
    kid: String,
    /// The encoded header and its dot: the same for every token.
    header: String,
    /// Another key, so that the host's identity is not the issuer's. Made when first asked for.
    host_seed: [u8; 32],
    host_fingerprint: OnceLock<String>,
}

/// The claims do not fit into a token that every client can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token would be {bytes} bytes long, and at most {MAX_TOKEN_BYTES} can be carried")]
pub struct TokenTooLong {
    pub bytes: usize,
}

impl Keys {
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let key = Signer::from_seed(&seed);
        let public = key.public();
        let kid = thumbprint(&public);
        let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#);
        let header = format!("{}.", jws::encode(header.as_bytes()));
        Self {
            key,
            public: VerifyingKey(public),
            kid,
            header,
            host_seed: derive(&seed, b"ssh host key"),
            host_fingerprint: OnceLock::new(),
        }
    }

    /// The RFC 7638 thumbprint of the public key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn verifying_key(&self) -> VerifyingKey {
        self.public
    }

    /// The JWK Set that `/.well-known/jwks.json` answers.
    pub fn jwks(&self) -> Value {
        json!({"keys": [{
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": self.kid,
            "x": jws::encode(self.public.0.as_slice()),
        }]})
    }

    /// The signed token. Equal claims give equal bytes: Ed25519 needs no randomness.
    pub fn mint(&self, claims: &Claims<'_>) -> Result<String, TokenTooLong> {
        let payload = payload(claims);
        let bytes = self.length(payload.len());
        if bytes > MAX_TOKEN_BYTES {
            return Err(TokenTooLong { bytes });
        }
        let mut token = String::with_capacity(bytes);
        token.push_str(&self.header);
        jws::encode_onto(&payload, &mut token);
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        jws::encode_onto(&signature, &mut token);
        Ok(token)
    }

    /// Whether [`mint`](Self::mint) would succeed, at a fraction of its cost.
    pub fn fits(&self, claims: &Claims<'_>) -> Result<(), TokenTooLong> {
        let bytes = self.length(payload(claims).len());
        if bytes > MAX_TOKEN_BYTES { Err(TokenTooLong { bytes }) } else { Ok(()) }
    }

    fn length(&self, payload_bytes: usize) -> usize {
        self.header.len() + encoded_len(payload_bytes) + 1 + encoded_len(SIGNATURE)
    }

    /// What the host's own key is made of.
    pub fn ssh_host_seed(&self) -> &[u8; 32] {
        &self.host_seed
    }

    /// The same keys on a host that keeps its own.
    pub fn with_ssh_host_seed(self, host_seed: [u8; 32]) -> Self {
        Self { host_seed, host_fingerprint: OnceLock::new(), ..self }
    }

    /// `SHA256:<43 characters>`, as `ssh-keygen -l` prints it for that host key.
    pub fn ssh_host_fingerprint(&self) -> &str {
        self.host_fingerprint
            .get_or_init(|| ssh_fingerprint(&Signer::from_seed(&self.host_seed).public()))
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn payload(claims: &Claims<'_>) -> Vec<u8> {
    // Strings and integers always serialise; an empty payload would be refused by every reader.
    serde_json::to_vec(claims).unwrap_or_default()
}

fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

fn thumbprint(public: &[u8; 32]) -> String {
    // RFC 7638: the required members only, in lexicographic order, without whitespace.
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, jws::encode(public));
    jws::encode(digest(&SHA256, canonical.as_bytes()).as_ref())
}

fn ssh_fingerprint(public: &[u8; 32]) -> String {
    const ALGORITHM: &[u8] = b"ssh-ed25519";
    let mut blob = Vec::with_capacity(51);
    for field in [ALGORITHM, public.as_slice()] {
        blob.extend_from_slice(&u32::try_from(field.len()).unwrap_or_default().to_be_bytes());
        blob.extend_from_slice(field);
    }
    format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, &blob)))
}

/// A seed for another purpose, from which neither the first seed nor its other children follow.
fn derive(seed: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, seed), purpose);
    let mut derived = [0; 32];
    derived.copy_from_slice(&tag.as_ref()[..32]);
    derived
}
