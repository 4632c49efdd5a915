//! The shape of a command line once it has been read: what the shell runs.

mod cursor;
mod parse;
mod word;

pub(super) use parse::is_name;
pub(super) use parse::parse;

/// Why a text is not (yet) a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) enum ParseError {
    /// A quote, a group or an operator is still open: more lines may close it.
    Incomplete,
    /// No further text can make this a command. The word names what was found.
    Unexpected(String),
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Incomplete => f.write_str("Syntax error: end of file unexpected"),
            Self::Unexpected(what) => write!(f, "Syntax error: {what} unexpected"),
        }
    }
}

/// Commands one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::machine) struct List(pub Vec<AndOr>);

/// Pipelines joined by `&&` and `||`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) struct AndOr {
    pub first: Pipeline,
    pub rest: Vec<(Connector, Pipeline)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::machine) enum Connector {
    And,
    Or,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) struct Pipeline {
    pub negated: bool,
    pub stages: Vec<Command>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) struct Command {
    pub body: Body,
    pub redirects: Vec<Redirect>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) enum Body {
    Simple { assignments: Vec<(String, Word)>, words: Vec<Word> },
    Group(List),
    Subshell(List),
    If { arms: Vec<(List, List)>, otherwise: Option<List> },
    Loop { until: bool, condition: List, body: List },
    For { name: String, words: Vec<Word>, body: List },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) struct Redirect {
    /// 0, 1 or 2.
    pub descriptor: u8,
    pub to: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) enum Target {
    Read(Word),
    Write(Word),
    Append(Word),
    Descriptor(u8),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::machine) struct Word(pub Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) enum Piece {
    Text {
        text: String,
        quoted: bool,
    },
    Variable {
        name: String,
        fallback: Option<Fallback>,
        quoted: bool,
    },
    Output {
        list: List,
        quoted: bool,
    },
    /// What stands in `$((...))`, to be calculated once its own variables are known.
    Sum {
        word: Word,
        quoted: bool,
    },
}

/// What stands behind the name in `${name...}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) enum Fallback {
    /// `-`: used when the variable is unset (with `:`, also when empty).
    Use { word: Word, when_empty: bool },
    /// `+`: used when the variable is set (with `:`, and not empty).
    Replace { word: Word, when_empty: bool },
    /// `#name`: the length in characters.
    Length,
}
