//! A badge: how many rules passed of those that ran, in the shape of a shields.io endpoint.

use serde_json::json;

use super::Report;

pub fn report(report: &Report) -> String {
    let counts = &report.counts;
    let ran = counts.rules - counts.skip - counts.not_run;
    let (message, color) = match report.exit_code {
        0 => (format!("{} of {ran}", counts.pass), "brightgreen"),
        1 => (format!("{} of {ran}", counts.pass), "red"),
        4 => (format!("{} of {ran}, a stale expectation", counts.pass), "orange"),
        5 => ("nothing ran".to_owned(), "lightgrey"),
        _ => ("could not be judged".to_owned(), "lightgrey"),
    };
    let badge = json!({
        "schemaVersion": 1,
        "label": "plexctl conformance",
        "message": message,
        "color": color,
    });
    format!("{badge}\n")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn skips_do_not_count_as_passed() {
        let badge: serde_json::Value = serde_json::from_str(&report(&sample::report())).unwrap();
        assert_eq!(badge["schemaVersion"], 1);
        assert_eq!((&badge["message"], &badge["color"]), (&"1 of 3".into(), &"red".into()));
    }
}
