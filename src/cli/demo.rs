//! `wharf demo`: simulated engines, a store of its own, a reconciler, and the real program in front of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::Ipv4Addr,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Context, Failure,
    args::DemoArgs,
    dashboard::{self, Look},
    print,
    serve::{self, holder},
};
use crate::{
    app::Mode,
    model::{
        Assignment, Condition, Dependency, Deploy, Desired, Generation, HealthCheck, Intent, Operation, Place, Port,
        PortMode, Progress, Proposal, Protocol, RegionName, Revision, RevisionNo, Sensitive, ServiceKey, ServiceName,
        ServiceSpec, Slot, StackName, StackShared,
    },
    reconcile::Options,
    sim,
    store::{Fence, Sqlite, Store},
};

/// The version of every stack: more than any of their services has revisions.
const VERSION: u32 = 20;

/// The same demo every time.
const SEED: u64 = 1;

/// Serves the simulated fleet and opens the dashboard on it.
pub(super) async fn run(args: DemoArgs, look: Look) -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("the demo's engines cannot be served: {error}"));
    let fleet = match args.hosts {
        None => sim::Fleet::demo(SEED).map_err(failed)?,
        Some(hosts) => sim::Fleet::new(hosts.into(), args.containers.into(), SEED).map_err(failed)?,
    };
    if let Some(latency) = args.latency {
        fleet.script_all(|script| script.latency = sim::Span::ms(latency));
    }
    let file = fleet.dir().join("fleet.toml");
    std::fs::write(&file, fleet_file(&fleet)).map_err(failed)?;
    let context = Context::load(Some(&file))?;
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&context.fleet.store)?);
    seed(store.as_ref(), fleet.world(), &context.fleet.link_pool, Timestamp::now()).await?;

    let stop = CancellationToken::new();
    let options = Options::new(holder(&context.who));
    let reconciler = tokio::spawn(serve::reconcile(context.fleet.clone(), store.clone(), options, stop.clone()));
    let result = if args.serve {
        until_interrupted(&file).await
    } else if args.watch {
        dashboard::watch(context, look).await
    } else {
        // Large fleets are for measuring.
        let tour = !args.no_tour && args.hosts.is_none();
        dashboard::act(context, store, Look { tour, ..look }, Mode::Demo).await
    };
    stop.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(2), reconciler).await;
    // The fleet's directory goes with it.
    drop(fleet);
    result
}

async fn until_interrupted(file: &Path) -> Result<ExitCode, Failure> {
    print::line(&file.display().to_string());
    let failed = |error: std::io::Error| Failure::Failed(format!("signals cannot be handled: {error}"));
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(failed)?;
    let mut hang_up = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map_err(failed)?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The fleet file of the simulated hosts: other terminals can use it too.
fn fleet_file(fleet: &sim::Fleet) -> String {
    let mut text = format!("fleet = \"{}\"\nstore = \"demo.db\"\n", fleet.world().fleet);
    for region in fleet.world().regions() {
        let _ = write!(text, "\n[[region]]\nname = \"{region}\"\n");
        for host in fleet.hosts().iter().filter(|host| host.region == region) {
            let labels: Vec<String> =
                host.labels.iter().map(|(key, value)| format!("\"{key}\" = \"{value}\"")).collect();
            let _ = write!(
                text,
                "\n[[region.host]]\nname = \"{}\"\nconnect = \"unix://{}\"\naddress = \"{}\"\nlabels = {{ {} }}\n",
                host.name,
                host.socket.display(),
                host.address,
                labels.join(", ")
            );
        }
    }
    text
}

/// Writes the desired state that the simulated containers were born with.
async fn seed(store: &dyn Store, world: &sim::World, links: &str, now: Timestamp) -> Result<(), Failure> {
    let broken = |error: crate::model::NameError| Failure::Failed(format!("the demo's world: {error}"));
    let mut stacks: BTreeMap<StackName, Proposal> = BTreeMap::new();
    let mut addresses = link_addresses(links, world);
    for service in world.services.iter().filter(|service| service.managed) {
        let key = ServiceKey {
            stack: service.stack.parse().map_err(broken)?,
            service: service.service.parse().map_err(broken)?,
        };
        let proposal = stacks.entry(key.stack.clone()).or_insert_with(|| Proposal {
            intent: Intent::Deploy { stack: key.stack.clone() },
            equivalent: format!("wharf deploy -f {}.yaml", key.stack),
            base: Generation::default(),
            revisions: Vec::new(),
            assignments: BTreeMap::new(),
            stacks: BTreeMap::from([(key.stack.clone(), Some(StackShared::default()))]),
            hosts: BTreeMap::new(),
            adopted: BTreeMap::new(),
            confirmed: None,
        });
        if let (false, Some(Some(shared))) = (service.ports.is_empty(), proposal.stacks.get_mut(&key.stack)) {
            shared.addresses.extend(addresses.next().map(|address| (key.service.clone(), address)));
        }
        proposal.revisions.extend(revisions(service, &key, now));
        for placed in world.replicas.iter().filter(|p| p.stack == service.stack && p.service == service.service) {
            let region = placed.region.parse().map_err(broken)?;
            let assignment =
                proposal.assignments.entry((key.clone(), region)).or_default().get_or_insert_with(Assignment::default);
            let place = Place {
                host: placed.host.parse().map_err(broken)?,
                revision: RevisionNo(u32::try_from(placed.revision).unwrap_or(1)),
            };
            assignment.slots.insert(Slot(placed.slot), place);
        }
    }
    let mut seeded = Vec::new();
    for (number, (_, mut proposal)) in (0_i64..).zip(stacks) {
        let desired: Arc<Desired> = store.desired().await?;
        proposal.base = desired.generation;
        // The last deploys were some hours ago, one after the other.
        let at = now.saturating_sub(jiff::SignedDuration::from_mins(180 + number * 97)).unwrap_or(now);
        seeded.push(store.accept(proposal, "ana@demo".into(), at).await?);
    }
    settle(store, &seeded).await
}

/// Virtual addresses for services that others reach, out of a range in CIDR form. A fleet of any size has none: with
/// hundreds of services on every host it shows how wharf looks at much, not how much a proxy carries.
fn link_addresses(pool: &str, world: &sim::World) -> impl Iterator<Item = Ipv4Addr> + use<> {
    let first = pool.split('/').next().and_then(|first| first.parse::<Ipv4Addr>().ok());
    let few = first.filter(|_| world.services.len() < 50);
    few.into_iter().flat_map(|first| (1..250).map(move |at| Ipv4Addr::from_bits(first.to_bits() | at)))
}

/// The deploys of the past are over: what they asked for is what the simulated hosts were born with.
async fn settle(store: &dyn Store, seeded: &[Operation]) -> Result<(), Failure> {
    let done = |replicas: u32| Progress { done: replicas, total: replicas, finished: true, ..Progress::default() };
    let regions: BTreeSet<RegionName> = seeded.iter().flat_map(Operation::regions).collect();
    for region in regions {
        let Some(epoch) = store.take_lease(region.clone(), "demo".into()).await? else { continue };
        let fence = Fence { region: region.clone(), epoch };
        let replicas = |operation: &Operation| {
            let wanted = operation.after.values().filter_map(|regions| regions.get(&region)?.as_ref());
            u32::try_from(wanted.map(|assignment| assignment.slots.len()).sum::<usize>()).unwrap_or(u32::MAX)
        };
        let progress = seeded
            .iter()
            .filter(|operation| operation.regions().contains(&region))
            .map(|operation| (operation.id, done(replicas(operation))))
            .collect();
        store.report(fence.clone(), progress, Vec::new()).await?;
        store.release_lease(fence).await?;
    }
    Ok(())
}

/// The service's revision and those before it, one every three days.
fn revisions(service: &sim::ServiceSeed, key: &ServiceKey, now: Timestamp) -> Vec<Revision> {
    let newest = u32::try_from(service.revision).unwrap_or(1);
    (1..=newest)
        .map(|no| {
            let image = if no == newest { &service.image } else { &service.previous };
            let age = jiff::SignedDuration::from_hours(i64::from(newest - no) * 72 + 7);
            Revision {
                service: key.clone(),
                no: RevisionNo(no),
                spec: ServiceSpec { image: image.clone(), ..spec(service) },
                image: if no == newest { pinned(image, &service.digest) } else { image.clone() },
                at: now.saturating_sub(age).unwrap_or(now),
                by: (if no % 3 == 0 { "ben@demo" } else { "ana@demo" }).into(),
                note: "deploy".into(),
                version: VERSION.saturating_sub(newest - no),
                restores: None,
            }
        })
        .collect()
}

/// `name@sha256:…`.
fn pinned(image: &str, digest: &str) -> String {
    let name = image.rsplit_once(':').map_or(image, |(name, _)| name);
    format!("{name}@{digest}")
}

/// What the demo company's services depend on: stack, service, what it needs.
const NEEDS: [(&str, &str, &[&str]); 6] = [
    ("shop", "web", &["api", "cart"]),
    ("shop", "api", &["redis"]),
    ("shop", "cart", &["redis"]),
    ("payments", "api", &["ledger"]),
    ("payments", "worker", &["api", "ledger"]),
    ("search", "query", &["index"]),
];

fn needs(service: &sim::ServiceSeed) -> BTreeMap<ServiceName, Dependency> {
    let line = NEEDS.iter().find(|(stack, name, _)| *stack == service.stack && *name == service.service);
    let names = line.into_iter().flat_map(|(.., names)| *names).filter_map(|name| name.parse().ok());
    names.map(|name| (name, Dependency { condition: Condition::ServiceHealthy, required: true })).collect()
}

fn spec(service: &sim::ServiceSeed) -> ServiceSpec {
    ServiceSpec {
        depends_on: needs(service),
        environment: service.env.iter().map(|(key, value)| (key.clone(), Sensitive(value.clone()))).collect(),
        ports: service
            .ports
            .iter()
            .map(|port| Port {
                target: port.container,
                published: port.entry,
                host_ip: None,
                protocol: Protocol::Tcp,
                mode: PortMode::Ingress,
            })
            .collect(),
        healthcheck: service.healthcheck.as_ref().map(|test| HealthCheck {
            test: test.clone(),
            interval: Some(Duration::from_secs(2)),
            ..HealthCheck::default()
        }),
        deploy: Deploy {
            resources: crate::model::Resources {
                memory_limit: (service.memory > 0).then_some(service.memory),
                ..Default::default()
            },
            ..Deploy::default()
        },
        ..ServiceSpec::default()
    }
}
