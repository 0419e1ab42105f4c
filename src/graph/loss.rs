//! What goes with a host, a region or a service: replicas, services below their floor, entries.

use std::collections::BTreeSet;

use super::{End, Web};
use crate::model::{Desired, HostName, RegionName, ServiceKey};

/// What is thought to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone<'a> {
    /// One host.
    Host(&'a HostName),
    /// Everything in a region.
    Region(&'a RegionName),
    /// All replicas of a service.
    Service(&'a ServiceKey),
}

/// What the question needs to know beside what shall be.
pub trait Ground {
    /// Replicas of a service in a region that do their work when it is gone, as far as anybody knows.
    fn left(&self, service: &ServiceKey, region: &RegionName) -> usize;
    /// Replicas that the service needs there at least.
    fn floor(&self, service: &ServiceKey, region: &RegionName) -> usize;
    /// The hosts of a region that take traffic from outside, each with whether it counts as down already.
    fn edge(&self, region: &RegionName) -> &[(HostName, bool)];
}

/// A service that would have too few replicas in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// Which.
    pub service: ServiceKey,
    /// Where.
    pub region: RegionName,
    /// Replicas left.
    pub left: usize,
    /// Replicas that it needs at least.
    pub floor: usize,
}

/// An entry that fewer edge hosts carry, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryLoss {
    /// Its name: `:443 shop.example`.
    pub name: String,
    /// Edge hosts that still lead to a replica.
    pub left: usize,
    /// Edge hosts of the regions in which it leads somewhere.
    pub of: usize,
}

impl EntryLoss {
    /// Nobody comes in there any more.
    pub fn is_lost(&self) -> bool {
        self.left == 0
    }
}

/// What desired state places there, and what its services and entries would be left with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loss {
    /// Replicas that would have to be made elsewhere.
    pub replicas: usize,
    /// Services with a replica there.
    pub services: usize,
    /// Services that would be below their floor in a region.
    pub below: Vec<Below>,
    /// Entries that would be lost, or carried by fewer hosts; the worst first.
    pub entries: Vec<EntryLoss>,
    /// Entries in all.
    pub entries_of: usize,
}

impl Loss {
    /// Of the services below their floor, those with nothing left in a region.
    pub fn ended(&self) -> impl Iterator<Item = &Below> {
        self.below.iter().filter(|below| below.left == 0)
    }

    /// Entries by which nobody would come in any more.
    pub fn entries_lost(&self) -> usize {
        self.entries.iter().filter(|entry| entry.is_lost()).count()
    }
}

/// What goes when something goes.
pub fn loss_of(desired: &Desired, web: &Web, gone: Gone<'_>, ground: &impl Ground) -> Loss {
    let mut loss = Loss::default();
    let mut services: BTreeSet<&ServiceKey> = BTreeSet::new();
    let mut ended: BTreeSet<(&ServiceKey, &RegionName)> = BTreeSet::new();
    for (service, regions) in &desired.services {
        for (region, assignment) in regions {
            let there = match gone {
                Gone::Host(host) => assignment.slots.values().filter(|place| place.host == *host).count(),
                Gone::Region(name) if name == region => assignment.slots.len(),
                Gone::Service(key) if key == service => assignment.slots.len(),
                Gone::Region(_) | Gone::Service(_) => 0,
            };
            if there == 0 {
                continue;
            }
            loss.replicas += there;
            services.insert(service);
            let (left, floor) = (ground.left(service, region), ground.floor(service, region));
            if left < floor {
                loss.below.push(Below { service: service.clone(), region: region.clone(), left, floor });
            }
            if left == 0 {
                ended.insert((service, region));
            }
        }
    }
    loss.services = services.len();
    loss.below.sort_by_key(|below| below.left > 0);
    for (end, behind) in &web.needs {
        let End::Entry(name) = end else { continue };
        loss.entries_of += 1;
        let behind: Vec<&ServiceKey> = behind.iter().filter_map(End::service).collect();
        loss.entries.extend(entry_loss(desired, name, &behind, &ended, gone, ground));
    }
    loss.entries.sort_by_key(|entry| (entry.left * 100).checked_div(entry.of).unwrap_or(0));
    loss
}

/// What an entry would be left with; none where nothing of it goes.
fn entry_loss(
    desired: &Desired,
    name: &str,
    behind: &[&ServiceKey],
    ended: &BTreeSet<(&ServiceKey, &RegionName)>,
    gone: Gone<'_>,
    ground: &impl Ground,
) -> Option<EntryLoss> {
    let placed = |service: &ServiceKey| {
        let regions = desired.services.get(service).into_iter().flatten();
        regions.filter(|(_, assignment)| !assignment.slots.is_empty()).map(|(region, _)| region)
    };
    let regions: BTreeSet<&RegionName> = behind.iter().flat_map(|service| placed(service)).collect();
    let is_gone = |region: &RegionName, host: &HostName| match gone {
        Gone::Host(name) => name == host,
        Gone::Region(name) => name == region,
        Gone::Service(_) => false,
    };
    let (mut left, mut of, mut is_hit) = (0, 0, false);
    for region in regions {
        let edge = ground.edge(region);
        of += edge.len();
        is_hit |= edge.iter().any(|(host, _)| is_gone(region, host));
        is_hit |= behind.iter().any(|service| ended.contains(&(*service, region)));
        // A region's proxies lead to the replicas of their own region.
        if behind.iter().any(|service| ground.left(service, region) > 0) {
            left += edge.iter().filter(|(host, is_down)| !is_down && !is_gone(region, host)).count();
        }
    }
    is_hit.then(|| EntryLoss { name: name.to_owned(), left, of })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{Assignment, Place, RevisionNo, Slot};

    /// Every replica does its work; the floor is three of four; each region has edge hosts.
    struct Simple<'a> {
        desired: &'a Desired,
        gone: Gone<'a>,
        edge: BTreeMap<&'a str, Vec<(HostName, bool)>>,
    }

    impl Simple<'_> {
        fn all(&self, service: &ServiceKey, region: &RegionName) -> impl Iterator<Item = &Place> {
            self.desired.assignment(service, region).into_iter().flat_map(|it| it.slots.values())
        }
    }

    impl Ground for Simple<'_> {
        fn left(&self, service: &ServiceKey, region: &RegionName) -> usize {
            let goes = |place: &&Place| match self.gone {
                Gone::Host(host) => place.host == *host,
                Gone::Region(name) => name == region,
                Gone::Service(key) => key == service,
            };
            self.all(service, region).filter(|place| !goes(place)).count()
        }

        fn floor(&self, service: &ServiceKey, region: &RegionName) -> usize {
            (self.all(service, region).count() * 3).div_ceil(4)
        }

        fn edge(&self, region: &RegionName) -> &[(HostName, bool)] {
            self.edge.get(region.as_str()).map_or(&[], Vec::as_slice)
        }
    }

    /// `service region hosts…`, a line each.
    fn desired(lines: &[(&str, &str, &[&str])]) -> Desired {
        let mut desired = Desired::default();
        for (service, region, hosts) in lines {
            let place = |host: &&str| Place { host: host.parse().unwrap(), revision: RevisionNo(1) };
            let slots = (1..).zip(*hosts).map(|(slot, host)| (Slot(slot), place(host))).collect();
            let assignment = Assignment { slots, ..Assignment::default() };
            let regions = desired.services.entry(service.parse().unwrap()).or_insert_with(BTreeMap::new);
            regions.insert(region.parse().unwrap(), assignment);
        }
        desired
    }

    fn told(loss: &Loss) -> (usize, usize, Vec<String>, Vec<String>) {
        let below = |it: &Below| format!("{} {} {}/{}", it.service, it.region, it.left, it.floor);
        let entry = |it: &EntryLoss| format!("{} {}/{}", it.name, it.left, it.of);
        (loss.replicas, loss.services, loss.below.iter().map(below).collect(), loss.entries.iter().map(entry).collect())
    }

    #[test]
    fn what_is_left_is_held_against_the_floor_and_entries_against_their_hosts() {
        let desired = desired(&[
            ("shop/web", "east", &["h1", "h2", "h3", "h4"]),
            ("shop/web", "west", &["w1"]),
            ("shop/cart", "east", &["h1", "h1", "h2", "h3"]),
            ("shop/db", "east", &["h1"]),
            ("pay/api", "west", &["w1", "w2"]),
        ]);
        let mut web = Web::default();
        for (entry, service) in [(":80", "shop/web"), (":5432", "shop/db"), (":81", "pay/api")] {
            let service = End::Service(service.parse().unwrap());
            web.needs.insert(End::Entry(entry.into()), [service].into());
        }
        let host = |name: &str| name.parse::<HostName>().unwrap();
        let of = |gone: Gone<'_>| {
            let edge = |hosts: &[(&str, bool)]| hosts.iter().map(|(name, down)| (host(name), *down)).collect();
            let edge = BTreeMap::from([
                ("east", edge(&[("h1", false), ("h2", false), ("h5", true)])),
                ("west", edge(&[("w1", false)])),
            ]);
            let loss = loss_of(&desired, &web, gone, &Simple { desired: &desired, gone, edge });
            assert_eq!(loss.entries_of, 3);
            told(&loss)
        };
        let list = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        // One of four of web may be away, two of cart are too many, and db is gone with its entry.
        assert_eq!(
            of(Gone::Host(&host("h1"))),
            (4, 3, list(&["shop/db east 0/1", "shop/cart east 2/3"]), list(&[":5432 0/3", ":80 2/4"]))
        );
        // The last edge host of west: its entry is lost though a replica is left, and web's keeps those of east.
        assert_eq!(
            of(Gone::Host(&host("w1"))),
            (2, 2, list(&["shop/web west 0/1", "pay/api west 1/2"]), list(&[":81 0/1", ":80 2/4"]))
        );
        // A host that takes traffic and runs nothing.
        assert_eq!(of(Gone::Host(&host("h5"))), (0, 0, vec![], list(&[":5432 2/3", ":80 3/4"])));
        assert_eq!(of(Gone::Host(&host("h9"))), (0, 0, vec![], vec![]));
        assert_eq!(
            of(Gone::Region(&"west".parse().unwrap())),
            (3, 2, list(&["pay/api west 0/2", "shop/web west 0/1"]), list(&[":81 0/1", ":80 2/4"]))
        );
        let (replicas, services, below, entries) = of(Gone::Service(&"shop/web".parse().unwrap()));
        assert_eq!((replicas, services, entries), (5, 1, list(&[":80 0/4"])));
        assert_eq!(below.len(), 2);
    }
}
