//! An executable named `ssh` on the subject's PATH that writes down how it was called.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use memchr::memmem;

use super::canary::Canary;
use super::process;
use super::sandbox::Sandbox;
use crate::verdict::{Outcome, expect, fail};

/// Ends a part of a record; nobody passes it as an argument or a variable.
const MARK: &[u8] = b"\0[end of part 5f1c0b7e]\0";

/// How the fake ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Status(u8),
    /// A signal by its name without SIG: `TERM`, `KILL`.
    Signal(&'static str),
}

/// The fake as installed; ask it afterwards what it saw.
#[derive(Debug)]
pub struct FakeSsh {
    records: PathBuf,
}

/// One call of the fake.
#[derive(Debug, Clone)]
pub struct SshCall {
    /// The arguments after the program's own name.
    pub args: Vec<String>,
    /// The environment it was given.
    pub env: BTreeMap<String, String>,
    /// Its own command line and its parent's, as the process table showed them (Linux only).
    pub cmdline: Vec<u8>,
    pub parent_cmdline: Vec<u8>,
    pub stdin_is_terminal: bool,
}

impl FakeSsh {
    pub(crate) fn install(sandbox: &Sandbox, ending: Ending) -> io::Result<Self> {
        let records = sandbox.records().join("ssh");
        // A fake put in the place of an earlier one knows nothing of its predecessor's calls.
        if records.exists() {
            fs::remove_dir_all(&records)?;
        }
        fs::create_dir_all(&records)?;
        let end = match ending {
            Ending::Status(status) => format!("exit {status}"),
            Ending::Signal(name) => format!("kill -{name} $$"),
        };
        // /proc/$$/environ is what the caller passed; the shell's own additions are not in it.
        // One cat gathers it all, in parts that end with the mark: a record is whole when its last
        // part has ended.
        let mark = format!("{records}/mark", records = records.display());
        fs::write(&mark, MARK)?;
        let script = format!(
            "#!/bin/sh\n\
             r='{records}'/call.$$\n\
             m='{mark}'\n\
             for a in \"$@\"; do printf '%s\\0' \"$a\"; done > $r.args\n\
             if [ -t 0 ]; then echo tty; fi > $r.tty\n\
             if [ -r /proc/$$/environ ]; then p=/proc/$$; else\n\
             \x20 p=$r; /bin/mkdir $p; /usr/bin/env -0 > $p/environ; : > $p/cmdline\n\
             fi\n\
             q=/proc/$PPID/cmdline\n\
             if [ ! -r $q ]; then q=/dev/null; fi\n\
             /bin/cat $p/environ $m $p/cmdline $m $q $m $r.tty $m $r.args $m > $r.record\n\
             {end}\n",
            records = records.display(),
        );
        process::write_executable(&sandbox.bin().join("ssh"), &script)?;
        Ok(Self { records })
    }

    /// Every call so far.
    pub fn calls(&self) -> Outcome<Vec<SshCall>> {
        let mut records: Vec<PathBuf> = fs::read_dir(&self.records)?
            .filter_map(|item| Some(item.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "record"))
            .collect();
        records.sort();
        let mut calls = Vec::new();
        for path in records {
            calls.extend(SshCall::read(&fs::read(path)?));
        }
        Ok(calls)
    }

    pub fn expect_not_started(&self) -> Outcome {
        let calls = self.calls()?;
        expect(
            calls.is_empty(),
            "the local ssh client",
            "never started",
            format!("{} starts", calls.len()),
        )
    }

    /// Exactly one call, and its record.
    pub fn expect_one_call(&self) -> Outcome<SshCall> {
        let mut calls = self.calls()?;
        match (calls.pop(), calls.len()) {
            (Some(call), 0) => Ok(call),
            (None, _) => fail("the local ssh client", "started once", "never started"),
            (Some(_), more) => {
                fail("the local ssh client", "started once", format!("{} starts", more + 1))
            }
        }
    }
}

impl SshCall {
    /// None while the record is still being written.
    fn read(record: &[u8]) -> Option<Self> {
        let mut rest = record;
        let mut part = || {
            let end = memmem::find(rest, MARK)?;
            let part = &rest[..end];
            rest = &rest[end + MARK.len()..];
            Some(part)
        };
        let (environ, cmdline, parent, terminal, args) =
            (part()?, part()?, part()?, part()?, part()?);
        Some(Self {
            args: strings(args),
            env: strings(environ)
                .into_iter()
                .filter_map(|pair| {
                    let (key, value) = pair.split_once('=')?;
                    Some((key.to_owned(), value.to_owned()))
                })
                .collect(),
            cmdline: cmdline.to_vec(),
            parent_cmdline: parent.to_vec(),
            stdin_is_terminal: !terminal.is_empty(),
        })
    }

    /// The secret is in no argument, neither the fake's own nor its parent's.
    pub fn expect_argv_silent_about(&self, canary: &Canary) -> Outcome {
        canary.absent_from("ssh's arguments", self.args.join("\n").as_bytes())?;
        canary.absent_from("ssh's command line", &self.cmdline)?;
        canary.absent_from("plexctl's command line", &self.parent_cmdline)
    }

    /// The names of the variables that hold the secret in any spelling.
    pub fn variables_with(&self, canary: &Canary) -> Vec<String> {
        self.env
            .iter()
            .filter(|(_, value)| canary.find(value.as_bytes()).is_some())
            .map(|(key, _)| key.clone())
            .collect()
    }
}

fn strings(bytes: &[u8]) -> Vec<String> {
    let Some(body) = bytes.strip_suffix(&[0]) else { return Vec::new() };
    body.split(|byte| *byte == 0)
        .map(|part| std::ffi::OsString::from_vec(part.to_vec()).to_string_lossy().into_owned())
        .collect()
}
