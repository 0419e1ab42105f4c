//! A key: to what floats above, else to the command that it stands for.

use super::{edit, explain, graph, leave, navigate, overlays};
use crate::app::{
    command::Command,
    input::Input,
    key::Key,
    line::Mark,
    msg::{Effect, Redraw},
    overlay::Overlay,
    pages,
    state::State,
};
use crate::graph::Format;

/// Takes a key in.
pub(super) fn key(state: &mut State, key: Key) -> Vec<Effect> {
    // A notice goes with the next key; a new one may come with it.
    state.notice = None;
    if state.overlay.is_some() {
        return overlays::key(state, key);
    }
    let Some(command) = state.keymap.command(&state.scopes(), key) else { return Vec::new() };
    run(state, command)
}

/// Pasted text goes into an input, or nowhere.
pub(super) fn paste(state: &mut State, text: &str) -> Redraw {
    let Some(input) = overlays::input(state) else { return Redraw::No };
    input.insert(text);
    overlays::typed(state);
    Redraw::Now
}

/// Carries a command out, or says why not.
pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    if let Some(why) = state.refused(command) {
        state.say(Mark::Stopped, format!("{}: {why}", command.entry().title));
        return Vec::new();
    }
    if let Some(view) = command.view() {
        navigate::go(state, view);
        return Vec::new();
    }
    match command {
        Command::Help => state.overlay = Some(Overlay::Help { top: 0 }),
        Command::Palette => state.overlay = Some(Overlay::Palette { input: Input::default(), at: 0 }),
        Command::Filter => {
            let before = state.screen().filter.clone();
            let input = Input::new(before.clone());
            state.overlay = Some(Overlay::Filter { input, before });
        }
        Command::Sort => {
            let at = state
                .screen()
                .sort
                .and_then(|col| state.rows.columns.iter().position(|column| column.col == col))
                .map_or(0, |at| at + 1);
            state.overlay = Some(Overlay::Sort { at });
        }
        Command::Actions => state.overlay = Some(Overlay::Actions { at: 0 }),
        Command::Quit => return leave(state),
        Command::Redraw => return vec![Effect::Repaint],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Leave if !navigate::up(state) => return leave(state),
        Command::Dump => return vec![Effect::Dump(crate::app::pages::dump(state))],
        Command::Resync => return crate::app::access::host(state).map(Effect::Resync).into_iter().collect(),
        Command::Reconnect => {
            return crate::app::access::host(state).map(Effect::Reconnect).into_iter().collect();
        }
        Command::Copy | Command::CopyRow => return navigate::copy(state, command == Command::CopyRow),
        Command::Explain => return explain::open(state),
        Command::Freeze => navigate::freeze(state),
        Command::GraphDot => return vec![Effect::Dump(pages::export_graph(state, Format::Dot))],
        Command::GraphMermaid => return vec![Effect::Dump(pages::export_graph(state, Format::Mermaid))],
        Command::GraphText => return vec![Effect::Dump(pages::export_graph(state, Format::Text))],
        _ => {
            if !navigate::run(state, command) && !graph::run(state, command) {
                return edit::run(state, command);
            }
        }
    }
    Vec::new()
}
