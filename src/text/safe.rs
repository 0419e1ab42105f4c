//! The one place where untrusted text is made safe for a terminal.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest text that is kept, in bytes. Longer input ends in `…`.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// One line of text that can be shown anywhere: no control characters, no escape sequences, no
/// bidirectional or other format characters.
///
/// Making a `Text` from a `Text`'s own string changes nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// What a [`Filter`] collected: it is safe already.
    pub(super) fn filtered(filter: Filter) -> Self {
        Self(filter.out.into())
    }

    /// Makes `raw` safe: terminal sequences are removed; line ends and tabs become spaces; other
    /// control and format characters become visible escapes such as `\u{202e}`.
    pub fn new(raw: &str) -> Self {
        // Most text is plain ASCII, which is quickly seen.
        let ascii = raw.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if raw.len() <= MAX_TEXT_BYTES && (ascii || raw.chars().all(is_plain)) {
            return Self(raw.into());
        }
        let mut filter = Filter::default();
        vte::Parser::new().advance(&mut filter, raw.as_bytes());
        Self(filter.out.into())
    }

    /// The safe text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Collects what a terminal would print and drops what it would obey.
#[derive(Default)]
pub(super) struct Filter {
    out: String,
    full: bool,
}

impl Filter {
    /// Bytes that were collected.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    fn push(&mut self, piece: &str) {
        if self.full {
            return;
        }
        // Room is left for the mark, so that a cut text is not cut again.
        if self.out.len() + piece.len() > MAX_TEXT_BYTES - '…'.len_utf8() {
            self.out.push('…');
            self.full = true;
        } else {
            self.out.push_str(piece);
        }
    }
}

impl vte::Perform for Filter {
    fn print(&mut self, c: char) {
        if is_plain(c) {
            self.push(c.encode_utf8(&mut [0; 4]));
        } else {
            self.push(&c.escape_unicode().to_string());
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' | b'\t' => self.push(" "),
            // A carriage return before a line end, and shift-in/out, leave nothing worth seeing.
            b'\r' | 0x0e | 0x0f => {}
            _ => self.push(&char::from(byte).escape_unicode().to_string()),
        }
    }
}

/// True for characters that only ever draw themselves.
fn is_plain(c: char) -> bool {
    !c.is_control() && !is_format(c) && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// Unicode general category Cf (format) and the tag block: they reorder, hide or join their neighbours.
/// Ranges from the Unicode character database, version 16.
fn is_format(c: char) -> bool {
    matches!(u32::from(c),
        0x00AD | 0x0600..=0x0605 | 0x061C | 0x06DD | 0x070F | 0x0890..=0x0891 | 0x08E2 | 0x180E
        | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xFFF9..=0xFFFB
        | 0x110BD | 0x110CD | 0x13430..=0x1343F | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
        | 0xE0000..=0xE0FFF)
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Default for Text {
    fn default() -> Self {
        Self("".into())
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sequences_vanish_and_words_stay() {
        for (raw, safe) in [
            ("plain", "plain"),
            ("\x1b[31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07after", "after"),
            ("\x1bP1;2q~~\x1b\\after", "after"),
            ("two\r\nlines\tand a tab", "two lines and a tab"),
            ("bell\x07", "bell\\u{7}"),
            ("abc\u{202e}txt.exe", "abc\\u{202e}txt.exe"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("港口 ñ é 🚢", "港口 ñ é 🚢"),
            ("\u{9b}31mred", "\\u{9b}31mred"),
        ] {
            assert_eq!(Text::new(raw), safe, "{raw:?}");
        }
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        let long = Text::new(&"x".repeat(MAX_TEXT_BYTES * 2));
        assert!(long.as_str().len() <= MAX_TEXT_BYTES);
        assert!(long.as_str().ends_with('…'));
    }

    proptest! {
        #[test]
        fn safe_text_is_safe_and_stays_as_it_is(raw in "\\PC*|[\\x00-\\x1f\\x7f-\\x9fa-z\\[\\];\u{200b}-\u{202e}]*") {
            let once = Text::new(&raw);
            prop_assert!(once.as_str().chars().all(is_plain));
            let again = Text::new(once.as_str());
            prop_assert_eq!(again, once);
        }

        /// Said without the words of the code: what a terminal obeys, and what turns the order of characters round, never
        /// comes out, whatever bytes went in and however they were painted.
        #[test]
        fn no_terminal_obeys_it(raw in prop::collection::vec(prop_oneof![
            any::<u8>(),
            prop::sample::select(b"\x1b\x1b\x1b[]P;m0?\x07\x9b\x9d\xe2\x80\xaa\xae\x81\xa6\n\t\r".to_vec()),
        ], 0..200)) {
            let raw = String::from_utf8_lossy(&raw);
            for safe in [Text::new(&raw), super::super::Painted::new(&raw).text().clone()] {
                let written = serde_json::to_string(&safe).unwrap();
                for text in [safe.as_str(), &written] {
                    prop_assert!(!text.bytes().any(|byte| byte < 0x20 || byte == 0x7f), "{:?}", text);
                    let is_obeyed = |c: char| {
                        ('\u{80}'..='\u{9f}').contains(&c)                   // CSI, OSC and the like in one character
                            || ('\u{202a}'..='\u{202e}').contains(&c)        // bidirectional overrides
                            || ('\u{2066}'..='\u{2069}').contains(&c)        // bidirectional isolates
                            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}')
                    };
                    prop_assert!(!text.chars().any(is_obeyed), "{:?}", text);
                }
            }
        }
    }
}
