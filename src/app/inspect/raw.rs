//! A document as it was told, as a tree.

use super::tree::Grower;
use crate::{
    app::line::{Line, Role},
    model::Fact,
};

/// The fields or entries of a document, each with what is below it.
pub fn raw(grower: &mut Grower, fact: &Fact) {
    match fact {
        Fact::Map(fields, left_out) => grower.each(fields, *left_out, |grower, (name, value)| {
            one(grower, name.as_str(), value);
        }),
        Fact::List(values, left_out) => {
            let numbered: Vec<(usize, &Fact)> = values.iter().enumerate().collect();
            grower.each(&numbered, *left_out, |grower, (at, value)| one(grower, &at.to_string(), value));
        }
        _ => {}
    }
}

fn one(grower: &mut Grower, name: &str, value: &Fact) {
    grower.branch(name, value_of(value), |grower| match value {
        Fact::Lines(lines) => {
            for (at, line) in lines.iter().enumerate() {
                grower.row(&at.to_string(), Line::of(Role::Plain, line.as_str()));
            }
        }
        _ => raw(grower, value),
    });
}

/// A value in one line; of what has something below it, how much.
fn value_of(fact: &Fact) -> Line {
    match fact {
        Fact::Nothing => Line::of(Role::Dim, "null"),
        Fact::Flag(flag) => Line::of(Role::Plain, flag.to_string()),
        Fact::Number(number) => Line::of(Role::Plain, number.to_string()),
        Fact::Text(text) if text.is_empty() => Line::of(Role::Dim, "\"\""),
        Fact::Text(text) => Line::of(Role::Plain, text.as_str()),
        Fact::Lines(lines) => Line::of(Role::Plain, fact.text()).with(Role::Dim, format!("  {} lines", lines.len())),
        Fact::List(..) | Fact::Map(..) => count_of(fact),
    }
}

/// How much is in a list or a map.
pub fn count_of(fact: &Fact) -> Line {
    let count = fact.left_out() + fact.list().len() + fact.fields().len();
    let (one, many) = match fact {
        Fact::List(..) => ("entry", "entries"),
        _ => ("field", "fields"),
    };
    Line::of(
        Role::Dim,
        match count {
            0 => "none".to_owned(),
            1 => format!("1 {one}"),
            n => format!("{n} {many}"),
        },
    )
}
