//! What the benchmarks share: medians and rows of the table.

use std::{
    fmt::Display,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How often each thing is measured: `WHARF_BENCH_ROUNDS`, or `usual`.
pub fn rounds(usual: usize) -> usize {
    std::env::var("WHARF_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The value that so many percent are not above. Puts them in order.
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// `3.21 s (3.05 to 3.40)`: the median, the least and the most, in `unit` with `digits` behind the point.
pub fn spread(values: &[f64], digits: usize, unit: &str) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.digits$} {unit} ({least:.digits$} to {most:.digits$})", median(values))
}

/// One row of the table that `tests/bench` prints: what, how much, what was wanted, and the ratio to that.
pub fn row(what: &str, figure: impl Display, wanted: &str, ratio: Option<f64>) {
    let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    println!("| {what} | {figure} | {wanted} | {ratio} |");
}

/// Tells how it stands, to stderr, for the first reading of each minute: whether something grows for ever or comes to rest is
/// seen by that. `each` is how often it is read.
pub fn told_each_minute(elapsed: Duration, each: Duration, what: impl FnOnce() -> String) {
    let minute = elapsed.as_secs() / 60;
    if elapsed.saturating_sub(each).as_secs() / 60 != minute {
        eprintln!("after {minute} min: {}", what());
    }
}

/// Milliseconds as a number.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Waits, blocking, until `what` holds. Fails after a minute.
pub fn wait(about: &str, what: impl FnMut() -> bool) {
    wait_for(about, Duration::from_secs(60), what);
}

/// The same with another patience.
pub fn wait_for(about: &str, patience: Duration, mut what: impl FnMut() -> bool) {
    let until = Instant::now() + patience;
    while !what() {
        assert!(Instant::now() < until, "{about}: not within {} s", patience.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The program under test.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_wharf"))
}

/// True while a reconciler holds a lease of the store in this file.
pub fn is_held(store: &std::path::Path) -> bool {
    use wharf::store::{ReadStore, Sqlite};
    let leases = futures::executor::block_on(Sqlite::open_read_only(store).unwrap().leases()).unwrap();
    leases.iter().any(|lease| lease.alive)
}
