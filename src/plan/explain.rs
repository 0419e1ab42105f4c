//! Why a service is not healthy, in lines of words.

use super::{
    Memory, World,
    index::{Index, Sight},
    next::next,
    standing::Standing,
};
use crate::model::{RegionName, ServiceKey};

/// Why a service is not as wanted in a region, a line per reason; empty when it is.
pub fn explain(world: &World<'_>, service: &ServiceKey, region: &RegionName) -> Vec<String> {
    let index = Index::new(world, region, None);
    let known = world.desired.services.get_key_value(service).map(|(key, _)| key);
    let Some(key) = known.or_else(|| index.containers.get_key_value(service).map(|(key, _)| *key)) else {
        return vec![format!("{service} is neither wanted nor seen in {region}")];
    };
    let view = index.service(key);
    if view.assignment.is_none() && view.unwanted.is_empty() {
        return vec![format!("{service} is not wanted in {region}")];
    }
    let mut lines = Vec::new();
    for slot in &view.slots {
        let (replica, host) = (&slot.key, &slot.place.host);
        match (slot.sight, &slot.wanted) {
            // What cannot be seen is told once per host below.
            (Sight::Silent { .. } | Sight::Down { .. } | Sight::Gone, _) => {}
            (Sight::Seen(_), None) => lines.push(match slot.old.first() {
                Some((old, _)) => format!("{replica} is to be replaced: r{} on {}", old.of.revision, old.host.name),
                None => format!("{replica} has no container on {host} yet"),
            }),
            (Sight::Seen(_), Some((seen, standing))) => match standing {
                Standing::Healthy | Standing::Completed => {}
                Standing::Starting { .. } => lines.push(format!("{replica} on {host} is starting")),
                Standing::Unhealthy => lines.push(format!("{replica} on {host} fails its health check")),
                Standing::Restarting => lines.push(format!(
                    "{replica} on {host} dies again and again: the engine started it {} times",
                    seen.container.restarts
                )),
                Standing::Ended { .. } => lines.push(format!("{replica} on {host} {}", standing.words())),
                other => lines.push(format!("{replica} on {host} is {}", other.words())),
            },
        }
    }
    let told = next(world, region, &Memory::default(), &[]);
    for wait in told.waits.into_iter().filter(|wait| wait.service == *service) {
        // The health of single replicas is told above.
        if !wait.what.starts_with("health of") {
            lines.push(wait.what);
        }
    }
    lines
}
