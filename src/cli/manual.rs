//! Completions and the man page, from the same definitions that parse the arguments.

use std::{fmt::Write as _, process::ExitCode};

use clap::Command;

use super::{Failure, print};
use crate::app::command::{REGISTRY, Scope};

/// `wharf completions SHELL`.
pub(super) fn completions(shell: clap_complete::Shell, command: &mut Command) -> ExitCode {
    let mut buffer = Vec::new();
    clap_complete::generate(shell, command, "wharf", &mut buffer);
    print::out(&String::from_utf8_lossy(&buffer));
    ExitCode::SUCCESS
}

/// `wharf man`: one page with a section for each command.
pub(super) fn man(command: Command) -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("the man page cannot be written: {error}"));
    let mut buffer = Vec::new();
    let commands: Vec<Command> = command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned().collect();
    clap_mangen::Man::new(command).render(&mut buffer).map_err(failed)?;
    for sub in commands {
        let name = format!("wharf {}", sub.get_name());
        let man = clap_mangen::Man::new(sub.bin_name(name.clone()).display_name(name.clone()));
        buffer.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
        man.render_description_section(&mut buffer).map_err(failed)?;
        man.render_options_section(&mut buffer).map_err(failed)?;
    }
    buffer.extend_from_slice(keys().as_bytes());
    print::out(&String::from_utf8_lossy(&buffer));
    Ok(ExitCode::SUCCESS)
}

/// The dashboard's keys, scope by scope.
fn keys() -> String {
    let plain = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    let mut out = String::from(".SH KEYS OF THE DASHBOARD\n");
    for scope in Scope::ALL {
        let _ = writeln!(out, ".SS {}", scope.title());
        for entry in REGISTRY.iter().filter(|entry| entry.scopes.contains(&scope) && !entry.keys.is_empty()) {
            let keys: Vec<String> = entry.keys.iter().map(|key| plain(key)).collect();
            // A line that begins with a point or an apostrophe would be a request to the formatter.
            let _ = writeln!(out, ".TP\n\\&\\fB{}\\fR\n\\&{}", keys.join("  "), plain(entry.help));
        }
    }
    out
}
