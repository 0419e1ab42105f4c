//! The life of containers through the API.

use super::*;
use bollard::errors::Error;
use bollard::query_parameters::*;
use futures::StreamExt as _;

#[tokio::test]
async fn created_started_listed_inspected_stopped_removed() {
    let engine = engine();
    let docker = docker(&engine);
    let id = create(&docker, "web", with_health(with_port(body("app:1"), ""))).await.unwrap();
    assert_eq!(id.len(), 64);
    let list = docker.list_containers(None::<ListContainersOptions>).await.unwrap();
    assert!(list.is_empty(), "created ones are shown with all only");
    start(&docker, "web").await.unwrap();
    until(&engine, "web", |c| c["State"]["Health"]["Status"] == "healthy").await;
    let list = docker.list_containers(None::<ListContainersOptions>).await.unwrap();
    let one = &list[0];
    assert_eq!(one.names.as_deref(), Some(&["/web".to_owned()][..]));
    assert_eq!(one.ports.as_ref().unwrap()[0].public_port, Some(32768));
    assert_eq!(one.labels.as_ref().unwrap()["team"], "blue");
    assert!(one.status.as_ref().unwrap().ends_with("(healthy)"), "{:?}", one.status);
    let inspect = docker.inspect_container("web", None::<InspectContainerOptions>).await.unwrap();
    assert_eq!(inspect.id.as_deref(), Some(id.as_str()));
    let state = inspect.state.unwrap();
    assert_eq!((state.running, state.exit_code), (Some(true), Some(0)));
    assert!(state.started_at.unwrap().parse::<jiff::Timestamp>().is_ok());
    let ports = inspect.network_settings.unwrap().ports.unwrap();
    assert_eq!(ports["80/tcp"].as_ref().unwrap()[0].host_port.as_deref(), Some("32768"));
    let (status, text) = refused(docker.remove_container(&id, None::<RemoveContainerOptions>).await);
    assert_eq!(status, 409);
    assert!(text.starts_with("You cannot remove a running container"), "{text}");
    docker.stop_container(id.get(..12).unwrap(), None::<StopContainerOptions>).await.unwrap();
    let stopped = until(&engine, "web", |c| c["State"]["Status"] == "exited").await;
    assert_eq!(stopped["State"]["ExitCode"], 0);
    assert_eq!(stopped["NetworkSettings"]["Ports"], serde_json::json!({}));
    docker.remove_container("web", None::<RemoveContainerOptions>).await.unwrap();
    assert_eq!(
        refused(docker.inspect_container("web", None::<InspectContainerOptions>).await),
        (404, "No such container: web".into())
    );
}

#[tokio::test]
async fn refusals() {
    let engine = engine();
    let docker = docker(&engine);
    let id = run(&docker, "web", body("app:1")).await;
    let (status, text) = refused(create(&docker, "web", body("app:1")).await);
    assert_eq!(status, 409);
    assert!(text.contains("\"/web\" is already in use by container") && text.contains(&id), "{text}");
    assert_eq!(refused(create(&docker, "w2", body("nowhere")).await), (404, "No such image: nowhere:latest".into()));
    assert_eq!(refused(create(&docker, "-", body("app:1")).await).0, 400);
    assert_eq!(refused(start(&docker, "ghost").await), (404, "No such container: ghost".into()));
    assert_eq!(post(&engine, "/containers/web/start", "").await.0, 304);
    assert_eq!(post(&engine, "/containers/web/stop", "").await.0, 204);
    assert_eq!(post(&engine, "/containers/web/stop", "").await.0, 304);
    assert_eq!(post(&engine, "/containers/web/stop?t=x", "").await.0, 500);
    assert_eq!(post(&engine, "/containers/web/kill", "").await.0, 409);
    assert_eq!(post(&engine, "/containers/web/wait?condition=never", "").await.0, 400);
    assert_eq!(post(&engine, "/containers/create", "{not json").await.0, 400);
    assert_eq!(get(&engine, "/containers/json?filters=nope").await.0, 500);
    assert_eq!(get(&engine, "/nothing/here").await, (404, serde_json::json!({"message": "page not found"})));
    assert_eq!(get(&engine, "/swarm").await.0, 503);
}

#[tokio::test]
async fn fixed_ports_conflict_and_free_ones_do_not() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "aa", with_port(body("app:1"), "8080")).await;
    create(&docker, "bb", with_port(body("app:1"), "8080")).await.unwrap();
    let (status, text) = refused(start(&docker, "bb").await);
    assert_eq!(status, 500);
    assert!(text.ends_with("Bind for 0.0.0.0:8080 failed: port is already allocated"), "{text}");
    let (_, b) = get(&engine, "/containers/bb/json").await;
    assert_eq!((b["State"]["Status"].as_str(), b["State"]["ExitCode"].as_i64()), (Some("created"), Some(128)));
    docker.stop_container("aa", None::<StopContainerOptions>).await.unwrap();
    start(&docker, "bb").await.unwrap();
    for n in 0..3 {
        run(&docker, &format!("free{n}"), with_port(body("app:1"), "0")).await;
    }
    let (_, list) = get(&engine, "/containers/json").await;
    let ports = list.as_array().unwrap().iter().map(|c| c["Ports"][0]["PublicPort"].as_u64().unwrap());
    let ports: std::collections::BTreeSet<u64> = ports.collect();
    assert_eq!(ports, [8080, 32768, 32769, 32770].into());
}

#[tokio::test]
async fn filters_and_limits() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "web-1", with_health(body("app:1"))).await;
    run(&docker, "web-2", body("app:1")).await;
    create(&docker, "db", body("app:1")).await.unwrap();
    until(&engine, "web-1", |c| c["State"]["Health"]["Status"] == "healthy").await;
    let names = async |query: &str| {
        let (status, list) = get(&engine, &format!("/v1.41/containers/json?{query}")).await;
        assert_eq!(status, 200, "{query}: {list}");
        let mut names: Vec<String> =
            list.as_array().unwrap().iter().map(|c| c["Names"][0].as_str().unwrap().to_owned()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names("").await, "/web-1 /web-2");
    assert_eq!(names("all=1").await, "/db /web-1 /web-2");
    assert_eq!(names("limit=1").await, "/db");
    assert_eq!(names("filters={\"status\":[\"created\"]}").await, "/db");
    assert_eq!(names("filters=%7B%22health%22%3A%7B%22healthy%22%3Atrue%7D%7D").await, "/web-1");
    assert_eq!(names("all=1&filters={\"label\":[\"team=blue\"],\"name\":[\"^/db$\"]}").await, "/db");
    assert_eq!(names("filters={\"label\":[\"team=red\"]}").await, "");
    assert_eq!(get(&engine, "/containers/json?filters={\"colour\":[\"red\"]}").await.0, 400);
}

#[tokio::test]
async fn bad_sick_and_stubborn_images() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "bad", body("app:bad")).await;
    run(&docker, "sick", with_health(body("app:sick"))).await;
    run(&docker, "stubborn", body("app:stubborn")).await;
    let leaks = crate::sim::Behaviour::Exits { after: Duration::from_millis(5), code: 137, oom: true };
    engine.script(|script| script.behaviours.insert("app:1".to_owned(), leaks));
    run(&docker, "leaky", body("app:1")).await;
    until(&engine, "leaky", |c| c["State"]["OOMKilled"] == true && c["State"]["ExitCode"] == 137).await;
    until(&engine, "bad", |c| c["State"]["Status"] == "exited" && c["State"]["ExitCode"] == 1).await;
    let sick = until(&engine, "sick", |c| c["State"]["Health"]["Status"] == "unhealthy").await;
    assert_eq!(sick["State"]["Running"], true);
    docker.stop_container("stubborn", Some(StopContainerOptionsBuilder::default().t(0).build())).await.unwrap();
    let (_, stubborn) = get(&engine, "/containers/stubborn/json").await;
    assert_eq!(stubborn["State"]["ExitCode"], 137);
}

#[tokio::test]
async fn restart_policies() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "always", with_restart(body("app:1"), RestartPolicyNameEnum::ALWAYS)).await;
    run(&docker, "never", body("app:1")).await;
    assert!(engine.crash("always", 3) && engine.oom("never"));
    until(&engine, "always", |c| c["RestartCount"] == 1 && c["State"]["Status"] == "running").await;
    let (_, never) = get(&engine, "/containers/never/json").await;
    assert_eq!((never["State"]["OOMKilled"].as_bool(), never["State"]["ExitCode"].as_i64()), (Some(true), Some(137)));
    // What a person stops or kills stays down.
    docker.kill_container("always", None::<KillContainerOptions>).await.unwrap();
    let (_, always) = get(&engine, "/containers/always/json").await;
    assert_eq!(always["State"]["Status"], "exited");
    // One that is between two restarts can be stopped.
    start(&docker, "always").await.unwrap();
    engine.crash("always", 1);
    let (_, always) = get(&engine, "/containers/always/json").await;
    assert_eq!(always["State"]["Status"], "restarting");
    assert_eq!(post(&engine, "/containers/always/stop", "").await.0, 204);
    let (_, always) = get(&engine, "/containers/always/json").await;
    assert_eq!(always["State"]["Status"], "exited");
}

#[tokio::test]
async fn waiting_renaming_pausing_updating_restarting() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "aa", body("app:1")).await;
    let mut exit = docker.wait_container("aa", None::<WaitContainerOptions>);
    let before = engine.requests();
    let waiter = tokio::spawn(async move { exit.next().await });
    arrived(&engine, before + 1).await;
    docker.rename_container("aa", RenameContainerOptionsBuilder::default().name("bb").build()).await.unwrap();
    docker.pause_container("bb").await.unwrap();
    assert_eq!(post(&engine, "/containers/bb/pause", "").await.0, 409);
    docker.unpause_container("bb").await.unwrap();
    engine.crash("bb", 7);
    match soon(waiter).await.unwrap() {
        Some(Err(Error::DockerContainerWaitError { code, .. })) => assert_eq!(code, 7),
        other => panic!("{other:?}"),
    }
    docker.restart_container("bb", None::<RestartContainerOptions>).await.unwrap();
    let change = bollard::models::ContainerUpdateBody { memory: Some(1 << 28), ..Default::default() };
    docker.update_container("bb", change).await.unwrap();
    let (_, b) = get(&engine, "/containers/bb/json").await;
    assert_eq!((b["State"]["Running"].as_bool(), b["HostConfig"]["Memory"].as_i64()), (Some(true), Some(1 << 28)));
    let before = engine.requests();
    let removed = tokio::spawn({
        let engine = engine.clone();
        async move { post(&engine, "/containers/bb/wait?condition=removed", "").await }
    });
    arrived(&engine, before + 1).await;
    docker.remove_container("bb", Some(RemoveContainerOptionsBuilder::default().force(true).build())).await.unwrap();
    let (status, answer) = soon(removed).await.unwrap();
    assert_eq!((status, answer["StatusCode"].as_i64()), (200, Some(137)));
}

#[tokio::test]
async fn calls_on_one_container_take_turns() {
    let engine = engine();
    let docker = docker(&engine);
    engine.script(|script| script.start = crate::sim::Span::ms(60));
    create(&docker, "aa", body("app:1")).await.unwrap();
    let (one, two) = tokio::join!(post(&engine, "/containers/aa/start", ""), post(&engine, "/containers/aa/start", ""));
    let mut both = [one.0, two.0];
    both.sort_unstable();
    assert_eq!(both, [204, 304]);
}

#[tokio::test]
async fn a_container_lives_as_long_as_its_command() {
    let engine = engine();
    let docker = docker(&engine);
    let mut job = body("app:1");
    job.cmd = Some(vec!["sh".into(), "-c".into(), "sleep 0.02; exit 4".into()]);
    job.host_config.get_or_insert_default().auto_remove = Some(true);
    create(&docker, "job", job).await.unwrap();
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { post(&engine, "/containers/job/wait?condition=next-exit", "").await }
    });
    arrived(&engine, 2).await;
    start(&docker, "job").await.unwrap();
    assert_eq!(soon(waiting).await.unwrap().1["StatusCode"], 4);
    soon(async { while get(&engine, "/containers/job/json").await.0 != 404 {} }).await;
}

#[tokio::test]
async fn stopping_uses_the_grace() {
    let engine = engine();
    let docker = docker(&engine);
    engine.script(|script| script.stop = crate::sim::Span::ms(3_600_000));
    run(&docker, "slow", body("app:1")).await;
    docker.stop_container("slow", Some(StopContainerOptionsBuilder::default().t(0).build())).await.unwrap();
    let (_, slow) = get(&engine, "/containers/slow/json").await;
    assert_eq!(slow["State"]["ExitCode"], 137, "killed when the grace is over");
}
