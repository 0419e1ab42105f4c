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
    needs: Needs<'a>,
    /// Services that are taken away, each with those that need it and are taken away too: callers go first.
    callers: BTreeMap<&'a ServiceKey, Vec<&'a ServiceKey>>,
}

impl<'a> Order<'a> {
    pub fn new(views: &Views<'a>) -> Self {
        let mut needs: Needs<'_> = BTreeMap::new();
        let mut ending: Needs<'_> = BTreeMap::new();
        for (key, view) in views {
            let Some(spec) = view.spec() else { continue };
            for (name, dependency) in &spec.depends_on {
                let other = ServiceKey { stack: key.stack.clone(), service: name.clone() };
                let Some((other, needed)) = views.get_key_value(&other).filter(|(other, _)| *other != key) else {
                    continue;
                };
                match (view.assignment, needed.assignment) {
                    (_, Some(_)) => needs.entry(key).or_default().push((other, dependency.condition)),
                    // What is not wanted in this region cannot be waited for here; both end.
                    (None, None) => ending.entry(key).or_default().push((other, dependency.condition)),
                    (Some(_), None) => {}
                }
            }
        }
        let plain = needs.clone();
        for (key, others) in &mut needs {
            others.retain(|(other, _)| !reaches(&plain, other, key));
        }
        let mut callers: BTreeMap<&ServiceKey, Vec<&ServiceKey>> = BTreeMap::new();
        for (key, others) in &ending {
            for (other, _) in others.iter().filter(|(other, _)| !reaches(&ending, other, key)) {
                callers.entry(other).or_default().push(key);
            }
        }
        let mut services = Vec::with_capacity(views.len());
        let mut done = BTreeSet::new();
        for key in views.keys() {
            visit(&needs, key, &mut done, &mut services);
        }
        Self { services, needs, callers }
    }

    /// Who still runs and needs a service that is taken away together with it; none when it may go.
    pub fn caller(&self, views: &Views<'a>, key: &ServiceKey) -> Option<&'a ServiceKey> {
        // What cannot be seen now is not waited for: it may never come back.
        let alive = |standing: Standing| standing.is_alive() || standing.may_go();
        let runs = |key: &&ServiceKey| {
            views
                .get(key)
                .is_some_and(|view| view.unwanted.iter().any(|(seen, standing)| seen.live && alive(*standing)))
        };
        self.callers.get(key)?.iter().copied().find(|caller| runs(caller))
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
