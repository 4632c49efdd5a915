//! The doors opened by the programs people have: ssh, kubectl and curl, with the very token
//! that was issued, and by plexctl where it has been built.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use mock_server::MockServer;
use serde_json::json;

use crate::client::{Client, PROJECT, RESOURCE, k8s, ssh, tcp};
use crate::doors::{Issued, Running, codes, program, refusals, run, text, until};

fn start() -> (MockServer, Client) {
    let server = MockServer::builder().start().unwrap();
    let client = Client::of(&server);
    (server, client)
}

/// A stock ssh without any configuration, which asks `helper` for the password.
pub(crate) fn stock_ssh(home: &Path, issued: &Issued) -> Command {
    let helper = home.join("askpass");
    let script =
        "#!/bin/sh\ncase \"$1\" in\n*fingerprint*) echo \"$PIN\" ;;\n*) echo \"$TOKEN\" ;;\nesac\n";
    std::fs::write(&helper, script).unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o700)).unwrap();
    let pin = issued.endpoint.split_once("fingerprint=").unwrap().1.split('@').next().unwrap();
    let known = home.join("known_hosts");
    let mut command = Command::new("timeout");
    command
        .args(["40", "ssh", "-F", "/dev/null", "-o", "GlobalKnownHostsFile=/dev/null", "-o"])
        .arg(format!("UserKnownHostsFile={}", known.display()))
        .env("SSH_ASKPASS", helper)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("PIN", pin)
        .env("TOKEN", &issued.token)
        .env_remove("SSH_AUTH_SOCK");
    command
}

#[test]
fn ssh_logs_in_and_brings_the_exit_status_home() {
    if program("ssh").is_none() {
        return;
    }
    let (_server, client) = start();
    let home = tempfile::tempdir().unwrap();
    let issued = Issued::new(&client, &ssh());
    let mut command = stock_ssh(home.path(), &issued);
    let output = run(command.args([&issued.endpoint, "id -un; exit 7"]), "");
    assert_eq!(
        (text(&output.stdout).as_str(), output.status.code()),
        ("ops\n", Some(7)),
        "{}",
        text(&output.stderr)
    );

    let mut wrong = stock_ssh(home.path(), &issued);
    let other = Issued::new(&client, &ssh()).token;
    let output = run(wrong.env("TOKEN", &other).args([&issued.endpoint, "true"]), "");
    assert_eq!(output.status.code(), Some(255));
    assert!(!refusals(&client).is_empty());
    assert!(refusals(&client).iter().all(|name| name == "session"), "{:?}", refusals(&client));

    let mut limited = ssh();
    limited["target"]["ssh"]["allowed_commands"] = json!(["uname"]);
    let issued = Issued::new(&client, &limited);
    for (line, code) in [("uname", 0), ("uname -a", 1)] {
        let output = run(stock_ssh(home.path(), &issued).args([&issued.endpoint, line]), "");
        assert_eq!(output.status.code() == Some(0), code == 0, "{line}: {}", text(&output.stderr));
    }
}

#[test]
fn revoking_ends_a_shell_that_is_open() {
    if program("ssh").is_none() {
        return;
    }
    let (_server, client) = start();
    let home = tempfile::tempdir().unwrap();
    let issued = Issued::new(&client, &ssh());
    let mut command = stock_ssh(home.path(), &issued);
    let piped = command.args(["-tt", &issued.endpoint]);
    let piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut shell = Running(piped.spawn().unwrap());
    let mut typed = shell.0.stdin.take().unwrap();
    typed.write_all(b"echo re''ady\n").unwrap();
    let mut lines = BufReader::new(shell.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().trim_end() == "ready"));
    client.revoke(&issued.id);
    shell.ends_soon();
}

pub(crate) fn kubeconfig(
    home: &Path,
    server: &MockServer,
    issued: &Issued,
    token: &str,
) -> Command {
    let authority = base64::engine::general_purpose::STANDARD.encode(server.ca_pem());
    let document = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {
            "server": format!("https://{}", issued.endpoint),
            "certificate-authority-data": authority,
        }}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": token}}],
    });
    let file = home.join("kubeconfig");
    std::fs::write(&file, document.to_string()).unwrap();
    let mut command = Command::new("kubectl");
    command.env("HOME", home).arg("--kubeconfig").arg(file);
    command
}

#[test]
fn kubectl_is_who_the_session_says() {
    if program("kubectl").is_none() {
        return;
    }
    let (server, client) = start();
    let home = tempfile::tempdir().unwrap();
    let mut body = k8s();
    body["target"]["k8s"] = json!({"user": "ana", "impersonate_groups": ["developers"]});
    let issued = Issued::new(&client, &body);
    let kubectl = || kubeconfig(home.path(), &server, &issued, &issued.token);
    let output = run(kubectl().args(["auth", "whoami"]), "");
    let said = text(&output.stdout);
    assert!(said.contains("ana") && said.contains("developers"), "{said}{}", text(&output.stderr));
    let output = run(kubectl().args(["create", "namespace", "mine"]), "");
    assert!(text(&output.stderr).contains("Forbidden"), "{}", text(&output.stderr));

    let piped = |mut command: Command| {
        let piped = command.args(["get", "pods", "-A", "-w"]);
        piped.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut watching = Running(piped(kubectl()));
    let mut lines = BufReader::new(watching.0.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("NAMESPACE"));
    // The table is written before the watch begins.
    until("a watch", || client.get("/__mock/requests").text.contains("verb=watch"));
    client.revoke(&issued.id);
    watching.ends_soon();

    let other = Issued::new(&client, &k8s());
    let output =
        run(kubeconfig(home.path(), &server, &other, &issued.token).args(["get", "ns"]), "");
    assert_ne!(output.status.code(), Some(0));
    assert!(refusals(&client).iter().all(|name| name == "session"), "{:?}", refusals(&client));
    assert!(codes(&client, "SessionActivity").iter().any(|code| code == "api_request"));
}

#[test]
fn curl_goes_through_to_the_target() {
    if program("curl").is_none() {
        return;
    }
    let (_server, client) = start();
    let home = tempfile::tempdir().unwrap();
    let mut body = tcp();
    body["target"]["tcp"]["port"] = 80.into();
    let issued = Issued::new(&client, &body);
    let header = home.path().join("header");
    std::fs::write(&header, format!("Proxy-Authorization: Bearer {}", issued.token)).unwrap();
    let curl = |target: &str, shown: bool| {
        let mut command = Command::new("curl");
        command.args(["-sS", "-m", "20", "-p", "-x"]).arg(format!("http://{}", issued.endpoint));
        if shown {
            command.arg("--proxy-header").arg(format!("@{}", header.display()));
        }
        run(command.arg(target), "")
    };
    let output = curl("http://10.0.0.5/there", true);
    assert_eq!(
        text(&output.stdout),
        "hello from the far end: /there\n",
        "{}",
        text(&output.stderr)
    );
    assert!(text(&curl("http://10.0.0.5/", false).stderr).contains("407"));
    assert!(text(&curl("http://10.0.0.6/", true).stderr).contains("403"));
}

#[test]
fn plexctl_comes_to_a_shell_and_to_a_cluster() {
    let (Some(plexctl), Some(_), Some(_)) =
        (program("plexctl"), program("ssh"), program("kubectl"))
    else {
        return;
    };
    let (server, client) = start();
    let home = tempfile::tempdir().unwrap();
    let authority = home.path().join("ca.pem");
    std::fs::write(&authority, server.ca_pem()).unwrap();
    let own_ssh = home.path().join("ssh");
    let known = home.path().join("known_hosts");
    // ssh takes the home of the account, not of the environment: this keeps it out of there.
    let real = program("ssh").unwrap();
    let script = format!(
        "#!/bin/sh\nexec timeout 40 {} -F /dev/null -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile={} \"$@\"\n",
        real.display(),
        known.display()
    );
    std::fs::write(&own_ssh, script).unwrap();
    std::fs::set_permissions(&own_ssh, std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:/usr/bin:/bin", home.path().display());
    let call = |args: &[&str]| {
        let mut command = Command::new(&plexctl);
        command
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", &path)
            .env("PLEXSPHERE_URL", server.https_url())
            .env("PLEXSPHERE_CA_FILE", &authority)
            .env("PLEXSPHERE_TOKEN", "psk_dev_operator")
            .args(args)
            .args(["--project-id", PROJECT, "--resource-id", RESOURCE]);
        command
    };
    let output = run(&mut call(&["ssh", "--login-user", "ops"]), "id -un\nexit 3\n");
    let said = text(&output.stderr);
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("ops\n", Some(1)), "{said}");
    assert!(said.contains("exit status 3"), "{said}");

    let config = home.path().join("kubeconfig");
    let mut issue =
        call(&["kubeconfig", "--impersonate-user", "ana", "--impersonate-group", "system:masters"]);
    issue.arg("--certificate-authority").arg(&authority).arg("--output-file").arg(&config);
    let output = run(&mut issue, "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut kubectl = Command::new("kubectl");
    kubectl.env("HOME", home.path()).arg("--kubeconfig").arg(&config).args(["auth", "whoami"]);
    let output = run(&mut kubectl, "");
    let said = text(&output.stdout);
    assert!(
        said.contains("ana") && said.contains("system:masters"),
        "{said}{}",
        text(&output.stderr)
    );
    assert!(!client.get("/__mock/requests").text.contains("eyJ"));
}
