//! Keys of the graph, and of explain.

use super::*;
use wharf::{
    app::graph::{Form, Kind},
    model::Evidence,
};

fn at(state: &State) -> (Form, String) {
    let name = match state.selected() {
        Some(Id::Stack(id)) => id.name().to_owned(),
        Some(Id::Service(id)) => id.to_string(),
        Some(Id::Host(name)) => name.to_string(),
        Some(Id::Region(name)) => name.to_string(),
        Some(Id::Replica(_)) => "a replica".to_owned(),
        other => format!("{other:?}"),
    };
    (state.screen().graph.form, name)
}

#[test]
fn the_graph_opens_with_what_was_selected_and_walks_along_relations() {
    for (keys, form, selected) in [
        ("6", Form::Columns, "payments"),
        ("46", Form::Columns, "payments/api"),
        ("2jj6", Form::Columns, "e-3"),
        ("46h", Form::Columns, "payments"),
        ("46l", Form::Columns, "a replica"),
        ("46lll", Form::Columns, "east"),
        ("46llllhh", Form::Columns, "a replica"),
        ("46<enter>", Form::Focus, "payments/api"),
        ("46<enter>l", Form::Focus, "payments/ledger"),
        ("46<enter>lh", Form::Focus, "payments/api"),
        ("46<enter><esc>", Form::Columns, "payments/api"),
        ("46t", Form::Tree, "payments/api"),
        ("46T", Form::Focus, "payments/api"),
        ("46TT", Form::Tree, "payments/api"),
        ("46TTT", Form::Matrix, "payments"),
        ("46TTTT", Form::Columns, "payments"),
        ("26tt", Form::Tree, "payments/api"),
    ] {
        let mut state = World::usual().with_needs().state(Mode::Normal, (120, 40));
        type_keys(&mut state, keys);
        assert_eq!(at(&state), (form, selected.to_owned()), "{keys}");
    }
}

#[test]
fn what_is_selected_in_the_graph_is_worked_on_as_in_its_list() {
    let mut state = World::usual().with_needs().state(Mode::Normal, (120, 40));
    type_keys(&mut state, "46<enter>++");
    let shown = text(&screen(&state, &Theme::named("default").unwrap()));
    assert!(shown.contains("→20") && shown.contains("(draft)"), "{shown}");
    type_keys(&mut state, "zz26D");
    assert!(!state.draft.is_empty());
    let mut state = World::usual().state(Mode::Normal, (120, 40));
    type_keys(&mut state, "46<space><space>");
    assert_eq!(state.screen().marks.len(), 2);
    type_keys(&mut state, "<esc>/index<enter>");
    assert_eq!(state.rows.rows.len(), 1);
}

#[test]
fn branches_open_and_close() {
    let mut state = World::usual().state(Mode::Normal, (120, 40));
    type_keys(&mut state, "36t");
    assert_eq!(state.screen().graph.kind, Kind::Stack);
    let all = state.rows.rows.len();
    type_keys(&mut state, "\\");
    assert!(state.rows.rows.len() < all);
    type_keys(&mut state, "\\");
    assert_eq!(state.rows.rows.len(), all);
    type_keys(&mut state, "|");
    assert!(state.rows.rows.len() > all, "replicas too");
    type_keys(&mut state, "|");
    assert!(state.rows.rows.len() < all, "stacks alone");
}

#[test]
fn explain_asks_the_engines_and_shows_what_they_say() {
    let mut state = World::usual().state(Mode::Normal, (120, 40));
    let asked: Vec<_> = type_keys(&mut state, "4/index<enter>X")
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Ask(host, container) => Some((host, container)),
            _ => None,
        })
        .collect();
    assert_eq!(asked.len(), 2, "both that ended");
    let shown = |state: &State| text(&screen(state, &Theme::named("default").unwrap()));
    assert!(shown(&state).contains("exited with 137 (out of memory)"), "{}", shown(&state));
    let (host, container) = asked[0].clone();
    let log = vec![Text::new("\u{1b}[31mheap \u{202e}is full")];
    let evidence = Evidence { host, container, check: Vec::new(), log };
    update(&mut state, Msg::Evidence(Box::new(evidence)));
    assert!(shown(&state).contains("its log ends") && shown(&state).contains("heap"), "{}", shown(&state));
    type_keys(&mut state, "<esc>");
    assert!(state.overlay.is_none());
    let mut state = World::usual().state(Mode::Normal, (120, 40));
    assert!(type_keys(&mut state, "4X").iter().all(|effect| !matches!(effect, Effect::Ask(..))));
    assert!(state.notice.as_ref().is_some_and(|notice| notice.text.contains("is healthy")), "{:?}", state.notice);
}

#[test]
fn relations_are_written_to_a_file() {
    let mut state = World::usual().with_needs().state(Mode::Normal, (120, 40));
    for (command, part) in [("graph-dot", "digraph"), ("graph-mermaid", "flowchart LR"), ("graph-text", "└ payments/")]
    {
        let effects = type_keys(&mut state, &format!("46:{command}<enter>"));
        let dumped = effects.iter().any(|effect| matches!(effect, Effect::Dump(text) if text.contains(part)));
        assert!(dumped, "{command}: {effects:?}");
    }
}
