//! What a container runs from, and what it changed of that.

use super::{
    container::none,
    parts::Look,
    raw::{count_of, raw},
    tree::Grower,
};
use crate::{
    app::line::{Line, Mark, Role},
    model::{Changed, Fact, Part},
    text::{bytes, count, pad_left},
};

/// What it changed of its image's files.
pub(super) fn files(grower: &mut Grower, look: &Look<'_>) {
    const NAME: &str = "files changed";
    let Some(told) = look.parts.files() else { return grower.leaf(NAME, look.parts.missing(Part::Files)) };
    let counts = [(told.added, Changed::Added), (told.changed, Changed::Changed), (told.deleted, Changed::Deleted)];
    let words: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, change)| format!("{} {}", count(*n as u64), change.word()))
        .collect();
    if words.is_empty() {
        return grower.leaf(NAME, look.parts.aged(Part::Files, none(), look));
    }
    let line = look.parts.aged(Part::Files, Line::of(Role::Plain, words.join(", ")), look);
    grower.branch(NAME, line, |grower| {
        grower.each(&told.changes, told.left_out, |grower, file| {
            let (role, sign) = match file.change {
                Changed::Added => (Role::Mark(Mark::Ok), "+"),
                Changed::Changed => (Role::Mark(Mark::Changing), "~"),
                Changed::Deleted => (Role::Mark(Mark::Failed), "-"),
            };
            let line = Line::of(role, sign).with(Role::Plain, format!(" {}", file.path));
            grower.row(file.path.as_str(), line);
        });
    });
}

/// Its image, with the steps that made it.
pub(super) fn image(grower: &mut Grower, look: &Look<'_>) {
    const NAME: &str = "image";
    let written = look.parts.facts(Part::Container).map_or("", |fact| fact.at(&["Config", "Image"]).text());
    let (line, told) = match look.parts.facts(Part::Image) {
        None => (look.parts.missing(Part::Image), &Fact::Nothing),
        Some(told) => {
            let name = if written.is_empty() { told.at(&["RepoTags"]).texts().join(" ") } else { written.to_owned() };
            let size = told.at(&["Size"]).amount().map(bytes).unwrap_or_default();
            let line = Line::of(Role::Plain, name).with(Role::Dim, format!("  {size}"));
            (look.parts.aged(Part::Image, line, look), told)
        }
    };
    grower.branch(NAME, line, |grower| {
        grower.say("as written", written);
        for (one, many, key) in [("name", "names", "RepoTags"), ("digest", "digests", "RepoDigests")] {
            match told.at(&[key]).texts().as_slice() {
                [] => {}
                [only] => grower.say(one, only),
                all => grower.branch(many, Line::of(Role::Plain, all.len().to_string()), |grower| {
                    grower.each(all, 0, |grower, name| grower.row(name, Line::of(Role::Plain, *name)));
                }),
            }
        }
        grower.say("id", told.at(&["Id"]).text());
        grower.say("size", &told.at(&["Size"]).amount().map(bytes).unwrap_or_default());
        if let Some(line) = look.moment(told.at(&["Created"])) {
            grower.leaf("created", line);
        }
        let platform = [told.at(&["Os"]).text(), told.at(&["Architecture"]).text()];
        grower.say("for", platform.join("/").trim_matches('/'));
        layers(grower, look);
        if !told.is_empty() {
            grower.branch("everything", count_of(told), |grower| raw(grower, told));
        }
    });
}

fn layers(grower: &mut Grower, look: &Look<'_>) {
    const NAME: &str = "layers";
    let Some(told) = look.parts.layers() else { return grower.leaf(NAME, look.parts.missing(Part::Layers)) };
    let with_files = told.layers.iter().filter(|layer| layer.size > 0).count();
    let words = format!("{} steps, {with_files} of them with files", told.layers.len() + told.left_out);
    grower.branch(NAME, Line::of(Role::Plain, words), |grower| {
        for (place, layer) in told.layers.iter().enumerate() {
            let created = layer.created.map(|at| look.when(at).text()).unwrap_or_default();
            let size = if layer.size == 0 { "–".to_owned() } else { bytes(layer.size) };
            let line = Line::of(Role::Plain, pad_left(&size, 9)).with(Role::Dim, format!("  {}", layer.by));
            // From the base on, so that a layer stays itself when others come on top.
            let key = (told.layers.len() - place).to_string();
            grower.grow(&key, "", line, |grower| {
                grower.say("made by", layer.by.as_str());
                grower.say("created", &created);
                for tag in &layer.tags {
                    grower.say("name", tag.as_str());
                }
            });
        }
        grower.more(told.left_out);
    });
}
