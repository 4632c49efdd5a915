//! Where server, credential and profile come from: a flag before the environment, the environment
//! before the profile, and a saved token only for the server it was saved for.

use serde_json::json;

use crate::bench::{Bench, Family, Ran, Referee, Run};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect_eq};

const FIX: &str = "Resolve a flag first, then the environment, then the profile; send a saved token only to the server it was saved for.";

pub(crate) fn all() -> Vec<Rule> {
    vec![
        draft("server.environment")
            .title("PLEXSPHERE_URL names the server when --server is absent")
            .check(|bench| {
                let at = bench.referee()?.start()?;
                let run = bare(bench)?.env("PLEXSPHERE_URL", at.url()).env("PLEXSPHERE_TOKEN", "tok-env");
                reached(&run.go()?, &at, "tok-env")
            }),
        draft("server.flag_before_environment")
            .title("--server goes before PLEXSPHERE_URL")
            .check(|bench| {
                let (at, other) = two(bench)?;
                let run = bare(bench)?.flag("--server", at.url()).env("PLEXSPHERE_URL", other.url());
                reached(&run.env("PLEXSPHERE_TOKEN", "tok-env").go()?, &at, "tok-env")?;
                other.expect_untouched()
            }),
        draft("server.environment_before_profile")
            .title("PLEXSPHERE_URL goes before the profile's server, and the profile's token stays at home")
            .claims([Claim::hostile("C21")])
            .check(|bench| {
                let (at, other) = two(bench)?;
                profile(bench, &other, "tok-saved")?;
                let ran = bare(bench)?.env("PLEXSPHERE_URL", at.url()).go()?;
                ran.expect_exit(3)?;
                ran.expect_stdout_empty()?;
                at.expect_untouched()?;
                other.expect_untouched()?;
                goes_through(bench, &at)
            }),
        draft("server.profile")
            .title("the default profile names the server and the token when nothing else does")
            .claims([Claim::flag("tcp-forward", "--profile")])
            .check(|bench| {
                let at = bench.referee()?.start()?;
                profile(bench, &at, "tok-saved")?;
                reached(&bare(bench)?.go()?, &at, "tok-saved")
            }),
        draft("server.empty_environment")
            .title("an empty PLEXSPHERE_URL and an empty PLEXSPHERE_TOKEN count as unset")
            .check(|bench| {
                let at = bench.referee()?.start()?;
                profile(bench, &at, "tok-saved")?;
                let run = bare(bench)?.env("PLEXSPHERE_URL", "").env("PLEXSPHERE_TOKEN", "");
                reached(&run.env("PLEXSPHERE_PROFILE", "").go()?, &at, "tok-saved")
            }),
        draft("token.file_before_environment")
            .title("--token-file goes before PLEXSPHERE_TOKEN")
            .claims([Claim::flag("tcp-forward", "--token-file")])
            .check(|bench| {
                let at = bench.referee()?.start()?;
                let file = bench.sandbox()?.write("home/t", "tok-file\n", 0o600)?;
                let run = bare(bench)?.flag("--server", at.url()).flag("--token-file", file);
                reached(&run.env("PLEXSPHERE_TOKEN", "tok-env").go()?, &at, "tok-file")
            }),
        draft("token.bad_file_is_not_passed_over")
            .title("a --token-file that cannot be used is 3, even where PLEXSPHERE_TOKEN is set")
            .claims([Claim::hostile("C11")])
            .check(|bench| {
                let at = bench.referee()?.start()?;
                let file = bench.sandbox()?.write("home/t", "tok-file\n", 0o644)?;
                let run = bare(bench)?.flag("--server", at.url()).flag("--token-file", file);
                let ran = run.env("PLEXSPHERE_TOKEN", "tok-env").go()?;
                ran.expect_exit(3)?;
                ran.expect_stdout_empty()?;
                at.expect_untouched()?;
                goes_through(bench, &at)
            }),
        draft("token.environment_before_profile")
            .title("PLEXSPHERE_TOKEN goes before the profile's token")
            .check(|bench| {
                let at = bench.referee()?.start()?;
                profile(bench, &at, "tok-saved")?;
                reached(&bare(bench)?.env("PLEXSPHERE_TOKEN", "tok-env").go()?, &at, "tok-env")
            }),
        draft("token.saved_for_this_server")
            .title("a saved token is used when --server names the server it was saved for")
            .check(|bench| {
                let at = bench.referee()?.start()?;
                profile(bench, &at, "tok-saved")?;
                let run = bare(bench)?.flag("--server", format!("{}/", at.url()));
                reached(&run.go()?, &at, "tok-saved")
            }),
        draft("token.saved_for_another_server")
            .title("a token saved for one server is never sent to another, not even on another port of the same host")
            .claims([Claim::hostile("C21")])
            .check(|bench| {
                let (at, other) = two(bench)?;
                profile(bench, &other, "tok-saved")?;
                let ran = bare(bench)?.flag("--server", at.url()).go()?;
                ran.expect_exit(3)?;
                ran.expect_stdout_empty()?;
                ran.expect_stderr_says_something()?;
                at.expect_untouched()?;
                other.expect_untouched()?;
                goes_through(bench, &at)
            }),
        draft("token.saved_for_a_prefix_of_the_host")
            .title("a saved token does not go to a host whose name merely begins like the right one")
            .claims([Claim::hostile("C21")])
            .check(|bench| {
                let (at, _other) = two(bench)?;
                let config = json!({"default_profile": "a", "profiles":
                    {"a": {"server": "http://127.0.0.1", "token": "tok-saved"}}});
                bench.sandbox()?.write_config(&config)?;
                let ran = bare(bench)?.flag("--server", at.url()).go()?;
                ran.expect_exit(3)?;
                at.expect_untouched()?;
                goes_through(bench, &at)
            }),
        draft("profile.flag_before_environment")
            .title("--profile goes before PLEXSPHERE_PROFILE, which goes before default_profile")
            .claims([Claim::flag("tcp-forward", "--profile")])
            .check(|bench| {
                let at = bench.referee()?.start()?;
                let one = |token: &str| json!({"server": at.url(), "token": token});
                bench.sandbox()?.write_config(&json!({"default_profile": "a", "profiles":
                    {"a": one("tok-a"), "b": one("tok-b"), "c": one("tok-c")}}))?;
                reached(&bare(bench)?.go()?, &at, "tok-a")?;
                let run = || Ok::<_, crate::verdict::Reason>(bare(bench)?.env("PLEXSPHERE_PROFILE", "b"));
                let again = run()?.go()?;
                again.expect_exit(0)?;
                let flagged = run()?.flag("--profile", "c").go()?;
                flagged.expect_exit(0)?;
                expect_eq("the credentials used", &vec!["Bearer tok-a", "Bearer tok-b", "Bearer tok-c"].into_iter().map(str::to_owned).collect::<Vec<_>>(), &bearers(&at)?)
            }),
        draft("profile.home_fallback")
            .title("without XDG_CONFIG_HOME the config file is found below HOME/.config")
            .claims([Claim::hostile("C33")])
            .check(|bench| {
                let at = bench.referee()?.start()?;
                profile(bench, &at, "tok-saved")?;
                reached(&bare(bench)?.env_remove("XDG_CONFIG_HOME").go()?, &at, "tok-saved")
            }),
        draft("profile.xdg")
            .title("XDG_CONFIG_HOME moves the config file")
            .claims([Claim::hostile("C33")])
            .check(|bench| {
                let (at, other) = two(bench)?;
                profile(bench, &other, "tok-home")?;
                let config = json!({"default_profile": "a", "profiles": {"a": {"server": at.url(), "token": "tok-xdg"}}});
                bench.sandbox()?.write("home/xdg/plexctl/config.json", config.to_string(), 0o600)?;
                let moved = bench.sandbox()?.home().join("xdg");
                reached(&bare(bench)?.env("XDG_CONFIG_HOME", moved).go()?, &at, "tok-xdg")?;
                other.expect_untouched()
            }),
    ]
}

fn draft(id: &str) -> RuleDraft {
    Rule::should(format!("precedence.{id}"), Side::Client)
        .source(
            "docs/decisions/0013-precedence.md",
            "A flag wins over the environment, which wins over the profile",
        )
        .claims([Claim::flag("tcp-forward", "--server")])
        .needs([Need::Unix])
        .fix(FIX)
}

/// tcp-forward with its required flags and nothing else: no server, no credential.
fn bare(bench: &Bench) -> Outcome<Run<'_>> {
    let mut run = bench.plexctl()?.arg(Family::TcpForward.name());
    for (flag, value) in Family::TcpForward.required() {
        run = run.args([flag, value]);
    }
    Ok(run)
}

fn two(bench: &Bench) -> Outcome<(Referee, Referee)> {
    Ok((bench.referee()?.start()?, bench.referee()?.start()?))
}

/// A default profile for that server.
fn profile(bench: &Bench, at: &Referee, token: &str) -> Outcome {
    let config = json!({"default_profile": "main", "profiles":
        {"main": {"server": at.url(), "token": token}}});
    bench.sandbox()?.write_config(&config)?;
    Ok(())
}

fn bearers(at: &Referee) -> Outcome<Vec<String>> {
    let of = |request: crate::bench::Request| {
        request.headers.get("authorization").unwrap_or_default().to_owned()
    };
    Ok(at.requests_of("IssueSession")?.into_iter().map(of).collect())
}

/// With a token of its own the same server is asked: it was the credential that was missing.
fn goes_through(bench: &Bench, at: &Referee) -> Outcome {
    let run = bare(bench)?.flag("--server", at.url()).env("PLEXSPHERE_TOKEN", "tok-env");
    reached(&run.go()?, at, "tok-env")
}

fn reached(ran: &Ran, at: &Referee, token: &str) -> Outcome {
    ran.expect_exit(0)?;
    expect_eq("the credentials used", &vec![format!("Bearer {token}")], &bearers(at)?)
}
