//! `wharf explain`: why a service is not healthy.

use std::{collections::BTreeSet, process::ExitCode, time::Duration};

use futures::future::join_all;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{Context, Failure, args::ExplainArgs, look, print, targets};
use crate::{
    entry::Watch,
    model::{Evidence, HostChange, HostName, HostView, Owner},
    plan::{self, Explanation, Records},
    store::{JournalQuery, OperationQuery},
};

/// Containers that are asked at most, for each service.
const ASKED: usize = 4;

/// Proxies have so long to say what they carry.
const PROXIES: Duration = Duration::from_secs(4);

#[derive(serde::Serialize)]
struct Row {
    #[serde(flatten)]
    explanation: Explanation,
    said: Vec<Evidence>,
}

/// Prints why what is named is not well.
pub(super) async fn run(context: Context, args: ExplainArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let mut seen = look::look(context, store.as_ref()).await?.or_blind()?;
    look_at_proxies(&mut seen).await;
    let operations = store.operations(OperationQuery::default()).await?;
    let journal = store.journal(JournalQuery { limit: 500, ..JournalQuery::default() }).await?;
    let records = Records { operations: &operations, journal: &journal };
    let mut rows = Vec::new();
    for explanation in plan::why(&seen.world(), &targets::services(&seen.desired, &args.what)?, records) {
        let asks = explanation.causes.iter().filter_map(|cause| cause.ask.as_ref()).take(ASKED);
        let readers = asks.filter_map(|(host, container)| Some((seen.observer.reader(host)?, container)));
        let said = join_all(readers.map(|(reader, container)| async move { reader.evidence(container).await })).await;
        let spec = seen.desired.latest(&explanation.service).map(|revision| &revision.spec);
        let said = said.into_iter().map(|told| told.masked(spec)).collect();
        rows.push(Row { explanation, said });
    }
    if args.output.json {
        print::json(&rows);
        return Ok(ExitCode::SUCCESS);
    }
    for row in &rows {
        tell(row);
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes in what the proxies say: a look at the engines alone would take them for missing.
async fn look_at_proxies(seen: &mut look::Seen) {
    let fleet = seen.context.fleet.name.clone();
    let (tell, mut told) = mpsc::channel(64);
    let has_proxy = |host: &&HostView| host.containers.values().any(|container| container.owner == Owner::Proxy);
    let mut silent: BTreeSet<HostName> =
        seen.observed.hosts.values().filter(has_proxy).map(|host| host.name.clone()).collect();
    let readers = silent.iter().filter_map(|host| seen.observer.reader(host));
    let _watches: Vec<Watch> = readers.map(|reader| Watch::start(fleet.clone(), reader, tell.clone())).collect();
    let deadline = Instant::now() + PROXIES;
    while !silent.is_empty() {
        let Ok(Some(update)) = timeout_at(deadline, told.recv()).await else { return };
        if matches!(update.change, HostChange::Proxy(Some(_))) {
            silent.remove(&update.host);
        }
        seen.observed.apply(update);
    }
}

fn tell(row: &Row) {
    print::line(&row.explanation.summary);
    for cause in &row.explanation.causes {
        print::line(&format!("  {} in {}: {}", cause.state.word(), cause.region, cause.what));
        for line in &cause.evidence {
            print::line(&format!("      {line}"));
        }
        let told = cause.ask.as_ref().and_then(|(host, container)| {
            row.said.iter().find(|told| told.host == *host && told.container == *container)
        });
        let Some(told) = told else { continue };
        for (head, said) in [("its check said", &told.check), ("its log ends", &told.log)] {
            if !said.is_empty() {
                print::line(&format!("      {head}"));
            }
            for line in said {
                print::line(&format!("        {line}"));
            }
        }
    }
}
