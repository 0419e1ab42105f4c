//! The wall as text, page by page, for those who print it once.

use super::{entries, in_words, matrix, recent, wrong};
use crate::app::{
    line::{Line, Mark, Role},
    state::State,
};

/// A part of the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// What comes through in all, how much of what is wanted is there, and how old the oldest data is.
    Totals,
    /// What is wrong.
    Wrong,
    /// Stacks by regions.
    Stacks,
    /// Where traffic comes in.
    Entries,
    /// What is going on.
    Operations,
    /// What changed last, and who asked for it.
    Changes,
}

impl Page {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Totals, Self::Wrong, Self::Stacks, Self::Entries, Self::Operations, Self::Changes];

    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Totals => "totals",
            Self::Wrong => "wrong",
            Self::Stacks => "stacks",
            Self::Entries => "entries",
            Self::Operations => "operations",
            Self::Changes => "changes",
        }
    }
}

/// Changes that are told.
pub const CHANGES: usize = 10;

/// A page with everything on it. Tables take at most `cells` cells; what is said of a thing is said whole.
pub fn page(state: &State, page: Page, cells: usize) -> Vec<Line> {
    let nothing = |words: &str| Line::of(Role::Dim, format!("   {words}"));
    match page {
        Page::Totals => {
            let name = state.fleet.name.to_string();
            let at = state.now.to_zoned_datetime(state.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
            let mut age = Line::of(Role::Plain, " ");
            age.extend(super::data_age(state));
            vec![Line::of(Role::Strong, format!(" {name}")).with(Role::Dim, format!("  {at}")), in_words(state), age]
        }
        Page::Wrong if state.faults.is_empty() => {
            vec![super::title("WRONG NOW"), Line::of(Role::Plain, " ").mark(Mark::Ok).with(Role::Plain, " nothing")]
        }
        Page::Wrong => {
            let mut lines = vec![super::title("WRONG NOW")];
            lines.extend(wrong::all(state));
            lines
        }
        Page::Stacks => matrix::all(state, cells),
        Page::Entries => {
            let entries = entries::ways(state);
            let mut lines = entries::table(&entries, cells, entries.len() + 1);
            if entries.is_empty() {
                lines.push(nothing("none"));
            }
            lines
        }
        Page::Operations => recent::operations(state, cells),
        Page::Changes => recent::changes(state, CHANGES + 1),
    }
}
