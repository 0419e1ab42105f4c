//! 200 and 1,000 simulated hosts with 50 containers each, every answer 50 ms late: until all are listed, and what it takes.
//!
//! The hosts are served by another process (`wharf demo --serve`, which holds its own reconciler) on the same cores:
//! what it needs to answer is part of the time. Each host is asked for its version, its facts, its containers and its
//! images; nothing is shared between hosts. Not measured: so many real connections by SSH.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

#[expect(dead_code, reason = "shared by all benchmarks")]
mod common;
#[expect(dead_code, reason = "shared by all benchmarks")]
#[path = "common/demo.rs"]
mod demo;
#[expect(dead_code, reason = "shared by all benchmarks")]
#[path = "common/screen.rs"]
mod screen;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use common::{median, ms, rounds, row, spread};
use demo::{CONTAINERS, Demo};
use jiff::Timestamp;
use screen::Screen;
use tokio::sync::mpsc;
use wharf::{
    config::{FleetChoice, load_fleet},
    engine::{ObserveOptions, Observer, Watching},
    model::Observed,
};

/// A fleet, and what is wanted of it.
struct Case {
    hosts: usize,
    /// Milliseconds to the whole list.
    limit: f64,
    /// Resident megabytes of the dashboard.
    weight: f64,
    rounds: usize,
}

fn main() {
    for case in [
        Case { hosts: 200, limit: 2_000.0, weight: 120.0, rounds: rounds(7) },
        Case { hosts: 1_000, limit: 3_000.0, weight: 250.0, rounds: rounds(5) },
    ] {
        measure(&case);
    }
}

fn measure(case: &Case) {
    let hosts = case.hosts;
    let demo = Demo::start(hosts, 50);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut times = Vec::new();
    for _ in 0..case.rounds {
        times.push(runtime.block_on(observe(&demo.fleet, hosts)));
    }
    let named = wharf::text::count(hosts as u64);
    let all = wharf::text::count((hosts * CONTAINERS) as u64);
    let what = |what: &str| format!("{named} hosts × 50 containers, 50 ms away: {what}");
    let wanted = format!("≤ {:.0} ms", case.limit);
    let ratio = Some(median(&times) / case.limit);
    row(&what("observer's start to all listed"), spread(&times, 0, "ms"), &wanted, ratio);

    let (mut first, mut full, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..case.rounds {
        let mut screen = Screen::start(&demo.fleet);
        first.push(screen.until("the first frame", |text| !text.trim().is_empty()));
        full.push(screen.until("all hosts", |text| {
            text.contains(&format!("{named} hosts"))
                && !text.contains("unseen")
                && text.contains(&format!("{all} replicas"))
        }));
        screen.rest(Duration::from_secs(2));
        resident.push(screen.memory().0);
    }
    row(&what("exec to first frame"), spread(&first, 0, "ms"), "", None);
    let ratio = Some(median(&full) / case.limit);
    row(&what("exec to all hosts on the screen"), spread(&full, 0, "ms"), &wanted, ratio);
    let ratio = Some(median(&resident) / case.weight);
    row(&what("dashboard resident"), spread(&resident, 1, "MB"), &format!("≤ {:.0} MB", case.weight), ratio);

    let mut screen = Screen::start(&demo.fleet);
    screen.until("all hosts", |text| text.contains(&format!("{named} hosts")) && !text.contains("unseen"));
    screen.rest(Duration::from_secs(10));
    let cpu = screen.cpu();
    let time = Duration::from_secs(30);
    let bytes = screen.rest(time);
    let cpu = (screen.cpu() - cpu) / 10.0 / time.as_secs_f64();
    row(&what("idle, processor"), format!("{cpu:.2} % of a core"), "", None);
    row(&what("idle, to the terminal"), format!("{:.0} B/s", bytes as f64 / time.as_secs_f64()), "", None);
}

/// Milliseconds until all hosts are listed.
async fn observe(fleet: &Path, hosts: usize) -> f64 {
    let begun = Instant::now();
    let fleet = load_fleet(&FleetChoice::new(Some(fleet.to_owned()))).unwrap();
    let (tx, mut updates) = mpsc::channel(1024);
    let mut observed = Observed::unseen(&fleet, Timestamp::now());
    let observer = Observer::<Watching>::start(&fleet, tx, ObserveOptions::default());
    while !observed.hosts.values().all(|host| host.listed_at.is_some()) {
        let update = tokio::time::timeout(Duration::from_secs(60), updates.recv()).await;
        observed.apply(update.expect("no host answers any more").unwrap());
    }
    let took = ms(begun.elapsed());
    assert_eq!(observed.hosts.len(), hosts);
    // Proxies beside them.
    assert!(observed.containers().count() >= hosts * CONTAINERS);
    observer.close().await;
    took
}
