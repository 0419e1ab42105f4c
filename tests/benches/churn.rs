//! A reconciler and a wall for a long time, under churn: on six simulated hosts replicas are killed and removed, and a stack is
//! scaled, restarted and released anew, one deed each second or two, without end. Nothing may grow: memory, open files, ssh
//! processes; and the store no more than by what it keeps of each command.
//!
//! `WHARF_BENCH_MINUTES` says how long, 3 if not said, after a minute of warming up. All is read each five seconds; what is told
//! is the slope of the straight line through the readings, by the hour: short runs tell little of it. The hosts are served by
//! the benchmark itself, so `wharf reconcile` and `wharf watch` are processes of their own.

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
#[path = "common/screen.rs"]
mod screen;

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use common::{program, row, wait};
use screen::{Screen, memory_of, processes};
use wharf::sim;

const HOSTS: usize = 6;
const WARM: Duration = Duration::from_secs(60);
const EACH: Duration = Duration::from_secs(5);

/// More megabytes an hour, and somebody has forgotten something.
const GROWTH: f64 = 3.0;
/// What the store may keep of a command, of all that happens because of it, in thousands of bytes.
const KEPT: f64 = 40.0;

fn main() {
    let minutes = std::env::var("WHARF_BENCH_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(3u64);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let fleet = sim::Fleet::new(HOSTS, 0, 1).unwrap();
    let place = Place::new(&fleet);
    let mut reconciler = place.reconcile();
    let mut wall = Screen::start_with(&place.file, &["watch"]);
    place.run(&["deploy", "-f", &place.release(1, 4), "--stack", "shop", "--yes"]);
    let churn = Churn::start(&fleet, &place);
    wall.rest(WARM);

    let names = ["reconciler", "wall"];
    let (begun, commands) = (Instant::now(), churn.commands.load(Ordering::Relaxed));
    let (mut both, mut kept, mut log) = ([Readings::default(), Readings::default()], Line::default(), Line::default());
    while begun.elapsed() < Duration::from_secs(minutes * 60) {
        wall.rest(EACH);
        assert_eq!(reconciler.0.try_wait().unwrap(), None, "the reconciler has ended:\n{}", place.log());
        let at = begun.elapsed().as_secs_f64() / 3600.0;
        for (readings, pid) in both.iter_mut().zip([reconciler.0.id(), wall.pid()]) {
            readings.read(at, pid);
        }
        common::told_each_minute(begun.elapsed(), EACH, || {
            let [reconciler, wall] = both.each_ref().map(|readings| readings.resident.last());
            format!("reconciler {reconciler:.1} MB, wall {wall:.1} MB")
        });
        kept.add(at, place.store_size());
        log.add(at, fs::metadata(place.path("log")).unwrap().len() as f64 / 1e6);
    }
    let commands = churn.commands.load(Ordering::Relaxed) - commands;
    let deeds = churn.end();

    let what = |what: &str| format!("churn for {minutes} min, {deeds} deeds: {what}");
    let hourly =
        |line: &Line, unit: &str| format!("{:+.2} {unit}/h ({:.1} to {:.1})", line.slope(), line.first(), line.last());
    for (name, readings) in names.into_iter().zip(&both) {
        let ratio = readings.resident.slope().max(0.0) / GROWTH;
        let wanted = format!("≤ {GROWTH:.0} MB/h");
        row(&what(&format!("{name}, resident")), hourly(&readings.resident, "MB"), &wanted, Some(ratio));
        row(&what(&format!("{name}, open files")), hourly(&readings.files, "files"), "flat", None);
        row(&what(&format!("{name}, ssh processes")), hourly(&readings.children, "processes"), "none", None);
    }
    let each = (kept.last() - kept.first()) * 1000.0 / commands as f64;
    row(&what("store"), hourly(&kept, "MB"), "", None);
    let wanted = format!("≤ {KEPT:.0} kB");
    row(&what("store, for each command"), format!("{each:.1} kB"), &wanted, Some(each / KEPT));
    row(&what("log of the reconciler"), hourly(&log, "MB"), "", None);

    // In the end every command has come to an end. What died again and again is started after a pause of up to five minutes.
    common::wait_for("all commands end", Duration::from_secs(8 * 60), || {
        let all: serde_json::Value = serde_json::from_str(&place.run(&["ops", "--json"])).unwrap();
        let is_open = |state: &str| ["accepted", "running", "rolling_back"].contains(&state);
        !all.as_array().unwrap().iter().any(|operation| is_open(operation["state"].as_str().unwrap()))
    });
    drop(reconciler);
    drop(wall);
    drop(fleet);
}

/// Readings over time, in hours.
#[derive(Default)]
struct Line(Vec<(f64, f64)>);

impl Line {
    fn add(&mut self, at: f64, value: f64) {
        self.0.push((at, value));
    }

    fn first(&self) -> f64 {
        self.0[0].1
    }

    fn last(&self) -> f64 {
        self.0[self.0.len() - 1].1
    }

    /// Of the straight line that is nearest to all readings.
    fn slope(&self) -> f64 {
        let many = self.0.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.0.iter().map(of).sum::<f64>() / many;
        let (x, y) = (mean(|it| it.0), mean(|it| it.1));
        let both: f64 = self.0.iter().map(|(at, value)| (at - x) * (value - y)).sum();
        let spread: f64 = self.0.iter().map(|(at, _)| (at - x).powi(2)).sum();
        both / spread
    }
}

/// What a process takes.
#[derive(Default)]
struct Readings {
    resident: Line,
    files: Line,
    children: Line,
}

impl Readings {
    fn read(&mut self, at: f64, pid: u32) {
        self.resident.add(at, memory_of(pid));
        self.files.add(at, fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as f64);
        self.children.add(at, (processes(pid).len() - 1) as f64);
    }
}

/// The fleet's files.
#[derive(Clone)]
struct Place {
    dir: PathBuf,
    file: PathBuf,
}

/// Ended with the benchmark.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Place {
    fn new(fleet: &sim::Fleet) -> Self {
        let mut text = "fleet = \"churn\"\nstore = \"store.db\"\n[defaults]\nmin_healthy = \"1s\"\nobserve = \"2s\"\n\
                        drain = \"2s\"\nhealthy_deadline = \"20s\"\n"
            .to_owned();
        for region in fleet.world().regions() {
            let _ = write!(text, "\n[[region]]\nname = \"{region}\"\n");
            for host in fleet.hosts().iter().filter(|host| host.region == region) {
                let (name, socket, address) = (&host.name, host.socket.display(), &host.address);
                let _ = write!(
                    text,
                    "\n[[region.host]]\nname = \"{name}\"\nconnect = \"unix://{socket}\"\naddress = \"{address}\"\n"
                );
            }
        }
        let dir = fleet.dir().to_owned();
        let file = dir.join("fleet.toml");
        fs::write(&file, text).unwrap();
        Self { dir, file }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn wharf(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--fleet").arg(&self.file).args(words).stdin(Stdio::null());
        command
    }

    /// Runs a command; gives what it printed. That it comes too late or too early is no matter here.
    fn run(&self, words: &[&str]) -> String {
        let out = self.wharf(words).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(matches!(out.status.code(), Some(0 | 1 | 3)), "{words:?}: {said}");
        String::from_utf8(out.stdout).unwrap()
    }

    fn reconcile(&self) -> Running {
        let log = File::create(self.path("log")).unwrap();
        let child = self.wharf(&["reconcile"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        wait("a reconciler holds the leases", || common::is_held(&self.path("store.db")));
        Running(child)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// The file of the stack, at a version.
    fn release(&self, version: u64, replicas: u64) -> String {
        let check = "healthcheck: { test: [CMD, ok], interval: 1s }";
        let text = format!(
            "services:\n  web:\n    image: app:{version}\n    ports: [\"80:8080\"]\n    {check}\n    \
             environment: {{ TOKEN: hunter{version} }}\n    deploy: {{ replicas: {replicas} }}\n  api:\n    \
             image: app:1\n    expose: [\"8080\"]\n    {check}\n    deploy: {{ replicas: 3 }}\n"
        );
        let file = self.path("shop.yaml");
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    /// Megabytes of the store's files.
    fn store_size(&self) -> f64 {
        let size = |name: &str| fs::metadata(self.path(name)).map_or(0, |file| file.len());
        (size("store.db") + size("store.db-wal")) as f64 / 1e6
    }
}

/// What happens without end.
struct Churn {
    stop: Arc<AtomicBool>,
    commands: Arc<AtomicU64>,
    thread: JoinHandle<u64>,
}

impl Churn {
    fn start(fleet: &sim::Fleet, place: &Place) -> Self {
        let (stop, commands) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let engines: Vec<Arc<sim::Engine>> = fleet.hosts().iter().map(|host| host.engine.clone()).collect();
        let (place, stop_too, counted) = (place.clone(), stop.clone(), commands.clone());
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::spawn(move || {
            let _inside = runtime.enter();
            let mut rng = fastrand::Rng::with_seed(1);
            let mut deeds = 0;
            while !stop_too.load(Ordering::Relaxed) {
                deeds += 1;
                if deed(&mut rng, &engines, &place, deeds) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(rng.u64(500..2_000)));
            }
            deeds
        });
        Self { stop, commands, thread }
    }

    /// Ends it; gives how much was done.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Does something; true for a command.
fn deed(rng: &mut fastrand::Rng, engines: &[Arc<sim::Engine>], place: &Place, number: u64) -> bool {
    let replicas = rng.u64(2..=8);
    match rng.u8(0..10) {
        0..6 => {
            let engine = &engines[rng.usize(..engines.len())];
            let ours: Vec<sim::Glimpse> = engine.peek().into_iter().filter(|it| it.name.starts_with("shop-")).collect();
            if let Some(victim) = rng.choice(&ours) {
                if rng.bool() {
                    engine.crash(&victim.id, 1)
                } else {
                    engine.remove_by_hand(&victim.id)
                };
            }
            false
        }
        6..8 => {
            place.run(&["scale", &format!("shop/web={replicas}"), "--yes", "--detach"]);
            true
        }
        8 => {
            let file = place.release(2 + number % 40, replicas);
            place.run(&["deploy", "-f", &file, "--stack", "shop", "--yes", "--detach"]);
            true
        }
        _ => {
            place.run(&["restart", "shop/api", "--yes", "--detach"]);
            true
        }
    }
}
