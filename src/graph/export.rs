//! The relations as text for tickets and tools.

use std::fmt::Write as _;

use super::{End, Web};

/// How relations are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A tree for people.
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid, as Markdown tools draw it.
    Mermaid,
}

/// Writes relations; `note` adds a few words to an end, such as `4/4`.
pub fn export(web: &Web, format: Format, note: impl Fn(&End) -> String) -> String {
    let label = |end: &End| {
        let name = end.name(None);
        let name = if matches!(end, End::Missing(_)) { format!("{name} ?") } else { name };
        let note = note(end);
        if note.is_empty() { name } else { format!("{name} {note}") }
    };
    match format {
        Format::Text => text(web, label),
        Format::Dot => dot(web, label),
        Format::Mermaid => mermaid(web, label),
    }
}

fn text(web: &Web, label: impl Fn(&End) -> String) -> String {
    let mut out = String::new();
    for (end, needs) in &web.needs {
        if needs.is_empty() && web.needed_by.contains_key(end) {
            continue;
        }
        let _ = writeln!(out, "{}", label(end));
        for (at, need) in needs.iter().enumerate() {
            let branch = if at + 1 == needs.len() { "└" } else { "├" };
            let _ = writeln!(out, "  {branch} {}", label(need));
        }
    }
    out
}

fn dot(web: &Web, label: impl Fn(&End) -> String) -> String {
    let mut out = String::from("digraph wharf {\n  rankdir=LR;\n  node [shape=box];\n");
    for end in web.needs.keys() {
        let style = match end {
            End::Entry(_) => ", shape=cds",
            End::Service(_) => "",
            End::Missing(_) => ", style=dashed",
            End::Network(_) => ", shape=ellipse",
        };
        let _ = writeln!(out, "  {} [label={}{style}];", quoted(&end.name(None)), quoted(&label(end)));
    }
    for (from, needs) in &web.needs {
        for to in needs {
            let style = if web.inner.contains(to) { " [style=dotted, dir=none]" } else { "" };
            let _ = writeln!(out, "  {} -> {}{style};", quoted(&from.name(None)), quoted(&to.name(None)));
        }
    }
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn mermaid(web: &Web, label: impl Fn(&End) -> String) -> String {
    let mut out = String::from("flowchart LR\n");
    let number = |end: &End| web.needs.keys().position(|known| known == end).unwrap_or_default();
    for (at, end) in web.needs.keys().enumerate() {
        let text = label(end).replace('"', "#quot;");
        let _ = match end {
            End::Entry(_) => writeln!(out, "  n{at}([\"{text}\"])"),
            End::Service(_) | End::Missing(_) => writeln!(out, "  n{at}[\"{text}\"]"),
            End::Network(_) => writeln!(out, "  n{at}((\"{text}\"))"),
        };
    }
    for (from, needs) in &web.needs {
        for to in needs {
            let arrow = match to {
                End::Missing(_) => "-.->",
                _ if web.inner.contains(to) => "-.-",
                _ => "-->",
            };
            let _ = writeln!(out, "  n{} {arrow} n{}", number(from), number(to));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::web::tests::web;
    use super::*;

    #[test]
    fn three_ways_to_write_the_same() {
        let web = web(&[(":80 \"x\"", "web"), ("web", "db")]);
        let of =
            |format| export(&web, format, |end| if end.service().is_some() { "1/1".into() } else { String::new() });
        assert_eq!(of(Format::Text), ":80 \"x\"\n  └ s/web 1/1\ns/web 1/1\n  └ s/db 1/1\n");
        assert!(of(Format::Dot).contains("\":80 \\\"x\\\"\" -> \"s/web\";"));
        assert!(of(Format::Mermaid).contains("n0([\":80 #quot;x#quot;\"])\n"));
        assert!(of(Format::Mermaid).contains("n0 --> n2"), "{}", of(Format::Mermaid));
    }
}
