//! How often containers that are not on the screen are sampled, and so how old a sample may be.
//!
//! Each sample costs an engine some file reads and us a request. In all there are at most [`PER_SECOND`] a second: in a
//! large fleet a round over all containers takes longer, and what is told of loads is older. What counts as missing
//! follows: a container is missing when it was left out three rounds in a row.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Samples a second at most, of all that is not on the screen.
pub const PER_SECOND: u32 = 250;

/// The shortest round.
const SHORTEST: u32 = 30;
/// Rounds get no longer than an hour, whatever the fleet: 900,000 containers.
const DOUBLINGS: u32 = 7;

/// How fast the rounds are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pace(u32);

impl Pace {
    /// A round: every running container that is not on the screen is sampled once in it.
    pub fn round(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds()))
    }

    /// A sample that is older says nothing of now.
    pub fn is_fresh(self, sampled: Timestamp, now: Timestamp) -> bool {
        now < self.fresh_until(sampled)
    }

    /// Until then a sample says something of now.
    pub fn fresh_until(self, sampled: Timestamp) -> Timestamp {
        after(sampled, self.seconds() * 3)
    }

    /// A container that has just started has no sample yet, and needs none until then.
    pub fn young_until(self, started: Timestamp) -> Timestamp {
        after(started, self.seconds() * 3 / 2)
    }

    /// The pace for so many running containers. Around a limit it stays as it is, so that it does not go to and fro.
    #[must_use]
    pub fn fit(self, running: u32) -> Self {
        let holds = |pace: Self, of: u32| running <= PER_SECOND.saturating_mul(pace.seconds()) / 100 * of;
        let mut pace = self;
        while pace.0 < DOUBLINGS && !holds(pace, 100) {
            pace.0 += 1;
        }
        while pace.0 > 0 && holds(Self(pace.0 - 1), 80) {
            pace.0 -= 1;
        }
        pace
    }

    fn seconds(self) -> u32 {
        SHORTEST << self.0.min(DOUBLINGS)
    }
}

fn after(then: Timestamp, seconds: u32) -> Timestamp {
    then.checked_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_get_longer_with_the_fleet_and_do_not_go_to_and_fro() {
        for (running, seconds) in [(0, 30), (7_500, 30), (7_501, 60), (50_000, 240), (u32::MAX, 3_840)] {
            assert_eq!(Pace::default().fit(running).round().as_secs(), seconds, "{running}");
        }
        let slow = Pace::default().fit(7_501);
        assert_eq!(slow.fit(7_400), slow, "just below the limit");
        assert_eq!(slow.fit(5_900), Pace::default());
        assert_eq!(slow.fit(0), Pace::default());
    }

    #[test]
    fn what_is_missing_follows_the_round() {
        let at = |seconds: i64| Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        let (fast, slow) = (Pace::default(), Pace::default().fit(50_000));
        assert!(fast.is_fresh(at(0), at(89)) && !fast.is_fresh(at(0), at(90)));
        assert!(slow.is_fresh(at(0), at(719)) && !slow.is_fresh(at(0), at(720)));
        assert_eq!((fast.young_until(at(0)), slow.young_until(at(0))), (at(45), at(360)));
    }
}
