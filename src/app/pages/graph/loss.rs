//! What breaks if something goes, in words.

use super::selected_service;
use crate::{
    app::{
        graph,
        line::{Line, Mark, Role},
        state::State,
    },
    graph::{End, EntryLoss, Gone, Loss},
    text::{fit, width},
};

/// `1 service`, `2 services`.
fn many(n: usize, what: &str, of_many: &str) -> String {
    format!("{n} {}", if n == 1 { what } else { of_many })
}

fn bad(n: usize) -> Role {
    if n > 0 { Role::Mark(Mark::Failed) } else { Role::Plain }
}

/// What breaks without the selection, in one line: in fewer words where there is little room, and then without the parts
/// at the end that have none.
pub(super) fn line(state: &State, cells: usize) -> Line {
    let key = selected_service(state);
    let Some((name, gone)) = graph::gone(state.selected(), key.as_ref()) else {
        return Line::of(Role::Dim, " A host, a region or a service shows here what breaks without it.");
    };
    let loss = graph::loss(state, gone);
    let room = |parts: &[(Role, String)]| parts.iter().map(|(_, text)| width(text) + 3).sum::<usize>();
    let mut parts = parts(state, gone, &loss, false);
    if room(&parts) + width(&name) + " IF  GOES  ".len() > cells + 3 {
        parts = self::parts(state, gone, &loss, true);
    }
    let least = room(parts.get(..3).unwrap_or(&parts)) + " IF  GOES  ".len();
    let name = fit(&name, width(&name).min((cells + 3).saturating_sub(least).max(12)));
    let mut line = Line::of(Role::Head, format!(" IF {name} GOES  "));
    for (at, (role, text)) in parts.into_iter().enumerate() {
        let gap = if at == 0 { "" } else { " · " };
        if line.width() + width(gap) + width(&text) > cells {
            break;
        }
        line.push(Role::Plain, gap);
        line.push(role, text);
    }
    line
}

fn parts(state: &State, gone: Gone<'_>, loss: &Loss, short: bool) -> Vec<(Role, String)> {
    let replicas = if short { loss.replicas.to_string() } else { many(loss.replicas, "replica", "replicas") };
    let verb = match (gone, loss.replicas) {
        (Gone::Service(_), 1) => "ends",
        (Gone::Service(_), _) => "end",
        (_, 1) => "moves",
        _ => "move",
    };
    let mut parts = vec![(Role::Plain, format!("{replicas} {verb}"))];
    match gone {
        Gone::Service(key) => {
            let needing = state.graph.web.needed_by(&End::Service(key.clone())).filter_map(End::service).count();
            let words = if short {
                many(needing, "needs it", "need it")
            } else {
                many(needing, "service needs it", "services need it")
            };
            parts.push((bad(needing), words));
        }
        _ => parts.push((bad(loss.below.len()), below(loss, short))),
    }
    let lost = loss.entries_lost();
    parts.push((bad(lost), format!("{lost} of {} lost", many(loss.entries_of, "entry", "entries"))));
    let mut fewer = loss.entries.iter().filter(|entry| !entry.is_lost());
    if let Some(first) = fewer.next() {
        let more = fewer.count();
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        parts.push((Role::Mark(Mark::Changing), format!("{} keeps {}{more}", first.name, hosts(first))));
    }
    parts
}

/// `2 services below their floor (1 with none left)`.
fn below(loss: &Loss, short: bool) -> String {
    let (words, with) = if short {
        (format!("{} below floor", loss.below.len()), "")
    } else {
        (many(loss.below.len(), "service below its floor", "services below their floor"), "with ")
    };
    match loss.ended().count() {
        0 => words,
        none => format!("{words} ({none} {with}none left)"),
    }
}

/// `1 of 3 edge hosts`.
fn hosts(entry: &EntryLoss) -> String {
    format!("{} of {}", entry.left, many(entry.of, "edge host", "edge hosts"))
}

/// Services and entries that are named at most.
const NAMED: usize = 8;

/// What goes when a host or a region goes, a line for each service and entry; none where nothing does.
pub(in crate::app::pages) fn lines(state: &State, gone: Gone<'_>) -> Vec<Line> {
    let loss = graph::loss(state, gone);
    let mut lines = Vec::new();
    if loss.replicas > 0 {
        let of = many(loss.services, "service", "services");
        lines.push(Line::of(Role::Plain, format!(" {} of {of} move", many(loss.replicas, "replica", "replicas"))));
    }
    for below in loss.below.iter().take(NAMED) {
        let (service, region) = (&below.service, &below.region);
        let words = match below.left {
            0 => format!(" nothing left of {service} in {region}"),
            left => format!(" {service} in {region}: {left} left, its floor is {}", below.floor),
        };
        lines.push(Line::new().mark(Mark::Failed).with(Role::Plain, words));
    }
    more(&mut lines, loss.below.len());
    for entry in loss.entries.iter().take(NAMED) {
        let (mark, words) = if entry.is_lost() {
            (Mark::Failed, format!(" entry {} is lost", entry.name))
        } else {
            (Mark::Changing, format!(" entry {} keeps {}", entry.name, hosts(entry)))
        };
        lines.push(Line::new().mark(mark).with(Role::Plain, words));
    }
    more(&mut lines, loss.entries.len());
    lines
}

fn more(lines: &mut Vec<Line>, all: usize) {
    if let Some(more) = all.checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(Line::of(Role::Dim, format!(" … and {more} more")));
    }
}
