//! The description a machine is made from: one YAML document, every field
//! optional, every unknown field an error.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The machine used where a world describes none.
const STANDARD: &str = include_str!("../../../fixtures/worlds/machines/standard.yaml");

#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error("the machine description cannot be read: {0}")]
    Unreadable(String),
    #[error("user {0:?} is described twice")]
    TwiceDescribed(String),
    #[error("{path}: no user or group is called {name:?}")]
    UnknownOwner { path: String, name: String },
    #[error("{path}: a path starts with `/` and has no `.` or `..` in it")]
    BadPath { path: String },
    #[error("{path}: {mode:?} is not an octal mode such as \"0644\"")]
    BadMode { path: String, mode: String },
    #[error("{path}: lies below something that is not a directory")]
    BelowFile { path: String },
    #[error("a described command has no words to match")]
    EmptyCommand,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MachineDescription {
    /// For editors.
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
    pub hostname: String,
    pub os: Os,
    /// How long the machine has been up when it is made.
    pub up_seconds: u32,
    /// Shown when somebody logs in on a terminal.
    pub motd: String,
    /// Whether a login under a name no user has is given a fresh account.
    pub guests: bool,
    pub users: Vec<User>,
    /// Group ids. A group named by a user and not here gets the next free id.
    pub groups: BTreeMap<String, u32>,
    pub env: BTreeMap<String, String>,
    pub files: Vec<File>,
    pub commands: Vec<CannedCommand>,
    pub processes: Vec<Process>,
}

impl Default for MachineDescription {
    fn default() -> Self {
        Self {
            schema: None,
            hostname: "localhost".into(),
            os: Os::default(),
            up_seconds: 86_400,
            motd: String::new(),
            guests: true,
            users: Vec::new(),
            groups: BTreeMap::new(),
            env: BTreeMap::new(),
            files: Vec::new(),
            commands: Vec::new(),
            processes: Vec::new(),
        }
    }
}

impl MachineDescription {
    /// Reads a description.
    ///
    /// # Errors
    /// When the text is not YAML or not of this shape; the message names the line.
    pub fn from_yaml(text: &str) -> Result<Self, MachineError> {
        serde_saphyr::from_str(text).map_err(|e| MachineError::Unreadable(e.to_string()))
    }

    /// A command without a word, or of a star alone, would answer everything.
    pub(super) fn check(&self) -> Result<(), MachineError> {
        let empty = |canned: &CannedCommand| matches!(canned.program(), "" | "*");
        if self.commands.iter().any(empty) {
            return Err(MachineError::EmptyCommand);
        }
        Ok(())
    }

    /// The description embedded in the program.
    ///
    /// # Errors
    /// As [`MachineDescription::from_yaml`].
    pub fn standard() -> Result<Self, MachineError> {
        Self::from_yaml(STANDARD)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Os {
    pub kernel: String,
    pub release: String,
    pub version: String,
    pub architecture: String,
    pub name: String,
}

impl Default for Os {
    fn default() -> Self {
        Self {
            kernel: "Linux".into(),
            release: "6.1.0-28-amd64".into(),
            version: "#1 SMP PREEMPT_DYNAMIC".into(),
            architecture: "x86_64".into(),
            name: "Simulated GNU/Linux".into(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub home: Option<String>,
    pub shell: Option<String>,
    /// The first is the primary group; without any, a group of the user's own.
    #[serde(default)]
    pub groups: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub path: String,
    /// Octal, as text: `"0644"`. Without it 0644, and 0755 for a directory.
    pub mode: Option<String>,
    #[serde(default = "root")]
    pub owner: String,
    #[serde(default = "root")]
    pub group: String,
    /// Without content the path is a directory.
    pub content: Option<String>,
}

fn root() -> String {
    "root".into()
}

/// A command line whose answer is written down.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CannedCommand {
    /// The words of the command line. A last word `*` stands for any further words.
    pub run: String,
    #[serde(default)]
    pub stdout: String,
    #[serde(default)]
    pub stderr: String,
    #[serde(default)]
    pub exit: u8,
    #[serde(default)]
    pub delay_ms: u32,
}

impl CannedCommand {
    /// Whether this is the answer to these words.
    pub(super) fn matches(&self, words: &[String]) -> bool {
        let mut wanted: Vec<&str> = self.run.split_whitespace().collect();
        if wanted.last() == Some(&"*") {
            wanted.pop();
            return words.len() >= wanted.len() && wanted.iter().zip(words).all(|(a, b)| a == b);
        }
        words.len() == wanted.len() && wanted.iter().zip(words).all(|(a, b)| a == b)
    }

    pub(super) fn program(&self) -> &str {
        self.run.split_whitespace().next().unwrap_or_default()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    pub pid: u32,
    #[serde(default = "root")]
    pub user: String,
    pub command: String,
}
