//! What happens in a history, in order. A story is data: it can be made by chance, printed, read, and made shorter.

use serde::{Deserialize, Serialize};

/// A history before it is played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// What is left to chance while it is played: times of engines, pauses of reconnecting.
    pub seed: u64,
    /// Hosts; from five on there are two regions.
    pub hosts: usize,
    /// The stack's services are reached through proxies.
    pub proxies: bool,
    /// The fleet has this many reconcilers at the start.
    pub reconcilers: u32,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// After so many milliseconds.
    pub after: u64,
    /// What.
    pub what: What,
}

/// What happens. Numbers that name one of several are counted around.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An operator's command. A late one is planned now and accepted when the next thing happens.
    Command { command: Command, late: bool },
    /// The next requests to a host go wrong.
    Rule { host: u8, path: u8, fault: Fault, times: u8 },
    /// A host cannot be reached.
    Cut { host: u8, how: Cut },
    /// A host can be reached again.
    Mend { host: u8 },
    /// A container ends by itself.
    Crash { container: u8 },
    /// Somebody removes a container by hand.
    Remove { container: u8 },
    /// A host is off for so many seconds.
    Power { host: u8, seconds: u8 },
    /// A host's events stop coming, or come again.
    Freeze { host: u8, on: bool },
    /// A host's proxy says nothing, or speaks again.
    Mute { host: u8, on: bool },
    /// Somebody removes a host's images.
    Forget { host: u8 },
    /// A reconciler is killed, wherever it is.
    Kill { reconciler: u8 },
    /// One more reconciler.
    Start,
    /// A reconciler stands still for so many seconds, while everything else goes on, and does not know it.
    Stop { reconciler: u8, seconds: u8 },
    /// The machine of the lease's holder slept: others may have the lease while it still believes.
    Sleep,
    /// A reconciler's next writes to the store fail; where lost, they are done all the same.
    Store { reconciler: u8, lost: bool, times: u8 },
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// The stack's file, with a version of `web` and so many replicas of both services.
    Deploy {
        version: Version,
        web: u8,
        api: u8,
    },
    Scale {
        to: u8,
    },
    Restart,
    RemoveStack,
    Rollback {
        back: u8,
    },
    Migrate {
        from: u8,
        to: u8,
    },
    Drain {
        host: u8,
    },
    Cordon {
        host: u8,
    },
    Uncordon {
        host: u8,
    },
    Rebalance,
    Pause,
    Resume,
    Abort,
}

/// A version of the image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// Works.
    Good(u8),
    /// Ends soon after its start.
    Bad,
    /// Never gets healthy.
    Sick,
    /// Is in no registry.
    Missing,
}

impl Version {
    pub fn tag(self) -> String {
        match self {
            Self::Good(number) => number.to_string(),
            Self::Bad => "bad".to_owned(),
            Self::Sick => "sick".to_owned(),
            Self::Missing => "missing".to_owned(),
        }
    }
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    Fails,
    Conflicts,
    AnswerLost,
    Closed,
    Garbage,
    Truncated,
    Slow,
    Hangs,
}

/// How a host cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    Hung,
    Down,
    Noise,
}

impl Story {
    /// The story of a seed.
    pub fn by_chance(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x7768_6172_665f_3031);
        let hosts = *[2, 3, 3, 3, 5].get(rng.usize(0..5)).unwrap();
        let proxies = rng.u8(0..10) < 3;
        // A third of all have no trouble but commands: what is true there must be true at any moment.
        let is_calm = rng.u8(0..3) == 0;
        let mut steps = vec![Step {
            after: 0,
            what: What::Command {
                command: Command::Deploy { version: Version::Good(1), web: rng.u8(1..=5), api: rng.u8(1..=3) },
                late: false,
            },
        }];
        for _ in 0..rng.usize(3..9) {
            let after = if rng.bool() { rng.u64(0..400) } else { rng.u64(400..9_000) };
            let what = if is_calm || rng.u8(0..10) < 4 {
                What::Command { command: Command::by_chance(&mut rng), late: rng.u8(0..8) == 0 }
            } else {
                What::by_chance(&mut rng)
            };
            steps.push(Step { after, what });
        }
        Self { seed, hosts, proxies, reconcilers: rng.u32(1..=2), steps }
    }

    /// Some reconciler stands still in it.
    pub fn stops(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.what, What::Stop { .. }))
    }

    /// As it is kept in a file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap()
    }

    /// Reads what [`Story::text`] wrote.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl Command {
    fn by_chance(rng: &mut fastrand::Rng) -> Self {
        let host = rng.u8(0..5);
        match rng.u8(0..30) {
            0..7 => {
                let version = match rng.u8(0..10) {
                    0 => Version::Bad,
                    1 => Version::Sick,
                    2 => Version::Missing,
                    _ => Version::Good(rng.u8(1..=4)),
                };
                Self::Deploy { version, web: rng.u8(1..=6), api: rng.u8(1..=3) }
            }
            7..13 => Self::Scale { to: rng.u8(0..=9) },
            13 => Self::Restart,
            14 => Self::RemoveStack,
            15..18 => Self::Rollback { back: rng.u8(0..4) },
            18..21 => Self::Migrate { from: host, to: rng.u8(0..5) },
            21..23 => Self::Drain { host },
            23 => Self::Cordon { host },
            24..26 => Self::Uncordon { host },
            26 => Self::Rebalance,
            27 => Self::Pause,
            28 => Self::Resume,
            _ => Self::Abort,
        }
    }
}

impl What {
    fn by_chance(rng: &mut fastrand::Rng) -> Self {
        let host = rng.u8(0..5);
        match rng.u8(0..44) {
            0..8 => {
                let faults = [
                    Fault::Fails,
                    Fault::Conflicts,
                    Fault::AnswerLost,
                    Fault::Closed,
                    Fault::Garbage,
                    Fault::Truncated,
                    Fault::Slow,
                    Fault::Hangs,
                ];
                let fault = rng.choice(faults).unwrap();
                Self::Rule { host, path: rng.u8(0..8), fault, times: rng.u8(1..=3) }
            }
            8..13 => Self::Cut { host, how: rng.choice([Cut::Hung, Cut::Down, Cut::Noise]).unwrap() },
            13..18 => Self::Mend { host },
            18..21 => Self::Crash { container: rng.u8(..) },
            21..23 => Self::Remove { container: rng.u8(..) },
            23..25 => Self::Power { host, seconds: rng.u8(1..30) },
            25..27 => Self::Freeze { host, on: rng.bool() },
            27 => Self::Mute { host, on: rng.bool() },
            28 => Self::Forget { host },
            29..33 => Self::Kill { reconciler: rng.u8(..) },
            33..36 => Self::Start,
            36 => Self::Sleep,
            37..41 => Self::Stop { reconciler: rng.u8(..), seconds: rng.u8(1..40) },
            _ => Self::Store { reconciler: rng.u8(..), lost: rng.bool(), times: rng.u8(1..=4) },
        }
    }
}
