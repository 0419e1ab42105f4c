//! Fleets on sockets.

use super::*;
use crate::sim::{Fleet, Link};
use std::os::unix::fs::PermissionsExt as _;
use tokio::net::UnixStream;

async fn over_socket(path: &std::path::Path, uri: &str) -> std::io::Result<Value> {
    let stream = UnixStream::connect(path).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    let request = Request::get(uri).header("host", "sim").body(Full::new(Bytes::new())).unwrap();
    let answer = sender.send_request(request).await.map_err(std::io::Error::other)?;
    let bytes = answer.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    Ok(serde_json::from_slice(&bytes)?)
}

#[tokio::test]
async fn the_demo_is_what_its_world_says() {
    let fleet = Fleet::demo(7).unwrap();
    let dir = fleet.dir().to_owned();
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fleet.hosts().len(), 12);
    for host in fleet.hosts() {
        assert!(host.socket.as_os_str().len() < 100);
        let list = over_socket(&host.socket, "/v1.41/containers/json?all=1").await.unwrap();
        let mut seen: Vec<&str> =
            list.as_array().unwrap().iter().map(|c| c["Names"][0].as_str().unwrap().trim_start_matches('/')).collect();
        let mut wanted: Vec<&str> =
            fleet.world().on_host(&host.name).map(|replica| replica.container.as_str()).collect();
        seen.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(seen, wanted, "{}", host.name);
        for container in list.as_array().unwrap().iter().filter(|c| c["Labels"].get("wharf.stack").is_some()) {
            let label = |key: &str| container["Labels"][key].as_str().unwrap_or_default().to_owned();
            let seed = fleet.world().service(&label("wharf.stack"), &label("wharf.service")).unwrap();
            assert_eq!(label("wharf.revision"), seed.revision.to_string());
            assert_eq!(label("wharf.region"), host.region);
            assert_eq!(container["Image"], seed.image.as_str());
            assert_eq!(label("wharf.fleet"), fleet.world().fleet);
        }
    }
    let sick = fleet.world().replicas.iter().find(|r| r.region == "ap" && r.service == "thumb").unwrap();
    let state = over_socket(&fleet.host(&sick.host).unwrap().socket, &format!("/containers/{}/json", sick.container))
        .await
        .unwrap();
    assert_eq!(state["State"]["Health"]["Status"], "unhealthy");
    for replica in fleet.world().replicas.iter().filter(|replica| replica.service == "index") {
        let socket = &fleet.host(&replica.host).unwrap().socket;
        let state = over_socket(socket, &format!("/containers/{}/json", replica.container)).await.unwrap();
        let restarts = state["RestartCount"].as_u64().unwrap();
        assert_eq!(restarts > 0, replica.region == "west", "{} has restarted {restarts} times", replica.container);
    }
    drop(fleet);
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_flaky_host_hangs_and_returns() {
    let mut fleet = Fleet::new(1, 1, 1).unwrap();
    let engine = fleet.hosts()[0].engine.clone();
    let mut link = engine.link.listen();
    let name = fleet.hosts()[0].name.clone();
    fleet.flaky(&name, Duration::ZERO, Duration::from_millis(20), Duration::from_secs(3600));
    soon(link.until(|link| link == Link::Hung)).await;
    soon(link.until(|link| link == Link::Up)).await;
    assert_eq!(get(&engine, "/_ping").await.0, 200);
}

#[tokio::test]
async fn a_socket_refuses_while_its_engine_is_down_and_comes_back() {
    let fleet = Fleet::new(2, 3, 1).unwrap();
    let host = &fleet.hosts()[0];
    assert_eq!(over_socket(&host.socket, "/containers/json").await.unwrap().as_array().unwrap().len(), 3);
    host.engine.set_link(Link::Down);
    soon(async {
        while UnixStream::connect(&host.socket).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(over_socket(&fleet.hosts()[1].socket, "/info").await.is_ok(), "others go on");
    host.engine.set_link(Link::Up);
    soon(async {
        while over_socket(&host.socket, "/info").await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_seed_gives_the_same_fleet() {
    let ids = async |seed| {
        let fleet = Fleet::new(2, 5, seed).unwrap();
        let list = over_socket(&fleet.hosts()[1].socket, "/containers/json").await.unwrap();
        list.as_array().unwrap().iter().map(|c| c["Id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(3).await, ids(3).await);
    assert_ne!(ids(3).await, ids(4).await);
}

#[tokio::test]
async fn churn_kills_and_policies_revive() {
    let mut fleet = Fleet::new(1, 4, 1).unwrap();
    fleet.churn(200.0);
    let engine = fleet.hosts()[0].engine.clone();
    soon(async {
        loop {
            let (_, list) = get(&engine, "/containers/json?all=1").await;
            let restarted =
                async |id: &str| get(&engine, &format!("/containers/{id}/json")).await.1["RestartCount"] != 0;
            let id = list[0]["Id"].as_str().unwrap().to_owned();
            if restarted(&id).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
