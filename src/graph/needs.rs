//! What a service needs, and what needs it.

use crate::model::{Condition, Desired, ServiceKey};

/// One edge from a service to what it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What is needed.
    pub service: ServiceKey,
    /// What must be true of it.
    pub condition: Condition,
    /// False: desired state knows no such service.
    pub is_there: bool,
}

/// Both directions of a service's direct relations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// What it depends on, by name.
    pub needs: Vec<Need>,
    /// What depends on it, by name.
    pub needed_by: Vec<ServiceKey>,
}

/// The direct relations of a service.
pub fn needs(desired: &Desired, service: &ServiceKey) -> Needs {
    let edges =
        |of: &ServiceKey| desired.latest(of).map(|revision| revision.spec.depends_on.clone()).unwrap_or_default();
    let needs = edges(service)
        .into_iter()
        .map(|(name, dependency)| {
            let key = ServiceKey { stack: service.stack.clone(), service: name };
            let is_there = desired.services.contains_key(&key);
            Need { service: key, condition: dependency.condition, is_there }
        })
        .collect();
    let needed_by = desired
        .services
        .keys()
        .filter(|other| other.stack == service.stack && edges(other).contains_key(&service.service))
        .cloned()
        .collect();
    Needs { needs, needed_by }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::web::tests::stack;

    #[test]
    fn edges_go_both_ways_and_missing_ends_are_told() {
        let desired = stack(&[
            ("web", &[], &["api", "cdn"]),
            ("api", &[], &["db"]),
            ("db", &[], &[]),
            ("job", &[], &["db", "job"]),
        ]);
        let of = |name: &str| needs(&desired, &name.parse().unwrap());
        let names = |keys: &[ServiceKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();

        let web = of("s/web");
        let told: Vec<_> = web.needs.iter().map(|need| (need.service.to_string(), need.is_there)).collect();
        assert_eq!(told, [("s/api".to_owned(), true), ("s/cdn".to_owned(), false)]);
        assert!(web.needed_by.is_empty());
        assert_eq!(names(&of("s/db").needed_by), ["s/api", "s/job"]);
        // One that names itself is told as it is: a cycle ends nowhere, but direct relations are still two lists.
        assert_eq!(names(&of("s/job").needed_by), ["s/job"]);
        assert_eq!(of("s/none"), Needs::default());
    }
}
