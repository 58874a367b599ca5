//! The walk over two documents: operations, parameters, bodies, responses.

mod alternatives;
mod object;
mod operation;
mod schema;
mod security;
mod servers;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use crate::document::Document;
use crate::extensions::date;
use crate::fields::{Object, Shape, Treatment, fields};
use crate::finding::{At, Breaks, Effect, Finding};
use crate::node::Node;
use crate::normal::{Meant, Schema, Side, same};
use crate::pointer::{of_reference, push};
use crate::read::nameless;
use time::Date;

/// What a comparison is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The day on which removals are judged: one that was announced with `deprecated` and an `x-sunset` is no surprise
    /// from that day on. Without a day, no sunset has passed.
    pub today: Option<Date>,
}

/// The documents nest so many schemas in each other's alternatives that comparing them would take too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooComplex;

impl fmt::Display for TooComplex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the documents take more than {MOST_STEPS} steps to compare; name schemas that are used in alternatives"
        )
    }
}

impl std::error::Error for TooComplex {}

/// Far above any real pair: one of 500 KB takes some ten thousand.
const MOST_STEPS: usize = 2_000_000;

/// Every difference between two documents, ordered by place and rule.
///
/// # Errors
///
/// [`TooComplex`], a limit that no real document reaches.
pub fn compare(base: &Document, revision: &Document, options: Options) -> Result<Vec<Finding>, TooComplex> {
    let mut comparison = Comparison::new(options);
    let roots = Two { base: base.root(), revision: revision.root() };
    comparison.documents(&roots);
    comparison.work_off();
    comparison.unused(&roots);
    comparison.work_off();
    comparison.lone_components(&roots);
    comparison.overruled(&roots);
    comparison.faulty(base, revision);
    if comparison.steps > MOST_STEPS {
        return Err(TooComplex);
    }
    Ok(finish(base, revision, comparison.found))
}

/// A value of each side.
#[derive(Clone, Debug)]
struct Two<T> {
    base: T,
    revision: T,
}

impl Two<Node<'_>> {
    /// The pointers of both.
    fn at(&self) -> Two<String> {
        Two { base: self.base.pointer.clone(), revision: self.revision.pointer.clone() }
    }

    /// The pointers of two members, each of the object where it has none.
    fn either(&self, base: Option<&Node<'_>>, revision: Option<&Node<'_>>) -> Two<String> {
        Two {
            base: base.map_or(&self.base.pointer, |place| &place.pointer).clone(),
            revision: revision.map_or(&self.revision.pointer, |place| &place.pointer).clone(),
        }
    }

    /// The pointers of a field of both, each of the object where it has none.
    fn field_at(&self, field: &str) -> Two<String> {
        let at =
            |place: &Node<'_>| place.get(field).map_or_else(|| place.pointer.clone(), |place| place.pointer);
        Two { base: at(&self.base), revision: at(&self.revision) }
    }
}

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Way {
    /// From client to server.
    Request,
    /// From server to client.
    Response,
    /// No operation uses it.
    Unused,
}

impl Way {
    /// The way of an answer to what goes this way.
    const fn back(self) -> Self {
        match self {
            Self::Request => Self::Response,
            Self::Response => Self::Request,
            Self::Unused => Self::Unused,
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Media {
    /// With its type.
    Json,
    /// As XML.
    Xml,
    /// As text, of which only the schema tells the type.
    Text,
}

impl Media {
    fn of(name: &str) -> Self {
        let name = name.trim_end();
        if name.ends_with("json") || name.starts_with("*/") || name == "application/*" {
            Self::Json
        } else if name.ends_with("xml") {
            Self::Xml
        } else {
            Self::Text
        }
    }
}

/// Where a schema is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Use {
    way: Way,
    media: Media,
    /// Under an odd number of `not`.
    inverted: bool,
}

impl Use {
    const fn new(way: Way, media: Media) -> Self {
        Self { way, media, inverted: false }
    }
}

/// How the values that are allowed changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Fewer.
    Narrower,
    /// More.
    Wider,
    /// Others.
    Other,
    /// None that matters.
    Same,
}

impl Change {
    const fn inverted(self) -> Self {
        match self {
            Self::Narrower => Self::Wider,
            Self::Wider => Self::Narrower,
            other => other,
        }
    }

    /// Who breaks by it: a sender that sends more than the receiver takes.
    const fn breaks(self, way: Way) -> Breaks {
        match (self, way) {
            (Self::Same, _) | (_, Way::Unused) => Breaks::NEITHER,
            (Self::Other, _) => Breaks::BOTH,
            (Self::Narrower, Way::Request) | (Self::Wider, Way::Response) => Breaks::CLIENTS,
            (Self::Wider, Way::Request) | (Self::Narrower, Way::Response) => Breaks::SERVERS,
        }
    }
}

/// A finding before it is ordered.
#[derive(Clone, Debug)]
struct Found {
    rule: String,
    effect: Effect,
    way: Way,
    breaks: Breaks,
    announced: bool,
    at: Two<String>,
    before: Option<Value>,
    after: Option<Value>,
    site: String,
    what: String,
}

/// What is still to be compared. References are not followed at once: a chain of them may be longer than the stack.
#[derive(Debug)]
enum Work<'a> {
    Schema(schema::Pair<'a>),
    Operation(operation::Pair<'a>),
    Header(operation::Fielded<'a>),
}

#[derive(Debug, Default)]
struct Comparison<'a> {
    options: Options,
    found: Vec<Found>,
    work: Vec<Work<'a>>,
    seen: HashSet<(String, String, Option<Use>)>,
    reached: HashSet<(Side, String)>,
    /// Whether two alternatives agree, as far as it is known.
    agreed: HashMap<(String, String, Use), bool>,
    /// The alternatives that are being held against each other; while they are, they agree.
    trying: HashSet<(String, String, Use)>,
    /// How often that was taken for granted.
    assumed: usize,
    /// Only whether there is a difference on the wire is asked.
    trial: bool,
    disagrees: bool,
    steps: usize,
}

impl<'a> Comparison<'a> {
    fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    fn work_off(&mut self) {
        while let Some(work) = self.work.pop() {
            if self.steps > MOST_STEPS || self.trial && self.disagrees {
                return;
            }
            match work {
                Work::Schema(pair) => self.schemas(&pair),
                Work::Operation(pair) => self.operations(&pair),
                Work::Header(pair) => self.headers(&pair),
            }
        }
    }

    fn add(&mut self, found: Found) {
        if self.trial {
            self.disagrees |= found.effect == Effect::Wire;
        } else {
            self.found.push(found);
        }
    }

    /// A finding that is not one of a value on its way.
    #[expect(clippy::too_many_arguments, reason = "each is a part of every finding")]
    fn tell(
        &mut self,
        rule: impl Into<String>,
        effect: Effect,
        breaks: Breaks,
        at: Two<String>,
        before: Option<&Value>,
        after: Option<&Value>,
        site: &str,
        what: impl Into<String>,
    ) {
        self.add(Found {
            rule: rule.into(),
            effect,
            way: Way::Request,
            breaks,
            announced: false,
            at,
            before: before.cloned(),
            after: after.cloned(),
            site: site.to_owned(),
            what: what.into(),
        });
    }

    /// Follows the references of a place, and remembers where they lead.
    fn follow(&mut self, side: Side, node: &Node<'a>) -> Option<Node<'a>> {
        let target = node.resolve().ok()?;
        if target.pointer != node.pointer {
            self.reached.insert((side, target.pointer.clone()));
        }
        Some(target)
    }

    /// Follows the references of both. If one of them leads nowhere there is a finding, and nothing to compare.
    fn follow_both(&mut self, pair: &Two<Node<'a>>, site: &str) -> Option<Two<Node<'a>>> {
        match (self.follow(Side::Base, &pair.base), self.follow(Side::Revision, &pair.revision)) {
            (Some(base), Some(revision)) => Some(Two { base, revision }),
            (None, None) if same(pair.base.value, pair.revision.value) => None,
            _ => {
                let (before, after) = (Some(pair.base.value), Some(pair.revision.value));
                let what = "a reference leads nowhere";
                self.tell(
                    "reference-unresolved",
                    Effect::Wire,
                    Breaks::BOTH,
                    pair.at(),
                    before,
                    after,
                    site,
                    what,
                );
                None
            }
        }
    }

    /// Compares what speaks to people or to generators in two objects, extensions included.
    fn annotations(&mut self, object: Object, pair: &Two<Node<'a>>, site: &str) {
        for field in fields(object) {
            let effect = match field.treatment {
                Treatment::Documentation => Effect::Documentation,
                Treatment::GeneratedCode => Effect::GeneratedCode,
                Treatment::Wire | Treatment::WhereUsed => continue,
            };
            let (before, after) = (pair.base.get(field.name), pair.revision.get(field.name));
            let equal = match (&before, &after) {
                (Some(before), Some(after)) => equal(field.shape, before, after),
                (None, None) => true,
                (Some(only), None) | (None, Some(only)) => {
                    *only.value == Value::Bool(false) || only.value.as_array().is_some_and(Vec::is_empty)
                }
            };
            if !equal {
                self.annotation(object, field.name, effect, pair, site);
            }
        }
        let mut extensions = BTreeSet::new();
        for place in [&pair.base, &pair.revision] {
            extensions.extend(place.value.as_object().into_iter().flat_map(|members| members.keys()));
        }
        for name in extensions.into_iter().filter(|name| object.extensible() && name.starts_with("x-")) {
            if !both_same(pair.base.value.get(name), pair.revision.value.get(name)) {
                self.annotation(object, name, Effect::GeneratedCode, pair, site);
            }
        }
    }

    fn annotation(&mut self, object: Object, field: &str, effect: Effect, pair: &Two<Node<'a>>, site: &str) {
        let (before, after) = (pair.base.value.get(field), pair.revision.value.get(field));
        let mut rule = format!("{object}-{}-changed", kebab(field));
        let mut grade = (effect, Breaks::NEITHER);
        if field == "x-sunset" {
            let day = |value: Option<&Value>| value.and_then(Value::as_str).and_then(|text| date(text));
            if let (Some(old), Some(new)) = (day(before), day(after))
                && new < old
            {
                rule = format!("{object}-sunset-moved-earlier");
                grade = (Effect::Wire, Breaks::CLIENTS);
            }
        }
        let what = format!("{field} {}", went(before, after));
        self.tell(rule, grade.0, grade.1, pair.field_at(field), before, after, site, what);
    }

    fn documents(&mut self, roots: &Two<Node<'a>>) {
        self.annotations(Object::OpenApi, roots, "the document");
        for (field, object) in
            [("info", Object::Info), ("paths", Object::Paths), ("components", Object::Components)]
        {
            let pair =
                Two { base: roots.base.get_or_null(field), revision: roots.revision.get_or_null(field) };
            self.annotations(object, &pair, "the document");
        }
        self.paths(roots);
        self.security_schemes(roots);
    }

    /// The document's servers and security, where no operation is under them: people read them all the same.
    fn overruled(&mut self, roots: &Two<Node<'a>>) {
        for field in ["servers", "security"] {
            let pointer = format!("/{field}");
            let used = [Side::Base, Side::Revision]
                .into_iter()
                .any(|side| self.reached.contains(&(side, pointer.clone())));
            let (before, after) = (roots.base.value.get(field), roots.revision.value.get(field));
            if !used && !both_same(before, after) {
                let what = format!("{field}, which no operation is under, {}", went(before, after));
                let (rule, effect) = (format!("document-{field}-changed"), Effect::Documentation);
                let at = roots.field_at(field);
                self.tell(rule, effect, Breaks::NEITHER, at, before, after, "the document", what);
            }
        }
    }

    /// What is not understood is compared as a whole, where it stands.
    fn faulty(&mut self, base: &Document, revision: &Document) {
        let pointers: BTreeSet<&String> =
            base.problems().iter().chain(revision.problems()).map(|problem| &problem.pointer).collect();
        for pointer in pointers {
            let (before, after) = (base.value().pointer(pointer), revision.value().pointer(pointer));
            if !both_same(before, after) {
                let at = Two { base: pointer.clone(), revision: pointer.clone() };
                let what = format!("what is no OpenAPI 3.0.3 {}", went(before, after));
                let effect = Effect::Wire;
                self.tell("faulty-place-changed", effect, Breaks::BOTH, at, before, after, pointer, what);
            }
        }
    }

    /// Components that both documents have and that no operation leads to: generators write types of them all the same.
    fn unused(&mut self, roots: &Two<Node<'a>>) {
        for Component { object, name, pointer, base, revision } in components(roots) {
            let (Some(base), Some(revision)) = (base, revision) else { continue };
            let reached = |side| self.reached.contains(&(side, pointer.clone()));
            let site = format!("component {name}");
            if !(reached(Side::Base) && reached(Side::Revision)) {
                self.component(object, Two { base, revision }, site);
            } else if object == Object::Schema {
                // Where it is used another description may stand before its own: it still is a type's.
                self.described(&base, &revision, &site);
            }
        }
    }

    /// Components that one document has alone and nothing leads to.
    fn lone_components(&mut self, roots: &Two<Node<'a>>) {
        let used = Two {
            base: used(roots.base.value, roots.revision.value),
            revision: used(roots.revision.value, roots.base.value),
        };
        for Component { object, name, pointer, base, revision } in components(roots) {
            let removed = base.is_some();
            let used = if removed { &used.base } else { &used.revision };
            if removed == revision.is_some() || used.contains(&pointer) {
                continue;
            }
            let verb = if removed { "removed" } else { "added" };
            let (at, value) = (roots.either(base.as_ref(), revision.as_ref()), |place: Node<'a>| place.value);
            self.tell(
                format!("component-{verb}"),
                Effect::GeneratedCode,
                Breaks::NEITHER,
                at,
                base.map(value),
                revision.map(value),
                &format!("component {name}"),
                format!("the unused {object} was {verb}"),
            );
        }
    }

    /// What a schema says beside its values.
    fn described(&mut self, base: &Node<'a>, revision: &Node<'a>, site: &str) {
        let meant = Two { base: Meant::place(base.clone()), revision: Meant::place(revision.clone()) };
        let two = Two { base: Schema::of(&meant.base), revision: Schema::of(&meant.revision) };
        let usage = Use::new(Way::Unused, Media::Json);
        let pair = schema::Pair { meant, usage, site: site.to_owned(), path: String::new() };
        self.schema_annotations(&pair, &two);
        self.defaults(&pair, &two);
    }

    fn component(&mut self, object: Object, pair: Two<Node<'a>>, site: String) {
        match object {
            Object::Schema => {
                let usage = Use::new(Way::Unused, Media::Json);
                let (base, revision) = (Meant::place(pair.base), Meant::place(pair.revision));
                self.later(Two { base, revision }, usage, site, String::new());
            }
            Object::Response => self.response(&pair, Way::Unused, &site),
            Object::RequestBody => self.request_bodies(&pair, Way::Unused, &site),
            Object::Header | Object::Parameter => {
                self.work.push(Work::Header(operation::Fielded { object, pair, way: Way::Unused, site }));
            }
            Object::Callback => self.callback(&pair, Way::Unused, &site),
            _ => {
                if let Some(pair) = self.follow_both(&pair, &site) {
                    self.annotations(object, &pair, &site);
                }
            }
        }
    }
}

/// A component of one document or of both.
struct Component<'a> {
    object: Object,
    name: &'a str,
    pointer: String,
    base: Option<Node<'a>>,
    revision: Option<Node<'a>>,
}

/// Every component, security schemes excepted: operations say which of those they ask for.
fn components<'a>(roots: &Two<Node<'a>>) -> Vec<Component<'a>> {
    let mut all = Vec::new();
    for field in fields(Object::Components) {
        let Shape::Map(object) = field.shape else { continue };
        if object == Object::SecurityScheme {
            continue;
        }
        let of = |root: &Node<'a>| root.get_or_null("components").map(field.name);
        let (base, revision) = (of(&roots.base), of(&roots.revision));
        let names: BTreeSet<&str> = base.keys().chain(revision.keys()).copied().collect();
        all.extend(names.into_iter().map(|name| Component {
            object,
            name,
            pointer: push(&format!("/components/{}", field.name), name),
            base: base.get(name).cloned(),
            revision: revision.get(name).cloned(),
        }));
    }
    all
}

/// Where references of a document lead, but for those of components that the other document does not have and that
/// nothing else leads to.
fn used(root: &Value, other: &Value) -> HashSet<String> {
    let is_lone = |pointer: &str| {
        pointer.starts_with("/components/")
            && pointer.split('/').count() == 4
            && other.pointer(pointer).is_none()
    };
    let (mut used, mut left) = (HashSet::new(), vec![(String::new(), root)]);
    while let Some((pointer, value)) = left.pop() {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let below = push(&pointer, name);
                    match member.as_str().and_then(of_reference) {
                        Some(target) if name == "$ref" && used.insert(target.clone()) => {
                            left.extend(root.pointer(&target).map(|value| (target, value)));
                        }
                        _ if !is_lone(&below) => left.push((below, member)),
                        _ => {}
                    }
                }
            }
            Value::Array(items) => {
                left.extend(
                    items.iter().enumerate().map(|(place, item)| (format!("{pointer}/{place}"), item)),
                );
            }
            _ => {}
        }
    }
    used
}

/// Whether a value is the same in both documents, or in none of them.
fn both_same(before: Option<&Value>, after: Option<&Value>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => same(before, after),
        (before, after) => before == after,
    }
}

/// Whether two values of this shape say the same.
fn equal(shape: Shape, before: &Node<'_>, after: &Node<'_>) -> bool {
    match shape {
        // Operations' tags are a set.
        Shape::Texts => {
            let set = |place: &Node<'_>| {
                let items = place.value.as_array().into_iter().flatten();
                items.filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>()
            };
            set(before) == set(after)
        }
        Shape::Map(Object::Example | Object::Link) => {
            let (before, after) = (resolved(before), resolved(after));
            before.len() == after.len()
                && before.iter().all(|(name, one)| after.get(name).is_some_and(|other| same(one, other)))
        }
        _ => same(before.value, after.value),
    }
}

fn resolved<'a>(map: &Node<'a>) -> BTreeMap<&'a str, &'a Value> {
    let value = |place: &Node<'a>| place.resolve().map_or(place.value, |place| place.value);
    map.members().map(|(name, node)| (name, value(&node))).collect()
}

/// `maxLength` as `max-length`.
fn kebab(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.trim_start_matches('$').chars() {
        if letter.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    }
    text
}

/// A value within a sentence.
fn brief(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if text.chars().count() > LONGEST { text.chars().take(LONGEST).chain(['…']).collect() } else { text }
}

/// How a value changed, as the end of a sentence.
fn went(before: Option<&Value>, after: Option<&Value>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("went from {} to {}", brief(before), brief(after)),
        (Some(before), None) => format!("{} was removed", brief(before)),
        (None, Some(after)) => format!("{} was added", brief(after)),
        (None, None) => "changed".to_owned(),
    }
}

/// The path items of a document by their templates, names of parameters left out.
fn templates<'a>(root: &Node<'a>) -> BTreeMap<String, (&'a str, Node<'a>)> {
    let mut found = BTreeMap::new();
    for (path, item) in root.map("paths") {
        if !path.starts_with("x-") {
            found.insert(free(&found, nameless(path)), (path, item));
        }
    }
    found
}

/// The key, or one that the map does not have yet: what two names have in common must not hide one of them.
fn free<T>(map: &BTreeMap<String, T>, mut key: String) -> String {
    while map.contains_key(&key) {
        key.push(' ');
    }
    key
}

/// The pointer of a place in words that do not depend on the order of lists.
fn canonical(document: &Document, pointer: &str) -> String {
    let mut value = document.value();
    let mut text = String::new();
    for token in pointer.split('/').skip(1) {
        let key = token.replace("~1", "/").replace("~0", "~");
        match value {
            Value::Array(items) => {
                let item = key.parse().ok().and_then(|place: usize| items.get(place)).unwrap_or(&Value::Null);
                let name = match (item.get("$ref"), item.get("in"), item.get("name"), item) {
                    (Some(Value::String(reference)), ..) => reference.clone(),
                    (_, Some(Value::String(place)), Some(Value::String(name)), _) => {
                        format!("{place}:{name}")
                    }
                    (.., Value::String(text)) => text.clone(),
                    // A server goes by its address, a tag by its name.
                    _ => match item.get("url").or_else(|| item.get("name")) {
                        Some(Value::String(name)) => name.clone(),
                        _ => key,
                    },
                };
                text = push(&text, &name);
                value = item;
            }
            other => {
                text = push(&text, &key);
                value = other.get(&key).unwrap_or(&Value::Null);
            }
        }
    }
    text
}

/// Brings findings in order; those of one place that concern both ways become one.
fn finish(base: &Document, revision: &Document, found: Vec<Found>) -> Vec<Finding> {
    let mut findings: BTreeMap<(String, String, String, String, String), Finding> = BTreeMap::new();
    for one in found {
        let text = |value: &Option<Value>| value.as_ref().map_or_else(String::new, Value::to_string);
        let place = |document: &Document, pointer: &str| {
            let pointer = document.nearest(pointer).to_owned();
            At { position: document.position(&pointer), pointer }
        };
        let at = Two { base: place(base, &one.at.base), revision: place(revision, &one.at.revision) };
        let key = (
            at.base.pointer.clone(),
            at.revision.pointer.clone(),
            one.rule.clone(),
            text(&one.before),
            text(&one.after),
        );
        let (request, response) = match (one.effect, one.way) {
            (Effect::Documentation, _) | (_, Way::Unused) => (None, None),
            (Effect::GeneratedCode, _) if one.breaks == Breaks::NEITHER => (None, None),
            (_, Way::Request) => (Some(one.breaks), None),
            (_, Way::Response) => (None, Some(one.breaks)),
        };
        let canonical = if one.before.is_none() && one.after.is_some() {
            canonical(revision, &at.revision.pointer)
        } else {
            canonical(base, &at.base.pointer)
        };
        let both = |held: Option<Breaks>, new: Option<Breaks>| match (held, new) {
            (Some(held), Some(new)) => Some(held.or(new)),
            (held, new) => held.or(new),
        };
        findings
            .entry(key)
            .and_modify(|held| {
                // The sentence is that of the way on which old clients break.
                let breaks = request.or(response).unwrap_or_default().old_clients;
                if one.effect < held.effect
                    || one.effect == held.effect && breaks && !held.breaks().old_clients
                {
                    held.message = format!("{}: {}", one.site, one.what);
                }
                // Who breaks by what is graver; what a generated client refuses is no break on the wire.
                match one.effect.cmp(&held.effect) {
                    Ordering::Less => (held.request, held.response) = (request, response),
                    Ordering::Greater => return,
                    Ordering::Equal => {
                        held.request = both(held.request, request);
                        held.response = both(held.response, response);
                    }
                }
                held.effect = one.effect;
                held.announced &= one.announced;
            })
            .or_insert_with(|| Finding {
                rule: one.rule,
                effect: one.effect,
                request,
                response,
                announced: one.announced,
                base: at.base,
                revision: at.revision,
                before: one.before,
                after: one.after,
                canonical,
                message: format!("{}: {}", one.site, one.what),
            });
    }
    findings.into_values().collect()
}
