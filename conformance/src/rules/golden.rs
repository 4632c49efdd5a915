//! The golden cases of `fixtures/golden`, one rule each: one run against one scripted answer,
//! compared as `fixtures/golden/README.md` says.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;
use serde_json::Value;

use crate::bench::{Answer, Bench, Ending, Family, Ran, with_a_free_port, yaml};
use crate::fixture;
use crate::rule::{Claim, Rule, Side};
use crate::verdict::{Outcome, broken, expect, expect_eq, fail};

#[derive(Debug, Clone, Deserialize)]
struct Case {
    name: String,
    why: String,
    args: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    answer: Option<Scripted>,
    expect: Expected,
}

#[derive(Debug, Clone, Deserialize)]
struct Scripted {
    status: u16,
    headers: BTreeMap<String, String>,
    json: Option<Value>,
    text: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Expected {
    exit_code: i32,
    stdout: Option<Look>,
    stderr: Option<Look>,
    #[serde(default)]
    files: BTreeMap<String, Look>,
}

/// How one stream or file is read, and what must be found in it.
#[derive(Debug, Clone, Deserialize)]
struct Look {
    format: String,
    mode: Option<String>,
    lines: Option<Vec<String>>,
    equals: Option<Value>,
    has: Option<Value>,
    #[serde(default)]
    lacks: Vec<String>,
    #[serde(default)]
    shows: Vec<String>,
}

pub(crate) fn all() -> Outcome<Vec<Rule>> {
    fixture::list("golden/")
        .iter()
        // What the servers of other systems answer is played by the tests of the mock.
        .filter(|path| {
            !["golden/rancher/", "golden/k0rdent/"].iter().any(|one| path.starts_with(one))
        })
        .filter(|path| path.ends_with(".json"))
        .map(|path| rule(path))
        .collect()
}

fn rule(path: &str) -> Outcome<Rule> {
    let case: Case = serde_json::from_slice(&fixture::bytes(path)?)
        .or_else(|error| broken(format!("{path}: {error}")))?;
    let group = path.split('/').nth(1).unwrap_or_default().to_owned();
    let named = |family: &Family| case.args.iter().any(|arg| arg == family.name());
    let Some(family) = Family::ALL.into_iter().find(named) else {
        return broken(format!("{path} runs none of the commands"));
    };
    let code = case.expect.exit_code;
    Ok(Rule::should(format!("golden.{group}.{}", case.name), Side::Client)
        .source(format!("fixtures/{path}"), case.why.clone())
        .claims([
            Claim::exit(format!("{}.{code}", family.name())),
            Claim::flag(family.name(), "--output"),
        ])
        .title(format!("the golden case {} of {group} comes out as written down", case.name))
        .fix("Compare the run with the golden file; fixtures/golden/README.md says how.")
        .check(move |bench| with_a_free_port(|free| play(bench, &case, free))))
}

fn play(bench: &Bench, case: &Case, free: SocketAddr) -> Outcome {
    let mut script = bench.referee()?;
    if let Some(scripted) = &case.answer {
        let mut answer = match (&scripted.json, &scripted.text) {
            (Some(json), _) => Answer::json(scripted.status, json.clone()),
            (None, text) => Answer::text(scripted.status, text.clone().unwrap_or_default()),
        };
        answer.headers.clear();
        for (name, value) in &scripted.headers {
            answer = answer.header(name, value);
        }
        script = script.answer(answer);
    }
    let referee = script.start()?;
    bench.fake_ssh(Ending::Status(0))?;
    for (name, text) in &case.files {
        bench.sandbox()?.write(bench.sandbox()?.path(name), text, 0o644)?;
    }
    let fill = |text: &str| text.replace("{free_port}", &free.port().to_string());
    let run = bench.plexctl()?.args(case.args.iter().map(|arg| fill(arg)));
    let run = run.env("PLEXSPHERE_URL", referee.url()).env("PLEXSPHERE_TOKEN", "psk_dev_operator");
    let ran = run.go()?;
    ran.expect_exit(case.expect.exit_code)?;
    if case.answer.is_none() {
        referee.expect_untouched()?;
    } else {
        referee.expect_requests("IssueSession", 1)?;
    }
    for (what, bytes, look) in
        [("stdout", &ran.stdout, &case.expect.stdout), ("stderr", &ran.stderr, &case.expect.stderr)]
    {
        if let Some(look) = look {
            look.judge(what, bytes, &fill)?;
        }
    }
    for (name, look) in &case.expect.files {
        look.judge_file(&ran, name, &fill)?;
    }
    Ok(())
}

impl Look {
    fn judge_file(&self, ran: &Ran, name: &str, fill: &dyn Fn(&str) -> String) -> Outcome {
        let mode = self.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        let path = std::path::Path::new("cwd").join(name);
        let Some(entry) = ran.after.get(&path) else {
            return fail(format!("the file {name}"), "there", "not there");
        };
        if let Some(mode) = mode {
            expect_eq(
                format!("the mode of {name}"),
                &format!("{mode:04o}"),
                &format!("{:04o}", entry.mode),
            )?;
        }
        self.judge(name, &entry.content, fill)
    }

    fn judge(&self, what: &str, bytes: &[u8], fill: &dyn Fn(&str) -> String) -> Outcome {
        let text = String::from_utf8_lossy(bytes).into_owned();
        for shown in &self.shows {
            expect(text.contains(shown), what, format!("{shown:?} in it"), &text)?;
        }
        let mut document = match self.format.as_str() {
            "empty" => return expect(bytes.is_empty(), what, "nothing", &text),
            "text" => return self.judge_lines(what, &text, fill),
            "error_text" => return error_text(what, &text),
            "json" => serde_json::from_slice(bytes)
                .or_else(|error| fail(what, "one JSON document", format!("{error}: {text}")))?,
            "yaml" | "kubeconfig" => yaml(bytes, what)?,
            other => return broken(format!("no such golden format: {other}")),
        };
        if self.format == "kubeconfig"
            && let Some(fields) = document.as_object_mut()
            && fields
                .get("preferences")
                .is_some_and(|value| value.as_object().is_some_and(serde_json::Map::is_empty))
        {
            fields.remove("preferences");
        }
        if let Some(whole) = &self.equals {
            let same = includes(&document, whole, fill) && includes(whole, &document, fill);
            expect(same, what, whole, &document)?;
        }
        if let Some(part) = &self.has {
            expect(includes(&document, part, fill), what, part, &document)?;
        }
        for pointer in &self.lacks {
            let found = document.pointer(pointer);
            expect(found.is_none(), what, format!("nothing at {pointer}"), format!("{found:?}"))?;
        }
        Ok(())
    }

    fn judge_lines(&self, what: &str, text: &str, fill: &dyn Fn(&str) -> String) -> Outcome {
        let Some(lines) = &self.lines else { return Ok(()) };
        let found: Vec<&str> = text.lines().collect();
        let same = found.len() == lines.len()
            && lines.iter().zip(&found).all(|(line, found)| fits(&fill(line), found));
        expect(same, what, format!("{lines:?}"), format!("{found:?}"))
    }
}

/// `plexctl: <what>: <why>`, then perhaps a hint.
fn error_text(what: &str, text: &str) -> Outcome {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let named = first.strip_prefix("plexctl: ").is_some_and(|rest| rest.contains(": "));
    expect(named, what, "plexctl: <what>: <why>", text)?;
    let rest: Vec<&str> = lines.collect();
    let hint = rest.is_empty() || (rest.len() == 1 && rest[0].starts_with("hint:"));
    expect(hint, what, "one line, and perhaps one that begins hint:", text)
}

/// Whether every member of `part` is in `whole` with that value; lists are compared whole.
fn includes(whole: &Value, part: &Value, fill: &dyn Fn(&str) -> String) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| includes(found, value, fill))),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(a, b)| includes(a, b, fill))
        }
        (Value::String(whole), Value::String(part)) => {
            let (whole, part) = (fill(whole), fill(part));
            let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
            fits(&part, &whole)
                || fits(&whole, &part)
                || (moment(&whole).is_some() && moment(&whole) == moment(&part))
        }
        (whole, part) => whole == part,
    }
}

/// `{any_port}` stands for a number from 1 to 65535.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once("{any_port}") {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .and_then(|port| port.parse::<u16>().ok())
            .is_some_and(|port| port > 0),
    }
}
