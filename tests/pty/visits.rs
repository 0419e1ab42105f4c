//! Shells and attachments, on a fleet that a process of its own serves.

use std::process::{Command, Stdio};

use super::{served::Served, *};

impl Served {
    /// The dashboard on it, with a home of its own.
    fn dashboard(&self) -> (Pty, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_wharf"));
        let env = [("HOME", home.path().to_str().unwrap())];
        let mut pty = Pty::start(program, &["--fleet", self.file.to_str().unwrap()], &env, 30, 130);
        pty.type_bytes(b"4");
        wait_for_the_store(&pty);
        (pty, home)
    }
}

#[test]
fn attached_to_a_replica_and_away_again() {
    let served = Served::start();
    let (mut pty, _home) = served.dashboard();
    pty.type_bytes(b"5/shop/web.1\r");
    pty.wait("one replica in each region", |screen| {
        screen.contents().contains("3 of 85") && screen.contents().contains("healthy")
    });
    pty.type_bytes(b"a");
    pty.wait("the attachment on the first screen", |screen| {
        screen.contents().contains("wharf: an attachment in shop-web-1")
            && screen.contents().contains("ctrl-p ctrl-q leaves it running")
            && !screen.alternate_screen()
    });
    // Keys go to the container: the dashboard's own do nothing, until those that leave.
    pty.type_bytes(b"q2\x10");
    assert!(pty.is_raw());
    pty.type_bytes(b"\x11");
    pty.wait("the dashboard again", |screen| {
        let text = screen.contents();
        screen.alternate_screen() && text.contains("it goes on") && text.contains("3 of 85")
    });
    pty.wait("the replica, as healthy as before", |screen| screen.contents().contains("healthy"));
    pty.type_bytes(b"8");
    pty.wait_text("opened an attachment in shop-web-1");
    pty.type_bytes(b"qq");
    assert!(pty.exit().success());
    pty.assert_clean();
    assert!(!pty.is_raw());
}

#[test]
fn an_image_without_a_shell_is_told_of_in_words() {
    let served = Served::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("compose.yaml");
    std::fs::write(
        &file,
        "name: bare\nservices:\n  app:\n    image: acme/distroless-app:1.0\n    x-wharf: {regions: [ap]}\n",
    )
    .unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["--fleet", served.file.to_str().unwrap(), "deploy", "--yes", "-f", file.to_str().unwrap()])
        .env("HOME", directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let (mut pty, _home) = served.dashboard();
    pty.type_bytes(b"5/bare/app\r");
    pty.wait("its only replica", |screen| {
        let text = screen.contents();
        // Wanted is not yet seen.
        text.contains("bare/app") && text.contains("1 of 86") && text.contains("running")
    });
    pty.type_bytes(b"E");
    pty.wait("the dashboard, and why", |screen| {
        let text = screen.contents();
        screen.alternate_screen()
            && screen.hide_cursor()
            && text.contains("bare-app-1")
            && text.contains("its image has no shell")
            && text.contains("1 of 86")
    });
    // What the engine said went to the first screen, and nothing of it is left on this one.
    assert!(!pty.contents().contains("runtime exec failed"), "{}", pty.contents());
    pty.type_bytes(b"4");
    pty.wait_text("SERVICE");
    pty.type_bytes(b"qq");
    assert!(pty.exit().success());
    pty.assert_clean();
    assert!(!pty.is_raw());
}
