//! Certificates for the referee: one that a client given our CA must accept, and each way of
//! being unacceptable. Keys are ring's P-256, made in well under a millisecond.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::verdict::{Outcome, Reason};

/// What kind of certificate the referee shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Issued by the CA whose file the subject is given.
    Trusted,
    /// Issued by a CA the subject has never heard of.
    UnknownCa,
    SelfSigned,
    /// From the right CA, but its time is over.
    Expired,
    /// From the right CA, but for another host.
    WrongName,
}

/// A server configuration, and the CA file (PEM) that the subject is to be given.
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
}

pub(crate) fn identity(kind: Certificate) -> Outcome<Identity> {
    let known = Authority::new()?;
    let stranger;
    let issuer = if kind == Certificate::UnknownCa {
        stranger = Authority::new()?;
        &stranger
    } else {
        &known
    };
    let key = KeyPair::generate().map_err(broken)?;
    let names = match kind {
        Certificate::WrongName => vec!["elsewhere.example".to_owned()],
        _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
    };
    let mut params = CertificateParams::new(names).map_err(broken)?;
    params.distinguished_name.push(DnType::CommonName, "referee");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    if kind == Certificate::Expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 2);
    }
    let leaf = match kind {
        Certificate::SelfSigned => params.self_signed(&key),
        _ => params.signed_by(&key, &issuer.issuer),
    }
    .map_err(broken)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = config(leaf.der().clone(), private)?;
    Ok(Identity { config: Arc::new(config), ca_pem: known.pem })
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Outcome<Self> {
        let key = KeyPair::generate().map_err(broken)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "conformance referee CA");
        let pem = params.self_signed(&key).map_err(broken)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }
}

fn config(leaf: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Outcome<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .map_err(broken)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn broken(error: impl ToString) -> Reason {
    Reason::Broken(format!("making a certificate: {}", error.to_string()))
}
