//! A plan's steps for people: what says the same of several services is one line.

use super::{PlanStep, StepKind};

/// One line of a plan as it is shown: one step, or several that say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanLine {
    /// What it says. It names a service only when it is about that one alone.
    pub step: PlanStep,
    /// How many steps it tells.
    pub steps: usize,
}

/// Neighbouring steps of one kind and region with the same reason as one line each.
pub fn brief(steps: &[PlanStep]) -> Vec<PlanLine> {
    let is_alike = |a: &PlanStep, b: &PlanStep| a.kind == b.kind && a.region == b.region && a.why == b.why;
    steps.chunk_by(is_alike).filter_map(line).collect()
}

fn line(alike: &[PlanStep]) -> Option<PlanLine> {
    let first = alike.first()?;
    if alike.len() == 1 {
        return Some(PlanLine { step: first.clone(), steps: 1 });
    }
    let of_service = |step: &PlanStep| step.service == first.service;
    let of_stack = |step: &PlanStep| stack(step) == stack(first);
    let is_plain = alike.iter().all(of_stack);
    let items = alike.iter().flat_map(|step| step.items.iter().map(move |item| named(step, item, is_plain)));
    // A number at a time is a number of each.
    let each = matches!(first.kind, StepKind::Replace) && !first.why.is_empty() && !alike.iter().all(of_service);
    let step = PlanStep {
        service: first.service.clone().filter(|_| alike.iter().all(of_service)),
        items: items.collect(),
        why: if each { format!("{}, of each service", first.why) } else { first.why.clone() },
        ..first.clone()
    };
    Some(PlanLine { step, steps: alike.len() })
}

fn stack(step: &PlanStep) -> Option<&str> {
    step.service.as_ref().map(|service| service.stack.as_str())
}

/// An item with its stack, where the line is about several and it begins with its service's name.
fn named(step: &PlanStep, item: &str, is_plain: bool) -> String {
    match &step.service {
        Some(service) if !is_plain && item.starts_with(service.service.as_str()) && step.kind != StepKind::Pull => {
            format!("{}/{item}", service.stack)
        }
        _ => item.to_owned(),
    }
}

/// Items as pieces of a line, to be put side by side with the gap: with commas, unless there are some within.
pub fn pieces(items: &[String]) -> (Vec<String>, &'static str) {
    if items.iter().any(|item| item.contains(", ")) {
        return (items.to_vec(), "   ");
    }
    let last = items.len().saturating_sub(1);
    let piece = |(at, item): (usize, &String)| if at < last { format!("{item},") } else { item.clone() };
    (items.iter().enumerate().map(piece).collect(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: StepKind, service: &str, items: &[&str], why: &str) -> PlanStep {
        PlanStep {
            kind,
            region: Some("east".parse().unwrap()),
            service: Some(service.parse().unwrap()),
            items: items.iter().map(ToString::to_string).collect(),
            why: why.into(),
        }
    }

    fn told(steps: &[PlanStep]) -> Vec<String> {
        let told = |line: PlanLine| {
            let (pieces, gap) = pieces(&line.step.items);
            let service = line.step.service.map(|service| format!("{service} ")).unwrap_or_default();
            format!("{} {service}{} ({})", line.step.kind.word(), pieces.join(gap), line.step.why)
        };
        brief(steps).into_iter().map(told).collect()
    }

    #[test]
    fn what_says_the_same_is_one_line() {
        use StepKind::{Health, Pull, Replace};
        let steps = [
            step(Pull, "shop/web", &["web:1 → e-1"], ""),
            step(Pull, "blog/web", &["blog:1 → e-1"], ""),
            step(Health, "shop/web", &["web.1", "web.2"], "quick"),
            step(Health, "shop/api", &["api.1"], "quick"),
            step(Health, "shop/db", &["db.1"], "slow"),
            step(Health, "blog/web", &["web.1"], "slow"),
            step(Replace, "shop/web", &["web.1 e-1 → e-2, r1 → r2", "web.2 e-1 → e-2"], "1 at a time"),
            step(Replace, "shop/api", &["api.1 e-1 → e-2"], "1 at a time"),
        ];
        assert_eq!(
            told(&steps),
            [
                "pull web:1 → e-1, blog:1 → e-1 ()",
                "health web.1, web.2, api.1 (quick)",
                "health shop/db.1, blog/web.1 (slow)",
                "replace web.1 e-1 → e-2, r1 → r2   web.2 e-1 → e-2   api.1 e-1 → e-2 (1 at a time, of each service)",
            ]
        );
        assert_eq!(told(&steps[2..3]), ["health shop/web web.1, web.2 (quick)"]);
        // What is not beside it stays where it is.
        let apart = [steps[2].clone(), steps[4].clone(), steps[3].clone()];
        assert_eq!(brief(&apart).len(), 3);
        assert!(brief(&[]).is_empty());
    }
}
