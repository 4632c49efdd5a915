//! Door 1: every rule of the catalogue as a test of its own, named by its id.
//!
//! `PLEXCTL_BIN` and `MOCK_SERVER_BIN` choose the subjects; without them the workspace's own are
//! built first.

#![expect(clippy::print_stderr, reason = "a catalogue that cannot be run must say why")]

use std::process::ExitCode;
use std::sync::Arc;

use conformance::report::text;
use conformance::rule::Need;
use conformance::runner;
use conformance::subjects;
use conformance::target::{ServerTarget, Target};
use conformance::verdict::{Reason, Verdict};
use libtest_mimic::{Arguments, Completion, Failed, FormatSetting, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Two thousand names would bury the few that matter; whoever asks for some wants to see them.
    if arguments.filter.is_none() && arguments.format.is_none() {
        arguments.format = Some(FormatSetting::Terse);
    }
    match trials(arguments.list) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(reason) => {
            eprintln!("the catalogue cannot be run: {reason:?}");
            ExitCode::from(3)
        }
    }
}

fn trials(only_list: bool) -> Result<Vec<Trial>, Reason> {
    let rules = conformance::catalogue::all()?;
    let mut target = Target::default();
    if !only_list {
        let binaries = subjects::from_environment_or_cargo()?;
        target.plexctl = Some(binaries.plexctl);
        target.server = Some(ServerTarget::Spawn(binaries.mock_server));
    }
    let target = Arc::new(target);
    let required = std::env::var_os("CI_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    let trial = |rule: conformance::rule::Rule| {
        let target = Arc::clone(&target);
        Trial::ignorable_test(rule.id.clone(), move || {
            let judged = runner::run(&rule, &target);
            let told = |head: String| {
                let source = format!("source: {}, {}", rule.source.page, rule.source.fact);
                let lines = [head, source, format!("fix: {}", rule.fix)];
                let evidence: Vec<String> =
                    judged.evidence.iter().map(|note| text::bounded(note)).collect();
                Failed::from([&lines[..], &evidence[..]].concat().join("\n"))
            };
            match &judged.verdict {
                Verdict::Pass => Ok(Completion::Completed),
                // Where every program is promised, one that is missing is a hole in the run.
                Verdict::Skip { need } if required && lacks_program(&rule, need) => {
                    Err(Failed::from(format!("skipped, and nothing may be: needs {need}")))
                }
                Verdict::Skip { need } => Ok(Completion::ignored_with(format!("needs {need}"))),
                Verdict::NotRun { why } => Ok(Completion::ignored_with(format!("not run: {why}"))),
                Verdict::Fail { failure } | Verdict::Known { failure, .. } => {
                    Err(told(failure.to_string()))
                }
                Verdict::Broken { why } => Err(told(format!("broken, not failed: {why}"))),
            }
        })
    };
    Ok(rules.into_iter().map(trial).collect())
}

/// Whether the need that was not met is a program or a library, which can be installed.
fn lacks_program(rule: &conformance::rule::Rule, need: &str) -> bool {
    let installable = |one: &&Need| matches!(one, Need::Program(_) | Need::Python(_));
    rule.needs.iter().filter(installable).any(|one| one.to_string() == need)
}
