//! The tcp listener: one session, one loopback port, one target.
//!
//! A client asks by HTTP CONNECT for exactly the session's target and shows the token, as a
//! Bearer or as the password of Basic. Without authentication the port is the plain pipe that
//! nodes have today.

mod ask;
mod lead;
mod refusal;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::meter::{Meter, Metered, Totals};
use super::{Activity, EndReason, Ended, Event, Redeemer, end_of, porch};
use ask::Ask;
pub use lead::Lead;
use lead::Way;
use refusal::Refused;

/// One carries; the others are told so.
const MAX_VISITS: usize = 128;
/// How long one that is sent away unheard may take to read why.
const SENDING_AWAY: Duration = Duration::from_secs(1);
/// From the first byte to the end of the request.
const ASKING_TIME: Duration = Duration::from_secs(30);
/// How often a client may ask on one connection.
const TRIES: usize = 3;

/// What one session's listener is given.
#[derive(Clone)]
pub struct Door {
    pub host: Box<str>,
    pub port: u16,
    /// Whether a client has to show the token.
    pub asks_token: bool,
    pub lead: Lead,
    pub redeemer: Arc<dyn Redeemer>,
    pub activity: Arc<dyn Activity>,
    pub ended: Ended,
}

impl Door {
    /// Serves until the session ends.
    pub async fn serve(self, listener: TcpListener) -> EndReason {
        let (ended, activity) = (self.ended.clone(), Arc::clone(&self.activity));
        let asks_token = self.asks_token;
        let room = Arc::new(Room { door: self, taken: AtomicBool::new(false) });
        let visit = move |number, stream, totals| {
            let room = Arc::clone(&room);
            async move { room.visit(number, stream, totals).await }
        };
        let excess = move |stream| async move {
            if asks_token {
                let _ = tokio::time::timeout(SENDING_AWAY, send_away(stream)).await;
            }
        };
        porch::serve(listener, ended, activity, MAX_VISITS, visit, excess).await
    }

    fn is_target(&self, authority: &str) -> bool {
        let Some((host, port)) = authority.rsplit_once(':') else { return false };
        bare(host).eq_ignore_ascii_case(bare(&self.host)) && port.parse() == Ok(self.port)
    }
}

/// Says that there is no room, to one whose request has not been read.
async fn send_away(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(Refused::Busy.answer().as_bytes()).await?;
    stream.shutdown().await?;
    // What is not read makes of the end a reset, and a reset takes the answer with it.
    let mut unheard = [0; 1024];
    while stream.read(&mut unheard).await? > 0 {}
    Ok(())
}

/// An IPv6 address without the brackets it wears before a port. Half a pair is part of the name.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

struct Room {
    door: Door,
    taken: AtomicBool,
}

/// The one place there is. It is free again when this is dropped.
struct Place<'r>(&'r AtomicBool);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Room {
    async fn visit(&self, number: u64, stream: TcpStream, totals: Arc<Totals>) {
        let meter = Arc::new(OnceLock::new());
        let mut stream = Metered::new(stream, Arc::clone(&meter));
        let mut ended = self.door.ended.clone();
        let carried = async {
            let opened = if self.door.asks_token {
                self.let_in(number, &mut stream).await?
            } else {
                let (place, way) = self.lead_plainly(number).await?;
                (place, way, Vec::new())
            };
            let (_place, way, early) = opened;
            let _ = meter.set(Meter::begin(number, &self.door.activity, &totals));
            way.carry(&mut stream, early).await
        };
        tokio::select! {
            // How a connection broke is its ends' business.
            _ = carried => {}
            _ = end_of(&mut ended) => {}
        }
        let _ = tokio::time::timeout(Duration::from_millis(100), stream.shutdown()).await;
    }

    fn place(&self) -> Result<Place<'_>, Refused> {
        if self.taken.swap(true, Ordering::AcqRel) {
            return Err(Refused::Busy);
        }
        Ok(Place(&self.taken))
    }

    /// Nobody is asked anything and nothing can be said; why one is sent away is noted.
    async fn lead_plainly(&self, connection: u64) -> io::Result<(Place<'_>, Way)> {
        let refused = io::ErrorKind::ConnectionRefused;
        let place = self.place().map_err(|_| {
            self.door.activity.report(Event::too_many(connection));
            refused
        })?;
        self.door.redeemer.enter().map_err(|_| refused)?;
        Ok((place, self.door.lead.begin().await?))
    }

    /// Answers requests until one is good; what the client sent behind it comes back too.
    async fn let_in<S>(
        &self,
        connection: u64,
        stream: &mut S,
    ) -> io::Result<(Place<'_>, Way, Vec<u8>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut early = Vec::new();
        for _ in 0..TRIES {
            let asking = Ask::read(stream, &mut early);
            let asked = tokio::time::timeout(ASKING_TIME, asking)
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            match self.judge(asked).await {
                Ok((place, way)) => {
                    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                    return Ok((place, way, early));
                }
                Err(refused) => {
                    // Why a token was refused is told by who judged it.
                    if let Some(request) = refused.code() {
                        let event = Event::RequestRefused { connection, request };
                        self.door.activity.report(event);
                    }
                    stream.write_all(refused.answer().as_bytes()).await?;
                    if !refused.may_ask_again() {
                        break;
                    }
                }
            }
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    /// The order: a request, a token, a target, a place, a way.
    async fn judge(&self, asked: Option<Ask>) -> Result<(Place<'_>, Way), Refused> {
        let ask = asked.ok_or(Refused::Malformed)?;
        if ask.method != "CONNECT" {
            return Err(Refused::Method);
        }
        let token = ask.token.as_deref().ok_or(Refused::NoToken)?;
        self.door.redeemer.redeem(token, "").map_err(|refusal| Refused::Token(refusal.name))?;
        if !self.door.is_target(&ask.authority) {
            return Err(Refused::Target);
        }
        let place = self.place()?;
        self.door.redeemer.enter().map_err(|refusal| Refused::Token(refusal.name))?;
        let way = self.door.lead.begin().await.map_err(|_| Refused::Unreachable)?;
        Ok((place, way))
    }
}
