//! The README's tables of commands and keys are those of the program. `UPDATE=1 cargo test --test docs` writes them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, path::Path};

use clap::CommandFactory;
use wharf::app::command::{REGISTRY, Scope};

/// The README with what stands between two marks replaced.
fn with(readme: &str, mark: &str, table: &str) -> String {
    let (open, close) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (before, rest) = readme.split_once(&open).expect("the README has the mark");
    let (_, after) = rest.split_once(&close).expect("the README has the closing mark");
    format!("{before}{open}{table}{close}{after}")
}

fn keys() -> String {
    let mut table = String::from("| where | keys | what |\n|---|---|---|\n");
    for scope in Scope::ALL {
        for entry in REGISTRY.iter().filter(|entry| entry.scopes.contains(&scope) && !entry.keys.is_empty()) {
            let keys: Vec<String> = entry.keys.iter().map(|key| format!("`{}`", key.replace('|', "\\|"))).collect();
            writeln!(table, "| {} | {} | {} |", scope.title(), keys.join(" "), entry.help).unwrap();
        }
    }
    table
}

fn commands() -> String {
    let mut table = String::from("| command | what |\n|---|---|\n");
    let mut program = wharf::cli::Cli::command();
    program.build();
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let places: String = command
            .get_positionals()
            .map(|arg| arg.get_value_names().map(|names| format!(" {}", names.join(" "))).unwrap_or_default())
            .collect();
        writeln!(table, "| `wharf {}{places}` | {about} |", command.get_name()).unwrap();
    }
    table
}

#[test]
fn the_readme_agrees_with_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let right = with(&with(&readme, "keys", &keys()), "commands", &commands());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &right).unwrap();
    }
    assert!(
        readme == right || std::env::var_os("UPDATE").is_some(),
        "the README's tables are old: UPDATE=1 cargo test --test docs"
    );
}

#[test]
fn every_picture_of_the_readme_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let pictures: Vec<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|path| Path::new(path).extension().is_some_and(|kind| kind == "svg"))
        .collect();
    assert!(!pictures.is_empty());
    for picture in pictures {
        assert!(root.join(picture).exists(), "{picture}");
    }
}

#[test]
fn man_page_and_completions_are_made_from_the_same_definitions() {
    let run = |args: &[&str]| {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_wharf")).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}");
        String::from_utf8(out.stdout).unwrap()
    };
    let man = run(&["man"]);
    let program = wharf::cli::Cli::command();
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        assert!(man.contains(&format!("WHARF {}", name.to_uppercase())), "the man page does not tell of {name}");
        assert!(run(&["completions", "bash"]).contains(name), "{name}");
    }
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(run(&["completions", shell]).contains("reconcile"), "{shell}");
    }
}
