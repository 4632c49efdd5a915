//! The ready document: where the server is, in the one form that every reader gets.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StartError;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    event: String,
    pub http: String,
    pub https: String,
    pub ca_file: PathBuf,
    pub pid: u32,
}

impl Ready {
    pub fn new(bound: SocketAddr, ca_file: &Path) -> Self {
        let port = bound.port();
        let host = match bound {
            _ if bound.ip().is_unspecified() => "127.0.0.1".to_owned(),
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        // Everywhere `localhost` leads to this address, and to no other for sure.
        let named = if host == "127.0.0.1" { "localhost" } else { &host };
        Self {
            event: "ready".to_owned(),
            http: format!("http://{host}:{port}"),
            https: format!("https://{named}:{port}"),
            ca_file: ca_file.to_owned(),
            pid: std::process::id(),
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A reader of the file sees all of it or none of it.
pub fn write_atomically(path: &Path, text: &str) -> Result<(), StartError> {
    let failed = |source| StartError::File { place: path.display().to_string(), source };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file =
        tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new("."))).map_err(failed)?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_url_leads_to_what_is_listened_on() {
        for (bound, http, https) in [
            ("127.0.0.1:1", "http://127.0.0.1:1", "https://localhost:1"),
            ("0.0.0.0:1", "http://127.0.0.1:1", "https://localhost:1"),
            ("[::]:1", "http://127.0.0.1:1", "https://localhost:1"),
            ("127.0.0.5:1", "http://127.0.0.5:1", "https://127.0.0.5:1"),
            ("[::1]:1", "http://[::1]:1", "https://[::1]:1"),
            ("192.0.2.7:1", "http://192.0.2.7:1", "https://192.0.2.7:1"),
        ] {
            let ready = Ready::new(bound.parse().unwrap(), Path::new("/ca.pem"));
            assert_eq!((&*ready.http, &*ready.https), (http, https), "{bound}");
        }
    }
}
