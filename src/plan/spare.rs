//! What a host keeps that nothing needs any more.

use std::collections::{BTreeMap, BTreeSet};

use super::{World, images};
use crate::model::{ContainerId, Kept, RevisionNo, ServiceKey, StackName, Stored};

/// Revisions of a service whose images stay on the hosts, so that going back needs no pull: the newest and the one before.
pub const KEPT_IMAGES: usize = 2;

/// What a thing on a host is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Containers of the host use it.
    Used(Vec<ContainerId>),
    /// A kept revision of a service has this image: rolling back would pull it again.
    Revision(ServiceKey, RevisionNo),
    /// It is of a stack that shall run: its next replica there uses it again.
    Stack(StackName),
    /// The image that the fleet's proxies are made from.
    Proxy,
    /// Every engine has it, and it cannot be removed.
    Engine,
    /// Somebody else made it: wharf leaves it alone.
    Foreign,
    /// It is no thing of its own but a sum.
    Sum,
}

impl Need {
    /// In words; `name` tells what a container of the host is called. Empty for sums.
    pub fn words(&self, name: impl Fn(&ContainerId) -> String) -> String {
        match self {
            Self::Used(users) => {
                let mut names: Vec<String> = users.iter().map(name).collect();
                names.sort();
                names.join(", ")
            }
            Self::Revision(service, number) => format!("kept: {service} r{number} can come back"),
            Self::Stack(stack) => format!("kept: {stack} uses it when it runs here"),
            Self::Proxy => "kept: the proxies are made from it".to_owned(),
            Self::Engine => "the engine's own".to_owned(),
            Self::Foreign => "not wharf's: left alone".to_owned(),
            Self::Sum => String::new(),
        }
    }
}

/// Which images are needed in the fleet, beside those that containers use.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    images: BTreeMap<String, (ServiceKey, RevisionNo)>,
    stacks: BTreeSet<StackName>,
    proxy: String,
}

impl Needs {
    /// Of everything that shall be.
    pub fn new(world: &World<'_>) -> Self {
        let desired = world.desired;
        let mut out = Self { proxy: world.fleet.proxy_image.clone(), ..Self::default() };
        for (service, regions) in &desired.services {
            out.stacks.insert(service.stack.clone());
            let kept = desired.revisions.get(service).into_iter().flatten().rev();
            // What runs may be older than both, after a deployment that failed.
            let running: BTreeSet<RevisionNo> =
                regions.values().flat_map(|at| at.slots.values()).map(|place| place.revision).collect();
            for (at, (number, revision)) in kept.enumerate() {
                if at < KEPT_IMAGES || running.contains(number) {
                    out.images.entry(revision.image.clone()).or_insert_with(|| (service.clone(), *number));
                }
            }
        }
        out
    }

    /// What it is there for; none when nothing would miss it.
    pub fn of(&self, world: &World<'_>, thing: &Stored) -> Option<Need> {
        if matches!(thing.kind, Kept::Files | Kept::Cache) {
            return Some(Need::Sum);
        }
        if thing.is_engines_own() {
            return Some(Need::Engine);
        }
        if !thing.users.is_empty() {
            return Some(Need::Used(thing.users.clone()));
        }
        if thing.kind == Kept::Image {
            let same = |name: &str| images::is_image(thing, name);
            if same(&self.proxy) {
                return Some(Need::Proxy);
            }
            let found = self.images.iter().find(|(name, _)| same(name));
            return found.map(|(_, (service, number))| Need::Revision(service.clone(), *number));
        }
        match thing.stack(&world.fleet.name) {
            Some(stack) => self.stacks.contains(&stack).then_some(Need::Stack(stack)),
            // Nobody gave it a name, and the container that it was made for is gone.
            None if thing.is_anonymous() => None,
            None => Some(Need::Foreign),
        }
    }
}
