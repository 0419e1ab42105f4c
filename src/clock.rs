//! Where the time of day comes from: the machine, or tokio's clock, which tests and simulations move by hand.
//!
//! Everything beside the pure rooms that needs a moment asks a clock it was given, never the machine itself, so that a
//! simulated fleet may be days ahead of the machine within a second, and two processes may disagree about the time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// One that runs on and differs from the machine's by more tells that the machine's was set.
const OFF: SignedDuration = SignedDuration::from_secs(2);

/// Tells moments. Cheap to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Machine,
    Steady {
        wall: Timestamp,
        uptime: Duration,
    },
    Running {
        wall: Timestamp,
        start: Instant,
        skew: SignedDuration,
    },
}

impl Clock {
    /// The machine's time of day, which somebody may set anew at any moment.
    pub const fn machine() -> Self {
        Self(Kind::Machine)
    }

    /// A clock that shows the machine's time of day now, and then runs on with its uptime: setting the machine's changes
    /// nothing, and sleep counts.
    pub fn steady() -> Self {
        Self(Kind::Steady { wall: Timestamp::now(), uptime: uptime() })
    }

    /// A clock that shows the machine's time of day now, and then runs with [`tokio::time::Instant`].
    pub fn running() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// A clock that shows `wall` now, and then runs with [`tokio::time::Instant`].
    pub fn starting_at(wall: Timestamp) -> Self {
        Self(Kind::Running { wall, start: Instant::now(), skew: SignedDuration::ZERO })
    }

    /// The same clock, wrong by `skew` (positive is ahead). The machine's is what it is, and so is a steady one.
    #[must_use]
    pub fn skewed(self, by: SignedDuration) -> Self {
        match self.0 {
            Kind::Machine | Kind::Steady { .. } => self,
            Kind::Running { wall, start, .. } => Self(Kind::Running { wall, start, skew: by }),
        }
    }

    /// What it shows now.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Kind::Machine => Timestamp::now(),
            Kind::Steady { wall, uptime: since } => after(wall, uptime().saturating_sub(since), SignedDuration::ZERO),
            Kind::Running { wall, start, skew } => after(wall, start.elapsed(), skew),
        }
    }

    /// How long the machine has run since it was booted, its sleep included: what somebody sets anew is not in it. One that
    /// runs by itself tells how long it has run.
    pub fn uptime(&self) -> Duration {
        self.ran().unwrap_or_else(uptime)
    }

    /// True when it runs on and the machine shows another time of day by now. The machine's own never is.
    pub fn is_off(&self) -> bool {
        self.now().duration_since(Timestamp::now()).abs() > OFF
    }

    /// How long one that runs by itself has run, whatever it shows; none for the machine's.
    pub fn ran(&self) -> Option<Duration> {
        match self.0 {
            Kind::Machine | Kind::Steady { .. } => None,
            Kind::Running { start, .. } => Some(start.elapsed()),
        }
    }
}

fn after(wall: Timestamp, ran: Duration, skew: SignedDuration) -> Timestamp {
    let ran = SignedDuration::try_from(ran).unwrap_or(SignedDuration::ZERO);
    wall.checked_add(ran.saturating_add(skew)).unwrap_or(wall)
}

#[cfg(target_os = "linux")]
fn uptime() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Elsewhere the wall clock must do.
#[cfg(not(target_os = "linux"))]
fn uptime() -> Duration {
    Duration::try_from(Timestamp::now().duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn runs_with_the_runtime_and_can_be_wrong() {
        let noon: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(noon);
        let ahead = clock.skewed(SignedDuration::from_secs(90));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(clock.now(), "2026-05-01T12:00:30Z".parse().unwrap());
        assert_eq!(ahead.now(), "2026-05-01T12:02:00Z".parse().unwrap());
        assert_eq!((clock.ran(), ahead.ran()), (Some(Duration::from_secs(30)), Some(Duration::from_secs(30))));
        assert_eq!(Clock::machine().ran(), None);
        assert_eq!(clock.uptime(), Duration::from_secs(30));
        let (one, two) = (Clock::machine().uptime(), Clock::machine().uptime());
        assert!(Duration::ZERO < one && one <= two);
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_whose_clock_was_set_is_noticed() {
        let steady = Clock::steady();
        assert!(!Clock::machine().is_off() && !Clock::running().is_off() && !steady.is_off());
        for hours in [-3, 3] {
            assert!(Clock::starting_at(Timestamp::now() + SignedDuration::from_hours(hours)).is_off());
        }
        let clock = Clock::running();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(clock.is_off() && !steady.is_off());
        assert_eq!(steady.ran(), None, "leases go by the machine's uptime");
    }
}
