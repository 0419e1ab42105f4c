//! Starts a reconciler where none holds the lease, so that an accepted command is carried out whatever happens to us.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::process::Command;

use super::{Context, Failure};
use crate::{
    model::{Fleet, RegionName},
    store::ReadStore,
};

/// A log of this many bytes is set aside when the next reconciler starts.
const LOG_FULL: u64 = 4 << 20;

/// How to start a reconciler for a fleet. Cheap to clone, so that a running dashboard can keep one.
#[derive(Debug, Clone)]
pub(super) struct Starter {
    fleet_file: Option<PathBuf>,
    log: PathBuf,
    /// Regions whose reconciler was started here and has not ended: one that waits for a dead one's lease to run out
    /// is enough.
    started: Arc<Mutex<BTreeSet<RegionName>>>,
}

impl Starter {
    pub(super) fn new(context: &Context) -> Self {
        Self { fleet_file: context.fleet_file.clone(), log: log_file(&context.fleet), started: Arc::default() }
    }

    /// Starts one for those of `regions` that nobody holds. It has its own session: our terminal may go away.
    pub(super) async fn ensure(&self, store: &dyn ReadStore, regions: &[RegionName]) -> Result<(), Failure> {
        let leases = store.leases().await?;
        let held = |region: &RegionName| leases.iter().any(|lease| lease.region == *region && lease.alive);
        let mut free: BTreeSet<RegionName> = regions.iter().filter(|region| !held(region)).cloned().collect();
        free.retain(|region| !self.started().contains(region));
        if free.is_empty() {
            return Ok(());
        }
        let program = std::env::current_exe().map_err(|error| {
            Failure::Failed(format!("wharf cannot find its own program to start a reconciler: {error}"))
        })?;
        // One file of the past is enough. Whoever still writes to it goes on there.
        if std::fs::metadata(&self.log).is_ok_and(|log| log.len() > LOG_FULL) {
            let _ = std::fs::rename(&self.log, self.log.with_extension("log.old"));
        }
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.log).map_err(|error| {
            Failure::Failed(format!("the reconciler's log {} cannot be opened: {error}", self.log.display()))
        })?;
        let mut command = Command::new(program);
        if let Some(file) = &self.fleet_file {
            command.arg("--fleet").arg(file);
        }
        let mut child = command
            .args(["reconcile", "--until-idle", "--own-session"])
            .args(free.iter().flat_map(|region| ["--region", region.as_str()]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| Failure::Failed(format!("the reconciler does not start: {error}")))?;
        // Its first line says that it has left our session. Until then a hang-up would take it along.
        if let Some(stdout) = child.stdout.take() {
            use tokio::io::AsyncBufReadExt;
            let mut lines = tokio::io::BufReader::new(stdout).lines();
            let _ = tokio::time::timeout(Duration::from_secs(5), lines.next_line()).await;
        }
        self.started().extend(free.iter().cloned());
        // Reaped in the background; it goes on when we are gone.
        let this = self.clone();
        tokio::spawn(async move {
            let _ = child.wait().await;
            this.started().retain(|region| !free.contains(region));
        });
        Ok(())
    }

    fn started(&self) -> MutexGuard<'_, BTreeSet<RegionName>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where reconcilers started on demand write their log.
pub(super) fn log_file(fleet: &Fleet) -> PathBuf {
    fleet.store.with_extension("reconcile.log")
}
