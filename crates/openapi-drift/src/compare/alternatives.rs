//! Alternatives: `oneOf` and `anyOf`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::context::{Comparison, MAX_STEPS, SchemaPair, Use};
use super::found::Change;
use super::members::{Lone, paired};
use super::sides::Sides;
use super::text::brief;
use crate::normal::{Group, Schema, SchemaRef};
use crate::rules::rule;
use crate::value::same;

/// Alternatives that nest deeper in each other are taken for different.
const MAX_TRIAL_DEPTH: usize = 64;

impl<'a> Comparison<'a> {
    /// Compares a schema with alternatives that it became one of, or the other way round. Returns whether it was so, in
    /// which case nothing else is to be compared.
    pub(super) fn wrapped(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) -> bool {
        let bare = schemas.map(Schema::is_bare);
        // `removed` is that of the alternatives.
        let (plain, group, lone) = match (&schemas.base.groups[..], &schemas.revision.groups[..]) {
            ([], [group]) if bare.revision && !bare.base => {
                (&pair.schemas.base, group, Lone { value: (), removed: false })
            }
            ([group], []) if bare.base && !bare.revision => {
                (&pair.schemas.revision, group, Lone { value: (), removed: true })
            }
            _ => return false,
        };
        let in_order = |member: &SchemaRef<'a>| lone.beside(member.clone(), plain.clone());
        let same_member = group.members.iter().position(|member| self.agree(in_order(member), pair.usage));
        let is_superset =
            same_member.is_some_and(|index| group.field == "anyOf" || is_apart(index, &Outline::all(group)));
        let change = if is_superset { lone.pick(Change::Narrower, Change::Wider) } else { Change::Other };
        let rule = match (lone.removed, group.field) {
            (false, "oneOf") => rule!("schema-wrapped-in-one-of"),
            (false, _) => rule!("schema-wrapped-in-any-of"),
            (true, "oneOf") => rule!("schema-unwrapped-from-one-of"),
            (true, _) => rule!("schema-unwrapped-from-any-of"),
        };
        let (count, field) = (group.members.len(), group.field);
        let what = lone.pick(
            format!("{count} alternatives ({field}) were replaced by one schema"),
            format!("the schema became one of {count} alternatives ({field})"),
        );
        let at = lone.at(&group.at, schemas.schema_pointers());
        let values = (pair.schemas.base.value(), pair.schemas.revision.value());
        self.add(pair.found(rule, change, at).values(values).what(what));
        // Annotations of the whole, and those of the alternative that stays.
        self.defaults(pair, schemas);
        self.marks(pair, schemas);
        self.xml(pair, schemas);
        self.discriminators(pair, schemas);
        if let Some(member) = same_member.and_then(|index| group.members.get(index)) {
            self.queue(in_order(member), pair.usage, &pair.site, &pair.path);
        }
        true
    }

    /// Compares the alternatives of two schemas.
    pub(super) fn groups(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let (base, revision) = (&schemas.base.groups, &schemas.revision.groups);
        let groups = Sides { base: base.iter().collect(), revision: revision.iter().collect() };
        let (pairs, lone) = paired(groups, |old: &&Group<'a>, new: &&Group<'a>| {
            old.field == new.field && texts(old) == texts(new)
        });
        for Sides { base: old, revision: new } in pairs {
            if old.field != new.field {
                self.regrouped(pair, old, new);
            }
            self.alternatives(pair, old, new);
        }
        for lone in lone {
            let rule = match (lone.value.field, lone.removed) {
                ("oneOf", true) => rule!("schema-one-of-removed"),
                ("oneOf", false) => rule!("schema-one-of-added"),
                (_, true) => rule!("schema-any-of-removed"),
                (_, false) => rule!("schema-any-of-added"),
            };
            let at = lone.at(&lone.value.at, schemas.schema_pointers());
            let (count, field) = (lone.value.members.len(), lone.value.field);
            let what = format!("{count} alternatives ({field}) were {}", lone.verb());
            let change = lone.pick(Change::Wider, Change::Narrower);
            self.add(pair.found(rule, change, at).what(what));
        }
    }

    fn regrouped(&mut self, pair: &SchemaPair<'a>, old: &Group<'a>, new: &Group<'a>) {
        let outlines = Outline::all(old);
        let apart = (0..outlines.len()).all(|index| is_apart(index, &outlines));
        let change = match (apart, new.field) {
            (true, _) => Change::Same,
            (false, "anyOf") => Change::Wider,
            (false, _) => Change::Narrower,
        };
        let fields = Sides { base: old.field, revision: new.field };
        let at = Sides { base: old.at.clone(), revision: new.at.clone() };
        let found = pair.found(rule!("schema-alternatives-changed"), change, at).changed(fields);
        self.add(found.what(format!("{} became {}", old.field, new.field)));
    }

    fn alternatives(&mut self, pair: &SchemaPair<'a>, old: &Group<'a>, new: &Group<'a>) {
        let mut left: Vec<Option<&SchemaRef<'a>>> = new.members.iter().map(Some).collect();
        let mut pairs = Vec::new();
        let mut unnamed = Vec::new();
        // First those of the same name, then those with the same values, then those without a name, in order.
        for (index, member) in old.members.iter().enumerate() {
            let named = |other: Option<&SchemaRef<'a>>| {
                member.name().is_some() && other.is_some_and(|other| other.name() == member.name())
            };
            match left.iter_mut().find(|other| named(**other)).and_then(Option::take) {
                Some(other) => pairs.push((member, other)),
                None => unnamed.push((index, member)),
            }
        }
        let outlines = Sides { base: Outline::all(old), revision: Outline::all(new) };
        let mut unlike = Vec::new();
        for (own, member) in unnamed {
            let found = left.iter().zip(&outlines.revision).position(|(other, outline)| {
                // Schemas without a common value are not worth a trial.
                other.is_some_and(|other| {
                    !outlines.base.get(own).is_some_and(|own| disjoint(own, outline))
                        && !replaced(member, other)
                        && self.agree(Sides { base: member.clone(), revision: other.clone() }, pair.usage)
                })
            });
            match found.and_then(|index| left.get_mut(index)).and_then(Option::take) {
                Some(other) => pairs.push((member, other)),
                None => unlike.push((own, member)),
            }
        }
        let mut lone = Vec::new();
        for (own, member) in unlike {
            let inline = |other: Option<&SchemaRef<'a>>| other.is_some_and(|other| other.name().is_none());
            let place =
                if member.name().is_none() { left.iter_mut().find(|other| inline(**other)) } else { None };
            match place.and_then(Option::take) {
                Some(other) => pairs.push((member, other)),
                None => lone.push(Lone { value: (own, member), removed: true }),
            }
        }
        for (old, new) in pairs {
            let path = match new.name().or(old.name()) {
                Some(name) => format!("{}<{name}>", pair.path),
                None => pair.path.clone(),
            };
            let schemas = Sides { base: old.clone(), revision: new.clone() };
            self.queue(schemas, pair.usage, &pair.site, &path);
        }
        let added = left.into_iter().enumerate().filter_map(|(own, left)| Some((own, left?)));
        lone.extend(added.map(|value| Lone { value, removed: false }));
        for lone in lone {
            let (own, member) = lone.value;
            let group = lone.pick(old, new);
            let is_apart =
                group.field == "anyOf" || is_apart(own, lone.pick(&outlines.base, &outlines.revision));
            let change = if is_apart { lone.pick(Change::Narrower, Change::Wider) } else { Change::Other };
            let rule = match (new.field, lone.removed) {
                ("oneOf", true) => rule!("schema-one-of-member-removed"),
                ("oneOf", false) => rule!("schema-one-of-member-added"),
                (_, true) => rule!("schema-any-of-member-removed"),
                (_, false) => rule!("schema-any-of-member-added"),
            };
            let groups = Sides { base: old.at.clone(), revision: new.at.clone() };
            let at = lone.at(&member.at, groups);
            let verb = lone.pick("is no longer an alternative", "is a new alternative");
            let found = pair.found(rule, change, at).value_of(&lone, member.value()).what(format!(
                "{} {verb} ({})",
                title(member),
                group.field
            ));
            self.add(found);
        }
    }

    /// Whether there is no difference on the wire between two schemas.
    fn agree(&mut self, schemas: Sides<SchemaRef<'a>>, usage: Use) -> bool {
        let key = (schemas.base.identity(), schemas.revision.identity(), usage);
        if let Some(known) = self.agreed.get(&key) {
            return *known;
        }
        if self.trying.contains(&key) {
            self.assumed += 1;
            return true;
        }
        if self.trying.len() >= MAX_TRIAL_DEPTH || self.steps > MAX_STEPS {
            return false;
        }
        self.trying.insert(key.clone());
        let mut trial = self.begin_trial();
        trial.queue(schemas, usage, "", "");
        trial.work_off();
        let (agrees, assumed) = self.end_trial(trial);
        self.trying.remove(&key);
        // A result that rests on an assumption is valid only as long as that is.
        if self.trying.is_empty() || !agrees || !assumed {
            self.agreed.insert(key, agrees);
        }
        agrees
    }
}

/// The texts of alternatives, in any order.
fn texts(group: &Group<'_>) -> BTreeSet<String> {
    group.members.iter().flat_map(|member| &member.nodes).map(|node| node.value.to_string()).collect()
}

/// Whether a named alternative replaces another one that both documents still have. If the old name is gone and the new
/// one is new, it is the same alternative, renamed.
fn replaced(old: &SchemaRef<'_>, new: &SchemaRef<'_>) -> bool {
    let has = |schema: &SchemaRef<'_>, name: &str| schema.nodes.iter().any(|node| node.has_schema(name));
    match (old.name(), new.name()) {
        (Some(ours), Some(theirs)) => ours != theirs && (has(new, ours) || has(old, theirs)),
        _ => false,
    }
}

fn title(schema: &SchemaRef<'_>) -> String {
    match (schema.name(), schema.value()) {
        (Some(name), _) => name.to_owned(),
        (None, Some(value)) => brief(value),
        (None, None) => "any value".to_owned(),
    }
}

/// What distinguishes alternatives: types, and the values of required properties. It is made once of each, as
/// each is compared with every other.
struct Outline<'a> {
    types: Vec<String>,
    allowed: Option<Vec<&'a Value>>,
    formats: Vec<Value>,
    required: BTreeMap<&'a str, Vec<&'a Value>>,
}

impl<'a> Outline<'a> {
    fn of(schema: &SchemaRef<'a>) -> Self {
        let schema = Schema::of(schema);
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

/// Whether two alternatives have no value in common, judged by their types and by the values of properties that both
/// require.
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
    // Addresses of one version are none of the other.
    if let ([Value::String(one)], [Value::String(other)]) = (&one.formats[..], &other.formats[..])
        && matches!((one.as_str(), other.as_str()), ("ipv4", "ipv6") | ("ipv6", "ipv4"))
    {
        return true;
    }
    one.required.iter().any(|(name, ours)| other.required.get(name).is_some_and(|theirs| apart(ours, theirs)))
}

/// Whether the alternative at this index has no value in common with any other.
fn is_apart(index: usize, outlines: &[Outline<'_>]) -> bool {
    let Some(own) = outlines.get(index) else { return false };
    outlines.iter().enumerate().all(|(other, outline)| other == index || disjoint(own, outline))
}
