//! A program in a pseudo-terminal, and what its screen shows.

use std::{
    io::{Read, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// Nothing that is waited for takes longer on a machine that works.
const DEADLINE: Duration = Duration::from_secs(60);

/// A program in a pseudo-terminal.
pub struct Pty {
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    seen: Arc<AtomicUsize>,
    stalled: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Pty {
    /// Starts a program. Its environment is what the system needs and nothing else, then `env`.
    pub fn start(program: &std::path::Path, args: &[&str], env: &[(&str, &str)], rows: u16, cols: u16) -> Self {
        let pair = native_pty_system().openpty(PtySize { rows, cols, ..PtySize::default() }).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for (name, value) in [
            ("PATH", std::env::var("PATH").unwrap_or_default().as_str()),
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("RUST_BACKTRACE", "0"),
        ]
        .into_iter()
        .chain(env.iter().copied())
        {
            command.env(name, value);
        }
        command.cwd(std::env::temp_dir());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows.try_into().unwrap(), cols.try_into().unwrap(), 0)));
        let (raw, seen, stalled) =
            (Arc::<Mutex<Vec<u8>>>::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let closing = Arc::<AtomicBool>::default();
        let (theirs, bytes, count, wait, end) =
            (Arc::clone(&screen), Arc::clone(&raw), Arc::clone(&seen), Arc::clone(&stalled), Arc::clone(&closing));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !end.load(Ordering::SeqCst) {
                while wait.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                match reader.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(n) => {
                        theirs.lock().unwrap().process(&buffer[..n]);
                        bytes.lock().unwrap().extend_from_slice(&buffer[..n]);
                        count.fetch_add(n, Ordering::SeqCst);
                    }
                }
            }
        });
        Self {
            master: Some(pair.master),
            keys: Some(keys),
            child,
            screen,
            raw,
            seen,
            stalled,
            closing,
            reader: Some(thread),
        }
    }

    /// Types bytes.
    pub fn type_bytes(&mut self, bytes: &[u8]) {
        let keys = self.keys.as_mut().unwrap();
        keys.write_all(bytes).unwrap();
        keys.flush().unwrap();
    }

    /// Waits until the screen is as asked; fails with what it shows when that never comes.
    pub fn wait(&self, what: &str, mut check: impl FnMut(&vt100::Screen) -> bool) {
        let end = Instant::now() + DEADLINE;
        loop {
            let contents = {
                let parser = self.screen.lock().unwrap();
                if check(parser.screen()) {
                    return;
                }
                parser.screen().contents()
            };
            let tail = |raw: Vec<u8>| String::from_utf8_lossy(&raw[raw.len().saturating_sub(300)..]).into_owned();
            assert!(
                Instant::now() < end,
                "{what} never came; the screen shows\n{contents}\nthe last bytes were {:?}",
                tail(self.raw())
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the screen shows a text.
    pub fn wait_text(&self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text));
    }

    /// What the screen shows.
    pub fn contents(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Everything that the program wrote.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap().clone()
    }

    /// Bytes that the program wrote so far.
    pub fn bytes(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// Makes the window larger or smaller.
    pub fn resize(&self, rows: u16, cols: u16) {
        let size = PtySize { rows, cols, ..PtySize::default() };
        self.master.as_ref().unwrap().resize(size).unwrap();
        let (rows, cols) = (rows.try_into().unwrap(), cols.try_into().unwrap());
        self.screen.lock().unwrap().screen_mut().set_size(rows, cols);
    }

    /// Stops or goes on reading what the program writes.
    pub fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::SeqCst);
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits until the program is stopped.
    pub fn wait_stopped(&self) {
        let stat = format!("/proc/{}/stat", self.child.process_id().unwrap());
        self.wait("a stopped program", |_| {
            std::fs::read_to_string(&stat)
                .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
        });
    }

    /// Closes the terminal, as when an SSH connection breaks.
    pub fn hang_up(&mut self) {
        // The reading thread holds the terminal open until it has read once more: what ctrl-l brings.
        self.closing.store(true, Ordering::SeqCst);
        self.type_bytes(&[12]);
        self.reader.take().unwrap().join().unwrap();
        self.keys = None;
        self.master = None;
    }

    /// Waits for the end of the program.
    pub fn exit(&mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the program does not end; the screen shows\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// True when the program put the terminal into raw mode.
    pub fn is_raw(&self) -> bool {
        let modes = self.master.as_ref().unwrap().get_termios().unwrap();
        !format!("{:?}", modes.local_flags).contains("ICANON")
    }

    /// Fails when the terminal was not given back as it was taken.
    pub fn assert_clean(&self) {
        self.wait("a terminal given back", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
        let raw = self.raw();
        let last = |sequence: &[u8]| raw.windows(sequence.len()).rposition(|window| window == sequence);
        assert!(last(b"\x1b[?1004l") > last(b"\x1b[?1004h"), "focus events stay on");
        assert!(last(b"\x1b[?2026l") > last(b"\x1b[?2026h"), "an update stays open");
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        self.stall(false);
    }
}
