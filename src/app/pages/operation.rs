//! One operation: how far it is, step by step.

use jiff::Timestamp;

use super::{heading, wrap};
use crate::{
    app::{
        drains::drain,
        line::{Line, Mark, Role, bar},
        screen::Within,
        state::State,
        status::lasting,
    },
    model::{Intent, Operation, OperationState, Paused, StepState, Traffic, drained},
    text::{count, pad_right},
};

/// An operation's state as a mark.
pub fn operation_mark(op: &Operation) -> Mark {
    if let Some(paused) = &op.paused {
        return if paused.why.is_empty() { Mark::Stopped } else { Mark::Failed };
    }
    match op.state {
        OperationState::Accepted | OperationState::Running | OperationState::RollingBack { .. } => Mark::Changing,
        OperationState::Converged { .. } => Mark::Ok,
        OperationState::Failed { .. } | OperationState::RolledBack { .. } => Mark::Failed,
        OperationState::Aborted { .. } | OperationState::Superseded { .. } => Mark::Stopped,
    }
}

/// When it ended; none while it goes on.
pub fn operation_end(op: &Operation) -> Option<Timestamp> {
    match &op.state {
        OperationState::Accepted | OperationState::Running | OperationState::RollingBack { .. } => None,
        OperationState::Converged { at }
        | OperationState::Failed { at, .. }
        | OperationState::RolledBack { at, .. }
        | OperationState::Aborted { at, .. }
        | OperationState::Superseded { at, .. } => Some(*at),
    }
}

/// What there is to say about it in one line: what it waits for, why it failed.
pub fn operation_note(state: &State, op: &Operation) -> Line {
    if let Some(Paused { at, by, why }) = &op.paused {
        let by = state.person(by.as_str());
        let mut line = Line::of(Role::Plain, format!("paused by {by} {}", state.clock(*at)));
        if !why.is_empty() {
            line.push(Role::Mark(Mark::Failed), format!(": {why}"));
        }
        return line;
    }
    match &op.state {
        OperationState::Failed { reason, .. } | OperationState::RolledBack { reason, .. } => {
            Line::of(Role::Mark(Mark::Failed), reason.as_str())
        }
        OperationState::RollingBack { reason, .. } => {
            Line::of(Role::Mark(Mark::Failed), format!("rolling back: {reason}"))
        }
        OperationState::Aborted { by, .. } => Line::of(Role::Dim, format!("ended by {by}")),
        OperationState::Superseded { by, .. } => {
            Line::of(Role::Dim, format!("a later command took over: {}", by.short()))
        }
        OperationState::Converged { .. } => Line::new(),
        OperationState::Accepted if op.progress.is_empty() => Line::of(Role::Dim, "waits for a reconciler"),
        OperationState::Accepted | OperationState::Running => {
            let waits: Vec<String> = op
                .progress
                .values()
                .map(|part| awaited(part.waits_for.as_str()))
                .filter(|waits| !waits.is_empty())
                .collect();
            if waits.is_empty() {
                let failed =
                    op.progress.values().flat_map(|part| &part.steps).find(|step| step.state == StepState::Failed);
                return failed.map_or_else(Line::new, |step| {
                    Line::of(Role::Mark(Mark::Failed), format!("{}: {}", step.what, step.detail))
                });
            }
            Line::of(Role::Dim, "waits for ").with(Role::Plain, waits.join("; "))
        }
    }
}

/// What is waited for, without what is well already.
pub(super) fn awaited(text: &str) -> String {
    let rest = |text| ["healthy, ", "running, "].iter().find_map(|well| str::strip_prefix(text, well));
    if let Some(rest) = rest(text) {
        return rest.to_owned();
    }
    match text.split_once(": ").and_then(|(step, detail)| Some((step, rest(detail)?))) {
        Some((step, rest)) => format!("{step}: {rest}"),
        None => text.to_owned(),
    }
}

/// What came through the proxies for an operation's services since it began; none where no proxy carries them.
pub fn operation_traffic(op: &Operation) -> Option<Traffic> {
    op.progress.values().filter_map(|part| part.traffic).reduce(Traffic::plus)
}

/// The same as a line: how many requests, and how many of them failed.
fn requests(op: &Operation, is_over: bool) -> Line {
    let line = Line::of(Role::Label, " requests  ");
    let Some(traffic) = operation_traffic(op) else {
        return line.with(Role::Dim, "– no proxy has told of its services");
    };
    let since = if is_over { "while it went on" } else { "since it began" };
    let line = line.with(Role::Strong, count(traffic.requests)).with(Role::Dim, format!(" {since} · "));
    let role = if traffic.failed > 0 { Role::Mark(Mark::Failed) } else { Role::Mark(Mark::Ok) };
    line.with(role, format!("{} failed", count(traffic.failed)))
}

/// Whether a host that was drained can be switched off; nothing for other operations, or when it was opened since.
fn emptied(state: &State, op: &Operation) -> Option<Line> {
    let (Intent::Host { host, .. }, OperationState::Converged { .. }) = (&op.intent, &op.state) else { return None };
    drain(state, host)?;
    let stays = state.store.desired.count_on(host);
    let mark = if stays == 0 { Mark::Ok } else { Mark::Failed };
    Some(Line::of(Role::Plain, " ").mark(mark).with(Role::Strong, format!(" {}", drained(host, stays))))
}

/// What there is to say, whole, on as many lines as it takes.
fn told(note: Line, cells: usize) -> Vec<Line> {
    if note.width() + 1 < cells {
        let mut line = Line::of(Role::Plain, " ");
        line.extend(note);
        return vec![line];
    }
    let role = note.spans.last().map_or(Role::Plain, |span| span.role);
    wrap(&note.text(), cells.saturating_sub(2)).into_iter().map(|words| Line::of(role, format!(" {words}"))).collect()
}

/// The page of the operation that is open.
pub fn operation(state: &State) -> Vec<Line> {
    let Within::Operation(id) = &state.screen().within else { return Vec::new() };
    let Some(op) = state.operations().iter().find(|op| op.id == *id) else {
        return vec![Line::new(), Line::of(Role::Dim, "This operation is not kept any more.")];
    };
    let mark = operation_mark(op);
    let (done, total) = op.done_of_total();
    let width = usize::from(state.size.0);
    let end = operation_end(op);
    let mut first = Line::of(Role::Plain, " ").mark(mark).with(Role::Plain, " ");
    first.push(Role::Strong, op.intent.summary());
    first.push(Role::Mark(mark), format!("   {}", op.word()));
    let lasts = lasting(op.at, end.unwrap_or(state.now));
    first.push(Role::Plain, if end.is_some() { format!(" after {lasts}") } else { format!(" {lasts}") });
    first.push(Role::Dim, format!("   by {} at {}   op {}", state.person(&op.by), state.clock(op.at), op.id.short()));
    let ratio = format!("  {done}/{total}");
    let mut progress = Line::of(Role::Plain, " ");
    progress.extend(bar(done, total, width.saturating_sub(ratio.len() + 3).min(100)));
    progress.push(Role::Plain, ratio);
    let mut lines = vec![first, progress];
    // What touches no service has no requests.
    if !op.after.is_empty() {
        lines.push(requests(op, end.is_some()));
    }
    match &op.state {
        OperationState::Failed { reason, .. } | OperationState::RolledBack { reason, .. } => {
            for (at, words) in wrap(reason.as_str(), width.saturating_sub(4)).into_iter().enumerate() {
                let mark = if at == 0 { " ✗ " } else { "   " };
                lines.push(Line::of(Role::Mark(Mark::Failed), format!("{mark}{words}")));
            }
        }
        // Each region tells for itself.
        OperationState::Running if op.paused.is_none() && op.progress.len() > 1 => {}
        _ => {
            let note = operation_note(state, op);
            if !note.spans.is_empty() {
                lines.extend(told(note, width));
            }
        }
    }
    lines.extend(emptied(state, op));
    for (region, part) in &op.progress {
        let mark = if part.finished {
            Mark::Ok
        } else if part.steps.iter().any(|step| step.state == StepState::Failed) {
            Mark::Failed
        } else {
            Mark::Changing
        };
        heading(&mut lines, "");
        if let Some(line) = lines.last_mut() {
            *line = Line::of(Role::Plain, " ").mark(mark).with(Role::Head, format!(" {region}"));
            line.push(Role::Plain, format!("  {}/{}", part.done, part.total));
        }
        if !part.waits_for.is_empty() && end.is_none() && op.paused.is_none() && op.progress.len() > 1 {
            let waits = Line::of(Role::Dim, "  waits for ").with(Role::Plain, awaited(part.waits_for.as_str()));
            lines.extend(told(waits, width));
        }
        lines.extend(super::steps::steps(state, op, part, end.is_some()));
    }
    lines.push(Line::new());
    lines.push(Line::of(Role::Label, " same as  ").with(Role::Plain, op.equivalent.clone()));
    let journal: Vec<_> = state.store.journal.iter().filter(|entry| entry.command == Some(*id)).collect();
    if !journal.is_empty() {
        heading(&mut lines, " JOURNAL");
        let mut sorted = journal;
        sorted.sort_by_key(|entry| entry.at);
        for entry in sorted {
            let mut line = Line::of(Role::Dim, format!(" {}  ", state.clock(entry.at)));
            line.push(Role::Plain, pad_right(entry.region.as_ref().map_or("", |region| region.as_str()), 10));
            let role = if entry.is_error { Role::Mark(Mark::Failed) } else { Role::Plain };
            line.push(role, format!(" {}", entry.what));
            lines.push(line);
        }
    }
    lines
}
