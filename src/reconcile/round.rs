//! The loop: see, plan, act, tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{
    awake::Awake,
    begin::Wanted,
    fleet_file::FleetFile,
    lease,
    options::{Options, Planner, ReconcileError},
    region::{Ended, Region},
    rights::Rights,
    taking_in::store_fails,
};
use crate::{
    clock::Clock,
    engine::{Acting, Observer},
    model::{Desired, Fleet, HostName, HostUpdate, JournalEntry, Observed, Operation, RegionName},
    store::{OperationQuery, Store},
};

/// How often the store is asked whether anyone committed. One `PRAGMA`: microseconds.
const STORE_POLL: Duration = Duration::from_millis(25);

/// How often the fleet file is compared with what was read, beside every change of what is wanted.
const FILE_LOOK: Duration = Duration::from_millis(500);

/// Progress is told at most so often, unless an operation ends.
pub(super) const REPORT_EVERY: Duration = Duration::from_millis(100);

/// Actions at once on one host. An engine starts about as many containers at once as it has cores; a few more keep
/// it busy while others wait for its disk.
const PER_HOST: usize = 8;

/// With `until_idle`: leave after so long without anything to do, so that a second command finds us still here.
const LINGER: Duration = Duration::from_secs(3);

/// With `until_idle`: what no operation asks for any more, such as putting back what an aborted one did, is mended for
/// so long after the last one ended. What cannot be mended shall not keep us here for ever.
const MEND_WITHIN: Duration = Duration::from_secs(10 * 60);

/// On stop: running actions may go on for so long.
const FINISH_WITHIN: Duration = Duration::from_secs(30);

/// Runs until `stop`, or until idle. On `stop` no new action begins, the running ones are finished, the leases
/// released.
pub async fn run(
    fleet: Arc<Fleet>,
    store: Arc<dyn Store>,
    options: Options,
    stop: CancellationToken,
) -> Result<(), ReconcileError> {
    let mine: BTreeSet<RegionName> = fleet
        .regions
        .iter()
        .map(|region| region.name.clone())
        .filter(|name| options.regions.as_ref().is_none_or(|only| only.contains(name)))
        .collect();
    let clock = options.observe.clock;
    let (tx, updates) = mpsc::channel(1024);
    let observer = Observer::start_acting(&fleet, tx.clone(), options.observe);
    let (pulling, percents) = mpsc::channel(256);
    let now = clock.now();
    let mut this = Reconciler {
        observed: Observed::unseen(&fleet, now),
        permits: fleet.hosts().map(|(_, host)| (host.name.clone(), Arc::new(Semaphore::new(PER_HOST)))).collect(),
        clock,
        planner: options.planner,
        lost: BTreeMap::new(),
        wanted: watch::Sender::new(Wanted::default()),
        rights: Rights::new(&fleet),
        fleet,
        store,
        desired: Arc::default(),
        open: Vec::new(),
        regions: BTreeMap::new(),
        leases: lease::Leases::new(watch::Sender::default().subscribe(), clock),
        awake: Awake::new(clock),
        observer,
        tell: tx,
        is_loaded: false,
        pulling,
        tasks: JoinSet::new(),
        journal: Vec::new(),
    };
    // Asked to look after regions by name: they are ours even while no operation is open.
    let named = options.regions.is_some();
    let mut turn = Turn {
        updates,
        percents,
        mine,
        named,
        until_idle: options.until_idle,
        fleet_file: options.fleet_file,
        clock_set: options.clock_set,
    };
    loop {
        let leases_stop = CancellationToken::new();
        let (wanted, wanted_rx) = watch::channel(BTreeSet::new());
        let holder = options.holder.clone();
        let (held, lease_task) =
            lease::keep(this.store.clone(), holder, (options.lease, clock), wanted_rx, leases_stop.clone());
        this.leases = lease::Leases::new(held.clone(), clock);
        let result = this.turn_until(&mut turn, held, &wanted, &stop).await;
        // Running actions are finished; what they told is written while the leases still hold.
        let _ = tokio::time::timeout(FINISH_WITHIN, this.finish()).await;
        leases_stop.cancel();
        let _ = lease_task.await;
        this.regions.clear();
        // Who accepted a command while we still held the lease relied on us: nothing is left behind.
        let is_stale = turn.fleet_file.as_ref().is_some_and(FleetFile::has_changed)
            || turn.clock_set.as_ref().is_some_and(CancellationToken::is_cancelled);
        if result.is_err() || is_stale || stop.is_cancelled() || !this.is_asked(&turn.mine).await {
            return result;
        }
    }
}

/// What comes to the loop, and what it asks for.
struct Turn {
    updates: mpsc::Receiver<HostUpdate>,
    percents: mpsc::Receiver<(HostName, String, u8)>,
    mine: BTreeSet<RegionName>,
    named: bool,
    until_idle: bool,
    fleet_file: Option<FleetFile>,
    clock_set: Option<CancellationToken>,
}

pub(super) struct Reconciler {
    pub(super) clock: Clock,
    pub(super) planner: Planner,
    pub(super) fleet: Arc<Fleet>,
    pub(super) store: Arc<dyn Store>,
    pub(super) observed: Observed,
    pub(super) desired: Arc<Desired>,
    pub(super) open: Vec<Operation>,
    /// Who may have asked for it.
    pub(super) rights: Rights,
    pub(super) regions: BTreeMap<RegionName, Region>,
    /// How long each region is surely ours.
    pub(super) leases: lease::Leases,
    /// Whether we could hear what there was to hear.
    pub(super) awake: Awake,
    pub(super) observer: Observer<Acting>,
    /// Where keepers of proxies tell what they see.
    pub(super) tell: mpsc::Sender<HostUpdate>,
    /// What is wanted was read from the store.
    pub(super) is_loaded: bool,
    pub(super) permits: BTreeMap<HostName, Arc<Semaphore>>,
    /// Cancelled when a host is lost, so that what hangs with it does not hold its replicas.
    pub(super) lost: BTreeMap<HostName, CancellationToken>,
    /// What is wanted by now, for actions that waited for their turn.
    pub(super) wanted: watch::Sender<Wanted>,
    pub(super) pulling: mpsc::Sender<(HostName, String, u8)>,
    pub(super) tasks: JoinSet<Ended>,
    pub(super) journal: Vec<(RegionName, JournalEntry)>,
}

impl Reconciler {
    async fn turn_until(
        &mut self,
        turn: &mut Turn,
        mut held: watch::Receiver<lease::Held>,
        wanted: &watch::Sender<BTreeSet<RegionName>>,
        stop: &CancellationToken,
    ) -> Result<(), ReconcileError> {
        let Turn { updates, percents, mine, named, until_idle, fleet_file, clock_set } = turn;
        let (named, until_idle) = (*named, *until_idle);
        let mut poll = tokio::time::interval(STORE_POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen_version = None;
        let mut idle_since = Instant::now();
        let mut asked_until = Instant::now();
        let mut looked_at_file = Instant::now();
        let mut store_gone_since: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(ended) = self.tasks.join_next() => {
                    self.take_ended(ended);
                    while let Some(ended) = self.tasks.try_join_next() {
                        self.take_ended(ended);
                    }
                }
                Some(update) = updates.recv() => {
                    self.see(update);
                    while let Ok(update) = updates.try_recv() {
                        self.see(update);
                    }
                }
                Some((host, image, percent)) = percents.recv() => {
                    let region = self.fleet.host(&host).and_then(|(region, _)| self.regions.get_mut(&region.name));
                    if let Some(region) = region {
                        region.memory.pulling.insert((host, image), percent);
                        region.report_due = true;
                    }
                }
                Ok(()) = held.changed() => {
                    self.take_leases(&held.borrow_and_update().clone());
                }
                _ = poll.tick() => {
                    if let Some(set) = clock_set.as_ref().filter(|_| self.clock.is_off()) {
                        tracing::warn!("the machine's clock was set, or it slept; looking at everything anew");
                        set.cancel();
                        return Ok(());
                    }
                    match self.poll_store(&mut seen_version).await {
                        Ok(changed) => {
                            // Before a change is judged: it may be about a host that was just added to the file.
                            if changed || looked_at_file.elapsed() > FILE_LOOK {
                                looked_at_file = Instant::now();
                                if fleet_file.as_ref().is_some_and(FleetFile::has_changed) {
                                    tracing::info!("the fleet file has changed");
                                    return Ok(());
                                }
                            }
                            if changed {
                                self.regions.values_mut().for_each(|region| region.is_dirty = true);
                            }
                            store_gone_since = None;
                        }
                        Err(error) => store_fails(&mut store_gone_since, error)?,
                    }
                    let now = self.clock.now();
                    for region in self.regions.values_mut() {
                        region.is_dirty |= region.look_again.is_some_and(|at| at <= now);
                        region.is_dirty |= region.report_due && region.last_report.elapsed() >= REPORT_EVERY;
                    }
                }
            }
            // Until idle, only regions with something pending are held: others are left to a permanent reconciler.
            let want: BTreeSet<RegionName> = if until_idle && !named {
                let pending = self.open.iter().flat_map(Operation::regions).filter(|region| mine.contains(region));
                pending.chain(self.regions.keys().cloned()).collect()
            } else {
                mine.clone()
            };
            wanted.send_if_modified(|now| {
                let changed = *now != want;
                now.clone_from(&want);
                changed
            });
            if let Err(error) = self.round().await {
                store_fails(&mut store_gone_since, error)?;
            }
            self.awake.rest();
            let is_asked =
                self.open.iter().any(|operation| operation.regions().iter().any(|region| mine.contains(region)));
            if is_asked {
                asked_until = Instant::now();
            }
            let is_mending =
                self.regions.values().any(|region| region.is_unsettled) && asked_until.elapsed() < MEND_WITHIN;
            if is_asked || is_mending || !self.tasks.is_empty() || self.regions.values().any(Region::is_busy) {
                idle_since = Instant::now();
            } else if until_idle && idle_since.elapsed() > LINGER {
                return Ok(());
            }
        }
    }

    /// True when an operation of these regions is open. A store that does not tell asks for nothing.
    async fn is_asked(&self, mine: &BTreeSet<RegionName>) -> bool {
        let query = OperationQuery { open_only: true, ..OperationQuery::default() };
        let open = self.store.operations(query).await.unwrap_or_default();
        open.iter().any(|operation| operation.regions().iter().any(|region| mine.contains(region)))
    }

    /// Waits for the running actions and writes what they told. Those that wait for their turn do not begin.
    async fn finish(&mut self) {
        self.regions.values().for_each(|region| region.held.cancel());
        while let Some(ended) = self.tasks.join_next().await {
            self.take_ended(ended);
        }
        let writes: FuturesUnordered<_> = self
            .regions
            .iter()
            .map(|(name, region)| {
                let entries =
                    self.journal.iter().filter(|(region, _)| region == name).map(|(_, entry)| entry.clone()).collect();
                self.store.report(region.fence.clone(), Vec::new(), entries)
            })
            .collect();
        let _: Vec<_> = writes.collect().await;
    }
}
