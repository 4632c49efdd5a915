//! The config file with its named profiles (docs/decisions/0014-*.md).

use std::collections::BTreeMap;
use std::path::PathBuf;

use etcetera::base_strategy::{BaseStrategy, Xdg};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::credentials::private_text;
use crate::error::Error;
use crate::names::quoted;

/// The file as plexctl reads it; keys it does not know are no business of its.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    default_profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// A server and the token that was saved for it.
#[derive(Deserialize, Default)]
pub(crate) struct Profile {
    #[serde(default)]
    pub(crate) server: Option<String>,
    #[serde(default)]
    token: Option<String>,
}

impl Profile {
    /// The token, which leaves the profile.
    pub(crate) fn take_token(&mut self) -> Option<Zeroizing<String>> {
        self.token.take().map(Zeroizing::new)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        drop(self.take_token());
    }
}

/// Where the config file is.
fn path() -> Option<PathBuf> {
    Xdg::new().ok().map(|xdg| xdg.config_dir().join("plexctl").join("config.json"))
}

/// The chosen profile: the named one, which must exist, or the default one, if there is any.
pub(crate) fn load(name: Option<&str>) -> Result<Option<Profile>, Error> {
    let absent =
        |name: &str, what: &str| Error::usage(format!("no profile {}: {what}", quoted(name)));
    let Some(path) = path() else {
        return name.map_or(Ok(None), |name| Err(absent(name, "there is no home directory")));
    };
    let Some(text) = private_text(&path)? else {
        return name
            .map_or(Ok(None), |name| Err(absent(name, &format!("no file {}", path.display()))));
    };
    // serde's message may quote the text, and the text holds tokens.
    let mut file: ConfigFile =
        serde_json::from_str(&text).map_err(|error| Error::InvalidCredentials {
            source_name: path.display().to_string(),
            why: format!("not a config file (line {}, column {})", error.line(), error.column()),
        })?;
    match name.map(str::to_owned).or(file.default_profile) {
        None => Ok(None),
        Some(name) => match file.profiles.remove(&name) {
            Some(profile) => Ok(Some(profile)),
            None => Err(absent(&name, &format!("not in {}", path.display()))),
        },
    }
}
