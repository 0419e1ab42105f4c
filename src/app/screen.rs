//! Where the operator is: views, what they are narrowed to, and the way there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    charts,
    graph::Setting,
    ids::{Id, ReplicaId, ServiceId, StackId},
    table::Col,
};
use crate::model::{CommandId, HostName, RegionName};

/// The views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// Stacks by region, what is wrong, what is going on.
    #[default]
    Overview,
    /// Hosts.
    Hosts,
    /// Stacks.
    Stacks,
    /// Services.
    Services,
    /// Replicas.
    Replicas,
    /// What containers print.
    Logs,
    /// The topology graph.
    Graph,
    /// What was: loads and requests of one thing over time.
    Charts,
    /// Events and journal.
    Events,
    /// Operations.
    Operations,
    /// One operation with its steps.
    Operation,
    /// What hosts keep: images, volumes, networks.
    Storage,
    /// What a team reads from five metres away.
    Wall,
}

impl View {
    /// Its name, as in hints and breadcrumbs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Hosts => "hosts",
            Self::Stacks => "stacks",
            Self::Services => "services",
            Self::Replicas => "replicas",
            Self::Logs => "logs",
            Self::Graph => "graph",
            Self::Charts => "charts",
            Self::Events => "events",
            Self::Operations => "operations",
            Self::Operation => "operation",
            Self::Storage => "storage",
            Self::Wall => "wall",
        }
    }

    /// True for what is a table with rows to select.
    pub fn is_list(self) -> bool {
        !matches!(self, Self::Operation | Self::Logs | Self::Charts | Self::Wall)
    }

    /// The views that a digit opens, with that digit.
    pub const NUMBERED: [(char, Self); 10] = [
        ('1', Self::Overview),
        ('2', Self::Hosts),
        ('3', Self::Stacks),
        ('4', Self::Services),
        ('5', Self::Replicas),
        ('6', Self::Graph),
        ('7', Self::Logs),
        ('8', Self::Events),
        ('9', Self::Operations),
        ('0', Self::Wall),
    ];
}

/// What a view is narrowed to by the way there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Within {
    /// Everything.
    #[default]
    All,
    /// One region.
    Region(RegionName),
    /// One host.
    Host(HostName),
    /// One stack.
    Stack(StackId),
    /// One service.
    Service(ServiceId),
    /// One service in one region.
    Part(ServiceId, RegionName),
    /// One replica.
    Replica(ReplicaId),
    /// One operation.
    Operation(CommandId),
}

impl Within {
    /// Its name in breadcrumbs; none for everything.
    pub fn name(&self) -> Option<String> {
        Some(match self {
            Self::All => return None,
            Self::Region(name) => name.to_string(),
            Self::Host(name) => name.to_string(),
            Self::Stack(id) => id.name().to_owned(),
            Self::Service(id) => id.to_string(),
            Self::Part(id, region) => format!("{id} in {region}"),
            Self::Replica(ReplicaId::Slot(key)) => key.to_string(),
            Self::Replica(ReplicaId::Container(_, id)) => id.to_string(),
            Self::Operation(id) => id.short(),
        })
    }
}

/// One view with everything that the operator set in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Screen {
    /// Which view.
    pub view: View,
    /// Narrowed to what.
    pub within: Within,
    /// The filter as typed.
    pub filter: String,
    /// Only what is not well.
    pub faults: bool,
    /// Sorted by this column; none is the natural order.
    pub sort: Option<Col>,
    /// The order turned round.
    pub inverted: bool,
    /// All columns.
    pub wide: bool,
    /// Columns scrolled away.
    pub column: usize,
    /// The region under the region cursor, as a place in the fleet's order.
    pub region: Option<usize>,
    /// The selected object.
    pub selected: Option<Id>,
    /// Its row, for when it goes away.
    pub row: usize,
    /// The first row that is shown.
    pub top: usize,
    /// Marked objects.
    pub marks: BTreeSet<Id>,
    /// The row that was marked last: where a range begins.
    pub anchor: Option<Id>,
    /// How the graph is drawn.
    pub graph: Setting,
    /// How charts are drawn.
    pub charts: charts::Setting,
}

impl Screen {
    /// A view, narrowed.
    pub fn new(view: View, within: Within) -> Self {
        Self { view, within, ..Self::default() }
    }

    /// True when both show the same thing, whatever is selected.
    pub fn same_place(&self, other: &Self) -> bool {
        self.view == other.view && self.within == other.within
    }
}

/// Most places that are remembered.
const HISTORY: usize = 50;

/// A screen and those below it.
#[derive(Debug, Clone, PartialEq, Default)]
struct Trail {
    below: Vec<Screen>,
    top: Screen,
}

/// The screens on top of each other, and the places before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Way {
    here: Trail,
    past: Vec<Trail>,
    future: Vec<Trail>,
}

impl From<View> for Way {
    fn from(view: View) -> Self {
        Self { here: Trail { below: Vec::new(), top: Screen::new(view, Within::All) }, ..Self::default() }
    }
}

impl Way {
    /// The screen on top.
    pub fn here(&self) -> &Screen {
        &self.here.top
    }

    /// The screen on top, to change.
    pub fn here_mut(&mut self) -> &mut Screen {
        &mut self.here.top
    }

    /// All screens, the lowest first.
    pub fn screens(&self) -> impl Iterator<Item = &Screen> {
        self.here.below.iter().chain([&self.here.top])
    }

    fn leave(&mut self, next: Trail) {
        self.past.push(std::mem::replace(&mut self.here, next));
        if self.past.len() > HISTORY {
            self.past.remove(0);
        }
        self.future.clear();
    }

    /// Goes to a view of its own.
    pub fn go(&mut self, screen: Screen) {
        if self.here.below.is_empty() && self.here.top.same_place(&screen) {
            return;
        }
        self.leave(Trail { below: Vec::new(), top: screen });
    }

    /// Goes one level down.
    pub fn down(&mut self, screen: Screen) {
        let mut next = self.here.clone();
        next.below.push(std::mem::replace(&mut next.top, screen));
        self.leave(next);
    }

    /// Goes one level up. False at the first.
    pub fn up(&mut self) -> bool {
        let mut next = self.here.clone();
        let Some(top) = next.below.pop() else { return false };
        next.top = top;
        self.leave(next);
        true
    }

    /// The place before. False when there is none.
    pub fn back(&mut self) -> bool {
        let Some(before) = self.past.pop() else { return false };
        self.future.push(std::mem::replace(&mut self.here, before));
        true
    }

    /// Forward again. False when there is nothing.
    pub fn forward(&mut self) -> bool {
        let Some(after) = self.future.pop() else { return false };
        self.past.push(std::mem::replace(&mut self.here, after));
        true
    }

    /// Between this place and the one before. False when there is none.
    pub fn swap(&mut self) -> bool {
        let Some(before) = self.past.pop() else { return false };
        let here = std::mem::replace(&mut self.here, before);
        self.past.push(here);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_and_forward() {
        let views = |way: &Way| way.screens().map(|screen| screen.view).collect::<Vec<_>>();
        let mut way = Way::default();
        assert!(!way.up() && !way.back() && !way.forward() && !way.swap());
        way.go(Screen::new(View::Services, Within::All));
        way.down(Screen::new(View::Replicas, Within::All));
        assert_eq!(views(&way), [View::Services, View::Replicas]);
        assert!(way.up());
        assert_eq!(views(&way), [View::Services]);
        assert!(way.back());
        assert_eq!(views(&way), [View::Services, View::Replicas]);
        assert!(way.back() && way.back());
        assert_eq!(views(&way), [View::Overview]);
        assert!(way.forward());
        assert_eq!(views(&way), [View::Services]);
        way.go(Screen::new(View::Hosts, Within::All));
        assert!(!way.forward(), "a new step ends the old future");
        assert!(way.swap());
        assert_eq!(views(&way), [View::Services]);
        assert!(way.swap());
        assert_eq!(views(&way), [View::Hosts]);
    }
}
