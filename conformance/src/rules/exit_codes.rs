//! The exit codes of the three commands, each with its cause: what the server saw, what stands on
//! which stream, what changed on disk.

use crate::bench::{Answer, Bench, Ending, Family};
use crate::rule::{Claim, Rule, Side};
use crate::verdict::Outcome;

pub(crate) fn all() -> Vec<Rule> {
    Family::ALL.into_iter().map(rebac_denied).collect()
}

fn rebac_denied(family: Family) -> Rule {
    Rule::must(format!("{}.exit.77.rebac_denied", family.slug()), Side::Client)
        .title(format!("{} ends with 77 on a 403 whose problem code is rebac_denied", family.name()))
        .source(family.page(), "Exit codes, 77")
        .claims([Claim::exit(format!("{}.77", family.name()))])
        .fix("Map a 403 to 77 when, and only when, the member `code` of its problem document is exactly `rebac_denied`.")
        .check(move |bench| check_rebac_denied(bench, family))
}

fn check_rebac_denied(bench: &Bench, family: Family) -> Outcome {
    let referee = bench.referee()?.answer(Answer::problem(403, "rebac_denied")).start()?;
    let ssh = bench.fake_ssh(Ending::Status(0))?;
    let ran = bench.command(family, &referee)?.go()?;
    ran.expect_exit(77)?;
    ran.expect_stdout_empty()?;
    ran.expect_stderr_says_something()?;
    ran.expect_no_file_changes()?;
    ran.expect_silent_about(&bench.credential_canary())?;
    ssh.expect_not_started()?;
    referee.expect_requests("IssueSession", 1)?;
    referee.expect_requests("RevokeSession", 0)
}
