//! Schemas: what values they take, told apart by which way the values go.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Change, Comparison, Found, Media, Two, Use, Way, Work, brief, kebab, went};
use crate::fields::{Object, Treatment, fields};
use crate::finding::{Breaks, Effect};
use crate::node::Node;
use crate::normal::{Exact, Meant, Said, Schema, Side, same};

/// A schema of each document.
#[derive(Clone, Debug)]
pub(super) struct Pair<'a> {
    pub(super) meant: Two<Meant<'a>>,
    pub(super) usage: Use,
    /// The operation and the part of it.
    pub(super) site: String,
    /// The property within: `summary.title`.
    pub(super) path: String,
}

impl<'a> Comparison<'a> {
    /// Puts two schemas on the list of what is to be compared, unless they have been.
    pub(super) fn later(&mut self, meant: Two<Meant<'a>>, usage: Use, site: String, path: String) {
        if meant.base.places.is_empty() && meant.revision.places.is_empty() {
            return;
        }
        let key = (identity(&meant.base), identity(&meant.revision), Some(usage));
        let names = (meant.base.name(), meant.revision.name());
        if self.seen.insert(key) {
            self.work.push(Work::Schema(Pair { meant, usage, site, path }));
        } else if let (Some(before), Some(after)) = names
            && before != after
        {
            self.renamed(&meant, &site, &path, before, after);
        }
    }

    fn renamed(&mut self, meant: &Two<Meant<'a>>, site: &str, path: &str, before: &str, after: &str) {
        let at = Two { base: meant.base.at.clone(), revision: meant.revision.at.clone() };
        let (before, after) = (Value::from(before), Value::from(after));
        let what = format!("{}the schema's name {}", within(path), went(Some(&before), Some(&after)));
        let (before, after) = (Some(&before), Some(&after));
        self.tell("schema-renamed", Effect::GeneratedCode, Breaks::NEITHER, at, before, after, site, what);
    }

    pub(super) fn of_schema(
        &mut self,
        pair: &Pair<'a>,
        rule: &str,
        change: Change,
        at: (&str, &str),
        values: (Option<&Value>, Option<&Value>),
        what: &str,
    ) {
        let change = if pair.usage.inverted { change.inverted() } else { change };
        let unused = pair.usage.way == Way::Unused && !self.trial;
        self.add(Found {
            rule: rule.to_owned(),
            effect: if unused { Effect::GeneratedCode } else { Effect::Wire },
            way: pair.usage.way,
            breaks: change.breaks(pair.usage.way),
            announced: false,
            at: Two { base: at.0.to_owned(), revision: at.1.to_owned() },
            before: values.0.cloned(),
            after: values.1.cloned(),
            site: pair.site.clone(),
            what: format!("{}{what}", within(&pair.path)),
        });
    }

    pub(super) fn schemas(&mut self, pair: &Pair<'a>) {
        self.steps += 1;
        let two = Two { base: Schema::of(&pair.meant.base), revision: Schema::of(&pair.meant.revision) };
        for (side, schema) in [(Side::Base, &two.base), (Side::Revision, &two.revision)] {
            self.reached.extend(schema.reached.iter().map(|pointer| (side, pointer.clone())));
        }
        if let (Some(before), Some(after)) = (two.base.name, two.revision.name)
            && before != after
        {
            self.renamed(&pair.meant, &pair.site, &pair.path, before, after);
        }
        if two.base.too_deep || two.revision.too_deep {
            self.steps = super::MOST_STEPS + 1;
            return;
        }
        if two.base.unresolved != two.revision.unresolved {
            let value = |meant: &Meant<'a>| meant.places.first().map(|place| place.value);
            let values = (value(&pair.meant.base), value(&pair.meant.revision));
            let at = (two.base.at.as_str(), two.revision.at.as_str());
            let what = "a reference leads nowhere";
            return self.of_schema(pair, "reference-unresolved", Change::Other, at, values, what);
        }
        self.schema_annotations(pair, &two);
        self.folded(pair, &two);
        if self.wrapped(pair, &two) {
            return;
        }
        self.types(pair, &two);
        self.formats(pair, &two);
        self.nullability(pair, &two);
        self.enumerations(pair, &two);
        self.bounds(pair, &two);
        self.patterns(pair, &two);
        self.multiples(pair, &two);
        self.uniqueness(pair, &two);
        self.defaults(pair, &two);
        self.marks(pair, &two);
        self.xml(pair, &two);
        self.object_parts(pair, &two);
        let items = Two { base: two.base.items(), revision: two.revision.items() };
        self.later(items, pair.usage, pair.site.clone(), format!("{}[]", pair.path));
        self.groups(pair, &two);
        self.nots(pair, &two);
        self.discriminators(pair, &two);
    }

    pub(super) fn schema_annotations(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let mut tell = |name: &str, effect: Effect| {
            let (before, after) = (two.base.told(name), two.revision.told(name));
            let no = |values: &[Node<'a>]| values.iter().all(|it| *it.value == Value::Bool(false));
            let equal = before.len() == after.len()
                && before.iter().zip(&after).all(|(before, after)| same(before.value, after.value));
            if equal || no(&before) && no(&after) {
                return;
            }
            let at = |values: &[Node<'a>], schema: &Schema<'a>| {
                values.first().map_or_else(|| schema.at.clone(), |place| place.pointer.clone())
            };
            let at = Two { base: at(&before, &two.base), revision: at(&after, &two.revision) };
            let (before, after) = (before.first().map(|it| it.value), after.first().map(|it| it.value));
            let what = format!("{}{name} {}", within(&pair.path), went(before, after));
            let rule = format!("schema-{}-changed", kebab(name));
            self.tell(rule, effect, Breaks::NEITHER, at, before, after, &pair.site, what);
        };
        for field in fields(Object::Schema).filter(|field| field.treatment == Treatment::Documentation) {
            tell(field.name, Effect::Documentation);
        }
        let names: BTreeSet<&str> =
            two.base.extensions().union(&two.revision.extensions()).copied().collect();
        for name in names {
            tell(name, Effect::GeneratedCode);
        }
    }

    /// What is said of the values of an enumeration that is written as alternatives, where both documents write it so.
    fn folded(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        for old in &two.base.folded {
            let listed = |place: &Node<'a>| place.value.get("enum").cloned().unwrap_or_default();
            let values = listed(old);
            let Some(new) = two.revision.folded.iter().find(|new| same(&listed(new), &values)) else {
                continue;
            };
            let site = format!("{}, {}{}", pair.site, within(&pair.path), brief(&values));
            self.annotations(Object::Schema, &Two { base: old.clone(), revision: new.clone() }, &site);
        }
    }

    fn types(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let (before, after) = (two.base.types(), two.revision.types());
        if before == after {
            return;
        }
        let text = pair.usage.media != Media::Json;
        // Text takes whatever a number or a boolean is written as.
        let plain_text = |schema: &Schema<'a>| {
            schema.types() == ["string"]
                && schema.all("format").is_empty()
                && schema.all("pattern").is_empty()
                && schema.allowed().is_none()
        };
        let (rule, change) = match (&before[..], &after[..]) {
            ([], _) => ("schema-type-added", Change::Narrower),
            (_, []) => ("schema-type-removed", Change::Wider),
            (["integer"], ["number"]) => ("schema-type-widened", Change::Wider),
            (["number"], ["integer"]) => ("schema-type-narrowed", Change::Narrower),
            _ if text && plain_text(&two.revision) => ("schema-type-widened", Change::Wider),
            _ if text && plain_text(&two.base) => ("schema-type-narrowed", Change::Narrower),
            _ => ("schema-type-changed", Change::Other),
        };
        let at = (two.base.type_at().to_owned(), two.revision.type_at().to_owned());
        let value = |types: &[&str]| match types {
            [] => None,
            [one] => Some(Value::from(*one)),
            more => Some(Value::from(more.to_vec())),
        };
        let (before, after) = (value(&before), value(&after));
        let values = (before.as_ref(), after.as_ref());
        self.of_schema(
            pair,
            rule,
            change,
            (&at.0, &at.1),
            values,
            &format!("type {}", went(values.0, values.1)),
        );
    }

    fn formats(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let (before, after) = (two.base.all("format"), two.revision.all("format"));
        let order = |one: &str, other: &str| match (one, other) {
            ("int32", "int64") | ("float", "double") => Some(Change::Wider),
            ("int64", "int32") | ("double", "float") => Some(Change::Narrower),
            _ => None,
        };
        let known = match (&before[..], &after[..]) {
            ([before], [after]) => {
                order(before.value.as_str().unwrap_or_default(), after.value.as_str().unwrap_or_default())
            }
            _ => None,
        };
        self.conjunction(pair, two, "format", (&before, &after), known, Effect::Wire);
    }

    /// A keyword of which several may hold at once, such as `pattern`.
    fn conjunction(
        &mut self,
        pair: &Pair<'a>,
        two: &Two<Schema<'a>>,
        keyword: &str,
        said: (&[Said], &[Said]),
        known: Option<Change>,
        effect: Effect,
    ) {
        let lacks = |list: &[Said], one: &Said| !list.iter().any(|other| same(&other.value, &one.value));
        let gone: Vec<&Said> = said.0.iter().filter(|one| lacks(said.1, one)).collect();
        let new: Vec<&Said> = said.1.iter().filter(|one| lacks(said.0, one)).collect();
        let (verb, change) = match (gone.is_empty(), new.is_empty()) {
            (true, true) => return,
            (true, false) => ("added", Change::Narrower),
            (false, true) => ("removed", Change::Wider),
            (false, false) => ("changed", Change::Other),
        };
        let change = known.unwrap_or(change);
        let at = (
            gone.first().map_or(two.base.at.as_str(), |said| said.at.as_str()),
            new.first().map_or(two.revision.at.as_str(), |said| said.at.as_str()),
        );
        let values = (gone.first().map(|said| &said.value), new.first().map(|said| &said.value));
        let what = format!("{keyword} {}", went(values.0, values.1));
        let rule = format!("schema-{}-{verb}", kebab(keyword));
        if effect == Effect::Wire {
            self.of_schema(pair, &rule, change, at, values, &what);
        } else {
            let at = Two { base: at.0.to_owned(), revision: at.1.to_owned() };
            let what = format!("{}{what}", within(&pair.path));
            self.add(Found {
                rule,
                effect,
                way: pair.usage.way,
                breaks: if pair.usage.inverted { change.inverted() } else { change }.breaks(pair.usage.way),
                announced: false,
                at,
                before: values.0.cloned(),
                after: values.1.cloned(),
                site: pair.site.clone(),
                what,
            });
        }
    }

    fn nullability(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        // Without a type, null is taken as anything is; that the type came or went is told already.
        let (Some(before), Some(after)) = (two.base.nullable(), two.revision.nullable()) else {
            let set = |schema: &Schema<'a>| schema.nullable() == Some(true);
            if two.base.types().is_empty()
                && two.revision.types().is_empty()
                && set(&two.base) != set(&two.revision)
            {
                let (at, values) = ((two.base.at.as_str(), two.revision.at.as_str()), (None, None));
                self.of_schema(pair, "schema-nullable-changed", Change::Same, at, values, "nullable changed");
            }
            return;
        };
        if before == after {
            return;
        }
        let (rule, change) = if after {
            ("schema-became-nullable", Change::Wider)
        } else {
            ("schema-became-not-nullable", Change::Narrower)
        };
        let at = |schema: &Schema<'a>| schema.flag("nullable").unwrap_or_else(|| schema.at.clone());
        let at = (at(&two.base), at(&two.revision));
        let (before, after) = (Value::from(before), Value::from(after));
        let what = if change == Change::Wider { "may now be null" } else { "may no longer be null" };
        self.of_schema(pair, rule, change, (&at.0, &at.1), (Some(&before), Some(&after)), what);
    }

    fn enumerations(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let (before, after) = (two.base.allowed(), two.revision.allowed());
        match (before, after) {
            (None, None) => {}
            (Some((values, at)), None) => {
                let list = Value::from(values.into_iter().cloned().collect::<Vec<_>>());
                let at = (at, two.revision.at.as_str());
                let what = format!("the allowed values {}", went(Some(&list), None));
                self.of_schema(pair, "schema-enum-removed", Change::Wider, at, (Some(&list), None), &what);
            }
            (None, Some((values, at))) => {
                let list = Value::from(values.into_iter().cloned().collect::<Vec<_>>());
                let at = (two.base.at.as_str(), at);
                let what = format!("the allowed values {}", went(None, Some(&list)));
                self.of_schema(pair, "schema-enum-added", Change::Narrower, at, (None, Some(&list)), &what);
            }
            (Some((before, base_at)), Some((after, revision_at))) => {
                let at = (base_at, revision_at);
                for value in before.iter().filter(|value| !after.iter().any(|other| same(other, value))) {
                    let what = format!("{} is no longer allowed", brief(value));
                    let rule = "schema-enum-value-removed";
                    self.of_schema(pair, rule, Change::Narrower, at, (Some(value), None), &what);
                }
                for value in after.iter().filter(|value| !before.iter().any(|other| same(other, value))) {
                    let what = format!("{} is now allowed", brief(value));
                    let rule = "schema-enum-value-added";
                    self.of_schema(pair, rule, Change::Wider, at, (None, Some(value)), &what);
                }
            }
        }
    }

    fn bounds(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        for (keyword, lower) in [
            ("minLength", true),
            ("maxLength", false),
            ("minItems", true),
            ("maxItems", false),
            ("minProperties", true),
            ("maxProperties", false),
        ] {
            let of = |schema: &Schema<'a>| {
                let said = schema.count(keyword, lower)?;
                Some((Exact::of(&said.value), false, said))
            };
            self.bound(pair, two, keyword, lower, of(&two.base).as_ref(), of(&two.revision).as_ref());
        }
        for (keyword, lower) in [("minimum", true), ("maximum", false)] {
            self.bound(
                pair,
                two,
                keyword,
                lower,
                two.base.bound(lower).as_ref(),
                two.revision.bound(lower).as_ref(),
            );
        }
    }

    fn bound(
        &mut self,
        pair: &Pair<'a>,
        two: &Two<Schema<'a>>,
        keyword: &str,
        lower: bool,
        before: Option<&(Exact, bool, Said)>,
        after: Option<&(Exact, bool, Said)>,
    ) {
        let (verb, change) = match (before, after) {
            (None, None) => return,
            (None, Some(_)) => ("added", Change::Narrower),
            (Some(_), None) => ("removed", Change::Wider),
            (Some((before, before_excludes, _)), Some((after, after_excludes, _))) => {
                let order = after.cmp(before);
                if order.is_eq() && before_excludes == after_excludes {
                    return;
                }
                if order.is_eq() {
                    let change = if *after_excludes { Change::Narrower } else { Change::Wider };
                    ("exclusive-changed", change)
                } else {
                    let verb = if order.is_gt() { "increased" } else { "decreased" };
                    (verb, if order.is_gt() == lower { Change::Narrower } else { Change::Wider })
                }
            }
        };
        let at = (
            before.map_or(two.base.at.as_str(), |(.., said)| said.at.as_str()),
            after.map_or(two.revision.at.as_str(), |(.., said)| said.at.as_str()),
        );
        let values = (before.map(|(.., said)| &said.value), after.map(|(.., said)| &said.value));
        let what = match (before, after) {
            (Some((.., true, _)), Some((.., false, _))) => {
                format!("{keyword} now includes itself; it {}", went(values.0, values.1))
            }
            (Some((.., false, _)), Some((.., true, _))) => {
                format!("{keyword} now excludes itself; it {}", went(values.0, values.1))
            }
            _ => format!("{keyword} {}", went(values.0, values.1)),
        };
        self.of_schema(pair, &format!("schema-{}-{verb}", kebab(keyword)), change, at, values, &what);
    }

    fn patterns(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        // Of every text it is true that it has any text in it.
        let says = |said: &Said| {
            !matches!(said.value.as_str(), Some("" | ".*" | "^.*" | ".*$" | "^.*$" | "^" | "$"))
        };
        let of = |schema: &Schema<'a>| schema.all("pattern").into_iter().filter(says).collect::<Vec<_>>();
        let (before, after) = (of(&two.base), of(&two.revision));
        // A server that no longer promises the form of a text need not write another one; what may refuse it is the
        // check of a generated client (decision 11).
        let held = |said: &Said| before.iter().any(|other| other.value == said.value);
        let removed = !before.is_empty() && after.iter().all(held);
        let promised = pair.usage.way != Way::Request && removed;
        let effect = if promised { Effect::GeneratedCode } else { Effect::Wire };
        self.conjunction(pair, two, "pattern", (&before, &after), None, effect);
        let raw = (two.base.all("pattern"), two.revision.all("pattern"));
        if before.is_empty() && after.is_empty() && raw.0 != raw.1 {
            self.conjunction(
                pair,
                two,
                "pattern",
                (&raw.0, &raw.1),
                Some(Change::Same),
                Effect::GeneratedCode,
            );
        }
    }

    fn multiples(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let (before, after) = (two.base.all("multipleOf"), two.revision.all("multipleOf"));
        let whole = |one: &Said, other: &Said| {
            let ratio = one.value.as_f64().unwrap_or(0.0) / other.value.as_f64().unwrap_or(1.0);
            (ratio - ratio.round()).abs() < 1e-9 && ratio >= 1.0
        };
        let known = match (&before[..], &after[..]) {
            ([before], [after]) if whole(after, before) => Some(Change::Narrower),
            ([before], [after]) if whole(before, after) => Some(Change::Wider),
            _ => None,
        };
        self.conjunction(pair, two, "multipleOf", (&before, &after), known, Effect::Wire);
    }

    fn uniqueness(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let (before, after) = (two.base.flag("uniqueItems"), two.revision.flag("uniqueItems"));
        if before.is_some() == after.is_some() {
            return;
        }
        let (rule, change) = if after.is_some() {
            ("schema-unique-items-added", Change::Narrower)
        } else {
            ("schema-unique-items-removed", Change::Wider)
        };
        let values = (Value::from(before.is_some()), Value::from(after.is_some()));
        let at = (
            before.as_ref().unwrap_or(&two.base.at).as_str(),
            after.as_ref().unwrap_or(&two.revision.at).as_str(),
        );
        let what = format!("uniqueItems {}", went(Some(&values.0), Some(&values.1)));
        self.of_schema(pair, rule, change, at, (Some(&values.0), Some(&values.1)), &what);
    }

    /// What a value that is left out means to whoever reads it (3.0.3, Schema Object).
    pub(super) fn defaults(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let (before, after) = (two.base.told("default"), two.revision.told("default"));
        let equal = before.len() == after.len()
            && before.iter().zip(&after).all(|(before, after)| same(before.value, after.value));
        if equal {
            return;
        }
        let at = (
            before.first().map_or(two.base.at.as_str(), |place| place.pointer.as_str()),
            after.first().map_or(two.revision.at.as_str(), |place| place.pointer.as_str()),
        );
        let values = (before.first().map(|place| place.value), after.first().map(|place| place.value));
        let what = format!("default {}", went(values.0, values.1));
        if pair.usage.way == Way::Request {
            self.of_schema(pair, "schema-default-changed", Change::Other, at, values, &what);
        } else {
            // Nothing else is sent; generated code fills in another value.
            let at = Two { base: at.0.to_owned(), revision: at.1.to_owned() };
            let what = format!("{}{what}", within(&pair.path));
            let effect = Effect::GeneratedCode;
            self.tell(
                "schema-default-changed",
                effect,
                Breaks::NEITHER,
                at,
                values.0,
                values.1,
                &pair.site,
                what,
            );
        }
    }

    /// `readOnly` and `writeOnly` as they stand; what they mean is told of the property that has them.
    pub(super) fn marks(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        for mark in ["readOnly", "writeOnly"] {
            let (before, after) = (two.base.flag(mark), two.revision.flag(mark));
            if before.is_some() != after.is_some() {
                let at = Two {
                    base: before.clone().unwrap_or_else(|| two.base.at.clone()),
                    revision: after.clone().unwrap_or_else(|| two.revision.at.clone()),
                };
                let values = (Value::from(before.is_some()), Value::from(after.is_some()));
                let what = format!("{}{mark} {}", within(&pair.path), went(Some(&values.0), Some(&values.1)));
                let (rule, effect) = (format!("schema-{}-changed", kebab(mark)), Effect::GeneratedCode);
                self.tell(
                    rule,
                    effect,
                    Breaks::NEITHER,
                    at,
                    Some(&values.0),
                    Some(&values.1),
                    &pair.site,
                    what,
                );
            }
        }
    }

    pub(super) fn xml(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        let (before, after) = (two.base.told("xml"), two.revision.told("xml"));
        for place in 0..before.len().max(after.len()) {
            self.xml_object(pair, two, (before.get(place), after.get(place)));
        }
    }

    fn xml_object(
        &mut self,
        pair: &Pair<'a>,
        two: &Two<Schema<'a>>,
        (before, after): (Option<&Node<'a>>, Option<&Node<'a>>),
    ) {
        let members = |place: Option<&Node<'a>>, field: &str| {
            let value = place.and_then(|place| place.value.get(field)).cloned();
            value.filter(|value| *value != Value::Bool(false))
        };
        let names: BTreeSet<&str> =
            [before, after].into_iter().flatten().flat_map(Node::members).map(|(name, _)| name).collect();
        for field in names {
            let (old, new) = (members(before, field), members(after, field));
            if old == new {
                continue;
            }
            let at = |place: Option<&Node<'a>>, schema: &Schema<'a>| {
                place.map_or_else(|| schema.at.clone(), |place| place.pointer.clone())
            };
            let at = Two { base: at(before, &two.base), revision: at(after, &two.revision) };
            let what = format!("xml {field} {}", went(old.as_ref(), new.as_ref()));
            let rule = format!("schema-xml-{}-changed", kebab(field));
            if pair.usage.media == Media::Xml {
                let values = (old.as_ref(), new.as_ref());
                self.of_schema(pair, &rule, Change::Other, (&at.base, &at.revision), values, &what);
            } else {
                // In JSON, nothing of it is seen.
                let (effect, what) = (Effect::Documentation, format!("{}{what}", within(&pair.path)));
                self.tell(rule, effect, Breaks::NEITHER, at, old.as_ref(), new.as_ref(), &pair.site, what);
            }
        }
    }

    fn nots(&mut self, pair: &Pair<'a>, two: &Two<Schema<'a>>) {
        // First those that are as they were: one that came or went must not shift the others.
        let text = |meant: &Meant<'a>| meant.places.first().map(|place| place.value.to_string());
        let (mut pairs, mut lone, mut left) = (Vec::new(), Vec::new(), two.revision.nots());
        for old in two.base.nots() {
            match left.iter().position(|new| text(new) == text(&old)) {
                Some(place) => pairs.push((Some(old), Some(left.remove(place)))),
                None => lone.push(old),
            }
        }
        let (mut base, mut revision) = (lone.into_iter(), left.into_iter());
        pairs.extend(std::iter::from_fn(|| {
            let next = (base.next(), revision.next());
            (next.0.is_some() || next.1.is_some()).then_some(next)
        }));
        for next in pairs {
            match next {
                (None, None) => {}
                (Some(base), Some(revision)) => {
                    let usage = Use { inverted: !pair.usage.inverted, ..pair.usage };
                    let path = format!("{}(not)", pair.path);
                    self.later(Two { base, revision }, usage, pair.site.clone(), path);
                }
                (Some(old), None) => {
                    let (at, what) =
                        ((old.at.as_str(), two.revision.at.as_str()), "what it must not be was removed");
                    let value = old.places.first().map(|place| place.value);
                    self.of_schema(pair, "schema-not-removed", Change::Wider, at, (value, None), what);
                }
                (None, Some(new)) => {
                    let (at, what) =
                        ((two.base.at.as_str(), new.at.as_str()), "what it must not be was added");
                    let value = new.places.first().map(|place| place.value);
                    self.of_schema(pair, "schema-not-added", Change::Narrower, at, (None, value), what);
                }
            }
        }
    }
}

/// What is meant, the same for the same schema; of no place, one that no pointer is.
pub(super) fn identity(meant: &Meant<'_>) -> String {
    if meant.places.is_empty() { "anything".to_owned() } else { meant.identity() }
}

pub(super) fn within(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}`: ") }
}
