//! A server behind a simulated proxy: what the proxy was told about it, and what it finds out.

use super::super::num;
use super::config::{CheckLine, ServerLine};

/// Where an operator has put a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admin {
    Ready,
    Drain,
    Maint,
}

/// What is really behind an address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum Truth {
    /// Nothing listens: connections are refused.
    Closed,
    /// A container runs that is not healthy, or not yet.
    Ill,
    /// A container does its work.
    Well {
        /// The share of requests that it answers with status 500.
        errors: f64,
        /// Milliseconds to an answer.
        answer: f64,
    },
}

impl Truth {
    pub(in super::super) fn is_well(self) -> bool {
        matches!(self, Self::Well { .. })
    }
}

/// What is left of a server's sessions since it gets nothing new.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    pub(super) count: f64,
    pub(super) from: f64,
    pub(super) until: f64,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) requests: f64,
    /// Answered with 500.
    pub(super) errors: f64,
    /// Refused, and nobody else took them.
    pub(super) refused: f64,
    /// Begun and broken off.
    pub(super) broken: f64,
    pub(super) retries: f64,
    /// Sent to another server instead.
    pub(super) moved: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) check: Option<CheckLine>,
    /// Where it is checked, when it was told another port at run time.
    pub(super) check_port: Option<u16>,
    /// A server added at run time is not checked before it is told to be.
    pub(super) is_checking: bool,
    pub(super) observes: bool,
    /// Added at run time.
    pub(super) is_added: bool,
    /// Disabled by the file; shows in the administrative state for ever.
    pub(super) by_file: bool,
    pub(super) admin: Admin,
    pub(super) is_up: bool,
    /// Its checks ask for a page.
    pub(super) asks_page: bool,
    /// When the checks will have noticed what is true.
    pub(super) flips_at: Option<f64>,
    /// From then on the result of the last check is what is true.
    pub(super) checked_at: f64,
    pub(super) truth: Truth,
    pub(super) tail: Option<Tail>,
    pub(super) counts: Counts,
    pub(super) downs: u64,
    pub(super) changed_at: f64,
    /// Since when it gets nothing new.
    pub(super) closed_at: Option<f64>,
}

impl Server {
    pub(super) fn new(line: ServerLine, id: u32, asks_page: bool, truth: Truth, now: f64) -> Self {
        let admin = match line.state {
            Some(bits) if bits & 1 != 0 => Admin::Maint,
            Some(bits) if bits & 8 != 0 => Admin::Drain,
            None if line.is_disabled => Admin::Maint,
            Some(_) | None => Admin::Ready,
        };
        let mut server = Self {
            id,
            name: line.name,
            address: line.address,
            port: line.port,
            check: line.check,
            check_port: None,
            is_checking: line.check.is_some(),
            observes: line.observes,
            is_added: false,
            by_file: line.is_disabled,
            admin,
            is_up: true,
            asks_page,
            flips_at: None,
            checked_at: now,
            truth,
            tail: None,
            counts: Counts::default(),
            downs: 0,
            changed_at: now,
            closed_at: (admin != Admin::Ready).then_some(now),
        };
        server.check_anew(now);
        server
    }

    /// The one that nothing answers at: requests wait for others at it.
    pub(super) fn is_hold(&self) -> bool {
        self.name == "hold"
    }

    pub(super) fn is_checked(&self) -> bool {
        self.check.is_some() && self.is_checking && self.admin != Admin::Maint
    }

    /// It gets new requests.
    pub(super) fn takes(&self) -> bool {
        self.admin == Admin::Ready && self.is_up
    }

    /// What a check finds now.
    fn passes(&self) -> bool {
        match self.truth {
            Truth::Closed => false,
            Truth::Ill => !self.asks_page,
            Truth::Well { .. } => true,
        }
    }

    /// The result of the last check.
    pub(super) fn passed(&self, now: f64) -> bool {
        self.passes() == (now >= self.checked_at)
    }

    /// Something has changed: foresees when checks will have noticed.
    pub(super) fn check_from(&mut self, now: f64) {
        self.flips_at = None;
        let Some(check) = self.check.filter(|_| self.is_checked() && self.is_up != self.passes()) else { return };
        let (first, last) = check.delays(self.is_up);
        (self.checked_at, self.flips_at) = (now + first, Some(now + last));
    }

    /// Checks begin: the first one is made at once, and if it fails that is enough.
    pub(super) fn check_anew(&mut self, now: f64) {
        (self.checked_at, self.flips_at) = (now, None);
        if self.is_checked() && self.is_up && !self.passes() {
            self.flip(now);
        } else {
            self.check_from(now);
        }
    }

    /// The checks have noticed.
    pub(super) fn flip(&mut self, at: f64) {
        self.flips_at = None;
        self.is_up = !self.is_up;
        self.changed_at = at;
        if !self.is_up {
            self.downs += 1;
            self.closed_at = Some(at);
        }
    }

    /// An operator's word. `busy` is what it has at this moment, `drain` how many seconds that will last.
    pub(super) fn put(&mut self, admin: Admin, now: f64, busy: f64, drain: f64) {
        if self.admin == admin {
            return;
        }
        let took = self.takes();
        // Leaving maintenance is being up until checks know better.
        let rested = self.admin == Admin::Maint;
        self.is_up |= rested;
        self.admin = admin;
        self.changed_at = now;
        match admin {
            Admin::Ready => (self.tail, self.closed_at) = (None, None),
            Admin::Drain | Admin::Maint if took => self.close(now, busy, drain),
            _ => {}
        }
        if rested {
            self.check_anew(now);
        } else {
            self.check_from(now);
        }
    }

    /// From now on it gets nothing new; what it has goes on.
    pub(super) fn close(&mut self, now: f64, busy: f64, drain: f64) {
        self.closed_at = Some(now);
        if drain > 0.0 && busy > 0.0 && self.truth.is_well() {
            self.tail = Some(Tail { count: busy.ceil(), from: now, until: now + drain });
        }
    }

    /// What is left of its sessions after it was closed.
    pub(super) fn left(&self, now: f64) -> u64 {
        let Some(tail) = self.tail.filter(|tail| now < tail.until) else { return 0 };
        let share = (tail.until - now) / (tail.until - tail.from).max(f64::EPSILON);
        num::count((tail.count * share).ceil())
    }

    /// The bits of `srv_admin_state`.
    pub(super) fn admin_bits(&self) -> u32 {
        let own = match self.admin {
            Admin::Ready => 0,
            Admin::Maint => 1,
            Admin::Drain => 8,
        };
        own | if self.by_file { 4 } else { 0 }
    }

    /// The `status` column of `show stat`.
    pub(super) fn status(&self) -> &'static str {
        match (self.admin, self.is_up) {
            (Admin::Maint, _) => "MAINT",
            (_, false) => "DOWN",
            (Admin::Drain, true) => "DRAIN",
            (Admin::Ready, true) if self.is_checked() => "UP",
            (Admin::Ready, true) => "no check",
        }
    }
}
