//! A key: to what floats above, else to the command that it stands for.

use super::{charts, edit, explain, graph, inspect, leave, logs, navigate, overlays};
use crate::app::{
    command::Command,
    input::Input,
    key::Key,
    line::Mark,
    msg::{Effect, Redraw, Visit},
    overlay::Overlay,
    pages,
    state::State,
    tour::Tour,
};
use crate::graph::Format;

/// Takes a key in.
pub(super) fn key(state: &mut State, key: Key) -> Vec<Effect> {
    // A notice goes with the next key; a new one may come with it.
    state.notice = None;
    state.last_key = state.now;
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
    if let Some(effects) = logs::run(state, command) {
        return effects;
    }
    if let Some(effects) = charts::run(state, command) {
        return effects;
    }
    match command {
        Command::Along => return run(state, Command::Right),
        Command::LogsOfNode => return run(state, Command::LogsOf),
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
        Command::Resync => {
            let host = crate::app::access::host(state);
            if let Some(host) = &host {
                state.stores.ask_again(host);
            }
            return host.map(Effect::Resync).into_iter().collect();
        }
        Command::Reconnect => {
            return crate::app::access::host(state).map(Effect::Reconnect).into_iter().collect();
        }
        Command::Shell | Command::Attach => return visit(state, command == Command::Attach),
        Command::Copy | Command::CopyRow => return navigate::copy(state, command == Command::CopyRow),
        Command::Explain => return explain::open(state),
        Command::Inspect => return inspect::open(state),
        Command::Freeze => navigate::freeze(state),
        Command::Mouse => {
            state.mouse = !state.mouse;
            let words = if state.mouse {
                "the mouse is listened to, but not where there is text to select"
            } else {
                "the mouse is the terminal's"
            };
            state.say(Mark::Ok, words);
        }
        Command::Tour => state.tour = if state.tour.is_some() { None } else { Some(Tour::default()) },
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

/// Asks for the terminal to be given to the selected replica's container.
fn visit(state: &mut State, attach: bool) -> Vec<Effect> {
    let Some((host, container)) = crate::app::access::container(state) else { return Vec::new() };
    let visit = Visit {
        host: host.clone(),
        container: container.id.clone(),
        name: container.name.to_string(),
        service: container.made_from().map(|(service, _)| service.clone()),
        attach,
    };
    state.say(Mark::Ok, format!("opening {} …", visit.name));
    vec![Effect::Visit(visit)]
}
