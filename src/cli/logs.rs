//! `wharf logs`: the lines of several replicas on several hosts, merged as they come.

use std::{process::ExitCode, time::Duration};

use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::{Context, Failure, args::LogsArgs, json::LogRow, look, print};
use crate::{
    engine::LogOptions,
    model::{ContainerId, HostName, LogLine},
    text,
};

/// Without `--follow`, lines of all replicas are sorted by time; a replica that says nothing more for so long is
/// taken to have ended.
const QUIET: Duration = Duration::from_secs(10);

struct Source {
    replica: String,
    host: HostName,
    container: ContainerId,
}

/// Prints the logs of what is named.
pub(super) async fn run(context: Context, args: LogsArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let sources: Vec<Source> = seen
        .observed
        .replicas()
        .filter(|(_, _, replica)| {
            let key = &replica.key;
            let what = args.what.as_str();
            key.to_string() == what || key.service.to_string() == what || key.service.stack.as_str() == what
        })
        .map(|(host, container, replica)| Source {
            replica: format!("{}@{}", replica.key, replica.key.region),
            host: host.name.clone(),
            container: container.id.clone(),
        })
        .collect();
    if sources.is_empty() {
        return Err(Failure::Input(format!(
            "there is no replica of `{}`; wharf ps shows what runs",
            text::Text::new(&args.what)
        )));
    }
    let options = LogOptions { follow: args.follow, tail: Some(args.tail), ..LogOptions::default() };
    let wide = sources.iter().map(|source| text::width(&source.replica)).max().unwrap_or(0);
    let streams = sources.iter().filter_map(|source| {
        let reader = seen.observer.reader(&source.host)?;
        let options = options.clone();
        let lines = stream::once(async move { reader.logs(&source.container, options).await });
        Some(
            lines
                .flat_map(move |opened| match opened {
                    Ok(lines) => lines.map(move |line| (source, line)).boxed(),
                    Err(error) => stream::once(async move { (source, Err(error)) }).boxed(),
                })
                .boxed(),
        )
    });
    let mut merged = stream::select_all(streams);
    let mut kept: Vec<(&Source, LogLine)> = Vec::new();
    loop {
        let next = if args.follow {
            merged.next().await
        } else {
            tokio::time::timeout(QUIET, merged.next()).await.ok().flatten()
        };
        match next {
            Some((source, Ok(line))) if args.follow => show(source, &line, &args, wide),
            Some((source, Ok(line))) => kept.push((source, line)),
            Some((source, Err(error))) => print::complain(&format!("{}: {error}", source.replica)),
            None => break,
        }
    }
    kept.sort_by_key(|(_, line)| line.at.unwrap_or(Timestamp::UNIX_EPOCH));
    for (source, line) in &kept {
        show(source, line, &args, wide);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(source: &Source, line: &LogLine, args: &LogsArgs, wide: usize) {
    if args.json {
        let row = LogRow {
            at: line.at,
            host: source.host.as_str(),
            replica: &source.replica,
            stream: if line.stderr { "stderr" } else { "stdout" },
            text: line.text.text(),
        };
        if let Ok(row) = serde_json::to_string(&row) {
            print::line(&row);
        }
        return;
    }
    let at = match (args.timestamps, line.at) {
        (true, Some(at)) => {
            format!("{} ", at.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%m-%d %H:%M:%S%.3f"))
        }
        _ => String::new(),
    };
    print::line(&format!("{}  {at}{}", text::pad_right(&source.replica, wide), line.text));
}
