//! The process table, searched for a secret.

use std::fs;

use super::canary::Canary;

/// A process that holds the secret where others can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub pid: u32,
    pub name: String,
    /// Whether it stands among the arguments.
    pub in_arguments: bool,
    /// The environment variables it stands in.
    pub variables: Vec<String>,
}

/// Every process whose arguments or environment hold the secret now (Linux only). Processes that
/// end meanwhile, and those of other users, are passed over.
pub fn holding(canary: &Canary) -> Vec<Seen> {
    let Ok(table) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = table.flatten().filter_map(|item| item.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|pid| {
        let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let in_arguments = canary.find(&read("cmdline")).is_some();
        let variables: Vec<String> = read("environ")
            .split(|byte| *byte == 0)
            .filter(|pair| canary.find(pair).is_some())
            .map(|pair| {
                let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
                String::from_utf8_lossy(name).into_owned()
            })
            .collect();
        if !in_arguments && variables.is_empty() {
            return None;
        }
        let name = String::from_utf8_lossy(&read("comm")).trim().to_owned();
        Some(Seen { pid, name, in_arguments, variables })
    })
    .collect()
}
