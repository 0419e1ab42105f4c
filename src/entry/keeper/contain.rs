//! The container of a proxy: made, started, replaced by another one without a refused connection, taken away.

use std::time::Duration;

use tokio::time::Instant;

use super::{Pace, Proxy, Work};
use crate::{
    entry::{
        address::Berth,
        config,
        place::{Found, Place, Trouble},
        session::Session,
        stat,
    },
    model::{ProxySpec, Sensitive},
    text::Text,
};

/// A proxy that was started or told to reload must answer by then.
const ANSWER: Duration = Duration::from_secs(20);
/// A reload has begun by then: failures that are told later are its own.
const RELOAD: Duration = Duration::from_secs(2);
/// A proxy that is not wanted any more may end what it began within this.
const END: Duration = Duration::from_secs(60);
/// So often is looked whether something has begun or ended.
const SOON: Duration = Duration::from_millis(50);

impl<P: Place + Sync> Work<P> {
    /// Sees to it that a proxy of the wanted image runs and is talked with, and that others leave.
    pub(super) async fn settle(&mut self, spec: &ProxySpec) -> Result<(), Trouble> {
        if let Some(current) = &self.current
            && current.session.is_some()
            && current.image == spec.image.as_str()
            && self.leaving.is_empty()
        {
            return Ok(());
        }
        let found = self.place.find().await?;
        self.forget_ended(&found).await?;
        let right = |found: &&Found| found.image == spec.image.as_str() && found.berth.is_some();
        let running: Vec<&Found> = found.iter().filter(|found| found.is_running).collect();
        let known = self.current.as_ref().map(|current| current.id.clone());
        let mut chosen: Vec<&&Found> = running.iter().filter(|found| right(found)).collect();
        chosen.sort_by_key(|found| Some(&found.id) != known.as_ref());
        match chosen.first() {
            Some(found) => {
                let found = (**found).clone();
                self.take(&found).await?;
            }
            None => self.begin(spec, &found).await?,
        }
        // The right one answers: what else runs of this fleet leaves.
        for other in running {
            if self.current.as_ref().is_none_or(|current| current.id != other.id)
                && self.leaving.iter().all(|leaving| leaving.id != other.id)
            {
                self.place.finish(&other.id).await?;
                let berth = other.berth.unwrap_or(Berth::A);
                let leaving = Proxy { id: other.id.clone(), berth, image: other.image.clone(), session: None };
                self.leaving.push(leaving);
            }
        }
        Ok(())
    }

    /// Takes a running proxy as it is.
    async fn take(&mut self, found: &Found) -> Result<(), Trouble> {
        let berth = found.berth.unwrap_or(Berth::A);
        if self.current.as_ref().is_none_or(|current| current.id != found.id) {
            self.current = Some(Proxy { id: found.id.clone(), berth, image: found.image.clone(), session: None });
            // What is in its file is not known: it is written anew.
            self.written = None;
        }
        self.converse().await
    }

    /// Sees to it that there is a conversation with the current proxy.
    pub(super) async fn converse(&mut self) -> Result<(), Trouble> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if current.session.is_none() {
            let channel = self.place.open(&current.id, current.berth).await?;
            let begun = Session::begin(channel).await;
            current.session = Some(begun.map_err(|why| Trouble::new(format!("{}: the proxy: {why}", self.host)))?);
        }
        Ok(())
    }

    /// Starts a proxy of the wanted image, beside one of another image or where none runs.
    async fn begin(&mut self, spec: &ProxySpec, found: &[Found]) -> Result<(), Trouble> {
        let old = found.iter().find(|found| found.is_running);
        let berth = match old.and_then(|old| old.berth) {
            Some(berth) => berth.other(),
            None => Berth::A,
        };
        // Health is handed on, so that the new one does not try servers that are known to be down.
        let state = match (&mut self.current, old) {
            (Some(current), Some(old)) if current.id == old.id => servers_state(current).await,
            _ => String::new(),
        };
        let same = |found: &&Found| !found.is_running && found.berth == Some(berth);
        let there = found.iter().find(same).filter(|found| found.image == spec.image.as_str());
        for ended in found.iter().filter(|found| !found.is_running && there.is_none_or(|there| there.id != found.id)) {
            self.place.remove(&ended.id).await?;
        }
        let text = config::text(spec, &self.place.layout()).map_err(|refused| self.refuse(&refused.0))?;
        let files = self.files(spec, &text, state)?;
        let id = match there {
            Some(there) => there.id.clone(),
            None => self.place.create(berth, &spec.image).await?,
        };
        self.place.put(&id, files).await?;
        if let Err(trouble) = self.place.start(&id).await {
            // An engine that was restarted may have lost track of how one ended, and then never starts it again ("task …
            // already exists"). It serves nobody: the next try makes another.
            if there.is_some() {
                self.place.remove(&id).await?;
            }
            return Err(trouble);
        }
        let mut new = Proxy { id, berth, image: Text::new(&spec.image), session: None };
        match self.wait_for(&mut new, &spec.structure.digest()).await {
            Ok(()) => {}
            Err(trouble) => {
                // The old one goes on; the new one must not be taken for it.
                if old.is_some() {
                    self.place.remove(&new.id).await?;
                }
                return Err(trouble);
            }
        }
        self.written = Some(text);
        self.refused = None;
        self.current = Some(new);
        Ok(())
    }

    /// Waits until a proxy answers with a structure.
    pub(super) async fn wait_for(&self, proxy: &mut Proxy, digest: &str) -> Result<(), Trouble> {
        let begin = Instant::now();
        loop {
            let why = match self.ask_once(proxy).await {
                Ok((info, failed)) if info.structure == digest && failed == 0 => return Ok(()),
                // After a failed reload the old structure goes on; that does not change by waiting.
                Ok((_, failed)) if failed > 0 && begin.elapsed() > RELOAD => return Err(self.fails(proxy).await),
                Ok(_) => "it has not loaded its file yet".to_owned(),
                Err(why) => why.to_string(),
            };
            if begin.elapsed() > ANSWER {
                let trouble = self.fails(proxy).await;
                return Err(Trouble { words: Text::from(format!("{} ({why})", trouble.words)), ..trouble });
            }
            tokio::time::sleep(SOON).await;
        }
    }

    /// A proxy does not load what it should: why, from what it printed.
    async fn fails(&self, proxy: &Proxy) -> Trouble {
        let said = self.place.complaint(&proxy.id).await;
        let said = if said.is_empty() { "it does not say why".to_owned() } else { said };
        let words = format!("{}: the proxy does not do as its file says: {said}{}", self.host, advice(&said));
        Trouble { words: Text::from(words), is_final: true }
    }

    async fn ask_once(&self, proxy: &mut Proxy) -> Result<(stat::Info, u32), Text> {
        let mut session = if let Some(session) = proxy.session.take() {
            session
        } else {
            let channel = self.place.open(&proxy.id, proxy.berth).await.map_err(|trouble| trouble.words)?;
            Session::begin(channel).await?
        };
        let answers = session.ask(&["@1 show info".to_owned(), "show proc".to_owned()]).await?;
        proxy.session = Some(session);
        let get = |at: usize| answers.get(at).map(String::as_str).unwrap_or_default();
        Ok((stat::info(get(0)), stat::processes(get(1)).failed))
    }

    /// All files of a container.
    pub(super) fn files(
        &self,
        spec: &ProxySpec,
        text: &str,
        state: String,
    ) -> Result<Vec<(String, Sensitive)>, Trouble> {
        let layout = self.place.layout();
        let mut files = config::certificates(spec, &layout).map_err(|refused| self.refuse(&refused.0))?;
        let pool = pool(spec).map_err(|why| self.refuse(&why))?;
        files.push((format!("{}/pool", layout.etc), Sensitive(pool)));
        files.push((layout.state(), Sensitive(state)));
        files.push((layout.config(), Sensitive(text.to_owned())));
        Ok(files)
    }

    pub(super) fn refuse(&self, why: &str) -> Trouble {
        Trouble { words: Text::from(format!("{}: the proxy cannot be set up: {why}", self.host)), is_final: true }
    }

    /// Takes away those that have ended, and forgets the current one if it has.
    async fn forget_ended(&mut self, found: &[Found]) -> Result<(), Trouble> {
        let runs = |id| found.iter().any(|found| found.is_running && found.id == id);
        let ended: Vec<_> =
            self.leaving.iter().map(|leaving| leaving.id.clone()).filter(|id| !runs(id.clone())).collect();
        for id in ended {
            self.place.remove(&id).await?;
        }
        self.leaving.retain(|leaving| runs(leaving.id.clone()));
        if self.current.as_ref().is_some_and(|current| !runs(current.id.clone())) {
            self.current = None;
        }
        Ok(())
    }

    /// No proxy is wanted: what is there ends what it began, then goes.
    pub(super) async fn without(&mut self) -> Result<Pace, Trouble> {
        self.current = None;
        self.leaving.clear();
        let mut found = self.place.find().await?;
        if !found.is_empty() {
            let pool = format!("{}/pool", self.place.layout().etc);
            let script = format!("ip route del local \"$(cat {pool})\" dev lo");
            for proxy in found.iter().filter(|found| found.is_running) {
                // Without the addresses no new connection comes over a link. That they are gone already is no failure.
                drop(self.place.run(&proxy.id, &["sh", "-c", &script]).await?);
                self.place.finish(&proxy.id).await?;
            }
            let begin = Instant::now();
            while found.iter().any(|found| found.is_running) && begin.elapsed() < END {
                tokio::time::sleep(SOON * 5).await;
                found = self.place.find().await?;
            }
            for proxy in &found {
                self.place.remove(&proxy.id).await?;
            }
        }
        self.publish(None).await;
        Ok(Pace::Asleep)
    }
}

/// States of the servers, for a successor; empty when they cannot be had, which costs a check of each.
pub(super) async fn servers_state(proxy: &mut Proxy) -> String {
    let Some(session) = &mut proxy.session else { return String::new() };
    match session.ask(&["@1 show servers state".to_owned()]).await {
        Ok(answers) => answers.first().map(|table| stat::health(table)).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// What to do about a complaint of HAProxy.
fn advice(said: &str) -> &'static str {
    if said.contains("cannot bind") || said.contains("in use") {
        "; free that port on the host, or give the service another one"
    } else {
        "; see the log of its container on the host"
    }
}

/// The range of virtual addresses, if it is one.
fn pool(spec: &ProxySpec) -> Result<String, String> {
    let pool = &spec.structure.pool;
    let good = pool.split_once('/').is_some_and(|(address, bits)| {
        address.parse::<std::net::Ipv4Addr>().is_ok() && bits.parse::<u8>().is_ok_and(|bits| (8..=32).contains(&bits))
    });
    if good { Ok(pool.clone()) } else { Err(format!("`{pool}` is no address range: correct `link_pool`")) }
}
