//! The dashboard in a real pseudo-terminal: every way out leaves the terminal clean, slow readers hold nothing up,
//! and an idle screen is silent.
//!
//! The program under test is this test program itself: `program` below runs the dashboard on a made-up fleet.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test program")]

#[path = "pty/own.rs"]
mod own;
#[path = "support/served.rs"]
mod served;
mod support;
#[path = "pty/visits.rs"]
mod visits;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::{
    fleet::{World, unseen},
    pty::Pty,
};
use wharf::{
    app::{Effect, Mode, Msg, State},
    model::{ContainerState, Health, OperationState},
    text::Text,
    tui::{
        self, Theme,
        alert::{Alerts, Notify},
        term,
    },
};

/// Runs the dashboard. Not a test: the others start it in a terminal of their own.
#[test]
#[ignore = "the program that the other tests start"]
fn program() {
    if std::env::var_os("WHARF_TEST_PTY").is_none() {
        return;
    }
    term::hook_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = runtime.block_on(dashboard());
    // `exit` spares the test harness its last words.
    match outcome {
        Ok(outcome) => {
            println!("left: {outcome:?}");
            std::process::exit(0);
        }
        Err(error) => {
            println!("error: {error}");
            std::process::exit(2);
        }
    }
}

async fn dashboard() -> Result<tui::Outcome, tui::TermError> {
    let mut world = World::usual().with_operation(OperationState::Converged { at: support::fleet::before(5) });
    let how = std::env::var("WHARF_TEST_PTY").unwrap();
    // A wall has been there for a while and all is well: what gets wrong now is news.
    if how.starts_with("watch") {
        for container in world.containers.values_mut().flatten() {
            (container.state, container.health) = (ContainerState::Running, Health::Healthy);
        }
    }
    let (mode, begun) = if how.starts_with("watch") {
        (Mode::Watch, jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_mins(1)).unwrap())
    } else {
        (Mode::Normal, support::fleet::now())
    };
    let state = State::new(world.fleet.clone(), "ops@bastion".into(), mode, begun);
    let (inbox, messages) = tokio::sync::mpsc::channel(64);
    let (outbox, mut effects) = tokio::sync::mpsc::channel(64);
    let (visits, come) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        inbox.send(Msg::Store(world.store())).await.unwrap();
        inbox.send(Msg::Hosts(world.updates())).await.unwrap();
        if let Some(gate) = std::env::var_os("WHARF_TEST_GATE") {
            while !std::path::Path::new(&gate).exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            inbox.send(unseen("e-2", 42, "the test took it away")).await.unwrap();
        }
        while let Some(effect) = effects.recv().await {
            let answer = match effect {
                Effect::Reconnect(_) => unseen("e-2", 42, "the test took it away"),
                Effect::Visit(_) => {
                    visits.send(rude()).await.unwrap();
                    continue;
                }
                Effect::Resync(_) => panic!("a task fell over"),
                Effect::Apply(_) => Msg::Applied(Err(Text::new("ben was faster."))),
                _ => continue,
            };
            // Panics of this task must not close the inbox: they run in a task of their own.
            inbox.send(answer).await.unwrap();
        }
    });
    let theme = Theme::from_environment(None).unwrap();
    let notify = match how.as_str() {
        "watch-osc9" => Some(Notify::Osc9),
        "watch-osc777" => Some(Notify::Osc777),
        _ => None,
    };
    let look = tui::Look { alerts: Alerts { bell: how == "watch-bell", notify }, ..theme.into() };
    let run = tui::run_with(state, look, messages, outbox, come);
    if how == "panic" {
        let falls = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            panic!("the drawing thread fell over");
        };
        tokio::select! {
            outcome = run => return outcome,
            () = falls => unreachable!(),
        }
    }
    Box::pin(run).await
}

/// A visit that takes the terminal's modes, prints half a character, and is gone.
fn rude() -> tui::Visit {
    let (input, mut keys) = tokio::sync::mpsc::channel::<Vec<u8>>(8);
    let (shows, output) = tokio::sync::mpsc::channel(8);
    let (size, _) = tokio::sync::watch::channel((80, 24));
    let (say, said) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        shows.send(b"\x1b[?1049h\x1b[?1000h\x1b[?1006h\x1b[?1h\x1b[31mrude shell\r\n".to_vec()).await.unwrap();
        let typed = keys.recv().await.unwrap();
        shows.send([b"typed ", &typed[..], b"\r\n\xe6\xb8\x1b[3"].concat()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(shows);
        say.send(Msg::Failed(Text::new("e-1: the connection broke"))).unwrap();
    });
    tui::Visit { title: "wharf: a shell\r\n".into(), input, output, size, said, detaches: false }
}

#[test]
fn a_shell_whose_link_is_lost_leaves_the_terminal_as_it_was() {
    let mut pty = start();
    pty.type_bytes(b"5E");
    pty.wait_text("rude shell");
    pty.type_bytes(b"q");
    pty.wait("the dashboard again", |screen| {
        screen.contents().contains("the connection broke")
            && screen.alternate_screen()
            && screen.hide_cursor()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
            && !screen.application_cursor()
    });
    pty.type_bytes(b"4");
    pty.wait_text("SERVICE");
    pty.type_bytes(b"qq");
    assert!(pty.exit().success());
    pty.assert_clean();
    assert!(!pty.is_raw());
}

/// Keys belong to whoever has the terminal, also where it was lent the moment that the dashboard began to wait for a key.
#[test]
fn keys_go_to_the_shell_and_to_nobody_else() {
    let mut pty = start();
    pty.type_bytes(b"5");
    for _ in 0..20 {
        pty.type_bytes(b"E");
        pty.wait_text("rude shell");
        pty.type_bytes(b"q");
        pty.wait("the dashboard again", |screen| {
            let text = screen.contents();
            text.contains("the connection broke") && !text.contains("rude shell")
        });
    }
    pty.type_bytes(b"qq");
    assert!(pty.exit().success());
}

fn start_with(how: &str, env: &[(&str, &str)]) -> Pty {
    let mut all = vec![("WHARF_TEST_PTY", how)];
    all.extend_from_slice(env);
    let program = std::env::current_exe().unwrap();
    Pty::start(&program, &["program", "--exact", "--ignored", "--nocapture", "--test-threads=1"], &all, 24, 80)
}

fn start() -> Pty {
    let pty = start_with("run", &[]);
    pty.wait_text("payments");
    pty
}

#[test]
fn quitting_gives_the_terminal_back() {
    let mut pty = start();
    assert!(pty.is_raw());
    pty.wait("the second screen", |screen| {
        screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste()
    });
    pty.type_bytes(b"q");
    assert!(pty.exit().success());
    pty.wait_text("left: Quit");
    pty.assert_clean();
    assert!(!pty.is_raw());
}

#[test]
fn signals_give_the_terminal_back() {
    for (signal, outcome) in [(Signal::TERM, "Signal"), (Signal::INT, "Signal"), (Signal::HUP, "HungUp")] {
        let mut pty = start();
        pty.signal(signal);
        assert!(pty.exit().success());
        pty.wait_text(&format!("left: {outcome}"));
        pty.assert_clean();
        assert!(!pty.is_raw());
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_shows_its_words() {
    let mut pty = start_with("panic", &[]);
    assert!(!pty.exit().success());
    pty.wait_text("the drawing thread fell over");
    pty.assert_clean();
    assert!(!pty.is_raw());
}

#[test]
fn a_panic_in_the_background_leaves_the_screen_alone() {
    let mut pty = start();
    pty.type_bytes(b"2");
    pty.wait_text("REGION");
    pty.type_bytes(&[18]);
    pty.type_bytes(b"?");
    pty.wait_text("HELP");
    assert!(!pty.contents().contains("fell over"), "{}", pty.contents());
    pty.type_bytes(b"qqq");
    assert!(pty.exit().success());
    pty.assert_clean();
}

#[test]
fn a_lost_terminal_ends_it() {
    let mut pty = start();
    pty.hang_up();
    pty.exit();
}

#[test]
fn suspended_and_continued() {
    let mut pty = start();
    pty.signal(Signal::TSTP);
    pty.wait("the first screen", |screen| !screen.alternate_screen() && !screen.hide_cursor());
    pty.wait_stopped();
    pty.signal(Signal::CONT);
    pty.wait("the second screen again", |screen| screen.alternate_screen() && screen.contents().contains("payments"));
    assert!(pty.is_raw());
    pty.type_bytes(b"4");
    pty.wait_text("SERVICE");
    // The same by key.
    pty.type_bytes(&[26]);
    pty.wait("the first screen", |screen| !screen.alternate_screen());
    pty.wait_stopped();
    pty.signal(Signal::CONT);
    pty.wait("the second screen again", |screen| screen.alternate_screen() && screen.contents().contains("SERVICE"));
    pty.type_bytes(b"qq");
    assert!(pty.exit().success());
    pty.assert_clean();
}

#[test]
fn a_storm_of_resizes_ends_in_the_last_size() {
    let mut pty = start();
    for n in 0..60 {
        pty.resize(10 + n % 30, 30 + n % 90);
    }
    pty.resize(30, 100);
    pty.wait("the last size", |screen| {
        let rows: Vec<String> = screen.rows(0, 100).collect();
        rows.len() == 30
            && rows[29].contains("help")
            && rows[0].contains("reconciler")
            && rows[1].chars().count() == 100
    });
    pty.type_bytes(b"q");
    assert!(pty.exit().success());
    pty.assert_clean();
}

#[test]
fn a_reader_that_stalls_holds_nothing_up() {
    let mut pty = start();
    pty.stall(true);
    for _ in 0..200 {
        pty.type_bytes(b"2435");
    }
    pty.signal(Signal::TERM);
    assert!(pty.exit().success());
}

#[test]
fn an_idle_screen_is_silent() {
    let pty = start();
    pty.wait_text("help");
    // The first data may still be on its way: wait until half a second brings nothing.
    let mut before = usize::MAX;
    while before != pty.bytes() {
        before = pty.bytes();
        std::thread::sleep(Duration::from_millis(500));
    }
    let from = pty.bytes();
    std::thread::sleep(Duration::from_secs(3));
    let idle = pty.bytes() - from;
    assert!(idle <= 300, "{idle} bytes in three idle seconds");
}

#[test]
fn keys_that_the_link_cut_in_two_are_one_key_still() {
    let mut pty = start();
    pty.type_bytes(b"2");
    pty.wait("the first host", |screen| screen.contents().lines().any(|line| line.starts_with("▸● e-1")));
    // An arrow down, its first byte by itself: no escape, no `[`, no `B`.
    let begun = Instant::now();
    for (host, rest) in [("e-2", &b"[B"[..]), ("e-3", b"OB"), ("e-2", b"[A")] {
        pty.type_bytes(b"\x1b");
        std::thread::sleep(Duration::from_millis(4));
        pty.type_bytes(rest);
        let row = format!("▸● {host}");
        pty.wait(&row, |screen| screen.contents().lines().any(|line| line.starts_with(&row)));
        assert!(pty.contents().contains("hosts"), "still in the same view");
    }
    // Nothing else wakes this program but its tick, once a second: no key waits for that.
    assert!(begun.elapsed() < Duration::from_secs(2), "three keys took {:?}", begun.elapsed());
    // The key by itself is a key.
    pty.type_bytes(b"/e-2\r");
    pty.wait_text("/e-2");
    pty.type_bytes(b"\x1b");
    pty.wait("the filter gone", |screen| !screen.contents().contains("/e-2"));
    pty.type_bytes(b"q");
    assert!(pty.exit().success());
    pty.assert_clean();
}

#[test]
fn pasted_text_is_not_obeyed() {
    let mut pty = start();
    pty.type_bytes(b"4");
    pty.wait_text("SERVICE");
    pty.type_bytes(b"\x1b[200~+++.q\r\x1b[201~");
    pty.type_bytes(b"/");
    pty.type_bytes(b"\x1b[200~ledger\x1b[201~");
    pty.wait_text("1 of 8");
    assert!(!pty.contents().contains("PLAN"));
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let mut pty = start_with("run", &[("NO_COLOR", "1")]);
    pty.wait_text("payments");
    pty.type_bytes(b"j");
    pty.wait("the second row selected", |screen| (0..80).any(|x| screen.cell(4, x).is_some_and(vt100::Cell::inverse)));
    let raw = String::from_utf8_lossy(&pty.raw()).into_owned();
    assert!(!raw.contains("\x1b[32m") && !raw.contains("38;5;") && !raw.contains("38;2;"), "{raw:?}");
    pty.type_bytes(b"q");
    assert!(pty.exit().success());
}

#[test]
fn terminals_that_cannot_do_it_are_told_so() {
    let mut pty = start_with("run", &[("TERM", "dumb")]);
    assert_eq!(pty.exit().exit_code(), 2);
    pty.wait_text("TERM is `dumb`");
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program)
        .args(["program", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("WHARF_TEST_PTY", "run")
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("needs a terminal, and the output is none"));
}

#[test]
fn a_copied_name_goes_through_the_terminal() {
    let mut pty = start();
    pty.type_bytes(b"2c");
    pty.wait_text("clipboard");
    // "e-1" in base64.
    let sequence = b"\x1b]52;c;ZS0x\x07";
    pty.wait("the sequence", |_| pty.raw().windows(sequence.len()).any(|window| window == sequence));
    pty.type_bytes(b"q");
    assert!(pty.exit().success());
}

#[test]
fn a_shell_in_the_demo_fleet() {
    let (mut pty, _home) = demo(30);
    pty.type_bytes(b"5/shop/web.1\r");
    pty.wait("one replica in each region", |screen| screen.contents().contains("3 of 85"));
    pty.type_bytes(b"E");
    pty.wait("a prompt on the first screen", |screen| {
        screen.contents().contains("/ # ") && !screen.alternate_screen() && !screen.hide_cursor()
    });
    pty.type_bytes(b"hostname\r");
    pty.wait("its answer", |screen| screen.contents().matches("/ # ").count() == 2);
    pty.resize(33, 100);
    // The size takes its own way to the engine, beside the keys: it is asked for until it is there.
    for _ in 0..100 {
        pty.type_bytes(b"stty size\r");
        std::thread::sleep(Duration::from_millis(100));
        if pty.contents().contains("33 100") {
            break;
        }
    }
    pty.wait_text("33 100");
    pty.type_bytes("echo 港口\r".as_bytes());
    pty.wait("wide characters, whole", |screen| screen.contents().matches("港口").count() == 2);
    pty.type_bytes(b"exit 3\r");
    pty.wait("the dashboard again", |screen| {
        screen.alternate_screen() && screen.contents().contains("ended with 3") && screen.contents().contains("3 of 85")
    });
    pty.type_bytes(b"8");
    pty.wait_text("opened a shell in shop-web-1");
    pty.type_bytes(b"qq");
    assert!(pty.exit().success());
    pty.assert_clean();
}

/// Waits for what only the store knows: a service's revision. Before that no key can change anything.
fn wait_for_the_store(pty: &Pty) {
    pty.wait("a revision", |screen| {
        screen.contents().lines().any(|row| row.contains("assets/cdn") && row.contains("r12"))
    });
}

/// The demo in so many rows of 130 columns, with a home of its own.
fn demo(rows: u16) -> (Pty, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_wharf"));
    let pty = Pty::start(program, &["demo"], &[("HOME", home.path().to_str().unwrap())], rows, 130);
    pty.wait_text("shop");
    (pty, home)
}

/// Applies the plan that is opened, as a person does: once more where the fleet changed under it, which takes a key that
/// was meant for another plan.
fn apply(pty: &mut Pty, accepted: &str) {
    pty.wait_text("STEPS");
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        pty.type_bytes(b"\r");
        let next = Instant::now() + Duration::from_secs(2);
        loop {
            let screen = pty.contents();
            if screen.contains(accepted) {
                return;
            }
            assert!(Instant::now() < end, "{accepted} never came; the screen shows\n{screen}");
            if Instant::now() >= next && screen.contains("STEPS") {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn the_mouse_is_listened_to_when_asked_for_and_given_back() {
    use vt100::MouseProtocolMode::{None, PressRelease};
    let home = tempfile::tempdir().unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_wharf"));
    let env = [("HOME", home.path().to_str().unwrap()), ("WHARF_MOUSE", "1")];
    let mut pty = Pty::start(program, &["demo", "--no-tour"], &env, 36, 130);
    pty.wait_text("shop");
    pty.wait("the mouse, without mere movement", |screen| screen.mouse_protocol_mode() == PressRelease);
    pty.type_bytes(b"2");
    pty.wait_text("e-3");
    // Row 6 of the screen, counted from one, is the third host.
    pty.type_bytes(b"\x1b[<0;6;6M\x1b[<0;6;6m");
    pty.wait("the row under the click", |screen| screen.contents().lines().any(|line| line.starts_with("▸● e-3")));
    pty.type_bytes(b"\x1b[<0;6;6M\x1b[<0;6;6m");
    pty.wait_text("e-3 › replicas");
    pty.type_bytes(b"\x1b[<65;6;10M");
    pty.wait("three rows further", |screen| screen.contents().lines().nth(6).is_some_and(|line| line.starts_with('▸')));
    // Text is for the terminal to select.
    pty.type_bytes(b"l");
    pty.wait("no mouse over logs", |screen| screen.mouse_protocol_mode() == None);
    pty.type_bytes(b"\x1b");
    pty.wait("the mouse again", |screen| screen.mouse_protocol_mode() == PressRelease);
    pty.type_bytes(b"\x03");
    assert!(pty.exit().success());
    pty.assert_clean();
}

#[test]
fn the_demo_fleet_is_scaled_by_keyboard() {
    let (mut pty, _home) = demo(36);
    pty.type_bytes(b"4/shop/web\r");
    pty.wait("one service with its replicas", |screen| screen.contents().contains("shop/web"));
    pty.type_bytes(b"++");
    pty.wait_text("+2 replicas");
    pty.type_bytes(b".");
    apply(&mut pty, "accepted: scale shop/web");
    pty.type_bytes(b"9");
    pty.wait("the operation, carried out", |screen| {
        screen.contents().lines().any(|line| line.contains("scale shop/web") && line.contains("converged"))
    });
    pty.type_bytes(b"q");
    assert!(pty.exit().success());
    pty.assert_clean();
}

#[test]
fn a_host_of_the_demo_fleet_is_emptied_by_keyboard() {
    let (mut pty, _home) = demo(40);
    // One replica of another region first: chosen, shown, moved.
    pty.type_bytes(b"5/shop/web.1\r");
    pty.wait("one replica in each region", |screen| screen.contents().contains("3 of 85"));
    pty.type_bytes(b"m");
    pty.wait_text("MIGRATE");
    pty.type_bytes(b"\r");
    apply(&mut pty, "accepted: migrate shop/web.1");
    // Let it end: a plan that the fleet changes under a person's hands asks for the key once more.
    pty.type_bytes(b"9");
    pty.wait("the migration, carried out", |screen| {
        screen.contents().lines().any(|line| line.contains("migrate shop/web.1") && line.contains("converged"))
    });
    pty.type_bytes(b"2/a-2\rD");
    pty.wait_text("drain: its replicas move away");
    apply(&mut pty, "accepted: drain a-2");
    pty.wait_text("draining 9 of 9 left");
    pty.wait("its first replica gone", |screen| !screen.contents().contains("draining 9 of 9 left"));
    pty.wait("its last replica gone", |screen| screen.contents().contains("safe to switch off"));
    pty.type_bytes(b"9\r");
    pty.wait_text("a-2 is empty: safe to switch off");
    pty.wait_text("while it went on");
    pty.type_bytes(b"qq");
    assert!(pty.exit().success());
    pty.assert_clean();
}
