//! What a rule is: an id, a source, what it claims to cover, what it needs, and its check.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bench::{Bench, System};
use crate::verdict::Outcome;

type Text = Cow<'static, str>;
type Check = Box<dyn Fn(&Bench) -> Outcome + Send + Sync>;

/// MUST is the documented behaviour; SHOULD is a habit of this project that others may not share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Must,
    Should,
}

/// Who is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// plexctl, against the referee.
    Client,
    /// A control plane, asked directly.
    Server,
    /// plexctl and a control plane together, with the tap between them.
    Pair,
}

/// Where the rule comes from: a public page and the fact on it, or a decision record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub page: Text,
    pub fact: Text,
}

/// What a rule covers. The coverage test wants every row of the fixtures claimed by some rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "claim", rename_all = "snake_case")]
pub enum Claim {
    /// A row or a trigger of `contract/exit_codes.json`: `kubeconfig.77`, `kubeconfig.1.transport`.
    Exit { id: Text },
    /// A row of a flag table: `ssh`, `--ttl-seconds`.
    Flag { command: Text, flag: Text },
    /// One scenario judged for one command.
    Scenario { name: Text, command: Text },
    /// One status (and problem code, where it has one) of one operation of the contract document.
    Operation { id: Text, status: u16, code: Option<Text> },
    /// A rule about files: `mode_0600`, `symlink_replaced`.
    File { name: Text },
    /// One of the hostile cases C1 to C33.
    Hostile { id: Text },
    /// A case of `tokens/`.
    Token { name: Text },
    /// A row of `contract/listeners.json`: what a session's listener does.
    Listener { id: Text },
}

impl Claim {
    pub fn exit(id: impl Into<Text>) -> Self {
        Self::Exit { id: id.into() }
    }

    pub fn flag(command: impl Into<Text>, flag: impl Into<Text>) -> Self {
        Self::Flag { command: command.into(), flag: flag.into() }
    }

    pub fn scenario(name: impl Into<Text>, command: impl Into<Text>) -> Self {
        Self::Scenario { name: name.into(), command: command.into() }
    }

    /// A status without a problem code: `Claim::operation("IssueSession", 201)`.
    pub fn operation(id: impl Into<Text>, status: u16) -> Self {
        Self::Operation { id: id.into(), status, code: None }
    }

    /// A refusal: `Claim::refusal("IssueSession", 403, "rebac_denied")`.
    pub fn refusal(id: impl Into<Text>, status: u16, code: impl Into<Text>) -> Self {
        Self::Operation { id: id.into(), status, code: Some(code.into()) }
    }

    pub fn file(name: impl Into<Text>) -> Self {
        Self::File { name: name.into() }
    }

    pub fn hostile(id: impl Into<Text>) -> Self {
        Self::Hostile { id: id.into() }
    }

    pub fn listener(id: impl Into<Text>) -> Self {
        Self::Listener { id: id.into() }
    }

    pub fn token(name: impl Into<Text>) -> Self {
        Self::Token { name: name.into() }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit { id } => write!(f, "exit {id}"),
            Self::Flag { command, flag } => write!(f, "flag {command} {flag}"),
            Self::Scenario { name, command } => write!(f, "scenario {name} {command}"),
            Self::Operation { id, status, code: None } => write!(f, "operation {id} {status}"),
            Self::Operation { id, status, code: Some(code) } => {
                write!(f, "operation {id} {status} {code}")
            }
            Self::File { name } => write!(f, "file {name}"),
            Self::Hostile { id } => write!(f, "hostile {id}"),
            Self::Token { name } => write!(f, "token {name}"),
            Self::Listener { id } => write!(f, "listener {id}"),
        }
    }
}

/// What must be there for a rule to be judged. A missing need is a skip, never a failure.
/// The side already implies the client, the server or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// We start the server ourselves, so its flags, world and end are ours to choose.
    SpawnableServer,
    /// The server keeps a request journal at `/__mock/requests`.
    Journal,
    /// The server's clock can be moved at `/__mock/clock`.
    Clock,
    /// The project and the resource of the published examples, and a credential that may use them.
    ExampleIds,
    /// Nobody else changes what the rule looks at: a fresh process, or a namespace of its own.
    OwnWorld,
    /// The server plays the scenarios of the fixtures below `/scenarios/`.
    Scenarios,
    /// The world is the default one with its public `psk_dev_*` tokens.
    SeededTokens,
    /// The Rancher of the default world: its users, clusters and settings are known.
    EmbeddedRancher,
    /// Linux's `/proc`.
    Proc,
    /// Unix modes, umask and signals.
    Unix,
    /// We do not run as root, who ignores file modes.
    Unprivileged,
    /// A flag that no page lists, so that a plexctl may do without it; its help tells.
    Offers(&'static str),
    /// A program on the harness's own PATH.
    Program(&'static str),
    /// A module of some `python3` on the harness's own PATH.
    Python(&'static str),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpawnableServer => f.write_str("a server the harness starts itself"),
            Self::Journal => f.write_str("a server with a request journal"),
            Self::Clock => f.write_str("a server whose clock can be moved"),
            Self::ExampleIds => f.write_str("the project and the resource of the examples"),
            Self::OwnWorld => f.write_str("a world of its own for each rule"),
            Self::Scenarios => f.write_str("a server that plays the scenarios"),
            Self::SeededTokens => f.write_str("the default world and its seeded tokens"),
            Self::EmbeddedRancher => {
                f.write_str("the users, clusters and settings of the embedded Rancher")
            }
            Self::Proc => f.write_str("a Linux /proc"),
            Self::Unix => f.write_str("a Unix file system"),
            Self::Unprivileged => f.write_str("a user that is not root"),
            Self::Offers(flag) => write!(f, "a plexctl that offers {flag}"),
            Self::Program(name) => write!(f, "{name} on PATH"),
            Self::Python(module) => write!(f, "{module} for python3"),
        }
    }
}

/// One rule. Built by [`Rule::must`] or [`Rule::should`], finished by [`RuleDraft::check`].
pub struct Rule {
    pub id: Text,
    pub level: Level,
    pub side: Side,
    /// Whose rule it is.
    pub system: System,
    pub title: Text,
    pub source: Source,
    pub claims: Vec<Claim>,
    pub needs: Vec<Need>,
    pub fix: Text,
    check: Check,
}

impl Rule {
    pub fn must(id: impl Into<Text>, side: Side) -> RuleDraft {
        RuleDraft::new(id.into(), Level::Must, side)
    }

    pub fn should(id: impl Into<Text>, side: Side) -> RuleDraft {
        RuleDraft::new(id.into(), Level::Should, side)
    }

    pub fn judge(&self, bench: &Bench) -> Outcome {
        (self.check)(bench)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A rule being written down. The catalogue refuses one without a title, a source or a fix.
pub struct RuleDraft {
    id: Text,
    level: Level,
    side: Side,
    system: System,
    title: Text,
    source: Source,
    claims: Vec<Claim>,
    needs: Vec<Need>,
    fix: Text,
}

impl RuleDraft {
    fn new(id: Text, level: Level, side: Side) -> Self {
        Self {
            id,
            level,
            side,
            system: System::default(),
            title: Text::default(),
            source: Source { page: Text::default(), fact: Text::default() },
            claims: Vec::new(),
            needs: Vec::new(),
            fix: Text::default(),
        }
    }

    /// Left out: plexsphere's.
    #[must_use]
    pub fn system(mut self, system: System) -> Self {
        self.system = system;
        self
    }

    /// One sentence: what the subject does.
    #[must_use]
    pub fn title(mut self, title: impl Into<Text>) -> Self {
        self.title = title.into();
        self
    }

    /// `source("plexctl kubeconfig page", "Exit codes, 77")`.
    #[must_use]
    pub fn source(mut self, page: impl Into<Text>, fact: impl Into<Text>) -> Self {
        self.source = Source { page: page.into(), fact: fact.into() };
        self
    }

    #[must_use]
    pub fn claims(mut self, claims: impl IntoIterator<Item = Claim>) -> Self {
        self.claims.extend(claims);
        self
    }

    #[must_use]
    pub fn needs(mut self, needs: impl IntoIterator<Item = Need>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// What to change in the subject when the rule fails.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<Text>) -> Self {
        self.fix = fix.into();
        self
    }

    pub fn check(self, check: impl Fn(&Bench) -> Outcome + Send + Sync + 'static) -> Rule {
        Rule {
            id: self.id,
            level: self.level,
            side: self.side,
            system: self.system,
            title: self.title,
            source: self.source,
            claims: self.claims,
            needs: self.needs,
            fix: self.fix,
            check: Box::new(check),
        }
    }
}
