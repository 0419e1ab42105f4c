//! Keys as the program understands them, free of any terminal library.

use std::fmt;

/// One key press. Shift is part of the character (`G`, `+`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// Together with control.
    pub ctrl: bool,
    /// Together with alt.
    pub alt: bool,
}

/// Which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A character as typed.
    Char(char),
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// Tabulator.
    Tab,
    /// Shift and tabulator.
    BackTab,
    /// Deletes to the left.
    Backspace,
    /// Deletes to the right.
    Delete,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// First place.
    Home,
    /// Last place.
    End,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// Function key.
    F(u8),
}

/// Names of the keys that are not characters, as they are written in help, key files and tests.
const NAMES: [(Code, &str); 16] = [
    (Code::Enter, "enter"),
    (Code::Esc, "esc"),
    (Code::Tab, "tab"),
    (Code::BackTab, "backtab"),
    (Code::Backspace, "backspace"),
    (Code::Delete, "delete"),
    (Code::Up, "up"),
    (Code::Down, "down"),
    (Code::Left, "left"),
    (Code::Right, "right"),
    (Code::Home, "home"),
    (Code::End, "end"),
    (Code::PageUp, "pgup"),
    (Code::PageDown, "pgdn"),
    (Code::Char(' '), "space"),
    (Code::Char('<'), "lt"),
];

impl Key {
    /// A key without modifiers.
    pub fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// A character without modifiers.
    pub fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// Reads `x`, `+`, `ctrl-d`, `alt-x`, `enter`, `f5`. None when it is no key.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("ctrl-").filter(|rest| !rest.is_empty()) {
            return Self::parse(rest).map(|key| Self { ctrl: true, ..key });
        }
        if let Some(rest) = text.strip_prefix("alt-").filter(|rest| !rest.is_empty()) {
            return Self::parse(rest).map(|key| Self { alt: true, ..key });
        }
        if let Some((code, _)) = NAMES.iter().find(|(_, name)| *name == text) {
            return Some(Self::plain(*code));
        }
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Some(Self::char(c)),
            (Some('f'), Some(_)) => {
                text.get(1..)?.parse().ok().filter(|n| (1..=12).contains(n)).map(|n| Self::plain(Code::F(n)))
            }
            _ => None,
        }
    }

    /// Reads a script of keys: characters stand for themselves, spaces separate, `<enter>` and `<ctrl-d>` are names.
    /// None when a name is not known.
    pub fn script(text: &str) -> Option<Vec<Self>> {
        let mut keys = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = rest.get(c.len_utf8()..)?;
            if c == '<' {
                let (name, after) = rest.split_once('>')?;
                keys.push(Self::parse(name)?);
                rest = after;
            } else if c != ' ' {
                keys.push(Self::char(c));
            }
        }
        Some(keys)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        match (self.code, NAMES.iter().find(|(code, _)| *code == self.code)) {
            (Code::Char('<'), _) => f.write_str("<"),
            (_, Some((_, name))) => f.write_str(name),
            (Code::Char(c), None) => write!(f, "{c}"),
            (Code::F(n), None) => write!(f, "f{n}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        for text in ["x", "+", "ctrl-d", "alt-x", "enter", "f5", "space", "pgdn", "G", "港"] {
            assert_eq!(Key::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "f13", "f0", "enterr", "ctrl-", "xy"] {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn scripts_are_sequences_of_keys() {
        let keys = Key::script("4 /pay<enter> ++ <ctrl-d>").unwrap();
        let text: Vec<String> = keys.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["4", "/", "p", "a", "y", "enter", "+", "+", "ctrl-d"]);
        assert_eq!(Key::script("<nothing>"), None);
    }
}
