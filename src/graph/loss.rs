//! What goes with a host, a region or a service.

use std::collections::{BTreeMap, BTreeSet};

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

/// What desired state places there, and what its services would be left with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loss {
    /// Replicas that would have to be made elsewhere.
    pub replicas: usize,
    /// Services with a replica there.
    pub services: usize,
    /// Services that have all of a region's replicas there: nothing of them would be left in that region.
    pub ended: Vec<(ServiceKey, RegionName)>,
}

impl Loss {
    /// Of the entries of a web, those whose service would not be left anywhere, and how many there are.
    pub fn entries(&self, desired: &Desired, web: &Web) -> (usize, usize) {
        let mut left: BTreeMap<&ServiceKey, BTreeSet<&RegionName>> = BTreeMap::new();
        for (service, region) in &self.ended {
            left.entry(service).or_default().insert(region);
        }
        let is_over = |service: &ServiceKey| {
            let regions = desired.services.get(service);
            left.get(service).is_some_and(|ended| {
                regions.is_none_or(|regions| {
                    regions.iter().all(|(region, it)| it.slots.is_empty() || ended.contains(region))
                })
            })
        };
        let entries = web.needs.iter().filter(|(end, _)| matches!(end, End::Entry(_)));
        entries.fold((0, 0), |(lost, all), (_, behind)| {
            let gone = !behind.is_empty() && behind.iter().filter_map(End::service).all(is_over);
            (lost + usize::from(gone), all + 1)
        })
    }
}

/// What goes when something goes.
pub fn loss_of(desired: &Desired, gone: Gone<'_>) -> Loss {
    let mut loss = Loss::default();
    let mut services: BTreeSet<&ServiceKey> = BTreeSet::new();
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
            if there == assignment.slots.len() {
                loss.ended.push((service.clone(), region.clone()));
            }
        }
    }
    loss.services = services.len();
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Assignment, Place, RevisionNo, Slot};

    #[test]
    fn replicas_are_counted_and_last_ones_named() {
        let mut desired = Desired::default();
        for (service, hosts) in [("shop/web", &["h1", "h2", "h1"][..]), ("shop/db", &["h1"]), ("pay/api", &["h2"])] {
            let place = |host: &str| Place { host: host.parse().unwrap(), revision: RevisionNo(1) };
            let slots = (1..).zip(hosts).map(|(slot, host)| (Slot(slot), place(host))).collect();
            let assignment = Assignment { slots, ..Assignment::default() };
            let regions = [("east".parse().unwrap(), assignment)].into();
            desired.services.insert(service.parse().unwrap(), regions);
        }
        let loss = loss_of(&desired, Gone::Host(&"h1".parse().unwrap()));
        assert_eq!((loss.replicas, loss.services), (3, 2));
        assert_eq!(loss.ended, [("shop/db".parse().unwrap(), "east".parse().unwrap())]);
        assert_eq!(loss_of(&desired, Gone::Host(&"h9".parse().unwrap())), Loss::default());
        let all = loss_of(&desired, Gone::Region(&"east".parse().unwrap()));
        assert_eq!((all.replicas, all.services, all.ended.len()), (5, 3, 3));
        let one = loss_of(&desired, Gone::Service(&"shop/web".parse().unwrap()));
        assert_eq!((one.replicas, one.ended.len()), (3, 1));
        let mut web = Web::default();
        for (entry, service) in [(":80", "shop/web"), (":81", "pay/api")] {
            let service = End::Service(service.parse().unwrap());
            web.needs.insert(End::Entry(entry.into()), [service].into());
        }
        assert_eq!(one.entries(&desired, &web), (1, 2));
    }
}
