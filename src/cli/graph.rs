//! `wharf graph`: what needs what, for tickets and tools.

use std::{collections::BTreeMap, process::ExitCode};

use super::{
    Context, Failure,
    args::{GraphArgs, GraphFormat},
    look, print, targets,
};
use crate::{
    graph::{End, Format, Web, export},
    model::ServiceKey,
    plan,
};

#[derive(serde::Serialize)]
struct Node {
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthy: Option<u32>,
    needs: Vec<String>,
}

/// Writes the relations of what is named.
pub(super) async fn run(context: Context, args: GraphArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let desired = &seen.desired;
    let web =
        Web::new(desired, |key| desired.latest(key).map(|revision| plan::entries(&revision.spec)).unwrap_or_default());
    let web = match &args.what {
        None => web,
        Some(what) => {
            let keys = targets::services(desired, what)?;
            web.within(|key| keys.contains(key))
        }
    };
    let healths = plan::healths(&seen.world());
    let tally = |key: &ServiceKey| {
        let regions = healths.services.get(key)?;
        let sum = regions.values().fold(plan::ServiceHealth::default(), |sum, health| sum.plus(*health));
        Some((sum.healthy, sum.wanted))
    };
    let format = match args.format {
        GraphFormat::Text => Format::Text,
        GraphFormat::Dot => Format::Dot,
        GraphFormat::Mermaid => Format::Mermaid,
        GraphFormat::Json => {
            print::json(&nodes(&web, tally));
            return Ok(ExitCode::SUCCESS);
        }
    };
    print::out(&export(&web, format, |end| {
        let tally = end.service().and_then(tally);
        tally.map(|(healthy, wanted)| format!("{healthy}/{wanted}")).unwrap_or_default()
    }));
    Ok(ExitCode::SUCCESS)
}

fn nodes(web: &Web, tally: impl Fn(&ServiceKey) -> Option<(u32, u32)>) -> Vec<Node> {
    let node = |(end, needs): (&End, &std::collections::BTreeSet<End>)| {
        let tally = end.service().and_then(&tally);
        Node {
            name: end.name(None),
            kind: match end {
                End::Entry(_) => "entry",
                End::Service(_) => "service",
                End::Missing(_) => "missing",
                End::Network(_) => "network",
            },
            wanted: tally.map(|(_, wanted)| wanted),
            healthy: tally.map(|(healthy, _)| healthy),
            needs: needs.iter().map(|end| end.name(None)).collect(),
        }
    };
    let needs: &BTreeMap<End, _> = &web.needs;
    needs.iter().map(node).collect()
}
