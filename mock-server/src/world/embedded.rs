//! The worlds that travel inside the binary, written in YAML under `fixtures/worlds` and
//! turned into JSON by the build.

use super::file::{WorldError, WorldFile};

/// `(name, JSON)`, the default first.
const WORLDS: &[(&str, &str)] = &[
    ("default", include_str!(concat!(env!("OUT_DIR"), "/default.json"))),
    ("tiny", include_str!(concat!(env!("OUT_DIR"), "/tiny.json"))),
    ("bench", include_str!(concat!(env!("OUT_DIR"), "/bench.json"))),
];

/// The embedded world of this name, if there is one.
pub fn find(name: &str) -> Option<Result<WorldFile, WorldError>> {
    let (_, text) = WORLDS.iter().find(|(known, _)| *known == name)?;
    Some(serde_json::from_str(text).map_err(|error| WorldError::Syntax(error.to_string())))
}

pub fn names() -> [&'static str; WORLDS.len()] {
    std::array::from_fn(|at| WORLDS[at].0)
}

pub fn has(name: &str) -> bool {
    WORLDS.iter().any(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::namespace::Scene;

    #[test]
    fn nothing_is_wrong_with_any() {
        for (name, _) in WORLDS {
            assert!(has(name));
            Scene::prepare(find(name).unwrap().unwrap()).unwrap();
        }
    }

    #[test]
    fn the_json_says_what_the_yaml_says() {
        for (name, _) in WORLDS {
            let file = format!("{}/../fixtures/worlds/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
            let yaml = std::fs::read_to_string(file).unwrap();
            assert_eq!(find(name).unwrap().unwrap(), WorldFile::parse(&yaml).unwrap());
        }
    }
}
