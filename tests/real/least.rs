//! What a change takes at the least: the same engines asked by hand, under the same load.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::by_hand;

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

    /// What these engines need, all at once, until the last is done; one that is named twice makes two. Each with the network
    /// that the container joins there: a stack's own costs an engine more than its default one.
    pub fn measure(places: &[(String, String)], image: &str) -> Self {
        let threads: Vec<_> = places
            .iter()
            .map(|(socket, network)| {
                let (socket, network, image) = (socket.clone(), network.clone(), image.to_owned());
                std::thread::spawn(move || one(&socket, &network, &image))
            })
            .collect();
        let all: Vec<Self> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let last = |of: fn(&Self) -> f64| all.iter().map(of).fold(0.0, f64::max);
        Self { start: last(|one| one.start), up: last(|one| one.up), down: last(|one| one.down) }
    }
}

fn one(socket: &str, network: &str, image: &str) -> Least {
    let ask = |method: &str, path: &str, body: &Value| {
        by_hand::ask(socket, method, path, body, Duration::from_secs(30)).unwrap()
    };
    let second = 1_000_000_000_u64;
    let began = Instant::now();
    let made = ask(
        "POST",
        "/containers/create",
        &json!({
            "Image": image,
            "ExposedPorts": { "8080/tcp": {} },
            "HostConfig": {
                "NetworkMode": network, "PortBindings": { "8080/tcp": [{}] },
                "RestartPolicy": { "Name": "unless-stopped" },
            },
            "Healthcheck": {
                "Test": ["CMD", "/app", "healthcheck"], "Interval": second, "Timeout": 2 * second, "Retries": 2,
            },
        }),
    );
    let id = made["Id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    ask("POST", &format!("/containers/{id}/start"), &Value::Null);
    let start = began.elapsed().as_secs_f64();
    let is_healthy = || {
        let told = ask("GET", &format!("/containers/{id}/json"), &Value::Null);
        told["State"]["Health"]["Status"] == "healthy"
    };
    while !is_healthy() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not get healthy");
        std::thread::sleep(Duration::from_millis(20));
    }
    let up = began.elapsed().as_secs_f64();
    let began = Instant::now();
    ask("POST", &format!("/containers/{id}/stop"), &Value::Null);
    ask("DELETE", &format!("/containers/{id}"), &Value::Null);
    Least { start, up, down: began.elapsed().as_secs_f64() }
}
