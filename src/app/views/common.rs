//! Cells that several views share.

use crate::{
    app::{
        flow::Flow,
        history::{Measure, SHORT},
        ids::Id,
        line::{Line, Mark, Role},
        pages::past,
        rows::{ReplicaRow, Tally},
        screen::Within,
        state::State,
        table::{Col, Column, SortKey},
    },
    model::{RegionName, ServiceKey, Usage},
    text::{bytes, count, percent},
};

/// What stands where there is nothing.
pub fn nothing() -> Line {
    Line::of(Role::Dim, "–")
}

/// Cells of a terminal from which on the last minutes are shown unasked: they are worth less than words.
const PAST: u16 = 150;

/// The column of a measure over the last minutes: as wide as they are many.
pub fn past_column(state: &State, col: Col, title: &str, drop: u8) -> Column {
    let column = Column::number(col, title, SHORT, drop);
    if state.size.0 < PAST { column.only_wide() } else { column }
}

/// What comes through, with its last minutes behind the requests; for where they have a row of their own.
pub fn requests_past(state: &State, mut traffic: Vec<Column>, drop: u8) -> Vec<Column> {
    if !traffic.is_empty() {
        traffic.insert(1, past_column(state, Col::RequestsPast, "REQ/S 10m", drop));
    }
    traffic
}

/// A cell of such a column.
pub fn past_cell(state: &State, id: &Id, col: Col) -> Option<Line> {
    let measure = match col {
        Col::CpuPast => Measure::Cpu,
        Col::RequestsPast => Measure::Requests,
        _ => return None,
    };
    Some(past(state, id, measure))
}

/// The order of such a column: the mean of what is known.
pub fn past_key(state: &State, id: &Id, col: Col) -> Option<SortKey> {
    let measure = match col {
        Col::CpuPast => Measure::Cpu,
        Col::RequestsPast => Measure::Requests,
        _ => return None,
    };
    let values = state.history().minutes(&Within::of(id)?, measure, SHORT, state.shown_at());
    let known: Vec<f64> = values.iter().flatten().map(|point| f64::from(point.value)).collect();
    Some(SortKey::number((!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)))
}

/// Percent of one core.
pub fn cpu(usage: Option<Usage>) -> Line {
    usage.map_or_else(nothing, |usage| Line::of(Role::Plain, percent(usage.cpu_percent)))
}

/// Bytes of memory.
pub fn memory(usage: Option<Usage>) -> Line {
    usage.map_or_else(nothing, |usage| Line::of(Role::Plain, bytes(usage.memory)))
}

/// The same line, shown as of an earlier time.
pub fn stale(mut line: Line, is_old: bool) -> Line {
    if is_old {
        for span in &mut line.spans {
            span.role = Role::Dim;
        }
    }
    line
}

/// The order of the load columns.
pub fn load_key(usage: Option<Usage>, col: Col) -> Option<SortKey> {
    match col {
        Col::Cpu => Some(SortKey::number(usage.map(|usage| usage.cpu_percent))),
        Col::Memory => Some(SortKey::number(usage.map(|usage| usage.memory as f64))),
        _ => None,
    }
}

/// The columns of what comes through the proxies; on small terminals they go first. None before wharf runs anything.
pub fn traffic_columns(state: &State) -> Vec<Column> {
    if state.index.total.wanted == 0 {
        return Vec::new();
    }
    vec![
        Column::number(Col::Requests, "REQ/S", 7, 7),
        Column::number(Col::Errors, "ERR %", 5, 8),
        Column::number(Col::Answer, "MEAN ms", 7, 9),
        Column::number(Col::Sessions, "SESSIONS", 8, 10),
    ]
}

/// A cell of these; none for another column.
pub fn traffic(flow: Option<&Flow>, col: Col) -> Option<Line> {
    Some(match col {
        Col::Requests => per_second(flow.and_then(|flow| flow.requests)),
        Col::Errors => flow.and_then(Flow::failed_percent).map_or_else(nothing, |share| {
            Line::of(fails(share), if share < 9.95 { format!("{share:.2}") } else { percent(share) })
        }),
        Col::Answer => flow.and_then(Flow::answer).map_or_else(nothing, |ms| Line::of(Role::Plain, count(ms))),
        Col::Sessions => flow.map_or_else(nothing, |flow| Line::of(Role::Plain, count(u64::from(flow.sessions)))),
        _ => return None,
    })
}

/// A share of failed requests, in percent, from which on it is bad.
const FAILS: f64 = 1.0;

/// The look of a share of failed requests, in percent.
pub fn fails(share: f64) -> Role {
    match share {
        ..0.005 => Role::Dim,
        ..FAILS => Role::Mark(Mark::Changing),
        _ => Role::Mark(Mark::Failed),
    }
}

/// Requests a second.
pub fn per_second(rate: Option<f64>) -> Line {
    rate.map_or_else(nothing, |rate| Line::of(Role::Plain, a_second(rate)))
}

/// Bytes a second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are small and not negative")]
pub fn rate(rate: Option<f64>) -> Line {
    rate.map_or_else(nothing, |rate| Line::of(Role::Plain, bytes(rate.max(0.0) as u64)))
}

/// Something a second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are small and not negative")]
fn a_second(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { count(rate.round() as u64) }
}

/// The order of these columns.
pub fn traffic_key(flow: Option<&Flow>, col: Col) -> Option<SortKey> {
    let value = match col {
        Col::Requests => flow.and_then(|flow| flow.requests),
        Col::Errors => flow.and_then(Flow::failed_percent),
        Col::Answer => flow.and_then(Flow::answer).map(|ms| ms as f64),
        Col::Sessions => flow.map(|flow| f64::from(flow.sessions)),
        _ => return None,
    };
    Some(SortKey::number(value))
}

/// `17/18`.
pub fn health(tally: &Tally) -> Line {
    let role = match tally.mark() {
        Mark::Ok => Role::Plain,
        mark => Role::Mark(mark),
    };
    if tally.wanted == 0 && tally.surplus == 0 {
        return nothing();
    }
    if tally.unknown == tally.wanted && tally.wanted > 0 {
        return Line::of(role, format!("?/{}", tally.wanted));
    }
    Line::of(role, format!("{}/{}", tally.healthy, tally.wanted))
}

/// One region's cell: `● 6/6`, with what the draft makes of it: `● 6/6 → 9`.
pub fn region(tally: Option<&Tally>, target: Option<u32>) -> Line {
    let mut line = match tally {
        None if target.is_some() => Line::of(Role::Dim, "○ 0"),
        None => Line::of(Role::Dim, "–"),
        Some(tally) => {
            let mark = tally.mark();
            let counts = if tally.unknown == tally.wanted && tally.wanted > 0 {
                Line::of(Role::Mark(Mark::Unknown), format!("{} unseen", tally.wanted))
            } else {
                health(tally)
            };
            let mut line = Line::new().mark(mark).with(Role::Plain, " ");
            line.extend(counts);
            if tally.surplus > 0 {
                line.push(Role::Mark(Mark::Changing), format!(" +{}", tally.surplus));
            }
            line
        }
    };
    if let Some(target) = target {
        line.push(Role::Draft, format!(" → {target}"));
    }
    line
}

/// One column per region.
pub fn region_columns(state: &State, drop: u8) -> Vec<Column> {
    state
        .index
        .regions
        .iter()
        .enumerate()
        .map(|(at, name)| Column::text(Col::RegionCell(at), name.as_str(), 9, 18, drop).rigid())
        .collect()
}

/// The order of a region's column: the worst first, then the most replicas.
pub fn region_key(tally: Option<&Tally>) -> SortKey {
    SortKey::number(
        tally.map(|tally| f64::from(tally.failed) * 1e9 + f64::from(tally.unknown) * 1e6 + f64::from(tally.wanted)),
    )
}

/// What the draft makes of a service in a region, when it changes it.
pub fn target(state: &State, service: &ServiceKey, region: &RegionName) -> Option<u32> {
    state.draft.target(service, region)
}

/// `api.3`, or the container's name for what is not ours.
pub fn replica_name(state: &State, row: &ReplicaRow) -> String {
    match row.slot {
        Some(slot) => format!("{}.{slot}", row.service.name),
        None => {
            state.container(row).map_or_else(|| row.service.name.to_string(), |container| container.name.to_string())
        }
    }
}

/// A name, dimmed where wharf only looks on.
pub fn name_role(ours: bool) -> Role {
    if ours { Role::Strong } else { Role::Plain }
}
