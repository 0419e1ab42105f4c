//! An engine asked on its socket by hand: no client program each time, for this is done often and is measured.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use serde_json::Value;

/// One request; null where there is nothing to say, or nothing is said. An answer that is no success is an error.
pub fn ask(socket: &str, method: &str, path: &str, body: &Value, patience: Duration) -> Result<Value, String> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let talk = || -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(patience))?;
        write!(
            stream,
            "{method} /v1.41{path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = String::from_utf8_lossy(&talk().map_err(|error| error.to_string())?).into_owned();
    let (head, said) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    if !head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')) {
        return Err(format!("{method} {path}: {answer}"));
    }
    if said.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_str(said).map_err(|error| format!("{error}: {said}"))
    }
}
