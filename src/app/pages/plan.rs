//! The plan of the draft: exactly what would be asked for, and what it means.

use super::{heading, join, wrap};
use crate::{
    app::{
        draft::{Item, wanted},
        line::{Line, Mark, Role},
        overlay::Overlay,
        rights,
        state::State,
    },
    model::{HostIntent, Scope},
    plan::{Plan, PlanStep, brief, pieces},
    text::{bytes, count, pad_right},
};

/// Items of a step that are named one by one; the rest is counted.
const NAMED: usize = 24;

/// The line of the page on which an item of the draft stands.
pub fn plan_line_of(item: usize) -> usize {
    item + 2
}

/// The page.
pub fn plan(state: &State) -> Vec<Line> {
    let selected = match &state.overlay {
        Some(Overlay::Plan(page)) => page.at,
        _ => 0,
    };
    let width = usize::from(state.size.0);
    let mut lines = vec![title(state), Line::of(Role::Head, " CHANGES")];
    for (at, item) in state.draft.items().iter().enumerate() {
        let mut line = Line::of(Role::Accent, if at == selected { " ▸ " } else { "   " });
        line.extend(item_line(state, item));
        lines.push(line);
    }
    let Some(planned) = &state.planned else { return lines };
    if let Some(Overlay::Plan(page)) = &state.overlay
        && let Some(at) = page.changed
    {
        lines.push(Line::new());
        lines.push(Line::of(Role::Mark(Mark::Changing), " ◐ ").with(
            Role::Strong,
            format!("this plan became another at {}: the fleet changed under it", state.clock(at)),
        ));
    }
    for refusal in planned.refusals() {
        lines.push(Line::new());
        for (at, text) in wrap(&refusal.to_string(), width.saturating_sub(5)).into_iter().enumerate() {
            let mark = if at == 0 { " ✗ " } else { "   " };
            lines.push(Line::of(Role::Mark(Mark::Failed), format!("{mark}{text}")));
        }
    }
    for why in planned.plans().filter_map(|plan| rights::of_plan(state, plan)) {
        lines.push(Line::new());
        for (at, text) in wrap(&why, width.saturating_sub(5)).into_iter().enumerate() {
            let mark = if at == 0 { " ✗ " } else { "   " };
            lines.push(Line::of(Role::Mark(Mark::Failed), format!("{mark}{text}")));
        }
    }
    let names: std::collections::BTreeSet<String> =
        planned.plans().filter_map(|plan| rights::name_of(state, plan)).collect();
    for name in names {
        lines.push(Line::new());
        lines.push(
            Line::of(Role::Mark(Mark::Changing), " ! ")
                .with(Role::Strong, name)
                .with(Role::Plain, " is guarded: enter asks for its name."),
        );
    }
    if planned.plans().any(|plan| !plan.steps.is_empty()) {
        heading(&mut lines, " STEPS");
    }
    if planned.plans().all(Plan::is_empty) && planned.refusals().next().is_none() {
        lines.push(Line::new());
        lines.push(Line::of(Role::Mark(Mark::Ok), " ● ").with(Role::Plain, "Nothing would change: it is so already."));
    }
    let mut number = 0;
    for plan in planned.plans() {
        for line in brief(&plan.steps) {
            number += 1;
            lines.extend(step_lines(number, &line.step, width));
        }
    }
    if planned.plans().any(|plan| !plan.differences.is_empty()) {
        heading(&mut lines, " WHAT DIFFERS");
        for plan in planned.plans() {
            differences(&mut lines, plan, width);
        }
    }
    lines.push(Line::new());
    for plan in planned.plans() {
        lines.extend(facts(plan, width));
    }
    lines
}

fn title(state: &State) -> Line {
    Line::of(Role::Accent, " PLAN")
        .with(Role::Dim, format!("  from state {}", count(state.store.desired.generation.0)))
        .with(Role::Dim, " · valid while that state holds")
}

fn item_line(state: &State, item: &Item) -> Line {
    match item {
        Item::Target(service, region) => {
            let now = wanted(&state.store.desired, service, region);
            let to = state.draft.target(service, region).unwrap_or(now);
            Line::of(Role::Strong, pad_right(&service.to_string(), 28))
                .with(Role::Plain, format!(" {}", pad_right(region.as_str(), 14)))
                .with(Role::Draft, format!(" {now} → {to}"))
                .with(Role::Dim, format!("   {:+}", i64::from(to) - i64::from(now)))
        }
        Item::Host(host) => {
            let intent = state.draft.host(host).flatten();
            let words = match intent {
                Some(HostIntent::Cordoned) => "cordon: no new replicas there",
                Some(HostIntent::Draining) => "drain: its replicas move away",
                None => "open for new replicas again",
            };
            Line::of(Role::Strong, pad_right(host.as_str(), 28)).with(Role::Draft, format!(" {words}"))
        }
        Item::Move(what, from) => {
            let to = state.draft.changes().moves.get(&(what.clone(), from.clone()));
            let to = to.map(ToString::to_string).unwrap_or_default();
            Line::of(Role::Strong, pad_right(&what.to_string(), 28)).with(Role::Draft, format!(" move {from} → {to}"))
        }
        Item::Rollback(what) => {
            let no = state.draft.changes().rollbacks.get(what).copied().unwrap_or_default();
            let to = if matches!(what, Scope::Stack(_)) { format!("version {no}") } else { format!("r{no}") };
            Line::of(Role::Strong, pad_right(&what.to_string(), 28)).with(Role::Draft, format!(" roll back to {to}"))
        }
        Item::Balance(region) => {
            let name = region.as_ref().map_or("every region", |region| region.as_str());
            Line::of(Role::Strong, pad_right(name, 28)).with(Role::Draft, " spread replicas over its hosts anew")
        }
        Item::Prune(host) => {
            let things = state.draft.changes().spares.iter().filter(|((at, ..), _)| at == host);
            let sizes: Vec<Option<u64>> = things.map(|(_, thing)| thing.size).collect();
            let count = if sizes.len() == 1 { "1 thing".to_owned() } else { format!("{} things", sizes.len()) };
            Line::of(Role::Strong, pad_right(host.as_str(), 28))
                .with(Role::Mark(Mark::Failed), format!(" remove {count}"))
                .with(Role::Dim, format!("   {}", bytes(sizes.iter().flatten().sum())))
        }
        Item::Restart(service) => Line::of(Role::Strong, pad_right(&service.to_string(), 28))
            .with(Role::Draft, " restart, one batch after the other"),
        Item::Remove(stack, service) => {
            let name = service.as_ref().map_or_else(|| stack.to_string(), ToString::to_string);
            Line::of(Role::Strong, pad_right(&name, 28)).with(Role::Mark(Mark::Failed), " remove")
        }
    }
}

fn step_lines(number: usize, step: &PlanStep, width: usize) -> Vec<Line> {
    let head = format!(
        " {number:>2}  {}  {} ",
        pad_right(step.kind.word(), 8),
        pad_right(step.region.as_ref().map_or("", |r| r.as_str()), 10)
    );
    let indent = head.chars().count();
    let mut items: Vec<String> = step.items.iter().take(NAMED).cloned().collect();
    if step.items.len() > NAMED {
        items.push(format!("and {} more", step.items.len() - NAMED));
    }
    let mut lines = Vec::new();
    let (items, gap) = pieces(&items);
    let rows = join(&items, gap, width.saturating_sub(indent + 1));
    for (at, row) in rows.into_iter().enumerate() {
        let mut line = if at == 0 {
            Line::of(Role::Dim, format!(" {number:>2}  "))
                .with(Role::Strong, pad_right(step.kind.word(), 8))
                .with(Role::Dim, format!("  {} ", pad_right(step.region.as_ref().map_or("", |r| r.as_str()), 10)))
        } else {
            Line::of(Role::Plain, " ".repeat(indent))
        };
        line.push(Role::Plain, row);
        lines.push(line);
    }
    if !step.why.is_empty() {
        for text in wrap(&step.why, width.saturating_sub(indent + 1)) {
            lines.push(Line::of(Role::Dim, format!("{}{text}", " ".repeat(indent))));
        }
    }
    lines
}

/// What new revisions change, service by service.
pub(super) fn differences(lines: &mut Vec<Line>, plan: &Plan, width: usize) {
    for difference in &plan.differences {
        lines.push(
            Line::of(Role::Strong, format!("   {}", difference.service))
                .with(Role::Draft, format!("  r{} → r{}", difference.before, difference.after)),
        );
        for line in &difference.lines {
            for (at, text) in wrap(line, width.saturating_sub(9)).into_iter().enumerate() {
                lines.push(Line::of(Role::Plain, format!("{}{text}", if at == 0 { "     " } else { "       " })));
            }
        }
    }
}

fn facts(plan: &Plan, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut fact = |name: &str, role: Role, value: &str| {
        for (at, text) in wrap(value, width.saturating_sub(13)).into_iter().enumerate() {
            let label = pad_right(if at == 0 { name } else { "" }, 10);
            lines.push(Line::of(Role::Label, format!(" {label} ")).with(role, text));
        }
    };
    if plan.replicas.0 != plan.replicas.1 {
        fact("replicas", Role::Plain, &format!("{} → {}", plan.replicas.0, plan.replicas.1));
    }
    if let Some((lowest, now)) = plan.lowest {
        let role = if lowest < now { Role::Mark(Mark::Changing) } else { Role::Plain };
        fact("capacity", role, &format!("never below {lowest} of the {now} that are healthy now"));
    }
    for warning in &plan.warnings {
        fact("note", Role::Mark(Mark::Changing), warning);
    }
    if let Some(undo) = &plan.undo {
        fact("undo", Role::Plain, undo);
    }
    fact("same as", Role::Plain, &plan.proposal.equivalent);
    lines
}
