//! Objects: their properties, listed and not.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schema::{Pair, within};
use super::{Change, Comparison, Found, Two, Use, Way};
use crate::finding::{Breaks, Effect};
use crate::normal::{Additional, Meant, Schema};

impl<'a> Comparison<'a> {
    pub(super) fn object_parts(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let properties = Two { base: two.base.properties(), revision: two.revision.properties() };
        let required = Two { base: two.base.required(), revision: two.revision.required() };
        let additional = Two { base: two.base.additional(), revision: two.revision.additional() };
        let names: BTreeSet<&str> =
            properties.base.keys().chain(properties.revision.keys()).copied().collect();
        let path =
            |name: &str| if pair.path.is_empty() { name.to_owned() } else { format!("{}.{name}", pair.path) };
        for name in &names {
            let property = Property {
                name,
                below: Pair { path: path(name), ..pair.clone() },
                base: properties.base.get(name).map(|meant| (meant, required.base.get(name))),
                revision: properties.revision.get(name).map(|meant| (meant, required.revision.get(name))),
            };
            self.property(&property, two, &additional);
        }
        for (name, place) in required.base.iter().filter(|(name, _)| !names.contains(*name)) {
            if !required.revision.contains_key(name) {
                self.undeclared(pair, name, (place, &two.revision.at), true);
            }
        }
        for (name, place) in required.revision.iter().filter(|(name, _)| !names.contains(*name)) {
            if !required.base.contains_key(name) {
                self.undeclared(pair, name, (&two.base.at, place), false);
            }
        }
        let at = (two.base.additional_at(), two.revision.additional_at());
        let at = (at.0.as_str(), at.1.as_str());
        match (&additional.base, &additional.revision) {
            (Additional::Refused, Additional::Refused) => {}
            (Additional::Taken(_), Additional::Refused) => {
                let (rule, what) = ("schema-closed", "other properties are no longer allowed");
                self.of_schema(pair, rule, Change::Narrower, at, (None, Some(&Value::Bool(false))), what);
            }
            (Additional::Refused, Additional::Taken(_)) => {
                let (rule, what) = ("schema-opened", "other properties are now allowed");
                self.of_schema(pair, rule, Change::Wider, at, (Some(&Value::Bool(false)), None), what);
            }
            (Additional::Taken(base), Additional::Taken(revision)) => {
                let meant = Two { base: base.clone(), revision: revision.clone() };
                self.later(meant, pair.usage, pair.site.clone(), path("*"));
            }
        }
    }

    /// A name that must be there, of which no property is listed: no generator makes anything of it.
    fn undeclared(&mut self, pair: &Pair<'a>, name: &str, at: (&str, &str), removed: bool) {
        let value = Value::from(name);
        let values = if removed { (Some(&value), None) } else { (None, Some(&value)) };
        let verb = if removed { "no longer required" } else { "now required" };
        let what = format!("{name:?}, which no property lists, is {verb}");
        self.of_schema(pair, "required-name-undeclared", Change::Same, at, values, &what);
    }

    fn property(
        &mut self,
        property: &Property<'_, 'a>,
        two: &Two<Schema<'a>>,
        additional: &Two<Additional<'a>>,
    ) {
        let Property { below, base, revision, .. } = property;
        match (base, revision) {
            (Some(old), Some(new)) => self.both(below, two, *old, *new),
            (Some(old), None) => {
                let at = (old.0.at.as_str(), two.revision.at.as_str());
                self.lone_property(property, *old, at, &additional.revision, true);
            }
            (None, Some(new)) => {
                let at = (two.base.at.as_str(), new.0.at.as_str());
                self.lone_property(property, *new, at, &additional.base, false);
            }
            (None, None) => {}
        }
    }

    /// A property that both documents list.
    fn both(&mut self, below: &Pair<'a>, two: &Two<Schema<'a>>, old: Side<'_, 'a>, new: Side<'_, 'a>) {
        let (was_hidden, is_hidden) = (hidden(old.0, below.usage.way), hidden(new.0, below.usage.way));
        let pair = Two { base: old.0.clone(), revision: new.0.clone() };
        if was_hidden != is_hidden {
            let required = if is_hidden { old.1 } else { new.1 }.is_some();
            self.hiding(below, (&old.0.at, &new.0.at), is_hidden, required);
        }
        if was_hidden || is_hidden {
            let usage = Use { way: Way::Unused, ..below.usage };
            return self.later(pair, usage, below.site.clone(), below.path.clone());
        }
        if old.1.is_some() != new.1.is_some() {
            let (rule, change, what) = if new.1.is_some() {
                ("property-became-required", Change::Narrower, "became required")
            } else {
                ("property-became-optional", Change::Wider, "became optional")
            };
            let at = (
                old.1.map_or(two.base.at.as_str(), String::as_str),
                new.1.map_or(two.revision.at.as_str(), String::as_str),
            );
            let values = (Value::from(old.1.is_some()), Value::from(new.1.is_some()));
            self.of_schema(below, rule, change, at, (Some(&values.0), Some(&values.1)), what);
        }
        self.later(pair, below.usage, below.site.clone(), below.path.clone());
    }

    /// A property that one document lists; of the other, what it says of properties that it does not.
    fn lone_property(
        &mut self,
        property: &Property<'_, 'a>,
        (meant, required): Side<'_, 'a>,
        at: (&str, &str),
        elsewhere: &Additional<'a>,
        removed: bool,
    ) {
        let Property { name, below, .. } = property;
        let hidden = hidden(meant, below.usage.way);
        let required = required.is_some() && !hidden;
        let closed = matches!(elsewhere, Additional::Refused);
        let way = if below.usage.inverted { below.usage.way.back() } else { below.usage.way };
        let breaks = match (way, removed) {
            _ if hidden => Breaks::NEITHER,
            (Way::Unused, _) => Breaks::NEITHER,
            // What a server does not know it ignores or refuses: either way it does not what was asked.
            (Way::Request, true) => Breaks { old_clients: true, old_servers: required },
            (Way::Request, false) => Breaks { old_clients: required, old_servers: true },
            // What a client knows may be missing; what it does not know it ignores, unless the object is closed.
            (Way::Response, true) => Breaks { old_clients: true, old_servers: closed },
            (Way::Response, false) => Breaks { old_clients: closed, old_servers: required },
        };
        let kind = if required { "required" } else { "optional" };
        let verb = if removed { "removed" } else { "added" };
        let value = meant.places.first().map(|place| place.value);
        let values = if removed { (value, None) } else { (None, value) };
        let place = self.found.len();
        let rule = format!("{kind}-property-{verb}");
        self.of_property(below, &rule, breaks, at, values, &format!("property {name} was {verb}"));
        if removed {
            let schema = Schema::of(meant);
            let deprecated = schema.told("deprecated").iter().any(|it| *it.value == Value::Bool(true));
            let sunset = schema.told("x-sunset").first().map(|it| it.value);
            self.announce(place, deprecated, sunset);
        }
        if let Additional::Taken(rest) = elsewhere
            && !rest.places.is_empty()
        {
            let pair = if removed {
                Two { base: meant.clone(), revision: rest.clone() }
            } else {
                Two { base: rest.clone(), revision: meant.clone() }
            };
            self.later(pair, below.usage, below.site.clone(), below.path.clone());
        }
    }

    /// A property that is no longer sent this way, or now is.
    fn hiding(&mut self, below: &Pair<'a>, at: (&str, &str), is_hidden: bool, required: bool) {
        let request = below.usage.way == Way::Request;
        let mark = if request { "read-only" } else { "write-only" };
        let (rule, breaks, what) = match (is_hidden, request) {
            // Old clients may go on sending it, as a server ignores it; an old server misses it if it must be there.
            (true, true) => (
                format!("property-became-{mark}"),
                Breaks { old_clients: false, old_servers: required },
                "is no longer sent in requests",
            ),
            (true, false) => (
                format!("property-became-{mark}"),
                Breaks { old_clients: required, old_servers: false },
                "is no longer in responses",
            ),
            (false, true) => (
                format!("property-became-not-{mark}"),
                Breaks { old_clients: required, old_servers: true },
                "is now sent in requests",
            ),
            // A value that was promised never to be shown, such as a password, now is: clients may log it.
            (false, false) => (
                format!("property-became-not-{mark}"),
                Breaks { old_clients: true, old_servers: required },
                "is now in responses, where it was never to be",
            ),
        };
        let values = (Value::from(!is_hidden), Value::from(is_hidden));
        self.of_property(below, &rule, breaks, at, (Some(&values.0), Some(&values.1)), what);
    }

    fn of_property(
        &mut self,
        below: &Pair<'a>,
        rule: &str,
        breaks: Breaks,
        at: (&str, &str),
        values: (Option<&Value>, Option<&Value>),
        what: &str,
    ) {
        let unused = below.usage.way == Way::Unused && !self.trial;
        self.add(Found {
            rule: rule.to_owned(),
            effect: if unused { Effect::GeneratedCode } else { Effect::Wire },
            way: below.usage.way,
            breaks,
            announced: false,
            at: Two { base: at.0.to_owned(), revision: at.1.to_owned() },
            before: values.0.cloned(),
            after: values.1.cloned(),
            site: below.site.clone(),
            what: format!("{}{what}", within(&below.path)),
        });
    }
}

/// The schema of a property, and where it is said to be required.
type Side<'p, 'a> = (&'p Meant<'a>, Option<&'p String>);

/// A property of an object.
struct Property<'p, 'a> {
    name: &'p str,
    below: Pair<'a>,
    base: Option<Side<'p, 'a>>,
    revision: Option<Side<'p, 'a>>,
}

/// Whether a property is not sent this way (3.0.3, `readOnly` and `writeOnly` of the Schema Object).
fn hidden(meant: &Meant<'_>, way: Way) -> bool {
    let mark = match way {
        Way::Request => "readOnly",
        Way::Response => "writeOnly",
        Way::Unused => return false,
    };
    Schema::of(meant).flag(mark).is_some()
}
