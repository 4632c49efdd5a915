//! The local ssh client: found on PATH, started with one argument, waited for
//! (docs/decisions/0004-*.md to 0006-*.md).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::local::vouch::{self, Note};
use crate::secret::Secret;

/// What a login name may hold unencoded in a URI.
const USERINFO: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The status OpenSSH keeps for failures of its own.
const SSH_FAILED: i32 = 255;

/// The absolute path of `ssh`. Entries of PATH that are empty or relative name whatever directory
/// the caller happens to be in, so they are passed over.
pub(crate) fn find() -> Result<PathBuf, Error> {
    on_path("ssh").ok_or(Error::SshNotFound)
}

pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::raw(env::PATH).unwrap_or_default();
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(&file))
        .find(|candidate| is_program(candidate))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// One run of ssh.
pub(crate) struct Run<'a> {
    pub(crate) program: &'a Path,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) token: &'a Secret,
    /// The login user, when a bare host:port is to be turned into a URI.
    pub(crate) uri_for: Option<&'a str>,
    pub(crate) askpass: bool,
    /// A host key fingerprint given on the command line; it goes before the endpoint's own.
    pub(crate) pin: Option<&'a str>,
    pub(crate) pass_exit_status: bool,
}

impl Run<'_> {
    /// Starts ssh, waits for it, and turns its end into ours.
    pub(crate) fn start(&self) -> Result<(), Error> {
        let cannot = |why: String| Error::SshExec { path: self.program.to_owned(), why };
        let mut command = Command::new(self.program);
        command
            .arg(self.destination())
            .env(env::SESSION_TOKEN, self.token.expose())
            .env_remove(env::TOKEN);
        let pin = self.pin.or(self.endpoint.pin.as_deref());
        let note = pin.filter(|_| self.askpass).and_then(|_| Note::about(&self.destination()));
        for name in ASKPASS_VARIABLES {
            command.env_remove(name);
        }
        if self.askpass {
            let helper = std::env::current_exe().map_err(|error| cannot(error.to_string()))?;
            command.envs(self.askpass_variables(helper.into_os_string()));
            command.envs(note.iter().map(|note| (env::ASKPASS_NOTE, note.path())));
        }
        // The name ssh knows itself by, as a shell would have it: OpenSSH prints it in its usage.
        arg0(&mut command);
        // Before plexctl ends by a signal, which lets nothing be dropped.
        let status = spawn_and_wait(&mut command, || drop(note))
            .map_err(|error| cannot(error.to_string().to_lowercase()))?;
        self.judge(status)
    }

    /// The one argument: the endpoint as the server wrote it, unless a URI was asked for.
    fn destination(&self) -> String {
        match self.uri_for {
            Some(user) if !self.endpoint.is_uri() => {
                format!("ssh://{}@{}", utf8_percent_encode(user, &USERINFO), self.endpoint.as_str())
            }
            _ => self.endpoint.as_str().to_owned(),
        }
    }

    fn askpass_variables(&self, helper: OsString) -> Vec<(&'static str, OsString)> {
        let user = self.endpoint.user.as_deref().or(self.uri_for).unwrap_or_default();
        let mut variables = vec![
            (env::SSH_ASKPASS, helper),
            (env::SSH_ASKPASS_REQUIRE, "force".into()),
            (env::ASKPASS, "1".into()),
            (env::ASKPASS_LOGIN, format!("{user}@{}", self.endpoint.host).into()),
            (env::ASKPASS_PORT, self.endpoint.port.to_string().into()),
        ];
        if let Some(pin) = self.pin.or(self.endpoint.pin.as_deref()) {
            variables.push((env::ASKPASS_PIN, pin.into()));
        }
        variables
    }

    /// What may be behind a failure of ssh's own.
    fn hint(&self, bare: bool) -> Option<String> {
        if bare {
            return Some(
                "ssh takes host:port for a host name; --ssh-uri (or PLEXCTL_SSH_URI=1) dials it \
                 as ssh://USER@host:port"
                    .to_owned(),
            );
        }
        let pin = self.pin.or(self.endpoint.pin.as_deref())?;
        vouch::hint_of_another_key(pin, &self.endpoint.host, self.endpoint.port)
    }

    fn judge(&self, status: ExitStatus) -> Result<(), Error> {
        if status.success() {
            return Ok(());
        }
        let (outcome, number) = match (status.code(), signal(status)) {
            (Some(code), _) => (format!("ended with exit status {code}"), code),
            (None, Some(signal)) => (format!("was killed by signal {signal}"), 128 + signal),
            (None, None) => ("ended without an exit status".to_owned(), 1),
        };
        let bare = !self.endpoint.is_uri() && self.uri_for.is_none();
        let hint = (status.code() == Some(SSH_FAILED)).then(|| self.hint(bare)).flatten();
        Err(Error::SshExit {
            outcome,
            handed_through: self
                .pass_exit_status
                .then(|| u8::try_from(number).unwrap_or(crate::exit::FAILURE)),
            // The status of the remote command is the caller's own affair.
            silent: self.pass_exit_status && status.code().is_some_and(|code| code != SSH_FAILED),
            hint,
        })
    }
}

/// What only a helper of ours may be told.
const ASKPASS_VARIABLES: [&str; 5] =
    [env::ASKPASS, env::ASKPASS_PIN, env::ASKPASS_LOGIN, env::ASKPASS_PORT, env::ASKPASS_NOTE];

#[cfg(unix)]
fn arg0(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.arg0("ssh");
}

#[cfg(not(unix))]
fn arg0(_: &mut Command) {}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.signal()
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(not(unix))]
fn spawn_and_wait(command: &mut Command, ended: impl FnOnce()) -> std::io::Result<ExitStatus> {
    let status = command.spawn().and_then(|mut child: Child| child.wait());
    ended();
    status
}

/// While ssh runs, the keyboard is ssh's: Ctrl-C and Ctrl-\ reach both processes, and ours only
/// takes note, so that ssh decides what they mean. SIGTERM and SIGHUP are sent to plexctl alone by
/// whoever supervises it, so they are passed on, or ssh would go on without a parent; once ssh has
/// ended, plexctl ends by the same signal. Handlers, unlike ignored signals, do not survive exec.
#[cfg(unix)]
fn spawn_and_wait(command: &mut Command, ended: impl FnOnce()) -> std::io::Result<ExitStatus> {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::flag;
    use signal_hook::low_level::{emulate_default_handler, pipe};

    let noted = Arc::new(AtomicBool::new(false));
    flag::register(SIGINT, Arc::clone(&noted))?;
    flag::register(SIGQUIT, noted)?;
    let ends = [(SIGTERM, Signal::TERM), (SIGHUP, Signal::HUP)]
        .map(|(number, signal)| (number, signal, Arc::new(AtomicBool::new(false))));
    // One pipe wakes the loop for all of them; SIGCHLD among them, so that it can sleep.
    let (mut wake, woken) = UnixStream::pair()?;
    pipe::register(SIGCHLD, woken.try_clone()?)?;
    for (number, _, raised) in &ends {
        flag::register(*number, Arc::clone(raised))?;
        pipe::register(*number, woken.try_clone()?)?;
    }

    let mut child: Child = command.spawn()?;
    let mut passed_on = [false; 2];
    loop {
        if let Some(status) = child.try_wait()? {
            ended();
            for (number, _, raised) in &ends {
                if raised.load(Ordering::SeqCst) {
                    emulate_default_handler(*number)?;
                }
            }
            return Ok(status);
        }
        for ((_, signal, raised), done) in ends.iter().zip(&mut passed_on) {
            if raised.load(Ordering::SeqCst) && !*done {
                // Not reaped yet, so the number is still ssh's own.
                kill_process(Pid::from_child(&child), *signal).ok();
                *done = true;
            }
        }
        match wake.read(&mut [0; 16]) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return child.wait(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::Kind;

    fn destination(endpoint: &str, uri_for: Option<&str>) -> String {
        let token = Secret::new(zeroize::Zeroizing::new("t".into()), 8).expect("a token");
        let endpoint = Endpoint::parse(endpoint, Kind::Ssh).expect("an endpoint");
        Run {
            program: Path::new("/ssh"),
            endpoint: &endpoint,
            token: &token,
            uri_for,
            askpass: true,
            pin: None,
            pass_exit_status: false,
        }
        .destination()
    }

    #[test]
    fn the_endpoint_is_verbatim_unless_a_uri_is_asked_for() {
        assert_eq!(destination("h:22", None), "h:22");
        assert_eq!(destination("h:22", Some("ops")), "ssh://ops@h:22");
        assert_eq!(destination("h:22", Some("a@b\\c;")), "ssh://a%40b%5Cc%3B@h:22");
        assert_eq!(destination("ssh://x@h:22", Some("ops")), "ssh://x@h:22");
    }
}
