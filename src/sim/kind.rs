//! What sort of work a service does, guessed from its names: decides its load and what it logs.

use super::container::Container;

/// Sorts of services that the simulator can imitate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Web,
    Api,
    Worker,
    Database,
    Cache,
}

impl Kind {
    /// By the most telling name: service label, Compose label, image, container.
    pub(super) fn of(container: &Container) -> Self {
        let label = |key| container.label(key);
        let named = label(crate::model::label::SERVICE).or_else(|| label("com.docker.compose.service"));
        named
            .and_then(Self::guess)
            .or_else(|| Self::guess(&container.spec.image))
            .or_else(|| Self::guess(&container.name))
            .unwrap_or(Self::Api)
    }

    pub(super) fn guess(name: &str) -> Option<Self> {
        const WORDS: [(Kind, &[&str]); 5] = [
            (Kind::Cache, &["redis", "memcache", "valkey", "cache"]),
            (Kind::Database, &["postgres", "mysql", "maria", "mongo", "ledger", "db"]),
            (Kind::Web, &["web", "cdn", "nginx", "httpd", "haproxy", "front", "caddy"]),
            (Kind::Worker, &["worker", "index", "thumb", "cron", "job", "queue", "mail", "batch"]),
            (Kind::Api, &["api", "cart", "auth", "query", "gate", "search", "pay"]),
        ];
        let name = name.to_ascii_lowercase();
        WORDS.iter().find(|(_, words)| words.iter().any(|word| name.contains(word))).map(|(kind, _)| *kind)
    }

    /// Share of one processor in use on average.
    pub(super) fn cpu(self) -> f64 {
        match self {
            Self::Web => 0.12,
            Self::Api => 0.31,
            Self::Worker => 0.55,
            Self::Database => 0.22,
            Self::Cache => 0.06,
        }
    }

    /// Bytes of memory in use on average.
    pub(super) fn memory(self) -> f64 {
        match self {
            Self::Web => 48e6,
            Self::Api => 210e6,
            Self::Worker => 330e6,
            Self::Database => 720e6,
            Self::Cache => 140e6,
        }
    }

    /// Bytes per second received and sent.
    pub(super) fn network(self) -> (f64, f64) {
        match self {
            Self::Web => (90e3, 1.4e6),
            Self::Api => (210e3, 340e3),
            Self::Worker => (60e3, 25e3),
            Self::Database => (120e3, 300e3),
            Self::Cache => (400e3, 900e3),
        }
    }

    /// Bytes per second read and written.
    pub(super) fn disk(self) -> (f64, f64) {
        match self {
            Self::Web => (2e3, 9e3),
            Self::Api => (1e3, 6e3),
            Self::Worker => (80e3, 120e3),
            Self::Database => (300e3, 700e3),
            Self::Cache => (0.0, 30e3),
        }
    }

    /// Requests per second that come through one proxy on average, and milliseconds to an answer.
    pub(super) fn requests(self) -> (f64, f64) {
        match self {
            Self::Web => (90.0, 18.0),
            Self::Api => (60.0, 42.0),
            Self::Worker => (4.0, 160.0),
            Self::Database => (35.0, 4.0),
            Self::Cache => (140.0, 1.0),
        }
    }

    /// How strongly the load follows the time of day, 0 to 1.
    pub(super) fn daily(self) -> f64 {
        match self {
            Self::Web | Self::Api => 0.45,
            Self::Cache | Self::Database => 0.3,
            Self::Worker => 0.12,
        }
    }

    /// Seconds between two log lines, on average.
    pub(super) fn talk(self) -> f64 {
        match self {
            Self::Web => 0.8,
            Self::Api => 1.4,
            Self::Worker => 4.0,
            Self::Database => 9.0,
            Self::Cache => 30.0,
        }
    }
}
