//! `wharf exec`: a command in a replica's container, with a terminal or with pipes.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Context, Failure, args::ExecArgs, confirm::Gate, look, print, visit};
use crate::{
    app::Msg,
    engine::{Console, Conversation, Talker, open_console},
    model::{Container, ContainerId, HostName, ReplicaOf},
    text, tui,
};

/// Runs it, and ends as it ended.
pub(super) async fn run(context: Context, args: ExecArgs) -> Result<ExitCode, Failure> {
    let store = context.store()?;
    let (fleet, who, gate) = (context.fleet.clone(), context.who.clone(), Gate::new(&context));
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let (host, container, replica) = pick(&seen, &args)?;
    let Some((_, entry)) = fleet.host(&host) else {
        return Err(Failure::Input(format!("there is no host {host}")));
    };
    drop(seen);
    let what = if args.command.is_empty() {
        "a shell".to_owned()
    } else {
        // Arguments may be confidential: the journal has the program only.
        format!("`{}`", args.command.first().map_or("", String::as_str))
    };
    let note = visit::journal(&who, &what, container.name.as_str(), &host, Some(replica.key.service.clone()));
    visit::write_down(store.as_ref(), &gate, note, who.clone()).await?;
    let console = open_console(&fleet.name, entry).await?;
    let with = if args.command.is_empty() { Talker::Shell } else { Talker::Command(args.command.clone()) };
    let terminal = !args.no_tty && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let id = container.id.clone();
    if terminal { at_terminal(console, id, with, &container).await } else { piped(console, id, with).await }
}

/// The replica that is meant: the first that runs, in the order of slots.
fn pick(seen: &look::Seen, args: &ExecArgs) -> Result<(HostName, Container, ReplicaOf), Failure> {
    let what = args.what.as_str();
    let mut found: Vec<_> = seen
        .observed
        .replicas()
        .filter(|(_, _, replica)| replica.key.to_string() == what || replica.key.service.to_string() == what)
        .filter(|(host, _, _)| args.host.as_ref().is_none_or(|wanted| host.name.as_str() == wanted))
        .collect();
    if found.is_empty() {
        let there = text::Text::new(what);
        return Err(Failure::Input(format!("there is no replica of `{there}`; wharf ps shows what runs")));
    }
    found
        .sort_by_key(|(_, container, replica)| (!container.is_running(), replica.key.slot, replica.key.region.clone()));
    let first = found.first().filter(|(_, container, _)| container.is_running());
    let Some((host, container, replica)) = first else {
        return Err(Failure::Failed(format!("no replica of `{}` runs now", text::Text::new(what))));
    };
    if found.len() > 1 {
        print::complain(&format!("in {} on {}", container.name, host.name));
    }
    Ok((host.name.clone(), (*container).clone(), (*replica).clone()))
}

async fn at_terminal(
    console: Console,
    id: ContainerId,
    with: Talker,
    container: &Container,
) -> Result<ExitCode, Failure> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).map_or((80, 24), |size| (size.ws_col, size.ws_row));
    let conversation = console.open(&id, &with, Some(size)).await?;
    let (code, carried) = visit::carry_for_code(conversation, container.name.to_string(), size);
    let said = tui::visit(carried).await.map_err(|error| Failure::Failed(error.to_string()))?;
    if let Some(Msg::Failed(why)) = said {
        return Err(Failure::Failed(why.to_string()));
    }
    Ok(exit(code.await.ok().flatten()))
}

async fn piped(console: Console, id: ContainerId, with: Talker) -> Result<ExitCode, Failure> {
    let Conversation { mut input, mut output, control } = console.open(&id, &with, None).await?;
    let feed = tokio::spawn(async move {
        let mut from = tokio::io::stdin();
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let Some(bytes) = buffer.get(..read) else { break };
            if input.write_all(bytes).await.is_err() || input.flush().await.is_err() {
                break;
            }
        }
        // The end of our input is the end of its.
        drop(input.shutdown().await);
        std::future::pending::<()>().await;
    });
    while let Some(piece) = output.recv().await {
        let written = if piece.stderr {
            std::io::stderr().write_all(&piece.bytes)
        } else {
            let mut out = std::io::stdout();
            out.write_all(&piece.bytes).and_then(|()| out.flush())
        };
        // Who reads us has enough.
        if written.is_err() {
            break;
        }
    }
    feed.abort();
    Ok(exit(control.ended().await?))
}

/// Its code is ours. An engine that does not know it leaves us without one.
fn exit(code: Option<i64>) -> ExitCode {
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
