//! The development certificate authority: one CA, one certificate for this machine's loopback names.
//!
//! Without a state directory the CA lives as long as the server does and only its certificate is
//! ever written, into a temporary directory that goes with it. With one it is kept, so that a client
//! that trusted it yesterday trusts it today; the server's own certificate is new at every start.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, civil};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use tempfile::{NamedTempFile, TempDir};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto::ring};

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";
const LOCK_FILE: &str = "ca.lock";
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Long enough not to be a chore, short enough not to be forgotten in a trust store for ever.
const CA_DAYS: i32 = 730;
/// What Apple's verifier accepts at most is 825.
const LEAF_DAYS: i32 = 397;
/// A kept CA this close to its end is replaced, so that no certificate outlives it.
const RENEW_BEFORE_DAYS: i32 = LEAF_DAYS + 1;

/// Whoever holds the lock makes a certificate, which takes milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error("the development certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("the development certificate cannot be served: {0}")]
    Tls(#[from] rustls::Error),
    #[error(
        "{}: another mock-server has held this for {} seconds; wait for it to start, or choose \
         another --state-dir",
        path.display(),
        LOCK_PATIENCE.as_secs()
    )]
    Busy { path: PathBuf },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

pub struct DevCa {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    file: PathBuf,
    expires: civil::Date,
    /// Removed, with the file in it, when the server stops.
    _temporary: Option<TempDir>,
}

impl DevCa {
    /// The CA of `state_dir`, made there if there is none or if it nears its end; or a temporary one.
    pub fn create(state_dir: Option<&Path>) -> Result<Self, CaError> {
        let fresh = Fresh::make()?;
        let Some(directory) = state_dir else {
            let temporary = tempfile::Builder::new()
                .prefix("mock-server-")
                .tempdir()
                .map_err(|source| CaError::File { path: std::env::temp_dir(), source })?;
            let file = temporary.path().join(CERTIFICATE_FILE);
            write(&file, fresh.pem.as_bytes())?;
            return Ok(fresh.into_ca(file, Some(temporary)));
        };
        std::fs::create_dir_all(directory)
            .map_err(|source| CaError::File { path: directory.to_owned(), source })?;
        // Clients read the path wherever they are.
        let directory = std::path::absolute(directory)
            .map_err(|source| CaError::File { path: directory.to_owned(), source })?;
        let file = directory.join(CERTIFICATE_FILE);
        let key_file = directory.join(KEY_FILE);
        // Until it is dropped: two servers that start at once must end up with one CA.
        let _lock = lock(&directory.join(LOCK_FILE))?;
        if let Some(kept) = Fresh::load(&file, &key_file) {
            return Ok(kept.into_ca(file, None));
        }
        // The key first: a certificate without its key would be trusted for nothing.
        write(&key_file, fresh.key_document().as_bytes())?;
        write(&file, fresh.pem.as_bytes())?;
        Ok(fresh.into_ca(file, None))
    }

    /// The CA certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Where a client finds it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What the server presents: a new certificate by this CA for the loopback names, and for the
    /// host that it is also known by; http/1.1 only.
    pub fn server_config(&self, host: Option<&str>) -> Result<Arc<ServerConfig>, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let bare = host.map(|host| host.trim_start_matches('[').trim_end_matches(']'));
        let other = bare.filter(|host| !NAMES.contains(host));
        let names = NAMES.into_iter().chain(other).map(String::from);
        let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
        params.distinguished_name = name("mock-server");
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        set_validity(&mut params, plus_days(today(), LEAF_DAYS).min(self.expires));
        let leaf = params.signed_by(&key, &self.issuer)?;

        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A command line client does one handshake in its life: tickets would only be one more write,
        // and unread ones turn its leaving into a reset.
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// A CA that has not been given a file yet.
struct Fresh {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    expires: civil::Date,
}

impl Fresh {
    fn make() -> Result<Self, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let expires = plus_days(today(), CA_DAYS);
        let mut params = ca_params();
        set_validity(&mut params, expires);
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem, expires })
    }

    /// What is kept, or `None` when anything of it is missing, unreadable or about to expire: a
    /// development CA is cheaper to replace than to argue about.
    fn load(file: &Path, key_file: &Path) -> Option<Self> {
        let pem = read_kept(file)?;
        let document = read_kept(key_file)?;
        let expires: civil::Date =
            document.lines().next()?.strip_prefix(EXPIRES)?.trim().parse().ok()?;
        if expires < plus_days(today(), RENEW_BEFORE_DAYS) {
            return None;
        }
        let key = KeyPair::from_pem(&document[document.find("-----BEGIN")?..]).ok()?;
        // A certificate that was put there by hand, or a key that was.
        if !certifies(&pem, &key) {
            return None;
        }
        Some(Self { issuer: Issuer::new(ca_params(), key), pem, expires })
    }

    /// The key, under a line that says until when the certificate is good.
    fn key_document(&self) -> String {
        format!("{EXPIRES}{}\n{}", self.expires, self.issuer.key().serialize_pem())
    }

    fn into_ca(self, file: PathBuf, temporary: Option<TempDir>) -> DevCa {
        DevCa {
            issuer: self.issuer,
            pem: self.pem,
            file,
            expires: self.expires,
            _temporary: temporary,
        }
    }
}

/// What is kept is a certificate and a key.
const MOST_KEPT: u64 = 64 * 1024;
const EXPIRES: &str = "expires: ";

/// What the CA's name and powers are, whenever it was made.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("mock-server development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// By the machine's own clock: certificates are judged by the client's, not by a simulated one.
fn today() -> civil::Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

fn plus_days(date: civil::Date, days: i32) -> civil::Date {
    date.saturating_add(Span::new().days(days))
}

/// From yesterday, since clocks differ, until `expires`.
fn set_validity(params: &mut CertificateParams, expires: civil::Date) {
    let part = |number: i8| u8::try_from(number).unwrap_or(1);
    let at = |date: civil::Date| {
        date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    };
    params.not_before = at(plus_days(today(), -1));
    params.not_after = at(expires);
}

/// Whether the certificate holds this key. No two keys have bytes in common that long, so its
/// structure need not be read.
fn certifies(pem: &str, key: &KeyPair) -> bool {
    let Ok(certificate) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
    let public = key.public_key_raw();
    certificate.windows(public.len()).any(|window| window == public)
}

/// Only a file is read: a pipe in its place would be waited for without end.
fn read_kept(path: &Path) -> Option<String> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mut text = String::new();
    File::open(path).ok()?.take(MOST_KEPT).read_to_string(&mut text).ok()?;
    Some(text)
}

fn lock(path: &Path) -> Result<File, CaError> {
    let wrong = |source| CaError::File { path: path.to_owned(), source };
    let file = File::options().create(true).append(true).open(path).map_err(wrong)?;
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => return Err(CaError::Busy { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(wrong(source)),
        }
    }
}

/// Complete or not at all, and readable by its owner only: temporary files are made 0600.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CaError> {
    let wrong = |source| CaError::File { path: path.to_owned(), source };
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = NamedTempFile::new_in(directory).map_err(wrong)?;
    file.write_all(bytes).map_err(wrong)?;
    file.persist(path).map_err(|error| wrong(error.error))?;
    Ok(())
}
