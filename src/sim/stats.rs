//! `GET /containers/{id}/stats`.

use super::clock;
use super::container::Container;
use super::engine::Engine;
use super::kind::Kind;
use super::load::Wave;
use super::num;
use super::query::Query;
use super::reply::{self, Answer};
use super::script::Behaviour;
use bytes::Bytes;
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn unix(at: Timestamp) -> f64 {
    at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

/// Bytes a container may use: its limit, or the machine's memory.
fn limit(container: &Container, engine: &Engine) -> u64 {
    if container.spec.memory > 0 { container.spec.memory } else { engine.profile.memory }
}

impl Engine {
    /// CPU time in nanoseconds, and the machine's, since the container's start.
    fn cpu_json(&self, container: &Container, at: Timestamp) -> Value {
        let kind = Kind::of(container);
        let started = container.started.unwrap_or(at);
        let wave = Wave::new(kind.cpu(), kind.daily(), num::hash(&container.id));
        let used = wave.total(unix(started), unix(at)).max(0.0) * 1e9;
        let (total, user) = (num::count(used), num::count(used * 0.71));
        // The machine's time counts all processors since boot, which was ten days before the clock's beginning.
        let boot = 864_000.0 + clock::seconds(Timestamp::UNIX_EPOCH, at) - 1.7e9;
        json!({
            "cpu_usage": {"total_usage": total, "usage_in_kernelmode": total - user, "usage_in_usermode": user},
            "system_cpu_usage": num::count(boot * 1e9 * f64::from(self.profile.cpus)),
            "online_cpus": self.profile.cpus,
            "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
        })
    }

    fn memory_json(&self, container: &Container, at: Timestamp) -> Value {
        let kind = Kind::of(container);
        let limit = limit(container, self);
        let age = clock::seconds(container.started.unwrap_or(at), at).max(0.0);
        // Grows towards its level in the first minutes; one that is going to die of it grows to the limit.
        let level = if let Behaviour::Exits { after, oom: true, .. } = container.behaviour {
            limit as f64 * (age / after.as_secs_f64().max(0.1)).min(0.99)
        } else {
            let wave = Wave::new(kind.memory(), 0.08, num::hash(&container.id) ^ 5);
            wave.rate(unix(at)) * (1.0 - 0.6 * (-age / 90.0).exp())
        };
        let usage = num::count(level.min(limit as f64 * 0.99));
        let file = usage / 9;
        json!({
            "usage": usage + file,
            "stats": {
                "active_anon": 4096, "active_file": file / 2, "anon": usage, "anon_thp": 0, "file": file, "file_dirty": 0,
                "file_mapped": file / 3, "file_writeback": 0, "inactive_anon": usage, "inactive_file": file, "kernel_stack": 180_224,
                "pgactivate": 0, "pgfault": usage / 4096, "pgmajfault": 12, "shmem": 0, "slab": 520_432,
                "slab_reclaimable": 340_112, "slab_unreclaimable": 180_320, "sock": 0, "unevictable": 0,
            },
            "limit": limit,
        })
    }

    fn traffic(container: &Container, at: Timestamp) -> (Value, Value) {
        let kind = Kind::of(container);
        let (from, to, seed) = (unix(container.started.unwrap_or(at)), unix(at), num::hash(&container.id));
        let sum = |rate: f64, salt: u64| num::count(Wave::new(rate, kind.daily(), seed ^ salt).total(from, to));
        let ((rx, tx), (read, write)) = (kind.network(), kind.disk());
        let (rx, tx, read, write) = (sum(rx, 11), sum(tx, 12), sum(read, 13), sum(write, 14));
        let network = json!({
            "rx_bytes": rx, "rx_packets": rx / 900, "rx_errors": 0, "rx_dropped": 0,
            "tx_bytes": tx, "tx_packets": tx / 1100, "tx_errors": 0, "tx_dropped": 0,
        });
        let io = |op: &str, value: u64| json!({"major": 8, "minor": 0, "op": op, "value": value});
        let blocks = json!({
            "io_service_bytes_recursive": [io("read", read), io("write", write)], "io_serviced_recursive": null,
            "io_queue_recursive": null, "io_service_time_recursive": null, "io_wait_time_recursive": null,
            "io_merged_recursive": null, "io_time_recursive": null, "sectors_recursive": null,
        });
        (network, blocks)
    }

    fn stats_json(&self, container: &Container, before: Option<Timestamp>, now: Timestamp) -> Value {
        let none_cpu = json!({
            "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
            "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
        });
        let name = format!("/{}", container.name);
        if !container.alive() {
            return json!({
                "read": "0001-01-01T00:00:00Z", "preread": "0001-01-01T00:00:00Z", "pids_stats": {}, "num_procs": 0,
                "blkio_stats": {
                    "io_service_bytes_recursive": null, "io_serviced_recursive": null, "io_queue_recursive": null,
                    "io_service_time_recursive": null, "io_wait_time_recursive": null, "io_merged_recursive": null,
                    "io_time_recursive": null, "sectors_recursive": null,
                },
                "storage_stats": {}, "cpu_stats": none_cpu, "precpu_stats": none_cpu, "memory_stats": {},
                "name": name, "id": container.id,
            });
        }
        let (network, blocks) = Self::traffic(container, now);
        let mut stats = json!({
            "read": now.to_string(), "preread": clock::stamp(before),
            "pids_stats": {"current": 4 + num::hash(&container.id) % 28}, "blkio_stats": blocks, "num_procs": 0, "storage_stats": {},
            "cpu_stats": self.cpu_json(container, now),
            "precpu_stats": before.map_or(none_cpu, |before| self.cpu_json(container, before)),
            "memory_stats": self.memory_json(container, now), "name": name, "id": container.id,
        });
        let on_network = container.networks.keys().any(|name| !matches!(name.as_str(), "host" | "none"));
        if let (true, Some(map)) = (on_network, stats.as_object_mut()) {
            map.insert("networks".to_owned(), json!({"eth0": network}));
        }
        stats
    }

    fn sample(&self, id: &str, before: Option<Timestamp>) -> Option<(Value, Timestamp)> {
        let now = self.clock.now();
        self.lock().containers.get(id).map(|container| (self.stats_json(container, before, now), now))
    }

    pub(super) async fn stats(self: Arc<Self>, wanted: &str, query: &Query) -> Answer {
        let id = self.lock().container(wanted)?.id.clone();
        // The parameter is true when it is left out.
        if query.text("stream").is_some() && !query.flag("stream") {
            let before = if query.flag("one-shot") { None } else { Some(self.clock.now()) };
            if before.is_some() && self.lock().container(&id)?.alive() {
                // Docker takes two samples a second apart for the difference.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let (stats, _) = self.sample(&id, before).ok_or_else(|| super::reply::Refusal::no_container(wanted))?;
            return Ok(reply::ok(&stats));
        }
        let pace = move |(engine, id, before): (Arc<Self>, String, Option<Timestamp>)| async move {
            if let Some(before) = before {
                // From the sample before, so that the pace does not drift with the reader.
                let left = Duration::try_from(SignedDuration::from_secs(1) - engine.clock.now().duration_since(before));
                tokio::time::sleep(left.unwrap_or_default()).await;
            }
            engine.awake().await;
            let (stats, now) = engine.sample(&id, before)?;
            Some((Ok::<Bytes, std::io::Error>(reply::line(&stats)), (engine, id, Some(now))))
        };
        Ok(reply::stream("application/json", stream::unfold((self, id, None), pace)))
    }
}
