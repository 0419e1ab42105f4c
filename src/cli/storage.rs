//! `wharf storage` and `wharf prune`: what hosts keep beside what runs, what uses it, and clearing them of the rest.

use std::process::ExitCode;

use futures::{StreamExt, stream};

use super::{
    Context, Failure, act,
    args::{PruneArgs, StorageArgs, StoredKind},
    look::{self, Seen},
    print::{self, Align, Table},
    targets, wait,
};
use crate::{
    engine::{EngineError, Reader},
    model::{HostName, HostView, Kept, Site, Storage, Stored},
    plan::{self, Need, Needs},
    text,
};

/// Engines that are asked at once.
const ASKED: usize = 16;

/// One thing of one host.
#[derive(serde::Serialize)]
struct Row<'a> {
    host: &'a HostName,
    #[serde(flatten)]
    thing: &'a Stored,
    /// False when nothing would miss it.
    needed: bool,
    /// What it is there for, in words.
    why: String,
}

/// Lists what hosts keep.
pub(super) async fn run(context: Context, args: StorageArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let wanted = hosts(&seen, &args.hosts)?;
    let readers: Vec<Reader> = wanted.iter().filter_map(|host| seen.observer.reader(host)).collect();
    let quick = args.quick;
    let mut told: Vec<Result<Storage, EngineError>> =
        stream::iter(&readers).map(|reader| ask(reader, quick)).buffered(ASKED).collect().await;
    let mut failed = Vec::new();
    told.retain(|answer| answer.as_ref().map_err(|error| failed.push(error.to_string())).is_ok());
    let storages: Vec<Storage> = told.into_iter().flatten().collect();
    let world = seen.world();
    let needs = Needs::new(&world);
    let fits = |thing: &&Stored| args.kind.is_none_or(|kind| kind.of() == thing.kind);
    let mut rows = Vec::new();
    for storage in &storages {
        for thing in storage.things.iter().filter(fits) {
            let need = needs.of(&world, thing);
            if args.unused && need.is_some() {
                continue;
            }
            let why = words(&seen, &storage.host, need.as_ref());
            rows.push(Row { host: &storage.host, thing, needed: need.is_some(), why });
        }
    }
    if args.output.json {
        print::json(&rows);
    } else {
        table(&rows);
    }
    for why in &failed {
        print::complain(why);
    }
    if storages.is_empty() && !failed.is_empty() {
        return Err(Failure::Unreachable("no host said what it keeps".into()));
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Removes what nothing needs, by a plan like any other change.
pub(super) async fn prune(context: Context, args: PruneArgs) -> Result<ExitCode, Failure> {
    let deadline = wait::parse(&args.act.wait)?;
    let store = context.store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let wanted = hosts(&seen, &args.hosts)?;
    let readers: Vec<Reader> = wanted.iter().filter_map(|host| seen.observer.reader(host)).collect();
    let told: Vec<Result<Storage, EngineError>> =
        stream::iter(&readers).map(|reader| ask(reader, false)).buffered(ASKED).collect().await;
    let storages = told.into_iter().collect::<Result<Vec<Storage>, EngineError>>()?;
    let world = seen.world();
    let needs = Needs::new(&world);
    // Who names a thing means it, whatever it is.
    let is_meant = |thing: &Stored| match (args.id.as_slice(), args.kind.as_slice()) {
        ([], []) => matches!(thing.kind, Kept::Image | Kept::Network),
        ([], kinds) => kinds.iter().any(|kind| kind.of() == thing.kind),
        (ids, kinds) => {
            ids.iter().any(|id| thing.id.as_str() == id)
                && (kinds.is_empty() || kinds.iter().any(|kind| kind.of() == thing.kind))
        }
    };
    let mut things = Vec::new();
    for storage in storages {
        let meant = storage.things.into_iter().filter(|thing| is_meant(thing));
        // What was named and is needed is refused in words; what was not is just left.
        let meant = meant.filter(|thing| !args.id.is_empty() || needs.of(&world, thing).is_none());
        things.extend(meant.map(|thing| (storage.host.clone(), thing)));
    }
    if things.is_empty() {
        print::line("nothing to do: these hosts keep nothing that nothing needs");
        return Ok(ExitCode::SUCCESS);
    }
    let plan = plan::prune(&world, &things)?;
    act::finish(&seen.context, store, &args.act, plan, deadline).await
}

async fn ask(reader: &Reader, quick: bool) -> Result<Storage, EngineError> {
    let storage = reader.storage().await?;
    if quick { Ok(storage) } else { reader.counted(storage).await }
}

/// The hosts of these names, also by region, or all that can be seen.
fn hosts(seen: &Seen, names: &[String]) -> Result<Vec<HostName>, Failure> {
    let fleet = &seen.context.fleet;
    if names.is_empty() {
        let is_seen = |name: &&HostName| seen.observed.hosts.get(*name).is_some_and(HostView::is_seen);
        return Ok(fleet.hosts().map(|(_, host)| &host.name).filter(is_seen).cloned().collect());
    }
    let mut hosts = Vec::new();
    for name in names {
        match targets::site(name, fleet).map_err(Failure::Input)? {
            Site::Host(host) => hosts.push(plan::find_host(&seen.world(), &host)?.clone()),
            Site::Region(region) => {
                hosts.extend(fleet.hosts().filter(|(at, _)| at.name == region).map(|(_, host)| host.name.clone()));
            }
        }
    }
    Ok(hosts)
}

fn words(seen: &Seen, host: &HostName, need: Option<&Need>) -> String {
    need.map_or_else(|| "nothing".to_owned(), |need| need.words(|id| seen.observed.container_name(host, id)))
}

fn table(rows: &[Row<'_>]) {
    let mut table = Table::new(&[
        ("HOST", Align::Left),
        ("KIND", Align::Left),
        ("NAME", Align::Left),
        ("SIZE", Align::Right),
        ("USED BY", Align::Left),
    ]);
    for row in rows {
        let (glyph, size) = (if row.needed { "●" } else { "○" }, row.thing.size.map(text::bytes));
        table.row(vec![
            row.host.to_string(),
            row.thing.kind.word().to_owned(),
            format!("{glyph} {}", row.thing.title()),
            size.unwrap_or_else(|| "–".to_owned()),
            row.why.clone(),
        ]);
    }
    table.print();
}

impl StoredKind {
    fn of(self) -> Kept {
        match self {
            Self::Image => Kept::Image,
            Self::Volume => Kept::Volume,
            Self::Network => Kept::Network,
        }
    }
}
