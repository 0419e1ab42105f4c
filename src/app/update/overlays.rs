//! Keys for what floats above a view.

use super::{apply, edit, inspect, keys, logs, pick};
use crate::app::{
    command::Command,
    input::Input,
    key::{Code, Key},
    line::Mark,
    msg::Effect,
    overlay::Overlay,
    pages,
    state::State,
};

/// The input that text goes into, when there is one.
pub(super) fn input(state: &mut State) -> Option<&mut Input> {
    match state.overlay.as_mut()? {
        Overlay::Palette { input, .. }
        | Overlay::Filter { input, .. }
        | Overlay::Exact { input, .. }
        | Overlay::Confirm { input, .. }
        | Overlay::Remove { input, .. } => Some(input),
        Overlay::Scale(form) => form.rows.get_mut(form.at).map(|(_, _, input)| input),
        Overlay::Inspect(page) => page.input_mut(),
        _ => None,
    }
}

/// What follows from a changed input.
pub(super) fn typed(state: &mut State) {
    match &mut state.overlay {
        Some(Overlay::Filter { input, .. }) => {
            let text = input.text();
            let screen = state.way.here_mut();
            if screen.filter != text {
                screen.filter = text;
                screen.row = 0;
                screen.top = 0;
                screen.selected = None;
                state.reorder();
            }
        }
        Some(Overlay::Palette { at, .. }) => *at = 0,
        Some(Overlay::Inspect(page)) => page.typed(),
        _ => {}
    }
}

/// A key for what floats above.
pub(super) fn key(state: &mut State, key: Key) -> Vec<Effect> {
    // It may be large: its tree is not copied for every key.
    if matches!(state.overlay, Some(Overlay::Inspect(_))) {
        return inspect::key(state, key);
    }
    let Some(overlay) = state.overlay.clone() else { return Vec::new() };
    if key.ctrl && key.code == Code::Char('c') {
        return if overlay == Overlay::Quit { vec![Effect::Quit] } else { close(state) };
    }
    if key.ctrl && key.code == Code::Char('l') {
        return vec![Effect::Repaint];
    }
    match overlay {
        Overlay::Help { top } => {
            help(state, key, top);
            Vec::new()
        }
        Overlay::Explain(page) => {
            super::explain::key(state, key, page);
            Vec::new()
        }
        Overlay::Filter { .. } => filter(state, key),
        Overlay::Palette { at, .. } => palette(state, key, at),
        Overlay::Actions { at } => actions(state, key, at),
        Overlay::Sort { at } => sort(state, key, at),
        Overlay::Plan(page) => apply::key(state, key, &page),
        Overlay::Move(picker) => pick::move_key(state, key, picker),
        Overlay::Rollback(picker) => pick::revision_key(state, key, picker),
        Overlay::Exact { places, input } => match key.code {
            Code::Enter => match number(&input.text()) {
                Some(to) => {
                    state.overlay = None;
                    edit::set(state, places, to);
                    Vec::new()
                }
                None => wrong_number(state),
            },
            // Leading signs step, as the keys do: `=+3`.
            _ => text_key(state, key),
        },
        Overlay::Scale(form) => scale(state, key, &form),
        Overlay::Remove { stack, service, input } => match key.code {
            Code::Enter => {
                let name = service.as_ref().map_or_else(|| stack.to_string(), ToString::to_string);
                if input.text().trim() == name {
                    state.overlay = None;
                    edit::draft_remove(state, &stack, service.as_ref());
                    state.say(Mark::Ok, format!("in the draft: remove {name}. `.` shows what that means"));
                } else {
                    state.say(Mark::Stopped, format!("type {name} in full, or esc"));
                }
                Vec::new()
            }
            _ => text_key(state, key),
        },
        Overlay::Confirm { names, input, version } => match key.code {
            Code::Enter => apply::confirm(state, names, &input.text(), version),
            _ => text_key(state, key),
        },
        Overlay::Abort { id } => match key.code {
            Code::Enter => {
                state.overlay = None;
                state.say(Mark::Ok, "asked to end it");
                vec![Effect::Abort(id)]
            }
            Code::Esc | Code::Char('q' | 'n') => close(state),
            _ => Vec::new(),
        },
        Overlay::Sources { at } => {
            logs::sources_key(state, key, at);
            Vec::new()
        }
        Overlay::Inspect(_) => Vec::new(),
        Overlay::Quit => match key.code {
            Code::Enter | Code::Char('y') => vec![Effect::Quit],
            Code::Esc | Code::Char('q' | 'n') => close(state),
            _ => Vec::new(),
        },
    }
}

fn close(state: &mut State) -> Vec<Effect> {
    if let Some(Overlay::Filter { before, .. }) = state.overlay.take() {
        state.way.here_mut().filter = before;
        state.reorder();
    }
    Vec::new()
}

/// A key for an input: escape closes it.
fn text_key(state: &mut State, key: Key) -> Vec<Effect> {
    if key.code == Code::Esc {
        return close(state);
    }
    let changed = input(state).is_some_and(|input| input.key(key));
    if changed {
        typed(state);
    }
    Vec::new()
}

fn number(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|n| *n <= edit::MOST)
}

fn wrong_number(state: &mut State) -> Vec<Effect> {
    state.say(Mark::Stopped, format!("type a number from 0 to {}", edit::MOST));
    Vec::new()
}

/// Where a list's selection goes by a key; none when the key does not move.
pub(super) fn moved(key: Key, at: usize, count: usize, page: usize) -> Option<usize> {
    let last = count.saturating_sub(1);
    Some(
        match (key.code, key.ctrl) {
            (Code::Up, _) | (Code::Char('p'), true) => at.saturating_sub(1),
            (Code::Down, _) | (Code::Char('n'), true) => at + 1,
            (Code::PageUp, _) => at.saturating_sub(page),
            (Code::PageDown, _) => at + page,
            (Code::Home, _) => 0,
            (Code::End, _) => last,
            _ => return None,
        }
        .min(last),
    )
}

/// [`moved`], also with letters, for lists without an input.
pub(super) fn moved_plain(key: Key, at: usize, count: usize, page: usize) -> Option<usize> {
    let arrow = match (key.code, key.ctrl) {
        (Code::Char('k'), false) => Code::Up,
        (Code::Char('j'), false) => Code::Down,
        (Code::Char('g'), false) => Code::Home,
        (Code::Char('G'), false) => Code::End,
        (Code::Char('u'), true) => Code::PageUp,
        (Code::Char('d'), true) => Code::PageDown,
        _ => return moved(key, at, count, page),
    };
    moved(Key::plain(arrow), at, count, page)
}

/// Rows of a page.
pub(super) fn page_rows(state: &State) -> usize {
    usize::from(state.size.1.saturating_sub(4)).max(1)
}

fn help(state: &mut State, key: Key, top: usize) {
    let lines = pages::help(state).len();
    let page = page_rows(state);
    let most = lines.saturating_sub(page);
    match moved_plain(key, top.min(most), most + 1, page) {
        Some(top) => state.overlay = Some(Overlay::Help { top }),
        None => state.overlay = None,
    }
}

fn filter(state: &mut State, key: Key) -> Vec<Effect> {
    match key.code {
        Code::Enter => {
            state.overlay = None;
            Vec::new()
        }
        Code::Up | Code::Down => {
            let command = if key.code == Code::Up { Command::Up } else { Command::Down };
            keys::run(state, command)
        }
        _ => text_key(state, key),
    }
}

fn palette(state: &mut State, key: Key, at: usize) -> Vec<Effect> {
    let entries = pages::palette(state);
    if key.code == Code::Enter {
        state.overlay = None;
        return entries.get(at).map(|entry| keys::run(state, entry.command)).unwrap_or_default();
    }
    match moved(key, at, entries.len(), page_rows(state)) {
        Some(to) => {
            if let Some(Overlay::Palette { at, .. }) = &mut state.overlay {
                *at = to;
            }
            Vec::new()
        }
        None => text_key(state, key),
    }
}

fn actions(state: &mut State, key: Key, at: usize) -> Vec<Effect> {
    let entries = pages::actions(state);
    if let Some(to) = moved_plain(key, at, entries.len(), page_rows(state)) {
        state.overlay = Some(Overlay::Actions { at: to });
        return Vec::new();
    }
    state.overlay = None;
    if key.code == Code::Enter {
        return entries.get(at).map(|entry| keys::run(state, entry.command)).unwrap_or_default();
    }
    // An action's own key works here too.
    match state.keymap.command(&state.scopes(), key) {
        Some(command) if entries.iter().any(|entry| entry.command == command) => keys::run(state, command),
        _ => Vec::new(),
    }
}

fn sort(state: &mut State, key: Key, at: usize) -> Vec<Effect> {
    let count = state.rows.columns.len() + 1;
    if let Some(to) = moved_plain(key, at, count, page_rows(state)) {
        state.overlay = Some(Overlay::Sort { at: to });
        return Vec::new();
    }
    match key.code {
        Code::Enter => {
            // The first entry is the natural order.
            let col = at.checked_sub(1).and_then(|at| state.rows.columns.get(at)).map(|column| column.col);
            state.way.here_mut().sort = col;
            state.overlay = None;
            state.reorder();
        }
        Code::Char('I') => {
            let screen = state.way.here_mut();
            screen.inverted = !screen.inverted;
            state.reorder();
        }
        Code::Esc | Code::Char('q' | 'S') => state.overlay = None,
        _ => {}
    }
    Vec::new()
}

fn scale(state: &mut State, key: Key, form: &crate::app::overlay::ScaleForm) -> Vec<Effect> {
    let rows = form.rows.len();
    let moved = match key.code {
        Code::Tab => Some((form.at + 1) % rows.max(1)),
        Code::BackTab => Some((form.at + rows.saturating_sub(1)) % rows.max(1)),
        Code::Char('j') => Some((form.at + 1).min(rows.saturating_sub(1))),
        Code::Char('k') => Some(form.at.saturating_sub(1)),
        Code::Home | Code::End | Code::Left | Code::Right => None,
        _ => moved(key, form.at, rows, rows),
    };
    if let (Some(to), Some(Overlay::Scale(form))) = (moved, &mut state.overlay) {
        form.at = to;
        form.fresh = true;
        return Vec::new();
    }
    match key.code {
        Code::Char(sign @ ('+' | '-')) => {
            if let Some(input) = input(state) {
                let now: u32 = number(&input.text()).unwrap_or(0);
                let to = if sign == '+' { (now + 1).min(edit::MOST) } else { now.saturating_sub(1) };
                *input = Input::new(to.to_string());
            }
            Vec::new()
        }
        Code::Enter => {
            let targets: Option<Vec<_>> =
                form.rows.iter().map(|(region, _, input)| Some((region.clone(), number(&input.text())?))).collect();
            let Some(targets) = targets else { return wrong_number(state) };
            state.overlay = None;
            for (region, to) in targets {
                edit::set(state, vec![(form.service.clone(), region)], to);
            }
            Vec::new()
        }
        Code::Char('q') if !key.ctrl => close(state),
        Code::Char(c) if !c.is_ascii_digit() && !key.ctrl => Vec::new(),
        Code::Char(_) => {
            if let Some(Overlay::Scale(form)) = &mut state.overlay
                && std::mem::take(&mut form.fresh)
                && let Some((_, _, input)) = form.rows.get_mut(form.at)
            {
                *input = Input::default();
            }
            text_key(state, key)
        }
        _ => text_key(state, key),
    }
}
