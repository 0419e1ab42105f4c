//! What scripts do to requests and to whole engines.

use super::*;
use crate::sim::{Fault, Link, Rule, Span};

#[tokio::test]
async fn faults_of_single_requests() {
    let engine = engine();
    let docker = docker(&engine);
    engine.script(|script| script.rule(Rule::next_create(500, "no space left on device")));
    assert_eq!(refused(create(&docker, "aa", body("app:1")).await), (500, "no space left on device".into()));
    create(&docker, "aa", body("app:1")).await.unwrap();

    engine.script(|script| script.rule(Rule::on("/containers/aa/start", Fault::DropAnswer).times(1)));
    assert!(ask(&engine, Method::POST, "/containers/aa/start", "").await.is_err());
    assert_eq!(get(&engine, "/containers/aa/json").await.1["State"]["Running"], true, "it was done all the same");

    engine.script(|script| script.rule(Rule::on("/containers/aa/stop", Fault::Close).times(1)));
    assert!(ask(&engine, Method::POST, "/containers/aa/stop", "").await.is_err());
    assert_eq!(get(&engine, "/containers/aa/json").await.1["State"]["Running"], true, "nothing was done");

    engine.script(|script| script.rule(Rule::on("/info", Fault::Garbage).times(1)));
    assert!(get(&engine, "/info").await.1.is_string(), "not JSON");
    engine.script(|script| script.rule(Rule::on("/info", Fault::Truncate).times(1)));
    assert!(ask(&engine, Method::GET, "/info", "").await.is_err());
    engine.script(|script| script.rule(Rule::on("/info", Fault::Hang)));
    let hung = tokio::time::timeout(Duration::from_millis(60), get(&engine, "/info")).await;
    assert!(hung.is_err());
    assert_eq!(get(&engine, "/v1.41/version").await.0, 200, "others are not touched");
}

#[tokio::test]
async fn a_hung_engine_goes_on_where_it_was() {
    let engine = engine();
    engine.set_link(Link::Hung);
    let mut waiting = tokio::spawn({
        let engine = engine.clone();
        async move { get(&engine, "/_ping").await }
    });
    assert!(tokio::time::timeout(Duration::from_millis(60), &mut waiting).await.is_err());
    engine.set_link(Link::Up);
    assert_eq!(soon(waiting).await.unwrap().0, 200);
}

#[tokio::test]
async fn an_engine_that_is_down_cuts_streams_and_refuses() {
    let engine = engine();
    let streaming = tokio::spawn({
        let engine = engine.clone();
        async move { ask(&engine, Method::GET, "/events", "").await.is_err() }
    });
    arrived(&engine, 1).await;
    engine.set_link(Link::Down);
    assert!(soon(streaming).await.unwrap(), "the open stream ends with an error");
    assert!(ask(&engine, Method::GET, "/_ping", "").await.is_err());
    engine.set_link(Link::Noise);
    assert!(ask(&engine, Method::GET, "/_ping", "").await.is_err());
    engine.set_link(Link::Up);
    assert_eq!(get(&engine, "/_ping").await.0, 200);
}

#[tokio::test]
async fn latency_is_waited_before_each_answer() {
    let engine = engine();
    engine.script(|script| script.latency = Span::ms(40).plus(10));
    let before = tokio::time::Instant::now();
    get(&engine, "/_ping").await;
    assert!(before.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn a_power_cut_and_its_restarts() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "kept", with_restart(body("app:1"), RestartPolicyNameEnum::UNLESS_STOPPED)).await;
    run(&docker, "lost", body("app:1")).await;
    engine.power_cycle(Duration::from_millis(30));
    assert!(ask(&engine, Method::GET, "/_ping", "").await.is_err());
    soon(async {
        while engine.link() != Link::Up {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let status =
        async |name: &str| get(&engine, &format!("/containers/{name}/json")).await.1["State"]["Status"].clone();
    assert_eq!(status("kept").await, "running");
    assert_eq!(status("lost").await, "exited");
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_what_it_began() {
    let engine = engine();
    let docker = docker(&engine);
    engine.script(|script| script.start = Span::ms(50));
    create(&docker, "aa", body("app:1")).await.unwrap();
    let before = engine.requests();
    let client = tokio::spawn({
        let engine = engine.clone();
        async move { post(&engine, "/containers/aa/start", "").await }
    });
    arrived(&engine, before + 1).await;
    client.abort();
    until(&engine, "aa", |c| c["State"]["Running"] == true).await;
}

#[tokio::test]
async fn sickness_and_removal_behind_everyones_back() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "aa", with_health(body("app:1"))).await;
    until(&engine, "aa", |c| c["State"]["Health"]["Status"] == "healthy").await;
    assert!(engine.mark_sick("aa", true));
    let (_, sick) = get(&engine, "/containers/aa/json").await;
    assert_eq!(sick["State"]["Health"]["Status"], "unhealthy");
    assert!(engine.mark_sick("aa", false) && engine.remove_by_hand("aa") && !engine.kill_process("aa"));
    assert_eq!(get(&engine, "/containers/aa/json").await.0, 404);
}
