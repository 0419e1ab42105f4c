//! One round over the regions that are held: what each needs next, and the start of it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    deaths, keepers,
    region::Region,
    round::{REPORT_EVERY, Reconciler},
};
use crate::{
    entry::Keeper,
    model::{CommandId, JournalEntry, Progress, RegionName},
    plan::{self, World},
    store::StoreError,
    text::Text,
};

/// A region whose report the store did not take is planned anew after this.
const STORE_PAUSE: Duration = Duration::from_millis(500);

impl Reconciler {
    /// Plans the held regions of which something changed, starts what can start, tells how far it is.
    pub(super) async fn round(&mut self) -> Result<(), StoreError> {
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
}
