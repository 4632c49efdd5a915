//! The one way plexctl writes YAML: every text on the line of its key, quoted where some reader
//! could take it for something else, and never folded into a block.

use serde::Serialize;
use serde_saphyr::SerializerOptions;

/// Appends a value's YAML.
pub(crate) fn write<T: Serialize>(
    out: &mut String,
    value: &T,
) -> Result<(), serde_saphyr::ser::Error> {
    let mut options = SerializerOptions::default();
    options.min_fold_chars = usize::MAX;
    options.prefer_block_scalars = false;
    serde_saphyr::to_fmt_writer_with_options(out, value, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_stay_on_their_line() {
        let mut out = String::new();
        write(&mut out, &serde_json::json!({"token": "x".repeat(4000)})).expect("yaml");
        assert_eq!(out, format!("token: {}\n", "x".repeat(4000)));
        out.clear();
        write(&mut out, &serde_json::json!({"text": "a b ".repeat(100)})).expect("yaml");
        assert_eq!(out.lines().count(), 1, "{out}");
    }
}
