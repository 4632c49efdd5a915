//! Session tokens with other claims: signed anew with a key of our own, which takes the place of
//! the server's in its key set.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;

use super::edit::apply;
use super::subject::TokenEdit;

fn key() -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(&[0x5a; 32]).ok()
}

/// The token with the change, or none where it is no token of the usual form.
pub(super) fn resigned(token: &str, edit: &TokenEdit) -> Option<String> {
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if edit.spoiled {
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).ok()?;
        *bytes.first_mut()? ^= 1;
        return Some(format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(bytes)));
    }
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    apply(&edit.header, &mut header);
    apply(&edit.claims, &mut claims);
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = key()?.sign(signed.as_bytes());
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Puts our key in the place of each key of a set, so that what we signed verifies.
pub(super) fn replace_keys(set: &mut Value) -> bool {
    let Some(key) = key() else { return false };
    let ours = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    let Some(keys) = set["keys"].as_array_mut() else { return false };
    keys.iter_mut().for_each(|key| key["x"] = ours.clone().into());
    true
}
