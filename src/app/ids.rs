//! What a row stands for. The selection sticks to this, never to a position.

use std::fmt;

use crate::{
    model::{
        CommandId, Container, ContainerId, HostName, HostView, Kept, Owner, RegionName, ReplicaKey, ServiceKey,
        ServiceName, StackName, Tool,
    },
    text::Text,
};

/// A stack of this fleet, or a group of containers that other tools run. Own stacks sort first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StackId {
    /// Ours.
    Own(StackName),
    /// Run by another tool. Never touched.
    Foreign(ToolName, Text),
    /// Run by wharf for another fleet. Never touched.
    OtherFleet(Text),
    /// Containers on their own.
    Loose,
}

/// [`Tool`] with an order and a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ToolName {
    /// Docker Compose.
    Compose,
    /// Swarm mode.
    Swarm,
    /// Rancher 1.x.
    Rancher,
}

impl From<Tool> for ToolName {
    fn from(tool: Tool) -> Self {
        match tool {
            Tool::Compose => Self::Compose,
            Tool::Swarm => Self::Swarm,
            Tool::Rancher => Self::Rancher,
        }
    }
}

impl StackId {
    /// Its name for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Own(name) => name.as_str(),
            Self::Foreign(_, name) | Self::OtherFleet(name) => name.as_str(),
            Self::Loose => "(single containers)",
        }
    }

    /// Who runs it: `wharf`, `compose`, ….
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Own(_) => "wharf",
            Self::Foreign(ToolName::Compose, _) => "compose",
            Self::Foreign(ToolName::Swarm, _) => "swarm",
            Self::Foreign(ToolName::Rancher, _) => "rancher",
            Self::OtherFleet(_) => "other fleet",
            Self::Loose => "–",
        }
    }

    /// Its name as ours; none for what others run.
    pub fn own(&self) -> Option<&StackName> {
        match self {
            Self::Own(name) => Some(name),
            _ => None,
        }
    }

    /// Why wharf does not change it; none when it does.
    pub fn untouchable(&self) -> Option<String> {
        match self {
            Self::Own(_) => None,
            Self::Foreign(..) => Some(format!("{} is run by {}: wharf leaves it alone", self.name(), self.tool())),
            Self::OtherFleet(fleet) => Some(format!("this belongs to the fleet {fleet}: wharf leaves it alone here")),
            Self::Loose => Some("this container belongs to no stack: wharf leaves it alone".into()),
        }
    }
}

/// A service of a stack, ours or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    /// The stack.
    pub stack: StackId,
    /// The service's name in it.
    pub name: Text,
}

impl ServiceId {
    /// One of ours.
    pub fn own(key: &ServiceKey) -> Self {
        Self { stack: StackId::Own(key.stack.clone()), name: Text::new(key.service.as_str()) }
    }

    /// Its key; none for what others run.
    pub fn key(&self) -> Option<ServiceKey> {
        let stack = self.stack.own()?.clone();
        Some(ServiceKey { stack, service: ServiceName::new(self.name.as_str()).ok()? })
    }

    /// The service that a container belongs to.
    pub fn of(container: &Container) -> Self {
        match &container.owner {
            Owner::Replica(replica) => Self::own(&replica.key.service),
            Owner::Test(test) => Self::own(&test.service),
            Owner::Foreign { tool, stack, service } => {
                Self { stack: StackId::Foreign((*tool).into(), stack.clone()), name: service.clone() }
            }
            Owner::OtherFleet(fleet) => {
                Self { stack: StackId::OtherFleet(fleet.clone()), name: container.name.clone() }
            }
            Owner::Loose | Owner::Proxy => Self { stack: StackId::Loose, name: container.name.clone() },
        }
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stack {
            StackId::Loose => f.pad(self.name.as_str()),
            _ => f.pad(&format!("{}/{}", self.stack.name(), self.name)),
        }
    }
}

/// A replica row: a wanted slot, or a container that fills none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplicaId {
    /// A slot that is wanted, whatever container fills it now.
    Slot(ReplicaKey),
    /// A container that is not, or no longer, wanted in a slot, or that is not ours.
    Container(HostName, ContainerId),
}

/// What a row stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// A host.
    Host(HostName),
    /// A stack.
    Stack(StackId),
    /// A service.
    Service(ServiceId),
    /// A replica.
    Replica(ReplicaId),
    /// A region.
    Region(RegionName),
    /// An event, by its running number.
    Event(u64),
    /// An operation.
    Operation(CommandId),
    /// Something that a host keeps, by what its engine knows it by.
    Stored(HostName, Kept, Text),
}

/// True when the host's answers can be trusted to be of now.
pub fn is_seen(host: Option<&HostView>) -> bool {
    host.is_some_and(HostView::is_seen)
}
