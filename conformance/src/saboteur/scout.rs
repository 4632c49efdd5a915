//! An honest run, watched: which defects would have had their chance in it. Up to the first
//! chance a broken subject does what the honest one does, so a rule that gives a defect none
//! cannot notice it, and need not be asked.
//!
//! Whatever cannot be told without doing it counts as a chance.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::relay::locked;
use super::stand::Stand;
use super::subject::{Act, Defect, End, Subject, Traffic};
use super::traffic::{filled, operation};
use super::wire::HELD_LIMIT;
use super::words::change_environment;
use crate::bench::{Request, Response};

const REACHED: &str = "reached";

/// The subjects that had their chance in the runs of this program.
pub(super) fn reached(program: &Path) -> io::Result<BTreeSet<String>> {
    match fs::read_to_string(program.with_file_name(REACHED)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// One run of an honest program, and the subjects that somebody wants to know of.
#[derive(Debug)]
pub(super) struct Scout {
    traffic: Vec<Passing>,
    /// Those that act when the program has ended, with the codes they act upon.
    afterwards: Vec<(String, Vec<i32>)>,
    place: PathBuf,
    told: Mutex<BTreeSet<String>>,
}

/// A subject that acts on what passes.
#[derive(Debug)]
struct Passing {
    id: String,
    traffic: Traffic,
    reached: AtomicBool,
}

impl Scout {
    /// Looks at the arguments and the environment; none where nobody asks.
    pub(super) fn of(stand: &Stand, args: &[OsString]) -> Option<Arc<Self>> {
        if stand.candidates.is_empty() {
            return None;
        }
        let mut scout = Self {
            traffic: Vec::new(),
            afterwards: Vec::new(),
            place: stand.beside(REACHED),
            told: Mutex::default(),
        };
        for subject in &stand.candidates {
            if subject.when.before(args) {
                scout.starts(subject, args);
            }
        }
        Some(Arc::new(scout))
    }

    fn starts(&mut self, subject: &Subject, args: &[OsString]) {
        let id = subject.id();
        match &subject.defect {
            Defect::Args(words) if words.change(args) == args => {}
            Defect::Env(environment) if !change_environment(&mut Command::new(""), environment) => {
            }
            Defect::Ask { .. } if subject.when.exit.is_empty() => self.reach(&id),
            Defect::Ends(End::Prompt | End::Dumpable) => self.reach(&id),
            Defect::Exit { .. }
            | Defect::Again(_)
            | Defect::Stream(_)
            | Defect::Leak { .. }
            | Defect::Ask { .. }
            | Defect::Ends(_) => self.afterwards.push((id, subject.when.exit.clone())),
            Defect::Traffic(traffic) if traffic.act.is_about_connections() => self.reach(&id),
            Defect::Traffic(traffic) => {
                let traffic = (**traffic).clone();
                self.traffic.push(Passing { id, traffic, reached: AtomicBool::default() });
            }
            _ => self.reach(&id),
        }
    }

    /// The program has ended, with this code if it did so by itself.
    pub(super) fn ended(&self, code: Option<i32>) {
        for (id, codes) in &self.afterwards {
            if codes.is_empty() || code.is_some_and(|code| codes.contains(&code)) {
                self.reach(id);
            }
        }
    }

    /// Somebody speaks TLS where the control plane is.
    pub(super) fn hello(&self) {
        self.unreached().filter(|one| one.traffic.https).for_each(|one| self.pass(one));
    }

    /// A whole request on its way to the server.
    pub(super) fn asked(&self, request: &Request, token: &str) {
        for one in self.unreached() {
            let traffic = &one.traffic;
            if traffic.when.minds_the_answer() || !traffic.when.asks(request) {
                continue;
            }
            let acts = match &traffic.act {
                Act::Request(edit) => filled(edit, token, "").change(&mut request.clone()),
                act => act.is_about_requests(),
            };
            if acts {
                self.pass(one);
            }
        }
    }

    /// The head of an answer; says whether the rest is wanted.
    pub(super) fn looks(&self, request: &Request, response: &Response) -> bool {
        let length = response.headers.get("content-length").and_then(|text| text.parse().ok());
        let comes_whole = length.is_some_and(|length: usize| length < HELD_LIMIT);
        let mut wanted = false;
        for one in self.unreached() {
            if !one.traffic.is_about(request, response) {
                continue;
            }
            if comes_whole {
                wanted = true;
                break;
            }
            self.pass(one);
        }
        wanted || (comes_whole && response.status == 201)
    }

    /// A whole answer on its way to the client.
    pub(super) fn answered(&self, request: &Request, response: &Response, token: &str) {
        for one in self.unreached() {
            let traffic = &one.traffic;
            if traffic.is_about(request, response) && traffic.changes(request, response, token) {
                self.pass(one);
            }
        }
    }

    fn unreached(&self) -> impl Iterator<Item = &Passing> {
        self.traffic.iter().filter(|one| !one.reached.load(Ordering::Relaxed))
    }

    fn pass(&self, one: &Passing) {
        one.reached.store(true, Ordering::Relaxed);
        self.reach(&one.id);
    }

    fn reach(&self, id: &str) {
        let mut told = locked(&self.told);
        if !told.insert(id.to_owned()) {
            return;
        }
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.place);
        // One write for a line: others of our processes write here, too.
        let _ = opened.and_then(|mut file| file.write_all(format!("{id}\n").as_bytes()));
    }
}

impl Traffic {
    /// Whether the answer with this head might be changed, or what it leads to.
    fn is_about(&self, request: &Request, response: &Response) -> bool {
        let operation = operation(&request.method, &request.path);
        if !self.listener.is_empty() {
            return matches!(operation, "IssueSession" | "GetSession");
        }
        (operation == "GetJwks" && self.act.signs_anew())
            || (self.act.is_about_answers() && self.when.asks(request) && self.when.heard(response))
    }

    /// Whether it is.
    fn changes(&self, request: &Request, response: &Response, token: &str) -> bool {
        if !self.listener.is_empty() {
            let document = response.json();
            let session =
                if document["session"].is_object() { &document["session"] } else { &document };
            return self.listener.iter().any(|kind| session["kind"] == kind.as_str());
        }
        if operation(&request.method, &request.path) == "GetJwks" && self.act.signs_anew() {
            return true;
        }
        if !self.when.read(response) {
            return false;
        }
        match &self.act {
            Act::Answer(edit) => filled(edit, token, shown(request)).change(&mut response.clone()),
            Act::Closed => self.when.minds_the_answer(),
            _ => true,
        }
    }
}

/// The credential of a request.
pub(super) fn shown(request: &Request) -> &str {
    let names = ["authorization", "proxy-authorization"];
    names.iter().find_map(|name| request.headers.get(name)).unwrap_or_default()
}
