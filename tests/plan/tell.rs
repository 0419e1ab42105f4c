//! Plans and next steps as text.

use wharf::plan::{Action, Next, Plan, Refusal};

pub fn plan(plan: &Result<Plan, Refusal>) -> Vec<String> {
    let plan = match plan {
        Ok(plan) => plan,
        Err(refusal) => return vec![format!("refused: {refusal}")],
    };
    if plan.is_empty() {
        return vec!["nothing to do".into()];
    }
    let mut lines = vec![format!("{} | {}", plan.proposal.intent.summary(), plan.proposal.equivalent)];
    for revision in &plan.proposal.revisions {
        lines.push(format!("revision {} r{} {}", revision.service, revision.no, revision.image));
    }
    for step in &plan.steps {
        let kind = step.kind.word();
        let at = step.region.as_ref().map(|region| format!(" {region}")).unwrap_or_default();
        let of = step.service.as_ref().map(|service| format!(" {service}")).unwrap_or_default();
        let why = if step.why.is_empty() { String::new() } else { format!(" | {}", step.why) };
        lines.push(format!("{kind}{at}{of}: {}{why}", step.items.join(", ")));
    }
    let lowest = plan.lowest.map(|(low, of)| format!(", never below {low} of {of}")).unwrap_or_default();
    let (from, to) = plan.replicas;
    lines.push(format!("replicas {from} → {to}{lowest}"));
    for difference in &plan.differences {
        let lines_of = difference.lines.join("; ");
        lines
            .push(format!("differs {} r{} → r{}: {lines_of}", difference.service, difference.before, difference.after));
    }
    lines.extend(plan.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(plan.undo.iter().map(|undo| format!("undo: {undo}")));
    lines
}

pub fn action(action: &Action) -> String {
    match action {
        Action::Pull { host, image, .. } => format!("{host} pull {image}"),
        Action::Test { host, service, revision } => format!("{host} test {service} r{revision}"),
        Action::Clear { host, service, .. } => format!("{host} clear the test of {service}"),
        Action::Create { host, replica, revision } => format!("{host} create {replica} r{revision}"),
        Action::Start { host, replica, .. } => format!("{host} start {replica}"),
        Action::Stop { host, replica, why, .. } => format!("{host} stop {replica} ({why})"),
        Action::Learn { host, service, revision } => format!("{host} learn {service} r{revision}"),
        Action::Tidy { host, stack } => format!("{host} tidy {stack}"),
        Action::Prune { host, what, id, .. } => format!("{host} remove {} {id}", what.word()),
    }
}

pub fn next(next: &Next, now: jiff::Timestamp) -> Vec<String> {
    let seconds = |at: jiff::Timestamp| at.duration_since(now).as_secs();
    let mut lines: Vec<String> = next.actions.iter().map(action).collect();
    lines.extend(
        next.moves
            .iter()
            .map(|(replica, place, why)| format!("move {replica} → {} r{} ({why})", place.host, place.revision)),
    );
    lines.extend(next.waits.iter().map(|wait| {
        let until = wait.deadline.map(|at| format!(", at most {} s", seconds(at))).unwrap_or_default();
        format!("wait {}{until}", wait.what)
    }));
    lines.extend(next.look_again.map(|at| format!("look again in {} s", seconds(at))));
    if lines.is_empty() { vec!["nothing".into()] } else { lines }
}
