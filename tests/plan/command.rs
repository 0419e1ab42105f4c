//! The commands of a table.

use std::time::Duration;

use wharf::{model::*, plan::*};

use crate::{
    fake::Fake,
    table::{Case, key},
    tell,
};

impl Case {
    fn keep(&mut self, plan: Result<Plan, Refusal>) -> Vec<String> {
        let told = tell::plan(&plan);
        self.last = plan.ok();
        told
    }

    /// A region where there is one of that name, else a host.
    fn site(&self, text: &str) -> Site {
        match self.fake.fleet.regions.iter().find(|region| region.name.as_str() == text) {
            Some(region) => Site::Region(region.name.clone()),
            None => Site::Host(text.parse().unwrap()),
        }
    }

    pub fn command(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let world = self.fake.world();
        let (memory, operations) = (&self.fake.memory, &self.fake.operations);
        match *words.as_slice() {
            ["scale", ref targets @ ..] => {
                let targets: Vec<ScaleTarget> = targets
                    .iter()
                    .map(|target| {
                        let (service, rest) = target.split_once('=').unwrap();
                        let (to, region) = rest.split_once('@').unwrap();
                        ScaleTarget { service: key(service), region: region.parse().unwrap(), to: to.parse().unwrap() }
                    })
                    .collect();
                let plan = scale(&world, &targets);
                self.keep(plan)
            }
            ["deploy", stack] => {
                let file = &self.files[stack];
                let images = file.services.iter().map(|(name, spec)| (name.clone(), spec.image.clone())).collect();
                let plan = deploy(&world, file, &images, "ana");
                self.keep(plan)
            }
            ["rm", what] => {
                let (stack, service) =
                    what.split_once('/').map_or((what, None), |(stack, service)| (stack, Some(service)));
                let service = service.map(|service| service.parse().unwrap());
                let plan = remove(&world, &stack.parse().unwrap(), service.as_ref());
                self.keep(plan)
            }
            ["restart", what] => {
                let (service, region) = what.split_once('@').map_or((what, None), |(s, region)| (s, Some(region)));
                let region = region.map(|region| region.parse().unwrap());
                let plan = restart(&world, &key(service), region.as_ref());
                self.keep(plan)
            }
            [verb @ ("cordon" | "uncordon" | "drain"), name] => {
                let intent = match verb {
                    "cordon" => Some(HostIntent::Cordoned),
                    "drain" => Some(HostIntent::Draining),
                    _ => None,
                };
                let plan = host(&world, &name.parse().unwrap(), intent);
                self.keep(plan)
            }
            ["migrate", what, from, to] => {
                let plan = migrate(&world, &scope(what), &self.site(from), &self.site(to));
                self.keep(plan)
            }
            ["targets", what, from] => match targets(&world, &scope(what), &self.site(from)) {
                Err(refusal) => vec![format!("refused: {refusal}")],
                Ok(targets) => targets
                    .into_iter()
                    .map(|target| {
                        let refusal = target.refusal.map(|why| format!(" | no: {why}")).unwrap_or_default();
                        format!("{}: {}, {} there{refusal}", target.site, target.room, target.replicas)
                    })
                    .collect(),
            },
            ["rollback", what, ref to @ ..] => {
                let to = to.first().map(|to| to.parse().unwrap());
                let plan = rollback(&world, &scope(what), to, "ben");
                self.keep(plan)
            }
            ["rebalance", ref region @ ..] => {
                let region = region.first().map(|region| region.parse().unwrap());
                let plan = rebalance(&world, region.as_ref());
                self.keep(plan)
            }
            ["hint", region] => {
                let hint = rebalance_hint(&world, &region.parse().unwrap());
                vec![hint.unwrap_or_else(|| "even".to_owned())]
            }
            ["versions", stack] => versions(world.desired, &stack.parse().unwrap())
                .into_iter()
                .map(|version| {
                    let revisions: Vec<String> =
                        version.revisions.iter().map(|(key, no)| format!("{key} r{no}")).collect();
                    format!("{} {}: {}", version.no, version.note, revisions.join(", "))
                })
                .collect(),
            ["image", stack, ref images @ ..] => {
                let images = images
                    .iter()
                    .map(|image| {
                        let (name, image) = image.split_once('=').unwrap();
                        (name.parse().unwrap(), (image.to_owned(), image.to_owned()))
                    })
                    .collect();
                let plan = new_images(&world, &stack.parse().unwrap(), &images, "ben");
                self.keep(plan)
            }
            ["apply"] => {
                let plan = self.last.take().expect("there is a plan");
                self.fake.accept(&plan);
                Vec::new()
            }
            ["next", region] => {
                let region = region.parse().unwrap();
                let first = next(&world, &region, memory, operations);
                assert_eq!(first, next(&world, &region, memory, operations), "planning twice gives the same");
                tell::next(&first, self.fake.now)
            }
            ["run", region] => run(&mut self.fake, &region.parse().unwrap()),
            ["progress", region] => {
                let told = progress(&world, &region.parse().unwrap(), operations.last().unwrap(), memory);
                let mut lines: Vec<String> = told
                    .steps
                    .iter()
                    .map(|s| format!("{:?} {} | {}", s.state, s.what, s.detail).to_lowercase())
                    .collect();
                let end = if told.finished { ", finished" } else { "" };
                lines.push(format!("{} of {}{end}", told.done, told.total));
                if !told.waits_for.is_empty() {
                    lines.push(format!("waits for {}", told.waits_for));
                }
                lines
            }
            ["verdict", region] => {
                let told = verdict(&world, &region.parse().unwrap(), operations.last().unwrap(), memory);
                let line = |told: Verdict| match told.action {
                    FailureAction::Rollback => told.reason.to_string(),
                    action => format!("{action:?}: {}", told.reason),
                };
                vec![told.map_or("none".into(), line)]
            }
            ["explain", service, region] => {
                let records = Records { operations: &self.fake.operations, journal: &[] };
                let told = why(&world, &[key(service)], records).remove(0);
                let here = told.causes.iter().filter(|cause| cause.region.as_str() == region);
                let line = |cause: &Cause| {
                    let what = format!("{} {}", cause.state.word(), cause.what);
                    [what].iter().chain(&cause.evidence).map(String::as_str).collect::<Vec<_>>().join(" | ")
                };
                let mut lines = vec![told.summary.clone()];
                lines.extend(here.map(line));
                lines
            }
            ["health", service, region] => {
                let (service, region) = (key(service), region.parse().unwrap());
                let health = health(&world, &service, &region);
                let all = healths(&world);
                assert_eq!(
                    all.services.get(&service).and_then(|regions| regions.get(&region)).copied().unwrap_or(health),
                    health
                );
                let ServiceHealth { wanted, running, healthy, starting, failed, unknown, worst } = health;
                vec![format!(
                    "{worst:?}: {healthy} of {wanted} healthy, {running} run, {starting} start, {failed} failed, {unknown} unknown"
                )]
            }
            ["foreign"] => healths(&world)
                .foreign
                .iter()
                .flat_map(|(key, regions)| {
                    regions.iter().map(move |(region, h)| {
                        format!(
                            "{} {}/{} {region}: {:?} {} of {}",
                            key.tool.word(),
                            key.stack,
                            key.service,
                            h.worst,
                            h.running,
                            h.wanted
                        )
                    })
                })
                .collect(),
            _ => panic!("no such command: {line}"),
        }
    }
}

/// `shop`, `shop/web`, `shop/web.2`.
fn scope(text: &str) -> Scope {
    match text.rsplit_once('.') {
        Some((service, slot)) => Scope::Replica(key(service), Slot(slot.parse().unwrap())),
        None if text.contains('/') => Scope::Service(key(text)),
        None => Scope::Stack(text.parse().unwrap()),
    }
}

/// Runs a region until nothing is left to do: one line per round, with the seconds since the start.
fn run(fake: &mut Fake, region: &RegionName) -> Vec<String> {
    let began = fake.now;
    let mut lines = Vec::new();
    for _ in 0..200 {
        let next = fake.next(region);
        let mut told: Vec<String> = next.actions.iter().map(tell::action).collect();
        told.extend(next.moves.iter().map(|(replica, place, _)| format!("move {replica} → {}", place.host)));
        if !told.is_empty() {
            lines.push(format!("{} s: {}", fake.now.duration_since(began).as_secs(), told.join(", ")));
        }
        next.actions.iter().for_each(|action| fake.apply(action));
        fake.take(&next);
        let open = |fake: &Fake| {
            fake.operations.iter().any(|operation| !progress(&fake.world(), region, operation, &fake.memory).finished)
        };
        if told.is_empty() && !open(fake) {
            lines.push(format!("{} s: done", fake.now.duration_since(began).as_secs()));
            return lines;
        }
        fake.pass(Duration::from_secs(1));
    }
    lines.push("never done".into());
    lines
}
