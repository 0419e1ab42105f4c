//! What goes with a host.

use std::collections::BTreeMap;

use crate::model::{Desired, HostName, RegionName, ServiceKey};

/// What desired state places on a host, and what its services would be left with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loss {
    /// Replicas that would have to be made elsewhere.
    pub replicas: usize,
    /// Services with a replica there.
    pub services: usize,
    /// Services that have all of a region's replicas there: nothing of them would be left in that region.
    pub ended: Vec<(ServiceKey, RegionName)>,
}

/// What goes when a host goes.
pub fn loss_of(desired: &Desired, host: &HostName) -> Loss {
    let mut loss = Loss::default();
    let mut services: BTreeMap<&ServiceKey, usize> = BTreeMap::new();
    for (service, regions) in &desired.services {
        for (region, assignment) in regions {
            let there = assignment.slots.values().filter(|place| place.host == *host).count();
            if there == 0 {
                continue;
            }
            loss.replicas += there;
            *services.entry(service).or_default() += there;
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
        let loss = loss_of(&desired, &"h1".parse().unwrap());
        assert_eq!((loss.replicas, loss.services), (3, 2));
        assert_eq!(loss.ended, [("shop/db".parse().unwrap(), "east".parse().unwrap())]);
        assert_eq!(loss_of(&desired, &"h9".parse().unwrap()), Loss::default());
    }
}
