//! What the nodes of all installations share: the certificate they present, and the seed of
//! the host keys where one is kept.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::net::Tls;

const HOST_SEED_FILE: &str = "ssh_host.seed";

#[derive(Default)]
pub struct Site {
    tls: OnceLock<Tls>,
    host_seed: Option<[u8; 32]>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Site")
    }
}

impl Site {
    /// A site whose hosts have the same keys tomorrow: ssh clients remember them.
    pub fn kept_in(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let file = directory.join(HOST_SEED_FILE);
        let kept = std::fs::read(&file).ok().and_then(|bytes| bytes.try_into().ok());
        let seed = match kept {
            Some(seed) => seed,
            None => {
                let mut seed = [0; 32];
                SystemRandom::new().fill(&mut seed).map_err(|_| io::ErrorKind::Other)?;
                // Temporary files are made readable by their owner only.
                let mut fresh = tempfile::NamedTempFile::new_in(directory)?;
                io::Write::write_all(&mut fresh, &seed)?;
                fresh.persist(&file).map_err(|error| error.error)?;
                seed
            }
        };
        Ok(Self { tls: OnceLock::new(), host_seed: Some(seed) })
    }

    /// The certificate's authority is made while the world is read, and comes later.
    pub fn present(&self, tls: Tls) {
        // A second one would be the same.
        let _ = self.tls.set(tls);
    }

    pub fn tls(&self) -> Option<Tls> {
        self.tls.get().cloned()
    }

    pub fn host_seed(&self) -> Option<&[u8; 32]> {
        self.host_seed.as_ref()
    }
}
