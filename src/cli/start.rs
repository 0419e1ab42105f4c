//! Starts a reconciler where none holds the lease, so that an accepted command is carried out whatever happens to us.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::PathBuf, process::Stdio, time::Duration};

use tokio::process::Command;

use super::{Context, Failure};
use crate::{
    model::{Fleet, RegionName},
    store::ReadStore,
};

/// How to start a reconciler for a fleet. Cheap to clone, so that a running dashboard can keep one.
#[derive(Debug, Clone)]
pub(super) struct Starter {
    fleet_file: Option<PathBuf>,
    log: PathBuf,
}

impl Starter {
    pub(super) fn new(context: &Context) -> Self {
        Self { fleet_file: context.fleet_file.clone(), log: log_file(&context.fleet) }
    }

    /// Starts one unless all `regions` are held. It has its own session: our terminal may go away.
    pub(super) async fn ensure(&self, store: &dyn ReadStore, regions: &[RegionName]) -> Result<(), Failure> {
        let leases = store.leases().await?;
        let held = |region: &RegionName| leases.iter().any(|lease| lease.region == *region && lease.alive);
        if regions.iter().all(held) {
            return Ok(());
        }
        let program = std::env::current_exe().map_err(|error| {
            Failure::Failed(format!("wharf cannot find its own program to start a reconciler: {error}"))
        })?;
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.log).map_err(|error| {
            Failure::Failed(format!("the reconciler's log {} cannot be opened: {error}", self.log.display()))
        })?;
        let mut command = Command::new(program);
        if let Some(file) = &self.fleet_file {
            command.arg("--fleet").arg(file);
        }
        let mut child = command
            .args(["reconcile", "--until-idle", "--own-session"])
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
        // Reaped in the background; it goes on when we are gone.
        tokio::spawn(async move {
            let _ = child.wait().await;
        });
        Ok(())
    }
}

/// Where reconcilers started on demand write their log.
pub(super) fn log_file(fleet: &Fleet) -> PathBuf {
    fleet.store.with_extension("reconcile.log")
}
