//! Alternatives: `oneOf`, `anyOf`, and what tells them apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::schema::{Pair, identity};
use super::{Change, Comparison, Two, Use, brief, kebab, went};
use crate::node::Node;
use crate::normal::{Group, Meant, Schema, same};

/// Alternatives in alternatives in alternatives: deeper ones are taken for different.
const DEEPEST_TRIAL: usize = 64;

impl<'a> Comparison<'a> {
    /// A schema that became one of several alternatives, or the other way round. Answers whether it was so, and told.
    pub(super) fn wrapped(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) -> bool {
        let (plain, group, wraps) = match (&two.base.groups[..], &two.revision.groups[..]) {
            ([], [group]) if two.revision.is_bare() && !two.base.is_bare() => (&pair.meant.base, group, true),
            ([group], []) if two.base.is_bare() && !two.revision.is_bare() => {
                (&pair.meant.revision, group, false)
            }
            _ => return false,
        };
        let mut same_member = None;
        for (place, member) in group.members.iter().enumerate() {
            let (base, revision) = if wraps { (plain, member) } else { (member, plain) };
            if self.agree(base, revision, pair.usage) {
                same_member = Some(place);
                break;
            }
        }
        let change = match same_member {
            None => Change::Other,
            Some(place) => {
                let apart = group.field == "anyOf" || is_apart(place, &Outline::all(group));
                match (apart, wraps) {
                    (false, _) => Change::Other,
                    (true, true) => Change::Wider,
                    (true, false) => Change::Narrower,
                }
            }
        };
        let field = kebab(group.field);
        let (rule, what) = if wraps {
            (
                format!("schema-wrapped-in-{field}"),
                format!("the schema became one of {} ({})", group.members.len(), group.field),
            )
        } else {
            (
                format!("schema-unwrapped-from-{field}"),
                format!("of {} alternatives ({}) one schema is left", group.members.len(), group.field),
            )
        };
        let at = if wraps {
            (two.base.at.as_str(), group.at.as_str())
        } else {
            (group.at.as_str(), two.revision.at.as_str())
        };
        let value = |meant: &Meant<'a>| meant.places.first().map(|place| place.value);
        let values = (value(&pair.meant.base), value(&pair.meant.revision));
        self.of_schema(pair, &rule, change, at, values, &what);
        // What is said of the whole, and what the one that stayed says beside what it takes.
        self.defaults(pair, two);
        self.marks(pair, two);
        self.xml(pair, two);
        self.discriminators(pair, two);
        if let Some(member) = same_member.and_then(|place| group.members.get(place)) {
            let (base, revision) = if wraps { (plain, member) } else { (member, plain) };
            let meant = Two { base: base.clone(), revision: revision.clone() };
            self.later(meant, pair.usage, pair.site.clone(), pair.path.clone());
        }
        true
    }

    pub(super) fn groups(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        // First those that are as they were: one that came or went must not shift the others.
        let mut left: Vec<&Group<'a>> = two.revision.groups.iter().collect();
        let mut lone = Vec::new();
        for old in &two.base.groups {
            match left.iter().position(|new| old.field == new.field && words(old) == words(new)) {
                Some(place) => self.alternatives(pair, old, left.remove(place)),
                None => lone.push(old),
            }
        }
        let (mut base, mut revision) = (lone.into_iter(), left.into_iter());
        loop {
            match (base.next(), revision.next()) {
                (None, None) => return,
                (Some(old), Some(new)) => {
                    if old.field != new.field {
                        self.regrouped(pair, old, new);
                    }
                    self.alternatives(pair, old, new);
                }
                (Some(old), None) => {
                    let rule = format!("schema-{}-removed", kebab(old.field));
                    let what = format!("its {} alternatives ({}) were removed", old.members.len(), old.field);
                    let at = (old.at.as_str(), two.revision.at.as_str());
                    self.of_schema(pair, &rule, Change::Wider, at, (None, None), &what);
                }
                (None, Some(new)) => {
                    let rule = format!("schema-{}-added", kebab(new.field));
                    let what = format!("{} alternatives ({}) were added", new.members.len(), new.field);
                    let at = (two.base.at.as_str(), new.at.as_str());
                    self.of_schema(pair, &rule, Change::Narrower, at, (None, None), &what);
                }
            }
        }
    }

    fn regrouped(&mut self, pair: &Pair<'a>, old: &Group<'a>, new: &Group<'a>) {
        let outlines = Outline::all(old);
        let apart = (0..outlines.len()).all(|place| is_apart(place, &outlines));
        let change = match (apart, new.field) {
            (true, _) => Change::Same,
            (false, "anyOf") => Change::Wider,
            (false, _) => Change::Narrower,
        };
        let values = (Value::from(old.field), Value::from(new.field));
        let what = format!("{} became {}", old.field, new.field);
        let at = (old.at.as_str(), new.at.as_str());
        self.of_schema(
            pair,
            "schema-alternatives-changed",
            change,
            at,
            (Some(&values.0), Some(&values.1)),
            &what,
        );
    }

    fn alternatives(&mut self, pair: &Pair<'a>, old: &Group<'a>, new: &Group<'a>) {
        let mut left: Vec<Option<&Meant<'a>>> = new.members.iter().map(Some).collect();
        let mut pairs = Vec::new();
        let mut lone = Vec::new();
        // First those of the same name, then those that take the same, then those without a name, in their order.
        for (own, member) in old.members.iter().enumerate() {
            let named = |other: Option<&Meant<'a>>| {
                member.name().is_some() && other.is_some_and(|other| other.name() == member.name())
            };
            match left.iter_mut().find(|other| named(**other)).and_then(Option::take) {
                Some(other) => pairs.push((member, other)),
                None => lone.push((own, member)),
            }
        }
        let outlines = Two { base: Outline::all(old), revision: Outline::all(new) };
        let mut unlike = Vec::new();
        for (own, member) in lone {
            let mut found = None;
            for ((place, other), outline) in left.iter().enumerate().zip(&outlines.revision) {
                // What has no value in common is not worth a trial.
                if let Some(other) = other
                    && !outlines.base.get(own).is_some_and(|own| disjoint(own, outline))
                    && !replaced(member, other)
                    && self.agree(member, other, pair.usage)
                {
                    found = Some(place);
                    break;
                }
            }
            match found.and_then(|place| left.get_mut(place)).and_then(Option::take) {
                Some(other) => pairs.push((member, other)),
                None => unlike.push((own, member)),
            }
        }
        let mut gone = Vec::new();
        for (own, member) in unlike {
            let inline = |other: Option<&Meant<'a>>| other.is_some_and(|other| other.name().is_none());
            let place =
                if member.name().is_none() { left.iter_mut().find(|other| inline(**other)) } else { None };
            match place.and_then(Option::take) {
                Some(other) => pairs.push((member, other)),
                None => gone.push((own, member)),
            }
        }
        for (old, new) in pairs {
            let meant = Two { base: old.clone(), revision: new.clone() };
            let path = match new.name().or(old.name()) {
                Some(name) => format!("{}<{name}>", pair.path),
                None => pair.path.clone(),
            };
            self.later(meant, pair.usage, pair.site.clone(), path);
        }
        let value = |meant: &Meant<'a>| meant.places.first().map(|place| place.value);
        let field = kebab(new.field);
        for (own, member) in gone {
            let apart = old.field == "anyOf" || is_apart(own, &outlines.base);
            let change = if apart { Change::Narrower } else { Change::Other };
            let what = format!("{} is no longer an alternative ({})", title(member), old.field);
            let at = (member.at.as_str(), new.at.as_str());
            let rule = format!("schema-{field}-member-removed");
            self.of_schema(pair, &rule, change, at, (value(member), None), &what);
        }
        for (own, member) in left.into_iter().enumerate().filter_map(|(own, left)| Some((own, left?))) {
            let apart = new.field == "anyOf" || is_apart(own, &outlines.revision);
            let change = if apart { Change::Wider } else { Change::Other };
            let what = format!("{} is a new alternative ({})", title(member), new.field);
            let at = (old.at.as_str(), member.at.as_str());
            let rule = format!("schema-{field}-member-added");
            self.of_schema(pair, &rule, change, at, (None, value(member)), &what);
        }
    }

    pub(super) fn discriminators(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let (before, after) = (two.base.told("discriminator"), two.revision.told("discriminator"));
        for place in 0..before.len().max(after.len()) {
            self.discriminator(pair, two, (before.get(place), after.get(place)));
        }
    }

    fn discriminator(
        &mut self,
        pair: &Pair<'a>,
        two: &Two<Schema<'a>>,
        (before, after): (Option<&Node<'a>>, Option<&Node<'a>>),
    ) {
        let (old, new) = match (before, after) {
            (None, None) => return,
            (Some(old), Some(new)) => (old, new),
            (old, new) => {
                let (rule, change, what) = if old.is_some() {
                    ("schema-discriminator-removed", Change::Wider, "the discriminator was removed")
                } else {
                    ("schema-discriminator-added", Change::Narrower, "a discriminator was added")
                };
                let at = (
                    old.as_ref().map_or(two.base.at.as_str(), |place| place.pointer.as_str()),
                    new.as_ref().map_or(two.revision.at.as_str(), |place| place.pointer.as_str()),
                );
                let values = (old.as_ref().map(|it| it.value), new.as_ref().map(|it| it.value));
                return self.of_schema(pair, rule, change, at, values, what);
            }
        };
        let names = (old.value.get("propertyName"), new.value.get("propertyName"));
        let at = (old.pointer.as_str(), new.pointer.as_str());
        if names.0 != names.1 {
            let what = format!("the discriminator's property {}", went(names.0, names.1));
            let rule = "schema-discriminator-property-changed";
            self.of_schema(pair, rule, Change::Other, at, names, &what);
        }
        // Without alternatives, a value may be whatever includes this very schema.
        let heirs = |place: &Node<'a>, schema: &Schema<'a>| {
            let owner = place.pointer.strip_suffix("/discriminator").unwrap_or_default();
            let of_itself = schema.at == owner && schema.groups.is_empty();
            // That two alternatives agree must not hang on it; where they are compared it counts.
            if of_itself && !self.trial { place.heirs(owner) } else { BTreeMap::new() }
        };
        let (base_heirs, revision_heirs) = (heirs(old, &two.base), heirs(new, &two.revision));
        let mapping = |place: &Node<'a>, schema: &Schema<'a>, heirs: &BTreeMap<&'a str, Node<'a>>| {
            let mut all = BTreeMap::new();
            // Each alternative is known by its schema's name, whether or not the mapping says so.
            let members = schema.groups.iter().flat_map(|group| &group.members).filter_map(Meant::name);
            let members = members.chain(heirs.keys().copied());
            let explicit = place.map("mapping");
            let target = |value: &Value| {
                let text = value.as_str().unwrap_or_default();
                text.rsplit('/').next().unwrap_or_default().to_owned()
            };
            for (name, value) in explicit {
                all.insert(name.to_owned(), target(value.value));
            }
            for member in members {
                if !all.values().any(|target| target == member) {
                    all.insert(member.to_owned(), member.to_owned());
                }
            }
            all
        };
        let before = mapping(old, &two.base, &base_heirs);
        let after = mapping(new, &two.revision, &revision_heirs);
        for (value, target) in &before {
            let was = Value::from(target.as_str());
            match after.get(value) {
                Some(other) if other == target => {}
                Some(other) => {
                    let now = Value::from(other.as_str());
                    let what = format!(
                        "what the value {value} of the discriminator means {}",
                        went(Some(&was), Some(&now))
                    );
                    let (rule, values) = ("schema-discriminator-mapping-changed", (Some(&was), Some(&now)));
                    self.of_schema(pair, rule, Change::Other, at, values, &what);
                }
                None => {
                    let what = format!("the value {value} of the discriminator was removed");
                    let rule = "schema-discriminator-mapping-removed";
                    self.of_schema(pair, rule, Change::Narrower, at, (Some(&was), None), &what);
                }
            }
        }
        for (value, target) in after.iter().filter(|(value, _)| !before.contains_key(*value)) {
            let what = format!("the value {value} of the discriminator was added");
            let (rule, now) = ("schema-discriminator-mapping-added", Value::from(target.as_str()));
            self.of_schema(pair, rule, Change::Wider, at, (None, Some(&now)), &what);
        }
        for (name, base) in base_heirs {
            if let Some(revision) = revision_heirs.get(name) {
                let meant = Two { base: Meant::place(base), revision: Meant::place(revision.clone()) };
                self.later(meant, pair.usage, pair.site.clone(), format!("{}<{name}>", pair.path));
            }
        }
    }

    /// Whether two schemas take the same values, without a trace of having looked.
    pub(super) fn agree(&mut self, base: &Meant<'a>, revision: &Meant<'a>, usage: Use) -> bool {
        let key = (identity(base), identity(revision), usage);
        if let Some(known) = self.agreed.get(&key) {
            return *known;
        }
        if self.trying.contains(&key) {
            self.assumed += 1;
            return true;
        }
        if self.trying.len() >= DEEPEST_TRIAL || self.steps > super::MOST_STEPS {
            return false;
        }
        self.trying.insert(key.clone());
        let mut trial = Self {
            options: self.options,
            trial: true,
            agreed: std::mem::take(&mut self.agreed),
            trying: std::mem::take(&mut self.trying),
            assumed: self.assumed,
            steps: self.steps,
            ..Self::default()
        };
        let meant = Two { base: base.clone(), revision: revision.clone() };
        trial.later(meant, usage, String::new(), String::new());
        trial.work_off();
        let assumed = trial.assumed > self.assumed;
        self.assumed = trial.assumed;
        self.steps = trial.steps;
        self.agreed = trial.agreed;
        self.trying = trial.trying;
        self.trying.remove(&key);
        // What was found while something else was taken for granted holds only as long as that is.
        if self.trying.is_empty() || trial.disagrees || !assumed {
            self.agreed.insert(key, !trial.disagrees);
        }
        !trial.disagrees
    }
}

/// The texts of alternatives, in any order.
fn words(group: &Group<'_>) -> BTreeSet<String> {
    group.members.iter().flat_map(|member| &member.places).map(|place| place.value.to_string()).collect()
}

/// Whether one named alternative stands in the place of another one that there still is. If the old name is gone and the
/// new one is new, it is the same alternative, renamed.
fn replaced(old: &Meant<'_>, new: &Meant<'_>) -> bool {
    let has = |meant: &Meant<'_>, name: &str| meant.places.iter().any(|place| place.has_schema(name));
    match (old.name(), new.name()) {
        (Some(ours), Some(theirs)) => ours != theirs && (has(new, ours) || has(old, theirs)),
        _ => false,
    }
}

fn title(meant: &Meant<'_>) -> String {
    match (meant.name(), meant.places.first()) {
        (Some(name), _) => name.to_owned(),
        (None, Some(place)) => brief(place.value),
        (None, None) => "anything".to_owned(),
    }
}

/// What tells alternatives apart: types, and the values of properties that are required. It is taken once of each, as
/// each is held against every other.
struct Outline<'a> {
    types: Vec<String>,
    allowed: Option<Vec<&'a Value>>,
    formats: Vec<Value>,
    required: BTreeMap<&'a str, Vec<&'a Value>>,
}

impl<'a> Outline<'a> {
    fn of(meant: &Meant<'a>) -> Self {
        let schema = Schema::of(meant);
        let (properties, names) = (schema.properties(), schema.required());
        let allowed = |schema: &Schema<'a>| schema.allowed().map(|(values, _)| values);
        let valued = |name: &'a str| Some((name, allowed(&Schema::of(properties.get(name)?))?));
        Self {
            types: schema.types().into_iter().map(str::to_owned).collect(),
            allowed: allowed(&schema),
            formats: schema.all("format").into_iter().map(|said| said.value).collect(),
            required: names.into_keys().filter_map(valued).collect(),
        }
    }

    fn all(group: &Group<'a>) -> Vec<Self> {
        group.members.iter().map(Self::of).collect()
    }
}

/// Whether no value is both, as far as it can be told from types and from the values of properties that both require.
fn disjoint(one: &Outline<'_>, other: &Outline<'_>) -> bool {
    if let ([one], [other]) = (&one.types[..], &other.types[..])
        && one != other
        && !matches!((one.as_str(), other.as_str()), ("integer", "number") | ("number", "integer"))
    {
        return true;
    }
    let apart = |ours: &[&Value], theirs: &[&Value]| {
        !ours.iter().any(|value| theirs.iter().any(|it| same(it, value)))
    };
    if let (Some(ours), Some(theirs)) = (&one.allowed, &other.allowed)
        && apart(ours, theirs)
    {
        return true;
    }
    if let ([one], [other]) = (&one.formats[..], &other.formats[..]) {
        // Addresses of one version are none of the other.
        let pair = [one.as_str().unwrap_or_default(), other.as_str().unwrap_or_default()];
        if pair == ["ipv4", "ipv6"] || pair == ["ipv6", "ipv4"] {
            return true;
        }
    }
    one.required.iter().any(|(name, ours)| other.required.get(name).is_some_and(|theirs| apart(ours, theirs)))
}

/// Whether the member at this place has no value in common with any other.
fn is_apart(place: usize, outlines: &[Outline<'_>]) -> bool {
    let Some(own) = outlines.get(place) else { return false };
    outlines.iter().enumerate().all(|(other, outline)| other == place || disjoint(own, outline))
}
