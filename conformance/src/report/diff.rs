//! What became better and what became worse from one report to another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Judgement, Report};
use crate::verdict::Verdict;

/// The rules whose verdict changed, by what the change means.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What the two runs do not have in common, by which a change may be explained.
    pub unlike: Vec<String>,
    pub worse: Vec<String>,
    pub better: Vec<String>,
    /// Still wrong, in another way.
    pub different: Vec<String>,
    /// Neither better nor worse: skipped where it ran, or known where it failed.
    pub other: Vec<String>,
    pub new: Vec<String>,
    pub gone: Vec<String>,
}

pub fn diff(before: &Report, after: &Report) -> Changes {
    let index = |report: &Report| -> BTreeMap<String, Judgement> {
        report.rules.iter().map(|one| (one.id.clone(), one.clone())).collect()
    };
    let (old, new) = (index(before), index(after));
    let mut changes = Changes { unlike: unlike(before, after), ..Changes::default() };
    for (id, now) in &new {
        let Some(then) = old.get(id) else {
            changes.new.push(format!("{id} ({})", now.verdict.word()));
            // A rule that nobody knew before is no excuse.
            if now.verdict.is_wrong() {
                changes.worse.push(line(id, "not there", now));
            }
            continue;
        };
        if then.verdict == now.verdict {
            continue;
        }
        let line = line(id, then.verdict.word(), now);
        match (then.verdict.is_wrong(), now.verdict.is_wrong()) {
            (false, true) => changes.worse.push(line),
            (true, true) => changes.different.push(line),
            (true, false) if now.verdict == Verdict::Pass => changes.better.push(line),
            _ if now.verdict == Verdict::Pass => changes.better.push(line),
            // A pass that became a skip hides whatever it guarded.
            (false, false) if then.verdict == Verdict::Pass => changes.worse.push(line),
            _ => changes.other.push(line),
        }
    }
    // Another choice of rules explains why one is not there; nothing else does.
    let chosen = |report: &Report| {
        let run = &report.run;
        (run.rules.clone(), run.level.clone(), run.shard.clone(), report.tool.version.clone())
    };
    let same_choice = chosen(before) == chosen(after);
    for (id, then) in old.iter().filter(|(id, _)| !new.contains_key(*id)) {
        changes.gone.push(id.clone());
        if same_choice {
            changes.worse.push(format!("{id}: {} -> not there", then.verdict.word()));
        }
    }
    changes
}

fn unlike(before: &Report, after: &Report) -> Vec<String> {
    let (old, new) = (&before.run, &after.run);
    let whole = |shard: &Option<String>| shard.clone().unwrap_or_else(|| "whole".to_owned());
    let rules = |globs: &[String]| match globs {
        [] => "all".to_owned(),
        globs => globs.join(" "),
    };
    [
        ("contract", before.contract.generation.clone(), after.contract.generation.clone()),
        ("harness", before.tool.version.clone(), after.tool.version.clone()),
        ("level", old.level.clone(), new.level.clone()),
        ("rules", rules(&old.rules), rules(&new.rules)),
        ("shard", whole(&old.shard), whole(&new.shard)),
        ("seed", old.seed.to_string(), new.seed.to_string()),
    ]
    .into_iter()
    .filter(|(_, then, now)| then != now)
    .map(|(what, then, now)| format!("{what}: {then}, then {now}"))
    .collect()
}

fn line(id: &str, then: &str, now: &Judgement) -> String {
    let said = now.said();
    let colon = if said.is_empty() { "" } else { ": " };
    format!("{id}: {then} -> {}{colon}{said}", now.verdict.word())
}

impl Changes {
    /// A line for each change; the last one counts them.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for what in &self.unlike {
            let _ = writeln!(text, "unlike  {what}");
        }
        let groups = [
            ("worse", &self.worse),
            ("better", &self.better),
            ("differs", &self.different),
            ("changed", &self.other),
            ("new", &self.new),
            ("gone", &self.gone),
        ];
        for (word, lines) in groups {
            for line in lines {
                let _ = writeln!(text, "{word:<7} {line}");
            }
        }
        let counted: Vec<String> =
            groups.iter().map(|(word, lines)| format!("{} {word}", lines.len())).collect();
        let _ = writeln!(text, "{}", counted.join(", "));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::verdict::Failure;

    fn report(rules: &[(&str, Verdict)]) -> Report {
        let mut report = sample::report();
        report.rules =
            rules.iter().map(|(id, verdict)| sample::judgement(id, verdict.clone())).collect();
        report
    }

    #[test]
    fn each_change_is_told_for_what_it_means() {
        let fail = |observed| Verdict::Fail { failure: Failure::new("x", 1, observed) };
        let skip = || Verdict::Skip { need: "ssh".into() };
        let before = report(&[
            ("a.same", Verdict::Pass),
            ("b.broke", Verdict::Pass),
            ("c.mended", fail(2)),
            ("d.otherwise", fail(2)),
            ("e.hidden", Verdict::Pass),
            ("f.gone", Verdict::Pass),
            ("g.skipped", fail(2)),
        ]);
        let after = report(&[
            ("a.same", Verdict::Pass),
            ("b.broke", fail(2)),
            ("c.mended", Verdict::Pass),
            ("d.otherwise", fail(3)),
            ("e.hidden", skip()),
            ("g.skipped", skip()),
            ("h.new", fail(2)),
        ]);
        let changes = diff(&before, &after);
        let text = changes.text();
        for line in [
            "worse   b.broke: pass -> fail: x: expected 1, observed 2\n",
            "worse   e.hidden: pass -> skip: needs ssh\n",
            "worse   h.new: not there -> fail",
            "better  c.mended: fail -> pass\n",
            "differs d.otherwise: fail -> fail: x: expected 1, observed 3\n",
            "changed g.skipped: fail -> skip: needs ssh\n",
            "new     h.new (fail)\n",
            "gone    f.gone\n",
            "worse   f.gone: pass -> not there\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(
            text.ends_with("4 worse, 1 better, 1 differs, 1 changed, 1 new, 1 gone\n"),
            "{text}"
        );
        assert_eq!(diff(&before, &before), Changes::default());
        let mut fewer = after;
        fewer.run.rules = vec!["a.*".into()];
        let text = diff(&before, &fewer).text();
        assert!(!text.contains("f.gone: pass"), "it was not asked for");
        assert!(text.starts_with("unlike  rules: all, then a.*\n"), "{text}");
    }
}
