//! The systems that can be judged, and whose contract a path belongs to.

use serde::Serialize;
use serde_json::Value;

use super::{Contract, Generation};
use crate::verdict::Outcome;

/// One issuer with its API.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum System {
    #[default]
    Plexsphere,
    K0rdent,
    Rancher,
}

impl System {
    pub const ALL: [Self; 3] = [Self::Plexsphere, Self::K0rdent, Self::Rancher];

    /// As the command line and the folders of `fixtures/` spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plexsphere => "plexsphere",
            Self::K0rdent => "k0rdent",
            Self::Rancher => "rancher",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.name() == name)
    }

    /// The document, by its path below `fixtures/`.
    pub fn document(self) -> String {
        format!("contract/{}.json", self.name())
    }

    /// Whose a path is, when what stands before the API's own paths is taken off.
    pub fn of_path(path: &str) -> Self {
        let below = |base: &str| {
            let rest = path.strip_prefix(base);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        const KUBERNETES: [&str; 6] = ["/api", "/apis", "/k8s", "/livez", "/openapi", "/version"];
        if below("/v1/regions") {
            Self::K0rdent
        } else if KUBERNETES.into_iter().any(below) {
            Self::Rancher
        } else {
            Self::Plexsphere
        }
    }

    /// Its contract, in that generation where it has several.
    pub fn contract(self, generation: Generation) -> Outcome<&'static Contract> {
        super::contract(self, generation)
    }

    /// What a refusal says to programs.
    pub fn code(self, body: &Value) -> &Value {
        match self {
            Self::Plexsphere => &body["code"],
            Self::K0rdent => &body["error"]["details"][0]["reason"],
            Self::Rancher => &body["reason"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_one_system() {
        for (path, system) in [
            ("/v1/projects", System::Plexsphere),
            ("/v1/regionsx", System::Plexsphere),
            ("/v1/regions", System::K0rdent),
            ("/v1/regions?x", System::K0rdent),
            ("/v1/regions/r/projects/p", System::K0rdent),
            ("/apis/ext.cattle.io/v1/kubeconfigs?limit=1", System::Rancher),
            ("/version", System::Rancher),
            ("/v1/version", System::Plexsphere),
        ] {
            assert_eq!(System::of_path(path), system, "{path}");
        }
        for system in System::ALL {
            assert_eq!(System::named(system.name()), Some(system));
        }
    }
}
