//! The file as text, and what is refused. The golden file is also read by HAProxy itself.

use std::{collections::BTreeMap, time::Duration};

use super::super::config::{Layout, certificates, text};
use crate::model::{
    Backend, Bind, Duty, Frontend, Members, ProxySpec, ProxyStructure, Route, Sensitive, Server, Speech,
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tables/entry/haproxy.cfg");

fn layout() -> Layout {
    Layout::container()
}

fn backend(speech: Speech) -> Backend {
    Backend {
        speech,
        check_path: None,
        check_port: None,
        check_interval: Duration::from_secs(2),
        check_timeout: Duration::from_secs(1),
        hold: Duration::ZERO,
        send_proxy: false,
    }
}

fn route(host: Option<&str>, path: Option<&str>, backend: &str) -> Route {
    Route { host: host.map(Into::into), path: path.map(Into::into), backend: backend.into() }
}

fn server(address: &str, port: u16, is_ready: bool) -> Server {
    let duty = if is_ready { Duty::Serving } else { Duty::Leaving };
    Server { address: address.into(), port, check_port: None, duty }
}

/// One of everything.
fn spec() -> ProxySpec {
    let frontend = |bind, speech, routes| Frontend { bind, speech, certificates: vec![], accept_proxy: false, routes };
    let shop = vec![
        route(Some("*.example.com"), None, "shop:web:8080"),
        route(Some("shop.example.com"), Some("/api"), "shop:api:80"),
        route(Some("shop.example.com"), None, "shop:web:8080"),
    ];
    let mut secure = frontend(Bind::Edge { port: 443 }, Speech::Http, shop.clone());
    secure.certificates = vec!["shop".into(), "other".into()];
    secure.accept_proxy = true;
    let link = |last, port, speech, backend: &str| {
        let bind = Bind::Link { address: [10, 211, 0, last].into(), port };
        frontend(bind, speech, vec![route(None, None, backend)])
    };
    let api =
        Backend { check_path: Some("/healthz?full=1".into()), hold: Duration::from_secs(30), ..backend(Speech::Http) };
    let db = Backend { send_proxy: true, ..backend(Speech::Tcp) };
    let members = |servers: &[(&str, Server)], is_held| Members {
        servers: servers.iter().map(|(name, server)| (name.parse().unwrap(), server.clone())).collect(),
        is_held,
    };
    let mut checked = server("10.1.0.12", 32770, true);
    checked.check_port = Some(32771);
    ProxySpec {
        image: "haproxy:3.2-alpine".into(),
        structure: ProxyStructure {
            pool: "10.211.0.0/16".into(),
            frontends: vec![
                frontend(Bind::Edge { port: 80 }, Speech::Http, shop),
                secure,
                link(7, 80, Speech::Http, "shop:api:80"),
                link(8, 5432, Speech::Tcp, "shop:db:5432"),
            ],
            backends: BTreeMap::from([
                ("shop:web:8080".into(), backend(Speech::Http)),
                ("shop:api:80".into(), api),
                ("shop:db:5432".into(), db),
            ]),
            certificates: BTreeMap::from([("shop".into(), "00aa".into()), ("other".into(), "11bb".into())]),
        },
        members: BTreeMap::from([
            (
                "shop:web:8080".parse().unwrap(),
                members(
                    &[
                        ("1-r3-0123456789ab", server("10.1.0.11", 32768, true)),
                        ("2-r2-aaaaaaaaaaaa", server("10.1.0.12", 32769, false)),
                        ("2-r3-bbbbbbbbbbbb", server("fd00::12", 32769, true)),
                    ],
                    false,
                ),
            ),
            ("shop:api:80".parse().unwrap(), members(&[], true)),
            ("shop:db:5432".parse().unwrap(), members(&[("1-r1-cccccccccccc", checked)], false)),
        ]),
        certificates: BTreeMap::from([
            ("shop".into(), Sensitive("pem 1".into())),
            ("other".into(), Sensitive("pem 2".into())),
        ]),
        unseen: std::collections::BTreeSet::new(),
    }
}

#[test]
fn the_file_is_as_it_was() {
    let text = text(&spec(), &layout()).unwrap();
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(text == golden, "{GOLDEN} is other than this (UPDATE_TABLES=1 writes it):\n{text}");
}

#[test]
fn haproxy_takes_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let layout = Layout { etc: path(""), run: path(""), user: None };
    let mut spec = spec();
    for (name, digest) in &spec.structure.certificates {
        let made = rcgen::generate_simple_self_signed(vec![format!("{name}.example.com")]).unwrap();
        let pem = made.cert.pem() + &made.signing_key.serialize_pem();
        std::fs::write(path(&format!("{digest}.pem")), pem).unwrap();
    }
    // Every kind of route and check that is let through.
    let odd = ["/a}b{c$HOME", "/%20;|&", "/~user/", "/é".trim_end_matches('é'), "/a.b-c_d,e=f:g@h!i*j(k)"];
    for path in odd {
        spec.structure.frontends[0].routes.push(route(Some("A-b.x_y.example"), Some(path), "shop:web:8080"));
    }
    spec.structure.backends.get_mut("shop:web:8080").unwrap().check_path = Some("/x?a=%20&b={c}$d;e".into());
    std::fs::write(layout.config(), text(&spec, &layout).unwrap()).unwrap();
    let done = std::process::Command::new("haproxy").args(["-c", "-f", &layout.config()]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    // What HAProxy only warns of is a mistake as well, but for the state of servers that are not there yet.
    let odd: Vec<&str> = said.lines().filter(|l| l.contains("[WARNING]") && !l.contains("server state file")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn what_cannot_be_written_is_refused_with_words() {
    type Change = fn(&mut ProxySpec);
    let cases: [(&str, Change); 7] = [
        ("is no path", |spec| spec.structure.frontends[0].routes[1].path = Some("/'\n bind *:1".into())),
        ("is no host name", |spec| spec.structure.frontends[0].routes[1].host = Some("a b".into())),
        ("is no path", |spec| {
            spec.structure.backends.get_mut("shop:api:80").unwrap().check_path = Some("/a b".into());
        }),
        ("is no backend", |spec| spec.structure.frontends[0].routes[0].backend = "shop:gone:80".into()),
        ("is no name of a backend", |spec| {
            let backend = spec.structure.backends["shop:api:80"].clone();
            spec.structure.backends.insert("x\n  server y 1.2.3.4:5".into(), backend);
        }),
        ("has no digest", |spec| spec.structure.certificates.clear()),
        ("has no digest", |spec| {
            spec.structure.certificates.insert("shop".into(), "../../etc/passwd".into());
        }),
    ];
    for (words, change) in cases {
        let mut spec = spec();
        change(&mut spec);
        let refused = text(&spec, &layout()).unwrap_err();
        assert!(refused.0.contains(words), "{words}: {refused}");
    }
    let mut spec = spec();
    spec.certificates.clear();
    assert!(certificates(&spec, &layout()).unwrap_err().0.contains("has no content"));
}

#[test]
fn certificates_are_files_by_their_digest() {
    let files = certificates(&spec(), &layout()).unwrap();
    let found: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.reveal())).collect();
    assert_eq!(found, [("/etc/wharf/00aa.pem", "pem 1"), ("/etc/wharf/11bb.pem", "pem 2")]);
}
