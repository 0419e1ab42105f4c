//! From an inspection to a spec.

use std::{collections::BTreeMap, time::Duration};

use super::{Shared, compose, read::Look};
use crate::model::{
    Adoptable, Attachment, Condition, Dependency, DeviceRequest, HealthCheck, Logging, Mount, MountSource, NetworkSpec,
    Port, PortMode, Protocol, Restart, Sensitive, ServiceSpec, StackName, VolumeSpec,
};

/// The engine's own size of /dev/shm.
const SHM: u64 = 64 << 20;

/// Fills in everything but the names. An error: a spec cannot say what this container is.
pub(super) fn fill(
    found: &mut Adoptable,
    stack: &StackName,
    it: Look<'_>,
    image: Look<'_>,
    shared: &Shared,
) -> Result<(), String> {
    let (config, host) = (it.at("/Config"), it.at("/HostConfig"));
    if host.at("/AutoRemove").is_true() {
        return Err("it removes itself when it ends (AutoRemove)".into());
    }
    let written = config.at("/Image").text();
    found.image = pinned(written, image, &mut found.notes);
    let mut spec = ServiceSpec { image: written.to_owned(), ..ServiceSpec::default() };
    process(&mut spec, config, image.at("/Config"), it.at("/Id").text());
    isolation(&mut spec, host);
    resources(&mut spec, host);
    network(found, &mut spec, stack, it, shared)?;
    ports(&mut spec, host);
    mounts(found, &mut spec, it, shared);
    found.spec = spec;
    Ok(())
}

/// The image with the digest by which a registry knows it.
fn pinned(written: &str, image: Look<'_>, notes: &mut Vec<String>) -> String {
    if written.contains('@') {
        return written.to_owned();
    }
    let repository = match written.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => written,
    };
    let short = |name: &str| {
        name.trim_start_matches("docker.io/")
            .trim_start_matches("index.docker.io/")
            .trim_start_matches("library/")
            .to_owned()
    };
    let digests = image.at("/RepoDigests").strings();
    let same =
        digests.iter().find(|digest| digest.split_once('@').is_some_and(|(name, _)| short(name) == short(repository)));
    if let Some(digest) = same {
        return digest.clone();
    }
    notes
        .push(format!("no registry knows the digest of {written}: other hosts may run something else under this name"));
    written.to_owned()
}

/// Only where it is not what the image says.
fn own<T: PartialEq>(value: T, image: &T) -> Option<T> {
    (value != *image).then_some(value)
}

fn process(spec: &mut ServiceSpec, config: Look<'_>, image: Look<'_>, id: &str) {
    let (entrypoint, command) = (config.at("/Entrypoint").strings(), config.at("/Cmd").strings());
    let filled = |words: &Vec<String>| !words.is_empty();
    let replaced = own(entrypoint, &image.at("/Entrypoint").strings()).filter(filled);
    // With an entry point of its own a container gets nothing of the image's command.
    spec.command = if replaced.is_some() { Some(command) } else { own(command, &image.at("/Cmd").strings()) };
    spec.command = spec.command.take().filter(filled);
    spec.entrypoint = replaced;
    let pairs = |list: Vec<String>| -> BTreeMap<String, String> {
        list.into_iter().filter_map(|line| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()))).collect()
    };
    let theirs = pairs(image.at("/Env").strings());
    let ours = pairs(config.at("/Env").strings()).into_iter();
    spec.environment = ours
        .filter(|(key, value)| theirs.get(key) != Some(value))
        .map(|(key, value)| (key, Sensitive(value)))
        .collect();
    let theirs = image.at("/Labels").words();
    let labels = config.at("/Labels").words();
    if let Some(needs) = labels.get(compose::DEPENDS_ON) {
        spec.depends_on = needs.split(',').filter_map(dependency).collect();
    }
    spec.labels = labels
        .into_iter()
        .filter(|(key, value)| !key.starts_with(compose::PREFIX) && theirs.get(key) != Some(value))
        .collect();
    spec.healthcheck = health(config.at("/Healthcheck"), image.at("/Healthcheck"));
    let text = |key: &str| own(config.at(key).filled(), &image.at(key).filled()).flatten();
    spec.user = text("/User");
    spec.working_dir = text("/WorkingDir");
    spec.stop_signal = text("/StopSignal");
    spec.stop_grace_period = config.at("/StopTimeout").size().map(Duration::from_secs);
    spec.hostname = config.at("/Hostname").filled().filter(|name| !id.starts_with(name.as_str()));
    spec.domainname = config.at("/Domainname").filled();
    spec.tty = config.at("/Tty").is_true();
    spec.stdin_open = config.at("/OpenStdin").is_true();
}

/// `db:service_healthy:false`, as Compose writes it into a label.
fn dependency(text: &str) -> Option<(crate::model::ServiceName, Dependency)> {
    let mut parts = text.split(':');
    let name = parts.next()?.trim().parse().ok()?;
    let condition = match parts.next() {
        Some("service_healthy") => Condition::ServiceHealthy,
        Some("service_completed_successfully") => Condition::ServiceCompletedSuccessfully,
        _ => Condition::ServiceStarted,
    };
    Some((name, Dependency { condition, required: true }))
}

fn health(check: Look<'_>, image: Look<'_>) -> Option<HealthCheck> {
    if check.0.is_null() || check.0 == image.0 {
        return None;
    }
    let test = check.at("/Test").strings();
    Some(HealthCheck {
        // Empty keeps the image's own.
        test: own(test, &image.at("/Test").strings()).unwrap_or_default(),
        interval: check.at("/Interval").nanos(),
        timeout: check.at("/Timeout").nanos(),
        retries: check.at("/Retries").size().and_then(|number| u32::try_from(number).ok()),
        start_period: check.at("/StartPeriod").nanos(),
        start_interval: check.at("/StartInterval").nanos(),
    })
}

fn isolation(spec: &mut ServiceSpec, host: Look<'_>) {
    spec.restart = match host.at("/RestartPolicy/Name").text() {
        "always" => Restart::Always,
        "unless-stopped" => Restart::UnlessStopped,
        "on-failure" => Restart::OnFailure {
            max: host.at("/RestartPolicy/MaximumRetryCount").size().and_then(|number| u32::try_from(number).ok()),
        },
        _ => Restart::No,
    };
    spec.init = host.at("/Init").0.as_bool();
    spec.read_only = host.at("/ReadonlyRootfs").is_true();
    spec.privileged = host.at("/Privileged").is_true();
    spec.cap_add = host.at("/CapAdd").strings();
    spec.cap_drop = host.at("/CapDrop").strings();
    // The engine adds this to a privileged container by itself.
    let added = |option: &String| spec.privileged && option == "label=disable";
    spec.security_opt = host.at("/SecurityOpt").strings().into_iter().filter(|option| !added(option)).collect();
    spec.sysctls = host.at("/Sysctls").words();
    spec.shm_size = host.at("/ShmSize").size().filter(|size| *size != SHM);
    spec.dns = host.at("/Dns").strings();
    spec.dns_search = host.at("/DnsSearch").strings();
    spec.dns_opt = host.at("/DnsOptions").strings();
    spec.extra_hosts = host.at("/ExtraHosts").strings();
    spec.group_add = host.at("/GroupAdd").strings();
    spec.pid = host.at("/PidMode").filled();
    spec.ipc = host.at("/IpcMode").filled().filter(|mode| !matches!(mode.as_str(), "private" | "shareable"));
    spec.uts = host.at("/UTSMode").filled();
    spec.userns_mode = host.at("/UsernsMode").filled();
    spec.cgroup_parent = host.at("/CgroupParent").filled();
    spec.runtime = host.at("/Runtime").filled().filter(|runtime| runtime != "runc");
    spec.annotations = host.at("/Annotations").words();
    spec.storage_opt = host.at("/StorageOpt").words();
    spec.oom_score_adj = host.at("/OomScoreAdj").set();
    spec.oom_kill_disable = host.at("/OomKillDisable").is_true();
    let (driver, options) = (host.at("/LogConfig/Type").filled(), host.at("/LogConfig/Config").words());
    let usual = driver.as_deref().is_none_or(|driver| driver == "json-file") && options.is_empty();
    spec.logging = (!usual).then_some(Logging { driver, options });
    let ulimits = host.at("/Ulimits").items();
    spec.ulimits = ulimits
        .map(|limit| (limit.at("/Name").text().to_owned(), (limit.at("/Soft").number(), limit.at("/Hard").number())))
        .collect();
}

fn resources(spec: &mut ServiceSpec, host: Look<'_>) {
    let devices = host.at("/Devices").items();
    spec.devices = devices
        .map(|device| {
            let part = |key: &str| device.at(key).text().to_owned();
            format!("{}:{}:{}", part("/PathOnHost"), part("/PathInContainer"), part("/CgroupPermissions"))
        })
        .collect();
    spec.device_cgroup_rules = host.at("/DeviceCgroupRules").strings();
    let requests = host.at("/DeviceRequests").items();
    spec.device_requests = requests
        .map(|request| DeviceRequest {
            driver: request.at("/Driver").filled(),
            count: request.at("/Count").set(),
            device_ids: request.at("/DeviceIDs").strings(),
            // Any of the lists may be met; the first is what Compose writes.
            capabilities: request.at("/Capabilities/0").strings(),
            options: request.at("/Options").words(),
        })
        .collect();
    let resources = &mut spec.deploy.resources;
    // Billionths of a core to thousandths; the older way says it as a share of a period.
    let period = host.at("/CpuPeriod").size().unwrap_or(100_000);
    let quota = host.at("/CpuQuota").size().map(|quota| quota.saturating_mul(1000) / period);
    resources.cpu_limit = host.at("/NanoCpus").size().map(|nanos| nanos / 1_000_000).or(quota);
    resources.memory_limit = host.at("/Memory").size();
    resources.memory_reserved = host.at("/MemoryReservation").size();
    resources.cpu_shares = host.at("/CpuShares").set();
    resources.cpuset = host.at("/CpusetCpus").filled();
    resources.swappiness = host.at("/MemorySwappiness").0.as_i64().filter(|swappiness| *swappiness >= 0);
    // Twice the memory is what the engine chooses by itself.
    let twice = resources.memory_limit.and_then(|limit| i64::try_from(limit.saturating_mul(2)).ok());
    resources.memory_swap = host.at("/MemorySwap").set().filter(|swap| Some(*swap) != twice);
    spec.pids_limit = host.at("/PidsLimit").set().filter(|limit| *limit > 0);
}

fn network(
    found: &mut Adoptable,
    spec: &mut ServiceSpec,
    stack: &StackName,
    it: Look<'_>,
    shared: &Shared,
) -> Result<(), String> {
    let mode = it.at("/HostConfig/NetworkMode").text();
    if mode.starts_with("container:") {
        return Err("it shares the network of another container, which has to be taken over with it by name: write `network_mode: service:NAME` into a file and deploy that".into());
    }
    let own = |mode: &Option<String>| mode.as_deref().is_some_and(|mode| mode.starts_with("container:"));
    if own(&spec.pid) || own(&spec.ipc) {
        return Err("it shares processes or memory with another container".into());
    }
    if matches!(mode, "host" | "none" | "bridge" | "default") {
        spec.network_mode = Some(if mode == "default" { "bridge" } else { mode }.to_owned());
        return Ok(());
    }
    let id = it.at("/Id").text();
    for (name, endpoint) in it.at("/NetworkSettings/Networks").members() {
        let (key, network) = match shared.networks.get(name) {
            Some((key, network)) => (key.clone(), network.clone()),
            None => (name.to_owned(), NetworkSpec { external: true, ..NetworkSpec::default() }),
        };
        // The names that Compose gives by itself, and the engine.
        let given = |alias: &String| {
            alias == found.service.as_str()
                || alias == found.name.as_str()
                || (alias.len() == 12 && id.starts_with(alias.as_str()))
        };
        let attachment = Attachment {
            aliases: endpoint.at("/Aliases").strings().into_iter().filter(|alias| !given(alias)).collect(),
            ipv4_address: endpoint.at("/IPAMConfig/IPv4Address").filled(),
            ipv6_address: endpoint.at("/IPAMConfig/IPv6Address").filled(),
            priority: None,
        };
        spec.networks.insert(key.clone(), attachment);
        found.networks.insert(key, network);
    }
    // The default route is that of the network which the container was made with.
    if spec.networks.len() > 1 {
        let first = shared.networks.get(mode).map_or(mode, |(key, _)| key.as_str());
        if let Some(attachment) = spec.networks.get_mut(first) {
            attachment.priority = Some(1);
        }
    }
    if spec.networks.len() == 1 && spec.networks.get("default") == Some(&Attachment::default()) {
        spec.networks.clear();
    }
    if spec.networks.is_empty() && found.networks.is_empty() {
        return Err(format!("it is on no network of {stack}"));
    }
    Ok(())
}

fn port_key(text: &str) -> Option<(u16, Protocol)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return None,
    };
    Some((port.parse().ok()?, protocol))
}

/// Ports stay where they are: on the container's own host, at their numbers. What it only exposes is not said: for
/// wharf that would be published for the proxies, which it is not.
fn ports(spec: &mut ServiceSpec, host: Look<'_>) {
    for (key, bindings) in host.at("/PortBindings").members() {
        let Some((target, protocol)) = port_key(key) else { continue };
        for binding in bindings.items() {
            let address = binding.at("/HostIp").filled().filter(|ip| !matches!(ip.as_str(), "0.0.0.0" | "::"));
            let published = binding.at("/HostPort").text().parse().ok().filter(|port| *port > 0);
            let port = Port { target, published, host_ip: address, protocol, mode: PortMode::Host };
            if !spec.ports.contains(&port) {
                spec.ports.push(port);
            }
        }
    }
    spec.ports.sort_by_key(|port| (port.target, port.protocol, port.published));
}

/// A volume of the stack: its key, and what it is on the host.
fn volume(found: &mut Adoptable, name: &str, shared: &Shared) -> String {
    let (key, spec) = shared
        .volumes
        .get(name)
        .cloned()
        .unwrap_or_else(|| (name.to_owned(), VolumeSpec { external: true, ..VolumeSpec::default() }));
    found.volumes.insert(key.clone(), spec);
    key
}

fn mounts(found: &mut Adoptable, spec: &mut ServiceSpec, it: Look<'_>, shared: &Shared) {
    let host = it.at("/HostConfig");
    for line in host.at("/Binds").strings() {
        let mut parts = line.splitn(3, ':');
        let (Some(source), target) = (parts.next(), parts.next()) else { continue };
        let Some(target) = target else {
            let target = source.to_owned();
            spec.mounts.push(Mount { target, source: MountSource::Anonymous, read_only: false });
            continue;
        };
        let options: Vec<&str> = parts.next().unwrap_or_default().split(',').collect();
        let propagation = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
        let source = if source.starts_with('/') {
            let propagation = options.iter().find(|word| propagation.contains(*word) && **word != "rprivate");
            let propagation = propagation.map(|word| (*word).to_owned());
            MountSource::Bind { path: source.to_owned(), create: true, propagation }
        } else {
            let nocopy = options.contains(&"nocopy");
            MountSource::Volume { name: volume(found, source, shared), nocopy, subpath: None }
        };
        spec.mounts.push(Mount { target: target.to_owned(), source, read_only: options.contains(&"ro") });
    }
    for mount in host.at("/Mounts").items() {
        let source = mount.at("/Source").text();
        let source = match mount.at("/Type").text() {
            "volume" if source.is_empty() => MountSource::Anonymous,
            "volume" => MountSource::Volume {
                name: volume(found, source, shared),
                nocopy: mount.at("/VolumeOptions/NoCopy").is_true(),
                subpath: mount.at("/VolumeOptions/Subpath").filled(),
            },
            "bind" => MountSource::Bind {
                path: source.to_owned(),
                create: mount.at("/BindOptions/CreateMountpoint").is_true(),
                propagation: mount.at("/BindOptions/Propagation").filled().filter(|word| word != "rprivate"),
            },
            "tmpfs" => MountSource::Tmpfs {
                size: mount.at("/TmpfsOptions/SizeBytes").size(),
                mode: mount.at("/TmpfsOptions/Mode").size().and_then(|mode| u32::try_from(mode).ok()),
            },
            other => {
                found.notes.push(format!("its mount of the kind `{other}` cannot be said in a spec"));
                continue;
            }
        };
        let target = mount.at("/Target").text().to_owned();
        spec.mounts.push(Mount { target, source, read_only: mount.at("/ReadOnly").is_true() });
    }
    for (target, options) in host.at("/Tmpfs").members() {
        let option = |key: &str| options.text().split(',').find_map(|word| word.strip_prefix(key)).map(str::to_owned);
        let mode = option("mode=").and_then(|mode| u32::from_str_radix(&mode, 8).ok());
        let source = MountSource::Tmpfs { size: option("size=").and_then(|size| bytes(&size)), mode };
        let read_only = options.text().split(',').any(|word| word == "ro");
        spec.mounts.push(Mount { target: target.to_owned(), source, read_only });
    }
    // What the image asked for, or Compose without a name: a new container gets a new, empty one.
    for mount in it.at("/Mounts").items().filter(|mount| mount.at("/Type").text() == "volume") {
        let name = mount.at("/Name").text();
        let target = mount.at("/Destination").text();
        let is_nameless = name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit());
        if is_nameless
            && !spec.mounts.iter().any(|known| known.target == target && known.source != MountSource::Anonymous)
        {
            found.notes.push(format!(
                "what it keeps in {target} is in a volume without a name, and goes with the container: copy it before the service is changed"
            ));
        }
    }
    let mut seen: Vec<String> = Vec::new();
    spec.mounts.retain(|mount| {
        let new = !seen.contains(&mount.target);
        seen.push(mount.target.clone());
        new
    });
}

/// `64m`, `1g`, a number of bytes.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits)?.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << unit)
}
