//! The figures of `docs/performance.md`, measured side by side in one run: each of our programs
//! takes turns with a peer doing the same work, and what is judged is the ratio.
//!
//! `cargo bench -p conformance --bench side_by_side -- [--quick] [--only PART] [--write]`
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench reports to the terminal")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench that cannot go on has nothing better to do"
)]

mod clients;
mod harness;
mod http;
mod process;
mod report;
mod servers;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The release binaries under measurement and how long to look at them.
pub(crate) struct Setup {
    pub(crate) bin: PathBuf,
    pub(crate) examples: PathBuf,
    pub(crate) quick: bool,
}

impl Setup {
    /// `full` samples, or a twentieth of them for a quick look.
    pub(crate) fn samples(&self, full: usize) -> usize {
        if self.quick { (full / 20).max(5) } else { full }
    }
}

type Part = fn(&Setup, &mut report::Table);

const PARTS: [(&str, Part); 7] = [
    ("start", servers::start),
    ("throughput", servers::throughput),
    ("memory", servers::memory),
    ("growth", servers::growth),
    ("kubeconfig", clients::kubeconfig),
    ("help", clients::help),
    ("harness", harness::overhead),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let only = args.iter().position(|arg| arg == "--only").and_then(|at| args.get(at + 1));
    let flag = |name: &str| args.iter().any(|arg| arg == name);

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let bin = release_binaries(&root);
    let setup = Setup { examples: bin.join("examples"), bin, quick: flag("--quick") };

    let mut table = report::Table::default();
    for (name, part) in PARTS {
        if only.is_none_or(|wanted| wanted == name) {
            eprintln!("measuring: {name}");
            part(&setup, &mut table);
        }
    }
    println!("{}", table.markdown());
    if flag("--write") {
        table.write_into(&root.join("docs/performance.md"));
    }
    if table.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds what is measured, so that a stale binary is never the one that is praised.
fn release_binaries(root: &Path) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--quiet", "--workspace", "--bins", "--examples"])
        .current_dir(root)
        .status()
        .unwrap();
    assert!(built.success(), "the release binaries do not build");
    let here = std::env::current_exe().unwrap();
    here.ancestors().find(|dir| dir.join("mock-server").is_file()).unwrap().to_owned()
}
