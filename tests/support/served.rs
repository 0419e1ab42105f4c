//! The demo's engines, served by a process of their own until this is dropped.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

pub struct Served {
    child: Child,
    /// The fleet file that leads to them.
    pub file: PathBuf,
}

impl Served {
    pub fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .args(["demo", "--serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, file: line.trim().into() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Asked to leave, it takes its directory with it.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
