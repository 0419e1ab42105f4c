//! Which requests go where, as conditions that nothing in a host name or a path can leave.

use std::cmp::Reverse;

use crate::model::Route;

/// A frontend's routes: the most particular first, whatever order they came in.
pub(crate) fn ordered(routes: &[Route]) -> Vec<&Route> {
    let mut routes: Vec<_> = routes.iter().collect();
    routes.sort_by_key(|route| {
        let host = match route.host.as_deref() {
            Some(host) if !host.starts_with("*.") => (0, Reverse(0)),
            Some(wild) => (1, Reverse(wild.len())),
            None => (2, Reverse(0)),
        };
        (host, Reverse(route.path.as_ref().map_or(0, String::len)))
    });
    routes
}

/// The conditions of a route, of which one must hold, each a list that must all hold; one empty list when everything
/// fits. Refused with the reason where host or path are none.
pub(crate) fn conditions(route: &Route) -> Result<Vec<String>, String> {
    let host = match route.host.as_deref() {
        None => None,
        Some(host) => Some(host_condition(host)?),
    };
    let paths = match route.path.as_deref() {
        None | Some("/") => vec![None],
        Some(path) => path_conditions(path)?.into_iter().map(Some).collect(),
    };
    Ok(paths.into_iter().map(|path| [host.clone(), path].into_iter().flatten().collect::<Vec<_>>().join(" ")).collect())
}

fn host_condition(host: &str) -> Result<String, String> {
    let (how, name) = host.strip_prefix("*.").map_or(("str", host), |name| ("end", name));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(format!("`{host}` is no host name: use letters, digits, `-` and `.`, with `*.` in front at most"));
    }
    let dot = if how == "end" { "." } else { "" };
    Ok(format!("{{ req.hdr(host),host_only,lower -m {how} '{dot}{}' }}", name.to_ascii_lowercase()))
}

/// `/api` fits itself and what is below it, not `/apiary`; `/api/` and `/v1.` fit what begins so.
fn path_conditions(path: &str) -> Result<Vec<String>, String> {
    let plain = path.starts_with('/')
        && path.len() <= 1024
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\'' | b'"' | b'\\' | b'?' | b'#'));
    if !plain {
        return Err(format!(
            "`{path}` is no path: begin it with `/`, and write blanks, quotes, `?`, `#`, `\\` and other letters as %XX"
        ));
    }
    if path.ends_with('/') {
        return Ok(vec![format!("{{ path -m beg '{path}' }}")]);
    }
    Ok(vec![format!("{{ path -m str '{path}' }}"), format!("{{ path -m beg '{path}/' }}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(host: Option<&str>, path: Option<&str>) -> Route {
        Route { host: host.map(Into::into), path: path.map(Into::into), backend: "shop:web:80".into() }
    }

    #[test]
    fn the_most_particular_comes_first() {
        let routes = [
            route(None, None),
            route(Some("*.example.com"), None),
            route(None, Some("/api")),
            route(Some("a.example.com"), None),
            route(Some("*.b.example.com"), None),
            route(Some("a.example.com"), Some("/x/y")),
            route(Some("a.example.com"), Some("/x")),
        ];
        let order: Vec<_> = ordered(&routes).into_iter().map(|r| (r.host.as_deref(), r.path.as_deref())).collect();
        assert_eq!(
            order,
            [
                (Some("a.example.com"), Some("/x/y")),
                (Some("a.example.com"), Some("/x")),
                (Some("a.example.com"), None),
                (Some("*.b.example.com"), None),
                (Some("*.example.com"), None),
                (None, Some("/api")),
                (None, None),
            ]
        );
    }

    #[test]
    fn routes_become_conditions() {
        let all = |host, path| conditions(&route(host, path)).unwrap();
        assert_eq!(all(None, None), [""]);
        assert_eq!(all(None, Some("/")), [""]);
        assert_eq!(all(Some("A.example.com"), None), ["{ req.hdr(host),host_only,lower -m str 'a.example.com' }"]);
        assert_eq!(
            all(Some("*.x.org"), Some("/a/")),
            ["{ req.hdr(host),host_only,lower -m end '.x.org' } { path -m beg '/a/' }"]
        );
        assert_eq!(all(None, Some("/api")), ["{ path -m str '/api' }", "{ path -m beg '/api/' }"]);
    }

    #[test]
    fn nothing_leaves_its_quotes() {
        for host in ["", "*", "*.", "a b", "a'b", "-f", "a..b", "x\ny", "a}b", "a.*.b", "é.com", "$HOME", "a/b", "a:80"]
        {
            assert!(conditions(&route(Some(host), None)).is_err(), "{host}");
        }
        for path in ["", "api", "/a b", "/a'b", "/a\"b", "/a\\b", "/a\n", "/é", "/a?b=1", "/a#b", "/\u{202e}"] {
            assert!(conditions(&route(None, Some(path))).is_err(), "{path}");
        }
        assert!(conditions(&route(None, Some("/a}b{c$HOME%20"))).is_ok());
    }
}
