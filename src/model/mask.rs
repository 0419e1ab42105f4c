//! Confidences that containers print, or carry in what engines know of them, are not shown.

use std::collections::BTreeSet;

use super::{Sensitive, ServiceSpec};

/// Values shorter than this are not masked: they would be found in every other word.
const SHORT: usize = 6;

/// What stands for what is not shown.
pub const MASKED: &str = "•••";

/// Parts of names that tell of a confidence, in small letters.
const CONFIDENT: [&str; 14] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "auth",
    "cookie",
    "salt",
    "dsn",
    "jwt",
    "webhook",
    "signature",
    "connectionstring",
];

/// Names that look confident and are not: the shell's directories, and a path in every inspection.
const HARMLESS: [&str; 3] = ["pwd", "oldpwd", "sandboxkey"];

/// Hides in words of a container what its service was given in confidence: values of its environment, lines of its secret
/// files.
pub fn mask(words: &str, spec: Option<&ServiceSpec>) -> String {
    Veil::of(spec).hide(words)
}

/// What is known to be confidential of one container.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Veil {
    /// The longest first: one may be a part of another.
    secrets: Vec<Sensitive>,
    /// Variables whose values are not shown, whatever their names.
    variables: BTreeSet<String>,
}

impl Veil {
    /// What services were given: every value of their environment, lines of their secret files.
    pub fn of<'a>(specs: impl IntoIterator<Item = &'a ServiceSpec>) -> Self {
        let mut veil = Self::default();
        for spec in specs {
            let files = spec.files.iter().filter(|file| file.secret).flat_map(|file| file.content.reveal().lines());
            spec.environment.values().map(Sensitive::reveal).chain(files).for_each(|secret| veil.add(secret));
            veil.variables.extend(spec.environment.keys().cloned());
        }
        veil.sort();
        veil
    }

    /// What the lines of an environment, `NAME=value`, hold under names that look confident.
    pub fn of_environment<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut veil = Self::default();
        for (name, value) in lines.filter_map(|line| line.split_once('=')) {
            if is_confident(name) {
                veil.add(value);
            }
        }
        veil.sort();
        veil
    }

    fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() >= SHORT {
            self.secrets.push(Sensitive(secret.to_owned()));
        }
    }

    fn sort(&mut self) {
        self.secrets.sort_by(|a, b| b.reveal().len().cmp(&a.reveal().len()).then(a.reveal().cmp(b.reveal())));
        self.secrets.dedup();
    }

    /// The words without what is known to be confidential.
    pub fn hide(&self, words: &str) -> String {
        let mut words = words.to_owned();
        for secret in &self.secrets {
            if words.contains(secret.reveal()) {
                words = words.replace(secret.reveal(), MASKED);
            }
        }
        words
    }

    /// A line of an environment, `NAME=value`, without its value where that is confidential.
    pub fn variable(&self, line: &str) -> String {
        match line.split_once('=') {
            Some((name, "")) => format!("{name}="),
            Some((name, _)) if is_confident(name) || self.variables.contains(name) => format!("{name}={MASKED}"),
            _ => credentials(&self.hide(line)),
        }
    }
}

/// True for a name whose value is not for everybody: `DB_PASSWORD`, `--api-key`, `traefik.…basicauth.users`.
pub fn is_confident(name: &str) -> bool {
    let name: String = name.chars().filter(|c| !matches!(c, '_' | '-' | '.')).collect::<String>().to_lowercase();
    if HARMLESS.contains(&name.as_str()) {
        return false;
    }
    // Authors are no confidence; an authorization is.
    let name = name.replace("authoriz", "auth").replace("author", "");
    CONFIDENT.iter().any(|part| name.contains(part))
}

/// The words without what their own form tells to be confidential: `NAME=value` and `--name value` under such a name,
/// `"name": "value"`, `user:password@` in addresses, what follows `Bearer` and `Basic`.
pub fn credentials(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    let mut rest = words;
    let mut secret = false;
    while !rest.is_empty() {
        let blank = rest.len() - rest.trim_start().len();
        let (space, after) = rest.split_at(blank);
        out.push_str(space);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let token = after.get(..end).unwrap_or(after);
        let used = if token.is_empty() {
            0
        } else if secret && !token.starts_with('-') {
            secret = false;
            out.push_str(MASKED);
            value_end(after)
        } else {
            secret = tells_of_next(token);
            named(after, token, &mut out)
        };
        rest = after.get(used..).unwrap_or_default();
    }
    out
}

/// True for a word after which a confidence comes: `--password`, `Bearer`, `"token":`, `X-Api-Key:`.
pub fn tells_of_next(word: &str) -> bool {
    let bare = word.trim_matches(['"', '\'', ':']);
    let flag = bare.starts_with('-') && !bare.contains('=') && is_confident(bare);
    let field = word.ends_with(':') && word.contains(['"', '-']) && is_confident(bare);
    flag || field || bare.eq_ignore_ascii_case("bearer") || bare.eq_ignore_ascii_case("basic")
}

/// Where the value at the beginning of `text` ends: behind its closing quote, or before the next blank.
fn value_end(text: &str) -> usize {
    let blank = text.find(char::is_whitespace).unwrap_or(text.len());
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = text.get(1..).unwrap_or_default();
            inner.find(quote).map_or(text.len(), |at| at + 2)
        }
        _ => blank,
    }
}

/// Writes the token at the beginning of `text` without its confidences. Gives how much of `text` that was.
fn named(text: &str, token: &str, out: &mut String) -> usize {
    let separators = token.char_indices().filter(|(at, c)| {
        let before = token.get(..*at).unwrap_or_default();
        *c == '=' || *c == ':' && before.ends_with('"')
    });
    for (at, _) in separators {
        let before = token.get(..at).unwrap_or_default().trim_end_matches('"');
        let begin = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
            .last()
            .map_or(before.len(), |(at, _)| at);
        let value = text.get(at + 1..).unwrap_or_default();
        let is_empty = value.is_empty() || value.starts_with(char::is_whitespace);
        if is_confident(before.get(begin..).unwrap_or_default()) && !is_empty {
            out.push_str(&address(text.get(..=at).unwrap_or_default()));
            out.push_str(MASKED);
            return at + 1 + value_end(value);
        }
    }
    out.push_str(&address(token));
    token.len()
}

/// Shorter names of a user alone are taken for names.
const LONG_USER: usize = 16;

/// `scheme://user:password@host` without the password.
fn address(token: &str) -> String {
    let Some((scheme, rest)) = token.split_once("://") else { return token.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (mut authority, mut tail) = rest.split_at(end);
    // The beginning of the next address, in a list of them.
    if tail.starts_with("//")
        && let Some(before) = authority.strip_suffix(':')
    {
        authority = before;
        tail = rest.get(before.len()..).unwrap_or_default();
    }
    let shown = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((_, "")) => authority.to_owned(),
            Some((user, _)) => format!("{user}:{MASKED}@{host}"),
            // A token in the place of a user.
            None if user.len() >= LONG_USER => format!("{MASKED}@{host}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    format!("{scheme}://{shown}{}", address(tail))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::FileMount;

    fn spec() -> ServiceSpec {
        let file = |content: &str, secret| FileMount {
            name: "f".into(),
            target: "/f".into(),
            content: Sensitive(content.into()),
            secret,
            uid: 0,
            gid: 0,
            mode: 0o400,
        };
        ServiceSpec {
            environment: [("URL", "db://u:hunter2@db"), ("PASS", "hunter2"), ("PORT", "8080")]
                .map(|(name, value)| (name.to_owned(), Sensitive(value.to_owned())))
                .into(),
            files: vec![file("first-line\nsecond-line\n", true), file("verbose = true", false)],
            ..ServiceSpec::default()
        }
    }

    #[test]
    fn confidences_are_kept() {
        let said = "cannot open db://u:hunter2@db with hunter2 on 8080, nor second-line; verbose = true";
        let masked = mask(said, Some(&spec()));
        assert_eq!(masked, "cannot open ••• with ••• on 8080, nor •••; verbose = true");
        assert_eq!(mask(said, None), said);
        assert!(!format!("{:?}", Veil::of([&spec()])).contains("hunter2"));
    }

    #[test]
    fn names_tell_of_confidences() {
        for name in [
            "PASS",
            "DB_PASSWORD",
            "db-passwd",
            "MYSQL_PWD",
            "ApiKey",
            "api_key",
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "JoinTokens",
            "HTTP_AUTHORIZATION",
            "traefik.http.middlewares.a.basicauth.users",
            "SENTRY_DSN",
            "SESSION_COOKIE",
            "ConnectionString",
            "CONNECTION_STRING",
            "--requirepass",
        ] {
            assert!(is_confident(name), "{name}");
        }
        for name in [
            "PWD",
            "OLDPWD",
            "SandboxKey",
            "PATH",
            "LOG_LEVEL",
            "org.opencontainers.image.authors",
            "com.docker.compose.service",
            "wharf.slot",
            "HOSTNAME",
            "",
        ] {
            assert!(!is_confident(name), "{name}");
        }
    }

    #[test]
    fn variables_lose_their_values_and_not_their_names() {
        let veil = Veil::of([&spec()]);
        for (line, shown) in [
            ("URL=db://u:hunter2@db", "URL=•••"),
            // Short, and given in confidence all the same.
            ("PORT=8080", "PORT=•••"),
            ("OTHER=8080", "OTHER=8080"),
            ("COPY=has hunter2 in it", "COPY=has ••• in it"),
            ("API_TOKEN=x", "API_TOKEN=•••"),
            ("API_TOKEN=", "API_TOKEN="),
            ("FLAG", "FLAG"),
            ("BROKER=amqp://me:open@mq:5672/v", "BROKER=amqp://me:•••@mq:5672/v"),
        ] {
            assert_eq!(veil.variable(line), shown);
        }
        let found = Veil::of_environment(["DB_PASSWORD=correct horse", "MODE=correct horses"].into_iter());
        assert_eq!(found.hide("login --with 'correct horse'"), "login --with '•••'");
    }

    proptest! {
        #[test]
        fn no_value_under_a_confident_name_gets_through(
            before in "[ -~]{0,20}",
            secret in "[!-&(-~]{6,20}",
            after in "\\PC{0,20}",
        ) {
            let secret = format!("Zq{}Zq", secret.replace(['"', '\'', '-'], "x"));
            for form in [format!("--password={secret}"), format!("--api-key {secret}"), format!("DB_TOKEN={secret}")] {
                // A quote that is open before belongs to another value.
                let before = before.replace(['"', '\''], "");
                let shown = credentials(&format!("{before} {form} {after}"));
                prop_assert!(!shown.contains(&secret), "{shown}");
            }
            credentials(&after);
        }
    }

    #[test]
    fn forms_tell_of_confidences() {
        for (words, shown) in [
            ("serve --port 80 --password hunter2 -v", "serve --port 80 --password ••• -v"),
            ("serve --password=hunter2 -v", "serve --password=••• -v"),
            ("serve --password=\"two words\" -v", "serve --password=••• -v"),
            ("serve --password 'two words' -v", "serve --password ••• -v"),
            ("sh -c \"mysql --password=hunter2\"", "sh -c \"mysql --password=•••"),
            ("redis-server --requirepass hunter2", "redis-server --requirepass •••"),
            ("serve --password --force", "serve --password --force"),
            ("ENV A=1 API_TOKEN=abc  B=2", "ENV A=1 API_TOKEN=•••  B=2"),
            ("|1 NPM_TOKEN=abc /bin/sh -c npm ci", "|1 NPM_TOKEN=••• /bin/sh -c npm ci"),
            ("curl -H 'Authorization: Bearer abc.def' http://x", "curl -H 'Authorization: Bearer ••• http://x"),
            ("postgres://u:p@h/db?sslmode=off", "postgres://u:•••@h/db?sslmode=off"),
            ("http://h/cb?token=abc", "http://h/cb?token=•••"),
            ("https://ghp_0123456789abcdef@github.com/x", "https://•••@github.com/x"),
            ("ssh://git@github.com/x", "ssh://git@github.com/x"),
            ("a=postgres://u:p@h,b=redis://:q@r", "a=postgres://u:•••@h,b=redis://:•••@r"),
            ("{\"user\":\"u\",\"password\":\"p\"}", "{\"user\":\"u\",\"password\":•••}"),
            ("{\"password\": \"p\"}", "{\"password\": •••}"),
            ("http://127.0.0.1:8080/healthz  ok", "http://127.0.0.1:8080/healthz  ok"),
            ("", ""),
            ("  ", "  "),
        ] {
            assert_eq!(credentials(words), shown, "{words}");
        }
    }
}
