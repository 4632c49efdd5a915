//! From bytes to keys: UTF-8 characters, control keys and escape sequences.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Character(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    CutToStart,
    CutToEnd,
    CutWord,
    Paste,
    Interrupt,
    EndOfFile,
    Clear,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Plain,
    Escape,
    /// Behind `ESC [` or `ESC O`: the digits so far.
    Sequence(String),
    Utf8(Vec<u8>, usize),
}

/// Collects bytes until they make a key. Whatever they are, it never gets stuck.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
    after_return: bool,
}

impl Decoder {
    pub(super) fn feed(&mut self, byte: u8) -> Option<Key> {
        // A line ended by CR LF is one Enter.
        let second_half = self.after_return && byte == b'\n';
        self.after_return = byte == b'\r';
        if second_half {
            return None;
        }
        match std::mem::take(&mut self.state) {
            State::Plain => self.plain(byte),
            State::Escape => match byte {
                b'[' | b'O' => {
                    self.state = State::Sequence(String::new());
                    None
                }
                b'b' => Some(Key::WordLeft),
                b'f' => Some(Key::WordRight),
                0x7f | 8 => Some(Key::CutWord),
                0x1b => {
                    self.state = State::Escape;
                    None
                }
                _ => None,
            },
            State::Sequence(mut digits) => match byte {
                b'0'..=b'9' | b';' if digits.len() < 16 => {
                    digits.push(char::from(byte));
                    self.state = State::Sequence(digits);
                    None
                }
                0x1b => {
                    self.state = State::Escape;
                    None
                }
                _ => sequence(&digits, byte),
            },
            State::Utf8(mut bytes, missing) => {
                if byte & 0xc0 != 0x80 {
                    return self.plain(byte);
                }
                bytes.push(byte);
                if missing > 1 {
                    self.state = State::Utf8(bytes, missing - 1);
                    return None;
                }
                let text = std::str::from_utf8(&bytes).ok()?;
                text.chars().next().map(Key::Character)
            }
        }
    }

    fn plain(&mut self, byte: u8) -> Option<Key> {
        Some(match byte {
            b'\r' | b'\n' => Key::Enter,
            b'\t' => Key::Tab,
            0x7f | 0x08 => Key::Backspace,
            0x01 => Key::Home,
            0x02 => Key::Left,
            0x03 => Key::Interrupt,
            0x04 => Key::EndOfFile,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x0b => Key::CutToEnd,
            0x0c => Key::Clear,
            0x0e => Key::Down,
            0x10 => Key::Up,
            0x15 => Key::CutToStart,
            0x17 => Key::CutWord,
            0x19 => Key::Paste,
            0x1b => {
                self.state = State::Escape;
                return None;
            }
            0x20..=0x7e => Key::Character(char::from(byte)),
            0xc2..=0xdf => return self.begin(byte, 1),
            0xe0..=0xef => return self.begin(byte, 2),
            0xf0..=0xf4 => return self.begin(byte, 3),
            _ => return None,
        })
    }

    fn begin(&mut self, byte: u8, missing: usize) -> Option<Key> {
        self.state = State::Utf8(vec![byte], missing);
        None
    }
}

fn sequence(digits: &str, last: u8) -> Option<Key> {
    let with_modifier = digits.contains(';');
    Some(match (last, digits) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) if with_modifier => Key::WordRight,
        (b'D', _) if with_modifier => Key::WordLeft,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', "1" | "7") => Key::Home,
        (b'F', _) | (b'~', "4" | "8") => Key::End,
        (b'~', "3") => Key::Delete,
        _ => return None,
    })
}
