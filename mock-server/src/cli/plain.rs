//! The few words with which scripts and test suites start a server, read without laying out the
//! whole command line first, which takes an eighth of a start. Whatever is not as plain as this,
//! wrong or merely rare, is left to the command line, which then also finds the words for it.

use std::ffi::OsString;

use clap::ValueEnum as _;

use super::{Output, Serve};
use crate::systems::plexsphere::Generation;

/// What was asked, or `None` where the command line has to read it.
pub(super) fn read(args: &[OsString]) -> Option<Serve> {
    let mut serve = Serve::default();
    let mut told = Vec::new();
    let mut words = args.iter().skip(1).map(|word| word.to_str());
    while let Some(flag) = words.next() {
        let flag = flag?;
        if told.contains(&flag) {
            return None;
        }
        told.push(flag);
        let mut value = || words.next().flatten().filter(|value| !value.starts_with('-'));
        match flag {
            "--port" => serve.port = value()?.parse().ok()?,
            "--world" => value()?.clone_into(&mut serve.world),
            "--contract" => serve.contract = Generation::from_str(value()?, false).ok()?,
            "--seed" => serve.seed = Some(value()?.parse().ok()?),
            "--output" => serve.output = Some(Output::from_str(value()?, false).ok()?),
            "--no-node" => serve.no_node = true,
            _ => return None,
        }
    }
    Some(serve)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Cli;
    use super::*;

    fn args<'w>(words: impl IntoIterator<Item = &'w str>) -> Vec<OsString> {
        std::iter::once("mock-server").chain(words).map(OsString::from).collect()
    }

    #[test]
    fn it_reads_what_the_command_line_reads() {
        let pieces = [
            &["--port", "0"][..],
            &["--port=0"],
            &["--port", "70000"],
            &["--port", "+5"],
            &["--port", "-1"],
            &["--port"],
            &["--output", "json"],
            &["--output", "JSON"],
            &["--world", "tiny"],
            &["--world", ""],
            &["--world", "env"],
            &["--world", "--seed"],
            &["--contract", "2026-06"],
            &["--contract", "2026"],
            &["--seed", "7"],
            &["--seed", "0x7"],
            &["--no-node"],
            &["--no-node", "true"],
            &["--journal", "5"],
            &["--host-shell"],
            &["--help"],
            &["--"],
            &["env"],
            &[],
        ];
        let (mut plain, mut left) = (0, 0);
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let args = args([first, second, third].concat());
                    let Some(serve) = read(&args) else {
                        left += 1;
                        continue;
                    };
                    plain += 1;
                    let cli = Cli::try_parse_from(&args).unwrap_or_else(|error| panic!("{error}"));
                    assert!(cli.command.is_none(), "{args:?}");
                    assert_eq!(cli.serve, serve, "{args:?}");
                }
            }
        }
        assert!(plain > 200 && left > 2_000, "{plain} read, {left} left");
    }

    #[test]
    fn how_the_harness_starts_a_server_is_plain() {
        let words = "--port 0 --output json --contract 2026-07 --seed 1 --world bench --no-node";
        let serve = read(&args(words.split(' '))).unwrap();
        assert_eq!((serve.port, serve.seed, &*serve.world), (0, Some(1), "bench"));
        assert_eq!(serve.output, Some(Output::Json));
    }
}
