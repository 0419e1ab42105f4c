//! One service: every key of it is read here, handed to a neighbour, or refused with a reason.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    deploy, devices, environment, files, files::Store, health, networks, numbers, ports, refused, typed::Val, volumes,
    wharf, yaml::Kind,
};
use crate::model::{Condition, Dependency, Logging, Restart, ServiceName, ServiceSpec};

/// What a service may refer to.
pub(super) struct World<'a> {
    /// Services that are part of the stack.
    pub services: BTreeSet<&'a str>,
    /// Services that are not, with the profiles that would make them.
    pub inactive: BTreeMap<&'a str, Vec<String>>,
    /// Declared networks.
    pub networks: BTreeSet<&'a str>,
    /// Declared volumes.
    pub volumes: BTreeSet<&'a str>,
    /// Declared configs and secrets.
    pub files: Store<'a>,
}

/// Every key that a service may have here.
const KEYS: &[&str] = &[
    "image",
    "command",
    "entrypoint",
    "environment",
    "env_file",
    "labels",
    "label_file",
    "healthcheck",
    "depends_on",
    "ports",
    "expose",
    "volumes",
    "tmpfs",
    "networks",
    "network_mode",
    "secrets",
    "configs",
    "restart",
    "stop_grace_period",
    "stop_signal",
    "user",
    "working_dir",
    "hostname",
    "domainname",
    "cap_add",
    "cap_drop",
    "ulimits",
    "logging",
    "extra_hosts",
    "init",
    "read_only",
    "stdin_open",
    "tty",
    "privileged",
    "security_opt",
    "sysctls",
    "shm_size",
    "dns",
    "dns_search",
    "dns_opt",
    "devices",
    "group_add",
    "pid",
    "ipc",
    "uts",
    "cgroup",
    "cgroup_parent",
    "userns_mode",
    "runtime",
    "platform",
    "pids_limit",
    "oom_score_adj",
    "oom_kill_disable",
    "annotations",
    "device_cgroup_rules",
    "storage_opt",
    "gpus",
    "deploy",
    "scale",
    "mem_limit",
    "mem_reservation",
    "memswap_limit",
    "mem_swappiness",
    "cpus",
    "cpu_shares",
    "cpuset",
    "cpu_quota",
    "cpu_period",
    "profiles",
    "extends",
    "x-wharf",
];

/// Reads a service. The second part is true when the file itself says when it restarts.
pub(super) fn service(val: &Val<'_>, world: &World<'_>) -> (ServiceSpec, bool) {
    let mut spec = ServiceSpec::default();
    let known: Vec<&str> = KEYS.iter().copied().chain(refused::keys()).collect();
    deploy::top_level(val, &mut spec);
    val.keys(&known, |key, v| read(&mut spec, key, &v, world));
    let restart = restart(val, &mut spec);
    environment::environment(val, &mut spec);
    for (key, secret) in [("secrets", true), ("configs", false)] {
        let files = val.get(key).map(|v| files::grants(&v, &world.files, secret, spec.user.as_deref()));
        spec.files.extend(files.into_iter().flatten());
    }
    for (place, item) in val.get("tmpfs").iter().flat_map(|v| volumes::tmpfs(v).into_iter().map(move |m| (v, m))) {
        volumes::add(&mut spec.mounts, item, place);
    }
    refused::build(val, spec.image.is_empty());
    if spec.network_mode.as_deref() == Some("host")
        && let Some(ports) = val.get("ports")
    {
        ports.warn("with `network_mode: host` the engine opens no ports: the container's own are the host's");
    }
    if val.get("network_mode").is_some() && val.get("networks").is_some() {
        val.error("`network_mode` and `networks` exclude each other: remove one");
    }
    (spec, restart)
}

fn read(spec: &mut ServiceSpec, key: &str, v: &Val<'_>, world: &World<'_>) {
    match key {
        "image" => spec.image = v.with(image).unwrap_or_else(|| "invalid".into()),
        "command" => spec.command = v.command(),
        "entrypoint" => spec.entrypoint = v.command(),
        "healthcheck" => spec.healthcheck = health::healthcheck(v),
        "depends_on" => spec.depends_on = depends_on(v, world),
        "ports" => spec.ports = ports::ports(v),
        "expose" => spec.expose = ports::expose(v),
        "volumes" => spec.mounts = volumes::volumes(v, &world.volumes),
        "networks" => spec.networks = networks::attachments(v, &world.networks),
        "network_mode" => spec.network_mode = networks::mode(v, &world.services),
        "stop_grace_period" => spec.stop_grace_period = v.duration(),
        "stop_signal" => spec.stop_signal = v.optional(),
        "user" => spec.user = v.optional(),
        "working_dir" => spec.working_dir = v.optional(),
        "hostname" => spec.hostname = v.optional(),
        "domainname" => spec.domainname = v.optional(),
        "cap_add" => spec.cap_add = v.strings(),
        "cap_drop" => spec.cap_drop = v.strings(),
        "ulimits" => spec.ulimits = ulimits(v),
        "logging" => spec.logging = Some(logging(v)),
        "extra_hosts" => spec.extra_hosts = extra_hosts(v),
        "init" => spec.init = v.bool(),
        "read_only" => spec.read_only = v.bool().unwrap_or_default(),
        "stdin_open" => spec.stdin_open = v.bool().unwrap_or_default(),
        "tty" => spec.tty = v.bool().unwrap_or_default(),
        "privileged" => spec.privileged = v.bool().unwrap_or_default(),
        "oom_kill_disable" => spec.oom_kill_disable = v.bool().unwrap_or_default(),
        "security_opt" => spec.security_opt = v.strings(),
        "sysctls" => spec.sysctls = v.table(),
        "annotations" => spec.annotations = v.table(),
        "storage_opt" => spec.storage_opt = v.table(),
        "shm_size" => spec.shm_size = v.bytes(),
        "dns" => spec.dns = v.one_or_more_strings(),
        "dns_search" => spec.dns_search = v.one_or_more_strings(),
        "dns_opt" => spec.dns_opt = v.strings(),
        "devices" => devices::devices(v, spec),
        "device_cgroup_rules" => spec.device_cgroup_rules = v.strings(),
        "gpus" => devices::gpus(v, spec),
        "group_add" => spec.group_add = v.strings(),
        "pid" => spec.pid = own_namespace(v),
        "ipc" => spec.ipc = own_namespace(v),
        "uts" => spec.uts = v.optional(),
        "cgroup" => spec.cgroup = v.optional(),
        "cgroup_parent" => spec.cgroup_parent = v.optional(),
        "userns_mode" => spec.userns_mode = v.optional(),
        "runtime" => spec.runtime = v.optional(),
        "platform" => spec.platform = v.optional(),
        "pids_limit" => spec.pids_limit = v.number("a number of processes"),
        "oom_score_adj" => spec.oom_score_adj = v.number("a number from -1000 to 1000"),
        "deploy" => deploy::deploy(v, spec),
        "x-wharf" => spec.wharf = wharf::wharf(v),
        // Read elsewhere: by `environment`, `restart`, `deploy::top_level`, `volumes::tmpfs`, the loader.
        "environment" | "env_file" | "labels" | "label_file" | "restart" | "tmpfs" | "profiles" | "extends"
        | "secrets" | "configs" => {}
        _ if deploy::TOP_LEVEL.contains(&key) => {}
        _ => refused::refuse(key, v),
    }
}

/// Checks the form `[REGISTRY[:PORT]/]PATH[:TAG][@DIGEST]`.
fn image(text: &str) -> Result<String, String> {
    const PATTERN: &str = concat!(
        r"^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?",
        r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*",
        r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,})?$",
    );
    if text.is_empty() {
        return Err("the image is empty: write a name like `redis:7`, and set the variables in it".into());
    }
    let legal = text.len() <= 512 && regex_lite::Regex::new(PATTERN).is_ok_and(|pattern| pattern.is_match(text));
    if legal {
        return Ok(text.to_owned());
    }
    let hint = if text.ends_with(':') {
        "the tag behind `:` is missing"
    } else if text.starts_with("http://") || text.starts_with("https://") {
        "leave out the `http://`"
    } else if text
        .rsplit('/')
        .next()
        .is_some_and(|name| name.split([':', '@']).next().is_some_and(|name| name.chars().any(char::is_uppercase)))
    {
        "a name has only small letters"
    } else {
        "write it like `redis:7` or `registry.example.com/team/app:1.2`"
    };
    Err(format!("`{text}` is no image name: {hint}"))
}

fn depends_on(v: &Val<'_>, world: &World<'_>) -> BTreeMap<ServiceName, Dependency> {
    const CONDITIONS: &[(&str, Condition)] = &[
        ("service_started", Condition::ServiceStarted),
        ("service_healthy", Condition::ServiceHealthy),
        ("service_completed_successfully", Condition::ServiceCompletedSuccessfully),
    ];
    let mut out = BTreeMap::new();
    let mut entries: Vec<(String, Val<'_>, Dependency)> = Vec::new();
    let plain = Dependency { condition: Condition::ServiceStarted, required: true };
    if let Kind::Map(_) = v.node.kind {
        for (name, item) in v.members() {
            let mut dependency = plain;
            item.keys(&["condition", "required", "restart"], |key, value| match key {
                "condition" => dependency.condition = value.choice(CONDITIONS).unwrap_or_default(),
                "required" => dependency.required = value.bool().unwrap_or(true),
                _ => {
                    if value.bool() == Some(true) {
                        value.warn("ignored: wharf does not restart a service because another one was replaced");
                    }
                }
            });
            entries.push((name.to_owned(), item, dependency));
        }
    } else {
        entries.extend(v.items().into_iter().filter_map(|item| Some((item.filled()?, item, plain))));
    }
    for (name, item, dependency) in entries {
        if !world.services.contains(name.as_str()) {
            match (dependency.required, world.inactive.get(name.as_str())) {
                (false, _) => {}
                (true, Some(profiles)) => item.error(format!(
                    "the service `{name}` is only there with the profile {}: activate it, or write `required: false`",
                    numbers::or(&profiles.iter().map(String::as_str).collect::<Vec<_>>())
                )),
                (true, None) => {
                    let known: Vec<&str> = world.services.iter().copied().collect();
                    let hint = numbers::nearest(&name, &known)
                        .map_or_else(|| "correct the name".to_owned(), |near| format!("did you mean `{near}`?"));
                    item.error(format!("there is no service `{name}`; {hint}"));
                }
            }
            continue;
        }
        if let Ok(name) = ServiceName::new(&name) {
            out.insert(name, dependency);
        }
    }
    out
}

/// Reads `restart`; what it means that it is missing is decided when all services are known.
fn restart(val: &Val<'_>, spec: &mut ServiceSpec) -> bool {
    let policy = val.get("deploy").and_then(|deploy| deploy.get("restart_policy"));
    if let Some(policy) = policy {
        spec.restart = deploy::restart_policy(&policy);
        return true;
    }
    let Some(v) = val.get("restart") else { return false };
    let read = v.with(|text| match text.split_once(':').unwrap_or((text, "")) {
        ("no" | "false", "") => Ok(Restart::No),
        ("always", "") => Ok(Restart::Always),
        ("unless-stopped", "") => Ok(Restart::UnlessStopped),
        ("on-failure", "") => Ok(Restart::OnFailure { max: None }),
        ("on-failure", max) if numbers::integer::<u32>(max).is_some() => {
            Ok(Restart::OnFailure { max: numbers::integer(max) })
        }
        _ => Err(format!("must be \"no\", always, unless-stopped, on-failure or on-failure:N, this is `{text}`")),
    });
    spec.restart = read.unwrap_or_default();
    true
}

fn ulimits(v: &Val<'_>) -> BTreeMap<String, (i64, i64)> {
    let mut out = BTreeMap::new();
    for (name, item) in v.members() {
        let (mut soft, mut hard) = (None, None);
        if item.node.map().is_some() {
            item.keys(&["soft", "hard"], |key, value| {
                let number = value.number("a number");
                if key == "soft" { soft = number } else { hard = number }
            });
            if item.get("soft").is_none() || item.get("hard").is_none() {
                item.error("needs both `soft` and `hard`");
            }
        } else {
            soft = item.number("a number, or a mapping with `soft` and `hard`");
            hard = soft;
        }
        if let (Some(soft), Some(hard)) = (soft, hard) {
            if soft > hard && hard >= 0 {
                item.error(format!("`soft` ({soft}) is more than `hard` ({hard})"));
            }
            out.insert(name.to_owned(), (soft, hard));
        }
    }
    out
}

fn logging(v: &Val<'_>) -> Logging {
    let mut logging = Logging::default();
    v.keys(&["driver", "options"], |key, value| match key {
        "driver" => logging.driver = value.filled(),
        _ => logging.options = value.table(),
    });
    logging
}

fn extra_hosts(v: &Val<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let mut add = |item: &Val<'_>, name: &str, address: &str| {
        let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
        if name.is_empty() || (bare != "host-gateway" && bare.parse::<std::net::IpAddr>().is_err()) {
            item.error("must be NAME=ADDRESS, with an IP address or `host-gateway`");
        } else {
            out.push(format!("{name}:{bare}"));
        }
    };
    if let Kind::Map(_) = v.node.kind {
        for (name, item) in v.members() {
            for value in item.one_or_more() {
                if let Some(address) = value.text() {
                    add(&value, name, address);
                }
            }
        }
    } else {
        for item in v.items() {
            let Some(text) = item.text() else { continue };
            let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).unwrap_or((text, ""));
            add(&item, name.trim(), address.trim());
        }
    }
    out
}

fn own_namespace(v: &Val<'_>) -> Option<String> {
    let text = v.filled()?;
    if text.starts_with("service:") || text.starts_with("container:") {
        v.error(format!("`{text}` is not possible: replicas of two services may be on different hosts"));
    }
    Some(text)
}
