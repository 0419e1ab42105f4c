//! What hosts keep, and clearing them.

use super::*;
use crate::support::stored::{storage, tell};
use wharf::app::screen::Within;

/// The storage of `e-1`, told.
fn told() -> State {
    let mut state = usual();
    type_keys(&mut state, "2V");
    let answer = storage(&state, "e-1", true);
    tell(&mut state, "e-1", Ok(answer));
    state
}

fn names(state: &State) -> Vec<String> {
    let row = |at: &usize| &state.stores.rows[*at];
    state
        .rows
        .rows
        .iter()
        .map(row)
        .map(|row| row.thing.as_ref().map_or("host".into(), wharf::model::Stored::title))
        .collect()
}

fn notice(state: &State) -> String {
    state.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default()
}

#[test]
fn hosts_are_asked_when_somebody_looks_and_not_again_at_once() {
    let surveys = |effects: Vec<Effect>| -> Vec<usize> {
        let surveys =
            effects.into_iter().filter_map(|it| if let Effect::Survey(hosts) = it { Some(hosts.len()) } else { None });
        surveys.collect()
    };
    let mut state = usual();
    let hosts = state.fleet.hosts().count();
    assert_eq!(surveys(type_keys(&mut state, "2V")), [1], "the selected host");
    assert_eq!(state.screen().within, Within::Host("e-1".parse().unwrap()));
    assert_eq!(surveys(type_keys(&mut state, "V")), [hosts - 1], "all others");
    assert_eq!(surveys(type_keys(&mut state, "2VVjk")), [] as [usize; 0]);
    assert_eq!(surveys(type_keys(&mut state, "<ctrl-r>")), [1], "asked for");
    update(&mut state, Msg::Tick(later(301)));
    assert_eq!(surveys(type_keys(&mut state, "j")), [hosts], "they are old");
    // Nobody looks for ten minutes: forgotten. An answer that comes then is taken by nobody.
    type_keys(&mut state, "2");
    update(&mut state, Msg::Tick(later(1_000)));
    state.settle();
    assert!(state.stores.rows.is_empty());
    let late = storage(&state, "e-1", false);
    tell(&mut state, "e-1", Ok(late));
    assert!(state.stores.rows.is_empty());
}

#[test]
fn what_it_is_there_for_is_said_and_filtered() {
    for (keys, shown) in [
        (
            "/used=no<space>kind=image<enter>",
            vec!["77aa77aa77aa (no name)", "acme/old@sha256:9c9c…", "evil␛[31m⟨202E⟩gpj.exe:1", "港湾/服务:一"],
        ),
        ("/kind=volume<space>used=no<enter>", vec!["abababababab (no name)", "gone_data"]),
        ("/size>1GiB<space>kind=volume<enter>", vec!["payments_data"]),
        ("/stack=gone<enter>", vec!["gone_data", "gone_default"]),
        (":volumes<enter>/<space>!gone<enter>", vec!["abababababab (no name)", "backup", "payments_data"]),
    ] {
        let mut state = told();
        type_keys(&mut state, keys);
        let names = names(&state);
        assert_eq!(names.len(), shown.len(), "{keys}: {names:?}");
        if !keys.contains("image") {
            assert_eq!(names, shown, "{keys}");
        }
    }
}

#[test]
fn only_what_nothing_needs_goes_into_a_draft() {
    let lines =
        |state: &State| state.draft.changes().spares.values().map(wharf::model::Stored::title).collect::<Vec<_>>();
    // The host's row stands for its images and networks; no volume goes unless it is meant.
    let mut state = told();
    type_keys(&mut state, "p");
    assert_eq!(lines(&state).len(), 5, "{:?}", lines(&state));
    assert!(!lines(&state).iter().any(|name| name.contains("data")));
    assert!(matches!(state.overlay, Some(Overlay::Plan(_))));
    let asked = asked(type_keys(&mut state, "<enter>"));
    assert!(asked.len() == 1 && asked[0].starts_with("wharf prune e-1 --id "), "{asked:?}");
    // One that is used, and one that is kept, say why they stay.
    for (find, why) in [
        ("nginx", "it stays: shop-web-1-r8"),
        ("index", "it stays: kept: search/index r5 can come back"),
        ("backup", "it stays: not wharf's: left alone"),
        ("payments_", "it stays: kept: payments uses it when it runs here"),
        ("bridge", "it stays: the engine's own"),
    ] {
        let mut state = told();
        type_keys(&mut state, &format!("/{find}<enter>p"));
        assert_eq!(notice(&state), why, "{find}");
        assert!(state.draft.is_empty());
    }
    // Marked ones together; a volume that is meant goes, with a warning.
    let mut state = told();
    type_keys(&mut state, "/used=no<enter>*p");
    assert!(lines(&state).contains(&"gone_data".to_owned()));
    let shown = text(&screen(&state, &Theme::named("default").unwrap()));
    assert!(shown.contains("is lost for good"), "{shown}");
    assert!(shown.contains("remove 7 things"), "{shown}");
    type_keys(&mut state, "x<esc>");
    assert!(state.draft.is_empty());
}

#[test]
fn who_only_looks_clears_nothing() {
    for mode in [Mode::ReadOnly, Mode::Watch] {
        let mut state = World::usual().state(mode, (120, 40));
        type_keys(&mut state, "2V");
        let answer = storage(&state, "e-1", true);
        tell(&mut state, "e-1", Ok(answer));
        assert_eq!(asked(type_keys(&mut state, "p.<enter>")), [] as [&str; 0]);
        assert!(state.draft.is_empty());
    }
}

#[test]
fn the_page_of_a_clearing_says_nothing_of_requests() {
    let page = |world: &World| {
        let mut state = world.state(Mode::Normal, (120, 40));
        type_keys(&mut state, "9<enter>");
        text(&screen(&state, &Theme::named("default").unwrap()))
    };
    let mut world = World::usual().with_operation(OperationState::Running);
    assert!(page(&world).contains("requests"), "{}", page(&world));
    for op in &mut world.operations {
        op.intent = Intent::Prune { regions: std::collections::BTreeMap::new() };
        op.after.clear();
    }
    let shown = page(&world);
    assert!(shown.contains("prune") && !shown.contains("requests"), "{shown}");
}
