//! Deliberately broken subjects, as data: whom they stand for, their one defect, and the rules
//! that must notice it.

mod traffic;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::traffic::{Act, AnswerEdit, Exchange, Places, RequestEdit, TokenEdit, Traffic};
use super::edit::Edit;
use crate::fixture;
use crate::verdict::{Outcome, broken};

/// One broken client or server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    #[serde(rename = "$schema", default, skip_serializing)]
    _schema: String,
    pub name: String,
    pub side: Party,
    /// The mistake in a sentence, as somebody could really make it.
    pub why: String,
    /// In which runs of the program the defect acts.
    #[serde(default)]
    pub when: When,
    pub defect: Defect,
    /// Ids or globs of the rules that fail, and no others.
    pub fails: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Client,
    Server,
}

/// Conditions on one run of the program; all that are given must hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// One of these words is an argument.
    pub command: Vec<String>,
    /// The first argument is one of these words, with or without a value.
    pub first: Vec<String>,
    /// Each of these texts is in some argument.
    pub args_have: Vec<String>,
    /// None of these texts is in any argument.
    pub args_lack: Vec<String>,
    /// Each of these variables is set.
    pub env_has: Vec<String>,
    /// The honest program ended with one of these codes.
    pub exit: Vec<i32>,
    /// The honest program said one of these on stderr.
    pub stderr_has: Vec<String>,
    pub stderr_lacks: Vec<String>,
}

/// What is done to the honest program.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Defect {
    /// It ends with another code.
    Exit { to: i32 },
    /// It is given other arguments.
    Args(Words),
    /// Once it has ended, it is run again with other arguments, and only that counts.
    Again(Words),
    /// It is given another environment.
    Env(Environment),
    /// One of its streams reads otherwise.
    Stream(Stream),
    /// A secret comes out.
    Leak { what: Secret, to: String },
    /// The file of `--output-file` is dealt with otherwise.
    File(FileDefect),
    /// The local ssh client is started otherwise.
    Ssh(Box<Ssh>),
    /// What passes between client and server is changed.
    Traffic(Box<Traffic>),
    /// A request is sent before the arguments have been looked at.
    Ask { method: String, path: String },
    /// It does not end when it should, or ends as no program should.
    Ends(End),
    /// A signal is not heeded: it is swallowed, or makes the program end with a code.
    Signal { with: Option<i32> },
    /// The ready line reads otherwise.
    Ready {
        edit: Vec<Edit>,
        #[serde(default)]
        before: String,
        #[serde(default)]
        file: Option<ReadyFile>,
    },
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    /// Flags that are dropped with their values.
    pub remove: Vec<String>,
    /// Words that are dropped alone.
    pub drop: Vec<String>,
    /// Flags that get another value, where they are given.
    pub set: BTreeMap<String, String>,
    /// Texts that are replaced in every argument.
    pub replace: Vec<(String, String)>,
    pub append: Vec<String>,
    /// A flag given twice counts by its last value alone.
    pub last_of: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Environment {
    pub set: BTreeMap<String, String>,
    pub remove: Vec<String>,
    /// A variable that gets the value of another one.
    pub copy: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    pub which: Which,
    /// Texts and what stands in their place.
    #[serde(default)]
    pub replace: Vec<(String, String)>,
    #[serde(default)]
    pub prepend: String,
    #[serde(default)]
    pub append: String,
    #[serde(default)]
    pub swallow: bool,
    /// What is said there goes to the other stream.
    #[serde(default)]
    pub swap: bool,
    /// The stream is a JSON document, edited so.
    #[serde(default)]
    pub json: Vec<Edit>,
    /// Lines that begin so are left out.
    #[serde(default)]
    pub drop_lines: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    Stdout,
    Stderr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    SessionToken,
    Credential,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileDefect {
    /// Ends with this mode, in octal.
    Mode(String),
    /// Is emptied or made before anything else is done.
    Emptied,
    /// Is written where it stands: through links, over the old bytes, with the old mode.
    WrittenInPlace,
    /// As above, but what follows the new bytes is not cut off.
    WrittenOver,
    /// Another file stays beside it.
    Beside(String),
    /// Missing directories are made for it.
    ParentsMade,
    /// The document goes to stdout as well.
    AlsoOnStdout,
    /// Bytes are added to the document.
    Longer(String),
    /// The place is taken away first, whatever stands there.
    PlaceCleared,
    /// The file is a link to the document, which stands beside it.
    LinkedTo(String),
    /// An old file is made private before its time.
    ModeFirst(String),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ssh {
    pub prepend: Vec<String>,
    pub append: Vec<String>,
    pub replace: Vec<(String, String)>,
    pub env: Environment,
    /// The session token is an argument, too.
    pub token_argument: bool,
    /// ssh is not started at all, and that is called a success.
    pub not_started: bool,
    /// ssh is started once more.
    pub twice: bool,
    /// What ssh ended with is this, in place of what it was.
    pub ends_with: Option<i32>,
    /// The token is left in a file on the way.
    pub token_file: Option<String>,
    /// stdin is not handed on.
    pub stdin_closed: bool,
    /// What ssh prints on stdout is not handed on.
    pub stdout_closed: bool,
    pub directory: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Waits for ever once its work is done.
    Hang,
    /// Ends as a panicking Rust program does.
    Panic,
    /// Reads a line from stdin before it begins.
    Prompt,
    /// Ends by SIGABRT.
    Abort,
    /// Its memory may be dumped while it runs.
    Dumpable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyFile {
    /// Stays when the server ends.
    Stays,
    /// Is never written.
    Missing,
}

impl Subject {
    /// One that has no defect.
    pub fn honest(side: Party) -> Self {
        Self {
            _schema: String::new(),
            name: "honest".to_owned(),
            side,
            why: "It makes no mistake.".to_owned(),
            when: When::default(),
            defect: Defect::Ready { edit: Vec::new(), before: String::new(), file: None },
            fails: Vec::new(),
        }
    }

    /// A word for the report: `client/world_readable_file`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.side.folder(), self.name)
    }
}

impl Party {
    pub fn folder(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// What the program is called that this one stands in for.
    pub fn program(self) -> &'static str {
        match self {
            Self::Client => "plexctl",
            Self::Server => "mock-server",
        }
    }
}

/// Every subject there is, by side and name.
pub fn all() -> Outcome<Vec<Subject>> {
    let read = |path: String| parsed(&path, &fixture::bytes(&path)?);
    let both =
        fixture::list("subjects/client/").into_iter().chain(fixture::list("subjects/server/"));
    both.map(read).collect()
}

/// The subjects in a folder of somebody's own.
pub fn in_folder(dir: &Path) -> Outcome<Vec<Subject>> {
    let mut paths = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let items = fs::read_dir(&folder)
            .or_else(|error| broken(format!("{}: {error}", folder.display())))?;
        for item in items {
            let path = item?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| parsed(&path.display().to_string(), &fs::read(path)?)).collect()
}

fn parsed(path: &str, bytes: &[u8]) -> Outcome<Subject> {
    let subject: Subject =
        serde_json::from_slice(bytes).or_else(|error| broken(format!("{path}: {error}")))?;
    if !path.ends_with(&format!("{}/{}.json", subject.side.folder(), subject.name)) {
        return broken(format!("{path} holds {}", subject.id()));
    }
    Ok(subject)
}

/// Serde would take a null for a missing member.
pub(super) fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}
