//! What typed terms of a filter may name, in each view.

use super::{columns, sort_key};
use crate::{
    app::{
        graph::{Kind, Node},
        ids::ServiceId,
        screen::View,
        state::State,
        status::of_link,
        table::{Col, SortKey},
        term::Value,
    },
    model::{HostName, since},
};

/// Numbers by name: what the column of the view would be sorted by.
const NUMBERS: [(&str, Col); 17] = [
    ("cpu", Col::Cpu),
    ("mem", Col::Memory),
    ("memory", Col::Memory),
    ("net", Col::Network),
    ("req", Col::Requests),
    ("err", Col::Errors),
    ("mean", Col::Answer),
    ("sessions", Col::Sessions),
    ("restarts", Col::Restarts),
    ("rev", Col::Revision),
    ("replicas", Col::Replicas),
    ("others", Col::Others),
    ("services", Col::Services),
    ("hosts", Col::Hosts),
    ("age", Col::Age),
    ("size", Col::Size),
    ("updated", Col::Updated),
];

/// Words by name, and where they are known.
const WORDS: [(&str, &[View]); 12] = [
    (
        "state",
        &[View::Graph, View::Overview, View::Stacks, View::Hosts, View::Services, View::Replicas, View::Operations],
    ),
    (
        "region",
        &[
            View::Overview,
            View::Stacks,
            View::Hosts,
            View::Services,
            View::Replicas,
            View::Events,
            View::Operations,
            View::Storage,
        ],
    ),
    ("stack", &[View::Graph, View::Overview, View::Stacks, View::Services, View::Replicas, View::Storage]),
    ("service", &[View::Graph, View::Services, View::Replicas, View::Events]),
    ("host", &[View::Graph, View::Hosts, View::Replicas, View::Events, View::Storage]),
    ("image", &[View::Graph, View::Services, View::Replicas]),
    ("tool", &[View::Graph, View::Overview, View::Stacks, View::Services, View::Replicas]),
    ("by", &[View::Operations]),
    ("op", &[View::Operations, View::Events]),
    ("engine", &[View::Graph, View::Hosts]),
    ("kind", &[View::Storage]),
    ("used", &[View::Storage]),
];

/// Labels of the host (or of the host that a replica is on): `label.zone`.
const LABEL: &str = "label.";

/// True for what some view knows under that name: else it is a word like others.
pub fn is_field(name: &str) -> bool {
    name.starts_with(LABEL)
        || NUMBERS.iter().any(|(known, _)| *known == name)
        || WORDS.iter().any(|(known, _)| *known == name)
}

/// The names that the view knows, for words about one that it does not.
pub fn names(state: &State) -> Vec<&'static str> {
    let view = state.screen().view;
    let columns = columns(state);
    let mut names: Vec<&str> = WORDS.iter().filter(|(_, views)| views.contains(&view)).map(|(name, _)| *name).collect();
    if matches!(view, View::Hosts | View::Replicas | View::Graph) {
        names.push("label.NAME");
    }
    names.extend(
        NUMBERS.iter().filter(|(_, col)| columns.iter().any(|column| column.col == *col)).map(|(name, _)| *name),
    );
    names
}

/// True when the view knows the name.
pub fn is_known(state: &State, name: &str) -> bool {
    if name.starts_with(LABEL) {
        return matches!(state.screen().view, View::Hosts | View::Replicas | View::Graph);
    }
    names(state).contains(&name)
}

/// What a row has under a name.
pub fn value(state: &State, row: usize, name: &str) -> Value {
    if let Some((_, col)) = NUMBERS.iter().find(|(known, _)| *known == name) {
        return match sort_key(state, row, *col) {
            // Sorted by when, asked for by how long.
            SortKey::Number(at) if matches!(col, Col::Age | Col::Updated) => {
                let at = jiff::Timestamp::from_second(whole(at)).unwrap_or(state.now);
                Value::Number(since(at, state.now).as_secs_f64())
            }
            SortKey::Number(number) => Value::Number(number),
            SortKey::Text(_) | SortKey::Nothing => Value::Nothing,
        };
    }
    words(state, row, name).unwrap_or(Value::Nothing)
}

#[expect(clippy::cast_possible_truncation, reason = "it was a whole number of seconds")]
fn whole(seconds: f64) -> i64 {
    seconds as i64
}

fn words(state: &State, row: usize, name: &str) -> Option<Value> {
    let view = state.screen().view;
    if view != View::Graph {
        return words_in(state, view, row, name);
    }
    // A node has what the row of its own view has.
    let Node { kind, at } = Node::of(row);
    let view = match kind {
        Kind::Stack => View::Stacks,
        Kind::Service => View::Services,
        Kind::Replica => View::Replicas,
        Kind::Host => View::Hosts,
        Kind::Region => {
            return (name == "region")
                .then(|| state.index.regions.get(at))
                .flatten()
                .map(|it| Value::word(it.as_str()));
        }
    };
    words_in(state, view, at, name)
}

fn words_in(state: &State, view: View, row: usize, name: &str) -> Option<Value> {
    match view {
        View::Overview | View::Stacks => {
            let stack = state.index.stacks.get(row)?;
            Some(match name {
                "state" => Value::word(stack.total.mark().word()),
                "stack" => Value::word(stack.id.name()),
                "tool" => Value::word(stack.id.tool()),
                _ => regions(state, |at| stack.regions.get(at).is_some_and(Option::is_some)),
            })
        }
        View::Services => {
            let service = state.index.services.get(row)?;
            match name {
                "state" => Some(Value::word(service.total.mark().word())),
                "image" => Some(Value::word(service.image.as_str())),
                "region" => Some(regions(state, |at| service.regions.get(at).is_some_and(Option::is_some))),
                _ => of_service(&service.id, name),
            }
        }
        View::Replicas => replica(state, row, name),
        View::Hosts => {
            let host = state.index.hosts.get(row)?;
            match name {
                "region" => Some(Value::word(host.region.as_str())),
                _ => of_host(state, &host.name, name),
            }
        }
        View::Events => {
            let news = state.news.get(row)?;
            match name {
                "host" => news.host.as_ref().map(|host| Value::word(host.as_str())),
                "region" => news.region.as_ref().map(|region| Value::word(region.as_str())),
                "op" => news.command.map(|id| Value::word(id.short())),
                _ => of_service(news.service.as_ref()?, name),
            }
        }
        View::Operations => {
            let op = state.operations().get(row)?;
            Some(match name {
                "state" => Value::Words(vec![op.word().to_owned(), op.state.word().to_owned()]),
                "by" => Value::Words(vec![op.by.clone(), state.person(&op.by).to_owned()]),
                "op" => Value::word(op.id.short()),
                _ => Value::Words(op.regions().iter().map(ToString::to_string).collect()),
            })
        }
        View::Storage => stored(state, row, name),
        View::Graph | View::Operation | View::Wall | View::Logs | View::Charts => None,
    }
}

fn stored(state: &State, row: usize, name: &str) -> Option<Value> {
    let row = state.stores.rows.get(row)?;
    let thing = row.thing.as_ref();
    Some(match name {
        "kind" => Value::word(thing.map_or("host", |thing| thing.kind.word())),
        "used" => Value::word(if row.need.is_some() { "yes" } else { "no" }),
        "host" => Value::word(row.host.as_str()),
        "region" => Value::word(row.region.as_str()),
        _ => thing?.stack(&state.fleet.name).map_or(Value::Nothing, |stack| Value::word(stack.as_str())),
    })
}

fn replica(state: &State, row: usize, name: &str) -> Option<Value> {
    let replica = state.index.replicas.get(row)?;
    let container = state.container(replica);
    match name {
        "state" => {
            let mut words = vec![replica.mark.word().to_owned()];
            if let Some(container) = container {
                words.push(state.judge(&replica.host, container).1.into_owned());
                words.push(container.state.word().to_owned());
            } else {
                words.push("missing".to_owned());
            }
            Some(Value::Words(words))
        }
        "region" => Some(Value::word(replica.region.as_str())),
        "image" => Some(container.map_or(Value::Nothing, |container| Value::word(container.image.as_str()))),
        "stack" | "service" | "tool" => of_service(&replica.service, name),
        _ => of_host(state, &replica.host, name),
    }
}

fn of_service(id: &ServiceId, name: &str) -> Option<Value> {
    Some(match name {
        "stack" => Value::word(id.stack.name()),
        // By its own name, and with its stack's.
        "service" => Value::Words(vec![id.name.to_string(), id.to_string()]),
        "tool" => Value::word(id.stack.tool()),
        _ => return None,
    })
}

fn of_host(state: &State, name: &HostName, field: &str) -> Option<Value> {
    let host = state.observed().hosts.get(name)?;
    Some(match field {
        "host" => Value::word(name.as_str()),
        "state" => {
            let mut words = vec![host.link.word().to_owned(), of_link(&host.link).word().to_owned()];
            match state.store.desired.hosts.get(name) {
                Some(crate::model::HostIntent::Cordoned) => words.push("cordoned".to_owned()),
                Some(crate::model::HostIntent::Draining) => words.push("draining".to_owned()),
                None => {}
            }
            Value::Words(words)
        }
        "engine" => host.facts.as_ref().map_or(Value::Nothing, |facts| Value::word(facts.engine.as_str())),
        _ => {
            let label = field.strip_prefix(LABEL)?;
            let found = host.labels.iter().find(|(key, _)| key.eq_ignore_ascii_case(label));
            found.map_or(Value::Nothing, |(_, value)| Value::word(value.as_str()))
        }
    })
}

fn regions(state: &State, is_there: impl Fn(usize) -> bool) -> Value {
    let here = state.index.regions.iter().enumerate().filter(|(at, _)| is_there(*at));
    Value::Words(here.map(|(_, region)| region.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_somewhere_and_only_once() {
        let mut names: Vec<&str> =
            NUMBERS.iter().map(|(name, _)| *name).chain(WORDS.iter().map(|(name, _)| *name)).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(is_field("cpu") && is_field("label.zone") && !is_field("payments"));
    }
}
