//! The command line: what can be asked, and nothing about how it is done.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Judges any plexctl and any control plane by the rules of the public pages.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 conforms, 1 does not conform, 2 usage, 3 the harness could not do its work,
4 an expected deviation is stale or expired, 5 nothing ran.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge a plexctl, a control plane, or both.
    Run(Box<RunArgs>),
    /// List the rules.
    List(ListArgs),
    /// Say what a rule asks, where it comes from and how to satisfy it.
    Explain {
        /// The rule's id.
        rule: String,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Write the tables of docs/ that follow from the fixtures and the rules.
    Docs {
        /// Write nothing; end with 1 when a file is not as it would be written.
        #[arg(long)]
        check: bool,
        /// The folder to write into.
        #[arg(long, value_name = "DIR", default_value = "docs")]
        dir: PathBuf,
    },
    /// Say what this machine offers to the rules, and what is missing.
    Doctor(Subjects),
}

/// Whom to judge.
#[derive(Debug, Args)]
pub struct Subjects {
    /// The plexctl to judge [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    pub plexctl: Option<PathBuf>,
    /// The server binary to start for each rule [default: the mock-server beside this program].
    #[arg(long, value_name = "PATH", conflicts_with = "server")]
    pub mock_server: Option<PathBuf>,
    /// A control plane that already runs, by its base URL.
    #[arg(long, value_name = "URL", requires = "token_file")]
    pub server: Option<String>,
    /// The file that holds the credential for --server.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub token_file: Option<PathBuf>,
    /// The CA to trust for --server.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub subjects: Subjects,
    #[command(flatten)]
    pub choice: Choice,
    /// How many rules to judge at a time [default: the number of cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Seconds after which a run of the subject is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,
    /// The seed of every server that is started.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// A YAML or JSON list of deviations that are known: rule, reason, link, observation, expires.
    #[arg(long, value_name = "FILE")]
    pub known_failing: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Also write the JSON report to this file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Name the rules that passed, too, and each skipped rule on a line of its own.
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Show only what went wrong, and the closing lines.
    #[arg(long, short)]
    pub quiet: bool,
    /// Leave the sandboxes on disk and name them.
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub choice: Choice,
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Choice {
    /// Only rules whose id matches this glob; may be repeated.
    #[arg(long = "rule", value_name = "GLOB")]
    pub rules: Vec<String>,
    /// `must` leaves the SHOULD rules out.
    #[arg(long, value_enum, default_value_t)]
    pub level: Level,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Level {
    Must,
    #[default]
    Should,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[default]
    Text,
    Json,
}
