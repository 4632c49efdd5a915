//! The worlds that travel inside the binary.

/// `(name, YAML)`, the default first.
pub const WORLDS: &[(&str, &str)] = &[
    ("default", include_str!("../../../fixtures/worlds/default.yaml")),
    ("tiny", include_str!("../../../fixtures/worlds/tiny.yaml")),
    ("bench", include_str!("../../../fixtures/worlds/bench.yaml")),
];

pub fn find(name: &str) -> Option<&'static str> {
    WORLDS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
