//! What the server says to each thing a client asks: the protocol's events,
//! answered.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use russh::keys::Certificate;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session};
use russh::{ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Pty, Sig};
use tokio::sync::oneshot;

use super::channel::{Channel, Shared};
use super::line::Grip;
use crate::listeners::{Event, Redeemed};

const MAX_TRIES: u32 = 3;
const MAX_CHANNELS: usize = 10;
const MAX_COMMAND: usize = 1024;
/// Some clients only answer prompts that speak of a password.
const PROMPT: &str = "Session token (password): ";

pub(super) struct Visitor {
    shared: Arc<Shared>,
    grip: Grip,
    tries: u32,
    redeemed: Option<Redeemed>,
    /// Told once, when the visitor is in.
    welcome: Option<oneshot::Sender<Redeemed>>,
    channels: HashMap<ChannelId, Channel>,
}

type Done = Result<(), russh::Error>;

pub(super) fn methods() -> MethodSet {
    MethodSet::from(&[MethodKind::KeyboardInteractive, MethodKind::Password][..])
}

impl Visitor {
    pub(super) fn new(shared: Arc<Shared>, grip: Grip, welcome: oneshot::Sender<Redeemed>) -> Self {
        Self {
            shared,
            grip,
            tries: 0,
            redeemed: None,
            welcome: Some(welcome),
            channels: HashMap::new(),
        }
    }

    fn try_token(&mut self, token: &str, user: &str) -> Auth {
        self.tries += 1;
        if self.tries <= MAX_TRIES {
            let door = &self.shared.door;
            if let Ok(redeemed) = door.redeemer.redeem(token, user)
                && redeemed.user == user
                && door.user == user
            {
                self.redeemed = Some(redeemed.clone());
                if let Some(welcome) = self.welcome.take() {
                    let _ = welcome.send(redeemed);
                }
                return Auth::Accept;
            }
        }
        // After the last try no method is left, and the client gives up.
        let left = if self.tries < MAX_TRIES { methods() } else { MethodSet::empty() };
        Auth::Reject { proceed_with_methods: Some(left), partial_success: false }
    }

    fn report(&self, event: Event) {
        self.shared.door.activity.report(event);
    }

    fn refuse(&self, request: &'static str) {
        let connection = self.shared.connection;
        self.report(Event::RequestRefused { connection, request });
    }

    fn refuse_on(&self, channel: ChannelId, session: &mut Session, request: &'static str) -> Done {
        self.refuse(request);
        session.channel_failure(channel)
    }

    /// Starts a command or, without one, the shell, if the session allows it.
    fn start(&mut self, id: ChannelId, command: Option<String>, session: &mut Session) -> Done {
        let request = if command.is_some() { "exec" } else { "shell" };
        let (Some(redeemed), Some(channel)) = (&self.redeemed, self.channels.get_mut(&id)) else {
            return session.channel_failure(id);
        };
        let allowed = redeemed.allowed_commands.is_empty()
            || command.as_ref().is_some_and(|c| redeemed.allowed_commands.contains(c));
        if !allowed || !channel.is_free() {
            return self.refuse_on(id, session, request);
        }
        // The success goes out before the first byte of output.
        session.channel_success(id)?;
        channel.start(command, &self.shared, session.handle(), redeemed.ended.clone());
        Ok(())
    }
}

impl Handler for Visitor {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(self.try_token(password, user))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(mut response) = response else {
            return Ok(Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Borrowed(&[(Cow::Borrowed(PROMPT), false)]),
            });
        };
        let answer = response.next().unwrap_or_default();
        // What is not text is no token, but it is a try.
        let token = std::str::from_utf8(&answer).unwrap_or_default();
        Ok(self.try_token(token, user))
    }

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        _: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(Auth::reject())
    }

    async fn auth_openssh_certificate(
        &mut self,
        _: &str,
        _: &Certificate,
    ) -> Result<Auth, Self::Error> {
        Ok(Auth::reject())
    }

    async fn channel_open_session(
        &mut self,
        channel: russh::Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        if self.channels.len() >= MAX_CHANNELS {
            self.refuse("channel");
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let id = channel.id();
        // Data arrives through `data` below; the reading half is not needed.
        let (_, write) = channel.split();
        self.channels.insert(id, Channel::new(write));
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_x11(
        &mut self,
        _: russh::Channel<Msg>,
        _: &str,
        _: u32,
        _reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        // A reply that is dropped refuses, as administratively prohibited.
        self.refuse("x11");
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        _: russh::Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        self.refuse("direct-tcpip");
        Ok(())
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _: russh::Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        self.refuse("forwarded-tcpip");
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _: russh::Channel<Msg>,
        _: &str,
        _reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        self.refuse("direct-streamlocal");
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Done {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _: &mut Session) -> Done {
        if let Some(inlet) = self.channels.get_mut(&channel).and_then(|c| c.inlet.as_mut()) {
            inlet.close();
        }
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _: &mut Session) -> Done {
        self.shared.traffic();
        self.shared.bytes_in.fetch_add(data.len() as u64, Ordering::Relaxed);
        let inlet = self.channels.get(&channel).and_then(|c| c.inlet.as_ref());
        if let (Some(inlet), Some(redeemed)) = (inlet, &self.redeemed) {
            inlet.push(data, &self.grip, &redeemed.ended).await;
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        _: u32,
        _: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Done {
        match self.channels.get_mut(&id) {
            Some(channel) if channel.is_free() && !channel.has_terminal() => {
                channel.take_terminal(term, columns, rows);
                session.channel_success(id)
            }
            _ => self.refuse_on(id, session, "pty-req"),
        }
    }

    async fn window_change_request(
        &mut self,
        id: ChannelId,
        columns: u32,
        rows: u32,
        _: u32,
        _: u32,
        session: &mut Session,
    ) -> Done {
        match self.channels.get_mut(&id) {
            Some(channel) if channel.has_terminal() => {
                channel.resize(columns, rows);
                session.channel_success(id)
            }
            _ => session.channel_failure(id),
        }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Done {
        self.start(channel, None, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Done {
        let command = std::str::from_utf8(data).ok();
        match command.filter(|command| command.len() <= MAX_COMMAND && !command.contains('\0')) {
            Some(command) => self.start(channel, Some(command.to_owned()), session),
            None => self.refuse_on(channel, session, "exec"),
        }
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: &str,
        session: &mut Session,
    ) -> Done {
        self.refuse_on(id, session, "env")
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Done {
        self.refuse_on(id, session, "subsystem")
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Done {
        self.refuse_on(id, session, "x11-req")
    }

    async fn agent_request(&mut self, _: ChannelId, _: &mut Session) -> Result<bool, Self::Error> {
        self.refuse("auth-agent-req");
        Ok(false)
    }

    async fn signal(&mut self, id: ChannelId, _: Sig, session: &mut Session) -> Done {
        self.refuse_on(id, session, "signal")
    }

    async fn tcpip_forward(
        &mut self,
        _: &str,
        _: &mut u32,
        _: &mut Session,
    ) -> Result<bool, Self::Error> {
        self.refuse("tcpip-forward");
        Ok(false)
    }

    async fn streamlocal_forward(&mut self, _: &str, _: &mut Session) -> Result<bool, Self::Error> {
        self.refuse("streamlocal-forward");
        Ok(false)
    }
}
