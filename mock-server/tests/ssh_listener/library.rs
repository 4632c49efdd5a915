//! A library client, for what the command line clients would not ask.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg};

use crate::door::{Session, TOKEN, USER, open, text};

pub(crate) struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

pub(crate) async fn connect(session: &Session) -> Result<Handle<Trusting>, russh::Error> {
    let config = Arc::new(client::Config::default());
    client::connect(config, ("127.0.0.1", session.port), Trusting).await
}

pub(crate) async fn login(session: &Session) -> Handle<Trusting> {
    let mut handle = connect(session).await.unwrap();
    let result = handle.authenticate_password(USER, TOKEN).await.unwrap();
    assert!(matches!(result, AuthResult::Success), "{result:?}");
    handle
}

/// Somebody at a terminal.
pub(crate) struct Person {
    pub(crate) channel: Channel<client::Msg>,
    seen: String,
}

impl Person {
    pub(crate) async fn at(handle: &Handle<Trusting>, columns: u32, rows: u32) -> Self {
        let channel = handle.channel_open_session().await.unwrap();
        channel.request_pty(true, "xterm", columns, rows, 0, 0, &[]).await.unwrap();
        channel.request_shell(true).await.unwrap();
        Self { channel, seen: String::new() }
    }

    pub(crate) async fn type_in(&self, keys: &str) {
        self.channel.data(keys.as_bytes()).await.unwrap();
    }

    /// Waits until the screen has shown a text, and forgets all up to it.
    pub(crate) async fn expect(&mut self, wanted: &str) -> String {
        let reading = async {
            loop {
                if let Some(at) = self.seen.find(wanted) {
                    let rest = self.seen.split_off(at + wanted.len());
                    return std::mem::replace(&mut self.seen, rest);
                }
                match self.channel.wait().await {
                    Some(ChannelMsg::Data { data }) => self.seen.push_str(&text(&data)),
                    Some(_) => {}
                    None => return format!("CLOSED after {:?}", self.seen),
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(10), reading).await;
        let found = found.unwrap_or_else(|_| format!("TIMEOUT waiting for {wanted:?}"));
        assert!(found.ends_with(wanted), "{found}");
        found
    }
}

/// What a command wrote, its status and its signal.
pub(crate) async fn exec(
    handle: &Handle<Trusting>,
    command: &str,
) -> (String, Option<u32>, String) {
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    let (mut out, mut status, mut signal) = (String::new(), None, String::new());
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => out.push_str(&text(&data)),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => signal = format!("{signal_name:?}"),
            ChannelMsg::Failure => signal = "refused".into(),
            _ => {}
        }
        if signal == "refused" {
            break;
        }
    }
    (out, status, signal)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_told_by_its_name() {
    let session = open().await;
    let handle = login(&session).await;
    assert_eq!(
        exec(&handle, "echo a; kill -TERM $$; echo b").await,
        ("a\n".into(), None, "TERM".into())
    );
    assert_eq!(exec(&handle, "(exit 9)").await, (String::new(), Some(9), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keyboard_interactive_asks_for_the_session_token_and_a_password() {
    let session = open().await;
    let mut handle = connect(&session).await.unwrap();
    let asked = handle.authenticate_keyboard_interactive_start(USER, None).await.unwrap();
    let KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } = asked else {
        unreachable!("{asked:?}");
    };
    assert_eq!(prompts.len(), 1);
    assert!(prompts[0].prompt.contains("Session token") && prompts[0].prompt.contains("password"));
    assert!(!prompts[0].echo);
    let done = handle.authenticate_keyboard_interactive_respond(vec![TOKEN.to_owned()]).await;
    assert!(matches!(done, Ok(KeyboardInteractiveAuthResponse::Success)), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn publickey_and_none_are_never_on_offer() {
    let session = open().await;
    let mut handle = connect(&session).await.unwrap();
    let AuthResult::Failure { remaining_methods, .. } =
        handle.authenticate_none(USER).await.unwrap()
    else {
        unreachable!("none let somebody in");
    };
    let offered: Vec<String> = remaining_methods.iter().map(|m| format!("{m:?}")).collect();
    assert_eq!(offered, ["KeyboardInteractive", "Password"]);
}
