//! Regions that nobody looks after: what waits there, and who held them last.

use super::{Astray, World};
use crate::{
    model::{Holding, Life, Operation, RegionName, since},
    text::{Text, duration},
};

/// Leases whose holder is gone or silent, and operations that nobody carries out.
pub(super) fn forsaken(world: &World<'_>, open: &[Operation], holdings: &[Holding]) -> Vec<Astray> {
    let mut found = Vec::new();
    for region in world.fleet.regions.iter().map(|region| &region.name) {
        let waiting: Vec<&Operation> =
            open.iter().filter(|it| it.paused.is_none() && it.regions().contains(region)).collect();
        match holdings.iter().find(|it| it.region == *region) {
            Some(holding) => found.extend(lost(world, holding, &waiting)),
            None => found.extend(waiting.iter().map(|operation| unheld(world, operation, region))),
        }
    }
    found
}

/// A lease that was not given back: none where its holder is at it.
fn lost(world: &World<'_>, holding: &Holding, waiting: &[&Operation]) -> Option<Astray> {
    let Holding { region, holder, heard, life, .. } = holding;
    let is_held = holding.is_held();
    let heard = heard.map_or("not heard of since this machine was booted".to_owned(), |heard| {
        format!("last heard of {} ago", duration(heard))
    });
    let what = match (life, is_held) {
        (Life::Lives | Life::Unknown, true) => return None,
        (Life::Lives, false) => format!("{holder} holds {region} and lives, but hangs: {heard}"),
        (Life::Ended | Life::Gone, _) => format!("{holder} held {region} and ended without giving it back: {heard}"),
        (Life::Unknown, false) => format!("{holder} held {region} and did not give it back: {heard}"),
    };
    let waits = match waiting {
        [] => "nothing waits for it now, but nobody looks after its replicas".to_owned(),
        some => format!("waiting for it: {}", some.iter().map(|it| named(world, it)).collect::<Vec<_>>().join(", ")),
    };
    let once = if waiting.is_empty() { "" } else { " --until-idle" };
    let command = format!("wharf reconcile{once} --region {region}");
    let mend = match life {
        _ if is_held => format!("{command}, which takes over at {}", time_of_day(world, holding)),
        Life::Lives => format!("{command} takes over at once; and see what stops {holder} (is it in state T or D?)"),
        _ => format!("{command} takes over at once"),
    };
    Some(Astray { host: None, check: "lease", what: format!("{what}; {waits}"), mend })
}

/// When a lease runs out.
fn time_of_day(world: &World<'_>, holding: &Holding) -> String {
    let end = world.now.checked_add(holding.left).unwrap_or(world.now);
    end.strftime("%H:%M:%S UTC").to_string()
}

/// An operation in a region that nobody has held since the last one gave it back.
fn unheld(world: &World<'_>, operation: &Operation, region: &RegionName) -> Astray {
    Astray {
        host: None,
        check: "lease",
        what: format!("{} is open, and no reconciler holds {region}", named(world, operation)),
        mend: format!("wharf reconcile --until-idle --region {region}"),
    }
}

/// What it is, and for how long it is open.
fn named(world: &World<'_>, operation: &Operation) -> Text {
    let age = duration(since(operation.at, world.now));
    Text::new(&format!("{} (op {}, {age} old)", operation.intent.summary(), operation.id.short()))
}
