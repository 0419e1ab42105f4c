//! Why something is not well, as lines.

use super::wrap;
use crate::{
    app::{
        line::{Line, Mark, Role},
        overlay::ExplainPage,
    },
    plan::State,
};

/// The lines of an explanation, for so many cells.
pub fn explain(page: &ExplainPage, cells: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let say = |lines: &mut Vec<Line>, indent: usize, role: Role, text: &str| {
        for words in wrap(text, cells.saturating_sub(indent + 1)) {
            lines.push(Line::of(role, format!("{}{words}", " ".repeat(indent))));
        }
    };
    for told in &page.services {
        if !lines.is_empty() {
            lines.push(Line::new());
        }
        say(&mut lines, 1, Role::Strong, &told.summary);
        for cause in &told.causes {
            let mut words = wrap(&cause.what, cells.saturating_sub(cause.region.as_str().len() + 6)).into_iter();
            let mark = mark(cause.state);
            lines.push(
                Line::of(Role::Plain, " ")
                    .mark(mark)
                    .with(Role::Dim, format!(" {}  ", cause.region))
                    .with(Role::Mark(mark), words.next().unwrap_or_default()),
            );
            for words in words {
                lines.push(Line::of(Role::Mark(mark), format!("   {words}")));
            }
            for line in &cause.evidence {
                say(&mut lines, 5, Role::Plain, line);
            }
            let asked = cause.ask.as_ref().and_then(|(host, container)| {
                page.evidence.iter().find(|told| told.host == *host && told.container == *container)
            });
            let Some(evidence) = asked else { continue };
            for (head, said) in [("its check said", &evidence.check), ("its log ends", &evidence.log)] {
                if said.is_empty() {
                    continue;
                }
                say(&mut lines, 5, Role::Label, head);
                for line in said {
                    say(&mut lines, 7, Role::Dim, line.as_str());
                }
            }
        }
    }
    if page.asked > 0 {
        lines.push(Line::of(Role::Dim, format!(" asking {} of the containers …", page.asked)));
    }
    lines
}

fn mark(state: State) -> Mark {
    match state {
        State::Ok => Mark::Ok,
        State::Stopped => Mark::Stopped,
        State::Changing => Mark::Changing,
        State::Unknown => Mark::Unknown,
        State::Failed => Mark::Failed,
    }
}
