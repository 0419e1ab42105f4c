//! The operator's own keys, and `wharf keys`.

use std::{path::PathBuf, process::ExitCode};

use super::{
    Failure,
    print::{Align, Table},
};
use crate::{
    app::{
        Mode, State,
        command::{REGISTRY, Scope},
        keymap::Keymap,
    },
    config::{self, Environment},
};

/// `$WHARF_KEYS`, else `keys.toml` in the user's configuration.
fn path() -> PathBuf {
    let environment = Environment::current();
    let own = || environment.config_dir.join("keys.toml");
    environment.variable("WHARF_KEYS").map_or_else(own, PathBuf::from)
}

/// Gives the keys that the operator asks for; says what cannot be.
fn apply(keymap: &mut Keymap) -> Vec<String> {
    let file = match config::load_keys(&path()) {
        Ok(file) => file,
        Err(error) => return vec![error.to_string()],
    };
    let mut problems = file.problems;
    for wish in file.wishes {
        if let Err(what) = keymap.rebind(&wish.scope, &wish.command, &wish.keys) {
            problems.push(config::Problem { what, ..wish.place });
        }
    }
    problems.sort();
    problems.iter().map(ToString::to_string).collect()
}

/// Takes the operator's keys for a screen; the first thing that is wrong with them is said there.
pub(super) fn remap(state: &mut State) {
    let mut keymap = Keymap::standard(state.mode);
    let problems = apply(&mut keymap);
    state.keymap = keymap;
    if let Some(first) = problems.first() {
        let more = if problems.len() > 1 {
            format!(" (and {} more: `wharf keys`)", problems.len() - 1)
        } else {
            String::new()
        };
        state.warn(format!("{first}{more}"));
    }
}

/// `wharf keys`: every command with its keys, as they are now.
pub(super) fn run() -> Result<ExitCode, Failure> {
    let mut keymap = Keymap::standard(Mode::Normal);
    let problems = apply(&mut keymap);
    let mut table =
        Table::new(&[("SCOPE", Align::Left), ("COMMAND", Align::Left), ("KEYS", Align::Left), ("WHAT", Align::Left)]);
    for scope in Scope::ALL {
        for entry in REGISTRY.iter().filter(|entry| entry.scopes.contains(&scope)) {
            let keys: Vec<String> = keymap.keys_of(entry.command, scope).iter().map(ToString::to_string).collect();
            table.row(vec![scope.name().to_owned(), entry.name.to_owned(), keys.join(" "), entry.help.to_owned()]);
        }
    }
    table.print();
    if problems.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Failure::Input(problems.join("\n"))) }
}
