//! Completions and the man page, from the same definitions that parse the arguments.

use std::process::ExitCode;

use clap::Command;

use super::{Failure, print};

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
    print::out(&String::from_utf8_lossy(&buffer));
    Ok(ExitCode::SUCCESS)
}
