//! Finding the binaries to judge when nobody named them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::verdict::{Outcome, broken};

/// The two binaries of this workspace.
#[derive(Debug, Clone)]
pub struct Binaries {
    pub plexctl: PathBuf,
    pub mock_server: PathBuf,
}

/// A binary of that name in the directory of our own executable.
pub fn beside_us(name: &str) -> Option<PathBuf> {
    let file =
        env::current_exe().ok()?.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX));
    file.is_file().then_some(file)
}

/// `PLEXCTL_BIN` and `MOCK_SERVER_BIN`; for what they do not name, one nested `cargo build` into
/// the profile and target directory that we were built into. Cargo holds no lock while tests run.
pub fn from_environment_or_cargo() -> Outcome<Binaries> {
    let named = |key: &str| env::var_os(key).filter(|path| !path.is_empty()).map(PathBuf::from);
    let (plexctl, mock_server) = (named("PLEXCTL_BIN"), named("MOCK_SERVER_BIN"));
    for path in [&plexctl, &mock_server].into_iter().flatten() {
        if !path.is_file() {
            return broken(format!("no binary at {}", path.display()));
        }
    }
    if let (Some(plexctl), Some(mock_server)) = (&plexctl, &mock_server) {
        return Ok(Binaries { plexctl: absolute(plexctl)?, mock_server: absolute(mock_server)? });
    }
    let built = cargo_build()?;
    Ok(Binaries {
        plexctl: plexctl.map_or(Ok(built.plexctl), |path| absolute(&path))?,
        mock_server: mock_server.map_or(Ok(built.mock_server), |path| absolute(&path))?,
    })
}

fn absolute(path: &Path) -> Outcome<PathBuf> {
    Ok(std::path::absolute(path)?)
}

fn cargo_build() -> Outcome<Binaries> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--bins", "--message-format=json"])
        .args(["-p", "plexctl", "-p", "mock-server"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stderr(Stdio::inherit());
    // What cargo tells a test about its own package; build scripts that watch these variables
    // (ring's does) would take them for a change and build everything anew.
    for (key, _) in env::vars_os() {
        let name = key.to_string_lossy();
        let of_the_test = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "DEP_"];
        if of_the_test.iter().any(|start| name.starts_with(start)) || name == "OUT_DIR" {
            command.env_remove(&key);
        }
    }
    if let Some(place) = own_place() {
        command.arg("--profile").arg(place.profile).arg("--target-dir").arg(place.target_dir);
        if let Some(triple) = place.triple {
            command.arg("--target").arg(triple);
        }
    }
    let output = command.output()?;
    if !output.status.success() {
        return broken(format!("cargo build of the subjects: {}", output.status));
    }
    let executable = |name: &str| -> Outcome<PathBuf> {
        let found = output.stdout.split(|byte| *byte == b'\n').find_map(|line| {
            let message: Value = serde_json::from_slice(line).ok()?;
            (message["reason"] == "compiler-artifact" && message["target"]["name"] == name)
                .then(|| message["executable"].as_str().map(PathBuf::from))
                .flatten()
        });
        match found {
            Some(path) => Ok(path),
            None => broken(format!("cargo built no binary called {name}")),
        }
    };
    Ok(Binaries { plexctl: executable("plexctl")?, mock_server: executable("mock-server")? })
}

/// Where cargo put this test: `<target_dir>[/<triple>]/<profile directory>/deps/<test>`.
struct Place {
    target_dir: PathBuf,
    triple: Option<String>,
    profile: String,
}

fn own_place() -> Option<Place> {
    let executable = env::current_exe().ok()?;
    let deps = executable.parent()?;
    let profile_dir = if deps.ends_with("deps") { deps.parent()? } else { deps };
    let name = profile_dir.file_name()?.to_str()?;
    let profile = if name == "debug" { "dev" } else { name }.to_owned();
    let above = profile_dir.parent()?;
    // Cargo marks the target directory itself, never the directory of a triple.
    if above.join("CACHEDIR.TAG").exists() {
        return Some(Place { target_dir: above.to_path_buf(), triple: None, profile });
    }
    let triple = above.file_name()?.to_str()?.to_owned();
    Some(Place { target_dir: above.parent()?.to_path_buf(), triple: Some(triple), profile })
}
