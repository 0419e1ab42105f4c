//! The dashboard on one real host with 100 containers, in a pseudo-terminal of 120 × 40: from exec to the first frame
//! and to the full list, then 30 s in which nothing happens: processor time, bytes to the terminal, memory.
//!
//! The same host is reached in three ways: its Unix socket (what the targets are for), TLS, and SSH (whose own
//! processes are counted too for the processor, and apart for memory). Besides the overview that it opens with, the
//! list of all replicas is left idle too, where processor and memory of 37 containers at a time are shown live.
//! The file system's caches are warm, the terminal takes everything at once. Processor time is read from /proc, which
//! counts hundredths of a second.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

#[expect(dead_code, reason = "shared by all benchmarks")]
mod common;
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../support/pty.rs"]
mod pty;
#[path = "common/screen.rs"]
mod screen;
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../real/support.rs"]
mod support;

use std::{path::Path, time::Duration};

use common::{is_held, median, rounds, row, spread, wait};
use screen::Screen;

/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(30);

const HUNDRED: &str = "\
services:
  web:
    image: IMAGE:1
    deploy:
      replicas: 100
";

fn main() {
    let world = support::World::get();
    let body = |connect: &str| format!("[[region]]\nname = \"east\"\n[[region.host]]\nname = \"h2\"\n{connect}\n");
    let var = |name: &str| world.var(name).to_owned();
    let unix = format!("connect = \"unix://{}\"", var("H2_SOCKET"));
    let tls = format!(
        "connect = \"{}\"\ntls = {{ ca = \"{}\", cert = \"{}\", key = \"{}\" }}",
        var("H2_CONNECT"),
        var("WORLD_TLS_CA"),
        var("WORLD_TLS_CERT"),
        var("WORLD_TLS_KEY")
    );
    let ssh = format!("connect = \"ssh://root@{}\"\nssh_config = \"{}\"", var("H2_ADDRESS"), var("WORLD_SSH_CONFIG"));

    let fleet = support::Fleet::with("hundred", &body(&unix));
    let file = fleet.compose("hundred.yaml", HUNDRED);
    fleet.ok(&["deploy", "-f", &file, "--stack", "hundred", "--yes", "--wait", "5m"]);
    wait("the reconciler of the deployment leaves", || !is_held(&fleet.store()));
    // The engine itself goes on for a while after it started so many.
    std::thread::sleep(Duration::from_secs(15));

    one("unix socket", &fleet.file, true);
    for (way, connect) in [("tls", tls), ("ssh", ssh)] {
        let text = std::fs::read_to_string(&fleet.file).unwrap().replace(&unix, &connect);
        let path = fleet.dir.path().join(format!("{way}.toml"));
        std::fs::write(&path, text).unwrap();
        one(way, &path, false);
    }
}

/// Measures one way to reach the host. The targets are for the local one.
fn one(way: &str, fleet: &Path, targets: bool) {
    let (mut first, mut full) = (Vec::new(), Vec::new());
    for _ in 0..rounds(15) {
        let mut screen = Screen::start(fleet);
        first.push(screen.until("the first frame", |text| !text.trim().is_empty()));
        full.push(screen.until("the full list", is_full));
    }
    let what = |what: &str| format!("100 containers by {way}: {what}");
    let against = |wanted: &'static str, value: f64, target: f64| {
        if targets { (wanted, Some(value / target)) } else { ("", None) }
    };
    let (wanted, ratio) = against("≤ 30 ms", median(&first), 30.0);
    row(&what("exec to first frame"), spread(&first, 0, "ms"), wanted, ratio);
    let (wanted, ratio) = against("≤ 150 ms", median(&full), 150.0);
    row(&what("exec to full list"), spread(&full, 0, "ms"), wanted, ratio);

    for (view, keys) in [("overview", ""), ("list of replicas", "5")] {
        let mut screen = Screen::start(fleet);
        screen.until("the full list", is_full);
        screen.keys(keys);
        screen.rest(Duration::from_secs(5));
        let cpu = screen.cpu();
        let bytes = screen.rest(IDLE);
        let seconds = IDLE.as_secs_f64();
        let (cpu, bytes) = ((screen.cpu() - cpu) / 10.0 / seconds, bytes as f64 / seconds);
        let (own, ssh) = screen.memory();
        let (wanted, ratio) = against("≤ 1 %", cpu, 1.0);
        row(&what(&format!("idle, {view}, processor")), format!("{cpu:.2} % of a core"), wanted, ratio);
        let (wanted, ratio) = against("≤ 100 B/s", bytes, 100.0);
        row(&what(&format!("idle, {view}, to the terminal")), format!("{bytes:.0} B/s"), wanted, ratio);
        let (wanted, ratio) = against("≤ 40 MB", own, 40.0);
        let ssh = if ssh > 0.0 { format!(" (and ssh {ssh:.1} MB)") } else { String::new() };
        row(&what(&format!("idle, {view}, resident")), format!("{own:.1} MB{ssh}"), wanted, ratio);
    }
}

/// The overview counts all replicas as running.
fn is_full(text: &str) -> bool {
    text.contains("100/100") && !text.contains("unseen")
}
