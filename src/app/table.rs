//! Tables: columns, rows, order, and how columns share the width.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::line::Line;

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the titles of the columns say it")]
pub enum Col {
    Name,
    Kind,
    Health,
    RegionCell(usize),
    Services,
    Hosts,
    Cpu,
    Memory,
    Last,
    State,
    Region,
    Host,
    Replicas,
    Others,
    Engine,
    System,
    Labels,
    Connect,
    Note,
    Revision,
    Image,
    Updated,
    Restarts,
    Age,
    Ports,
    Container,
    Time,
    Source,
    What,
    Progress,
    Who,
    Network,
    Total,
    Requests,
    Errors,
    Answer,
    Sessions,
    Size,
    Users,
    CpuPast,
    RequestsPast,
}

impl Col {
    /// True for what comes through the proxies.
    pub fn is_traffic(self) -> bool {
        matches!(self, Self::Requests | Self::Errors | Self::Answer | Self::Sessions)
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What it shows.
    pub col: Col,
    /// Its head, with the unit.
    pub title: String,
    /// Aligned to the right: numbers.
    pub right: bool,
    /// Cells it takes at least.
    pub min: usize,
    /// Cells it takes at most.
    pub max: usize,
    /// Goes away when room is short, the highest first; 0 stays.
    pub drop: u8,
    /// Shown only when all columns are asked for.
    pub wide: bool,
    /// Never narrowed: numbers, and states that mean nothing when cut.
    pub rigid: bool,
}

impl Column {
    /// Cells it would like, given what its cells would like.
    fn wish(&self, natural: usize) -> usize {
        let title = self.title.chars().count();
        if self.right { self.min } else { natural.max(title).max(if self.rigid { self.min } else { 0 }).min(self.max) }
    }

    /// Cells that it can be narrowed to.
    fn floor(&self, natural: usize) -> usize {
        if self.rigid || self.right { self.wish(natural) } else { self.wish(natural).min(self.min) }
    }
}

impl Column {
    /// A column of text, aligned to the left.
    pub fn text(col: Col, title: &str, min: usize, max: usize, drop: u8) -> Self {
        Self { col, title: title.to_owned(), right: false, min, max, drop, wide: false, rigid: false }
    }

    /// The column of names: each stands behind the glyph of its state, and so does the title.
    pub fn name(title: &str, min: usize, max: usize) -> Self {
        Self::text(Col::Name, &format!("  {title}"), min, max, 0)
    }

    /// A column of numbers, aligned to the right, of a fixed width.
    pub fn number(col: Col, title: &str, cells: usize, drop: u8) -> Self {
        Self { col, title: title.to_owned(), right: true, min: cells, max: cells, drop, wide: false, rigid: true }
    }

    /// Never narrowed.
    #[must_use]
    pub fn rigid(mut self) -> Self {
        self.rigid = true;
        self
    }

    /// Shown only when all columns are asked for.
    #[must_use]
    pub fn only_wide(mut self) -> Self {
        self.wide = true;
        self
    }
}

/// Space between columns.
pub const GAP: usize = 2;

/// Which columns are drawn, in order, each with its width. `natural` holds what each would like; `scrolled` columns
/// after the first are left out; `keep` names a column that must be seen.
///
/// With `all`, nothing is dropped: what does not fit is cut at the edge. Without it, columns are first narrowed to
/// their minimum, then dropped, the least important first.
pub fn fit_columns(
    columns: &[Column],
    natural: &[usize],
    room: usize,
    scrolled: usize,
    all: bool,
    keep: Option<Col>,
) -> Vec<(usize, usize)> {
    let mut shown: Vec<(usize, &Column, usize)> = columns
        .iter()
        .zip(natural)
        .enumerate()
        .filter(|(at, (column, _))| (*at == 0 || *at > scrolled) && (all || !column.wide))
        .map(|(at, (column, natural))| (at, column, column.wish(*natural)))
        .collect();
    let total = |shown: &[(usize, &Column, usize)]| {
        shown.iter().map(|(_, _, cells)| cells).sum::<usize>() + GAP * shown.len().saturating_sub(1)
    };
    if !all && scrolled == 0 {
        let mut narrowed = shown.clone();
        for (_, column, cells) in &mut narrowed {
            *cells = column.floor(*cells);
        }
        while total(&narrowed) > room {
            let Some(least) = narrowed
                .iter()
                .enumerate()
                .filter(|(_, (_, column, _))| column.drop > 0 && Some(column.col) != keep)
                .max_by_key(|(at, (_, column, _))| (column.drop, *at))
                .map(|(at, _)| at)
            else {
                break;
            };
            narrowed.remove(least);
        }
        shown.retain(|(at, _, _)| narrowed.iter().any(|(kept, _, _)| kept == at));
        // What is left shares the room: the widest text gives way first.
        while total(&shown) > room {
            let Some(widest) = shown
                .iter_mut()
                .filter(|(_, column, cells)| *cells > column.floor(*cells))
                .max_by_key(|(_, _, cells)| *cells)
            else {
                break;
            };
            widest.2 -= 1;
        }
    }
    let mut left = room;
    let mut out = Vec::new();
    for (at, column, cells) in shown {
        let gap = if out.is_empty() { 0 } else { GAP };
        let Some(room) = left.checked_sub(gap).filter(|room| *room > 0) else { break };
        // A number that is cut lies; text that is cut ends in a mark.
        if column.right && cells > room && !out.is_empty() {
            break;
        }
        let cells = cells.min(room);
        out.push((at, cells));
        left = room - cells;
    }
    out
}

/// What rows are ordered by.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// By words, numbers in them by value.
    Text(String),
    /// By value; the largest first.
    Number(f64),
    /// Nothing to go by: last.
    Nothing,
}

impl SortKey {
    /// From a number that may be missing.
    pub fn number(value: Option<f64>) -> Self {
        value.map_or(Self::Nothing, Self::Number)
    }

    /// The order of two keys.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => natural(a, b),
            (Self::Number(a), Self::Number(b)) => b.total_cmp(a),
            (Self::Nothing, Self::Nothing) => Ordering::Equal,
            (_, Self::Nothing) | (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Nothing, _) | (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// Order of names as people see it: `api-2` before `api-10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.chars().peekable(), b.chars().peekable());
    let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        let mut value = 0u128;
        while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
            value = value.saturating_mul(10).saturating_add(u128::from(digit));
            chars.next();
        }
        value
    };
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => number(&mut a).cmp(&number(&mut b)),
            (Some(x), Some(y)) => {
                let order = x.cmp(y);
                a.next();
                b.next();
                order
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The rows of the current view, after filter and order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// What each row stands for: a place in the index's list of the view.
    pub rows: Vec<usize>,
    /// Rows before the filter.
    pub of: usize,
    /// The columns.
    pub columns: Vec<Column>,
    /// How wide each column would like to be.
    pub natural: Vec<usize>,
    /// What is wrong with the filter.
    pub filter_error: Option<String>,
    /// The words of the filter, to be shown where they stand.
    pub matched: Vec<String>,
}

/// A cell's text as a line.
pub type Cell = Line;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_see_them() {
        let mut names = ["api-10", "api-2", "api", "b", "api-2b", "港2", "港10"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["api", "api-2", "api-2b", "api-10", "b", "港2", "港10"]);
    }

    #[test]
    fn missing_numbers_come_last_and_large_ones_first() {
        let mut keys = [SortKey::Nothing, SortKey::Number(1.0), SortKey::Number(5.0)];
        keys.sort_by(SortKey::order);
        assert_eq!(keys, [SortKey::Number(5.0), SortKey::Number(1.0), SortKey::Nothing]);
    }

    fn columns() -> Vec<Column> {
        vec![
            Column::text(Col::Name, "NAME", 6, 20, 0),
            Column::number(Col::Cpu, "CPU %", 6, 2),
            Column::text(Col::Image, "IMAGE", 8, 40, 3),
            Column::text(Col::Labels, "LABELS", 8, 40, 4).only_wide(),
        ]
    }

    #[test]
    fn columns_give_way_by_importance() {
        let shown = |room, scrolled, all| fit_columns(&columns(), &[15, 6, 30, 30], room, scrolled, all, None);
        assert_eq!(shown(80, 0, false), [(0, 15), (1, 6), (2, 30)]);
        assert_eq!(shown(40, 0, false), [(0, 15), (1, 6), (2, 15)]);
        assert_eq!(shown(20, 0, false), [(0, 12), (1, 6)]);
        assert_eq!(shown(10, 0, false), [(0, 10)]);
        assert_eq!(shown(1, 0, false), [(0, 1)]);
        assert_eq!(shown(0, 0, false), []);
        assert_eq!(shown(200, 0, true), [(0, 15), (1, 6), (2, 30), (3, 30)]);
        assert_eq!(shown(200, 2, true), [(0, 15), (3, 30)]);
    }
}
