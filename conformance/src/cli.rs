//! The command line: what can be asked, and nothing about how it is done.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bench::System;
use crate::report::Format;
use crate::shard::Shard;

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
    /// Prove that the rules can fail: judge subjects that are broken on purpose.
    Selfcheck(Box<SelfcheckArgs>),
    /// Say what this machine offers to the rules, and what is missing.
    Doctor(Subjects),
    /// The shared data files, for tests in any language.
    #[command(subcommand)]
    Fixtures(Fixtures),
    /// Render a JSON report again, in any form.
    Report {
        /// A report that `run --report FILE.json` wrote.
        file: PathBuf,
        #[command(flatten)]
        reports: Reports,
    },
    /// Make one report of the reports of all shards, and end as one run would have.
    Merge {
        /// The JSON reports, one of each shard.
        #[arg(required = true, value_name = "FILE")]
        shards: Vec<PathBuf>,
        #[command(flatten)]
        reports: Reports,
    },
    /// Say what became better and what became worse; end with 1 when something became worse.
    Diff { before: PathBuf, after: PathBuf },
}

/// Whom to judge.
#[derive(Debug, Args)]
pub struct Subjects {
    /// The plexctl to judge [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    pub plexctl: Option<PathBuf>,
    /// A command that takes plexctl's arguments and drives another client; docs/conformance/protocol.md.
    #[arg(long, value_name = "CMD", conflicts_with = "plexctl")]
    pub adapter: Option<String>,
    /// The server binary to start for each rule [default: the mock-server beside this program].
    #[arg(long, value_name = "PATH", conflicts_with = "server")]
    pub mock_server: Option<PathBuf>,
    /// A control plane that already runs, by its base URL.
    #[arg(long, value_name = "URL", requires = "token_file", value_parser = base_url)]
    pub server: Option<String>,
    /// The file that holds the credential for --server.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub token_file: Option<PathBuf>,
    /// An operation that --server does not have, by its id in the contract; may be repeated. Its
    /// rules are skipped.
    #[arg(long, value_name = "OPERATION", requires = "server")]
    pub without: Vec<String>,
    /// Judge --server as anybody's: by the contract alone, without control routes even where it has them.
    #[arg(long, requires = "server")]
    pub foreign: bool,
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
    /// How many rules to judge at a time [default: four for each core; one for somebody else's server].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Seconds after which a run of the subject is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = RunArgs::TIMEOUT, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,
    /// The seed of every server that is started.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// A YAML or JSON list of deviations that are known: rule, reason, link, observation, expires.
    #[arg(long, value_name = "FILE")]
    pub known_failing: Option<PathBuf>,
    /// Judge only the K-th of N parts of the chosen rules; `merge` puts their reports together.
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Judge in another order, which depends on this number alone.
    #[arg(long, value_name = "SEED")]
    pub shuffle: Option<u64>,
    /// After the first failure, judge nothing more; the rest is not-run.
    #[arg(long)]
    pub fail_fast: bool,
    #[command(flatten)]
    pub reports: Reports,
    /// Show all that happened, also for rules that passed.
    #[arg(long, conflicts_with = "quiet")]
    pub trace: bool,
    /// Put times into the reports; two runs are then no longer the same file.
    #[arg(long)]
    pub timings: bool,
    /// Leave the files of rules that went wrong on disk, and their servers running until standard
    /// input ends; scripts to run it again are named.
    #[arg(long)]
    pub keep: bool,
}

impl RunArgs {
    /// Seconds.
    pub const TIMEOUT: u32 = 20;
}

#[derive(Debug, Subcommand)]
pub enum Fixtures {
    /// Write them into a folder, with a list of their digests.
    Export {
        dir: PathBuf,
        /// Write into a folder that holds something already.
        #[arg(long)]
        force: bool,
    },
    /// Compare a folder with its list; end with 1 when a file is not as it was exported.
    Verify { dir: PathBuf },
}

/// Where the report goes, and as what.
#[derive(Debug, Args)]
pub struct Reports {
    /// What is written to stdout.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Format,
    /// Also write a report to this file; its name tells the form (.json .xml .tap .html .md .txt),
    /// or FORMAT= in front of it does. May be repeated.
    #[arg(long = "report", value_name = "[FORMAT=]FILE", value_parser = report_file)]
    pub files: Vec<(Format, PathBuf)>,
    /// Add annotations for GitHub's job log, and a summary to $GITHUB_STEP_SUMMARY.
    #[arg(long)]
    pub github: bool,
    /// Name the rules that passed, too, and each skipped rule on a line of its own.
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Show only what went wrong, and the closing lines.
    #[arg(long, short)]
    pub quiet: bool,
}

fn base_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| format!("{error}; {BASE_URL}"))?;
    let more = url.query().or(url.fragment()).or(url.password());
    if !matches!(url.scheme(), "http" | "https") || more.is_some() || !url.username().is_empty() {
        return Err(BASE_URL.to_owned());
    }
    Ok(text.to_owned())
}

const BASE_URL: &str = "expected http://HOST[:PORT][/PREFIX] or https://HOST[:PORT][/PREFIX]";

fn report_file(text: &str) -> Result<(Format, PathBuf), String> {
    if let Some((name, file)) = text.split_once('=')
        && let Ok(format) = Format::from_str(name, false)
    {
        if file.is_empty() {
            return Err("no file is named behind the form".to_owned());
        }
        return Ok((format, file.into()));
    }
    if let Some((name, _)) = text.split_once('=').filter(|(name, _)| !name.contains('/')) {
        return Err(format!(
            "{name} is no form of a report; write ./{text} for a file of that name"
        ));
    }
    match Format::of_file(text) {
        Some(format) => Ok((format, text.into())),
        None => Err("its name does not tell the form; write FORMAT=FILE".to_owned()),
    }
}

#[derive(Debug, Args)]
pub struct SelfcheckArgs {
    /// The plexctl that the broken clients are made of [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    pub plexctl: Option<PathBuf>,
    /// The server that the broken servers are made of [default: the mock-server beside this program].
    #[arg(long, value_name = "PATH")]
    pub mock_server: Option<PathBuf>,
    /// Only subjects of this name, such as `client/*`; may be repeated.
    #[arg(long = "subject", value_name = "GLOB")]
    pub subjects: Vec<String>,
    /// Only rules whose id matches this glob; may be repeated.
    #[arg(long = "rule", value_name = "GLOB")]
    pub rules: Vec<String>,
    /// Judge every subject by every rule of its side: those it names fail, and no others.
    #[arg(long)]
    pub exact: bool,
    /// A rule that no subject names is a failure, too.
    #[arg(long)]
    pub complete: bool,
    /// Subjects from this folder instead of the ones compiled in.
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// How many rules to judge at a time [default: eight for each core; most of them wait].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Seconds after which a run of a subject is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
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
    /// Only the rules of this system; may be repeated [default: all; for somebody else's server
    /// plexsphere].
    #[arg(long = "system", value_enum, value_name = "NAME")]
    pub systems: Vec<System>,
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
