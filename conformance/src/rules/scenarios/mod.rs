//! The scenarios: what a client does with each, and whether a server plays each as it is written.

mod client;
mod heard;
mod issued;
mod server;
mod together;

use crate::bench::{Family, Scenario};
use crate::rule::{Rule, Source};
use crate::verdict::{Outcome, broken};

pub(crate) fn all() -> Outcome<Vec<Rule>> {
    let mut rules = Vec::new();
    for name in Scenario::names() {
        let scenario = Scenario::load(&name)?;
        for family in Family::ALL {
            rules.extend(client::rules(&scenario, family)?);
        }
        rules.push(server::rule(&scenario)?);
    }
    rules.extend(together::all()?);
    Ok(rules)
}

/// The source of what is expected: the page of the command where it is cited, else the first page
/// cited.
fn source_of(scenario: &Scenario, family: Option<Family>) -> Outcome<Source> {
    let cites = |page: &str| scenario.source.iter().find(|source| source.page == page);
    let own = family.and_then(|family| cites(&format!("plexctl {}", family.name())));
    let Some(cited) = own.or_else(|| scenario.source.first()) else {
        return broken(format!("the scenario {} names no source", scenario.name));
    };
    let page = match cited.page.starts_with("plexctl ") {
        true => format!("{} page", cited.page),
        false => cited.page.clone(),
    };
    Ok(Source { page: page.into(), fact: cited.fact.clone().into() })
}
