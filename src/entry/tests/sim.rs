//! A keeper and a watch with a simulated engine: the whole way through the Docker API, and the simulated proxy's words.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use super::{
    keeping::{backend_name, spec},
    kept::Kept,
};
use crate::{
    clock::Clock,
    engine::{Handle, MemoryDial, open_memory},
    entry::{Keeper, Watch},
    model::{Bind, FleetName, HostName, ProxySpec, RegionName},
    sim::{Engine, Fault, Rule},
};

fn fleet() -> FleetName {
    FleetName::new("simmed").unwrap()
}

/// A keeper of the engine's proxy.
async fn keep(engine: &Arc<Engine>, wanted: ProxySpec) -> (Kept, Handle) {
    let (host, near) = (HostName::new("h1").unwrap(), engine.clone());
    let handle = open_memory(&fleet(), &host, MemoryDial::new(move || Ok(near.connect()))).await.unwrap();
    let (sender, receiver) = watch::channel(Some(wanted));
    let (tell, told) = mpsc::channel(100);
    let region = RegionName::new("east").unwrap();
    let keeper = Keeper::start(fleet(), region, handle.clone(), tell, receiver, |work| work);
    (Kept::of(sender, told, keeper), handle)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_proxy_is_kept_like_a_real_one() {
    let engine = Engine::quick("h1");
    let mut wanted = spec(8080, &[(1, 32768)]);
    wanted.image = "haproxy:3.2-alpine".into();
    let (mut kept, handle) = keep(&engine, wanted).await;
    kept.until_listed(&[1]).await;
    assert_eq!(kept.last.as_ref().unwrap().problem, "");
    // Another member, then another structure, then another image.
    let more = spec(8080, &[(1, 32768), (2, 32769)]).members;
    kept.want(|spec| spec.members = more);
    kept.until_listed(&[1, 2]).await;
    kept.want(|spec| {
        let mut frontend = spec.structure.frontends[0].clone();
        frontend.bind = Bind::Edge { port: 8081 };
        spec.structure.frontends.push(frontend);
    });
    kept.until_listed(&[1, 2]).await;
    let first = kept.last.clone().unwrap().container;
    let (seen, mut watched) = mpsc::channel(10);
    let watch = Watch::start(fleet(), handle.reader().clone(), seen);
    let update = watched.recv().await.unwrap();
    let crate::model::HostChange::Proxy(Some(view)) = update.change else { panic!("{update:?}") };
    assert_eq!((&view.container, view.backends[&backend_name()].servers.len()), (&first, 2));
    drop(watch);
    kept.want(|spec| spec.image = "haproxy:3.4-alpine".into());
    kept.until("another image", |view| view.image == "haproxy:3.4-alpine" && view.container != first).await;
    kept.until_listed(&[1, 2]).await;
    kept.want(|spec| spec.members.get_mut(&backend_name()).unwrap().servers.clear());
    kept.until_listed(&[]).await;
    assert_eq!(kept.last.as_ref().unwrap().problem, "");
    kept.gone().await;
}

/// Docker 20.10 may, when its daemon was restarted, refuse for ever to start a container whose end it has missed.
#[tokio::test(start_paused = true)]
async fn one_that_its_engine_does_not_start_again_is_made_anew() {
    let simulated = crate::sim::Fleet::in_memory(1, Clock::running(), 1);
    let engine = simulated.hosts()[0].engine.clone();
    let (mut kept, handle) = keep(&engine, spec(8080, &[(1, 32768)])).await;
    kept.until_listed(&[1]).await;
    let first = kept.last.clone().unwrap().container;
    let stuck = Fault::Fail(500, format!("task {}: already exists", first.0));
    engine.script(|script| script.rule(Rule::on(&format!("/containers/{}/start", first.0), stuck)));
    handle.signal(&first, "SIGKILL").await.unwrap();
    kept.until("another container", |view| view.container != first && view.problem.is_empty()).await;
    kept.until_listed(&[1]).await;
    assert_eq!(handle.reader().proxies().await.unwrap().len(), 1, "the first is gone");
}

/// Whoever counts only looks that began after a wish of theirs may have noted it a moment after the first such look began.
#[tokio::test(start_paused = true)]
async fn what_has_changed_is_told_in_two_looks() {
    let simulated = crate::sim::Fleet::in_memory(1, Clock::running(), 1);
    let (mut kept, _) = keep(&simulated.hosts()[0].engine, spec(8080, &[(1, 32768)])).await;
    kept.until_listed(&[1]).await;
    // Until nothing is on its way any more.
    tokio::time::sleep(Duration::from_secs(5)).await;
    kept.want(|spec| spec.members.get_mut(&backend_name()).unwrap().servers.clear());
    kept.until_listed(&[]).await;
    let (first, began) = (kept.last.take().unwrap(), tokio::time::Instant::now());
    let second = kept.next().await;
    assert!(second.stands_as(&first) && second.at > first.at, "{first:?} {second:?}");
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}
