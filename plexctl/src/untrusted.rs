//! Text that came from a server or an argument, made safe for a terminal.

/// The longest piece of foreign text shown in one message.
const SHOWN: usize = 600;

/// Whether a character could steer a terminal or reorder what a reader sees: C0, DEL, C1, the
/// bidirectional controls, the line and paragraph separators, and the invisible joiners.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The text with every such character written out as `\u{..}`, cut to a readable length.
pub(crate) fn shown(text: &str) -> String {
    written_out(text, SHOWN)
}

/// The same for a whole message, whose foreign parts have been cut already.
pub(crate) fn shown_whole(text: &str) -> String {
    written_out(text, usize::MAX)
}

fn written_out(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            out.push_str("...");
            break;
        }
        if is_unsafe(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// A JSON text in which those characters are `\u` escapes: the same document, harmless to print.
/// They can only stand inside its strings, since JSON's own syntax is ASCII.
pub(crate) fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0_u16; 2];
    for c in json.chars() {
        if is_unsafe(c) && c != '\n' {
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_sequences_become_visible() {
        let table = [
            ("\u{1b}[31mred\u{1b}[0m", r"\u{1b}[31mred\u{1b}[0m"),
            ("\u{1b}]0;title\u{7}", r"\u{1b}]0;title\u{7}"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("a\r\nb", r"a\u{d}\u{a}b"),
            ("\u{202e}gnp.exe", r"\u{202e}gnp.exe"),
            ("plain \u{e9} text", "plain \u{e9} text"),
        ];
        for (from, to) in table {
            assert_eq!(shown(from), to);
        }
    }

    #[test]
    fn long_text_is_cut() {
        let text = shown(&"x".repeat(100_000));
        assert_eq!(text.len(), SHOWN + 3);
        assert!(text.ends_with("..."));
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({"a": "\u{9b}\u{202e}\u{7f}\u{1b}\u{e0041}x"});
        let json = escape_json(&value.to_string());
        assert!(json.is_ascii(), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("json"), value);
    }
}
