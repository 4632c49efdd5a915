//! What a program is started with, changed, and the conditions that a defect sets on it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use super::subject::{Environment, When, Words};
use super::supervise::Ended;

/// The value of a flag, in either spelling.
pub(super) fn value_of(args: &[OsString], flag: &str) -> Option<OsString> {
    let joined = format!("{flag}=");
    args.iter().enumerate().find_map(|(at, arg)| {
        if arg == flag {
            return args.get(at + 1).cloned();
        }
        arg.to_str()?.strip_prefix(&joined).map(OsString::from)
    })
}

/// Applies the change and says whether there is any.
pub(super) fn change_environment(command: &mut Command, environment: &Environment) -> bool {
    let mut changed = false;
    for (key, value) in &environment.set {
        changed |= env::var_os(key).is_none_or(|held| held != OsStr::new(value));
        command.env(key, value);
    }
    for (key, from) in &environment.copy {
        if let Some(value) = env::var_os(from) {
            changed = true;
            command.env(key, value);
        }
    }
    for key in &environment.remove {
        changed |= env::var_os(key).is_some();
        command.env_remove(key);
    }
    changed
}

impl Words {
    pub(super) fn change(&self, args: &[OsString]) -> Vec<OsString> {
        let mut changed = Vec::new();
        let mut words = args.iter().peekable();
        let mut last = BTreeMap::new();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            let (name, joined) = match text.split_once('=') {
                Some((name, value)) if name.starts_with("--") => {
                    (name.to_owned(), Some(value.to_owned()))
                }
                _ => (text.clone().into_owned(), None),
            };
            if self.drop.iter().any(|drop| *drop == text) {
                continue;
            }
            if self.remove.contains(&name) {
                if joined.is_none() {
                    words.next();
                }
                continue;
            }
            if let Some(value) = self.set.get(&name) {
                if joined.is_none() {
                    words.next();
                }
                changed.extend([OsString::from(name), OsString::from(value)]);
                continue;
            }
            if self.last_of.as_ref() == Some(&name) {
                let value = joined.map(OsString::from).or_else(|| words.next().cloned());
                last.insert(name, value);
                continue;
            }
            let mut replaced = text.clone().into_owned();
            for (from, to) in &self.replace {
                replaced = replaced.replace(from, to);
            }
            changed.push(if replaced == text { word.clone() } else { replaced.into() });
        }
        for (name, value) in last {
            changed.push(name.into());
            changed.extend(value);
        }
        changed.extend(self.append.iter().map(OsString::from));
        changed
    }
}

impl When {
    /// What can be known before the honest program has run.
    pub(super) fn before(&self, args: &[OsString]) -> bool {
        let texts: Vec<String> =
            args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let any = |text: &String| texts.iter().any(|arg| arg.contains(text.as_str()));
        (self.command.is_empty() || texts.iter().any(|arg| self.command.contains(arg)))
            && self.leads(texts.first())
            && self.args_have.iter().all(any)
            && !self.args_lack.iter().any(any)
            && self.env_has.iter().all(|name| env::var_os(name).is_some())
    }

    fn leads(&self, first: Option<&String>) -> bool {
        let word = first.and_then(|first| first.split('=').next()).unwrap_or_default();
        self.first.is_empty() || self.first.iter().any(|one| one == word)
    }

    /// What can be known only afterwards.
    pub(super) fn after(&self, ended: &Ended) -> bool {
        let said = String::from_utf8_lossy(&ended.stderr);
        let code_fits = self.exit.is_empty()
            || ended.status.code().is_some_and(|code| self.exit.contains(&code));
        code_fits
            && (self.stderr_has.is_empty()
                || self.stderr_has.iter().any(|text| said.contains(text)))
            && !self.stderr_lacks.iter().any(|text| said.contains(text))
    }
}
