//! Tables, and how a file of an older schema becomes one of ours.
//!
//! The schema's number is SQLite's `user_version`: it lives in the file's header and changes in the same
//! transaction as the tables. `application_id` marks the file as ours.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::{Fault, StoreError};

/// The newest schema that this program knows.
pub const VERSION: i64 = 7;

/// "whrf", in the file's header.
const APPLICATION: i64 = 0x7768_7266;

/// Step N makes schema N+1 out of schema N. Steps are never edited, only appended.
const MIGRATIONS: [&str; 7] = [FIRST, PAUSES, ADOPTED, COMPLETED, PRUNED, AUDITED, NUMBERED];

const FIRST: &str = "
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL
);
INSERT INTO state VALUES (1, 0);

-- Who last changed a thing, for conflicts. Rows outlive the things, so that a removal is seen as well.
-- kind: service (key STACK/SERVICE, with region), stack, host.
CREATE TABLE touch (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    region TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at INTEGER NOT NULL,
    did TEXT NOT NULL,
    by TEXT NOT NULL,
    operation TEXT,              -- whose decision it is now
    PRIMARY KEY (kind, key, region)
) WITHOUT ROWID;

CREATE TABLE assignment (
    service TEXT NOT NULL,
    region TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (service, region)
) WITHOUT ROWID;

CREATE TABLE revision (
    service TEXT NOT NULL,
    no INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (service, no)
);

CREATE TABLE stack (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE host (name TEXT PRIMARY KEY, intent TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE operation (
    id TEXT PRIMARY KEY,         -- 32 hex digits
    generation INTEGER NOT NULL UNIQUE,
    is_open INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    intent TEXT NOT NULL,
    equivalent TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    stacks TEXT NOT NULL,        -- the stacks' shared parts before
    state TEXT NOT NULL
);
CREATE INDEX operation_open ON operation (generation) WHERE is_open = 1;

CREATE TABLE operation_stack (
    stack TEXT NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (stack, operation)
) WITHOUT ROWID;

CREATE TABLE progress (
    operation TEXT NOT NULL,
    region TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (operation, region)
) WITHOUT ROWID;

CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,         -- nanoseconds since 1970
    command TEXT,
    region TEXT,
    service TEXT,
    host TEXT,
    what TEXT NOT NULL,
    is_error INTEGER NOT NULL
);
CREATE INDEX journal_at ON journal (at);
CREATE INDEX journal_command ON journal (command) WHERE command IS NOT NULL;
CREATE INDEX journal_service ON journal (service) WHERE service IS NOT NULL;

CREATE TABLE lease (
    region TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    holder TEXT NOT NULL,
    owner TEXT NOT NULL,         -- the open store that holds it; empty when released
    boot TEXT NOT NULL,
    until INTEGER NOT NULL       -- milliseconds of that boot
) WITHOUT ROWID;
";

const PAUSES: &str = "
ALTER TABLE operation ADD COLUMN paused TEXT;       -- since when, by whom, why
ALTER TABLE operation ADD COLUMN resumed INTEGER;   -- nanoseconds since 1970
";

const ADOPTED: &str = "
CREATE TABLE adopted (
    host TEXT NOT NULL,
    container TEXT NOT NULL,
    operation TEXT NOT NULL,     -- which adopted it
    body TEXT NOT NULL,          -- which replica it is
    PRIMARY KEY (host, container)
) WITHOUT ROWID;
";

const COMPLETED: &str = "
ALTER TABLE revision ADD COLUMN is_completed INTEGER NOT NULL DEFAULT 0;   -- its image told it more than its file did
";

/// The tables stay. But an operation may ask for what no older program can read: to remove what hosts keep.
const PRUNED: &str = "";

/// Triggers refuse whatever would change the audit, also for who opens the file with another program. The one way to
/// shorten it is to move the anchor first, which keeps the hash of the last entry that goes.
const AUDITED: &str = "
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,      -- counts by one
    at INTEGER NOT NULL,         -- nanoseconds since 1970
    command TEXT,
    body TEXT NOT NULL,          -- what is hashed
    previous TEXT NOT NULL,      -- the hash of the entry before
    hash TEXT NOT NULL
);
CREATE INDEX audit_command ON audit (command) WHERE command IS NOT NULL;
CREATE TABLE audit_anchor (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cut INTEGER NOT NULL,        -- entries up to this number are gone
    hash TEXT NOT NULL           -- the hash of that one
);
INSERT INTO audit_anchor VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TRIGGER audit_append BEFORE INSERT ON audit
WHEN NEW.id IS NOT 1 + (SELECT max(cut, coalesce((SELECT max(id) FROM audit), 0)) FROM audit_anchor)
  OR NEW.previous IS NOT coalesce((SELECT hash FROM audit ORDER BY id DESC LIMIT 1), (SELECT hash FROM audit_anchor))
BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
CREATE TRIGGER audit_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit WHEN OLD.id > (SELECT cut FROM audit_anchor)
BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
CREATE TRIGGER audit_anchor_move BEFORE UPDATE ON audit_anchor
WHEN NEW.id IS NOT 1 OR NEW.cut <= OLD.cut OR NEW.hash IS NOT (SELECT hash FROM audit WHERE id = NEW.cut)
BEGIN SELECT RAISE(ABORT, 'the anchor of the audit only moves on'); END;
CREATE TRIGGER audit_anchor_delete BEFORE DELETE ON audit_anchor
BEGIN SELECT RAISE(ABORT, 'the anchor of the audit only moves on'); END;
";

/// A copy that is put back does not know of the revisions that came after it, and containers may have their numbers.
const NUMBERED: &str = "
CREATE TABLE numbered (
    service TEXT PRIMARY KEY,
    no INTEGER NOT NULL          -- up to this one, numbers of revisions were given
) WITHOUT ROWID;
";

/// The file's schema; 0 for an empty file. Refuses files of other programs and of newer schemas.
pub(super) fn version(db: &Connection, path: &Path) -> Result<i64, Fault> {
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION && application(db)? == APPLICATION {
        return Err(StoreError::Newer { path: path.display().to_string(), found, known: VERSION }.into());
    }
    if found == VERSION {
        return Ok(found);
    }
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application(db)? != APPLICATION && (tables > 0 || found != 0) {
        let why = "it is another program's SQLite file".to_owned();
        return Err(StoreError::Foreign { path: path.display().to_string(), why }.into());
    }
    Ok(found)
}

fn application(db: &Connection) -> Result<i64, Fault> {
    Ok(db.pragma_query_value(None, "application_id", |row| row.get(0))?)
}

/// Brings the file to [`VERSION`], in one transaction. Two processes may try at once.
pub(super) fn migrate(db: &mut Connection, path: &Path) -> Result<(), Fault> {
    if version(db, path)? == VERSION {
        return Ok(());
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = usize::try_from(version(&tx, path)?).unwrap_or(0);
    for step in MIGRATIONS.iter().skip(from) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(())
}
