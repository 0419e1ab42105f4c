//! `wharf audit`: who asked for what, from where, and what came of it; and whether all of it is still there.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitCode,
};

use super::{Context, Failure, args::AuditArgs, print, records::clock};
use crate::{
    model::{Anchor, AuditEntry, Chain, Deed, Walk},
    store::{Sqlite, SqliteReader},
    text,
};

/// Entries read at once.
const PIECE: usize = 1000;

/// Prints, verifies, or exports.
pub(super) async fn run(context: Context, args: AuditArgs) -> Result<ExitCode, Failure> {
    if let Some(file) = &args.of {
        let (anchor, entries) = read(file)?;
        let mut walk = Walk::new(&anchor);
        let mut seen = args.contains.as_ref().is_some_and(|hash| *hash == anchor.hash);
        for entry in &entries {
            walk.step(entry).map_err(|why| broken(&file.display().to_string(), &why))?;
            seen |= args.contains.as_ref() == Some(&entry.hash);
        }
        return verified(&file.display().to_string(), &walk.end(), &args, seen);
    }
    let store = Sqlite::open_read_only(&context.fleet.store)?;
    let name = context.fleet.store.display().to_string();
    if args.verify || args.contains.is_some() {
        let anchor = store.audit_anchor().await?;
        let mut walk = Walk::new(&anchor);
        let mut seen = args.contains.as_ref().is_some_and(|hash| *hash == anchor.hash);
        let mut wrong = None;
        pieces(&store, &anchor, |entry| {
            seen |= args.contains.as_ref() == Some(&entry.hash);
            if wrong.is_none() {
                wrong = walk.step(entry).err();
            }
            Ok(())
        })
        .await?;
        if let Some(why) = wrong {
            return Err(broken(&name, &why));
        }
        return verified(&name, &walk.end(), &args, seen);
    }
    if let Some(file) = &args.export {
        return export(&store, file).await;
    }
    let entries = store.audit(args.limit).await?;
    if args.json {
        let document: Vec<serde_json::Value> = entries.iter().map(document).collect();
        print::json(&document);
    } else {
        for entry in &entries {
            print::line(&line(entry));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All entries, in their order.
async fn pieces(
    store: &SqliteReader,
    anchor: &Anchor,
    mut take: impl FnMut(&AuditEntry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = anchor.cut;
    loop {
        let piece = store.audit_after(after, PIECE).await?;
        for entry in &piece {
            take(entry)?;
        }
        if piece.len() < PIECE {
            return Ok(());
        }
        after += u64::try_from(PIECE).unwrap_or_default();
    }
}

fn broken(name: &str, why: &str) -> Failure {
    Failure::Failed(format!(
        "the audit of {name} is broken: {why}. Compare it with an export or a backup; somebody had the right to write \
         into the file and did so past wharf"
    ))
}

fn verified(name: &str, chain: &Chain, args: &AuditArgs, seen: bool) -> Result<ExitCode, Failure> {
    if let Some(hash) = args.contains.as_ref().filter(|_| !seen) {
        return Err(Failure::Failed(format!(
            "the audit of {name} does not contain {}: its end was cut off, or it is another one",
            text::Text::new(hash)
        )));
    }
    if args.json {
        print::json(chain);
    } else {
        let cut = if chain.cut > 0 { format!(", after {} that were cut", chain.cut) } else { String::new() };
        print::line(&format!("● {} entries are as they were written{cut}; the last is {}", chain.entries, chain.head));
    }
    Ok(ExitCode::SUCCESS)
}

/// A line of an export: the anchor first, then the entries.
async fn export(store: &SqliteReader, file: &Path) -> Result<ExitCode, Failure> {
    let failed = |error: &std::io::Error| Failure::Failed(format!("{} cannot be written: {error}", file.display()));
    let is_stdout = file.as_os_str() == "-";
    let mut out: Box<dyn Write + Send> = if is_stdout {
        Box::new(std::io::stdout())
    } else {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
        Box::new(BufWriter::new(made.map_err(|error| failed(&error))?))
    };
    let anchor = store.audit_anchor().await?;
    let mut count = 0_u64;
    put(&mut out, &anchor).map_err(|error| failed(&error))?;
    pieces(store, &anchor, |entry| {
        count += 1;
        put(&mut out, entry).map_err(|error| failed(&error))
    })
    .await?;
    out.flush().map_err(|error| failed(&error))?;
    if !is_stdout {
        print::line(&format!("● {count} entries in {}; `wharf audit --of FILE` verifies them", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn put(out: &mut impl Write, value: &impl serde::Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Reads an export.
fn read(file: &Path) -> Result<(Anchor, Vec<AuditEntry>), Failure> {
    let failed = |what: &dyn std::fmt::Display| Failure::Input(format!("{}: {what}", file.display()));
    let lines = BufReader::new(fs::File::open(file).map_err(|error| failed(&error))?).lines();
    let mut lines = lines.map(|line| line.map_err(|error| failed(&error)));
    let first = lines.next().transpose()?.unwrap_or_default();
    let no_export = |error: serde_json::Error| failed(&format!("it is no export of an audit ({error})"));
    let anchor = serde_json::from_str(&first).map_err(no_export)?;
    let mut entries = Vec::new();
    for line in lines {
        entries.push(serde_json::from_str(&line?).map_err(no_export)?);
    }
    Ok((anchor, entries))
}

fn line(entry: &AuditEntry) -> String {
    let Some(deed) = entry.deed() else { return format!("?  {}", text::Text::new(&entry.body)) };
    let Deed { no, at, by, from, key, did, command, what, .. } = deed;
    let way: Vec<String> = [from, key].into_iter().flatten().map(|text| text.to_string()).collect();
    let way = if way.is_empty() { String::new() } else { format!(" ({})", way.join(", ")) };
    let command = command.map(|id| format!("  op {}", id.short())).unwrap_or_default();
    format!("{no:>6}  {}  {}  {by}{way}: {what}{command}", clock(at), text::pad_right(did.as_str(), 11))
}

/// An entry for scripts: what happened, with its hashes.
fn document(entry: &AuditEntry) -> serde_json::Value {
    let mut document = serde_json::from_str(&entry.body).unwrap_or_else(|_| serde_json::json!({ "body": entry.body }));
    if let Some(fields) = document.as_object_mut() {
        fields.insert("previous".to_owned(), entry.previous.clone().into());
        fields.insert("hash".to_owned(), entry.hash.clone().into());
    }
    document
}
