//! Text with meaning: what the pure side hands to drawing. A role becomes a colour or a weight in the theme.

use crate::text::{Ink, fit, width};

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// Less important.
    Dim,
    /// More important.
    Strong,
    /// Heads of tables and sections.
    Head,
    /// A key to press.
    Key,
    /// Names of values.
    Label,
    /// The program's own name and other anchors for the eye.
    Accent,
    /// State, by its colour.
    Mark(Mark),
    /// Something in the draft.
    Draft,
    /// A region's cell under the region cursor.
    Cursor,
    /// Where a filter matched.
    Match,
    /// Not possible now.
    Disabled,
    /// The name of a source of lines: one of six looks.
    Source(u8),
    /// As the program that printed it wanted it.
    Ink(Ink),
}

/// The state of anything, by shape and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// As wanted.
    Ok,
    /// Does not run, and that is no fault.
    Stopped,
    /// On its way.
    Changing,
    /// Cannot be seen now.
    Unknown,
    /// Wrong.
    Failed,
}

impl Mark {
    /// Its shape.
    pub fn glyph(self) -> &'static str {
        match self {
            Self::Ok => "●",
            Self::Changing => "◐",
            Self::Stopped => "○",
            Self::Failed => "✗",
            Self::Unknown => "?",
        }
    }

    /// Its meaning, for the legend.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Changing => "changing",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// A piece of text with one meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The text; safe to draw.
    pub text: String,
    /// What it means.
    pub role: Role,
}

/// One line of spans.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Its pieces, from left to right.
    pub spans: Vec<Span>,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of one piece.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self::new().with(role, text)
    }

    /// With one more piece.
    #[must_use]
    pub fn with(mut self, role: Role, text: impl Into<String>) -> Self {
        self.push(role, text);
        self
    }

    /// With the glyph of a state.
    #[must_use]
    pub fn mark(self, mark: Mark) -> Self {
        self.with(Role::Mark(mark), mark.glyph())
    }

    /// Adds a piece.
    pub fn push(&mut self, role: Role, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.spans.push(Span { text, role });
        }
    }

    /// Adds a piece; where the last one has the same meaning, to that.
    pub fn run(&mut self, role: Role, text: &str) {
        match self.spans.last_mut() {
            Some(last) if last.role == role => last.text.push_str(text),
            _ => self.push(role, text),
        }
    }

    /// Adds all pieces of another line.
    pub fn extend(&mut self, other: Self) {
        self.spans.extend(other.spans);
    }

    /// Cells it takes.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|span| width(&span.text)).sum()
    }

    /// Adds spaces until it is `cells` wide.
    pub fn pad_to(&mut self, cells: usize) {
        let missing = cells.saturating_sub(self.width());
        self.push(Role::Plain, " ".repeat(missing));
    }

    /// At most `cells` cells of it; what is cut ends in `…`.
    #[must_use]
    pub fn cut(mut self, cells: usize) -> Self {
        if self.width() <= cells {
            return self;
        }
        let mut room = cells;
        let mut kept = Vec::new();
        for span in self.spans {
            let wide = width(&span.text);
            // One cell is left for the mark.
            if wide < room {
                room -= wide;
                kept.push(span);
                continue;
            }
            // Longer than what is left by something, so that it ends in the mark.
            let text = fit(&format!("{}  ", span.text), room);
            kept.push(Span { text, ..span });
            break;
        }
        self.spans = kept;
        self
    }

    /// The text alone.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

/// A bar of `cells` cells: done, a tip, and the rest.
pub fn bar(done: u32, total: u32, cells: usize) -> Line {
    let full = if total == 0 { 0 } else { (done.min(total) as usize * cells) / total as usize };
    let mut line = Line::of(Role::Mark(Mark::Ok), "━".repeat(full));
    if full < cells && done > 0 {
        line.push(Role::Mark(Mark::Ok), "╸");
        line.push(Role::Dim, "─".repeat(cells - full - 1));
    } else {
        line.push(Role::Dim, "─".repeat(cells - full));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_from_the_left() {
        for (done, total, text) in [
            (0, 8, "────────"),
            (1, 8, "━╸──────"),
            (4, 8, "━━━━╸───"),
            (8, 8, "━━━━━━━━"),
            (9, 8, "━━━━━━━━"),
            (0, 0, "────────"),
        ] {
            assert_eq!(bar(done, total, 8).text(), text);
        }
    }
}
