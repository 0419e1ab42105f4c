use super::*;
use crate::model::{Generation, HostIntent, ServiceKey};

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn role(who: &[Who], may: &[&str], regions: &[&str], stacks: &[&str]) -> Role {
    Role { who: who.to_vec(), may: list(may), reach: Reach { regions: list(regions), stacks: list(stacks) } }
}

fn rules(roles: Vec<Role>, guards: Vec<Guard>) -> Rules {
    let hosts = [("e-1", "east"), ("w-1", "west")];
    Rules {
        access: Access { roles, guards },
        fleet: "acme".to_owned(),
        hosts: hosts.map(|(host, region)| (host.parse().unwrap(), region.parse().unwrap())).into(),
    }
}

/// A change of a service in regions, or of a host.
fn change(intent: Intent, places: &[(&str, &str)], host: Option<&str>) -> Proposal {
    let place = |(service, region): &(&str, &str)| {
        let service: ServiceKey = service.parse().unwrap();
        ((service, region.parse().unwrap()), None)
    };
    Proposal {
        intent,
        equivalent: String::new(),
        base: Generation(0),
        revisions: Vec::new(),
        assignments: places.iter().map(place).collect(),
        stacks: BTreeMap::new(),
        hosts: host.iter().map(|host| (host.parse().unwrap(), Some(HostIntent::Draining))).collect(),
        adopted: BTreeMap::new(),
        confirmed: None,
    }
}

fn scale(places: &[(&str, &str)]) -> Proposal {
    change(Intent::Scale { changes: Vec::new() }, places, None)
}

fn drain(host: &str, moved: &[(&str, &str)]) -> Proposal {
    let intent = Intent::Host { host: host.parse().unwrap(), intent: Some(HostIntent::Draining) };
    change(intent, moved, Some(host))
}

#[test]
fn patterns_stand_for_what_they_look_like() {
    for (pattern, name, fits) in [
        ("shop", "shop", true),
        ("shop", "shop-eu", false),
        ("shop*", "shop", true),
        ("shop*", "shop-eu", true),
        ("*", "anything", true),
        ("*-eu", "shop-eu", true),
        ("*-eu", "shop-us", false),
        ("a*b*c", "abc", true),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "acb", false),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
    }
}

#[test]
fn without_roles_everybody_may_do_everything() {
    let rules = rules(Vec::new(), Vec::new());
    assert_eq!(rules.refuses(&scale(&[("shop/web", "east")]), "eve@x", &BTreeSet::new()), None);
    assert_eq!(rules.demand(&scale(&[("shop/web", "east")])).level, Level::Confirm);
}

#[test]
fn a_role_lets_its_people_do_its_things_in_its_places() {
    let ana = Who::Name("ana".to_owned());
    let rules = rules(
        vec![
            role(&[ana.clone(), Who::Name("bo@bastion".into())], &["scale"], &["east"], &["shop*"]),
            role(&[Who::Group("ops".into())], &[], &[], &[]),
            role(&[ana], &["drain"], &[], &["shop"]),
        ],
        Vec::new(),
    );
    let nobody = BTreeSet::new();
    let ops = BTreeSet::from(["ops".to_owned()]);
    let refused = |proposal: &Proposal, by: &str| rules.refuses(proposal, by, &nobody);
    assert_eq!(refused(&scale(&[("shop/web", "east")]), "ana@bastion"), None);
    assert_eq!(refused(&scale(&[("shop/web", "east")]), "bo@bastion"), None);
    let words = refused(&scale(&[("shop/web", "east")]), "bo@laptop").unwrap();
    assert_eq!(
        words,
        "bo may not scale shop in east: by the roles of the fleet file these may: ana, bo@bastion, group:ops"
    );
    // Every place counts, not the first alone.
    let both = scale(&[("shop/web", "east"), ("shop/web", "west")]);
    assert_eq!(
        refused(&both, "ana@bastion").unwrap(),
        "ana may not scale shop in west: by the roles of the fleet file these may: group:ops"
    );
    assert_eq!(rules.refuses(&both, "cy@bastion", &ops), None);
    // A host is not one stack's: a role that is for some stacks only does not let anybody empty it.
    assert!(refused(&drain("e-1", &[]), "ana@bastion").unwrap().starts_with("ana may not drain hosts of east"));
    assert_eq!(rules.refuses(&drain("e-1", &[("pay/api", "east")]), "cy@x", &ops), None);
    assert!(rules.asks_for_groups());
}

#[test]
fn a_role_for_nobody_leaves_nobody() {
    let rules = rules(vec![role(&[Who::Name("ana".into())], &["scale"], &["east"], &[])], Vec::new());
    let words = rules.refuses(&drain("w-1", &[]), "ana@x", &BTreeSet::new()).unwrap();
    assert_eq!(words, "ana may not drain hosts of west: no role of the fleet file lets anybody");
}

#[test]
fn the_last_guard_that_fits_counts_and_the_strictest_place() {
    let guard = |level, regions: &[&str], stacks: &[&str]| Guard {
        level,
        reach: Reach { regions: list(regions), stacks: list(stacks) },
    };
    let rules = rules(
        Vec::new(),
        vec![
            guard(Level::Name, &[], &["pay*"]),
            guard(Level::Nothing, &["west"], &[]),
            guard(Level::Name, &["west"], &["pay-core"]),
        ],
    );
    let demand = |proposal: &Proposal| {
        let demand = rules.demand(proposal);
        (demand.level, demand.name)
    };
    assert_eq!(demand(&scale(&[("shop/web", "east")])), (Level::Confirm, "shop".to_owned()));
    assert_eq!(demand(&scale(&[("pay/api", "east")])), (Level::Name, "pay".to_owned()));
    assert_eq!(demand(&scale(&[("pay/api", "west")])).0, Level::Nothing);
    assert_eq!(demand(&scale(&[("pay-core/api", "west")])), (Level::Name, "pay-core".to_owned()));
    // Of one that is guarded and one that is not, the guarded one's name.
    assert_eq!(demand(&scale(&[("pay/api", "east"), ("shop/web", "east")])), (Level::Name, "pay".to_owned()));
    // Two guarded stacks of a region: the region's.
    assert_eq!(demand(&scale(&[("pay/api", "east"), ("pay-core/x", "east")])), (Level::Name, "east".to_owned()));
    let far = scale(&[("pay/api", "east"), ("pay-core/x", "west")]);
    assert_eq!(demand(&far), (Level::Name, "acme".to_owned()));
    assert_eq!(demand(&drain("e-1", &[("pay/api", "east")])), (Level::Name, "e-1".to_owned()));

    let mut pay = scale(&[("pay/api", "east")]);
    assert!(rules.unconfirmed(&pay).unwrap().contains("`--confirm pay`"));
    pay.confirmed = Some("shop".to_owned());
    assert!(rules.unconfirmed(&pay).is_some());
    pay.confirmed = Some("pay".to_owned());
    assert_eq!(rules.unconfirmed(&pay), None);
    assert_eq!(rules.unconfirmed(&scale(&[("shop/web", "east")])), None);
}
