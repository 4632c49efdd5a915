//! A place taken for a session that is about to be signed. Dropped unused, for instance
//! because the client left while the signer was slow, it gives the place back.

use std::sync::Arc;
use std::time::Duration;

use super::Denial;
use super::token::{Facts, mint};
use crate::namespace::Installation;
use crate::node;
use crate::world::sessions::{NewSession, Reserved, Session};

#[derive(Debug)]
pub struct Seat {
    installation: Arc<Installation>,
    held: Option<(Reserved, NewSession)>,
}

impl Seat {
    pub(super) fn new(
        installation: Arc<Installation>,
        reserved: Reserved,
        new: NewSession,
    ) -> Self {
        Self { installation, held: Some((reserved, new)) }
    }

    /// Signs, and only then lets the session exist: a signer that is away leaves nothing behind.
    pub async fn issue(mut self) -> Result<(Session, String), Denial> {
        let signer = &self.installation.directory.file.signer;
        if signer.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(u64::from(signer.delay_ms))).await;
        }
        if !signer.available {
            return Err(Denial::SigningUnavailable);
        }
        let Some((_, new)) = &self.held else { return Err(Denial::SigningUnavailable) };
        let token = mint(&self.installation, &Facts::from(new))?;
        let Some((reserved, mut new)) = self.held.take() else {
            return Err(Denial::SigningUnavailable);
        };
        // A port that cannot be had is told before there is a session, not after.
        let Ok(door) = node::prepare(&self.installation, &mut new) else {
            self.held = Some((reserved, new));
            return Err(Denial::NoListener);
        };
        let now = self.installation.clock.now();
        let mut sessions = self.installation.sessions(now);
        let session = sessions.commit(&reserved, &new);
        if let Some(door) = door {
            sessions.hang(session.id, door.open(&self.installation, &session));
        }
        drop(sessions);
        Ok((session, token))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some((reserved, _)) = self.held.take() {
            self.installation.sessions(self.installation.clock.now()).abandon(&reserved);
        }
    }
}
