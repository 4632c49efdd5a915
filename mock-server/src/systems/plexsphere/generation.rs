//! The generations of the contract, and what differs between them.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, clap::ValueEnum)]
pub enum Generation {
    #[value(name = "2026-06")]
    June,
    #[default]
    #[value(name = "2026-07")]
    July,
    #[value(name = "2026-08")]
    August,
}

impl Generation {
    pub const fn name(self) -> &'static str {
        match self {
            Self::June => "2026-06",
            Self::July => "2026-07",
            Self::August => "2026-08",
        }
    }

    /// A used-up budget was a conflict before it was "too many requests".
    pub const fn budget_status(self) -> u16 {
        match self {
            Self::June => 409,
            Self::July | Self::August => 429,
        }
    }

    /// Whether a list's limit out of range is brought into range instead of refused.
    pub const fn clamps_limit(self) -> bool {
        matches!(self, Self::June)
    }

    /// Whether the answer to IssueSession names the endpoint; if not, a later read does.
    pub const fn endpoint_at_issue(self) -> bool {
        !matches!(self, Self::August)
    }

    /// Whether a node is told what is wrong with its key.
    pub const fn tells_node_keys_apart(self) -> bool {
        !matches!(self, Self::June)
    }

    pub const fn correlates_problems(self) -> bool {
        matches!(self, Self::August)
    }

    pub const fn problem_base(self) -> &'static str {
        match self {
            Self::June => "https://plexsphere.dev/errors/",
            Self::July | Self::August => "https://plexsphere.com/errors/",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
