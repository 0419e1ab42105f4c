//! A reconciler as a process would be: its own runtime, its own open store. It can be killed.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use wharf::{
    reconcile::{self, LeaseTimes, Options, ReconcileError},
    store::{Sqlite, Store},
    text::Text,
};

use super::support::{PATIENCE, Sim};

pub struct Reconciler {
    runtime: Option<Runtime>,
    task: Option<JoinHandle<Result<(), ReconcileError>>>,
    stop: CancellationToken,
}

impl Reconciler {
    pub fn start(sim: &Sim, name: &str) -> Self {
        Self::start_over(sim, name, Self::store(sim))
    }

    /// One that leaves when nothing is pending.
    pub fn start_until_idle(sim: &Sim, name: &str) -> Self {
        Self::start_with(sim, Options { until_idle: true, ..Self::options(sim, name) }, Self::store(sim))
    }

    /// One with a store of the test's own.
    pub fn start_over(sim: &Sim, name: &str, store: Arc<dyn Store>) -> Self {
        Self::start_with(sim, Self::options(sim, name), store)
    }

    fn store(sim: &Sim) -> Arc<dyn Store> {
        let options = wharf::store::Options { lease: sim.setup.lease, ..wharf::store::Options::default() };
        Arc::new(Sqlite::open_with(&sim.model.store, options).unwrap())
    }

    fn options(sim: &Sim, name: &str) -> Options {
        let lease = sim.setup.lease;
        let lease = LeaseTimes { heartbeat: lease / 4, let_go: lease * 3 / 4 };
        Options { lease, observe: sim.setup.observe.clone(), ..Options::new(Text::new(name)) }
    }

    fn start_with(sim: &Sim, options: Options, store: Arc<dyn Store>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let stop = CancellationToken::new();
        let task = runtime.spawn(reconcile::run(sim.model.clone(), store, options, stop.clone()));
        Self { runtime: Some(runtime), task: Some(task), stop }
    }

    /// As `kill -9`: nothing is finished, nothing released.
    pub fn kill(mut self) {
        self.end();
    }

    /// As SIGTERM: what has begun is finished, leases are given back.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.left(PATIENCE).await;
    }

    /// Waits until it has left by itself, and without error.
    pub async fn left(&mut self, patience: Duration) {
        let task = self.task.take().expect("it left once already");
        tokio::time::timeout(patience, task).await.expect("the reconciler does not leave").unwrap().unwrap();
        self.end();
    }

    pub fn is_alive(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.is_finished())
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Reconciler {
    fn drop(&mut self) {
        self.end();
    }
}
