//! What an entry speaks: names and paths on one port, TLS with a certificate per name, HTTP/2, WebSockets, plain TCP, and
//! who the client is behind the proxies. All of it stays up while what is behind it is replaced.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    stage::{EVERYWHERE, Stage},
    support::certificate,
};

const SECURE: u16 = 18443;
const FLOW: u16 = 18444;
const BEHIND: u16 = 18445;

/// Three services on one port: `a.example`, a path of it, and `b.example`; and one that speaks TCP.
fn text(tag: &str) -> String {
    format!(
        "\
x-web: &web
  healthcheck: {{ test: [\"CMD\", \"/app\", \"healthcheck\"], interval: 1s, timeout: 2s, retries: 2 }}
  deploy: {{ replicas: 2 }}
services:
  front:
    <<: *web
    image: IMAGE:{tag}
    expose: [\"8080\"]
    x-wharf:
      entry:
        - {{ port: {SECURE}, target: 8080, protocol: https, host: a.example, tls: a.pem }}
        - {{ port: {BEHIND}, target: 8080, protocol: http, proxy_protocol: accept }}
      check: {{ path: /healthz, interval: 1s }}
  part:
    <<: *web
    image: IMAGE:3
    expose: [\"8080\"]
    environment: {{ PART: \"yes\" }}
    x-wharf:
      entry: {{ port: {SECURE}, target: 8080, protocol: https, host: a.example, path: /env, tls: a.pem }}
  other:
    <<: *web
    image: IMAGE:3
    expose: [\"8080\"]
    x-wharf:
      entry: {{ port: {SECURE}, target: 8080, protocol: https, host: b.example, tls: b.pem }}
  flow:
    <<: *web
    image: IMAGE:3
    expose: [\"8080\"]
    environment: {{ PROXY_PROTOCOL: \"1\" }}
    x-wharf:
      entry: {{ port: {FLOW}, target: 8080, protocol: tcp, proxy_protocol: send }}
"
    )
}

/// Runs curl against a name on one host's edge.
fn curl(stage: &Stage, host: &str, url: &str, more: &[&str]) -> (bool, String) {
    let address = stage.fleet.world.var(&format!("{}_ADDRESS", host.to_uppercase()));
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "5", url]).args(more);
    for name in ["a.example", "b.example", "c.example"] {
        command.args(["--resolve", &format!("{name}:{SECURE}:{address}")]);
    }
    let out = command.output().unwrap();
    (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

/// Sends a text as it is, and reads to the end; gives why it was refused where it was.
fn raw(address: &str, port: u16, text: &str) -> String {
    let talk = || {
        let mut stream = TcpStream::connect(format!("{address}:{port}"))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(text.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    talk().unwrap_or_else(|error: std::io::Error| error.to_string())
}

#[test]
fn names_paths_and_protocols() {
    let fill = |dir: &std::path::Path| {
        for name in ["a", "b"] {
            let pem = certificate(&format!("{name}.example"), -1, 30);
            fs::write(dir.join(format!("{name}.pem")), pem).unwrap();
        }
    };
    let stage = Stage::with_files("e-all", &text("1"), fill);
    let pem = |name: &str| stage.fleet.dir.path().join(format!("{name}.pem")).to_str().unwrap().to_owned();
    let (a, b) = (pem("a"), pem("b"));
    let at = |name: &str, path: &str| format!("https://{name}.example:{SECURE}{path}");
    for host in EVERYWHERE {
        // Each name shows its own certificate, and no client need look away.
        let (good, page) = curl(&stage, host, &at("a", "/"), &["--cacert", &a]);
        assert!(good && page.starts_with("app 1 on "), "{host}: {page}");
        let (good, page) = curl(&stage, host, &at("b", "/"), &["--cacert", &b]);
        assert!(good && page.starts_with("app 3 on "), "{host}: {page}");
        let (good, page) = curl(&stage, host, &at("b", "/"), &["--cacert", &a]);
        assert!(!good, "{host}: b.example is not for the certificate of a.example: {page}");
        // A path of the first belongs to another service, and nothing that only begins alike.
        let (_, page) = curl(&stage, host, &at("a", "/env"), &["--cacert", &a]);
        assert!(page.contains("PART=yes"), "{host}: {page}");
        let (_, page) = curl(&stage, host, &at("a", "/environment"), &["--cacert", &a]);
        assert!(page.starts_with("no such page"), "{host}: {page}");
        // A name that nobody has.
        let (_, page) = curl(&stage, host, &at("c", "/"), &["-k", "-w", "%{http_code}"]);
        assert!(page.ends_with("404"), "{host}: {page}");
    }

    // HTTP/2, and what the service is told of its client.
    let (_, page) = curl(&stage, "h2", &at("a", "/head"), &["--cacert", &a, "--http2", "-w", "spoken %{http_version}"]);
    let page = page.to_lowercase();
    assert!(page.ends_with("spoken 2"), "{page}");
    assert!(page.contains("x-forwarded-proto: https") && page.contains("host: a.example"), "{page}");
    let client = stage.fleet.world.var("H1_ADDRESS").rsplit_once('.').unwrap().0.to_owned();
    assert!(page.contains(&format!("x-forwarded-for: {client}.1")), "{page}");

    // A WebSocket over TLS is opened.
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let upgrade = ["--cacert", &a, "--http1.1", "-i", "--max-time", "1", "-H", "Connection: Upgrade"];
    let more = ["-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13", "-H", key];
    let (_, page) = curl(&stage, "h1", &at("a", "/ws"), &[&upgrade[..], &more[..]].concat());
    assert!(page.starts_with("HTTP/1.1 101 "), "{page}");

    // What stands before the edge says who the client is; without its word nobody is let in.
    let h3 = stage.fleet.world.var("H3_ADDRESS").to_owned();
    let request = "GET /head HTTP/1.0\r\nHost: x\r\n\r\n";
    let page = raw(&h3, BEHIND, &format!("PROXY TCP4 203.0.113.9 192.0.2.1 5555 80\r\n{request}"));
    assert!(page.to_lowercase().contains("x-forwarded-for: 203.0.113.9"), "{page}");
    let page = raw(&h3, BEHIND, request);
    assert!(!page.contains(" 200 "), "{page}");

    // Plain TCP: the replica is told by the protocol who the client is.
    let page = raw(&h3, FLOW, request);
    assert!(page.contains(&format!("peer {client}.1")), "{page}");

    // All the while the service behind is replaced, over connections that stay and that are new.
    let edges: Vec<_> =
        EVERYWHERE.iter().map(|host| stage.fleet.world.var(&format!("{}_ADDRESS", host.to_uppercase()))).collect();
    let busy: Vec<_> = edges
        .iter()
        .flat_map(|address| ["--http2", "--http1.1"].map(|speech| (address, speech)))
        .map(|(address, speech)| {
            let url = format!("https://a.example:{SECURE}/?[1-400]");
            let resolve = format!("a.example:{SECURE}:{address}");
            let mut command = Command::new("curl");
            command.args(["-sS", "-o", "/dev/null", "--cacert", &a, speech, "--resolve", &resolve, "--rate", "25/s"]);
            command.args(["-w", "%{http_code}\n", &url]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    stage.release(&text("2"));
    for one in busy {
        let out = one.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && told.lines().all(|code| code == "200"), "{out:?}\n{}", stage.told());
        assert_eq!(told.lines().count(), 400);
    }
    let (_, page) = curl(&stage, "h1", &at("a", "/"), &["--cacert", &a]);
    assert!(page.starts_with("app 2 on "), "{page}");
}
