//! Writing verdicts down: one model, and a renderer for each reader.

pub mod badge;
pub mod canary;
pub mod diff;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod matrix;
pub mod merge;
pub mod model;
pub mod progress;
pub mod tap;
pub mod text;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use self::model::{About, Judgement, Report};
use self::text::Detail;
use crate::verdict::Verdict;

/// How many rules got which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub rules: usize,
    pub pass: usize,
    pub fail: usize,
    pub known: usize,
    pub skip: usize,
    pub not_run: usize,
    pub broken: usize,
}

impl Counts {
    pub fn of<'v>(verdicts: impl IntoIterator<Item = &'v Verdict>) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            counts.rules += 1;
            let count = match verdict {
                Verdict::Pass => &mut counts.pass,
                Verdict::Fail { .. } => &mut counts.fail,
                Verdict::Known { .. } => &mut counts.known,
                Verdict::Skip { .. } => &mut counts.skip,
                Verdict::NotRun { .. } => &mut counts.not_run,
                Verdict::Broken { .. } => &mut counts.broken,
            };
            *count += 1;
        }
        counts
    }
}

/// The forms a report can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person at a terminal.
    #[default]
    Text,
    /// The whole model; fixtures/schema/report.schema.json describes it.
    Json,
    /// For CI systems that collect test results.
    Junit,
    /// TAP version 14.
    Tap,
    /// One page that needs no network.
    Html,
    /// A summary for a job page.
    Markdown,
    /// Annotations, as workflow commands.
    Github,
    /// A badge, in the shape of a shields.io endpoint.
    Badge,
}

impl Format {
    /// The form that a file's name asks for.
    pub fn of_file(name: &str) -> Option<Self> {
        Some(match name.rsplit_once('.')?.1 {
            "txt" => Self::Text,
            "json" => Self::Json,
            "xml" => Self::Junit,
            "tap" => Self::Tap,
            "html" | "htm" => Self::Html,
            "md" => Self::Markdown,
            _ => return None,
        })
    }
}

pub fn render(report: &Report, format: Format, detail: Detail) -> String {
    match format {
        Format::Text => text::report(report, detail),
        Format::Json => json::report(report),
        Format::Junit => junit::report(report),
        Format::Tap => tap::report(report),
        Format::Html => html::report(report),
        Format::Markdown => markdown::report(report),
        Format::Github => github::report(report),
        Format::Badge => badge::report(report),
    }
}

#[cfg(test)]
mod sample;
