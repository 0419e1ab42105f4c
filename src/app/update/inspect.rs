//! A container or an engine from the inside: asked when the page opens, again every few seconds as long as it is open, and
//! put together as answers come.

use jiff::ToSpan;

use super::overlays::moved_plain;
use crate::{
    app::{
        command::{Command, Scope},
        inspect::{InspectPage, Look, chosen, tree_of},
        key::{Code, Key},
        line::Mark,
        msg::{Effect, Redraw},
        overlay::Overlay,
        pages,
        state::State,
    },
    model::{PartTold, Subject},
};

/// What changes from second to second is asked again after so many.
const AGAIN_SECONDS: i64 = 3;
/// A question that was lost on its way is asked again after so many.
const LOST_SECONDS: i64 = 30;
/// Rows that all branches take with the first of them open.
const ROOM: usize = 28;
/// Events of it that were heard and are shown.
const EVENTS: usize = 200;

/// Opens the page of what is selected, and asks its host.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    match chosen(state) {
        Ok(chosen) => {
            state.inspect_number += 1;
            let number = state.inspect_number;
            // Where there is room for it and for all branches, what is looked for most is open from the start.
            let open: &[&str] = if pages::inspect_rows(state) >= ROOM { &["state", "machine"] } else { &[] };
            let mut page = InspectPage::new(chosen, number, state.now, open);
            let question = page.ask(number, true, state.now);
            grow(state, &mut page);
            state.overlay = Some(Overlay::Inspect(Box::new(page)));
            vec![Effect::Inspect(question)]
        }
        Err(why) => {
            state.say(Mark::Stopped, format!("inspect: {why}"));
            Vec::new()
        }
    }
}

/// A part was told.
pub(super) fn told(state: &mut State, told: PartTold) -> Redraw {
    let Some(Overlay::Inspect(page)) = &mut state.overlay else { return Redraw::No };
    let taken = page.take(told, state.now);
    if !taken {
        return Redraw::No;
    }
    if let Some(Overlay::Inspect(mut page)) = state.overlay.take() {
        grow(state, &mut page);
        page.settle(pages::inspect_rows(state));
        state.overlay = Some(Overlay::Inspect(page));
    }
    Redraw::Soon
}

fn grow(state: &State, page: &mut InspectPage) {
    let id = match &page.subject {
        Subject::Container { id, .. } => Some(id.0.as_str()),
        Subject::Host(_) => None,
    };
    let heard = state.events.of(page.subject.host(), id).take(EVENTS).collect();
    let look = Look { parts: &page.parts, heard, now: state.now, zone: &state.zone };
    let tree = tree_of(&page.subject, &look);
    page.grow(tree);
}

/// Asks again for what changes from second to second, when it is time and the last answer is there.
pub(super) fn refresh(state: &mut State) -> Option<Effect> {
    let Some(Overlay::Inspect(page)) = &mut state.overlay else { return None };
    let pause = if page.is_waiting() { LOST_SECONDS } else { AGAIN_SECONDS };
    let is_due = page.asked().checked_add(pause.seconds()).is_ok_and(|due| due <= state.now);
    is_due.then(|| {
        state.inspect_number += 1;
        Effect::Inspect(page.ask(state.inspect_number, false, state.now))
    })
}

/// A key for the page.
pub(super) fn key(state: &mut State, key: Key) -> Vec<Effect> {
    let Some(Overlay::Inspect(mut page)) = state.overlay.take() else { return Vec::new() };
    let (effects, stays) = match key.code {
        Code::Char('c') if key.ctrl => (Vec::new(), false),
        Code::Char('l') if key.ctrl => (vec![Effect::Repaint], true),
        _ if page.input().is_some() => (typing(&mut page, key), true),
        _ => in_page(state, &mut page, key),
    };
    if stays {
        page.settle(pages::inspect_rows(state));
        state.overlay = Some(Overlay::Inspect(page));
    }
    effects
}

/// A key for what is being typed.
fn typing(page: &mut InspectPage, key: Key) -> Vec<Effect> {
    match key.code {
        Code::Enter | Code::Esc => page.end_search(key.code == Code::Enter),
        _ => {
            if page.input_mut().is_some_and(|input| input.key(key)) {
                page.typed();
            }
        }
    }
    Vec::new()
}

/// A key for the tree. The second is false when the page closes.
fn in_page(state: &mut State, page: &mut InspectPage, key: Key) -> (Vec<Effect>, bool) {
    let mut effects = Vec::new();
    match state.keymap.command(&[Scope::Inspect], key) {
        Some(Command::CloseInspect) => return (effects, false),
        Some(Command::OpenBranch) => page.open(),
        Some(Command::CloseBranch) => page.close(),
        Some(Command::Fold) => page.fold(),
        Some(Command::FoldAll) => page.fold_all(),
        Some(Command::Search) => page.search(),
        Some(command @ (Command::NextHit | Command::LastHit)) => {
            if page.sought().is_empty() {
                state.say(Mark::Stopped, "nothing is looked for: `/` begins");
            } else if !page.next_hit(command == Command::NextHit) {
                state.say(Mark::Stopped, format!("nothing here has `{}`", page.sought()));
            }
        }
        Some(command @ (Command::CopyValue | Command::CopyPath)) => {
            let value = page.value().unwrap_or_default();
            let text =
                if command == Command::CopyPath { format!("{}: {} = {value}", page.name, page.way()) } else { value };
            if text.is_empty() {
                state.say(Mark::Stopped, "there is nothing to copy");
            } else {
                let first: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
                state.say(Mark::Ok, format!("sent to the terminal's clipboard: {first}"));
                effects.push(Effect::Copy(text));
            }
        }
        Some(Command::DumpTree) => effects.push(Effect::Dump(pages::inspect_text(state, page))),
        Some(Command::AskAgain) => {
            state.inspect_number += 1;
            effects.push(Effect::Inspect(page.ask(state.inspect_number, true, state.now)));
            state.say(Mark::Ok, format!("asking {} again …", page.subject.host()));
        }
        _ => {
            if let Some(row) = moved_plain(key, page.row(), page.len(), pages::inspect_rows(state)) {
                page.step(row);
            }
        }
    }
    (effects, true)
}
