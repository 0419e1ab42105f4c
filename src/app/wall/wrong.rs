//! What is wrong, the first ones in large letters.

use super::font::{Size, large, width};
use crate::{
    app::{
        faults::Fault,
        line::{Line, Role},
        state::State,
        status::ago,
    },
    text::{fit, pad_right},
};

/// Rows that a fault in large letters takes: three of letters, one of words, an empty one.
const LARGE: usize = 5;

/// Everything that is wrong in at most `rows` lines, an empty one at the end. None when all is well.
pub(super) fn wrong(state: &State, cells: usize, rows: usize) -> Vec<Line> {
    let faults = &state.faults;
    if faults.is_empty() || rows < 3 {
        return Vec::new();
    }
    // As many large ones as leave a line for each of the others.
    let room = rows.saturating_sub(1);
    let at_most = room.saturating_sub(faults.len()) / (LARGE - 1);
    let loud = faults.iter().take(at_most).take_while(|fault| width(&name(fault), Size::Half) + 4 <= cells).count();
    let mut lines = Vec::new();
    for (at, fault) in faults.iter().enumerate() {
        let left = room.saturating_sub(lines.len());
        let others = faults.len() - at;
        if left <= 1 && others > 1 {
            lines.push(Line::of(Role::Dim, format!("   and {others} more")));
            break;
        }
        if at < loud {
            lines.extend(
                large(&name(fault), Size::Half)
                    .into_iter()
                    .map(|row| Line::of(Role::Plain, "  ").with(Role::Mark(fault.mark), row)),
            );
        }
        lines.push(words(state, fault, at < loud));
        if at < loud && others > 1 {
            lines.push(Line::new());
        }
    }
    lines.push(Line::new());
    lines
}

/// Everything that is wrong, a line each; not since when: who looks once has not seen it begin.
pub(super) fn all(state: &State) -> Vec<Line> {
    state.faults.iter().map(|fault| begun(fault, false).with(Role::Plain, fault.what.as_str())).collect()
}

/// What it is about, for large letters.
fn name(fault: &Fault) -> String {
    if fault.place.is_empty() { fault.about.clone() } else { format!("{} {}", fault.about, fault.place) }
}

fn words(state: &State, fault: &Fault, is_named: bool) -> Line {
    let mut line = begun(fault, is_named);
    if let Some(since) = state.alarms.since(fault) {
        line.push(Role::Dim, format!("{:<9}", ago(since, state.now).replace("now", "just now")));
    }
    line.with(Role::Plain, fault.what.as_str())
}

/// The mark of a fault, and what it is about where that does not stand above.
fn begun(fault: &Fault, is_named: bool) -> Line {
    let mut line = Line::of(Role::Plain, " ").mark(fault.mark).with(Role::Plain, " ");
    if !is_named {
        line.push(Role::Strong, pad_right(&fit(&fault.about, 28), 28));
        line.push(Role::Dim, format!(" {} ", pad_right(&fit(&fault.place, 12), 12)));
    }
    line
}
