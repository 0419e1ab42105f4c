//! Loads of containers. Engines count up; a load is the difference of two counts.

use jiff::Timestamp;

use super::{
    error::{EngineError, ErrorKind, Fault},
    http::encode,
    reader::{Reader, SHORT},
    wire,
};
use crate::model::{ContainerId, Usage};

/// The counters of a container at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counters {
    /// By the engine's clock.
    read: Timestamp,
    at: Timestamp,
    /// Nanoseconds of processor time.
    cpu: u64,
    /// Nanoseconds of processor time of the whole machine; 0 where the engine does not say.
    system: u64,
    cores: u32,
    memory: u64,
    net: (u64, u64),
    disk: (u64, u64),
}

impl Counters {
    fn new(from: &wire::Stats, now: Timestamp) -> Option<Self> {
        let read: Timestamp = from.read.parse().ok()?;
        // An engine gives the zero time for a container that does not run.
        if read.as_second() <= 0 {
            return None;
        }
        let per_cpu = u32::try_from(from.cpu.usage.per_cpu.len()).unwrap_or(0);
        // The cache that can be given back at once is no load. Version 1 of cgroups says it by the first name.
        let cache = from.memory.stats.get("total_inactive_file").or_else(|| from.memory.stats.get("inactive_file"));
        let disk = |word: &str| {
            let entries = from.blkio.bytes.iter().filter(|entry| entry.op.eq_ignore_ascii_case(word));
            entries.map(|entry| entry.value).fold(0, u64::saturating_add)
        };
        let net = from
            .networks
            .values()
            .fold((0u64, 0u64), |(rx, tx), network| (rx.saturating_add(network.rx), tx.saturating_add(network.tx)));
        Some(Self {
            read,
            at: now,
            cpu: from.cpu.usage.total,
            system: from.cpu.system,
            cores: if from.cpu.online > 0 { from.cpu.online } else { per_cpu.max(1) },
            memory: from.memory.usage.saturating_sub(cache.copied().unwrap_or(0)),
            net,
            disk: (disk("read"), disk("write")),
        })
    }

    /// The load between an earlier count and this one; none where no time passed.
    pub fn since(&self, earlier: &Self) -> Option<Usage> {
        let seconds = self.read.duration_since(earlier.read).as_secs_f64();
        if seconds <= 0.05 {
            return None;
        }
        // A counter that went back was started anew: nothing is known of the time between.
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        let busy = self.cpu.saturating_sub(earlier.cpu) as f64;
        let machine = self.system.saturating_sub(earlier.system) as f64;
        let cpu_percent =
            if machine > 0.0 { busy / machine * f64::from(self.cores) * 100.0 } else { busy / (seconds * 1e9) * 100.0 };
        Some(Usage {
            cpu_percent,
            memory: self.memory,
            net_rx: rate(self.net.0, earlier.net.0),
            net_tx: rate(self.net.1, earlier.net.1),
            disk_read: rate(self.disk.0, earlier.disk.0),
            disk_write: rate(self.disk.1, earlier.disk.1),
            at: self.at,
        })
    }
}

impl Reader {
    /// The counters of a container now. Two of them make a load: [`Counters::since`].
    pub async fn stats_once(&self, id: &ContainerId) -> Result<Counters, EngineError> {
        let tried = "sample a container";
        let session = self.session(tried)?;
        let path = format!("/containers/{}/stats?stream=false&one-shot=true", encode(id.0.as_str()));
        let stats: Result<wire::Stats, Fault> = session.http.json(&path, SHORT).await;
        stats
            .and_then(|stats| {
                Counters::new(&stats, session.clock.now())
                    .ok_or_else(|| Fault::new(ErrorKind::Conflict, "the container does not run", ""))
            })
            .map_err(|fault| fault.at(&self.host, tried))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(json: serde_json::Value) -> Option<Counters> {
        Counters::new(&serde_json::from_value(json).unwrap(), Timestamp::UNIX_EPOCH)
    }

    fn at(second: u32, cpu: u64, system: u64, rx: u64) -> Counters {
        counters(serde_json::json!({
            "read": format!("2026-03-01T12:00:{second:02}Z"),
            "cpu_stats": {"cpu_usage": {"total_usage": cpu}, "system_cpu_usage": system, "online_cpus": 2},
            "memory_stats": {"usage": 1000, "stats": {"inactive_file": 300}},
            "networks": {"eth0": {"rx_bytes": rx, "tx_bytes": 10}, "eth1": {"rx_bytes": 1, "tx_bytes": 1}},
            "blkio_stats": {"io_service_bytes_recursive": [{"op":"Read","value":5},{"op":"write","value":7}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_load_is_the_difference_of_two_counts() {
        let usage = at(2, 1_000_000_000, 4_000_000_000, 2048).since(&at(0, 0, 0, 0)).unwrap();
        // One second of processor in two seconds: half a core.
        assert!((usage.cpu_percent - 50.0).abs() < 1e-9, "{usage:?}");
        assert_eq!((usage.memory, usage.net_rx, usage.net_tx), (700, 1024.0, 0.0));
        // The same without the machine's count.
        let usage = at(2, 1_000_000_000, 0, 0).since(&at(0, 0, 0, 0)).unwrap();
        assert!((usage.cpu_percent - 50.0).abs() < 1e-9, "{usage:?}");
    }

    #[test]
    fn odd_counts_make_no_odd_loads() {
        assert_eq!(at(0, 5, 5, 5).since(&at(0, 0, 0, 0)), None);
        let restarted = at(2, 0, 10, 0).since(&at(0, 1_000, 5, 9_999)).unwrap();
        assert_eq!((restarted.cpu_percent, restarted.net_rx), (0.0, 0.0));
        assert_eq!(counters(serde_json::json!({"read": "0001-01-01T00:00:00Z"})), None);
        assert_eq!(counters(serde_json::json!({"memory_stats": null})), None);
    }
}
