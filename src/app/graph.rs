//! The topology graph: stacks, services, replicas, hosts and regions in four forms, with one selection.

mod links;
mod loss;
mod related;
mod tree;

use std::{collections::BTreeSet, sync::Arc};

pub use links::Links;
pub use loss::{gone, loss};
pub use related::Related;

use super::{
    ids::{Id, ServiceId},
    index::Index,
    screen::{View, Within},
    state::{PaneKind, State},
};
use crate::{
    graph::{self, End, Layers, Way, Web},
    model::{Desired, StackName},
    plan,
};

/// How the graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// A column for each kind; what is related to the selection is bright.
    #[default]
    Columns,
    /// What a service or stack needs and what needs it, with edges.
    Focus,
    /// Stacks down to replicas, or regions down to replicas, with the columns of a table.
    Tree,
    /// Stacks by region.
    Matrix,
}

impl Form {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Focus => "focus",
            Self::Tree => "tree",
            Self::Matrix => "matrix",
        }
    }
}

/// The kinds of nodes, from the logical to the physical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Kind {
    /// A stack.
    Stack,
    /// A service.
    #[default]
    Service,
    /// A replica.
    Replica,
    /// A host.
    Host,
    /// A region.
    Region,
}

impl Kind {
    /// All of them, from left to right.
    pub const ALL: [Self; 5] = [Self::Stack, Self::Service, Self::Replica, Self::Host, Self::Region];

    /// Its place from the left.
    pub fn place(self) -> usize {
        match self {
            Self::Stack => 0,
            Self::Service => 1,
            Self::Replica => 2,
            Self::Host => 3,
            Self::Region => 4,
        }
    }

    /// The kind of an object; none for what is no node.
    pub fn of(id: &Id) -> Option<Self> {
        Some(match id {
            Id::Stack(_) => Self::Stack,
            Id::Service(_) => Self::Service,
            Id::Replica(_) => Self::Replica,
            Id::Host(_) => Self::Host,
            Id::Region(_) => Self::Region,
            Id::Event(_) | Id::Operation(_) | Id::Stored(..) => return None,
        })
    }

    /// How many there are.
    pub fn count(self, index: &Index) -> usize {
        match self {
            Self::Stack => index.stacks.len(),
            Self::Service => index.services.len(),
            Self::Replica => index.replicas.len(),
            Self::Host => index.hosts.len(),
            Self::Region => index.regions.len(),
        }
    }
}

/// A node: its kind and its place in the index's list of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Which of them.
    pub at: usize,
}

impl Node {
    /// A node of a kind.
    pub fn new(kind: Kind, at: usize) -> Self {
        Self { kind, at }
    }

    /// Its number among all nodes, for lists of rows.
    pub fn number(self) -> usize {
        self.at * Kind::ALL.len() + self.kind.place()
    }

    /// The node of a number.
    pub fn of(number: usize) -> Self {
        let kind = Kind::ALL.get(number % Kind::ALL.len()).copied().unwrap_or_default();
        Self { kind, at: number / Kind::ALL.len() }
    }

    /// What it stands for.
    pub fn id(self, index: &Index) -> Option<Id> {
        Some(match self.kind {
            Kind::Stack => Id::Stack(index.stacks.get(self.at)?.id.clone()),
            Kind::Service => Id::Service(index.services.get(self.at)?.id.clone()),
            Kind::Replica => Id::Replica(index.replicas.get(self.at)?.id.clone()),
            Kind::Host => Id::Host(index.hosts.get(self.at)?.name.clone()),
            Kind::Region => Id::Region(index.regions.get(self.at)?.clone()),
        })
    }
}

/// What the operator set in a graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Setting {
    /// How it is drawn.
    pub form: Form,
    /// In which column the selection is, and what the roots of a tree are.
    pub kind: Kind,
    /// Steps from the focus, less one.
    pub more: usize,
    /// Which relations are followed.
    pub way: Way,
    /// How many levels of a tree are open, beside what was turned over one by one.
    pub level: usize,
    /// Nodes of a tree that were opened or closed against that.
    pub turned: BTreeSet<Id>,
}

/// Most steps from the focus.
pub const DEEPEST: usize = 3;

/// What is worked out for the graph, and kept until something of it changes.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// All relations.
    pub web: Web,
    /// The focus and its neighbourhood.
    pub layers: Layers,
    /// What is related to the selection.
    pub related: Related,
    /// What the services of the stack at hand were seen to ask each other.
    pub links: Links,
    at_hand: Option<StackName>,
    desired: Arc<Desired>,
    shown: Option<(Within, usize, Way, usize)>,
    selected: Option<Id>,
}

impl State {
    /// Works out anew what the graph shows where its input changed; only while it is shown, or details that tell of it.
    pub(super) fn settle_graph(&mut self, counted: bool) {
        let is_shown = self.screen().view == View::Graph;
        if !is_shown && self.pane.is_none_or(|pane| pane.kind != PaneKind::Details) {
            return;
        }
        let mut cache = std::mem::take(&mut self.graph);
        if !Arc::ptr_eq(&cache.desired, &self.store.desired) {
            cache.desired = Arc::clone(&self.store.desired);
            cache.web = Web::new(&self.store.desired, |key| {
                self.store.desired.latest(key).map(|revision| plan::entries(&revision.spec)).unwrap_or_default()
            });
            cache.shown = None;
        }
        // What was seen once stays in the picture: an edge that comes and goes with the traffic would make it jump.
        let at_hand = self.stack_at_hand();
        if counted || cache.at_hand.as_ref() != at_hand {
            cache.links = at_hand.map(|stack| Links::new(self, &cache.web, stack)).unwrap_or_default();
            cache.at_hand = at_hand.cloned();
        }
        for (from, to) in cache.links.pairs() {
            if cache.web.see(from, to) {
                cache.shown = None;
            }
        }
        if !is_shown {
            self.graph = cache;
            return;
        }
        let screen = self.screen();
        if screen.graph.form == Form::Focus {
            let most = super::layout::list_rows(self).saturating_sub(PLACES).max(3);
            let key = (screen.within.clone(), screen.graph.more, screen.graph.way, most);
            if cache.shown.as_ref() != Some(&key) {
                cache.layers = layers(&cache, &screen.within, screen.graph.more + 1, screen.graph.way, most);
                cache.shown = Some(key);
            }
        }
        if counted || cache.selected.as_ref() != screen.selected.as_ref() {
            cache.selected.clone_from(&screen.selected);
            cache.related = screen.selected.as_ref().map(|id| Related::new(self, &cache.web, id)).unwrap_or_default();
        }
        self.graph = cache;
    }
}

impl State {
    /// The stack that the focus or the selection is about.
    fn stack_at_hand(&self) -> Option<&StackName> {
        match (&self.screen().within, self.screen().selected.as_ref()) {
            (Within::Service(id), _) | (Within::All, Some(Id::Service(id))) => id.stack.own(),
            (Within::Stack(id), _) => id.own(),
            _ => None,
        }
    }
}

/// Rows below the edges that say where the focus runs.
pub const PLACES: usize = 5;

fn layers(cache: &Graph, within: &Within, depth: usize, way: Way, most: usize) -> Layers {
    match within {
        Within::Service(id) => id.key().map_or_else(Layers::default, |key| {
            graph::around(&cache.web, &End::Service(key), depth, way, most, &cache.layers)
        }),
        Within::Stack(id) => id.own().map_or_else(Layers::default, |stack| {
            graph::whole(&cache.web.within(|key| key.stack == *stack), most, &cache.layers)
        }),
        _ => Layers::default(),
    }
}

/// The rows of the graph: numbers of nodes.
pub fn rows(state: &State) -> Vec<usize> {
    let setting = &state.screen().graph;
    let all = |kind: Kind| (0..kind.count(&state.index)).map(|at| Node::new(kind, at).number()).collect();
    match setting.form {
        Form::Columns => all(setting.kind),
        Form::Matrix => all(Kind::Stack),
        Form::Tree => tree::rows(state),
        Form::Focus => {
            let ends = state.graph.layers.layers.iter().flatten().filter_map(|spot| match spot {
                graph::Spot::One { end: End::Service(key), .. } => service_at(&state.index, &ServiceId::own(key)),
                _ => None,
            });
            ends.map(|at| Node::new(Kind::Service, at).number()).collect()
        }
    }
}

/// A service's place in the index.
pub fn service_at(index: &Index, id: &ServiceId) -> Option<usize> {
    index.services.binary_search_by(|row| row.id.cmp(id)).ok()
}

/// True when a node of a tree shows what is below it.
pub fn is_open(state: &State, node: Node) -> bool {
    tree::is_open(state, node)
}

/// How deep a node stands in a tree.
pub fn depth(state: &State, node: Node) -> usize {
    tree::depth(state, node.kind)
}
