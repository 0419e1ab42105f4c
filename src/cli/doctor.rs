//! `wharf doctor`: checks each host and says how to mend what is wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use futures::{StreamExt, stream};

use super::{Context, Failure, args::OutputArgs, care, json::Finding, print};
use crate::{
    engine::{self, MIN_API, Reader},
    model::{Connect, Host, HostFacts, HostName, Kept, Region, Ssh},
    text,
};

/// Hosts checked at once: each may start an `ssh`.
const AT_ONCE: usize = 16;

/// A clock that is off by more makes times in lists wrong and certificates fail.
const CLOCK_OFF_MS: i64 = 2_000;

/// Less free space than this, and the next pull may fail.
const LITTLE_SPACE: u64 = 2 << 30;

/// Everything about one host must be known by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// Checks all hosts at once, prints in the order of the fleet file, and fails when a check failed.
pub(super) async fn run(context: Context, output: OutputArgs) -> Result<ExitCode, Failure> {
    let hosts: Vec<(&Region, &Host)> = context.fleet.hosts().collect();
    let addresses = shared_addresses(&hosts);
    let checked: Vec<Vec<Finding>> = stream::iter(&hosts)
        .map(|(region, host)| check(&context, region, host, &addresses))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut findings: Vec<Finding> = checked.into_iter().flatten().collect();
    let reached = findings.iter().any(|finding| finding.check == "reach" && finding.verdict == "ok");
    findings.extend(care::files(&context.fleet));
    findings.extend(care::sound(&context.fleet));
    let heading = format!("fleet {} from {}", context.fleet.name, context.fleet.origin);
    if reached {
        findings.extend(care::astray(context).await);
    }
    let failed = findings.iter().filter(|finding| finding.verdict == "failed").count();
    if output.json {
        print::json(&findings);
    } else {
        show(&heading, &findings);
    }
    match (failed, reached) {
        (0, _) => Ok(ExitCode::SUCCESS),
        (_, false) => Err(Failure::Unreachable("no host can be reached".into())),
        (n, true) => Err(Failure::Failed(format!("{n} checks failed"))),
    }
}

fn show(heading: &str, findings: &[Finding]) {
    print::line(heading);
    let mut last = "";
    for finding in findings {
        if finding.host != last {
            print::line(&format!("\n{}", finding.host));
            last = &finding.host;
        }
        let glyph = match finding.verdict {
            "ok" => "●",
            "warning" => "!",
            _ => "✗",
        };
        print::line(&format!("  {glyph} {}  {}", text::pad_right(finding.check, 8), finding.what));
        if !finding.mend.is_empty() {
            print::line(&format!("             mend: {}", finding.mend));
        }
    }
}

/// Addresses that several hosts claim: traffic for one would reach the other.
fn shared_addresses(hosts: &[(&Region, &Host)]) -> BTreeSet<String> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for address in hosts.iter().filter_map(|(_, host)| host.address.as_deref()) {
        *count.entry(address).or_default() += 1;
    }
    count.into_iter().filter(|(_, n)| *n > 1).map(|(address, _)| address.to_owned()).collect()
}

async fn check(context: &Context, region: &Region, host: &Host, shared: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let opened = tokio::time::timeout(PATIENCE, engine::open_reader(&context.fleet.name, host)).await;
    match opened {
        Err(_) => findings.push(host_finding(
            &host.name,
            "reach",
            "failed",
            format!("{} accepts and does not answer within {}", host.connect, text::duration(PATIENCE)),
            "look at the engine on the host: is dockerd hung? (systemctl status docker)".into(),
        )),
        // The error has its own advice in it.
        Ok(Err(error)) => {
            findings.push(host_finding(&host.name, "reach", "failed", error.to_string(), String::new()));
        }
        Ok(Ok(reader)) => match tokio::time::timeout(PATIENCE, inside(host, &reader)).await {
            Ok(more) => findings.extend(more),
            Err(_) => findings.push(host_finding(
                &host.name,
                "reach",
                "failed",
                format!("the engine answers some calls, but not all within {}", text::duration(PATIENCE)),
                "look at the engine's log and at the load of the host".into(),
            )),
        },
    }
    findings.push(address(region, host, shared));
    findings
}

/// What a host that answers says of itself.
async fn inside(host: &Host, reader: &Reader) -> Vec<Finding> {
    let finding =
        |check, verdict, what: String, mend: &str| host_finding(&host.name, check, verdict, what, mend.into());
    let mut findings = Vec::new();
    let began = std::time::Instant::now();
    let facts: HostFacts = match reader.facts().await {
        Ok(facts) => facts,
        Err(error) => return vec![finding("reach", "failed", error.to_string(), "")],
    };
    let took = text::duration(began.elapsed());
    findings.push(finding("reach", "ok", format!("{} answers in {took}", host.connect), ""));
    findings.push(finding(
        "api",
        "ok",
        format!(
            "engine {}, API {} (wharf needs 1.{MIN_API} or newer), {} {}",
            facts.engine, facts.api, facts.os_name, facts.arch
        ),
        "",
    ));
    let off = facts.clock_skew_ms;
    let clock = if off.abs() > CLOCK_OFF_MS { "warning" } else { "ok" };
    findings.push(finding(
        "clock",
        clock,
        format!("{off:+} ms against this machine"),
        if clock == "ok" { "" } else { "let both keep time by NTP (timedatectl set-ntp true)" },
    ));
    findings.push(disk(host, reader).await);
    findings
}

/// What the engine's data takes, and how much is free where that can be told.
async fn disk(host: &Host, reader: &Reader) -> Finding {
    let used = async { reader.counted(reader.storage().await?).await };
    let used = match used.await {
        Ok(used) => used,
        Err(error) => return host_finding(&host.name, "disk", "failed", error.to_string(), String::new()),
    };
    let uses = format!(
        "images {}, containers {}, volumes {}",
        text::bytes(used.layers.unwrap_or(0)),
        text::bytes(used.sum(Kept::Files)),
        text::bytes(used.sum(Kept::Volume))
    );
    let root = reader.root_dir().await.unwrap_or_else(|_| "/var/lib/docker".into());
    match free_space(&host.connect, root.as_str()).await {
        Some(free) if free < LITTLE_SPACE => host_finding(
            &host.name,
            "disk",
            "warning",
            format!("{uses}; only {} free in {root}", text::bytes(free)),
            format!("make room: `wharf prune {} --dry-run` shows what nothing needs there", host.name),
        ),
        Some(free) => host_finding(
            &host.name,
            "disk",
            "ok",
            format!("{uses}; {} free in {root}", text::bytes(free)),
            String::new(),
        ),
        None => host_finding(
            &host.name,
            "disk",
            "ok",
            format!("{uses}; free space is not known over {}", kind(&host.connect)),
            String::new(),
        ),
    }
}

fn kind(connect: &Connect) -> &'static str {
    match connect {
        Connect::Unix(_) => "a socket",
        Connect::Ssh(_) => "ssh",
        Connect::Tcp { .. } => "tcp",
    }
}

/// Free bytes of the engine's directory: seen directly on this machine, by `df` over ssh. The Docker API does not tell.
async fn free_space(connect: &Connect, root: &str) -> Option<u64> {
    match connect {
        Connect::Unix(_) => {
            let stat = rustix::fs::statvfs(Path::new(root)).ok()?;
            Some(stat.f_bavail * stat.f_frsize)
        }
        Connect::Ssh(ssh) => df(ssh, root).await,
        Connect::Tcp { .. } => None,
    }
}

async fn df(ssh: &Ssh, root: &str) -> Option<u64> {
    let mut command = tokio::process::Command::new("ssh");
    command.args(["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=8"]);
    if let Some(config) = &ssh.config {
        command.arg("-F").arg(config);
    }
    if let Some(user) = &ssh.user {
        command.args(["-l", user]);
    }
    if let Some(port) = ssh.port {
        command.args(["-p", &port.to_string()]);
    }
    let line = shell_words::join(["df", "-Pk", root]);
    command.arg("--").arg(&ssh.host).arg(line).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let out = command.output().await.ok()?;
    // Second line, fourth column (POSIX): available blocks of 1024 bytes.
    let text = String::from_utf8(out.stdout).ok()?;
    let blocks: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(blocks * 1024)
}

/// Whether the region's other hosts have an address for this one.
fn address(region: &Region, host: &Host, shared: &BTreeSet<String>) -> Finding {
    let alone = region.hosts.len() == 1;
    let finding = |verdict, what: String, mend: &str| host_finding(&host.name, "address", verdict, what, mend.into());
    let mend = "set `address` in the fleet file to the host's private address";
    match host.address.as_deref() {
        None if alone => finding("ok", "none needed: it is the region's only host".into(), ""),
        None => finding("warning", "none: other hosts of the region cannot reach its replicas".into(), mend),
        Some(address) if shared.contains(address) => {
            finding("failed", format!("{address} is the address of another host too"), mend)
        }
        Some(address)
            if !alone && address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified()) =>
        {
            finding("failed", format!("{address} is not an address that other hosts can reach"), mend)
        }
        Some(address) => finding("ok", format!("{address} for the region's other hosts"), ""),
    }
}

fn host_finding(host: &HostName, check: &'static str, verdict: &'static str, what: String, mend: String) -> Finding {
    Finding { host: host.to_string(), check, verdict, what, mend }
}
