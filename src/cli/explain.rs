//! `wharf explain`: why a service is not healthy.

use std::process::ExitCode;

use futures::future::join_all;

use super::{Context, Failure, args::ExplainArgs, look, print, targets};
use crate::{
    model::Evidence,
    plan::{self, Explanation, Records},
    store::{JournalQuery, OperationQuery},
};

/// Containers that are asked at most, for each service.
const ASKED: usize = 4;

#[derive(serde::Serialize)]
struct Row {
    #[serde(flatten)]
    explanation: Explanation,
    said: Vec<Evidence>,
}

/// Prints why what is named is not well.
pub(super) async fn run(context: Context, args: ExplainArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let operations = store.operations(OperationQuery::default()).await?;
    let journal = store.journal(JournalQuery { limit: 500, ..JournalQuery::default() }).await?;
    let records = Records { operations: &operations, journal: &journal };
    let mut rows = Vec::new();
    for key in targets::services(&seen.desired, &args.what)? {
        let explanation = plan::why(&seen.world(), &key, records);
        let asks = explanation.causes.iter().filter_map(|cause| cause.ask.as_ref()).take(ASKED);
        let readers = asks.filter_map(|(host, container)| Some((seen.observer.reader(host)?, container)));
        let said = join_all(readers.map(|(reader, container)| async move { reader.evidence(container).await })).await;
        let spec = seen.desired.latest(&key).map(|revision| &revision.spec);
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
