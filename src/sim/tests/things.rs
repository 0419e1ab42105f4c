//! Networks, volumes and what an engine says about itself.

use super::*;
use bollard::models::{NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest, VolumeCreateRequest};
use bollard::query_parameters::*;

#[tokio::test]
async fn networks() {
    let engine = engine();
    let docker = docker(&engine);
    let wanted = || NetworkCreateRequest { name: "shop".to_owned(), ..Default::default() };
    let id = docker.create_network(wanted()).await.unwrap().id;
    assert_eq!(refused(docker.create_network(wanted()).await).0, 409);
    run(&docker, "web", body("app:1")).await;
    let join = NetworkConnectRequest { container: "web".to_owned(), ..Default::default() };
    docker.connect_network("shop", join).await.unwrap();
    let inspect = docker.inspect_network("shop", None::<InspectNetworkOptions>).await.unwrap();
    assert_eq!((inspect.id, inspect.containers.unwrap().len()), (Some(id), 1));
    let (_, web) = get(&engine, "/containers/web/json").await;
    assert!(web["NetworkSettings"]["Networks"]["shop"]["IPAddress"].as_str().unwrap().starts_with("172.18.0."));
    assert_eq!(refused(docker.remove_network("shop").await).0, 403);
    let leave = NetworkDisconnectRequest { container: "web".to_owned(), ..Default::default() };
    docker.disconnect_network("shop", leave).await.unwrap();
    docker.remove_network("shop").await.unwrap();
    docker.create_network(wanted()).await.unwrap();
    let pruned = docker.prune_networks(None::<PruneNetworksOptions>).await.unwrap();
    assert_eq!(pruned.networks_deleted, Some(vec!["shop".to_owned()]));
    assert_eq!(refused(docker.remove_network("bridge").await).0, 403);
    assert_eq!(docker.list_networks(None::<ListNetworksOptions>).await.unwrap().len(), 3);
    assert_eq!(get(&engine, "/networks/shop").await, (404, serde_json::json!({"message": "network shop not found"})));
    let (status, text) = {
        let mut body = body("app:1");
        body.host_config.get_or_insert_default().network_mode = Some("absent".into());
        refused(create(&docker, "xx", body).await)
    };
    assert_eq!((status, text.as_str()), (404, "network absent not found"));
}

#[tokio::test]
async fn volumes() {
    let engine = engine();
    let docker = docker(&engine);
    let wanted = VolumeCreateRequest { name: Some("data".to_owned()), ..Default::default() };
    assert_eq!(docker.create_volume(wanted).await.unwrap().name, "data");
    let mut user = body("app:1");
    user.host_config.get_or_insert_default().binds = Some(vec!["data:/data".into(), "more:/more:ro".into()]);
    run(&docker, "db", user).await;
    let listed = docker.list_volumes(None::<ListVolumesOptions>).await.unwrap().volumes.unwrap();
    assert_eq!(listed.iter().map(|volume| volume.name.as_str()).collect::<Vec<_>>(), ["data", "more"]);
    assert_eq!(refused(docker.remove_volume("data", None::<RemoveVolumeOptions>).await).0, 409);
    docker
        .remove_container("db", Some(RemoveContainerOptionsBuilder::default().force(true).v(true).build()))
        .await
        .unwrap();
    docker.remove_volume("data", None::<RemoveVolumeOptions>).await.unwrap();
    assert_eq!(refused(docker.inspect_volume("data").await).0, 404);
    docker.inspect_volume("more").await.unwrap();
    let pruned = docker.prune_volumes(None::<PruneVolumesOptions>).await.unwrap();
    assert_eq!(pruned.volumes_deleted, Some(vec!["more".to_owned()]));
}

#[tokio::test]
async fn about_itself() {
    let engine = engine();
    let docker = docker(&engine);
    assert_eq!(docker.ping().await.unwrap(), "OK");
    let version = docker.version().await.unwrap();
    assert_eq!((version.api_version.as_deref(), version.version.as_deref()), (Some("1.41"), Some("20.10.24")));
    run(&docker, "aa", body("app:1")).await;
    let info = docker.info().await.unwrap();
    assert_eq!((info.containers_running, info.images, info.name.as_deref()), (Some(1), Some(4), Some("box")));
    docker.df(None::<DataUsageOptions>).await.unwrap();
    let (_, use_of_disk) = get(&engine, "/system/df").await;
    assert_eq!(use_of_disk["Images"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn versions_of_the_api() {
    let old = Profile { api: (1, 40), ..Profile::new("old") };
    let engine = Engine::new(old, Arc::default(), Script::default(), Clock::running(), 1);
    assert_eq!(get(&engine, "/v1.40/_ping").await.0, 200);
    let (status, answer) = get(&engine, "/v1.41/info").await;
    assert_eq!(status, 400);
    assert_eq!(answer["message"], "client version 1.41 is too new. Maximum supported API version is 1.40");
    assert_eq!(get(&engine, "/v1.9/info").await.0, 400);
    let (status, _) = ask(&engine, Method::HEAD, "/_ping", "").await.unwrap();
    assert_eq!(status, 200);
}
