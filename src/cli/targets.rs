//! What commands are about, as it is written: `shop/web=6@east`, `shop/web.2`, a host or a region.

use super::Failure;
use crate::{
    model::{Desired, Fleet, RegionName, Scope, ServiceKey, Site, Slot},
    plan::ScaleTarget,
    text::Text,
};

/// Reads `shop`, `shop/web` or `shop/web.2`. A service whose own name ends so is meant before a replica.
pub(super) fn scope(text: &str, desired: Option<&Desired>) -> Result<Scope, String> {
    let wrong = |error: &dyn std::fmt::Display| {
        format!("`{}`: {error}; write STACK, STACK/SERVICE or STACK/SERVICE.SLOT", Text::new(text))
    };
    if !text.contains('/') {
        return text.parse().map(Scope::Stack).map_err(|error| wrong(&error));
    }
    let whole: ServiceKey = text.parse().map_err(|error| wrong(&error))?;
    let slot = text.rsplit_once('.').and_then(|(service, slot)| Some((service, slot.parse().ok()?)));
    match slot {
        Some((service, slot)) if !desired.is_some_and(|desired| desired.services.contains_key(&whole)) => {
            let service = service.parse().map_err(|error| wrong(&error))?;
            Ok(Scope::Replica(service, Slot(slot)))
        }
        _ => Ok(Scope::Service(whole)),
    }
}

/// The services of what is written as `shop` or `shop/web`.
pub(super) fn services(desired: &Desired, text: &str) -> Result<Vec<ServiceKey>, Failure> {
    let is_meant = |key: &&ServiceKey| match scope(text, Some(desired)) {
        Ok(Scope::Stack(stack)) => key.stack == stack,
        Ok(Scope::Service(service) | Scope::Replica(service, _)) => **key == service,
        Err(_) => false,
    };
    scope(text, Some(desired)).map_err(Failure::Input)?;
    let found: Vec<ServiceKey> = desired.services.keys().filter(is_meant).cloned().collect();
    if found.is_empty() {
        let words = format!("`{}` is no stack or service of wharf; wharf stacks lists them", Text::new(text));
        return Err(Failure::Input(words));
    }
    Ok(found)
}

/// Reads the name of a host or a region of the fleet. What is neither is taken for a host: the planner knows the
/// words. A name that is both is refused, for nobody could tell which is meant.
pub(super) fn site(text: &str, fleet: &Fleet) -> Result<Site, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("`{}`: {error}; write a host or a region", Text::new(text));
    let is_region = fleet.regions.iter().any(|region| region.name.as_str() == text);
    let is_host = fleet.hosts().any(|(_, host)| host.name.as_str() == text);
    match (is_region, is_host) {
        (true, true) => {
            Err(format!("`{}` is a region and a host: rename one of them in the fleet file", Text::new(text)))
        }
        (true, false) => text.parse().map(Site::Region).map_err(|error| wrong(&error)),
        (false, _) => text.parse().map(Site::Host).map_err(|error| wrong(&error)),
    }
}

/// A number as written: `6`, `+2`, `-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Exactly(u32),
    By(i64),
}

/// One argument of `wharf scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    service: ServiceKey,
    amount: Amount,
    region: Option<RegionName>,
}

/// Reads one argument.
pub(super) fn parse(text: &str) -> Result<Wish, String> {
    let form = "write STACK/SERVICE=N, =+N or =-N, with @REGION for one region: shop/web=6@east";
    let (service, rest) = text.split_once('=').ok_or_else(|| format!("`{text}` has no `=`: {form}"))?;
    let (amount, region) = match rest.split_once('@') {
        Some((amount, region)) => (amount, Some(region)),
        None => (rest, None),
    };
    let number = |digits: &str| {
        digits
            .parse::<u32>()
            .ok()
            .filter(|n| *n <= MAX_REPLICAS)
            .ok_or_else(|| format!("`{amount}` is not a number of replicas from 0 to {MAX_REPLICAS}: {form}"))
    };
    let amount = match amount.split_at_checked(1) {
        Some(("+", digits)) => Amount::By(i64::from(number(digits)?)),
        Some(("-", digits)) => Amount::By(-i64::from(number(digits)?)),
        _ => Amount::Exactly(number(amount)?),
    };
    Ok(Wish {
        service: service.parse().map_err(|error| format!("`{text}`: {error}; {form}"))?,
        amount,
        region: region.map(str::parse).transpose().map_err(|error| format!("`{text}`: {error}; {form}"))?,
    })
}

/// More replicas of one service in one region than any fleet that wharf is made for has room for: a slip of the
/// finger is caught before it is planned.
const MAX_REPLICAS: u32 = 10_000;

/// What the wishes mean, region by region. Several wishes for one service add up, in order.
pub(super) fn resolve(wishes: &[Wish], desired: &Desired) -> Result<Vec<ScaleTarget>, String> {
    let mut targets: Vec<ScaleTarget> = Vec::new();
    for wish in wishes {
        let Some(regions) = desired.services.get(&wish.service) else {
            // The planner knows the words for a service that does not exist.
            let region =
                wish.region.clone().or_else(|| desired.services.values().flat_map(|r| r.keys()).next().cloned());
            let Some(region) = region else {
                return Err(format!(
                    "there is no service `{}`: nothing is deployed yet (wharf deploy -f compose.yaml)",
                    wish.service
                ));
            };
            targets.push(ScaleTarget { service: wish.service.clone(), region, to: 0 });
            continue;
        };
        let asked: Vec<&RegionName> = match &wish.region {
            Some(region) => vec![region],
            None => regions.keys().collect(),
        };
        for region in asked {
            let known = targets.iter_mut().find(|target| target.service == wish.service && target.region == *region);
            let now = match &known {
                Some(target) => target.to,
                None => regions
                    .get(region)
                    .map_or(0, |assignment| u32::try_from(assignment.slots.len()).unwrap_or(u32::MAX)),
            };
            let to = match wish.amount {
                Amount::Exactly(n) => n,
                Amount::By(delta) => u32::try_from(i64::from(now) + delta)
                    .map_err(|_| format!("{} has {now} in {region}: {delta} of them cannot go", wish.service))?,
            };
            match known {
                Some(target) => target.to = to,
                None => targets.push(ScaleTarget { service: wish.service.clone(), region: region.clone(), to }),
            }
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{Assignment, HostName, Place, RevisionNo, Slot};

    fn desired() -> Desired {
        let assignment = |n: u32| Assignment {
            slots: (1..=n)
                .map(|i| (Slot(i), Place { host: HostName::new("h").unwrap(), revision: RevisionNo(1) }))
                .collect(),
            ..Assignment::default()
        };
        Desired {
            services: BTreeMap::from([(
                "shop/web".parse().unwrap(),
                BTreeMap::from([("east".parse().unwrap(), assignment(3)), ("west".parse().unwrap(), assignment(1))]),
            )]),
            ..Desired::default()
        }
    }

    fn resolved(args: &[&str]) -> Result<Vec<String>, String> {
        let wishes = args.iter().map(|arg| parse(arg)).collect::<Result<Vec<_>, _>>()?;
        let targets = resolve(&wishes, &desired())?;
        Ok(targets.iter().map(|t| format!("{}={}@{}", t.service, t.to, t.region)).collect())
    }

    #[test]
    fn wishes_become_numbers() {
        for (args, expected) in [
            (&["shop/web=6"][..], &["shop/web=6@east", "shop/web=6@west"][..]),
            (&["shop/web=+2@east"], &["shop/web=5@east"]),
            (&["shop/web=-1"], &["shop/web=2@east", "shop/web=0@west"]),
            (&["shop/web=+1@east", "shop/web=+1@east"], &["shop/web=5@east"]),
            (&["shop/web=2@ap"], &["shop/web=2@ap"]),
        ] {
            assert_eq!(resolved(args).unwrap(), expected);
        }
    }

    #[test]
    fn scopes_and_sites_are_told_apart() {
        let scope = |text: &str| scope(text, Some(&desired())).map(|scope| format!("{scope:?}"));
        assert!(scope("shop").unwrap().starts_with("Stack"));
        assert!(scope("shop/web").unwrap().starts_with("Service"));
        assert!(scope("shop/web.2").unwrap().starts_with("Replica"));
        assert!(scope("shop/web.v2").unwrap().starts_with("Service"), "its name may have a dot");
        assert!(scope("shop/").unwrap_err().contains("STACK/SERVICE.SLOT"));
        assert!(scope("Shop").unwrap_err().contains("STACK"));
        let mut named = desired();
        let own: ServiceKey = "shop/web.2".parse().unwrap();
        named.services.insert(own.clone(), BTreeMap::new());
        assert_eq!(super::scope("shop/web.2", Some(&named)), Ok(Scope::Service(own)));
    }

    #[test]
    fn nonsense_is_explained() {
        for (arg, words) in [
            ("shop/web", "has no `=`"),
            ("shop/web=", "not a number"),
            ("shop/web=x", "not a number"),
            ("shop/web=99999", "from 0 to 10000"),
            ("shop=3", "service name"),
            ("shop/web=3@", "region name"),
            ("shop/web=-2@west", "cannot go"),
            ("Shop/web=2", "not allowed"),
        ] {
            let error = resolved(&[arg]).unwrap_err();
            assert!(error.contains(words), "{arg}: {error}");
        }
    }
}
