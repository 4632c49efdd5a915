//! The table, and its place in `docs/performance.md`.

use std::path::Path;
use std::time::Duration;

const BEGIN: &str = "<!-- figures: written by the bench -->";
const END: &str = "<!-- end of figures -->";

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<String>,
    missed: usize,
}

impl Table {
    /// A row whose bar is a ratio of two durations that must not be passed.
    pub(crate) fn at_most(
        &mut self,
        what: &str,
        peer: &str,
        bar: f64,
        ours: Duration,
        theirs: Duration,
    ) {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        let (ours, theirs) = (millis(ours), millis(theirs));
        self.row(what, peer, ours, theirs, ratio, &format!("<= {bar}"), ratio <= bar);
    }

    #[expect(clippy::too_many_arguments, reason = "they are the columns of one row")]
    #[expect(clippy::needless_pass_by_value, reason = "callers format on the spot")]
    pub(crate) fn row(
        &mut self,
        what: &str,
        peer: &str,
        ours: String,
        theirs: String,
        ratio: f64,
        bar: &str,
        holds: bool,
    ) {
        self.missed += usize::from(!holds);
        let verdict = if holds { "holds" } else { "**missed**" };
        self.rows.push(format!(
            "| {what} | {ours} | {peer}: {theirs} | {ratio:.2} | {bar} | {verdict} |"
        ));
    }

    pub(crate) fn markdown(&self) -> String {
        let head = "| what | ours | peer | ratio | bar | |\n|---|---|---|---|---|---|\n";
        format!("{head}{}\n", self.rows.join("\n"))
    }

    pub(crate) fn holds(&self) -> bool {
        self.missed == 0
    }

    pub(crate) fn write_into(&self, page: &Path) {
        let text = std::fs::read_to_string(page).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (_old, after) = rest.split_once(END).unwrap();
        let text = format!("{before}{BEGIN}\n{}{END}{after}", self.markdown());
        std::fs::write(page, text).unwrap();
    }
}

pub(crate) fn millis(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}
