//! What a simulated fleet consists of, in plain words: so that whoever serves the demo can write the matching
//! desired state without asking the engines.

use super::container::{Container, Health, Labels, Status};
use super::engine::{Engine, Profile, State};
use super::reply::Refusal;
use super::script::Behaviour;
use super::spec::Spec;
use super::{clock, num};
use crate::model::label;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One host of a simulated fleet.
#[derive(Debug, Clone)]
pub struct HostSeed {
    /// Name, unique in the fleet.
    pub name: String,
    /// Region it belongs to.
    pub region: String,
    /// Address where the other hosts of its region would reach it.
    pub address: String,
    /// Labels such as `zone` and `role`.
    pub labels: BTreeMap<String, String>,
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
}

impl HostSeed {
    pub(super) fn profile(&self) -> Profile {
        let labels = self.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Profile {
            cpus: self.cpus,
            memory: self.memory,
            address: self.address.clone(),
            labels,
            ..Profile::new(&self.name)
        }
    }
}

/// A port of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortSeed {
    /// Port inside the container; published on an ephemeral port of the host.
    pub container: u16,
    /// Port of the service's entry on the edge hosts, if it has one.
    pub entry: Option<u16>,
}

/// A service that runs somewhere in the simulated fleet.
#[derive(Debug, Clone)]
pub struct ServiceSeed {
    /// Stack it belongs to.
    pub stack: String,
    /// Its name in the stack.
    pub service: String,
    /// Revision its replicas run.
    pub revision: u64,
    /// `name:tag` of that revision's image.
    pub image: String,
    /// `sha256:…` of that image in the simulated registry.
    pub digest: String,
    /// `name:tag` of the revision before, which can be rolled back to.
    pub previous: String,
    /// Environment of its containers.
    pub env: Vec<(String, String)>,
    /// Ports.
    pub ports: Vec<PortSeed>,
    /// Health check in Docker's form (`CMD`, …), if it has one.
    pub healthcheck: Option<Vec<String>>,
    /// Memory limit in bytes; 0 is none.
    pub memory: u64,
    /// Wanted replicas per region.
    pub replicas: BTreeMap<String, u32>,
    /// True when its containers carry wharf's labels; false when they were deployed by Compose.
    pub managed: bool,
}

/// One container that a simulated fleet was born with.
#[derive(Debug, Clone)]
pub struct PlacedReplica {
    /// Region of the host.
    pub region: String,
    /// Host it is on.
    pub host: String,
    /// Stack.
    pub stack: String,
    /// Service.
    pub service: String,
    /// Slot number, from 1, unique per service and region.
    pub slot: u32,
    /// Revision it runs.
    pub revision: u64,
    /// Container name.
    pub container: String,
}

/// A whole simulated fleet.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Fleet name, the value of the `wharf.fleet` label.
    pub fleet: String,
    /// Hosts, in the order of their regions.
    pub hosts: Vec<HostSeed>,
    /// Services, in the order of their stacks.
    pub services: Vec<ServiceSeed>,
    /// Where every container was placed.
    pub replicas: Vec<PlacedReplica>,
}

impl World {
    /// The regions in order of first appearance.
    pub fn regions(&self) -> Vec<&str> {
        let mut regions: Vec<&str> = Vec::new();
        for host in &self.hosts {
            if !regions.contains(&host.region.as_str()) {
                regions.push(&host.region);
            }
        }
        regions
    }

    /// The replicas on one host.
    pub fn on_host<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a PlacedReplica> {
        self.replicas.iter().filter(move |replica| replica.host == host)
    }

    /// The service of a replica.
    pub fn service(&self, stack: &str, service: &str) -> Option<&ServiceSeed> {
        self.services.iter().find(|seed| seed.stack == stack && seed.service == service)
    }
}

/// Texts that many containers share, kept once.
#[derive(Default)]
pub(super) struct Texts(BTreeMap<String, Arc<str>>);

impl Texts {
    fn get(&mut self, text: &str) -> Arc<str> {
        self.0.entry(text.to_owned()).or_insert_with(|| Arc::from(text)).clone()
    }

    fn pairs(&mut self, pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| (self.get(key), self.get(value))).collect()
    }
}

impl ServiceSeed {
    /// The create body of its containers, without labels, as the engines keep it: one for all replicas.
    pub(super) fn spec(&self) -> Result<Arc<Spec>, Refusal> {
        let env: Vec<String> = self.env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let bindings: Value = self
            .ports
            .iter()
            .map(|port| (format!("{}/tcp", port.container), json!([{"HostIp": "", "HostPort": ""}])))
            .collect();
        let mut body = json!({
            "Image": self.image, "Env": env, "Cmd": ["/app/run"],
            "HostConfig": {"PortBindings": bindings, "RestartPolicy": {"Name": "unless-stopped"}, "Memory": self.memory},
        });
        if let (Some(test), Some(map)) = (&self.healthcheck, body.as_object_mut()) {
            let check =
                json!({"Test": test, "Interval": 10_000_000_000_u64, "Timeout": 3_000_000_000_u64, "Retries": 3});
            map.insert("Healthcheck".to_owned(), check);
        }
        Spec::read(body).map(|(spec, _)| Arc::new(spec))
    }

    fn labels(&self, fleet: &str, replica: &PlacedReplica, texts: &mut Texts) -> Labels {
        let (slot, revision) = (replica.slot.to_string(), self.revision.to_string());
        if self.managed {
            return texts.pairs(&[
                (label::FLEET, fleet),
                (label::REGION, &replica.region),
                (label::STACK, &self.stack),
                (label::SERVICE, &self.service),
                (label::SLOT, &slot),
                (label::REVISION, &revision),
            ]);
        }
        let hash = num::sha256(&self.image);
        let dir = format!("/srv/{}", self.stack);
        texts.pairs(&[
            ("com.docker.compose.config-hash", &hash),
            ("com.docker.compose.container-number", &slot),
            ("com.docker.compose.oneoff", "False"),
            ("com.docker.compose.project", &self.stack),
            ("com.docker.compose.project.config_files", &format!("{dir}/docker-compose.yml")),
            ("com.docker.compose.project.working_dir", &dir),
            ("com.docker.compose.service", &self.service),
            ("com.docker.compose.version", "2.24.6"),
        ])
    }

    /// The name of its container in a slot.
    pub fn container_name(&self, slot: u32) -> String {
        if self.managed {
            format!("{}-{}-{slot}-r{}", self.stack, self.service, self.revision)
        } else {
            format!("{}-{}-{slot}", self.stack, self.service)
        }
    }
}

impl Engine {
    /// Adds a container that has been running for a while, with what the engine remembers of that; timers only if it is
    /// going to end.
    pub(super) fn settle(
        &self,
        fleet: &str,
        seed: &ServiceSeed,
        spec: &Arc<Spec>,
        replica: &PlacedReplica,
        age: Duration,
        texts: &mut Texts,
    ) {
        let born = clock::minus(self.clock.now(), age);
        let labels = seed.labels(fleet, replica, texts);
        let mut state = self.lock();
        if state.image(&seed.image).is_none() {
            self.install(&mut state, &super::registry::Reference::parse(&seed.image));
        }
        let Ok(id) = state.add(&replica.container, spec.clone(), labels, born) else { return };
        let ports = state.open_ports(&replica.container, &id, &spec.ports).unwrap_or_default();
        let networks: Vec<String> =
            state.containers.get(&id).map(|c| c.networks.keys().cloned().collect()).unwrap_or_default();
        for network in &networks {
            let ip = state.next_address(network);
            if let Some(endpoint) = state.containers.get_mut(&id).and_then(|c| c.networks.get_mut(network)) {
                endpoint.ip = ip;
            }
        }
        state.next_pid += 17;
        let State { containers, next_pid, .. } = &mut *state;
        let Some(container) = containers.get_mut(&id) else { return };
        container.ports = ports;
        container.pid = *next_pid;
        container.started = Some(clock::plus(born, Duration::from_secs(1)));
        container.status = Status::Running;
        let ends = settled_health(container);
        let begun = container.started.unwrap_or(born);
        Self::recall(&mut state, &id, &[(born, "create"), (begun, "start")]);
        let Some(container) = state.containers.get_mut(&id) else { return };
        if ends {
            // It has been at it for a while, so its restarts are far apart already.
            container.restarts = 9;
            container.started = Some(self.clock.now());
            self.foresee(&mut state, &id);
        }
        self.announce(&state, &id);
    }
}

/// Gives a container the health it would have by now; true when it is one that ends by itself.
fn settled_health(container: &mut Container) -> bool {
    let health = if container.behaviour == Behaviour::Sick { Health::Unhealthy } else { Health::Healthy };
    let ends = matches!(container.behaviour, Behaviour::Exits { .. });
    container.health = container.spec.health.as_ref().map(|_| if ends { Health::Starting } else { health });
    ends
}
