//! Header, hints, plan bar, and what is going on.

use super::operation::{operation_mark, operation_note};
use crate::{
    app::{
        command::{Command, Entry, REGISTRY, Scope, Target},
        line::{Line, Mark, Role, bar},
        msg::Mode,
        overlay::Overlay,
        screen::{View, Within},
        state::State,
        status::{ago, lasting},
    },
    text::{count, fit, width},
};

/// Adds `right` at the right edge; the left gives way.
pub(super) fn both(mut left: Line, right: Line, cells: usize) -> Line {
    let room = cells.saturating_sub(right.width());
    let mut is_cut = false;
    while left.width() + 1 + usize::from(is_cut) > room {
        let over = left.width() + 1 + usize::from(is_cut) - room;
        let Some(last) = left.spans.last_mut() else { break };
        let keep = width(&last.text).saturating_sub(over);
        is_cut = keep < 2;
        if is_cut {
            left.spans.pop();
        } else {
            last.text = fit(&last.text, keep);
            break;
        }
    }
    if is_cut && !left.spans.is_empty() {
        left.push(Role::Dim, "…");
    }
    left.pad_to(room);
    left.extend(right);
    left
}

/// From so many cells on, the header has room for everything …
const WIDE: usize = 100;
/// … and from so many for who one is and whether a reconciler is alive.
const NARROW: usize = 72;

/// Who, where, when: one line. Of the way here, the first parts give way.
pub fn header(state: &State, cells: usize) -> Line {
    let right = header_right(state, cells);
    let room = cells.saturating_sub(right.width() + 1);
    let steps = state.way.screens().count().max(1);
    let ways = (0..steps).map(|skip| header_left(state, cells, skip));
    let left = ways.reduce(|long, short| if long.width() <= room { long } else { short });
    both(left.unwrap_or_default(), right, cells)
}

/// What is shown, without so many of the screens that led here.
fn header_left(state: &State, cells: usize, skip: usize) -> Line {
    let mut left = Line::of(Role::Accent, " wharf");
    left.push(Role::Plain, "  ");
    left.push(Role::Strong, state.fleet.name.as_str());
    let screens: Vec<_> = state.way.screens().collect();
    let is_first = matches!(state.screen().view, View::Overview | View::Wall);
    if screens.len() > 1 || !is_first || state.screen().within != Within::All {
        if skip > 0 {
            left.push(Role::Dim, " › …");
        }
        for screen in screens.iter().skip(skip) {
            left.push(Role::Dim, " › ");
            if let Some(name) = screen.within.name() {
                left.push(Role::Strong, name);
                left.push(Role::Dim, " › ");
            }
            left.push(Role::Plain, screen.view.word());
            if screen.view == View::Graph {
                left.push(Role::Dim, format!(" {}", screen.graph.form.word()));
            }
        }
    }
    let screen = state.screen();
    if screen.view.is_list() && screen.view != View::Overview {
        let shown = state.rows.rows.len();
        let text = if shown == state.rows.of { count(shown as u64) } else { format!("{shown} of {}", state.rows.of) };
        left.push(Role::Dim, format!("  {text}"));
    }
    if !screen.filter.is_empty() {
        left.push(Role::Match, format!("  /{}", screen.filter));
    }
    if screen.faults {
        left.push(Role::Match, "  !faults");
    }
    if !screen.marks.is_empty() {
        left.push(Role::Match, format!("  {} marked", screen.marks.len()));
    }
    if matches!(screen.view, View::Overview | View::Wall) && screens.len() == 1 {
        let plural = |n: usize, one: &str| format!("{} {one}{}", count(n as u64), if n == 1 { "" } else { "s" });
        let hosts = state.fleet.hosts().count();
        let facts = [
            (WIDE, plural(state.fleet.regions.len(), "region")),
            (0, plural(hosts, "host")),
            (WIDE, plural(state.index.stacks.len(), "stack")),
            (
                0,
                plural(state.index.replicas.len(), if state.index.total.wanted == 0 { "container" } else { "replica" }),
            ),
        ];
        let facts: Vec<String> = facts.into_iter().filter(|(from, _)| cells >= *from).map(|(_, fact)| fact).collect();
        left.push(Role::Plain, format!("  {}", facts.join(" · ")));
    }
    left
}

fn header_right(state: &State, cells: usize) -> Line {
    let mut right = Line::new();
    if let Some(frozen) = &state.frozen {
        right.push(Role::Draft, format!("frozen {}  ", ago(frozen.at, state.now).replace("now", "just now")));
    }
    if state.store_error.is_some() {
        right.push(Role::Mark(Mark::Failed), "✗ store unreadable  ");
    }
    let unseen = state.unseen_hosts();
    if unseen > 0 {
        right.push(Role::Mark(Mark::Unknown), format!("? {unseen} unseen  "));
    }
    match state.mode {
        Mode::ReadOnly | Mode::Watch => right.push(Role::Mark(Mark::Changing), "read-only  "),
        Mode::Demo => right.push(Role::Draft, "demo  "),
        Mode::Normal => {}
    }
    if cells >= NARROW {
        let is_wide = cells >= WIDE;
        right.push(Role::Dim, format!("{}  ", fit(&state.who, if is_wide { 24 } else { 14 })));
        right.extend(reconcilers(state, is_wide));
    }
    if cells >= 30 {
        // Seconds only where each second is drawn anyway.
        let shown = if state.screen().view == View::Wall { 8 } else { 5 };
        let clock: String = state.clock(state.now).chars().take(shown).collect();
        right.push(Role::Plain, format!("{clock} "));
    }
    right
}

/// Whether they are alive; `is_wide` says which, too.
fn reconcilers(state: &State, is_wide: bool) -> Line {
    let mut line = Line::new();
    if !state.store_read {
        return line;
    }
    let leases = state.store.leases_by_region();
    let alive = |region: &crate::model::RegionName| leases.get(region).is_some_and(|lease| lease.alive);
    let regions = &state.index.regions;
    let up = regions.iter().filter(|region| alive(region)).count();
    let needed = state.running().next().is_some();
    line.push(Role::Dim, "reconciler ");
    let mark = match up {
        0 if needed => Mark::Failed,
        0 => Mark::Stopped,
        n if n == regions.len() => Mark::Ok,
        _ => Mark::Changing,
    };
    line = line.mark(mark);
    line.push(
        Role::Dim,
        match up {
            0 if needed => " none  ".to_owned(),
            _ if !is_wide => "  ".to_owned(),
            // It starts by itself when there is something to do.
            0 => " at rest  ".to_owned(),
            n if n == regions.len() && n <= 3 => {
                format!(" {}  ", regions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            }
            n => format!(" {n} of {}  ", regions.len()),
        },
    );
    line
}

/// What is going on: the overview's right pane, its head included.
pub fn running(state: &State, cells: usize) -> Vec<Line> {
    let running: Vec<_> = state.running().collect();
    if running.is_empty() {
        let mut line = Line::of(Role::Dim, " none in flight");
        // Told where there is a line anyway, so that nothing moves.
        if let Some((region, lean)) = state.uneven.regions().next() {
            line.push(Role::Plain, format!("   {region}: "));
            match state.keymap.key_of(Command::Rebalance).filter(|_| state.mode.can_act()) {
                Some(key) => line = line.with(Role::Key, format!("2 {key}")).with(Role::Plain, " would move "),
                None => line.push(Role::Plain, "a rebalance would move "),
            }
            line.push(Role::Plain, lean.count());
        }
        return vec![Line::of(Role::Head, " OPERATIONS"), line];
    }
    let mut lines =
        vec![Line::of(Role::Head, " OPERATIONS").with(Role::Mark(Mark::Changing), format!("  {}", running.len()))];
    for op in running {
        let (done, total) = op.done_of_total();
        let tail = format!("  {done}/{total}");
        let bar_cells = (cells / 4).min(24);
        let room = cells.saturating_sub(bar_cells + tail.len() + 6);
        let mut line = Line::of(Role::Plain, " ").mark(operation_mark(op));
        line.push(Role::Strong, format!(" {}  ", crate::text::pad_right(&op.intent.summary(), room)));
        line.extend(bar(done, total, bar_cells));
        line.push(Role::Plain, tail);
        lines.push(line);
        let mut note = Line::of(Role::Plain, "   ");
        note.extend(operation_note(state, op));
        note.push(Role::Dim, format!("   {} {}", lasting(op.at, state.now), state.person(&op.by)));
        lines.push(note);
    }
    lines
}

/// What the draft comes to: one line.
pub fn plan_bar(state: &State, cells: usize) -> Line {
    let Some(planned) = &state.planned else { return Line::new() };
    let mut left = Line::of(Role::Draft, " PLAN ");
    let refusals: Vec<String> = planned.refusals().map(ToString::to_string).collect();
    let plural = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let changes = state.draft.changes();
    let mut parts = Vec::new();
    let delta = planned.delta();
    if delta != 0 {
        parts.push(format!("{delta:+} replica{}", if delta.abs() == 1 { "" } else { "s" }));
    }
    for (n, word) in [
        (changes.moves.len(), "move"),
        (changes.restarts.len(), "restart"),
        (changes.rollbacks.len(), "roll-back"),
        (changes.removes.len(), "removal"),
        (changes.balances.len(), "rebalance"),
        (changes.hosts.len(), "host"),
    ] {
        if n > 0 {
            parts.push(plural(n, word));
        }
    }
    for (region, hosts) in planned.per_host(&state.store.desired) {
        let hosts: Vec<String> = hosts.iter().map(|(host, delta)| format!("{host} {delta:+}")).collect();
        let shown = if hosts.len() > 4 { format!("{} hosts", hosts.len()) } else { hosts.join(" ") };
        parts.push(format!("{region}: {shown}"));
    }
    if let Some((lowest, now)) = planned.plans().filter_map(|plan| plan.lowest).min_by_key(|(lowest, _)| *lowest) {
        parts.push(format!("capacity never below {lowest}/{now}"));
    }
    if !refusals.is_empty() {
        left.push(Role::Mark(Mark::Failed), format!(" ✗ {} ", refusals.join("; ")));
    }
    if !parts.is_empty() {
        left.push(Role::Plain, format!(" {}", parts.join(" · ")));
    } else if refusals.is_empty() {
        left.push(Role::Plain, " nothing would change");
    }
    let mut right = Line::new();
    for (command, title) in [(Command::OpenPlan, "open"), (Command::Undo, "undo")] {
        if let Some(key) = state.keymap.key_of(command) {
            right.push(Role::Key, format!(" {key}"));
            right.push(Role::Dim, format!(" {title} "));
        }
    }
    both(left, right, cells)
}

/// The bottom line: a notice, what is being typed, or the keys that matter here.
pub fn hints(state: &State, cells: usize) -> Line {
    if let Some(typed) = super::typed(state, cells) {
        return typed;
    }
    if let Some(notice) = &state.notice {
        return Line::of(Role::Plain, " ").mark(notice.mark).with(
            if notice.mark == Mark::Failed { Role::Mark(Mark::Failed) } else { Role::Strong },
            format!(" {}", notice.text),
        );
    }
    if state.mode == Mode::Watch && state.overlay.is_none() {
        return both(Line::of(Role::Dim, format!(" {}", state.fleet.origin)), crate::app::wall::data_age(state), cells);
    }
    if state.overlay.is_none() && state.pane.is_some_and(|pane| pane.focused) {
        let mut line = Line::of(Role::Plain, " ");
        for (key, title) in [("j k", "scroll"), ("tab", "list"), ("esc", "close")] {
            line.push(Role::Key, key);
            line.push(Role::Dim, format!(" {title}  "));
        }
        return line;
    }
    let scopes: Vec<Scope> = match &state.overlay {
        Some(Overlay::Plan(_)) => vec![Scope::Plan],
        Some(Overlay::Move(_) | Overlay::Rollback(_)) => vec![Scope::Picker],
        Some(Overlay::Inspect(_)) => vec![Scope::Inspect],
        Some(_) => return Line::of(Role::Dim, " esc closes"),
        None => state.scopes(),
    };
    let mut right = Line::new();
    let mut pieces = Vec::new();
    if state.overlay.is_none() && state.screen().view == View::Overview {
        for (digit, view) in View::NUMBERED {
            let here = view == View::Overview;
            pieces.push(
                Line::of(Role::Key, digit.to_string())
                    .with(if here { Role::Strong } else { Role::Dim }, format!(" {}  ", view.word())),
            );
        }
    }
    let mut entries: Vec<(&Entry, Scope)> = REGISTRY
        .iter()
        .filter(|entry| entry.hint > 0)
        // Only lists have rows.
        .filter(|entry| state.screen().view.is_list() || entry.target != Target::Row)
        .filter(|entry| entry.command != Command::NextSource || has_sources(state))
        .filter_map(|entry| scopes.iter().find(|scope| entry.scopes.contains(scope)).map(|scope| (entry, *scope)))
        .collect();
    entries.sort_by_key(|(entry, _)| entry.hint);
    for (entry, scope) in entries {
        let Some(key) = state.keymap.keys_of(entry.command, scope).first().copied() else { continue };
        let refused = state.refused(entry.command).is_some();
        let piece = Line::of(if refused { Role::Disabled } else { Role::Key }, key.to_string())
            .with(if refused { Role::Disabled } else { Role::Dim }, format!(" {}  ", entry.title));
        if entry.hint >= 90 {
            right.extend(piece);
        } else {
            pieces.push(piece);
        }
    }
    if right.width() * 2 > cells {
        right = Line::new();
    }
    // Whole hints only: what does not fit is in the help.
    let mut left = Line::of(Role::Plain, " ");
    for piece in pieces {
        if left.width() + piece.width() + right.width() < cells {
            left.extend(piece);
        }
    }
    both(left, right, cells)
}

/// True in a choice that can be made from several places.
fn has_sources(state: &State) -> bool {
    matches!(&state.overlay, Some(Overlay::Move(picker)) if picker.sources.len() > 1)
}

/// What an empty view says: what to do next.
pub fn empty(state: &State) -> Vec<Line> {
    let screen = state.screen();
    let say = |text: &str| Line::of(Role::Dim, format!("   {text}"));
    if state.rows.of > 0 {
        return vec![say("No row fits the filter."), say("esc clears it.")];
    }
    if state.is_starting() && screen.view != View::Operations {
        return vec![say(&format!("Connecting to {} hosts …", state.fleet.hosts().count()))];
    }
    match screen.view {
        View::Overview | View::Stacks | View::Services | View::Replicas | View::Graph => {
            if state.is_blind() {
                return vec![
                    say("No host can be seen. 2 shows why, and this says how to mend it:"),
                    Line::of(Role::Key, "     wharf doctor"),
                ];
            }
            let mut lines = vec![say("There are no stacks yet. Deploy a Compose file:")];
            lines.push(Line::of(Role::Key, "     wharf deploy -f compose.yaml"));
            if matches!(screen.within, Within::Host(_)) {
                lines = vec![say("No containers on this host.")];
            }
            if state.unseen_hosts() > 0 {
                lines.push(say("Some hosts cannot be seen: 2 shows why."));
            }
            lines
        }
        View::Hosts => vec![say("The fleet file names no hosts."), say(&state.fleet.origin)],
        View::Events => vec![say("Nothing was told since this screen began.")],
        View::Operations => vec![say("Nothing was asked for yet. `+` on a service drafts a first change.")],
        View::Storage => vec![say("Asking the hosts what they keep …")],
        View::Operation | View::Logs | View::Charts | View::Wall => Vec::new(),
    }
}
