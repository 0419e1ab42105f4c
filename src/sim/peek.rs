//! The truth about an engine, for tests: past its link, its faults and its wire.

use super::bell::Ear;
use super::container::{Health, Status};
use super::engine::{Engine, State};
use http::Method;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Asked changes that are remembered; a demo that runs for weeks forgets the rest.
const KEPT: usize = 20_000;

/// Where a container stands, as tests tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Made, never started.
    Created,
    /// Its process runs. The moment is that of its start.
    Running(Option<Timestamp>),
    /// Frozen.
    Paused,
    /// Between an end and the engine's own restart.
    Restarting,
    /// Ended with this code.
    Exited(i64),
    /// On its way out.
    Removing,
}

/// One container as it truly is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glimpse {
    /// Its id.
    pub id: String,
    /// Its name, without the leading slash.
    pub name: String,
    /// Its image as it was asked for.
    pub image: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where it stands.
    pub standing: Standing,
    /// What its health check says; none without one, or while it is starting.
    pub healthy: Option<bool>,
    /// True when it has a health check.
    pub checked: bool,
    /// How often its process has ended.
    pub ends: u64,
}

/// A request for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Method, path and query.
    pub what: String,
    /// Whose connection it came by, where that was said ([`Engine::connect_as`]).
    pub by: Option<Arc<str>>,
}

impl State {
    /// Remembers a request that asks for a change.
    pub(super) fn note(&mut self, method: &Method, path: &str, query: Option<&str>, by: Option<&Arc<str>>) {
        if self.asked.len() < KEPT {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            self.asked.push(Asked { what: format!("{method} {path}{query}"), by: by.cloned() });
        }
    }
}

impl Engine {
    /// All containers as they are now, by id.
    pub fn peek(&self) -> Vec<Glimpse> {
        self.lock()
            .containers
            .values()
            .map(|container| Glimpse {
                id: container.id.clone(),
                name: container.name.clone(),
                image: container.spec.image.clone(),
                labels: container.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
                standing: match container.status {
                    Status::Created => Standing::Created,
                    Status::Running => Standing::Running(container.started),
                    Status::Paused => Standing::Paused,
                    Status::Restarting => Standing::Restarting,
                    Status::Exited => Standing::Exited(container.exit_code),
                    Status::Removing => Standing::Removing,
                },
                healthy: match container.health {
                    Some(Health::Healthy) => Some(true),
                    Some(Health::Unhealthy) => Some(false),
                    Some(Health::Starting) | None => None,
                },
                checked: container.spec.health.is_some(),
                ends: container.ends,
            })
            .collect()
    }

    /// The requests for a change that have come in, answered or not, in order: `POST /containers/create?name=a`.
    /// Paths are without their version.
    pub fn asked(&self) -> Vec<String> {
        self.lock().asked.iter().map(|asked| asked.what.clone()).collect()
    }

    /// The same from the `first` on (0 is the first of all), with whose they were.
    pub fn asked_from(&self, first: usize) -> Vec<Asked> {
        self.lock().asked.get(first..).unwrap_or_default().to_vec()
    }

    /// Counts whatever changes here: events, requests for a change as they come in, what becomes of containers.
    pub fn news(&self) -> Ear<()> {
        self.changed.listen()
    }

    /// True when an image is here, by any of the names that it can be pulled by.
    pub fn has_image(&self, name: &str) -> bool {
        self.lock().image(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Link;
    use std::time::Duration;

    #[tokio::test]
    async fn a_glimpse_needs_no_wire() {
        let fleet = crate::sim::Fleet::new(1, 1, 7).unwrap();
        let engine = &fleet.hosts()[0].engine;
        engine.set_link(Link::Hung);
        let seen = engine.peek();
        assert!(matches!(seen[0].standing, Standing::Running(Some(_))), "{seen:?}");
        assert_eq!(seen[0].labels["wharf.fleet"], "acme");
        engine.power_cycle(Duration::from_secs(3600));
        assert_eq!(engine.peek()[0].standing, Standing::Exited(137));
        assert_eq!(engine.peek()[0].ends, 1);
        assert!(engine.asked().is_empty());
    }
}
