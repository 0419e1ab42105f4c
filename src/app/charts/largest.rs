//! What uses most of a region, a host, a stack, a service.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};

use crate::app::{
    graph::service_at,
    ids::{Id, ReplicaId, is_seen},
    line::Mark,
    rows::{HostRow, Load, ReplicaRow, ServiceRow},
    screen::Within,
    state::State,
    status::of_link,
    table::natural,
    views::replica_name,
};

/// The list is put in order again only so often.
const SECONDS: i64 = 5;
/// So many are listed.
const LISTED: usize = 100;

/// What the list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Processor time.
    #[default]
    Cpu,
    /// Memory.
    Memory,
    /// Received and sent.
    Network,
    /// What comes through.
    Requests,
}

impl Order {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Cpu => Self::Memory,
            Self::Memory => Self::Network,
            Self::Network => Self::Requests,
            Self::Requests => Self::Cpu,
        }
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Network => "network",
            Self::Requests => "requests",
        }
    }
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Services.
    Services,
    /// Hosts.
    Hosts,
    /// Replicas, also those of others.
    #[default]
    Replicas,
}

impl Kind {
    /// What there is to list of a thing, the first to begin with.
    pub fn of(within: &Within) -> &'static [Self] {
        match within {
            Within::All => &[Self::Services, Self::Hosts, Self::Replicas],
            Within::Region(_) => &[Self::Hosts, Self::Services, Self::Replicas],
            Within::Stack(_) => &[Self::Services, Self::Replicas, Self::Hosts],
            Within::Service(_) | Within::Part(..) => &[Self::Replicas, Self::Hosts],
            Within::Host(_) => &[Self::Replicas, Self::Services],
            Within::Replica(_) | Within::Operation(_) => &[],
        }
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Hosts => "hosts",
            Self::Replicas => "replicas",
        }
    }
}

/// One of those that use most.
#[derive(Debug, Clone, PartialEq)]
pub struct Consumer {
    /// What it is.
    pub id: Id,
    /// Its state.
    pub mark: Mark,
    /// Its name.
    pub name: String,
    /// What it uses there.
    pub load: Load,
    /// Requests a second that it answers there; none where that is not known.
    pub requests: Option<f64>,
}

impl Consumer {
    /// Bytes received and sent per second.
    pub fn network(&self) -> Option<f64> {
        self.load.usage.map(|usage| usage.net_rx + usage.net_tx)
    }

    fn key(&self, order: Order) -> Option<f64> {
        match order {
            Order::Cpu => self.load.usage.map(|usage| usage.cpu_percent),
            Order::Memory => self.load.usage.map(|usage| usage.memory as f64),
            Order::Network => self.network(),
            Order::Requests => self.requests,
        }
    }
}

/// Those that use most, the largest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Largest {
    /// At most a hundred.
    pub rows: Vec<Consumer>,
    /// How many there are.
    pub of: usize,
    of_what: Option<(Within, Kind, Order)>,
    until: Option<Timestamp>,
}

impl Largest {
    /// Works it out anew when something else is asked for, or after some seconds.
    pub(super) fn settle(&mut self, state: &State) {
        let screen = state.screen();
        let Some(kind) = kind(&screen.within, screen.charts.kind) else {
            *self = Self::default();
            return;
        };
        let asked = (screen.within.clone(), kind, screen.charts.order);
        let is_old = self.until.is_none_or(|until| until <= state.now);
        if self.of_what.as_ref() == Some(&asked) && !is_old {
            return;
        }
        let mut rows = consumers(state, &screen.within, kind);
        let order = screen.charts.order;
        rows.sort_by(|a, b| {
            let (x, y) = (a.key(order).unwrap_or(-1.0), b.key(order).unwrap_or(-1.0));
            y.total_cmp(&x).then_with(|| natural(&a.name, &b.name)).then_with(|| a.id.cmp(&b.id))
        });
        let of = rows.len();
        rows.truncate(LISTED);
        *self = Self { rows, of, of_what: Some(asked), until: state.now.checked_add(SECONDS.seconds()).ok() };
    }
}

/// What is listed of a thing, by the operator's choice.
pub fn kind(within: &Within, choice: usize) -> Option<Kind> {
    let kinds = Kind::of(within);
    kinds.get(choice.checked_rem(kinds.len())?).copied()
}

/// Everything of one kind in a thing, with what it uses there. One pass over the replicas of the thing.
fn consumers(state: &State, within: &Within, kind: Kind) -> Vec<Consumer> {
    let mut found: BTreeMap<usize, Consumer> = BTreeMap::new();
    if kind == Kind::Hosts && matches!(within, Within::All | Within::Region(_)) {
        // All that runs there, not only what has a row.
        for (at, row) in state.index.hosts.iter().enumerate() {
            if !matches!(within, Within::Region(name) if row.region != *name) {
                let requests = state.flows().proxy(&row.name).and_then(|flow| flow.requests);
                found.insert(at, Consumer { load: row.live, requests, ..host(state, row) });
            }
        }
        return found.into_values().collect();
    }
    let hosts: BTreeMap<_, usize> = state.index.hosts.iter().enumerate().map(|(at, row)| (&row.name, at)).collect();
    let (from, rows) = range(state, within);
    for (at, row) in (from..).zip(rows).filter(|(_, row)| is_within(within, row)) {
        let place = match kind {
            Kind::Replicas => Some(at),
            Kind::Hosts => hosts.get(&row.host).copied(),
            Kind::Services => service_at(&state.index, &row.service),
        };
        let Some(place) = place else { continue };
        if !found.contains_key(&place) {
            let new = match kind {
                Kind::Replicas => Some(replica(state, within, row)),
                Kind::Hosts => state.index.hosts.get(place).map(|row| host(state, row)),
                Kind::Services => state.index.services.get(place).map(|row| service(within, row)),
            };
            found.extend(new.map(|consumer| (place, consumer)));
        }
        let (Some(consumer), Some(container)) = (found.get_mut(&place), state.container(row)) else { continue };
        consumer.load.count(container, is_seen(state.observed().hosts.get(&row.host)), state.pace, state.shown_at());
        let requests = state.flows().replica(&container.id).and_then(|flow| flow.requests);
        consumer.requests = match (consumer.requests, requests) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
    }
    found.into_values().collect()
}

/// The replicas among which those of a thing are, and the place of the first.
fn range<'a>(state: &'a State, within: &Within) -> (usize, &'a [ReplicaRow]) {
    let index = &state.index;
    match within {
        Within::Service(id) | Within::Part(id, _) => {
            (index.replicas.partition_point(|row| row.service < *id), index.replicas_of(id))
        }
        Within::Stack(id) => {
            (index.replicas.partition_point(|row| row.service.stack < *id), index.replicas_of_stack(id))
        }
        _ => (0, &index.replicas),
    }
}

fn is_within(within: &Within, row: &ReplicaRow) -> bool {
    match within {
        Within::All | Within::Stack(_) | Within::Service(_) => true,
        Within::Region(name) | Within::Part(_, name) => row.region == *name,
        Within::Host(name) => row.host == *name,
        Within::Replica(id) => row.id == *id,
        Within::Operation(_) => false,
    }
}

fn host(state: &State, row: &HostRow) -> Consumer {
    let link = state.observed().hosts.get(&row.name).map(|host| &host.link);
    Consumer {
        id: Id::Host(row.name.clone()),
        mark: link.map_or(Mark::Unknown, of_link),
        name: row.name.to_string(),
        load: Load::default(),
        requests: None,
    }
}

fn service(within: &Within, row: &ServiceRow) -> Consumer {
    let short = matches!(within, Within::Stack(_));
    Consumer {
        id: Id::Service(row.id.clone()),
        mark: row.total.mark(),
        name: if short { row.id.name.to_string() } else { row.id.to_string() },
        load: Load::default(),
        requests: None,
    }
}

fn replica(state: &State, within: &Within, row: &ReplicaRow) -> Consumer {
    let name = match (within, &row.id) {
        (Within::Service(_) | Within::Part(..) | Within::Stack(_), _) | (_, ReplicaId::Container(..)) => {
            replica_name(state, row)
        }
        (_, ReplicaId::Slot(key)) => format!("{}.{}", key.service, key.slot),
    };
    let name = if matches!(within, Within::Host(_)) { name } else { format!("{name}  {}", row.host) };
    Consumer { id: Id::Replica(row.id.clone()), mark: row.mark, name, load: Load::default(), requests: None }
}
