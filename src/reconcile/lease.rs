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
    model::{Epoch, RegionName},
    store::{Fence, Store},
    text::Text,
};

/// Time between renewals (design: heartbeat 5 s).
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A lease that could not be renewed for so long is treated as lost: 3 s before others may take it (expiry 15 s).
const LET_GO: Duration = Duration::from_secs(12);

/// The leases held now, by region.
pub(super) type Held = BTreeMap<RegionName, Epoch>;

/// Keeps the leases of `wanted` until `stop`; what is held is published through the returned channel. On `stop` the
/// leases are released, and the task ends.
pub(super) fn keep(
    store: Arc<dyn Store>,
    holder: Text,
    wanted: watch::Receiver<BTreeSet<RegionName>>,
    stop: CancellationToken,
) -> (watch::Receiver<Held>, tokio::task::JoinHandle<()>) {
    let (publish, held) = watch::channel(Held::new());
    let task = tokio::spawn(keep_until(store, holder, wanted, publish, stop));
    (held, task)
}

async fn keep_until(
    store: Arc<dyn Store>,
    holder: Text,
    mut wanted: watch::Receiver<BTreeSet<RegionName>>,
    publish: watch::Sender<Held>,
    stop: CancellationToken,
) {
    let mut renewed: BTreeMap<RegionName, (Epoch, Instant)> = BTreeMap::new();
    let mut beat = tokio::time::interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => {}
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
        renewed.retain(|_, (_, at)| at.elapsed() < LET_GO);
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
