//! Usage errors: each ends with 2 before a single connection is opened.

use super::scene::Scene;
use crate::bench::{Bench, Family, PROJECT_ID, RESOURCE_ID, Run};
use crate::rule::{Claim, Level, Rule, RuleDraft, Side};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        for (flag, id) in [("--project-id", PROJECT_ID), ("--resource-id", RESOURCE_ID)] {
            rules.extend(uuid_forms(family, flag, id));
        }
        rules.extend(missing_flags(family));
        rules.extend(texts(family));
        rules.extend(numbers(family));
        rules.extend(command_line(family));
        rules.push(error_document(family));
    }
    rules.extend(login_users());
    rules.extend(ports());
    rules
}

fn draft(family: Family, level: Level, id: &str) -> RuleDraft {
    let id = format!("{}.usage.{id}", family.slug());
    let draft = match level {
        Level::Must => Rule::must(id, Side::Client),
        Level::Should => Rule::should(id, Side::Client),
    };
    draft
        .source(family.page(), "Exit codes, 2")
        .claims([Claim::exit(format!("{}.2", family.name()))])
        .fix("Check the whole command line before credentials are read and before anything is sent; exit 2.")
}

/// The run as `change` makes it ends with 2, whatever the output, and nobody hears of it.
fn refused(
    draft: RuleDraft,
    family: Family,
    change: impl for<'b> Fn(Run<'b>) -> Run<'b> + Send + Sync + 'static,
) -> Rule {
    draft.check(move |bench: &Bench| {
        let scene = Scene::honest(bench)?;
        scene.expect_unsent(&change(scene.run(family)?).go()?, 2)?;
        let ran = change(scene.run(family)?.flag("--output", "json")).go()?;
        scene.expect_unsent(&ran, 2)?;
        // The same line without the fault goes through, so it was the fault that was refused.
        scene.expect_done(&scene.run(family)?.go()?)
    })
}

/// A flag as one word, so that a value may begin with a dash.
fn given(flag: &str, value: &str) -> String {
    format!("{flag}={value}")
}

fn uuid_forms(family: Family, flag: &'static str, id: &'static str) -> Vec<Rule> {
    let slug = flag.trim_start_matches("--").replace('-', "_");
    let trigger = format!("{}.2.malformed_{slug}", family.name());
    let simple = id.replace('-', "");
    let forms: [(&str, Level, String); 12] = [
        ("word", Level::Must, "production".into()),
        ("too_short", Level::Must, id[..35].into()),
        ("too_long", Level::Must, format!("{id}0")),
        ("not_hexadecimal", Level::Must, format!("{}g", &id[..35])),
        ("misplaced_hyphen", Level::Must, format!("{}-{}{}", &id[..7], &id[7..8], &id[9..])),
        ("trailing_newline", Level::Must, format!("{id}\n")),
        ("leading_space", Level::Must, format!(" {id}")),
        ("path", Level::Must, format!("{id}/../x")),
        ("wide_digits", Level::Must, id.replacen('0', "\u{ff10}", 1)),
        ("braces", Level::Should, format!("{{{id}}}")),
        ("urn", Level::Should, format!("urn:uuid:{id}")),
        ("no_hyphens", Level::Should, simple),
    ];
    forms
        .into_iter()
        .map(|(form, level, value)| {
            let draft = draft(family, level, &format!("{slug}.{form}"))
                .title(format!("{} refuses {flag} {value:?}", family.name()))
                .claims([Claim::exit(trigger.clone()), Claim::flag(family.name(), flag)]);
            refused(draft, family, move |run| run.without(flag).arg(given(flag, &value)))
        })
        .collect()
}

fn missing_flags(family: Family) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (flag, _) in family.required() {
        let slug = flag.trim_start_matches("--").replace('-', "_");
        let trigger = match (family, flag) {
            (Family::TcpForward, "--project-id" | "--resource-id") => format!("missing_{slug}"),
            (Family::TcpForward, "--host") => "empty_host".into(),
            (Family::TcpForward, _) => "port_out_of_range".into(),
            _ => "missing_flag".into(),
        };
        let claims = [
            Claim::exit(format!("{}.2.{trigger}", family.name())),
            Claim::flag(family.name(), flag),
        ];
        let absent = draft(family, Level::Must, &format!("{slug}.missing"))
            .title(format!("{} without {flag} is a usage error that names the flag", family.name()))
            .claims(claims.clone());
        rules.push(absent.check(move |bench| {
            let scene = Scene::honest(bench)?;
            let ran = scene.run(family)?.without(flag).go()?;
            scene.expect_unsent(&ran, 2)?;
            ran.expect_stderr_has(flag)
        }));
        let empty = draft(family, Level::Must, &format!("{slug}.empty"))
            .title(format!("{} refuses an empty {flag}", family.name()))
            .claims(claims.clone());
        rules.push(refused(empty, family, move |run| run.flag(flag, "")));
        let bare = draft(family, Level::Must, &format!("{slug}.without_value"))
            .title(format!("{} refuses {flag} as the last word, without a value", family.name()))
            .claims(claims);
        rules.push(refused(bare, family, move |run| run.without(flag).arg(flag)));
    }
    let nothing = draft(family, Level::Must, "nothing_given")
        .title(format!("{} with no flag at all is a usage error", family.name()));
    rules.push(nothing.check(move |bench| {
        let scene = Scene::honest(bench)?;
        let ran = bench.plexctl()?.arg(family.name()).go()?;
        scene.expect_unsent(&ran, 2)?;
        scene.expect_done(&scene.run(family)?.go()?)
    }));
    rules
}

/// Free texts must not carry control characters.
fn texts(family: Family) -> Vec<Rule> {
    let flags: &[&str] = match family {
        Family::Kubeconfig => &["--impersonate-user", "--impersonate-group"],
        Family::Ssh => &["--login-user"],
        Family::TcpForward => &["--host"],
    };
    let values = [
        ("line_break", "a\nb"),
        ("escape", "a\u{1b}[2Jb"),
        ("c1_control", "a\u{9b}b"),
        ("delete", "a\u{7f}"),
        ("tab", "a\tb"),
    ];
    let mut rules = Vec::new();
    for flag in flags.iter().copied() {
        let slug = flag.trim_start_matches("--").replace('-', "_");
        for (name, value) in values {
            let draft = draft(family, Level::Should, &format!("{slug}.{name}"))
                .source("docs/decisions/0009-user-and-host-text.md", "a control character: 2")
                .title(format!("{} refuses {flag} {value:?}", family.name()))
                .claims([Claim::flag(family.name(), flag), Claim::hostile("C17")]);
            rules.push(refused(draft, family, move |run| run.flag(flag, value)));
        }
    }
    if family == Family::Kubeconfig {
        let draft = draft(family, Level::Should, "impersonate_group.empty")
            .source("docs/decisions/0009-user-and-host-text.md", "empty: 2")
            .title("kubeconfig refuses an empty --impersonate-group")
            .claims([Claim::flag("kubeconfig", "--impersonate-group")]);
        rules.push(refused(draft, family, |run| run.flag("--impersonate-group", "")));
    }
    rules
}

fn error_document(family: Family) -> Rule {
    draft(family, Level::Should, "error_document")
        .source("docs/decisions/0018-errors.md", "one document, with the exit code in it")
        .title(format!("{} --output json tells a usage error in one document", family.name()))
        .fix("With --output json write one document {\"error\": {..., \"exit_code\": 2}} to stderr, for mistakes on the command line too.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let mistakes: [&[&str]; 4] = [
                &["--project-id=production"],
                &["--resource-id="],
                &["--no-such-flag"],
                &["--ttl-seconds=soon"],
            ];
            for mistake in mistakes {
                let flag = mistake[0].split('=').next().unwrap_or_default();
                let run = scene.run(family)?.without(flag).flag("--output", "json");
                let ran = run.args(mistake).go()?;
                scene.expect_unsent(&ran, 2)?;
                scene.expect_error_document(&ran, 2)?;
            }
            let run = scene.run(family)?.without(family.required()[0].0);
            let ran = run.flag("--output", "json").go()?;
            scene.expect_unsent(&ran, 2)?;
            scene.expect_error_document(&ran, 2)?;
            scene.expect_done(&scene.run(family)?.go()?)
        })
}

fn numbers(family: Family) -> Vec<Rule> {
    let values = [
        ("negative", "-1"),
        ("word", "soon"),
        ("unit", "15m"),
        ("fraction", "1.5"),
        ("empty", ""),
        ("too_large", "99999999999999999999"),
    ];
    values
        .into_iter()
        .map(|(name, value)| {
            let draft = draft(family, Level::Should, &format!("ttl_seconds.{name}"))
                .source("docs/decisions/0008-ttl-seconds.md", "Negative or not a number: 2")
                .title(format!("{} refuses --ttl-seconds {value:?}", family.name()))
                .claims([Claim::flag(family.name(), "--ttl-seconds")]);
            refused(draft, family, move |run| run.arg(given("--ttl-seconds", value)))
        })
        .collect()
}

fn command_line(family: Family) -> Vec<Rule> {
    let mut cases: Vec<(&str, &str, Vec<&'static str>)> = vec![
        ("unknown_flag", "an unknown flag", vec!["--no-such-flag"]),
        ("stray_word", "a word that belongs to no flag", vec!["stray"]),
        ("unknown_output", "an --output value it does not know", vec!["--output=xml"]),
        ("empty_output", "an empty --output", vec!["--output="]),
        ("unknown_profile", "a --profile that does not exist", vec!["--profile=nobody"]),
    ];
    if family == Family::Kubeconfig {
        cases.push(("output_file_dash", "--output-file -", vec!["--output-file", "-"]));
        cases.push(("output_file_empty", "an empty --output-file", vec!["--output-file", ""]));
    }
    cases
        .into_iter()
        .map(|(id, what, args)| {
            let mut claims = Vec::new();
            if let Some(flag) = args[0]
                .split('=')
                .next()
                .filter(|flag| *flag != "--no-such-flag" && flag.starts_with("--"))
            {
                claims.push(Claim::flag(family.name(), flag.to_owned()));
            }
            let draft = match id {
                "unknown_profile" => draft(family, Level::Should, id),
                "output_file_dash" => draft(family, Level::Should, id)
                    .source("docs/decisions/0011-output-file.md", "`-` is refused"),
                _ => draft(family, Level::Must, id),
            };
            draft.title(format!("{} refuses {what}", family.name())).claims(claims).check(
                move |bench| {
                    let scene = Scene::honest(bench)?;
                    scene.expect_unsent(&scene.run(family)?.args(&args).go()?, 2)?;
                    scene.expect_done(&scene.run(family)?.go()?)
                },
            )
        })
        .collect()
}

/// Names that have been a way into ssh's expansions or its options.
fn login_users() -> Vec<Rule> {
    let names = [
        ("option", "-oProxyCommand=id"),
        ("semicolon", "a;id"),
        ("substitution", "$(id)"),
        ("variable", "$HOME"),
        ("backtick", "`id`"),
        ("pipe", "a|id"),
        ("ampersand", "a&id"),
        ("redirect_out", "a>f"),
        ("redirect_in", "a<f"),
        ("space", "a b"),
        ("braces", "a{b}"),
        ("quote", "a'b"),
        ("double_quote", "a\"b"),
        ("parenthesis", "a(b"),
        ("no_break_space", "a\u{a0}b"),
    ];
    names
        .into_iter()
        .map(|(slug, user)| {
            let draft = draft(Family::Ssh, Level::Should, &format!("login_user.{slug}"))
                .source("docs/decisions/0009-user-and-host-text.md", "--login-user")
                .title(format!("ssh refuses the login user {user:?}"))
                .claims([Claim::flag("ssh", "--login-user"), Claim::hostile("C13")]);
            refused(draft, Family::Ssh, move |run| {
                run.without("--login-user").arg(given("--login-user", user))
            })
        })
        .collect()
}

fn ports() -> Vec<Rule> {
    let ports = [
        ("zero", "0"),
        ("above_range", "65536"),
        ("negative", "-1"),
        ("word", "ssh"),
        ("huge", "4294967297"),
        ("fraction", "22.0"),
        ("hexadecimal", "0x16"),
        ("space", " 22"),
    ];
    ports
        .into_iter()
        .map(|(slug, port)| {
            let draft = draft(Family::TcpForward, Level::Must, &format!("port.{slug}"))
                .title(format!("tcp-forward refuses --port {port:?}"))
                .claims([
                    Claim::exit("tcp-forward.2.port_out_of_range"),
                    Claim::flag("tcp-forward", "--port"),
                ]);
            refused(draft, Family::TcpForward, move |run| {
                run.without("--port").arg(given("--port", port))
            })
        })
        .collect()
}
