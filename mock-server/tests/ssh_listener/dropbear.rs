//! dropbear's client, which shares no code with OpenSSH.

use std::process::Command;

use crate::door::{TOKEN, USER, finish, have, open, text};

fn dbclient(port: u16, token: &str, command: &str) -> Command {
    let mut dbclient = Command::new("timeout");
    dbclient
        .args(["40", "dbclient", "-y", "-y", "-T", "-p", &port.to_string()])
        .arg(format!("{USER}@127.0.0.1"))
        .arg(command)
        .env("DROPBEAR_PASSWORD", token);
    dbclient
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_and_its_status_comes_back() {
    if !have("dbclient") {
        return;
    }
    let session = open().await;
    let output = finish(dbclient(session.port, TOKEN, "echo hi; exit 6"), Vec::new()).await;
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "hi\n");
    let output = finish(dbclient(session.port, TOKEN, "tr a-z A-Z"), b"through\n".to_vec()).await;
    assert_eq!(text(&output.stdout), "THROUGH\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused() {
    if !have("dbclient") {
        return;
    }
    let session = open().await;
    let output = finish(dbclient(session.port, "wrong-canary", "true"), Vec::new()).await;
    assert_ne!(output.status.code(), Some(0));
    assert!(!text(&output.stderr).contains("canary"), "{}", text(&output.stderr));
    assert!(session.events().is_empty(), "{:?}", session.events());
}
