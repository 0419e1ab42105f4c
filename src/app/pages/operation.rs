//! One operation: how far it is, step by step.

use jiff::Timestamp;

use super::heading;
use crate::{
    app::{
        line::{Line, Mark, Role, bar},
        screen::Within,
        state::State,
        status::lasting,
    },
    model::{Operation, OperationState, Paused, StepState},
    text::pad_right,
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
            let waits: Vec<&str> =
                op.progress.values().map(|part| part.waits_for.as_str()).filter(|waits| !waits.is_empty()).collect();
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

/// The glyph of a step.
fn step_mark(state: StepState) -> Mark {
    match state {
        StepState::Waiting => Mark::Stopped,
        StepState::Running => Mark::Changing,
        StepState::Done => Mark::Ok,
        StepState::Failed => Mark::Failed,
    }
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
    let count = format!("  {done}/{total}");
    let mut progress = Line::of(Role::Plain, " ");
    progress.extend(bar(done, total, width.saturating_sub(count.len() + 3).min(100)));
    progress.push(Role::Plain, count);
    let mut lines = vec![first, progress];
    match &op.state {
        OperationState::Failed { reason, .. } | OperationState::RolledBack { reason, .. } => {
            lines.push(Line::of(Role::Mark(Mark::Failed), format!(" ✗ {reason}")));
        }
        _ => {
            let note = operation_note(state, op);
            if !note.spans.is_empty() {
                let mut line = Line::of(Role::Plain, "   ");
                line.extend(note);
                lines.push(line);
            }
        }
    }
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
            if !part.waits_for.is_empty() && end.is_none() && op.paused.is_none() {
                line.push(Role::Dim, format!("   waits for {}", part.waits_for));
            }
        }
        let cells =
            part.steps.iter().map(|step| crate::text::width(step.what.as_str())).max().unwrap_or(0).min(width / 2);
        for step in &part.steps {
            let mark = step_mark(step.state);
            let mut line = Line::of(Role::Plain, "   ").mark(mark).with(Role::Plain, " ");
            let role = if step.state == StepState::Waiting { Role::Dim } else { Role::Plain };
            line.push(role, pad_right(step.what.as_str(), cells));
            let role = if step.state == StepState::Failed { Role::Mark(Mark::Failed) } else { Role::Dim };
            line.push(role, format!("  {}", step.detail));
            lines.push(line);
        }
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
