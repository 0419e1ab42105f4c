//! The wall for a long time: `wharf watch` on 1,000 simulated hosts with 50 containers each, while containers all over the
//! fleet are restarted without end. Its memory must not grow.
//!
//! `WHARF_BENCH_MINUTES` says how long, 3 if not said. Memory is read each ten seconds; what is told is the mean of the
//! first minute after a minute of warming up, and how much more that of the last minute is.

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

use common::row;
use demo::{Churn, Demo};
use screen::Screen;

/// Restarts that are under way at once.
const AT_ONCE: u64 = 6;
const EACH: Duration = Duration::from_secs(10);
/// Readings of a minute.
const MINUTE: usize = 6;

fn main() {
    let minutes = std::env::var("WHARF_BENCH_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(3u64);
    let demo = Demo::start(1_000, 50);
    let mut screen = Screen::start_with(&demo.fleet, &["watch"]);
    screen.until("all hosts", |text| text.contains("1,000 hosts") && !text.contains("unseen"));
    let churn = Churn::start(&demo, AT_ONCE);
    screen.rest(Duration::from_secs(60));
    let (begun, cpu, bytes) = (Instant::now(), screen.cpu(), screen.bytes);
    let mut weights = Vec::new();
    while begun.elapsed() < Duration::from_secs(minutes * 60) {
        screen.rest(EACH);
        weights.push(screen.memory().0);
        common::told_each_minute(begun.elapsed(), EACH, || format!("{:.1} MB", weights[weights.len() - 1]));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let restarts = churn.end() as f64 / (seconds + 60.0);
    let mean = |weights: &[f64]| weights.iter().sum::<f64>() / weights.len() as f64;
    let last = weights.len().saturating_sub(MINUTE);
    let (first, last) = (mean(&weights[..MINUTE.min(weights.len())]), mean(&weights[last..]));
    let most = weights.iter().copied().fold(0.0, f64::max);
    let what = |what: &str| format!("the wall for {minutes} min, 1,000 hosts, {restarts:.0} restarts/s: {what}");
    row(&what("resident in the first minute"), format!("{first:.1} MB"), "≤ 250 MB", Some(first / 250.0));
    row(&what("more in the last minute"), format!("{:+.1} MB (most {most:.1})", last - first), "flat", None);
    let share = (screen.cpu() - cpu) / 10.0 / seconds;
    row(&what("processor"), format!("{share:.1} % of a core"), "", None);
    row(&what("to the terminal"), format!("{:.0} B/s", (screen.bytes - bytes) as f64 / seconds), "", None);
}
