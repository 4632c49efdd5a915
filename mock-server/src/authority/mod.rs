//! What makes a session token genuine: the signing key, the claims, minting and redeeming.
//!
//! Beside it lives the development certificate authority, which makes the server itself genuine to
//! a client that was given its CA file.

mod claims;
mod dev_ca;
mod jws;
mod keys;
mod redeem;
mod signer;
#[cfg(test)]
mod tests;

pub use claims::{Claims, TargetClaims};
pub use dev_ca::{CaError, DevCa};
pub use keys::{Keys, MAX_TOKEN_BYTES, TokenTooLong, VerifyingKey};
pub use redeem::{Expected, Redeemed, Refusal, redeem};
