//! What happens on the hosts, against the laws.

use std::{collections::BTreeSet, hash::Hasher as _, time::Duration};

use jiff::Timestamp;
use wharf::{
    model::{Slot, label, since},
    sim::{Asked, Glimpse, Link, Misstep, Standing, Wrong},
};

use super::{Away, Books, Broken, DIALLED, Known, Law, Laws, NEWS, Place};
use crate::truth::{is_healthy, is_of_fleet, is_ours, service_of};

/// A rule of traffic is broken only where it could be kept: by a proxy that has been there for so long.
const SETTLED: Duration = Duration::from_secs(3);
/// A container of one name is not made more often in one history.
const MOST_CREATES: u32 = 25;
/// What was wanted so lately may still be under way.
const UNDER_WAY: Duration = Duration::from_secs(6);
/// What was not wanted within this time may be stopped still: a copy drains first.
const DRAINING: Duration = Duration::from_secs(20);

/// What is written to the store is known to all within this time.
const HEARD: Duration = Duration::from_millis(500);
/// A request to stop that was not carried out by then is lost.
const LOST: Duration = Duration::from_secs(10);

impl Laws {
    /// Everything that others have here stays as it is.
    pub fn protect(&self) {
        let mut books = self.books.lock().unwrap();
        books.foreign = self
            .hosts
            .iter()
            .map(|host| host.engine.peek().into_iter().filter(|it| !is_of_fleet(it)).collect())
            .collect();
    }

    /// A host's containers end with it: what was there before is not compared any more.
    pub fn forget(&self, host: usize) {
        self.books.lock().unwrap().foreign[host].clear();
    }

    /// A host's images were taken away.
    pub fn bare(&self, host: usize) {
        self.books.lock().unwrap().is_bare.insert(host);
    }

    /// Something changed on a host.
    pub fn look(&self, at: usize) {
        let now = self.clock.now();
        let host = &self.hosts[at];
        let mut books = self.books.lock().unwrap();
        let away = books.away[at];
        books.away[at] = if host.engine.link() == Link::Up {
            Away { since: None, last: away.since.map(|_| now).or(away.last), ..away }
        } else {
            let goes_on = away.since.is_some() || away.last.is_some_and(|last| since(last, now) < DIALLED);
            let unseen = if goes_on { away.unseen } else { Some(now) };
            Away { since: away.since.or(Some(now)), last: Some(now), unseen }
        };
        let asked = host.engine.asked_from(books.asked[at]);
        books.asked[at] += asked.len();
        for asked in &asked {
            if self.tells {
                println!("{:?} {} {}: {}", self.clock.ran().unwrap_or_default(), host.name, by(asked), asked.what);
            }
            books.note(at, asked, now);
            self.judge(&mut books, at, asked, now);
        }
        let truth = host.engine.peek();
        for before in &books.foreign[at].clone() {
            if !truth.contains(before) {
                let words = format!("on {}, {} of others was touched", host.name, before.name);
                self.broke(&mut books, Law::Foreign, words);
            }
        }
        // Until now it was as it was seen last.
        books.mark(at, self.defaults.min_healthy, now);
        books.truth[at] = truth;
        books.mark(at, self.defaults.min_healthy, now);
    }

    /// Keeps the first.
    pub(super) fn broke(&self, books: &mut Books, law: Law, words: String) {
        let at = self.clock.ran().unwrap_or_default();
        books.broken.get_or_insert(Broken { law, words, at });
    }

    fn judge(&self, books: &mut Books, at: usize, asked: &Asked, now: Timestamp) {
        let host = &self.hosts[at];
        let (method, path) = asked.what.split_once(' ').unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            ("POST", ["containers", "create"]) => {
                self.alone(books, host, asked, now);
                if let Some(name) = query.split('&').find_map(|pair| pair.strip_prefix("name=")) {
                    self.create(books, host, name, now);
                }
            }
            ("POST", ["containers", id, "start"]) => {
                let one = books.truth[at].iter().find(|it| it.id == **id || it.name == **id).map(|it| it.id.clone());
                one.map(|id| books.stopping.remove(&(at, id)));
            }
            ("POST", ["containers", id, "stop" | "kill" | "restart"]) | ("DELETE", ["containers", id]) => {
                let find = |it: &&Glimpse| it.id == **id || it.name == **id;
                let Some(glimpse) = books.truth[at].iter().find(find).cloned() else { return };
                if !is_of_fleet(&glimpse) {
                    let words = format!("{} asked for {} on {}, which is not ours", by(asked), asked.what, host.name);
                    self.broke(books, Law::Foreign, words);
                }
                if is_ours(&glimpse) {
                    self.alone(books, host, asked, now);
                    if books.stopping.insert((at, glimpse.id.clone()), now).is_none() {
                        self.stop(books, at, &glimpse, now);
                    }
                }
            }
            _ => {}
        }
    }

    /// Law 6: nobody acts when another has had the lease for a while.
    fn alone(&self, books: &mut Books, host: &Place, asked: &Asked, now: Timestamp) {
        let Some(who) = &asked.by else { return };
        let held = books.leases.get(&host.region).into_iter().flatten();
        let later = held.rev().take_while(|(_, by, _)| **by != **who).last();
        if let Some((at, other, _)) = later.filter(|(at, ..)| since(*at, now) > NEWS + Duration::from_secs(1)) {
            let words =
                format!("{who} asked {} for {}, and {other} has held the lease since {at}", host.name, asked.what);
            self.broke(books, Law::Lease, words);
        }
    }

    fn create(&self, books: &mut Books, host: &Place, name: &str, now: Timestamp) {
        let count = books.creates.entry(format!("{} on {}", name, host.name)).or_default();
        *count += 1;
        let count = *count;
        if count > MOST_CREATES {
            self.broke(books, Law::Oscillation, format!("{name} was made {count} times on {}", host.name));
        }
        let Some((service, revision)) = parse(name) else { return };
        if !books.made.insert((host.region.clone(), service.clone(), revision.clone())) {
            return;
        }
        // Law 8: the first container of a revision comes when its image is on all hosts that shall have one.
        if !books.decided.contains(&service) {
            return;
        }
        // What was decided a moment ago, nobody need know yet.
        let lately = books
            .desired
            .iter()
            .enumerate()
            .filter(|(at, _)| books.desired.get(at + 1).is_none_or(|(until, _)| since(*until, now) < HEARD));
        let lacking: Vec<Option<String>> =
            lately.map(|(_, (_, desired))| self.lacking(books, desired, host, &service, &revision, now)).collect();
        if let Some(words) = lacking.into_iter().collect::<Option<Vec<_>>>().and_then(|mut all| all.pop()) {
            self.broke(books, Law::Images, format!("{name} was made on {}, and {words}", host.name));
        }
    }

    /// A host that shall have a revision of a service, and has not its image, in words.
    fn lacking(
        &self,
        books: &Books,
        desired: &wharf::model::Desired,
        host: &Place,
        service: &str,
        revision: &str,
        now: Timestamp,
    ) -> Option<String> {
        let (key, regions) = desired.services.iter().find(|(key, _)| key.to_string() == service)?;
        let assignment = regions.get(&host.region)?;
        let places = assignment.slots.values().filter(|place| place.revision.to_string() == revision);
        let targets: BTreeSet<&str> = places.map(|place| place.host.as_str()).collect();
        targets.into_iter().find_map(|target| {
            let image = places_image(desired, key, revision);
            let at = self.hosts.iter().position(|host| host.name == target).unwrap();
            let is_known = !books.is_bare.contains(&at) && !books.was_away(at, now, self.defaults.down_after);
            (is_known && !self.hosts[at].engine.has_image(&image)).then(|| format!("{target} has not yet {image}"))
        })
    }

    /// Laws 1 and 4: what it means to stop this one.
    fn stop(&self, books: &mut Books, at: usize, glimpse: &Glimpse, now: Timestamp) {
        if !is_healthy(glimpse, self.defaults.min_healthy, now) || books.was_away(at, now, NEWS) {
            return;
        }
        // Some do their work since a while, and nothing has changed there when they began to.
        for host in 0..self.hosts.len() {
            books.mark(host, self.defaults.min_healthy, now);
        }
        let (service, region, name) = (service_of(glimpse), &self.hosts[at].region, &glimpse.name);
        let wanted = books.wanted(&service, region, now);
        let stops_first =
            books.restarts.get(&service).is_some_and(|end| end.is_none_or(|end| since(end, now) < UNDER_WAY));
        // A quarter at a time, as the defaults have it.
        let batch = if stops_first { wanted.div_ceil(4) } else { 0 };
        let floor = wanted.saturating_sub(batch);
        let others: BTreeSet<&str> = books
            .known
            .iter()
            .filter(|((host, id), known)| {
                known.service == service
                    && self.hosts[*host].region == *region
                    && (*host, id.as_str()) != (at, glimpse.id.as_str())
                    // What was asked and was never done, is not done any more.
                    && books.stopping.get(&(*host, id.clone())).is_none_or(|asked| since(*asked, now) > LOST)
                    && books.is_believed(*host, known, now)
            })
            .map(|(_, known)| known.slot.as_str())
            .collect();
        let slot = glimpse.labels[label::SLOT].as_str();
        let before = others.len() + usize::from(!others.contains(slot));
        if others.len() < floor && before >= floor {
            let words = format!("{name} is stopped on {}: {} of {floor} healthy", self.hosts[at].name, others.len());
            self.broke(books, Law::Floor, words);
        }
        if !stops_first && books.is_wanted_as_it_is(&self.hosts[at], glimpse, now) {
            let words = format!("{name} on {} is healthy and wanted as it is, and is stopped", self.hosts[at].name);
            self.broke(books, Law::Unknown, words);
        }
    }

    /// Law 2, by the books that the proxies' simulator keeps.
    pub fn traffic(&self) {
        let Some(host) = self.hosts.first() else { return };
        let drain = self.defaults.drain;
        let is_wrong = |what: &Wrong| !matches!(what, Wrong::StoppedBusy { drained, .. } if *drained >= drain);
        let missteps = host.engine.ledger().missteps;
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap();
        // One that was well before its host lost power is as known as before; the proxies' own checks tell when it is back.
        let was_well = |server: &str| {
            let id = server.rsplit('-').next().unwrap_or_default();
            books.known.iter().any(|((_, known), it)| known.starts_with(id) && it.healthy.is_some())
        };
        // A host that is back is dialled again in a while; until then nothing can be told to its proxy.
        let is_dialled = |it: &Misstep| {
            let at = self.hosts.iter().position(|host| host.name == it.proxy);
            it.what == Wrong::ReadyTooEarly || at.is_some_and(|at| !books.was_away(at, now, DIALLED))
        };
        let is_wrong = |it: &Misstep| {
            is_wrong(&it.what)
                && it.in_touch >= SETTLED
                && is_dialled(it)
                && !(it.what == Wrong::ReadyTooEarly && was_well(&it.server))
        };
        if let Some(wrong) = missteps.iter().find(|it| is_wrong(it)) {
            let words = format!("{wrong:?}");
            self.broke(&mut books, Law::Traffic, words);
        }
    }
}

impl Books {
    /// Notes what does its work on a host.
    fn mark(&mut self, at: usize, min_healthy: Duration, now: Timestamp) {
        for glimpse in self.truth[at].iter().filter(|it| is_ours(it)) {
            let known = self.known.entry((at, glimpse.id.clone())).or_insert_with(|| Known {
                service: service_of(glimpse),
                slot: glimpse.labels[label::SLOT].clone(),
                healthy: None,
            });
            if is_healthy(glimpse, min_healthy, now) {
                known.healthy = Some(now);
            }
        }
    }

    /// Into the trace, which is the same for the same seed.
    fn note(&mut self, at: usize, asked: &Asked, now: Timestamp) {
        self.requests += 1;
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write_u64(self.trace);
        hasher.write_usize(at);
        hasher.write_i128(now.as_nanosecond());
        hasher.write(asked.what.as_bytes());
        hasher.write(by(asked).as_bytes());
        self.trace = hasher.finish();
    }

    /// It could not be reached within the last `span`.
    pub(super) fn was_away(&self, at: usize, now: Timestamp, span: Duration) -> bool {
        let Away { since: since_when, last, .. } = self.away[at];
        since_when.is_some() || last.is_some_and(|last| since(last, now) < span)
    }

    /// As far as anybody can know, it does its work.
    fn is_believed(&self, host: usize, known: &Known, now: Timestamp) -> bool {
        let Some(healthy) = known.healthy else { return false };
        let away = self.away[host].since.filter(|_| self.was_away(host, now, NEWS));
        let seen = away.unwrap_or(now);
        since(healthy, seen) < NEWS || self.truth[host].iter().any(|it| known_as(it, known) && lives(it))
    }

    /// The fewest that were wanted lately.
    fn wanted(&self, service: &str, region: &wharf::model::RegionName, now: Timestamp) -> usize {
        let lately = self.desired.iter().enumerate().filter(|(at, _)| {
            // It held until the next came.
            self.desired.get(at + 1).is_none_or(|(until, _)| since(*until, now) < UNDER_WAY)
        });
        lately
            .map(|(_, (_, desired))| {
                let regions = desired.services.iter().find(|(key, _)| key.to_string() == service);
                regions.and_then(|(_, regions)| regions.get(region)).map_or(0, |it| it.slots.len())
            })
            .min()
            .unwrap_or_default()
    }

    /// It has been wanted there, at that revision, for so long that everybody must know.
    fn is_wanted_as_it_is(&self, host: &Place, glimpse: &Glimpse, now: Timestamp) -> bool {
        let service = service_of(glimpse);
        let slot: u32 = glimpse.labels[label::SLOT].parse().unwrap();
        let is = |desired: &wharf::model::Desired| {
            let regions = desired.services.iter().find(|(key, _)| key.to_string() == service);
            let assignment = regions.and_then(|(_, regions)| regions.get(&host.region));
            let place = assignment.and_then(|assignment| assignment.slots.get(&Slot(slot)));
            let round = assignment.map_or(0, |assignment| assignment.round);
            place.is_some_and(|place| {
                round_of(&glimpse.name) == round
                    && place.host.as_str() == host.name
                    && place.revision.0.to_string() == glimpse.labels[label::REVISION]
            })
        };
        let lately = self
            .desired
            .iter()
            .enumerate()
            .filter(|(at, _)| self.desired.get(at + 1).is_none_or(|(until, _)| since(*until, now) < DRAINING));
        lately.clone().count() > 0 && lately.into_iter().all(|(_, (_, desired))| is(desired))
    }
}

fn known_as(glimpse: &Glimpse, known: &Known) -> bool {
    service_of(glimpse) == known.service && glimpse.labels[label::SLOT] == known.slot
}

fn lives(glimpse: &Glimpse) -> bool {
    matches!(glimpse.standing, Standing::Running(_)) && glimpse.healthy != Some(false)
}

fn by(asked: &Asked) -> &str {
    asked.by.as_deref().unwrap_or("somebody")
}

/// `shop-web-3-r2` is of `shop/web`, at revision 2.
fn parse(name: &str) -> Option<(String, String)> {
    let mut parts = name.split('-');
    let (stack, service, _slot, revision) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some((format!("{stack}/{service}"), revision.strip_prefix('r')?.to_owned()))
}

/// `shop-web-3-r2.1` is of the first restart of that revision, `shop-web-3-r2` of none.
fn round_of(name: &str) -> u32 {
    name.rsplit_once('.').and_then(|(_, round)| round.parse().ok()).unwrap_or_default()
}

fn places_image(desired: &wharf::model::Desired, key: &wharf::model::ServiceKey, revision: &str) -> String {
    let no = wharf::model::RevisionNo(revision.parse().unwrap());
    desired.revision(key, no).map(|revision| revision.image.clone()).unwrap_or_default()
}
