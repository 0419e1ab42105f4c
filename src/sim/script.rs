//! What a test or the demo tells a simulated engine to do: timings, failures and faults on the wire.

use super::num;
use http::Method;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A fixed time with something random on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Always waited.
    pub fixed: Duration,
    /// At most this much is added, evenly spread.
    pub jitter: Duration,
}

impl Span {
    /// Exactly `millis` milliseconds.
    pub const fn ms(millis: u64) -> Self {
        Self { fixed: Duration::from_millis(millis), jitter: Duration::ZERO }
    }

    /// The same, with up to `millis` milliseconds more.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self { jitter: Duration::from_millis(millis), ..self }
    }

    /// One draw.
    pub(super) fn draw(self, rng: &mut fastrand::Rng) -> Duration {
        self.fixed + self.jitter.mul_f64(rng.f64())
    }
}

/// How a registry answers for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFault {
    /// There is no such repository, or it is private and nobody logged in.
    NotFound,
    /// The repository exists, this tag does not.
    NoTag,
    /// The registry wants credentials; any `X-Registry-Auth` with content is accepted.
    Unauthorized,
    /// The registry does not answer.
    Unreachable,
    /// The pull begins and fails in the middle, after its status 200.
    BreaksOff,
}

/// How a container made from an image behaves once it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// Runs until stopped and, with a health check, becomes healthy after [`Script::health`].
    #[default]
    Good,
    /// Ends by itself, each time, this long after its start.
    Exits {
        /// Time from start to end.
        after: Duration,
        /// Exit code; 137 with `oom` for the kernel's out-of-memory kill.
        code: i64,
        /// Reported as `OOMKilled` and preceded by an `oom` event.
        oom: bool,
    },
    /// Runs, but its health check never succeeds: `starting`, then `unhealthy`.
    Sick,
    /// Ignores the stop signal: every stop takes the whole grace time and ends with 137.
    Stubborn,
    /// Prints so many lines a second.
    Chatty(u32),
}

impl Behaviour {
    /// The behaviour that a tag asks for by its name: `bad`, `sick`, `stubborn`, or one of these after a dash (`2.1-bad`).
    pub fn of_tag(tag: &str) -> Self {
        match tag.rsplit('-').next() {
            Some("bad") => Self::Exits { after: Duration::from_millis(300), code: 1, oom: false },
            Some("sick") => Self::Sick,
            Some("stubborn") => Self::Stubborn,
            _ => Self::Good,
        }
    }
}

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done; this status and `{"message": …}` is the answer.
    Fail(u16, String),
    /// It is done, then the connection closes without an answer.
    DropAnswer,
    /// The connection closes at once; nothing is done.
    Close,
    /// Nothing is done and no answer comes as long as the client waits.
    Hang,
    /// It is done, after this much more time.
    Delay(Duration),
    /// It is done, and status 200 comes with a body that is not JSON.
    Garbage,
    /// It is done, and the answer breaks off in the middle of its body.
    Truncate,
}

/// When a [`Fault`] applies.
#[derive(Debug, Clone)]
pub struct Rule {
    method: Option<Method>,
    path: String,
    left: Option<u32>,
    fault: Fault,
}

impl Rule {
    /// A fault for every request whose path (without version prefix) contains `path`; empty is every request.
    pub fn on(path: &str, fault: Fault) -> Self {
        Self { method: None, path: path.to_owned(), left: None, fault }
    }

    /// Only for this method.
    #[must_use]
    pub fn method(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Only for the first `times` matching requests.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { left: Some(times), ..self }
    }

    /// The next `POST /containers/create` fails with this status and message.
    pub fn next_create(status: u16, message: &str) -> Self {
        Self::on("/containers/create", Fault::Fail(status, message.to_owned())).method(Method::POST).times(1)
    }

    /// The next start of a container fails with this status and message.
    pub fn next_start(status: u16, message: &str) -> Self {
        Self::on("/start", Fault::Fail(status, message.to_owned())).method(Method::POST).times(1)
    }
}

/// What can be told to the proxies of one engine.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyScript {
    /// Its command line takes connections and says nothing.
    pub hangs: bool,
    /// No configuration is good enough for it: neither its check nor a reload nor a start.
    pub refuses: bool,
    /// From the moment that a server gets nothing new to the end of the last thing it had.
    pub drain: Span,
    /// Clients ask this many times as often as the services' names suggest.
    pub load: f64,
}

impl Default for ProxyScript {
    fn default() -> Self {
        Self { hangs: false, refuses: false, drain: Span::default(), load: 1.0 }
    }
}

/// Everything that can be told to one engine. Change it at any time through [`super::Engine::script`].
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Before each request is looked at: the round trip to a far host.
    pub latency: Span,
    /// How long creating a container takes.
    pub create: Span,
    /// How long starting a container takes; the call answers after it.
    pub start: Span,
    /// From the stop signal to the end of a well-behaved container.
    pub stop: Span,
    /// How long removing a container takes.
    pub remove: Span,
    /// From start to healthy, for containers with a health check.
    pub health: Span,
    /// How long a pull takes, spread over its layers.
    pub pull: Span,
    /// Answers of the registry by `name:tag`, or by `name` for all its tags.
    pub images: BTreeMap<String, ImageFault>,
    /// Names (`name` or `name:tag`) that are in no registry. Same as [`ImageFault::NotFound`] for each.
    pub missing: BTreeSet<String>,
    /// How containers of an image (`name:tag` or `name`) behave here, before what the tag itself says.
    pub behaviours: BTreeMap<String, Behaviour>,
    /// The TCP ports that images (`name:tag` or `name`) expose.
    pub exposed: BTreeMap<String, BTreeSet<u16>>,
    /// Pulls fail while they extract: no space left on device.
    pub disk_full: bool,
    /// Event streams stay open and say nothing.
    pub freeze_events: bool,
    /// The share (0 to 1) of requests that containers of an image (`name:tag` or `name`) answer with status 500.
    pub errors: BTreeMap<String, f64>,
    /// How the proxies of this host do.
    pub proxy: ProxyScript,
    rules: Vec<Rule>,
}

impl Script {
    /// Times like those of real hosts in use: for the demo.
    pub fn lifelike() -> Self {
        Self {
            latency: Span::ms(2).plus(4),
            create: Span::ms(40).plus(40),
            start: Span::ms(250).plus(350),
            stop: Span::ms(300).plus(900),
            remove: Span::ms(30).plus(40),
            health: Span::ms(3_000).plus(4_000),
            pull: Span::ms(2_500).plus(3_000),
            proxy: ProxyScript { drain: Span::ms(1_500).plus(3_000), ..ProxyScript::default() },
            ..Self::default()
        }
    }

    /// Adds a rule; rules are tried in the order they were added.
    pub fn rule(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Forgets all rules.
    pub fn clear_rules(&mut self) {
        self.rules.clear();
    }

    /// The fault for a request, if any; counts the rule down.
    pub(super) fn fault(&mut self, method: &Method, path: &str) -> Option<Fault> {
        let hit = |rule: &&mut Rule| {
            rule.left != Some(0)
                && rule.method.as_ref().is_none_or(|wanted| wanted == method)
                && path.contains(rule.path.as_str())
        };
        let rule = self.rules.iter_mut().find(hit)?;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        let fault = rule.fault.clone();
        self.rules.retain(|rule| rule.left != Some(0));
        Some(fault)
    }

    /// What the registry answers for `name:tag`.
    pub(super) fn image_fault(&self, name: &str, tag: &str) -> Option<ImageFault> {
        let full = format!("{name}:{tag}");
        if self.missing.contains(name) || self.missing.contains(&full) {
            return Some(ImageFault::NotFound);
        }
        self.images.get(&full).or_else(|| self.images.get(name)).copied()
    }

    /// The share of requests that containers of `name:tag` answer with an error.
    pub(super) fn error_share(&self, name: &str, tag: &str) -> f64 {
        let told = self.errors.get(&format!("{name}:{tag}")).or_else(|| self.errors.get(name));
        told.copied().unwrap_or_default().clamp(0.0, 1.0)
    }

    /// The TCP ports that `name:tag` exposes, as Docker writes them.
    pub(super) fn exposes(&self, name: &str, tag: &str) -> Vec<String> {
        let told = self.exposed.get(&format!("{name}:{tag}")).or_else(|| self.exposed.get(name));
        told.into_iter().flatten().map(|port| format!("{port}/tcp")).collect()
    }

    /// How a container of `name:tag` behaves here.
    pub(super) fn behaviour(&self, name: &str, tag: &str) -> Behaviour {
        let told = self.behaviours.get(&format!("{name}:{tag}")).or_else(|| self.behaviours.get(name));
        told.copied().unwrap_or_else(|| Behaviour::of_tag(tag))
    }
}

/// Whether an engine can be reached at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Answers.
    Up,
    /// Accepts connections and answers nothing, as a stopped process does; goes on where it was when up again.
    Hung,
    /// Open connections are cut and new ones refused.
    Down,
    /// Accepts connections and sends bytes that are not HTTP.
    Noise,
}

/// A deterministic choice out of a non-empty list, by seed.
pub(super) fn pick<'a, T: ?Sized>(seed: u64, list: &[&'a T]) -> Option<&'a T> {
    let index = num::mix(seed) % u64::try_from(list.len()).ok()?.max(1);
    list.get(usize::try_from(index).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_count_down_in_order() {
        let mut script = Script::default();
        script.rule(Rule::next_create(500, "no"));
        script.rule(Rule::on("", Fault::Hang));
        let path = "/containers/create";
        assert_eq!(script.fault(&Method::POST, path), Some(Fault::Fail(500, "no".to_owned())));
        assert_eq!(script.fault(&Method::POST, path), Some(Fault::Hang));
        script.clear_rules();
        assert_eq!(script.fault(&Method::GET, path), None);
    }

    #[test]
    fn tags_and_scripts_say_how_images_behave() {
        let mut script = Script::default();
        script.missing.insert("ghost".to_owned());
        script.images.insert("app:2".to_owned(), ImageFault::Unauthorized);
        script.behaviours.insert("app".to_owned(), Behaviour::Stubborn);
        assert_eq!(script.image_fault("ghost", "1"), Some(ImageFault::NotFound));
        assert_eq!(script.image_fault("app", "2"), Some(ImageFault::Unauthorized));
        assert_eq!(script.image_fault("app", "1"), None);
        assert_eq!(script.behaviour("app", "bad"), Behaviour::Stubborn);
        assert_eq!(script.behaviour("web", "1.2-sick"), Behaviour::Sick);
        assert_eq!(script.behaviour("web", "badger"), Behaviour::Good);
    }
}
