//! Ports that images expose, for services whose file names none.

use std::collections::{BTreeMap, BTreeSet};

use wharf::{
    model::*,
    plan::{deploy, expose, silent},
};

use crate::fake::Fake;

fn file() -> StackSpec {
    let port =
        Port { target: 8080, published: Some(80), host_ip: None, protocol: Protocol::Tcp, mode: PortMode::Ingress };
    let spec = |image: &str| ServiceSpec { image: image.to_owned(), ..ServiceSpec::default() };
    let services = [
        ("web", ServiceSpec { ports: vec![port], ..spec("web:1") }),
        ("db", spec("postgres:16")),
        ("agent", ServiceSpec { network_mode: Some("host".into()), ..spec("agent:1") }),
    ];
    StackSpec {
        name: "shop".parse().unwrap(),
        services: services.into_iter().map(|(name, spec)| (name.parse().unwrap(), spec)).collect(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
    }
}

fn ports(stack: &StackSpec) -> Vec<u16> {
    stack.services[&"db".parse::<ServiceName>().unwrap()].expose.iter().map(|port| port.port).collect()
}

#[test]
fn what_the_image_exposes_is_reached_and_nothing_changes_for_that_alone() {
    let mut fake = Fake::default();
    fake.add_host("e-1", "east");
    let none = BTreeMap::new();
    let db: ServiceName = "db".parse().unwrap();
    let known: BTreeMap<ServiceName, BTreeSet<u16>> = [(db.clone(), [5432].into())].into();
    assert_eq!(silent(&file()), std::slice::from_ref(&db), "web names its port, and agent has the host's network");
    let alone = StackSpec { services: file().services.into_iter().take(1).collect(), ..file() };
    assert!(silent(&alone).is_empty());

    // No host has the image yet.
    let mut first = file();
    assert!(expose(&fake.world(), &mut first, &none, &none_known()).is_empty());
    assert!(ports(&first).is_empty());
    let mut now = fake.clone();
    now.accept(&deploy(&now.world(), &first, &none, "ana").unwrap());

    // The same file again: told, and left alone.
    let mut again = file();
    let told = expose(&now.world(), &mut again, &none, &known);
    assert!(told.len() == 1 && told[0].contains("shop/db: its image exposes 5432"), "{told:?}");
    assert!(deploy(&now.world(), &again, &none, "ana").unwrap().is_empty());

    // With the next change it comes along, and stays.
    let changed = || {
        let mut file = file();
        file.services.get_mut(&db).unwrap().environment.insert("TZ".into(), Sensitive("UTC".into()));
        file
    };
    let mut second = changed();
    assert!(expose(&now.world(), &mut second, &none, &known).is_empty());
    assert_eq!(ports(&second), [5432]);
    let plan = deploy(&now.world(), &second, &none, "ana").unwrap();
    let shared = plan.proposal.stacks[&"shop".parse::<StackName>().unwrap()].clone().unwrap();
    assert!(shared.addresses.contains_key(&db), "others find it: {shared:?}");
    now.accept(&plan);
    let mut third = changed();
    assert!(expose(&now.world(), &mut third, &none, &none_known()).is_empty());
    assert_eq!(ports(&third), [5432], "although nobody can say it now");
    assert!(deploy(&now.world(), &third, &none, "ana").unwrap().is_empty());

    // Where a host has the image from the start it is there from the start.
    let mut at_once = file();
    assert!(expose(&fake.world(), &mut at_once, &none, &known).is_empty());
    assert_eq!(ports(&at_once), [5432]);
}

fn none_known() -> BTreeMap<ServiceName, BTreeSet<u16>> {
    BTreeMap::new()
}
