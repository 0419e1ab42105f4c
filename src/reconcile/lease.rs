//! Holds leases: takes them, renews them, and lets go in time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{
    model::{Epoch, Lease, RegionName},
    store::{Fence, Store},
    text::Text,
};

/// How leases are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// Time between renewals.
    pub heartbeat: Duration,
    /// A lease that could not be renewed for so long is treated as lost, before others may take it.
    pub let_go: Duration,
}

impl Default for LeaseTimes {
    /// The design's heartbeat of 5 s, and 3 s less than the expiry of 15 s.
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(5), let_go: Duration::from_secs(12) }
    }
}

/// So often it is looked whether a lease that another holds is free.
const CHANCE: Duration = Duration::from_millis(250);

/// The leases held now, by region.
pub(super) type Held = BTreeMap<RegionName, Epoch>;

/// Keeps the leases of `wanted` until `stop`; what is held is published through the returned channel. On `stop` the
/// leases are released, and the task ends.
pub(super) fn keep(
    store: Arc<dyn Store>,
    holder: Text,
    times: LeaseTimes,
    wanted: watch::Receiver<BTreeSet<RegionName>>,
    stop: CancellationToken,
) -> (watch::Receiver<Held>, tokio::task::JoinHandle<()>) {
    let (publish, held) = watch::channel(Held::new());
    let task = tokio::spawn(keep_until(store, holder, times, wanted, publish, stop));
    (held, task)
}

async fn keep_until(
    store: Arc<dyn Store>,
    holder: Text,
    times: LeaseTimes,
    mut wanted: watch::Receiver<BTreeSet<RegionName>>,
    publish: watch::Sender<Held>,
    stop: CancellationToken,
) {
    let mut renewed: BTreeMap<RegionName, (Epoch, Instant)> = BTreeMap::new();
    let mut beat = tokio::time::interval(times.heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut chance = tokio::time::interval(CHANCE);
    chance.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = beat.tick() => {}
            // What another holds may be free by now. That is read: writing would hold up those who have to.
            _ = chance.tick(), if wanted.borrow().iter().any(|region| !renewed.contains_key(region)) => {
                let free = |leases: Vec<Lease>| leases.iter().any(|it| !it.alive && !renewed.contains_key(&it.region));
                if !store.leases().await.is_ok_and(free) {
                    continue;
                }
            }
            changed = wanted.changed() => if changed.is_err() { break },
            () = stop.cancelled() => break,
        }
        let regions = wanted.borrow_and_update().clone();
        for region in regions {
            let asked = Instant::now();
            match store.take_lease(region.clone(), holder.clone()).await {
                Ok(Some(epoch)) => {
                    renewed.insert(region, (epoch, asked));
                }
                Ok(None) => {
                    renewed.remove(&region);
                }
                // The store does not answer: keep what we hold while it surely lasts.
                Err(error) => tracing::warn!(%region, %error, "lease not renewed"),
            }
        }
        renewed.retain(|_, (_, at)| at.elapsed() < times.let_go);
        let now: Held = renewed.iter().map(|(region, (epoch, _))| (region.clone(), *epoch)).collect();
        publish.send_if_modified(|held| {
            let changed = *held != now;
            *held = now;
            changed
        });
    }
    let held = publish.send_replace(Held::new());
    for (region, epoch) in held {
        if let Err(error) = store.release_lease(Fence { region: region.clone(), epoch }).await {
            tracing::warn!(%region, %error, "lease not released; it expires by itself");
        }
    }
}
