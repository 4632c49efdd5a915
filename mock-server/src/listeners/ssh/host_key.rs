//! The host key: Ed25519, from the 32 bytes the caller keeps. It is made of them at the first
//! connection, not when a session is issued, and then shared by all listeners of the host.

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::digest;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::Config;

use super::connection;

#[derive(Clone)]
pub struct HostKey(Arc<Host>);

struct Host {
    seed: [u8; 32],
    config: OnceLock<Arc<Config>>,
}

impl HostKey {
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Arc::new(Host { seed: *seed, config: OnceLock::new() }))
    }

    fn pair(&self) -> Ed25519Keypair {
        Ed25519Keypair::from_seed(&self.0.seed)
    }

    /// How a host with this key talks ssh.
    pub(super) fn config(&self) -> Arc<Config> {
        let make = || Arc::new(connection::config(PrivateKey::from(self.pair())));
        Arc::clone(self.0.config.get_or_init(make))
    }

    /// The public key as it goes over the wire: two length-prefixed strings.
    fn blob(&self) -> Vec<u8> {
        let public = self.pair().public.0;
        let mut blob = Vec::with_capacity(51);
        for part in [b"ssh-ed25519".as_slice(), public.as_slice()] {
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
