//! Keys for charts: opening them, how far back they reach, what is selected.

use super::navigate::down_to;
use crate::app::{
    charts::{self, WINDOWS},
    command::Command,
    history::Measure,
    ids::Id,
    line::Mark,
    msg::Effect,
    pages,
    screen::{Screen, View, Within},
    state::State,
};

/// Carries out what is about charts. None when it is none of it.
pub(super) fn run(state: &mut State, command: Command) -> Option<Vec<Effect>> {
    match command {
        Command::Charts => {
            if let Some(within) = of_selected(state) {
                open(state, within);
            }
        }
        Command::FleetCharts => open(state, Within::All),
        _ if state.screen().view != View::Charts => return None,
        Command::ChartsAbove => {
            if let Some(within) = charts::above(state, &state.screen().within) {
                open(state, within);
            }
        }
        Command::CopyFigures => {
            state.say(Mark::Ok, "the figures were sent to the terminal's clipboard");
            return Some(vec![Effect::Copy(pages::figures(state))]);
        }
        Command::ChartsOpen if state.screen().charts.in_list => go_to_row(state),
        _ => return set(state, command).then(Vec::new),
    }
    Some(Vec::new())
}

/// What is selected; of a service only its part in one region, where that is what the row is about: under the region
/// cursor, or in a list of one region.
fn of_selected(state: &State) -> Option<Within> {
    let id = state.selected()?;
    let screen = state.screen();
    if let Id::Service(service) = id
        && let Some(row) = state.index.service(service)
    {
        let at = match &screen.within {
            Within::Region(name) | Within::Part(_, name) => state.index.region_at(name),
            _ if screen.view == View::Services => screen.region,
            _ => None,
        };
        let is_one_of = row.regions.iter().flatten().nth(1).is_some();
        let is_there = at.filter(|at| is_one_of && row.regions.get(*at).is_some_and(Option::is_some));
        if let Some(region) = is_there.and_then(|at| state.index.regions.get(at)) {
            return Some(Within::Part(service.clone(), region.clone()));
        }
    }
    Within::of(id)
}

/// Opens charts one level down, looking as far back as those before.
fn open(state: &mut State, within: Within) {
    let here = state.screen();
    if here.view == View::Charts && here.within == within {
        return;
    }
    let mut screen = Screen::new(View::Charts, within);
    let before = here.charts;
    screen.charts.window = before.window;
    screen.charts.order = before.order;
    state.way.down(screen);
    state.pane = None;
    state.reorder();
}

/// Changes what is shown. False when the command is none of these.
fn set(state: &mut State, command: Command) -> bool {
    let page = charts::place(state).list.saturating_sub(2).max(1);
    let setting = &mut state.way.here_mut().charts;
    match command {
        Command::ChartsShorter if setting.window > 0 => setting.window -= 1,
        Command::ChartsLonger if setting.window + 1 < WINDOWS.len() => setting.window += 1,
        Command::ChartsShorter => state.say(Mark::Stopped, "10 minutes are the least"),
        Command::ChartsLonger => state.say(Mark::Stopped, "no more than 3 hours are kept"),
        Command::ChartsList => setting.in_list = !setting.in_list,
        Command::ChartsOrder => {
            setting.order = setting.order.next();
            first_row(state);
        }
        Command::ChartsKind => {
            setting.kind += 1;
            first_row(state);
        }
        Command::ChartsOpen => setting.is_zoomed = !setting.is_zoomed,
        Command::Back if setting.in_list => setting.in_list = false,
        Command::Back if setting.is_zoomed => setting.is_zoomed = false,
        Command::Up => step(state, -1),
        Command::Down => step(state, 1),
        Command::Top => step(state, isize::MIN),
        Command::Bottom => step(state, isize::MAX),
        Command::HalfUp | Command::PageUp => step(state, -signed(page)),
        Command::HalfDown | Command::PageDown => step(state, signed(page)),
        _ => return false,
    }
    true
}

fn signed(n: usize) -> isize {
    isize::try_from(n).unwrap_or(isize::MAX)
}

fn first_row(state: &mut State) {
    let screen = state.way.here_mut();
    (screen.row, screen.selected) = (0, None);
}

/// The next chart or row.
fn step(state: &mut State, by: isize) {
    let rows = state.largest.rows.len();
    let screen = state.way.here_mut();
    if screen.charts.in_list {
        screen.row = screen.row.saturating_add_signed(by).min(rows.saturating_sub(1));
        screen.selected = state.largest.rows.get(screen.row).map(|row| row.id.clone());
    } else {
        screen.charts.at = screen.charts.at.saturating_add_signed(by).min(Measure::ALL.len() - 1);
    }
}

/// The selected row where it is at home.
fn go_to_row(state: &mut State) {
    let Some(id) = state.selected().cloned() else { return };
    match &id {
        Id::Host(_) => down_to(state, View::Hosts, Within::All, id),
        Id::Service(service) => {
            let within = Within::Stack(service.stack.clone());
            down_to(state, View::Services, within, id);
        }
        Id::Replica(replica) => {
            let service = state.index.replicas.iter().find(|row| row.id == *replica).map(|row| row.service.clone());
            let within = service.map_or(Within::All, Within::Service);
            down_to(state, View::Replicas, within, id);
        }
        Id::Stack(_) | Id::Region(_) | Id::Event(_) | Id::Operation(_) | Id::Stored(..) => {}
    }
}
