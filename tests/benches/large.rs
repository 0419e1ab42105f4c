//! 1,000 hosts × 50 containers, 8 regions, 400 services, everything in this process: what an update, a key, a frame of
//! 200 × 55 and the layout of the graph take, and what it all weighs.
//!
//! As in the program, a key is answered from what is counted already; counting belongs to frames of data, and looks only
//! at what changed. A key that comes meanwhile waits for it: that is in the rows at 2,000 events/s. The floor of a frame is
//! one in which nothing changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

#[expect(dead_code, reason = "shared with other benchmarks, which use more of it")]
mod common;
#[expect(dead_code, reason = "shared by all benchmarks")]
#[path = "common/screen.rs"]
mod memory;
#[path = "../support/mod.rs"]
mod support;

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{ms, percentile, row, spread};
use memory::memory_of;
use support::{fleet::World, screen::type_keys};
use wharf::{
    app::{Mode, Msg, State, key::Key, update},
    model::{Condition, Container, ContainerState, Dependency, HostChange, HostUpdate, Link, Usage},
    tui::{Frames, Theme},
};

const SIZE: (u16, u16) = (200, 55);
const REGIONS: usize = 8;
const HOSTS: usize = 1_000;
const CONTAINERS: usize = 50;
const SERVICES: usize = 400;
/// Events of one gathering of the program (30 ms) at 2,000 a second.
const BATCH: usize = 60;
const ROUNDS: usize = 400;
/// So long the loop of the program is played.
const LIVE: Duration = Duration::from_secs(20);

fn main() {
    let before = memory_of(std::process::id());
    let mut state = world().state(Mode::Normal, SIZE);
    let about = |what: &str| format!("1,000 hosts × 50 containers: {what}");
    let weighs = memory_of(std::process::id()) - before;
    row(&about("the state, resident"), format!("{weighs:.0} MB"), "≤ 250 MB", Some(weighs / 250.0));

    let events = events(&world());
    let mut next = events.iter().cycle();
    for (what, open) in [
        ("services", "4"),
        ("replicas", "5"),
        ("replicas of a filter", "5/service-3<enter>"),
        ("hosts", "<esc>2"),
        ("overview", "1"),
        ("wall", "0"),
    ] {
        type_keys(&mut state, open);
        let figures = look(&mut state, &mut next);
        figures.tell(&about(what));
    }
    for (what, open) in [("columns", "46"), ("focus", "46<enter>"), ("tree", "46t"), ("matrix", "36TTT")] {
        type_keys(&mut state, &format!("<esc><esc><esc>{open}"));
        // Another selection each time: everything that hangs together with it is laid out anew, and drawn.
        let (theme, mut frames) = (Theme::named("default").unwrap(), Frames::default());
        let mut times = Vec::new();
        for round in 0..200 {
            let begun = Instant::now();
            press(&mut state, round);
            black_box(frames.next(&state, &theme).unwrap());
            times.push(ms(begun.elapsed()));
        }
        let p99 = percentile(&mut times, 99);
        let figure = format!("{p99:.2} ms (median {:.2})", common::median(&times));
        let what = format!("graph, {what}: another selection, laid out and drawn, 99th percentile");
        row(&about(&what), figure, "≤ 5 ms", Some(p99 / 5.0));
    }
    let mut counts = Vec::new();
    for batch in next.take(40) {
        update(&mut state, batch.clone());
        let begun = Instant::now();
        black_box(state.settle());
        counts.push(ms(begun.elapsed()));
    }
    row(&about(&format!("counting what {BATCH} events changed")), spread(&counts, 1, "ms"), "", None);
    let lost = state.fleet.hosts().map(|(_, host)| HostUpdate { host: host.name.clone(), change: lost() });
    let lost = Msg::Hosts(lost.collect());
    update(&mut state, lost);
    let begun = Instant::now();
    black_box(state.settle());
    row(&about("counting all after every host was lost"), format!("{:.1} ms", ms(begun.elapsed())), "", None);
}

/// What was measured in one view.
#[derive(Default)]
struct Figures {
    updates: Vec<f64>,
    answers: Vec<f64>,
    keys: Vec<f64>,
    frames: Vec<f64>,
    same: Vec<f64>,
    bytes: Vec<f64>,
}

impl Figures {
    fn tell(mut self, about: &str) {
        let limit = |what: &str, values: &mut [f64], most: f64| {
            let p99 = percentile(values, 99);
            let half = common::median(values);
            let figure = format!("{p99:.2} ms (median {half:.2})");
            row(&format!("{about}: {what}, 99th percentile"), figure, &format!("≤ {most:.0} ms"), Some(p99 / most));
        };
        limit(&format!("{BATCH} events into the state"), &mut self.updates, 4.0);
        limit("a frame", &mut self.frames, 4.0);
        limit("a key and its frame", &mut self.answers, 16.0);
        limit("the same at 2,000 events/s, with all that is counted", &mut self.keys, 16.0);
        let (frame, same) = (common::median(&self.frames), common::median(&self.same));
        row(&format!("{about}: a frame against one of nothing new"), format!("{frame:.2} ms"), "", Some(frame / same));
        row(&format!("{about}: bytes of a key's frame"), spread(&self.bytes, 0, "B"), "", None);
    }
}

/// A key into the state.
fn press(state: &mut State, round: usize) {
    let key = Key::parse(if round % 80 < 40 { "j" } else { "k" }).unwrap();
    update(state, Msg::Key(key));
    state.settle_view();
}

/// First each part by itself, then all of it by the program's own clock.
fn look<'e>(state: &mut State, events: &mut impl Iterator<Item = &'e Msg>) -> Figures {
    let theme = Theme::named("default").unwrap();
    let mut frames = Frames::default();
    frames.next(state, &theme).unwrap();
    let mut out = Figures::default();
    for round in 0..ROUNDS {
        let batch = events.next().unwrap().clone();
        let begun = Instant::now();
        update(state, batch);
        out.updates.push(ms(begun.elapsed()));
        let pressed = Instant::now();
        press(state, round);
        let begun = Instant::now();
        let bytes = frames.next(state, &theme).unwrap();
        out.frames.push(ms(begun.elapsed()));
        out.answers.push(ms(pressed.elapsed()));
        out.bytes.push(bytes.map_or(0.0, |bytes| bytes.len() as f64));
        let begun = Instant::now();
        black_box(frames.next(state, &theme).unwrap());
        out.same.push(ms(begun.elapsed()));
    }
    live(state, events, &mut frames, &theme, &mut out.keys);
    out
}

/// As the program's loop does it: 60 events every 30 ms, counted at once when they are many, data drawn when its time has
/// come, a key at moments that know nothing of that. Gives how long after each key its frame is there.
fn live<'e>(
    state: &mut State,
    events: &mut impl Iterator<Item = &'e Msg>,
    frames: &mut Frames,
    theme: &Theme,
    keys: &mut Vec<f64>,
) {
    let mut rng = fastrand::Rng::with_seed(11);
    let (begun, start) = (Instant::now(), state.now);
    let (mut gathered, mut data) = (begun, begun);
    let mut key = begun + Duration::from_millis(rng.u64(20..80));
    let mut round = 0;
    while begun.elapsed() < LIVE {
        if key <= Instant::now() {
            press(state, round);
            black_box(frames.next(state, theme).unwrap());
            keys.push(ms(key.elapsed()));
            round += 1;
            key = Instant::now() + Duration::from_millis(rng.u64(20..80));
        }
        if gathered <= Instant::now() {
            update(state, Msg::Tick(start + jiff::SignedDuration::try_from(begun.elapsed()).unwrap()));
            update(state, events.next().unwrap().clone());
            let counting = Instant::now();
            if state.keep_up().is_some() {
                state.counting = counting.elapsed();
            }
            gathered += Duration::from_millis(30);
        }
        if data <= Instant::now() && state.is_stale() {
            let counting = Instant::now();
            state.settle();
            state.counting = counting.elapsed();
            // Of the time, an eighth goes into counting, and there are ten frames of data a second at most.
            data = Instant::now() + Duration::from_millis(100).max(counting.elapsed() * 8);
            black_box(frames.next(state, theme).unwrap());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn world() -> World {
    let names: Vec<(String, Vec<String>)> = (0..REGIONS)
        .map(|region| {
            let hosts = (0..HOSTS / REGIONS).map(|host| format!("r{region}-h{host}"));
            (format!("region-{region}"), hosts.collect())
        })
        .collect();
    let hosts: Vec<Vec<&str>> = names.iter().map(|(_, hosts)| hosts.iter().map(String::as_str).collect()).collect();
    let regions: Vec<(&str, &[&str])> =
        names.iter().zip(&hosts).map(|((region, _), hosts)| (region.as_str(), hosts.as_slice())).collect();
    let mut world = World::new(&regions);
    let each = u32::try_from(HOSTS * CONTAINERS / SERVICES / REGIONS).unwrap();
    for service in 0..SERVICES {
        let key = format!("stack-{}/service-{}", service / 8, service % 8);
        // Over all regions, with what does not divide evenly in the first.
        let places: Vec<(&str, u32)> = regions.iter().map(|(region, _)| (*region, each)).collect();
        world.service(&key, &format!("acme/image-{service}:1"), 3, &places);
    }
    world.fill();
    // Each service of a stack needs the next two.
    let need = Dependency { condition: Condition::ServiceHealthy, required: true };
    for (key, revisions) in &mut world.desired.revisions {
        let number: usize = key.service.as_str().rsplit('-').next().unwrap().parse().unwrap();
        for revision in revisions.values_mut() {
            let needs = (number + 1..(number + 3).min(8)).map(|next| format!("service-{next}").parse().unwrap());
            Arc::make_mut(revision).spec.depends_on = needs.map(|service| (service, need)).collect();
        }
    }
    world
}

/// A host that cannot be seen.
fn lost() -> HostChange {
    HostChange::Link(Link::Unknown { since: support::fleet::now(), reason: "no route".into() })
}

/// Batches of 60 events: containers that die and start on hosts all over the fleet, a third of them as news of their usage.
/// Two laps over all, so that each event finds its container in another state than it tells, however often they come round.
fn events(world: &World) -> Vec<Msg> {
    let mut all: Vec<(&String, &Container)> =
        world.containers.iter().flat_map(|(host, all)| all.iter().map(move |it| (host, it))).collect();
    fastrand::Rng::with_seed(7).shuffle(&mut all);
    let batch = |lap: usize, chunk: &[(&String, &Container)]| {
        let change = |(at, (host, container)): (usize, &(&String, &Container))| {
            let host = host.parse().unwrap();
            let state = if (at + lap).is_multiple_of(2) { ContainerState::Running } else { ContainerState::Restarting };
            let change = match container.usage.filter(|_| at % 3 == 0) {
                Some(usage) => {
                    let usage = Usage { cpu_percent: usage.cpu_percent + lap as f64, ..usage };
                    HostChange::Usage(vec![(container.id.clone(), usage)])
                }
                None => HostChange::Container(Box::new(Container { state, ..(*container).clone() })),
            };
            HostUpdate { host, change }
        };
        Msg::Hosts(chunk.iter().enumerate().map(change).collect())
    };
    (0..2).flat_map(|lap| all.chunks(BATCH).map(move |chunk| batch(lap, chunk))).collect()
}
