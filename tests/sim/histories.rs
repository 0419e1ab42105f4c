//! Histories by chance: commands, faults, kills and deaths in any order. Then the troubles cease, and what is wanted
//! is what there is. A failure names its seed; `WHARF_SEED=17` plays that one again.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use http::Method;
use wharf::{
    plan,
    sim::{Fault, Link, Rule, Span},
    store::{OperationQuery, ReadStore as _, Store as _, StoreError},
};

use super::{
    guard::is_ours,
    reconciler::Reconciler,
    support::{PATIENCE, Setup, Sim, others, service, stack},
};

/// Histories that run side by side: most of their time is waiting.
const AT_ONCE: usize = 4;

async fn histories(seeds: std::ops::Range<u64>) {
    if let Some(one) = std::env::var("WHARF_SEED").ok().and_then(|seed| seed.parse().ok()) {
        if seeds.contains(&one) {
            history(one).await;
        }
        return;
    }
    let runs = stream::iter(seeds).map(|seed| async move { (seed, tokio::spawn(history(seed)).await) });
    let mut failed = Vec::new();
    let mut runs = std::pin::pin!(runs.buffer_unordered(AT_ONCE));
    while let Some((seed, result)) = runs.next().await {
        if result.is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds that failed: {failed:?} (see above; WHARF_SEED=N plays one again)");
}

async fn history(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut setup = Setup::new(3).short_lease().impatient_with_hosts();
    // Long enough that short troubles end no command, short enough that some hosts are given up.
    setup.defaults.down_after = Duration::from_millis(900);
    let sim = setup.start().await;
    others(&sim).await;
    let mut tale = vec![format!("seed {seed}")];
    let mut reconcilers = vec![Reconciler::start(&sim, "number-0")];
    for step in 0..14 {
        let what = rng.u32(0..100);
        let host = format!("east-{}", rng.u32(1..=3));
        match what {
            0..45 => tale.push(command(&sim, &mut rng).await),
            45..60 => {
                let fault = trouble(&mut rng);
                tale.push(format!("{host}: {fault:?}"));
                let (path, method) = rng
                    .choice([
                        ("/containers/create", Method::POST),
                        ("/start", Method::POST),
                        ("/stop", Method::POST),
                        ("/json", Method::GET),
                        ("", Method::GET),
                    ])
                    .unwrap();
                let rule = Rule::on(path, fault).method(method).times(rng.u32(1..=3));
                sim.script(&host, |script| script.rule(rule));
            }
            60..68 => {
                let link = rng.choice([Link::Hung, Link::Down, Link::Noise]).unwrap();
                tale.push(format!("{host} is {link:?}"));
                sim.engine(&host).set_link(link);
            }
            68..76 => {
                tale.push(format!("{host} is well"));
                sim.engine(&host).set_link(Link::Up);
            }
            76..86 => {
                if let Some((at, victim)) =
                    rng.choice(sim.peek().into_iter().filter(|(_, it)| is_ours(it)).collect::<Vec<_>>())
                {
                    tale.push(format!("{} on {at} dies", victim.name));
                    if rng.bool() {
                        sim.engine(&at).crash(&victim.id, 1);
                    } else {
                        sim.engine(&at).remove_by_hand(&victim.id);
                    }
                }
            }
            86..94 => {
                tale.push("the reconciler is killed, another comes".to_owned());
                if let Some(reconciler) = reconcilers.pop() {
                    reconciler.kill();
                }
                reconcilers.push(Reconciler::start(&sim, &format!("number-{step}")));
            }
            _ => {
                tale.push("one more reconciler".to_owned());
                if reconcilers.len() < 3 {
                    reconcilers.push(Reconciler::start(&sim, &format!("more-{step}")));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(0..120))).await;
    }
    tale.push("all is well".to_owned());
    sim.fleet.script_all(|script| {
        script.clear_rules();
        script.latency = Span::default();
    });
    sim.fleet.hosts().iter().for_each(|host| host.engine.set_link(Link::Up));
    let begun = std::time::Instant::now();
    loop {
        let query = OperationQuery { open_only: true, ..OperationQuery::default() };
        let open = sim.store.operations(query).await.unwrap();
        let wanted = sim.as_wanted().await;
        if open.is_empty() && wanted.is_ok() {
            break;
        }
        if begun.elapsed() > PATIENCE {
            let open: Vec<_> = open.iter().map(|it| (it.intent.summary(), &it.progress)).collect();
            panic!("seed {seed}: {wanted:?}\nopen: {open:#?}\n{tale:#?}\n{}", sim.story().await);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let trouble = sim.guard.trouble();
    assert!(trouble.is_empty(), "seed {seed}: {trouble:#?}\n{tale:#?}");
    for reconciler in reconcilers {
        assert!(reconciler.is_alive(), "seed {seed}: a reconciler left\n{tale:#?}");
        reconciler.kill();
    }
    sim.close().await;
}

fn trouble(rng: &mut fastrand::Rng) -> Fault {
    match rng.u32(0..7) {
        0 => Fault::Fail(500, "out of luck".to_owned()),
        1 => Fault::DropAnswer,
        2 => Fault::Close,
        3 => Fault::Garbage,
        4 => Fault::Truncate,
        5 => Fault::Fail(409, "conflict".to_owned()),
        _ => Fault::Delay(Duration::from_millis(rng.u64(1..400))),
    }
}

/// One command by chance; in words. Refusals and conflicts are answers too.
async fn command(sim: &Sim, rng: &mut fastrand::Rng) -> String {
    let desired = sim.desired().await;
    let exists = desired.services.keys().any(|key| key.stack.as_str() == "shop");
    let observed = sim.eyes.look();
    let now = jiff::Timestamp::now();
    let world = plan::World { fleet: &sim.model, desired: &desired, observed: &observed, now };
    let web = "shop/web".parse().unwrap();
    let (words, planned) = match rng.u32(0..10) {
        0..3 => {
            let (image, n) = (format!("app:{}", rng.u32(1..=3)), rng.u32(1..=6));
            let file = stack("shop", [("web", service(&image, n)), ("api", service("app:1", 2))]);
            (
                format!("deploy {image} x {n}"),
                plan::deploy(&world, &file, &std::collections::BTreeMap::new(), "ana@test"),
            )
        }
        3 if exists => ("rm".to_owned(), plan::remove(&world, &"shop".parse().unwrap(), None)),
        4 if exists => ("restart".to_owned(), plan::restart(&world, &web, None)),
        5 if exists => {
            let query = OperationQuery { open_only: true, ..OperationQuery::default() };
            let Some(open) = sim.store.operations(query).await.unwrap().into_iter().next() else {
                return "nothing to abort".to_owned();
            };
            let done = sim.store.abort(open.id, "ben@test".into(), now).await;
            return format!("abort: {}", done.map_or_else(|error| error.to_string(), |it| it.state.word().to_owned()));
        }
        _ => {
            let to = rng.u32(0..=12);
            let target = plan::ScaleTarget { service: web, region: "east".parse().unwrap(), to };
            (format!("scale to {to}"), plan::scale(&world, &[target]))
        }
    };
    match planned {
        Err(refusal) => format!("{words}: refused: {refusal}"),
        Ok(plan) if plan.is_empty() => format!("{words}: nothing to do"),
        Ok(plan) => match sim.accept(plan).await {
            Ok(_) => words,
            Err(error @ (StoreError::Conflict { .. } | StoreError::Invalid(_))) => format!("{words}: {error}"),
            Err(error) => panic!("{words}: {error}"),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten() {
    histories(0..10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_more() {
    histories(10..20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_ten_more() {
    histories(20..30).await;
}
