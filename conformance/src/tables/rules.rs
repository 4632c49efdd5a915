//! `docs/rules.md`: the catalogue on one page. A rule that exists once for each command is one
//! line, and a large family is one line with a count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{NOTICE, cell, cited};
use crate::bench::{Family, System};
use crate::rule::{Level, Rule, Side};

/// A family with more lines than this becomes one line.
const LARGEST: usize = 20;

pub(super) fn page(rules: &[Rule]) -> String {
    let count = |level| rules.iter().filter(|rule| rule.level == level).count();
    let mut text = format!(
        "# Rules\n\n{NOTICE}\n\n{} rules: {} MUST, which a page or the contract demands, and {} \
         SHOULD, which this project has decided. `{{k,s,t}}` stands for a rule of kubeconfig, ssh \
         and tcp_forward each. `conformance list --rule 'GLOB'` lists a family in full, `conformance \
         explain RULE` says what a rule asks, where it comes from and how to mend what it finds.\n",
        rules.len(),
        count(Level::Must),
        count(Level::Should),
    );
    for (section, lines) in sections(rules) {
        let total: usize = lines.values().map(Vec::len).sum();
        let _ = write!(
            text,
            "\n## {section}\n\n{total} rules.\n\n| rule | | what | source |\n|---|---|---|---|\n"
        );
        for (family, members) in families(&lines) {
            if members.len() > LARGEST {
                folded(&mut text, &family, &members);
            } else {
                for (line, rules) in members {
                    single(&mut text, line, rules);
                }
            }
        }
    }
    text
}

type Lines<'r> = BTreeMap<String, Vec<&'r Rule>>;
type Line<'l, 'r> = (&'l String, &'l Vec<&'r Rule>);

/// The rules by section, and in it by the line they share.
fn sections(rules: &[Rule]) -> BTreeMap<String, Lines<'_>> {
    let mut sections: BTreeMap<String, Lines<'_>> = BTreeMap::new();
    for rule in rules {
        let (head, rest) = rule.id.split_once('.').unwrap_or((&rule.id, ""));
        let command = Family::ALL.iter().any(|family| family.slug() == head);
        let side = match rule.side {
            Side::Client => "plexctl",
            Side::Server => "Control plane",
            Side::Pair => "Both together",
        };
        let section = match (rule.side, command) {
            (Side::Client, false) => format!("{side}: {head}"),
            (Side::Client, true) => {
                format!("{side}: {}", rest.split('.').next().unwrap_or_default())
            }
            _ if rule.system != System::default() => format!("{side}: {}", rule.system.name()),
            _ => side.to_owned(),
        };
        let line = if command { format!("{{k,s,t}}.{rest}") } else { rule.id.to_string() };
        sections.entry(section).or_default().entry(line).or_default().push(rule);
    }
    sections
}

/// The lines of a section by the first two words of their ids.
fn families<'l, 'r>(lines: &'l Lines<'r>) -> BTreeMap<String, Vec<Line<'l, 'r>>> {
    let mut families: BTreeMap<String, Vec<Line<'_, '_>>> = BTreeMap::new();
    for line in lines {
        let words = if line.0.starts_with("scenario.") { 1 } else { 2 };
        let family = line.0.split('.').take(words).collect::<Vec<_>>().join(".");
        families.entry(family).or_default().push(line);
    }
    families
}

fn single(text: &mut String, line: &str, rules: &[&Rule]) {
    let Some(first) = rules.first() else { return };
    // A line of one command, or of two, is named as it is.
    let name = match (line.strip_prefix("{k,s,t}"), rules.len()) {
        (None, _) | (_, 3) => line.to_owned(),
        (Some(rest), _) => {
            let heads: Vec<&str> =
                rules.iter().filter_map(|rule| rule.id.split('.').next()).collect();
            if heads.len() == 1 {
                format!("{}{rest}", heads[0])
            } else {
                format!("{{{}}}{rest}", heads.join(","))
            }
        }
    };
    let _ = writeln!(
        text,
        "| `{name}` | {} | {} | {} |",
        level(rules),
        cell(&first.title),
        sources(rules)
    );
}

fn folded(text: &mut String, family: &str, members: &[Line<'_, '_>]) {
    let rules: Vec<&Rule> = members.iter().flat_map(|(_, rules)| rules.iter().copied()).collect();
    let Some(first) = rules.first() else { return };
    let more = if family.ends_with("scenario") { "[scenarios.md](scenarios.md); " } else { "" };
    let _ = writeln!(
        text,
        "| `{family}.*` | {} | **{} rules**: {more}for example: {} | {} |",
        level(&rules),
        rules.len(),
        cell(&first.title),
        sources(&rules),
    );
}

fn level(rules: &[&Rule]) -> &'static str {
    let must = rules.iter().filter(|rule| rule.level == Level::Must).count();
    match must {
        0 => "SHOULD",
        all if all == rules.len() => "MUST",
        _ => "MUST, SHOULD",
    }
}

/// The pages the rules come from, with the fact where they agree on it; three at the most.
fn sources(rules: &[&Rule]) -> String {
    let pages: BTreeSet<&str> = rules.iter().map(|rule| &*rule.source.page).collect();
    let facts: BTreeSet<&str> = rules.iter().map(|rule| &*rule.source.fact).collect();
    let mut shown: Vec<String> = pages.iter().take(3).map(|page| cited(page)).collect();
    if pages.len() > 3 {
        shown.push(format!("{} more", pages.len() - 3));
    }
    if let (1, Some(fact)) = (facts.len(), facts.first()) {
        shown.push(cell(fact));
    }
    shown.join(", ")
}
