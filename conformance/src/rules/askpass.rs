//! plexctl as ssh's askpass program: it answers the prompts of its one session and no others.

use super::scene::Scene;
use crate::bench::{Answer, Bench, Canary, Family, Ran, SshCall};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq, fail};

const PIN: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const AGAIN: &str = "Please type 'yes', 'no' or the fingerprint: ";

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![
        draft("named")
            .title(
                "ssh is told to ask plexctl: SSH_ASKPASS is an absolute path to a program, forced",
            )
            .check(|bench| {
                let (_, call) = asked(bench, &pinned())?;
                let get = |key: &str| call.env.get(key).cloned().unwrap_or_default();
                expect_eq("SSH_ASKPASS_REQUIRE", &"force".to_owned(), &get("SSH_ASKPASS_REQUIRE"))?;
                expect_eq("PLEXCTL_ASKPASS", &"1".to_owned(), &get("PLEXCTL_ASKPASS"))?;
                let helper = get("SSH_ASKPASS");
                let there = helper.starts_with('/') && std::path::Path::new(&helper).is_file();
                expect(there, "SSH_ASKPASS", "the absolute path of a program", helper)
            }),
        draft("own_set_up_kept")
            .needs([Need::Offers("--no-askpass")])
            .title("--no-askpass leaves a person's own askpass as it is")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let run = scene.run(Family::Ssh)?.arg("--no-askpass");
                let run =
                    run.env("SSH_ASKPASS", "/usr/bin/mine").env("SSH_ASKPASS_REQUIRE", "prefer");
                scene.expect_done(&run.go()?)?;
                let call = scene.ssh.expect_one_call()?;
                let get = |key: &str| call.env.get(key).map(String::as_str);
                expect_eq("SSH_ASKPASS", &Some("/usr/bin/mine"), &get("SSH_ASKPASS"))?;
                expect_eq("SSH_ASKPASS_REQUIRE", &Some("prefer"), &get("SSH_ASKPASS_REQUIRE"))?;
                expect_eq("PLEXCTL_ASKPASS", &None, &get("PLEXCTL_ASKPASS"))
            }),
        draft("pin")
            .title("the question about the host's key is answered with the pinned fingerprint")
            .check(|bench| {
                let (_, call) = asked(bench, &pinned())?;
                answered(&ask(bench, &call, &host_key("[127.0.0.1]:2301"))?, PIN)
            }),
        draft("pin_mismatch")
            .title("when ssh asks about the key again, the pin was wrong: the answer is no")
            .check(|bench| {
                let (scene, call) = asked(bench, &pinned())?;
                let ran = ask(bench, &call, AGAIN)?;
                scene.expect_silent(&ran)?;
                answered(&ran, "no")
            }),
        draft("pin_of_another_host").title("the key of another host is not vouched for").check(
            |bench| {
                let (scene, call) = asked(bench, &pinned())?;
                for host in ["[127.0.0.1]:22", "evil.example", "127.0.0.10"] {
                    refused(&scene, &ask(bench, &call, &host_key(host))?)?;
                }
                answered(&ask(bench, &call, &host_key("[127.0.0.1]:2301"))?, PIN)
            },
        ),
        draft("no_pin")
            .title("without a pin and without a terminal no host key is accepted")
            .check(|bench| {
                let (scene, call) = asked(bench, "ssh://ops@127.0.0.1:2301")?;
                for prompt in [host_key("[127.0.0.1]:2301"), AGAIN.to_owned()] {
                    let ran = ask(bench, &call, &prompt)?;
                    scene.expect_silent(&ran)?;
                    let yes = ran.stdout_text().trim().eq_ignore_ascii_case("yes");
                    expect(
                        !yes && !ran.stdout_text().contains("SHA256"),
                        "the answer",
                        "no yes and no fingerprint",
                        ran.stdout_text(),
                    )?;
                }
                // The same helper does know its own prompt.
                token_given(&scene, &ask(bench, &call, "ops@127.0.0.1's password: ")?)
            }),
        draft("pin_by_flag")
            .needs([Need::Offers("--host-key-fingerprint")])
            .title("--host-key-fingerprint pins the key where the endpoint does not")
            .check(|bench| {
                let scene = Scene::answering(bench, endpoint("ssh://ops@127.0.0.1:2301"))?;
                let run = scene.run(Family::Ssh)?.flag("--host-key-fingerprint", PIN);
                scene.expect_done(&run.go()?)?;
                let call = scene.ssh.expect_one_call()?;
                answered(&ask(bench, &call, &host_key("[127.0.0.1]:2301"))?, PIN)
            }),
        draft("dialogs")
            .title("a dialog (SSH_ASKPASS_PROMPT) gets no token, whatever it says")
            .check(|bench| {
                let (scene, call) = asked(bench, &pinned())?;
                for kind in ["confirm", "none"] {
                    let mut call = call.clone();
                    call.env.insert("SSH_ASKPASS_PROMPT".into(), kind.into());
                    refused(&scene, &ask(bench, &call, "ops@127.0.0.1's password: ")?)?;
                }
                token_given(&scene, &ask(bench, &call, "ops@127.0.0.1's password: ")?)
            }),
        draft("still_a_command_line")
            .title("a plexctl run from inside ssh with the inherited switch is still plexctl")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let ran = scene.run(Family::TcpForward)?.env("PLEXCTL_ASKPASS", "1").go()?;
                scene.expect_done(&ran)?;
                ran.expect_silent_about(&scene.referee.session_canary()?)
            }),
    ];
    for (slug, prompt) in [
        ("password", "ops@127.0.0.1's password: "),
        ("keyboard_interactive", "(ops@127.0.0.1) Session token (password): "),
        ("session_token", "(ops@127.0.0.1) Session token: "),
        ("keyboard_interactive_password", "(ops@127.0.0.1) Password: "),
    ] {
        rules.push(
            draft(&format!("token.{slug}"))
                .title(format!("the prompt {prompt:?} of the session's own host gets the token"))
                .check(move |bench| {
                    let (scene, call) = asked(bench, &pinned())?;
                    token_given(&scene, &ask(bench, &call, prompt)?)
                }),
        );
    }
    for (slug, prompt) in [
        ("another_user", "root@127.0.0.1's password: "),
        ("another_host", "ops@127.0.0.2's password: "),
        ("a_longer_host", "ops@127.0.0.1.evil.example's password: "),
        ("nobody", "Password: "),
        ("passphrase", "Enter passphrase for key '/home/ops/.ssh/id_ed25519': "),
        ("pin", "Enter PIN for ED25519-SK key /home/ops/.ssh/id: "),
        ("one_time_code", "(ops@127.0.0.1) Verification code: "),
        ("new_password", "(ops@127.0.0.1) New password: "),
        ("sudo", "[sudo] password for ops: "),
        ("jump_host", "(ops@jump.example) Password: "),
        ("empty", ""),
        ("yes_or_no", "Continue (yes/no)? "),
        ("own_prompt_in_another", "Enter ops@127.0.0.1's password: x"),
        ("another_method_line", "ops@127.0.0.1's old password: "),
    ] {
        rules.push(
            draft(&format!("refused.{slug}"))
                .title(format!("the prompt {prompt:?} gets no token and no answer"))
                .check(move |bench| {
                    let (scene, call) = asked(bench, &pinned())?;
                    refused(&scene, &ask(bench, &call, prompt)?)?;
                    token_given(&scene, &ask(bench, &call, "ops@127.0.0.1's password: ")?)
                }),
        );
    }
    rules
}

fn draft(id: &str) -> RuleDraft {
    Rule::should(format!("ssh.askpass.{id}"), Side::Client)
        .source("docs/decisions/0005-token-to-ssh.md", "As such it knows three prompts; any other it refuses")
        .claims([Claim::exit("ssh.0.client_succeeded"), Claim::hostile("C24")])
        .needs([Need::Offers("--no-askpass")])
        .fix("Answer the password prompt of the session's user and host with the token and the host key question with the pin; refuse everything else with a status other than 0.")
}

fn pinned() -> String {
    format!("ssh://ops;fingerprint={PIN}@127.0.0.1:2301")
}

fn endpoint(endpoint: &str) -> Answer {
    Answer::issued_with(
        serde_json::json!([{"op": "replace", "path": "/listener_endpoint", "value": endpoint}]),
    )
}

/// As OpenSSH asks about a key it has not seen.
fn host_key(host: &str) -> String {
    format!(
        "The authenticity of host '{host} ({host})' can't be established.\n\
         ED25519 key fingerprint is SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB.\n\
         This key is not known by any other names.\n\
         Are you sure you want to continue connecting (yes/no/[fingerprint])? "
    )
}

/// A run up to the start of ssh; the call holds the environment that the helper will inherit.
fn asked<'b>(bench: &'b Bench, at: &str) -> Outcome<(Scene<'b>, SshCall)> {
    let scene = Scene::answering(bench, endpoint(at))?;
    scene.expect_done(&scene.run(Family::Ssh)?.go()?)?;
    let call = scene.ssh.expect_one_call()?;
    Ok((scene, call))
}

/// Asks as ssh would: the helper by its path, the prompt as its one argument.
fn ask(bench: &Bench, call: &SshCall, prompt: &str) -> Outcome<Ran> {
    let Some(helper) = call.env.get("SSH_ASKPASS") else {
        return fail("ssh's environment", "SSH_ASKPASS", "none");
    };
    let mut run = bench.program(helper)?.arg(prompt);
    for (key, value) in &call.env {
        run = run.env(key, value);
    }
    run.go()
}

fn answered(ran: &Ran, answer: &str) -> Outcome {
    ran.expect_exit(0)?;
    expect_eq("the answer", &format!("{answer}\n"), &ran.stdout_text())
}

fn token_given(scene: &Scene<'_>, ran: &Ran) -> Outcome {
    ran.expect_exit(0)?;
    let token = scene.referee.issued()[0].token.clone();
    expect(
        ran.stdout == format!("{token}\n").as_bytes(),
        "the answer",
        "the token and a newline",
        "something else",
    )?;
    Canary::new("the session token", &token).absent_from("stderr", &ran.stderr)
}

fn refused(scene: &Scene<'_>, ran: &Ran) -> Outcome {
    scene.expect_silent(ran)?;
    ran.expect_stdout_empty()?;
    let refused = matches!(ran.exit, crate::bench::Exit::Code(code) if code != 0 && code != 101);
    expect(refused, "how the helper ended", "a status other than 0", ran.exit)
}
