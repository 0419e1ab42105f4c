//! What observers tell, and what it changes.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Serialize;

use super::{Container, ContainerId, HostFacts, HostName, HostView, Image, Link, Observed, ProxyView, Usage};
use crate::text::Text;

/// Something an engine told: for the events view and for what changed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineEvent {
    /// When, by the engine's clock.
    pub at: Timestamp,
    /// On which host.
    pub host: HostName,
    /// `container`, `image`, `network`, ….
    pub kind: Text,
    /// `start`, `die`, `health_status: healthy`, ….
    pub action: Text,
    /// The object's id.
    pub id: Text,
    /// The object's name.
    pub name: Text,
}

/// What an observer tells of one host. Messages of one host come in order.
#[derive(Debug, Clone, PartialEq)]
pub struct HostUpdate {
    /// Which host.
    pub host: HostName,
    /// What.
    pub change: HostChange,
}

/// A change of what is seen.
#[derive(Debug, Clone, PartialEq)]
pub enum HostChange {
    /// The link's state.
    Link(Link),
    /// What the engine says of itself.
    Facts(HostFacts),
    /// A full list: replaces all containers of the host.
    Listed {
        /// When the list was taken.
        at: Timestamp,
        /// All containers.
        containers: Vec<Container>,
    },
    /// One container is new or changed. Its `usage` is to be kept from before.
    Container(Box<Container>),
    /// A container is gone.
    Gone(ContainerId),
    /// All images of the host.
    Images(Vec<Image>),
    /// Loads of some containers.
    Usage(Vec<(ContainerId, Usage)>),
    /// What its proxy says; none when it has none any more.
    Proxy(Option<Box<ProxyView>>),
    /// Something happened.
    Event(EngineEvent),
}

impl Observed {
    /// Every host of the fleet, none seen yet.
    pub fn unseen(fleet: &super::Fleet, now: Timestamp) -> Self {
        let hosts = fleet
            .hosts()
            .map(|(region, host)| {
                let mut view = HostView::unseen(host.name.clone(), region.name.clone(), host.connect.to_string(), now);
                view.address.clone_from(&host.address);
                view.labels.clone_from(&host.labels);
                (host.name.clone(), view)
            })
            .collect();
        Self { hosts, ..Self::default() }
    }

    /// Takes in what an observer tells. False when nothing changed.
    pub fn apply(&mut self, mut update: HostUpdate) -> bool {
        self.resolve(&mut update);
        let Some(host) = self.hosts.get_mut(&update.host) else { return false };
        match update.change {
            HostChange::Link(link) => replace(&mut host.link, link),
            HostChange::Facts(facts) => replace(&mut host.facts, Some(facts)),
            HostChange::Listed { at, containers } => {
                host.listed_at = Some(at);
                let there: HashSet<ContainerId> = containers.iter().map(|container| container.id.clone()).collect();
                let many = host.containers.len();
                host.containers.retain(|id, _| there.contains(id));
                let mut changed = host.containers.len() != many;
                for mut new in containers {
                    if let Some(before) = host.containers.get(&new.id) {
                        new.usage = before.usage;
                        new.started = new.started.or(before.started);
                        if *before == new {
                            continue;
                        }
                    }
                    changed = true;
                    host.containers.insert(new.id.clone(), new);
                }
                host.add_up();
                // The first list changes the host from "nothing known" to "nothing there".
                changed || host.containers.is_empty()
            }
            HostChange::Container(container) => {
                let mut new = *container;
                if let Some(before) = host.containers.get(&new.id) {
                    new.usage = before.usage;
                    if *before == new {
                        return false;
                    }
                }
                host.containers.insert(new.id.clone(), new);
                true
            }
            HostChange::Gone(id) => {
                let was_there = host.containers.remove(&id).is_some();
                host.add_up();
                was_there
            }
            HostChange::Images(images) => replace(&mut host.images, images),
            HostChange::Usage(samples) => {
                for (id, usage) in samples {
                    if let Some(container) = host.containers.get_mut(&id) {
                        container.usage = Some(usage);
                    }
                }
                host.add_up();
                true
            }
            HostChange::Proxy(proxy) => replace(&mut host.proxy, proxy.map(|proxy| *proxy)),
            HostChange::Event(_) => true,
        }
    }
}

impl HostView {
    /// The host's load is that of the containers that are there now.
    fn add_up(&mut self) {
        self.usage = self.containers.values().filter_map(|container| container.usage).reduce(Usage::plus);
    }
}

fn replace<T: PartialEq>(slot: &mut T, new: T) -> bool {
    let changed = *slot != new;
    *slot = new;
    changed
}
