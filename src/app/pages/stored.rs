//! Everything known about one thing that a host keeps.

use super::{field, heading};
use crate::{
    app::{
        line::{Line, Mark, Role},
        state::State,
        status::ago,
        views,
    },
    model::Kept,
    text::bytes,
};

/// The lines of a row of the storage view; none in the row of a host.
pub(super) fn stored(state: &State, row: usize) -> Option<Vec<Line>> {
    let row = state.stores.rows.get(row)?;
    let thing = row.thing.as_ref()?;
    let mark = if row.need.is_some() { Mark::Ok } else { Mark::Stopped };
    let mut lines = vec![Line::new().mark(mark).with(Role::Strong, format!(" {}", thing.title()))];
    lines.push(field("kind", thing.kind.word()));
    lines.push(field("host", row.host.as_str()));
    match (thing.kind, thing.size) {
        (Kept::Image, Some(size)) => {
            lines.push(field("size", format!("{}, layers shared with others included", bytes(size))));
        }
        (_, Some(size)) => lines.push(field("size", bytes(size))),
        (Kept::Volume, None) => lines.push(field("size", "not known: not counted yet, or its driver cannot say")),
        (_, None) => {}
    }
    if !matches!(thing.kind, Kept::Files | Kept::Cache) {
        lines.push(field("id", thing.id.as_str()));
    }
    if !thing.driver.is_empty() {
        lines.push(field("driver", thing.driver.as_str()));
    }
    if let Some(at) = thing.created {
        lines.push(field("made", format!("{} ago", ago(at, state.now).replace("now", "a moment"))));
    }
    if let Some(stack) = thing.stack(&state.fleet.name) {
        lines.push(field("stack", stack.as_str()));
    }
    let title = if thing.kind == Kept::Network { "RANGES" } else { "NAMES" };
    let first = (thing.kind == Kept::Image && !thing.name.is_empty()).then_some(&thing.name);
    let names: Vec<_> = first.into_iter().chain(&thing.more).collect();
    if !names.is_empty() {
        heading(&mut lines, title);
        lines.extend(names.iter().map(|name| Line::of(Role::Plain, format!(" {name}"))));
    }
    heading(&mut lines, "USED BY");
    let users = views::users_of(state, row);
    if users.is_empty() {
        lines.push(Line::of(Role::Plain, " ").with(Role::Plain, views::need_of(state, row).text()));
    }
    lines.extend(users.iter().map(|name| Line::of(Role::Plain, format!(" {name}"))));
    if !thing.labels.is_empty() {
        heading(&mut lines, "LABELS");
        lines.extend(thing.labels.iter().map(|(key, value)| field(key.as_str(), value.as_str())));
    }
    Some(lines)
}
