//! Brings a container and the terminal together: a shell in it, or its own process.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc, oneshot, watch},
};

use super::confirm::Gate;
use crate::{
    app::{self, Msg},
    engine::{Console, Conversation, Talker},
    model::{HostName, JournalEntry, ServiceKey},
    store::{Store, StoreError},
    text::Text,
    tui,
};

/// Pieces on their way to the terminal or from it.
const WAITING: usize = 32;
/// Bytes of the first output that are kept: an engine says there that a program cannot be started.
const FIRST: usize = 600;

/// What was begun in a container, in words.
pub(super) fn journal(who: &str, what: &str, name: &str, host: &HostName, service: Option<ServiceKey>) -> JournalEntry {
    JournalEntry {
        at: Timestamp::now(),
        command: None,
        region: None,
        service,
        host: Some(host.clone()),
        what: Text::new(&format!("{who} opened {what} in {name} on {host}")),
        is_error: false,
    }
}

/// Writes into journal and audit what is about to be opened, where it may be.
pub(super) async fn write_down(
    store: &dyn Store,
    gate: &Gate,
    entry: JournalEntry,
    who: String,
) -> Result<(), StoreError> {
    let (what, at) = (entry.what.clone(), entry.at);
    let refused = entry.host.as_ref().and_then(|host| gate.refuses(&who, host, entry.service.as_ref()));
    if let Some(why) = refused {
        store.attest(who, "refused", Text::new(&format!("{what}: {why}")), at).await?;
        return Err(StoreError::Denied(why));
    }
    store.journal_add(vec![entry]).await?;
    store.attest(who, "opened", what, at).await
}

/// Opens what a key asked for and hands it to the screen. What fails before is said there.
pub(super) async fn open(
    wanted: app::Visit,
    console: Option<Console>,
    store: Arc<dyn Store>,
    (gate, who): (Gate, String),
    visits: mpsc::Sender<tui::Visit>,
) -> Result<(), Text> {
    let Some(console) = console else { return Err(Text::new(&format!("the host {} is not watched", wanted.host))) };
    let (with, what) = if wanted.attach { (Talker::Process, "an attachment") } else { (Talker::Shell, "a shell") };
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).map_or((80, 24), |size| (size.ws_col, size.ws_row));
    let entry = journal(&who, what, &wanted.name, &wanted.host, wanted.service.clone());
    // What cannot be written down is not done.
    write_down(store.as_ref(), &gate, entry, who).await.map_err(|error| Text::new(&error.to_string()))?;
    let conversation =
        console.open(&wanted.container, &with, Some(size)).await.map_err(|error| Text::new(&error.to_string()))?;
    let leave = if wanted.attach { "ctrl-p ctrl-q leaves it running" } else { "exit or ctrl-d comes back" };
    let title = format!("wharf: {what} in {} on {}. {leave}.\r\n", wanted.name, wanted.host);
    let visit = carry(conversation, wanted.name, title, size, wanted.attach);
    visits.send(visit).await.map_err(|_| Text::new("the screen is closed"))
}

/// A conversation as a visit: bytes both ways, the size, and how it ended.
pub(super) fn carry(
    conversation: Conversation,
    name: String,
    title: String,
    size: (u16, u16),
    attach: bool,
) -> tui::Visit {
    carry_with(conversation, name, title, size, attach).1
}

/// The same for a program that wants to know the exit code.
pub(super) fn carry_for_code(
    conversation: Conversation,
    name: String,
    size: (u16, u16),
) -> (oneshot::Receiver<Option<i64>>, tui::Visit) {
    carry_with(conversation, name, String::new(), size, false)
}

fn carry_with(
    conversation: Conversation,
    name: String,
    title: String,
    size: (u16, u16),
    attach: bool,
) -> (oneshot::Receiver<Option<i64>>, tui::Visit) {
    let (code_out, code) = oneshot::channel();
    let Conversation { input: mut to, mut output, control } = conversation;
    let (input, mut keys) = mpsc::channel::<Vec<u8>>(WAITING);
    let (shows, shown) = mpsc::channel::<Vec<u8>>(WAITING);
    let (resize, mut sizes) = watch::channel(size);
    let (say, said) = oneshot::channel();
    tokio::spawn(async move {
        let mut first = Vec::new();
        let mut typing = true;
        loop {
            tokio::select! {
                piece = output.recv() => {
                    let Some(piece) = piece else { break };
                    if first.len() < FIRST {
                        first.extend_from_slice(&piece.bytes);
                    }
                    if shows.send(piece.bytes.to_vec()).await.is_err() {
                        break;
                    }
                }
                typed = keys.recv(), if typing => match typed {
                    Some(bytes) => typing = to.write_all(&bytes).await.is_ok() && to.flush().await.is_ok(),
                    None => break,
                },
                Ok(()) = sizes.changed() => {
                    let size = *sizes.borrow_and_update();
                    control.resize(size).await;
                }
                // Left by its keys while nothing came.
                () = shows.closed() => break,
            }
        }
        let left = keys.is_closed() || shows.is_closed();
        drop(shows);
        drop(to);
        let answer = if left && attach {
            Msg::Say(Text::new(&format!("left {name}: it goes on")))
        } else {
            let ended = control.ended().await.map_err(|error| Text::new(&error.to_string()));
            let _ = code_out.send(ended.as_ref().ok().copied().flatten());
            ending(ended, &name, &first)
        };
        drop(say.send(answer));
    });
    (code, tui::Visit { title, input, output: shown, size: resize, said, detaches: attach })
}

/// How it ended, for the operator.
fn ending(code: Result<Option<i64>, Text>, name: &str, first: &[u8]) -> Msg {
    match code {
        Err(why) => Msg::Failed(why),
        Ok(Some(126 | 127)) if no_shell(first) => Msg::Failed(Text::new(&format!(
            "{name}: its image has no shell. `wharf exec` runs a program that is there; l shows its log"
        ))),
        Ok(Some(code)) => Msg::Say(Text::new(&format!("the shell in {name} ended with {code}"))),
        Ok(None) => Msg::Say(Text::new(&format!("{name} let go"))),
    }
}

/// The engine's words for a program that it could not start.
pub(super) fn no_shell(first: &[u8]) -> bool {
    let words = String::from_utf8_lossy(first);
    words.contains("runtime exec failed") || words.contains("no such file or directory: unknown")
}
