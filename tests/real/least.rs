//! What a change takes at the least: the same engines asked by hand, under the same load.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Seconds that an engine needs for one container like those of the stage's services.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Least {
    /// From nothing to running.
    pub start: f64,
    /// From nothing to healthy.
    pub up: f64,
    /// From running to gone.
    pub down: f64,
}

impl Least {
    /// The new copies of one batch, and then the old ones' end.
    pub fn batch(self) -> f64 {
        self.up + self.down
    }

    /// What these engines need, all at once, until the last is done; one that is named twice makes two.
    pub fn measure(sockets: &[String], image: &str) -> Self {
        let threads: Vec<_> = sockets
            .iter()
            .map(|socket| {
                let (socket, image) = (socket.clone(), image.to_owned());
                std::thread::spawn(move || one(&socket, &image))
            })
            .collect();
        let all: Vec<Self> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let last = |of: fn(&Self) -> f64| all.iter().map(of).fold(0.0, f64::max);
        Self { start: last(|one| one.start), up: last(|one| one.up), down: last(|one| one.down) }
    }
}

fn one(socket: &str, image: &str) -> Least {
    let second = 1_000_000_000_u64;
    let began = Instant::now();
    let made = ask(
        socket,
        "POST",
        "/containers/create",
        &json!({
            "Image": image,
            "ExposedPorts": { "8080/tcp": {} },
            "HostConfig": { "PortBindings": { "8080/tcp": [{}] } },
            "Healthcheck": {
                "Test": ["CMD", "/app", "healthcheck"], "Interval": second, "Timeout": 2 * second, "Retries": 2,
            },
        }),
    );
    let id = made["Id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    ask(socket, "POST", &format!("/containers/{id}/start"), &Value::Null);
    let start = began.elapsed().as_secs_f64();
    let is_healthy = || {
        let told = ask(socket, "GET", &format!("/containers/{id}/json"), &Value::Null);
        told["State"]["Health"]["Status"] == "healthy"
    };
    while !is_healthy() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not get healthy");
        std::thread::sleep(Duration::from_millis(20));
    }
    let up = began.elapsed().as_secs_f64();
    let began = Instant::now();
    ask(socket, "POST", &format!("/containers/{id}/stop"), &Value::Null);
    ask(socket, "DELETE", &format!("/containers/{id}"), &Value::Null);
    Least { start, up, down: began.elapsed().as_secs_f64() }
}

/// One request to an engine; null where it has nothing to say.
fn ask(socket: &str, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head =
        format!("{method} /v1.41{path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
    write!(stream, "{head}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 20"), "{method} {path}: {answer}");
    serde_json::from_str(body).unwrap_or(Value::Null)
}
