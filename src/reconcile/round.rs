//! The loop: see, plan, act, tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{
    awake::Awake,
    begin::Wanted,
    deaths,
    fleet_file::FleetFile,
    keepers, lease,
    options::{Options, Planner, ReconcileError},
    region::{Ended, Region},
    rights::Rights,
    taking_in::store_fails,
};
use crate::{
    clock::Clock,
    engine::{Acting, Observer},
    entry::Keeper,
    model::{CommandId, Desired, Fleet, HostName, HostUpdate, JournalEntry, Observed, Operation, Progress, RegionName},
    plan::{self, World},
    store::{OperationQuery, Store, StoreError},
    text::Text,
};

/// How often the store is asked whether anyone committed. One `PRAGMA`: microseconds.
const STORE_POLL: Duration = Duration::from_millis(25);

/// How often the fleet file is compared with what was read, beside every change of what is wanted.
const FILE_LOOK: Duration = Duration::from_millis(500);

/// Progress is told at most so often, unless an operation ends.
const REPORT_EVERY: Duration = Duration::from_millis(100);

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

/// A region whose report the store did not take is planned anew after this.
const STORE_PAUSE: Duration = Duration::from_millis(500);

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
    planner: Planner,
    pub(super) fleet: Arc<Fleet>,
    pub(super) store: Arc<dyn Store>,
    pub(super) observed: Observed,
    pub(super) desired: Arc<Desired>,
    pub(super) open: Vec<Operation>,
    /// Who may have asked for it.
    rights: Rights,
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

    /// Plans the held regions of which something changed, starts what can start, tells how far it is.
    async fn round(&mut self) -> Result<(), StoreError> {
        self.wake();
        let now = self.clock.now();
        // Who does not know what is wanted would take everything for unwanted.
        if !self.is_loaded {
            return Ok(());
        }
        // A lease that may have run out meanwhile is renewed or let go first.
        let is_due = |region: &Region| region.is_dirty && self.leases.is_sure(&region.fence);
        let changed = self.regions.iter().filter(|(_, region)| is_due(region));
        let names: Vec<RegionName> = changed.map(|(name, _)| name.clone()).collect();
        for name in names {
            let outcome = self.round_of(&name, now).await;
            match outcome {
                Ok(()) => {}
                Err(StoreError::LeaseLost { .. }) => {
                    tracing::warn!(region = %name, "the lease is lost; leaving the region alone");
                    self.regions.remove(&name);
                }
                Err(error) => {
                    let again = now.checked_add(STORE_PAUSE).ok();
                    self.regions.entry(name).and_modify(|region| region.look_again = again);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn round_of(&mut self, name: &RegionName, now: Timestamp) -> Result<(), StoreError> {
        let Some(region) = self.regions.get_mut(name) else { return Ok(()) };
        region.is_dirty = false;
        for host in region.settle(&self.observed, now) {
            self.observer.resync(&host);
        }
        deaths::forget(&mut region.memory, now);
        region.memory.compared = region.tally.compared();
        let world = World { fleet: &self.fleet, desired: &self.desired, observed: &self.observed, now };
        let next = (self.planner.next)(&world, name, &region.memory, &self.open);
        region.look_again = [next.look_again, region.settle_at()].into_iter().flatten().min();
        // A store that is new or lost never knew a service, and so knows no proxy: what runs is left as it is.
        let is_lost = self.desired.revisions.is_empty() && self.observed.replicas().next().is_some();
        let (fleet, observer, tell) = (&self.fleet.name, &self.observer, &self.tell);
        let (leases, fence) = (&self.leases, &region.fence);
        region.keepers.want(name, &self.observed, &next.proxies, is_lost, |host, wanted| {
            let (handle, within) = (observer.handle(host)?, leases.within(fence));
            Some(Keeper::start(fleet.clone(), name.clone(), handle, tell.clone(), wanted, within))
        });
        region.note(&next, self.clock.now());
        region.is_unsettled = next.look_again.is_some()
            || !next.actions.is_empty()
            || !next.moves.is_empty()
            || !keepers::are_settled(name, &self.observed, &next.proxies);

        self.wanted.send_if_modified(|wanted| {
            let known = wanted.frozen.entry(name.clone()).or_default();
            let changed = *known != next.frozen;
            known.clone_from(&next.frozen);
            changed
        });
        let mut progress: Vec<(CommandId, (Timestamp, Progress))> = Vec::new();
        let mut ending = false;
        for operation in self.open.iter().filter(|operation| operation.regions().contains(name)) {
            let is_new = !region.reported.contains_key(&operation.id);
            if let Some(why) = is_new.then(|| self.rights.refuses(operation, name)).flatten() {
                let (fence, id) = (region.fence.clone(), operation.id);
                self.store.fail(fence, id, Text::new(&why), now).await?;
                return Ok(());
            }
            if let Some(verdict) = (self.planner.verdict)(&world, name, operation, &region.memory) {
                let fence = region.fence.clone();
                return self.give_up(fence, operation.clone(), verdict).await;
            }
            let mut part = plan::progress(&world, name, operation, &region.memory);
            plan::explain_waits(&mut part, &next.waits);
            part.traffic = region.tally.of(operation, name);
            let before = region.reported.get(&operation.id).map(|(_, part)| part);
            plan::date(&mut part, before.or_else(|| operation.progress.get(name)), world.now);
            let told = (operation.since(), part);
            if region.reported.get(&operation.id) != Some(&told) {
                ending |= told.1.finished;
                progress.push((operation.id, told));
            }
        }
        region.report_due = !progress.is_empty() || self.journal.iter().any(|(region, _)| region == name);
        if region.report_due && (ending || region.last_report.elapsed() >= REPORT_EVERY) {
            let here = self.journal.iter().filter(|(region, _)| region == name);
            let journal: Vec<JournalEntry> = here.map(|(_, entry)| entry.clone()).collect();
            let parts = progress.iter().map(|(id, (_, part))| (*id, part.clone())).collect();
            self.store.report(region.fence.clone(), parts, journal).await?;
            self.journal.retain(|(region, _)| region != name);
            region.reported.extend(progress);
            region.last_report = Instant::now();
            region.report_due = false;
        }

        for (replica, place, why) in next.moves {
            self.store.replace(region.fence.clone(), replica, place, Text::new(&why)).await?;
        }
        for action in next.actions {
            self.begin(name, action);
        }
        Ok(())
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
