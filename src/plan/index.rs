//! What is seen in one region, sorted by service once, so that planning never searches.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use jiff::Timestamp;

use super::{Action, Memory, World};
use crate::model::{
    Container, ContainerId, Defaults, HostName, HostView, Link, Owner, RegionName, ReplicaOf, RevisionNo, ServiceKey,
    ServiceSpec, since,
};

/// A busy engine takes a request up late, and kills the container after the time that this has to end by itself. So long
/// after that nothing comes of a request any more.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(10);

/// A container of this fleet with where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub host: &'a HostView,
    pub container: &'a Container,
    pub of: &'a ReplicaOf,
    /// Its host answers, so that something can be done about it.
    pub live: bool,
}

/// A container that runs, or ran, the test of a revision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeenTest<'a> {
    pub host: &'a HostView,
    pub container: &'a Container,
    pub revision: RevisionNo,
    /// Its host answers, so that something can be done about it.
    pub live: bool,
}

/// How well a host can be seen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sight<'a> {
    /// It answers.
    Seen(&'a HostView),
    /// It does not answer, but not for long enough to count as down.
    Silent { view: &'a HostView, since: Timestamp },
    /// It has been silent for longer than `down_after`.
    Down { view: &'a HostView, since: Timestamp },
    /// The fleet file does not name it in this region.
    Gone,
}

/// One region's containers by service.
pub(crate) struct Index<'a> {
    pub world: World<'a>,
    pub region: &'a RegionName,
    pub defaults: Defaults,
    /// Sorted by slot, revision, round, host and id.
    pub containers: BTreeMap<&'a ServiceKey, Vec<Seen<'a>>>,
    /// Containers of tests, by host and id.
    pub tests: BTreeMap<&'a ServiceKey, Vec<SeenTest<'a>>>,
    memory: Option<&'a Memory>,
    stopping: BTreeSet<(&'a HostName, &'a ContainerId)>,
}

impl<'a> Index<'a> {
    pub fn new(world: &World<'a>, region: &'a RegionName, memory: Option<&'a Memory>) -> Self {
        let (containers, tests) = by_service(world, region);
        let stopping = memory
            .iter()
            .flat_map(|memory| &memory.in_flight)
            .filter_map(|action| match action {
                Action::Stop { host, container, .. } => Some((host, container)),
                _ => None,
            })
            .collect();
        Self { world: *world, region, defaults: defaults(world, region), containers, tests, memory, stopping }
    }

    /// How well a host of this region can be seen.
    pub fn sight(&self, host: &HostName) -> Sight<'a> {
        match self.world.observed.hosts.get(host) {
            Some(view) if view.region == *self.region => self.sight_of(view),
            _ => Sight::Gone,
        }
    }

    /// The same for a host of this region that is at hand.
    pub fn sight_of(&self, view: &'a HostView) -> Sight<'a> {
        if view.is_seen() {
            return Sight::Seen(view);
        }
        let since_when = match &view.link {
            Link::Unknown { since, .. } => *since,
            // Never seen by this process: the silence counts from when this process began to look.
            Link::Connecting { since, .. } => {
                self.memory.and_then(|memory| memory.silent_since.get(&view.name)).copied().unwrap_or(*since)
            }
            // It answers and its first list is on the way: that is not silence.
            Link::Ready { since } | Link::Slow { since, .. } => return Sight::Silent { view, since: *since },
        };
        if since(since_when, self.world.now) >= self.defaults.down_after {
            Sight::Down { view, since: since_when }
        } else {
            Sight::Silent { view, since: since_when }
        }
    }

    /// True while a container is being stopped by us.
    pub fn is_stopping(&self, seen: &Seen<'_>) -> bool {
        self.stopping.contains(&(&seen.host.name, &seen.container.id))
    }

    /// Until when a container that runs may yet end, because we asked for it and do not know what came of it.
    pub fn may_end_until(&self, seen: &Seen<'_>, spec: Option<&ServiceSpec>) -> Option<Timestamp> {
        let asked = &self.memory?.asked_to_stop;
        if asked.is_empty() {
            return None;
        }
        let failed = asked.get(&(seen.host.name.clone(), seen.container.id.clone()))?;
        let grace = spec.and_then(|spec| spec.stop_grace_period).unwrap_or(self.defaults.stop_grace);
        failed.checked_add(grace).ok()?.checked_add(TAKEN_UP_WITHIN).ok().filter(|until| *until > self.world.now)
    }
}

/// The defaults of a region, the design's own where the fleet file does not know it.
pub(crate) fn defaults(world: &World<'_>, region: &RegionName) -> Defaults {
    world.fleet.region(region).map(|region| region.defaults.clone()).unwrap_or_default()
}

/// A moment told by a host's clock, by ours. Differences under a second are noise of the measurement.
pub(crate) fn our_time(host: &HostView, theirs: Timestamp) -> Timestamp {
    let skew = host.facts.as_ref().map_or(0, |facts| facts.clock_skew_ms);
    if skew.abs() < 1000 {
        return theirs;
    }
    theirs.checked_sub(jiff::SignedDuration::from_millis(skew)).unwrap_or(theirs)
}

type ByService<'a, T> = BTreeMap<&'a ServiceKey, Vec<T>>;

/// The replicas and tests on a region's hosts, by service.
fn by_service<'a>(world: &World<'a>, region: &RegionName) -> (ByService<'a, Seen<'a>>, ByService<'a, SeenTest<'a>>) {
    let mut tests: ByService<'a, SeenTest<'a>> = BTreeMap::new();
    // Hashing finds the bucket of each of perhaps 50,000 containers; the order comes from the map at the end.
    let mut number: HashMap<&ServiceKey, usize> = HashMap::new();
    let mut buckets: Vec<(&ServiceKey, Vec<Seen<'a>>)> = Vec::new();
    for host in world.observed.hosts.values().filter(|host| host.region == *region) {
        let live = host.is_seen();
        for container in host.containers.values() {
            let of = match &container.owner {
                Owner::Replica(of) => of,
                Owner::Test(of) if of.region == *region => {
                    let seen = SeenTest { host, container, revision: of.revision, live };
                    tests.entry(&of.service).or_default().push(seen);
                    continue;
                }
                _ => continue,
            };
            // A host that changed its region in the fleet file: its replicas are the other region's.
            if of.key.region != *region {
                continue;
            }
            let at = *number.entry(&of.key.service).or_insert_with(|| {
                buckets.push((&of.key.service, Vec::new()));
                buckets.len() - 1
            });
            if let Some((_, bucket)) = buckets.get_mut(at) {
                bucket.push(Seen { host, container, of, live });
            }
        }
    }
    for (_, bucket) in &mut buckets {
        bucket.sort_by(|a, b| order(a).cmp(&order(b)));
    }
    (buckets.into_iter().collect(), tests)
}

type Order<'a> = (crate::model::Slot, crate::model::RevisionNo, u32, &'a HostName, &'a ContainerId);

fn order<'a>(seen: &Seen<'a>) -> Order<'a> {
    (seen.of.key.slot, seen.of.revision, seen.of.round, &seen.host.name, &seen.container.id)
}
