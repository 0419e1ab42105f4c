//! One look at a running proxy: what it has, what it is told next, what is told of it.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::{Pace, Proxy, Work, contain::servers_state};
use crate::{
    engine::Worker,
    entry::{
        config,
        inspect::{Inspected, inspect},
        place::{Place, Trouble},
        session::Session,
        stat::{self, Admin, Backends},
        steps,
        view::Answer,
    },
    model::{Duty, ProxySpec, ProxyView, Sensitive, Server},
    text::Text,
};

/// A structure that HAProxy would not load is tried again after so long: the host may have changed.
const TRY_AGAIN: Duration = Duration::from_secs(20);

/// A server's first check shows within this time, most often.
const CHECK_SHOWS: Duration = Duration::from_secs(5);

/// What a look saw of the proxy that takes new connections.
struct Looked {
    info: stat::Info,
    backends: Backends,
    answers: Vec<Answer>,
    leaving: u32,
}

impl<P: Place + Sync> Work<P> {
    /// One round with a proxy wanted.
    pub(super) async fn keep(&mut self, mut spec: ProxySpec) -> Result<Pace, Trouble> {
        let missing = self.names.resolve(&mut spec.members).await;
        self.names.resolve_all(&mut spec.unseen).await;
        self.settle(&spec).await?;
        let mut looked = self.look().await?;
        leave_alone(&mut spec, &looked.backends);
        let mut problems: Vec<String> = missing
            .iter()
            .map(|name| {
                format!("{}: the address `{name}` was not found: set `address` of that host to a number", self.host)
            })
            .collect();
        let digest = spec.structure.digest();
        let is_loaded = looked.info.structure == digest;
        let mut again = false;
        if !is_loaded {
            let refused = self.refused.as_ref().filter(|(which, _, at)| *which == digest && at.elapsed() < TRY_AGAIN);
            if let Some((_, trouble, _)) = refused {
                problems.push(trouble.words.to_string());
            } else {
                self.told_at_least(&looked).await;
                match self.load(&spec, &digest).await {
                    Ok(()) => return Ok(Pace::Busy),
                    Err(trouble) => {
                        problems.push(trouble.words.to_string());
                        self.refused = Some((digest.clone(), trouble, Instant::now()));
                        again = true;
                    }
                }
            }
        }
        let mut commands = steps::next(&spec.structure.backends, &spec.members, &looked.backends);
        self.once(&mut commands);
        if !commands.is_empty() {
            again = true;
            self.say(&commands, &mut problems).await?;
            // What came of it is seen now: others wait for the proxy's word.
            looked = self.look().await?;
        }
        if is_loaded && commands.is_empty() {
            self.write_file(&spec).await?;
        }
        let view = self.view(&looked, &problems);
        again |= unsettled(&spec, &view);
        self.publish(Some(view)).await;
        Ok(if again { Pace::Busy } else { Pace::Calm })
    }

    /// Asks all processes. When that fails, the next look begins a new session.
    async fn look(&mut self) -> Result<Looked, Trouble> {
        let looked = self.ask_all().await;
        if looked.is_err()
            && let Some(current) = &mut self.current
        {
            current.session = None;
        }
        looked
    }

    async fn ask_all(&mut self) -> Result<Looked, Trouble> {
        self.converse().await?;
        let host = self.host.clone();
        let trouble = |why: Text| Trouble::new(format!("{host}: the proxy does not answer: {why}"));
        let Some(current) = &mut self.current else { return Err(trouble("it does not run".into())) };
        let seen = inspect_proxy(current).await.map_err(trouble)?;
        let (info, backends) = (seen.info, seen.backends);
        let mut answers = seen.answers;
        let mut leaving = u32::try_from(answers.len().saturating_sub(1)).unwrap_or(u32::MAX);
        for proxy in &mut self.leaving {
            leaving = leaving.saturating_add(1);
            if proxy.session.is_none()
                && let Ok(channel) = self.place.open(&proxy.id, proxy.berth).await
            {
                proxy.session = Session::begin(channel).await.ok();
            }
            // One that has just ended does not answer; what it had is over.
            match inspect_proxy(proxy).await {
                Ok(seen) => {
                    answers.extend(seen.answers.into_iter().map(|answer| Answer { is_leaving: true, ..answer }));
                }
                Err(_) => proxy.session = None,
            }
        }
        Ok(Looked { info, backends, answers, leaving })
    }

    /// Leaves out checks that were asked for a moment ago: that shows only when the first one is over.
    fn once(&mut self, commands: &mut Vec<String>) {
        self.checking.retain(|_, at| at.elapsed() < CHECK_SHOWS);
        let added: BTreeSet<String> = commands
            .iter()
            .filter_map(|command| command.strip_prefix("add server ")?.split(' ').next().map(str::to_owned))
            .collect();
        commands.retain(|command| {
            let Some(server) = command.strip_prefix("enable health ") else { return true };
            let is_asked = self.checking.contains_key(server) && !added.contains(server);
            self.checking.entry(server.to_owned()).or_insert_with(Instant::now);
            !is_asked
        });
    }

    /// Says commands to the worker that takes new connections.
    async fn say(&mut self, commands: &[String], problems: &mut Vec<String>) -> Result<(), Trouble> {
        let Some(session) = self.current.as_mut().and_then(|current| current.session.as_mut()) else { return Ok(()) };
        let lines: Vec<String> = commands.iter().map(|command| format!("{} {command}", Worker::Current)).collect();
        tracing::debug!(host = %self.host, ?commands, "to the proxy");
        let answers = match session.ask(&lines).await {
            Ok(answers) => answers,
            Err(why) => {
                if let Some(current) = &mut self.current {
                    current.session = None;
                }
                return Err(Trouble::new(format!("{}: the proxy does not answer: {why}", self.host)));
            }
        };
        for (command, answer) in commands.iter().zip(&answers) {
            if let Some(refusal) = steps::refusal(command, answer) {
                let refusal: String = refusal.chars().take(300).collect();
                problems.push(format!("{}: the proxy refused `{command}`: {refusal}", self.host));
            }
        }
        Ok(())
    }

    /// Loads another structure into the running proxy: on trial first, then by a reload that hands listening sockets
    /// and the servers' health on. Whatever fails, the earlier structure goes on.
    async fn load(&mut self, spec: &ProxySpec, digest: &str) -> Result<(), Trouble> {
        let layout = self.place.layout();
        let Some(mut current) = self.current.take() else { return Ok(()) };
        let before = self.written.take();
        let loaded = async {
            let text = config::text(spec, &layout).map_err(|refused| self.refuse(&refused.0))?;
            let state = servers_state(&mut current).await;
            let mut files = self.files(spec, &text, state)?;
            // On trial first: the file itself stays as it is until HAProxy has read it.
            let config = files.pop();
            let pool = spec.structure.pool.as_str();
            files.push((layout.candidate(), Sensitive(text.clone())));
            self.place.put(&current.id, files).await?;
            let (code, said) = self.place.run(&current.id, &["haproxy", "-c", "-f", &layout.candidate()]).await?;
            if code != 0 {
                let said = crate::entry::place::complaint(said.lines());
                return Err(
                    self.refuse(&format!("HAProxy does not take its file, and goes on with the earlier one: {said}"))
                );
            }
            let route = ["ip", "route", "replace", "local", pool, "dev", "lo"];
            let (code, said) = self.place.run(&current.id, &route).await?;
            if code != 0 {
                return Err(self.refuse(&format!("its addresses {pool} could not be made the host's: {}", said.trim())));
            }
            self.place.put(&current.id, config.into_iter().collect()).await?;
            self.place.reload(&current.id).await?;
            current.session = None;
            if let Err(trouble) = self.wait_for(&mut current, digest).await {
                // What would not load now would not load after a restart either.
                if let Some(before) = &before {
                    self.place.put(&current.id, vec![(layout.config(), Sensitive(before.clone()))]).await?;
                }
                return Err(trouble);
            }
            Ok(text)
        }
        .await;
        self.current = Some(current);
        match loaded {
            Ok(text) => {
                self.written = Some(text);
                self.refused = None;
                Ok(())
            }
            Err(trouble) => {
                self.written = before;
                Err(trouble)
            }
        }
    }

    /// Keeps the file in step with the running process, for a restart.
    async fn write_file(&mut self, spec: &ProxySpec) -> Result<(), Trouble> {
        let layout = self.place.layout();
        let text = config::text(spec, &layout).map_err(|refused| self.refuse(&refused.0))?;
        if self.written.as_ref() != Some(&text)
            && let Some(current) = &self.current
        {
            let files = self.files(spec, &text, String::new())?;
            self.place.put(&current.id, files).await?;
            self.written = Some(text);
        }
        Ok(())
    }

    /// Before something that takes a while.
    async fn told_at_least(&mut self, looked: &Looked) {
        if self.told.is_none() {
            let view = self.view(looked, &[]);
            self.publish(Some(view)).await;
        }
    }

    fn view(&mut self, looked: &Looked, problems: &[String]) -> ProxyView {
        let now = self.began;
        let (container, image) = match &self.current {
            Some(current) => (current.id.clone(), current.image.clone()),
            None => (crate::model::ContainerId(Text::default()), Text::default()),
        };
        ProxyView {
            container,
            image,
            structure: Text::new(&looked.info.structure),
            leaving: looked.leaving,
            at: now,
            backends: self.ledger.sum(&looked.answers, now),
            problem: self.problem(problems),
        }
    }
}

async fn inspect_proxy(proxy: &mut Proxy) -> Result<Inspected, Text> {
    match &mut proxy.session {
        Some(session) => inspect(session, &proxy.id).await,
        None => Err("there is no way to it".into()),
    }
}

/// Servers on hosts that nobody has seen yet are wanted as they are.
fn leave_alone(spec: &mut ProxySpec, seen: &Backends) {
    for (name, members) in &mut spec.members {
        let servers = seen.get(name).into_iter().flat_map(|backend| &backend.servers);
        for (server, there) in servers.filter(|(_, there)| spec.unseen.contains(there.address.as_str())) {
            members.servers.entry(server.clone()).or_insert_with(|| Server {
                address: there.address.to_string(),
                port: there.port,
                check_port: None,
                duty: if there.admin == Admin::Ready { Duty::Serving } else { Duty::Leaving },
            });
        }
    }
}

/// Something is on its way: a server that shall get requests and does not yet, or one that ends what it has.
fn unsettled(spec: &ProxySpec, view: &ProxyView) -> bool {
    let coming = spec.members.iter().any(|(name, members)| {
        let seen = view.backends.get(name);
        members.servers.iter().any(|(server, want)| {
            want.is_serving()
                && seen.and_then(|seen| seen.servers.get(server)).is_none_or(|seen| !seen.is_ready || !seen.is_up)
        })
    });
    let going = view.backends.values().flat_map(|backend| backend.servers.values()).any(|server| !server.is_ready);
    coming || going
}
