//! The lines of an HAProxy configuration that a simulated proxy goes by. It takes others as they are.

use std::time::Duration;

/// What a configuration says, as far as the simulator cares.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Config {
    pub(super) description: String,
    /// The port of its `stats socket`.
    pub(super) stats_port: Option<u16>,
    /// The file with the state of servers that it starts from.
    pub(super) state_file: Option<String>,
    pub(super) frontends: Vec<FrontendLines>,
    pub(super) backends: Vec<BackendLines>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FrontendLines {
    pub(super) name: String,
    /// Its place among all proxies of the file.
    pub(super) id: u32,
    pub(super) is_http: bool,
    /// It listens on all addresses of the host.
    pub(super) is_edge: bool,
    /// The backends that it leads to; none when a map decides, which is any of them.
    pub(super) backends: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct BackendLines {
    pub(super) name: String,
    pub(super) id: u32,
    pub(super) is_http: bool,
    pub(super) retries: u32,
    /// Its checks ask for a page: what listens and is not healthy does not pass.
    pub(super) asks_page: bool,
    /// What its servers' checks are like without other words.
    pub(super) check: CheckLine,
    pub(super) servers: Vec<ServerLine>,
}

/// A server as a line of the file or an `add server` command describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ServerLine {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) is_disabled: bool,
    /// Failed connections count as failed checks.
    pub(super) observes: bool,
    /// Its `srv_admin_state` as an earlier process left it.
    pub(super) state: Option<u32>,
    pub(super) check: Option<CheckLine>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CheckLine {
    pub(super) interval: Duration,
    /// In doubt it is checked so often.
    pub(super) fast: Option<Duration>,
    /// Down, so often.
    pub(super) down: Option<Duration>,
    pub(super) fall: u32,
    pub(super) rise: u32,
}

impl Default for CheckLine {
    fn default() -> Self {
        Self { interval: Duration::from_secs(2), fast: None, down: None, fall: 3, rise: 2 }
    }
}

impl CheckLine {
    /// How long it takes, after a change, until a first check sees it, and until the last one that is needed does.
    pub(super) fn delays(&self, is_up: bool) -> (f64, f64) {
        let (first, rounds) =
            if is_up { (self.interval, self.fall) } else { (self.down.unwrap_or(self.interval), self.rise) };
        let next = self.fast.unwrap_or(first) * rounds.saturating_sub(1);
        (first.as_secs_f64(), (first + next).as_secs_f64())
    }
}

/// Why a file is refused: the number of a line, and words.
pub(in super::super) type Wrong = (usize, String);

#[derive(Clone, Copy, PartialEq)]
enum Section {
    Global,
    Defaults,
    Frontend,
    Backend,
    Other,
}

/// What `defaults` sections set.
#[derive(Clone, Copy)]
struct Defaults {
    is_http: bool,
    retries: u32,
    asks_page: bool,
    check: CheckLine,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { is_http: false, retries: 3, asks_page: false, check: CheckLine::default() }
    }
}

/// Reads a configuration, or says what is wrong with it in HAProxy's words.
pub(in super::super) fn parse(text: &str) -> Result<Config, Wrong> {
    let mut config = Config::default();
    let mut section = Section::Other;
    let mut defaults: Vec<(String, Defaults)> = Vec::new();
    let mut next_id = 2;
    for (line, number) in text.lines().zip(1..) {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let [first, rest @ ..] = words.as_slice() else { continue };
        let name = rest.first().copied().unwrap_or_default();
        match *first {
            "global" => section = Section::Global,
            "defaults" => {
                section = Section::Defaults;
                defaults.push((name.to_owned(), Defaults::default()));
            }
            "frontend" | "listen" => {
                section = Section::Frontend;
                let is_http = of(&defaults, rest).is_http;
                config.frontends.push(FrontendLines {
                    name: name.to_owned(),
                    id: next_id,
                    is_http,
                    ..Default::default()
                });
                next_id += 1;
            }
            "backend" => {
                section = Section::Backend;
                let Defaults { is_http, retries, asks_page, check } = of(&defaults, rest);
                let (name, servers) = (name.to_owned(), Vec::new());
                config.backends.push(BackendLines { name, id: next_id, is_http, retries, asks_page, check, servers });
                next_id += 1;
            }
            "userlist" | "peers" | "resolvers" | "mailers" | "cache" | "program" | "ring" => section = Section::Other,
            keyword => match section {
                Section::Global => global(&mut config, keyword, rest),
                Section::Defaults => default(defaults.last_mut().map(|(_, it)| it), keyword, rest),
                Section::Frontend => frontend(config.frontends.last_mut(), keyword, rest),
                Section::Backend => {
                    backend(config.backends.last_mut(), keyword, rest).map_err(|why| (number, why))?;
                }
                Section::Other => {}
            },
        }
    }
    for frontend in &config.frontends {
        for wanted in &frontend.backends {
            if !config.backends.iter().any(|backend| backend.name == *wanted) {
                let why = format!("Proxy '{}': unable to find required use_backend: '{wanted}'.", frontend.name);
                return Err((0, why));
            }
        }
    }
    Ok(config)
}

/// The defaults of a section with these words behind its keyword: those that it names, or the last ones.
fn of(all: &[(String, Defaults)], words: &[&str]) -> Defaults {
    let named = match words {
        [_, "from", name, ..] => all.iter().rev().find(|(known, _)| known == name),
        _ => all.last(),
    };
    named.map(|(_, defaults)| *defaults).unwrap_or_default()
}

/// The words of a line, without its comment. Quotes are taken off as HAProxy does.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (None, '\'' | '"') => (quote, begun) = (Some(c), true),
            (None | Some('"'), '\\') => word.extend(chars.next()),
            (None, '#') => break,
            (None, c) if c.is_whitespace() => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            _ => word.push(c),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

fn global(config: &mut Config, keyword: &str, rest: &[&str]) {
    match (keyword, rest) {
        ("description", words) => config.description = words.join(" "),
        ("server-state-file", [file, ..]) => config.state_file = Some((*file).to_owned()),
        ("stats", ["socket", address, ..]) => {
            config.stats_port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        }
        _ => {}
    }
}

fn default(defaults: Option<&mut Defaults>, keyword: &str, rest: &[&str]) {
    let Some(defaults) = defaults else { return };
    match (keyword, rest) {
        ("mode", [mode, ..]) => defaults.is_http = *mode == "http",
        ("retries", [number, ..]) => defaults.retries = number.parse().unwrap_or(3),
        ("option", ["httpchk", ..]) => defaults.asks_page = true,
        ("default-server", options) => check(&mut defaults.check, options),
        _ => {}
    }
}

fn frontend(frontend: Option<&mut FrontendLines>, keyword: &str, rest: &[&str]) {
    let Some(frontend) = frontend else { return };
    match (keyword, rest) {
        ("mode", [mode, ..]) => frontend.is_http = *mode == "http",
        ("bind", [address, ..]) => {
            let host = address.rsplit_once(':').map_or("", |(host, _)| host);
            let host = host.trim_start_matches("ipv4@").trim_start_matches("ipv6@");
            frontend.is_edge |= matches!(host, "" | "*" | "0.0.0.0" | "::" | "[::]");
        }
        ("use_backend" | "default_backend", [name, ..]) if !name.contains("%[") => {
            frontend.backends.push((*name).to_owned());
        }
        _ => {}
    }
}

fn backend(backend: Option<&mut BackendLines>, keyword: &str, rest: &[&str]) -> Result<(), String> {
    let Some(backend) = backend else { return Ok(()) };
    match (keyword, rest) {
        ("mode", [mode, ..]) => backend.is_http = *mode == "http",
        ("retries", [number, ..]) => backend.retries = number.parse().unwrap_or(3),
        ("option", ["httpchk", ..]) => backend.asks_page = true,
        ("default-server", options) => check(&mut backend.check, options),
        ("server", [name, address, options @ ..]) => {
            if backend.servers.iter().any(|server| server.name == *name) {
                return Err(format!("'server {name}' : another server with the same name exists"));
            }
            backend.servers.push(ServerLine::read(name, address, options, backend.check)?);
        }
        ("server", _) => return Err("'server' expects <name> and <addr>[:<port>] as arguments.".to_owned()),
        _ => {}
    }
    Ok(())
}

/// Options of servers that the simulator knows to be followed by a word.
const WITH_WORD: [&str; 23] = [
    "error-limit",
    "inter",
    "fastinter",
    "downinter",
    "fall",
    "rise",
    "weight",
    "maxconn",
    "maxqueue",
    "minconn",
    "port",
    "addr",
    "slowstart",
    "proto",
    "check-proto",
    "on-marked-down",
    "on-marked-up",
    "on-error",
    "observe",
    "pool-max-conn",
    "pool-purge-delay",
    "id",
    "init-addr",
];
/// Options that stand alone.
const ALONE: [&str; 16] = [
    "check",
    "no-check",
    "disabled",
    "enabled",
    "backup",
    "send-proxy",
    "send-proxy-v2",
    "check-send-proxy",
    "ssl",
    "non-stick",
    "tfo",
    "stick",
    "allow-0rtt",
    "check-ssl",
    "no-send-proxy",
    "no-check-send-proxy",
];

impl ServerLine {
    /// Reads what follows `server` or `add server`.
    pub(super) fn read(name: &str, address: &str, options: &[&str], base: CheckLine) -> Result<Self, String> {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
        let port = port.parse().map_err(|_| format!("'server {name}' : invalid port in '{address}'"))?;
        let mut words = options.iter();
        while let Some(word) = words.next() {
            if WITH_WORD.contains(word) {
                words.next();
            } else if !ALONE.contains(word) {
                return Err(format!("unknown keyword '{word}'."));
            }
        }
        let mut times = base;
        check(&mut times, options);
        Ok(Self {
            name: name.to_owned(),
            address: host.trim_start_matches("ipv4@").to_owned(),
            port,
            is_disabled: options.contains(&"disabled"),
            observes: options.contains(&"observe"),
            state: None,
            check: options.contains(&"check").then_some(times),
        })
    }
}

/// Times of checks out of a server's options.
fn check(check: &mut CheckLine, options: &[&str]) {
    for pair in options.windows(2) {
        match pair {
            ["inter", time] => check.interval = span(time).unwrap_or(check.interval),
            ["fastinter", time] => check.fast = span(time),
            ["downinter", time] => check.down = span(time),
            ["fall", number] => check.fall = number.parse().unwrap_or(check.fall),
            ["rise", number] => check.rise = number.parse().unwrap_or(check.rise),
            _ => {}
        }
    }
}

/// `500`, `500ms`, `2s`, `1m`.
fn span(text: &str) -> Option<Duration> {
    let (number, unit) =
        text.find(|c: char| c.is_ascii_alphabetic()).and_then(|at| text.split_at_checked(at)).unwrap_or((text, "ms"));
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 3600),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "global\n description 0123 # digest\n stats socket ipv4@127.0.0.1:9999 level admin\n\
        defaults web\n mode http\n retries 10\n\
        defaults flow\n mode tcp\n\
        frontend edge from web\n bind :80\n use_backend shop:web:80 if { path_beg \"/a b\" }\n\
        frontend link from flow\n bind 10.211.0.7:5432\n default_backend shop:db:5432\n\
        backend shop:web:80 from web\n option httpchk\n default-server inter 500 fall 2\n server hold 127.0.0.1:1 disabled\n\
        server 1-r1-ab 10.1.0.11:32768 check rise 1\n\
        backend shop:db:5432 from flow\n";

    #[test]
    fn what_it_goes_by() {
        let config = parse(TEXT).unwrap();
        assert_eq!((config.description.as_str(), config.stats_port), ("0123", Some(9999)));
        assert_eq!(
            config.frontends.iter().map(|it| (it.is_edge, it.is_http)).collect::<Vec<_>>(),
            [(true, true), (false, false)]
        );
        let [web, db] = config.backends.as_slice() else { panic!("{config:?}") };
        assert_eq!((web.id, web.is_http, web.retries, db.is_http), (4, true, 10, false));
        assert!(web.servers[0].is_disabled && web.servers[0].check.is_none());
        let check = CheckLine { interval: Duration::from_millis(500), fall: 2, rise: 1, ..CheckLine::default() };
        assert_eq!((web.servers[1].address.as_str(), web.servers[1].port), ("10.1.0.11", 32_768));
        assert_eq!(web.servers[1].check, Some(check));
    }

    #[test]
    fn what_it_refuses() {
        assert_eq!(parse("backend a\n server x\n").unwrap_err().0, 2);
        assert_eq!(parse("backend a\n server x 1.2.3.4:5 bogus\n").unwrap_err().1, "unknown keyword 'bogus'.");
        assert!(parse("frontend f\n default_backend nowhere\n").is_err());
    }
}
