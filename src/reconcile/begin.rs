//! Actions begin, each when its host has a place for it and if it is still wanted by then.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    exec,
    region::{Ended, Failed},
    round::Reconciler,
};
use crate::{
    model::{Desired, RegionName, ReplicaKey},
    plan::Action,
    text::Text,
};

impl Reconciler {
    /// Takes an action of a region into the books, and carries it out beside everything else.
    pub(super) fn begin(&mut self, name: &RegionName, action: Action) {
        let Some(region) = self.regions.get_mut(name) else { return };
        region.start(&action);
        let job = exec::Job {
            fleet: self.fleet.clone(),
            desired: self.desired.clone(),
            store: self.store.clone(),
            fence: region.fence.clone(),
            action,
            pulling: self.pulling.clone(),
        };
        let handle = self.observer.handle(job.action.host());
        let permits = self.permits.get(job.action.host()).cloned();
        let (held, leases) = (region.held.clone(), self.leases.clone());
        let lost = self.lost.entry(job.action.host().clone()).or_default().clone();
        let wanted = self.wanted.subscribe();
        self.tasks.spawn(async move {
            let permit = async {
                match permits {
                    Some(permits) => permits.acquire_owned().await.ok(),
                    None => None,
                }
            };
            let permit = held.run_until_cancelled(permit).await;
            let result = match (permit, handle) {
                // By now somebody else may act on this region, or this process is to leave.
                _ if held.is_cancelled() || !leases.is_sure(&job.fence) => None,
                _ if !is_wanted(&job, &wanted.borrow()) => None,
                (_, None) => {
                    let error = Text::new("the host is not connected");
                    Some(Err(Failed { error, is_final: false, is_hosts: false, lacks_image: false }))
                }
                (_permit, Some(handle)) => {
                    let work = leases.while_sure(&job.fence, Box::pin(exec::run(&job, &handle)));
                    let why = |what: &str| exec::lost(&format!("{what}; it may have been done all the same"));
                    Some(match lost.run_until_cancelled(work).await {
                        Some(Some(done)) => done,
                        Some(None) => Err(why("the region's lease was lost meanwhile")),
                        None => Err(why("the host was lost meanwhile")),
                    })
                }
            };
            Ended { fence: job.fence, action: job.action, result }
        });
    }
}

/// What actions that waited for their turn look at before they begin.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) desired: Arc<Desired>,
    /// By region, replicas whose operation is paused: nothing new begins for them.
    pub(super) frozen: BTreeMap<RegionName, BTreeSet<ReplicaKey>>,
}

/// False for what its operation's pause holds, and for the creation of a replica, or the test of a revision, that a later
/// command took back while it waited for its turn.
fn is_wanted(job: &exec::Job, wanted: &Wanted) -> bool {
    if let Action::Create { replica, .. } | Action::Stop { replica, .. } = &job.action
        && wanted.frozen.get(&replica.region).is_some_and(|frozen| frozen.contains(replica))
    {
        return false;
    }
    if let Action::Test { service, revision, .. } = &job.action {
        let assignment = wanted.desired.assignment(service, &job.fence.region);
        return assignment.is_some_and(|wanted| wanted.slots.values().any(|place| place.revision == *revision));
    }
    let Action::Create { host, replica, revision } = &job.action else { return true };
    let assignment = wanted.desired.assignment(&replica.service, &replica.region);
    let place = assignment.and_then(|assignment| assignment.slots.get(&replica.slot));
    place.is_some_and(|place| place.host == *host && place.revision == *revision)
}
