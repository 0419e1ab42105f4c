//! `deploy`, and the older keys of a service that say the same.

use super::{devices, numbers, typed::Val};
use crate::model::{Constraint, FailureAction, HostField, Mode, Order, Resources, Restart, RolloutSpec, ServiceSpec};

/// Keys of a service that belong to its resources or replicas.
pub(super) const TOP_LEVEL: &[&str] = &[
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
];

/// Reads [`TOP_LEVEL`]. What `deploy` says wins, and must not contradict.
pub(super) fn top_level(val: &Val<'_>, spec: &mut ServiceSpec) {
    let resources = &mut spec.deploy.resources;
    let each = |key: &str| val.get(key);
    spec.deploy.replicas = each("scale").and_then(|v| v.number("a number of replicas"));
    resources.memory_limit = each("mem_limit").and_then(|v| v.bytes());
    resources.memory_reserved = each("mem_reservation").and_then(|v| v.bytes());
    resources.cpu_limit = each("cpus").and_then(|v| v.cores());
    resources.cpu_shares = each("cpu_shares").and_then(|v| v.number("a weight like 512"));
    resources.cpuset = each("cpuset").and_then(|v| v.filled());
    resources.swappiness = each("mem_swappiness").and_then(|v| v.number("a number from 0 to 100"));
    resources.memory_swap = each("memswap_limit").and_then(|v| match v.text()? {
        "-1" => Some(-1),
        _ => v.bytes().and_then(|bytes| i64::try_from(bytes).ok()),
    });
    if let Some(quota) = each("cpu_quota") {
        let micros = |v: &Val<'_>| {
            v.with(|text| match numbers::integer::<u64>(text) {
                Some(number) => Ok(number),
                None => numbers::duration(text).map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
            })
        };
        let period = each("cpu_period").map_or(Some(100_000), |v| micros(&v)).filter(|period| *period > 0);
        match (micros(&quota), period) {
            _ if resources.cpu_limit.is_some() => quota.error("`cpus` and `cpu_quota` say the same: keep one"),
            (Some(quota), Some(period)) => resources.cpu_limit = Some(quota.saturating_mul(1000) / period),
            _ => {}
        }
    } else if let Some(period) = each("cpu_period") {
        period.warn("ignored: without `cpu_quota` it limits nothing");
    }
}

/// `deploy` of a service.
pub(super) fn deploy(v: &Val<'_>, spec: &mut ServiceSpec) {
    const KEYS: &[&str] = &[
        "mode",
        "replicas",
        "placement",
        "resources",
        "restart_policy",
        "update_config",
        "rollback_config",
        "labels",
        "endpoint_mode",
    ];
    const MODES: &[(&str, Mode)] = &[
        ("replicated", Mode::Replicated),
        ("global", Mode::Global),
        ("replicated-job", Mode::ReplicatedJob),
        ("global-job", Mode::GlobalJob),
    ];
    v.keys(KEYS, |key, value| match key {
        "mode" => spec.deploy.mode = value.choice(MODES).unwrap_or_default(),
        "replicas" => {
            let replicas = value.number("a number of replicas, 0 or more");
            once(&value, &mut spec.deploy.replicas, replicas, "scale");
        }
        "placement" => placement(&value, spec),
        "resources" => resources(&value, spec),
        "update_config" => spec.deploy.update = Some(rollout(&value, true)),
        "rollback_config" => spec.deploy.rollback = Some(rollout(&value, false)),
        "labels" => spec.deploy.labels = value.table(),
        "endpoint_mode" => value.warn("ignored: wharf's proxies stand in front of the replicas"),
        // Read together with `restart`.
        _ => {}
    });
    let global = matches!(spec.deploy.mode, Mode::Global | Mode::GlobalJob);
    if let (true, Some(replicas)) = (global, v.get("replicas")) {
        replicas.error("a global service has one replica on every host: remove `replicas`, or `mode`");
    }
}

/// Sets a value that an older key may have set already.
fn once<T: PartialEq>(v: &Val<'_>, slot: &mut Option<T>, value: Option<T>, older: &str) {
    if slot.is_some() && *slot != value && value.is_some() {
        v.error(format!("says something else than `{older}`: remove one of them"));
    }
    *slot = value;
}

fn placement(v: &Val<'_>, spec: &mut ServiceSpec) {
    v.keys(&["constraints", "preferences", "max_replicas_per_node"], |key, value| match key {
        "constraints" => spec.deploy.constraints = value.items().iter().filter_map(constraint).collect(),
        "preferences" => spec.deploy.spread = value.items().iter().filter_map(preference).collect(),
        _ => {
            let max = value.number::<u32>("a number of replicas");
            // In Swarm 0 means no limit.
            spec.deploy.max_per_host = max.filter(|max| *max > 0);
        }
    });
}

fn constraint(item: &Val<'_>) -> Option<Constraint> {
    let text = item.text()?;
    let (field, equal, value) = match (text.split_once("!="), text.split_once("==")) {
        (Some((field, value)), None) => (field.trim(), false, value.trim()),
        (None, Some((field, value))) => (field.trim(), true, value.trim()),
        _ => {
            item.error(format!("must be like `node.labels.disk == ssd` or `node.hostname != a`, this is `{text}`"));
            return None;
        }
    };
    if value.is_empty() {
        item.error("the value is missing");
        return None;
    }
    let field = match field {
        "node.hostname" => HostField::Name,
        "node.region" => HostField::Region,
        "node.platform.os" => HostField::Os,
        "node.platform.arch" => HostField::Arch,
        "node.role" => {
            item.warn(
                "ignored: hosts have no role here; give them a label in the fleet file and ask for `node.labels.role`",
            );
            return None;
        }
        "node.id" => {
            item.error("hosts have names here, not ids: use `node.hostname`");
            return None;
        }
        other => match other.strip_prefix("node.labels.") {
            Some(key) if !key.is_empty() => HostField::Label(key.to_owned()),
            _ => {
                item.error(format!(
                    "`{other}` is not known: node.hostname, node.region, node.labels.KEY, node.platform.os and node.platform.arch are"
                ));
                return None;
            }
        },
    };
    Some(Constraint { field, equal, value: value.to_owned() })
}

fn preference(item: &Val<'_>) -> Option<String> {
    let mut spread = None;
    item.keys(&["spread"], |_, value| spread = value.filled().map(|text| (text, value)));
    let (text, value) = spread?;
    match text.strip_prefix("node.labels.").filter(|key| !key.is_empty()) {
        Some(key) => Some(key.to_owned()),
        None if text == "node.hostname" || text == "node.region" => {
            value.warn("ignored: replicas are always spread over hosts, and counted per region");
            None
        }
        None => {
            value.error(format!("must be node.labels.KEY, this is `{text}`"));
            None
        }
    }
}

fn resources(v: &Val<'_>, spec: &mut ServiceSpec) {
    v.keys(&["limits", "reservations"], |key, part| {
        if key == "limits" {
            limits(&part, &mut spec.deploy.resources);
        } else {
            reservations(&part, spec);
        }
    });
    let found = &spec.deploy.resources;
    if let (Some(limit), Some(reserved)) = (found.memory_limit, found.memory_reserved)
        && reserved > limit
    {
        v.error("more memory is reserved than the limit allows");
    }
    if let (Some(limit), Some(reserved)) = (found.cpu_limit, found.cpu_reserved)
        && reserved > limit
    {
        v.error("more cores are reserved than the limit allows");
    }
}

fn limits(v: &Val<'_>, resources: &mut Resources) {
    v.keys(&["cpus", "memory", "pids"], |key, value| match key {
        "cpus" => {
            let cores = value.cores();
            once(&value, &mut resources.cpu_limit, cores, "cpus");
        }
        "memory" => {
            let bytes = value.bytes();
            once(&value, &mut resources.memory_limit, bytes, "mem_limit");
        }
        _ => resources.pids = value.number("a number of processes"),
    });
}

fn reservations(v: &Val<'_>, spec: &mut ServiceSpec) {
    v.keys(&["cpus", "memory", "devices", "generic_resources"], |key, value| match key {
        "cpus" => spec.deploy.resources.cpu_reserved = value.cores(),
        "memory" => {
            let bytes = value.bytes();
            once(&value, &mut spec.deploy.resources.memory_reserved, bytes, "mem_reservation");
        }
        "devices" => {
            for item in value.items() {
                let request = devices::request(&item);
                if request.capabilities.is_empty() {
                    item.error("`capabilities` is missing: `capabilities: [gpu]`");
                }
                spec.device_requests.push(request);
            }
        }
        _ => value.error("not supported: give hosts a label and use a placement constraint"),
    });
}

/// `deploy.restart_policy` as what the engine itself does.
pub(super) fn restart_policy(v: &Val<'_>) -> Restart {
    let mut condition = "any";
    let mut max = None;
    v.keys(&["condition", "delay", "max_attempts", "window"], |key, value| match key {
        "condition" => {
            let words: &[(&str, &'static str)] = &[
                ("none", "none"),
                ("on-failure", "on-failure"),
                ("any", "any"),
                ("always", "any"),
                ("unless-stopped", "any"),
                ("no", "none"),
            ];
            condition = value.choice(words).unwrap_or("any");
        }
        "max_attempts" => max = value.number::<u32>("a number of attempts"),
        _ => {
            if value.duration().is_some() {
                value.warn("ignored: the engine waits longer after every restart by itself");
            }
        }
    });
    match condition {
        "none" => Restart::No,
        "on-failure" => Restart::OnFailure { max: max.filter(|max| *max > 0) },
        _ => {
            if let (Some(_), Some(value)) = (max, v.get("max_attempts")) {
                value.warn("ignored: engines only count attempts with `condition: on-failure`");
            }
            Restart::UnlessStopped
        }
    }
}

fn rollout(v: &Val<'_>, update: bool) -> RolloutSpec {
    const KEYS: &[&str] = &["parallelism", "delay", "failure_action", "monitor", "max_failure_ratio", "order"];
    const ACTIONS: &[(&str, FailureAction)] = &[
        ("pause", FailureAction::Pause),
        ("continue", FailureAction::Continue),
        ("rollback", FailureAction::Rollback),
    ];
    let mut spec = RolloutSpec::default();
    v.keys(KEYS, |key, value| match key {
        "parallelism" => spec.parallelism = value.number("a number of replicas at a time, 0 for all"),
        "delay" => spec.delay = value.duration(),
        "monitor" => spec.monitor = value.duration(),
        "failure_action" => {
            let allowed = if update { ACTIONS } else { ACTIONS.get(..2).unwrap_or(ACTIONS) };
            spec.failure_action = value.choice(allowed);
        }
        "max_failure_ratio" => {
            spec.max_failure_ratio = value.with(|text| match text.parse::<f64>() {
                Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
                _ => Err(format!("must be a share from 0 to 1, this is `{text}`")),
            });
        }
        _ => spec.order = value.choice(&[("start-first", Order::StartFirst), ("stop-first", Order::StopFirst)]),
    });
    spec
}
