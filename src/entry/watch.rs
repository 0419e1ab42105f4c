//! Proxies for those who only look: asks them now and then, through a reader, which can send nothing but questions.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use super::{
    address::Berth,
    inspect::{Inspected, inspect},
    session::{Channel, Input, Session},
    view::Ledger,
};
use crate::{
    engine::{ProxyFound, Reader},
    model::{FleetName, HostChange, HostUpdate, ProxyView},
    text::Text,
};

/// Between two looks at a proxy, about.
const EVERY: Duration = Duration::from_secs(3);
/// Between two looks whether there is one, about.
const NONE: Duration = Duration::from_secs(15);
/// So often is looked whether another one is there.
const SEARCH: Duration = Duration::from_secs(60);

/// Watches the proxy of one host and changes nothing: by type, as it has a [`Reader`] alone. Dropped, it ends.
#[derive(Debug)]
pub struct Watch {
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// Starts one for the host of `reader`. What it sees goes to `tell`, as [`HostChange::Proxy`]; it ends when nobody
    /// listens any more. Must be called in a runtime.
    pub fn start(fleet: FleetName, reader: Reader, tell: mpsc::Sender<HostUpdate>) -> Self {
        let watcher = Watcher { fleet, reader, known: Vec::new(), searched: None, ledger: Ledger::default() };
        Self { task: tokio::spawn(watcher.run(tell)) }
    }
}

/// A proxy that runs, and the conversation with it.
struct Known {
    found: ProxyFound,
    berth: Berth,
    session: Option<Session>,
}

struct Watcher {
    fleet: FleetName,
    reader: Reader,
    known: Vec<Known>,
    /// When the containers were last looked for; none when they must be now.
    searched: Option<Instant>,
    ledger: Ledger,
}

impl Watcher {
    async fn run(mut self, tell: mpsc::Sender<HostUpdate>) {
        let mut is_told = false;
        // One may just be starting: who begins to watch looks again soon, then less and less often.
        let mut patience = EVERY;
        loop {
            // A host that cannot be asked keeps what was seen of it: that it is silent, its link says.
            let seen = self.look().await;
            let pause = if matches!(seen, Some(None)) { patience } else { EVERY };
            patience = if matches!(seen, Some(None)) { (patience * 2).min(NONE) } else { EVERY };
            if let Some(view) = seen {
                let is_none = view.is_none();
                let change = HostChange::Proxy(view.map(Box::new));
                // That there is none, and was none, is no news.
                if (is_told || !is_none)
                    && tell.send(HostUpdate { host: self.reader.host().clone(), change }).await.is_err()
                {
                    return;
                }
                is_told = !is_none;
            }
            // Many hosts are watched: not all at the same moment.
            tokio::time::sleep(pause.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
        }
    }

    /// What there is to see; none when the host cannot be asked.
    async fn look(&mut self) -> Option<Option<ProxyView>> {
        if self.searched.is_none_or(|at| at.elapsed() > SEARCH) {
            self.search().await?;
        }
        let mut answers = Vec::new();
        let mut view: Option<ProxyView> = None;
        let mut is_old = self.known.is_empty();
        for known in &mut self.known {
            let Some(seen) = ask(&self.fleet, &self.reader, known).await else {
                known.session = None;
                is_old = true;
                continue;
            };
            answers.extend(seen.answers);
            is_old |= seen.info.is_stopping;
            if !seen.info.is_stopping {
                view = Some(ProxyView {
                    container: known.found.id.clone(),
                    image: known.found.image.clone(),
                    structure: Text::new(&seen.info.structure),
                    leaving: 0,
                    at: self.reader.clock().now(),
                    backends: BTreeMap::new(),
                    problem: Text::default(),
                });
            }
        }
        if is_old {
            // It ended, or another one takes over.
            self.searched = None;
        }
        let Some(mut view) = view else {
            // One that does not answer is not one that is not there.
            return self.known.is_empty().then_some(None);
        };
        view.leaving = u32::try_from(answers.len().saturating_sub(1)).unwrap_or(u32::MAX);
        view.backends = self.ledger.sum(&answers, view.at);
        Some(Some(view))
    }

    /// Looks for this fleet's proxies. Conversations with those that stay go on.
    async fn search(&mut self) -> Option<()> {
        let found = self.reader.proxies().await.ok()?;
        let mut before = std::mem::take(&mut self.known);
        for found in found.into_iter().filter(|found| found.is_running) {
            let Some(berth) = Berth::of(&self.fleet, found.name.as_str()) else { continue };
            let same = before.iter().position(|known| known.found.id == found.id);
            let session = same.map(|at| before.swap_remove(at)).and_then(|known| known.session);
            self.known.push(Known { found, berth, session });
        }
        self.searched = Some(Instant::now());
        Some(())
    }
}

async fn ask(fleet: &FleetName, reader: &Reader, known: &mut Known) -> Option<Inspected> {
    if known.session.is_none() {
        let control = known.berth.control(fleet);
        let (questions, output) = reader.question_proxy(&known.found.id, control).await.ok()?;
        let channel = Channel { input: Input::Questions(questions), output };
        known.session = Session::begin(channel).await.ok();
    }
    inspect(known.session.as_mut()?, &known.found.id).await.ok()
}
