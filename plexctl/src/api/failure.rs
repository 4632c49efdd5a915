//! ureq's errors in plexctl's words. Their own text is left out where it could quote the answer.

use std::io;
use std::time::Duration;

use rustls::CertificateError;

use crate::error::Error;

/// An answer that plexctl itself turns down, carried as the one kind of error ureq has for it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(&'static str);

pub(super) fn refused(why: &'static str) -> ureq::Error {
    ureq::Error::Other(Box::new(Refused(why)))
}

pub(super) fn timed_out(operation: &'static str, timeout: Duration) -> Error {
    Error::Timeout { operation, seconds: timeout.as_secs_f64() }
}

/// Whether the peer hung up, as opposed to never having been there or not answering in time.
pub(super) fn is_broken(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(io) if matches!(
        io.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    ))
}

/// The cause that an error of ureq's is.
pub(super) fn describe(operation: &'static str, error: ureq::Error, timeout: Duration) -> Error {
    let transport = |why: &str, hint: Option<&str>| Error::Transport {
        operation,
        why: why.to_owned(),
        hint: hint.map(str::to_owned),
    };
    let answer = |why: &str| Error::Answer { operation, why: why.to_owned() };
    match error {
        ureq::Error::Timeout(ureq::Timeout::Resolve) => {
            transport("the name of the server was not resolved in time", None)
        }
        ureq::Error::Timeout(ureq::Timeout::Connect) => {
            transport("no connection within the time for connecting", Some("check --server"))
        }
        ureq::Error::Timeout(_) => timed_out(operation, timeout),
        ureq::Error::HostNotFound => {
            transport("the server's name is unknown", Some("check --server"))
        }
        ureq::Error::Rustls(error) => tls(operation, &error),
        ureq::Error::Tls(why) => Error::Tls { operation, why: why.to_owned(), hint: None },
        ureq::Error::LargeResponseHeader(..) => answer("the header is larger than 64 KiB"),
        ureq::Error::Other(why) if why.is::<Refused>() => answer(&why.to_string()),
        ureq::Error::ConnectProxyFailed(_) => transport("the proxy refused the connection", None),
        ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::BodyStalled => {
            answer("not HTTP as it should be")
        }
        ureq::Error::Io(error) => io_error(operation, &error),
        _ => transport("the request failed", None),
    }
}

fn io_error(operation: &'static str, error: &io::Error) -> Error {
    if let Some(tls_error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return tls(operation, tls_error);
    }
    let (why, hint) = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            ("connection refused".to_owned(), Some("is the server running, and is --server right?"))
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => {
            ("the connection broke before the answer was complete".to_owned(), None)
        }
        _ => (format!("the connection failed: {}", error.to_string().to_lowercase()), None),
    };
    Error::Transport { operation, why, hint: hint.map(str::to_owned) }
}

fn tls(operation: &'static str, error: &rustls::Error) -> Error {
    let (why, hint) = match error {
        rustls::Error::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                "the server's certificate is signed by an unknown authority",
                Some("trust its authority with --ca-file PEM or PLEXSPHERE_CA_FILE"),
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                (
                    "the server's certificate is for another name",
                    Some("use the host name the certificate was made for in --server"),
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ("the server's certificate has expired", Some("check the clock of both sides"))
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ("the server's certificate is not valid yet", Some("check the clock of both sides"))
            }
            _ => (
                "the server's certificate is not acceptable",
                Some("--ca-file must hold the authority, not the server's own certificate"),
            ),
        },
        rustls::Error::InvalidMessage(_) => (
            "the server does not speak tls there",
            Some("is the URL of the server http:// rather than https://?"),
        ),
        rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(_) => {
            ("the server refused the handshake", Some("it may offer only versions before tls 1.2"))
        }
        _ => ("the handshake failed", None),
    };
    Error::Tls { operation, why: why.to_owned(), hint: hint.map(str::to_owned) }
}
