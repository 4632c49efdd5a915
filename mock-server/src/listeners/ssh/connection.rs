//! One connection, from its first byte to its last.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::server::{Config, run_stream};
use russh::{Disconnect, SshId};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

use super::channel::Shared;
use super::handler::{Visitor, methods};
use super::line::{Grip, Line};
use super::{BANNER, Door, Ledger};
use crate::listeners::pulse::Pulse;
use crate::listeners::{EndReason, Ended, Event, Redeemed, end_of};

/// From the first byte to a successful login.
const LOGIN_TIME: Duration = Duration::from_secs(30);
/// A wrong token is answered this late, which makes guessing slow.
const REJECTION_TIME: Duration = Duration::from_millis(300);
/// A client that has vanished without a word is noticed after four of these.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long channels may take for their last words, and then the connection.
const LAST_WORDS: Duration = Duration::from_millis(200);

pub(super) fn config(key: PrivateKey) -> Config {
    Config {
        server_id: SshId::Standard(Cow::Borrowed(BANNER)),
        methods: methods(),
        auth_rejection_time: REJECTION_TIME,
        // Nearly every client begins by asking with the method `none` what is
        // on offer; that is no guess.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        // Three tries and the probe. The visitor counts the tries itself.
        max_auth_attempts: 4,
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        // What one turn of the connection can send, in packets: with few, a
        // client that sends and takes much at once is served slowly.
        event_buffer_size: 64,
        ..Config::default()
    }
}

/// Cuts the line when the task that serves it is dropped.
struct CutAtEnd(Grip);

impl Drop for CutAtEnd {
    fn drop(&mut self) {
        self.0.cut();
    }
}

pub(super) async fn serve(
    number: u64,
    config: Arc<Config>,
    stream: TcpStream,
    door: Arc<Door>,
    ledger: Arc<Ledger>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let (line, grip) = Line::new(stream);
    let _guard = CutAtEnd(grip.clone());
    let shared = Arc::new(Shared {
        connection: number,
        door: Arc::clone(&door),
        pressure: Arc::default(),
        bytes_in: AtomicU64::new(0),
        bytes_out: AtomicU64::new(0),
        busy: watch::Sender::new(0),
        pulse: Pulse::default(),
    });
    let (welcome, mut welcomed) = oneshot::channel();
    let visitor = Visitor::new(Arc::clone(&shared), grip.clone(), welcome);
    let deadline = tokio::time::Instant::now() + LOGIN_TIME;
    let mut door_ended = door.ended.clone();
    // An error here is a client that is no ssh client, or no longer there.
    let session = tokio::select! {
        session = run_stream(config, line, visitor) => match session {
            Ok(session) => session,
            Err(_) => return,
        },
        () = tokio::time::sleep_until(deadline) => return,
        _ = end_of(&mut door_ended) => return,
    };
    let handle = session.handle();
    let mut session = std::pin::pin!(session);
    let (redeemed, over) = tokio::select! {
        admitted = admitted(&mut session, &mut welcomed) => match admitted {
            Some(admitted) => admitted,
            None => return,
        },
        () = tokio::time::sleep_until(deadline) => return,
        reason = end_of(&mut door_ended) => {
            let _ = handle.disconnect(Disconnect::ByApplication, reason.words().into(), String::new()).await;
            let _ = tokio::time::timeout(LAST_WORDS, &mut session).await;
            return;
        }
    };
    let _stay = Stay::begin(number, &door, &ledger, &shared);
    if over {
        return;
    }
    tokio::select! {
        _ = &mut session => {}
        reason = end_of_either(redeemed, door_ended) => {
            // The channels have seen the same end and are telling it.
            let mut busy = shared.busy.subscribe();
            let _ = tokio::time::timeout(LAST_WORDS, busy.wait_for(|count| *count == 0)).await;
            let goodbye = async {
                let _ = handle.disconnect(Disconnect::ByApplication, reason.words().into(), String::new()).await;
                let _ = (&mut session).await;
            };
            let _ = tokio::time::timeout(LAST_WORDS, goodbye).await;
        }
    }
}

/// Waits until the visitor is let in, and tells whether the session is over all the same: who asks
/// and leaves before anybody has looked has been here. `None` for one who was not let in.
async fn admitted(
    session: impl Future,
    welcomed: &mut oneshot::Receiver<Redeemed>,
) -> Option<(Redeemed, bool)> {
    tokio::select! {
        biased;
        welcomed = &mut *welcomed => Some((welcomed.ok()?, false)),
        _ = session => Some((welcomed.try_recv().ok()?, true)),
    }
}

async fn end_of_either(mut redeemed: Redeemed, mut door: Ended) -> EndReason {
    tokio::select! {
        reason = end_of(&mut redeemed.ended) => reason,
        reason = end_of(&mut door) => reason,
    }
}

/// A visitor's stay, told at both ends however it ends.
struct Stay<'a> {
    number: u64,
    door: &'a Door,
    ledger: &'a Ledger,
    shared: &'a Shared,
}

impl<'a> Stay<'a> {
    fn begin(number: u64, door: &'a Door, ledger: &'a Ledger, shared: &'a Shared) -> Self {
        if !ledger.started.swap(true, Ordering::Relaxed) {
            door.activity.report(Event::SessionStarted);
        }
        door.activity.report(Event::ConnectionOpened { connection: number });
        Self { number, door, ledger, shared }
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        let bytes_in = self.shared.bytes_in.load(Ordering::Relaxed);
        let bytes_out = self.shared.bytes_out.load(Ordering::Relaxed);
        self.ledger.bytes_in.fetch_add(bytes_in, Ordering::Relaxed);
        self.ledger.bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
        self.door.activity.report(Event::ConnectionClosed {
            connection: self.number,
            bytes_in,
            bytes_out,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_leaves_as_soon_as_he_is_let_in_was_let_in() {
        let ended = watch::Sender::new(None).subscribe();
        let redeemed = || Redeemed {
            session_id: uuid::Uuid::nil(),
            user: "ops".to_owned(),
            allowed_commands: Vec::new(),
            expires_at: jiff::Timestamp::MAX,
            ended: ended.clone(),
        };
        // A choice by chance would go wrong every second time.
        for _ in 0..64 {
            let (welcome, mut welcomed) = oneshot::channel();
            assert!(welcome.send(redeemed()).is_ok());
            assert!(admitted(std::future::ready(()), &mut welcomed).await.is_some());
        }
        // Let in while the session ran its last.
        let (welcome, mut welcomed) = oneshot::channel();
        let session = async { assert!(welcome.send(redeemed()).is_ok()) };
        let admitted_late = admitted(session, &mut welcomed).await;
        assert!(matches!(admitted_late, Some((_, true))));
        // And who was never let in.
        let (welcome, mut welcomed) = oneshot::channel::<Redeemed>();
        assert!(admitted(std::future::ready(()), &mut welcomed).await.is_none());
        drop(welcome);
    }
}
