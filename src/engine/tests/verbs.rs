//! What is sent when something is done, and what answers mean.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::TryStreamExt;
use serde_json::json;

use super::{Answer, fake, fleet_name, host_name};
use crate::{
    engine::{CreateRequest, ErrorKind, Handle, LogOptions, MemoryDial, open_memory},
    model::{
        Attachment, ContainerId, Defaults, FileMount, Mount, MountSource, ReplicaKey, RevisionNo, Sensitive,
        ServiceSpec, Slot, StackShared,
    },
};

async fn handle(dial: MemoryDial) -> Handle {
    open_memory(&fleet_name(), &host_name("h1"), dial).await.unwrap()
}

/// All that a request borrows.
struct Wish {
    fleet: crate::model::FleetName,
    replica: ReplicaKey,
    spec: ServiceSpec,
    shared: StackShared,
    defaults: Defaults,
}

impl Wish {
    fn new() -> Self {
        Self {
            fleet: fleet_name(),
            replica: ReplicaKey {
                region: crate::model::RegionName::new("east").unwrap(),
                service: "shop/web".parse().unwrap(),
                slot: Slot(3),
            },
            spec: ServiceSpec::default(),
            shared: StackShared::default(),
            defaults: Defaults::default(),
        }
    }

    fn request(&self) -> CreateRequest<'_> {
        CreateRequest {
            fleet: &self.fleet,
            replica: &self.replica,
            revision: RevisionNo(7),
            image: "app:1",
            spec: &self.spec,
            shared: &self.shared,
            host_address: None,
            subnet_pool: "10.210.0.0/16",
            round: 2,
            is_test: false,
            defaults: &self.defaults,
            record: "",
        }
    }
}

fn inspection(round: &str, region: &str) -> Answer {
    Answer::Json(
        200,
        json!({"Id":"abc","Name":"/shop-web-3-r7.2","State":{"Status":"created"},"Config":{"Labels":{
        "wharf.fleet":"acme","wharf.region":region,"wharf.stack":"shop","wharf.service":"web","wharf.slot":"3",
        "wharf.revision":"7","wharf.round":round}}}),
    )
}

fn id(text: &str) -> ContainerId {
    ContainerId(text.into())
}

#[tokio::test]
async fn every_path_has_the_version_and_connections_are_used_again() {
    let (engine, dial) = fake(|_, path| path.contains("/start").then(|| Answer::Bytes(204, Vec::new())));
    let handle = handle(dial).await;
    for _ in 0..30 {
        handle.ping().await.unwrap();
        handle.start(&id("abc")).await.unwrap();
    }
    assert_eq!(engine.count("/v1.41/_ping"), 30);
    assert_eq!(engine.count("/v1.41/containers/abc/start"), 30);
    // The pool may open a spare one while another is on its way back.
    assert!(engine.connections.load(Ordering::Relaxed) <= 4);
}

#[tokio::test]
async fn a_replica_is_made_with_its_networks_volumes_and_files() {
    let (engine, dial) = fake(|_, path| match path {
        path if path.contains("/containers/create") => Some(Answer::Json(201, json!({"Id":"abc","Warnings":[]}))),
        path if path.contains("/connect") || path.contains("/archive") => Some(Answer::Bytes(200, Vec::new())),
        _ => None,
    });
    let mut wish = Wish::new();
    wish.spec.networks =
        [("front".to_owned(), Attachment::default()), ("back".to_owned(), Attachment::default())].into();
    wish.spec.mounts.push(Mount {
        target: "/data".into(),
        source: MountSource::Volume { name: "data".into(), nocopy: false, subpath: None },
        read_only: false,
    });
    wish.spec.files.push(FileMount {
        name: "s".into(),
        target: "/run/secrets/s".into(),
        content: Sensitive("hunter2".into()),
        secret: true,
        uid: 0,
        gid: 0,
        mode: 0o400,
    });
    let handle = handle(dial).await;
    assert_eq!(handle.create(&wish.request()).await.unwrap(), id("abc"));
    let network = engine.body("/networks/create");
    assert_eq!(network["Labels"]["wharf.fleet"], "acme");
    assert_eq!(network["IPAM"]["Config"][0]["Subnet"], "10.210.0.0/24");
    assert_eq!(engine.body("/volumes/create")["Name"], "shop_data");
    assert_eq!(engine.count("/networks/create"), 2);
    assert_eq!(engine.count("/networks/shop_front/connect"), 1);
    assert_eq!(engine.count("/containers/abc/archive?path=%2F"), 1);
    let created = engine.body("/containers/create");
    assert_eq!(engine.count("/containers/create?name=shop-web-3-r7.2"), 1);
    assert_eq!(created["HostConfig"]["NetworkMode"], "shop_back");
    assert_eq!(created["NetworkingConfig"]["EndpointsConfig"]["shop_back"]["Aliases"], json!(["web"]));
    // The networks are known now: a second replica does not look again.
    let before = engine.count("/networks");
    handle.ensure_shared(&wish.request()).await.unwrap();
    assert_eq!(engine.count("/networks"), before);
}

#[tokio::test]
async fn a_lost_answer_makes_nothing_twice() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let (_, dial) = fake(|_, path| match path {
        path if path.contains("/containers/create") => Some(match MADE.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::Close,
            _ => Answer::Json(
                409,
                json!({"message":"Conflict. The container name \"/shop-web-3-r7.2\" is already in use"}),
            ),
        }),
        path if path.contains("/containers/shop-web-3-r7.2/json") => Some(inspection("2", "east")),
        _ => None,
    });
    let (handle, wish) = (handle(dial).await, Wish::new());
    let error = handle.create(&wish.request()).await.unwrap_err();
    assert!(error.is_lost_answer() && !error.is_final(), "{error}");
    assert_eq!(handle.create(&wish.request()).await.unwrap(), id("abc"));
}

#[tokio::test]
async fn a_container_of_somebody_else_is_not_taken() {
    for (round, region, words) in [("1", "east", "earlier round"), ("2", "west", "wharf.region differs")] {
        let (_, dial) = fake(move |_, path| match path {
            path if path.contains("/containers/create") => Some(Answer::Json(409, json!({"message":"already in use"}))),
            path if path.contains("/containers/shop-web-3-r7.2/json") => Some(inspection(round, region)),
            _ => None,
        });
        let error = handle(dial).await.create(&Wish::new().request()).await.unwrap_err();
        assert!(error.is_conflict(), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_network_of_somebody_else_is_not_used() {
    let (engine, dial) = fake(|method, path| {
        (method == "GET" && path.contains("/networks")).then(|| {
            Answer::Json(200, json!([{"Id":"n","Name":"shop_default","Labels":{"com.docker.compose.project":"shop"}}]))
        })
    });
    let error = handle(dial).await.create(&Wish::new().request()).await.unwrap_err();
    assert!(error.is_final() && error.to_string().contains("shop_default"), "{error}");
    assert_eq!(engine.count("/containers/create"), 0);
}

#[tokio::test]
async fn answers_have_their_meaning() {
    let (_, dial) = fake(|method, path| {
        let say = |status, message: &str| Some(Answer::Json(status, json!({ "message": message })));
        match (method, path) {
            (_, path) if path.contains("/port/start") => {
                say(500, "Bind for 0.0.0.0:80 failed: port is already allocated")
            }
            (_, path) if path.contains("/gone/start") => say(404, "No such container: gone"),
            (_, path) if path.contains("/full/start") => say(500, "write /x: no space left on device"),
            (_, path) if path.contains("/lost/start") => Some(Answer::Close),
            (_, path) if path.contains("/runs/start") => Some(Answer::Bytes(304, Vec::new())),
            (_, path) if path.contains("/gone/stop") => say(404, "No such container: gone"),
            (_, path) if path.contains("/off/kill") => {
                say(409, "Cannot kill container: off: Container off is not running")
            }
            ("DELETE", path) if path.contains("/gone") => say(404, "No such container: gone"),
            ("DELETE", path) if path.contains("/going") => {
                say(409, "removal of container going is already in progress")
            }
            _ => None,
        }
    });
    let handle = handle(dial).await;
    assert!(handle.start(&id("port")).await.unwrap_err().is_port_taken());
    assert!(handle.start(&id("gone")).await.unwrap_err().is_not_found());
    assert!(handle.start(&id("full")).await.unwrap_err().is_disk_full());
    assert!(handle.start(&id("lost")).await.unwrap_err().is_lost_answer());
    handle.start(&id("runs")).await.unwrap();
    assert!(handle.stop(&id("gone"), Duration::ZERO).await.unwrap_err().is_not_found());
    handle.kill(&id("off")).await.unwrap();
    handle.remove(&id("gone"), true).await.unwrap();
    handle.remove(&id("going"), true).await.unwrap();
    let error = handle.start(&id("../../x")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "an id cannot leave its place in a path");
}

#[tokio::test]
async fn a_pull_tells_how_far_it_is_and_why_it_failed() {
    let (engine, dial) = fake(|_, path| {
        let lines = |lines: &str| Some(Answer::Bytes(200, lines.as_bytes().to_vec()));
        match path {
            path if path.contains("fromImage=r.test%2Fapp&tag=1") => lines(
                "{\"status\":\"Pulling fs layer\",\"id\":\"a\"}\r\n{\"status\":\"Pull complete\",\"id\":\"a\"}\r\n",
            ),
            path if path.contains("fromImage=r.test%2Fnone") => {
                lines("{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}\r\n")
            }
            path if path.contains("fromImage=r.test%2Fclosed") => Some(Answer::Json(
                500,
                json!({"message":"Head \"https://r.test/v2/closed/manifests/1\": no basic auth credentials"}),
            )),
            _ => None,
        }
    });
    let handle = handle(dial).await;
    let mut heard = Vec::new();
    handle.pull("r.test/app:1", |progress| heard.push(progress.percent)).await.unwrap();
    assert_eq!(heard, [0, 100]);
    let error = handle.pull("r.test/none", |_| ()).await.unwrap_err();
    assert!(error.is_no_such_image() && error.is_final(), "{error}");
    assert_eq!(handle.pull("r.test/closed", |_| ()).await.unwrap_err().kind, ErrorKind::RegistryRefused);
    let pinned = format!("r.test/x:1@sha256:{}", "0".repeat(64));
    drop(handle.pull(&pinned, |_| ()).await);
    assert_eq!(engine.count("fromImage=r.test%2Fx&tag=sha256%3A000"), 1);
}

#[tokio::test]
async fn images_are_resolved_by_their_registry_or_by_the_host() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let known = digest.clone();
    let (_, dial) = fake(move |_, path| match path {
        path if path.contains("/distribution/r.test/app:1/json") => {
            Some(Answer::Json(200, json!({"Descriptor":{"digest": known}})))
        }
        path if path.contains("/distribution/own:latest") => {
            Some(Answer::Json(401, json!({"message":"pull access denied for own, repository does not exist"})))
        }
        path if path.contains("/distribution/r.test/down:1") => {
            Some(Answer::Json(500, json!({"message":"Get https://r.test/v2/: dial tcp 10.0.0.1:443: i/o timeout"})))
        }
        path if path.contains("/images/r.test/down:1/json") => {
            Some(Answer::Json(200, json!({"Id":"sha256:1","RepoDigests":[format!("r.test/down@{known}")]})))
        }
        path if path.contains("/images/own/json") => Some(Answer::Json(200, json!({"Id":"sha256:2","RepoDigests":[]}))),
        path if path.contains("/distribution/") => Some(Answer::Json(404, json!({"message":"manifest unknown"}))),
        _ => None,
    });
    let handle = handle(dial).await;
    let pinned = handle.resolve_digest("r.test/app:1").await.unwrap();
    assert_eq!((pinned.image_with_digest, pinned.local_only), (format!("r.test/app@{digest}"), false));
    let own = handle.resolve_digest("own").await.unwrap();
    assert_eq!((own.image_with_digest.as_str(), own.local_only), ("own", true));
    let down = handle.resolve_digest("r.test/down:1").await.unwrap();
    assert_eq!(down.image_with_digest, format!("r.test/down@{digest}"));
    assert!(handle.resolve_digest("r.test/none:1").await.unwrap_err().is_no_such_image());
    let written = format!("r.test/app:1@{digest}");
    assert_eq!(handle.resolve_digest(&written).await.unwrap().image_with_digest, format!("r.test/app@{digest}"));
}

#[tokio::test]
async fn logs_come_line_by_line() {
    let (_, dial) = fake(|_, path| match path {
        path if path.contains("/containers/abc/json") => {
            Some(Answer::Json(200, json!({"Id":"abc","Config":{"Tty":false}})))
        }
        path if path.contains("/logs") && path.contains("tail=2") => {
            let line = b"2026-03-01T12:00:00Z hello\n";
            let mut frame = vec![2, 0, 0, 0, 0, 0, 0, u8::try_from(line.len()).unwrap()];
            frame.extend_from_slice(line);
            Some(Answer::Bytes(200, frame))
        }
        _ => None,
    });
    let options = LogOptions { tail: Some(2), ..LogOptions::default() };
    let lines: Vec<_> = handle(dial).await.logs(&id("abc"), options).await.unwrap().try_collect().await.unwrap();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].stderr && lines[0].text.as_str() == "hello" && lines[0].at.is_some());
}
