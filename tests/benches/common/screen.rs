//! The dashboard in a pseudo-terminal, with a clock on what it draws.

use std::{
    io::{Read, Write},
    path::Path,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Width and height.
pub const SIZE: (u16, u16) = (120, 40);

/// A running dashboard.
pub struct Screen {
    begun: Instant,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    terminal: vt100::Parser,
    /// Bytes that came so far.
    pub bytes: usize,
}

impl Screen {
    /// Starts `wharf --fleet FILE`; the clock starts just before.
    pub fn start(fleet: &Path) -> Self {
        Self::start_with(fleet, &[])
    }

    /// The same with more words.
    pub fn start_with(fleet: &Path, words: &[&str]) -> Self {
        let (cols, rows) = SIZE;
        let pair = native_pty_system().openpty(PtySize { rows, cols, ..PtySize::default() }).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let (tell, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if tell.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    break;
                }
            }
        });
        let mut command = CommandBuilder::new(crate::common::program());
        command.arg("--fleet");
        command.arg(fleet);
        command.args(words);
        command.env("TERM", "xterm-256color");
        let begun = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        let terminal = vt100::Parser::new(rows.try_into().unwrap(), cols.try_into().unwrap(), 0);
        Self { begun, child, master: pair.master, keys, output, terminal, bytes: 0 }
    }

    /// Milliseconds from exec until the screen shows what is asked for.
    pub fn until(&mut self, about: &str, shows: impl Fn(&str) -> bool) -> f64 {
        crate::common::ms(self.when(about, shows) - self.begun)
    }

    /// When the screen shows what is asked for.
    pub fn when(&mut self, about: &str, shows: impl Fn(&str) -> bool) -> Instant {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok((at, bytes)) = self.output.recv_timeout(left) else {
                panic!("{about}: not on the screen within a minute:\n{}", self.contents());
            };
            self.bytes += bytes.len();
            self.terminal.process(&bytes);
            if shows(&self.contents()) {
                return at;
            }
        }
    }

    /// Takes in what comes in this time; gives the bytes.
    pub fn rest(&mut self, time: Duration) -> usize {
        let end = Instant::now() + time;
        let before = self.bytes;
        while let Ok((_, bytes)) = self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.bytes += bytes.len();
            self.terminal.process(&bytes);
        }
        self.bytes - before
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// What the screen shows.
    pub fn contents(&self) -> String {
        self.terminal.screen().contents()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Processor time that it used so far, in milliseconds, its ssh processes too.
    pub fn cpu(&self) -> f64 {
        processes(self.pid()).into_iter().map(cpu_of).sum()
    }

    /// Resident memory in MB: its own, and that of its ssh processes.
    pub fn memory(&self) -> (f64, f64) {
        let all: Vec<f64> = processes(self.pid()).into_iter().map(memory_of).collect();
        (all[0], all[1..].iter().sum())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = &self.master;
    }
}

/// A process and its children.
pub fn processes(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task");
    let mut all = vec![pid];
    for task in std::fs::read_dir(path).unwrap() {
        let children = task.unwrap().path().join("children");
        let text = std::fs::read_to_string(children).unwrap_or_default();
        all.extend(text.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    all
}

/// Milliseconds of processor time. The kernel counts in hundredths of a second.
fn cpu_of(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) * 10.0
}

/// Resident memory in MB (1,000,000 bytes).
pub fn memory_of(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() * 1024.0 / 1e6
}
