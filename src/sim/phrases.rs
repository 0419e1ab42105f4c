//! What simulated services write to their logs.

use super::kind::Kind;
use super::num;
use super::script::pick;

/// Line number `n` of a container: whether it goes to standard error, and its text.
pub(super) fn line(kind: Kind, seed: u64, n: u64) -> (bool, String) {
    let h = num::mix(seed ^ num::mix(n));
    let number = |salt: u64, below: u64| num::mix(h ^ salt) % below;
    match kind {
        Kind::Web => web(h, &number),
        Kind::Api => api(h, &number),
        Kind::Worker => worker(h, n, &number),
        Kind::Database => database(h, &number),
        Kind::Cache => {
            let saved = [
                "DB saved on disk",
                "Background saving terminated with success",
                "1 changes in 3600 seconds. Saving...",
            ];
            (false, format!("1:M * {}", pick(h, &saved).unwrap_or("ready")))
        }
    }
}

fn web(h: u64, number: &dyn Fn(u64, u64) -> u64) -> (bool, String) {
    const PATHS: [&str; 8] = [
        "/",
        "/products",
        "/products/4711",
        "/cart",
        "/static/app.js",
        "/static/site.css",
        "/search?q=boots",
        "/healthz",
    ];
    const AGENTS: [&str; 3] =
        ["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1)", "curl/8.9.1"];
    let status = match number(1, 100) {
        0..93 => 200,
        93..97 => 304,
        97..99 => 404,
        _ => 502,
    };
    let path = pick(h, &PATHS).unwrap_or("/");
    let agent = pick(h ^ 3, &AGENTS).unwrap_or("-");
    let client = format!("10.{}.{}.{}", number(4, 200), number(5, 255), number(6, 254) + 1);
    (
        status == 502,
        format!("{client} \"GET {path} HTTP/1.1\" {status} {} {}ms \"{agent}\"", number(7, 48_000), 1 + number(8, 120)),
    )
}

fn api(h: u64, number: &dyn Fn(u64, u64) -> u64) -> (bool, String) {
    const ROUTES: [&str; 6] = [
        "POST /v1/orders",
        "GET /v1/orders/:id",
        "GET /v1/stock",
        "POST /v1/payments",
        "GET /v1/users/me",
        "GET /healthz",
    ];
    let route = pick(h, &ROUTES).unwrap_or("GET /");
    let trace = format!("{:08x}", number(9, u64::from(u32::MAX)));
    match number(1, 200) {
        0 => (true, format!("level=error msg=\"upstream timed out\" route=\"{route}\" after=5s trace={trace}")),
        1..5 => (
            true,
            format!(
                "level=warn msg=\"slow request\" route=\"{route}\" took={}ms trace={trace}",
                800 + number(2, 2_000)
            ),
        ),
        _ => (false, format!("level=info route=\"{route}\" status=200 took={}ms trace={trace}", 2 + number(2, 90))),
    }
}

fn worker(h: u64, n: u64, number: &dyn Fn(u64, u64) -> u64) -> (bool, String) {
    const JOBS: [&str; 5] = ["resize-image", "send-mail", "rebuild-index", "sync-stock", "settle-batch"];
    let (job, id) = (pick(h, &JOBS).unwrap_or("job"), 100_000 + n);
    match number(1, 60) {
        0 => (true, format!("\x1b[33mWARN\x1b[0m  {job} #{id} failed, try 1 of 5: connection reset by peer")),
        1..20 => (false, format!("\x1b[32mINFO\x1b[0m  {job} #{id} started")),
        _ => (
            false,
            format!(
                "\x1b[32mINFO\x1b[0m  {job} #{id} done in {:.1} s, {} waiting",
                0.1 + number(2, 80) as f64 / 10.0,
                number(3, 40)
            ),
        ),
    }
}

fn database(h: u64, number: &dyn Fn(u64, u64) -> u64) -> (bool, String) {
    let text = match h % 4 {
        0 => {
            format!("LOG:  checkpoint complete: wrote {} buffers ({:.1}%)", number(1, 900), number(2, 60) as f64 / 10.0)
        }
        1 => format!("LOG:  automatic vacuum of table \"app.orders\": removed {} rows", number(1, 4_000)),
        2 => format!(
            "LOG:  duration: {}.{:03} ms  statement: UPDATE stock SET n = n - 1 WHERE sku = $1",
            200 + number(1, 900),
            number(2, 1_000)
        ),
        _ => "LOG:  checkpoint starting: time".to_owned(),
    };
    (true, text)
}

/// The first line of a run.
pub(super) fn hello(kind: Kind) -> &'static str {
    match kind {
        Kind::Web => "start worker processes, listening on :80",
        Kind::Api => "level=info msg=\"listening\" addr=:8080",
        Kind::Worker => "INFO  connected to queue, waiting for jobs",
        Kind::Database => "LOG:  database system is ready to accept connections",
        Kind::Cache => "1:M * Ready to accept connections tcp",
    }
}

/// The last line of a run that ended with `code`.
pub(super) fn goodbye(code: i64, oom: bool) -> (bool, String) {
    match (code, oom) {
        (_, true) => (true, "fatal: out of memory while growing heap".to_owned()),
        (0, _) => (false, "stopped".to_owned()),
        (137, _) => (true, "killed".to_owned()),
        (143, _) => (false, "signal 15 received, exiting".to_owned()),
        (code, _) => (true, format!("fatal: cannot go on, exit {code}")),
    }
}
