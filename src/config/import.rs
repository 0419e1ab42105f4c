//! `wharf host import`: a fleet file from Docker's contexts.

use std::{collections::BTreeSet, fmt::Write as _};

use toml::{Table, Value};

use super::{Context, load::as_name};
use crate::model::Connect;

/// The region of a new file: that of a fleet of one, so that what already runs there goes on.
const FIRST: &str = "local";

/// The region that hosts come into which are added to an existing file.
const REGION: &str = "imported";

/// The text of a fleet file with the contexts as hosts: a new one, or an existing one with what it lacks added at
/// its end. What the file has, with its comments, stays as it is. Contexts that cannot be used become comments.
pub fn render_import(contexts: &[Context], existing: Option<&str>) -> String {
    let known: Table = existing.and_then(|text| text.parse().ok()).unwrap_or_default();
    let mut names: BTreeSet<String> = hosts(&known).filter_map(|host| text_of(host, "name")).collect();
    let connects: BTreeSet<String> = hosts(&known).filter_map(|host| text_of(host, "connect")).collect();
    let mut added = String::new();
    for context in contexts {
        let connect = match context.connect() {
            Ok(connect) => connect,
            Err(why) => {
                let _ = writeln!(added, "\n# left out: {}", crate::text::Text::new(&why));
                continue;
            }
        };
        if connects.contains(&connect.to_string()) || connects.contains(&format!("context:{}", context.name)) {
            continue;
        }
        let name = free_name(&as_name(&context.name), &names);
        added.push_str(&host(&name, &connect));
        names.insert(name);
    }
    match existing {
        None => format!("{HEAD}{}{added}", region(FIRST)),
        Some(text) if added.is_empty() => text.to_owned(),
        Some(text) => {
            let last = regions(&known).last().and_then(|region| text_of(region, "name"));
            // Tables at the end of the file belong to the region that comes last.
            let region = match last {
                Some(last) if last == REGION => String::new(),
                _ => region(&free_name(REGION, &regions(&known).filter_map(|r| text_of(r, "name")).collect())),
            };
            format!("{}\n{region}{added}", text.trim_end())
        }
    }
}

const HEAD: &str = "\
# Written by `wharf host import` from Docker's contexts. Rename regions and hosts as you like before the first deploy.
fleet = \"local\"                # goes into every label; containers of another fleet are never touched
";

fn region(name: &str) -> String {
    format!("\n[[region]]\nname = {}\n", quote(name))
}

fn host(name: &str, connect: &Connect) -> String {
    let mut out = format!("\n[[region.host]]\nname = {}\nconnect = {}\n", quote(name), quote(&connect.to_string()));
    if let Connect::Ssh(ssh) = connect
        && let Some(socket) = &ssh.socket
    {
        let _ = writeln!(out, "socket = {}", quote(socket));
    }
    if let Connect::Tcp { tls, .. } = connect {
        let tls = tls.as_ref().map(|tls| {
            let mut files = vec![format!("ca = {}", quote(&tls.ca.display().to_string()))];
            if let Some((cert, key)) = &tls.identity {
                files.push(format!("cert = {}", quote(&cert.display().to_string())));
                files.push(format!("key = {}", quote(&key.display().to_string())));
            }
            format!("tls = {{ {} }}", files.join(", "))
        });
        let _ = writeln!(out, "{}", tls.unwrap_or_else(|| "insecure = true".to_owned()));
    }
    out.push_str("# address = \"10.0.0.1\"        # where the region's other hosts reach its published ports\n");
    out
}

fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

fn free_name(wanted: &str, taken: &BTreeSet<String>) -> String {
    let numbered = (2..).map(|n| format!("{wanted}-{n}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default()
}

fn regions(file: &Table) -> impl DoubleEndedIterator<Item = &Value> {
    file.get("region").and_then(Value::as_array).into_iter().flatten()
}

fn hosts(file: &Table) -> impl Iterator<Item = &Value> {
    regions(file).filter_map(|region| region.get("host").and_then(Value::as_array)).flatten()
}

fn text_of(table: &Value, key: &str) -> Option<String> {
    table.get(key).and_then(Value::as_str).map(ToOwned::to_owned)
}
