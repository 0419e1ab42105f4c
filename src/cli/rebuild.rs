//! `wharf store rebuild`: a lost store is built again from what the hosts tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Failure, args::RebuildArgs, confirm, print};
use crate::{
    engine::{self, Reader},
    entry,
    model::{Fleet, Host, HostName, Recalled, Sensitive},
    plan::{self, Rebuilt},
    store::Sqlite,
    text,
};

/// Hosts asked at once: each may start an `ssh`.
const AT_ONCE: usize = 16;

/// A host has to have told everything by then.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads, shows, asks, writes.
pub(super) async fn run(context: Context, args: RebuildArgs) -> Result<ExitCode, Failure> {
    let hosts = hosts(&context.fleet, &args.without)?;
    let found = ask(&context.fleet, &hosts).await?;
    let mut rebuilt = plan::rebuild(&context.fleet, &found);
    rebuilt.notes.extend(args.without.iter().map(|host| {
        format!(
            "{host} was left out: what runs there is taken away when it comes back, unless it is in the store by then"
        )
    }));
    if args.json {
        print::json(&Document::new(&rebuilt));
    } else {
        show(&rebuilt);
    }
    if args.dry_run {
        return Ok(ExitCode::from(if rebuilt.desired.services.is_empty() { 0 } else { 10 }));
    }
    if rebuilt.desired.services.is_empty() {
        return Err(Failure::Failed("no replica of this fleet runs on its hosts: there is nothing to build".into()));
    }
    if !rebuilt.left.is_empty() && !args.partly {
        return Err(Failure::Failed(format!(
            "{} cannot be built again, and the proxies would send them nothing more: nothing was written; --partly does \
             so all the same, and a deploy of their files takes them in again",
            services(rebuilt.left.len())
        )));
    }
    if !args.yes && !confirm::ask("write the store?")? {
        print::note("nothing was written");
        return Ok(ExitCode::SUCCESS);
    }
    let store = &context.fleet.store;
    let aside =
        Sqlite::rebuild(store, &rebuilt.desired, &context.who, Timestamp::now(), args.replace, context.origin())?;
    if let Some(aside) = aside {
        print::note(&format!("the store that was there is kept as {}", aside.display()));
    }
    if !args.json {
        print::line(&format!("● {} wants what runs", store.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// All hosts but those that shall be left out.
fn hosts<'f>(fleet: &'f Fleet, without: &[String]) -> Result<Vec<&'f Host>, Failure> {
    for name in without {
        if !fleet.hosts().any(|(_, host)| host.name.as_str() == name) {
            return Err(Failure::Input(format!("--without {}: there is no such host", text::Text::new(name))));
        }
    }
    let is_in = |host: &Host| !without.iter().any(|name| name == host.name.as_str());
    Ok(fleet.hosts().map(|(_, host)| host).filter(|host| is_in(host)).collect())
}

/// What a host tells, or which does not, and why.
type Told<'h> = Result<(Reader, Vec<Recalled>), (&'h HostName, String)>;

/// Asks every host. One that does not tell ends it: what runs there would be taken for something nobody wants.
async fn ask(fleet: &Fleet, hosts: &[&Host]) -> Result<Vec<Recalled>, Failure> {
    let asked = stream::iter(hosts).map(|host| async move {
        let told = async {
            let reader = engine::open_reader(&fleet.name, host).await?;
            let found = reader.recall(&fleet.name).await?;
            Ok::<_, engine::EngineError>((reader, found))
        };
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(error)) => Err((&host.name, error.to_string())),
            Err(_) => Err((&host.name, format!("no answer within {}", text::duration(PATIENCE)))),
        }
    });
    let answers: Vec<Told<'_>> = asked.buffered(AT_ONCE).collect().await;
    let (mut readers, mut all, mut silent) = (Vec::new(), Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Ok((reader, found)) => {
                readers.push(reader);
                all.extend(found);
            }
            Err((host, why)) => silent.push(format!("{host}: {why}")),
        }
    }
    if !silent.is_empty() {
        return Err(Failure::Unreachable(format!(
            "not every host tells what runs on it, and what is not known would be taken away later\n  {}\nmend that, or \
             leave a host out that is gone for good (--without HOST)",
            silent.join("\n  ")
        )));
    }
    certify(&readers, &mut all).await;
    Ok(all)
}

/// Puts the certificates back, as the proxies have them.
async fn certify(readers: &[Reader], all: &mut [Recalled]) {
    let of = |it: &Recalled| it.record.as_ref().map(crate::model::Record::certificates).unwrap_or_default();
    let mut missing: BTreeSet<String> = all.iter().flat_map(of).collect();
    let mut found: BTreeMap<String, Sensitive> = BTreeMap::new();
    for reader in readers {
        if missing.is_empty() {
            break;
        }
        match entry::certificates(reader, &missing).await {
            Ok(more) => found.extend(more),
            // Another host's proxy may have them too; what is missing in the end is said.
            Err(error) => print::complain(&error.to_string()),
        }
        missing.retain(|digest| !found.contains_key(digest));
    }
    for it in all {
        if let Ok(record) = &mut it.record {
            it.lacks.extend(record.certify(&found));
        }
    }
}

fn services(count: usize) -> String {
    if count == 1 { "1 service".to_owned() } else { format!("{count} services") }
}

/// What cannot be known, whatever hosts tell.
const GONE: &str = "not on the hosts, and so not restored: the journal and the audit, operations, revisions that no \
                    container is of, services with no replica, cordons and drains, and which containers of Compose were \
                    adopted (adopt them again)";

fn show(rebuilt: &Rebuilt) {
    let desired = &rebuilt.desired;
    print::line(&format!(
        "{} with {} replicas in {} stacks, at {} revisions",
        services(desired.services.len()),
        rebuilt.replicas(),
        desired.stacks.len(),
        desired.revisions.values().map(BTreeMap::len).sum::<usize>()
    ));
    for (service, regions) in &desired.services {
        let places: Vec<String> = regions
            .iter()
            .map(|(region, assignment)| {
                let revisions: BTreeSet<String> =
                    assignment.slots.values().map(|place| format!("r{}", place.revision)).collect();
                let revisions: Vec<String> = revisions.into_iter().collect();
                format!("{region} {} at {}", assignment.slots.len(), revisions.join(" and "))
            })
            .collect();
        print::line(&format!("  {}  {}", text::pad_right(&service.to_string(), 28), places.join(", ")));
    }
    for (service, why) in &rebuilt.left {
        print::line(&format!("✗ {service} {why}"));
    }
    for note in &rebuilt.notes {
        print::line(&format!("! {note}"));
    }
    print::line(&format!("! {GONE}"));
}

/// `wharf store rebuild --json`.
#[derive(Serialize)]
struct Document {
    services: BTreeMap<String, BTreeMap<String, usize>>,
    replicas: usize,
    left: BTreeMap<String, String>,
    notes: Vec<String>,
}

impl Document {
    fn new(rebuilt: &Rebuilt) -> Self {
        let services = rebuilt.desired.services.iter().map(|(service, regions)| {
            let counts = regions.iter().map(|(region, assignment)| (region.to_string(), assignment.slots.len()));
            (service.to_string(), counts.collect())
        });
        let mut notes = rebuilt.notes.clone();
        notes.push(GONE.to_owned());
        Self {
            services: services.collect(),
            replicas: rebuilt.replicas(),
            left: rebuilt.left.iter().map(|(service, why)| (service.to_string(), why.clone())).collect(),
            notes,
        }
    }
}
