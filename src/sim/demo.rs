//! The worlds: a company of six stacks for the demo, and any number of hosts and containers for benchmarks.

use super::num;
use super::registry::Registry;
use super::world::{HostSeed, PlacedReplica, PortSeed, ServiceSeed, World};
use std::collections::BTreeMap;

/// Regions that a generalised fleet spreads over.
const REGIONS: [&str; 8] = ["east", "west", "ap", "eu", "sa", "af", "me", "oc"];

/// A service as a line of the catalogue: stack, name, version, version before, replicas per region, port, entry port, check, MiB.
struct Line(&'static str, &'static str, &'static str, &'static str, u32, Option<u16>, Option<u16>, &'static str, u64);

const CATALOGUE: [Line; 12] = [
    Line("shop", "web", "2.8.1", "2.8.0", 4, Some(8080), Some(80), "wget -q -O- http://127.0.0.1:8080/healthz", 256),
    Line("shop", "api", "2.8.1", "2.8.0", 4, Some(8080), None, "wget -q -O- http://127.0.0.1:8080/healthz", 512),
    Line("shop", "cart", "1.4.0", "1.3.7", 3, Some(8080), None, "wget -q -O- http://127.0.0.1:8080/healthz", 512),
    Line("shop", "redis", "7.4.1", "7.2.6", 1, Some(6379), None, "redis-cli ping", 512),
    Line(
        "payments",
        "api",
        "12.0.3",
        "12.0.2",
        3,
        Some(8080),
        Some(8443),
        "wget -q -O- http://127.0.0.1:8080/healthz",
        512,
    ),
    Line("payments", "worker", "12.0.3", "12.0.2", 2, None, None, "", 768),
    Line("payments", "ledger", "4.1.0", "4.0.9", 1, Some(5432), None, "pg_isready", 2048),
    Line("search", "index", "3.2.0", "3.1.4", 2, None, None, "", 512),
    Line("search", "query", "3.2.0", "3.1.4", 2, Some(9200), None, "wget -q -O- http://127.0.0.1:9200/", 1024),
    Line("assets", "cdn", "0.9.12", "0.9.11", 2, Some(8080), Some(8081), "wget -q -O- http://127.0.0.1:8080/", 128),
    Line("assets", "thumb", "0.9.12", "0.9.11", 1, Some(8090), None, "wget -q -O- http://127.0.0.1:8090/ready", 768),
    Line("auth", "gate", "5.0.0", "4.9.2", 2, Some(8080), Some(9443), "wget -q -O- http://127.0.0.1:8080/healthz", 256),
];

impl Line {
    fn seed(&self, stack: &str, registry: &Registry) -> ServiceSeed {
        let Self(base, service, version, before, _, port, entry, check, mib) = self;
        let name = format!("acme/{base}-{service}");
        let revision = 2 + num::hash(&format!("{stack}/{service}")) % 11;
        let env = [
            ("SERVICE", format!("{stack}/{service}")),
            ("LOG_LEVEL", "info".to_owned()),
            ("TOKEN_FILE", "/run/secrets/token".to_owned()),
        ];
        let check: Vec<String> = ["CMD-SHELL", check].iter().map(|word| (*word).to_owned()).collect();
        // Told to the registry, so that rolling back by digest finds the version before.
        registry.digest(&name, before);
        ServiceSeed {
            stack: stack.to_owned(),
            service: (*service).to_owned(),
            revision,
            image: format!("{name}:{version}"),
            digest: registry.digest(&name, version),
            previous: format!("{name}:{before}"),
            env: env.map(|(key, value)| (key.to_owned(), value)).to_vec(),
            ports: port.iter().map(|container| PortSeed { container: *container, entry: *entry }).collect(),
            healthcheck: check.last().is_some_and(|check| !check.is_empty()).then_some(check),
            memory: mib << 20,
            replicas: BTreeMap::new(),
            managed: true,
        }
    }
}

fn host(name: String, region: &str, number: usize, order: usize) -> HostSeed {
    const ZONES: [&str; 3] = ["a", "b", "c"];
    const SIZES: [(u32, u64); 3] = [(8, 32), (4, 16), (16, 64)];
    let (cpus, gib) = SIZES.get((number + order) % SIZES.len()).copied().unwrap_or((4, 16));
    let mut labels = BTreeMap::from([("zone".to_owned(), ZONES.get(number % 3).copied().unwrap_or("a").to_owned())]);
    labels.insert("role".to_owned(), if number < 2 { "edge" } else { "inner" }.to_owned());
    labels.insert("size".to_owned(), format!("{cpus}x{gib}"));
    HostSeed {
        name,
        region: region.to_owned(),
        address: format!("10.{}.{}.{}", order + 1, number / 200, number % 200 + 11),
        labels,
        cpus,
        memory: gib << 30,
    }
}

/// Places `count` replicas of a service in a region, going round its hosts from a given one on.
fn place(world: &mut World, seed: &mut ServiceSeed, region: &str, count: u32, next: &mut usize) {
    let hosts: Vec<String> =
        world.hosts.iter().filter(|host| host.region == region).map(|host| host.name.clone()).collect();
    for slot in 1..=count {
        let Some(host) = hosts.get(*next % hosts.len().max(1)) else { return };
        *next += 1;
        world.replicas.push(PlacedReplica {
            region: region.to_owned(),
            host: host.clone(),
            stack: seed.stack.clone(),
            service: seed.service.clone(),
            slot,
            revision: seed.revision,
            container: seed.container_name(slot),
        });
    }
    seed.replicas.insert(region.to_owned(), count);
}

/// The environment of a container of the stack that Compose deployed: with passwords, as people write them.
fn intranet(service: &str) -> Vec<(String, String)> {
    let own: &[(&str, &str)] = match service {
        "db" => {
            &[("POSTGRES_USER", "intranet"), ("POSTGRES_PASSWORD", "correct-horse-battery"), ("PGDATA", "/data/pg")]
        }
        "mail" => &[("RELAY_HOST", "smtp.acme.internal"), ("RELAY_PASSWORD", "staple-1999")],
        _ => &[
            ("DATABASE_URL", "postgres://intranet:correct-horse-battery@db:5432/intranet"),
            ("SECRET_KEY_BASE", "8f0c2b6e41d97a35"),
        ],
    };
    let pairs = own.iter().chain(&[("TZ", "UTC")]);
    pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Three regions, twelve hosts, five stacks that wharf manages and one that Compose deployed on host `w-3`.
pub(super) fn company(registry: &Registry) -> World {
    let mut world = World { fleet: "acme".to_owned(), ..World::default() };
    for (order, (region, letter, hosts)) in [("east", 'e', 5), ("west", 'w', 4), ("ap", 'a', 3)].into_iter().enumerate()
    {
        world.hosts.extend((0..hosts).map(|n| host(format!("{letter}-{}", n + 1), region, n, order)));
    }
    let mut next = [0_usize; 3];
    for line in &CATALOGUE {
        let mut seed = line.seed(line.0, registry);
        for (region, next) in ["east", "west", "ap"].into_iter().zip(&mut next) {
            place(&mut world, &mut seed, region, line.4, next);
        }
        world.services.push(seed);
    }
    for (service, image, port) in [
        ("web", "acme/intranet:1.19", Some(80)),
        ("db", "postgres:13.16", Some(5432)),
        ("cron", "acme/intranet:1.19", None),
        ("mail", "acme/relay:0.3", Some(25)),
    ] {
        let (name, tag) = image.split_once(':').unwrap_or((image, "latest"));
        let seed = ServiceSeed {
            stack: "legacy".to_owned(),
            service: service.to_owned(),
            revision: 0,
            image: image.to_owned(),
            digest: registry.digest(name, tag),
            previous: image.to_owned(),
            env: intranet(service),
            ports: port.into_iter().map(|container| PortSeed { container, entry: None }).collect(),
            healthcheck: None,
            memory: 0,
            replicas: BTreeMap::from([("west".to_owned(), 1)]),
            managed: false,
        };
        world.replicas.push(PlacedReplica {
            region: "west".to_owned(),
            host: "w-3".to_owned(),
            stack: "legacy".to_owned(),
            service: service.to_owned(),
            slot: 1,
            revision: 0,
            container: seed.container_name(1),
        });
        world.services.push(seed);
    }
    world
}

/// `hosts` hosts with exactly `containers` containers each, over up to eight regions.
pub(super) fn sized(hosts: usize, containers: usize, registry: &Registry) -> World {
    let mut world = World { fleet: "acme".to_owned(), ..World::default() };
    let regions = hosts.div_ceil(4).clamp(1, REGIONS.len());
    for n in 0..hosts {
        let (order, number) = (n % regions, n / regions);
        let Some(region) = REGIONS.get(order) else { continue };
        world.hosts.push(host(format!("{region}-{}", number + 1), region, number, order));
    }
    world.hosts.sort_by_key(|host| REGIONS.iter().position(|region| *region == host.region));
    let largest = hosts.div_ceil(regions.max(1)) * containers;
    // About eight replicas per service and region, and never so many services that the list is only that.
    let services = (largest / 8).clamp(1.min(largest), 600);
    let mut next = [0_usize; REGIONS.len()];
    for n in 0..services {
        let (round, at) = (n / CATALOGUE.len(), n % CATALOGUE.len());
        let Some(line) = CATALOGUE.get(at) else { continue };
        let stack = if round == 0 { line.0.to_owned() } else { format!("{}-{}", line.0, round + 1) };
        let mut seed = line.seed(&stack, registry);
        if round > 0 {
            // The edge has each port once.
            seed.ports.iter_mut().for_each(|port| port.entry = None);
        }
        for (order, (region, next)) in REGIONS.iter().zip(&mut next).take(regions).enumerate() {
            let here = hosts / regions + usize::from(order < hosts % regions);
            let total = here * containers;
            let count = total / services + usize::from(n < total % services);
            place(&mut world, &mut seed, region, u32::try_from(count).unwrap_or(u32::MAX), next);
        }
        world.services.push(seed);
    }
    world
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_company() {
        let world = company(&Registry::default());
        assert_eq!(world.regions(), ["east", "west", "ap"]);
        assert_eq!(world.hosts.len(), 12);
        let stacks: BTreeSet<&str> = world.services.iter().map(|seed| seed.stack.as_str()).collect();
        assert_eq!(stacks.len(), 6);
        assert_eq!(world.replicas.len(), 3 * 27 + 4);
        let names: BTreeSet<(&str, &str)> =
            world.replicas.iter().map(|r| (r.host.as_str(), r.container.as_str())).collect();
        assert_eq!(names.len(), world.replicas.len(), "container names are unique on their host");
        assert_eq!(world.on_host("w-3").filter(|replica| replica.stack == "legacy").count(), 4);
        assert!(world.service("shop", "web").unwrap().container_name(3).starts_with("shop-web-3-r"));
    }

    #[test]
    fn any_size_is_exact() {
        for (hosts, containers) in [(1, 1), (1, 100), (7, 3), (200, 50), (9, 0)] {
            let world = sized(hosts, containers, &Registry::default());
            assert_eq!(world.hosts.len(), hosts);
            assert!(world.regions().len() <= 8);
            let mut per_host = BTreeMap::new();
            for replica in &world.replicas {
                *per_host.entry(replica.host.as_str()).or_insert(0_usize) += 1;
            }
            assert!(per_host.values().all(|count| *count == containers), "{hosts}x{containers}: {per_host:?}");
            assert_eq!(per_host.len(), if containers == 0 { 0 } else { hosts });
            let names: BTreeSet<(&str, &str)> =
                world.replicas.iter().map(|r| (r.host.as_str(), r.container.as_str())).collect();
            assert_eq!(names.len(), world.replicas.len());
        }
    }
}
