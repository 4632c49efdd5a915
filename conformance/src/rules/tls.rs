//! https: only a server whose certificate can be trusted hears a request.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

use super::scene::Scene;
use super::transport::expect_soon;
use crate::bench::referee::Outdated;
use crate::bench::{Bench, Certificate, Family, Run};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, Reason, broken, expect, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        rules.push(
            draft(family, "trusted")
                .title(format!("{} trusts a server whose CA it was given", family.name()))
                .check(move |bench| {
                    let scene = over_tls(bench, Certificate::Trusted)?;
                    let ran = scene.run(family)?.go()?;
                    scene.expect_done(&ran)?;
                    ran.expect_stderr_empty()
                }),
        );
        for (slug, what, certificate) in [
            ("unknown_ca", "from a CA nobody named", Certificate::UnknownCa),
            ("self_signed", "that signed itself", Certificate::SelfSigned),
            ("expired", "whose time is over", Certificate::Expired),
            ("wrong_name", "made for another host", Certificate::WrongName),
        ] {
            rules.push(
                draft(family, slug)
                    .claims([Claim::exit(format!("{}.1.transport", family.name()))])
                    .title(format!(
                        "{} sends nothing to a server with a certificate {what}, and ends with 1",
                        family.name()
                    ))
                    .check(move |bench| {
                        let scene = over_tls(bench, certificate)?;
                        unheard(&scene, scene.run(family)?)?;
                        let json = scene.run(family)?.flag("--output", "json").go()?;
                        scene.expect_failure(&json, 1)?;
                        scene.expect_error_document(&json, 1).map(drop)
                    }),
            );
        }
        for (slug, what, how) in [
            ("version_1_1", "that answers with TLS 1.1", Outdated::Answers),
            ("version_refused", "that refuses its version of TLS", Outdated::Refuses),
        ] {
            rules.push(
                draft(family, slug)
                    .claims([Claim::exit(format!("{}.1.transport", family.name()))])
                    .fix("Speak TLS 1.2 and newer only. When no version is common to both, exit 1 at once, and never ask in the clear instead.")
                    .title(format!(
                        "{} sends nothing to a server {what}, in no way, and ends with 1",
                        family.name()
                    ))
                    .check(move |bench| {
                        let scene = Scene::with(bench, bench.referee()?.outdated(how))?;
                        unheard(&scene, scene.run(family)?)?;
                        let json = scene.run(family)?.flag("--output", "json").go()?;
                        scene.expect_failure(&json, 1)?;
                        scene.expect_error_document(&json, 1)?;
                        // Who goes on with it waits for a certificate that never comes.
                        expect_soon(json.duration)?;
                        scene.expect_requests(0, 0)
                    }),
            );
        }
        rules.push(
            draft(family, "no_ca_given")
                .title(format!("{} does not trust a private CA it was not given", family.name()))
                .check(move |bench| {
                    let scene = over_tls(bench, Certificate::Trusted)?;
                    unheard(&scene, scene.run(family)?.without("--ca-file"))
                }),
        );
        rules.push(
            draft(family, "no_way_out")
                .title(format!(
                    "{} has no flag and heeds no variable that turns verification off",
                    family.name()
                ))
                .check(move |bench| no_way_out(bench, family)),
        );
    }
    rules.push(
        draft(Family::Kubeconfig, "ca_by_environment")
            .title("PLEXSPHERE_CA_FILE names the CA when --ca-file does not, and loses against it")
            .check(ca_by_environment),
    );
    rules.push(
        draft(Family::Kubeconfig, "ca_file_unusable")
            .title("a --ca-file that is missing or holds no certificate is an error before anything is sent")
            .check(ca_file_unusable),
    );
    rules.push(
        draft(Family::Kubeconfig, "plain_behind_https")
            .title("a server that speaks plain http on an https address hears no request")
            .check(plain_behind_https),
    );
    rules.push(
        draft(Family::Kubeconfig, "by_address")
            .title("a certificate for an address is as good as one for a name")
            .check(|bench| {
                let scene = over_tls(bench, Certificate::Trusted)?;
                let url = format!("https://127.0.0.1:{}", scene.referee.port());
                scene.expect_done(&scene.run(Family::Kubeconfig)?.flag("--server", url).go()?)
            }),
    );
    rules
}

fn draft(family: Family, id: &str) -> RuleDraft {
    Rule::should(format!("{}.tls.{id}", family.slug()), Side::Client)
        .source("docs/decisions/0016-server-trust.md", "Whom the client trusts")
        .claims([Claim::hostile("C23"), Claim::exit(format!("{}.1", family.name()))])
        .needs([Need::Offers("--ca-file")])
        .fix("Verify every certificate against the system's roots and the given CA; exit 1 before a request is written when it fails.")
}

fn over_tls(bench: &Bench, certificate: Certificate) -> Outcome<Scene<'_>> {
    Scene::with(bench, bench.referee()?.tls(certificate))
}

/// 1, and although the server was reached it never heard a request.
fn unheard(scene: &Scene<'_>, run: Run<'_>) -> Outcome {
    scene.expect_failure(&run.go()?, 1)?;
    let connections = scene.referee.connections()?;
    expect(connections > 0, "the server", "reached", "not one connection")?;
    scene.expect_requests(0, 0)
}

/// A listener that answers whatever it hears like an http server that cannot make sense of it.
fn plain_behind_https(bench: &Bench) -> Outcome {
    let scene = Scene::honest(bench)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("https://{}", listener.local_addr()?);
    let hearing = std::thread::spawn(move || {
        let mut heard = vec![0; 4096];
        let (mut socket, _) = listener.accept()?;
        let length = socket.read(&mut heard)?;
        socket.write_all(
            b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        )?;
        heard.truncate(length);
        Ok::<_, std::io::Error>(heard)
    });
    let ran = scene.run(Family::Kubeconfig)?.flag("--server", url).go()?;
    scene.expect_unsent(&ran, 1)?;
    match hearing.join() {
        Ok(heard) => {
            let heard = heard?;
            expect(
                !heard.starts_with(b"POST"),
                "what the plain server heard",
                "no request",
                "a request",
            )?;
            bench.credential_canary().absent_from("what the plain server heard", &heard)
        }
        Err(_) => broken("the listener's thread panicked"),
    }
}

fn no_way_out(bench: &Bench, family: Family) -> Outcome {
    let scene = over_tls(bench, Certificate::SelfSigned)?;
    for flag in ["--insecure", "--insecure-skip-tls-verify", "-k", "--no-verify-tls"] {
        scene.expect_unsent(&scene.run(family)?.arg(flag).go()?, 2)?;
    }
    let mut run = scene.run(family)?;
    for name in [
        "PLEXCTL_INSECURE",
        "PLEXCTL_ALLOW_HTTP",
        "PLEXSPHERE_INSECURE",
        "PLEXSPHERE_SKIP_TLS_VERIFY",
        "SSL_NO_VERIFY",
        "CURL_INSECURE",
        "GIT_SSL_NO_VERIFY",
        "PYTHONHTTPSVERIFY",
    ] {
        run = run.env(name, "1");
    }
    unheard(&scene, run.env("NODE_TLS_REJECT_UNAUTHORIZED", "0"))
}

fn ca_by_environment(bench: &Bench) -> Outcome {
    let scene = over_tls(bench, Certificate::Trusted)?;
    let Some(ca_file) = scene.referee.ca_file().map(std::path::Path::to_path_buf) else {
        return broken("the referee has no CA file");
    };
    let run = || Ok::<_, Reason>(scene.run(Family::Kubeconfig)?.without("--ca-file"));
    scene.expect_done(&run()?.env("PLEXSPHERE_CA_FILE", &ca_file).go()?)?;
    let missing = bench.sandbox()?.path("missing.pem");
    let ran = scene.run(Family::Kubeconfig)?.env("PLEXSPHERE_CA_FILE", missing).go()?;
    ran.expect_exit(0)?;
    scene.expect_requests(2, 0)
}

fn ca_file_unusable(bench: &Bench) -> Outcome {
    let scene = over_tls(bench, Certificate::Trusted)?;
    let sandbox = bench.sandbox()?;
    let files = [
        sandbox.path("missing.pem"),
        sandbox.write("cwd/empty.pem", "", 0o644)?,
        sandbox.write("cwd/text.pem", "no certificate\n", 0o644)?,
        sandbox.write("cwd/cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n", 0o644)?,
        sandbox.cwd(),
    ];
    for file in files {
        let ran = scene.run(Family::Kubeconfig)?.flag("--ca-file", &file).go()?;
        let code = if ran.exit == crate::bench::Exit::Code(1) { 1 } else { 2 };
        scene.expect_failure(&ran, code)?;
        expect_eq("the requests heard", &0, &scene.referee.seen()?.len())?;
    }
    scene.expect_done(&scene.run(Family::Kubeconfig)?.go()?)
}
