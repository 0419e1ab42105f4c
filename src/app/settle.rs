//! Working out what follows from a change, once, before it is drawn or acted on.

use jiff::ToSpan;

use super::{
    faults,
    ids::Id,
    layout,
    line::Mark,
    msg::Effect,
    overlay::Overlay,
    planning::Planned,
    rows::ReplicaRow,
    screen::{View, Within},
    state::State,
    status::of_link,
    table::Col,
    views,
};
use crate::model::{ContainerId, HostName, Link};

/// Rows sorted by a value that changes all the time are put in order again only so often, so that they do not jump.
const RESORT_SECONDS: i64 = 5;
/// Counting for loads alone takes at most one part of so many of the time.
const LOADS_SHARE: u32 = 60;
/// When so many containers wait to be counted, they are counted before the next frame of data …
const SLICE: usize = 48;
/// … but that takes at most one part of so many of the time.
const SLICES_SHARE: u32 = 3;
/// Most containers that are sampled fast.
const SAMPLED: usize = 200;

/// What must be worked out again before the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dirty {
    pub index: bool,
    /// Only loads changed: counted anew when it is worth what counting takes.
    pub usage: bool,
    /// Something was counted since it was last said what is wrong.
    pub faults: bool,
    pub rows: bool,
    pub news: bool,
    pub plan: bool,
    pub logs: bool,
    pub graph: bool,
}

impl State {
    /// Brings everything up to date that depends on what changed. Cheap when nothing did.
    pub fn settle(&mut self) -> Vec<Effect> {
        self.flows.settle(self.now);
        self.count();
        let mut effects = self.find_faults();
        self.record();
        effects.extend(self.settle_view());
        effects
    }

    /// Counts ahead of the next frame of data, when much has changed: a key that comes while it is counted waits, and must
    /// not wait for all that a tenth of a second brings. What is wrong is found with the frame. None where there is no need,
    /// or too little time.
    pub fn keep_up(&mut self) -> Option<Vec<Effect>> {
        // Of a picture held still nothing of this is counted.
        let much = self.dirty.index && self.frozen.is_none() && self.changed.count() >= SLICE;
        (much && self.has_rested(SLICES_SHARE - 1)).then(|| {
            self.flows.settle(self.now);
            self.count();
            self.settle_view()
        })
    }

    /// Counts everything anew when what is seen or wanted changed. In a large fleet this is the dear part, so an
    /// answer to a key does not wait for it: the data comes with its own next frame.
    fn count(&mut self) {
        if !self.is_uncounted() {
            return;
        }
        (self.dirty.index, self.dirty.usage) = (false, false);
        self.counted = self.now;
        self.recount();
        if self.screen().view == View::Storage {
            self.stock();
        }
        self.dirty.faults = true;
        self.dirty.rows = true;
        self.dirty.news = true;
        self.dirty.logs = true;
        self.dirty.graph = true;
    }

    /// Says what is wrong by what was counted. With thousands of things wrong this is as dear as counting.
    fn find_faults(&mut self) -> Vec<Effect> {
        if !std::mem::take(&mut self.dirty.faults) {
            return Vec::new();
        }
        self.faults = faults::faults(self);
        self.fault_cells = faults::cells(&self.faults);
        super::balance::look(self);
        self.alert()
    }

    /// Tells what is newly wrong. What is found while hosts are reached for the first time is the state of things, and no
    /// news.
    fn alert(&mut self) -> Vec<Effect> {
        let new = self.alarms.look(&self.faults, self.now);
        if new.is_empty() || self.is_starting() || self.now < self.settled_at {
            return Vec::new();
        }
        let words = |fault: &&faults::Fault| {
            let place = if fault.place.is_empty() { String::new() } else { format!(" ({})", fault.place) };
            format!("{}{place}: {}", fault.about, fault.what)
        };
        vec![Effect::Alert(new.iter().map(words).collect())]
    }

    /// True when the next frame of data will differ.
    pub fn is_stale(&self) -> bool {
        self.dirty.faults || self.is_uncounted()
    }

    fn is_uncounted(&self) -> bool {
        self.dirty.index || (self.dirty.usage && self.may_count_loads())
    }

    /// True when loads that changed are worth counting everything: that may take one part of so many of the time. Samples
    /// of a large fleet come without end.
    pub(super) fn may_count_loads(&self) -> bool {
        self.has_rested(LOADS_SHARE)
    }

    /// True when the last counting is so many times over as it took.
    fn has_rested(&self, times: u32) -> bool {
        self.counted.checked_add(self.counting * times).is_ok_and(|due| due <= self.now)
    }

    /// [`State::settle`] without counting anew: everything that follows from keys.
    pub fn settle_view(&mut self) -> Vec<Effect> {
        if self.screen().view == View::Events && std::mem::take(&mut self.dirty.news) {
            self.news = self.events.news(&self.store.journal, self.observed());
            self.dirty.rows = true;
        }
        // A draft shows in cells, so it changes how wide they would like to be.
        self.dirty.rows |= self.dirty.plan;
        let survey = self.survey();
        self.settle_graph(false);
        if std::mem::take(&mut self.dirty.rows) {
            self.order_rows();
        }
        self.keep_selection();
        let counted = std::mem::take(&mut self.dirty.graph);
        self.settle_graph(counted);
        if std::mem::take(&mut self.dirty.plan) {
            self.plan_draft();
            self.work_out_picker();
        }
        self.keep_in_sight();
        self.settle_charts();
        let mut effects = self.sample();
        effects.extend(survey);
        effects.extend(self.sync_logs());
        effects
    }

    /// Makes the rows again; between two settings in order they keep their places.
    fn order_rows(&mut self) {
        if self.way.here().view == View::Replicas {
            self.filters.turn(&self.way.here().filter);
        }
        let screen = self.screen();
        let restless =
            matches!(screen.sort, Some(Col::Cpu | Col::Memory | Col::Network | Col::CpuPast | Col::RequestsPast))
                || screen.sort.is_some_and(Col::is_traffic);
        let due = self.last_rows.checked_add(RESORT_SECONDS.seconds()).is_ok_and(|due| due <= self.now);
        let kept = (restless && !due && self.rows.columns == views::columns(self)).then_some(self.rows.rows.as_slice());
        let rows = views::rows(self, kept);
        if kept.is_none_or(|kept| *kept != rows.rows) {
            self.last_rows = self.now;
        }
        self.rows = rows;
    }

    /// Sorting and such must show at once.
    pub(super) fn reorder(&mut self) {
        self.last_rows = jiff::Timestamp::MIN;
        self.dirty.rows = true;
    }

    /// The selection sticks to its object; when that is gone, to the row.
    fn keep_selection(&mut self) {
        let screen = self.screen();
        if screen.view == View::Charts {
            // Its list keeps its own.
            return;
        }
        let here = screen.row;
        let count = self.rows.rows.len();
        let id_at = |at: usize| self.rows.rows.get(at).and_then(|row| views::id(self, *row));
        // At the top of the news, the newest is what one looks at.
        let newest = screen.view == View::Events && here == 0 && self.pane.is_none() && screen.marks.is_empty();
        let found = screen.selected.as_ref().filter(|_| !newest).and_then(|wanted| {
            if id_at(here).as_ref() == Some(wanted) {
                return Some(here);
            }
            (0..count).find(|at| id_at(*at).as_ref() == Some(wanted))
        });
        let row = found.unwrap_or_else(|| here.min(count.saturating_sub(1)));
        let id = id_at(row);
        // Nothing to show yet is no reason to forget what was selected.
        let keep = count == 0 && self.is_starting();
        let screen = self.way.here_mut();
        screen.row = row;
        if !keep {
            screen.selected = id;
        }
    }

    fn keep_in_sight(&mut self) {
        let rows = layout::list_rows(self);
        let count = self.rows.rows.len();
        let screen = self.way.here_mut();
        if !screen.view.is_list() {
            return;
        }
        if rows == 0 {
            return;
        }
        if screen.row < screen.top {
            screen.top = screen.row;
        } else if screen.row >= screen.top + rows {
            screen.top = screen.row + 1 - rows;
        }
        screen.top = screen.top.min(count.saturating_sub(rows));
    }

    /// True when something is planned that follows what is seen.
    pub(super) fn is_planning(&self) -> bool {
        !self.draft.is_empty() || matches!(self.overlay, Some(Overlay::Move(_) | Overlay::Rollback(_)))
    }

    /// Works out again what an open picker offers.
    pub(super) fn work_out_picker(&mut self) {
        match self.overlay.take() {
            Some(Overlay::Move(mut picker)) => {
                picker.work_out(&self.world());
                self.overlay = Some(Overlay::Move(picker));
            }
            Some(Overlay::Rollback(mut picker)) => {
                picker.work_out(&self.world(), &self.who);
                self.overlay = Some(Overlay::Rollback(picker));
            }
            other => self.overlay = other,
        }
    }

    fn plan_draft(&mut self) {
        if self.draft.is_empty() {
            if self.planned.take().is_some() {
                self.plan_version += 1;
            }
            if matches!(self.overlay, Some(Overlay::Plan(_))) {
                self.overlay = None;
            }
            return;
        }
        let planned = Planned::new(self.draft.changes(), &self.world(), &self.who);
        let same = self.planned.as_ref().is_some_and(|old| old.same_as(&planned));
        if !same {
            self.plan_version += 1;
            if let Some(Overlay::Plan(page)) = &mut self.overlay {
                if page.shown.is_some() {
                    page.changed = Some(self.now);
                }
                page.at = page.at.min(self.draft.items().len().saturating_sub(1));
            }
        }
        // Also an equal plan is taken: it starts from the newer generation.
        self.planned = Some(planned);
    }

    /// Says which containers are on the screen and how long a round over the others takes, when that changed. The others
    /// wait until every host was heard of: the first lists are what everybody waits for, and how many containers there
    /// are says how long the round must be.
    fn sample(&mut self) -> Vec<Effect> {
        let round = (!self.is_reaching()).then(|| self.pace.round());
        let wanted = (self.visible_containers(), round);
        if wanted == self.sampled {
            return Vec::new();
        }
        self.sampled.clone_from(&wanted);
        vec![Effect::Sample { shown: wanted.0, round }]
    }

    /// True while a host is being reached for the first time.
    fn is_reaching(&self) -> bool {
        self.live.hosts.values().any(|host| match &host.link {
            Link::Connecting { reason, .. } => reason.is_empty(),
            Link::Ready { .. } | Link::Slow { .. } => host.listed_at.is_none(),
            Link::Unknown { .. } => false,
        })
    }

    fn visible_containers(&self) -> Vec<(HostName, ContainerId)> {
        let rows = self.replicas_on_screen();
        rows.filter_map(|row| Some((row.host.clone(), row.container.clone()?))).take(SAMPLED).collect()
    }

    /// The replicas whose loads are on the screen: as rows, or as parts of what is. At most some hundred: the charts of
    /// more are told by those few and by what is sampled seldom.
    pub(super) fn replicas_on_screen(&self) -> Box<dyn Iterator<Item = &ReplicaRow> + '_> {
        let screen = self.screen();
        let rows = layout::list_rows(self);
        let visible = self.rows.rows.iter().skip(screen.top).take(rows);
        let replicas = &self.index.replicas;
        match (screen.view, &screen.within) {
            (View::Replicas, _) => Box::new(visible.filter_map(|row| replicas.get(*row)).take(SAMPLED)),
            (View::Services, _) => {
                let services = visible.filter_map(|row| self.index.services.get(*row));
                Box::new(services.flat_map(|row| self.index.replicas_of(&row.id)).take(SAMPLED))
            }
            (View::Charts, Within::Service(id)) => Box::new(self.index.replicas_of(id).iter().take(SAMPLED)),
            (View::Charts, Within::Part(id, region)) => {
                let rows = self.index.replicas_of(id).iter().filter(move |row| row.region == *region);
                Box::new(rows.take(SAMPLED))
            }
            (View::Charts, Within::Stack(id)) => Box::new(self.index.replicas_of_stack(id).iter().take(SAMPLED)),
            (View::Charts, Within::Host(name)) => Box::new(self.index.replicas_on(name).take(SAMPLED)),
            (View::Charts, Within::Replica(id)) => Box::new(replicas.iter().filter(move |row| row.id == *id).take(1)),
            // Of a whole region, those that are listed.
            (View::Charts, _) => {
                let listed = self.largest.rows.iter().filter_map(|row| match &row.id {
                    Id::Replica(id) => Some(id),
                    _ => None,
                });
                let listed: std::collections::BTreeSet<_> = listed.collect();
                let none = listed.is_empty();
                Box::new(replicas.iter().filter(move |row| !none && listed.contains(&row.id)).take(SAMPLED))
            }
            _ => Box::new(std::iter::empty()),
        }
    }

    /// A line for the operator.
    pub(super) fn say(&mut self, mark: Mark, text: impl Into<String>) {
        let seconds = if mark == Mark::Failed { 30 } else { 8 };
        let until = self.now.checked_add(i64::from(seconds).seconds()).unwrap_or(self.now);
        self.notice = Some(super::state::Notice { text: text.into(), mark, until });
    }

    /// The age of the oldest data that is shown, in whole seconds, when a host is not seen now.
    pub fn unseen_hosts(&self) -> usize {
        self.observed().hosts.values().filter(|host| of_link(&host.link) == Mark::Unknown).count()
    }
}
