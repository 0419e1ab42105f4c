//! Reading what an engine says, field by field: what is missing, null or of another type is empty.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

static NOTHING: Value = Value::Null;

/// A value of an inspection.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Look<'a>(pub &'a Value);

impl<'a> Look<'a> {
    /// What is at a JSON pointer.
    pub(in crate::engine) fn at(self, pointer: &str) -> Self {
        Self(self.0.pointer(pointer).unwrap_or(&NOTHING))
    }

    pub(in crate::engine) fn text(self) -> &'a str {
        self.0.as_str().unwrap_or_default()
    }

    /// A text that is not empty.
    pub(in crate::engine) fn filled(self) -> Option<String> {
        Some(self.text()).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    pub(in crate::engine) fn number(self) -> i64 {
        self.0.as_i64().unwrap_or_default()
    }

    /// A number that says something: engines write 0 for what nobody set.
    pub(in crate::engine) fn set(self) -> Option<i64> {
        Some(self.number()).filter(|number| *number != 0)
    }

    /// The same for sizes and counts.
    pub(in crate::engine) fn size(self) -> Option<u64> {
        self.set().and_then(|number| u64::try_from(number).ok())
    }

    pub(in crate::engine) fn is_true(self) -> bool {
        self.0.as_bool().unwrap_or_default()
    }

    /// Billionths of a second.
    pub(in crate::engine) fn nanos(self) -> Option<Duration> {
        self.size().map(Duration::from_nanos)
    }

    pub(in crate::engine) fn items(self) -> impl Iterator<Item = Look<'a>> {
        self.0.as_array().into_iter().flatten().map(Look)
    }

    pub(in crate::engine) fn strings(self) -> Vec<String> {
        self.items().filter_map(|item| item.0.as_str().map(str::to_owned)).collect()
    }

    pub(in crate::engine) fn members(self) -> impl Iterator<Item = (&'a str, Look<'a>)> {
        self.0.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), Look(value)))
    }

    /// A mapping of words.
    pub(in crate::engine) fn words(self) -> BTreeMap<String, String> {
        self.members().map(|(key, value)| (key.to_owned(), value.text().to_owned())).collect()
    }
}
