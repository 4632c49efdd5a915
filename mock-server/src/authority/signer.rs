//! Signing by Ed25519, which is most of what an issue costs.

use ed25519_dalek::{Signer as _, SigningKey};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use graviola::signing::eddsa::Ed25519SigningKey;

/// The signature's length in bytes.
pub(super) const SIGNATURE: usize = 64;

/// A key ready to sign. All ways of signing give the same bytes; they differ in their speed and in
/// the processors they run on.
pub(super) enum Signer {
    /// Verified assembly, for processors that have all the instructions it uses.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    Assembly(Ed25519SigningKey),
    Portable(SigningKey),
}

impl Signer {
    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        if graviola::util::is_cpu_supported()
            && let Ok(key) = Ed25519SigningKey::from_bytes(seed)
        {
            return Self::Assembly(key);
        }
        Self::Portable(SigningKey::from_bytes(seed))
    }

    pub(super) fn public(&self) -> [u8; 32] {
        match self {
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            Self::Assembly(key) => key.public_key().as_bytes(),
            Self::Portable(key) => key.verifying_key().to_bytes(),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE] {
        match self {
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            Self::Assembly(key) => key.sign(message),
            Self::Portable(key) => key.sign(message).to_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_signing_gives_the_same_bytes() {
        for n in 0..=64_u8 {
            let seed = [n.wrapping_mul(37); 32];
            let message = vec![n; usize::from(n) * 13];
            let (chosen, portable) =
                (Signer::from_seed(&seed), Signer::Portable(SigningKey::from_bytes(&seed)));
            assert_eq!(chosen.public(), portable.public());
            assert_eq!(chosen.sign(&message), portable.sign(&message));
        }
    }
}
