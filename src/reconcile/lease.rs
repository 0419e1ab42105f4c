//! Holds leases: takes them, renews them, and lets go in time.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
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
pub(super) type Held = BTreeMap<RegionName, Hold>;

/// A lease that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    /// Which holding it is.
    pub epoch: Epoch,
    /// It surely lasts until then, by [`Clock::uptime`], if it is not renewed.
    pub until: Duration,
}

/// The leases as who acts under them sees them. Who was stopped meanwhile, or whose machine slept, finds out by looking at
/// the time, before anybody could tell.
#[derive(Debug, Clone)]
pub(super) struct Leases {
    held: watch::Receiver<Held>,
    clock: Clock,
}

impl Leases {
    pub(super) fn new(held: watch::Receiver<Held>, clock: Clock) -> Self {
        Self { held, clock }
    }

    /// How long the lease of a fence surely lasts; none when that is over.
    fn lasts(&self, fence: &Fence) -> Option<Duration> {
        let held = self.held.borrow();
        let hold = held.get(&fence.region).filter(|hold| hold.epoch == fence.epoch)?;
        hold.until.checked_sub(self.clock.uptime()).filter(|left| !left.is_zero())
    }

    /// True while the lease of a fence surely lasts.
    pub(super) fn is_sure(&self, fence: &Fence) -> bool {
        self.lasts(fence).is_some()
    }

    /// Ends work when the lease does not surely last any more.
    pub(super) fn within(
        &self,
        fence: &Fence,
    ) -> impl FnOnce(BoxFuture<'static, ()>) -> BoxFuture<'static, ()> + use<> {
        let (leases, fence) = (self.clone(), fence.clone());
        move |work| Box::pin(async move { leases.while_sure(&fence, work).await.unwrap_or_default() })
    }

    /// Does `work` while the lease surely lasts; none when it did not last so long. The time is looked at each time before
    /// the work goes on: a process that was stopped must not do one thing more than it had begun.
    pub(super) async fn while_sure<T>(self, fence: &Fence, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        // Nobody waits for news of leases here: who waits for the same is woken in any order.
        while let Some(left) = self.lasts(fence) {
            let go_on =
                poll_fn(
                    |context| {
                        if self.is_sure(fence) { work.as_mut().poll(context).map(Some) } else { Poll::Ready(None) }
                    },
                );
            tokio::select! {
                biased;
                done = go_on => return done,
                () = tokio::time::sleep(left) => {}
            }
        }
        None
    }
}

/// Keeps the leases of `wanted` until `stop`; what is held is published through the returned channel. On `stop` the
/// leases are released, and the task ends.
pub(super) fn keep(
    store: Arc<dyn Store>,
    holder: Text,
    (times, clock): (LeaseTimes, Clock),
    wanted: watch::Receiver<BTreeSet<RegionName>>,
    stop: CancellationToken,
) -> (watch::Receiver<Held>, tokio::task::JoinHandle<()>) {
    let (publish, held) = watch::channel(Held::new());
    let task = tokio::spawn(keep_until(store, holder, (times, clock), wanted, publish, stop));
    (held, task)
}

async fn keep_until(
    store: Arc<dyn Store>,
    holder: Text,
    (times, clock): (LeaseTimes, Clock),
    mut wanted: watch::Receiver<BTreeSet<RegionName>>,
    publish: watch::Sender<Held>,
    stop: CancellationToken,
) {
    let mut renewed: BTreeMap<RegionName, (Epoch, Duration)> = BTreeMap::new();
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
            let asked = clock.uptime();
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
        renewed.retain(|_, (_, asked)| clock.uptime() < *asked + times.let_go);
        let hold = |epoch: Epoch, asked: Duration| Hold { epoch, until: asked + times.let_go };
        let now: Held = renewed.iter().map(|(region, (epoch, asked))| (region.clone(), hold(*epoch, *asked))).collect();
        publish.send_if_modified(|held| {
            let changed = *held != now;
            *held = now;
            changed
        });
    }
    let held = publish.send_replace(Held::new());
    for (region, Hold { epoch, .. }) in held {
        if let Err(error) = store.release_lease(Fence { region: region.clone(), epoch }).await {
            tracing::warn!(%region, %error, "lease not released; it expires by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    fn fence(epoch: u64) -> Fence {
        Fence { region: "east".parse().unwrap(), epoch: Epoch(epoch) }
    }

    /// The lease of epoch 1, for 12 s more.
    fn lasts(clock: Clock) -> Held {
        let until = clock.uptime() + Duration::from_secs(12);
        Held::from([("east".parse().unwrap(), Hold { epoch: Epoch(1), until })])
    }

    #[tokio::test(start_paused = true)]
    async fn work_goes_on_while_the_lease_is_renewed_and_ends_with_it() {
        let clock = Clock::running();
        let (publish, held) = watch::channel(lasts(clock));
        let leases = Leases::new(held, clock);
        let ours = fence(1);
        let work = leases.clone().while_sure(&ours, tokio::time::sleep(Duration::from_secs(30)));
        let renew = async {
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_secs(10)).await;
                publish.send_replace(lasts(clock));
            }
        };
        assert_eq!(tokio::join!(work, renew).0, Some(()));
        // Renewed no more.
        publish.send_replace(lasts(clock));
        let begun = clock.uptime();
        assert_eq!(leases.clone().while_sure(&ours, std::future::pending::<()>()).await, None);
        assert_eq!(clock.uptime(), begun + Duration::from_secs(12));
        // Lost to another: it does not go on, whenever it could.
        publish.send_replace(lasts(clock));
        let lose = async { publish.send_replace(Held::new()) };
        let work = async {
            tokio::task::yield_now().await;
            panic!("it went on")
        };
        let (done, _): (Option<()>, _) = tokio::join!(leases.clone().while_sure(&ours, work), lose);
        assert_eq!(done, None);
        // Never held.
        publish.send_replace(lasts(clock));
        assert_eq!(leases.clone().while_sure(&fence(2), async {}).await, None);
        assert!(leases.is_sure(&ours) && !leases.is_sure(&fence(2)));
        tokio::time::advance(Duration::from_secs(12)).await;
        assert!(!leases.is_sure(&ours));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_stopped_does_not_one_thing_more() {
        let clock = Clock::running();
        let (_publish, held) = watch::channel(lasts(clock));
        let mut turns = 0;
        let work = poll_fn(|_| {
            turns += 1;
            Poll::<()>::Pending
        });
        {
            let ours = fence(1);
            let mut doing = pin!(Leases::new(held, clock).while_sure(&ours, work));
            assert!(poll!(&mut doing).is_pending());
            tokio::time::advance(Duration::from_secs(60)).await;
            assert_eq!(poll!(&mut doing), Poll::Ready(None));
        }
        assert_eq!(turns, 1);
    }
}
