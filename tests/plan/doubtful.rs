//! What the proxies make of a copy that was asked to end, of which nobody knows whether it does.

use std::collections::BTreeMap;

use wharf::{
    model::*,
    plan::{deploy, next},
    text::Text,
};

use crate::fake::Fake;

const WANTED: u32 = 2;

fn file() -> StackSpec {
    let port =
        Port { target: 8080, published: Some(80), host_ip: None, protocol: Protocol::Tcp, mode: PortMode::Ingress };
    let deploy = Deploy { replicas: Some(WANTED), ..Deploy::default() };
    let web = ServiceSpec { image: "web:1".into(), ports: vec![port], deploy, ..ServiceSpec::default() };
    StackSpec {
        name: "shop".parse().unwrap(),
        services: [("web".parse().unwrap(), web)].into_iter().collect(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
    }
}

/// Two replicas that run since an hour, of which some were asked to end two seconds ago: what each is there for.
fn duties(asked: &[u32]) -> Vec<Duty> {
    let mut fake = Fake::default();
    fake.add_host("e-1", "east");
    let plan = deploy(&fake.world(), &file(), &BTreeMap::new(), "ana").unwrap();
    fake.accept(&plan);
    fake.operations.clear();
    let (host, region): (HostName, RegionName) = ("e-1".parse().unwrap(), "east".parse().unwrap());
    for slot in 1..=WANTED {
        let key = ReplicaKey { region: region.clone(), service: "shop/web".parse().unwrap(), slot: Slot(slot) };
        let mut container = fake.container(key, RevisionNo(1), 0, "web:1");
        container.started = Some(fake.ago(3600));
        let address = Text::new("0.0.0.0");
        let published = Some(32_768 + u16::try_from(slot).unwrap());
        container.ports.push(Binding { target: 8080, published, address, protocol: Protocol::Tcp });
        if asked.contains(&slot) {
            fake.memory.asked_to_stop.insert((host.clone(), container.id.clone()), fake.ago(2));
        }
        fake.observed.hosts.get_mut(&host).unwrap().containers.insert(container.id.clone(), container);
    }
    let proxies = next(&fake.world(), &region, &fake.memory, &[]).proxies;
    let members = proxies[&host].members.values().next().unwrap();
    members.servers.values().map(|server| server.duty).collect()
}

#[test]
fn it_serves_only_where_nothing_else_does() {
    use Duty::{Leaving, Serving};
    assert_eq!(duties(&[]), [Serving, Serving]);
    assert_eq!(duties(&[1]), [Leaving, Serving]);
    assert_eq!(duties(&[1, 2]), [Serving, Serving], "better one that may end than none");
}
