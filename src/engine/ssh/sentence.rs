//! What ssh wrote to its stderr, as a sentence that says what to do.

use super::args;
use crate::{
    engine::error::{ErrorKind, Fault},
    model::Ssh,
};

/// Why an ssh ended, from its stderr.
pub(super) fn of(ssh: &Ssh, stderr: &str) -> Fault {
    let host = &ssh.host;
    let hand = args::by_hand(ssh);
    let lower = stderr.to_lowercase();
    let has = |words: &str| lower.contains(words);
    let at = |words: &str| line_with(stderr, words);
    // The order matters: one failure often prints the words of another after its own.
    if has("remote host identification has changed") || has("host key for") && has("has changed") {
        return Fault::new(
            ErrorKind::Untrusted,
            &format!("the SSH host key of {host} has changed: it may be another machine"),
            format!(
                "find out why; if it is right, remove the old key with `ssh-keygen -R {host}` and log in once by hand: {hand}"
            ),
        );
    }
    if has("host key is known for") || has("host key verification failed") {
        return Fault::new(
            ErrorKind::Untrusted,
            &format!("the SSH host key of {host} is not known yet"),
            format!("log in once by hand and compare the fingerprint: {hand}"),
        );
    }
    if has("unprotected private key file") || has("bad owner or permissions") {
        let line = at("bad owner or permissions").or_else(|| at("are too open")).unwrap_or_default();
        return Fault::new(
            ErrorKind::Setup,
            &format!("ssh refuses a file that others can read or write: {line}"),
            "take the permissions of group and others from it (chmod go-rwx)",
        );
    }
    if has("too many authentication failures") {
        return Fault::new(
            ErrorKind::Refused,
            &format!("{host} closed the connection after too many keys were offered"),
            "set IdentityFile and IdentitiesOnly for this host in ~/.ssh/config",
        );
    }
    if has("permission denied (") {
        return Fault::new(
            ErrorKind::Refused,
            &format!("{host} accepts none of our SSH keys{}", offered(stderr)),
            format!("add the key to the agent (ssh-add), or to authorized_keys on the host; try by hand: {hand}"),
        );
    }
    if has("could not resolve hostname") {
        return Fault::new(
            ErrorKind::Unreachable,
            &format!("the name {host} does not resolve"),
            "correct `connect` in the fleet file, or add a Host entry to ~/.ssh/config",
        );
    }
    if has("connection refused") {
        return Fault::new(
            ErrorKind::Unreachable,
            &format!("{host} refuses SSH connections"),
            "check that sshd runs there, and the port",
        );
    }
    if has("timed out") || has("operation timed out") || has("timeout, server") {
        return Fault::new(
            ErrorKind::Unreachable,
            &format!("{host} does not answer over SSH"),
            "check the network, a firewall, and that the host is up",
        );
    }
    if has("no route to host") || has("network is unreachable") {
        return Fault::new(ErrorKind::Unreachable, &format!("there is no route to {host}"), "check the network");
    }
    if has("bad configuration option") || has("can't open user config file") || has("terminating, ") {
        let line =
            at("bad configuration option").or_else(|| at("can't open user config")).or_else(|| at("terminating"));
        return Fault::new(
            ErrorKind::Setup,
            &format!("ssh does not accept its configuration: {}", line.unwrap_or_default()),
            "correct that file",
        );
    }
    if has("unix_listener") || has("could not request local forwarding") || has("bad local forwarding") {
        let line = at("unix_listener").or_else(|| at("forwarding")).unwrap_or_default();
        return Fault::new(
            ErrorKind::Setup,
            &format!("ssh cannot open our end of the forward: {line}"),
            "check the directory that XDG_RUNTIME_DIR names",
        );
    }
    if has("kex_exchange_identification") || has("connection closed by") || has("connection reset by") {
        return Fault::new(
            ErrorKind::Unreachable,
            &format!("{host} closed the SSH connection before the login"),
            "its sshd may limit connections (MaxStartups) or block this address: see its log",
        );
    }
    let last = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty());
    Fault::new(
        ErrorKind::Unreachable,
        &last.map_or_else(|| format!("the SSH connection to {host} ended"), |line| format!("ssh says: {line}")),
        format!("try it by hand: {hand}"),
    )
}

/// Why nothing answers behind a forward, from what the look at the host printed.
pub(super) fn of_probe(ssh: &Ssh, stdout: &str, stderr: &str) -> Fault {
    let mut lines = stdout.lines().map(str::trim);
    let socket = args::socket(ssh);
    let host = &ssh.host;
    let found = lines.next().unwrap_or("");
    let user = lines.next().unwrap_or("this user");
    match found {
        "missing" => Fault::new(
            ErrorKind::Unreachable,
            &format!("there is no socket {socket} on {host}"),
            "start the Docker engine there, or name its socket in the fleet file",
        ),
        "denied" => Fault::new(
            ErrorKind::Refused,
            &format!("{user} on {host} has no permission on {socket}"),
            format!("add {user} to the group of the socket there: sudo usermod -aG docker {user}"),
        ),
        "works" => Fault::new(
            ErrorKind::Refused,
            &format!("sshd on {host} does not allow the forwarding of sockets"),
            "allow it there: AllowStreamLocalForwarding yes and DisableForwarding no in sshd_config",
        ),
        "silent" => Fault::new(
            ErrorKind::Unreachable,
            &format!("the SSH login to {host} works, but the Docker engine there does not answer"),
            "start or restart the engine there (systemctl status docker); if it runs, allow AllowStreamLocalForwarding in sshd_config",
        ),
        _ => of(ssh, stderr),
    }
}

/// What the host would have accepted: `Permission denied (publickey,password).`
fn offered(stderr: &str) -> String {
    let inside = stderr.rsplit_once("ermission denied (").and_then(|(_, rest)| rest.split_once(')'));
    inside.map(|(methods, _)| format!(" (it takes: {methods})")).unwrap_or_default()
}

/// The first line with these lower-case words.
fn line_with<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.lines().map(str::trim).find(|line| line.to_lowercase().contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh() -> Ssh {
        Ssh { user: Some("ops".into()), host: "hz-1".into(), ..Ssh::default() }
    }

    #[test]
    fn each_failure_of_ssh_is_recognised() {
        for (stderr, kind, words) in [
            ("ops@hz-1: Permission denied (publickey,password).", ErrorKind::Refused, "it takes: publickey,password"),
            (
                "@@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nOffending ED25519 key in /root/.ssh/known_hosts:3\nHost key for hz-1 has changed and you have requested strict checking.\nHost key verification failed.",
                ErrorKind::Untrusted,
                "has changed",
            ),
            (
                "No ED25519 host key is known for hz-1 and you have requested strict checking.\nHost key verification failed.",
                ErrorKind::Untrusted,
                "not known yet",
            ),
            ("Host key verification failed.", ErrorKind::Untrusted, "not known yet"),
            (
                "ssh: Could not resolve hostname hz-1: Name or service not known",
                ErrorKind::Unreachable,
                "does not resolve",
            ),
            ("ssh: connect to host hz-1 port 22: Connection refused", ErrorKind::Unreachable, "refuses SSH"),
            ("ssh: connect to host hz-1 port 22: Connection timed out", ErrorKind::Unreachable, "does not answer"),
            ("Timeout, server hz-1 not responding.", ErrorKind::Unreachable, "does not answer"),
            ("ssh: connect to host hz-1 port 22: No route to host", ErrorKind::Unreachable, "no route"),
            (
                "/root/.ssh/config: line 3: Bad configuration option: foo\n/root/.ssh/config: terminating, 1 bad configuration options",
                ErrorKind::Setup,
                "line 3",
            ),
            ("Can't open user config file /x: No such file or directory", ErrorKind::Setup, "/x"),
            (
                "unix_listener: path \"/very/long\" too long for Unix domain socket\nCould not request local forwarding.",
                ErrorKind::Setup,
                "too long",
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\nConnection closed by 10.77.0.11 port 22",
                ErrorKind::Unreachable,
                "MaxStartups",
            ),
            (
                "Received disconnect from 10.77.0.11 port 22:2: Too many authentication failures",
                ErrorKind::Refused,
                "IdentitiesOnly",
            ),
            ("Bad owner or permissions on /root/.ssh/config", ErrorKind::Setup, "/root/.ssh/config"),
            ("something new\n", ErrorKind::Unreachable, "something new"),
            ("", ErrorKind::Unreachable, "ended"),
        ] {
            let fault = of(&ssh(), stderr);
            assert_eq!(fault.kind, kind, "{stderr}");
            let all = format!("{} | {}", fault.why, fault.next);
            assert!(all.contains(words), "{all}");
            assert!(!fault.next.is_empty(), "{stderr}");
        }
    }

    #[test]
    fn a_look_at_the_host_tells_a_stopped_engine_from_a_forbidden_forward() {
        for (stdout, kind, words) in [
            ("missing\nops\n", ErrorKind::Unreachable, "no socket /var/run/docker.sock"),
            ("denied\nops\n", ErrorKind::Refused, "usermod -aG docker ops"),
            ("works\nops\n", ErrorKind::Refused, "AllowStreamLocalForwarding"),
            ("silent\nops\n", ErrorKind::Unreachable, "does not answer"),
        ] {
            let fault = of_probe(&ssh(), stdout, "");
            assert_eq!(fault.kind, kind, "{stdout}");
            assert!(format!("{} | {}", fault.why, fault.next).contains(words), "{fault:?}");
        }
        assert!(
            of_probe(&ssh(), "", "ssh: connect to host hz-1 port 22: Connection refused")
                .why
                .as_str()
                .contains("refuses SSH")
        );
    }
}
