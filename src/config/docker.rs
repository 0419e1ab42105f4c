//! Docker's own contexts: which there are, which is current, and how to reach their engines.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Environment, parse_connect};
use crate::model::{Connect, Tls};

/// A way to an engine that Docker's command line knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Its name; `default` is what `DOCKER_HOST` or the default socket give.
    pub name: String,
    /// Its URL, as written.
    pub host: String,
    /// Certificates.
    pub tls: Option<Tls>,
    /// The engine's certificate is not to be verified. We have no such mode.
    pub skip_verify: bool,
    /// `docker` would use it now.
    pub current: bool,
}

impl Context {
    /// How to reach the engine, or why not, in words.
    pub fn connect(&self) -> Result<Connect, String> {
        let said = |why: String| format!("Docker context `{}`: {why}", self.name);
        match parse_connect(&self.host).map_err(said)? {
            Connect::Tcp { .. } if self.skip_verify && self.tls.is_some() => Err(said(
                "it does not verify the engine's certificate: set it up with --docker ca=…, or use ssh://".to_owned(),
            )),
            Connect::Tcp { host, port, .. } => Ok(Connect::Tcp { host, port, tls: self.tls.clone() }),
            other => Ok(other),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    current_context: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct Meta {
    name: String,
    endpoints: Endpoints,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Endpoints {
    docker: Endpoint,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct Endpoint {
    host: String,
    #[serde(rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// Where Docker's command line keeps its configuration.
fn config_dir(environment: &Environment) -> PathBuf {
    environment.variable("DOCKER_CONFIG").map_or_else(|| environment.home.join(".docker"), PathBuf::from)
}

/// All contexts, the default one first, then by name. Files that do not read are skipped, as `docker` does.
pub fn docker_contexts(environment: &Environment) -> Vec<Context> {
    let dir = config_dir(environment);
    let current = current_name(environment, &dir);
    let mut contexts = vec![default_context(environment, &dir)];
    let metas = fs::read_dir(dir.join("contexts/meta")).into_iter().flatten().flatten();
    let mut others: Vec<Context> = metas
        .filter_map(|entry| fs::read_to_string(entry.path().join("meta.json")).ok())
        .filter_map(|text| serde_json::from_str::<Meta>(&text).ok())
        .filter(|meta| !meta.name.is_empty() && meta.name != "default" && !meta.endpoints.docker.host.is_empty())
        .map(|meta| {
            let digest = digest(&meta.name);
            Context {
                host: meta.endpoints.docker.host,
                tls: certificates(&dir.join("contexts/tls").join(digest).join("docker")),
                skip_verify: meta.endpoints.docker.skip_tls_verify,
                current: false,
                name: meta.name,
            }
        })
        .collect();
    others.sort_by(|a, b| a.name.cmp(&b.name));
    contexts.extend(others);
    for context in &mut contexts {
        context.current = context.name == current;
    }
    contexts
}

/// Docker's name for a context's directory of certificates: its name's digest.
fn digest(name: &str) -> String {
    Sha256::digest(name.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The current context's name: `DOCKER_HOST` means the default one, then `DOCKER_CONTEXT`, then the configuration.
fn current_name(environment: &Environment, dir: &Path) -> String {
    if environment.variable("DOCKER_HOST").is_some() {
        return "default".to_owned();
    }
    if let Some(name) = environment.variable("DOCKER_CONTEXT") {
        return name.to_owned();
    }
    let config = fs::read_to_string(dir.join("config.json")).unwrap_or_default();
    let config: Config = serde_json::from_str(&config).unwrap_or_default();
    if config.current_context.is_empty() { "default".to_owned() } else { config.current_context }
}

fn default_context(environment: &Environment, dir: &Path) -> Context {
    let mut context = Context {
        name: "default".to_owned(),
        host: environment.variable("DOCKER_HOST").map_or_else(|| default_socket(environment), ToOwned::to_owned),
        tls: None,
        skip_verify: false,
        current: false,
    };
    if context.host.starts_with("tcp://")
        && (environment.variable("DOCKER_TLS_VERIFY").is_some() || environment.variable("DOCKER_TLS").is_some())
    {
        let certs = environment.variable("DOCKER_CERT_PATH").map_or_else(|| dir.to_owned(), PathBuf::from);
        // Named even where files are missing, so that the error says which.
        context.tls = Some(certificates(&certs).unwrap_or_else(|| Tls {
            ca: certs.join("ca.pem"),
            identity: Some((certs.join("cert.pem"), certs.join("key.pem"))),
            server_name: None,
        }));
        context.skip_verify = environment.variable("DOCKER_TLS_VERIFY").is_none();
    }
    context
}

/// The usual socket, or the user's own where there is only that (rootless Docker).
fn default_socket(environment: &Environment) -> String {
    let usual = &environment.docker_socket;
    let own = environment.variable("XDG_RUNTIME_DIR").map(|dir| Path::new(dir).join("docker.sock"));
    let socket = own.filter(|own| !usual.exists() && own.exists()).unwrap_or_else(|| usual.clone());
    format!("unix://{}", socket.display())
}

/// The usual three files in a directory.
fn certificates(dir: &Path) -> Option<Tls> {
    let file = |name: &str| Some(dir.join(name)).filter(|path| path.is_file());
    let identity = file("cert.pem").and_then(|cert| Some((cert, file("key.pem")?)));
    Some(Tls { ca: file("ca.pem")?, identity, server_name: None })
}
