//! Which service waits for which: order, cycles, and whether a condition holds.

use std::collections::{BTreeMap, BTreeSet};

use super::{standing::Standing, view::ServiceView};
use crate::model::{Condition, ServiceKey};

type Views<'a> = BTreeMap<&'a ServiceKey, ServiceView<'a>>;

/// The services of a region in the order of their dependencies, and who truly waits for whom.
pub(crate) struct Order<'a> {
    /// What others need comes first; among equals by name.
    pub services: Vec<&'a ServiceKey>,
    /// Services on a circle wait for nobody on it: somebody must begin.
    needs: BTreeMap<&'a ServiceKey, Vec<(&'a ServiceKey, Condition)>>,
}

impl<'a> Order<'a> {
    pub fn new(views: &Views<'a>) -> Self {
        let mut needs: BTreeMap<&ServiceKey, Vec<(&ServiceKey, Condition)>> = BTreeMap::new();
        for (key, view) in views {
            let Some(spec) = view.spec() else { continue };
            for (name, dependency) in &spec.depends_on {
                let other = ServiceKey { stack: key.stack.clone(), service: name.clone() };
                // What is not wanted in this region cannot be waited for here.
                let other =
                    views.get_key_value(&other).filter(|(other, view)| view.assignment.is_some() && *other != key);
                if let Some((other, _)) = other {
                    needs.entry(key).or_default().push((other, dependency.condition));
                }
            }
        }
        let plain = needs.clone();
        for (key, others) in &mut needs {
            others.retain(|(other, _)| !reaches(&plain, other, key));
        }
        let mut services = Vec::with_capacity(views.len());
        let mut done = BTreeSet::new();
        for key in views.keys() {
            visit(&needs, key, &mut done, &mut services);
        }
        Self { services, needs }
    }

    /// What a service still waits for, in words; none when it can begin.
    pub fn unmet(&self, views: &Views<'a>, key: &ServiceKey) -> Option<String> {
        let needs = self.needs.get(key)?;
        needs.iter().find_map(|(other, condition)| {
            let view = views.get(other)?;
            (!holds(view, *condition)).then(|| match condition {
                Condition::ServiceStarted => format!("{other} to run"),
                Condition::ServiceHealthy => format!("{other} to be healthy"),
                Condition::ServiceCompletedSuccessfully => format!("{other} to end with 0"),
            })
        })
    }
}

/// True when a condition holds for a service at the revision that is wanted. One that is scaled to nothing is not
/// waited for: its operator knows.
fn holds(view: &ServiceView<'_>, condition: Condition) -> bool {
    let mut standings = view.slots.iter().map(|slot| slot.wanted.as_ref().map(|(_, standing)| *standing));
    if view.slots.is_empty() {
        return true;
    }
    match condition {
        Condition::ServiceStarted => {
            standings.any(|standing| standing.is_some_and(|s| s.is_alive() || s == Standing::Completed))
        }
        Condition::ServiceHealthy => standings.any(|standing| standing.is_some_and(Standing::is_up)),
        // Where the engine would start it again, its clean exit still counts while it is seen.
        Condition::ServiceCompletedSuccessfully => {
            standings.all(|standing| matches!(standing, Some(Standing::Completed | Standing::Ended { code: 0, .. })))
        }
    }
}

type Needs<'a> = BTreeMap<&'a ServiceKey, Vec<(&'a ServiceKey, Condition)>>;

fn reaches(needs: &Needs<'_>, from: &ServiceKey, to: &ServiceKey) -> bool {
    let mut open = vec![from];
    let mut seen = BTreeSet::new();
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(needs.get(at).into_iter().flatten().map(|(other, _)| *other));
        }
    }
    false
}

/// Depth first; `needs` has no circles any more, and stacks are small.
fn visit<'a>(
    needs: &Needs<'a>,
    key: &'a ServiceKey,
    done: &mut BTreeSet<&'a ServiceKey>,
    order: &mut Vec<&'a ServiceKey>,
) {
    if !done.insert(key) {
        return;
    }
    for (other, _) in needs.get(key).into_iter().flatten() {
        visit(needs, other, done, order);
    }
    order.push(key);
}
