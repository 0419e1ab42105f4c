use super::*;
use crate::{
    model::{HostIntent, OperationState},
    store::OperationQuery,
};

#[test]
fn what_was_accepted_is_what_shall_be() {
    let store = fresh();
    let mut first =
        deploy(Generation(0), 1, &[("shop/web", "east", 3), ("shop/web", "west", 2), ("shop/db", "east", 1)]);
    first.revisions[0].spec.environment.insert("KEY".to_owned(), crate::model::Sensitive("hush".to_owned()));
    let revisions = first.revisions.clone();
    let op = accept(&*store, first, "ana@bastion", 0).unwrap();
    assert_eq!(op.generation, Generation(1));
    assert_eq!(op.state, OperationState::Accepted);
    assert_eq!(op.before[&key("shop/web")].values().flatten().count(), 0);
    assert_eq!(op.progress.len(), 2);
    assert_eq!(operation(&*store, op.id), op);

    // Another process sees the same.
    let reader = Sqlite::open_read_only(store.path()).unwrap();
    let desired = now(reader.desired()).unwrap();
    assert_eq!(desired.generation, Generation(1));
    assert_eq!(wanted(&desired, "shop/web", "east"), Some(3));
    assert_eq!(desired.assignment(&key("shop/web"), &"east".parse().unwrap()).unwrap().generation, Generation(1));
    for revision in revisions {
        assert_eq!(**desired.latest(&revision.service).unwrap(), revision);
    }
    assert_eq!(desired.stacks.len(), 1);
    assert_eq!(now(reader.operation(op.id)).unwrap(), Some(op));
    assert_eq!(journal(&reader), ["accepted: deploy shop, by ana@bastion"]);
}

#[test]
fn reading_again_costs_nothing_when_nothing_changed() {
    let store = fresh();
    accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let first = now(store.desired()).unwrap();
    now(store.journal_add(vec![entry("noise")])).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &now(store.desired()).unwrap()));
}

#[test]
fn a_store_can_be_handed_around() {
    let Fresh { store, dir: _dir } = fresh();
    let store: std::sync::Arc<dyn Store> = std::sync::Arc::new(store);
    let reads: std::sync::Arc<dyn ReadStore> = std::sync::Arc::<dyn Store>::clone(&store);
    now(store.accept(deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana".to_owned(), at(0))).unwrap();
    assert_eq!(now(reads.desired()).unwrap().generation, Generation(1));
}

#[test]
fn a_later_command_meets_words() {
    let store = fresh();
    accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3), ("shop/web", "west", 1)]), "ana@bastion", 0)
        .unwrap();
    let base = generation(&*store);
    let op = accept(&*store, scale(base, "shop/web", "east", 3, 5, 1), "ana@bastion", 10).unwrap();
    let refused = accept(&*store, scale(base, "shop/web", "east", 3, 4, 1), "bo@bastion", 14).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "shop/web in east was scaled 3 → 5 by ana@bastion 4s ago (op {}); look again and repeat",
            op.id.short()
        )
    );
    assert!(matches!(refused, StoreError::Conflict(_)));
    assert_eq!(generation(&*store), op.generation, "nothing of it was written");
    // What nobody else touched goes through from the same base.
    accept(&*store, scale(base, "shop/web", "west", 1, 2, 1), "bo@bastion", 15).unwrap();
    // And after looking again, so does the first.
    accept(&*store, scale(generation(&*store), "shop/web", "east", 5, 4, 1), "bo@bastion", 16).unwrap();
}

#[test]
fn one_change_of_many_things_is_said_once() {
    let store = fresh();
    let all = [("shop/a", "east", 1), ("shop/b", "east", 1), ("shop/c", "east", 1), ("shop/c", "west", 1)];
    accept(&*store, deploy(Generation(0), 1, &all), "ana", 0).unwrap();
    let base = generation(&*store);
    let op = accept(&*store, deploy(base, 2, &all), "ana\x1b[31m", 60).unwrap();
    let refused = accept(&*store, deploy(base, 2, &all), "bo", 200).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "shop/a in east, shop/b in east and 3 more were deployed by ana 2m ago (op {}); look again and repeat",
            op.id.short()
        )
    );
}

#[test]
fn removal_is_a_change_too() {
    let store = fresh();
    accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let base = generation(&*store);
    let mut remove = proposal(base, Intent::Remove { stack: "shop".parse().unwrap(), service: None });
    remove.assignments.insert((key("shop/web"), "east".parse().unwrap()), None);
    remove.stacks.insert("shop".parse().unwrap(), None);
    let removed = accept(&*store, remove, "ana", 1).unwrap();
    let desired = now(store.desired()).unwrap();
    assert!(desired.services.is_empty());
    assert_eq!(desired.stacks.len(), 1, "its containers are still reached by what they share");
    let refused = accept(&*store, scale(base, "shop/web", "east", 3, 4, 1), "bo", 2).unwrap_err();
    assert!(refused.to_string().starts_with("shop/web in east was removed by ana 1s ago (op "), "{refused}");
    let finished = vec![(removed.id, part(true))];
    now(store.report(fence(&*store, "east"), finished, Vec::new())).unwrap();
    assert!(now(store.desired()).unwrap().stacks.is_empty());
}

/// Who asks twice must not cut off what is still on its way out.
#[test]
fn a_stack_that_is_removed_twice_is_reached_until_its_last_container_is_gone() {
    let store = fresh();
    accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let mut remove = proposal(generation(&*store), Intent::Remove { stack: "shop".parse().unwrap(), service: None });
    remove.stacks.insert("shop".parse().unwrap(), None);
    let again = remove.clone();
    remove.assignments.insert((key("shop/web"), "east".parse().unwrap()), None);
    let removed = accept(&*store, remove, "ana", 1).unwrap();
    let again = accept(&*store, Proposal { base: generation(&*store), ..again }, "bo", 2).unwrap();
    assert_eq!(again.state.word(), "converged");
    assert_eq!(now(store.desired()).unwrap().stacks.len(), 1);
    now(store.report(fence(&*store, "east"), vec![(removed.id, part(true))], Vec::new())).unwrap();
    assert!(now(store.desired()).unwrap().stacks.is_empty());
}

#[test]
fn what_a_stack_shares_is_not_taken_from_those_who_deployed_it_again() {
    for again in ["before", "with another service"] {
        let store = fresh();
        accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
        let mut remove =
            proposal(generation(&*store), Intent::Remove { stack: "shop".parse().unwrap(), service: None });
        remove.assignments.insert((key("shop/web"), "east".parse().unwrap()), None);
        remove.stacks.insert("shop".parse().unwrap(), None);
        let removed = accept(&*store, remove, "ana", 1).unwrap();
        let (service, no) = if again == "before" { ("shop/web", 2) } else { ("shop/api", 1) };
        accept(&*store, deploy(generation(&*store), no, &[(service, "east", 1)]), "bo", 2).unwrap();
        now(store.report(fence(&*store, "east"), vec![(removed.id, part(true))], Vec::new())).unwrap();
        assert_eq!(now(store.desired()).unwrap().stacks.len(), 1, "{again}");
    }
}

#[test]
fn revisions_are_appended_in_order_and_never_edited() {
    let store = fresh();
    accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap();
    let base = generation(&*store);
    let stale = accept(&*store, deploy(base, 1, &[("shop/web", "north", 1)]), "bo", 5).unwrap_err();
    assert_eq!(stale.to_string(), "shop/web got revision 1 (deploy) by ana@bastion 5s ago; look again and repeat");
    let unknown = accept(&*store, scale(base, "shop/web", "east", 1, 2, 7), "bo", 5).unwrap_err();
    assert_eq!(unknown.to_string(), "shop/web has no revision 7 (any more): look again and repeat");
    let empty = accept(&*store, proposal(base, Intent::Restart { service: key("shop/web") }), "bo", 5).unwrap_err();
    assert_eq!(empty.to_string(), "there is nothing to change");
    assert_eq!(generation(&*store), base);
    // The second number is that of containers which are still there from an earlier life of the stack.
    accept(&*store, deploy(base, 3, &[("shop/web", "east", 1)]), "bo", 5).unwrap();
    assert_eq!(now(store.desired()).unwrap().latest(&key("shop/web")).unwrap().no, RevisionNo(3));
}

#[test]
fn a_hosts_intent_is_done_at_once() {
    let store = fresh();
    let host = || "h-1".parse().unwrap();
    let cordon = |base, intent| {
        let mut cordon = proposal(base, Intent::Host { host: host(), intent });
        cordon.hosts.insert(host(), intent);
        cordon
    };
    let op = accept(&*store, cordon(Generation(0), Some(HostIntent::Cordoned)), "ana", 0).unwrap();
    assert_eq!(op.state, OperationState::Converged { at: at(0) });
    assert!(!now(store.desired()).unwrap().is_open(&host()));
    let refused = accept(&*store, cordon(Generation(0), None), "bo", 3).unwrap_err();
    assert!(refused.to_string().starts_with("host h-1 was cordoned by ana 3s ago"), "{refused}");
    accept(&*store, cordon(Generation(1), None), "bo", 4).unwrap();
    assert!(now(store.desired()).unwrap().is_open(&host()));
}

#[test]
fn a_covered_operation_is_superseded() {
    let store = fresh();
    let first = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let second = accept(&*store, scale(first.generation, "shop/web", "east", 3, 5, 1), "bo", 1).unwrap();
    assert_eq!(operation(&*store, first.id).state, OperationState::Superseded { at: at(1), by: second.id });
    assert_eq!(operation(&*store, second.id).state, OperationState::Accepted);
    assert_eq!(second.before[&key("shop/web")].values().flatten().next().unwrap().slots.len(), 3);
    // It is final: nothing that is reported or failed later changes it.
    let fence = fence(&*store, "east");
    now(store.report(fence.clone(), vec![(first.id, part(true))], vec![])).unwrap();
    now(store.fail(fence, first.id, "late".into(), at(2))).unwrap();
    assert_eq!(operation(&*store, first.id).state.word(), "superseded");
    assert_eq!(wanted(&now(store.desired()).unwrap(), "shop/web", "east"), Some(5));
}

#[test]
fn a_partly_covered_operation_goes_on_with_the_rest() {
    let store = fresh();
    let both = [("shop/web", "east", 3), ("shop/db", "west", 1)];
    let first = accept(&*store, deploy(Generation(0), 1, &both), "ana", 0).unwrap();
    let second = accept(&*store, scale(first.generation, "shop/web", "east", 3, 5, 1), "bo", 1).unwrap();
    let left = operation(&*store, first.id);
    assert_eq!(left.state, OperationState::Accepted);
    assert_eq!(left.regions().into_iter().map(|r| r.to_string()).collect::<Vec<_>>(), ["west"]);
    assert_eq!(left.progress.len(), 1);
    // Failing it puts back the rest only.
    let west = fence(&*store, "west");
    now(store.fail(west, first.id, "no such image".into(), at(2))).unwrap();
    let desired = now(store.desired()).unwrap();
    assert_eq!(wanted(&desired, "shop/web", "east"), Some(5));
    assert_eq!(wanted(&desired, "shop/db", "west"), None);
    assert!(desired.stacks.contains_key("shop"), "shop/web still lives on the stack's networks");
    let open = now(store.operations(OperationQuery { open_only: true, ..Default::default() })).unwrap();
    assert_eq!(open.iter().map(|op| op.id).collect::<Vec<_>>(), [second.id]);
}

#[test]
fn what_is_left_may_be_done_already() {
    let store = fresh();
    let both = [("shop/web", "east", 3), ("shop/db", "west", 1)];
    let first = accept(&*store, deploy(Generation(0), 1, &both), "ana", 0).unwrap();
    let west = fence(&*store, "west");
    now(store.report(west, vec![(first.id, part(true))], vec![])).unwrap();
    assert_eq!(operation(&*store, first.id).state, OperationState::Running);
    accept(&*store, scale(first.generation, "shop/web", "east", 3, 5, 1), "bo", 1).unwrap();
    assert_eq!(operation(&*store, first.id).state, OperationState::Converged { at: at(1) });
}

#[test]
fn operations_are_found() {
    let store = fresh();
    let one = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let two = accept(&*store, deploy(one.generation, 1, &[("blog/web", "east", 3)]), "ana", 1).unwrap();
    let ids = |query| -> Vec<_> { now(store.operations(query)).unwrap().iter().map(|op| op.id).collect() };
    assert_eq!(ids(OperationQuery::default()), [two.id, one.id]);
    assert_eq!(ids(OperationQuery { limit: 1, ..Default::default() }), [two.id]);
    let shop = Some("shop".parse().unwrap());
    assert_eq!(ids(OperationQuery { stack: shop, ..Default::default() }), [one.id]);
    let find = |text: &str| now(store.find_operation(text.to_owned()));
    assert_eq!(find(&one.id.short()).unwrap().unwrap().id, one.id);
    assert_eq!(find(&two.id.to_string().to_uppercase()).unwrap().unwrap().id, two.id);
    for nothing in ["", "zz", "%", "0123456789abcdef0123456789abcdef0"] {
        assert_eq!(find(nothing).unwrap(), None, "{nothing}");
    }
}

#[test]
fn digits_that_fit_several_operations_are_refused() {
    let store = fresh();
    let mut base = Generation(0);
    // Sixteen last digits: with seventeen operations two share one.
    for n in 0..17 {
        base = accept(&*store, deploy(base, 1, &[(&format!("s{n}/web"), "east", 1)]), "ana", n).unwrap().generation;
    }
    let ambiguous = (0..16).map(|digit| now(store.find_operation(format!("{digit:x}"))));
    let refused: Vec<_> = ambiguous.filter_map(Result::err).collect();
    assert!(!refused.is_empty());
    assert!(refused[0].to_string().contains("fits several operations"), "{}", refused[0]);
}
