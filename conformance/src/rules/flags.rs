//! What each flag does to the request, and that a flag may stand where people put it.

use serde_json::{Value, json};

use super::scene::Scene;
use crate::bench::{Bench, Canary, Family, PROJECT_ID, RESOURCE_ID};
use crate::rule::{Claim, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![groups(), no_groups(), odd_names(), target_host(), port_limits()];
    for family in Family::ALL {
        rules.push(ids(family));
        rules.push(target(family));
        rules.push(ttl(family));
        rules.push(ttl_left_out(family));
        rules.push(ttl_clamped(family));
        rules.push(joined(family));
        for flag in ["--server", "--token-file", "--output", "--profile", "--reveal-secrets"] {
            // The kubeconfig page does not list --reveal-secrets among its persistent flags.
            if (family, flag) != (Family::Kubeconfig, "--reveal-secrets") {
                rules.push(before_the_command(family, flag));
            }
        }
    }
    rules
}

fn draft(family: Family, id: &str, flag: &'static str) -> RuleDraft {
    Rule::must(format!("{}.flag.{id}", family.slug()), Side::Client)
        .source(family.page(), format!("Flags, {flag}"))
        .claims([Claim::flag(family.name(), flag)])
        .fix("Send what the flag says, in the member of the request that is meant for it.")
}

/// The body of the one IssueSession that this run sends.
fn body_of(bench: &Bench, family: Family, args: &[(&str, &str)]) -> Outcome<Value> {
    let scene = Scene::honest(bench)?;
    let mut run = scene.run(family)?;
    for (flag, _) in args {
        run = run.without(flag);
    }
    for (flag, value) in args {
        run = run.args([flag, value]);
    }
    scene.expect_done(&run.go()?)?;
    Ok(scene.referee.expect_one_issue()?.json())
}

fn ids(family: Family) -> Rule {
    draft(family, "ids", "--project-id")
        .claims([Claim::flag(family.name(), "--resource-id")])
        .title(format!("{} asks in the project and for the resource it was given", family.name()))
        .check(move |bench| {
            let (project, resource) =
                ("7d3c7b1e-4c55-4b9e-9a51-0d5f8d1b7a11", "5f2b9d9c-1c1e-4c41-8b0a-6a2a9f0b2c33");
            let scene = Scene::honest(bench)?;
            let run = scene.run(family)?.flag("--project-id", project);
            scene.expect_done(&run.flag("--resource-id", resource).go()?)?;
            let request = scene.referee.expect_one_issue()?;
            expect_eq("the path", &format!("/v1/projects/{project}/sessions"), &request.path)?;
            expect_eq("resource_id", &json!(resource), &request.json()["resource_id"])?;
            expect_eq("kind", &json!(family.kind()), &request.json()["kind"])
        })
}

fn target(family: Family) -> Rule {
    let (flag, id) = match family {
        Family::Kubeconfig => ("--impersonate-user", "impersonate_user"),
        Family::Ssh => ("--login-user", "login_user"),
        Family::TcpForward => ("--host", "host_and_port"),
    };
    draft(family, id, flag)
        .title(format!("{} names its target by {flag}, and nothing but its target", family.name()))
        .check(move |bench| {
            let mut body = body_of(bench, family, &[])?;
            if let Some(k8s) = body.pointer_mut("/target/k8s").and_then(Value::as_object_mut)
                && k8s.get("impersonate_groups") == Some(&json!([]))
            {
                k8s.remove("impersonate_groups");
            }
            expect_eq("the target", &family.target(), &body["target"])
        })
}

fn ttl(family: Family) -> Rule {
    draft(family, "ttl_seconds", "--ttl-seconds")
        .title(format!("{} asks for the lifetime it was given, as a number", family.name()))
        .check(move |bench| {
            for (text, number) in [("900", 900), ("1", 1), ("86400", 86400)] {
                let body = body_of(bench, family, &[("--ttl-seconds", text)])?;
                expect_eq("requested_ttl_seconds", &json!(number), &body["requested_ttl_seconds"])?;
            }
            Ok(())
        })
}

fn ttl_left_out(family: Family) -> Rule {
    draft(family, "ttl_seconds_left_to_the_server", "--ttl-seconds")
        .title(format!(
            "{} leaves the lifetime to the server at 0 and without the flag",
            family.name()
        ))
        .fix("Leave requested_ttl_seconds out; the contract allows no 0.")
        .check(move |bench| {
            for args in [&[][..], &[("--ttl-seconds", "0")][..]] {
                let body = body_of(bench, family, args)?;
                let found = body.get("requested_ttl_seconds");
                expect(found.is_none(), "requested_ttl_seconds", "left out", format!("{found:?}"))?;
                expect_eq("resource_id", &json!(RESOURCE_ID), &body["resource_id"])?;
            }
            Ok(())
        })
}

fn ttl_clamped(family: Family) -> Rule {
    Rule::should(format!("{}.flag.ttl_seconds_clamped", family.slug()), Side::Client)
        .source(
            "docs/decisions/0008-ttl-seconds.md",
            "When the server grants less than was asked, stderr tells the effective end",
        )
        .claims([Claim::flag(family.name(), "--ttl-seconds")])
        .title(format!(
            "{} tells on stderr when the session ends earlier than asked",
            family.name()
        ))
        .fix("Compare expires_at with what was asked for and say when the session really ends.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let ran = scene.run(family)?.flag("--ttl-seconds", "7200").go()?;
            scene.expect_done(&ran)?;
            let expires_at = scene.referee.issued()[0].body["expires_at"].clone();
            // Any spelling of the moment has its minute in it.
            let minute: String =
                expires_at.as_str().unwrap_or_default().chars().skip(14).take(5).collect();
            ran.expect_stderr_has(&minute)?;
            let quiet = scene.run(family)?.flag("--ttl-seconds", "60").go()?;
            quiet.expect_exit(0)?;
            quiet.expect_stderr_empty()
        })
}

fn joined(family: Family) -> Rule {
    draft(family, "equals_sign", "--project-id")
        .title(format!("{} takes --flag=value like --flag value", family.name()))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let mut run = scene.run(family)?;
            for (flag, value) in family.required() {
                run = run.without(flag).arg(format!("{flag}={value}"));
            }
            scene.expect_done(&run.arg("--ttl-seconds=900").go()?)?;
            let request = scene.referee.expect_one_issue()?;
            expect_eq("the path", &format!("/v1/projects/{PROJECT_ID}/sessions"), &request.path)?;
            expect_eq("the target", &family.target(), &request.json()["target"])?;
            expect_eq("the lifetime", &json!(900), &request.json()["requested_ttl_seconds"])
        })
}

fn before_the_command(family: Family, flag: &'static str) -> Rule {
    let slug = flag.trim_start_matches("--").replace('-', "_");
    let id = format!("{}.flag.{slug}_before_and_after", family.slug());
    // What a profile file looks like is on no page.
    let rule: fn(String, Side) -> RuleDraft =
        if flag == "--profile" { Rule::should } else { Rule::must };
    rule(id, Side::Client)
        .claims([Claim::flag(family.name(), flag)])
        .source(family.page(), "Persistent flags inherited from root")
        .title(format!("{flag} may stand before {} and after it", family.name()))
        .fix("Accept the persistent flags on either side of the command's name.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let sandbox = bench.sandbox()?;
            sandbox.write_config(&json!({"profiles": {"p": {"server": scene.referee.url()}}}))?;
            let token_file = sandbox.write_token("psk_dev_operator")?;
            let url = scene.referee.url().to_owned();
            let token_file = token_file.to_string_lossy().into_owned();
            let words: Vec<&str> = match flag {
                "--server" => vec!["--server", &url],
                "--token-file" => vec!["--token-file", &token_file],
                "--output" => vec!["--output", "json"],
                "--profile" => vec!["--profile", "p"],
                _ => vec!["--reveal-secrets"],
            };
            for before in [true, false] {
                let mut run = bench.plexctl()?;
                if before {
                    run = run.args(&words);
                }
                run = run.arg(family.name());
                for (name, value) in family.required() {
                    run = run.args([name, value]);
                }
                if !before {
                    run = run.args(&words);
                }
                if flag != "--server" && flag != "--profile" {
                    run = run.args(["--server", &url]);
                }
                if flag != "--token-file" {
                    run = run.args(["--token-file", &token_file]);
                }
                if flag == "--output" {
                    // Its meaning shows where something goes wrong.
                    let ran = run.flag("--project-id", "nope").go()?;
                    scene.expect_unsent(&ran, 2)?;
                    scene.expect_error_document(&ran, 2)?;
                    continue;
                }
                let ran = run.go()?;
                ran.expect_exit(0)?;
                let issued = scene.referee.issued();
                let token = issued.last().map(|issued| issued.token.clone()).unwrap_or_default();
                let shown = Canary::new("the session token", &token).find(&ran.stderr).is_some();
                expect_eq("whether stderr shows the token", &(flag == "--reveal-secrets"), &shown)?;
            }
            let requests = if flag == "--output" { 0 } else { 2 };
            scene.expect_requests(requests, 0)
        })
}

fn groups() -> Rule {
    draft(Family::Kubeconfig, "impersonate_group", "--impersonate-group")
        .title("kubeconfig asserts every --impersonate-group, in the order given, repeats and all")
        .check(|bench| {
            let groups = ["system:masters", "ops", "a team", "ops", "d\u{e9}v"];
            let args: Vec<(&str, &str)> =
                groups.iter().map(|group| ("--impersonate-group", *group)).collect();
            let body = body_of(bench, Family::Kubeconfig, &args)?;
            let k8s = json!({"user": "platform-admin", "impersonate_groups": groups});
            expect_eq("the target", &json!({ "k8s": k8s }), &body["target"])
        })
}

fn no_groups() -> Rule {
    draft(Family::Kubeconfig, "no_impersonate_group", "--impersonate-group")
        .title("kubeconfig without --impersonate-group asserts none")
        .check(|bench| {
            let body = body_of(bench, Family::Kubeconfig, &[])?;
            let groups = &body["target"]["k8s"]["impersonate_groups"];
            let none = groups.is_null() || *groups == json!([]);
            expect(none, "impersonate_groups", "absent or empty", groups)?;
            expect_eq("the user", &json!("platform-admin"), &body["target"]["k8s"]["user"])
        })
}

fn odd_names() -> Rule {
    draft(Family::Ssh, "directory_accounts", "--login-user")
        .title("ssh sends the names of directory accounts as they are")
        .check(|bench| {
            for user in ["ann@corp.example", r"CORP\ann", "first.last", "_svc-1", "r\u{e9}mi"] {
                let body = body_of(bench, Family::Ssh, &[("--login-user", user)])?;
                expect_eq("the login user", &json!(user), &body["target"]["ssh"]["user"])?;
            }
            Ok(())
        })
}

fn target_host() -> Rule {
    draft(Family::TcpForward, "host", "--host")
        .title("tcp-forward sends --host as it is: a name, an IPv4 or an IPv6 address")
        .check(|bench| {
            for host in ["db.internal", "10.0.0.5", "fd00::5", "xn--bcher-kva.example"] {
                let body = body_of(bench, Family::TcpForward, &[("--host", host)])?;
                expect_eq("the host", &json!(host), &body["target"]["tcp"]["host"])?;
            }
            Ok(())
        })
}

fn port_limits() -> Rule {
    draft(Family::TcpForward, "port_limits", "--port")
        .title("tcp-forward takes every port from 1 to 65535 and sends it as a number")
        .check(|bench| {
            for port in [1, 22, 65535] {
                let text = port.to_string();
                let body = body_of(bench, Family::TcpForward, &[("--port", &text)])?;
                expect_eq("the port", &json!(port), &body["target"]["tcp"]["port"])?;
            }
            Ok(())
        })
}
