//! A replica's way through a change, phase by phase, from what is seen: start, health, traffic, drain, stop.

use super::{line::Mark, state::State};
use crate::model::{
    Assignment, Container, ContainerState, HostName, Operation, Place, RegionName, ReplicaKey, ServerName, ServerView,
};

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Done, under way, or not begun.
    pub mark: Mark,
    /// What: `start on b2`.
    pub what: String,
    /// How far: `2 of 3 proxies`; empty when there is nothing to say.
    pub note: String,
}

struct Step {
    what: String,
    done: bool,
    note: String,
}

/// A copy of a replica that is there.
struct Copy<'a> {
    host: &'a HostName,
    container: &'a Container,
    server: ServerName,
}

/// The phases of a replica in an operation. Those that are done come first; of the others the first is under way.
pub fn phases(state: &State, op: &Operation, key: &ReplicaKey) -> Vec<Phase> {
    let after = assignment(&op.after, key);
    let wanted = after.and_then(|after| Some((after, after.slots.get(&key.slot)?)));
    let before = assignment(&op.before, key).and_then(|before| before.slots.get(&key.slot));
    let copies = copies(state, key);
    let is_new = |copy: &Copy<'_>| wanted.is_some_and(|(after, place)| fits(copy, after, place));
    let new = copies.iter().find(|copy| is_new(copy));
    let old: Vec<&Copy<'_>> = copies.iter().filter(|copy| !is_new(copy)).collect();
    let carried = is_carried(state, key);
    let coming = wanted.map(|(_, place)| coming(state, key, place, new, carried)).unwrap_or_default();
    // Where a copy was, or still is: it goes.
    let left = old.first().map(|copy| copy.host).or(before.map(|place| &place.host));
    let goes = match (wanted, before) {
        (Some(_), Some(_)) | (None, _) => true,
        (Some(_), None) => !old.is_empty(),
    };
    let leaving = left.filter(|_| goes).map(|host| leaving(state, key, host, &old, carried)).unwrap_or_default();
    // A replica of which there can be one only goes before the new one comes.
    let stops_first = new.is_none() && leaving.first().is_some_and(|step| step.done);
    let (first, then) = if stops_first { (leaving, coming) } else { (coming, leaving) };
    marked(first.into_iter().chain(then))
}

fn assignment<'a>(
    book: &'a std::collections::BTreeMap<
        crate::model::ServiceKey,
        std::collections::BTreeMap<RegionName, Option<Assignment>>,
    >,
    key: &ReplicaKey,
) -> Option<&'a Assignment> {
    book.get(&key.service)?.get(&key.region)?.as_ref()
}

fn fits(copy: &Copy<'_>, after: &Assignment, place: &Place) -> bool {
    let of = copy.container.replica();
    *copy.host == place.host && of.is_some_and(|of| of.revision == place.revision && of.round >= after.round)
}

fn copies<'a>(state: &'a State, key: &ReplicaKey) -> Vec<Copy<'a>> {
    let region = state.observed().hosts.values().filter(|host| host.region == key.region);
    let all = region.flat_map(|host| host.containers.values().map(move |container| (&host.name, container)));
    all.filter_map(|(host, container)| {
        let of = container.replica().filter(|of| of.key == *key)?;
        let is_over = matches!(container.state, ContainerState::Exited { .. } | ContainerState::Dead);
        (!is_over).then(|| Copy { host, container, server: ServerName::new(of, &container.id) })
    })
    .collect()
}

/// What each proxy of the region says of a copy: none where it does not have it.
fn said<'a>(state: &'a State, key: &ReplicaKey, server: &ServerName) -> Vec<(&'a HostName, Option<&'a ServerView>)> {
    let region = state.observed().hosts.values().filter(|host| host.region == key.region);
    let proxies = region.filter_map(|host| Some((&host.name, host.proxy.as_ref()?)));
    proxies
        .filter_map(|(host, proxy)| {
            let mut backends = proxy.backends.iter().filter(|(name, _)| name.service == key.service).peekable();
            backends.peek()?;
            Some((host, backends.find_map(|(_, backend)| backend.servers.get(server))))
        })
        .collect()
}

fn is_carried(state: &State, key: &ReplicaKey) -> bool {
    let region = state.observed().hosts.values().filter(|host| host.region == key.region);
    let mut names = region.filter_map(|host| host.proxy.as_ref()).flat_map(|proxy| proxy.backends.keys());
    names.any(|name| name.service == key.service)
}

fn coming(state: &State, key: &ReplicaKey, place: &Place, new: Option<&Copy<'_>>, carried: bool) -> Vec<Step> {
    let runs = new.is_some_and(|copy| copy.container.state == ContainerState::Running);
    let (mark, word) = new.map_or((Mark::Stopped, "".into()), |copy| state.judge(copy.host, copy.container));
    let well = runs && mark == Mark::Ok;
    let note = if runs && !well { word.into_owned() } else { String::new() };
    let mut steps = vec![
        Step { what: format!("start on {}", place.host), done: runs, note: String::new() },
        Step { what: "healthy".to_owned(), done: well, note },
    ];
    if carried {
        let said = new.map(|copy| said(state, key, &copy.server)).unwrap_or_default();
        let takes = |view: Option<&ServerView>| view.is_some_and(|view| view.is_ready && view.is_up);
        let yes = said.iter().filter(|(_, view)| takes(*view)).count();
        let no: Vec<&str> = said.iter().filter(|(_, view)| !takes(*view)).map(|(host, _)| host.as_str()).collect();
        let done = well && no.is_empty() && yes > 0;
        let note = if well && !done {
            format!("{yes} of {} proxies, not yet {}", said.len(), some(&no))
        } else {
            String::new()
        };
        steps.push(Step { what: "in traffic".to_owned(), done, note });
    }
    steps
}

fn leaving(state: &State, key: &ReplicaKey, host: &HostName, old: &[&Copy<'_>], carried: bool) -> Vec<Step> {
    let gone = old.is_empty();
    let mut steps = Vec::new();
    if carried {
        let said: Vec<_> = old.iter().flat_map(|copy| said(state, key, &copy.server)).collect();
        let open: Vec<&str> = said
            .iter()
            .filter(|(_, view)| view.is_some_and(|view| view.is_ready))
            .map(|(host, _)| host.as_str())
            .collect();
        let busy: Vec<(&str, u32)> = said
            .iter()
            .filter_map(|(host, view)| Some((host.as_str(), view.filter(|view| view.sessions > 0)?.sessions)))
            .collect();
        let sessions: u32 = busy.iter().map(|(_, sessions)| sessions).sum();
        let note = match (open.as_slice(), sessions) {
            _ if gone => String::new(),
            ([], 0) => String::new(),
            ([], left) => {
                let hosts: Vec<&str> = busy.iter().map(|(host, _)| *host).collect();
                format!("{left} session{} left at {}", if left == 1 { "" } else { "s" }, some(&hosts))
            }
            (open, _) => format!("still in traffic at {}", some(open)),
        };
        steps.push(Step { what: format!("drain on {host}"), done: gone || note.is_empty(), note });
    }
    steps.push(Step { what: format!("stop on {host}"), done: gone, note: String::new() });
    steps
}

/// A few names, and how many more.
fn some(names: &[&str]) -> String {
    match names {
        [] => "any".to_owned(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one}, {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

fn marked(steps: impl Iterator<Item = Step>) -> Vec<Phase> {
    let mut before = true;
    steps
        .map(|Step { what, done, note }| {
            // A later one that looks done has not been its turn yet.
            let mark = match (before, done) {
                (true, true) => Mark::Ok,
                (true, false) => Mark::Changing,
                (false, _) => Mark::Stopped,
            };
            before &= done;
            Phase { mark, what, note: if mark == Mark::Changing { note } else { String::new() } }
        })
        .collect()
}
