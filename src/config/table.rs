//! Tables of a TOML file, read key by key, so that every mistake is found at its place.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    str::FromStr,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Problem, nearest, problem::Source};

/// What was found while reading a file.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    pub(super) source: Source<'a>,
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self { source, errors: RefCell::default(), warnings: RefCell::default() }
    }

    /// Something that makes the file useless.
    pub(super) fn error(&self, at: &Range<usize>, what: impl Into<String>) {
        self.errors.borrow_mut().push(self.source.problem(at, what));
    }

    /// Something that is probably not meant.
    pub(super) fn warn(&self, at: &Range<usize>, what: impl Into<String>) {
        self.warnings.borrow_mut().push(self.source.problem(at, what));
    }

    /// Errors and warnings, in the order of the file.
    pub(super) fn take(&self) -> (Vec<Problem>, Vec<Problem>) {
        let sorted = |found: &RefCell<Vec<Problem>>| {
            let mut found = found.take();
            found.sort();
            found
        };
        (sorted(&self.errors), sorted(&self.warnings))
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T> At<T> {
    fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }
}

/// A table, with the words for it and its place.
#[derive(Clone)]
pub(super) struct Table<'a> {
    keys: &'a DeTable<'a>,
    found: &'a Findings<'a>,
    /// For words: `this host`, `[defaults]`.
    what: &'static str,
    pub(super) span: Range<usize>,
}

impl<'a> Table<'a> {
    pub(super) fn new(keys: &'a DeTable<'a>, found: &'a Findings<'a>, what: &'static str, span: Range<usize>) -> Self {
        Self { keys, found, what, span }
    }

    /// Complains about keys that are not among `known`.
    pub(super) fn only(&self, known: &[&str]) {
        for key in self.keys.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", known.join(", ")),
            };
            self.found.error(&key.span(), format!("unknown key `{name}` in {}: {hint}", self.what));
        }
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.keys.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, right: &str) {
        let kind = value.get_ref().type_str();
        let (right, hint) = right.split_once(": ").map_or((right, String::new()), |(r, hint)| (r, format!(": {hint}")));
        self.found.error(&value.span(), format!("`{key}` must be {right}, not {} {kind}{hint}", article(kind)));
    }

    /// Complains that a key is missing.
    pub(super) fn missing(&self, key: &str, example: &str) {
        // A key that was misspelt is said once.
        if self.keys.keys().any(|name| nearest(name.get_ref(), [key]).is_some() && name.get_ref() != key) {
            return;
        }
        self.found.error(&self.span, format!("{} has no `{key}`: write {example}", self.what));
    }

    /// A string.
    pub(super) fn string(&self, key: &str, example: &str) -> Option<At<&'a str>> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong(key, value, &format!("a string such as {example}"));
            return None;
        };
        if text.is_empty() {
            self.found.error(&value.span(), format!("`{key}` is empty: write for example {example}"));
            return None;
        }
        Some(At::new(text, value.span()))
    }

    /// A string that must be there.
    pub(super) fn required(&self, key: &str, example: &str) -> Option<At<&'a str>> {
        if self.get(key).is_none() {
            self.missing(key, &format!("{key} = {example}"));
        }
        self.string(key, example)
    }

    /// A name that must be there.
    pub(super) fn name<T: FromStr<Err: std::fmt::Display>>(&self, example: &str) -> Option<At<T>> {
        self.required("name", example).and_then(|text| self.parse(&text))
    }

    /// Makes something of a string; its error is the problem.
    pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(&self, text: &At<&str>) -> Option<At<T>> {
        match text.value.parse() {
            Ok(value) => Some(At::new(value, text.span.clone())),
            Err(error) => {
                self.found.error(&text.span, format!("{error}"));
                None
            }
        }
    }

    /// True or false; false when missing, none when it is something else.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let Some(value) = self.get(key) else { return Some(false) };
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong(key, value, "true or false, without quotes");
        }
        flag
    }

    /// A value of any kind.
    pub(super) fn any(&self, key: &str) -> Option<At<&'a DeValue<'a>>> {
        let value = self.get(key)?;
        Some(At::new(value.get_ref(), value.span()))
    }

    /// A table in this one.
    pub(super) fn table(&self, key: &str, what: &'static str, example: &str) -> Option<Self> {
        let value = self.get(key)?;
        let Some(keys) = value.get_ref().as_table() else {
            self.wrong(key, value, &format!("a table such as {example}"));
            return None;
        };
        Some(Self::new(keys, self.found, what, value.span()))
    }

    /// Tables that are written with two brackets: `[[region]]`.
    pub(super) fn tables(&self, key: &str, path: &str, what: &'static str) -> Vec<Self> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(all) = value.get_ref().as_array() else {
            self.wrong(key, value, &format!("a list of tables: write [[{path}]] with two brackets"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for one in all {
            match one.get_ref().as_table() {
                Some(keys) => tables.push(Self::new(keys, self.found, what, one.span())),
                None => self.wrong(key, one, &format!("a list of tables: write [[{path}]]")),
            }
        }
        tables
    }

    /// A table of strings.
    pub(super) fn strings(&self, key: &str, example: &str) -> BTreeMap<String, String> {
        let Some(table) = self.table(key, "the table", example) else { return BTreeMap::new() };
        let mut strings = BTreeMap::new();
        for (name, value) in table.keys {
            match value.get_ref().as_str() {
                Some(text) => {
                    strings.insert(name.get_ref().to_string(), text.to_owned());
                }
                None => self.wrong(&format!("{key}.{}", name.get_ref()), value, "a string: put it in quotes"),
            }
        }
        strings
    }

    /// True when a key is missing or an empty list.
    pub(super) fn is_empty(&self, key: &str) -> bool {
        self.get(key).is_none_or(|value| value.get_ref().as_array().is_some_and(|list| list.is_empty()))
    }

    /// True when a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Complains about keys that make no sense here.
    pub(super) fn refuse(&self, keys: &[&str], why: &str) {
        let refused: BTreeSet<&str> = keys.iter().copied().collect();
        for (key, _) in self.keys {
            if refused.contains(key.get_ref().as_ref()) {
                self.found.error(&key.span(), format!("`{}` {why}", key.get_ref()));
            }
        }
    }

    /// Complains about a value.
    pub(super) fn error(&self, at: &Range<usize>, what: impl Into<String>) {
        self.found.error(at, what);
    }

    /// Where things are noted.
    pub(super) fn findings(&self) -> &'a Findings<'a> {
        self.found
    }
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
