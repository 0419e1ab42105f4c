//! All keys, from the registry.

use crate::{
    app::{
        command::{REGISTRY, Scope},
        line::{Line, Mark, Role},
        state::State,
    },
    text::pad_right,
};

/// The page: the view's own keys first.
pub fn help(state: &State) -> Vec<Line> {
    let own = state.scopes();
    let mut scopes = own.clone();
    scopes.insert(own.len().saturating_sub(2), Scope::Plan);
    scopes.extend(Scope::ALL.into_iter().filter(|scope| !scopes.contains(scope)).collect::<Vec<_>>());
    let mut lines = vec![];
    let mut legend = Line::of(Role::Plain, " ");
    for mark in [Mark::Ok, Mark::Changing, Mark::Stopped, Mark::Failed, Mark::Unknown] {
        legend = legend.mark(mark).with(Role::Dim, format!(" {}   ", mark.word()));
    }
    lines.push(legend);
    for scope in scopes {
        let mut entries = Vec::new();
        for entry in REGISTRY.iter().filter(|entry| entry.scopes.contains(&scope)) {
            let keys = state.keymap.keys_of(entry.command, scope);
            if keys.is_empty() && !entry.keys.is_empty() {
                continue;
            }
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            let keys = if keys.is_empty() { format!(":{}", entry.name) } else { keys.join(" ") };
            let refused = own.contains(&scope).then(|| state.refused(entry.command)).flatten();
            let role = if refused.is_some() { Role::Disabled } else { Role::Key };
            let mut line = Line::of(role, format!("   {}", pad_right(&keys, 13)));
            line.push(if refused.is_some() { Role::Disabled } else { Role::Plain }, pad_right(entry.title, 16));
            line.push(Role::Dim, entry.help);
            if let Some(why) = refused {
                line.push(Role::Disabled, format!(" ({why})"));
            }
            entries.push(line);
        }
        if entries.is_empty() {
            continue;
        }
        lines.push(Line::new());
        lines.push(Line::of(Role::Head, format!(" {}", scope.title().to_uppercase())));
        lines.extend(entries);
    }
    lines
}
