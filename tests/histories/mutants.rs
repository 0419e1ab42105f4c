//! Wharf with a fault on purpose: each breaks one law, and must be caught by it. Else the laws would be words.

use wharf::{
    model::{Container, Duty, Fleet, HostName, HostView, Operation, Owner, RegionName, ReplicaOf},
    plan::{self, Action, Memory, Next, World},
    reconcile::Planner,
};

use super::{
    laws::Law,
    play::play,
    story::{Command, Step, Story, Version, What},
};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Old copies are stopped as soon as new ones are wanted.
    StopsFirst,
    /// Servers get requests as soon as they are known.
    SendsTooEarly,
    /// What is drained is stopped at once.
    StopsUndrained,
    /// Reconcilers never see the newest command.
    ForgetsCommands,
    /// A host that is silent is down.
    TakesSilenceForDeath,
    /// What runs for a while is made anew.
    RestartsTheHealthy,
    /// What others have is tidied up.
    TidiesOthers,
    /// A lease that another holds is given all the same.
    SharesLeases,
    /// Whoever had a lease believes to have it until the store says otherwise, however long that takes.
    BelievesForEver,
    /// A roll-back brings something else.
    RestoresTheWrong,
    /// Images are taken to be there.
    SkipsPulls,
    /// What is waited for is not said.
    SaysNothing,
    /// What fails is tried for ever.
    NeverGivesUp,
    /// A plan is accepted whatever happened since it was made.
    IgnoresOthers,
    /// The journal quotes the environment.
    TellsSecrets,
}

/// One is caught within so many histories.
const TRIES: u64 = 400;

impl Mutant {
    /// What plans with this fault.
    pub fn planner(self) -> Planner {
        let right = Planner::default();
        match self {
            Self::StopsFirst => Planner { next: stops_first, ..right },
            Self::SendsTooEarly => Planner { next: sends_too_early, ..right },
            Self::StopsUndrained => Planner { next: stops_undrained, ..right },
            Self::TakesSilenceForDeath => Planner { next: takes_silence_for_death, ..right },
            Self::RestartsTheHealthy => Planner { next: restarts_the_healthy, ..right },
            Self::TidiesOthers => Planner { next: tidies_others, ..right },
            Self::SkipsPulls => Planner { next: skips_pulls, ..right },
            Self::NeverGivesUp => Planner { verdict: |_, _, _, _| None, ..right },
            Self::ForgetsCommands
            | Self::SharesLeases
            | Self::BelievesForEver
            | Self::RestoresTheWrong
            | Self::IgnoresOthers
            | Self::SaysNothing
            | Self::TellsSecrets => right,
        }
    }

    /// Makes of a story one in which this fault has its chance. Where traffic is not the matter, there are no proxies: else
    /// it would be the traffic that tells first.
    fn tempt(self, story: &mut Story) {
        story.proxies = matches!(self, Self::SendsTooEarly | Self::StopsUndrained);
        match self {
            Self::IgnoresOthers => {
                for (at, step) in story.steps.iter_mut().enumerate() {
                    if let What::Command { late, .. } = &mut step.what {
                        *late = at % 2 == 1;
                    }
                }
            }
            Self::SharesLeases => {
                story.reconcilers = 2;
                let gone = |container| Step { after: 6_000, what: What::Remove { container } };
                story.steps.truncate(1);
                story.steps.extend((0..6).map(gone));
            }
            Self::BelievesForEver => {
                story.reconcilers = 2;
                story.steps.truncate(1);
                // It goes on a moment after something is amiss, and the store does not answer it at first.
                for round in 0..8 {
                    let reconciler = round % 2;
                    let stop = What::Stop { reconciler, seconds: 16 };
                    let deaf = What::Store { reconciler, lost: false, times: 4 };
                    let gone = What::Remove { container: round };
                    let steps = [(5_000, stop), (15_985, deaf), (1, gone)];
                    story.steps.extend(steps.map(|(after, what)| Step { after, what }));
                }
            }
            Self::NeverGivesUp => {
                let command = Command::Deploy { version: Version::Bad, web: 3, api: 1 };
                story.steps.truncate(1);
                story.steps.push(Step { after: 9_000, what: What::Command { command, late: false } });
            }
            _ => {}
        }
    }

    /// Plays histories until a law is broken: it must be one of these.
    fn is_caught(self, by: &[Law]) {
        for seed in 0..TRIES {
            let mut story = Story::by_chance(seed);
            self.tempt(&mut story);
            if let Err(broke) = play(&story, Some(self)) {
                // What is tried on and on for want of its image breaks that law, too.
                if self == Self::SkipsPulls && broke.law == Law::Oscillation {
                    continue;
                }
                assert!(by.contains(&broke.law), "{self:?} should break {by:?}; seed {seed} breaks {broke}");
                println!("{self:?}: caught by history {seed}: {broke}");
                return;
            }
        }
        panic!("{self:?} was not caught by {TRIES} histories");
    }
}

type Seen<'a> = (&'a HostView, &'a Container, &'a ReplicaOf);

/// Our replicas in a region.
fn here<'a>(world: &World<'a>, region: &RegionName) -> Vec<Seen<'a>> {
    world.observed.replicas().filter(|(host, ..)| host.region == *region).collect()
}

fn stop((host, container, of): Seen<'_>) -> Action {
    Action::Stop {
        host: host.name.clone(),
        replica: of.key.clone(),
        container: container.id.clone(),
        why: "on purpose".to_owned(),
    }
}

/// Adds an action that is not under way.
fn add(next: &mut Next, memory: &Memory, action: Action) {
    if !memory.in_flight.contains(&action) && !next.actions.contains(&action) {
        next.actions.push(action);
    }
}

fn stops_first(world: &World<'_>, region: &RegionName, memory: &Memory, open: &[Operation]) -> Next {
    let mut next = plan::next(world, region, memory, open);
    for seen in here(world, region) {
        let assignment = world.desired.assignment(&seen.2.key.service, region);
        let place = assignment.and_then(|it| it.slots.get(&seen.2.key.slot));
        if place.is_some_and(|place| place.revision != seen.2.revision) {
            add(&mut next, memory, stop(seen));
        }
    }
    next
}

fn sends_too_early(world: &World<'_>, region: &RegionName, memory: &Memory, open: &[Operation]) -> Next {
    let mut next = plan::next(world, region, memory, open);
    for spec in next.proxies.values_mut() {
        for server in spec.members.values_mut().flat_map(|members| members.servers.values_mut()) {
            server.duty = Duty::Serving;
        }
    }
    next
}

fn stops_undrained(world: &World<'_>, region: &RegionName, memory: &Memory, open: &[Operation]) -> Next {
    let mut next = plan::next(world, region, memory, open);
    for seen in here(world, region) {
        if next.drains.contains(&(seen.0.name.clone(), seen.1.id.clone())) {
            add(&mut next, memory, stop(seen));
        }
    }
    next
}

fn takes_silence_for_death(world: &World<'_>, region: &RegionName, memory: &Memory, open: &[Operation]) -> Next {
    let mut fleet: Fleet = world.fleet.clone();
    for region in &mut fleet.regions {
        region.defaults.suspect_after = std::time::Duration::ZERO;
        region.defaults.down_after = std::time::Duration::ZERO;
    }
    plan::next(&World { fleet: &fleet, ..*world }, region, memory, open)
}

fn restarts_the_healthy(world: &World<'_>, region: &RegionName, memory: &Memory, open: &[Operation]) -> Next {
    let mut next = plan::next(world, region, memory, open);
    for seen in here(world, region) {
        let is_old = |started| world.now.duration_since(started).as_secs() > 12;
        if seen.2.key.slot.0 == 2 && seen.1.started.is_some_and(is_old) {
            add(&mut next, memory, stop(seen));
        }
    }
    next
}

fn tidies_others(world: &World<'_>, region: &RegionName, memory: &Memory, open: &[Operation]) -> Next {
    let mut next = plan::next(world, region, memory, open);
    let others = world.observed.containers().filter(|(host, container)| {
        host.region == *region && !matches!(container.owner, Owner::Replica(_) | Owner::Proxy)
    });
    let others: Vec<(HostName, _)> =
        others.map(|(host, container)| (host.name.clone(), container.id.clone())).collect();
    for (host, container) in others {
        let service = "shop/web".parse().unwrap_or_else(|_| unreachable!());
        add(&mut next, memory, Action::Clear { host, service, container });
    }
    next
}

fn skips_pulls(world: &World<'_>, region: &RegionName, memory: &Memory, open: &[Operation]) -> Next {
    let mut memory = memory.clone();
    let images = world.desired.revisions.values().flat_map(|all| all.values().map(|revision| revision.image.clone()));
    for image in images {
        memory.pulled.extend(world.observed.hosts.keys().map(|host| (host.clone(), image.clone())));
    }
    let mut next = plan::next(world, region, &memory, open);
    next.actions.retain(|action| !matches!(action, Action::Pull { .. }));
    next
}

macro_rules! caught {
    ($($name:ident: $mutant:ident by $($law:ident)or+,)*) => {
        $(#[test] fn $name() { Mutant::$mutant.is_caught(&[$(Law::$law),+]); })*
    };
}

caught! {
    law_1_who_stops_first: StopsFirst by Floor,
    law_2_who_sends_too_early: SendsTooEarly by Traffic or Converges,
    law_2_who_does_not_wait_for_drains: StopsUndrained by Traffic,
    law_3_who_forgets_commands: ForgetsCommands by Commands,
    law_4_who_takes_silence_for_death: TakesSilenceForDeath by Unknown,
    law_4_who_restarts_the_healthy: RestartsTheHealthy by Unknown or Floor,
    law_5_who_tidies_what_is_others: TidiesOthers by Foreign,
    law_6_who_shares_leases: SharesLeases by Lease,
    law_6_who_believes_for_ever: BelievesForEver by Lease,
    law_7_who_restores_something_else: RestoresTheWrong by Rollback,
    law_8_who_skips_pulls: SkipsPulls by Images,
    law_9_who_says_nothing: SaysNothing by Waits,
    law_10_who_never_gives_up: NeverGivesUp by Oscillation or Commands,
    law_11_who_ignores_others: IgnoresOthers by Operators,
    law_12_who_tells_secrets: TellsSecrets by Secrets,
}
