//! Roles: looked at where a command is accepted, and again by the reconciler, for who writes past wharf.

use std::sync::Arc;

use wharf::{
    model::{Access, Reach, Role, Rules, Who},
    store::{Options, ReadStore as _, Sqlite, Store as _, StoreError},
};

use super::{
    reconciler::Reconciler,
    support::{Setup, Sim, shop},
};

fn role(who: &str, may: &[&str]) -> Role {
    let may = may.iter().map(|word| (*word).to_owned()).collect();
    Role { who: vec![Who::Name(who.to_owned())], may, reach: Reach::default() }
}

/// A fleet in which ana may do everything and bo only scale.
async fn ruled() -> Sim {
    let mut sim = Setup::new(2).start().await;
    Arc::make_mut(&mut sim.model).access =
        Access { roles: vec![role("ana", &[]), role("bo", &["scale"])], guards: Vec::new() };
    sim
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_past_the_rules_is_not_carried_out() {
    let sim = ruled().await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 3)).await;
    sim.converged(&operation).await;
    // The store of these tests knows no rules: it stands for somebody who writes into the file.
    let at = jiff::Timestamp::now;
    let plan = sim.plan_scale("shop/web", 9).await;
    let forged = sim.store.accept(plan.proposal, "eve@laptop".to_owned(), at()).await.unwrap();
    let why = sim.failed(&forged).await;
    assert!(why.contains("eve may not scale shop in east") && why.contains("is not carried out"), "{why}");
    sim.restored().await;
    assert_eq!(sim.running("shop/web"), 3);
    assert_eq!(sim.asked("/containers/create"), 3, "nothing was even begun");
    let plan = sim.plan_scale("shop/web", 5).await;
    let allowed = sim.store.accept(plan.proposal, "bo@laptop".to_owned(), at()).await.unwrap();
    sim.converged(&allowed).await;
    let restart = sim.plan(|world| wharf::plan::restart(world, &"shop/web".parse().unwrap(), None)).await;
    let forged = sim.store.accept(restart.proposal, "bo@laptop".to_owned(), at()).await.unwrap();
    let why = sim.failed(&forged).await;
    assert!(why.contains("bo may not restart shop in east"), "{why}");
    sim.restored().await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_allowed_is_not_accepted_and_stands_in_the_audit() {
    let sim = ruled().await;
    let rules: Rules = sim.model.rules();
    let store = Sqlite::open_with(&sim.model.store, Options { rules, ..Options::default() }).unwrap();
    let at = jiff::Timestamp::now;
    let plan = |image: &'static str, count| {
        let stack = shop(image, count);
        let sim = &sim;
        async move {
            sim.plan(|world| wharf::plan::deploy(world, &stack, &std::collections::BTreeMap::new(), "bo@test")).await
        }
    };
    let refused = store.accept(plan("app:1", 2).await.proposal, "bo@test".into(), at()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Denied(_)), "{refused}");
    assert!(sim.desired().await.services.is_empty());
    let accepted = store.accept(plan("app:1", 2).await.proposal, "ana@test".into(), at()).await.unwrap();
    // Nor may bo end what ana began; nothing changes, and it is written down.
    for answer in [
        store.abort(accepted.id, "bo@test".into(), at()).await,
        store.pause(accepted.id, wharf::model::Paused { at: at(), by: "bo@test".into(), why: "".into() }).await,
    ] {
        assert!(matches!(&answer, Err(StoreError::Denied(_))), "{answer:?}");
    }
    assert!(!sim.operation(accepted.id).await.state.is_final());
    let reader = Sqlite::open_read_only(&sim.model.store).unwrap();
    let told = reader.audit(10).await.unwrap();
    let told: Vec<String> = told
        .iter()
        .filter_map(wharf::model::AuditEntry::deed)
        .map(|deed| format!("{} {}", deed.did, deed.by))
        .collect();
    assert_eq!(told, ["refused bo@test", "accepted ana@test", "refused bo@test", "refused bo@test"]);
    assert_eq!(reader.operations(wharf::store::OperationQuery::default()).await.unwrap().len(), 1);
}
