//! plexctl as ssh's SSH_ASKPASS: answers the prompts of the one session it was started for, and no
//! others (docs/decisions/0005-*.md).
//!
//! OpenSSH tells prompts apart by their text alone, and asks again without limit. A helper that
//! answers everything would loop for ever and hand the token to whoever asks.

use std::io::{BufRead, BufReader, Write};

use zeroize::Zeroizing;

use crate::endpoint::is_fingerprint;
use crate::env;
use crate::local::vouch;
use crate::output::{Output, complaint};

const HOST_KEY: &str = "The authenticity of host '";
const HOST_KEY_END: &str = "(yes/no/[fingerprint])? ";
const HOST_KEY_AGAIN: &str = "Please type 'yes', 'no' or the fingerprint: ";
/// What a keyboard-interactive server may call the session token.
const TOKEN_PROMPTS: [&str; 3] = ["password", "session token", "session token (password)"];

/// What the helper was told by the plexctl that started ssh.
#[derive(Debug, Default)]
struct Errand {
    user: String,
    host: String,
    port: String,
    pin: Option<String>,
}

/// What a prompt deserves.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Token,
    Pin(String),
    /// The pin was given and ssh asks again: the host key is another one.
    Mismatch,
    /// Nobody but the person can decide.
    AskPerson,
    Refuse(&'static str),
}

/// Answers one prompt; false when it does not.
pub(crate) fn answer(prompt: &str) -> bool {
    if env::raw(env::SSH_ASKPASS_PROMPT).is_some() {
        return refuse("that is a dialog, not a question for a session");
    }
    let errand = Errand::from_env();
    let reply = errand.reply(prompt);
    if reply == Reply::Token
        && let Some(why) = errand.objection()
    {
        refuse(&why);
        hang_up();
        return false;
    }
    match reply {
        Reply::Token => match std::env::var(env::SESSION_TOKEN).map(Zeroizing::new) {
            Ok(token) if !token.is_empty() => say(&token),
            _ => refuse("there is no session token to answer with"),
        },
        Reply::Pin(pin) => {
            vouch::answered();
            say(&pin)
        }
        Reply::Mismatch => {
            complaint("ssh: the host key is not the one this session was issued for");
            say("no")
        }
        Reply::AskPerson => ask_person(prompt),
        Reply::Refuse(why) => refuse(why),
    }
}

fn refuse(why: &str) -> bool {
    complaint(&format!("ssh: prompt not answered: {why}"));
    false
}

fn say(answer: &str) -> bool {
    let line = Zeroizing::new(format!("{answer}\n"));
    Output::new(Default::default()).payload(line.as_bytes()).is_ok()
}

impl Errand {
    fn from_env() -> Self {
        let login = env::text(env::ASKPASS_LOGIN).unwrap_or_default();
        let (user, host) = login.rsplit_once('@').unwrap_or_default();
        Self {
            user: user.to_owned(),
            host: host.to_owned(),
            port: env::text(env::ASKPASS_PORT).unwrap_or_default(),
            pin: env::text(env::ASKPASS_PIN).filter(|pin| is_fingerprint(pin)),
        }
    }

    fn reply(&self, prompt: &str) -> Reply {
        if prompt == HOST_KEY_AGAIN {
            return if self.pin.is_some() { Reply::Mismatch } else { Reply::AskPerson };
        }
        if prompt.starts_with(HOST_KEY) && prompt.ends_with(HOST_KEY_END) {
            return match &self.pin {
                Some(pin) if self.is_our_host(prompt) => Reply::Pin(pin.clone()),
                Some(_) => Reply::Refuse("it is about the key of another host"),
                None => Reply::AskPerson,
            };
        }
        match self.asks_for_token(prompt) {
            true => Reply::Token,
            false => Reply::Refuse("it does not ask for the token of this session"),
        }
    }

    /// Why ssh may not be told the token although it asks for it.
    fn objection(&self) -> Option<String> {
        let pin = self.pin.as_deref()?;
        let at = if self.user.is_empty() { "" } else { "@" };
        let destination = format!("ssh://{}{at}{}:{}", self.user, self.host, self.port);
        vouch::objection(pin, &destination)
    }

    /// Whether a host key prompt is about our listener, which ssh writes `host` on port 22 and
    /// `[host]:port` otherwise.
    fn is_our_host(&self, prompt: &str) -> bool {
        let named = prompt.strip_prefix(HOST_KEY).unwrap_or_default();
        let (host, port) = (self.host.to_ascii_lowercase(), &self.port);
        // A bare endpoint reaches ssh as a host name with the port in it.
        [format!("[{host}]:{port}"), host.clone(), format!("{host}:{port}")].iter().any(|form| {
            named.strip_prefix(form.as_str()).is_some_and(|r| r.starts_with([' ', '\'']))
        })
    }

    /// `user@host's password: `, or `(user@host) ` and a server's name for the token.
    fn asks_for_token(&self, prompt: &str) -> bool {
        let login = |text: &str| {
            text.rsplit_once('@').is_some_and(|(user, host)| self.is_login(user, host))
        };
        if let Some(text) = prompt.strip_suffix("'s password: ") {
            return match text.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
                Some((first, second)) => login(first) && login(second),
                None => login(text),
            };
        }
        let Some((text, question)) =
            prompt.strip_prefix('(').and_then(|rest| rest.split_once(") "))
        else {
            return false;
        };
        let question = question.trim_end().trim_end_matches(':').to_ascii_lowercase();
        login(text) && TOKEN_PROMPTS.contains(&question.as_str())
    }

    /// ssh cuts a user at 30 and a host at 128 characters in some versions.
    fn is_login(&self, user: &str, host: &str) -> bool {
        let same = |ours: &str, shown: &str, cut: usize| {
            let short: String = ours.chars().take(cut).collect();
            shown == ours || shown == short
        };
        if self.host.is_empty() {
            return false;
        }
        let ours = self.host.to_ascii_lowercase();
        let host = host.to_ascii_lowercase();
        let host_fits =
            same(&ours, &host, 128) || same(&format!("{ours}:{}", self.port), &host, 128);
        host_fits && (self.user.is_empty() || same(&self.user, user, 30))
    }
}

/// Ends the ssh that asks: it would take our silence for an empty password, and ask on.
#[cfg(unix)]
fn hang_up() {
    use rustix::process::{Signal, getppid, kill_process};
    let Some(parent) = getppid() else { return };
    // Whoever else asks is not ours to end.
    let name = std::fs::read_to_string(format!("/proc/{}/comm", parent.as_raw_nonzero()));
    if name.is_ok_and(|name| name.trim_end() == "ssh") {
        kill_process(parent, Signal::TERM).ok();
    }
}

#[cfg(not(unix))]
fn hang_up() {}

/// Without a pin the person decides, on the terminal; without a terminal nobody does.
fn ask_person(prompt: &str) -> bool {
    match on_terminal(prompt) {
        Ok(answer) if !answer.is_empty() => say(&answer),
        Ok(_) => refuse("no answer"),
        Err(_) => refuse(
            "the host key is unknown and there is no terminal to ask on; \
             --host-key-fingerprint names the right one",
        ),
    }
}

#[cfg(unix)]
fn on_terminal(prompt: &str) -> std::io::Result<String> {
    let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let shown: Vec<String> = prompt.split('\n').map(crate::untrusted::shown).collect();
    terminal.write_all(shown.join("\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(terminal).read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

#[cfg(not(unix))]
fn on_terminal(_: &str) -> std::io::Result<String> {
    Err(std::io::Error::other("no terminal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

    fn errand(pin: Option<&str>) -> Errand {
        Errand {
            user: "ops".into(),
            host: "127.0.0.1".into(),
            port: "2301".into(),
            pin: pin.map(str::to_owned),
        }
    }

    fn key_prompt(host: &str) -> String {
        format!(
            "The authenticity of host '{host}' can't be established.\nED25519 key fingerprint is \
             {PIN}.\nAre you sure you want to continue connecting (yes/no/[fingerprint])? "
        )
    }

    #[test]
    fn the_token_goes_to_its_own_login_only() {
        for prompt in [
            "ops@127.0.0.1's password: ",
            "(ops@127.0.0.1) Session token: ",
            "(ops@127.0.0.1) Password: ",
            "(ops@127.0.0.1) Session token (password): ",
            "(ops@127.0.0.1) ops@127.0.0.1's password: ",
        ] {
            assert_eq!(errand(None).reply(prompt), Reply::Token, "{prompt}");
        }
        for prompt in [
            "",
            "Password: ",
            "root@127.0.0.1's password: ",
            "ops@127.0.0.2's password: ",
            "ops@jump.example.com's password: ",
            "(ops@evil) ops@127.0.0.1's password: ",
            "(ops@jump) Session token: ",
            "(ops@127.0.0.1) One-time code: ",
            "(ops@127.0.0.1) Enter your domain password or session token: ",
            "Enter passphrase for key '/root/.ssh/id_ed25519': ",
            "Enter PIN for ED25519-SK key: ",
            "Allow use of key ops@127.0.0.1?",
            "--help",
        ] {
            assert!(matches!(errand(Some(PIN)).reply(prompt), Reply::Refuse(_)), "{prompt}");
        }
        assert!(matches!(Errand::default().reply("ops@127.0.0.1's password: "), Reply::Refuse(_)));
    }

    #[test]
    fn an_errand_without_a_user_holds_for_its_host() {
        let errand = Errand { user: String::new(), ..errand(None) };
        assert_eq!(errand.reply("me@127.0.0.1's password: "), Reply::Token);
        assert_eq!(errand.reply("me@127.0.0.1:2301's password: "), Reply::Token);
        assert!(matches!(errand.reply("me@10.0.0.1's password: "), Reply::Refuse(_)));
    }

    #[test]
    fn the_pin_answers_for_our_host_only() {
        let ours = key_prompt("[127.0.0.1]:2301 ([127.0.0.1]:2301)");
        assert_eq!(errand(Some(PIN)).reply(&ours), Reply::Pin(PIN.into()));
        assert_eq!(errand(None).reply(&ours), Reply::AskPerson);
        for other in ["jump (10.0.0.1)", "[127.0.0.1]:23011 (x)", "127.0.0.11 (x)"] {
            assert!(matches!(errand(Some(PIN)).reply(&key_prompt(other)), Reply::Refuse(_)));
        }
    }

    #[test]
    fn being_asked_again_means_the_key_is_wrong() {
        assert_eq!(errand(Some(PIN)).reply(HOST_KEY_AGAIN), Reply::Mismatch);
        assert_eq!(errand(None).reply(HOST_KEY_AGAIN), Reply::AskPerson);
    }
}
