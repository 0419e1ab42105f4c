//! The truth about simulated hosts, past links and faults, and what it should be.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use wharf::{
    model::{Connect, Defaults, Desired, Fleet, Host, JournalEntry, Operation, Region, RevisionNo, label, since},
    sim::{self, Glimpse, Standing},
};

/// The fleet's name in all tests.
pub const FLEET: &str = "acme";

/// True for a container that carries our fleet's label.
pub fn is_of_fleet(glimpse: &Glimpse) -> bool {
    glimpse.labels.get(label::FLEET).is_some_and(|fleet| fleet == FLEET)
}

/// True for a replica of our fleet.
pub fn is_ours(glimpse: &Glimpse) -> bool {
    let is_else = |label| glimpse.labels.contains_key(label);
    is_of_fleet(glimpse) && !is_else(label::PROXY) && !is_else(label::TEST)
}

/// `shop/web`; empty for what is not ours.
pub fn service_of(glimpse: &Glimpse) -> String {
    match (glimpse.labels.get(label::STACK), glimpse.labels.get(label::SERVICE)) {
        (Some(stack), Some(service)) if is_ours(glimpse) => format!("{stack}/{service}"),
        _ => String::new(),
    }
}

/// True when a container does its work now.
pub fn is_healthy(glimpse: &Glimpse, min_healthy: Duration, now: Timestamp) -> bool {
    let Standing::Running(started) = glimpse.standing else { return false };
    if glimpse.checked {
        glimpse.healthy == Some(true)
    } else {
        started.is_some_and(|started| since(started, now) >= min_healthy)
    }
}

/// The fleet as its file would say, of simulated hosts.
pub fn model_of(fleet: &sim::Fleet, defaults: &Defaults, store: std::path::PathBuf) -> Fleet {
    let regions = fleet.world().regions().into_iter().map(|region| Region {
        name: region.parse().unwrap(),
        hosts: fleet
            .hosts()
            .iter()
            .filter(|host| host.region == region)
            .map(|host| Host {
                name: host.name.parse().unwrap(),
                connect: Connect::Unix(host.socket.clone()),
                address: Some(host.address.clone()),
                labels: host.labels.clone(),
            })
            .collect(),
        defaults: defaults.clone(),
    });
    Fleet {
        name: FLEET.parse().unwrap(),
        regions: regions.collect(),
        store,
        proxy_image: "haproxy:3.2-alpine".to_owned(),
        subnet_pool: "10.213.0.0/16".to_owned(),
        link_pool: "10.211.0.0/16".into(),
        origin: "a test".to_owned(),
        access: wharf::model::Access::default(),
    }
}

/// What the engines hold against what is wanted: every slot once, on its host, at its revision, running; nothing else of
/// ours.
pub fn as_wanted(desired: &Desired, truth: impl IntoIterator<Item = (String, Glimpse)>) -> Result<(), String> {
    let mut left: BTreeMap<(String, String), Vec<Glimpse>> = BTreeMap::new();
    for (host, glimpse) in truth.into_iter().filter(|(_, it)| is_ours(it)) {
        let replica = format!("{}.{}", service_of(&glimpse), glimpse.labels[label::SLOT]);
        left.entry((host, replica)).or_default().push(glimpse);
    }
    for (replica, place) in desired.replicas() {
        let key = (place.host.to_string(), replica.to_string());
        let Some(mut copies) = left.remove(&key) else { return Err(format!("{replica} is not on {}", place.host)) };
        let glimpse = copies.remove(0);
        if let Some(second) = copies.first() {
            return Err(format!("{} and {} are both on {}", glimpse.name, second.name, place.host));
        }
        // Revisions that make equal containers replace nothing.
        let have = RevisionNo(glimpse.labels[label::REVISION].parse().unwrap());
        let content = |no| desired.revision(&replica.service, no).map(|it| (&it.image, &it.spec));
        let same = match (content(have), content(place.revision)) {
            (Some(have), Some(want)) => have.0 == want.0 && have.1.same_container(want.1),
            _ => have == place.revision,
        };
        if !same {
            return Err(format!("{} on {} should be r{}", glimpse.name, place.host, place.revision));
        }
        let round = desired.assignment(&replica.service, &replica.region).map_or(0, |it| it.round);
        if glimpse.labels.get(label::ROUND).map_or(0, |round| round.parse().unwrap()) < round {
            return Err(format!("{} on {} should have been restarted", glimpse.name, place.host));
        }
        let done = glimpse.standing == Standing::Exited(0) && glimpse.image.ends_with("job");
        if !done && !matches!(glimpse.standing, Standing::Running(_)) {
            return Err(format!("{} on {}: {:?}", glimpse.name, place.host, glimpse.standing));
        }
        if glimpse.checked && glimpse.healthy != Some(true) {
            return Err(format!("{} on {} is not healthy", glimpse.name, place.host));
        }
    }
    match left.keys().next() {
        Some((host, replica)) => Err(format!("{replica} is on {host} and not wanted")),
        None => Ok(()),
    }
}

/// How many lines of the journal say that an operation has ended.
pub fn ends_told(operation: &Operation, lines: &[JournalEntry]) -> usize {
    let prefix = format!("{}: ", operation.intent.summary());
    let ends = ["converged", "failed: ", "rolled back", "aborted by ", "superseded by "];
    let is_end = |what: &str| {
        let told = what.strip_prefix(prefix.as_str());
        what.starts_with("done at once") || told.is_some_and(|told| ends.iter().any(|end| told.starts_with(end)))
    };
    lines.iter().filter(|line| is_end(line.what.as_str())).count()
}
