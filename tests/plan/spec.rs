//! A service spec from one line of words: `image=app:1 port=5432 volume=data max=2 spread=zone only=zone==b …`.

use std::time::Duration;

use wharf::model::*;

fn size(text: &str) -> u64 {
    let (number, unit) = text.split_at(text.len() - 1);
    match unit {
        "G" => number.parse::<u64>().unwrap() << 30,
        "M" => number.parse::<u64>().unwrap() << 20,
        _ => text.parse().unwrap(),
    }
}

fn constraint(text: &str) -> Constraint {
    let (left, equal, right) = match text.split_once("!=") {
        Some((left, right)) => (left, false, right),
        None => text.split_once("==").map(|(left, right)| (left, true, right)).unwrap(),
    };
    let field = match left {
        "name" => HostField::Name,
        "arch" => HostField::Arch,
        label => HostField::Label(label.into()),
    };
    Constraint { field, equal, value: right.into() }
}

fn dependency(text: &str) -> (ServiceName, Dependency) {
    let (name, condition) = text.split_once(':').unwrap_or((text, "started"));
    let condition = match condition {
        "started" => Condition::ServiceStarted,
        "healthy" => Condition::ServiceHealthy,
        "completed" => Condition::ServiceCompletedSuccessfully,
        other => panic!("no such condition: {other}"),
    };
    (ServiceName::new(name).unwrap(), Dependency { condition, required: true })
}

pub fn spec<'a>(words: impl Iterator<Item = &'a str>) -> ServiceSpec {
    let mut spec = ServiceSpec { image: "app:1".into(), ..ServiceSpec::default() };
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "image" => spec.image = value.into(),
            "cmd" => spec.command = Some(vec![value.into()]),
            "port" | "edge" => spec.ports.push(Port {
                target: value.parse().unwrap(),
                published: Some(value.parse().unwrap()),
                host_ip: None,
                protocol: Protocol::Tcp,
                mode: if key == "port" { PortMode::Host } else { PortMode::Ingress },
            }),
            "expose" => spec.expose.push(ExposedPort { port: value.parse().unwrap(), protocol: Protocol::Tcp }),
            "volume" => spec.mounts.push(Mount {
                target: "/data".into(),
                source: MountSource::Volume { name: value.into(), nocopy: false, subpath: None },
                read_only: false,
            }),
            "max" => spec.deploy.max_per_host = Some(value.parse().unwrap()),
            "spread" => spec.deploy.spread.extend(value.split(',').map(String::from)),
            "only" => spec.deploy.constraints.push(constraint(value)),
            "cpu" => spec.deploy.resources.cpu_reserved = Some(value.parse().unwrap()),
            "mem" => spec.deploy.resources.memory_reserved = Some(size(value)),
            "needs" => spec.depends_on.extend(value.split(',').map(dependency)),
            "replicas" => spec.deploy.replicas = Some(value.parse().unwrap()),
            "regions" => spec.wharf.regions = value.split(',').map(|name| RegionName::new(name).unwrap()).collect(),
            "check" => {
                let test = vec!["CMD".into(), "true".into()];
                spec.healthcheck = Some(HealthCheck { test, ..HealthCheck::default() });
            }
            "test" => spec.wharf.test = Some(value.split(',').map(String::from).collect()),
            "slow" => {
                let check = spec.healthcheck.as_mut().expect("check comes first");
                check.start_period = Some(Duration::from_secs(value.parse().unwrap()));
            }
            "global" => spec.deploy.mode = Mode::Global,
            "job" => spec.deploy.mode = Mode::ReplicatedJob,
            "restart" => {
                spec.restart = match value {
                    "no" => Restart::No,
                    "failure" => Restart::OnFailure { max: None },
                    max => Restart::OnFailure { max: Some(max.parse().unwrap()) },
                };
            }
            "order" | "parallel" | "delay" | "fails" | "bears" => {
                let update = spec.deploy.update.get_or_insert_default();
                match key {
                    "order" if value == "stop-first" => update.order = Some(Order::StopFirst),
                    "order" => update.order = Some(Order::StartFirst),
                    "bears" => update.max_failure_ratio = Some(value.parse().unwrap()),
                    "fails" if value == "pause" => update.failure_action = Some(FailureAction::Pause),
                    "fails" => update.failure_action = Some(FailureAction::Continue),
                    "parallel" => update.parallelism = Some(value.parse().unwrap()),
                    _ => update.delay = Some(Duration::from_secs(value.parse().unwrap())),
                }
            }
            other => match other.split_once('@') {
                Some(("replicas", region)) => {
                    spec.wharf.replicas.insert(RegionName::new(region).unwrap(), value.parse().unwrap());
                }
                _ => panic!("no such word of a service: {word}"),
            },
        }
    }
    spec
}

pub fn bytes(text: &str) -> u64 {
    size(text)
}
