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

    /// Gives a command other keys in a scope. Refused as a whole, with words, where one of them cannot be: then the keys
    /// stay as they were.
    pub fn rebind(&mut self, scope: &str, command: &str, keys: &[String]) -> Result<(), String> {
        let scope = Scope::named(scope).ok_or_else(|| {
            let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
            format!("there is no scope `{scope}`; there are {}", names.join(", "))
        })?;
        let entry = REGISTRY
            .iter()
            .find(|entry| entry.name == command)
            .ok_or_else(|| format!("there is no command `{command}`; `wharf keys` lists them"))?;
        if !entry.scopes.contains(&scope) {
            let scopes: Vec<&str> = entry.scopes.iter().map(|scope| scope.name()).collect();
            return Err(format!("`{command}` is not a command of [{}] but of [{}]", scope.name(), scopes.join("], [")));
        }
        let mut wanted = Vec::new();
        for text in keys {
            let key = Key::parse(text)
                .ok_or_else(|| format!("`{text}` is no key; keys are written `x`, `ctrl-x`, `alt-x`, `enter`, `f5`"))?;
            if let Some(other) = self.keys.get(&(scope, key)).filter(|other| **other != entry.command) {
                return Err(format!(
                    "`{text}` is `{}` in [{}] already: give that other keys first",
                    other.entry().name,
                    scope.name()
                ));
            }
            wanted.push(key);
        }
        self.keys.retain(|(at, _), known| *at != scope || *known != entry.command);
        self.keys.extend(wanted.into_iter().map(|key| ((scope, key), entry.command)));
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_binding_is_refused_and_the_others_stay() {
        let mut map = Keymap::standard(Mode::Normal);
        let key = |text: &str| Key::parse(text).unwrap();
        let mut bind = |scope: &str, command: &str, keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            map.rebind(scope, command, &keys)
        };
        assert_eq!(bind("everywhere", "help", &["f1", "H"]), Ok(()));
        assert_eq!(bind("hosts", "drain", &[]), Ok(()));
        // Free now.
        assert_eq!(bind("hosts", "cordon", &["D"]), Ok(()));
        for (scope, command, keys, words) in [
            ("hosts", "cordon", &["b"][..], "`b` is `rebalance` in [hosts] already"),
            ("nowhere", "help", &["x"], "there is no scope `nowhere`"),
            ("hosts", "explode", &["x"], "there is no command `explode`"),
            ("hosts", "help", &["x"], "`help` is not a command of [hosts] but of [everywhere]"),
            ("everywhere", "quit", &["ctrl-c", "no-key"], "`no-key` is no key"),
        ] {
            let refused = bind(scope, command, keys).unwrap_err();
            assert!(refused.starts_with(words), "{refused}");
        }
        assert_eq!(map.command(&[Scope::Everywhere], key("f1")), Some(Command::Help));
        assert_eq!(map.command(&[Scope::Everywhere], key("?")), None);
        assert_eq!(map.command(&[Scope::Hosts], key("D")), Some(Command::Cordon));
        assert_eq!(map.command(&[Scope::Hosts], key("u")), None);
        assert_eq!(map.command(&[Scope::Everywhere], key("ctrl-c")), Some(Command::Quit));
        assert_eq!(map.keys_of(Command::Help, Scope::Everywhere), [key("H"), key("f1")]);
    }
}
