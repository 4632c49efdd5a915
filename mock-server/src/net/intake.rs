//! Taking in a request's body, whichever system it is for: bounded in bytes and in time.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};

/// What is still taken, and thrown away, of a body that is too large, so that the client has
/// a chance to read the refusal before its connection goes.
const LINGER: usize = 4 * 1024 * 1024;

/// How long a body may take where nobody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no body. Each system has its own words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It was not there in time.
    Late,
    /// It is larger than so many bytes.
    Large(usize),
    /// It ended before its end.
    Broken,
}

pub async fn take(body: Incoming, most: usize, patience: Duration) -> Result<Bytes, Lost> {
    tokio::time::timeout(patience, collect(body, most)).await.unwrap_or(Err(Lost::Late))
}

async fn collect(mut body: Incoming, most: usize) -> Result<Bytes, Lost> {
    let mut taken = Bytes::new();
    let mut more = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Lost::Broken)?.into_data() else { continue };
        seen += data.len();
        if seen > most {
            if seen > LINGER.max(most) {
                break;
            }
        } else if taken.is_empty() {
            // Nearly every body is one piece, which then need not be copied.
            taken = data;
        } else {
            more.extend_from_slice(&data);
        }
    }
    if seen > most {
        return Err(Lost::Large(most));
    }
    if more.is_empty() {
        return Ok(taken);
    }
    Ok([taken.as_ref(), &more].concat().into())
}
