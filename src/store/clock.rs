//! Time for leases: it does not jump when someone sets the clock, and goes on while the machine sleeps.

use std::sync::Arc;

/// A moment of this machine since it was booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// Which boot: moments of different boots cannot be compared.
    pub(super) boot: String,
    /// Milliseconds.
    pub(super) ms: i64,
}

/// Where moments come from; tests bring their own.
#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> Moment + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    /// This machine's.
    pub(super) fn machine() -> Self {
        let boot = boot_id();
        let machine = crate::clock::Clock::machine();
        let ms = move || i64::try_from(machine.uptime().as_millis()).unwrap_or(i64::MAX);
        Self(Arc::new(move || Moment { boot: boot.clone(), ms: ms() }))
    }

    /// The one that goes with a clock of the time of day.
    pub(super) fn of(clock: crate::clock::Clock) -> Self {
        if clock.ran().is_none() {
            return Self::machine();
        }
        let ran = move || clock.ran().and_then(|ran| i64::try_from(ran.as_millis()).ok()).unwrap_or_default();
        Self(Arc::new(move || Moment { boot: "none".to_owned(), ms: ran() }))
    }

    /// Another one.
    #[cfg(test)]
    pub(super) fn from_fn(now: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Now.
    pub(super) fn now(&self) -> Moment {
        (self.0)()
    }
}

/// The kernel's id of this boot; where there is none, all boots look the same and leases just expire.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}
