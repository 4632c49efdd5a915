//! The Kubernetes listener: one session, one loopback port with TLS, an API server behind it.
//! The token is redeemed with every request; the session's user and groups do the asking.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::meter::{Meter, Metered, Totals};
use super::{Activity, EndReason, Ended, Event, Redeemer, end_of, porch};
use crate::cluster::{Call, Caller, Clock, Cluster, RequestInfo};
use crate::kube::body::LIMIT;
use crate::kube::status::Refusal;
use crate::net::{Tls, intake};

/// kubectl opens a handful; a session is not a service.
const MAX_VISITS: usize = 64;
/// How long a handshake and the head of a request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an answer under way may still take when the session ends.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Makes the cluster when it is first called for.
pub type Backend = Arc<dyn Fn() -> Option<Cluster> + Send + Sync>;

/// What one session's listener is given.
#[derive(Clone)]
pub struct Door {
    /// The user and groups the session acts as.
    pub caller: Caller,
    pub clock: Clock,
    pub backend: Backend,
    pub tls: Tls,
    pub redeemer: Arc<dyn Redeemer>,
    pub activity: Arc<dyn Activity>,
    pub ended: Ended,
    /// How long the body of a request may take.
    pub patience: Duration,
}

impl Door {
    /// Serves until the session ends.
    pub async fn serve(self, listener: TcpListener) -> EndReason {
        let (ended, activity) = (self.ended.clone(), Arc::clone(&self.activity));
        let door = Arc::new(self);
        let visit = move |number, stream, totals| Arc::clone(&door).visit(number, stream, totals);
        let excess = |stream| async { drop::<TcpStream>(stream) };
        porch::serve(listener, ended, activity, MAX_VISITS, visit, excess).await
    }

    async fn visit(self: Arc<Self>, number: u64, stream: TcpStream, totals: Arc<Totals>) {
        let mut ended = self.ended.clone();
        let Some(tls) = (self.tls)() else { return };
        let tls = TlsAcceptor::from(tls);
        let stream = tokio::select! {
            accepted = tokio::time::timeout(PATIENCE, tls.accept(stream)) => match accepted {
                Ok(Ok(stream)) => stream,
                _ => return,
            },
            _ = end_of(&mut ended) => return,
        };
        let visit = Arc::new(Visit { door: self, number, totals, meter: Arc::default() });
        let stream = Metered::new(stream, Arc::clone(&visit.meter));
        let service = service_fn(move |request| {
            let visit = Arc::clone(&visit);
            async move { Ok::<_, Infallible>(visit.answer(request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // A client that leaves early is no failure of the server's.
            _ = &mut connection => {}
            _ = end_of(&mut ended) => {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(LAST_WORDS, connection).await;
            }
        }
    }
}

/// One connection.
struct Visit {
    door: Arc<Door>,
    number: u64,
    totals: Arc<Totals>,
    /// There once the client has shown a good token.
    meter: Arc<OnceLock<Arc<Meter>>>,
}

impl Visit {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let Some(token) = bearer(&request) else {
            let (connection, request) = (self.number, "token_required");
            self.door.activity.report(Event::RequestRefused { connection, request });
            return unauthorized();
        };
        if self.door.redeemer.redeem(token, &self.door.caller.user).is_err() {
            return unauthorized();
        }
        if self.meter.get().is_none() {
            if self.door.redeemer.enter().is_err() {
                return unauthorized();
            }
            let begin = || Meter::begin(self.number, &self.door.activity, &self.totals);
            self.meter.get_or_init(begin);
        }
        let (mut head, body) = request.into_parts();
        // The API server has no use for it, and cannot lose what it never had.
        head.headers.remove(AUTHORIZATION);
        let body = match intake::take(body, LIMIT, self.door.patience).await {
            Ok(body) => body,
            Err(lost) => return Refusal::lost(lost).response(),
        };
        let Some(cluster) = (self.door.backend)() else {
            return Refusal::internal("the cluster cannot be made").response();
        };
        let mut ended = self.door.ended.clone();
        let call = Call {
            caller: self.door.caller.clone(),
            clock: Arc::clone(&self.door.clock),
            ended: Box::pin(async move {
                end_of(&mut ended).await;
            }),
        };
        let request: Request<Bytes> = Request::from_parts(head, body);
        let response = cluster.answer(call, request).await;
        if let Some(asked) = response.extensions().get::<RequestInfo>() {
            self.door.activity.report(Event::ApiRequest {
                connection: self.number,
                verb: asked.verb,
                resource: asked.resource.clone(),
                status: response.status().as_u16(),
            });
        }
        response
    }
}

fn bearer(request: &Request<Incoming>) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Not a word about why: that is in the journal.
fn unauthorized() -> Response<Body> {
    Refusal::unauthorized().response()
}
