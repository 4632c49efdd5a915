//! What a connection does instead of answering properly, and the two ways of closing one.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use hyper::body::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use super::connection::{Phase, Transport};

/// No script holds a connection for longer, so that a forgotten client cannot either.
const LONGEST: Duration = Duration::from_secs(60);

/// After its last byte, how long a connection waits for the client to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// What was sent before a reset must have arrived before it: a reset overtakes what still waits here.
const BEFORE_RESET: Duration = Duration::from_millis(5);

/// Attached to a response as an extension, this is played on the connection in its place, and the
/// connection ends with it. What the response itself says is then only for those who look at it on
/// its way, such as a journal.
#[derive(Debug, Clone, Default)]
pub struct Script {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub enum Step {
    Send(Bytes),
    Wait(Duration),
    /// The same bytes again and again, `None` for as long as the client takes them.
    Repeat {
        chunk: Bytes,
        times: Option<u64>,
    },
    /// Silence until the client leaves.
    Stall,
    /// A TCP reset.
    Reset,
    /// The end of the stream, without the farewell that TLS prescribes.
    Cut,
}

impl Script {
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    pub(super) async fn play<T: Transport>(self, stream: T, mut phases: watch::Receiver<Phase>) {
        tokio::select! {
            // An error here is the client's leaving, which ends a script as well as its last step.
            _ = tokio::time::timeout(LONGEST, self.steps(stream)) => {}
            _ = phases.wait_for(|phase| *phase > Phase::Serving) => {}
        }
    }

    async fn steps<T: Transport>(self, mut stream: T) -> io::Result<()> {
        for step in self.steps {
            match step {
                Step::Send(bytes) => {
                    stream.write_all(&bytes).await?;
                    stream.flush().await?;
                }
                Step::Wait(duration) => tokio::time::sleep(duration).await,
                Step::Repeat { chunk, times: Some(times) } => {
                    for _ in 0..times {
                        stream.write_all(&chunk).await?;
                    }
                    stream.flush().await?;
                }
                Step::Repeat { chunk, times: None } => loop {
                    stream.write_all(&chunk).await?;
                },
                Step::Stall => return until_client_leaves(&mut stream).await,
                Step::Reset => {
                    tokio::time::sleep(BEFORE_RESET).await;
                    return stream.tcp().set_zero_linger();
                }
                Step::Cut => {
                    SockRef::from(stream.tcp()).shutdown(Shutdown::Write)?;
                    let _ = tokio::time::timeout(LINGER, until_client_leaves(&mut stream)).await;
                    return Ok(());
                }
            }
        }
        close_gently(stream).await;
        Ok(())
    }
}

/// Ends the stream and reads what the client still sends, for a moment: closing with unread bytes
/// would be a reset, and a reset can destroy an answer that the client has not read yet.
pub(super) async fn close_gently<T: Transport>(mut stream: T) {
    let gently = async {
        stream.shutdown().await?;
        until_client_leaves(&mut stream).await
    };
    let _ = tokio::time::timeout(LINGER, gently).await;
}

async fn until_client_leaves<T: Transport>(stream: &mut T) -> io::Result<()> {
    let mut ignored = [0; 4096];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
