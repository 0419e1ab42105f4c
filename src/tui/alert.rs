//! Telling those who do not look: the bell, and notifications of the operator's own desktop.

use crate::{
    text::{Text, fit},
    tui::passthrough::wrapped,
};

/// Cells of a notification. Desktops cut what is longer, in the middle of a word.
const LONGEST: usize = 160;

/// Which sequence a terminal turns into a notification of its desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// OSC 9: iTerm2, Windows Terminal, WezTerm, kitty, ghostty.
    Osc9,
    /// OSC 777: rxvt-unicode, foot, VTE.
    Osc777,
}

/// How alerts are told in the terminal; by default not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alerts {
    /// Ring the bell.
    pub bell: bool,
    /// Send a notification.
    pub notify: Option<Notify>,
}

impl Alerts {
    /// What goes to the terminal for things that are newly wrong; nothing where nothing is asked for.
    pub fn sequence(self, alerts: &[String], tmux: bool, screen: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if let (Some(notify), Some(first)) = (self.notify, alerts.first()) {
            let more = if alerts.len() > 1 { format!(" (and {} more)", alerts.len() - 1) } else { String::new() };
            // Nothing of an engine's words may end the sequence, or mean a field of it.
            let words = Text::new(&fit(first, LONGEST)).as_str().replace(';', ",") + &more;
            let plain = match notify {
                Notify::Osc9 => format!("\x1b]9;wharf: {words}\x07"),
                Notify::Osc777 => format!("\x1b]777;notify;wharf;{words}\x07"),
            };
            out.extend(wrapped(&plain, tmux, screen));
        }
        if self.bell && !alerts.is_empty() {
            out.push(7);
        }
        out
    }

    /// [`Alerts::sequence`] for the terminal that the environment tells of.
    pub fn for_this_terminal(self, alerts: &[String]) -> Vec<u8> {
        let (tmux, screen) = super::passthrough::here();
        self.sequence(alerts, tmux, screen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_that_was_not_asked_for() {
        let alerts = ["shop/web (east): unhealthy".to_owned(), "w-3: not seen".to_owned()];
        assert!(Alerts::default().sequence(&alerts, false, false).is_empty());
        let loud = Alerts { bell: true, notify: Some(Notify::Osc9) };
        assert!(loud.sequence(&[], false, false).is_empty());
        assert_eq!(
            loud.sequence(&alerts, false, false),
            b"\x1b]9;wharf: shop/web (east): unhealthy (and 1 more)\x07\x07"
        );
        let quiet = Alerts { bell: false, notify: Some(Notify::Osc777) };
        assert_eq!(
            quiet.sequence(&["a;b\x1b]52;c;aGk=\x07".to_owned()], true, false),
            format!(
                "\x1bPtmux;\x1b\x1b]777;notify;wharf;{}\x07\x1b\\",
                Text::new("a;b\x1b]52;c;aGk=\x07").as_str().replace(';', ",")
            )
            .into_bytes(),
        );
    }
}
