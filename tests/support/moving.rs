//! More of the made up fleet: what it ran before, a host that drains, what proxies tell.

use std::{collections::BTreeMap, sync::Arc};

use wharf::{
    app::{Msg, State},
    model::{
        BackendName, BackendView, CommandId, Condition, Container, ContainerId, Dependency, EntrySpec, Generation,
        Host, HostChange, HostIntent, HostName, HostUpdate, Mount, MountSource, Observed, Operation, OperationState,
        Progress, ProxyView, Region, RegionName, ReplicaKey, Revision, RevisionNo, Sensitive, ServerName, ServerView,
        ServiceKey, StepProgress, StepState, Traffic,
    },
    text::Text,
};

use super::fleet::{World, before, now};

impl World {
    /// Keeps earlier revisions of payments/api, each with another image, and an earlier version of the whole stack.
    pub fn with_history(mut self) -> Self {
        let key: ServiceKey = "payments/api".parse().unwrap();
        let kept = self.desired.revisions.get_mut(&key).unwrap();
        let mut newest = Revision::clone(&kept[&RevisionNo(12)]);
        newest.version = 3;
        for (no, version, by) in [(9, 1, "ben@bastion"), (10, 1, "ana@bastion"), (11, 2, "ben@bastion")] {
            let mut old = newest.clone();
            old.no = RevisionNo(no);
            old.spec.image = format!("acme/pay-api:{no}");
            old.image = format!("acme/pay-api@sha256:{no:064x}");
            old.spec.environment.insert("POOL".to_owned(), Sensitive(no.to_string()));
            (old.version, old.by) = (version, by.to_owned());
            old.at = before(86_400 * i64::from(14 - no));
            kept.insert(old.no, Arc::new(old));
        }
        kept.insert(newest.no, Arc::new(newest));
        self
    }

    /// Ties payments/ledger to a volume of its host.
    pub fn with_volume(mut self) -> Self {
        let key: ServiceKey = "payments/ledger".parse().unwrap();
        let kept = self.desired.revisions.get_mut(&key).unwrap();
        for revision in kept.values_mut() {
            let mount = Mount {
                source: MountSource::Volume { name: "data".to_owned(), nocopy: false, subpath: None },
                target: "/data".to_owned(),
                read_only: false,
            };
            Arc::make_mut(revision).spec.mounts.push(mount);
        }
        self
    }

    /// What services need, one of which is not there; and an entry.
    pub fn with_needs(mut self) -> Self {
        let needs = [
            ("payments/api", &["ledger"][..]),
            ("payments/worker", &["api", "ledger", "mail"]),
            ("payments/ledger", &["worker"]),
            ("shop/web", &["cart"]),
        ];
        for (key, names) in needs {
            let kept = self.desired.revisions.get_mut(&key.parse::<ServiceKey>().unwrap()).unwrap();
            for revision in kept.values_mut() {
                let spec = &mut Arc::make_mut(revision).spec;
                let healthy = Dependency { condition: Condition::ServiceHealthy, required: true };
                spec.depends_on = names.iter().map(|name| (name.parse().unwrap(), healthy)).collect();
                if key.ends_with("/api") || key.ends_with("/web") {
                    let port = if key.ends_with("/api") { 443 } else { 80 };
                    spec.wharf.entry.push(EntrySpec { port, target: 8080, ..EntrySpec::default() });
                }
            }
        }
        self
    }

    /// What is seen.
    pub fn observed(&self) -> Observed {
        let mut observed = Observed::unseen(&self.fleet, now());
        for update in self.updates() {
            observed.apply(update);
        }
        observed
    }

    /// Drains w-2: one replica has moved, of one the old copy ends what it began, the others come later.
    pub fn with_drain(mut self) -> Self {
        let host: HostName = "w-2".parse().unwrap();
        let observed = self.observed();
        let world = wharf::plan::World { fleet: &self.fleet, desired: &self.desired, observed: &observed, now: now() };
        let proposal = wharf::plan::host(&world, &host, Some(HostIntent::Draining)).unwrap().proposal;
        let region: RegionName = "west".parse().unwrap();
        let mut operation = Operation {
            id: CommandId("01935f2c-7a10-7000-8000-0000000000d2".parse().unwrap()),
            intent: proposal.intent,
            equivalent: proposal.equivalent,
            by: "ana@bastion".into(),
            at: before(72),
            generation: Generation(4183),
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            state: OperationState::Running,
            progress: BTreeMap::new(),
            paused: None,
            resumed: None,
        };
        let mut moving = Vec::new();
        for ((service, region), after) in proposal.assignments {
            let after = after.unwrap();
            let was = self.desired.assignment(&service, &region).cloned().unwrap();
            for (slot, place) in &after.slots {
                if was.slots[slot].host == host {
                    let key = ReplicaKey { region: region.clone(), service: service.clone(), slot: *slot };
                    moving.push((key, place.clone()));
                }
            }
            operation.before.entry(service.clone()).or_default().insert(region.clone(), Some(was));
            operation.after.entry(service.clone()).or_default().insert(region.clone(), Some(after.clone()));
            self.desired.services.get_mut(&service).unwrap().insert(region, after);
        }
        self.desired.hosts.insert(host.clone(), HostIntent::Draining);
        let mut steps = Vec::new();
        for (at, (key, place)) in moving.iter().enumerate() {
            if at < 2 {
                self.replica(key, place);
            }
            let of_key = |container: &Container| container.replica().is_some_and(|of| of.key == *key);
            let old = self.containers.get_mut("w-2").unwrap();
            match at {
                0 => old.retain(|container| !of_key(container)),
                1 => {
                    let id = old.iter().find(|container| of_key(container)).unwrap().id.clone();
                    self.draining.insert(id, 3);
                }
                _ => {}
            }
            let drains = format!("healthy, old {key} drains: w-2 ◐ 3 sessions; at most 21 s more");
            let (state, detail, since) = match at {
                0 => (StepState::Done, "healthy", Some(before(41))),
                1 => (StepState::Running, drains.as_str(), Some(before(12))),
                2 => (StepState::Waiting, "one replica of a service at a time", Some(before(72))),
                _ => (StepState::Waiting, "", Some(before(72))),
            };
            steps.push(StepProgress {
                what: Text::new(&format!("move {key} w-2 → {}", place.host)),
                replica: Some(key.clone()),
                state,
                detail: Text::new(detail),
                since,
            });
        }
        let traffic = Traffic { requests: 84_112, failed: 0, retries: 2, answer_ms: 41 };
        let progress = Progress {
            done: 1,
            total: u32::try_from(steps.len()).unwrap(),
            waits_for: Text::new(&format!("{}: {}", steps[1].what, steps[1].detail)),
            steps,
            finished: false,
            traffic: Some(traffic),
        };
        operation.progress.insert(region, progress);
        self.operations.push(operation);
        self
    }

    /// What every proxy tells when it was asked so long ago: each carries all services that have replicas in its region.
    pub fn proxies(&self, seconds: i64) -> Vec<HostUpdate> {
        let told = |host: &Host, region: &Region| {
            let mut backends: BTreeMap<BackendName, BackendView> = BTreeMap::new();
            let here = region.hosts.iter().filter_map(|host| self.containers.get(host.name.as_str()));
            for (container, of) in here.flatten().filter_map(|container| Some((container, container.replica()?))) {
                let name = BackendName { service: of.key.service.clone(), port: 8080 };
                let number = u64::try_from(1_000 - seconds).unwrap() * (u64::from(of.key.slot.0) + 4) * 33;
                let failed = if of.key.service.service.as_str() == "index" { number / 33 } else { 0 };
                let traffic = Traffic { requests: number, failed, retries: 0, answer_ms: 40 + number % 7 };
                let sessions = self.draining.get(&container.id);
                let server = ServerView {
                    address: Text::new("10.77.4.1:32768"),
                    is_ready: sessions.is_none(),
                    is_up: true,
                    sessions: if host.name.as_str() == "w-2" { sessions.copied().unwrap_or(2) } else { 0 },
                    traffic,
                };
                let backend = backends.entry(name).or_default();
                backend.traffic = backend.traffic.plus(traffic);
                backend.servers.insert(ServerName::new(of, &container.id), server);
            }
            let view = ProxyView {
                container: ContainerId(Text::new("feedfacefeed")),
                image: Text::new("haproxy:3.2-alpine"),
                structure: Text::new("0123456789abcdef"),
                leaving: 0,
                at: before(seconds),
                backends,
                problem: Text::default(),
            };
            HostUpdate { host: host.name.clone(), change: HostChange::Proxy(Some(Box::new(view))) }
        };
        self.fleet.hosts().map(|(region, host)| told(host, region)).collect()
    }

    /// Tells a state what came through, twice.
    pub fn tell_traffic(&self, state: &mut State) {
        for seconds in [3, 0] {
            wharf::app::update(state, Msg::Hosts(self.proxies(seconds)));
            state.settle();
        }
    }
}
