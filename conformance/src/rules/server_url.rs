//! What --server may be, and that plain http stays on this machine.

use super::scene::Scene;
use crate::bench::Family;
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::Outcome;

pub(crate) fn all() -> Vec<Rule> {
    let forms: [(&str, &str); 12] = [
        ("empty", ""),
        ("no_scheme", "localhost:8080"),
        ("bare_host", "plexsphere.example"),
        ("ftp", "ftp://localhost:8080"),
        ("file", "file:///etc/passwd"),
        ("no_host", "http://"),
        ("userinfo", "http://ops:hunter2@127.0.0.1:8080"),
        ("query", "http://127.0.0.1:8080/?x=1"),
        ("fragment", "http://127.0.0.1:8080/#x"),
        ("bad_port", "http://127.0.0.1:99999"),
        ("line_break", "http://127.0.0.1:8080/\nx"),
        ("space", "http://127.0.0.1 :8080"),
    ];
    let mut rules: Vec<Rule> = forms
        .into_iter()
        .map(|(slug, url)| {
            draft(slug).title(format!("a server URL like {url:?} is a usage error")).check(
                move |bench| {
                    let scene = Scene::honest(bench)?;
                    for family in Family::ALL {
                        let ran = scene.run(family)?.flag("--server", url).go()?;
                        scene.expect_unsent(&ran, 2)?;
                        ran.expect_stderr_lacks("hunter2")?;
                    }
                    scene.expect_done(&scene.run(Family::Kubeconfig)?.go()?)
                },
            )
        })
        .collect();
    rules.push(
        draft("missing")
            .title("without a server from anywhere nothing can be asked: a usage error")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                for family in Family::ALL {
                    scene.expect_unsent(&scene.run(family)?.without("--server").go()?, 2)?;
                }
                scene.expect_done(&scene.run(Family::TcpForward)?.go()?)
            }),
    );
    rules.push(http_elsewhere());
    rules.push(http_any_address());
    rules.push(http_loopback());
    rules
}

fn draft(id: &str) -> RuleDraft {
    Rule::should(format!("server_url.{id}"), Side::Client)
        .source("docs/decisions/0015-plain-http.md", "http is for loopback")
        .claims(Family::ALL.map(|family| Claim::flag(family.name(), "--server")))
        .claims([Claim::hostile("C22")])
        .fix("Take http and https URLs with a host and perhaps a path; refuse everything else with 2 before anything is sent.")
}

fn http_elsewhere() -> Rule {
    draft("plain_http_elsewhere")
        .title("plain http to another machine is refused before a name is looked up or a connection opened")
        .check(|bench| -> Outcome {
            let scene = Scene::honest(bench)?;
            for url in [
                "http://192.0.2.1:8080", "http://plexsphere.invalid", "http://[2001:db8::1]:8080",
                "http://localhost.plexsphere.invalid", "http://127.0.0.1.plexsphere.invalid:1",
            ] {
                let ran = scene.run(Family::Kubeconfig)?.flag("--server", url).go()?;
                scene.expect_unsent(&ran, 2)?;
                let run = scene.run(Family::Ssh)?.without("--server");
                scene.expect_unsent(&run.env("PLEXSPHERE_URL", url).go()?, 2)?;
            }
            scene.expect_done(&scene.run(Family::Kubeconfig)?.go()?)
        })
}

fn http_any_address() -> Rule {
    draft("plain_http_allowed")
        .title("PLEXCTL_ALLOW_HTTP=1 lets plain http leave the loopback addresses, with a warning")
        // Linux reaches itself by 0.0.0.0, which is no loopback address.
        .needs([Need::Proc])
        .check(|bench| {
            let scene = Scene::honest(bench)?;
            let url = format!("http://0.0.0.0:{}", scene.referee.port());
            let run = || {
                Ok::<_, crate::verdict::Reason>(
                    scene.run(Family::Kubeconfig)?.flag("--server", &url),
                )
            };
            scene.expect_unsent(&run()?.go()?, 2)?;
            scene.expect_unsent(&run()?.env("PLEXCTL_ALLOW_HTTP", "").go()?, 2)?;
            let ran = run()?.env("PLEXCTL_ALLOW_HTTP", "1").go()?;
            scene.expect_done(&ran)?;
            ran.expect_stderr_says_something()
        })
}

fn http_loopback() -> Rule {
    draft("plain_http_on_loopback")
        .title("plain http to localhost and 127.0.0.0/8 needs no leave and raises no warning")
        .needs([Need::Proc])
        .check(|bench| {
            let scene = Scene::honest(bench)?;
            for (nth, host) in ["127.0.0.1", "localhost", "LOCALHOST"].into_iter().enumerate() {
                let url = format!("http://{host}:{}", scene.referee.port());
                let ran = scene.run(Family::Kubeconfig)?.flag("--server", url).go()?;
                ran.expect_exit(0)?;
                ran.expect_stderr_empty()?;
                scene.expect_requests(nth + 1, 0)?;
            }
            Ok(())
        })
}
