//! What roles do not allow stays in sight with its reason, and what is guarded is not changed by one key.

use std::sync::Arc;

use super::{
    asked,
    support::{
        fleet::World,
        screen::{screen, text, type_keys},
    },
};
use wharf::{
    app::{Effect, Mode, State, command::Command, overlay::Overlay},
    model::{Access, Guard, Level, Reach, Role, Who},
    tui::Theme,
};

fn with(access: Access) -> State {
    let mut world = World::usual().with_history();
    Arc::make_mut(&mut world.fleet).access = access;
    world.state(Mode::Normal, (120, 40))
}

fn reach(regions: &[&str], stacks: &[&str]) -> Reach {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Reach { regions: list(regions), stacks: list(stacks) }
}

fn role(who: Who, may: &[&str], reach: Reach) -> Role {
    Role { who: vec![who], may: may.iter().map(|word| (*word).to_owned()).collect(), reach }
}

fn shown(state: &State) -> String {
    text(&screen(state, &Theme::named("default").unwrap()))
}

fn said(state: &State) -> String {
    state.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default()
}

/// Ana scales what begins with `pay` in the east; the group `ops` may do everything.
fn roles() -> Vec<Role> {
    vec![
        role(Who::Name("ana".to_owned()), &["scale"], reach(&["east"], &["pay*"])),
        role(Who::Group("ops".to_owned()), &[], Reach::default()),
    ]
}

#[test]
fn what_is_not_allowed_says_why_and_does_nothing() {
    let mut state = with(Access { roles: roles(), guards: Vec::new() });
    state.who = "ana@bastion".to_owned();
    assert_eq!(asked(type_keys(&mut state, "4/pay<enter>+.<enter>")), ["wharf scale payments/api=7@east"]);
    // Elsewhere, and another thing.
    for (keys, words) in [
        ("4/pay<enter><right>+", "ana may not scale payments in west"),
        ("4/shop<enter>+", "ana may not scale shop in east"),
        ("4/pay<enter>r", "ana may not restart payments in"),
        ("4/pay<enter>m", "ana may not migrate payments in"),
        ("2D", "ana may not drain hosts of east"),
        ("2u", "ana may not cordon hosts of east"),
        ("5E", "ana may not exec payments in east"),
    ] {
        let mut state = with(Access { roles: roles(), guards: Vec::new() });
        state.who = "ana@bastion".to_owned();
        assert_eq!(asked(type_keys(&mut state, keys)), Vec::<String>::new(), "{keys}");
        assert!(said(&state).contains(words), "{keys}: {}", said(&state));
        assert!(said(&state).ends_with("these may: group:ops"), "{keys}: {}", said(&state));
        assert!(state.draft.is_empty(), "{keys}");
    }
    // The same keys for somebody of that group.
    let mut state = with(Access { roles: roles(), guards: Vec::new() });
    (state.who, state.groups) = ("bo@bastion".to_owned(), ["ops".to_owned()].into());
    assert_eq!(asked(type_keys(&mut state, "4/pay<enter><right>+.<enter>")), ["wharf scale payments/api=7@west"]);
}

/// What a plan touches is known only once it is there: it is shown, and cannot be applied.
#[test]
fn a_plan_that_is_not_allowed_is_shown_with_the_reason() {
    let roles = vec![role(Who::Everybody, &["rebalance", "cordon", "scale"], reach(&["east"], &[]))];
    let mut state = with(Access { roles, guards: Vec::new() });
    type_keys(&mut state, "4/pay<enter>+.");
    assert!(state.refused(Command::Apply).is_none());
    type_keys(&mut state, "<esc>");
    let only_east = state.fleet.access.clone();
    let mut state = with(Access { roles: Vec::new(), ..only_east.clone() });
    type_keys(&mut state, "4/pay<enter><right>+");
    // The draft was made before the role was taken away.
    let draft = state.draft.clone();
    let mut state = with(only_east);
    state.draft = draft;
    type_keys(&mut state, "4.");
    let text = shown(&state);
    assert!(text.contains("may not scale payments in west"), "{text}");
    assert_eq!(asked(type_keys(&mut state, "<enter>")), Vec::<String>::new());
    assert!(said(&state).contains("may not scale payments in west"), "{}", said(&state));
}

#[test]
fn what_is_guarded_is_applied_when_its_name_was_typed() {
    let guards = vec![
        Guard { level: Level::Name, reach: reach(&[], &["payments"]) },
        Guard { level: Level::Confirm, reach: reach(&["ap"], &[]) },
    ];
    let access = Access { roles: Vec::new(), guards };
    let keys = "4/pay<enter>+.";
    let mut state = with(access.clone());
    assert_eq!(asked(type_keys(&mut state, keys)), Vec::<String>::new());
    assert!(shown(&state).contains("payments is guarded: enter asks for its name"), "{}", shown(&state));
    assert_eq!(asked(type_keys(&mut state, "<enter>")), Vec::<String>::new());
    assert!(matches!(&state.overlay, Some(Overlay::Confirm { names, .. }) if *names == ["payments"]));
    assert!(shown(&state).contains("Type its name to apply the plan"), "{}", shown(&state));
    // Another name, and none: nothing is asked for, and the question stays.
    assert_eq!(asked(type_keys(&mut state, "paymen<enter>")), Vec::<String>::new());
    assert_eq!(said(&state), "type payments in full, or esc");
    let effects = type_keys(&mut state, "ts<enter>");
    let applied = effects.iter().find_map(|effect| match effect {
        Effect::Apply(proposal) => Some(proposal.confirmed.clone()),
        _ => None,
    });
    assert_eq!(applied, Some(Some("payments".to_owned())));
    assert!(state.draft.is_empty() && state.overlay.is_none());

    let mut state = with(access.clone());
    assert_eq!(asked(type_keys(&mut state, &format!("{keys}<enter><esc>"))), Vec::<String>::new());
    assert!(!state.draft.is_empty(), "what was not confirmed stays in the draft");
    // Where the last guard that fits says so, enter is enough.
    let mut state = with(access);
    type_keys(&mut state, "4/pay<enter><right><right>+.");
    assert_eq!(asked(type_keys(&mut state, "<enter>")), ["wharf scale payments/api=7@ap"]);
}
