//! `[[role]]` and `[[guard]]`.

use std::ops::Range;

use super::{nearest, table::Table};
use crate::model::{Access, DEEDS, Guard, Level, Reach, RegionName, Role, Who};

/// Reads both. `regions` are those of the file: what is said of others would never apply, and that is a mistake.
pub(super) fn read(table: &Table<'_>, regions: &[RegionName]) -> Access {
    let roles = table.tables("role", "role", "this role").into_iter().map(|table| role(&table, regions));
    let guards = table.tables("guard", "guard", "this guard").into_iter().map(|table| guard(&table, regions));
    Access { roles: roles.collect(), guards: guards.collect() }
}

fn role(table: &Table<'_>, regions: &[RegionName]) -> Role {
    table.only(&["who", "may", "regions", "stacks"]);
    if !table.has("who") {
        table.missing("who", "who = [\"ana\", \"group:ops\"]");
    }
    let who = list(table, "who", "[\"ana\", \"group:ops\"]");
    if table.has("who") && table.is_empty("who") {
        table.error(&table.span, "`who` names nobody: write who = [\"ana\", \"group:ops\"], or [\"*\"] for everybody");
    }
    let who = who.into_iter().map(|(text, _)| match text.strip_prefix("group:") {
        Some(group) => Who::Group(group.to_owned()),
        None if text == "*" => Who::Everybody,
        None => Who::Name(text),
    });
    let mut may = Vec::new();
    for (word, span) in list(table, "may", "[\"scale\", \"deploy\"]") {
        if DEEDS.contains(&word.as_str()) {
            may.push(word);
        } else if word != "*" {
            let hint = match nearest(&word, DEEDS) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("known are {}", DEEDS.join(", ")),
            };
            table.error(&span, format!("`may`: there is no \"{word}\": {hint}"));
        } else {
            // All of them, now and later.
            may.clear();
            break;
        }
    }
    Role { who: who.collect(), may, reach: reach(table, regions) }
}

fn guard(table: &Table<'_>, regions: &[RegionName]) -> Guard {
    table.only(&["level", "regions", "stacks"]);
    let level = match table.required("level", "\"name\"") {
        Some(text) => match text.value {
            "none" => Level::Nothing,
            "confirm" => Level::Confirm,
            "name" => Level::Name,
            other => {
                let words = format!("`level` must be \"none\", \"confirm\" or \"name\", not \"{other}\"");
                table.error(&text.span, words);
                Level::default()
            }
        },
        None => Level::default(),
    };
    Guard { level, reach: reach(table, regions) }
}

fn reach(table: &Table<'_>, regions: &[RegionName]) -> Reach {
    let mut reach = Reach::default();
    for (pattern, span) in list(table, "regions", "[\"cn-*\"]") {
        if !pattern.contains('*') && !regions.iter().any(|region| region.as_str() == pattern) {
            let hint = match nearest(&pattern, regions.iter().map(RegionName::as_str)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "the file has no such region".to_owned(),
            };
            table.error(&span, format!("`regions`: there is no region \"{pattern}\": {hint}"));
        }
        reach.regions.push(pattern);
    }
    reach.stacks.extend(list(table, "stacks", "[\"shop*\"]").into_iter().map(|(pattern, _)| pattern));
    reach
}

/// A list of strings, each with its place.
fn list(table: &Table<'_>, key: &str, example: &str) -> Vec<(String, Range<usize>)> {
    let Some(value) = table.any(key) else { return Vec::new() };
    let wrong =
        |span: &Range<usize>| table.error(span, format!("`{key}` must be a list of strings: write {key} = {example}"));
    let Some(items) = value.value.as_array() else {
        wrong(&value.span);
        return Vec::new();
    };
    let mut found = Vec::new();
    for item in items {
        match item.get_ref().as_str().filter(|text| !text.is_empty()) {
            Some(text) => found.push((text.to_owned(), item.span())),
            None => wrong(&item.span()),
        }
    }
    found
}
