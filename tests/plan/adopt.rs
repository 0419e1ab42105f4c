//! Taking over what another tool runs.

use std::collections::BTreeMap;

use wharf::{
    model::*,
    plan::{Plan, Refusal, StepKind, adopt},
    text::Text,
};

use crate::fake::Fake;

fn fleet() -> Fake {
    let mut fake = Fake::default();
    for (host, region) in [("e-1", "east"), ("e-2", "east"), ("w-1", "west")] {
        fake.add_host(host, region);
    }
    fake
}

fn it(host: &str, service: &str, number: u32, image: &str) -> Adoptable {
    let name = format!("old-{service}-{number}");
    let network = NetworkSpec { adopted: true, ..NetworkSpec::default() };
    Adoptable {
        host: host.parse().unwrap(),
        container: ContainerId(Text::new(&format!("{host}-{name}"))),
        name: Text::new(&name),
        service: service.parse().unwrap(),
        number: Some(number),
        spec: ServiceSpec { image: image.to_owned(), ..ServiceSpec::default() },
        image: format!("{image}@sha256:0"),
        networks: BTreeMap::from([("default".to_owned(), network)]),
        volumes: BTreeMap::new(),
        notes: Vec::new(),
    }
}

fn plan(fake: &Fake, found: &[Adoptable], file: Option<&StackSpec>) -> Result<Plan, Refusal> {
    adopt(&fake.world(), &"old".parse().unwrap(), found, &["old-job-1 on e-1 does not run".to_owned()], file, "ana")
}

fn slots(plan: &Plan, service: &str, region: &str) -> Vec<String> {
    let key = (service.parse().unwrap(), region.parse().unwrap());
    let assignment = plan.proposal.assignments[&key].as_ref().unwrap();
    assignment.slots.iter().map(|(slot, place)| format!("{slot}:{}:r{}", place.host, place.revision)).collect()
}

#[test]
fn every_container_keeps_its_host_and_where_it_can_its_number() {
    let fake = fleet();
    let found = [
        it("e-1", "web", 1, "app:1"),
        it("e-1", "web", 2, "app:1"),
        it("e-2", "web", 1, "app:1"),
        it("w-1", "web", 1, "app:1"),
        it("e-1", "db", 1, "db:1"),
    ];
    let plan = plan(&fake, &found, None).unwrap();
    assert_eq!(slots(&plan, "old/web", "east"), ["1:e-1:r1", "2:e-2:r1", "3:e-1:r1"]);
    assert_eq!(slots(&plan, "old/web", "west"), ["1:w-1:r1"]);
    assert_eq!(slots(&plan, "old/db", "east"), ["1:e-1:r1"]);
    let proposal = &plan.proposal;
    assert_eq!((proposal.revisions.len(), plan.replicas), (2, (0, 5)));
    assert!(plan.steps.iter().all(|step| step.kind == StepKind::Adopt), "nothing is made, started or stopped");
    let of = &proposal.adopted[&"e-2".parse::<HostName>().unwrap()][&found[2].container];
    assert_eq!((of.key.to_string(), of.revision, of.round), ("old/web.2".to_owned(), RevisionNo(1), 0));
    assert!(proposal.stacks[&"old".parse::<StackName>().unwrap()].as_ref().unwrap().networks["default"].adopted);
    assert!(plan.warnings.iter().any(|warning| warning.contains("old-job-1")), "{:?}", plan.warnings);
    let shown = plan.differences.iter().find(|it| it.service.service.as_str() == "web").unwrap();
    assert_eq!(shown.lines, ["image: app:1", "restart: unless_stopped"]);
}

#[test]
fn those_that_differ_get_a_revision_of_their_own_and_the_most_frequent_is_the_newest() {
    let fake = fleet();
    let mut odd = it("e-2", "web", 2, "app:1");
    odd.spec.environment.insert("DEBUG".to_owned(), Sensitive("hunter2".to_owned()));
    let found = [it("e-1", "web", 1, "app:0"), odd, it("e-1", "web", 3, "app:1"), it("e-2", "web", 4, "app:1")];
    let plan = plan(&fake, &found, None).unwrap();
    assert_eq!(slots(&plan, "old/web", "east"), ["1:e-1:r2", "2:e-2:r1", "3:e-1:r3", "4:e-2:r3"]);
    let told: Vec<&String> = plan.warnings.iter().filter(|warning| warning.contains("differs")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|warning| warning.contains("image app:0")), "{told:?}");
    assert!(told.iter().any(|warning| warning.contains("environment.DEBUG")), "{told:?}");
    assert!(!format!("{plan:?}").contains("hunter2"), "secrets stay hidden");
}

#[test]
fn what_is_found_later_joins_and_what_is_there_is_left() {
    let mut fake = fleet();
    let first = [it("e-1", "web", 1, "app:1")];
    let plan_of = |fake: &Fake, found: &[Adoptable]| plan(fake, found, None);
    let one = plan_of(&fake, &first).unwrap();
    fake.accept(&one);
    fake.desired.adopted.extend(one.proposal.adopted.clone());
    let again = plan_of(&fake, &first).unwrap();
    assert!(again.is_empty(), "{again:?}");
    assert_eq!(again.warnings[0], "all that runs of `old` is wharf's already");
    let both = [first[0].clone(), it("e-2", "web", 1, "app:1"), it("e-2", "web", 2, "app:9")];
    let two = plan_of(&fake, &both).unwrap();
    assert_eq!(slots(&two, "old/web", "east"), ["1:e-1:r1", "2:e-2:r1", "3:e-2:r2"]);
    assert_eq!(two.proposal.revisions.len(), 1, "the first revision fits one of them");
    assert_eq!(two.replicas, (1, 3));
    assert_eq!(two.proposal.adopted.values().map(BTreeMap::len).sum::<usize>(), 2);
    let none = plan_of(&fleet(), &[]).unwrap_err().to_string();
    assert!(none.contains("nothing of `old` can be taken over") && none.contains("old-job-1"), "{none}");
}

fn port(published: u16, mode: PortMode) -> Port {
    Port { target: 8080, published: Some(published), host_ip: None, protocol: Protocol::Tcp, mode }
}

/// The ports of the edge that each host's proxy opens, and what it carries.
fn edges(fake: &Fake) -> Vec<String> {
    let next = wharf::plan::next(&fake.world(), &"east".parse().unwrap(), &fake.memory, &[]);
    let told = next.proxies.iter().map(|(host, spec)| {
        let ports = spec.structure.frontends.iter().filter_map(|frontend| match frontend.bind {
            Bind::Edge { port } => Some(port.to_string()),
            Bind::Link { .. } => None,
        });
        let backends: Vec<&str> = spec.structure.backends.keys().map(String::as_str).collect();
        format!("{host} opens [{}] for {}", ports.collect::<Vec<_>>().join(","), backends.join(","))
    });
    told.collect()
}

#[test]
fn a_port_that_a_container_holds_is_not_fought_over() {
    let mut fake = fleet();
    // Another stack has its entry at the very port.
    let shop =
        ServiceSpec { image: "app:1".to_owned(), ports: vec![port(80, PortMode::Ingress)], ..ServiceSpec::default() };
    let services = [("web".parse().unwrap(), shop.clone())].into();
    let shop =
        StackSpec { name: "shop".parse().unwrap(), services, networks: BTreeMap::new(), volumes: BTreeMap::new() };
    fake.accept(&wharf::plan::deploy(&fake.world(), &shop, &BTreeMap::new(), "ana").unwrap());
    let both = ["e-1 opens [80] for shop:web:8080", "e-2 opens [80] for shop:web:8080"];
    assert_eq!(edges(&fake), both);

    let mut old = it("e-1", "web", 1, "old:1");
    old.spec.ports.push(port(80, PortMode::Host));
    let adopting = plan(&fake, &[old.clone()], None).unwrap();
    let told = adopting.warnings.join("\n");
    assert!(told.contains("old-web-1 goes on holding port 80 of e-1 by itself"), "{told}");
    assert!(told.contains("`wharf deploy -f FILE --stack old`"), "{told}");
    assert!(
        told.contains("shop/web has its entry at port 80: on e-1 it stays closed until old-web-1 is gone"),
        "{told}"
    );

    // Whosever it is: two who bind one port would both fail.
    let container = Container {
        id: old.container.clone(),
        name: old.name.clone(),
        image: Text::new("old:1"),
        image_id: Text::default(),
        state: ContainerState::Running,
        health: Health::None,
        owner: Owner::Loose,
        created: None,
        started: None,
        restarts: 0,
        ports: vec![Binding {
            target: 8080,
            published: Some(80),
            address: Text::new("0.0.0.0"),
            protocol: Protocol::Tcp,
        }],
        networks: Vec::new(),
        usage: None,
    };
    let host: HostName = "e-1".parse().unwrap();
    fake.observed.hosts.get_mut(&host).unwrap().containers.insert(container.id.clone(), container);
    let one = ["e-1 opens [] for shop:web:8080", "e-2 opens [80] for shop:web:8080"];
    assert_eq!(edges(&fake), one, "what belongs to the port is there all the same");
    let records = wharf::plan::Records { operations: &[], journal: &[] };
    let why = wharf::plan::why(&fake.world(), &["shop/web".parse().unwrap()], records);
    assert!(why[0].causes.iter().any(|cause| cause.what.contains("port 80 is held by old-web-1")), "{why:?}");
    let again = wharf::plan::deploy(&fake.world(), &shop, &BTreeMap::new(), "ana").unwrap();
    let told = again.warnings.join("\n");
    assert!(
        told.contains("old-web-1 holds port 80 of e-1: the proxy there opens it only when old-web-1 is gone"),
        "{told}"
    );

    fake.observed.hosts.get_mut(&host).unwrap().containers.get_mut(&old.container).unwrap().state =
        ContainerState::Exited { code: 0, at: None, oom: false };
    assert_eq!(edges(&fake), both);
}

#[test]
fn a_file_is_compared_with_what_runs() {
    let fake = fleet();
    let mut web = ServiceSpec { image: "app:2".to_owned(), ..ServiceSpec::default() };
    web.deploy.replicas = Some(9);
    let same = ServiceSpec { image: "db:1".to_owned(), ..ServiceSpec::default() };
    let file = StackSpec {
        name: "old".parse().unwrap(),
        services: [("web", web), ("db", same.clone()), ("mail", same)]
            .into_iter()
            .map(|(name, spec)| (name.parse().unwrap(), spec))
            .collect(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
    };
    let found = [it("e-1", "web", 1, "app:1"), it("e-1", "db", 1, "db:1"), it("e-1", "cron", 1, "cron:1")];
    let plan = plan(&fake, &found, Some(&file)).unwrap();
    let told = plan.warnings.join("\n");
    assert!(
        told.contains("old/web: deploying the file would replace what runs, for it says image: app:1 → app:2"),
        "{told}"
    );
    assert!(told.contains("old/mail is in the file, and does not run"), "{told}");
    assert!(told.contains("old/cron runs, and is not in the file"), "{told}");
    assert!(!told.contains("old/db"), "{told}");
    assert!(!told.contains("replicas"), "numbers replace nothing: {told}");
}
