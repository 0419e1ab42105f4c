//! A line being typed.

use super::key::{Code, Key};

/// Longest input, in characters: pasted books stay out.
const MAX_INPUT: usize = 200;

/// A line being typed, with its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Input {
    before: String,
    after: String,
}

impl Input {
    /// An input that already holds text, the cursor behind it.
    pub fn new(text: impl Into<String>) -> Self {
        Self { before: text.into(), after: String::new() }
    }

    /// The text.
    pub fn text(&self) -> String {
        format!("{}{}", self.before, self.after)
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        &self.before
    }

    /// True when nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// Types text, such as what was pasted: only its first line, without control characters.
    pub fn insert(&mut self, text: &str) {
        let room = MAX_INPUT.saturating_sub(self.before.chars().count() + self.after.chars().count());
        let line = text.lines().next().unwrap_or("");
        let safe = crate::text::Text::new(line);
        self.before.extend(safe.as_str().chars().take(room));
    }

    /// Takes a key. False when the key means nothing to an input.
    pub fn key(&mut self, key: Key) -> bool {
        match (key.code, key.ctrl) {
            (Code::Char('u'), true) => self.before.clear(),
            (Code::Char('w'), true) => {
                let keep = self.before.trim_end().rfind(char::is_whitespace).map_or(0, |at| at + 1);
                self.before.truncate(keep);
            }
            (Code::Char('a'), true) | (Code::Home, _) => {
                self.after.insert_str(0, &self.before);
                self.before.clear();
            }
            (Code::Char('e'), true) | (Code::End, _) => self.before.push_str(&std::mem::take(&mut self.after)),
            (Code::Char(c), false) if !key.alt => self.insert(c.encode_utf8(&mut [0; 4])),
            (Code::Backspace, _) => {
                self.before.pop();
            }
            (Code::Delete, _) => {
                let mut rest = self.after.chars();
                rest.next();
                self.after = rest.as_str().to_owned();
            }
            (Code::Left, _) => {
                if let Some(c) = self.before.pop() {
                    self.after.insert(0, c);
                }
            }
            (Code::Right, _) => {
                let mut rest = self.after.chars();
                self.before.extend(rest.next());
                self.after = rest.as_str().to_owned();
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_and_mending() {
        let mut input = Input::default();
        for key in Key::script("payz<backspace>ment<home><delete>P<end>s<left><left>X").unwrap() {
            assert!(input.key(key));
        }
        assert_eq!(input.text(), "PaymenXts");
        assert_eq!(input.before(), "PaymenX");
        for key in Key::script("<ctrl-u><end><space>two<space>words<ctrl-w>").unwrap() {
            assert!(input.key(key));
        }
        assert_eq!(input.text(), "ts two ");
    }

    #[test]
    fn pasted_text_is_one_safe_line() {
        let mut input = Input::default();
        input.insert("a\x1b[31mb\nrm -rf");
        assert_eq!(input.text(), "ab");
        input.insert(&"x".repeat(1000));
        assert_eq!(input.text().chars().count(), MAX_INPUT);
    }
}
