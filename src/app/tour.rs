//! A short tour: one line at a time, which goes on when what it asks for was done.

use super::{
    command::Command,
    line::{Line, Role},
    overlay::Overlay,
    screen::View,
    state::State,
};

/// One step: what to press, what that shows, and when it is done.
struct Step {
    /// Keys, by the commands that they stand for.
    keys: &'static [Command],
    /// What it is good for.
    text: &'static str,
    is_done: fn(&State) -> bool,
}

const STEPS: [Step; 6] = [
    Step {
        keys: &[Command::Services],
        text: "shows every service with its replicas in each region",
        is_done: |state| state.screen().view == View::Services,
    },
    Step {
        keys: &[Command::Plus, Command::Plus],
        text: "ask for two replicas more, in a draft: nothing happens yet",
        is_done: |state| !state.draft.is_empty(),
    },
    Step {
        keys: &[Command::OpenPlan],
        text: "shows what the draft would do: where, why, and how to undo it",
        is_done: |state| matches!(state.overlay, Some(Overlay::Plan(_))),
    },
    Step {
        keys: &[Command::Apply],
        text: "accepts exactly what is shown; a reconciler carries it out, whoever hangs up",
        is_done: |state| state.running().next().is_some() && state.overlay.is_none(),
    },
    Step {
        keys: &[Command::Operations, Command::Drill],
        text: "follow it step by step, with what it waits for",
        is_done: |state| state.screen().view == View::Operation,
    },
    Step {
        keys: &[Command::Wall, Command::Help],
        text: "are the wall and all keys; that is the tour",
        is_done: |state| state.screen().view == View::Wall || matches!(state.overlay, Some(Overlay::Help { .. })),
    },
];

/// How far somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tour {
    at: usize,
}

impl Tour {
    /// Goes on past all that is done; none after the last step.
    pub fn go_on(mut self, state: &State) -> Option<Self> {
        while (STEPS.get(self.at)?.is_done)(state) {
            self.at += 1;
        }
        Some(self)
    }

    /// The line that says what to do.
    pub fn line(self, state: &State) -> Line {
        let mut line = Line::of(Role::Draft, format!(" TOUR {}/{}  ", self.at + 1, STEPS.len()));
        let Some(step) = STEPS.get(self.at) else { return line };
        for command in step.keys {
            if let Some(key) = state.keymap.key_of(*command) {
                line.push(Role::Key, format!("{key} "));
            }
        }
        line.push(Role::Plain, step.text);
        line.push(Role::Dim, "   :tour ends it");
        line
    }
}
