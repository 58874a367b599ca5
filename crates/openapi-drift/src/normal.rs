//! The normal form: what a document says, whichever way it says it.
//!
//! Documents are not rewritten. A [`Schema`] is what a schema says once
//! its references are followed and its `allOf` is merged, so that each part still knows where it stands.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use crate::node::{MAX_REFERENCE_CHAIN, Node};
use crate::pointer::push;

/// Which of the two documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Side {
    Base,
    Revision,
}

/// Deeper nests of `allOf` are not followed: the comparison is refused.
const DEEPEST: usize = 64;

impl<'a> Node<'a> {
    /// Whether the document has a schema of this name.
    pub(crate) fn has_schema(&self, name: &str) -> bool {
        self.lookup("/components/schemas").is_some_and(|schemas| schemas.value.get(name).is_some())
    }

    /// The component schemas that include the one at this pointer in their `allOf`, or in one of theirs: where it has a
    /// discriminator, a value of it may be any of them (3.0.3, Discriminator Object).
    pub(crate) fn heirs(&self, owner: &str) -> BTreeMap<&'a str, Self> {
        let all = self.lookup("/components").map(|components| components.map("schemas")).unwrap_or_default();
        let mut heirs = BTreeMap::new();
        let mut owners = BTreeSet::from([owner.to_owned()]);
        loop {
            let before = owners.len();
            for (name, place) in &all {
                let includes = |item: &Self| item.resolve().is_ok_and(|at| owners.contains(&at.pointer));
                if !owners.contains(&place.pointer) && place.list("allOf").iter().any(includes) {
                    owners.insert(place.pointer.clone());
                    heirs.insert(*name, place.clone());
                }
            }
            if owners.len() == before {
                return heirs;
            }
        }
    }
}

/// A schema that is meant at some place: all of these at once. None of them is a schema that takes anything.
#[derive(Clone, Debug)]
pub(crate) struct Meant<'a> {
    pub(crate) places: Vec<Node<'a>>,
    /// The pointer that stands for it where there is no place.
    pub(crate) at: String,
}

impl<'a> Meant<'a> {
    /// The schema under a field of an object, or anything.
    pub(crate) fn field(place: &Node<'a>, field: &str) -> Self {
        Self { places: place.get(field).into_iter().collect(), at: place.pointer.clone() }
    }

    pub(crate) fn place(place: Node<'a>) -> Self {
        Self { at: place.pointer.clone(), places: vec![place] }
    }

    pub(crate) const fn anything(at: String) -> Self {
        Self { places: Vec::new(), at }
    }

    /// The same for the same schema, however it was reached.
    pub(crate) fn identity(&self) -> String {
        let pointers: BTreeSet<String> = self
            .places
            .iter()
            .map(|place| place.resolve().map_or_else(|_| place.pointer.clone(), |at| at.pointer))
            .collect();
        pointers.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// The name of the schema that is referred to, if it is one alone.
    pub(crate) fn name(&self) -> Option<&'a str> {
        match &self.places[..] {
            [place] => place.schema_name(),
            _ => None,
        }
    }
}

/// A schema object and those that it includes.
#[derive(Debug)]
struct Part<'a> {
    at: Node<'a>,
    members: Vec<Part<'a>>,
}

/// Alternatives.
#[derive(Clone, Debug)]
pub(crate) struct Group<'a> {
    /// `oneOf` or `anyOf`.
    pub(crate) field: &'static str,
    pub(crate) members: Vec<Meant<'a>>,
    pub(crate) at: String,
}

/// What may stand under a property that is not listed.
#[derive(Clone, Debug)]
pub(crate) enum Additional<'a> {
    Refused,
    Taken(Meant<'a>),
}

/// A value and where it is said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) value: Value,
    pub(crate) at: String,
}

/// A schema in its normal form.
#[derive(Debug)]
pub(crate) struct Schema<'a> {
    /// Its pointer: where it begins to say something.
    pub(crate) at: String,
    /// The name by which it is referred to.
    pub(crate) name: Option<&'a str>,
    /// References that lead nowhere.
    pub(crate) unresolved: BTreeSet<&'a str>,
    /// Whether there is more of it than was followed.
    pub(crate) too_deep: bool,
    /// Where its references lead.
    pub(crate) reached: Vec<String>,
    nodes: Vec<Part<'a>>,
    pub(crate) groups: Vec<Group<'a>>,
    /// Each enumeration; a value must be in all of them.
    enums: Vec<(Vec<&'a Value>, String)>,
    /// Alternatives that are taken for one enumeration.
    pub(crate) folded: Vec<Node<'a>>,
    types: BTreeMap<String, String>,
}

struct Expansion<'a> {
    seen: HashSet<String>,
    unresolved: BTreeSet<&'a str>,
    too_deep: bool,
    reached: Vec<String>,
    groups: Vec<Group<'a>>,
    enums: Vec<(Vec<&'a Value>, String)>,
    folded: Vec<Node<'a>>,
    types: BTreeMap<String, String>,
}

impl<'a> Expansion<'a> {
    fn node(&mut self, place: &Node<'a>, depth: usize) -> Option<Part<'a>> {
        self.too_deep |= depth >= DEEPEST;
        let Some(at) = place.resolve().ok().filter(|_| depth < DEEPEST) else {
            self.unresolved.extend(place.text("$ref"));
            return None;
        };
        if at.pointer != place.pointer {
            self.reached.push(at.pointer.clone());
        }
        if !self.seen.insert(at.pointer.clone()) {
            // All of itself adds nothing.
            return None;
        }
        let mut members = Vec::new();
        for field in ["allOf", "oneOf", "anyOf"] {
            let items = at.list(field);
            if field == "allOf" || items.len() == 1 {
                members.extend(items.iter().filter_map(|item| self.node(item, depth + 1)));
            } else if at.get(field).is_some() {
                self.group(&at, if field == "oneOf" { "oneOf" } else { "anyOf" }, items);
            }
        }
        if let Some(kind) = at.text("type") {
            self.types.insert(kind.to_owned(), push(&at.pointer, "type"));
        }
        if let Some(values) = at.value.get("enum").and_then(Value::as_array) {
            self.enums.push((values.iter().collect(), push(&at.pointer, "enum")));
        }
        Some(Part { at, members })
    }

    fn group(&mut self, at: &Node<'a>, field: &'static str, items: Vec<Node<'a>>) {
        let pointer = push(&at.pointer, field);
        if let Some((kind, values)) = folded(field, &items) {
            for item in &items {
                self.reached
                    .extend(item.resolve().ok().filter(|to| to.pointer != item.pointer).map(|to| to.pointer));
            }
            if let Some(kind) = kind {
                self.types.insert(kind.to_owned(), pointer.clone());
            }
            self.folded.extend(items.iter().filter_map(unwrapped));
            self.enums.push((values, pointer));
            return;
        }
        let equal = |group: &&Group<'a>| {
            let members: Vec<_> = group.members.iter().flat_map(|member| &member.places).map(plain).collect();
            let items: Vec<_> = items.iter().map(plain).collect();
            let all_in = |ours: &[Value], theirs: &[Value]| {
                ours.iter().all(|one| theirs.iter().any(|other| same(one, other)))
            };
            group.field == field
                && members.len() == items.len()
                && all_in(&members, &items)
                && all_in(&items, &members)
        };
        // Twice the same asks for no more.
        if self.groups.iter().find(equal).is_some() {
            return;
        }
        self.groups.push(Group {
            field,
            members: items.into_iter().map(Meant::place).collect(),
            at: pointer,
        });
    }
}

/// Where references and wrappers of one member lead.
fn unwrapped<'a>(place: &Node<'a>) -> Option<Node<'a>> {
    let mut place = place.resolve().ok()?;
    for _ in 0..MAX_REFERENCE_CHAIN {
        let speaks = place.value.as_object()?.iter().filter(|(name, value)| !silent(name, value));
        let [(name, _)] = speaks.collect::<Vec<_>>()[..] else { return Some(place) };
        let [inner, rest @ ..] = &place.list(name)[..] else { return Some(place) };
        // All of the same is the same.
        let one =
            rest.is_empty() || name == "allOf" && rest.iter().all(|other| same(other.value, inner.value));
        if !one || !matches!(name.as_str(), "allOf" | "oneOf" | "anyOf") {
            return Some(place);
        }
        place = inner.resolve().ok()?;
    }
    None
}

/// What a schema says, without wrappers and what says nothing.
fn plain(place: &Node<'_>) -> Value {
    let value = unwrapped(place).map_or(place.value, |place| place.value);
    let Some(members) = value.as_object() else { return value.clone() };
    let says = members.iter().filter(|(name, value)| !silent(name, value));
    says.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether a field of a schema says no more than its absence (3.0.3, Schema Object; JSON Schema for the bounds).
fn silent(name: &str, value: &Value) -> bool {
    match name {
        "nullable" | "readOnly" | "writeOnly" | "deprecated" | "uniqueItems" | "exclusiveMinimum"
        | "exclusiveMaximum" => *value == Value::Bool(false),
        "minLength" | "minItems" | "minProperties" => value.as_f64() == Some(0.0),
        "required" => value.as_array().is_some_and(Vec::is_empty),
        "additionalProperties" | "items" => {
            *value == Value::Bool(true) || value.as_object().is_some_and(serde_json::Map::is_empty)
        }
        _ => false,
    }
}

/// The one enumeration that alternatives are, if each is nothing but an enumeration of the same type, and none of them
/// has a value of another.
fn folded<'a>(field: &str, items: &[Node<'a>]) -> Option<(Option<&'a str>, Vec<&'a Value>)> {
    let mut kinds = BTreeSet::new();
    let mut values: Vec<&Value> = Vec::new();
    for item in items {
        let item = unwrapped(item)?;
        let says = |(name, value): (&String, &Value)| {
            !matches!(name.as_str(), "type" | "enum" | "title" | "description" | "example" | "externalDocs")
                && !name.starts_with("x-")
                && !silent(name, value)
        };
        if item.value.as_object()?.iter().any(says) {
            return None;
        }
        kinds.insert(item.text("type"));
        for value in item.value.get("enum")?.as_array()? {
            if values.iter().any(|other| same(other, value)) {
                if field == "oneOf" {
                    return None;
                }
            } else {
                values.push(value);
            }
        }
    }
    (kinds.len() == 1 && !values.is_empty()).then(|| (kinds.into_iter().next().flatten(), values))
}

impl<'a> Schema<'a> {
    pub(crate) fn of(meant: &Meant<'a>) -> Self {
        let mut expansion = Expansion {
            seen: HashSet::new(),
            unresolved: BTreeSet::new(),
            too_deep: false,
            reached: Vec::new(),
            groups: Vec::new(),
            enums: Vec::new(),
            folded: Vec::new(),
            types: BTreeMap::new(),
        };
        let nodes: Vec<_> = meant.places.iter().filter_map(|place| expansion.node(place, 0)).collect();
        let Expansion { unresolved, too_deep, reached, mut groups, enums, folded, mut types, .. } = expansion;
        groups.sort_by(|one, other| one.field.cmp(other.field));
        // A whole number is a number.
        if types.contains_key("integer") {
            types.remove("number");
        }
        if types.is_empty()
            && let Some((values, at)) = enums.first()
        {
            let mut kinds: BTreeSet<_> = values.iter().map(|value| kind(value)).collect();
            if kinds.contains(&Some("number")) {
                kinds.remove(&Some("integer"));
            }
            if let (1, Some(Some(kind))) = (kinds.len(), kinds.first()) {
                types.insert((*kind).to_owned(), at.clone());
            }
        }
        let mut schema = Self {
            at: meant.at.clone(),
            name: meant.name(),
            unresolved,
            too_deep,
            reached,
            nodes,
            groups,
            enums,
            folded,
            types,
        };
        if let [node] = &schema.nodes[..] {
            let mut node = node;
            while let ([member], true) =
                (&node.members[..], node.at.value.as_object().is_some_and(|it| it.len() == 1))
            {
                node = member;
            }
            schema.at = node.at.pointer.clone();
        }
        schema
    }

    fn atoms(&self) -> Vec<&Node<'a>> {
        fn add<'n, 'a>(nodes: &'n [Part<'a>], atoms: &mut Vec<&'n Node<'a>>) {
            for node in nodes {
                atoms.push(&node.at);
                add(&node.members, atoms);
            }
        }
        let mut atoms = Vec::new();
        add(&self.nodes, &mut atoms);
        atoms
    }

    /// The values of a field that speaks of the whole: the outermost, or else those of all that it includes.
    pub(crate) fn told(&self, field: &str) -> Vec<Node<'a>> {
        fn gather<'a>(nodes: &[Part<'a>], field: &str, found: &mut Vec<Node<'a>>) {
            for node in nodes {
                match node.at.get(field) {
                    Some(value) => found.push(value),
                    None => gather(&node.members, field, found),
                }
            }
        }
        let mut found = Vec::new();
        gather(&self.nodes, field, &mut found);
        found.sort_by_cached_key(|place| place.value.to_string());
        found.dedup_by(|one, other| same(one.value, other.value));
        found
    }

    /// The names of its extensions.
    pub(crate) fn extensions(&self) -> BTreeSet<&'a str> {
        let atoms = self.atoms();
        let names = atoms.iter().filter_map(|atom| atom.value.as_object()).flat_map(|members| members.keys());
        names.map(String::as_str).filter(|name| name.starts_with("x-")).collect()
    }

    /// Its type; more than one is a contradiction.
    pub(crate) fn types(&self) -> Vec<&str> {
        self.types.keys().map(String::as_str).collect()
    }

    pub(crate) fn type_at(&self) -> &str {
        self.types.values().next().unwrap_or(&self.at)
    }

    /// Whether `null` is taken; `None` where no type is said, so that it is.
    pub(crate) fn nullable(&self) -> Option<bool> {
        fn of(node: &Part<'_>) -> Option<bool> {
            if node.at.flag("nullable") {
                return Some(true);
            }
            let own = node.at.value.get("type").map(|_| false);
            node.members.iter().map(of).chain([own]).flatten().min()
        }
        self.nodes.iter().filter_map(of).min()
    }

    /// Its allowed values; `None` for any.
    pub(crate) fn allowed(&self) -> Option<(Vec<&'a Value>, &str)> {
        let (first, rest) = self.enums.split_first()?;
        let in_all =
            |value: &&Value| rest.iter().all(|(values, _)| values.iter().any(|other| same(other, value)));
        Some((first.0.iter().copied().filter(in_all).collect(), &first.1))
    }

    /// The strictest of a keyword's numbers: the greatest lower bound, or the smallest upper one.
    pub(crate) fn count(&self, keyword: &str, lower: bool) -> Option<Said> {
        let mut strictest: Option<Said> = None;
        for atom in self.atoms() {
            let Some(value) = atom.value.get(keyword) else { continue };
            let number = Exact::of(value);
            let stricter = strictest.as_ref().is_none_or(|held| {
                let order = number.cmp(&Exact::of(&held.value));
                if lower { order.is_gt() } else { order.is_lt() }
            });
            if stricter {
                strictest = Some(Said { value: value.clone(), at: push(&atom.pointer, keyword) });
            }
        }
        // What every length has is no bound.
        strictest.filter(|held| !(lower && held.value.as_f64() == Some(0.0)))
    }

    /// The strictest bound of a number, and whether it excludes itself.
    pub(crate) fn bound(&self, lower: bool) -> Option<(Exact, bool, Said)> {
        let (keyword, exclusive) =
            if lower { ("minimum", "exclusiveMinimum") } else { ("maximum", "exclusiveMaximum") };
        let mut strictest: Option<(Exact, bool, Said)> = None;
        for atom in self.atoms() {
            let Some(value) = atom.value.get(keyword) else { continue };
            let mut number = Exact::of(value);
            let mut excludes = atom.flag(exclusive);
            if self.types.contains_key("integer") {
                // Among whole numbers, above 0 is from 1 on.
                number = number.whole(lower, excludes);
                excludes = false;
            }
            let stricter = strictest.as_ref().is_none_or(|(held, held_excludes, _)| {
                let order = if lower { number.cmp(held) } else { held.cmp(&number) };
                order.is_gt() || order.is_eq() && excludes && !held_excludes
            });
            if stricter {
                let said = Said { value: value.clone(), at: push(&atom.pointer, keyword) };
                strictest = Some((number, excludes, said));
            }
        }
        strictest
    }

    /// Every value of a keyword that must hold together with its others, such as `pattern`.
    pub(crate) fn all(&self, keyword: &str) -> Vec<Said> {
        let said = |atom: &&Node<'a>| {
            Some(Said { value: atom.value.get(keyword)?.clone(), at: push(&atom.pointer, keyword) })
        };
        let mut all: Vec<Said> = self.atoms().iter().filter_map(said).collect();
        all.sort_by_cached_key(|said| said.value.to_string());
        all.dedup_by(|one, other| same(&one.value, &other.value));
        all
    }

    /// Where a flag is set, if it is.
    pub(crate) fn flag(&self, keyword: &str) -> Option<String> {
        self.atoms().iter().find(|atom| atom.flag(keyword)).map(|atom| push(&atom.pointer, keyword))
    }

    /// The names of the properties that must be there.
    pub(crate) fn required(&self) -> BTreeMap<&'a str, String> {
        let mut names = BTreeMap::new();
        for atom in self.atoms() {
            for item in atom.list("required") {
                if let Some(name) = item.value.as_str() {
                    names.entry(name).or_insert(item.pointer);
                }
            }
        }
        names
    }

    /// The properties that are listed and not refused.
    pub(crate) fn properties(&self) -> BTreeMap<&'a str, Meant<'a>> {
        let atoms = self.atoms();
        let listed: Vec<_> = atoms.iter().map(|atom| (atom.map("properties"), additional(atom))).collect();
        let names: BTreeSet<&str> = listed.iter().flat_map(|(names, _)| names.keys().copied()).collect();
        let mut properties = BTreeMap::new();
        for name in names {
            let mut places = Vec::new();
            let mut refused = false;
            for (own, rest) in &listed {
                match (own.get(name), rest) {
                    (Some(place), _) => places.push(place.clone()),
                    (None, Additional::Refused) => refused = true,
                    (None, Additional::Taken(meant)) => places.extend(meant.places.iter().cloned()),
                }
            }
            if !refused && let Some(at) = places.first().map(|place| place.pointer.clone()) {
                properties.insert(name, Meant { places, at });
            }
        }
        properties
    }

    /// What may stand under other names.
    pub(crate) fn additional(&self) -> Additional<'a> {
        let mut places = Vec::new();
        for atom in self.atoms() {
            match additional(atom) {
                Additional::Refused => return Additional::Refused,
                Additional::Taken(meant) => places.extend(meant.places),
            }
        }
        let at = places.first().map_or_else(|| self.at.clone(), |place| place.pointer.clone());
        Additional::Taken(Meant { places, at })
    }

    /// Where it says what additional properties are.
    pub(crate) fn additional_at(&self) -> String {
        let field = "additionalProperties";
        let atoms = self.atoms();
        let found = atoms.iter().find(|atom| atom.value.get(field).is_some());
        found.map_or_else(|| self.at.clone(), |atom| push(&atom.pointer, field))
    }

    /// What each item is.
    pub(crate) fn items(&self) -> Meant<'a> {
        let places: Vec<_> = self.atoms().iter().filter_map(|atom| atom.get("items")).collect();
        Meant { at: places.first().map_or_else(|| self.at.clone(), |place| place.pointer.clone()), places }
    }

    /// What it must not be.
    pub(crate) fn nots(&self) -> Vec<Meant<'a>> {
        let mut all: Vec<Node<'a>> = self.atoms().iter().filter_map(|atom| atom.get("not")).collect();
        all.sort_by_cached_key(|place| plain(place).to_string());
        all.dedup_by(|one, other| same(&plain(one), &plain(other)));
        all.into_iter().map(Meant::place).collect()
    }

    /// Whether it says nothing of values beside its alternatives.
    pub(crate) fn is_bare(&self) -> bool {
        let says = |(name, value): (&String, &Value)| {
            !matches!(
                name.as_str(),
                "allOf"
                    | "oneOf"
                    | "anyOf"
                    | "title"
                    | "description"
                    | "example"
                    | "externalDocs"
                    | "deprecated"
                    | "discriminator"
                    | "default"
                    | "readOnly"
                    | "writeOnly"
                    | "xml"
                    | "nullable"
            ) && !name.starts_with("x-")
                && !silent(name, value)
        };
        self.enums.is_empty()
            && !self.atoms().iter().any(|atom| atom.value.as_object().is_some_and(|it| it.iter().any(says)))
    }
}

fn additional<'a>(atom: &Node<'a>) -> Additional<'a> {
    match atom.get("additionalProperties") {
        Some(place) if *place.value == Value::Bool(false) => Additional::Refused,
        Some(place) if place.value.as_object().is_some_and(|it| !it.is_empty()) => {
            Additional::Taken(Meant::place(place))
        }
        _ => Additional::Taken(Meant::anything(atom.pointer.clone())),
    }
}

/// A number without loss: `f64` takes 2^53 and 2^53 + 1 for the same. The whole below it, and how far it is above.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact(i128, f64);

impl Exact {
    pub(crate) fn of(value: &Value) -> Self {
        if let Some(whole) = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)) {
            return Self(whole, 0.0);
        }
        let number = value.as_f64().unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "what is beyond stays at the end of the range")]
        let whole = number.floor() as i128;
        let end = whole == i128::MAX || whole == i128::MIN;
        Self(whole, if end { number } else { number - number.floor() })
    }

    /// The nearest whole number that a bound on whole numbers leaves.
    const fn whole(self, lower: bool, excludes: bool) -> Self {
        let Self(below, rest) = self;
        let whole = match (rest > 0.0, lower, excludes) {
            (true, true, _) | (false, true, true) => below.saturating_add(1),
            (false, false, true) => below.saturating_sub(1),
            _ => below,
        };
        Self(whole, 0.0)
    }

    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0).then(self.1.total_cmp(&other.1))
    }
}

/// The schema type of a value.
fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        // 1.0 is a whole number as well.
        Value::Number(number) if number.as_f64().is_some_and(|it| it.fract() != 0.0) => Some("number"),
        Value::Number(_) => Some("integer"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}

/// Equal, with numbers compared as numbers: 1 is 1.0.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (ours @ Value::Number(one), theirs @ Value::Number(other)) => {
            one == other || Exact::of(ours).cmp(&Exact::of(theirs)).is_eq()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}
