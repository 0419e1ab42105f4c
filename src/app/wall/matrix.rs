//! Stacks by regions, with the last hour of each.

use super::{traffic, traffic_cells, traffic_head};
use crate::{
    app::{
        history::Measure,
        line::{Line, Mark, Role},
        rows::StackRow,
        screen::Within,
        series::{largest, spark},
        state::State,
        views::common,
    },
    text::{fit, pad_left, pad_right, width},
};

/// A page is shown so long.
const PAGE_SECONDS: i64 = 15;
/// Cells of a region, and of one where only its mark has room.
const REGION: usize = 12;
const NARROW: usize = 4;
/// Cells of health, and the least and the most of the last hour.
const HEALTH: usize = 10;
const PAST: std::ops::RangeInclusive<usize> = 12..=60;

/// How the width is shared.
struct Shares {
    name: usize,
    region: usize,
    has_traffic: bool,
    past: usize,
}

fn shares(state: &State, cells: usize, with_past: bool) -> Shares {
    let names = state.index.stacks.iter().map(|stack| width(stack.id.name())).max().unwrap_or(0).clamp(5, 28) + 4;
    let regions = state.index.regions.len();
    let wide = names + HEALTH + regions * REGION;
    let region = if wide <= cells { REGION } else { NARROW };
    let used = names + HEALTH + regions * region;
    let traffic = traffic_cells();
    let is_carried = state.flows().total().requests.is_some();
    let has_traffic = is_carried && used + traffic <= cells;
    let rest = cells.saturating_sub(used + if has_traffic { traffic } else { 0 } + 3);
    let past = if with_past && is_carried && rest >= *PAST.start() { rest.min(*PAST.end()) } else { 0 };
    Shares { name: names, region, has_traffic, past }
}

/// Stacks of the fleet, foreign ones included.
pub(super) fn rows(state: &State) -> usize {
    state.index.stacks.len()
}

/// The table with its head, in at most `rows` lines.
pub(super) fn matrix(state: &State, cells: usize, rows: usize) -> Vec<Line> {
    let stacks = &state.index.stacks;
    if stacks.is_empty() {
        let text = if state.is_starting() { "connecting to the hosts …" } else { "Nothing runs on this fleet yet." };
        return vec![Line::of(Role::Dim, format!("   {text}"))];
    }
    if rows < 2 {
        return Vec::new();
    }
    let shares = shares(state, cells, true);
    let per_page = rows - 1;
    let pages: Vec<&[StackRow]> = stacks.chunks(per_page).collect();
    let wrong = |page: &[StackRow]| page.iter().any(is_wrong);
    let at = page_at(&pages.iter().map(|page| wrong(page)).collect::<Vec<_>>(), state.now.as_second());
    let mut lines = vec![head(state, &shares, (pages.len() > 1).then_some((at + 1, pages.len())))];
    lines.extend(pages.get(at).into_iter().flat_map(|page| page.iter()).map(|stack| row(state, stack, &shares)));
    lines
}

/// The table with all stacks on one page, and without what was.
pub(super) fn all(state: &State, cells: usize) -> Vec<Line> {
    if state.index.stacks.is_empty() {
        return matrix(state, cells, 2);
    }
    let shares = shares(state, cells, false);
    let mut lines = vec![head(state, &shares, None)];
    lines.extend(state.index.stacks.iter().map(|stack| row(state, stack, &shares)));
    lines
}

fn is_wrong(stack: &StackRow) -> bool {
    matches!(stack.total.mark(), Mark::Failed | Mark::Unknown)
}

/// Which page is shown at a second: one after the other; only those with something wrong, when there are any.
fn page_at(wrong: &[bool], second: i64) -> usize {
    let bad: Vec<usize> = wrong.iter().enumerate().filter(|(_, wrong)| **wrong).map(|(at, _)| at).collect();
    let turn = |pages: usize| {
        usize::try_from(second.div_euclid(PAGE_SECONDS)).unwrap_or_default().checked_rem(pages).unwrap_or_default()
    };
    bad.get(turn(bad.len())).copied().unwrap_or_else(|| turn(wrong.len()))
}

fn head(state: &State, shares: &Shares, page: Option<(usize, usize)>) -> Line {
    let of_page = page.map(|(at, of)| format!("  page {at} of {of}")).unwrap_or_default();
    let name = fit(&format!(" STACK{of_page}"), shares.name);
    let mut text = format!("{}{}", pad_right(&name, shares.name), pad_left("HEALTH", HEALTH - 2));
    text.push_str("  ");
    for region in &state.index.regions {
        text.push_str(&pad_right(&fit(region.as_str(), shares.region - 1), shares.region));
    }
    if shares.has_traffic {
        text.push_str(&traffic_head());
    }
    if shares.past > 0 {
        text.push_str("   ");
        text.push_str(&pad_right("LAST HOUR", shares.past));
    }
    Line::of(Role::Head, text)
}

fn row(state: &State, stack: &StackRow, shares: &Shares) -> Line {
    let mark = stack.total.mark();
    let mut line = Line::of(Role::Plain, " ").mark(mark).with(Role::Plain, " ");
    let role = match mark {
        Mark::Failed | Mark::Unknown => Role::Mark(mark),
        _ => common::name_role(stack.id.own().is_some()),
    };
    line.push(role, fit(stack.id.name(), shares.name.saturating_sub(4)));
    line.pad_to(shares.name);
    let health = common::health(&stack.total);
    line.pad_to(shares.name + (HEALTH - 2).saturating_sub(health.width()));
    line.extend(health);
    line.pad_to(shares.name + HEALTH);
    for (at, tally) in stack.regions.iter().enumerate() {
        let cell = match tally {
            Some(tally) if shares.region == NARROW => Line::new().mark(tally.mark()),
            tally => common::region(tally.as_ref(), None),
        };
        line.extend(cell.cut(shares.region - 1));
        line.pad_to(shares.name + HEALTH + (at + 1) * shares.region);
    }
    let flow = stack.id.own().and_then(|stack| state.flows().stack(stack));
    if shares.has_traffic {
        line.extend(traffic(flow));
    }
    if shares.past > 0 && stack.id.own().is_some() {
        let of = Within::Stack(stack.id.clone());
        let past = state.history().minutes(&of, Measure::Requests, shares.past, state.shown_at());
        line.push(Role::Plain, "   ");
        line.extend(spark(&past, largest(&past), Role::Dim));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_turn_and_stay_on_what_is_wrong() {
        let at = |wrong: &[bool]| (0..4).map(|turn| page_at(wrong, turn * PAGE_SECONDS)).collect::<Vec<_>>();
        assert_eq!(at(&[false, false, false]), [0, 1, 2, 0]);
        assert_eq!(at(&[false, true, false]), [1, 1, 1, 1]);
        assert_eq!(at(&[true, false, true]), [0, 2, 0, 2]);
        assert_eq!(at(&[false]), [0, 0, 0, 0]);
        assert_eq!(at(&[]), [0, 0, 0, 0]);
    }
}
