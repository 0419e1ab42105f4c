//! A plan as plain text.

use std::fmt::Write as _;

use crate::{
    plan::{Plan, brief, pieces},
    text,
};

/// Items of a step on one line, before it says how many more there are.
const ITEMS: usize = 8;

/// The same for a line that tells several steps.
const MOST_ITEMS: usize = 24;

/// Lines of a difference before it says how many more there are.
const LINES: usize = 20;

/// The plan as the terminal shows it when an acting command asks.
pub(super) fn render(plan: &Plan) -> String {
    let mut out = String::new();
    let summary = plan.proposal.intent.summary();
    if plan.is_empty() {
        let _ = writeln!(out, "{summary}: nothing would change");
        for warning in &plan.warnings {
            let _ = writeln!(out, "! {warning}");
        }
        return out;
    }
    let _ = writeln!(out, "PLAN  {summary}  (from state {})", text::count(plan.proposal.base.0));
    for (number, line) in brief(&plan.steps).into_iter().enumerate() {
        let step = &line.step;
        let place = match (&step.service, &step.region) {
            (Some(service), Some(region)) => format!("{service}  {region}"),
            (Some(service), None) => service.to_string(),
            (None, Some(region)) => region.to_string(),
            (None, None) => String::new(),
        };
        let _ =
            write!(out, "{:>2}  {}  {}", number + 1, text::pad_right(step.kind.word(), 8), text::pad_right(&place, 24));
        let most = ITEMS.saturating_mul(line.steps).min(MOST_ITEMS);
        let mut items: Vec<String> = step.items.iter().take(most).cloned().collect();
        if step.items.len() > most {
            items.push(format!("… {} more", step.items.len() - most));
        }
        let (items, gap) = pieces(&items);
        let _ = write!(out, "  {}", items.join(gap));
        if !step.why.is_empty() {
            let _ = write!(out, "   ({})", step.why);
        }
        out.push('\n');
    }
    for difference in &plan.differences {
        let _ = match difference.before.0 {
            0 => writeln!(out, "{}  r{}, as it runs", difference.service, difference.after),
            _ => writeln!(out, "{}  r{} → r{}", difference.service, difference.before, difference.after),
        };
        for line in difference.lines.iter().take(LINES) {
            let _ = writeln!(out, "    {line}");
        }
        if difference.lines.len() > LINES {
            let _ = writeln!(out, "    … {} more", difference.lines.len() - LINES);
        }
    }
    let (before, after) = plan.replicas;
    let _ = write!(out, "replicas {before} → {after}");
    if let Some((lowest, of)) = plan.lowest {
        let _ = write!(out, " · never below {lowest} of {of} healthy");
    }
    out.push('\n');
    if let Some(undo) = &plan.undo {
        let _ = writeln!(out, "undo: {undo}");
    }
    let _ = writeln!(out, "same as: {}", plan.proposal.equivalent);
    for warning in &plan.warnings {
        let _ = writeln!(out, "! {warning}");
    }
    out
}
