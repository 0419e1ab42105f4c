//! From a service's spec to the body of a container creation.

mod mounts;
mod ports;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig,
    HostConfigCgroupnsModeEnum, HostConfigLogConfig, NetworkingConfig, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::{
    error::{ErrorKind, Fault},
    network::network_name,
};
use crate::model::{
    Attachment, Defaults, FleetName, HealthCheck, Mode, ReplicaKey, Restart, RevisionNo, ServiceSpec, StackShared,
    label,
};

/// The key of the network of services that name none.
const DEFAULT_NETWORK: &str = "default";

/// All that decides how a replica's container is made.
#[derive(Debug, Clone, Copy)]
pub struct CreateRequest<'a> {
    /// The fleet, for the labels.
    pub fleet: &'a FleetName,
    /// Which replica.
    pub replica: &'a ReplicaKey,
    /// At which revision.
    pub revision: RevisionNo,
    /// The image, with its digest where one is known.
    pub image: &'a str,
    /// What it is to run.
    pub spec: &'a ServiceSpec,
    /// Networks and volumes of its stack.
    pub shared: &'a StackShared,
    /// The host's address for the rest of the region. Ports of replicas are published there, and only there;
    /// without one, on the loopback address.
    pub host_address: Option<&'a str>,
    /// The range from which subnets of new networks are cut, in CIDR form.
    pub subnet_pool: &'a str,
    /// The round of restarts.
    pub round: u32,
    /// It is no replica, but runs the test of its revision: it has a name of its own, no slot, and nobody finds it by
    /// the service's name.
    pub is_test: bool,
    /// Defaults of the region.
    pub defaults: &'a Defaults,
    /// What it was made from, for a label; empty leaves it out.
    pub record: &'a str,
}

/// Containers of this host whose namespaces are shared, by service name: for `network_mode: service:NAME`.
pub(crate) type Peers = BTreeMap<String, String>;

impl CreateRequest<'_> {
    /// The container's name.
    pub fn name(&self) -> String {
        if self.is_test {
            return self.replica.service.test_name(self.revision);
        }
        self.replica.container_name(self.revision, self.round)
    }

    /// The labels by which a container of this request is known again.
    pub(crate) fn identity(&self) -> Vec<(&'static str, String)> {
        let mut labels = vec![
            (label::FLEET, self.fleet.to_string()),
            (label::REGION, self.replica.region.to_string()),
            (label::STACK, self.replica.service.stack.to_string()),
            (label::SERVICE, self.replica.service.service.to_string()),
            (label::REVISION, self.revision.to_string()),
        ];
        if self.is_test {
            labels.push((label::TEST, "1".to_owned()));
        } else {
            labels.push((label::SLOT, self.replica.slot.to_string()));
            labels.push((label::ROUND, self.round.to_string()));
        }
        labels
    }

    /// Its networks: key, name on the host and attachment, the one with the default route first.
    pub(crate) fn networks(&self) -> Vec<(&str, String, Attachment)> {
        if self.spec.network_mode.is_some() {
            return Vec::new();
        }
        let name = |key: &str| network_name(&self.replica.service.stack, key, self.shared.networks.get(key));
        if self.spec.networks.is_empty() {
            return vec![(DEFAULT_NETWORK, name(DEFAULT_NETWORK), Attachment::default())];
        }
        let mut networks: Vec<_> =
            self.spec.networks.iter().map(|(key, attachment)| (key.as_str(), name(key), attachment.clone())).collect();
        networks.sort_by_key(|(key, _, attachment)| (std::cmp::Reverse(attachment.priority.unwrap_or(0)), *key));
        networks
    }

    /// Services whose containers on this host it shares namespaces with.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &str> {
        let spec = self.spec;
        [&spec.network_mode, &spec.pid, &spec.ipc]
            .into_iter()
            .filter_map(|mode| mode.as_deref().and_then(|mode| mode.strip_prefix("service:")))
    }

    /// How it is on one network: other services find it by its service's name.
    pub(crate) fn endpoint(&self, name: &str, attachment: &Attachment) -> EndpointSettings {
        // The engine's own networks know no names.
        let built_in = matches!(name, "bridge" | "host" | "none");
        let name_of_service = (!self.is_test).then(|| self.replica.service.service.to_string());
        let mut aliases: Vec<String> = name_of_service.into_iter().collect();
        aliases.extend(attachment.aliases.iter().cloned());
        aliases.dedup();
        let fixed = attachment.ipv4_address.is_some() || attachment.ipv6_address.is_some();
        EndpointSettings {
            aliases: (!built_in && !aliases.is_empty()).then_some(aliases),
            ipam_config: fixed.then(|| EndpointIpamConfig {
                ipv4_address: attachment.ipv4_address.clone(),
                ipv6_address: attachment.ipv6_address.clone(),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        }
    }
}

/// The body of the creation. Only the first network is in it: engines before API 1.44 take no more.
pub(crate) fn body(request: &CreateRequest<'_>, peers: &Peers) -> Result<ContainerCreateBody, Fault> {
    let spec = request.spec;
    let published = ports::published(request)?;
    let networks = request.networks();
    let mut labels: HashMap<String, String> = spec.labels.clone().into_iter().collect();
    labels.extend(request.identity().into_iter().map(|(key, value)| (key.to_owned(), value)));
    if !request.record.is_empty() {
        labels.insert(label::RECORD.to_owned(), request.record.to_owned());
    }
    let environment = spec.environment.iter().map(|(key, value)| format!("{key}={}", value.reveal())).collect();
    let network_mode = match &spec.network_mode {
        Some(mode) => Some(shared(mode, peers)?),
        None => networks.first().map(|(_, name, _)| name.clone()),
    };
    let endpoints = networks.first().map(|(_, name, attachment)| NetworkingConfig {
        endpoints_config: Some(HashMap::from([(name.clone(), request.endpoint(name, attachment))])),
    });
    Ok(ContainerCreateBody {
        image: Some(request.image.to_owned()),
        cmd: spec.command.clone(),
        entrypoint: spec.entrypoint.clone(),
        env: Some(environment),
        labels: Some(labels),
        healthcheck: spec.healthcheck.as_ref().map(health),
        exposed_ports: (!published.exposed.is_empty()).then_some(published.exposed),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_grace_period.map(whole_seconds),
        user: spec.user.clone(),
        working_dir: spec.working_dir.clone(),
        hostname: spec.hostname.clone(),
        domainname: spec.domainname.clone(),
        open_stdin: spec.stdin_open.then_some(true),
        tty: spec.tty.then_some(true),
        host_config: Some(host_config(request, published.bindings, network_mode, peers)?),
        networking_config: endpoints,
        ..ContainerCreateBody::default()
    })
}

fn host_config(
    request: &CreateRequest<'_>,
    bindings: HashMap<String, Option<Vec<bollard::models::PortBinding>>>,
    network_mode: Option<String>,
    peers: &Peers,
) -> Result<HostConfig, Fault> {
    let spec = request.spec;
    let resources = &spec.deploy.resources;
    let mounted = mounts::mounts(request)?;
    let share = |mode: &Option<String>| mode.as_deref().map(|mode| shared(mode, peers)).transpose();
    Ok(HostConfig {
        binds: some(mounted.binds),
        mounts: some(mounted.mounts),
        port_bindings: (!bindings.is_empty()).then_some(bindings),
        network_mode,
        restart_policy: Some(restart(spec)),
        init: spec.init,
        readonly_rootfs: spec.read_only.then_some(true),
        privileged: spec.privileged.then_some(true),
        cap_add: some(spec.cap_add.clone()),
        cap_drop: some(spec.cap_drop.clone()),
        security_opt: some(spec.security_opt.clone()),
        sysctls: some_map(&spec.sysctls),
        shm_size: spec.shm_size.map(signed),
        dns: some(spec.dns.clone()),
        dns_search: some(spec.dns_search.clone()),
        dns_options: some(spec.dns_opt.clone()),
        extra_hosts: some(hosts(request)),
        devices: some(spec.devices.iter().map(|line| device(line)).collect()),
        group_add: some(spec.group_add.clone()),
        pid_mode: share(&spec.pid)?,
        ipc_mode: share(&spec.ipc)?,
        userns_mode: spec.userns_mode.clone(),
        uts_mode: spec.uts.clone(),
        cgroupns_mode: spec.cgroup.as_deref().map(cgroup_namespace).transpose()?,
        cgroup_parent: spec.cgroup_parent.clone(),
        runtime: spec.runtime.clone(),
        annotations: some_map(&spec.annotations),
        storage_opt: some_map(&spec.storage_opt),
        device_cgroup_rules: some(spec.device_cgroup_rules.clone()),
        device_requests: some(spec.device_requests.iter().map(device_request).collect()),
        oom_score_adj: spec.oom_score_adj,
        oom_kill_disable: spec.oom_kill_disable.then_some(true),
        cpu_shares: resources.cpu_shares,
        cpuset_cpus: resources.cpuset.clone(),
        memory_swap: resources.memory_swap,
        memory_swappiness: resources.swappiness,
        pids_limit: spec.pids_limit.or(resources.pids),
        // Thousandths of a core to billionths.
        nano_cpus: resources.cpu_limit.map(|milli| signed(milli.saturating_mul(1_000_000))),
        memory: resources.memory_limit.map(signed),
        memory_reservation: resources.memory_reserved.map(signed),
        ulimits: some(
            spec.ulimits
                .iter()
                .map(|(name, (soft, hard))| ResourcesUlimits {
                    name: Some(name.clone()),
                    soft: Some(*soft),
                    hard: Some(*hard),
                })
                .collect(),
        ),
        log_config: spec.logging.as_ref().map(|logging| HostConfigLogConfig {
            typ: logging.driver.clone(),
            config: Some(logging.options.clone().into_iter().collect()),
        }),
        ..HostConfig::default()
    })
}

/// Lines for /etc/hosts: those of the file, and each service of the stack under its virtual address, where the host's
/// proxy takes its requests. They come before the engine's own name service, which knows only this host.
fn hosts(request: &CreateRequest<'_>) -> Vec<String> {
    let said = &request.spec.extra_hosts;
    let is_said = |name: &str| said.iter().any(|line| line.split([':', '=']).next() == Some(name));
    let linked = request.shared.addresses.iter().filter(|(name, _)| !is_said(name.as_str()));
    said.iter().cloned().chain(linked.map(|(name, address)| format!("{name}:{address}"))).collect()
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn some_map(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then(|| map.clone().into_iter().collect())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Whole seconds, rounded up: a grace of half a second must not become none.
pub(crate) fn whole_seconds(time: std::time::Duration) -> i64 {
    signed(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

/// `service:NAME` as the container that runs it here.
fn shared(mode: &str, peers: &Peers) -> Result<String, Fault> {
    let Some(service) = mode.strip_prefix("service:") else { return Ok(mode.to_owned()) };
    let peer = peers.get(service).ok_or_else(|| {
        Fault::new(
            ErrorKind::Failed,
            &format!("`{mode}` needs a running replica of {service} on this host, and there is none"),
            "place both services on the same hosts with the same constraints",
        )
    })?;
    Ok(format!("container:{peer}"))
}

/// `/dev/a`, `/dev/a:/dev/b` or `/dev/a:/dev/b:rwm`.
fn device(line: &str) -> DeviceMapping {
    let mut parts = line.split(':');
    let host = parts.next().unwrap_or_default();
    let inside = parts.next().filter(|path| !path.is_empty()).unwrap_or(host);
    DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(inside.to_owned()),
        cgroup_permissions: Some(parts.next().unwrap_or("rwm").to_owned()),
    }
}

fn device_request(from: &crate::model::DeviceRequest) -> DeviceRequest {
    DeviceRequest {
        driver: from.driver.clone(),
        count: from.count,
        device_ids: some(from.device_ids.clone()),
        // Any of the lists may be met, each in full: ours is one list.
        capabilities: (!from.capabilities.is_empty()).then(|| vec![from.capabilities.clone()]),
        options: some_map(&from.options),
    }
}

fn cgroup_namespace(word: &str) -> Result<HostConfigCgroupnsModeEnum, Fault> {
    match word {
        "host" => Ok(HostConfigCgroupnsModeEnum::HOST),
        "private" => Ok(HostConfigCgroupnsModeEnum::PRIVATE),
        _ => Err(Fault::new(
            ErrorKind::Invalid,
            &format!("`{word}` is no cgroup namespace"),
            "set `cgroup` to host or private",
        )),
    }
}

fn restart(spec: &ServiceSpec) -> RestartPolicy {
    // A job that ended well must not run again.
    let job = matches!(spec.deploy.mode, Mode::ReplicatedJob | Mode::GlobalJob);
    let (name, most) = match spec.restart {
        Restart::Always | Restart::UnlessStopped if job => (RestartPolicyNameEnum::NO, None),
        Restart::No => (RestartPolicyNameEnum::NO, None),
        Restart::OnFailure { max } => (RestartPolicyNameEnum::ON_FAILURE, max),
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
    };
    RestartPolicy { name: Some(name), maximum_retry_count: most.map(i64::from) }
}

fn health(check: &HealthCheck) -> HealthConfig {
    let nanos = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    HealthConfig {
        test: some(check.test.clone()),
        interval: check.interval.map(nanos),
        timeout: check.timeout.map(nanos),
        retries: check.retries.map(i64::from),
        start_period: check.start_period.map(nanos),
        start_interval: check.start_interval.map(nanos),
    }
}
