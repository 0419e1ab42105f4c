//! What the operator set: how alerts are told, and keys.

use super::*;

fn has(pty: &Pty, bytes: &[u8]) -> bool {
    pty.raw().windows(bytes.len()).any(|window| window == bytes)
}

/// The wall, asked to tell alerts in a way; then a host is lost.
fn loses_a_host(how: &str) -> Pty {
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let mut pty = start_with(how, &[("WHARF_TEST_GATE", gate.to_str().unwrap())]);
    pty.wait_text("payments");
    pty.type_bytes(b"2");
    pty.wait("the hosts", |screen| screen.contents().lines().any(|line| line.contains("● e-2")));
    // What is wrong from the start is no news.
    assert!(!has(&pty, b"\x07") && !has(&pty, b"\x1b]"), "{:?}", String::from_utf8_lossy(&pty.raw()));
    std::fs::write(&gate, "").unwrap();
    pty.wait("the host, lost", |screen| screen.contents().lines().any(|line| line.contains("? e-2")));
    pty
}

#[test]
fn alerts_are_told_as_they_were_asked_for() {
    for (how, told) in [
        ("watch-bell", &b"\x07"[..]),
        ("watch-osc9", b"\x1b]9;wharf: e-2"),
        ("watch-osc777", b"\x1b]777;notify;wharf;e-2"),
    ] {
        let mut pty = loses_a_host(how);
        pty.wait(how, |_| has(&pty, told));
        assert_eq!(has(&pty, b"\x1b]"), how != "watch-bell", "{how}");
        pty.type_bytes(b"\x03");
        assert!(pty.exit().success());
        pty.assert_clean();
    }
    let mut pty = loses_a_host("watch");
    pty.type_bytes(b"4");
    pty.wait_text("SERVICE");
    assert!(!has(&pty, b"\x07") && !has(&pty, b"\x1b]"), "{:?}", String::from_utf8_lossy(&pty.raw()));
    pty.type_bytes(b"\x03");
    assert!(pty.exit().success());
}

#[test]
fn keys_of_ones_own_work_and_are_shown_and_a_mistake_is_named() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join(".config/wharf");
    std::fs::create_dir_all(&config).unwrap();
    let keys = "[services]\nscale = \"f6\"\nscael = \"f7\"\n\n[everywhere]\nhosts = [\"f9\"]\n";
    std::fs::write(config.join("keys.toml"), keys).unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_wharf"));
    let env = [("HOME", home.path().to_str().unwrap())];
    let mut pty = Pty::start(program, &["demo", "--no-tour"], &env, 40, 160);
    // Named with its place, once; what is right beside it holds.
    pty.wait_text("keys.toml:3:1: there is no command `scael`");
    pty.type_bytes(b"4");
    wait_for_the_store(&pty);
    pty.wait_text("f6 scale");
    pty.type_bytes(b"\x1b[17~");
    pty.wait_text("SCALE");
    pty.type_bytes(b"\x1b");
    pty.wait("the list again", |screen| !screen.contents().contains("SCALE"));
    // The key that it had is nobody's now.
    pty.type_bytes(b"s?");
    pty.wait_text("HELP");
    assert!(!pty.contents().contains("SCALE"), "{}", pty.contents());
    pty.wait("help with the new key", |screen| {
        screen.contents().lines().any(|line| line.contains("f6") && line.contains("scale"))
    });
    pty.type_bytes(b"\x1b");
    pty.wait("the list again", |screen| !screen.contents().contains("HELP"));
    pty.type_bytes(b"2\x1b[20~");
    pty.wait_text("REGION");
    pty.type_bytes(b"\x03");
    assert!(pty.exit().success());
    pty.assert_clean();
}
