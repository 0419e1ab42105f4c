//! The audit: who asked for what, from where, and what came of it, as a chain that cannot be changed unseen.
//!
//! Each entry carries the SHA-256 of the one before it together with its own content. Who changes, removes or swaps an
//! entry changes every hash behind it. What is cut at the beginning, because it is old, leaves the hash of the last that
//! was cut: the chain goes on from there. That entries are missing at the end tells only who kept a hash elsewhere.

use std::{collections::BTreeSet, fmt::Write as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::CommandId;
use crate::text::Text;

/// What the first entry of all follows on.
pub const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Who acts, beside the name: what this process knows of the way here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Groups of the login name.
    pub groups: BTreeSet<String>,
    /// The address that the login came from, over SSH.
    pub from: Option<Text>,
    /// The key that the login was made with, where the SSH server tells.
    pub key: Option<Text>,
}

/// What happened. The order of the fields is the order in which they are hashed: it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// Counts by one.
    pub no: u64,
    /// When, by the clock of the machine.
    pub at: Timestamp,
    /// Who: login name, `@`, machine; or the reconciler.
    pub by: Text,
    /// From where, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Text>,
    /// With which key, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<Text>,
    /// One word: `accepted`, `refused`, `converged`, `failed`, `aborted`, `opened`, ….
    pub did: Text,
    /// About which command.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<CommandId>,
    /// What: the command's summary, and why where there is a why.
    pub what: Text,
    /// The same as a command line, where it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub equivalent: Option<Text>,
}

/// A link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// What happened, as the text that is hashed: one JSON document.
    pub body: String,
    /// The hash of the entry before it.
    pub previous: String,
    /// The hash of the entry before it and this one's body.
    pub hash: String,
}

impl AuditEntry {
    /// The next link.
    pub fn new(deed: &Deed, previous: &str) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_string(deed)?;
        let hash = hash(previous, &body);
        Ok(Self { body, previous: previous.to_owned(), hash })
    }

    /// What happened. None where it does not read.
    pub fn deed(&self) -> Option<Deed> {
        serde_json::from_str(&self.body).ok()
    }
}

/// 64 hex digits.
fn hash(previous: &str, body: &str) -> String {
    let digest = Sha256::new().chain_update(previous).chain_update("\n").chain_update(body).finalize();
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What is left of entries that were cut because they are old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The number of the last that was cut; 0 when none was.
    pub cut: u64,
    /// Its hash.
    pub hash: String,
}

impl Default for Anchor {
    fn default() -> Self {
        Self { cut: 0, hash: NO_HASH.to_owned() }
    }
}

/// A chain as it was found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Entries that are there.
    pub entries: u64,
    /// Entries that were cut.
    pub cut: u64,
    /// The last one's hash: kept elsewhere, it tells later whether the end was cut off.
    pub head: String,
}

/// Walks along a chain link by link, in the order of numbers.
#[derive(Debug)]
pub struct Walk {
    next: u64,
    chain: Chain,
}

impl Walk {
    /// Begins behind what was cut.
    pub fn new(anchor: &Anchor) -> Self {
        let chain = Chain { entries: 0, cut: anchor.cut, head: anchor.hash.clone() };
        Self { next: anchor.cut + 1, chain }
    }

    /// Takes the next link. The error says what is wrong with it.
    pub fn step(&mut self, entry: &AuditEntry) -> Result<(), String> {
        let no = self.next;
        if entry.previous != self.chain.head {
            return Err(format!("entry {no} does not follow on the one before it: entries were removed or changed"));
        }
        if hash(&entry.previous, &entry.body) != entry.hash {
            return Err(format!("entry {no} is not what it was: its hash does not fit its content"));
        }
        match entry.deed() {
            Some(deed) if deed.no == no => {}
            Some(deed) => return Err(format!("entry {no} calls itself {}", deed.no)),
            None => return Err(format!("entry {no} does not read")),
        }
        self.chain.head.clone_from(&entry.hash);
        self.chain.entries += 1;
        self.next += 1;
        Ok(())
    }

    /// The chain so far.
    pub fn end(self) -> Chain {
        self.chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(no: u64, what: &str) -> Deed {
        Deed {
            no,
            at: Timestamp::UNIX_EPOCH,
            by: "ana@bastion".into(),
            from: Some("192.0.2.7".into()),
            key: None,
            did: "accepted".into(),
            command: None,
            what: what.into(),
            equivalent: None,
        }
    }

    fn chain(count: u64) -> Vec<AuditEntry> {
        let mut chain: Vec<AuditEntry> = Vec::new();
        for no in 1..=count {
            let previous = chain.last().map_or(NO_HASH, |entry| &entry.hash).to_owned();
            chain.push(AuditEntry::new(&deed(no, &format!("scale to {no}")), &previous).unwrap());
        }
        chain
    }

    fn walk(anchor: &Anchor, entries: &[AuditEntry]) -> Result<Chain, String> {
        let mut walk = Walk::new(anchor);
        entries.iter().try_for_each(|entry| walk.step(entry))?;
        Ok(walk.end())
    }

    #[test]
    fn a_hash_is_what_others_reckon_too() {
        // printf '%064d\n%s' 0 BODY | sha256sum
        let body = r#"{"no":1,"at":"1970-01-01T00:00:00Z","by":"ana@bastion","from":"192.0.2.7","did":"accepted","what":"scale to 1"}"#;
        let first = &chain(1)[0];
        assert_eq!(first.body, body);
        assert_eq!(first.hash, "afa4b1c529be2ac3a964963bfe3aa23533974161669d5dce69d0ccfb411ee8aa");
    }

    #[test]
    fn whatever_is_changed_is_seen() {
        let whole = chain(5);
        let head = whole[4].hash.clone();
        assert_eq!(walk(&Anchor::default(), &whole), Ok(Chain { entries: 5, cut: 0, head: head.clone() }));
        // From an anchor on, as from the beginning.
        let anchor = Anchor { cut: 2, hash: whole[1].hash.clone() };
        assert_eq!(walk(&anchor, &whole[2..]), Ok(Chain { entries: 3, cut: 2, head }));

        let wrong = |change: &dyn Fn(&mut Vec<AuditEntry>)| {
            let mut entries = whole.clone();
            change(&mut entries);
            walk(&Anchor::default(), &entries).unwrap_err()
        };
        assert!(wrong(&|it| it[2].body = it[2].body.replace("to 3", "to 9")).starts_with("entry 3 is not what it was"));
        assert!(wrong(&|it| drop(it.remove(1))).starts_with("entry 2 does not follow"));
        assert!(wrong(&|it| it.swap(1, 2)).starts_with("entry 2 does not follow"));
        // Somebody reckons its own hash anew: the next one does not fit any more.
        let forged = wrong(&|it| it[2] = AuditEntry::new(&deed(3, "nothing"), &it[1].hash).unwrap());
        assert!(forged.starts_with("entry 4 does not follow"), "{forged}");
        // The end is cut off: only who kept the head sees it.
        let cut = walk(&Anchor::default(), &whole[..4]).unwrap();
        assert_ne!(cut.head, whole[4].hash);
    }
}
