//! What the state asks for: here what concerns the terminal and files; the rest goes out.

use super::Loop;
use crate::{
    app::{Effect, Msg, Redraw},
    text::Text,
    tui::{clipboard, dump},
};

impl Loop {
    pub(super) fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Quit => self.quit = true,
            Effect::Suspend => self.suspend = true,
            Effect::Repaint => self.repaint(),
            Effect::Alert(alerts) => {
                self.extra.extend(self.alerts.for_this_terminal(&alerts));
                self.redraw = self.redraw.max(Redraw::Soon);
                // Only a hook would like to know, and it is not worth a word that it does not.
                let _ = self.outbox.put(Effect::Alert(alerts));
            }
            Effect::Copy(text) => match clipboard::for_this_terminal(&text) {
                Some(sequence) => {
                    self.extra.extend(sequence);
                    self.redraw = Redraw::Now;
                }
                None => self.take(Msg::Failed(Text::new(
                    "that is too long for a terminal's clipboard: ctrl-s writes it to a file",
                ))),
            },
            Effect::Dump(text) => {
                let msg = match dump::write(&text, self.state.now) {
                    Ok(path) => Msg::Say(Text::new(&format!("written to {}", path.display()))),
                    Err(error) => Msg::Failed(Text::new(&format!("the view could not be written to a file: {error}"))),
                };
                self.take(msg);
            }
            effect => {
                if let Some(msg) = self.outbox.put(effect) {
                    self.take(msg);
                }
            }
        }
    }
}
