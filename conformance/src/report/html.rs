//! One page that holds everything: the matrix, every rule with its evidence, and filters. It loads
//! nothing, and is readable without its script.

use std::fmt::Write as _;

use super::{Judgement, Report, matrix};
use crate::bench::Family;
use crate::rule::Level;

const PAGE: &str = include_str!("page.html");

pub fn report(report: &Report) -> String {
    let mut page = PAGE.to_owned();
    for (mark, text) in [
        ("<!--SUMMARY-->", summary(report)),
        ("<!--MATRIX-->", matrix_table(report)),
        ("<!--RULES-->", rules(report)),
    ] {
        page = page.replacen(mark, &text, 1);
    }
    page
}

fn summary(report: &Report) -> String {
    let mut text = String::new();
    let word = match report.exit_code {
        0 => "conforms",
        1 => "does not conform",
        4 => "an expectation is stale",
        5 => "nothing ran",
        _ => "the harness could not do its work",
    };
    let _ = writeln!(
        text,
        "<p class=\"ending e{}\">{word} <span>exit code {}</span></p>",
        report.exit_code, report.exit_code
    );
    text.push_str("<dl>");
    let mut facts: Vec<(String, String)> = vec![
        ("contract".into(), report.contract.generation.clone()),
        ("harness".into(), format!("{} {}", report.tool.name, report.tool.version)),
        ("seed".into(), report.run.seed.to_string()),
        ("level".into(), report.run.level.clone()),
    ];
    facts.extend(
        report.subjects.named().into_iter().map(|(name, value)| (name.into(), value.into())),
    );
    facts.extend(report.run.shard.iter().map(|shard| ("shard".into(), shard.clone())));
    if !report.run.rules.is_empty() {
        facts.push(("rules".into(), report.run.rules.join(", ")));
    }
    if let Some(proven) = report.proven {
        let text = format!("{} of {} rules", proven.proven, proven.rules);
        facts.push(("with a broken subject".into(), text));
    }
    for (name, value) in facts {
        let _ = write!(text, "<dt>{}</dt><dd>{}</dd>", escaped(&name), escaped(&value));
    }
    text.push_str("</dl>\n<table class=\"counts\"><tr><th></th><th>rules</th><th>passed</th><th>failed</th><th>known</th><th>skipped</th><th>not run</th><th>broken</th></tr>");
    for (name, counts) in
        [("MUST", report.levels.must), ("SHOULD", report.levels.should), ("all", report.counts)]
    {
        let _ = write!(text, "<tr><th>{name}</th>");
        for count in [
            counts.rules,
            counts.pass,
            counts.fail,
            counts.known,
            counts.skip,
            counts.not_run,
            counts.broken,
        ] {
            let _ = write!(text, "<td>{count}</td>");
        }
        text.push_str("</tr>");
    }
    text.push_str("</table>\n");
    for (need, count) in &report.needs {
        let _ = writeln!(text, "<p>{count} skipped for the lack of {}</p>", escaped(need));
    }
    for stale in &report.stale_expectations {
        let _ = writeln!(
            text,
            "<p class=\"fail\">stale expectation: {}</p><pre>{}</pre>",
            escaped(&stale.to_string()),
            escaped(&stale.mend)
        );
    }
    text
}

fn matrix_table(report: &Report) -> String {
    let mut text =
        String::from("<table id=\"matrix\"><thead><tr><th>exit code</th><th>trigger</th>");
    for family in Family::ALL {
        let _ = write!(text, "<th>{}</th>", family.name());
    }
    text.push_str("</tr></thead><tbody>");
    for row in matrix::rows(report) {
        let _ = write!(text, "<tr><th>{}</th><td>{}</td>", row.code, escaped(&row.slug));
        for cell in &row.cells {
            let Some(cell) = cell else {
                text.push_str("<td class=\"none\"></td>");
                continue;
            };
            let counts = &cell.counts;
            let _ = write!(
                text,
                "<td class=\"{}\" title=\"{}\"><button type=\"button\" data-claim=\"{}\">{}/{}</button></td>",
                cell.word(),
                escaped(&cell.what),
                escaped(&cell.claim),
                counts.pass + counts.known,
                counts.rules - counts.skip,
            );
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table>\n");
    text
}

fn rules(report: &Report) -> String {
    let mut text = String::new();
    // What somebody has to look at stands first.
    let (wrong, fine): (Vec<_>, Vec<_>) =
        report.rules.iter().partition(|one| one.verdict.is_wrong());
    for one in wrong.into_iter().chain(fine) {
        rule(&mut text, one);
    }
    text
}

fn rule(text: &mut String, one: &Judgement) {
    let word = one.verdict.word();
    let level = if one.level == Level::Must { "must" } else { "should" };
    let side = format!("{:?}", one.side).to_lowercase();
    let _ = write!(
        text,
        "<details class=\"rule\" id=\"{id}\" data-verdict=\"{word}\" data-level=\"{level}\" \
         data-side=\"{side}\" data-claims=\"{claims}\"><summary><b class=\"{word}\">{word}</b> \
         <code>{id}</code> <span>{title}</span></summary><dl><dt>level</dt><dd>{level}, {side}</dd>\
         <dt>source</dt><dd>{page}, {fact}</dd><dt>covers</dt><dd>{shown}</dd><dt>fix</dt><dd>{fix}</dd>",
        id = escaped(&one.id),
        claims = escaped(&format!("|{}|", one.claims.join("|"))),
        title = escaped(&one.title),
        page = escaped(&one.source.page),
        fact = escaped(&one.source.fact),
        shown = escaped(&one.claims.join(", ")),
        fix = escaped(&one.fix),
    );
    let said = one.said();
    if !said.is_empty() {
        let _ = write!(text, "<dt>{word}</dt><dd class=\"said\">{}</dd>", escaped(&said));
    }
    if let Some(repeat) = &one.repeat {
        let _ = write!(text, "<dt>repeat</dt><dd><code>{}</code></dd>", escaped(repeat));
    }
    text.push_str("</dl>");
    for note in &one.evidence {
        let _ = write!(text, "<pre>{}</pre>", escaped(note));
    }
    text.push_str("</details>\n");
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_page_is_whole_and_loads_nothing() {
        let page = report(&sample::report());
        for mark in ["<!--SUMMARY-->", "<!--MATRIX-->", "<!--RULES-->", "<script>alert"] {
            assert!(!page.contains(mark), "{mark}");
        }
        assert_eq!(page.matches("<details class=\"rule\"").count(), 6);
        assert!(page.contains("&lt;script&gt;alert(1)"));
        let first = |verdict: &str| page.find(&format!("data-verdict=\"{verdict}\"")).unwrap();
        assert!(first("fail") < first("pass"), "failures stand first");
        // The only addresses are texts of the report itself.
        assert!(!page.contains("src=") && !page.contains("href=\"http") && !page.contains("url("));
        assert!(page.contains("default-src 'none'"));
    }
}
