//! The scenarios: what a client does with each, and whether a server plays each as it is written.

mod client;
mod heard;
mod issued;
mod server;
mod together;

use crate::bench::{Family, Scenario, System};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side, Source};
use crate::verdict::{Outcome, broken};

pub(super) use self::server::{bare, expect_played};

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

/// What there is to say about every scenario that answers about kubeconfigs.
pub(super) fn draft(scenario: &Scenario, system: System) -> Outcome<RuleDraft> {
    let (source, name) = (source_of(scenario, None)?, &scenario.name);
    let family = system.name();
    let slug = name.strip_prefix(family).unwrap_or(name).trim_start_matches('_').to_owned();
    Ok(Rule::should(format!("{family}.scenario.{slug}"), Side::Server)
        .system(system)
        .title(format!("/scenarios/{name} answers as its file says: {}", scenario.title))
        .source(source.page, source.fact)
        .claims([Claim::scenario(name.clone(), "server")])
        .needs([Need::Scenarios])
        .fix("Play the file to the byte at the operation it names, and answer everything else as usual."))
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
