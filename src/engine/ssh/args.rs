//! The command lines for ssh.

use std::{ffi::OsString, path::Path};

use crate::model::Ssh;

/// The engine's socket on a host whose fleet entry names none.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

fn common(ssh: &Ssh) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    let mut option = |text: &str| {
        args.push("-o".into());
        args.push(text.into());
    };
    // Never a question: nobody is there to answer it. Host keys are checked as the operator's own configuration says.
    option("BatchMode=yes");
    if !ssh.share_master {
        // A stale master of the operator's would hang us without limit.
        option("ControlMaster=no");
        option("ControlPath=none");
    }
    option("ConnectTimeout=8");
    option("ServerAliveInterval=10");
    option("ServerAliveCountMax=3");
    args.push("-T".into());
    if let Some(config) = &ssh.config {
        args.push("-F".into());
        args.push(config.into());
    }
    if let Some(port) = ssh.port {
        args.push("-p".into());
        args.push(port.to_string().into());
    }
    if let Some(user) = &ssh.user {
        args.push("-l".into());
        args.push(user.into());
    }
    args
}

/// The forward: `local` here is the engine's socket there, as long as our end of its stdin is open.
pub(super) fn forward(ssh: &Ssh, local: &Path) -> Vec<OsString> {
    let mut args = common(ssh);
    for text in
        ["-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindUnlink=yes", "-o", "StreamLocalBindMask=0177", "-L"]
    {
        args.push(text.into());
    }
    let mut pair = local.as_os_str().to_owned();
    pair.push(":");
    pair.push(socket(ssh));
    args.push(pair);
    // After `--` a host that begins with a dash is a host.
    args.extend(["--".into(), ssh.host.clone().into(), "cat".into()]);
    args
}

/// A look at the engine's socket on the host, for when nothing answers behind the forward.
pub(super) fn probe(ssh: &Ssh) -> Vec<OsString> {
    let mut args = common(ssh);
    // A user's own forwards must not stand in the way of a look.
    args.extend(["-o".into(), "ClearAllForwardings=yes".into()]);
    let quoted = shell_words::quote(socket(ssh)).into_owned();
    let script = format!(
        "s={quoted}; if ! test -e $s; then echo missing; elif ! test -w $s; then echo denied; \
         elif docker -H unix://$s version >/dev/null 2>&1; then echo works; else echo silent; fi; id -un"
    );
    args.extend(["--".into(), ssh.host.clone().into(), script.into()]);
    args
}

pub(super) fn socket(ssh: &Ssh) -> &str {
    ssh.socket.as_deref().unwrap_or(DOCKER_SOCKET)
}

/// What a person would type to log in, for advice.
pub(super) fn by_hand(ssh: &Ssh) -> String {
    let config = ssh.config.as_ref().map(|file| format!("-F {} ", shell_words::quote(&file.to_string_lossy())));
    let port = ssh.port.map(|port| format!("-p {port} "));
    let user = ssh.user.as_ref().map(|user| format!("{user}@"));
    let or_empty = Option::unwrap_or_default;
    format!("ssh {}{}{}{}", or_empty(config), or_empty(port), or_empty(user), ssh.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(args: &[OsString]) -> String {
        args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_operators_configuration_decides_what_the_fleet_file_leaves_open() {
        let ssh = Ssh { host: "hz-1".into(), ..Ssh::default() };
        let line = line(&forward(&ssh, Path::new("/run/a.sock")));
        assert!(line.ends_with("-L /run/a.sock:/var/run/docker.sock -- hz-1 cat"), "{line}");
        for absent in ["-p ", "-l ", "-F ", "StrictHostKeyChecking", "UserKnownHostsFile", "-N"] {
            assert!(!line.contains(absent), "{absent} in {line}");
        }
        assert!(line.contains("ControlMaster=no -o ControlPath=none"), "{line}");
    }

    #[test]
    fn what_the_fleet_file_says_is_passed_on() {
        let ssh = Ssh {
            user: Some("ops".into()),
            host: "-oProxyCommand=evil".into(),
            port: Some(2222),
            config: Some("/etc/x y".into()),
            socket: Some("/run/user/1000/docker.sock".into()),
            share_master: true,
        };
        let args = forward(&ssh, Path::new("/run/a.sock"));
        let line = line(&args);
        assert!(line.contains("-F /etc/x y -p 2222 -l ops"), "{line}");
        assert!(line.contains("/run/a.sock:/run/user/1000/docker.sock"), "{line}");
        assert!(!line.contains("Control"), "{line}");
        // The host comes after the end of options, so it can be no option.
        let end = args.iter().position(|arg| arg == "--").unwrap();
        assert_eq!(args[end + 1], "-oProxyCommand=evil");
        assert_eq!(by_hand(&ssh), "ssh -F '/etc/x y' -p 2222 ops@-oProxyCommand=evil");
    }
}
