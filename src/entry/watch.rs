//! Proxies for those who only look: asks them now and then, through a reader, which can send nothing but questions.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    address::Berth,
    session::split,
    stat,
    view::{Answer, Ledger},
};
use crate::{
    engine::{ProxyFound, ProxyQuestion, Reader, Worker},
    model::{FleetName, HostChange, HostUpdate, ProxyView},
    text::Text,
};

/// Between two looks at a proxy, about.
const EVERY: Duration = Duration::from_secs(3);
/// Between two looks whether there is one, about.
const NONE: Duration = Duration::from_secs(15);

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
        Self { task: tokio::spawn(run(fleet, reader, tell)) }
    }
}

async fn run(fleet: FleetName, reader: Reader, tell: mpsc::Sender<HostUpdate>) {
    let mut ledger = Ledger::default();
    let mut known: Vec<ProxyFound> = Vec::new();
    let mut told: Option<Option<ProxyView>> = None;
    loop {
        // Many hosts are watched: not all at the same moment.
        let jitter = 0.75 + fastrand::f64() / 2.0;
        let mut pause = EVERY;
        let now = match look(&fleet, &reader, &mut known, &mut ledger).await {
            Some(view) => view,
            // The link's own state says that nothing is seen: what was seen stays, with its age.
            None => told.clone().flatten(),
        };
        if now.is_none() {
            pause = NONE;
        }
        let is_news = match (&told, &now) {
            (Some(Some(before)), Some(now)) => before.at != now.at,
            (Some(before), now) => before.is_some() != now.is_some(),
            (None, _) => true,
        };
        if is_news {
            told = Some(now.clone());
            let change = HostChange::Proxy(now.map(Box::new));
            if tell.send(HostUpdate { host: reader.host().clone(), change }).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(pause.mul_f64(jitter)).await;
    }
}

/// What there is to see; none when the host cannot be asked.
async fn look(
    fleet: &FleetName,
    reader: &Reader,
    known: &mut Vec<ProxyFound>,
    ledger: &mut Ledger,
) -> Option<Option<ProxyView>> {
    // The same containers as before save the search; one that does not answer makes it anew.
    if known.is_empty() {
        *known = reader.proxies().await.ok()?.into_iter().filter(|proxy| proxy.is_running).collect();
    }
    let mut answers = Vec::new();
    let mut view: Option<ProxyView> = None;
    let mut leaving = 0_u32;
    for proxy in known.clone() {
        let Some(berth) = Berth::of(fleet, proxy.name.as_str()) else { continue };
        let Some((info, all)) = ask(fleet, reader, &proxy, berth).await else {
            known.clear();
            continue;
        };
        leaving += u32::try_from(all.len()).unwrap_or(u32::MAX);
        answers.extend(all);
        if !info.is_stopping {
            leaving = leaving.saturating_sub(1);
            view = Some(ProxyView {
                container: proxy.id,
                image: proxy.image,
                structure: Text::new(&info.structure),
                leaving: 0,
                at: Timestamp::now(),
                backends: BTreeMap::new(),
                problem: Text::default(),
            });
        }
    }
    if view.is_none() {
        known.clear();
    }
    let mut view = view?;
    view.leaving = leaving;
    view.backends = ledger.sum(&answers, view.at);
    Some(Some(view))
}

async fn ask(
    fleet: &FleetName,
    reader: &Reader,
    proxy: &ProxyFound,
    berth: Berth,
) -> Option<(stat::Info, Vec<Answer>)> {
    let control = berth.control(fleet);
    let of = |worker| [ProxyQuestion::Info(worker), ProxyQuestion::Stat(worker), ProxyQuestion::Servers(worker)];
    let mut questions = vec![ProxyQuestion::Processes];
    questions.extend(of(Worker::Current));
    let said = split(&reader.ask_proxy(&proxy.id, control, &questions).await.ok()?);
    // The first answer is to `prompt`.
    let get = |said: &[String], at: usize| said.get(at).cloned().unwrap_or_default();
    let info = stat::info(&get(&said, 2));
    let backends = stat::backends(&get(&said, 3), &get(&said, 4))?;
    let worker = (proxy.id.clone(), info.process);
    let mut answers = vec![Answer { worker, is_leaving: info.is_stopping, backends }];
    let leaving = stat::processes(&get(&said, 1)).leaving;
    if !leaving.is_empty() {
        let questions: Vec<_> = leaving.iter().flat_map(|process| of(Worker::Leaving(*process))).collect();
        let said = split(&reader.ask_proxy(&proxy.id, control, &questions).await.ok()?);
        for (at, process) in leaving.into_iter().enumerate() {
            if let Some(backends) = stat::backends(&get(&said, 3 * at + 2), &get(&said, 3 * at + 3)) {
                answers.push(Answer { worker: (proxy.id.clone(), process), is_leaving: true, backends });
            }
        }
    }
    Some((info, answers))
}
