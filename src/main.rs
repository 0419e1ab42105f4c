//! `wharf`: arguments, error report, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Reports of panics and of errors that nobody foresaw; everything foreseen is a sentence of its own.
    if let Err(error) = color_eyre::config::HookBuilder::default().display_env_section(false).install() {
        eprintln!("wharf: no error reports: {error}");
    }
    wharf::cli::main()
}
