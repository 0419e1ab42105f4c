//! Reading a node as the type that its field has, with an error that names the place.

use std::{str::FromStr, time::Duration};

use super::{
    diagnostic::Sink,
    numbers,
    yaml::{Kind, Node},
};

/// More known keys than this are not listed in a message.
const MAX_LISTED: usize = 16;

/// Longest list: far more than any stack needs, and short enough to compare every item with every other.
const MAX_ITEMS: usize = 2000;

/// A value and its path, for reading.
#[derive(Clone)]
pub(super) struct Val<'a> {
    pub node: &'a Node,
    pub path: String,
    pub sink: &'a Sink,
}

/// A key and its value out of a `K=V` list or a mapping.
pub(super) struct Pair<'a> {
    pub key: String,
    /// None where only the key is there.
    pub value: Option<String>,
    pub at: Val<'a>,
}

impl<'a> Val<'a> {
    pub(super) fn error(&self, message: impl AsRef<str>) {
        self.sink.error(&self.node.at, &self.path, message);
    }

    pub(super) fn warn(&self, message: impl AsRef<str>) {
        self.sink.warn(&self.node.at, &self.path, message);
    }

    fn child(&self, key: &str, node: &'a Node) -> Val<'a> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Val { node, path, sink: self.sink }
    }

    /// A member of a mapping, null members aside.
    pub(super) fn get(&self, key: &str) -> Option<Val<'a>> {
        self.node.get(key).filter(|node| !node.is_null()).map(|node| self.child(key, node))
    }

    /// Every member of a mapping, null members too. Not a mapping: an error and nothing.
    pub(super) fn members(&self) -> Vec<(&'a str, Val<'a>)> {
        match &self.node.kind {
            Kind::Map(map) => map.iter().map(|(key, member)| (key.as_str(), self.child(key, &member.node))).collect(),
            Kind::Null => Vec::new(),
            _ => {
                self.error(format!("must be a mapping (`key: value`), this is {}", self.node.what()));
                Vec::new()
            }
        }
    }

    /// Every member of a mapping whose keys are `known`; an unknown key is an error with the nearest known one.
    /// `x-…` and null members are left out.
    pub(super) fn keys(&self, known: &[&str], mut each: impl FnMut(&'a str, Val<'a>)) {
        let Kind::Map(map) = &self.node.kind else {
            self.members();
            return;
        };
        for (key, member) in map {
            let val = self.child(key, &member.node);
            if known.contains(&key.as_str()) {
                if !member.node.is_null() {
                    each(key, val);
                }
            } else if !key.starts_with("x-") {
                let hint = match numbers::nearest(key, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.len() <= MAX_LISTED => format!("known here are {}", known.join(", ")),
                    None => "correct or remove it, or begin it with `x-` to have it ignored".to_owned(),
                };
                self.sink.error(&member.key_at, &val.path, format!("the key `{key}` is not known; {hint}"));
            }
        }
    }

    /// The items of a list. Not a list: an error and nothing.
    pub(super) fn items(&self) -> Vec<Val<'a>> {
        match &self.node.kind {
            Kind::List(items) if items.len() > MAX_ITEMS => {
                self.error(format!("has more than {MAX_ITEMS} items"));
                Vec::new()
            }
            Kind::List(items) => items
                .iter()
                .enumerate()
                .map(|(i, node)| Val { node, path: format!("{}[{i}]", self.path), sink: self.sink })
                .collect(),
            Kind::Null => Vec::new(),
            _ => {
                self.error(format!("must be a list (`- item`), this is {}", self.node.what()));
                Vec::new()
            }
        }
    }

    /// The items of a list, or the single value as the only item.
    pub(super) fn one_or_more(&self) -> Vec<Val<'a>> {
        if self.node.scalar().is_some() { vec![self.clone()] } else { self.items() }
    }

    /// The text of a single value.
    pub(super) fn text(&self) -> Option<&'a str> {
        if self.node.scalar().is_none() {
            self.error(format!("must be a single value, this is {}", self.node.what()));
        }
        self.node.scalar()
    }

    pub(super) fn string(&self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    /// A single value that is not empty.
    pub(super) fn filled(&self) -> Option<String> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.error("must not be empty");
            return None;
        }
        Some(text.to_owned())
    }

    /// A single value; an empty one, as a variable without a value leaves it, is none.
    pub(super) fn optional(&self) -> Option<String> {
        self.string().filter(|text| !text.trim().is_empty())
    }

    pub(super) fn strings(&self) -> Vec<String> {
        self.items().iter().filter_map(Val::string).collect()
    }

    pub(super) fn one_or_more_strings(&self) -> Vec<String> {
        self.one_or_more().iter().filter_map(Val::filled).collect()
    }

    /// Only here are `yes`, `on` and their relatives more than words.
    pub(super) fn bool(&self) -> Option<bool> {
        let text = self.text()?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => Some(true),
            "false" | "no" | "off" | "n" | "0" => Some(false),
            _ => {
                self.error(format!("must be true or false, this is `{text}`"));
                None
            }
        }
    }

    pub(super) fn number<T: FromStr>(&self, what: &str) -> Option<T> {
        self.with(|text| numbers::integer(text).ok_or_else(|| format!("must be {what}, this is `{text}`")))
    }

    pub(super) fn bytes(&self) -> Option<u64> {
        self.with(numbers::bytes)
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        self.with(numbers::duration)
    }

    /// Cores in thousandths.
    pub(super) fn cores(&self) -> Option<u64> {
        self.with(numbers::cores)
    }

    /// One of `words`.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        self.with(|text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
                let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("must be {}, this is `{text}`", numbers::or(&all))
            })
        })
    }

    /// A single value, read by `read`, whose error is the message.
    pub(super) fn with<T>(&self, read: impl FnOnce(&'a str) -> Result<T, String>) -> Option<T> {
        read(self.text()?).map_err(|message| self.error(message)).ok()
    }

    /// A command line: a list of words, or a line that is split like a shell would.
    pub(super) fn command(&self) -> Option<Vec<String>> {
        match &self.node.kind {
            Kind::List(_) => Some(self.strings()),
            _ => self.with(|line| {
                shell_words::split(line).map_err(|_| "a quote is not closed: close it, or write a list of words".into())
            }),
        }
    }

    /// `K=V` items of a list, or the members of a mapping. The later of one key wins.
    pub(super) fn pairs(&self) -> Vec<Pair<'a>> {
        if let Kind::Map(_) = self.node.kind {
            let pair = |(key, at): (&str, Val<'a>)| {
                let value = if at.node.is_null() { None } else { Some(at.string()?) };
                if key.is_empty() {
                    at.error("the name is empty");
                    return None;
                }
                Some(Pair { key: key.to_owned(), value, at })
            };
            return self.members().into_iter().filter_map(pair).collect();
        }
        let mut out: Vec<Pair<'a>> = Vec::new();
        for at in self.items() {
            let Some(text) = at.text() else { continue };
            let (key, value) = match text.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (text, None),
            };
            if key.is_empty() {
                at.error("the name is missing: write NAME=value");
                continue;
            }
            out.retain(|pair| pair.key != key);
            out.push(Pair { key: key.to_owned(), value, at });
        }
        out
    }

    /// Pairs as a map of texts; a key alone has an empty value.
    pub(super) fn table(&self) -> std::collections::BTreeMap<String, String> {
        self.pairs().into_iter().map(|pair| (pair.key, pair.value.unwrap_or_default())).collect()
    }
}
