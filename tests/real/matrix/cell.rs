//! One cell: calm, load, the command, the fault in its middle, its end, and what must be so then.

use std::{
    fmt,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use super::{
    super::{
        stage::{EVERYWHERE, Stage, ended, shop},
        support::{Running, World},
    },
    calm::{self, Wanted},
    fault::{self, Fault},
    job::Job,
    keys,
    table::Table,
};
use crate::{load::Counts, pty::Pty};

/// Requests a second at the edge and over the inner link each, and a tenth of that through both. Less than in the rows
/// of the table of changes: engines that restart take what the machine has.
const RATE: u32 = 130;

/// Full strength is there by then, or never.
const PATIENCE: Duration = Duration::from_secs(150);

/// Replicas of `web` at first.
const WEB: u32 = 3;

/// When what broke was broken, when it was mended, and when all was at full strength.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub broken: Timestamp,
    pub mended: Timestamp,
    pub whole: Timestamp,
}

/// What came of it.
#[derive(Debug)]
pub struct Cell {
    requests: u64,
    failed: u64,
    /// From the mending to full strength, the operation's end included.
    seconds: f64,
    /// From the fault to the last failure.
    failing: f64,
    /// The operation's state, and its reason where it has one.
    end: (String, String),
    counts: String,
}

impl Cell {
    /// For the table: failed requests, seconds to full strength, and a mark where the command was put back.
    pub fn short(&self) -> String {
        let back = if self.end.0 == "converged" { "" } else { " ↩" };
        format!("{} · {:.1} s{back}", self.failed, self.seconds)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, reason) = &self.end;
        write!(f, "{state}")?;
        if !reason.is_empty() {
            write!(f, " ({reason})")?;
        }
        write!(
            f,
            ", full strength {:.1} s after the fault, {} of {} requests failed",
            self.seconds, self.failed, self.requests
        )?;
        if self.failed > 0 {
            write!(f, ", the last {:.1} s after it broke", self.failing)?;
        }
        write!(f, "; {}", self.counts)
    }
}

/// Who asked.
enum Asker {
    Line(Running),
    Screen(Box<Pty>),
}

/// A stage on which one fault meets one operation after the other.
pub struct Row {
    fault: Fault,
    nth: u32,
    /// Before the stage: it ends first.
    disk: Option<Disk>,
    stage: Stage,
}

impl Row {
    pub fn new(fault: Fault) -> Self {
        let mut disk = None;
        let text = shop("1", WEB, "");
        let mut stage = Stage::with_files(&format!("m-{}", fault.word()), &text, |dir| {
            if fault == Fault::DiskFull {
                disk = Some(Disk::mount(&dir.join("store")));
            }
        });
        if fault == Fault::ClockMoved {
            let file = fault::clock_file(&stage);
            std::fs::write(&file, "+0\n").unwrap();
            stage.man_with(&[
                ("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1"),
                ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
                ("FAKETIME_NO_CACHE", "1"),
                ("DONT_FAKE_MONOTONIC", "1"),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ]);
        } else {
            stage.man();
        }
        Self { fault, nth: 1, disk, stage }
    }

    /// One cell. Panics where something must not be so.
    pub fn run(&mut self, job: Job, table: &mut Table) {
        let fault = self.fault;
        self.nth += 1;
        self.calm();
        job.prepare(&self.stage, fault, self.nth);
        self.nth += 1;
        self.calm();
        fault.prepare(&self.stage);
        let before = Wanted::read(&self.stage);
        let edges: Vec<&str> =
            fault.edges().into_iter().filter(|host| job != Job::Drain || *host != Job::drained(fault)).collect();
        let load = self.stage.load_at(&edges, RATE);
        let least = if fault.takes_replicas() { 0 } else { before.of("shop/web").count() };
        let floor = self.stage.floor("web", EVERYWHERE, least);

        let last = self.last_operation();
        let mut asker = self.ask(job);
        let id = self.begun(&last, &mut asker);
        let broken_at = Timestamp::now();
        let broken = fault.inject(&mut self.stage);
        let code = if fault == Fault::Killed {
            match asker {
                Asker::Line(running) => running.signal("KILL"),
                Asker::Screen(mut screen) => {
                    screen.signal(rustix::process::Signal::KILL);
                    screen.exit();
                }
            }
            fault.end(&mut self.stage, broken);
            None
        } else {
            fault.end(&mut self.stage, broken);
            Some(asker)
        };
        let (mended, at) = (Instant::now(), Timestamp::now());
        self.supervise();
        self.calm();
        let times = Times { broken: broken_at, mended: at, whole: Timestamp::now() };
        let seconds = mended.elapsed().as_secs_f64();
        let code = code.map(|asker| match asker {
            Asker::Line(running) => ended(running),
            Asker::Screen(_) => unreachable!("only for what is killed"),
        });
        std::thread::sleep(Duration::from_millis(1500));
        let counts = load.stop();
        floor.held();

        let (end, equivalent) = self.fate(&id);
        let now = Wanted::read(&self.stage);
        let told = || format!("{end:?}, exit {code:?}\nbefore {before:?}\nnow {now:?}\n{}", self.stage.told());
        match end.0.as_str() {
            "converged" => assert!(job.is_done(&before, &now, &equivalent, fault), "done, and not so: {}", told()),
            "rolled_back" | "failed" => {
                assert!(!end.1.is_empty(), "no reason: {}", told());
                assert!(job.is_put_back(&before, &now), "put back, and not so: {}", told());
            }
            _ => panic!("the command is lost: {}", told()),
        }
        self.whole();
        let unexplained: Vec<_> =
            counts.failures.iter().filter(|it| !fault.explains(&self.stage, it, &times)).collect();
        assert!(
            unexplained.is_empty(),
            "{} requests failed and nobody knows why ({times:?}): {:?}\n{counts}\n{}",
            unexplained.len(),
            &unexplained[..unexplained.len().min(5)],
            told()
        );
        table.add(fault, job, cell(&counts, seconds, end, &times));
        if job == Job::Deploy && !now.of("more/more").collect::<Vec<_>>().is_empty() {
            self.stage.fleet.ok(&["rm", "more", "--yes"]);
        }
    }

    /// Asks for it, by keys where the dashboard shall be killed and has some.
    fn ask(&self, job: Job) -> Asker {
        let keys = if self.fault == Fault::Killed { keys::press(&self.stage, self.fault, job) } else { None };
        keys.map_or_else(
            || {
                let args = job.args(&self.stage, self.fault, self.nth);
                Asker::Line(self.stage.fleet.spawn(&args.iter().map(String::as_str).collect::<Vec<_>>()))
            },
            |screen| Asker::Screen(Box::new(screen)),
        )
    }

    fn last_operation(&self) -> String {
        let newest = "SELECT id FROM operation ORDER BY generation DESC LIMIT 1";
        calm::open(&self.stage).query_row(newest, [], |row| row.get(0)).unwrap()
    }

    /// Waits until a step of the new operation goes on, as its record says; gives its id.
    fn begun(&self, last: &str, asker: &mut Asker) -> String {
        let db = calm::open(&self.stage);
        let running =
            "SELECT o.id FROM operation o JOIN progress p ON p.operation = o.id, json_each(p.body, '$.steps') s
            WHERE o.generation = (SELECT max(generation) FROM operation) AND o.id <> ?1
              AND (?2 OR json_extract(s.value, '$.replica') IS NOT NULL)
              AND json_extract(s.value, '$.state') IN ('running', 'done') LIMIT 1";
        let until = Instant::now() + PATIENCE;
        loop {
            let id: Option<String> =
                db.query_row(running, (last, self.fault.is_of_images()), |row| row.get(0)).optional().unwrap();
            if let Some(id) = id {
                let over = "SELECT count(*) FROM operation WHERE id = ?1 AND is_open";
                let open: i64 = db.query_row(over, [&id], |row| row.get(0)).unwrap();
                assert!(open == 1, "it was over before anything broke");
                return id;
            }
            let (shown, is_over) = match asker {
                Asker::Screen(screen) => (screen.contents(), false),
                Asker::Line(running) => (String::new(), running.0.try_wait().unwrap().is_some()),
            };
            assert!(!is_over && Instant::now() < until, "it does not begin: {shown}{}", self.stage.told());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A reconciler that left is started again, as whoever runs it for good would.
    fn supervise(&mut self) {
        if let Some(status) = self.stage.left() {
            let log = self.stage.fleet.reconciler_log();
            let last = log.lines().last().unwrap_or_default();
            assert!(status.code().is_some(), "the reconciler was ended ({status}): {}", self.stage.told());
            println!("the reconciler has left ({status}), and is started again; its last line: {last}");
            self.stage.man();
        }
    }

    /// Waits for full strength.
    fn calm(&self) {
        let until = Instant::now() + PATIENCE;
        while let Some(what) = calm::lacks(&self.stage) {
            assert!(Instant::now() < until, "no full strength: {what}\n{}", self.stage.told());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The record: its state with the reason, and the command line that it stands for.
    fn fate(&self, id: &str) -> ((String, String), String) {
        let row = self.stage.fleet.json(&["ops", id]);
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        ((text("state"), text("reason")), text("equivalent"))
    }

    /// Nothing is orphaned, nothing drifts: in wharf's own words.
    fn whole(&self) {
        let out = self.stage.fleet.wharf(&["doctor", "--json"]);
        let findings: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
        let about = ["orphan", "drift", "proxy", "lease"];
        let bad: Vec<_> = findings
            .as_array()
            .unwrap_or_else(|| panic!("doctor: {}", String::from_utf8_lossy(&out.stderr)))
            .iter()
            .filter(|it| it["verdict"] != "ok" && it["check"].as_str().is_some_and(|check| about.contains(&check)))
            .collect();
        assert!(bad.is_empty(), "doctor finds {bad:?}\n{}", self.stage.told());
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.fault.sweep(&World::get());
        drop(self.disk.take());
    }
}

fn cell(counts: &Counts, seconds: f64, end: (String, String), times: &Times) -> Cell {
    let last = counts.failures.iter().map(|failure| failure.ended).max();
    let failing = last.map_or(0.0, |last| last.duration_since(times.broken).as_secs_f64());
    Cell { requests: counts.requests(), failed: counts.failed(), seconds, failing, end, counts: counts.to_string() }
}

/// A small disk of its own for the store.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(at: &std::path::Path) -> Self {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m,mode=700", "store"]).arg(at);
        assert!(mount.status().unwrap().success());
        Self(at.to_owned())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file there keeps it.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
