//! Keys for logs: opening them, moving in them, how they look.

use super::overlays;
use crate::app::{
    access,
    command::Command,
    ids::Id,
    key::{Code, Key},
    line::Mark,
    logs::{Form, From, Logs, Times},
    msg::Effect,
    overlay::Overlay,
    pages,
    screen::{Screen, View, Within},
    state::State,
};

/// Cells that lines are scrolled sideways at once.
const SIDEWAYS: isize = 16;

/// Carries out what is about logs. None when it is none of it.
pub(super) fn run(state: &mut State, command: Command) -> Option<Vec<Effect>> {
    match command {
        Command::Logs => {
            let within = of_selected(state).unwrap_or_else(|| state.screen().within.clone());
            if state.screen().view != View::Logs {
                // Digits mean times in logs: the way back is escape, as from everywhere below a list.
                state.way.down(Screen::new(View::Logs, within));
                state.pane = None;
            }
            return Some(Vec::new());
        }
        Command::LogsOf => {
            open(state, From::Tail);
            return Some(Vec::new());
        }
        Command::Previous if state.screen().view == View::Replicas => {
            open(state, From::Previous);
            return Some(Vec::new());
        }
        _ => {}
    }
    if state.screen().view != View::Logs {
        return None;
    }
    let (rows, cells) = pages::log_place(state).text();
    let now = state.now;
    let mut logs = state.logs.take()?;
    let effects = in_logs(state, &mut logs, command, (rows, cells), now);
    state.logs = Some(logs);
    effects
}

/// What the logs of the selected row are narrowed to.
fn of_selected(state: &State) -> Option<Within> {
    match state.selected()? {
        Id::Event(_) => access::service(state).map(Within::Service).or_else(|| access::host(state).map(Within::Host)),
        id => Within::of(id),
    }
}

fn open(state: &mut State, from: From) {
    let Some(within) = of_selected(state) else {
        return state.say(Mark::Stopped, "it has no logs");
    };
    state.logs_from = from;
    state.way.down(Screen::new(View::Logs, within));
    state.pane = None;
}

fn in_logs(
    state: &mut State,
    logs: &mut Logs,
    command: Command,
    (rows, cells): (usize, usize),
    now: jiff::Timestamp,
) -> Option<Vec<Effect>> {
    let page = isize::try_from(rows.max(2)).unwrap_or(1);
    match command {
        Command::Up => logs.scroll(-1, rows, cells),
        Command::Down => logs.scroll(1, rows, cells),
        Command::HalfUp => logs.scroll(-(page / 2), rows, cells),
        Command::HalfDown => logs.scroll(page / 2, rows, cells),
        Command::PageUp => logs.scroll(1 - page, rows, cells),
        Command::PageDown => logs.scroll(page - 1, rows, cells),
        Command::Top => logs.first(),
        Command::Left => logs.window.sideways(-SIDEWAYS),
        Command::Right => logs.window.sideways(SIDEWAYS),
        Command::Autoscroll if logs.window.follow => logs.stand(rows, cells),
        Command::Bottom | Command::Autoscroll => logs.window.follow = true,
        Command::Freeze => {
            logs.stand(rows, cells);
            return None;
        }
        Command::PauseLogs => logs.paused = !logs.paused,
        Command::Wrap => {
            logs.window.wrap = !logs.window.wrap;
            logs.window.column = 0;
        }
        Command::Times => {
            logs.times = logs.times.next();
            let words = match logs.times {
                Times::Off => "no times",
                Times::Local => "times by your clock",
                Times::Utc => "times in UTC",
            };
            state.say(Mark::Ok, words);
        }
        Command::NextHit | Command::LastHit if logs.pattern.is_empty() => {
            state.say(Mark::Stopped, "nothing is looked for: `/` begins");
        }
        Command::NextHit | Command::LastHit => {
            if !logs.next_hit(command == Command::NextHit, rows, cells) {
                state.say(Mark::Stopped, "there is no other line that has it");
            }
        }
        Command::Around => around(state, logs),
        Command::MarkLine => logs.mark(now),
        Command::Clear => logs.clear(),
        Command::SourcesMenu => state.overlay = Some(Overlay::Sources { at: 0 }),
        Command::CopyScreen => {
            let text = pages::log_screen(state, logs);
            state.say(Mark::Ok, "the lines on the screen were sent to the terminal's clipboard");
            return Some(vec![Effect::Copy(text)]);
        }
        Command::Previous if logs.from == From::Previous => logs.again(From::Tail, now),
        Command::Previous if logs.one().is_none() => {
            state.say(Mark::Stopped, "previous life: of one replica only; `p` in the list of replicas");
        }
        Command::Previous => logs.again(From::Previous, now),
        Command::Tail => logs.again(From::Tail, now),
        Command::HeadOf => logs.again(From::Head, now),
        Command::Since1 => logs.again(From::Minutes(1), now),
        Command::Since5 => logs.again(From::Minutes(5), now),
        Command::Since15 => logs.again(From::Minutes(15), now),
        Command::Since30 => logs.again(From::Minutes(30), now),
        Command::Since60 => logs.again(From::Minutes(60), now),
        _ => return None,
    }
    if logs.sources.is_empty() {
        state.dirty.logs = true;
    }
    Some(Vec::new())
}

fn around(state: &mut State, logs: &mut Logs) {
    if logs.pattern.is_empty() {
        return state.say(Mark::Stopped, "nothing is looked for: `/` begins");
    }
    logs.form = logs.form.next();
    logs.renew_all();
    state.say(
        Mark::Ok,
        match logs.form {
            Form::Only => "only lines that have it",
            Form::Around => "lines that have it, and those around them",
            Form::All => "all lines, marked where they have it",
        },
    );
}

/// A key for the menu of sources.
pub(super) fn sources_key(state: &mut State, key: Key, at: usize) {
    let Some(mut logs) = state.logs.take() else {
        state.overlay = None;
        return;
    };
    let number = u32::try_from(at).unwrap_or(u32::MAX);
    match key.code {
        Code::Enter | Code::Char(' ') => logs.sources.toggle(number),
        Code::Char('o') => logs.sources.only(number),
        _ => {
            let moved = overlays::moved_plain(key, at, logs.sources.len(), overlays::page_rows(state));
            state.overlay = moved.map(|at| Overlay::Sources { at });
        }
    }
    logs.renew_all();
    state.logs = Some(logs);
}
