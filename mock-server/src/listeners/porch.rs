//! What the listeners without a protocol of their own share: accepting until the session
//! ends, seeing everybody out, and telling the totals.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::meter::Totals;
use super::{Activity, EndReason, Ended, Event, end_of};

/// How long the connections of an ended session get to say goodbye.
const GOODBYE: Duration = Duration::from_millis(400);

/// Waiting after an accept that failed, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves each connection by `visit` until the session ends; then nothing of it runs on. Beyond
/// `most` at once they are sent away by `excess`, and beyond twice as many without a word.
pub(super) async fn serve<F, G>(
    listener: TcpListener,
    mut ended: Ended,
    activity: Arc<dyn Activity>,
    most: usize,
    visit: impl Fn(u64, TcpStream, Arc<Totals>) -> F,
    excess: impl Fn(TcpStream) -> G,
) -> EndReason
where
    F: Future<Output = ()> + Send + 'static,
    G: Future<Output = ()> + Send + 'static,
{
    let totals = Arc::new(Totals::default());
    let mut visits = JoinSet::new();
    let mut number = 0;
    let reason = loop {
        tokio::select! {
            biased;
            reason = end_of(&mut ended) => break reason,
            Some(_) = visits.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                number += 1;
                // A connection that cannot be set up is gone already.
                let _ = stream.set_nodelay(true);
                if visits.len() < most {
                    visits.spawn(visit(number, stream, Arc::clone(&totals)));
                    continue;
                }
                activity.report(Event::too_many(number));
                if visits.len() < 2 * most {
                    visits.spawn(excess(stream));
                }
            }
        }
    };
    drop(listener);
    let all_gone = async { while visits.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GOODBYE, all_gone).await;
    visits.shutdown().await;
    activity.report(Event::SessionEnded {
        reason,
        bytes_in: totals.bytes_in.load(Ordering::Relaxed),
        bytes_out: totals.bytes_out.load(Ordering::Relaxed),
    });
    reason
}
