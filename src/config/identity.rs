//! Who the operator is, for the journal.

use super::Environment;
use crate::text::Text;

/// Login name, `@`, machine, of this process: `ana@bastion`. Behind `sudo` or `doas` it is the one who called it.
pub fn identity() -> String {
    identity_in(&Environment::current())
}

/// [`identity`] in a given environment. Safe to show.
pub fn identity_in(environment: &Environment) -> String {
    let machine = environment.machine.split('.').next().unwrap_or_default();
    Text::new(&format!("{}@{machine}", login_in(environment))).to_string()
}

/// The login name alone. Roles rest on it: so it is the name that the machine knows for this process's user number, and
/// what the environment says only where the machine knows none.
fn login_in(environment: &Environment) -> String {
    // Only root is somebody else's work; others may have inherited the variable.
    let mut caller = ["SUDO_USER", "DOAS_USER"].into_iter().filter(|_| environment.uid == 0);
    let said = |name: &str| environment.variable(name).map(ToOwned::to_owned);
    caller
        .find_map(said)
        .or_else(|| environment.login.clone())
        .or_else(|| ["LOGNAME", "USER"].into_iter().find_map(said))
        .unwrap_or_else(|| format!("uid{}", environment.uid))
}

/// The name that this machine knows for a user number.
pub(super) fn login_of(uid: u32) -> Option<String> {
    login_name(&std::fs::read_to_string("/etc/passwd").ok()?, uid).or_else(|| {
        // Of a directory elsewhere, such as LDAP.
        let out = std::process::Command::new("id").args(["-un", "--", &uid.to_string()]).output().ok()?;
        let name = String::from_utf8(out.stdout).ok()?.trim().to_owned();
        (out.status.success() && !name.is_empty()).then_some(name)
    })
}

/// The name of a user number in the text of a passwd file.
fn login_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(uid: u32, variables: &[(&str, &str)]) -> Environment {
        Environment {
            uid,
            machine: "bastion.example.org".to_owned(),
            variables: variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Environment::default()
        }
    }

    #[test]
    fn the_one_behind_sudo_is_the_operator() {
        assert_eq!(identity_in(&env(0, &[("USER", "root"), ("SUDO_USER", "ana")])), "ana@bastion");
        assert_eq!(identity_in(&env(1000, &[("USER", "bo"), ("SUDO_USER", "ana")])), "bo@bastion");
        assert_eq!(identity_in(&env(1000, &[("USER", ""), ("LOGNAME", "bo")])), "bo@bastion");
        assert_eq!(identity_in(&env(4_000_000_000, &[])), "uid4000000000@bastion");
        assert_eq!(identity_in(&env(1, &[("USER", "b\x1b[31mo")])), "bo@bastion");
    }

    #[test]
    fn names_come_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n";
        assert_eq!(login_name(passwd, 1000).as_deref(), Some("ana"));
        assert_eq!(login_name(passwd, 1001), None);
    }
}
