//! All rules, sorted by id, each id once.

use crate::rule::Rule;
use crate::rules;
use crate::verdict::{Outcome, broken};

/// Every rule there is. An error means that the catalogue itself is faulty.
pub fn all() -> Outcome<Vec<Rule>> {
    let mut rules = rules::all()?;
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    for pair in rules.windows(2) {
        if pair[0].id == pair[1].id {
            return broken(format!("two rules are called {}", pair[0].id));
        }
    }
    for rule in &rules {
        let parts = rule.id.split('.');
        let lowercase = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if parts.clone().count() < 2
            || !parts.clone().all(|part| !part.is_empty() && part.chars().all(lowercase))
        {
            return broken(format!("{} is not a dotted lowercase id", rule.id));
        }
        let said = [&rule.title, &rule.source.page, &rule.source.fact, &rule.fix];
        if said.iter().any(|text| text.trim().is_empty()) {
            return broken(format!("{} lacks a title, a source or a fix", rule.id));
        }
        if rule.claims.is_empty() {
            return broken(format!("{} claims to cover nothing", rule.id));
        }
    }
    Ok(rules)
}

/// The rules whose id matches one of the globs; all of them when there is no glob.
pub fn matching<'r>(rules: &'r [Rule], globs: &[String]) -> Result<Vec<&'r Rule>, globset::Error> {
    if globs.is_empty() {
        return Ok(rules.iter().collect());
    }
    let mut set = globset::GlobSetBuilder::new();
    for glob in globs {
        set.add(globset::Glob::new(glob)?);
    }
    let set = set.build()?;
    Ok(rules.iter().filter(|rule| set.is_match(&*rule.id)).collect())
}
