//! Who may do what in Rancher, as its built-in roles have it: users make kubeconfigs and look
//! at settings and features, admins do everything.

use crate::kube::rbac::{self, Caller, reading};
use crate::kube::{RequestInfo, Rule};
use crate::world::rancher::Rancher;

use super::kinds::{CLUSTER, EXT, KUBECONFIG, MANAGEMENT};

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn rule(users: Vec<String>, verbs: Vec<String>, group: &str, resources: &[&str]) -> Rule {
    Rule {
        users,
        groups: Vec::new(),
        verbs,
        api_groups: words(&[group]),
        resources: words(resources),
        resource_names: Vec::new(),
        namespaces: Vec::new(),
        paths: Vec::new(),
    }
}

pub(super) fn of(world: &Rancher) -> Vec<Rule> {
    let users = || world.users.iter().filter(|user| user.rancher_user);
    let names = |admin: bool| -> Vec<String> {
        users().filter(|user| !admin || user.admin).map(|user| user.name.clone()).collect()
    };
    let mut rules = vec![
        rule(names(false), words(KUBECONFIG.verbs), EXT, &["kubeconfigs"]),
        rule(names(false), reading(), MANAGEMENT, &["features", "settings"]),
        // What is listed is only ever what may be got.
        rule(names(false), words(&["list", "watch"]), MANAGEMENT, &["clusters"]),
    ];
    rules.extend(users().map(|user| {
        let clusters = rule(vec![user.name.clone()], words(&["get"]), MANAGEMENT, &["clusters"]);
        let everything = user.clusters.iter().any(|name| name == "*");
        // A rule without names would be for every name.
        let none = vec![String::new()];
        let named = if user.clusters.is_empty() { none } else { user.clusters.clone() };
        Rule { resource_names: if everything { Vec::new() } else { named }, ..clusters }
    }));
    // A rule for nobody would be in nobody's way, and one for admins is for them alone.
    rules.push(Rule { paths: words(&["*"]), ..rule(names(true), words(&["*"]), "*", &["*"]) });
    rules
}

/// A request for a resource without a namespace, to be judged.
fn asked(verb: &'static str, group: &str, resource: &str, name: &str) -> RequestInfo {
    RequestInfo {
        verb,
        path: String::new(),
        is_resource: true,
        group: group.to_owned(),
        version: String::new(),
        resource: resource.to_owned(),
        subresource: String::new(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}

/// Whether the caller is an admin in the eyes of the kubeconfigs: may do this to anything.
pub(super) fn is_admin(rules: &[Rule], caller: &Caller, verb: &'static str) -> bool {
    rbac::allowed(rules, caller, &asked(verb, "", "*", ""))
}

pub(super) fn may_get_cluster(rules: &[Rule], caller: &Caller, name: &str) -> bool {
    rbac::allowed(rules, caller, &asked("get", MANAGEMENT, CLUSTER.plural, name))
}
