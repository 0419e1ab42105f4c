//! What comes to the loop: news of hosts and proxies, actions that ended, leases, what was committed to the store.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    deaths, lease,
    options::ReconcileError,
    region::{Ended, Failed, Region},
    round::Reconciler,
    told::entry_of,
};
use crate::{
    model::{CommandId, HostChange, HostUpdate, Link, Operation, RegionName},
    store::{Fence, OperationQuery, StoreError},
};

/// A store that fails for so long is given up.
const STORE_GONE: Duration = Duration::from_secs(10);

impl Reconciler {
    /// Hosts that are silent after we stood still may have been heard meanwhile: their silence counts from now.
    pub(super) fn wake(&mut self) {
        if !self.awake.turn() {
            return;
        }
        self.observed.hosts.values_mut().for_each(|host| self.awake.limit_link(&mut host.link));
        for region in self.regions.values_mut() {
            region.memory.silent_since.values_mut().for_each(|since| self.awake.limit(since));
            region.is_dirty = true;
        }
    }

    /// Takes in what an observer tells.
    pub(super) fn see(&mut self, mut update: HostUpdate) {
        let now = self.clock.now();
        self.wake();
        self.observed.resolve(&mut update);
        if let HostChange::Link(link) = &mut update.change {
            self.awake.limit_link(link);
        }
        if let HostChange::Container(after) = &update.change {
            let host = self.observed.hosts.get(&update.host);
            let before = host.and_then(|host| host.containers.get(&after.id));
            let region = host.and_then(|host| self.regions.get_mut(&host.region));
            if let Some(region) = region {
                deaths::note(&mut region.memory, &update.host, before, after, now);
            }
        }
        if let HostChange::Link(Link::Unknown { .. }) = &update.change
            && let Some(lost) = self.lost.remove(&update.host)
        {
            lost.cancel();
        }
        if let HostChange::Proxy(Some(proxy)) = &update.change
            && let Some(host) = self.observed.hosts.get(&update.host)
            && let Some(region) = self.regions.get_mut(&host.region)
        {
            region.tally.see(&host.region, &update.host, proxy, &self.open);
            // Operations wait for it, and tell how much came through.
            region.is_dirty |= !self.open.is_empty();
        }
        let matters = match &update.change {
            HostChange::Usage(_) | HostChange::Event(_) => false,
            HostChange::Proxy(after) => {
                let before = self.observed.hosts.get(&update.host).and_then(|host| host.proxy.as_ref());
                match (before, after) {
                    (Some(before), Some(after)) => !before.stands_as(after),
                    (before, after) => before.is_some() || after.is_some(),
                }
            }
            _ => true,
        };
        let host = update.host.clone();
        // A new plan may differ.
        if self.observed.apply(update) && matters {
            let region = self.observed.hosts.get(&host).and_then(|host| self.regions.get_mut(&host.region));
            if let Some(region) = region {
                region.is_dirty = true;
            }
        }
    }

    pub(super) fn take_ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let Ok(ended) = ended else {
            tracing::error!("an action ended without a word; it is planned again");
            return;
        };
        let now = self.clock.now();
        // What an earlier holding of the region began is no longer in its books.
        let Some(region) = self.regions.get_mut(&ended.fence.region).filter(|region| region.fence == ended.fence)
        else {
            return;
        };
        if let Some(Err(Failed { lacks_image: true, .. })) = &ended.result {
            // Its list of images may say otherwise.
            self.observer.resync(ended.action.host());
        }
        self.journal.extend(entry_of(&ended, now).map(|entry| (ended.fence.region.clone(), entry)));
        region.ended(ended, now);
    }

    pub(super) fn take_leases(&mut self, held: &lease::Held) {
        self.regions.retain(|name, region| held.get(name).is_some_and(|hold| hold.epoch == region.fence.epoch));
        let now = self.clock.now();
        for (name, hold) in held {
            self.regions
                .entry(name.clone())
                .or_insert_with(|| Region::new(Fence { region: name.clone(), epoch: hold.epoch }, now));
        }
    }

    pub(super) async fn poll_store(&mut self, seen: &mut Option<u64>) -> Result<bool, StoreError> {
        let mut version = self.store.version().await?;
        if *seen == Some(version) {
            return Ok(false);
        }
        // What is wanted and the commands that want it must be of one moment: a command without its change would look
        // done, and a change without its command would not wait for its images.
        let (desired, mut open) = loop {
            let desired = self.store.desired().await?;
            let open = self.store.operations(OperationQuery { open_only: true, ..OperationQuery::default() }).await?;
            let after = self.store.version().await?;
            if after == version {
                break (desired, open);
            }
            version = after;
        };
        open.reverse();
        let stage = |operation: &Operation| (operation.id, operation.since(), operation.paused.is_some());
        // One region may wait for another, whose part another process may be doing.
        let finished = |operations: &[Operation]| -> Vec<(CommandId, RegionName)> {
            let parts = operations.iter().flat_map(|it| it.progress.iter().map(|(region, part)| (it.id, region, part)));
            parts.filter(|(.., part)| part.finished).map(|(id, region, _)| (id, region.clone())).collect()
        };
        let changed = self.desired.generation != desired.generation
            || !open.iter().map(stage).eq(self.open.iter().map(stage))
            || finished(&open) != finished(&self.open);
        let is_known = |new: &Operation| self.open.iter().any(|old| stage(old) == stage(new));
        for operation in open.iter().filter(|new| !is_known(new)) {
            for name in operation.regions() {
                if let Some(region) = self.regions.get_mut(&name) {
                    region.begin(operation);
                }
            }
        }
        self.wanted.send_modify(|wanted| wanted.desired = desired.clone());
        self.observed.adopt(&desired.adopted);
        self.is_loaded = true;
        self.desired = desired;
        self.open = open;
        *seen = Some(version);
        for region in self.regions.values_mut() {
            region.forget(&self.open);
        }
        Ok(changed)
    }
}

/// A store that fails for a while: the leases run out; leave rather than guess.
pub(super) fn store_fails(since: &mut Option<Instant>, error: StoreError) -> Result<(), ReconcileError> {
    if since.get_or_insert_with(Instant::now).elapsed() > STORE_GONE {
        return Err(error.into());
    }
    tracing::warn!(%error, "the store fails; trying again");
    Ok(())
}
