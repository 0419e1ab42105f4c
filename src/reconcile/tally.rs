//! Counts what comes through a region's proxies for the services of each open operation.

use std::collections::BTreeMap;

use crate::{
    model::{
        Assignment, BackendName, CommandId, HostName, Operation, ProxyView, RegionName, RevisionNo, ServerName,
        ServiceKey, Traffic,
    },
    plan::Compared,
};

/// What was counted of a region's operations.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The last counters of each backend of each proxy.
    backends: BTreeMap<(HostName, BackendName), Traffic>,
    /// The last counters of each server of each proxy.
    servers: BTreeMap<(HostName, BackendName, ServerName), Traffic>,
    /// What came since each operation began.
    operations: BTreeMap<CommandId, Traffic>,
    /// The same by service, what it ran before apart from what it runs by now.
    compared: BTreeMap<(CommandId, ServiceKey), Compared>,
}

impl Tally {
    /// Takes in what a proxy says. Counters of a proxy that is seen for the first time are where counting begins.
    pub fn see(&mut self, region: &RegionName, host: &HostName, proxy: &ProxyView, open: &[Operation]) {
        for (name, backend) in &proxy.backends {
            let concerned: Vec<&Operation> =
                open.iter().filter(|operation| concerns(operation, name, region)).collect();
            let known = self.backends.insert((host.clone(), name.clone()), backend.traffic);
            let new = known.map(|known| backend.traffic.since(known)).unwrap_or_default();
            for operation in &concerned {
                let total = self.operations.entry(operation.id).or_insert_with(|| counted(operation, region));
                *total = total.plus(new);
            }
            for (server, seen) in &backend.servers {
                let place = (host.clone(), name.clone(), server.clone());
                let before = self.servers.insert(place, seen.traffic);
                // A server that came while we looked begins at nothing.
                let begin = before.unwrap_or(if known.is_some() { Traffic::default() } else { seen.traffic });
                let new = seen.traffic.since(begin);
                for operation in &concerned {
                    let Some(side) = side(operation, name, region, server.revision) else { continue };
                    let compared = self.compared.entry((operation.id, name.service.clone())).or_default();
                    let part = if side == Side::Old { &mut compared.old } else { &mut compared.new };
                    *part = part.plus(new);
                }
            }
        }
        let is_listed = |backend: &BackendName, server: &ServerName| {
            proxy.backends.get(backend).is_some_and(|backend| backend.servers.contains_key(server))
        };
        self.servers.retain(|(at, backend, server), _| at != host || is_listed(backend, server));
        self.backends.retain(|(at, backend), _| at != host || proxy.backends.contains_key(backend));
    }

    /// What came through since the operation began; none where no proxy carries its services.
    pub fn of(&self, operation: &Operation, region: &RegionName) -> Option<Traffic> {
        let before = operation.progress.get(region).and_then(|progress| progress.traffic);
        self.operations.get(&operation.id).copied().or(before)
    }

    /// The same by service, old and new apart.
    pub fn compared(&self) -> BTreeMap<(CommandId, ServiceKey), Compared> {
        self.compared.clone()
    }

    /// Forgets operations that are not open any more.
    pub fn forget(&mut self, open: &[Operation]) {
        let is_open = |id: &CommandId| open.iter().any(|operation| operation.id == *id);
        self.operations.retain(|id, _| is_open(id));
        self.compared.retain(|(id, _), _| is_open(id));
    }
}

fn concerns(operation: &Operation, backend: &BackendName, region: &RegionName) -> bool {
    operation.after.get(&backend.service).is_some_and(|regions| regions.contains_key(region))
}

/// What was counted before this process took the region over.
fn counted(operation: &Operation, region: &RegionName) -> Traffic {
    operation.progress.get(region).and_then(|progress| progress.traffic).unwrap_or_default()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Old,
    New,
}

/// On which side of a change a revision is; none where both sides have it.
fn side(operation: &Operation, backend: &BackendName, region: &RegionName, revision: RevisionNo) -> Option<Side> {
    let has = |book: &BTreeMap<ServiceKey, BTreeMap<RegionName, Option<Assignment>>>| {
        let assignment = book.get(&backend.service).and_then(|regions| regions.get(region)?.as_ref());
        assignment.is_some_and(|assignment| assignment.slots.values().any(|place| place.revision == revision))
    };
    match (has(&operation.before), has(&operation.after)) {
        (true, false) => Some(Side::Old),
        (false, true) => Some(Side::New),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{BackendView, ContainerId, Generation, Intent, OperationState, Place, ServerView, Slot};

    fn count(requests: u64, failed: u64) -> Traffic {
        Traffic { requests, failed, ..Traffic::default() }
    }

    fn book(revision: u32) -> BTreeMap<ServiceKey, BTreeMap<RegionName, Option<Assignment>>> {
        let place = Place { host: HostName::new("e-1").unwrap(), revision: RevisionNo(revision) };
        let assignment = Assignment { slots: [(Slot(1), place)].into(), ..Assignment::default() };
        let region = RegionName::new("east").unwrap();
        [("shop/web".parse().unwrap(), [(region, Some(assignment))].into())].into()
    }

    fn operation() -> Operation {
        Operation {
            id: CommandId(uuid::Uuid::nil()),
            intent: Intent::Deploy { stack: "shop".parse().unwrap() },
            equivalent: String::new(),
            by: "ana".into(),
            at: Timestamp::UNIX_EPOCH,
            generation: Generation(1),
            before: book(1),
            after: book(2),
            state: OperationState::Running,
            progress: BTreeMap::new(),
            paused: None,
            resumed: None,
        }
    }

    fn proxy(total: Traffic, servers: &[(&str, Traffic)]) -> ProxyView {
        let server = |traffic| ServerView { traffic, ..ServerView::default() };
        let servers = servers.iter().map(|(name, traffic)| (name.parse().unwrap(), server(*traffic))).collect();
        ProxyView {
            container: ContainerId("p".into()),
            image: "haproxy".into(),
            structure: "1".into(),
            leaving: 0,
            at: Timestamp::UNIX_EPOCH,
            backends: [("shop:web:8080".parse().unwrap(), BackendView { servers, traffic: total })].into(),
            problem: "".into(),
        }
    }

    #[test]
    fn what_was_before_does_not_count_and_sides_are_told_apart() {
        let (region, host) = (RegionName::new("east").unwrap(), HostName::new("e-1").unwrap());
        let open = [operation()];
        let mut tally = Tally::default();
        tally.see(&region, &host, &proxy(count(1000, 9), &[("1-r1-a", count(1000, 9))]), &open);
        assert_eq!(tally.of(&open[0], &region), Some(count(0, 0)));
        let both = [("1-r1-a", count(1100, 9)), ("1-r2-b", count(50, 5))];
        tally.see(&region, &host, &proxy(count(1150, 14), &both), &open);
        assert_eq!(tally.of(&open[0], &region), Some(count(150, 5)));
        // The old server is gone, and the proxy's process began anew.
        tally.see(&region, &host, &proxy(count(10, 0), &[("1-r2-b", count(10, 0))]), &open);
        assert_eq!(tally.of(&open[0], &region), Some(count(160, 5)));
        let compared = tally.compared();
        let compared = compared.values().next().unwrap();
        assert_eq!((compared.old, compared.new), (count(100, 0), count(60, 5)));
        tally.forget(&[]);
        assert!(tally.compared().is_empty());
    }
}
