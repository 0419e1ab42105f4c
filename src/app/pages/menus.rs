//! Palette, action menu, sort picker, and the small forms.

use crate::{
    app::{
        access,
        command::{Command, REGISTRY, Target},
        filter::rank,
        line::{Line, Mark, Role},
        msg::Mode,
        overlay::{Overlay, ScaleForm},
        state::State,
        status::of_link,
    },
    model::{CommandId, HostIntent, RegionName, ServiceKey, StackName},
    text::{pad_left, pad_right},
};

/// One entry of the palette or the action menu.
#[derive(Debug, Clone, PartialEq)]
pub struct MenuEntry {
    /// What it does.
    pub command: Command,
    /// What it would act on.
    pub target: String,
    /// Why it cannot be used now.
    pub refused: Option<String>,
}

impl MenuEntry {
    fn new(state: &State, command: Command) -> Self {
        Self { command, target: access::target_name(state, command.entry().target), refused: state.refused(command) }
    }

    /// The entry as a line.
    pub fn line(&self, state: &State) -> Line {
        let entry = self.command.entry();
        let key = state.keymap.key_of(self.command).map(|key| key.to_string()).unwrap_or_default();
        let off = self.refused.is_some();
        let role = |role| if off { Role::Disabled } else { role };
        let mut line = Line::of(role(Role::Key), format!(" {} ", pad_left(&key, 7)));
        line.push(role(Role::Strong), format!(" {}", pad_right(entry.name, 16)));
        line.push(role(Role::Draft), pad_right(&self.target, 24));
        line.push(role(Role::Dim), self.refused.clone().unwrap_or_else(|| entry.help.to_owned()));
        line
    }
}

/// What the palette offers for what was typed.
pub fn palette(state: &State) -> Vec<MenuEntry> {
    let typed = match &state.overlay {
        Some(Overlay::Palette { input, .. }) => input.text(),
        _ => String::new(),
    };
    let scopes = state.scopes();
    let mut commands: Vec<Command> = REGISTRY
        .iter()
        .filter(|entry| state.mode != Mode::Watch || !entry.mutates)
        .filter(|entry| entry.scopes.iter().any(|scope| scopes.contains(scope)))
        .filter(|entry| entry.command != Command::Palette)
        .map(|entry| entry.command)
        .collect();
    // What is about the selected row comes first, motions last.
    commands.sort_by_key(|command| {
        let entry = command.entry();
        (entry.target == Target::None, entry.hint == 0, entry.command)
    });
    let mut entries: Vec<MenuEntry> = commands.into_iter().map(|command| MenuEntry::new(state, command)).collect();
    entries.sort_by_key(|entry| entry.refused.is_some());
    rank(&entries, &typed, |entry| {
        format!("{} {} {}", entry.command.entry().name, entry.command.entry().title, entry.target)
    })
}

/// What can be done with the selected row.
pub fn actions(state: &State) -> Vec<MenuEntry> {
    let scopes = state.scopes();
    let mut entries: Vec<MenuEntry> = REGISTRY
        .iter()
        .filter(|entry| state.mode != Mode::Watch || !entry.mutates)
        .filter(|entry| entry.target != Target::None && entry.command != Command::Actions)
        .filter(|entry| entry.scopes.iter().any(|scope| scopes.contains(scope)))
        .map(|entry| MenuEntry::new(state, entry.command))
        .filter(|entry| !entry.target.is_empty() || entry.refused.is_some())
        .collect();
    entries.sort_by_key(|entry| (entry.refused.is_some(), entry.command.entry().hint == 0, entry.command.entry().hint));
    entries
}

/// The columns to sort by; the first entry is the natural order.
pub fn sort(state: &State) -> Vec<Line> {
    let screen = state.screen();
    let line = |title: &str, here: bool| {
        let mut line = Line::of(Role::Accent, if here { " ● " } else { "   " }).with(Role::Plain, title);
        if here && screen.inverted {
            line.push(Role::Dim, "  turned round");
        }
        line
    };
    let mut lines = vec![line("natural order", screen.sort.is_none())];
    lines.extend(state.rows.columns.iter().map(|column| line(column.title.trim(), screen.sort == Some(column.col))));
    lines
}

/// A number being typed.
pub fn exact(state: &State, places: &[(ServiceKey, RegionName)], typed: &str) -> Vec<Line> {
    let what = match places {
        [(service, region)] => {
            format!("{service} {region}: {} →", crate::app::draft::wanted(&state.store.desired, service, region))
        }
        many => format!("{} places:", many.len()),
    };
    vec![
        Line::of(Role::Strong, format!(" {what} ")).with(Role::Draft, typed).with(Role::Accent, "▏"),
        Line::of(Role::Key, " enter")
            .with(Role::Dim, " into the draft   ")
            .with(Role::Key, "esc")
            .with(Role::Dim, " back"),
    ]
}

/// The scale form.
pub fn scale(state: &State, form: &ScaleForm) -> Vec<Line> {
    let mut lines = vec![
        Line::of(Role::Strong, format!(" {}", form.service)),
        Line::of(
            Role::Head,
            format!("   {}  {}  {}  HOSTS", pad_right("REGION", 14), pad_left("NOW", 5), pad_left("TARGET", 7)),
        ),
    ];
    for (at, (region, now, input)) in form.rows.iter().enumerate() {
        let here = at == form.at;
        let mut line = Line::of(Role::Accent, if here { " ▸ " } else { "   " });
        line.push(Role::Plain, format!("{}  {}  ", pad_right(region.as_str(), 14), pad_left(&now.to_string(), 5)));
        let role = if input.text() == now.to_string() { Role::Plain } else { Role::Draft };
        line.push(
            role,
            pad_left(&format!("{}{}", input.text(), if here { "▏" } else { "" }), if here { 8 } else { 7 }),
        );
        line.push(Role::Plain, if here { " " } else { "  " });
        line.extend(room(state, region));
        lines.push(line);
    }
    lines.push(Line::new());
    lines.push(
        Line::of(Role::Key, " + -")
            .with(Role::Dim, " step   ")
            .with(Role::Key, "↑ ↓")
            .with(Role::Dim, " region   ")
            .with(Role::Key, "enter")
            .with(Role::Dim, " into the draft   ")
            .with(Role::Key, "esc")
            .with(Role::Dim, " back"),
    );
    lines
}

/// How much room a region has, in hosts.
fn room(state: &State, region: &RegionName) -> Line {
    let mut open = 0;
    let mut closed = 0;
    let mut unseen = 0;
    for host in state.observed().hosts.values().filter(|host| host.region == *region) {
        match state.store.desired.hosts.get(&host.name) {
            Some(HostIntent::Cordoned | HostIntent::Draining) => closed += 1,
            None if of_link(&host.link) == Mark::Unknown || host.listed_at.is_none() => unseen += 1,
            None => open += 1,
        }
    }
    let mut line = Line::of(Role::Dim, format!("{open} open"));
    if closed > 0 {
        line.push(Role::Mark(Mark::Stopped), format!(", {closed} cordoned"));
    }
    if unseen > 0 {
        line.push(Role::Mark(Mark::Unknown), format!(", {unseen} not seen"));
    }
    line
}

/// A name being typed before something is taken away.
pub fn remove(stack: &StackName, service: Option<&ServiceKey>, typed: &str) -> Vec<Line> {
    let name = service.map_or_else(|| stack.to_string(), ToString::to_string);
    vec![
        Line::of(Role::Plain, " Put the removal of ").with(Role::Strong, name).with(Role::Plain, " into the draft."),
        Line::of(Role::Dim, " Named volumes stay. Type the name to go on:"),
        Line::of(Role::Draft, format!(" {typed}")).with(Role::Accent, "▏"),
    ]
}

/// Names being typed before what is guarded is changed.
pub fn confirm(names: &[String], typed: &str) -> Vec<Line> {
    let name = names.first().map_or("", String::as_str);
    let more = match names.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" {more} more to type after it."),
    };
    vec![
        Line::of(Role::Strong, format!(" {name}")).with(Role::Plain, " is guarded: this is not applied by one key."),
        Line::of(Role::Dim, format!(" Type its name to apply the plan; esc does not.{more}")),
        Line::of(Role::Draft, format!(" {typed}")).with(Role::Accent, "▏"),
    ]
}

/// What ending an operation means.
pub fn abort(state: &State, id: CommandId) -> Vec<Line> {
    let what = state.operations().iter().find(|op| op.id == id);
    let (done, total) = what.map(crate::model::Operation::done_of_total).unwrap_or_default();
    vec![
        Line::of(Role::Plain, " End ")
            .with(Role::Strong, what.map(|op| op.intent.summary()).unwrap_or_default())
            .with(Role::Plain, format!(" at {done} of {total}?")),
        Line::of(Role::Dim, " What is done stays; what is under way is finished; the rest is not begun."),
        Line::of(Role::Key, " enter")
            .with(Role::Dim, " end it   ")
            .with(Role::Key, "esc")
            .with(Role::Dim, " let it go on"),
    ]
}

/// Leaving with something not yet asked for.
pub fn quit(state: &State) -> Vec<Line> {
    let drafted = state.draft.changes().len();
    let why = if drafted > 0 {
        format!(" The draft is not applied: {drafted} change{} would be lost.", if drafted == 1 { "" } else { "s" })
    } else {
        " The answer to what was asked for has not come yet.".to_owned()
    };
    vec![
        Line::of(Role::Plain, why),
        Line::of(Role::Dim, " What was accepted goes on without this screen."),
        Line::of(Role::Key, " enter").with(Role::Dim, " leave   ").with(Role::Key, "esc").with(Role::Dim, " stay"),
    ]
}
