//! plexctl against curl doing the same POST, and against a program that does nothing.

use std::process::Command;

use crate::Setup;
use crate::http;
use crate::process::{Server, in_turn, time};
use crate::report::Table;

/// One whole `plexctl kubeconfig`, over http and over https.
pub(crate) fn kubeconfig(setup: &Setup, table: &mut Table) {
    let home = tempfile::tempdir().unwrap();
    let mock = setup.bin.join("mock-server");
    let server = Server::start(&mock, &["--port", "0", "--output", "json", "--world", "bench"]);
    let ca_file = server.ca_file.clone().unwrap();
    let rounds = setup.samples(200);

    for (scheme, base) in
        [("http", format!("http://{}", server.authority)), ("https", server.https.clone().unwrap())]
    {
        let ours = || {
            let mut command = Command::new(setup.bin.join("plexctl"));
            command.env_clear().env("HOME", home.path()).env("PLEXSPHERE_TOKEN", http::TOKEN);
            command.args(["kubeconfig", "--server", &base, "--impersonate-user", "platform-admin"]);
            command.args(http::ids());
            if scheme == "https" {
                command.args(["--ca-file", &ca_file]);
            }
            time(&mut command)
        };
        let theirs = || {
            let mut command = Command::new("curl");
            command.env("HOME", home.path());
            command.args(["--silent", "--show-error", "--fail", "--data", &http::issue_body()]);
            command.args(["--header", "content-type: application/json"]);
            command.arg("--header").arg(format!("authorization: Bearer {}", http::TOKEN));
            command.arg(format!("{base}{}", http::sessions_path()));
            if scheme == "https" {
                command.args(["--cacert", &ca_file]);
            }
            time(&mut command)
        };
        let (ours, theirs) = in_turn(rounds, ours, theirs);
        table.at_most(&format!("plexctl kubeconfig over {scheme}"), "curl", 1.0, ours, theirs);
    }
}

/// `plexctl --help`.
pub(crate) fn help(setup: &Setup, table: &mut Table) {
    let ours = || time(Command::new(setup.bin.join("plexctl")).arg("--help"));
    let theirs = || time(&mut Command::new(setup.examples.join("do_nothing")));
    let (ours, theirs) = in_turn(setup.samples(400), ours, theirs);
    table.at_most("plexctl --help", "a do-nothing Rust binary", 3.0, ours, theirs);
}
