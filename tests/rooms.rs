//! Reads the `use` lines of every room and fails where an arrow goes the wrong way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::format_collect,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeMap, fs, path::Path};

/// What each room may know of the crate, beside itself.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("model", &["text"]),
    ("plan", &["model", "text"]),
    ("graph", &["model", "text"]),
    ("app", &["plan", "graph", "model", "text"]),
    ("config", &["model", "text"]),
    ("compose", &["model", "text"]),
    ("clock", &[]),
    ("store", &["clock", "model", "text"]),
    ("engine", &["clock", "config", "model", "text"]),
    ("sim", &["clock", "config", "model", "text"]),
    ("entry", &["clock", "engine", "model", "text"]),
    ("reconcile", &["clock", "plan", "entry", "engine", "store", "config", "model", "text"]),
    ("tui", &["app", "plan", "graph", "model", "text", "config"]),
    (
        "cli",
        &[
            "app",
            "clock",
            "compose",
            "config",
            "engine",
            "entry",
            "graph",
            "model",
            "plan",
            "reconcile",
            "sim",
            "store",
            "text",
            "tui",
        ],
    ),
];

/// Rooms that know no runtime, terminal, engine, clock or I/O.
const PURE: &[&str] = &["text", "model", "plan", "graph", "app"];

/// What the pure rooms must not name.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "bollard",
    "ratatui",
    "crossterm",
    "hyper",
    "rusqlite",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Uuid::now_v7",
    "fastrand",
];

/// Crates that one room alone knows.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("bollard", &["engine"]),
    ("rusqlite", &["store"]),
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("saphyr", &["compose"]),
];

fn sources(dir: &Path, out: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
            out.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Source files by room, without comments and without their `#[cfg(test)]` modules' files.
fn rooms() -> BTreeMap<String, Vec<(String, String)>> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut rooms: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (name, text) in files {
        let room = name.split('/').nth(1).unwrap().trim_end_matches(".rs").to_owned();
        let code: String = text
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .collect::<Vec<_>>()
            .join("\n");
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        if !is_test {
            rooms.entry(room).or_default().push((name, code));
        }
    }
    rooms
}

/// Names of rooms that a piece of code reaches through `crate::`, also inside `use crate::{a, b::c}`.
fn reached<'a>(code: &str, all: &[&'a str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut word = String::new();
            let mut at_start = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                if depth == 1 && c == ',' {
                    at_start = true;
                    word.clear();
                } else if at_start && depth == 1 && (c.is_alphanumeric() || c == '_') {
                    word.push(c);
                    if let Some(room) = all.iter().find(|room| **room == word) {
                        found.push(*room);
                    }
                } else if !c.is_whitespace() {
                    at_start = false;
                }
            }
        } else if let Some(room) = all.iter().find(|room| {
            rest.strip_prefix(**room).is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        }) {
            found.push(*room);
        }
    }
    found
}

#[test]
fn arrows_go_up_only() {
    let all: Vec<&str> = MAY_KNOW.iter().map(|(room, _)| *room).collect();
    let mut wrong = Vec::new();
    for (room, files) in rooms() {
        if matches!(room.as_str(), "lib" | "main") {
            continue;
        }
        let allowed =
            MAY_KNOW.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("room {room} is not listed")).1;
        for (name, code) in files {
            for other in reached(&code, &all) {
                if other != room && !allowed.contains(&other) {
                    wrong.push(format!("{name} uses {other}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows in the wrong direction:\n{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_stay_pure() {
    let mut wrong = Vec::new();
    let rooms = rooms();
    for room in PURE {
        for (name, code) in &rooms[*room] {
            for word in IMPURE {
                let named = code.match_indices(word).any(|(at, _)| {
                    let before = code[..at].chars().next_back();
                    let after = code[at + word.len()..].chars().next();
                    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
                    edge(before) && edge(after) && (word.contains("::") || code[at + word.len()..].starts_with("::"))
                });
                if named {
                    wrong.push(format!("{name} names {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "impure:\n{}", wrong.join("\n"));
}

#[test]
fn crates_stay_in_their_room() {
    let mut wrong = Vec::new();
    for (room, files) in rooms() {
        for (name, code) in files {
            for (krate, homes) in ONLY_IN {
                if !homes.contains(&room.as_str()) && code.contains(&format!("{krate}::")) {
                    wrong.push(format!("{name} uses {krate}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_use_lines_reads() {
    let all = ["text", "model", "engine"];
    assert_eq!(reached("use crate::{model::X, text::{A, B}, other};", &all), ["model", "text"]);
    assert_eq!(reached("crate::engine::Handle; crate::engineer::X", &all), ["engine"]);
}
