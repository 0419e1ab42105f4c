//! The way by which the operator came here, for the audit and for roles: the address of the SSH client, its key, groups.

use std::{collections::BTreeSet, fs, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use super::Environment;
use crate::{model::Origin, text::Text};

/// A file that tells of an authentication is small.
const MOST: u64 = 64 << 10;

/// This process's, without groups: those are asked for where a role names one (see [`groups_of`]).
pub fn origin() -> Origin {
    origin_in(&Environment::current())
}

/// [`origin`] in a given environment. Safe to show.
pub fn origin_in(environment: &Environment) -> Origin {
    Origin { groups: BTreeSet::new(), from: client(environment), key: key(environment) }
}

/// The groups of a login name, as this machine's directory of users has them; none where it does not know the name.
pub fn groups_of(login: &str) -> BTreeSet<String> {
    // The name may come from a store that others write: it must not be taken for an option.
    if login.is_empty() || login.starts_with('-') {
        return BTreeSet::new();
    }
    // `id` asks every directory that the system knows (LDAP too), as login does; the libraries for that are C.
    let Ok(out) = Command::new("id").args(["-Gn", "--", login]).output() else { return BTreeSet::new() };
    if !out.status.success() {
        return BTreeSet::new();
    }
    String::from_utf8_lossy(&out.stdout).split_whitespace().map(str::to_owned).collect()
}

/// The client's address in `SSH_CONNECTION` (client address, port, server address, port). `sudo` drops the variable unless
/// it is told to keep it: then it is not known.
fn client(environment: &Environment) -> Option<Text> {
    let connection = environment.variable("SSH_CONNECTION").or_else(|| environment.variable("SSH_CLIENT"))?;
    connection.split_whitespace().next().map(Text::new)
}

/// The key of the login: in the file that `SSH_USER_AUTH` names (`ExposeAuthInfo yes` in sshd's configuration), or in
/// `SSH_AUTH_INFO_0`, as PAM hands it on. Its comment is not sent over the wire; its fingerprint names it.
fn key(environment: &Environment) -> Option<Text> {
    let told = environment.variable("SSH_AUTH_INFO_0").map(str::to_owned);
    let file = || {
        let path = environment.variable("SSH_USER_AUTH")?;
        let is_small = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MOST);
        is_small.then(|| fs::read_to_string(path).ok()).flatten()
    };
    let text = told.or_else(file)?;
    text.lines().find_map(fingerprint)
}

/// `publickey ssh-ed25519 AAAA… comment` as `ssh-ed25519 SHA256:… comment`.
fn fingerprint(line: &str) -> Option<Text> {
    let mut words = line.split_whitespace();
    if words.next()? != "publickey" {
        return None;
    }
    let (kind, blob) = (words.next()?, words.next()?);
    let bytes = STANDARD_NO_PAD.decode(blob.trim_end_matches('=')).ok()?;
    let digest = STANDARD_NO_PAD.encode(Sha256::digest(bytes));
    let comment: Vec<&str> = words.collect();
    let comment = if comment.is_empty() { String::new() } else { format!(" {}", comment.join(" ")) };
    Some(Text::new(&format!("{kind} SHA256:{digest}{comment}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRk";

    fn env(variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Environment::default()
        }
    }

    #[test]
    fn the_client_and_its_key_are_known_over_ssh() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("auth");
        fs::write(&file, format!("{LINE} ana@laptop\x1b[31m\n")).unwrap();
        let path = file.display().to_string();
        let connection = ("SSH_CONNECTION", "192.0.2.7 50712 198.51.100.1 22");
        let origin = origin_in(&env(&[connection, ("SSH_USER_AUTH", &path)]));
        assert_eq!(origin.from, Some("192.0.2.7".into()));
        let key = origin.key.unwrap();
        // The same as `ssh-keygen -lf`.
        assert!(key.as_str().starts_with("ssh-ed25519 SHA256:"), "{key}");
        assert!(key.as_str().ends_with(" ana@laptop"), "{key}");
        let info = origin_in(&env(&[connection, ("SSH_AUTH_INFO_0", LINE)]));
        assert!(info.key.unwrap().as_str().len() < key.as_str().len());
    }

    #[test]
    fn what_is_not_known_is_none() {
        assert_eq!(origin_in(&env(&[])), Origin::default());
        for line in ["password", "publickey", "publickey ssh-rsa", "publickey ssh-rsa ***", "keyboard-interactive/pam"]
        {
            assert_eq!(fingerprint(line), None, "{line}");
        }
        assert_eq!(origin_in(&env(&[("SSH_USER_AUTH", "/"), ("SSH_CONNECTION", "")])).key, None);
    }

    #[test]
    fn groups_are_those_of_the_machine() {
        assert!(groups_of("root").contains("root"));
        for name in ["", "-G", "nobody-of-this-name"] {
            assert_eq!(groups_of(name), BTreeSet::new(), "{name}");
        }
    }
}
