//! Where something could move, and which revision it could run again: lists to choose from, with what a choice means.

use super::{plan::differences, wrap};
use crate::{
    app::{
        layout::page_area,
        line::{Line, Mark, Role},
        picker::{Kept, MovePicker, RevisionPicker, places},
        state::State,
        status::{ago, of_link},
    },
    model::{HostIntent, Scope, Site},
    plan::{MOST_SHOWN, Plan, StepKind, Target},
    text::{pad_left, pad_right, width},
};

/// A page that fills its place, with the selected line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// What it shows.
    pub lines: Vec<Line>,
    /// The line that is selected.
    pub selected: Option<usize>,
}

impl Page {
    /// A title, a head and the rows around the selected one, in as many lines as there are for them.
    fn list(title: Line, head: &str, rows: Vec<Line>, at: usize, room: usize) -> Self {
        let top = (at + 1).saturating_sub(room).min(rows.len().saturating_sub(room));
        let below = rows.len().saturating_sub(top + room);
        let mut head = Line::of(Role::Head, head);
        if below > 0 || top > 0 {
            head.push(Role::Dim, format!("   {} of {}", at + 1, rows.len()));
        }
        let mut lines = vec![title, head];
        let selected = (at < rows.len()).then_some(2 + at - top);
        lines.extend(rows.into_iter().skip(top).take(room));
        Self { lines, selected }
    }
}

/// Lines for the list, and for what is told below it: their places stay whatever is selected.
fn share(h: usize, rows: usize) -> (usize, usize) {
    let rest = h.saturating_sub(3);
    let below = (rest / 2).clamp(1, 24);
    let list = rows.min(rest.saturating_sub(below)).max(1);
    (list, rest.saturating_sub(list))
}

/// Lines below a list, the last saying how many are missing.
fn below(page: &mut Page, text: Vec<Line>, top: usize, room: usize) {
    page.lines.push(Line::new());
    let left = text.len().saturating_sub(top);
    if left > room && room > 0 {
        page.lines.extend(text.into_iter().skip(top).take(room - 1));
        page.lines.push(Line::of(Role::Dim, format!("   and {} more (pgdn)", left + 1 - room)));
    } else {
        page.lines.extend(text.into_iter().skip(top));
    }
}

/// The page of the picker of targets.
pub fn targets(state: &State, picker: &MovePicker) -> Page {
    let area = page_area(state);
    let (w, h) = (usize::from(area.w), usize::from(area.h));
    let list = &picker.targets;
    let (room, rest) = share(h, list.len());
    let names: Vec<Line> = list.iter().map(|target| name(state, target)).collect();
    let cells = names.iter().map(Line::width).max().unwrap_or(0).clamp(8, 28);
    let rows: Vec<Line> = list
        .iter()
        .zip(names)
        .enumerate()
        .map(|(at, (target, name))| target_row(state, target, name, cells, at == picker.at))
        .collect();
    let head = format!(
        "   {}  {}  {}  {}  {}",
        pad_right("TO", cells),
        pad_right("STATE", STATE),
        pad_left("THERE", 5),
        pad_left("ROOM FOR", 8),
        "FREE, OR WHY NOT"
    );
    let mut page = Page::list(source(state, picker), &head, rows, picker.at, room);
    let mut text = Vec::new();
    match &picker.plan {
        Some(Err(why)) => refusal(&mut text, &why.to_string(), w),
        Some(Ok(plan)) => outcome(&mut text, plan, w),
        None => text.push(Line::of(Role::Dim, " There is no other place for it, or nothing of it is wanted.")),
    }
    below(&mut page, text, 0, rest);
    page
}

/// Cells of the column of states.
const STATE: usize = 11;

/// What moves, and from where.
fn source(state: &State, picker: &MovePicker) -> Line {
    let mut line = Line::of(Role::Accent, " MIGRATE ").with(Role::Strong, format!(" {}", picker.what));
    let Some(from) = picker.source() else { return line };
    line.push(Role::Dim, "   from ");
    line.push(Role::Draft, if picker.sources.len() > 1 { format!("◂ {from} ▸") } else { from.to_string() });
    let region = match from {
        Site::Region(region) => Some(region),
        Site::Host(host) => state.fleet.host(host).map(|(region, _)| &region.name),
    };
    let Some(region) = region else { return line };
    let here = places(&state.store.desired, &picker.what, region)
        .filter(|(.., place)| !matches!(from, Site::Host(host) if *host != place.host))
        .count();
    if !matches!(picker.what, Scope::Replica(..)) {
        line.push(Role::Dim, format!("   {here} replica{}", if here == 1 { "" } else { "s" }));
    }
    line
}

fn name(state: &State, target: &Target) -> Line {
    match &target.site {
        Site::Region(region) => {
            let mark = if target.refusal.is_some() { Mark::Stopped } else { Mark::Ok };
            Line::new().mark(mark).with(Role::Strong, format!(" {region}")).with(Role::Dim, " any host")
        }
        Site::Host(host) => {
            let mark = state.observed().hosts.get(host).map_or(Mark::Unknown, |view| of_link(&view.link));
            Line::of(Role::Plain, "  ").mark(mark).with(Role::Plain, format!(" {host}"))
        }
    }
}

/// A host's state in a word, or what a region is.
fn word(state: &State, site: &Site) -> String {
    let Site::Host(host) = site else { return "region".to_owned() };
    match state.store.desired.hosts.get(host) {
        Some(HostIntent::Cordoned) => "cordoned".to_owned(),
        Some(HostIntent::Draining) => "draining".to_owned(),
        None => state.observed().hosts.get(host).map_or("–", |view| view.link.word()).to_owned(),
    }
}

fn target_row(state: &State, target: &Target, name: Line, cells: usize, here: bool) -> Line {
    let off = target.refusal.is_some();
    let mut name = cut(name, cells);
    name.pad_to(cells);
    if off {
        for span in name.spans.iter_mut().filter(|span| !matches!(span.role, Role::Mark(_))) {
            span.role = Role::Disabled;
        }
    }
    let role = |role| if off { Role::Disabled } else { role };
    let mut line = Line::of(Role::Accent, if here { " ▸ " } else { "   " });
    line.extend(name);
    let fits = match target.fits.filter(|_| !off) {
        None => "–".to_owned(),
        Some(MOST_SHOWN..) => format!("{MOST_SHOWN}+"),
        Some(fits) => fits.to_string(),
    };
    line.push(role(Role::Plain), format!("  {}", pad_right(&word(state, &target.site), STATE)));
    line.push(role(Role::Plain), format!("  {}", pad_left(&target.replicas.to_string(), 5)));
    line.push(role(Role::Plain), format!("  {}", pad_left(&fits, 8)));
    match &target.refusal {
        None => line.push(Role::Dim, format!("  {}", target.room)),
        Some(why) => line.push(Role::Disabled, format!("  ✗ {why}")),
    }
    line
}

/// A line of at most so many cells; what is cut ends in a mark.
fn cut(line: Line, cells: usize) -> Line {
    if line.width() <= cells {
        return line;
    }
    let mut out = Line::new();
    for span in line.spans {
        let left = cells.saturating_sub(out.width());
        let w = width(&span.text);
        let text = if w < left { span.text } else { crate::text::fit(&format!("{}…", span.text), left) };
        out.push(span.role, text);
        if w >= left {
            break;
        }
    }
    out
}

fn refusal(text: &mut Vec<Line>, why: &str, w: usize) {
    for (at, words) in wrap(why, w.saturating_sub(5)).into_iter().enumerate() {
        let mark = if at == 0 { " ✗ " } else { "   " };
        text.push(Line::of(Role::Mark(Mark::Failed), format!("{mark}{words}")));
    }
}

/// What a plan comes to: how much moves, what it costs, what it breaks.
fn outcome(text: &mut Vec<Line>, plan: &Plan, w: usize) {
    let items = |kinds: &[StepKind]| -> usize {
        plan.steps.iter().filter(|step| kinds.contains(&step.kind)).map(|step| step.items.len()).sum()
    };
    let many = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let mut parts = vec![many(items(&[StepKind::Start, StepKind::Replace]), "new container")];
    parts.push(many(items(&[StepKind::Pull]), "pull"));
    if let Some((lowest, now)) = plan.lowest {
        parts.push(format!("capacity never below {lowest} of {now}"));
    }
    let role = match plan.lowest {
        Some((lowest, now)) if lowest < now => Role::Mark(Mark::Changing),
        _ => Role::Strong,
    };
    for words in wrap(&parts.join(" · "), w.saturating_sub(5)) {
        text.push(Line::of(role, format!("   {words}")));
    }
    for warning in &plan.warnings {
        for (at, words) in wrap(warning, w.saturating_sub(5)).into_iter().enumerate() {
            let mark = if at == 0 { " ! " } else { "   " };
            text.push(Line::of(Role::Mark(Mark::Changing), format!("{mark}{words}")));
        }
    }
}

/// The page of the picker of revisions.
pub fn revisions(state: &State, picker: &RevisionPicker) -> Page {
    let h = usize::from(page_area(state).h);
    let (room, rest) = share(h, picker.kept.len());
    let who = picker.kept.iter().map(|kept| width(person(state, kept))).max().unwrap_or(0).clamp(3, 14);
    let note = picker.kept.iter().map(|kept| width(kept.note.as_str())).max().unwrap_or(0).clamp(3, 24);
    let is_stack = matches!(picker.what, Scope::Stack(_));
    let rows: Vec<Line> = picker
        .kept
        .iter()
        .enumerate()
        .map(|(at, kept)| kept_row(state, kept, is_stack, who, note, at == picker.at))
        .collect();
    let head = format!(
        "   {}  {}  {}  {}  {}",
        pad_left(if is_stack { "VERSION" } else { "REVISION" }, 8),
        pad_left("AGE", 4),
        pad_right("BY", who),
        pad_right("HOW", note),
        if is_stack { "BROUGHT" } else { "IMAGE" }
    );
    let title = Line::of(Role::Accent, " ROLL BACK ")
        .with(Role::Strong, format!(" {}", picker.what))
        .with(Role::Dim, format!("   {} kept", picker.kept.len()));
    let mut page = Page::list(title, &head, rows, picker.at, room);
    below(&mut page, difference(state, picker), picker.top, rest);
    page
}

/// Lines of the difference, and rows that there are for them.
pub fn revision_room(state: &State, picker: &RevisionPicker) -> (usize, usize) {
    let (_, rest) = share(usize::from(page_area(state).h), picker.kept.len());
    (difference(state, picker).len(), rest)
}

fn person<'a>(state: &'a State, kept: &'a Kept) -> &'a str {
    state.person(kept.by.as_str())
}

fn kept_row(state: &State, kept: &Kept, is_stack: bool, who: usize, note: usize, here: bool) -> Line {
    let mut line = Line::of(Role::Accent, if here { " ▸ " } else { "   " });
    let role = |role| if kept.runs { Role::Disabled } else { role };
    let name = if is_stack { kept.no.to_string() } else { format!("r{}", kept.no) };
    line.push(role(Role::Strong), pad_left(&name, 8));
    line.push(role(Role::Plain), format!("  {}", pad_left(&ago(kept.at, state.now), 4)));
    line.push(role(Role::Plain), format!("  {}", pad_right(person(state, kept), who)));
    line.push(role(Role::Plain), format!("  {}", pad_right(kept.note.as_str(), note)));
    if kept.runs {
        line.push(Role::Mark(Mark::Ok), "  ● runs now");
    }
    line.push(role(Role::Dim), format!("  {}", kept.what));
    line
}

fn difference(state: &State, picker: &RevisionPicker) -> Vec<Line> {
    let w = usize::from(page_area(state).w);
    let mut text = Vec::new();
    match (picker.selected(), &picker.plan) {
        (Some(kept), _) if kept.runs => {
            text.push(Line::of(Role::Dim, format!(" {} is what runs now.", picker.name(kept.no))));
        }
        (_, Some(Err(why))) => refusal(&mut text, &why.to_string(), w),
        (Some(kept), Some(Ok(plan))) => {
            outcome(&mut text, plan, w);
            if plan.differences.is_empty() {
                let name = picker.name(kept.no);
                text.push(Line::of(Role::Dim, format!("   {name} says the same as what runs now.")));
            }
            differences(&mut text, plan, w);
        }
        _ => text.push(Line::of(Role::Dim, " Nothing is kept of it.")),
    }
    text
}
