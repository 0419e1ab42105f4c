//! Where one looks: the first row that is shown, also where long lines take several rows.

use unicode_segmentation::UnicodeSegmentation;

use super::{Logs, What};
use crate::text::width;

/// Columns that can be scrolled away.
const MOST_COLUMNS: usize = 16_384;

/// Where one looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The newest lines are shown as they come.
    pub follow: bool,
    /// Otherwise the place of the first line that is shown …
    pub place: u64,
    /// … and how many of its rows are above.
    pub row: usize,
    /// Long lines go on in the next row.
    pub wrap: bool,
    /// Cells of lines that are scrolled away.
    pub column: usize,
    /// The line that was found last.
    pub found: Option<u64>,
}

impl Default for Window {
    fn default() -> Self {
        Self { follow: true, place: 0, row: 0, wrap: false, column: 0, found: None }
    }
}

impl Window {
    /// Scrolls lines sideways.
    pub fn sideways(&mut self, by: isize) {
        self.column = self.column.saturating_add_signed(by).min(MOST_COLUMNS);
    }
}

/// Where the rows of a line begin, in bytes, when each has at most so many cells.
pub fn starts(text: &str, cells: usize) -> Vec<usize> {
    let cells = cells.max(1);
    if text.is_ascii() {
        return (0..text.len().max(1)).step_by(cells).collect();
    }
    let (mut starts, mut used) = (vec![0], 0);
    for (at, grapheme) in text.grapheme_indices(true) {
        let wide = width(grapheme);
        if used + wide > cells && used > 0 {
            starts.push(at);
            used = 0;
        }
        used += wide;
    }
    starts
}

impl Logs {
    /// Rows that a shown line takes.
    fn height(&self, at: usize, cells: usize) -> usize {
        let entry = self.shown.get(at).and_then(|place| self.ring.get(place));
        match entry.map(|entry| &entry.what) {
            Some(What::Line(text)) if self.window.wrap => starts(text.as_str(), cells).len(),
            _ => 1,
        }
    }

    /// The first row such that the last line ends at the bottom.
    fn bottom(&self, rows: usize, cells: usize) -> (usize, usize) {
        let mut at = self.shown.len();
        let mut left = rows.max(1);
        while at > 0 {
            at -= 1;
            let height = self.height(at, cells);
            if height >= left {
                return (at, height - left);
            }
            left -= height;
        }
        (0, 0)
    }

    /// The number of the first shown line, and how many of its rows are above.
    pub fn top(&self, rows: usize, cells: usize) -> (usize, usize) {
        let bottom = self.bottom(rows, cells);
        if self.window.follow {
            return bottom;
        }
        let at = self.shown.at(self.window.place);
        let row = if self.shown.get(at) == Some(self.window.place) { self.window.row } else { 0 };
        let height = if self.window.wrap { self.height(at, cells) } else { 1 };
        (at, row.min(height.saturating_sub(1))).min(bottom)
    }

    fn stand_at(&mut self, (at, row): (usize, usize)) {
        self.window.place = self.shown.get(at).unwrap_or_else(|| self.ring.end());
        self.window.row = row;
        self.window.follow = false;
    }

    /// Scrolls by rows. Up leaves the newest lines; down to the last one follows them again.
    pub fn scroll(&mut self, by: isize, rows: usize, cells: usize) {
        let (mut at, mut row) = self.top(rows, cells);
        if self.window.follow && by >= 0 {
            return;
        }
        let mut left = by.unsigned_abs();
        if by < 0 {
            while left > row && at > 0 {
                left -= row + 1;
                at -= 1;
                row = self.height(at, cells) - 1;
            }
            row = row.saturating_sub(left);
        } else {
            let mut height = self.height(at, cells);
            while row + left >= height && at < self.shown.len() {
                left -= height - row;
                row = 0;
                at += 1;
                height = self.height(at, cells);
            }
            row += left;
        }
        if by > 0 && (at, row) >= self.bottom(rows, cells) {
            self.window.follow = true;
        } else {
            self.stand_at((at, row));
        }
    }

    /// Stands still where it is now.
    pub fn stand(&mut self, rows: usize, cells: usize) {
        let top = self.top(rows, cells);
        self.stand_at(top);
    }

    /// Goes to the first line.
    pub fn first(&mut self) {
        self.stand_at((0, 0));
    }

    /// Brings a line into sight, with some before it.
    pub(super) fn look_at(&mut self, place: u64, rows: usize, cells: usize) {
        let (top, at) = (self.top(rows, cells).0, self.shown.at(place));
        if !self.window.follow && !self.window.wrap && at >= top && at < top + rows {
            return;
        }
        self.stand_at((at.saturating_sub(rows / 3), 0));
    }

    /// Lines below the last one that is shown.
    pub fn below(&self, rows: usize, cells: usize) -> usize {
        if self.window.follow {
            return 0;
        }
        let (mut at, row) = self.top(rows, cells);
        let mut left = rows + row;
        while at < self.shown.len() && left > 0 {
            left = left.saturating_sub(self.height(at, cells));
            at += 1;
        }
        self.shown.len() - at
    }
}
