//! Everything known about the selected row.

use super::{field, heading};
use crate::{
    app::{
        drains::drain,
        flow::Flow,
        ids::Id,
        line::{Line, Mark, Role},
        rows::{ReplicaRow, Tally},
        state::State,
        status::{ago, of_link},
    },
    graph,
    model::{Condition, Container, ContainerState, HostIntent, HostName, ServiceKey, Usage},
    text::{bytes, count, percent},
};

/// The lines.
pub fn details(state: &State) -> Vec<Line> {
    let found = match state.selected() {
        None => None,
        Some(Id::Host(name)) => host(state, name),
        Some(Id::Stack(id)) => state.index.stack(id).map(|row| {
            let mut lines = vec![Line::new().mark(row.total.mark()).with(Role::Strong, format!(" {}", id.name()))];
            lines.push(field("run by", id.tool()));
            if let Some(why) = id.untouchable() {
                lines.push(Line::of(Role::Dim, why));
            }
            lines.push(field("services", row.services.to_string()));
            lines.push(field("hosts", row.hosts.to_string()));
            traffic(&mut lines, id.own().and_then(|stack| state.flows().stack(stack)));
            tallies(state, &mut lines, &row.total, &row.regions);
            lines
        }),
        Some(Id::Service(id)) => state.index.service(id).map(|row| {
            let mut lines = vec![Line::new().mark(row.total.mark()).with(Role::Strong, format!(" {id}"))];
            if let Some(why) = id.stack.untouchable() {
                lines.push(Line::of(Role::Dim, why));
            }
            lines.push(field("image", row.image.as_str()));
            if let Some(revision) = row.revision {
                lines.push(field("revision", format!("r{revision}")));
            }
            if let Some((at, by)) = &row.updated {
                lines.push(field("updated", format!("{} by {}", when(state, *at), state.person(by))));
            }
            traffic(&mut lines, id.key().and_then(|key| state.flows().service(&key)));
            tallies(state, &mut lines, &row.total, &row.regions);
            if let Some(key) = id.key() {
                relations(state, &mut lines, &key, &graph::needs(&state.store.desired, &key));
            }
            service_replicas(state, &mut lines, id);
            lines
        }),
        Some(Id::Replica(_)) => state.selected_replica().map(|row| replica(state, row)),
        Some(Id::Region(name)) => Some(region(state, name)),
        Some(Id::Event(_)) => state.selected_row().and_then(|row| state.news.get(row)).map(|news| {
            let mut lines = vec![Line::of(Role::Strong, news.about.clone()), field("what", news.what.clone())];
            lines.push(field("when", when(state, news.at)));
            lines.extend(news.host.as_ref().map(|host| field("host", host.as_str())));
            lines.extend(news.region.as_ref().map(|region| field("region", region.as_str())));
            lines.extend(news.command.map(|id| field("operation", id.to_string())));
            lines
        }),
        Some(Id::Operation(id)) => state.operations().iter().find(|op| op.id == *id).map(|op| {
            let mut lines = vec![Line::of(Role::Strong, op.intent.summary()), field("id", op.id.to_string())];
            lines.push(field("by", op.by.clone()));
            lines.push(field("accepted", when(state, op.at)));
            lines.push(field("state", op.word()));
            lines.push(field("generation", op.generation.to_string()));
            lines.push(field("same as", op.equivalent.clone()));
            let note = super::operation_note(state, op);
            if !note.spans.is_empty() {
                lines.push(note);
            }
            lines
        }),
        Some(Id::Stored(..)) => state.selected_row().and_then(|row| super::stored::stored(state, row)),
    };
    found.unwrap_or_else(|| vec![Line::of(Role::Dim, "Nothing is selected.")])
}

fn when(state: &State, at: jiff::Timestamp) -> String {
    let day = at.to_zoned_datetime(state.zone.clone()).strftime("%Y-%m-%d").to_string();
    format!("{} ago ({day} {})", ago(at, state.now).replace("now", "a moment"), state.clock(at))
}

fn load(lines: &mut Vec<Line>, usage: Option<Usage>) {
    let Some(usage) = usage else { return };
    let rate = |value: f64| format!("{}/s", bytes(whole(value)));
    lines.push(field("cpu", format!("{} % of one core", percent(usage.cpu_percent))));
    lines.push(field("memory", bytes(usage.memory)));
    lines.push(field("network", format!("in {}  out {}", rate(usage.net_rx), rate(usage.net_tx))));
    lines.push(field("disk", format!("read {}  write {}", rate(usage.disk_read), rate(usage.disk_write))));
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are small and not negative")]
fn whole(rate: f64) -> u64 {
    rate.max(0.0) as u64
}

/// What comes through the proxies.
fn traffic(lines: &mut Vec<Line>, flow: Option<&Flow>) {
    let Some(flow) = flow else { return };
    let rate = flow.requests.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}"));
    lines.push(field("requests", format!("{rate} a second, {} under way", count(u64::from(flow.sessions)))));
    if let (Some(failed), Some(answer)) = (flow.failed_percent(), flow.answer()) {
        lines.push(field("failed", format!("{failed:.2} %")));
        lines.push(field("answers", format!("after {} ms, in the mean", count(answer))));
    }
}

fn tallies(state: &State, lines: &mut Vec<Line>, total: &Tally, regions: &[Option<Tally>]) {
    load(lines, total.usage);
    heading(lines, "REPLICAS");
    for (name, tally) in state.index.regions.iter().zip(regions) {
        let Some(tally) = tally else { continue };
        let mut line = Line::new().mark(tally.mark());
        line.push(Role::Plain, format!(" {}", crate::text::pad_right(name.as_str(), 14)));
        line.push(Role::Plain, format!("{}/{} well", tally.healthy, tally.wanted));
        for (n, mark) in [
            (tally.changing, Mark::Changing),
            (tally.stopped, Mark::Stopped),
            (tally.failed, Mark::Failed),
            (tally.unknown, Mark::Unknown),
        ] {
            if n > 0 {
                line.push(Role::Mark(mark), format!("  {n} {}", mark.word()));
            }
        }
        if tally.surplus > 0 {
            line.push(Role::Mark(Mark::Changing), format!("  {} too many", tally.surplus));
        }
        lines.push(line);
    }
}

/// What a service needs and what needs it, with the requests that were seen to go there.
fn relations(state: &State, lines: &mut Vec<Line>, of: &ServiceKey, needs: &graph::Needs) {
    let web = &state.graph.web;
    let end = graph::End::Service(of.clone());
    let seen = |from: &ServiceKey, to: &ServiceKey| {
        let rate = state.graph.links.rate(from, to);
        rate.map(|rate| format!("  {rate:.0}/s")).unwrap_or_default()
    };
    let declared: Vec<&ServiceKey> = needs.needs.iter().map(|need| &need.service).collect();
    let more: Vec<&ServiceKey> =
        web.needs(&end).filter_map(graph::End::service).filter(|key| !declared.contains(key)).collect();
    if !needs.needs.is_empty() || !more.is_empty() {
        heading(lines, "NEEDS");
    }
    for need in &needs.needs {
        let how = match need.condition {
            Condition::ServiceStarted => "started",
            Condition::ServiceHealthy => "healthy",
            Condition::ServiceCompletedSuccessfully => "completed",
        };
        let mut line = Line::of(Role::Plain, format!(" {}  ", need.service)).with(Role::Dim, how);
        if !need.is_there {
            line.push(Role::Mark(Mark::Unknown), "  not deployed");
        }
        line.push(Role::Dim, seen(of, &need.service));
        lines.push(line);
    }
    for key in more {
        let words = format!("seen, not declared{}", seen(of, key));
        lines.push(Line::of(Role::Plain, format!(" {key}  ")).with(Role::Dim, words));
    }
    let more = web.needed_by(&end).filter_map(graph::End::service).filter(|key| !needs.needed_by.contains(key));
    let mut lines_of: Vec<Line> = Vec::new();
    for key in &needs.needed_by {
        lines_of.push(Line::of(Role::Plain, format!(" {key}")).with(Role::Dim, seen(key, of)));
    }
    for key in more {
        let words = format!("  seen, not declared{}", seen(key, of));
        lines_of.push(Line::of(Role::Plain, format!(" {key}")).with(Role::Dim, words));
    }
    if !lines_of.is_empty() {
        heading(lines, "NEEDED BY");
        lines.extend(lines_of);
    }
}

/// What goes when something goes.
fn loss(state: &State, lines: &mut Vec<Line>, gone: graph::Gone<'_>) {
    let loss = super::graph::loss_lines(state, gone);
    if !loss.is_empty() {
        heading(lines, "IF IT GOES");
        lines.extend(loss);
    }
}

fn service_replicas(state: &State, lines: &mut Vec<Line>, id: &crate::app::ids::ServiceId) {
    let bad: Vec<&ReplicaRow> =
        state.index.replicas.iter().filter(|row| row.service == *id && row.mark != Mark::Ok).take(20).collect();
    if bad.is_empty() {
        return;
    }
    heading(lines, "NOT WELL");
    for row in bad {
        let word = state.container(row).map_or("no container".into(), |container| state.judge(&row.host, container).1);
        let name = row.slot.map_or_else(|| row.service.name.to_string(), |slot| format!("{}.{slot}", row.service.name));
        lines.push(
            Line::new()
                .mark(row.mark)
                .with(Role::Plain, format!(" {name}  {}  ", row.host))
                .with(Role::Mark(row.mark), word),
        );
    }
}

fn replica(state: &State, row: &ReplicaRow) -> Vec<Line> {
    let name = row.slot.map_or_else(|| row.service.to_string(), |slot| format!("{}.{slot}", row.service));
    let mut lines = vec![Line::new().mark(row.mark).with(Role::Strong, format!(" {name}"))];
    if let Some(why) = row.service.stack.untouchable() {
        lines.push(Line::of(Role::Dim, why));
    } else if !row.wanted {
        lines.push(Line::of(Role::Mark(Mark::Changing), "not wanted any more: it will be stopped"));
    }
    lines.push(field("host", format!("{} in {}", row.host, row.region)));
    if let Some(revision) = row.revision {
        let latest = row.service.key().and_then(|key| state.store.desired.latest(&key).map(|latest| latest.no));
        let old = latest.filter(|latest| *latest != revision).map(|latest| format!(" (newest is r{latest})"));
        lines.push(field("revision", format!("r{revision}{}", old.unwrap_or_default())));
    }
    match state.container(row) {
        Some(container) => of_one(state, &mut lines, row, container),
        None => lines.push(Line::of(Role::Mark(row.mark), "There is no container for it on its host.")),
    }
    lines
}

fn of_one(state: &State, lines: &mut Vec<Line>, row: &ReplicaRow, container: &Container) {
    let (mark, word) = state.judge(&row.host, container);
    let mut line = field("state", "");
    line.push(Role::Mark(mark), word);
    lines.push(line);
    if let ContainerState::Exited { at: Some(at), .. } = container.state {
        lines.push(field("ended", when(state, at)));
    }
    if let Some(started) = container.started {
        lines.push(field("started", when(state, started)));
    }
    if let Some(created) = container.created {
        lines.push(field("created", when(state, created)));
    }
    if container.restarts > 0 {
        lines.push(field("restarts", container.restarts.to_string()));
    }
    lines.push(field("container", container.name.as_str()));
    lines.push(field("id", container.id.to_string()));
    lines.push(field("image", container.image.as_str()));
    lines.push(field("image id", container.image_id.as_str()));
    load(lines, container.usage);
    traffic(lines, state.flows().replica(&container.id));
    if !container.ports.is_empty() {
        heading(lines, "PORTS");
        for port in &container.ports {
            let outside =
                port.published.map_or_else(|| "not published".to_owned(), |n| format!("{}:{n}", port.address));
            lines.push(Line::of(Role::Plain, format!("{}/{}  {outside}", port.target, port.protocol)));
        }
    }
    if !container.networks.is_empty() {
        heading(lines, "NETWORKS");
        lines.extend(container.networks.iter().map(|network| Line::of(Role::Plain, network.as_str())));
    }
}

fn region(state: &State, name: &crate::model::RegionName) -> Vec<Line> {
    let mut lines = vec![Line::of(Role::Strong, name.as_str())];
    lines.push(field("hosts", state.index.hosts.iter().filter(|row| row.region == *name).count().to_string()));
    loss(state, &mut lines, graph::Gone::Region(name));
    lines
}

fn host(state: &State, name: &HostName) -> Option<Vec<Line>> {
    let host = state.observed().hosts.get(name)?;
    let mark = of_link(&host.link);
    let mut lines = vec![Line::new().mark(mark).with(Role::Strong, format!(" {name}"))];
    lines.push(field("region", host.region.as_str()));
    let mut line = field("link", "");
    line.push(Role::Mark(mark), host.link.word());
    line.push(Role::Plain, format!(" since {}", state.clock(host.link.since())));
    lines.push(line);
    if !host.link.reason().is_empty() {
        let mut line = field("reason", "");
        line.push(Role::Mark(mark), host.link.reason());
        lines.push(line);
    }
    match state.store.desired.hosts.get(name) {
        Some(HostIntent::Cordoned) => lines.push(field("intent", "cordoned: gets no new replicas")),
        Some(HostIntent::Draining) | None => {}
    }
    if let Some(drain) = drain(state, name) {
        let mut line = field("intent", "");
        line.extend(drain.line());
        lines.push(line);
    }
    lines.push(field("reached by", host.connect.clone()));
    lines.extend(host.address.as_ref().map(|address| field("address", address.clone())));
    if let Some(at) = host.listed_at {
        lines.push(field("listed", when(state, at)));
    }
    if let Some(facts) = &host.facts {
        heading(&mut lines, "ENGINE");
        lines.push(field("engine", format!("{}, API {}", facts.engine, facts.api)));
        lines.push(field("system", format!("{} {} {}", facts.os_name, facts.os, facts.arch)));
        lines.push(field("cores", facts.cpus.to_string()));
        lines.push(field("memory", bytes(facts.memory)));
        lines.push(field("clock", format!("{:+} ms from here", facts.clock_skew_ms)));
        lines.push(field(
            "images",
            format!("{} ({})", host.images.len(), bytes(host.images.iter().map(|i| i.size).sum())),
        ));
    }
    if !host.labels.is_empty() {
        heading(&mut lines, "LABELS");
        lines.extend(host.labels.iter().map(|(key, value)| field(key, value.clone())));
    }
    if let Some(row) = state.index.hosts.iter().find(|row| row.name == *name) {
        heading(&mut lines, "RUNS");
        lines.push(field("replicas", format!("{} well of {}", row.replicas.healthy, row.replicas.wanted)));
        lines.push(field("others", row.others.to_string()));
        load(&mut lines, host.usage);
    }
    if let Some(proxy) = &host.proxy {
        let sessions: u32 = proxy.backends.values().flat_map(|it| it.servers.values()).map(|it| it.sessions).sum();
        let many = |n: usize| format!("{n} backend{}", if n == 1 { "" } else { "s" });
        let under_way = count(u64::from(sessions));
        lines.push(field("proxy", format!("carries {}, {under_way} under way", many(proxy.backends.len()))));
    }
    loss(state, &mut lines, graph::Gone::Host(name));
    Some(lines)
}
