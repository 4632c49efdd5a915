//! Several reports of one run become one: the shards of a catalogue, judged on several machines.

use std::collections::BTreeMap;

use super::model::Proven;
use super::{Judgement, Report};
use crate::known::Stale;
use crate::shard::Shard;

/// The report that one run over all shards would have given. Refuses what does not belong together,
/// and what is not whole: a shard that was lost would look like rules that passed.
pub fn merge(reports: Vec<Report>) -> Result<Report, String> {
    let Some(first) = reports.first().cloned() else {
        return Err("no report to merge".to_owned());
    };
    complete(&reports)?;
    let mut run = first.run.clone();
    run.shard = None;
    let proven: Vec<Option<Proven>> = reports.iter().map(|report| report.proven).collect();
    let mut stale: Vec<Stale> = Vec::new();
    let mut rules: BTreeMap<String, Judgement> = BTreeMap::new();
    for report in reports {
        alike(&first, &report)?;
        for one in report.stale_expectations {
            let same = |other: &&mut Stale| other.rule == one.rule && other.problem == one.problem;
            match stale.iter_mut().find(same) {
                // An expired entry is told by every shard, each for rules of its own.
                Some(other) => other.rules.extend(one.rules),
                None => stale.push(one),
            }
        }
        for one in report.rules {
            if let Some(twice) = rules.insert(one.id.clone(), one) {
                return Err(format!("{} was judged in more than one report", twice.id));
            }
        }
    }
    let rules = rules.into_values().collect();
    let proven = proven.into_iter().flatten().reduce(|sum, one| Proven {
        rules: sum.rules + one.rules,
        proven: sum.proven + one.proven,
    });
    let mut merged = Report::of(first.tool, first.contract, first.subjects, run, stale, rules);
    merged.proven = proven;
    Ok(merged)
}

fn complete(reports: &[Report]) -> Result<(), String> {
    let mut found = Vec::new();
    let mut of = None;
    for report in reports {
        let Some(shard) = &report.run.shard else {
            return Err("a report without --shard is whole already".to_owned());
        };
        let shard: Shard = shard.parse()?;
        if *of.get_or_insert(shard.of()) != shard.of() {
            return Err("the reports are of runs with another number of shards".to_owned());
        }
        found.push(shard.number());
    }
    let missing: Vec<String> = (1..=of.unwrap_or_default())
        .filter(|number| !found.contains(number))
        .map(|number| number.to_string())
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("shard {} is missing", missing.join(", ")))
    }
}

/// What has to be equal for verdicts to be comparable.
fn alike(first: &Report, other: &Report) -> Result<(), String> {
    let differs = if first.tool != other.tool {
        "the harness's version"
    } else if first.contract != other.contract {
        "the contract"
    } else if first.subjects != other.subjects {
        "the subject"
    } else if first.run.seed != other.run.seed {
        "the seed"
    } else if first.run.level != other.run.level || first.run.rules != other.run.rules {
        "the choice of rules"
    } else {
        return Ok(());
    };
    Err(format!("the reports do not belong together: {differs} differs"))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::verdict::Verdict;

    fn shard(name: &str, ids: &[&str]) -> Report {
        let mut report = sample::report();
        report.run.shard = Some(name.into());
        report.rules = ids.iter().map(|id| sample::judgement(id, Verdict::Pass)).collect();
        report
    }

    #[test]
    fn all_shards_make_the_whole() {
        let merged = merge(vec![shard("2/2", &["b.b"]), shard("1/2", &["a.a", "c.c"])]).unwrap();
        let ids: Vec<&str> = merged.rules.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["a.a", "b.b", "c.c"]);
        assert_eq!((merged.counts.pass, merged.run.shard.as_ref()), (3, None));
        assert_eq!(merged.stale_expectations.len(), 1, "told once");
        assert_eq!(merged.exit_code, 4);
    }

    #[test]
    fn what_does_not_belong_together_stays_apart() {
        let (one, two) = (shard("1/2", &["a.a"]), shard("2/2", &["b.b"]));
        let refused = |reports: Vec<Report>| merge(reports).unwrap_err();
        assert!(refused(vec![]).contains("no report"));
        assert!(refused(vec![one.clone()]).contains("shard 2 is missing"));
        assert!(refused(vec![one.clone(), shard("2/2", &["a.a"])]).contains("a.a was judged"));
        assert!(refused(vec![one.clone(), shard("2/3", &["b.b"])]).contains("number of shards"));
        assert!(refused(vec![sample::report()]).contains("whole already"));
        let mut other = two;
        other.run.seed = 9;
        assert!(refused(vec![one.clone(), other]).contains("the seed differs"));
        let mut other = shard("2/2", &["b.b"]);
        other.subjects.plexctl = Some("/another/plexctl".into());
        assert!(refused(vec![one, other]).contains("the subject differs"));
    }
}
