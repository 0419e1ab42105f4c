//! 1,000 simulated hosts with 50 containers each: from an event at an engine to the screen.
//!
//! A container is paused and let go on, again and again at moments that know nothing of the dashboard's. The clock starts
//! when the event comes to another client of the same engine, and stops when the bytes that show it come out of the
//! pseudo-terminal. Between them the dashboard hears the event, asks the engine about the container, counts and draws.
//! The hosts are served by another process on the same cores.

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

use std::time::{Duration, Instant};

use common::{median, ms, percentile, rounds, row};
use demo::{Demo, ask, containers, events};
use screen::Screen;

fn main() {
    for (latency, limit) in [(0, Some(150.0)), (50, None)] {
        let mut times = measure(latency);
        let (p99, half) = (percentile(&mut times, 99), median(&times));
        let what = format!("1,000 hosts × 50 containers, each answer {latency} ms late: an event to the screen");
        let wanted = limit.map_or_else(String::new, |limit| format!("≤ {limit:.0} ms"));
        let figure = format!("{p99:.0} ms (median {half:.0})");
        row(&format!("{what}, 99th percentile"), figure, &wanted, limit.map(|limit| p99 / limit));
    }
}

fn measure(latency: u64) -> Vec<f64> {
    let demo = Demo::start(1_000, latency);
    let mut screen = Screen::start(&demo.fleet);
    screen.until("all hosts", |text| text.contains("1,000 hosts") && !text.contains("unseen"));
    screen.rest(Duration::from_secs(5));
    let socket = demo.sockets().swap_remove(500);
    let (id, name) = containers(&socket).swap_remove(25);
    // `stack-service-slot-rN` on one host.
    let host = socket.file_stem().unwrap().to_string_lossy().into_owned();
    screen.keys("5/");
    screen.keys(&name);
    screen.keys("\r");
    screen.until("the container", |text| text.contains("running") || text.contains("healthy"));
    screen.rest(Duration::from_secs(3));
    let told = events(&socket);
    let mut rng = fastrand::Rng::with_seed(3);
    let mut times = Vec::new();
    for round in 0..rounds(200) {
        screen.rest(Duration::from_millis(rng.u64(300..900)));
        while told.try_recv().is_ok() {}
        let (act, paused) = if round % 2 == 0 { ("pause", true) } else { ("unpause", false) };
        let asked = Instant::now();
        ask(&socket, "POST", &format!("/containers/{id}/{act}"));
        let (happened, line) = told.recv_timeout(Duration::from_secs(5)).expect("no event");
        assert!(line.contains(act) && happened > asked, "{host}: {line}");
        let shown = screen.when(act, |text| text.contains("paused") == paused);
        times.push(ms(shown.saturating_duration_since(happened)));
    }
    times
}
