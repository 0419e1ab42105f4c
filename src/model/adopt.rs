//! Containers of another tool that became replicas of this fleet while they ran.
//!
//! Labels of a container cannot be changed, so which replica an adopted one is stands in the store, by host and id.
//! What is seen is read with that book in hand: from there on, an adopted container is a replica like any other, until
//! a rollout replaces it by one that carries labels.

use std::collections::BTreeMap;

use super::{
    Container, ContainerId, HostChange, HostName, HostUpdate, NetworkSpec, Observed, Owner, ReplicaOf, ServiceName,
    ServiceSpec, VolumeSpec,
};
use crate::text::Text;

/// The adopted containers of a fleet, by host.
pub type Adopted = BTreeMap<HostName, BTreeMap<ContainerId, ReplicaOf>>;

/// A running container of another tool, and what a service would have to say to get the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Adoptable {
    /// On which host.
    pub host: HostName,
    /// Which container.
    pub container: ContainerId,
    /// Its name there.
    pub name: Text,
    /// The service that it belongs to.
    pub service: ServiceName,
    /// Its number among the service's containers on its host, where the tool gave one.
    pub number: Option<u32>,
    /// The spec that makes an equal container.
    pub spec: ServiceSpec,
    /// The image with its digest, where one is known.
    pub image: String,
    /// The stack's networks that it is on, by key.
    pub networks: BTreeMap<String, NetworkSpec>,
    /// The stack's volumes that it mounts, by key.
    pub volumes: BTreeMap<String, VolumeSpec>,
    /// What the spec cannot say, for people.
    pub notes: Vec<String>,
}

impl Observed {
    /// Takes in which containers are adopted: those become replicas, and what is not adopted any more is the other
    /// tool's again. True when that changed what is seen.
    pub fn adopt(&mut self, book: &Adopted) -> bool {
        if self.adopted == *book {
            return false;
        }
        self.adopted.clone_from(book);
        for (name, host) in &mut self.hosts {
            let theirs = self.theirs.entry(name.clone()).or_default();
            for (id, owner) in std::mem::take(theirs) {
                if let Some(container) = host.containers.get_mut(&id) {
                    container.owner = owner;
                }
            }
            for (id, of) in book.get(name).into_iter().flatten() {
                if let Some(container) = host.containers.get_mut(id)
                    && is_adoptable(&container.owner)
                {
                    let before = std::mem::replace(&mut container.owner, Owner::Replica(of.clone()));
                    theirs.insert(id.clone(), before);
                }
            }
        }
        true
    }

    /// Turns the owners in what an observer tells into those that the book of adopted containers says.
    /// [`Observed::apply`] does so by itself.
    pub fn resolve(&mut self, update: &mut HostUpdate) {
        let Some(book) = self.adopted.get(&update.host) else { return };
        let theirs = self.theirs.entry(update.host.clone()).or_default();
        let mut resolve = |container: &mut Container| {
            if let Some(of) = book.get(&container.id).filter(|_| is_adoptable(&container.owner)) {
                let before = std::mem::replace(&mut container.owner, Owner::Replica(of.clone()));
                theirs.insert(container.id.clone(), before);
            }
        };
        match &mut update.change {
            HostChange::Listed { containers, .. } => containers.iter_mut().for_each(resolve),
            HostChange::Container(container) => resolve(container),
            _ => {}
        }
    }
}

/// What carries a fleet's label, ours or another's, is what the label says, whatever a book says.
fn is_adoptable(owner: &Owner) -> bool {
    matches!(owner, Owner::Foreign { .. } | Owner::Loose)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{ContainerState, Health, HostView, ReplicaKey, RevisionNo, Slot, Tool};

    fn container(id: &str, owner: Owner) -> Container {
        Container {
            id: ContainerId(Text::new(id)),
            name: Text::new(id),
            image: Text::default(),
            image_id: Text::default(),
            state: ContainerState::Running,
            health: Health::None,
            owner,
            created: None,
            started: None,
            restarts: 0,
            ports: Vec::new(),
            networks: Vec::new(),
            usage: None,
        }
    }

    fn foreign() -> Owner {
        Owner::Foreign { tool: Tool::Compose, stack: "shop".into(), service: "web".into() }
    }

    fn replica(slot: u32) -> ReplicaOf {
        let key =
            ReplicaKey { region: "east".parse().unwrap(), service: "shop/web".parse().unwrap(), slot: Slot(slot) };
        ReplicaOf { key, revision: RevisionNo(1), round: 0 }
    }

    fn listed(owners: &[(&str, Owner)]) -> HostUpdate {
        let containers = owners.iter().map(|(id, owner)| container(id, owner.clone())).collect();
        let change = HostChange::Listed { at: Timestamp::UNIX_EPOCH, containers };
        HostUpdate { host: "e-1".parse().unwrap(), change }
    }

    fn owner<'o>(observed: &'o Observed, id: &str) -> &'o Owner {
        &observed.hosts["e-1"].containers[&ContainerId(Text::new(id))].owner
    }

    fn observed() -> Observed {
        let host: HostName = "e-1".parse().unwrap();
        let view = HostView::unseen(host.clone(), "east".parse().unwrap(), "unix:///x".into(), Timestamp::UNIX_EPOCH);
        Observed { hosts: BTreeMap::from([(host, view)]), ..Observed::default() }
    }

    #[test]
    fn what_is_adopted_is_a_replica_however_it_is_told_and_until_it_is_let_go() {
        let mut observed = observed();
        let ids = ["a", "b", "c", "d"];
        let told = [
            ("a", foreign()),
            ("b", Owner::OtherFleet("other".into())),
            ("c", Owner::Replica(replica(9))),
            ("d", foreign()),
        ];
        let book: Adopted = BTreeMap::from([(
            "e-1".parse().unwrap(),
            ids[..3].iter().map(|id| (ContainerId(Text::new(id)), replica(1))).collect(),
        )]);
        observed.apply(listed(&told));
        assert!(observed.adopt(&book));
        assert!(!observed.adopt(&book), "nothing is new");
        let check = |observed: &Observed| {
            assert_eq!(owner(observed, "a"), &Owner::Replica(replica(1)));
            assert_eq!(owner(observed, "b"), &Owner::OtherFleet("other".into()), "another fleet's stays theirs");
            assert_eq!(owner(observed, "c"), &Owner::Replica(replica(9)), "a label is stronger than the book");
            assert_eq!(owner(observed, "d"), &foreign());
        };
        check(&observed);
        assert!(!observed.apply(listed(&told)), "a list that tells the same changes nothing");
        check(&observed);
        let change = HostChange::Container(Box::new(container("a", foreign())));
        observed.apply(HostUpdate { host: "e-1".parse().unwrap(), change });
        check(&observed);
        assert!(observed.adopt(&Adopted::new()));
        assert_eq!(owner(&observed, "a"), &foreign());
        observed.apply(listed(&told));
        assert_eq!(owner(&observed, "a"), &foreign());
    }
}
