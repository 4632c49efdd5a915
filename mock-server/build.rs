//! What makes a start quick. The embedded worlds are turned from YAML into JSON, which is read ten
//! times as fast: a fifth of the time to the first answer. And the program is linked to stand at a
//! fixed address where that is known to work, so that the loader has not to write 8,000 addresses
//! on 46 pages first: another fifteenth; and to bring its unwinder along where the compiler has it,
//! which is one library less to load: a thirtieth (decision 0059).

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bin=mock-server=-no-pie");
        if env::var("HOST") == env::var("TARGET")
            && let Some(place) = unwinder()
        {
            println!("cargo::rustc-link-search=native={}", place.display());
            println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
        }
    }
    let worlds = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../fixtures/worlds");
    // The scenarios are embedded as they are, but a new file must be noticed.
    println!("cargo::rerun-if-changed={}", worlds.with_file_name("scenarios").display());
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let named = ["default", "tiny", "bench"].map(|name| (name, name));
    for (name, file) in named.into_iter().chain([("rancher", "rancher/standard")]) {
        let file = worlds.join(file).with_extension("yaml");
        println!("cargo::rerun-if-changed={}", file.display());
        let world: serde_json::Value = serde_saphyr::from_str(&fs::read_to_string(&file)?)?;
        fs::write(out.join(name).with_extension("json"), serde_json::to_vec(&world)?)?;
    }
    Ok(())
}

/// Where the C compiler keeps its unwinder for static linking. It echoes a name that it does not
/// know; the shared library does as well then.
fn unwinder() -> Option<PathBuf> {
    let asked = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let file = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim());
    file.is_absolute().then_some(())?;
    file.parent()?.canonicalize().ok()
}
