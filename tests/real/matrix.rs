//! Every fault in the middle of every operation, under load: no command is lost, and everything is whole again.
//!
//! `tests/matrix` runs all cells and prints the table of the README. What runs with the other tests is a diagonal: each
//! fault once, each operation at least once. Some cells by themselves, on a world that is up:
//! `WHARF_MATRIX=hung:scale,cut cargo test --test real -- --ignored --exact matrix::chosen --nocapture`.

#[path = "matrix/calm.rs"]
mod calm;
#[path = "matrix/cell.rs"]
mod cell;
#[path = "matrix/fault.rs"]
mod fault;
#[path = "matrix/job.rs"]
mod job;
#[path = "matrix/keys.rs"]
mod keys;
#[path = "matrix/table.rs"]
mod table;

use cell::Row;
use fault::Fault;
use job::Job;

/// One cell of the diagonal, in a row of its own.
fn one(fault: Fault, job: Job) {
    let mut table = table::Table::default();
    Row::new(fault).run(job, &mut table);
    table.report();
}

#[test]
fn dockerd_killed_while_rolling_out() {
    one(Fault::EngineKilled, Job::RollOut);
}

#[test]
fn dockerd_restarted_while_migrating() {
    one(Fault::EngineRestarted, Job::Migrate);
}

#[test]
fn dockerd_hung_while_scaling() {
    one(Fault::EngineHung, Job::Scale);
}

#[test]
fn a_host_cut_off_while_draining_another() {
    one(Fault::CutOff, Job::Drain);
}

#[test]
fn sshd_killed_while_rolling_out() {
    one(Fault::SshdKilled, Job::RollOut);
}

#[test]
fn the_registry_lost_while_deploying() {
    one(Fault::RegistryLost, Job::Deploy);
}

#[test]
fn the_registry_hung_while_rolling_out() {
    one(Fault::RegistryHung, Job::RollOut);
}

#[test]
fn a_proxy_killed_while_rebalancing() {
    one(Fault::ProxyKilled, Job::Rebalance);
}

#[test]
fn the_stores_disk_full_while_scaling() {
    one(Fault::DiskFull, Job::Scale);
}

#[test]
fn the_store_locked_while_rolling_out() {
    one(Fault::StoreLocked, Job::RollOut);
}

#[test]
fn reconciler_and_dashboard_killed_while_migrating() {
    one(Fault::Killed, Job::Migrate);
}

#[test]
fn the_clock_moved_while_rolling_out() {
    one(Fault::ClockMoved, Job::RollOut);
}

#[test]
fn a_container_killed_again_and_again_while_draining() {
    one(Fault::KilledInALoop, Job::Drain);
}

#[test]
fn an_image_deleted_while_rolling_back() {
    one(Fault::ImageDeleted, Job::RollBack);
}

/// The cells that `WHARF_MATRIX` names: `all`, or faults (`cut`) and cells (`hung:scale`) with commas between them.
#[test]
#[ignore = "the whole matrix takes most of an hour: tests/matrix"]
fn chosen() {
    // Without it somebody runs all that is ignored.
    let Ok(wanted) = std::env::var("WHARF_MATRIX") else { return };
    let mut table = table::Table::default();
    for (fault, jobs) in choose(&wanted) {
        // The stage goes on from cell to cell. One that is spoilt, or where what broke is remembered, is not used again.
        let mut row: Option<Row> = None;
        for job in jobs {
            let mut this = row.take().unwrap_or_else(|| Row::new(fault));
            let run = std::panic::AssertUnwindSafe(|| {
                this.run(job, &mut table);
                this
            });
            match std::panic::catch_unwind(run) {
                Ok(this) => row = Some(this).filter(|_| !fault.is_remembered()),
                Err(why) => table.fails(fault, job, &*why),
            }
        }
    }
    table.report();
    table.assert_good();
}

/// Rows with their cells, in the order of the table.
fn choose(wanted: &str) -> Vec<(Fault, Vec<Job>)> {
    let mut rows: Vec<(Fault, Vec<Job>)> = Vec::new();
    for word in wanted.split(',') {
        let (fault, job) = word.split_once(':').unwrap_or((word, "all"));
        let faults: Vec<Fault> = Fault::ALL.into_iter().filter(|it| fault == "all" || it.word() == fault).collect();
        let jobs: Vec<Job> = Job::ALL.into_iter().filter(|it| job == "all" || it.word() == job).collect();
        assert!(
            !faults.is_empty() && !jobs.is_empty(),
            "WHARF_MATRIX: `{word}` is no FAULT or FAULT:OPERATION; faults are {:?}, operations {:?}",
            Fault::ALL.map(Fault::word),
            Job::ALL.map(Job::word)
        );
        for fault in faults {
            match rows.iter_mut().find(|(known, _)| *known == fault) {
                Some((_, all)) => all.extend(jobs.iter().copied()),
                None => rows.push((fault, jobs.clone())),
            }
        }
    }
    rows
}
