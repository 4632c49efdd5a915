//! `--wait`: from contract 2026-08 on, a session is issued before its node has a listener for it, and
//! the endpoint appears on the session when it is read later (docs/decisions/0022-*.md).

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::api::Client;
use crate::endpoint::Fault;
use crate::error::Error;

/// Nodes report within a moment, as a rule; then ever less often.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The last question gets an answer even when it is asked at the last moment.
const LAST_QUESTION: Duration = Duration::from_secs(1);

/// Reads the session until it has an endpoint, or `limit` is over.
pub(crate) fn for_endpoint(
    client: &Client,
    project_id: Uuid,
    session_id: Uuid,
    limit: Duration,
) -> Result<String, Error> {
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let trouble =
            match client.read_session(project_id, session_id, Some(left.max(LAST_QUESTION))) {
                Ok(session) if session.is_over() => {
                    return Err(Error::Session(
                        "it ended before its node reported a listener".into(),
                    ));
                }
                Ok(session) => match session.listener_endpoint.filter(|text| !text.is_empty()) {
                    Some(text) => return Ok(text),
                    None => None,
                },
                // What is refused now will be refused again.
                Err(error)
                    if error.http_status().is_some_and(|status| status < 500 && status != 429) =>
                {
                    return Err(error);
                }
                Err(error) => Some(error),
            };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let seconds = limit.as_secs_f64();
            return Err(trouble.unwrap_or(Error::Endpoint(Fault::Unreported { seconds })));
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
