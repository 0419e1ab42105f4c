//! The line of what is being typed, at the bottom.

use super::bars::both;
use crate::app::{
    line::{Line, Mark, Role},
    logs::Pattern,
    overlay::Overlay,
    state::State,
};

/// What is being typed, and how much has it; none while nothing is typed there.
pub fn typed(state: &State, cells: usize) -> Option<Line> {
    let (text, error, found) = match &state.overlay {
        Some(Overlay::Filter { input, .. }) => {
            let error = match &state.logs {
                Some(logs) => logs.pattern.error.clone(),
                None => state.rows.filter_error.clone(),
            };
            let (shown, of) = match &state.logs {
                Some(logs) => (logs.shown.len(), logs.ring.len()),
                None => (state.rows.rows.len(), state.rows.of),
            };
            (input.text(), error, format!("{shown} of {of}   "))
        }
        Some(Overlay::Inspect(page)) => {
            let text = page.input()?.text();
            let found = if text.is_empty() { String::new() } else { format!("{} found   ", page.hits().0) };
            let error = Pattern::new(&text).error;
            (text, error, found)
        }
        _ => return None,
    };
    let mut left = Line::of(Role::Key, " /").with(Role::Plain, text);
    if let Some(error) = error {
        left.push(Role::Mark(Mark::Failed), format!("   {error}"));
    }
    let right = Line::of(Role::Dim, found)
        .with(Role::Key, "enter")
        .with(Role::Dim, " keep  ")
        .with(Role::Key, "esc")
        .with(Role::Dim, " undo ");
    Some(both(left, right, cells))
}
