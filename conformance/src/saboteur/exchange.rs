//! What a defect makes of an exchange: of a request before the server sees it, and of its answer.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::alone;
use super::relay::{Shared, locked};
use super::scout::shown;
use super::subject::Act;
use super::token;
use super::traffic::{filled, mentions_token, operation};
use crate::bench::{Request, Response, Wire};

/// What becomes of a request.
pub(super) enum Before {
    Unchanged,
    Changed,
    Answered(Response),
    Over,
    Never,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Unchanged,
    Changed,
    /// The connection ends in its place.
    Over,
    /// The connection ends with it.
    Last,
    /// What it opens is a WebSocket, which is closed with this code.
    ClosedAs(u16),
}

/// Whether an answer says where the server is: the ready document, and every file that leads
/// back to it.
fn names_the_server(request: &Request, response: &Response) -> bool {
    let ready =
        operation(&request.method, &request.path) == "control" && request.path.contains("/ready");
    let media = response.headers.get("content-type").unwrap_or_default();
    ready || (media.starts_with("application/yaml") && !is_played(request))
}

/// Whether a scenario answers.
fn is_played(request: &Request) -> bool {
    request.path.contains("/scenarios/")
}

impl Shared {
    /// Whether requests must be whole before they are passed on.
    pub(super) fn holds_requests(&self) -> bool {
        self.acts(Act::is_about_requests)
    }

    /// What becomes of a whole request before the server sees it.
    pub(super) fn before(&self, request: &mut Request) -> Before {
        let Some(traffic) = &self.traffic else { return Before::Unchanged };
        if traffic.when.minds_the_answer() || !traffic.when.asks(request) {
            return Before::Unchanged;
        }
        if !self.holds_requests() || !self.in_turn() {
            return Before::Unchanged;
        }
        match &traffic.act {
            Act::Request(edit) if filled(edit, &self.own_token(), "").change(request) => {
                self.marker.act();
                return Before::Changed;
            }
            Act::Twice => {
                self.marker.act();
                let _ = self.ask(request);
            }
            Act::Before(edit) => {
                let mut first = request.clone();
                edit.change(&mut first);
                self.marker.act();
                let _ = self.ask(&first);
            }
            Act::Swallowed(edit) => {
                self.marker.act();
                return Before::Answered(edit.alone());
            }
            Act::Closed => {
                self.marker.act();
                return Before::Over;
            }
            Act::Silent => {
                self.marker.act();
                return Before::Never;
            }
            _ => {}
        }
        Before::Unchanged
    }

    /// The token of the session whose listener this is, or of the last one that was issued.
    pub(super) fn own_token(&self) -> String {
        match &self.door {
            Some(door) => door.token.clone(),
            None => locked(&self.tokens).last().cloned().unwrap_or_default(),
        }
    }

    /// Counts an exchange of the kind, and says whether it is the turn of this one.
    fn in_turn(&self) -> bool {
        let after = self.traffic.as_ref().map_or(0, |traffic| traffic.when.after);
        self.counted.fetch_add(1, Ordering::SeqCst) >= after
    }

    /// Whether the answer with this head is to be read whole.
    pub(super) fn wants(&self, request: &Request, response: &Response) -> bool {
        let operation = operation(&request.method, &request.path);
        if self.scout.as_ref().is_some_and(|scout| scout.looks(request, response)) {
            return true;
        }
        let keys = operation == "GetJwks" && self.signs_anew();
        if self.own.is_some() && (names_the_server(request, response) || keys) {
            return true;
        }
        // The answers of a scenario are told to the byte, and lead nowhere.
        let played = is_played(request);
        if self.doors.is_some() && !played && matches!(operation, "IssueSession" | "GetSession") {
            return true;
        }
        if response.status == 201
            && !played
            && self.acts(|act| matches!(act, Act::Answer(edit) if mentions_token(edit)))
        {
            return true;
        }
        // The token is wanted from every session, whatever the defect.
        if self.traffic.is_none() {
            return response.status == 201 && !played;
        }
        let Some(traffic) = &self.traffic else { return false };
        traffic.act.is_about_answers() && traffic.when.asks(request) && traffic.when.heard(response)
    }

    fn signs_anew(&self) -> bool {
        self.acts(Act::signs_anew)
    }

    /// A whole answer on its way to the client.
    pub(super) fn answered(&self, request: &Request, response: &mut Response) -> After {
        let operation = operation(&request.method, &request.path);
        if let Some(token) = response.json()["token"].as_str() {
            locked(&self.tokens).push(token.to_owned());
        }
        if let Some(scout) = &self.scout {
            scout.answered(request, response, &self.own_token());
        }
        let mut after = After::Unchanged;
        if let Some(renaming) = &self.own
            && names_the_server(request, response)
        {
            let said = String::from_utf8_lossy(&response.body);
            let renamed =
                renaming.iter().fold(said.to_string(), |text, (from, to)| text.replace(from, to));
            if renamed != said {
                response.body = renamed.into_bytes();
                after = After::Changed;
            }
        }
        if operation == "GetJwks" && self.signs_anew() {
            let mut set = response.json();
            if token::replace_keys(&mut set) {
                response.body = set.to_string().into_bytes();
                after = After::Changed;
            }
        }
        if let Some(doors) = &self.doors
            && !is_played(request)
            && matches!(operation, "IssueSession" | "GetSession")
            && doors.put_in_place(response)
        {
            after = After::Changed;
        }
        let Some(traffic) = &self.traffic else { return after };
        let fits = traffic.when.asks(request)
            && traffic.when.heard(response)
            && traffic.when.read(response);
        if !fits || !self.in_turn() {
            return after;
        }
        match &traffic.act {
            Act::Answer(edit) => {
                let edit = filled(edit, &self.own_token(), shown(request));
                if edit.change(response) {
                    after = self.changed();
                }
            }
            Act::AskedAgain(edit) => {
                let mut again = request.clone();
                edit.change(&mut again);
                if let Ok(other) = self.ask(&again) {
                    *response = other;
                    after = self.changed();
                }
            }
            Act::Followed => {
                if let Some(other) = self.followed(request, response) {
                    *response = other;
                    after = self.changed();
                }
            }
            Act::Remembered => {
                let key =
                    [request.method.as_bytes(), request.path.as_bytes(), &request.body].concat();
                let mut remembered = locked(&self.remembered);
                if let Some(held) = remembered.get(&key) {
                    *response = held.clone();
                    after = self.changed();
                } else {
                    remembered.insert(key, response.clone());
                }
            }
            Act::Late(millis) => {
                self.marker.act();
                thread::sleep(Duration::from_millis(*millis));
            }
            Act::Closed if traffic.when.minds_the_answer() => {
                self.marker.act();
                after = After::Over;
            }
            Act::ClosedAfterwards => {
                self.marker.act();
                after = After::Last;
            }
            Act::ClosedAs(code) if response.status == 101 => {
                self.marker.act();
                after = After::ClosedAs(*code);
            }
            Act::Unverified => self.marker.act(),
            _ => {}
        }
        after
    }

    fn changed(&self) -> After {
        self.marker.act();
        After::Changed
    }

    /// Asks the server on a connection of its own.
    pub(super) fn ask(&self, request: &Request) -> io::Result<Response> {
        let mut alone = request.clone();
        alone.headers.remove("connection");
        alone.headers.push("connection", "close");
        alone::exchange(self.dial()?, &self.upstream, &alone)
    }

    /// Whether the answer is handed on as it comes: it goes on for as long as anybody listens, or
    /// is told to the byte.
    pub(super) fn passes_unread(&self, request: &Request) -> bool {
        let about_it = self.traffic.as_ref().is_some_and(|traffic| traffic.when.asks(request));
        match &self.door {
            Some(_) => request.path.contains("watch="),
            None => is_played(request) && !about_it,
        }
    }

    /// Asks, and hands the answer on as it comes.
    pub(super) fn ask_on(&self, request: &Request, client: &mut impl Write) -> io::Result<()> {
        if !self.upstream.tls {
            let mut upstream = alone::asked(self.dial()?, &self.upstream, request)?;
            return io::copy(&mut upstream, client).map(drop);
        }
        let mut upstream = alone::asked_over_tls(self.dial()?, &self.upstream, request)?;
        io::copy(&mut upstream, client).map(drop)
    }

    /// The answer from where a redirect leads, on this machine.
    fn followed(&self, request: &Request, response: &Response) -> Option<Response> {
        let to = response.headers.get("location")?;
        let base =
            url::Url::parse(&format!("http://{}{}", self.upstream.authority, request.path)).ok()?;
        let to = base.join(to).ok()?;
        let socket = TcpStream::connect((to.host_str()?, to.port_or_known_default()?)).ok()?;
        let mut again = request.clone();
        again.path = to.path().to_owned();
        again.headers.remove("connection");
        again.headers.push("connection", "close");
        let mut wire = Wire::new(socket);
        again.write_to(&mut wire.stream).ok()?;
        wire.stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        wire.read_response(&again.method).ok()
    }
}
