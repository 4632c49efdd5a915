//! Exchanges that are asked on a connection of their own, over TLS where the server speaks it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ServerConnection, SignatureScheme,
    StreamOwned,
};
use socket2::SockRef;

use super::exchange::{After, Before};
use super::relay::{Shared, Upstream};
use crate::bench::{Request, Response, Wire};

/// One exchange after the other, each asked on a connection of its own. An error is a connection
/// to the server that broke off.
pub(super) fn in_turn(shared: &Shared, client: impl Read + Write) -> io::Result<()> {
    let mut client = Wire::new(client);
    while let Ok(Some(mut request)) = client.read_request_head() {
        if client.read_request_body(&mut request).is_err() {
            return Ok(());
        }
        let response = match shared.before(&mut request) {
            Before::Answered(response) => response,
            Before::Over | Before::Never => return Ok(()),
            Before::Unchanged | Before::Changed if shared.passes_unread(&request) => {
                return shared.ask_on(&request, &mut client.stream);
            }
            Before::Unchanged | Before::Changed => {
                let Ok(mut response) = shared.ask(&request) else { return Ok(()) };
                response.headers.remove("connection");
                if shared.answered(&request, &mut response) == After::Over {
                    return Ok(());
                }
                response
            }
        };
        let last = request
            .headers
            .get("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if response.write_to(&mut client.stream).is_err() || last {
            return Ok(());
        }
    }
    Ok(())
}

pub(super) fn in_turn_over_tls(
    shared: &Shared,
    client: TcpStream,
    config: &Arc<rustls::ServerConfig>,
) {
    let Ok(session) = ServerConnection::new(Arc::clone(config)) else { return };
    let mut stream = StreamOwned::new(session, client);
    if in_turn(shared, &mut stream).is_err() {
        let _ = SockRef::from(&stream.sock).set_linger(Some(Duration::ZERO));
        return;
    }
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

/// Asks and hears one answer, over TLS where the server speaks it, whoever it says it is.
pub(super) fn exchange(
    socket: TcpStream,
    upstream: &Upstream,
    request: &Request,
) -> io::Result<Response> {
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    if upstream.tls {
        return Wire::new(asked_over_tls(socket, upstream, request)?)
            .read_response(&request.method);
    }
    Wire::new(asked(socket, upstream, request)?).read_response(&request.method)
}

/// Asks; what comes is read by somebody else.
pub(super) fn asked(
    mut socket: TcpStream,
    upstream: &Upstream,
    request: &Request,
) -> io::Result<TcpStream> {
    named(request, upstream).write_to(&mut socket)?;
    Ok(socket)
}

fn named(request: &Request, upstream: &Upstream) -> Request {
    let mut request = request.clone();
    request.headers.remove("host");
    request.headers.0.insert(0, ("host".into(), upstream.authority.clone()));
    request
}

/// The same over TLS; what comes is read by somebody else.
pub(super) fn asked_over_tls(
    socket: TcpStream,
    upstream: &Upstream,
    request: &Request,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(schemes)))
        .with_no_client_auth();
    let name = ServerName::try_from(upstream.host.clone()).map_err(io::Error::other)?;
    let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, socket);
    named(request, upstream).write_to(&mut stream)?;
    Ok(stream)
}

/// Takes every certificate: the defect itself, of a client that looks at none.
#[derive(Debug)]
struct Anyone(Vec<SignatureScheme>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
