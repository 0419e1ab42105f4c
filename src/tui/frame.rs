//! Frames: what changed since the last one, as bytes.

use std::io::Write;

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    queue,
};
use ratatui::{
    backend::{Backend, CrosstermBackend},
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{draw::draw, theme::Theme};
use crate::app::State;

/// Begins an update that the terminal shows as a whole, where it knows how.
const BEGIN: &[u8] = b"\x1b[?2026h";
/// Ends it.
const END: &[u8] = b"\x1b[?2026l";
/// Plain style, empty screen.
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";

/// The last frame and the one being made.
#[derive(Debug)]
pub struct Frames {
    last: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    whole: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self { last: Buffer::default(), next: Buffer::default(), cursor: None, whole: true }
    }
}

impl Frames {
    /// The next frame is painted in full: after a resize, a suspension, or when asked for.
    pub fn repaint(&mut self) {
        self.whole = true;
    }

    /// Draws the state. None when the terminal already shows it. A frame that is given must be written: the next
    /// one builds on it.
    pub fn next(&mut self, state: &State, theme: &Theme) -> std::io::Result<Option<Vec<u8>>> {
        let area = Rect::new(0, 0, state.size.0, state.size.1);
        if self.next.area == area {
            self.next.reset();
        } else {
            self.next = Buffer::empty(area);
            self.whole = true;
        }
        if self.whole {
            self.last = Buffer::empty(area);
        }
        let cursor = draw(state, theme, &mut self.next);
        let changed = self.last.diff(&self.next);
        if changed.is_empty() && !self.whole && cursor == self.cursor {
            return Ok(None);
        }
        let mut out = BEGIN.to_vec();
        if self.whole {
            out.write_all(CLEAR)?;
        }
        if self.cursor.is_some() || self.whole {
            queue!(out, Hide)?;
        }
        if !changed.is_empty() {
            CrosstermBackend::new(&mut out).draw(changed.into_iter())?;
        }
        if let Some(Position { x, y }) = cursor {
            queue!(out, MoveTo(x, y), Show)?;
        }
        out.write_all(END)?;
        self.cursor = cursor;
        self.whole = false;
        std::mem::swap(&mut self.last, &mut self.next);
        Ok(Some(out))
    }
}
