//! Events, statistics and logs.

use super::*;
use bollard::query_parameters::*;
use futures::{StreamExt as _, TryStreamExt as _};
use std::collections::BTreeSet;

#[tokio::test]
async fn events_of_a_life_in_order() {
    let engine = engine();
    let docker = docker(&engine);
    let from = engine.clock.now();
    let filters = HashMap::from([("type", vec!["container"])]);
    let mut live = docker.events(Some(EventsOptionsBuilder::default().filters(&filters).build()));
    // The stream is made when it is first asked.
    let reader = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(event) = live.next().await {
            let event = event.unwrap();
            let action = event.action.unwrap();
            seen.push((action.clone(), event.actor.unwrap().attributes.unwrap()));
            if action == "destroy" {
                break;
            }
        }
        seen
    });
    arrived(&engine, 1).await;
    run(&docker, "web", with_health(body("app:1"))).await;
    until(&engine, "web", |c| c["State"]["Health"]["Status"] == "healthy").await;
    docker.rename_container("web", RenameContainerOptionsBuilder::default().name("old").build()).await.unwrap();
    docker.stop_container("old", None::<StopContainerOptions>).await.unwrap();
    docker.remove_container("old", None::<RemoveContainerOptions>).await.unwrap();
    let seen = soon(reader).await.unwrap();
    let actions: Vec<&str> = seen.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["create", "start", "health_status: healthy", "rename", "kill", "die", "stop", "destroy"]);
    let of = |action: &str| &seen.iter().find(|(name, _)| name == action).unwrap().1;
    assert_eq!(
        (of("create")["name"].as_str(), of("create")["image"].as_str(), of("create")["team"].as_str()),
        ("web", "app:1", "blue")
    );
    assert_eq!(
        (of("die")["exitCode"].as_str(), of("kill")["signal"].as_str(), of("rename")["oldName"].as_str()),
        ("0", "15", "/web")
    );

    // The same again from the log, which ends by itself.
    let until = engine.clock.now();
    let moment = |at: jiff::Timestamp| format!("{}.{:09}", at.as_second(), at.subsec_nanosecond());
    let options = EventsOptionsBuilder::default().since(&moment(from)).until(&moment(until)).filters(&filters).build();
    let again: Vec<_> = soon(docker.events(Some(options)).try_collect()).await.unwrap();
    assert_eq!(again.len(), actions.len());
    let path = format!(
        "/events?since={}&until={}&filters={{\"event\":[\"die\"],\"label\":[\"team=blue\"]}}",
        moment(from),
        moment(until)
    );
    let (_, die) = get(&engine, &path).await;
    assert_eq!(
        (die["status"].as_str(), die["from"].as_str(), die["Actor"]["ID"] == die["id"]),
        (Some("die"), Some("app:1"), true)
    );
    assert_eq!(die["timeNano"].as_i64().unwrap() / 1_000_000_000, die["time"].as_i64().unwrap());
}

#[tokio::test]
async fn frozen_events_come_when_they_thaw() {
    let engine = engine();
    let docker = docker(&engine);
    engine.script(|script| script.freeze_events = true);
    let mut live = docker.events(None::<EventsOptions>);
    let mut first = tokio::spawn(async move { live.next().await });
    arrived(&engine, 1).await;
    create(&docker, "aa", body("app:1")).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut first).await.is_err());
    engine.script(|script| script.freeze_events = false);
    assert_eq!(soon(first).await.unwrap().unwrap().unwrap().action.as_deref(), Some("create"));
}

#[tokio::test]
async fn statistics() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "web", body("app:1")).await;
    let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
    let one = docker.stats("web", Some(options)).next().await.unwrap().unwrap();
    assert!(one.memory_stats.unwrap().limit.unwrap() > 0);
    assert_eq!(one.preread.as_deref(), Some("0001-01-01T00:00:00Z"));
    let two: Vec<_> = soon(docker.stats("web", None::<StatsOptions>).take(2).try_collect()).await.unwrap();
    let used = |stats: &bollard::models::ContainerCpuStats| stats.cpu_usage.as_ref().unwrap().total_usage.unwrap();
    let (before, after) = (two[1].precpu_stats.as_ref().unwrap(), two[1].cpu_stats.as_ref().unwrap());
    assert_eq!(
        used(before),
        used(two[0].cpu_stats.as_ref().unwrap()),
        "the second sample begins where the first ended"
    );
    assert!(used(after) > used(before));
    let share = (used(after) - used(before)) as f64
        / (after.system_cpu_usage.unwrap() - before.system_cpu_usage.unwrap()) as f64;
    assert!((0.001..0.9).contains(&(share * 4.0)), "{share}");
    assert!(two[1].networks.as_ref().unwrap()["eth0"].rx_bytes.is_some());
    docker.stop_container("web", None::<StopContainerOptions>).await.unwrap();
    let (_, off) = get(&engine, "/containers/web/stats?stream=0").await;
    assert_eq!(off["memory_stats"], serde_json::json!({}));
}

#[tokio::test]
async fn logs_are_the_same_each_time_and_can_be_cut() {
    let fleet = crate::sim::Fleet::new(1, 1, 5).unwrap();
    let engine = &fleet.hosts()[0].engine;
    let docker = docker(engine);
    let name = &fleet.world().replicas[0].container;
    let read = async |options: LogsOptionsBuilder| {
        let options = options.stdout(true).stderr(true).timestamps(true).build();
        let lines: Vec<_> = soon(docker.logs(name, Some(options)).try_collect()).await.unwrap();
        lines.into_iter().map(|line| line.to_string()).collect::<Vec<String>>()
    };
    let ten = read(LogsOptionsBuilder::default().tail("10")).await;
    assert_eq!(ten.len(), 10);
    let time = |line: &str| line.split(' ').next().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(ten.is_sorted_by_key(|line| time(line)));
    let since = time(&ten[2]).as_second();
    let until = i32::try_from(time(&ten[8]).as_second()).unwrap();
    let part = read(LogsOptionsBuilder::default().since(i32::try_from(since).unwrap()).until(until)).await;
    assert!(part.iter().all(|line| (since..=i64::from(until)).contains(&time(line).as_second())), "{part:?}");
    let (all, part): (BTreeSet<_>, BTreeSet<_>) = (ten.iter().collect(), part.iter().collect());
    assert!(all.intersection(&part).count() >= 4, "lines do not change between two readings");
    assert_eq!(get(engine, &format!("/containers/{name}/logs")).await.0, 400);
}

#[tokio::test]
async fn following_ends_with_the_container() {
    let engine = engine();
    let docker = docker(&engine);
    run(&docker, "web", body("app:1")).await;
    let options = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true).build();
    let mut lines = docker.logs("web", Some(options));
    assert!(soon(lines.next()).await.unwrap().unwrap().to_string().contains("listening"));
    engine.say("web", true, "\u{1b}[31mred\u{202e}");
    let mut rest = Vec::new();
    while !rest.iter().any(|line: &String| line.contains("red")) {
        rest.push(soon(lines.next()).await.unwrap().unwrap().to_string());
    }
    engine.crash("web", 9);
    let end: Vec<_> = soon(lines.try_collect::<Vec<_>>()).await.unwrap();
    assert!(end.iter().any(|line| line.to_string().contains("exit 9")), "{end:?}");
}
