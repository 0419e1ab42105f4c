//! `keys.toml`: which keys the operator would like to have for which commands.
//!
//! One table per scope, one line per command: `scale = "s"`, `help = ["?", "f1"]`, `cordon = []` for none.

use std::{ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{ConfigError, Problem, problem::Source};

/// Keys for one command in one scope, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyWish {
    /// The scope's name.
    pub scope: String,
    /// The command's name.
    pub command: String,
    /// The keys' names; none takes the keys away.
    pub keys: Vec<String>,
    /// Where it is written, with an empty word for what is wrong.
    pub place: Problem,
}

/// What a key file says. A line that is wrong does not spoil the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyFile {
    /// In the order of the file.
    pub wishes: Vec<KeyWish>,
    /// What cannot be read.
    pub problems: Vec<Problem>,
}

/// Reads a key file; an empty one where there is none.
pub fn load_keys(path: &Path) -> Result<KeyFile, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(parse_keys(&text, &path.display().to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(KeyFile::default()),
        Err(error) => {
            Err(ConfigError::Unreadable { path: path.display().to_string(), why: format!("cannot be read: {error}") })
        }
    }
}

/// Reads its text.
pub fn parse_keys(text: &str, file: &str) -> KeyFile {
    let source = Source { file, text };
    let (root, broken) = DeTable::parse_recoverable(text);
    let mut out = KeyFile::default();
    for error in &broken {
        let at = error.span().unwrap_or_default();
        out.problems.push(source.problem(&at, format!("not TOML: {}", error.message())));
    }
    let mut wishes: Vec<(usize, KeyWish)> = Vec::new();
    for (scope, table) in root.get_ref() {
        let DeValue::Table(commands) = table.get_ref() else {
            let words = format!(
                "`{0}` stands outside of a scope: write it below one, as [everywhere] or [services]",
                scope.get_ref()
            );
            out.problems.push(source.problem(&scope.span(), words));
            continue;
        };
        for (command, value) in commands {
            let at: Range<usize> = command.span();
            let name = command.get_ref().to_string();
            match keys(value) {
                Some(keys) => {
                    let (scope, place) = (scope.get_ref().to_string(), source.problem(&at, ""));
                    wishes.push((at.start, KeyWish { scope, command: name, keys, place }));
                }
                None => out.problems.push(source.problem(
                    &value.span(),
                    format!("the keys of `{name}` are a key or a list of keys: \"s\", [\"?\", \"f1\"], [] for none"),
                )),
            }
        }
    }
    wishes.sort_by_key(|(at, _)| *at);
    out.wishes = wishes.into_iter().map(|(_, wish)| wish).collect();
    out.problems.sort();
    out
}

fn keys(value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
    match value.get_ref() {
        DeValue::String(key) => Some(vec![key.to_string()]),
        DeValue::Array(list) => list
            .iter()
            .map(|key| match key.get_ref() {
                DeValue::String(key) => Some(key.to_string()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_wrong_do_not_spoil_the_others() {
        let text =
            "quit = \"x\"\n[everywhere]\nhelp = [\"?\", \"f1\"]\nplan = 3\n[hosts]\ncordon = []\ndrain = \"X\"\n";
        let file = parse_keys(text, "keys.toml");
        let told: Vec<String> = file
            .wishes
            .iter()
            .map(|wish| format!("{}: {} {} {}", wish.place.line, wish.scope, wish.command, wish.keys.join(",")))
            .collect();
        assert_eq!(told, ["3: everywhere help ?,f1", "6: hosts cordon ", "7: hosts drain X"]);
        let problems: Vec<String> = file.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "keys.toml:1:1: `quit` stands outside of a scope: write it below one, as [everywhere] or [services]",
                "keys.toml:4:8: the keys of `plan` are a key or a list of keys: \"s\", [\"?\", \"f1\"], [] for none",
            ]
        );
        assert_eq!(load_keys(Path::new("/nowhere/keys.toml")), Ok(KeyFile::default()));
        let broken = parse_keys("[hosts]\ndrain = \n", "k").problems;
        assert!(broken.iter().any(|problem| problem.what.starts_with("not TOML")), "{broken:?}");
    }
}
