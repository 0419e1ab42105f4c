//! Keys for the open plan, and asking for what it shows.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan};

use super::{
    keys,
    overlays::{moved, moved_plain, page_rows},
};
use crate::app::{
    command::{Command, Scope},
    input::Input,
    key::{Code, Key},
    line::Mark,
    msg::Effect,
    overlay::{Overlay, PlanPage},
    pages, rights,
    state::State,
};

/// A plan that became another while it was open must be looked at this long before it can be applied.
const LOOK_MS: i64 = 500;

/// A key for the open plan.
pub(super) fn key(state: &mut State, key: Key, page: &PlanPage) -> Vec<Effect> {
    let items = state.draft.items();
    match state.keymap.command(&[Scope::Plan], key) {
        Some(Command::Apply) => return apply(state, page),
        Some(Command::DropLine) => {
            if let Some(item) = items.get(page.at) {
                state.draft.drop_item(item);
                state.dirty.plan = true;
            }
        }
        Some(Command::CopyCommand) => {
            let text = state.planned.as_ref().map(|planned| planned.commands().join("\n")).unwrap_or_default();
            if text.is_empty() {
                state.say(Mark::Stopped, "there is nothing to copy: no part of the draft can be applied");
                return Vec::new();
            }
            state.say(Mark::Ok, "sent to the terminal's clipboard");
            return vec![Effect::Copy(text)];
        }
        Some(Command::ClosePlan) => state.overlay = None,
        _ => match key.code {
            Code::Char('z' | 'Z') => {
                let command = if key.code == Code::Char('z') { Command::Undo } else { Command::Redo };
                return keys::run(state, command);
            }
            Code::PageUp | Code::PageDown => {
                let lines = pages::plan(state).len();
                let rows = page_rows(state);
                let most = lines.saturating_sub(rows);
                if let (Some(to), Some(Overlay::Plan(page))) =
                    (moved(key, page.top.min(most), most + 1, rows), &mut state.overlay)
                {
                    page.top = to;
                }
            }
            _ => {
                if let (Some(to), Some(Overlay::Plan(page))) =
                    (moved_plain(key, page.at, items.len(), page_rows(state)), &mut state.overlay)
                {
                    page.at = to;
                }
            }
        },
    }
    Vec::new()
}

/// Asks for exactly what was shown. When the plan is not what was last on the screen, it is shown again first.
fn apply(state: &mut State, page: &PlanPage) -> Vec<Effect> {
    if let Some(why) = state.refused(Command::Apply) {
        state.say(Mark::Stopped, why);
        return Vec::new();
    }
    if page.shown != Some(state.plan_version) {
        state.say(Mark::Stopped, "the plan is being shown: look at it, then press enter");
        return Vec::new();
    }
    let just_now = |at: Timestamp| at.checked_add(LOOK_MS.milliseconds()).is_ok_and(|due| state.now < due);
    if page.changed.is_some_and(just_now) {
        state.say(Mark::Stopped, "the plan has just become another: look at it, then press enter");
        return Vec::new();
    }
    let names: BTreeSet<String> = state
        .planned
        .iter()
        .flat_map(crate::app::planning::Planned::plans)
        .filter_map(|plan| rights::name_of(state, plan))
        .collect();
    if !names.is_empty() {
        let (names, version) = (names.into_iter().collect(), state.plan_version);
        state.overlay = Some(Overlay::Confirm { names, input: Input::default(), version });
        return Vec::new();
    }
    send(state)
}

/// A name was typed: the next one, or all of it is asked for.
pub(super) fn confirm(state: &mut State, mut names: Vec<String>, typed: &str, version: u64) -> Vec<Effect> {
    if names.first().is_some_and(|name| name != typed.trim()) {
        let name = names.first().cloned().unwrap_or_default();
        state.say(Mark::Stopped, format!("type {name} in full, or esc"));
        return Vec::new();
    }
    if version != state.plan_version {
        state.overlay = Some(Overlay::Plan(PlanPage::default()));
        state.say(Mark::Stopped, "the plan has become another meanwhile: look at it, then press enter");
        return Vec::new();
    }
    names.remove(0);
    if names.is_empty() {
        return send(state);
    }
    state.overlay = Some(Overlay::Confirm { names, input: Input::default(), version });
    Vec::new()
}

/// Asks for what is planned, and keeps in the draft what could not be.
fn send(state: &mut State) -> Vec<Effect> {
    let Some(planned) = state.planned.clone() else { return Vec::new() };
    let mut effects = Vec::new();
    let mut kept = crate::app::draft::Changes::default();
    for part in planned.parts {
        match part.result {
            Ok(mut plan) if !plan.is_empty() => {
                plan.proposal.confirmed = rights::name_of(state, &plan);
                state.sent.push_back(part.changes);
                effects.push(Effect::Apply(Box::new(plan.proposal)));
            }
            Ok(_) => {}
            Err(_) => kept.merge(part.changes),
        }
    }
    if effects.is_empty() {
        state.say(Mark::Stopped, "there is nothing that could be applied");
        return Vec::new();
    }
    let refused = kept.len();
    state.draft.take();
    state.draft.step(|changes| *changes = kept);
    state.dirty.plan = true;
    state.overlay = None;
    if refused > 0 {
        state.say(Mark::Stopped, format!("asked for; {refused} that cannot be planned stays in the draft"));
    } else {
        state.say(Mark::Ok, "asked for …");
    }
    effects
}
