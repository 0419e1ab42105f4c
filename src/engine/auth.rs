//! Credentials for registries, from the operator's own Docker configuration and its credential helpers.

use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};

use base64::{Engine as _, engine::general_purpose};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{
    error::{ErrorKind, Fault},
    image::{HUB, ImageName},
    session::Session,
};

/// A helper may ask a key ring or a cloud, but must not hang.
const HELPER_DEADLINE: Duration = Duration::from_secs(15);
/// More than this in a helper's answer is no answer.
const MAX_HELPER_ANSWER: usize = 1 << 20;

/// `~/.docker/config.json`, as far as credentials go.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    auths: BTreeMap<String, Auth>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    #[serde(rename = "auth")]
    packed: Option<String>,
    username: Option<String>,
    password: Option<String>,
    #[serde(rename = "identitytoken")]
    identity: Option<String>,
    #[serde(rename = "registrytoken")]
    registry: Option<String>,
}

/// What a helper prints.
#[derive(Deserialize)]
struct Helped {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// The headers that carry an image's credentials to an engine. Engines in this process have no registry that asks for any.
pub(crate) async fn headers(session: &Session, image: &str) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    let found = if session.is_in_process { None } else { header(image).await? };
    if let Some(auth) = found {
        let mut value = HeaderValue::from_str(&auth)
            .map_err(|_| Fault::new(ErrorKind::Invalid, "the credentials do not fit into a header", ""))?;
        value.set_sensitive(true);
        headers.insert("x-registry-auth", value);
    }
    Ok(headers)
}

/// The value of `X-Registry-Auth` for an image; none where there are no credentials for its registry.
async fn header(image: &str) -> Result<Option<String>, Fault> {
    let directory = std::env::var_os("DOCKER_CONFIG")
        .map(std::path::PathBuf::from)
        .or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".docker")));
    match directory {
        Some(directory) => header_from(&directory.join("config.json"), image).await,
        None => Ok(None),
    }
}

async fn header_from(file: &Path, image: &str) -> Result<Option<String>, Fault> {
    let text = match tokio::fs::read(file).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(setup(&format!("{} cannot be read: {error}", file.display()))),
    };
    // serde's message can hold pieces of the file, and those are secrets.
    let config: Config = serde_json::from_slice(&text).map_err(|error| {
        setup(&format!("{} is no good JSON at line {}, column {}", file.display(), error.line(), error.column()))
    })?;
    let key = ImageName::parse(image).credential_key();
    let helper = config.helpers.iter().find(|(registry, _)| same_registry(registry, key)).map(|(_, helper)| helper);
    if let Some(helper) = helper.or(config.store.as_ref())
        && let Some(found) = ask(helper, key).await?
    {
        let fields = if found.user == "<token>" {
            serde_json::json!({ "identitytoken": found.secret, "serveraddress": key })
        } else {
            serde_json::json!({ "username": found.user, "password": found.secret, "serveraddress": key })
        };
        return Ok(Some(encoded(&fields)));
    }
    let Some((_, auth)) = config.auths.into_iter().find(|(registry, _)| same_registry(registry, key)) else {
        return Ok(None);
    };
    fields(auth, key).map(|fields| fields.as_ref().map(encoded))
}

fn fields(auth: Auth, key: &str) -> Result<Option<serde_json::Value>, Fault> {
    let (mut user, mut password) = (auth.username, auth.password);
    if let Some(packed) = auth.packed.filter(|packed| !packed.is_empty()) {
        let bad = || setup(&format!("the credentials for {key} in the Docker configuration are no good base64"));
        let plain = general_purpose::STANDARD.decode(packed.trim()).map_err(|_| bad())?;
        let plain = String::from_utf8(plain).map_err(|_| bad())?;
        let (name, secret) = plain.split_once(':').ok_or_else(bad)?;
        user = Some(name.to_owned());
        password = Some(secret.trim_end_matches('\0').to_owned());
    }
    let mut out = serde_json::Map::new();
    for (name, value) in
        [("username", user), ("password", password), ("identitytoken", auth.identity), ("registrytoken", auth.registry)]
    {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.insert(name.to_owned(), value.into());
        }
    }
    // Only the registry's name is left there when a helper keeps the rest.
    if out.is_empty() {
        return Ok(None);
    }
    out.insert("serveraddress".to_owned(), key.into());
    Ok(Some(out.into()))
}

/// Engines read the header in the alphabet for URLs.
fn encoded(fields: &serde_json::Value) -> String {
    general_purpose::URL_SAFE.encode(fields.to_string())
}

/// Files name registries with or without scheme and path.
fn same_registry(written: &str, key: &str) -> bool {
    fn host(name: &str) -> &str {
        let name = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
        name.split('/').next().unwrap_or(name)
    }
    let hub = |name: &str| matches!(host(name), "docker.io" | "index.docker.io" | "registry-1.docker.io");
    written == key || host(written) == host(key) || key == HUB && hub(written)
}

/// Asks a credential helper. None where it knows nothing of the registry. What it prints is never repeated: it may
/// be a secret.
async fn ask(helper: &str, registry: &str) -> Result<Option<Helped>, Fault> {
    let program = format!("docker-credential-{helper}");
    if helper.contains('/') {
        return Err(setup(&format!("`{helper}` is no name of a credential helper")));
    }
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| setup(&format!("the credential helper {program} cannot be started: {error}")))?;
    let mut stdin = child.stdin.take();
    let talk = async {
        if let Some(stdin) = &mut stdin {
            // A helper that does not read its input may be gone already.
            drop(stdin.write_all(format!("{registry}\n").as_bytes()).await);
        }
        drop(stdin.take());
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(HELPER_DEADLINE, talk).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(setup(&format!("the credential helper {program} failed: {error}"))),
        Err(_) => return Err(setup(&format!("the credential helper {program} did not answer in time"))),
    };
    if !output.status.success() {
        // By the helpers' protocol this is how "none" is said; what else went wrong shows at the registry.
        return if String::from_utf8_lossy(&output.stdout).contains("credentials not found") {
            Ok(None)
        } else {
            Err(setup(&format!("the credential helper {program} failed for {registry}")))
        };
    }
    if output.stdout.len() > MAX_HELPER_ANSWER {
        return Err(setup(&format!("the credential helper {program} prints too much")));
    }
    serde_json::from_slice(&output.stdout)
        .map(Some)
        .map_err(|_| setup(&format!("the credential helper {program} prints something else than credentials")))
}

fn setup(why: &str) -> Fault {
    Fault::new(ErrorKind::RegistryRefused, why, "correct ~/.docker/config.json, or log in again with `docker login`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(header: &str) -> serde_json::Value {
        serde_json::from_slice(&general_purpose::URL_SAFE.decode(header).unwrap()).unwrap()
    }

    async fn with(config: &str, image: &str) -> Result<Option<serde_json::Value>, Fault> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        std::fs::write(&file, config).unwrap();
        header_from(&file, image).await.map(|header| header.map(|header| decoded(&header)))
    }

    #[tokio::test]
    async fn credentials_are_found_by_the_images_registry() {
        // "u:p>>>~~~???" has every character that differs between the two alphabets.
        let packed = general_purpose::STANDARD.encode("u:p>>>~~~???");
        let config = format!(
            r#"{{"auths":{{"r.example:5000":{{"auth":"{packed}"}},"https://index.docker.io/v1/":{{"identitytoken":"tok"}},
                "https://old.example/v2/":{{"username":"a","password":"b"}},"empty.example":{{}}}}}}"#
        );
        let found = with(&config, "r.example:5000/app:1").await.unwrap().unwrap();
        assert_eq!(found["username"], "u");
        assert_eq!(found["password"], "p>>>~~~???");
        let hub = with(&config, "redis:7").await.unwrap().unwrap();
        assert_eq!(hub["identitytoken"], "tok");
        assert_eq!(with(&config, "old.example/x").await.unwrap().unwrap()["username"], "a");
        assert_eq!(with(&config, "empty.example/x").await.unwrap(), None);
        assert_eq!(with(&config, "r.example/app").await.unwrap(), None);
        let none = Path::new("/nonexistent/config.json");
        assert_eq!(header_from(none, "redis").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_broken_file_is_an_error_without_its_secrets() {
        for config in [r#"{"auths":{"r.example":{"auth":"hunter2 !"}}}"#, r#"{"auths":{"r.example":"hunter2"}}"#, "{"] {
            let fault = with(config, "r.example/x").await.unwrap_err();
            assert_eq!(fault.kind, ErrorKind::RegistryRefused);
            assert!(!fault.why.as_str().contains("hunter2"), "{}", fault.why);
        }
    }

    #[tokio::test]
    async fn a_helper_that_is_missing_is_named() {
        let fault = with(r#"{"credsStore":"wharf-test-none"}"#, "redis").await.unwrap_err();
        assert!(fault.why.as_str().contains("docker-credential-wharf-test-none"));
        assert!(with(r#"{"credsStore":"../evil"}"#, "redis").await.is_err());
    }
}
