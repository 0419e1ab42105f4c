//! The steps of an operation, one after the other, so that whoever has never seen one can follow it: what is done, what
//! goes on since when, what waits for what, and what comes next. A replica that is on its way shows each phase.

use super::{operation::awaited, wrap};
use crate::{
    app::{
        line::{Line, Mark, Role},
        phases::{Phase, phases},
        state::State,
        status::lasting,
    },
    model::{Operation, Progress, StepProgress, StepState, since},
    text::{pad_right, width},
};

/// Cells of the words for states.
const WORD: usize = 7;

/// The lines of a region's steps.
pub(super) fn steps(state: &State, op: &Operation, part: &Progress, is_over: bool) -> Vec<Line> {
    let all = &part.steps;
    let cells = usize::from(state.size.0);
    let what = all.iter().map(|step| width(step.what.as_str())).max().unwrap_or(0).min(cells / 2);
    let next = all.iter().position(|step| step.state == StepState::Waiting && step.detail.is_empty());
    let mut lines = Vec::new();
    for (at, step) in all.iter().enumerate() {
        let still = if is_over { Some("left") } else { op.paused.is_some().then_some("paused") };
        let word = word(step, next == Some(at), still);
        let way = step.replica.as_ref().filter(|_| word == "running" || step.state == StepState::Failed);
        let way = way.map(|key| phases(state, op, key)).unwrap_or_default();
        // What the whole operation waits for stands above, and what a phase says below.
        let is_told = word == "running"
            && (part.waits_for.as_str() == format!("{}: {}", step.what, step.detail)
                || way.iter().any(|phase| phase.note == step.detail.as_str()));
        let detail = match step.state {
            _ if is_told => String::new(),
            StepState::Running => awaited(step.detail.as_str()),
            _ => step.detail.to_string(),
        };
        one(state, step, (word, &detail), what, &mut lines);
        lines.extend(chain(&way, cells));
    }
    lines
}

/// Where a step stands, in a word.
fn word(step: &StepProgress, is_next: bool, still: Option<&'static str>) -> &'static str {
    match step.state {
        StepState::Done => "done",
        StepState::Failed => "failed",
        // What is over, or paused, begins nothing.
        StepState::Running => still.unwrap_or("running"),
        StepState::Waiting if still.is_some() => "",
        StepState::Waiting if is_next => "next",
        StepState::Waiting if step.detail.is_empty() => "later",
        StepState::Waiting => "waits",
    }
}

fn mark(step: &StepProgress) -> Mark {
    match step.state {
        StepState::Waiting => Mark::Stopped,
        StepState::Running => Mark::Changing,
        StepState::Done => Mark::Ok,
        StepState::Failed => Mark::Failed,
    }
}

fn one(state: &State, step: &StepProgress, (word, detail): (&str, &str), what: usize, lines: &mut Vec<Line>) {
    let cells = usize::from(state.size.0);
    let mark = mark(step);
    let is_quiet = step.state == StepState::Waiting;
    let mut line = Line::of(Role::Plain, "   ").mark(mark).with(Role::Plain, " ");
    line.push(if is_quiet { Role::Dim } else { Role::Mark(mark) }, pad_right(word, WORD));
    let role = if is_quiet { Role::Dim } else { Role::Plain };
    line.push(role, format!("  {}", pad_right(step.what.as_str(), what)));
    line.push(Role::Dim, format!("  {}", pad_right(&when(state, step, word), 8)));
    let indent = line.width();
    let role = if step.state == StepState::Failed { Role::Mark(Mark::Failed) } else { Role::Dim };
    // What does not fit beside it stands below it, whole.
    if indent + 2 + width(detail) <= cells {
        line.push(role, format!("  {detail}"));
        lines.push(line);
    } else {
        lines.push(line);
        let words = wrap(detail, cells.saturating_sub(16));
        lines.extend(words.into_iter().map(|words| Line::of(role, format!("{}{words}", " ".repeat(14)))));
    }
}

/// Since when, for what goes on; when, for what is over.
fn when(state: &State, step: &StepProgress, word: &str) -> String {
    match (step.since, step.state) {
        (Some(at), StepState::Done | StepState::Failed) => state.clock(at),
        (Some(at), StepState::Running) if word == "running" => match since(at, state.now).as_secs() {
            seconds @ 0..60 => format!("{seconds} s"),
            _ => lasting(at, state.now),
        },
        _ => String::new(),
    }
}

/// The phases in a row, on as many lines as they take.
fn chain(phases: &[Phase], cells: usize) -> Vec<Line> {
    let indent = " ".repeat(14);
    let mut lines = Vec::new();
    let mut line = Line::of(Role::Plain, indent.clone());
    for (at, phase) in phases.iter().enumerate() {
        let role = match phase.mark {
            Mark::Changing => Role::Strong,
            Mark::Ok => Role::Plain,
            _ => Role::Dim,
        };
        let mut piece = Line::new().mark(phase.mark).with(role, format!(" {}", phase.what));
        if !phase.note.is_empty() {
            piece.push(Role::Mark(Mark::Changing), format!(" ({})", phase.note));
        }
        if at + 1 < phases.len() {
            piece.push(Role::Dim, " → ");
        }
        if at > 0 && line.width() + piece.width() > cells {
            lines.push(std::mem::replace(&mut line, Line::of(Role::Plain, indent.clone())));
        }
        line.extend(piece);
    }
    if !phases.is_empty() {
        lines.push(line);
    }
    lines
}
