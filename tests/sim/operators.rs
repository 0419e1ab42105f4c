//! Two operators at once.

use std::time::Duration;

use jiff::Timestamp;
use wharf::{
    model::{OperationState, Paused},
    sim::Span,
    store::{Store as _, StoreError},
    text::Text,
};

use super::{
    reconciler::Reconciler,
    support::{Setup, service, shop, stack},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_plans_made_from_one_state_the_second_is_refused_with_words() {
    let sim = Setup::new(3).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    let both = stack("shop", [("web", service("app:1", 3)), ("api", service("app:1", 3))]);
    let operation = sim.deploy(&both).await;
    sim.converged(&operation).await;
    let (mine, yours) = (sim.plan_scale("shop/web", 6).await, sim.plan_scale("shop/web", 2).await);
    let other = sim.plan_scale("shop/api", 5).await;
    let operation = sim.accept(mine).await.unwrap();
    match sim.accept(yours).await {
        Err(error @ StoreError::Conflict { .. }) => {
            let words = error.to_string();
            assert!(words.contains("shop/web") && words.contains("ana@test"), "{words}");
        }
        other => panic!("{other:?}"),
    }
    // Something else may be changed at the same time.
    let second = sim.accept(other).await.unwrap();
    sim.converged(&operation).await;
    sim.ended(&second).await;
    sim.restored().await;
    assert_eq!((sim.running("shop/web"), sim.running("shop/api")), (6, 5));
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_scale_takes_over_from_one_that_is_under_way() {
    let sim = Setup::new(3).start().await;
    sim.fleet.script_all(|script| {
        script.create = Span::ms(30);
        script.start = Span::ms(60);
    });
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 3)).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(3));
    let first = sim.scale("shop/web", 40).await;
    sim.until("it is under way", || sim.of("shop/web").len() > 6).await;
    let second = sim.scale("shop/web", 5).await;
    sim.converged(&second).await;
    match sim.operation(first.id).await.state {
        OperationState::Superseded { by, .. } => assert_eq!(by, second.id),
        other => panic!("{other:?}"),
    }
    assert_eq!(sim.running("shop/web"), 5);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_aborted_under_way_goes_back() {
    let sim = Setup::new(3).start().await;
    sim.fleet.script_all(|script| script.start = Span::ms(80));
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 4)).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(4));
    let operation = sim.deploy(&shop("app:2", 4)).await;
    sim.until("it is under way", || sim.of("shop/web").iter().any(|(_, it)| it.image == "app:2")).await;
    sim.store.abort(operation.id, "ben@test".into(), Timestamp::now()).await.unwrap();
    assert_eq!(sim.ended(&operation).await.word(), "aborted");
    sim.restored().await;
    assert!(sim.of("shop/web").iter().all(|(_, it)| it.image == "app:1"));
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_paused_stands_still_and_goes_on_when_it_is_resumed() {
    let setup = Setup::new(3).short_lease().defaults(|it| {
        it.progress_deadline = Duration::from_secs(3);
        it.healthy_deadline = Duration::from_secs(3);
    });
    let sim = setup.start().await;
    sim.fleet.script_all(|script| script.start = Span::ms(60));
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 6)).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(6));
    let operation = sim.deploy(&shop("app:2", 6)).await;
    let new = || sim.of("shop/web").iter().filter(|(_, it)| it.image == "app:2").count();
    sim.until("it is under way", || new() > 0).await;
    let paused = Paused { at: Timestamp::now(), by: "ben@test".into(), why: Text::default() };
    sim.store.pause(operation.id, paused).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let (made, there) = (new(), sim.of("shop/web").len());
    assert!(made < 6, "the whole of it was quicker than the pause");
    // Longer than every deadline, and over a new reconciler's head.
    reconciler.kill();
    let _reconciler = Reconciler::start(&sim, "two");
    tokio::time::sleep(Duration::from_millis(4500)).await;
    assert_eq!((new(), sim.of("shop/web").len()), (made, there), "{}", sim.story().await);
    assert_eq!(sim.operation(operation.id).await.word(), "paused");
    sim.store.resume(operation.id, "ben@test".into(), Timestamp::now()).await.unwrap();
    sim.converged(&operation).await;
    assert_eq!((new(), sim.running("shop/web")), (6, 6));
    sim.close().await;
}
