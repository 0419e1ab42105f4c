//! `wharf inspect`: a replica's container, or a host's engine, from the inside.

use std::{collections::BTreeMap, process::ExitCode};

use futures::StreamExt;
use jiff::{Timestamp, tz::TimeZone};

use super::{Context, Failure, args::InspectArgs, look, print};
use crate::{
    app::{
        ids::ServiceId,
        inspect::{Look, Parts, tree_of, veil_of},
    },
    model::{Container, HostName, HostView, Owner, Part, PartTold, Question, Subject, Told, Veil},
    text::Text,
};

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Document {
    host: HostName,
    /// Not of an engine itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Text>,
    #[serde(flatten)]
    parts: BTreeMap<&'static str, Told>,
    /// Why a part is not there.
    missing: BTreeMap<&'static str, Text>,
}

/// Prints it.
pub(super) async fn run(context: Context, args: InspectArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let found = pick(&seen, &args)?;
    let veil = found.map(|(_, container)| veil_of(&seen.desired, container)).unwrap_or_default();
    let subject = match found {
        Some((host, container)) => {
            Subject::Container { host: host.name.clone(), id: container.id.clone(), image: container.image_id.clone() }
        }
        None => Subject::Host(args.what.parse().map_err(|error| Failure::Input(format!("{error}")))?),
    };
    let parts = ask(&seen, &subject, &veil).await?;
    let first = subject.parts().first().copied().unwrap_or(Part::Container);
    if args.output.json {
        let told = |part: &Part| Some((part.name(), parts.told(*part)?.clone()));
        let missing = |part: &Part| Some((part.name(), parts.error(*part)?.clone()));
        print::json(&Document {
            host: subject.host().clone(),
            container: found.map(|(_, container)| container.name.clone()),
            id: found.map(|(_, container)| container.id.0.clone()),
            parts: subject.parts().iter().filter_map(told).collect(),
            missing: subject.parts().iter().filter_map(missing).collect(),
        });
    } else {
        let look = Look { parts: &parts, heard: Vec::new(), now: Timestamp::now(), zone: &TimeZone::system() };
        print::out(&tree_of(&subject, &look).whole());
    }
    // Without its first part the rest is hardly what was asked for.
    match parts.error(first) {
        Some(why) => Err(Failure::Failed(format!("{}: could not be inspected: {why}", subject.host()))),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Asks for every part, and waits until each was told or could not be.
async fn ask(seen: &look::Seen, subject: &Subject, veil: &Veil) -> Result<Parts, Failure> {
    let Some(reader) = seen.observer.reader(subject.host()) else {
        return Err(Failure::Input(format!("there is no host {}", subject.host())));
    };
    let question = Question { number: 1, subject: subject.clone(), parts: subject.parts().to_vec() };
    let mut parts = Parts::default();
    let mut answers = reader.inside(question);
    while let Some(answer) = answers.next().await {
        let told = answer.told.map(|told| told.veiled(veil));
        parts.take(PartTold { told, ..answer }, Timestamp::now());
    }
    Ok(parts)
}

/// The container that is meant, or none for a host.
fn pick<'a>(seen: &'a look::Seen, args: &InspectArgs) -> Result<Option<(&'a HostView, &'a Container)>, Failure> {
    let what = args.what.as_str();
    let shown = Text::new(what);
    if let Some(host) = seen.observed.hosts.values().find(|host| host.name.as_str() == what) {
        if !host.is_seen() {
            let why = host.link.reason();
            return Err(Failure::Unreachable(format!("{} cannot be seen: {why}", host.name)));
        }
        return Ok(None);
    }
    let mut found: Vec<_> = seen
        .observed
        .containers()
        .filter(|(host, _)| args.host.as_ref().is_none_or(|wanted| host.name.as_str() == wanted))
        .filter(|(_, container)| is_meant(container, what))
        .collect();
    // The first that runs, in the order of slots: as for other commands about one replica.
    found.sort_by_key(|(host, container)| {
        let slot = container.replica().map(|replica| (replica.key.slot, replica.key.region.clone()));
        (!container.is_running(), slot, host.name.clone(), container.name.clone())
    });
    let Some((host, container)) = found.first().copied() else {
        let words = format!("there is no container of `{shown}`, and no such host; wharf ps shows what runs");
        return Err(Failure::Input(words));
    };
    if found.len() > 1 {
        print::complain(&format!("{} on {}, the first of {}", container.name, host.name, found.len()));
    }
    Ok(Some((host, container)))
}

/// True for a container that is written so: as a service or a replica, or by its own name.
fn is_meant(container: &Container, what: &str) -> bool {
    if let Owner::Replica(replica) = &container.owner
        && (replica.key.to_string() == what || replica.key.service.to_string() == what)
    {
        return true;
    }
    let is_foreign = matches!(container.owner, Owner::Foreign { .. });
    container.name == *what || is_foreign && ServiceId::of(container).to_string() == what
}
