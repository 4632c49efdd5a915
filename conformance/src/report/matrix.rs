//! The heart of the subject at a glance: command by trigger by exit code, and how the rules that
//! claim each cell came out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Counts, Judgement, Report};
use crate::bench::Family;
use crate::fixture;

/// One line of the matrix: a trigger, and a cell for each command that knows it.
pub(super) struct Row {
    pub(super) code: u64,
    pub(super) slug: String,
    pub(super) cells: Vec<Option<Cell>>,
}

pub(super) struct Cell {
    /// The claim, as rules spell it: `exit kubeconfig.77.rebac_denied`.
    pub(super) claim: String,
    pub(super) what: String,
    pub(super) counts: Counts,
}

impl Cell {
    /// The worst verdict in the cell.
    pub(super) fn word(&self) -> &'static str {
        let counts = &self.counts;
        if counts.fail > 0 {
            "fail"
        } else if counts.broken > 0 {
            "broken"
        } else if counts.not_run > 0 {
            "not-run"
        } else if counts.known > 0 {
            "known"
        } else if counts.pass > 0 {
            "pass"
        } else if counts.skip > 0 {
            "skip"
        } else {
            "none"
        }
    }
}

pub(super) fn rows(report: &Report) -> Vec<Row> {
    let mut claimed: BTreeMap<&str, Vec<&Judgement>> = BTreeMap::new();
    for one in &report.rules {
        for claim in &one.claims {
            claimed.entry(claim).or_default().push(one);
        }
    }
    let document = fixture::json("contract/exit_codes.json").unwrap_or_default();
    let mut rows: Vec<Row> = Vec::new();
    for row in document["rows"].as_array().into_iter().flatten() {
        let code = row["code"].as_u64().unwrap_or_default();
        for trigger in row["triggers"].as_array().into_iter().flatten() {
            add(&mut rows, code, trigger, &claimed);
        }
    }
    rows.sort_by_key(|row| row.code);
    rows
}

fn add(rows: &mut Vec<Row>, code: u64, trigger: &Value, claimed: &BTreeMap<&str, Vec<&Judgement>>) {
    let id = trigger["id"].as_str().unwrap_or_default();
    let mut parts = id.splitn(3, '.');
    let (command, slug) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    let Some(column) = Family::ALL.iter().position(|family| family.name() == command) else {
        return;
    };
    let claim = format!("exit {id}");
    let rules = claimed.get(claim.as_str()).into_iter().flatten();
    let counts = Counts::of(rules.map(|one| &one.verdict));
    let what = trigger["what"].as_str().unwrap_or_default().to_owned();
    let at = rows.iter().position(|row| row.code == code && row.slug == slug);
    let at = at.unwrap_or_else(|| {
        let cells = Family::ALL.iter().map(|_| None).collect();
        rows.push(Row { code, slug: slug.to_owned(), cells });
        rows.len() - 1
    });
    rows[at].cells[column] = Some(Cell { claim, what, counts });
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_cell_shows_its_worst_verdict() {
        let rows = rows(&sample::report());
        let row = rows.iter().find(|row| row.code == 77).unwrap();
        assert_eq!(row.slug, "rebac_denied");
        assert!(row.cells.iter().all(Option::is_some));
        let cell = row.cells[0].as_ref().unwrap();
        assert_eq!((cell.word(), cell.counts.rules), ("fail", 6));
        assert_eq!(row.cells[1].as_ref().unwrap().word(), "none");
        assert!(rows.len() > 15 && rows.is_sorted_by_key(|row| row.code));
    }
}
