//! The graph as lines: linked columns, and what stands below every form.

mod focus;
mod loss;

use crate::{
    app::{
        graph::{Form, Kind, Node},
        ids::Id,
        line::{Line, Mark, Role},
        screen::{View, Within},
        state::State,
        views,
    },
    graph::{self, End, Format, Web},
    model::ServiceKey,
    text::{count, fit, percent, width},
};

/// What goes when something goes, a line for each thing.
pub(super) use loss::lines as loss_lines;

/// The lines of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GraphPage {
    /// From top to bottom.
    pub lines: Vec<Line>,
    /// Where the selection is: column, row, width.
    pub selected: Option<(u16, u16, u16)>,
}

/// The graph in the form that is set, for so many cells and rows.
pub fn graph(state: &State, cells: usize, rows: usize) -> GraphPage {
    if state.rows.rows.is_empty() && state.rows.of > 0 || state.index.stacks.is_empty() {
        return GraphPage { lines: super::empty(state), selected: None };
    }
    match state.screen().graph.form {
        Form::Focus => focus::page(state, cells, rows),
        _ => columns(state, cells, rows),
    }
}

/// Shares of the width, by kind.
const SHARES: [usize; 5] = [17, 26, 24, 20, 13];
/// Cells between two columns.
const GAP: usize = 2;

fn columns(state: &State, cells: usize, rows: usize) -> GraphPage {
    let screen = state.screen();
    let room = cells.saturating_sub(1 + GAP * (Kind::ALL.len() - 1));
    let body = rows.saturating_sub(1);
    let widths = SHARES.map(|share| room * share / 100);
    let mut page = GraphPage { lines: vec![Line::of(Role::Plain, " "); rows], selected: None };
    let mut x = 1;
    for (kind, w) in Kind::ALL.into_iter().zip(widths) {
        let is_here = kind == screen.graph.kind;
        // Of the column with the selection the rule above tells, as of every list.
        let below = if is_here { 0 } else { kind.count(&state.index).saturating_sub(body) };
        let lines = std::iter::once(head(state, kind, is_here, below, w)).chain(if is_here {
            active(state, kind, w, body)
        } else {
            passive(state, kind, w, body)
        });
        let mut lines = lines.chain(std::iter::repeat_with(Line::new));
        for line in &mut page.lines {
            let mut cell = lines.next().unwrap_or_default();
            cell.pad_to(if kind == Kind::Region { w } else { w + GAP });
            line.extend(cell);
        }
        if is_here && screen.row >= screen.top {
            let y = u16::try_from(screen.row - screen.top + 1).unwrap_or(u16::MAX);
            page.selected = u16::try_from(x).ok().zip(u16::try_from(w).ok()).map(|(x, w)| (x, y, w));
        }
        x += w + GAP;
    }
    page
}

/// Cells of a name that are more than a number.
const NAMED: usize = 5;

/// `HOST 2 of 9  ↓3`: how many of all are related, and how many there is no room for below.
fn head(state: &State, kind: Kind, is_here: bool, below: usize, cells: usize) -> Line {
    let title = match kind {
        Kind::Stack => "STACK",
        Kind::Service => "SERVICE",
        Kind::Replica => "REPLICA",
        Kind::Host => "HOST",
        Kind::Region => "REGION",
    };
    let (related, all) = (state.graph.related.of(kind).len(), kind.count(&state.index));
    let (related, all) = (count(related as u64), count(all as u64));
    let more = if below == 0 { String::new() } else { format!("  ↓{}", count(below as u64)) };
    let mut text = format!("{title} {related} of {all}{more}");
    if width(&text) > cells {
        text = format!("{title} {related}/{all}{}", more.strip_prefix(' ').unwrap_or(&more));
    }
    Line::of(if is_here { Role::Accent } else { Role::Head }, fit(&text, cells))
}

/// The column with the selection: in its own order, filtered.
fn active(state: &State, kind: Kind, cells: usize, rows: usize) -> Vec<Line> {
    let shown = state.rows.rows.iter().skip(state.screen().top).take(rows);
    shown.map(|number| node(state, Node { kind, ..Node::of(*number) }, cells)).collect()
}

/// Another column: what is related first, so that it is near, then the rest, dim.
fn passive(state: &State, kind: Kind, cells: usize, rows: usize) -> Vec<Line> {
    let related = &state.graph.related;
    let rest = (0..kind.count(&state.index)).filter(|at| !related.has(kind, *at));
    let all = related.of(kind).iter().copied().chain(rest);
    all.take(rows).map(|at| node(state, Node::new(kind, at), cells)).collect()
}

fn node(state: &State, node: Node, cells: usize) -> Line {
    let is_near = state.graph.related.has(node.kind, node.at);
    let is_marked =
        !state.screen().marks.is_empty() && node.id(&state.index).is_some_and(|id| state.screen().marks.contains(&id));
    let mark = views::graph_mark(state, node);
    let role = |role| if is_near { role } else { Role::Dim };
    let mut name = views::node_name(state, node);
    // What the columns beside it do not say, the name does.
    let is_alone = |kind| is_near && state.graph.related.of(kind).len() == 1;
    if node.kind == Kind::Service && !is_alone(Kind::Stack) {
        name = state.index.services.get(node.at).map(|row| row.id.to_string()).unwrap_or(name);
    }
    if node.kind == Kind::Replica
        && !is_alone(Kind::Region)
        && let Some(row) = state.index.replicas.get(node.at)
    {
        name = format!("{name} {}", row.region);
    }
    let mut right = number(state, node, is_near);
    // Where there is no room for both, the name says more.
    if cells < 3 + right.width() + width(&name).min(NAMED) {
        right = Line::new();
    }
    let mut line = Line::of(role(Role::Mark(mark)), mark.glyph());
    line.push(Role::Accent, if is_marked { "+" } else { " " });
    let room = cells.saturating_sub(3 + right.width());
    let name = fit(&name, room);
    let gap = cells.saturating_sub(2 + width(name.trim_end()) + right.width());
    line.push(role(Role::Plain), name.trim_end());
    line.push(Role::Plain, " ".repeat(gap));
    line.extend(right);
    line
}

/// The one number of a node: replicas, or load.
fn number(state: &State, node: Node, is_near: bool) -> Line {
    let index = &state.index;
    let role = if is_near { Role::Plain } else { Role::Dim };
    let load =
        |usage: Option<f64>| usage.map_or_else(Line::new, |value| Line::of(role, format!("{} %", percent(value))));
    match node.kind {
        Kind::Stack => tally(index.stacks.get(node.at).map(|row| &row.total), role),
        Kind::Service => {
            let mut line = tally(index.services.get(node.at).map(|row| &row.total), role);
            if let Some(to) = views::graph_target(state, node.at) {
                line.push(Role::Draft, format!(" →{to}"));
            }
            line
        }
        Kind::Replica => {
            let row = index.replicas.get(node.at);
            load(row.and_then(|row| state.container(row)?.usage).map(|usage| usage.cpu_percent))
        }
        Kind::Host => {
            let view = index.hosts.get(node.at).and_then(|row| state.observed().hosts.get(&row.name));
            load(view.and_then(|view| {
                let cpus = view.facts.as_ref().map_or(1, |facts| facts.cpus.max(1));
                view.usage.map(|usage| usage.cpu_percent / f64::from(cpus))
            }))
        }
        Kind::Region => {
            let name = index.regions.get(node.at);
            let hosts = index.hosts.iter().filter(|row| Some(&row.region) == name).count();
            Line::of(Role::Dim, format!("{hosts} host{}", if hosts == 1 { "" } else { "s" }))
        }
    }
}

fn tally(tally: Option<&crate::app::rows::Tally>, role: Role) -> Line {
    tally.map_or_else(Line::new, |tally| Line::of(role, format!("{}/{}", tally.healthy, tally.wanted)))
}

/// Three lines below every form: what would go with the selection, the path of requests through it, what marks mean.
pub fn graph_foot(state: &State, cells: usize) -> Vec<Line> {
    vec![loss::line(state, cells), path(state, cells), legend(state)]
}

/// The way of a request: entry, proxies, service, replicas, what that depends on.
fn path(state: &State, cells: usize) -> Line {
    let mut line = Line::of(Role::Head, " PATH  ");
    let Some(key) = selected_service(state) else {
        return line.with(Role::Dim, "a service or a replica shows here how requests come to it and where they go on");
    };
    let end = End::Service(key.clone());
    let web = &state.graph.web;
    let mut parts = Vec::new();
    let entries: Vec<String> =
        web.needed_by(&end).filter(|end| matches!(end, End::Entry(_))).map(|end| end.name(None)).collect();
    if entries.is_empty() {
        let from: Vec<String> = web.needed_by(&end).map(|end| end.name(Some(&key.stack))).collect();
        if !from.is_empty() {
            parts.push(from.join(" "));
        }
    } else {
        parts.push(entries.join(" "));
    }
    let carries = |host: &&crate::model::HostView| {
        host.proxy.as_ref().is_some_and(|proxy| proxy.backends.keys().any(|backend| backend.service == key))
    };
    let proxies: Vec<&str> = state.observed().hosts.values().filter(carries).map(|host| host.name.as_str()).collect();
    match proxies.len() {
        0 => {}
        1..=3 => parts.push(format!("proxies {}", proxies.join(" "))),
        n => parts.push(format!("{n} proxies")),
    }
    let rate = state.flows().service(&key).and_then(|flow| flow.requests);
    let replicas = state.store.desired.services.get(&key);
    let replicas: usize = replicas.map_or(0, |regions| regions.values().map(|it| it.slots.len()).sum());
    let rate = rate.map(|rate| format!(", {rate:.0} a second")).unwrap_or_default();
    parts.push(format!("{key} ×{replicas}{rate}"));
    let needs = web.all_needs(&end).into_iter().filter(|end| !web.inner.contains(end));
    let needs: Vec<String> = needs.map(|end| end.name(Some(&key.stack))).collect();
    if !needs.is_empty() {
        parts.push(needs.join(" "));
    }
    let text = parts.join(" → ");
    line.push(Role::Plain, fit(&text, cells.saturating_sub(line.width())).trim_end());
    line
}

fn legend(state: &State) -> Line {
    let mut line = Line::of(Role::Plain, " ");
    for mark in [Mark::Ok, Mark::Changing, Mark::Stopped, Mark::Failed, Mark::Unknown] {
        line = line.mark(mark);
        line.push(Role::Dim, format!(" {}  ", mark.word()));
    }
    let text = match state.screen().graph.form {
        Form::Columns => "bright: related to the selection   enter focus   t tree   T next form",
        Form::Focus => {
            "left needs right   bright: requests seen  ┄ missing, or a network  ↺ way back   < > steps   i o one way"
        }
        Form::Tree => "\\ fold   | fold all   t by hosts or by stacks   T next form",
        Form::Matrix => "stacks by region   T next form",
    };
    line.push(Role::Dim, text);
    line
}

/// The service that the selection, or the focus, is about.
fn selected_service(state: &State) -> Option<ServiceKey> {
    match state.selected() {
        Some(Id::Service(id)) => id.key(),
        Some(Id::Replica(_)) => state.selected_replica()?.service.key(),
        _ => None,
    }
}

/// The relations of the stack or service at hand, written for other tools; of all where there is none.
pub fn export_graph(state: &State, format: Format) -> String {
    let stack = crate::app::access_stack(state);
    // What is shown has what was seen, too.
    let web = if state.screen().view == View::Graph {
        state.graph.web.clone()
    } else {
        let desired = &state.store.desired;
        let spec = |key: &ServiceKey| desired.latest(key).map(|revision| crate::plan::entries(&revision.spec));
        Web::new(desired, |key| spec(key).unwrap_or_default())
    };
    let web = match (&state.screen().within, stack.as_ref().and_then(|stack| stack.own())) {
        (Within::Service(id), _) if id.key().is_some() => web.within(|key| Some(key) == id.key().as_ref()),
        (_, Some(stack)) => web.within(|key| key.stack == *stack),
        _ => web,
    };
    graph::export(&web, format, |end| {
        let row = end.service().and_then(|key| state.index.service(&crate::app::ids::ServiceId::own(key)));
        row.map(|row| format!("{}/{}", row.total.healthy, row.total.wanted)).unwrap_or_default()
    })
}
