//! The host key: Ed25519, from the 32 bytes the caller keeps.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::digest;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;

#[derive(Clone)]
pub struct HostKey {
    pair: Ed25519Keypair,
}

impl HostKey {
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { pair: Ed25519Keypair::from_seed(seed) }
    }

    pub(super) fn private(&self) -> PrivateKey {
        PrivateKey::from(self.pair.clone())
    }

    /// The public key as it goes over the wire: two length-prefixed strings.
    fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(51);
        for part in [b"ssh-ed25519".as_slice(), self.pair.public.0.as_slice()] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            blob.extend(length.to_be_bytes());
            blob.extend(part);
        }
        blob
    }

    /// As ssh prints and compares it: `SHA256:` and 43 characters.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hash = digest::digest(&digest::SHA256, &self.blob());
        format!("SHA256:{}", STANDARD_NO_PAD.encode(hash))
    }
}

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HostKey").field(&self.fingerprint()).finish()
    }
}
