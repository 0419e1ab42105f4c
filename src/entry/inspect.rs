//! Everything that the processes of one proxy answer, by questions alone.

use super::{
    session::Session,
    stat::{self, Backends},
    view::Answer,
};
use crate::{
    engine::{ProxyQuestion, Worker},
    model::ContainerId,
    text::Text,
};

/// What one proxy's master and workers answer.
pub(crate) struct Inspected {
    /// What the worker that takes new connections says of itself.
    pub info: stat::Info,
    /// What it has.
    pub backends: Backends,
    /// The same, and that of workers that end what they began.
    pub answers: Vec<Answer>,
}

/// Asks all processes of the proxy in a container.
pub(crate) async fn inspect(session: &mut Session, container: &ContainerId) -> Result<Inspected, Text> {
    let [info, stat, servers] = of(Worker::Current);
    let answers = session.question(&[ProxyQuestion::Processes, info, stat, servers]).await?;
    let get = |answers: &[String], at: usize| answers.get(at).cloned().unwrap_or_default();
    let processes = stat::processes(&get(&answers, 0));
    let info = stat::info(&get(&answers, 1));
    let odd = || Text::from("the answer is not what HAProxy says");
    let backends = stat::backends(&get(&answers, 2), &get(&answers, 3)).ok_or_else(odd)?;
    let worker = (container.clone(), info.process);
    let mut all = vec![Answer { worker, is_leaving: info.is_stopping, backends: backends.clone() }];
    for process in processes.leaving {
        let answers = session.question(&of(Worker::Leaving(process))).await?;
        // It may have ended in between.
        if let Some(backends) = stat::backends(&get(&answers, 1), &get(&answers, 2)) {
            all.push(Answer { worker: (container.clone(), process), is_leaving: true, backends });
        }
    }
    Ok(Inspected { info, backends, answers: all })
}

fn of(worker: Worker) -> [ProxyQuestion; 3] {
    [ProxyQuestion::Info(worker), ProxyQuestion::Stat(worker), ProxyQuestion::Servers(worker)]
}
