//! The mouse, for who asked for it.

use super::*;
use wharf::app::{Mouse, MouseAct, screen::View};

fn act(state: &mut State, act: MouseAct, x: u16, y: u16) -> Vec<Effect> {
    update(state, Msg::Mouse(Mouse { act, x, y })).effects
}

fn selected(state: &State) -> String {
    match state.selected() {
        Some(Id::Service(id)) => id.to_string(),
        Some(Id::Host(name)) => name.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_click_selects_and_a_second_one_opens() {
    let mut state = usual();
    type_keys(&mut state, "2");
    // Header, rule, titles; then the rows.
    act(&mut state, MouseAct::Click, 5, 5);
    assert_eq!(selected(&state), "e-3");
    assert_eq!(state.screen().view, View::Hosts);
    act(&mut state, MouseAct::Click, 80, 5);
    assert_eq!(state.screen().view, View::Replicas, "the same row again");
    type_keys(&mut state, "<esc>");
    for (x, y) in [(5, 0), (5, 1), (5, 35), (5, 39), (300, 5), (5, 300)] {
        act(&mut state, MouseAct::Click, x, y);
        assert_eq!((state.screen().view, selected(&state)), (View::Hosts, "e-3".to_owned()), "{x} {y}");
    }
}

#[test]
fn a_click_on_a_title_sorts_and_turns_round() {
    let mut state = usual();
    type_keys(&mut state, "2");
    let shown = text(&screen(&state, &Theme::named("default").unwrap()));
    let titles = shown.lines().nth(2).unwrap();
    let at = u16::try_from(titles.find("CPU %").unwrap()).unwrap();
    let first = |state: &State| {
        let shown = text(&screen(state, &Theme::named("default").unwrap()));
        (shown.lines().nth(2).unwrap().contains("CPU %"), shown.lines().nth(3).unwrap().to_owned())
    };
    act(&mut state, MouseAct::Click, at + 2, 2);
    let largest = first(&state);
    act(&mut state, MouseAct::Click, at + 2, 2);
    assert_ne!(first(&state), largest);
    act(&mut state, MouseAct::Click, at + 2, 2);
    assert_eq!(first(&state), largest);
}

#[test]
fn the_wheel_moves_what_it_is_over() {
    let mut state = usual();
    type_keys(&mut state, "5");
    act(&mut state, MouseAct::WheelDown, 10, 10);
    assert_eq!(state.screen().row, 3);
    act(&mut state, MouseAct::WheelUp, 10, 10);
    assert_eq!(state.screen().row, 0);
    type_keys(&mut state, "3d");
    let height = state.size.1;
    update(&mut state, Msg::Resize(120, 12));
    act(&mut state, MouseAct::WheelDown, 110, 6);
    assert_eq!((state.screen().row, state.pane.unwrap().top), (0, 3), "the pane under it");
    assert!(!state.pane.unwrap().focused, "keys stay where they were");
    update(&mut state, Msg::Resize(120, height));
    type_keys(&mut state, "<esc>?");
    act(&mut state, MouseAct::WheelDown, 10, 10);
    assert_eq!(state.overlay, Some(Overlay::Help { top: 3 }));
    assert_eq!(act(&mut state, MouseAct::Click, 10, 10), []);
    assert!(matches!(state.overlay, Some(Overlay::Help { .. })), "a click closes nothing");
}

#[test]
fn nothing_that_changes_the_fleet_hangs_on_a_mouse() {
    let mut state = usual();
    type_keys(&mut state, "4++");
    for y in 0..40 {
        for act_of in [MouseAct::Click, MouseAct::WheelDown] {
            let effects = act(&mut state, act_of, 30, y);
            assert!(!effects.iter().any(Effect::mutates), "{effects:?}");
            type_keys(&mut state, "4");
        }
    }
    assert_eq!(state.draft.changes().len(), 1);
}

#[test]
fn where_there_is_text_the_mouse_is_the_terminals() {
    let mut state = usual();
    assert!(!state.wants_mouse(), "nobody asked for it");
    state.mouse = true;
    for (keys, wants) in [("4", true), ("4y", false), ("4l", false), ("4d", true), ("6", true)] {
        type_keys(&mut state, "<esc><esc><esc>1");
        type_keys(&mut state, keys);
        assert_eq!(state.wants_mouse(), wants, "{keys}");
    }
    type_keys(&mut state, ":mouse<enter>");
    assert!(!state.mouse);
}
