//! A keeper with a real HAProxy: what it makes of a spec, and that no request fails meanwhile.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{kept::Kept, until};
use crate::model::{
    Backend, BackendName, Bind, Duty, Frontend, Members, ProxySpec, ProxyStructure, RevisionNo, Route, Server,
    ServerName, Slot, Speech,
};

/// A server that answers every request with its name, after a while.
struct App {
    port: u16,
    answered: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl App {
    async fn start(name: &'static str, wait: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answered = Arc::new(AtomicUsize::new(0));
        let count = answered.clone();
        let task = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                serving.spawn(serve(stream, name, wait, count.clone()));
            }
        });
        Self { port, answered, task }
    }
}

async fn serve(mut stream: TcpStream, name: &'static str, wait: Duration, answered: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count) = stream.read(&mut buffer).await
        && count > 0
    {
        head.extend_from_slice(&buffer[..count]);
        while let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            head.drain(..end + 4);
            tokio::time::sleep(wait).await;
            answered.fetch_add(1, Ordering::Relaxed);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// Sends one request on a new connection; the status and the body, or what went wrong.
async fn get(port: u16, path: &str) -> Result<(u16, String), String> {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|e| e.to_string())?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|e| e.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map_err(|e| e.to_string())?;
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or("no answer")?;
        Ok((status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().trim().to_owned()))
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.map_err(|_| "timeout".to_owned())?
}

/// A steady load; what failed.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Load {
    fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..4)
            .map(|_| {
                let stop = stop.clone();
                tokio::spawn(async move {
                    let (mut good, mut bad) = (0, Vec::new());
                    while !stop.load(Ordering::Relaxed) {
                        match get(port, "/").await {
                            Ok((200, _)) => good += 1,
                            other => bad.push(format!("{other:?}")),
                        }
                        tokio::time::sleep(Duration::from_millis(3)).await;
                    }
                    (good, bad)
                })
            })
            .collect();
        Self { stop, tasks }
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = 0;
        for task in self.tasks {
            let (good, bad) = task.await.unwrap();
            assert!(bad.is_empty(), "{} failed: {:?}", bad.len(), &bad[..bad.len().min(5)]);
            all += good;
        }
        all
    }
}

pub(super) fn backend_name() -> BackendName {
    "shop:web:8080".parse().unwrap()
}

fn server_name(slot: u32) -> ServerName {
    ServerName { slot: Slot(slot), revision: RevisionNo(1), container: format!("c{slot:011}") }
}

fn backend() -> Backend {
    Backend {
        speech: Speech::Http,
        check_path: Some("/".into()),
        check_port: None,
        check_interval: Duration::from_millis(500),
        check_timeout: Duration::from_secs(1),
        hold: Duration::from_secs(10),
        send_proxy: false,
    }
}

/// A proxy with one entry for one service.
pub(super) fn spec(edge: u16, apps: &[(u32, u16)]) -> ProxySpec {
    let route = Route { host: None, path: None, backend: backend_name().to_string() };
    let frontend = Frontend {
        bind: Bind::Edge { port: edge },
        speech: Speech::Http,
        certificates: Vec::new(),
        accept_proxy: false,
        routes: vec![route],
    };
    let mut members = Members::default();
    for (slot, port) in apps {
        let server = Server { address: "127.0.0.1".into(), port: *port, check_port: None, duty: Duty::Serving };
        members.servers.insert(server_name(*slot), server);
    }
    ProxySpec {
        image: "one".into(),
        structure: ProxyStructure {
            pool: "10.211.0.0/16".into(),
            frontends: vec![frontend],
            backends: BTreeMap::from([(backend_name().to_string(), backend())]),
            certificates: BTreeMap::new(),
        },
        members: BTreeMap::from([(backend_name(), members)]),
        certificates: BTreeMap::new(),
        unseen: std::collections::BTreeSet::new(),
    }
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
    listener.local_addr().map(|at: SocketAddr| at.port()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_without_a_failed_request() {
    let dir = tempfile::tempdir().unwrap();
    let edge = free_port().await;
    let (a, b) = (App::start("a", Duration::ZERO).await, App::start("b", Duration::from_millis(300)).await);
    let mut kept = Kept::start("members", dir.path(), spec(edge, &[(1, a.port)]));
    kept.until_serving(&[1]).await;
    assert_eq!(get(edge, "/").await.unwrap(), (200, "a".into()));
    let load = Load::start(edge);
    // One more, then only the other: its requests take a while, so the first one's end is waited for.
    kept.want(|spec| {
        let mut server = spec.members[&backend_name()].servers[&server_name(1)].clone();
        server.port = b.port;
        spec.members.get_mut(&backend_name()).unwrap().servers.insert(server_name(2), server);
    });
    kept.until_serving(&[1, 2]).await;
    until("b answers", async || b.answered.load(Ordering::Relaxed) > 10).await;
    kept.want(|spec| {
        spec.members.get_mut(&backend_name()).unwrap().servers.remove(&server_name(2));
    });
    kept.until("b is gone", |view| view.backends[&backend_name()].servers.len() == 1).await;
    assert!(load.end().await > 100);
    assert_eq!(kept.last.as_ref().unwrap().problem, "");
    let told = kept.last.as_ref().unwrap().backends[&backend_name()].traffic;
    assert!(told.requests > 100 && told.failed == 0, "{told:?}");
    // The file is in step: a restart would serve the same.
    let file = dir.path().join("etc/haproxy.cfg");
    until("the file is in step", async || {
        let text = std::fs::read_to_string(&file).unwrap();
        text.contains("server 1-r1-") && !text.contains("server 2-r1-")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_wait_while_the_only_replica_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let edge = free_port().await;
    let (a, b) = (App::start("a", Duration::ZERO).await, App::start("b", Duration::ZERO).await);
    let mut kept = Kept::start("hold", dir.path(), spec(edge, &[(1, a.port)]));
    kept.until_serving(&[1]).await;
    let load = Load::start(edge);
    tokio::time::sleep(Duration::from_millis(200)).await;
    kept.want(|spec| {
        let members = spec.members.get_mut(&backend_name()).unwrap();
        members.is_held = true;
        members.servers.get_mut(&server_name(1)).unwrap().duty = Duty::Leaving;
    });
    kept.until("a is drained", |view| {
        view.backends[&backend_name()].servers.values().all(|server| !server.is_ready && server.sessions == 0)
    })
    .await;
    drop(a);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let other = spec(edge, &[(2, b.port)]);
    kept.want(|spec| spec.members = other.members);
    kept.until_serving(&[2]).await;
    assert!(load.end().await > 50);
    assert!(b.answered.load(Ordering::Relaxed) > 0);
    assert_eq!(kept.last.as_ref().unwrap().backends[&backend_name()].traffic.retries, 0, "waiting is no retry");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_and_another_image_refuse_no_connection() {
    let dir = tempfile::tempdir().unwrap();
    let (edge, more) = (free_port().await, free_port().await);
    let a = App::start("a", Duration::from_millis(20)).await;
    let mut kept = Kept::start("reload", dir.path(), spec(edge, &[(1, a.port)]));
    kept.until_serving(&[1]).await;
    let first = kept.last.clone().unwrap();
    let load = Load::start(edge);
    kept.want(|spec| {
        let mut frontend = spec.structure.frontends[0].clone();
        frontend.bind = Bind::Edge { port: more };
        spec.structure.frontends.push(frontend);
    });
    kept.until_serving(&[1]).await;
    assert_eq!(get(more, "/").await.unwrap().0, 200);
    assert_eq!(kept.last.as_ref().unwrap().container, first.container, "the same container");
    // Another keeper takes it as it is.
    kept.restart();
    kept.last = None;
    kept.until_serving(&[1]).await;
    assert_eq!(kept.last.as_ref().unwrap().container, first.container);
    // Another image takes the sockets over.
    kept.want(|spec| spec.image = "two".into());
    kept.until("the other container serves", |view| view.image == "two" && view.leaving == 0).await;
    kept.until_serving(&[1]).await;
    assert_ne!(kept.last.as_ref().unwrap().container, first.container);
    assert!(load.end().await > 100);
    // And none at all.
    kept.wanted.send_replace(None);
    until("nothing listens", async || TcpStream::connect((Ipv4Addr::LOCALHOST, edge)).await.is_err()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_loaded_is_told_and_the_earlier_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let edge = free_port().await;
    let a = App::start("a", Duration::ZERO).await;
    let mut kept = Kept::start("refused", dir.path(), spec(edge, &[(1, a.port)]));
    kept.until_serving(&[1]).await;
    // A port that another program holds.
    let taken = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    kept.want(|spec| {
        let mut frontend = spec.structure.frontends[0].clone();
        frontend.bind = Bind::Edge { port };
        spec.structure.frontends.push(frontend);
    });
    kept.until("the port is named", |view| {
        view.problem.as_str().contains(&format!("edge:{port}")) && view.problem.as_str().contains("free that port")
    })
    .await;
    assert_eq!(get(edge, "/").await.unwrap().0, 200);
    // A path that would leave its place in the file.
    kept.want(|spec| {
        spec.structure.frontends.truncate(1);
        spec.structure.frontends[0].routes[0].path = Some("/x'\n  bind *:1".into());
    });
    kept.until("the path is named", |view| view.problem.as_str().contains("is no path")).await;
    assert_eq!(get(edge, "/").await.unwrap().0, 200);
    // What was right before is right again, without anything else.
    let good = spec(edge, &[(1, a.port)]);
    kept.want(|spec| *spec = good);
    kept.until("nothing is wrong", |view| view.problem.is_empty()).await;
    kept.until_serving(&[1]).await;
}
