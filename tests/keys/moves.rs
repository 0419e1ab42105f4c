//! Choosing where something goes and what it runs again.

use super::{
    asked,
    support::{
        fleet::{World, before, later, now, unseen},
        screen::{screen, text, type_keys},
    },
};
use wharf::{
    app::{Mode, Msg, State, ids::Id, line::Mark, overlay::Overlay, pages, phases::phases, update},
    model::{HostIntent, OperationState, StepState},
    text::Text,
    tui::Theme,
};

fn usual() -> State {
    World::usual().with_history().with_volume().state(Mode::Normal, (120, 40))
}

fn shown(state: &State) -> String {
    text(&screen(state, &Theme::named("default").unwrap()))
}

#[test]
fn choices_lead_through_the_plan_to_one_command() {
    for (keys, effects) in [
        // A replica leaves its host for any other of its region, or a host that is named.
        ("5m<enter><enter>", vec!["wharf migrate payments/api.1 --from e-1 --to east"]),
        ("5mj<enter><enter>", vec!["wharf migrate payments/api.1 --from e-1 --to e-2"]),
        // A service is where the region cursor is; another source is one key away.
        ("4<right>m<enter><enter>", vec!["wharf migrate payments/api --from west --to east"]),
        ("4ml<enter><enter>", vec!["wharf migrate payments/api --from e-1 --to east"]),
        ("4mh<enter><enter>", vec!["wharf migrate payments/api --from a-2 --to east"]),
        ("4m<esc><enter>", vec![]),
        ("4m<enter>x<enter>", vec![]),
        ("4B<enter><enter>", vec!["wharf rollback payments/api --to r11"]),
        ("4Bjj<enter><enter>", vec!["wharf rollback payments/api --to r9"]),
        ("4B<esc><enter>", vec![]),
        ("3B<enter><enter>", vec!["wharf rollback payments --to 2"]),
        ("3BG<enter><enter>", vec!["wharf rollback payments --to 1"]),
        ("2D<enter>", vec!["wharf drain e-1"]),
        ("2Dx<enter>", vec![]),
        ("2b<esc>", vec![]),
        (":rebalance-all<enter><esc>", vec![]),
    ] {
        let mut state = usual();
        assert_eq!(asked(type_keys(&mut state, keys)), effects, "{keys}");
    }
}

#[test]
fn a_refused_target_stays_in_sight_and_says_why() {
    let mut world = World::usual();
    world.desired.hosts.insert("w-2".parse().unwrap(), HostIntent::Cordoned);
    let mut state = world.state(Mode::Normal, (120, 40));
    type_keys(&mut state, "4<right>m");
    let Some(Overlay::Move(picker)) = &state.overlay else { panic!("no picker") };
    let at = picker.targets.iter().position(|target| target.site.to_string() == "w-2").unwrap();
    for _ in 0..picker.targets.len() {
        type_keys(&mut state, "k");
    }
    for _ in 0..at {
        type_keys(&mut state, "j");
    }
    assert!(asked(type_keys(&mut state, "<enter>")).is_empty());
    assert!(state.notice.as_ref().unwrap().text.contains("w-2 takes nothing new: cordoned"), "{:?}", state.notice);
    assert!(matches!(state.overlay, Some(Overlay::Move(_))), "the choice goes on");
    assert!(state.draft.is_empty());
    assert!(shown(&state).contains("✗ w-2 takes nothing new"));
}

#[test]
fn what_is_tied_to_its_host_names_its_volume() {
    let mut state = usual();
    type_keys(&mut state, "4/ledger<enter>m");
    let text = shown(&state);
    assert!(text.contains("payments/ledger has its volume data only on e-1"), "{text}");
    assert!(asked(type_keys(&mut state, "<enter>")).is_empty());
}

#[test]
fn the_choice_follows_the_fleet_and_sticks_to_its_target() {
    let mut state = usual();
    type_keys(&mut state, "4<right>mjjj");
    let selected = |state: &State| match &state.overlay {
        Some(Overlay::Move(picker)) => {
            picker.selected().map(|target| (target.site.to_string(), target.refusal.clone()))
        }
        _ => None,
    };
    let (site, refusal) = selected(&state).unwrap();
    assert_eq!(refusal, None);
    update(&mut state, unseen(&site, 30, "no answer"));
    state.settle();
    let (after, refusal) = selected(&state).unwrap();
    assert_eq!(after, site);
    assert!(refusal.unwrap().contains("not seen for 30 s"));
}

#[test]
fn the_difference_follows_the_selected_revision() {
    let mut state = usual();
    type_keys(&mut state, "4B");
    let text = shown(&state);
    assert!(text.contains("r12 → r13") && text.contains("image: acme/pay-api:12 → acme/pay-api:11"), "{text}");
    assert!(text.contains("environment.POOL: – → •••") && !text.contains("postgres://"), "secrets are masked: {text}");
    type_keys(&mut state, "j");
    assert!(shown(&state).contains("acme/pay-api:12 → acme/pay-api:10"));
    type_keys(&mut state, "kk");
    assert!(shown(&state).contains("r12 is what runs now."));
    assert!(asked(type_keys(&mut state, "<enter>")).is_empty());
    assert!(state.draft.is_empty());
}

#[test]
fn a_plan_of_a_roll_back_does_not_change_with_the_clock() {
    let mut state = usual();
    type_keys(&mut state, "4B<enter>");
    let version = state.plan_version;
    update(&mut state, Msg::Tick(later(20)));
    state.settle();
    assert_eq!(state.plan_version, version);
    assert!(shown(&state).contains("WHAT DIFFERS"));
}

#[test]
fn lines_of_a_draft_that_touch_the_same_thing_wait_for_each_other() {
    let mut state = usual();
    type_keys(&mut state, "4<right>m<enter><esc>+");
    let refusals: Vec<String> = state.planned.as_ref().unwrap().refusals().map(ToString::to_string).collect();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(refusals[0].contains("another line of this draft changes payments/api in west"), "{refusals:?}");
    assert_eq!(asked(type_keys(&mut state, ".<enter>")), ["wharf migrate payments/api --from west --to east"]);
    assert_eq!(state.draft.changes().len(), 1, "the other stays");
    update(&mut state, Msg::Applied(Err(Text::new("ben changed payments/api in west a moment ago."))));
    state.settle();
    assert_eq!(state.draft.changes().len(), 2, "a refused one comes back");
}

#[test]
fn hosts_that_drain_together_are_no_target_for_each_other() {
    let mut state = usual();
    type_keys(&mut state, "2jjjj<space><space>D");
    assert_eq!(state.draft.changes().hosts.len(), 2);
    let desired = &state.store.desired;
    let mut moved = 0;
    for plan in state.planned.as_ref().unwrap().plans() {
        for ((service, region), after) in &plan.proposal.assignments {
            let before = desired.assignment(service, region).unwrap();
            for (slot, place) in &after.as_ref().unwrap().slots {
                if before.slots[slot] != *place {
                    moved += 1;
                    assert!(!["w-1", "w-2"].contains(&place.host.as_str()), "{service}.{slot} → {}", place.host);
                }
            }
        }
    }
    assert!(moved > 0);
}

#[test]
fn a_draining_host_tells_how_far_it_is() {
    let world = World::usual().with_drain();
    let mut state = world.state(Mode::Normal, (120, 40));
    type_keys(&mut state, "2");
    // One has moved, and one that has ended already need not.
    assert!(shown(&state).contains("draining 3 of 5 left"), "{}", shown(&state));
    type_keys(&mut state, "/w-2<enter>D");
    assert!(state.notice.as_ref().unwrap().text.contains("draining already"));
    type_keys(&mut state, "u.<enter>");
    let mut empty = World::usual().with_drain();
    empty.containers.get_mut("w-2").unwrap().clear();
    let mut state = empty.state(Mode::Normal, (120, 40));
    type_keys(&mut state, "2");
    assert!(shown(&state).contains("safe to switch off"));
    update(&mut state, unseen("w-2", 20, "no answer"));
    state.settle();
    assert!(!shown(&state).contains("safe to switch off"), "nobody knows");
}

#[test]
fn a_drain_can_be_followed_phase_by_phase() {
    let world = World::usual().with_drain();
    let mut state = world.state(Mode::Normal, (160, 50));
    world.tell_traffic(&mut state);
    let op = state.operations()[0].clone();
    let steps = &op.progress.values().next().unwrap().steps;
    let told = |at: usize| -> Vec<String> {
        let key = steps[at].replica.as_ref().unwrap();
        phases(&state, &op, key)
            .into_iter()
            .map(|phase| {
                format!(
                    "{} {}{}",
                    phase.mark.glyph(),
                    phase.what,
                    if phase.note.is_empty() { String::new() } else { format!(": {}", phase.note) }
                )
            })
            .collect()
    };
    assert!(told(0).iter().all(|phase| phase.starts_with('●')), "{:?}", told(0));
    let second = told(1);
    assert_eq!(second[1..3], ["● healthy", "● in traffic"], "{second:?}");
    assert_eq!(second[3..], ["◐ drain on w-2: 3 sessions left at w-2", "○ stop on w-2"], "{second:?}");
    assert!(told(2)[0].starts_with("◐ start on"), "{:?}", told(2));
    assert!(told(2)[1..].iter().all(|phase| phase.starts_with('○')), "{:?}", told(2));
    type_keys(&mut state, "9<enter>");
    let text = shown(&state);
    for words in [
        "84,112 since it began",
        "0 failed",
        "done ",
        "running",
        "12 s",
        "waits",
        "next",
        "later",
        "w-2 ◐ 3 sessions; at most 21 s more",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let words = pages::operation_traffic(&op).unwrap();
    assert_eq!((words.requests, words.failed), (84_112, 0));
}

#[test]
fn steps_of_what_is_over_begin_nothing() {
    let mut world = World::usual().with_drain();
    world.operations[0].state = OperationState::Aborted { at: before(1), by: "ana@bastion".into() };
    let mut state = world.state(Mode::Normal, (120, 40));
    type_keys(&mut state, "9<enter>");
    let text = shown(&state);
    assert!(!text.contains("running") && !text.contains(" next "), "{text}");
    assert!(
        world.operations[0]
            .progress
            .values()
            .any(|part| part.steps.iter().any(|step| step.state == StepState::Running))
    );
}

#[test]
fn traffic_is_shown_as_rates_and_gaps_as_gaps() {
    let world = World::usual();
    let mut state = world.state(Mode::Normal, (200, 55));
    type_keys(&mut state, "4");
    let row = |state: &State| shown(state).lines().find(|line| line.contains("search/index")).unwrap().to_owned();
    assert!(!row(&state).contains("3.0"));
    world.tell_traffic(&mut state);
    assert!(row(&state).contains("3.0"), "{}", row(&state));
    let index = state.index.hosts.len();
    update(&mut state, Msg::Tick(later(30)));
    state.settle();
    assert_eq!(state.index.hosts.len(), index);
    assert!(!row(&state).contains("3.0"), "old numbers are none: {}", row(&state));
}

#[test]
fn a_new_host_is_offered_a_rebalance() {
    let mut world = World::usual();
    for regions in world.desired.services.values_mut() {
        for place in regions.values_mut().flat_map(|all| all.slots.values_mut()).filter(|it| it.host.as_str() == "e-4")
        {
            place.host = "e-1".parse().unwrap();
        }
    }
    world.containers.clear();
    world.fill();
    let mut state = world.state(Mode::Normal, (160, 40));
    assert!(shown(&state).contains("east: 2 b would move"), "{}", shown(&state));
    type_keys(&mut state, "2");
    let text = shown(&state);
    let line = text.lines().find(|line| line.contains("emptiest of east")).unwrap();
    assert!(line.contains("e-4"), "{line}");
    assert_eq!(asked(type_keys(&mut state, "b<enter>")), ["wharf rebalance east"]);
    assert!(matches!(state.selected(), Some(Id::Host(_))));
    let mut even = World::new(&[("east", &["e-1", "e-2"])]);
    even.service("shop/web", "nginx", 1, &[("east", 2)]);
    even.fill();
    let mut even = even.state(Mode::Normal, (120, 40));
    type_keys(&mut even, "2b");
    assert!(even.notice.as_ref().unwrap().text.contains("east are even") && even.draft.is_empty());
    let mut reader = world.state(Mode::ReadOnly, (160, 40));
    type_keys(&mut reader, "2");
    assert!(!shown(&reader).contains("shows it"), "nobody can press it there");
}

#[test]
fn who_only_looks_is_told_why_nothing_moves() {
    let mut state = World::usual().with_history().state(Mode::ReadOnly, (120, 40));
    for keys in ["4m", "4B", "2D", "2b", "3m", "3B", "5m", ":rebalance-all<enter>"] {
        type_keys(&mut state, keys);
        let notice = state.notice.clone().unwrap_or_else(|| panic!("{keys}"));
        assert!(notice.text.contains("read-only") && notice.mark == Mark::Stopped, "{keys}: {notice:?}");
        assert!(state.draft.is_empty() && state.overlay.is_none(), "{keys}");
    }
    let mut wall = World::usual().state(Mode::Watch, (120, 40));
    for keys in ["4m", "4B", "2D", "2b"] {
        assert!(asked(type_keys(&mut wall, keys)).is_empty());
        assert!(wall.overlay.is_none() && wall.draft.is_empty(), "{keys}");
    }
    assert_eq!(now(), wall.now);
}

#[test]
fn hostile_words_in_a_history_stay_in_their_columns() {
    let mut world = World::usual().with_history();
    for revision in world.desired.revisions.values_mut().flat_map(|kept| kept.values_mut()) {
        let revision = std::sync::Arc::make_mut(revision);
        revision.note = "\x1b[31mred\u{202e}\nnext".to_owned();
        revision.by = "港口港口港口港口港口@港".to_owned();
        revision.image = format!("港/\x1b]0;x\x07{}", "口".repeat(200));
        revision.spec.image = revision.image.clone();
    }
    for (size, keys) in [((80, 24), "4B"), ((41, 12), "4B"), ((80, 24), "3B"), ((80, 24), "4B<enter>"), ((30, 8), "4m")]
    {
        let mut state = world.state(Mode::Normal, size);
        type_keys(&mut state, keys);
        let buffer = screen(&state, &Theme::named("default").unwrap());
        let bad = ['\x1b', '\u{202e}', '\n', '\x07'];
        assert!(buffer.content.iter().all(|cell| !cell.symbol().contains(bad)), "{keys}");
        for line in text(&buffer).lines() {
            assert!(wharf::text::width(line) <= usize::from(size.0), "{keys}: {line}");
        }
    }
}
