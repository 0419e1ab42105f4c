//! A keeper on a real engine: the proxy's container is made, changed, replaced and taken away, and no request fails.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, watch};
use wharf::{
    engine::{self, Handle},
    entry::{Keeper, Watch},
    model::*,
    text::Text,
};

use crate::support::World;

const EDGE: u16 = 8099;

/// A fleet of its own on h3; its containers go when it is dropped.
struct Site {
    world: World,
    fleet: FleetName,
    handle: Handle,
}

impl Site {
    async fn open(name: &str) -> Self {
        let world = World::get();
        let fleet = FleetName::new(name).unwrap();
        let host = Host {
            name: HostName::new("h3").unwrap(),
            connect: Connect::Unix(world.var("H3_SOCKET").into()),
            address: Some(world.var("H3_ADDRESS").to_owned()),
            labels: BTreeMap::new(),
        };
        let handle = engine::open(&fleet, &host).await.unwrap();
        let site = Self { world, fleet, handle };
        site.clean();
        site
    }

    fn clean(&self) {
        let filter = format!("label=wharf.fleet={}", self.fleet);
        let found = self.world.docker("h3", &["ps", "-aq", "--filter", &filter]);
        for id in found.split_whitespace() {
            self.world.docker("h3", &["rm", "-f", id]);
        }
    }

    /// Starts a copy of the app; where it is.
    fn app(&self, slot: u32) -> (ServerName, Server) {
        let address = self.world.var("H3_ADDRESS").to_owned();
        let label = format!("wharf.fleet={}", self.fleet);
        let publish = format!("{address}::8080");
        let id = self.world.docker("h3", &["run", "-d", "--label", &label, "-p", &publish, &self.world.image("1")]);
        let port = self.world.docker("h3", &["port", &id, "8080"]);
        let port = port.lines().next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let name = ServerName { slot: Slot(slot), revision: RevisionNo(1), container: id[..12].to_owned() };
        (name, Server { address, port, check_port: None, duty: Duty::Serving })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.clean();
    }
}

fn name() -> BackendName {
    "shop:web:8080".parse().unwrap()
}

fn spec(site: &Site, servers: &[&(ServerName, Server)]) -> ProxySpec {
    let route = Route { host: None, path: None, backend: name().to_string() };
    let frontend = |bind| Frontend {
        bind,
        speech: Speech::Http,
        certificates: vec![],
        accept_proxy: false,
        routes: vec![route.clone()],
    };
    let backend = Backend {
        speech: Speech::Http,
        check_path: None,
        check_port: None,
        check_interval: Duration::from_secs(1),
        check_timeout: Duration::from_secs(1),
        hold: Duration::ZERO,
        send_proxy: false,
    };
    let servers = servers.iter().map(|(name, server)| (name.clone(), server.clone())).collect();
    ProxySpec {
        image: site.world.var("WORLD_PROXY_IMAGE").to_owned(),
        structure: ProxyStructure {
            pool: "10.219.0.0/16".into(),
            frontends: vec![
                frontend(Bind::Edge { port: EDGE }),
                frontend(Bind::Link { address: [10, 219, 0, 7].into(), port: 8080 }),
            ],
            backends: BTreeMap::from([(name().to_string(), backend)]),
            certificates: BTreeMap::new(),
        },
        members: BTreeMap::from([(name(), Members { servers, is_held: false })]),
        certificates: BTreeMap::new(),
        unseen: std::collections::BTreeSet::new(),
    }
}

/// One request on a connection of its own.
fn get(at: &str) -> Result<(), String> {
    let mut stream = TcpStream::connect(at).map_err(|error| format!("connect: {error}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(|error| error.to_string())?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| format!("read: {error}"))?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer) }
}

/// Requests all the time; the count, the longest, and what failed.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(usize, Duration, Vec<String>)>>,
}

impl Load {
    fn start(at: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let run = |_| {
            let (stop, at) = (stop.clone(), at.to_owned());
            std::thread::spawn(move || {
                let (mut count, mut longest, mut bad) = (0, Duration::ZERO, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    match get(&at) {
                        Ok(()) => count += 1,
                        Err(error) => bad.push(error),
                    }
                    longest = longest.max(begin.elapsed());
                    std::thread::sleep(Duration::from_millis(2));
                }
                (count, longest, bad)
            })
        };
        let threads = (0..4).map(run).collect();
        Self { stop, threads }
    }

    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let all: Vec<_> = self.threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let bad: Vec<_> = all.iter().flat_map(|(_, _, bad)| bad).collect();
        assert!(bad.is_empty(), "{} requests failed: {:?}", bad.len(), &bad[..bad.len().min(3)]);
        let longest = all.iter().map(|(_, longest, _)| *longest).max().unwrap();
        let count = all.iter().map(|(count, _, _)| count).sum();
        println!("{count} requests, the longest {longest:?}");
        count
    }
}

async fn until(
    told: &mut mpsc::Receiver<HostUpdate>,
    what: &str,
    is_so: impl Fn(Option<&ProxyView>) -> bool,
) -> Option<ProxyView> {
    let begin = Instant::now();
    let mut last = None;
    loop {
        let left = Duration::from_secs(60).saturating_sub(begin.elapsed());
        match tokio::time::timeout(left, told.recv()).await {
            Ok(Some(HostUpdate { change: HostChange::Proxy(view), .. })) => {
                if is_so(view.as_deref()) {
                    println!("{what}: {:?}", begin.elapsed());
                    return view.map(|view| *view);
                }
                last = view;
            }
            other => panic!("{what}: {other:?}; last {last:?}"),
        }
    }
}

fn serving(view: Option<&ProxyView>, spec: &ProxySpec, servers: &[&(ServerName, Server)]) -> bool {
    let Some(view) = view else { return false };
    let Some(backend) = view.backends.get(&name()) else { return false };
    let ready: Vec<_> =
        backend.servers.iter().filter(|(_, server)| server.is_ready && server.is_up).map(|(n, _)| n).collect();
    view.image == Text::new(&spec.image)
        && view.structure == spec.structure.digest().as_str()
        && ready == servers.iter().map(|(name, _)| name).collect::<Vec<_>>()
        && backend.servers.len() == servers.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_lives_on_a_real_engine() {
    let site = Site::open("proxyt").await;
    let (one, two, three) = (site.app(1), site.app(2), site.app(3));
    let (tell, mut told) = mpsc::channel(1000);
    let region = RegionName::new("east").unwrap();
    let (wanted, receiver) = watch::channel(Some(spec(&site, &[&one])));
    let want = |servers: &[&(ServerName, Server)]| {
        wanted.send_modify(|now| now.as_mut().unwrap().members = spec(&site, servers).members);
    };
    let start = |tell: &mpsc::Sender<HostUpdate>| {
        Keeper::start(
            site.fleet.clone(),
            region.clone(),
            site.handle.clone(),
            tell.clone(),
            wanted.subscribe(),
            |work| work,
        )
    };
    drop(receiver);
    let keeper = start(&tell);
    let now = || wanted.borrow().clone().unwrap();
    let first = until(&mut told, "the first serves", |view| serving(view, &now(), &[&one])).await.unwrap();
    let edge = format!("{}:{EDGE}", site.world.var("H3_ADDRESS"));
    get(&edge).unwrap();
    // From a container on a network of its own, by the virtual address.
    let said = site.world.docker(
        "h3",
        &["exec", &one.0.container, "sh", "-c", "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc 10.219.0.7 8080"],
    );
    assert!(said.contains("200 OK"), "{said}");

    let load = Load::start(&edge);
    want(&[&one, &two, &three]);
    until(&mut told, "two more serve", |view| serving(view, &now(), &[&one, &two, &three])).await;
    want(&[&three]);
    until(&mut told, "two are gone", |view| serving(view, &now(), &[&three])).await;
    for gone in [&one, &two] {
        site.world.docker("h3", &["rm", "-f", &gone.0.container]);
    }
    wanted.send_modify(|spec| {
        let spec = spec.as_mut().unwrap();
        let mut frontend = spec.structure.frontends[0].clone();
        frontend.bind = Bind::Edge { port: EDGE + 1 };
        spec.structure.frontends.push(frontend);
    });
    until(&mut told, "another port is open", |view| serving(view, &now(), &[&three])).await;
    get(&format!("{}:{}", site.world.var("H3_ADDRESS"), EDGE + 1)).unwrap();

    // Another keeper takes it as it is, and a watch sees the same.
    drop(keeper);
    let (tell, mut told) = mpsc::channel(1000);
    let keeper = start(&tell);
    let adopted = until(&mut told, "another keeper has it", |view| serving(view, &now(), &[&three])).await.unwrap();
    assert_eq!(adopted.container, first.container);
    assert_eq!(adopted.problem, "");
    let (seen, mut watched) = mpsc::channel(100);
    let watch = Watch::start(site.fleet.clone(), site.handle.reader().clone(), seen);
    until(&mut watched, "a watch sees it", |view| serving(view, &now(), &[&three])).await;
    drop(watch);

    // Another image takes over.
    wanted.send_modify(|spec| site.world.var("WORLD_PROXY_IMAGE_B").clone_into(&mut spec.as_mut().unwrap().image));
    let other = until(&mut told, "another image serves", |view| serving(view, &now(), &[&three])).await.unwrap();
    assert_ne!(other.container, first.container);
    until(&mut told, "the earlier has ended", |view| view.is_some_and(|view| view.leaving == 0)).await;
    let filter = format!("label=wharf.fleet={}", site.fleet);
    let there = site.world.docker("h3", &["ps", "-aq", "--filter", &filter, "--filter", "label=wharf.proxy"]);
    assert_eq!(there.lines().count(), 1, "{there}");
    assert!(load.end() > 300);

    // It comes back by itself with the same members: the file is in step.
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(keeper);
    site.world.docker("h3", &["restart", "-t", "3", other.container.0.as_str()]);
    let begin = Instant::now();
    while get(&edge).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let keeper = start(&tell);
    until(&mut told, "it is taken again", |view| serving(view, &now(), &[&three])).await;

    wanted.send_replace(None);
    until(&mut told, "it is gone", |view| view.is_none()).await;
    assert!(get(&edge).is_err());
    let there = site.world.docker("h3", &["ps", "-aq", "--filter", &filter, "--filter", "label=wharf.proxy"]);
    assert_eq!(there, "");
    drop(keeper);
}
