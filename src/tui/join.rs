//! Keys that a slow link cut in two. A terminal sends an arrow key as `ESC [ B`; where a read ends after the `ESC`, the
//! library takes it for the escape key, and the rest for letters that mean other things. What follows an escape within
//! [`CUT`] is put together again; nobody types that fast.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::{
    Msg,
    key::{Code, Key},
};

/// The rest of a sequence comes within this time. An escape key that stands alone waits for as long.
pub(super) const CUT: Duration = Duration::from_millis(40);

/// The longest sequence that is waited for: a report of the mouse far to the right.
const LONGEST: usize = 24;

/// Holds an escape back until it is known what it is.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// The escape and what came behind it.
    held: Vec<Key>,
    /// When it is given up.
    until: Option<Instant>,
}

impl Joiner {
    /// When what is held is to be let go with [`Joiner::release`]; none while nothing is held.
    pub(super) fn due(&self) -> Option<Instant> {
        self.until
    }

    /// Takes a message in; gives what is known by now, in order. Who is asked late, because something else took long, still
    /// has what came in time: only [`Joiner::release`] gives up.
    pub(super) fn take(&mut self, msg: Msg, now: Instant) -> Vec<Msg> {
        let Msg::Key(key) = msg else {
            let mut out = self.release();
            out.push(msg);
            return out;
        };
        let is_escape = key == plain(Code::Esc);
        if is_escape {
            let out = self.release();
            self.hold(key, now);
            return out;
        }
        if self.held.is_empty() {
            return vec![Msg::Key(key)];
        }
        self.hold(key, now);
        match meaning(&self.held) {
            Meaning::Open if self.held.len() < LONGEST => Vec::new(),
            Meaning::Open | Meaning::None => self.release(),
            Meaning::Key(key) => {
                self.forget();
                vec![Msg::Key(key)]
            }
            Meaning::Focus(focus) => {
                self.forget();
                vec![Msg::Focus(focus)]
            }
            // A sequence that means nothing here, such as a report of the mouse.
            Meaning::Nothing => {
                self.forget();
                Vec::new()
            }
        }
    }

    /// What was held, as the keys that it looks like.
    pub(super) fn release(&mut self) -> Vec<Msg> {
        self.until = None;
        std::mem::take(&mut self.held).into_iter().map(Msg::Key).collect()
    }

    fn hold(&mut self, key: Key, now: Instant) {
        self.held.push(key);
        self.until = Some(now + CUT);
    }

    fn forget(&mut self) {
        self.until = None;
        self.held.clear();
    }
}

/// What keys behind an escape are.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// The beginning of a sequence.
    Open,
    /// No sequence.
    None,
    /// A key.
    Key(Key),
    /// The window gained or lost the focus.
    Focus(bool),
    /// A sequence, but no key.
    Nothing,
}

fn plain(code: Code) -> Key {
    Key { code, ctrl: false, alt: false }
}

/// Reads an escape and what came behind it: what terminals send for keys, by the names that xterm gave them.
fn meaning(held: &[Key]) -> Meaning {
    let text: Option<String> = held
        .iter()
        .skip(1)
        .map(|key| match key {
            Key { code: Code::Char(c), ctrl: false, alt: false } if c.is_ascii_graphic() => Some(*c),
            _ => None,
        })
        .collect();
    let Some(text) = text else { return Meaning::None };
    let mut chars = text.chars();
    match (chars.next(), chars.as_str()) {
        (Some('O' | '['), "") => Meaning::Open,
        (Some('O'), rest) => named(rest),
        (Some('['), rest) => {
            let last = rest.chars().last().unwrap_or_default();
            if matches!(last, '0'..='9' | ';' | '<' | '?') { Meaning::Open } else { named(rest) }
        }
        _ => Meaning::None,
    }
}

fn named(rest: &str) -> Meaning {
    let code = match rest {
        "A" => Code::Up,
        "B" => Code::Down,
        "C" => Code::Right,
        "D" => Code::Left,
        "H" | "1~" | "7~" => Code::Home,
        "F" | "4~" | "8~" => Code::End,
        "Z" => Code::BackTab,
        "3~" => Code::Delete,
        "5~" => Code::PageUp,
        "6~" => Code::PageDown,
        "I" => return Meaning::Focus(true),
        "O" => return Meaning::Focus(false),
        _ => return Meaning::Nothing,
    };
    Meaning::Key(plain(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Key> {
        text.chars().map(|c| if c == '\x1b' { plain(Code::Esc) } else { plain(Code::Char(c)) }).collect()
    }

    /// What comes out when all of it comes at once, and what is let go in the end.
    fn at_once(text: &str) -> (Vec<Msg>, Vec<Msg>) {
        let (mut joiner, now) = (Joiner::default(), Instant::now());
        let out = keys(text).into_iter().flat_map(|key| joiner.take(Msg::Key(key), now)).collect();
        (out, joiner.release())
    }

    fn typed(text: &str) -> Vec<Msg> {
        keys(text).into_iter().map(Msg::Key).collect()
    }

    #[test]
    fn what_was_cut_is_one_key_again() {
        let key = |code| vec![Msg::Key(plain(code))];
        for (text, out) in [
            ("\x1b[A", key(Code::Up)),
            ("\x1b[B", key(Code::Down)),
            ("\x1bOC", key(Code::Right)),
            ("\x1b[5~", key(Code::PageUp)),
            ("\x1b[Z", key(Code::BackTab)),
            ("\x1b[I", vec![Msg::Focus(true)]),
            ("\x1b[O", vec![Msg::Focus(false)]),
            ("\x1b[<65;10;12M", Vec::new()),
            ("\x1b[1;5B", Vec::new()),
            ("x", typed("x")),
        ] {
            assert_eq!(at_once(text), (out, Vec::new()), "{text:?}");
        }
        assert_eq!(at_once("\x1b[B\x1b[B").0.len(), 2);
    }

    #[test]
    fn what_is_no_sequence_stays_what_was_typed() {
        assert_eq!(at_once("\x1b"), (Vec::new(), typed("\x1b")));
        assert_eq!(at_once("\x1bq"), (typed("\x1bq"), Vec::new()));
        assert_eq!(at_once("\x1b["), (Vec::new(), typed("\x1b[")));
        assert_eq!(at_once("\x1b\x1b"), (typed("\x1b"), typed("\x1b")));
        let (out, left) = at_once(&format!("\x1b[{}", "1".repeat(60)));
        assert_eq!((out.len() + left.len(), left.len()), (62, 0), "nothing is lost, and nothing waits for ever");
    }

    #[test]
    fn an_escape_waits_for_no_one_long() {
        let (mut joiner, now) = (Joiner::default(), Instant::now());
        assert_eq!(joiner.take(Msg::Key(plain(Code::Esc)), now), []);
        assert_eq!(joiner.due(), Some(now + CUT));
        assert_eq!(joiner.release(), typed("\x1b"));
        assert_eq!(joiner.due(), None);
        assert_eq!(joiner.take(Msg::Key(plain(Code::Char('['))), now), typed("["), "by hand, one after the other");
        joiner.take(Msg::Key(plain(Code::Esc)), now);
        let out = joiner.take(Msg::Resize(80, 24), now);
        assert_eq!(out, [typed("\x1b"), vec![Msg::Resize(80, 24)]].concat());
    }
}
