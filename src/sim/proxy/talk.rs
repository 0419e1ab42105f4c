//! `nc 127.0.0.1 PORT` inside a proxy's container: a connection to its command line, over an exec's streams.

use super::super::engine::Engine;
use super::super::exec::Exec;
use super::super::session::frame;
use super::commands::Said;
use bytes::BytesMut;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Who listens at a port of a proxy's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Listener {
    Master,
    Worker,
}

/// The port that a command dials with `nc` on its own host.
pub(in super::super) fn dialled(command: &[String]) -> Option<u16> {
    let words: Vec<&str> = super::words(command);
    let at = words.iter().position(|word| matches!(word.rsplit('/').next(), Some("nc" | "ncat" | "netcat")))?;
    let rest: Vec<&str> = words.get(at + 1..)?.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let is_loopback = |word: &str| word.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    let host = rest.iter().position(|word| *word == "localhost" || is_loopback(word))?;
    rest.get(host + 1)?.parse().ok()
}

/// Carries lines there and answers back until either side ends. The exit code is that of `nc`.
pub(in super::super) async fn serve(
    engine: &Engine,
    exec: &Exec,
    port: u16,
    input: &mut (impl AsyncRead + Unpin),
    output: &mut (impl AsyncWrite + Unpin),
) -> io::Result<i64> {
    let Some((listener, generation)) = engine.net.dial(&exec.container, port) else {
        output
            .write_all(&frame(exec.tty, true, b"nc: can't connect to remote host (127.0.0.1): Connection refused\n"))
            .await?;
        return Ok(1);
    };
    let mut cut = engine.net.changed();
    let (mut buffer, mut interactive, mut target) = (BytesMut::with_capacity(1024), false, None);
    loop {
        while let Some(at) = buffer.iter().position(|byte| matches!(byte, b'\n' | b';')) {
            let line = buffer.split_to(at + 1);
            let line = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r', ';']).trim().to_owned();
            tokio::select! {
                biased;
                () = engine.answering() => {}
                () = engine.net.gone(&mut cut, &exec.container, generation) => return Ok(0),
            }
            engine.awake().await;
            let mut said = String::new();
            let mut is_last = false;
            match line.as_str() {
                "prompt" => {
                    interactive = !interactive;
                    if !interactive {
                        continue;
                    }
                }
                "quit" => {
                    if interactive && listener == Listener::Master {
                        said = engine.net.prompt(&exec.container, target);
                    }
                    is_last = true;
                }
                line if listener == Listener::Master && line.starts_with('@') && !line.contains(' ') => {
                    match engine.net.target(&exec.container, line) {
                        Ok(pid) => target = pid,
                        Err(words) => (said, is_last) = (words, true),
                    }
                }
                line => match engine.tell_proxy(&exec.container, listener, line, target) {
                    Some(Said::Words(words)) => {
                        said = words;
                        is_last = !interactive;
                    }
                    Some(Said::Last(words)) => (said, is_last) = (words, true),
                    Some(Said::Reload) | None => return Ok(0),
                },
            }
            if interactive && !is_last {
                match listener {
                    Listener::Master => said.push_str(&engine.net.prompt(&exec.container, target)),
                    Listener::Worker => said.push_str("> "),
                }
            }
            output.write_all(&frame(exec.tty, false, said.as_bytes())).await?;
            output.flush().await?;
            if is_last {
                return Ok(0);
            }
        }
        tokio::select! {
            biased;
            read = input.read_buf(&mut buffer) => if read? == 0 { return Ok(0) },
            () = engine.net.gone(&mut cut, &exec.container, generation) => return Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dialled() {
        let port = |text: &str| dialled(&shell_words::split(text).unwrap());
        assert_eq!(port("nc 127.0.0.1 9999"), Some(9999));
        assert_eq!(port("/bin/sh -c 'exec nc -n 127.0.0.1 9999'"), Some(9999));
        assert_eq!(port("nc 127.9.8.1 9999"), Some(9999));
        assert_eq!(port("nc example.com 80"), None);
        assert_eq!(port("cat 127.0.0.1 80"), None);
    }
}
