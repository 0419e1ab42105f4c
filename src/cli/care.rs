//! What `wharf doctor` looks at beside single hosts: files, the store, and whether the fleet is as it shall be.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};

use super::{Context, json::Finding, look, look::Seen, start};
use crate::{
    entry::Watch,
    model::{Connect, Fleet, HostName, HostUpdate, Owner},
    plan,
    store::{self, OperationQuery},
};

/// Proxies have to have said by then what they are.
const PATIENCE: Duration = Duration::from_secs(4);

fn finding(place: &str, check: &'static str, verdict: &'static str, what: String, mend: String) -> Finding {
    Finding { host: place.to_owned(), check, verdict, what, mend }
}

/// Who may read and write the files on which everything rests.
pub(super) fn files(fleet: &Fleet) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut wrong = |path: &Path, what: &str, mend: String| {
        found.push(finding("files", "mode", "warning", format!("{} {what}", path.display()), mend));
    };
    let mode = |path: &Path| fs::metadata(path).ok().map(|file| file.mode());
    let file = Path::new(&fleet.origin);
    if mode(file).is_some_and(|mode| mode & 0o002 != 0) {
        wrong(file, "can be changed by everybody, and says who may do what", format!("chmod o-w {}", file.display()));
    }
    for (_, host) in fleet.hosts() {
        let Connect::Tcp { tls: Some(tls), .. } = &host.connect else { continue };
        let Some((_, key)) = &tls.identity else { continue };
        if mode(key).is_some_and(|mode| mode & 0o077 != 0) {
            let what = format!("is the key to {}, and others may read it", host.name);
            wrong(key, &what, format!("chmod 600 {}", key.display()));
        }
    }
    let store = &fleet.store;
    let dir = store.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_shared = mode(dir).is_some_and(|mode| mode & 0o2020 == 0o2020);
    if let Some(mode) = mode(dir) {
        if mode & 0o007 != 0 {
            wrong(dir, "is open to everybody: only operators have to reach it", format!("chmod o= {}", dir.display()));
        }
        if mode & 0o2020 == 0o020 {
            wrong(
                dir,
                "is writable for its group, but does not hand its group down: the next operator's files are their own",
                format!("chmod g+s {}", dir.display()),
            );
        }
    }
    for path in beside(dir, store, &start::log_file(fleet)) {
        let allowed = if is_shared { 0o660 } else { 0o600 };
        if let Some(mode) = mode(&path).filter(|mode| mode & 0o777 & !allowed != 0) {
            let what = format!("has mode {:o}, and holds secrets: {allowed:o} is enough", mode & 0o777);
            wrong(&path, &what, format!("chmod {allowed:o} {}", path.display()));
        }
    }
    if found.is_empty() {
        found.push(finding(
            "files",
            "mode",
            "ok",
            "only those who have to may read and change them".into(),
            String::new(),
        ));
    }
    found
}

/// The store and all that carries its name: what SQLite has beside it, stores that were set aside, and what reconcilers
/// wrote. Signs of life are for everybody to read, and empty.
fn beside(dir: &Path, store: &Path, log: &Path) -> Vec<PathBuf> {
    let named = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let begins = [named(store), named(log)];
    let is_its = |path: &PathBuf| {
        let name = named(path);
        begins.iter().any(|begin| name.starts_with(begin)) && !name.contains("-holder-") && path.is_file()
    };
    let mut all: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|it| it.path()).collect();
    all.retain(is_its);
    all.sort();
    all
}

/// Whether the store is sound.
pub(super) fn sound(fleet: &Fleet) -> Vec<Finding> {
    let name = fleet.store.display();
    let mend = || "wharf store restore FILE, or wharf store rebuild --replace".to_owned();
    match store::check(&fleet.store) {
        Ok(wrong) if wrong.is_empty() => {
            vec![finding("store", "sound", "ok", format!("{name}"), String::new())]
        }
        Ok(wrong) => wrong.into_iter().map(|what| finding("store", "sound", "failed", what, mend())).collect(),
        Err(error) => vec![finding("store", "sound", "failed", error.to_string(), String::new())],
    }
}

/// What is not as it shall be, with what mends it.
pub(super) async fn astray(context: Context) -> Vec<Finding> {
    let failed = |error: String| vec![finding("fleet", "drift", "failed", error, String::new())];
    let store = match context.read_store() {
        Ok(store) => store,
        Err(error) => return failed(error.to_string()),
    };
    let mut seen = match look::look(context, store.as_ref()).await {
        Ok(seen) => seen,
        Err(error) => return failed(error.to_string()),
    };
    let query = OperationQuery { open_only: true, ..OperationQuery::default() };
    ask_proxies(&mut seen).await;
    // Read last: what the proxies took to answer is no time in which a holder was silent.
    let (open, holdings) = match (store.operations(query).await, store::holdings(&seen.context.fleet.store)) {
        (Ok(open), Ok(holdings)) => (open, holdings),
        (Err(error), _) | (_, Err(error)) => return failed(error.to_string()),
    };
    let found = plan::astray(&seen.world(), &open, &holdings);
    if found.is_empty() {
        return vec![finding("fleet", "drift", "ok", "what is wanted is what runs".into(), String::new())];
    }
    let place = |host: &Option<HostName>| host.as_ref().map_or("fleet", |host| host.as_str()).to_owned();
    found.into_iter().map(|it| finding(&place(&it.host), it.check, "warning", it.what, it.mend)).collect()
}

/// Asks the proxies that run what they have loaded.
async fn ask_proxies(seen: &mut Seen) {
    let (tell, mut told) = mpsc::channel::<HostUpdate>(256);
    let mut asked: BTreeMap<HostName, Watch> = BTreeMap::new();
    for (host, container) in seen.observed.containers() {
        if container.owner == Owner::Proxy
            && !asked.contains_key(&host.name)
            && let Some(reader) = seen.observer.reader(&host.name)
        {
            let watch = Watch::start(seen.context.fleet.name.clone(), reader, tell.clone());
            asked.insert(host.name.clone(), watch);
        }
    }
    let deadline = Instant::now() + PATIENCE;
    let has_said = |seen: &Seen, host: &HostName| {
        let proxy = seen.observed.hosts.get(host).and_then(|view| view.proxy.as_ref());
        proxy.is_some_and(|proxy| !proxy.structure.is_empty() || !proxy.problem.is_empty())
    };
    while !asked.keys().all(|host| has_said(seen, host)) {
        match tokio::time::timeout_at(deadline, told.recv()).await {
            Ok(Some(update)) => drop(seen.observed.apply(update)),
            _ => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{Environment, parse_fleet};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn files_that_are_open_to_others_are_named_with_what_mends_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            fs::write(path(name), "").unwrap();
            chmod(&path(name), 0o600);
        }
        fs::create_dir(path("store")).unwrap();
        chmod(&path("store"), 0o700);
        for name in
            ["acme.db", "acme.db-wal", "acme.db.20260102T030405Z", "acme.reconcile.log", "acme.reconcile.log.old"]
        {
            fs::write(path("store").join(name), "").unwrap();
            chmod(&path("store").join(name), 0o600);
        }
        for name in ["acme.db-holder-1", "acme.toml"] {
            fs::write(path("store").join(name), "").unwrap();
        }
        let text = "fleet = \"acme\"\nstore = \"store/acme.db\"\n[[region]]\nname = \"east\"\n[[region.host]]\nname = \"e-1\"\n\
                    connect = \"tcp://10.1.0.12:2376\"\ntls = { ca = \"ca.pem\", cert = \"cert.pem\", key = \"key.pem\" }\n";
        let file = path("fleet.toml");
        fs::write(&file, text).unwrap();
        chmod(&file, 0o644);
        let fleet = parse_fleet(text, &file, &Environment::default()).unwrap().fleet;
        let verdicts = || files(&fleet).into_iter().map(|it| it.verdict).collect::<Vec<_>>();
        assert_eq!(verdicts(), ["ok"]);
        // Each by itself, and good again afterwards.
        for (name, bad, good, mend) in [
            ("fleet.toml", 0o646, 0o644, "chmod o-w"),
            ("key.pem", 0o640, 0o600, "chmod 600"),
            ("store/acme.db", 0o644, 0o600, "chmod 600"),
            ("store/acme.db-wal", 0o640, 0o600, "chmod 600"),
            ("store/acme.db.20260102T030405Z", 0o604, 0o600, "chmod 600"),
            ("store/acme.reconcile.log", 0o644, 0o600, "chmod 600"),
            ("store/acme.reconcile.log.old", 0o644, 0o600, "chmod 600"),
            ("store", 0o705, 0o700, "chmod o="),
            ("store", 0o770, 0o700, "chmod g+s"),
        ] {
            chmod(&path(name), bad);
            let found = files(&fleet);
            assert_eq!((found.len(), found[0].verdict), (1, "warning"), "{name} {bad:o}");
            assert_eq!(found[0].mend, format!("{mend} {}", path(name).display()));
            chmod(&path(name), good);
        }
        // A group's directory, and a file in it for the group.
        chmod(&path("store"), 0o2770);
        chmod(&path("store/acme.db"), 0o660);
        assert_eq!(verdicts(), ["ok"]);
    }
}
