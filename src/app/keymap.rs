//! Which key means which command, where.

use std::collections::HashMap;

use super::{
    command::{Command, REGISTRY, Scope},
    key::Key,
    msg::Mode,
};

/// Keys to commands, per scope.
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    keys: HashMap<(Scope, Key), Command>,
}

impl Keymap {
    /// The registry's keys. A wall screen does not even know those that act.
    pub fn standard(mode: Mode) -> Self {
        let mut keys = HashMap::new();
        for entry in REGISTRY.iter().filter(|entry| mode != Mode::Watch || !entry.mutates) {
            for key in entry.keys.iter().filter_map(|text| Key::parse(text)) {
                for scope in entry.scopes {
                    keys.insert((*scope, key), entry.command);
                }
            }
        }
        Self { keys }
    }

    /// The command of a key, the narrowest scope first.
    pub fn command(&self, scopes: &[Scope], key: Key) -> Option<Command> {
        scopes.iter().find_map(|scope| self.keys.get(&(*scope, key)).copied())
    }

    /// The keys of a command in a scope, the registry's own order first.
    pub fn keys_of(&self, command: Command, scope: Scope) -> Vec<Key> {
        let mut keys: Vec<Key> =
            self.keys.iter().filter(|((s, _), c)| *s == scope && **c == command).map(|((_, key), _)| *key).collect();
        keys.sort_by_key(|key| {
            let text = key.to_string();
            (command.entry().keys.iter().position(|known| *known == text), text)
        });
        keys
    }

    /// The first key of a command, anywhere.
    pub fn key_of(&self, command: Command) -> Option<Key> {
        command.entry().scopes.iter().find_map(|scope| self.keys_of(command, *scope).first().copied())
    }
}
