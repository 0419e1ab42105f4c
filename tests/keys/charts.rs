//! Keys of charts, and what they show and sample.

use std::sync::Arc;

use super::*;
use wharf::app::{
    charts::{Kind, Order},
    history::Measure,
    ids::{ReplicaId, ServiceId},
    screen::Within,
};

/// The usual world after ten minutes.
fn lived(size: (u16, u16)) -> (World, State) {
    let world = World::usual();
    let mut state = world.state(Mode::Normal, size);
    world.ten_minutes(&mut state);
    (world, state)
}

fn shown(state: &State) -> String {
    text(&screen(state, &Theme::named("default").unwrap()))
}

#[test]
fn charts_open_from_every_row_and_go_up_and_back() {
    let (_, mut state) = lived((120, 40));
    for (keys, of) in [
        ("4C", "payments/api"),
        ("3C", "payments"),
        ("2C", "e-1"),
        ("4Co", "payments"),
        ("4Coo", "all"),
        ("2Co", "east"),
        ("2Coo", "all"),
        ("5Co", "payments/api"),
        ("5Cooo", "all"),
        ("46C", "payments/api"),
        ("46lllC", "east"),
        ("46lllCo", "all"),
        (":charts-fleet<enter>", "all"),
        ("C", "payments"),
        ("4Co<esc>", "payments/api"),
        // Under the region cursor, and in a list of one region, a service stands for its part there.
        ("4<right>C", "payments/api in west"),
        ("4<right>Co", "payments/api"),
        ("46lllCt<tab>C", "shop/web in east"),
        ("4/ledger<enter><right>C", "payments/ledger"),
    ] {
        type_keys(&mut state, "1");
        type_keys(&mut state, keys);
        assert_eq!(state.screen().view, View::Charts, "{keys}");
        assert_eq!(state.screen().within.name().unwrap_or_else(|| "all".to_owned()), of, "{keys}");
    }
    type_keys(&mut state, "1:charts-fleet<enter>o");
    assert!(state.notice.as_ref().unwrap().text.contains("this is the whole fleet"));
    type_keys(&mut state, "4C<esc>");
    assert_eq!(state.screen().view, View::Services);
    // A replica that others run belongs to something too.
    type_keys(&mut state, "5/legacy<enter>Co");
    assert!(matches!(&state.screen().within, Within::Service(id) if id.key().is_none()), "{:?}", state.screen().within);
}

/// The parts of a service in its regions have a past of their own, and together they are the service.
#[test]
fn a_service_in_one_region_has_its_own_figures() {
    let (world, mut state) = lived((120, 40));
    let id = ServiceId::own(&"payments/api".parse().unwrap());
    let part = |region: &str| Within::Part(id.clone(), region.parse().unwrap());
    for measure in [Measure::Cpu, Measure::Memory, Measure::Requests] {
        let last = |of: &Within| {
            let minutes = state.history().minutes(of, measure, 2, state.shown_at());
            minutes.into_iter().flatten().next_back().map(|point| f64::from(point.value))
        };
        let parts: Vec<f64> = ["east", "west", "ap"].iter().filter_map(|region| last(&part(region))).collect();
        let whole = last(&Within::Service(id.clone())).unwrap();
        let sum: f64 = parts.iter().sum();
        assert!(parts.len() == 3 && (parts[0] - parts[1]).abs() > f64::EPSILON, "{measure:?} {parts:?}");
        assert!((sum - whole).abs() <= whole / 1000.0, "{measure:?} {parts:?} {whole}");
    }
    assert!(world.fleet.regions.len() == 3);
    type_keys(&mut state, "4<right>C");
    let page = shown(&state);
    assert!(page.contains("service payments/api in west") && page.contains("LARGEST REPLICAS"), "{page}");
    assert!(state.largest.rows.len() == 6, "{:?}", state.largest.rows);
    // One that is in a single region has its past once.
    let ledger = ServiceId::own(&"payments/ledger".parse().unwrap());
    assert!(state.history().tracks(&Within::Part(ledger.clone(), "east".parse().unwrap())).is_none());
    assert!(state.history().tracks(&Within::Service(ledger)).is_some());
}

#[test]
fn windows_charts_and_the_list_have_their_keys() {
    let (_, mut state) = lived((80, 24));
    type_keys(&mut state, "4C");
    assert!(shown(&state).contains("10 min, read every 5 s"), "{}", shown(&state));
    type_keys(&mut state, "lll>");
    assert_eq!(state.screen().charts.minutes(), 180);
    assert!(state.notice.is_some(), "there is no longer one");
    assert!(shown(&state).contains("10 min so far, read every 5 s"), "{}", shown(&state));
    type_keys(&mut state, "h<lt><left>");
    assert_eq!(state.screen().charts.minutes(), 10);
    type_keys(&mut state, "<lt>");
    assert!(state.notice.is_some());
    for (keys, at) in [("j", 1), ("jj", 3), ("k", 2), ("G", 8), ("j", 8), ("g", 0), ("k", 0)] {
        type_keys(&mut state, keys);
        assert_eq!(state.screen().charts.at, at, "{keys}");
    }
    assert_eq!(state.screen().charts.measure(), Measure::Cpu);
    type_keys(&mut state, "G");
    assert!(shown(&state).contains("▸answers"), "it is scrolled to");
    type_keys(&mut state, "<enter>");
    assert!(state.screen().charts.is_zoomed && !shown(&state).contains("failed"), "{}", shown(&state));
    type_keys(&mut state, "k");
    assert!(shown(&state).contains("▸failed"), "the next one, just as large");
    type_keys(&mut state, "<esc>");
    assert!(!state.screen().charts.is_zoomed && state.screen().view == View::Charts);
    type_keys(&mut state, "<tab>j");
    assert_eq!(state.screen().row, 1);
    assert!(shown(&state).contains("LARGEST REPLICAS"), "{}", shown(&state));
    type_keys(&mut state, "<esc>");
    assert!(!state.screen().charts.in_list && state.screen().view == View::Charts);
    // What was set is kept on the way to the next charts.
    type_keys(&mut state, "lso");
    let setting = state.screen().charts;
    assert_eq!((setting.minutes(), setting.order, setting.is_zoomed), (30, Order::Memory, false));
}

#[test]
fn what_uses_most_comes_first_and_leads_to_its_row() {
    let (_, mut state) = lived((200, 55));
    type_keys(&mut state, "3C");
    assert_eq!(Kind::of(&state.screen().within).first(), Some(&Kind::Services));
    let cpu = |state: &State| -> Vec<f64> {
        state.largest.rows.iter().map(|row| row.load.usage.map_or(-1.0, |usage| usage.cpu_percent)).collect()
    };
    let falls = |values: &[f64]| values.windows(2).all(|pair| pair[0] >= pair[1]);
    assert_eq!(state.largest.rows.len(), 3);
    assert!(falls(&cpu(&state)), "{:?}", cpu(&state));
    type_keys(&mut state, "t");
    assert_eq!(state.largest.of, 25, "the replicas of the stack");
    assert!(falls(&cpu(&state)));
    type_keys(&mut state, "s");
    let memory: Vec<u64> = state.largest.rows.iter().filter_map(|row| Some(row.load.usage?.memory)).collect();
    assert!(memory.len() == 25 && memory.windows(2).all(|pair| pair[0] >= pair[1]), "{memory:?}");
    type_keys(&mut state, "ss");
    let requests: Vec<f64> = state.largest.rows.iter().filter_map(|row| row.requests).collect();
    assert!(requests.len() > 20 && falls(&requests), "{requests:?}");
    type_keys(&mut state, "<tab>jj");
    let chosen = state.largest.rows[2].id.clone();
    assert_eq!(state.selected(), Some(&chosen));
    type_keys(&mut state, "<enter>");
    assert_eq!((state.screen().view, state.selected()), (View::Replicas, Some(&chosen)));
    type_keys(&mut state, "<esc>");
    assert!(state.screen().view == View::Charts && state.selected() == Some(&chosen), "back where one was");
    // Its own charts, from the list.
    type_keys(&mut state, "C");
    assert!(matches!(&state.screen().within, Within::Replica(ReplicaId::Slot(_))));
    type_keys(&mut state, "<tab>");
    assert!(state.notice.as_ref().unwrap().text.contains("one replica is all there is"));
}

#[test]
fn the_list_keeps_its_order_for_some_seconds() {
    let (world, mut state) = lived((200, 55));
    type_keys(&mut state, "4C");
    let names = |state: &State| state.largest.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    let before = names(&state);
    let turned = |seconds: u64| {
        let mut number = 0.0;
        let changed = world.containers.iter().map(|(host, containers)| {
            let loads = containers.iter().map(|container| {
                number += 1.0;
                let usage = wharf::model::Usage {
                    cpu_percent: 1_000.0 - number,
                    at: later(seconds),
                    ..container.usage.unwrap()
                };
                (container.id.clone(), usage)
            });
            HostUpdate { host: host.parse().unwrap(), change: HostChange::Usage(loads.collect()) }
        });
        Msg::Hosts(changed.collect())
    };
    for (seconds, same) in [(601, true), (604, true), (606, false)] {
        update(&mut state, Msg::Tick(later(seconds)));
        update(&mut state, turned(seconds));
        state.settle();
        assert_eq!(names(&state) == before, same, "after {seconds}");
    }
}

#[test]
fn the_charted_are_sampled_fast_and_no_more_than_some_hundred() {
    let sampled = |effects: Vec<Effect>| {
        effects
            .into_iter()
            .rev()
            .find_map(|effect| if let Effect::Sample { shown, .. } = effect { Some(shown.len()) } else { None })
    };
    let world = World::usual();
    let mut state = world.state(Mode::Normal, (120, 40));
    assert_eq!(sampled(type_keys(&mut state, "3C")), Some(25));
    assert_eq!(sampled(type_keys(&mut state, "2C")), Some(world.containers["e-1"].len()));
    assert_eq!(sampled(type_keys(&mut state, "5C")), Some(1));
    assert_eq!(sampled(type_keys(&mut state, "1")), Some(0));
    let mut many = World::new(&[("east", &["e-1", "e-2"])]);
    many.service("shop/web", "nginx", 1, &[("east", 900)]);
    many.fill();
    let mut state = many.state(Mode::Normal, (120, 40));
    assert_eq!(sampled(type_keys(&mut state, "4C")), Some(200));
    assert_eq!(sampled(type_keys(&mut state, "1")), Some(0));
    assert_eq!(sampled(type_keys(&mut state, "4")), Some(200));
}

#[test]
fn what_is_not_on_the_screen_is_sampled_when_every_host_was_heard_of() {
    let rounds = |effects: Vec<Effect>| -> Vec<_> {
        let rounds = effects.into_iter().map(|effect| match effect {
            Effect::Sample { round, .. } => round.map(|round| round.as_secs()),
            _ => None,
        });
        rounds.flatten().collect()
    };
    let mut world = World::new(&[("east", &["e-1", "e-2"])]);
    world.service("shop/web", "nginx", 1, &[("east", 7_600)]);
    world.fill();
    let mut state = State::new(Arc::clone(&world.fleet), "ops@bastion".into(), Mode::Normal, now());
    update(&mut state, Msg::Store(world.store()));
    let (first, last): (Vec<_>, Vec<_>) = world.updates().into_iter().partition(|update| update.host.as_str() == "e-1");
    update(&mut state, Msg::Hosts(first));
    assert!(rounds(state.settle()).is_empty(), "the other is still being listed");
    update(&mut state, Msg::Hosts(last));
    assert_eq!(rounds(state.settle()), [60], "one minute for 7,600 containers");
    // Nor is a container missing there before three rounds have passed.
    let service = ServiceId::own(&"shop/web".parse().unwrap());
    for (seconds, missing) in [(179, 0), (181, 7_600)] {
        update(&mut state, Msg::Tick(later(seconds)));
        update(&mut state, Msg::StoreFailed(format!("at {seconds}").as_str().into()));
        state.settle();
        assert_eq!(state.index.service(&service).unwrap().total.live.missing, missing, "after {seconds} s");
    }
}

/// A region is told without the host that is away, and says so; the host itself is a gap, also later.
#[test]
fn what_was_not_seen_stays_a_gap_and_sums_say_what_they_lack() {
    let (_, mut state) = lived((120, 40));
    let points = |state: &State, of: Within| {
        let series = state.history().tracks(&of).unwrap().series(Measure::Cpu).unwrap().clone();
        let first = later(0).as_second() / 5;
        // One reading in the middle of each part of the ten minutes.
        [150, 360, 550].map(|second| series.fine(first + second / 5).map(|point| point.partial))
    };
    let host = |name: &str| Within::Host(name.parse().unwrap());
    assert_eq!(points(&state, host("w-2")), [Some(false), None, Some(false)]);
    assert_eq!(points(&state, host("w-1")), [Some(false); 3]);
    for of in [Within::Region("west".parse().unwrap()), Within::All] {
        assert_eq!(points(&state, of), [Some(false), Some(true), Some(false)]);
    }
    assert_eq!(points(&state, Within::Region("east".parse().unwrap())), [Some(false); 3]);
    type_keys(&mut state, "4C");
    assert_eq!(points(&state, state.screen().within.clone()), [Some(false), Some(true), Some(false)]);
    assert!(shown(&state).contains("░ at least so much: a part was not known"), "{}", shown(&state));
    type_keys(&mut state, "1:charts-fleet<enter>");
    World::lose(&mut state, "a-1", 600);
    update(&mut state, Msg::Tick(later(642)));
    state.settle();
    assert!(shown(&state).contains("at least so much: without a-1, not seen for 40s"), "{}", shown(&state));
    assert!(shown(&state).contains("≥"), "{}", shown(&state));
}

#[test]
fn a_picture_held_still_does_not_move_and_nothing_of_the_time_is_lost() {
    let (world, mut state) = lived((120, 40));
    type_keys(&mut state, "4CP");
    let still = shown(&state);
    world.live(&mut state, 605, 900);
    let without_age = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without_age(&shown(&state)), without_age(&still));
    type_keys(&mut state, "P");
    assert_ne!(without_age(&shown(&state)), without_age(&still));
    let of = Within::Host("e-1".parse().unwrap());
    let series = state.history().tracks(&of).unwrap().series(Measure::Cpu).unwrap();
    let first = later(0).as_second() / 5;
    let known = (first + 122..first + 180).filter(|step| series.fine(*step).is_some()).count();
    assert_eq!(known, 58, "what was while the picture stood is there");
}

#[test]
fn figures_are_copied_and_every_step_is_written_to_a_file() {
    let (_, mut state) = lived((120, 40));
    let effects = type_keys(&mut state, "4Cc");
    let copied =
        effects.iter().find_map(|effect| if let Effect::Copy(text) = effect { Some(text.clone()) } else { None });
    let copied = copied.unwrap();
    assert!(copied.starts_with("service payments/api, 12:04:00 to 12:14:31\n"), "{copied}");
    assert_eq!(copied.lines().count(), 11, "{copied}");
    assert!(copied.contains("failed  % of requests"), "{copied}");
    let effects = type_keys(&mut state, "<ctrl-s>");
    let dumped =
        effects.iter().find_map(|effect| if let Effect::Dump(text) = effect { Some(text.clone()) } else { None });
    let dumped = dumped.unwrap();
    let rows: Vec<&str> = dumped.lines().filter(|line| line.starts_with("2026-11-23T12:")).collect();
    assert!(rows.len() > 120 && rows.iter().all(|row| row.split('\t').count() == 10), "{dumped}");
    assert!(dumped.contains("network in (bytes/s)") && dumped.contains("\t>="), "{dumped}");
}

#[test]
fn only_a_new_reading_asks_for_a_frame_and_costs_little() {
    use wharf::{app::Redraw, tui::Frames};
    let (world, mut state) = lived((200, 55));
    type_keys(&mut state, "3C");
    let theme = Theme::named("default").unwrap();
    let mut frames = Frames::default();
    frames.next(&state, &theme).unwrap().unwrap();
    assert_eq!(update(&mut state, Msg::Tick(later(601))).redraw, Redraw::No);
    update(&mut state, Msg::Tick(later(603)));
    state.settle();
    assert_eq!(frames.next(&state, &theme).unwrap(), None, "nothing new, nothing written");
    assert_eq!(update(&mut state, Msg::Tick(later(605))).redraw, Redraw::Soon);
    let mut most = 0;
    let mut sum = 0;
    for step in 1..=24 {
        world.live(&mut state, 600 + step * 5, 600 + step * 5);
        let bytes = frames.next(&state, &theme).unwrap().map_or(0, |bytes| bytes.len());
        most = most.max(bytes);
        sum += bytes;
    }
    // All nine charts, their figures and the list; and now and then the whole picture moves on.
    assert!(sum / 24 < 1_800, "{} bytes a reading in the mean", sum / 24);
    assert!(most < 12_000, "{most} bytes at most");
}

#[test]
fn rows_are_no_rows_of_charts() {
    let (_, mut state) = lived((120, 40));
    for keys in ["4C/", "4C!", "4Cd", "4C<space>", "4CS", "4CI", "4Cw", "4Cx", "4Ce", "4CY", "4C+", "4C.", "4Cr", "4CD"]
    {
        type_keys(&mut state, "1");
        type_keys(&mut state, keys);
        assert!(state.draft.is_empty() && state.pane.is_none(), "{keys}");
        assert!(matches!(state.overlay, None | Some(Overlay::Actions { .. })), "{keys}");
        type_keys(&mut state, "<esc><esc><esc><esc>");
    }
}

/// Services and the others show the last ten minutes where there is room, and can be put in its order.
#[test]
fn short_pasts_stand_in_lists() {
    let (_, mut state) = lived((200, 55));
    for (keys, heads) in [
        ("2", &["CPU 10m"][..]),
        ("3", &["CPU 10m", "REQ/S 10m"]),
        ("4", &["CPU 10m", "REQ/S 10m"]),
        ("5", &["CPU 10m"]),
    ] {
        type_keys(&mut state, keys);
        let head = shown(&state).lines().nth(2).unwrap().to_owned();
        for title in heads {
            assert!(head.contains(title), "{keys}: {head}");
        }
    }
    type_keys(&mut state, "2");
    let w2 = shown(&state).lines().find(|line| line.contains(" w-2 ")).unwrap().to_owned();
    let bars: Vec<char> = w2.chars().filter(|c| ('▁'..='█').contains(c)).collect();
    assert_eq!(bars.len(), 9, "one whole minute of the two is a gap: {w2}");
    let (_, mut narrow) = lived((80, 24));
    type_keys(&mut narrow, "4");
    assert!(!shown(&narrow).contains("10m"));
    type_keys(&mut narrow, "w<right><right><right><right><right><right>");
    assert!(shown(&narrow).contains("CPU 10m"), "{}", shown(&narrow));
}
