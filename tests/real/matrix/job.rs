//! What is done meanwhile: the command, what must be so before it, and what its end means.

use super::{
    super::stage::{EVERYWHERE, Stage, shop},
    calm::Wanted,
    fault::Fault,
};

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Another stack comes.
    Deploy,
    /// `web` doubles.
    Scale,
    /// Another revision of `web`, with another image.
    RollOut,
    /// The one before again.
    RollBack,
    /// Those of `web` on h2 go to h3.
    Migrate,
    /// A host is emptied: not the one that the fault is about.
    Drain,
    /// That host is there again, and gets its share.
    Rebalance,
}

impl Job {
    /// In an order in which each leaves what the next needs.
    pub const ALL: [Self; 7] =
        [Self::Deploy, Self::Scale, Self::RollOut, Self::RollBack, Self::Migrate, Self::Drain, Self::Rebalance];

    /// For the command line and the table's head.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Scale => "scale",
            Self::RollOut => "rollout",
            Self::RollBack => "rollback",
            Self::Migrate => "migrate",
            Self::Drain => "drain",
            Self::Rebalance => "rebalance",
        }
    }

    /// The host that is emptied.
    pub fn drained(fault: Fault) -> &'static str {
        if fault.host() == Some("h2") { "h3" } else { "h2" }
    }

    /// Makes it possible.
    pub fn prepare(self, stage: &Stage, fault: Fault, nth: u32) {
        let fleet = &stage.fleet;
        let wanted = Wanted::read(stage);
        let drained = Self::drained(fault);
        match self {
            Self::Scale => {
                if wanted.of("shop/web").count() != 3 {
                    fleet.ok(&["scale", "shop/web=3", "--yes"]);
                }
            }
            // Something to go back from.
            Self::RollBack => {
                if wanted.revisions("shop/web").iter().all(|no| *no == 1) {
                    let file = fleet.compose("shop.yaml", &text("2", wanted.of("shop/web").count(), nth));
                    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
                }
            }
            Self::Migrate => {
                if wanted.of("shop/web").all(|place| place.host != "h2") {
                    fleet.ok(&["rebalance", "--yes"]);
                }
            }
            Self::Deploy | Self::RollOut | Self::Drain => {}
            Self::Rebalance => {
                if wanted.intents.contains_key(drained) {
                    fleet.ok(&["uncordon", drained, "--yes"]);
                } else if wanted.of("shop/web").any(|place| place.host == drained) {
                    let to = EVERYWHERE.iter().find(|host| **host != drained && fault.host() != Some(host)).unwrap();
                    fleet.ok(&["migrate", "shop/web", "--from", drained, "--to", to, "--yes"]);
                }
            }
        }
    }

    /// Its command.
    pub fn args(self, stage: &Stage, fault: Fault, nth: u32) -> Vec<String> {
        let owned = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect();
        match self {
            Self::Deploy => {
                let file = stage.fleet.compose("more.yaml", MORE);
                owned(&["deploy", "-f", &file, "--stack", "more", "--yes"])
            }
            Self::Scale => owned(&["scale", "shop/web=6", "--yes"]),
            Self::RollOut => {
                let replicas = Wanted::read(stage).of("shop/web").count();
                let file = stage.fleet.compose("shop.yaml", &text("2", replicas, nth));
                owned(&["deploy", "-f", &file, "--stack", "shop", "--yes"])
            }
            Self::RollBack => owned(&["rollback", "shop/web", "--yes"]),
            Self::Migrate => owned(&["migrate", "shop/web", "--from", "h2", "--to", "h3", "--yes"]),
            Self::Drain => owned(&["drain", Self::drained(fault), "--yes"]),
            Self::Rebalance => owned(&["rebalance", "--yes"]),
        }
    }

    /// Whether what is wanted is what the command asked for.
    pub fn is_done(self, before: &Wanted, now: &Wanted, equivalent: &str, fault: Fault) -> bool {
        let newer = |service: &str| {
            let (old, new) = (before.revisions(service), now.revisions(service));
            !new.is_empty() && new.iter().all(|no| old.iter().all(|old| no > old))
        };
        match self {
            Self::Deploy => now.of("more/more").count() == 3,
            Self::Scale => now.of("shop/web").count() == 6,
            Self::RollOut | Self::RollBack => newer("shop/web"),
            // What the fault drove off its host found another.
            Self::Migrate => {
                let from = equivalent.split(" --from ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("h2");
                fault.drives_away() || now.of("shop/web").all(|place| place.host != from)
            }
            Self::Drain => {
                let host = Self::drained(fault);
                now.all().all(|place| place.host != host) && now.intents.contains_key(host)
            }
            Self::Rebalance => {
                let each = EVERYWHERE.iter().map(|host| now.of("shop/web").filter(|it| it.host == **host).count());
                let (least, most) = each.fold((usize::MAX, 0), |(least, most), n| (least.min(n), most.max(n)));
                fault.drives_away() || most - least <= 1
            }
        }
    }

    /// Whether what is wanted is what was wanted before.
    pub fn is_put_back(self, before: &Wanted, now: &Wanted) -> bool {
        match self {
            // What has moved stays.
            Self::Drain => now.all().count() == before.all().count(),
            Self::Migrate | Self::Rebalance => now.of("shop/web").count() == before.of("shop/web").count(),
            _ => now.services() == before.services() && now.revisions("shop/web") == before.revisions("shop/web"),
        }
    }
}

/// A revision of its own each time.
fn text(tag: &str, replicas: usize, nth: u32) -> String {
    let replicas = u32::try_from(replicas).unwrap();
    shop(tag, replicas, "").replacen("    ports:", &format!("    environment: {{ N: \"{nth}\" }}\n    ports:"), 1)
}

/// The other stack.
const MORE: &str = "\
services:
  more:
    image: IMAGE:2
    expose: [\"8080\"]
    healthcheck: { test: [\"CMD\", \"/app\", \"healthcheck\"], interval: 1s, timeout: 2s, retries: 2 }
    deploy: { replicas: 3 }
    x-wharf: { check: { path: /healthz, interval: 1s } }
";
