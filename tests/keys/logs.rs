//! Keys in the logs view, and what follows from what is told meanwhile.

use wharf::{
    app::{Effect, Mode, Msg, State, screen::View, update},
    model::{ContainerState, HostChange, HostUpdate, LogBegin, LogQuery},
    tui::Theme,
};

use crate::support::{
    fleet::{World, before, later, now},
    lines::{batch, tell},
    screen::{screen, text, type_keys},
};

fn usual() -> State {
    World::usual().state(Mode::Normal, (120, 20))
}

fn shown(state: &State) -> String {
    text(&screen(state, &Theme::named("default").unwrap()))
}

fn queries(effects: Vec<Effect>) -> Vec<LogQuery> {
    let query = |effect| if let Effect::Follow(query) = effect { Some(query) } else { None };
    effects.into_iter().filter_map(query).collect()
}

#[test]
fn every_list_leads_to_the_logs_of_its_row() {
    for (keys, sources) in [("3l", 18 + 6 + 1), ("4l", 18), ("5l", 1), ("2l", 7), ("4<enter>7", 1), ("47", 18)] {
        let mut state = usual();
        let asked = queries(type_keys(&mut state, keys));
        assert_eq!(state.screen().view, View::Logs, "{keys}");
        assert_eq!(asked.len(), 1, "{keys}");
        assert_eq!(asked[0].sources.len(), sources, "{keys}");
        assert!(matches!(asked[0].begin, LogBegin::Tail(_)), "{keys}");
        let effects = type_keys(&mut state, "<esc>");
        assert!(effects.contains(&Effect::Unfollow) && state.logs.is_none(), "{keys}");
    }
}

#[test]
fn other_times_are_other_questions_and_late_answers_are_dropped() {
    let mut state = usual();
    type_keys(&mut state, "5l");
    let old = batch(&state, &[(0, 1, "old")]);
    let asked = queries(type_keys(&mut state, "6"));
    assert!(matches!(asked[..], [LogQuery { begin: LogBegin::Since(since, _), .. }] if since == before(3600)));
    update(&mut state, Msg::Logs(Box::new(old)));
    assert!(state.logs.as_ref().unwrap().ring.is_empty());
    let asked = queries(type_keys(&mut state, "1"));
    assert!(matches!(asked[..], [LogQuery { begin: LogBegin::Head(_), .. }]));
    let asked = queries(type_keys(&mut state, "p"));
    assert!(matches!(asked[..], [LogQuery { begin: LogBegin::Previous(_), .. }]));
    let asked = queries(type_keys(&mut state, "p"));
    assert!(matches!(asked[..], [LogQuery { begin: LogBegin::Tail(_), .. }]));
    let asked = queries(type_keys(&mut state, "<space>"));
    assert!(matches!(asked[..], [LogQuery { paused: true, .. }]));
    let mut fresh = usual();
    let asked = queries(type_keys(&mut fresh, "5p"));
    assert!(matches!(asked[..], [LogQuery { begin: LogBegin::Previous(_), .. }]));
}

#[test]
fn scrolling_up_stands_still_until_it_is_told_to_go_on() {
    let mut state = usual();
    type_keys(&mut state, "5l");
    let many: Vec<(u32, i64, String)> = (0..100).map(|n| (0, n, format!("line {n}."))).collect();
    tell(&mut state, &many);
    assert!(shown(&state).contains("line 99.") && !shown(&state).contains("line 50."));
    type_keys(&mut state, "kkk");
    let still = shown(&state);
    assert!(still.contains("line 96.") && !still.contains("line 97."), "{still}");
    // New lines change nothing, also where they get in before.
    tell(&mut state, &[(0, 50, "late one".to_owned()), (0, 200, "newest".to_owned())]);
    assert!(shown(&state).contains("line 96.") && !shown(&state).contains("newest"));
    assert!(shown(&state).contains("4 below"), "{}", shown(&state));
    type_keys(&mut state, "G");
    assert!(shown(&state).contains("newest"));
    type_keys(&mut state, "g");
    assert!(shown(&state).contains("line 0."));
    type_keys(&mut state, "s");
    assert!(shown(&state).contains("newest"));
}

#[test]
fn lines_are_looked_for() {
    let mut state = usual();
    type_keys(&mut state, "5l");
    let many: Vec<(u32, i64, String)> =
        (0..60).map(|n| (0, n, if n % 20 == 10 { format!("BAD {n}.") } else { format!("good {n}.") })).collect();
    tell(&mut state, &many);
    type_keys(&mut state, "/bad<enter>");
    let only = shown(&state);
    assert!(only.contains("BAD 10.") && only.contains("BAD 50.") && !only.contains("good"), "{only}");
    tell(&mut state, &[(0, 70, "good 70.".to_owned()), (0, 71, "bad 71.".to_owned())]);
    assert!(shown(&state).contains("bad 71.") && !shown(&state).contains("good 70."));
    type_keys(&mut state, "&");
    let around = shown(&state);
    assert!(around.contains("good 28.") && around.contains("good 32.") && !around.contains("good 33."), "{around}");
    type_keys(&mut state, "&N");
    let all = shown(&state);
    assert!(all.contains("▸") && all.contains("bad 71."), "{all}");
    type_keys(&mut state, "NNN");
    assert!(shown(&state).lines().any(|line| line.starts_with('▸') && line.contains("BAD 10.")), "{}", shown(&state));
    type_keys(&mut state, "n");
    assert!(shown(&state).lines().any(|line| line.starts_with('▸') && line.contains("BAD 30.")));
    type_keys(&mut state, "<esc>");
    assert_eq!((state.screen().view, state.screen().filter.as_str()), (View::Logs, ""));
    type_keys(&mut state, "/!good<enter>");
    assert!(!shown(&state).contains("good 5"));
}

#[test]
fn a_life_that_ends_and_begins_again_is_told_between_the_lines() {
    let world = World::usual();
    let mut state = world.state(Mode::Normal, (120, 20));
    type_keys(&mut state, "5l");
    tell(&mut state, &[(0, 1, "working".to_owned())]);
    let source = state.logs.as_ref().unwrap().sources.get(0).unwrap().clone();
    let container = world.containers[source.host.as_str()].iter().find(|one| one.id == source.container).unwrap();
    let mut see = |change: &dyn Fn(&mut wharf::model::Container), seconds| {
        let mut container = container.clone();
        change(&mut container);
        update(&mut state, Msg::Tick(later(seconds)));
        let change = HostChange::Container(Box::new(container));
        let effects = update(&mut state, Msg::Hosts(vec![HostUpdate { host: source.host.clone(), change }])).effects;
        (effects, state.settle(), shown(&state))
    };
    let (_, effects, text) =
        see(&|one| one.state = ContainerState::Exited { code: 137, at: Some(now()), oom: true }, 1);
    assert!(text.contains("── api.1 e-1 exited with 137 (out of memory) ──"), "{text}");
    assert!(queries(effects).iter().all(|query| !query.sources[0].runs));
    let (_, effects, text) = see(&|one| one.restarts += 1, 2);
    assert!(text.contains("exited with 137 (out of memory) · started again ──"), "{text}");
    assert!(queries(effects).iter().all(|query| query.sources[0].runs));
}

#[test]
fn what_floods_is_bounded_and_said() {
    let mut state = usual();
    type_keys(&mut state, "4l");
    for round in 0..12 {
        let many: Vec<(u32, i64, String)> =
            (0..5_000).map(|n| (n % 18, round, format!("{round} {n} {}", "x".repeat(200)))).collect();
        tell(&mut state, &many);
    }
    let logs = state.logs.as_ref().unwrap();
    assert!(logs.ring.len() <= 50_000 && logs.ring.gone > 0);
    let mut drops = batch(&state, &[(0, 20, "after")]);
    drops.dropped = 1_234;
    update(&mut state, Msg::Logs(Box::new(drops)));
    assert!(shown(&state).contains("1,234 too fast to show"), "{}", shown(&state));
}

#[test]
fn sources_are_switched_off_and_on() {
    let mut state = usual();
    type_keys(&mut state, "4l");
    tell(&mut state, &[(0, 1, "alpha".to_owned()), (1, 2, "beta".to_owned())]);
    type_keys(&mut state, "A<space><esc>");
    assert!(!shown(&state).contains("alpha") && shown(&state).contains("beta"));
    type_keys(&mut state, "Ao<esc>");
    assert!(shown(&state).contains("alpha") && !shown(&state).contains("beta"));
    type_keys(&mut state, "Ao<esc>");
    assert!(shown(&state).contains("alpha") && shown(&state).contains("beta"));
    type_keys(&mut state, "mC");
    assert!(!shown(&state).contains("alpha"));
}

#[test]
fn any_text_can_be_looked_at_in_any_way() {
    let long = "港".repeat(20_000);
    let lines: Vec<(u32, i64, String)> = [
        "\x1b[31mred\x1b[0m and \x1b[38;5;99mviolet\x1b[0m",
        "e\u{301}\u{301}\u{301} combining",
        "zero\u{200b}width \u{202e}bidi",
        "👩‍👩‍👧 family 🏳️‍🌈",
        "tab\there",
        "",
        &long,
        &"x".repeat(70_000),
        "\x1b]0;title\x07\x1b[2J",
    ]
    .iter()
    .enumerate()
    .map(|(at, line)| (0, i64::try_from(at).unwrap(), (*line).to_owned()))
    .collect();
    for size in [(120, 20), (40, 8), (20, 4), (5, 2), (1, 1)] {
        let mut state = World::usual().state(Mode::Normal, size);
        type_keys(&mut state, "4l");
        tell(&mut state, &lines);
        for keys in [
            "",
            "w",
            "k",
            "kkkkkk",
            "<pgup>",
            "g",
            "<ctrl-d>",
            "w",
            "<right><right>",
            "t",
            "t",
            "/港<enter>",
            "&",
            "n",
            "N",
            "G",
        ] {
            type_keys(&mut state, keys);
            let drawn = shown(&state);
            assert!(!drawn.contains('\u{1b}') && !drawn.contains('\u{202e}'));
        }
    }
}
