//! Keys in, state and effects out.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test program")]

#[path = "keys/charts.rs"]
mod charts;
#[path = "keys/graph.rs"]
mod graph;
#[path = "keys/inspect.rs"]
mod inspect;
#[path = "keys/logs.rs"]
mod logs;
#[path = "keys/mouse.rs"]
mod mouse;
#[path = "keys/moves.rs"]
mod moves;
#[path = "keys/rights.rs"]
mod rights;
#[path = "keys/storage.rs"]
mod storage;
mod support;

use proptest::prelude::*;
use support::{
    fleet::{World, before, later, now, unseen},
    screen::{screen, text, type_keys},
};
use wharf::{
    app::{Effect, Mode, Msg, Redraw, State, ids::Id, key::Key, overlay::Overlay, screen::View, update},
    model::{
        Container, ContainerState, EngineEvent, HostChange, HostUpdate, Intent, Operation, OperationState, Paused,
    },
    text::Text,
    tui::Theme,
};

fn usual() -> State {
    World::usual().state(Mode::Normal, (120, 40))
}

/// What the effects ask the store for, as command lines; and everything else but samples, in words.
fn asked(effects: Vec<Effect>) -> Vec<String> {
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Apply(proposal) => Some(proposal.equivalent),
            Effect::Sample { .. } => None,
            Effect::Dump(_) => Some("dump".to_owned()),
            other => Some(format!("{other:?}")),
        })
        .collect()
}

#[test]
fn keys_lead_to_effects() {
    for (keys, effects) in [
        // The way in a peak: find, three more, look, apply.
        ("4/pay<enter>+++.<enter>", vec!["wharf scale payments/api=9@east"]),
        ("4/pay<enter><right>++h+.<enter>", vec!["wharf scale payments/api=7@east payments/api=8@west"]),
        ("4=12<enter>.<enter>", vec!["wharf scale payments/api=12@east"]),
        ("4---------.<enter>", vec!["wharf scale payments/api=0@east"]),
        ("4+++zz.<enter>", vec!["wharf scale payments/api=7@east"]),
        ("4+++zzZ.<enter>", vec!["wharf scale payments/api=8@east"]),
        ("4++--", vec![]),
        ("4+.x<enter>", vec![]),
        ("4+.<esc><enter>", vec![]),
        ("4s7<down>8<enter>.<enter>", vec!["wharf scale payments/api=7@east payments/api=8@west"]),
        ("5+.<enter>", vec!["wharf scale payments/api=7@east"]),
        ("2u.<enter>", vec!["wharf cordon e-1"]),
        ("2uu", vec![]),
        ("4r.<enter>", vec!["wharf restart payments/api"]),
        ("4rr", vec![]),
        ("3G x q", vec![]),
        ("q", vec!["Quit"]),
        ("<ctrl-c>", vec!["Quit"]),
        ("4+q", vec![]),
        ("4+qq", vec![]),
        ("4+q<enter>", vec!["Quit"]),
        ("2R", vec!["Reconnect(HostName(\"e-1\"))"]),
        ("2<ctrl-r>", vec!["Resync(HostName(\"e-1\"))"]),
        ("2jc", vec!["Copy(\"e-2\")"]),
        ("<ctrl-l>", vec!["Repaint"]),
        ("<ctrl-z>", vec!["Suspend"]),
        ("4<ctrl-s>", vec!["dump"]),
        ("4+.y", vec!["Copy(\"wharf scale payments/api=7@east\")"]),
        (":remove<enter>search<enter>.<enter>", vec![]),
        ("j:remove<enter>search<enter>.<enter>", vec!["wharf rm search"]),
        ("j:remove<enter>shop<enter>.<enter>", vec![]),
    ] {
        let mut state = usual();
        assert_eq!(asked(type_keys(&mut state, keys)), effects, "{keys}");
    }
}

#[test]
fn keys_lead_to_places() {
    let path = |state: &State| {
        state
            .way
            .screens()
            .map(|screen| match screen.within.name() {
                Some(name) => format!("{name}/{}", screen.view.word()),
                None => screen.view.word().to_owned(),
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (keys, place) in [
        ("", "overview"),
        ("<enter>", "overview payments/services"),
        ("<enter><enter>", "overview payments/services payments/api/replicas"),
        ("<enter><enter><esc><esc><esc>", "overview"),
        ("2<enter>", "hosts e-1/replicas"),
        ("25", "replicas"),
        ("25[", "hosts"),
        ("25[]", "replicas"),
        ("25''", "replicas"),
        ("25'", "hosts"),
        ("5o", "replicas payments/services"),
        ("4o", "services stacks"),
        ("2e", "hosts e-1/events"),
        (":hosts<enter>", "hosts"),
        ("4/zzz<esc>", "services"),
    ] {
        let mut state = usual();
        type_keys(&mut state, keys);
        assert_eq!(path(&state), place, "{keys}");
    }
}

#[test]
fn escape_goes_one_level_at_a_time() {
    let mut state = usual();
    type_keys(&mut state, "<enter>/api<enter><space>");
    assert_eq!(state.screen().marks.len(), 1);
    type_keys(&mut state, "<esc>");
    assert!(state.screen().marks.is_empty());
    assert_eq!(state.screen().filter, "api");
    type_keys(&mut state, "<esc>");
    assert_eq!(state.screen().filter, "");
    assert_eq!(state.screen().view, View::Services);
    type_keys(&mut state, "<esc>");
    assert_eq!(state.screen().view, View::Overview);
}

#[test]
fn marks_carry_an_edit_to_every_marked_row() {
    let mut state = usual();
    let effects = type_keys(&mut state, "4<space><down><space>++.<enter>");
    assert_eq!(asked(effects), ["wharf scale payments/api=8@east payments/worker=4@east"]);
}

#[test]
fn the_selection_sticks_to_its_object() {
    let mut world = World::usual();
    let mut state = world.state(Mode::Normal, (120, 40));
    type_keys(&mut state, "4jjj");
    let selected = state.selected().cloned();
    assert!(matches!(&selected, Some(Id::Service(id)) if id.to_string() == "search/index"));
    world.service("alpha/first", "nginx", 1, &[("east", 1)]);
    world.desired.generation.0 += 1;
    update(&mut state, Msg::Store(world.store()));
    state.settle();
    assert_eq!(state.selected().cloned(), selected);
    assert_eq!(state.screen().row, 4);
}

#[test]
fn the_newest_event_stays_selected_until_the_operator_moves() {
    let mut state = usual();
    type_keys(&mut state, "8");
    let tell = |state: &mut State, name: &str| {
        let event = EngineEvent {
            at: now(),
            host: "e-1".parse().unwrap(),
            kind: Text::new("container"),
            action: Text::new("start"),
            id: Text::new("0"),
            name: Text::new(name),
        };
        let change = HostChange::Event(event);
        update(state, Msg::Hosts(vec![HostUpdate { host: "e-1".parse().unwrap(), change }]));
        state.settle();
        state.news[state.rows.rows[state.screen().row]].about.clone()
    };
    assert_eq!(tell(&mut state, "first"), "first");
    assert_eq!(tell(&mut state, "second"), "second");
    type_keys(&mut state, "j");
    assert_eq!(tell(&mut state, "third"), "first");
}

#[test]
fn what_others_run_is_shown_and_left_alone() {
    let mut state = usual();
    assert!(asked(type_keys(&mut state, "4G+.<enter>")).is_empty());
    assert!(state.draft.is_empty());
    type_keys(&mut state, "+");
    assert!(state.notice.as_ref().unwrap().text.contains("run by compose"), "{:?}", state.notice);
}

#[test]
fn a_plan_that_was_never_shown_is_not_applied() {
    let mut state = usual();
    type_keys(&mut state, "4+");
    // Both keys arrive before a frame is drawn.
    for key in Key::script(".<enter>").unwrap() {
        assert!(update(&mut state, Msg::Key(key)).effects.iter().all(|effect| !effect.mutates()));
    }
    assert!(matches!(state.overlay, Some(Overlay::Plan(_))));
    update(&mut state, Msg::Shown);
    let effects = update(&mut state, Msg::Key(Key::parse("enter").unwrap())).effects;
    assert_eq!(asked(effects), ["wharf scale payments/api=7@east"]);
}

#[test]
fn a_plan_that_changes_while_open_must_be_looked_at_again() {
    let mut state = usual();
    type_keys(&mut state, "4+.");
    // The host that the new replica was to go to is not seen any more.
    let target = match &state.planned.as_ref().unwrap().plans().next().unwrap().steps[..] {
        [step, ..] => step.items[0].rsplit(' ').next().unwrap().to_owned(),
        [] => panic!("no steps"),
    };
    let gone = unseen(&target, 20, "no answer");
    update(&mut state, Msg::Tick(later(5)));
    update(&mut state, gone);
    state.settle();
    update(&mut state, Msg::Shown);
    let enter = || Msg::Key(Key::parse("enter").unwrap());
    assert!(asked(update(&mut state, enter()).effects).is_empty(), "it has just become another");
    let shown = text(&screen(&state, &Theme::named("default").unwrap()));
    assert!(shown.contains("this plan became another"), "{shown}");
    update(&mut state, Msg::Tick(later(7)));
    assert_eq!(asked(update(&mut state, enter()).effects), ["wharf scale payments/api=7@east"]);
}

#[test]
fn a_refused_change_stays_in_the_draft() {
    let mut state = usual();
    assert_eq!(asked(type_keys(&mut state, "4+.<enter>")).len(), 1);
    assert!(state.draft.is_empty());
    update(&mut state, Msg::Applied(Err(Text::new("ben changed payments/api in east to 8 a moment ago."))));
    state.settle();
    assert_eq!(state.draft.changes().len(), 1);
    assert!(state.notice.as_ref().unwrap().text.contains("ben changed"));
    assert_eq!(asked(type_keys(&mut state, ".<enter>")), ["wharf scale payments/api=7@east"]);
}

#[test]
fn an_accepted_change_shows_at_once() {
    let mut world = World::usual();
    let mut state = world.state(Mode::Normal, (120, 40));
    type_keys(&mut state, "4<right>+.<enter>");
    world = world.with_operation(OperationState::Accepted);
    let mut operation = world.operations[0].clone();
    operation.generation.0 += 1;
    update(&mut state, Msg::Applied(Ok(Box::new(operation))));
    state.settle();
    assert!(state.draft.is_empty());
    assert_eq!(state.operations().len(), 1);
    let shown = text(&screen(&state, &Theme::named("default").unwrap()));
    assert!(shown.contains("6/8"), "{shown}");
    // A reading of the store from before does not take it away again.
    update(&mut state, Msg::Store(World::usual().store()));
    assert_eq!(state.operations().len(), 1);
}

#[test]
fn ending_an_operation_says_what_stays_first() {
    let mut state = World::usual().with_operation(OperationState::Running).state(Mode::Normal, (120, 40));
    assert!(asked(type_keys(&mut state, "9A<esc>")).is_empty());
    let id = state.operations()[0].id;
    assert_eq!(asked(type_keys(&mut state, "A<enter>")), [format!("{:?}", Effect::Abort(id))]);
    let mut over =
        World::usual().with_operation(OperationState::Converged { at: before(5) }).state(Mode::Normal, (120, 40));
    assert!(asked(type_keys(&mut over, "9A<enter>")).is_empty());
}

#[test]
fn one_key_pauses_an_operation_and_lets_it_go_on() {
    let mut world = World::usual().with_operation(OperationState::Running);
    let mut state = world.state(Mode::Normal, (120, 40));
    let id = state.operations()[0].id;
    assert_eq!(asked(type_keys(&mut state, "9<space>")), [format!("{:?}", Effect::Pause(id))]);
    assert!(state.screen().marks.is_empty(), "here the key marks nothing");
    world.operations[0].paused = Some(Paused { at: before(60), by: "ben@bastion".into(), why: Text::default() });
    update(&mut state, Msg::Store(world.store()));
    state.settle();
    let shown = text(&screen(&state, &Theme::named("default").unwrap()));
    assert!(shown.contains("paused") && shown.contains("paused by ben "), "{shown}");
    assert_eq!(asked(type_keys(&mut state, "<space>")), [format!("{:?}", Effect::Resume(id))]);
    let mut reader = world.state(Mode::ReadOnly, (120, 40));
    assert!(asked(type_keys(&mut reader, "9<space>")).is_empty());
    let over = World::usual().with_operation(OperationState::Converged { at: before(5) });
    assert!(asked(type_keys(&mut over.state(Mode::Normal, (120, 40)), "9<space>")).is_empty());
}

#[test]
fn pasted_text_is_never_keys() {
    let mut state = usual();
    type_keys(&mut state, "4");
    update(&mut state, Msg::Paste("+++.\r\n".into()));
    assert!(state.draft.is_empty() && state.overlay.is_none());
    type_keys(&mut state, "/");
    update(&mut state, Msg::Paste("api\nq".into()));
    assert_eq!(state.screen().filter, "api");
}

#[test]
fn a_frozen_picture_stays_while_data_flows() {
    let mut state = usual();
    type_keys(&mut state, "2P");
    let theme = Theme::named("default").unwrap();
    let still = text(&screen(&state, &theme));
    update(&mut state, unseen("e-1", 30, "no answer"));
    state.settle();
    assert_eq!(text(&screen(&state, &theme)), still);
    type_keys(&mut state, "P");
    assert!(text(&screen(&state, &theme)).contains("no answer"));
}

#[test]
fn nothing_new_asks_for_no_frame() {
    use wharf::app::Redraw;
    let world = World::usual();
    let mut state = world.state(Mode::Normal, (120, 40));
    assert_eq!(update(&mut state, Msg::Store(world.store())).redraw, Redraw::No);
    assert_eq!(update(&mut state, Msg::Tick(now())).redraw, Redraw::No);
    assert_eq!(update(&mut state, Msg::Tick(later(1))).redraw, Redraw::No);
    assert_eq!(update(&mut state, Msg::Shown).redraw, Redraw::No);
}

fn any_key() -> impl Strategy<Value = Key> {
    let names = "enter esc tab backtab backspace up down left right home end pgup pgdn space ctrl-d ctrl-u ctrl-c ctrl-r ctrl-l \
                 ctrl-s ctrl-w ctrl-x alt-x f5 1 2 3 4 5 8 9 + + + - = s r u x . . enter enter / : ! ~ ? S I w h l d y c Y o e n N \
                 q z Z P A R G g j k m m B B D b tab [ ] ' * a 7 0 C C t lt > ctrl-s 港";
    let keys: Vec<Key> = names.split_whitespace().map(|name| Key::parse(name).unwrap()).collect();
    prop_oneof![8 => proptest::sample::select(keys), 1 => any::<char>().prop_map(Key::char)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_keys_never_break_it_nor_apply_what_was_not_shown(
        keys in proptest::collection::vec((any_key(), any::<bool>()), 1..120),
        size in prop_oneof![Just((120u16, 40u16)), Just((20, 5)), Just((80, 24)), Just((1, 1)), Just((0, 0)), Just((300, 3)), Just((3, 80))],
        mode in prop_oneof![Just(Mode::Normal), Just(Mode::ReadOnly), Just(Mode::Watch)],
    ) {
        let theme = Theme::named("default").unwrap();
        let mut state = World::usual().with_operation(OperationState::Running).state(mode, size);
        let mut shown = None;
        for (key, frame) in keys {
            let open = matches!(state.overlay, Some(Overlay::Plan(_)));
            let version = state.plan_version;
            let effects = update(&mut state, Msg::Key(key)).effects;
            for effect in &effects {
                prop_assert!(mode == Mode::Normal || !effect.mutates());
                if let Effect::Apply(proposal) = effect {
                    prop_assert!(open && shown == Some(version), "applied without being shown");
                    let deploys = matches!(proposal.intent, Intent::Deploy { .. });
                    prop_assert!(!deploys, "no key deploys");
                }
            }
            if frame {
                state.settle();
                screen(&state, &theme);
                update(&mut state, Msg::Shown);
                shown = matches!(state.overlay, Some(Overlay::Plan(_))).then_some(state.plan_version);
            }
        }
    }
}

#[test]
fn a_wall_knows_no_action() {
    let mut state = World::usual().with_operation(OperationState::Running).state(Mode::Watch, (120, 40));
    for keys in ["4+", "4=3<enter>", "4s<enter>", "2u", "4r", "9A<enter>", ":remove<enter>"] {
        type_keys(&mut state, keys);
        assert!(state.draft.is_empty(), "{keys}");
        assert!(
            !matches!(state.overlay, Some(Overlay::Exact { .. } | Overlay::Scale(_) | Overlay::Abort { .. })),
            "{keys}"
        );
        type_keys(&mut state, "<esc><esc>");
    }
}

/// Who looked something up at the wall and went away leaves the wall behind.
#[test]
fn a_wall_that_is_left_alone_goes_back_to_its_page() {
    let mut state = World::usual().state(Mode::Watch, (120, 40));
    assert_eq!(state.screen().view, View::Wall);
    type_keys(&mut state, "4?");
    let later = |seconds: i64| Msg::Tick(now() + jiff::SignedDuration::from_secs(seconds));
    update(&mut state, later(100));
    assert_eq!(state.screen().view, View::Services);
    assert_eq!(update(&mut state, later(130)).redraw, Redraw::Soon);
    assert!(state.screen().view == View::Wall && state.overlay.is_none());
    // An operator who thinks is not sent anywhere.
    let mut state = World::usual().state(Mode::Normal, (120, 40));
    type_keys(&mut state, "4");
    update(&mut state, later(9_000));
    assert_eq!(state.screen().view, View::Services);
}

/// What was wrong when the screen opened is no alert; what gets wrong later is one, once.
#[test]
fn alerts_are_told_once() {
    let mut state = World::usual().state(Mode::Watch, (120, 40));
    let alerts = |state: &mut State, seconds: i64, msg: Option<Msg>| -> Vec<String> {
        update(state, Msg::Tick(now() + jiff::SignedDuration::from_secs(seconds)));
        if let Some(msg) = msg {
            update(state, msg);
        }
        let effects = state.settle();
        effects
            .into_iter()
            .flat_map(|effect| if let Effect::Alert(alerts) = effect { alerts } else { Vec::new() })
            .collect()
    };
    assert!(!state.faults.is_empty(), "the usual world has something wrong");
    assert_eq!(
        alerts(&mut state, 5, Some(unseen("w-1", 1, "gone"))),
        Vec::<String>::new(),
        "it has just begun to look"
    );
    let told = alerts(&mut state, 60, Some(unseen("w-2", 1, "no route to host")));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("w-2 (west): not seen for"), "{told:?}");
    assert_eq!(alerts(&mut state, 70, Some(unseen("w-2", 11, "no route to host"))), Vec::<String>::new());
}

#[test]
fn read_only_says_why() {
    let mut state = World::usual().state(Mode::ReadOnly, (120, 40));
    type_keys(&mut state, "4+");
    assert!(state.notice.as_ref().unwrap().text.contains("read-only"));
    assert!(state.draft.is_empty());
}

#[test]
fn operations_come_newest_first() {
    let world = World::usual().with_operation(OperationState::Running);
    let mut older = world.operations[0].clone();
    older.at = before(9_000);
    let operations = vec![older, world.operations[0].clone()];
    let mut view = (*world.store()).clone();
    view.operations = operations;
    let mut state = world.state(Mode::Normal, (120, 40));
    update(&mut state, Msg::Store(view.into()));
    let times: Vec<_> = state.operations().iter().map(|op: &Operation| op.at).collect();
    assert_eq!(times, [before(72), before(9_000)]);
}

/// A range goes from the row that was marked last to where the cursor is, in either direction.
#[test]
fn ranges_are_marked_from_the_last_mark() {
    let mut state = usual();
    type_keys(&mut state, "5v");
    assert_eq!(state.screen().marks.len(), 1, "without a mark it is one row");
    type_keys(&mut state, "jjjv");
    assert_eq!(state.screen().marks.len(), 4);
    type_keys(&mut state, "jj<space>kkkkv");
    assert_eq!(state.screen().marks.len(), 6, "{:?}", state.screen().marks);
    type_keys(&mut state, "<esc>jv");
    assert_eq!(state.screen().marks.len(), 1, "the old range is forgotten with its marks");
}

/// Order and columns of a view are kept for the next time it is opened, also in another process.
#[test]
fn how_views_are_liked_is_remembered() {
    let mut state = usual();
    let remembered = |effects: Vec<Effect>| {
        effects
            .into_iter()
            .filter_map(|effect| if let Effect::Remember(prefs) = effect { Some(prefs) } else { None })
            .last()
    };
    let prefs = remembered(type_keys(&mut state, "5wI"));
    type_keys(&mut state, "4");
    assert!(!state.screen().wide, "another view is another matter");
    type_keys(&mut state, "5");
    assert!(state.screen().wide && state.screen().inverted);
    assert!(remembered(type_keys(&mut state, "45jj[]")).is_none(), "moving about changes nothing");
    let text = toml::to_string(&prefs.unwrap()).unwrap();
    let mut next = usual();
    next.like(toml::from_str(&text).unwrap());
    type_keys(&mut next, "4<enter>");
    assert!(next.screen().wide && next.screen().inverted, "{text}");
}

/// The tour says what to press, and goes on when that was done, in whatever order.
#[test]
fn the_tour_goes_on_when_something_was_done() {
    let mut state = usual();
    let line = |state: &State| {
        let shown = text(&screen(state, &Theme::named("default").unwrap()));
        shown.lines().find(|line| line.contains("TOUR")).map(str::to_owned)
    };
    type_keys(&mut state, ":tour<enter>");
    assert!(line(&state).unwrap().starts_with(" TOUR 1/6  4 shows every service"), "{:?}", line(&state));
    type_keys(&mut state, "3");
    assert!(line(&state).unwrap().contains("1/6"));
    type_keys(&mut state, "4");
    assert!(line(&state).unwrap().contains("2/6  + + ask for two"));
    type_keys(&mut state, "++");
    assert!(line(&state).unwrap().contains("3/6  . shows what"));
    type_keys(&mut state, ".");
    assert!(line(&state).unwrap().contains("4/6  enter accepts"), "it is seen below the plan too");
    type_keys(&mut state, "<esc>:tour<enter>");
    assert_eq!(line(&state), None);
    // All done already: over at once.
    let mut state = World::usual().with_operation(OperationState::Running).state(Mode::Normal, (120, 40));
    type_keys(&mut state, ":tour<enter>4+.<esc>9<enter>0");
    assert_eq!(line(&state), None);
}

/// What a filter with names keeps, and what it says where a view does not know the name.
#[test]
fn typed_terms_keep_what_they_say() {
    let kept = |keys: &str| {
        let mut state = usual();
        type_keys(&mut state, keys);
        (state.rows.rows.len(), state.rows.of, state.rows.filter_error.clone())
    };
    let (all, ..) = kept("5");
    let (west, ..) = kept("5/region=west<enter>");
    let (others, ..) = kept("5/region!=west<enter>");
    assert!(west > 0 && others > 0 && west + others == all, "{west} + {others} of {all}");
    assert_eq!(kept("5/!region=west<enter>").0, others);
    let (failed, ..) = kept("5/state=failed<enter>");
    let (well, ..) = kept("5/state=ok,changing,unknown,stopped<enter>");
    assert!(failed > 0 && failed + well == all, "{failed} + {well} of {all}");
    assert_eq!(kept("5/region=west<space>search<enter>").0, 2);
    let (rows, of, error) = kept("2/cpu>-<enter>");
    assert_eq!((rows, of), (9, 9), "{error:?}");
    assert!(error.unwrap().contains("`-` is no number"));
    let (rows, of, error) = kept("4/by=ana<enter>");
    assert_eq!(rows, of, "what means nothing hides nothing");
    assert!(error.unwrap().starts_with("`by` is not known here; state, region, stack, service"));
    assert_eq!(kept("4/=nothing<enter>").2, None);
}

#[test]
fn loads_alone_are_counted_when_it_is_worth_it() {
    let mut state = usual();
    let (host, container, usage) = {
        let host = &state.observed().hosts["e-1"];
        let container = host.containers.values().next().unwrap();
        (host.name.clone(), container.id.clone(), container.usage.unwrap())
    };
    let loads = |state: &mut State, cpu_percent: f64| {
        let usage = wharf::model::Usage { cpu_percent, ..usage };
        let change = HostChange::Usage(vec![(container.clone(), usage)]);
        update(state, Msg::Hosts(vec![HostUpdate { host: host.clone(), change }])).redraw
    };
    // In a small fleet at once.
    assert_eq!(loads(&mut state, 1.0), Redraw::Soon);
    assert!(state.is_stale());
    state.settle();
    // In one where counting takes a tenth of a second, not before six have passed; what else changes is counted at once.
    state.counting = std::time::Duration::from_millis(100);
    update(&mut state, Msg::Tick(later(1)));
    assert_eq!(loads(&mut state, 2.0), Redraw::No);
    assert!(!state.is_stale());
    update(&mut state, Msg::Tick(later(5)));
    assert!(!state.is_stale());
    assert_eq!(update(&mut state, Msg::Tick(later(7))).redraw, Redraw::Soon);
    assert!(state.is_stale());
    state.settle();
    assert!(!state.is_stale());
    update(&mut state, unseen("e-2", 3, "cut"));
    assert!(state.is_stale());
}

/// All containers of some hosts come into a state.
fn all_are(state: &mut State, hosts: &[&str], now: &ContainerState) {
    let mut updates = Vec::new();
    for name in hosts {
        for container in state.observed().hosts[*name].containers.values() {
            let new = Container { state: now.clone(), ..container.clone() };
            updates.push(HostUpdate { host: name.parse().unwrap(), change: HostChange::Container(Box::new(new)) });
        }
    }
    update(state, Msg::Hosts(updates));
}

#[test]
fn much_news_is_counted_ahead_of_its_frame() {
    let hosts = ["h-1", "h-2", "h-3", "h-4", "h-5", "h-6"];
    let mut world = World::new(&[("east", &hosts)]);
    world.service("shop/web", "nginx:1.27", 1, &[("east", 180)]);
    world.fill();
    let stopped = ContainerState::Exited { code: 1, at: Some(now()), oom: false };
    let mut state = world.state(Mode::Normal, (120, 40));
    assert!(state.keep_up().is_none(), "nothing has changed");
    all_are(&mut state, &hosts[..1], &stopped);
    assert!(state.keep_up().is_none(), "little can wait");
    all_are(&mut state, &hosts[1..3], &stopped);
    assert!(state.keep_up().is_some());
    assert_eq!((state.index.total.failed, state.faults.len(), state.is_stale()), (90, 0, true));
    state.settle();
    assert_eq!((state.faults.len(), state.is_stale()), (1, false));
    // Where counting takes a tenth of a second, it goes on two more of them later.
    state.counting = std::time::Duration::from_millis(100);
    all_are(&mut state, &hosts[3..5], &stopped);
    assert!(state.keep_up().is_none());
    update(&mut state, Msg::Tick(later(1)));
    assert!(state.keep_up().is_some());
    assert_eq!(state.index.total.failed, 150);
    // Of a picture that is held still, nothing is counted.
    type_keys(&mut state, "P");
    all_are(&mut state, &hosts, &ContainerState::Running);
    update(&mut state, Msg::Tick(later(2)));
    assert!(state.keep_up().is_none());
}
