//! Reading files that hold secrets: only a caller's own regular file that nobody else can open
//! (docs/decisions/0012-*.md).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::Secret;

/// The largest file worth reading.
const MAX_FILE: u64 = 64 * 1024;
/// The longest operator token: whatever fits in such a file.
const MAX_LENGTH: usize = MAX_FILE as usize;

/// The token in a file, one trailing newline dropped.
pub(crate) fn token_file(path: &Path) -> Result<Secret, Error> {
    let mut text = match private_text(path) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(invalid(&path.display().to_string(), "no such file")),
        Err(error) => return Err(error),
    };
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    token(text, &path.display().to_string())
}

/// A token from anywhere, checked; `source` names the place in messages.
pub(crate) fn token(text: Zeroizing<String>, source: &str) -> Result<Secret, Error> {
    Secret::new(text, MAX_LENGTH).map_err(|why| invalid(source, &format!("the token {why}")))
}

fn invalid(source: &str, why: &str) -> Error {
    Error::InvalidCredentials { source_name: source.to_owned(), why: why.to_owned() }
}

/// The text of a private file; `None` when there is no such file.
pub(crate) fn private_text(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(invalid(&path.display().to_string(), &format!("cannot be read: {error}")));
        }
    };
    judge(path, &file)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    let name = path.display().to_string();
    read.map_err(|error| invalid(&name, &format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(invalid(&name, "larger than 64 KiB"));
    }
    if bytes.is_empty() {
        return Err(invalid(&name, "empty"));
    }
    // Not from_utf8 on the Vec itself: its error would carry the bytes away unwiped.
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(invalid(&name, "not text")),
    }
}

#[cfg(unix)]
fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // Without O_NONBLOCK, opening a FIFO would wait for a writer that never comes.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Judges the opened file, not its name: a symlink is as good as what it opens, and nothing can be
/// swapped between the look and the read.
#[cfg(unix)]
fn judge(path: &Path, file: &File) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let refuse = |why: String, hint: Option<String>| Error::InsecureCredentials {
        path: path.to_owned(),
        why,
        hint,
    };
    let metadata = file.metadata().map_err(|error| refuse(error.to_string(), None))?;
    if !metadata.is_file() {
        return Err(refuse("not a regular file".into(), None));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        let hint = "use a file that you own".to_owned();
        return Err(refuse("it belongs to another user".into(), Some(hint)));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(refuse(
            format!("its mode is {mode:04o}, so others can open it"),
            Some(format!("chmod 600 {}", path.display())),
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn open(path: &Path) -> std::io::Result<File> {
    File::open(path)
}

#[cfg(not(unix))]
fn judge(path: &Path, _: &File) -> Result<(), Error> {
    Err(Error::InsecureCredentials {
        path: path.to_owned(),
        why: "on this system plexctl cannot tell who may open it".into(),
        hint: Some("set PLEXSPHERE_TOKEN instead".into()),
    })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    fn file(dir: &Path, content: &[u8], mode: u32) -> PathBuf {
        let path = dir.join(format!("token-{mode:o}"));
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        path
    }

    #[test]
    fn modes() {
        for (mode, kind) in [
            (0o600, None),
            (0o400, None),
            (0o700, None),
            (0o644, Some("insecure_credentials")),
            (0o640, Some("insecure_credentials")),
            (0o620, Some("insecure_credentials")),
            (0o604, Some("insecure_credentials")),
            (0o601, Some("insecure_credentials")),
            (0o666, Some("insecure_credentials")),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            let path = file(dir.path(), b"psk_x\n", mode);
            let link = dir.path().join("link");
            symlink(&path, &link).expect("a link");
            for path in [&path, &link] {
                assert_eq!(token_file(path).err().map(|e| e.kind()), kind, "{mode:o}");
            }
        }
    }

    #[test]
    fn contents() {
        for (content, token) in [
            (&b"psk_x"[..], Some("psk_x")),
            (b"psk_x\n", Some("psk_x")),
            (b"psk_x\r\n", Some("psk_x")),
            (b"psk_x\n\n", None),
            (b" psk_x", None),
            (b"a b", None),
            (b"", None),
            (b"\n", None),
            (b"\xff\xfe", None),
            (b"a\0b", None),
            (&[b'x'; 65 * 1024], None),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            let read = token_file(&file(dir.path(), content, 0o600));
            assert_eq!(read.as_ref().ok().map(Secret::expose), token);
            if let Err(error) = read {
                assert_eq!(error.kind(), "invalid_credentials");
            }
        }
    }

    #[test]
    fn other_kinds_of_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let kind = |path: &Path| token_file(path).err().map(|error| error.kind());
        assert_eq!(kind(dir.path()), Some("insecure_credentials"));
        assert_eq!(kind(&dir.path().join("absent")), Some("invalid_credentials"));
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a fifo");
        assert_eq!(kind(&fifo), Some("insecure_credentials"));
        let around = dir.path().join("loop");
        symlink(&around, &around).expect("a link");
        assert_eq!(kind(&around), Some("invalid_credentials"));
        assert_eq!(kind(Path::new("/dev/null")), Some("insecure_credentials"));
    }
}
