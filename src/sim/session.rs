//! The two ends of a running exec: its output in Docker's frames, its input, and a prompt for people.

use super::engine::Engine;
use super::exec::{Exec, interactive};
use super::proxy;
use super::shell::{self, Step, View};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::Stream;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Output in the form of the `attach` and `logs` streams: an 8-byte header in front unless there is a terminal.
pub(super) fn frame(tty: bool, stderr: bool, data: &[u8]) -> Bytes {
    if tty {
        return Bytes::copy_from_slice(data);
    }
    let mut frame = BytesMut::with_capacity(data.len() + 8);
    frame.put_slice(&[if stderr { 2 } else { 1 }, 0, 0, 0]);
    frame.put_u32(u32::try_from(data.len()).unwrap_or(u32::MAX));
    frame.put_slice(data);
    frame.freeze()
}

/// Runs an exec on an input and an output until it ends; notes its exit code.
pub(super) async fn serve(
    engine: &Engine,
    id: &str,
    exec: &Exec,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let view = engine.exec_view(exec);
    let result = if let Some(port) = proxy::dialled(&exec.command).filter(|_| exec.stdin && view.is_proxy) {
        proxy::serve(engine, exec, port, &mut input, &mut output).await
    } else if !view.has_shell && exec.command.first().is_some_and(|word| shell::is_shell(word)) {
        // The engine says so where the program would have printed.
        let word = exec.command.first().map_or("", String::as_str);
        let why = format!(
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"{word}\": stat {word}: no such file or directory: unknown\r\n"
        );
        output.write_all(&frame(exec.tty, false, why.as_bytes())).await.map(|()| 127)
    } else if interactive(&exec.command) && exec.stdin {
        prompt((engine, id), exec, &view, &mut input, &mut output).await
    } else {
        let (steps, code) = shell::run(&exec.command, &view);
        perform(exec, steps, &mut input, &mut output).await.map(|()| code)
    };
    // A client that went away hangs the program up.
    engine.exec_done(id, result.as_ref().copied().unwrap_or(129));
    engine.awake().await;
    output.shutdown().await?;
    result.map(|_| ())
}

async fn perform(
    exec: &Exec,
    steps: Vec<Step>,
    input: &mut (impl AsyncRead + Unpin),
    output: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    for step in steps {
        match step {
            Step::Out(text) => output.write_all(&frame(exec.tty, false, crlf(exec.tty, &text).as_bytes())).await?,
            Step::Err(text) => output.write_all(&frame(exec.tty, true, crlf(exec.tty, &text).as_bytes())).await?,
            Step::Sleep(time) => tokio::time::sleep(time).await,
            Step::Cat if !exec.stdin => {}
            Step::Cat => {
                let mut buffer = BytesMut::with_capacity(4096);
                while input.read_buf(&mut buffer).await? > 0 {
                    output.write_all(&frame(exec.tty, false, &buffer)).await?;
                    output.flush().await?;
                    buffer.clear();
                }
            }
        }
        output.flush().await?;
    }
    Ok(())
}

/// A terminal turns newlines into carriage return and newline.
fn crlf(tty: bool, text: &str) -> String {
    if tty { text.replace('\n', "\r\n") } else { text.to_owned() }
}

/// Reads commands line by line. On a terminal it shows a prompt, echoes, and knows backspace, ^C and ^D.
async fn prompt(
    (engine, id): (&Engine, &str),
    exec: &Exec,
    view: &View,
    input: &mut (impl AsyncRead + Unpin),
    output: &mut (impl AsyncWrite + Unpin),
) -> io::Result<i64> {
    let (mut line, mut code, mut buffer) = (Vec::new(), 0, BytesMut::with_capacity(1024));
    let sign = if exec.tty { "/ # " } else { "" };
    output.write_all(sign.as_bytes()).await?;
    output.flush().await?;
    while input.read_buf(&mut buffer).await? > 0 {
        for byte in std::mem::take(&mut buffer) {
            match byte {
                b'\r' | b'\n' => {
                    echo(exec, output, b"\r\n").await?;
                    let text = String::from_utf8_lossy(&std::mem::take(&mut line)).trim().to_owned();
                    if text == "exit" || text.starts_with("exit ") {
                        let wanted = text.split_whitespace().nth(1).and_then(|number| number.parse().ok());
                        return Ok(wanted.unwrap_or(code));
                    }
                    if text == "stty size" {
                        let (columns, rows) = engine.exec_size(id);
                        output.write_all(crlf(exec.tty, &format!("{rows} {columns}\n{sign}")).as_bytes()).await?;
                        continue;
                    }
                    let mut steps = Vec::new();
                    code = shell::script(&text, view, &mut steps);
                    perform(exec, steps, input, output).await?;
                    output.write_all(sign.as_bytes()).await?;
                }
                4 if exec.tty && line.is_empty() => return Ok(code),
                3 if exec.tty => {
                    line.clear();
                    echo(exec, output, b"^C\r\n/ # ").await?;
                }
                8 | 127 if exec.tty => {
                    if line.pop().is_some() {
                        echo(exec, output, b"\x08 \x08").await?;
                    }
                }
                _ => {
                    line.push(byte);
                    echo(exec, output, &[byte]).await?;
                }
            }
        }
        output.flush().await?;
    }
    Ok(code)
}

async fn echo(exec: &Exec, output: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    if exec.tty { output.write_all(bytes).await } else { Ok(()) }
}

/// The output of an exec as a plain body, for clients that do not ask for an upgrade. There is no input then.
pub(super) fn stream(
    engine: &Arc<Engine>,
    id: String,
    exec: Exec,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let worker = engine.clone();
    engine.spawn(async move {
        let _ = serve(&worker, &id, &exec, tokio::io::empty(), far).await;
    });
    futures::stream::unfold(near, async |mut near| {
        let mut buffer = BytesMut::with_capacity(4096);
        match near.read_buf(&mut buffer).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(buffer.freeze()), near)),
            Err(error) => Some((Err(error), near)),
        }
    })
}
