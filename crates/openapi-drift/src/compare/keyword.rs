//! The keywords of a schema that restrict values.

use std::cmp::Ordering;

use serde_json::Value;

use super::annotation::all_same;
use super::context::{Comparison, Media, SchemaPair, Use};
use super::found::{Change, Direction};
use super::members::{lone_items, paired};
use super::sides::Sides;
use super::text::brief;
use crate::fields::Object;
use crate::finding::Effect;
use crate::node::Node;
use crate::normal::{BoundValue, KeywordValue, Schema};
use crate::rules::{Bound, Rule, of_bound, of_field, rule};
use crate::value::same;

/// The bounds, with whether each is a lower one.
const BOUNDS: [(&str, bool); 8] = [
    ("minLength", true),
    ("maxLength", false),
    ("minItems", true),
    ("maxItems", false),
    ("minProperties", true),
    ("maxProperties", false),
    ("minimum", true),
    ("maximum", false),
];

impl<'a> Comparison<'a> {
    /// Compares every keyword but those that contain schemas.
    pub(super) fn keywords(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        self.types(pair, schemas);
        self.formats(pair, schemas);
        self.nullability(pair, schemas);
        self.enumerations(pair, schemas);
        for (keyword, lower) in BOUNDS {
            let bounds = schemas.map(|schema| match keyword {
                "minimum" | "maximum" => schema.bound(lower),
                _ => schema.count(keyword, lower),
            });
            self.bound(pair, schemas, (keyword, lower), &bounds);
        }
        self.patterns(pair, schemas);
        self.multiples(pair, schemas);
        self.uniqueness(pair, schemas);
    }

    fn types(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let types = schemas.map(|schema| schema.types().into_iter().map(str::to_owned).collect::<Vec<_>>());
        if types.base == types.revision {
            return;
        }
        let is_text = pair.usage.media != Media::Json;
        // As text, any number or boolean is a string.
        let is_plain_text = |schema: &Schema<'a>| {
            schema.types() == ["string"]
                && schema.all("format").is_empty()
                && schema.all("pattern").is_empty()
                && schema.allowed().is_none()
        };
        let (rule, change) = match (&schemas.base.types()[..], &schemas.revision.types()[..]) {
            ([], _) => (rule!("schema-type-added"), Change::Narrower),
            (_, []) => (rule!("schema-type-removed"), Change::Wider),
            (["integer"], ["number"]) => (rule!("schema-type-widened"), Change::Wider),
            (["number"], ["integer"]) => (rule!("schema-type-narrowed"), Change::Narrower),
            _ if is_text && is_plain_text(&schemas.revision) => (rule!("schema-type-widened"), Change::Wider),
            _ if is_text && is_plain_text(&schemas.base) => (rule!("schema-type-narrowed"), Change::Narrower),
            _ => (rule!("schema-type-changed"), Change::Other),
        };
        let values = types.map(|types| match &types[..] {
            [] => None,
            [one] => Some(Value::from(one.clone())),
            more => Some(Value::from(more.to_vec())),
        });
        let at = schemas.map(|schema| schema.type_at().to_owned());
        let found = pair.found(rule, change, at).values((values.base.as_ref(), values.revision.as_ref()));
        self.add(found.went("type"));
    }

    fn formats(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let said = schemas.map(|schema| schema.all("format"));
        let text = |said: &[KeywordValue]| match said {
            [one] => one.value.as_str().map(str::to_owned),
            _ => None,
        };
        let known = match (text(&said.base).as_deref(), text(&said.revision).as_deref()) {
            (Some("int32"), Some("int64")) | (Some("float"), Some("double")) => Some(Change::Wider),
            (Some("int64"), Some("int32")) | (Some("double"), Some("float")) => Some(Change::Narrower),
            _ => None,
        };
        let rules =
            [rule!("schema-format-added"), rule!("schema-format-removed"), rule!("schema-format-changed")];
        self.conjunction(pair, schemas, ("format", rules), &said, known, Effect::Wire);
    }

    /// Compares a keyword of which several values may hold together, such as `pattern`. The rules are those of an
    /// addition, a removal and a replacement.
    fn conjunction(
        &mut self,
        pair: &SchemaPair<'a>,
        schemas: &Sides<Schema<'a>>,
        (keyword, [added, removed, changed]): (&str, [&'static Rule; 3]),
        said: &Sides<Vec<KeywordValue>>,
        known: Option<Change>,
        effect: Effect,
    ) {
        let lone = lone_items(said, |one, other| same(&one.value, &other.value));
        let first = |of_base: bool| lone.iter().find(|one| one.removed == of_base).map(|one| one.value);
        let said = Sides { base: first(true), revision: first(false) };
        let (rule, change) = match (said.base.is_some(), said.revision.is_some()) {
            (false, false) => return,
            (false, true) => (added, Change::Narrower),
            (true, false) => (removed, Change::Wider),
            (true, true) => (changed, Change::Other),
        };
        let found = pair
            .found(rule, known.unwrap_or(change), keyword_pointers(&said, schemas))
            .values((said.base.map(|it| &it.value), said.revision.map(|it| &it.value)))
            .effect(effect);
        self.add(found.went(keyword));
    }

    fn nullability(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let nullable = schemas.map(Schema::nullable);
        // Without a type, null is allowed as any value is. That the type was added or removed is a finding already.
        let Some(nullable) = nullable.clone().both() else {
            let set = nullable.map(|nullable| *nullable == Some(true));
            let typed = schemas.map(|schema| !schema.types().is_empty());
            if !typed.base && !typed.revision && set.base != set.revision {
                let found =
                    pair.found(rule!("schema-nullable-changed"), Change::Same, schemas.schema_pointers());
                self.add(found.what("nullable changed"));
            }
            return;
        };
        if nullable.base == nullable.revision {
            return;
        }
        let (rule, change, what) = if nullable.revision {
            (rule!("schema-became-nullable"), Change::Wider, "may now be null")
        } else {
            (rule!("schema-became-not-nullable"), Change::Narrower, "may no longer be null")
        };
        let at = schemas.map(|schema| schema.flag("nullable")).or(&schemas.schema_pointers());
        self.add(pair.found(rule, change, at).changed(nullable).what(what));
    }

    fn enumerations(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let allowed = schemas.map(|schema| {
            let (values, at) = schema.allowed()?;
            Some((values.into_iter().cloned().collect::<Vec<_>>(), at.to_owned()))
        });
        let at = allowed.map(|allowed| Some(allowed.as_ref()?.1.clone())).or(&schemas.schema_pointers());
        let lists = allowed.map(|allowed| Some(allowed.as_ref()?.0.clone()));
        if let Some(lists) = lists.clone().both() {
            for lone in lone_items(&lists, same) {
                let (rule, change) = lone.pick(
                    (rule!("schema-enum-value-removed"), Change::Narrower),
                    (rule!("schema-enum-value-added"), Change::Wider),
                );
                let found = pair
                    .found(rule, change, at.clone())
                    .value_of(&lone, Some(lone.value))
                    .what(format!("{} is {} allowed", brief(lone.value), lone.pick("no longer", "now")));
                self.add(found);
            }
            return;
        }
        let (rule, change) = match (&lists.base, &lists.revision) {
            (Some(_), None) => (rule!("schema-enum-removed"), Change::Wider),
            (None, Some(_)) => (rule!("schema-enum-added"), Change::Narrower),
            _ => return,
        };
        let values = lists.map(|list| list.clone().map(Value::from));
        let found = pair.found(rule, change, at).values((values.base.as_ref(), values.revision.as_ref()));
        self.add(found.went("the allowed values"));
    }

    fn bound(
        &mut self,
        pair: &SchemaPair<'a>,
        schemas: &Sides<Schema<'a>>,
        (keyword, lower): (&str, bool),
        bounds: &Sides<Option<BoundValue>>,
    ) {
        let mut verb = "";
        let (bound, change) = match (&bounds.base, &bounds.revision) {
            (None, None) => return,
            (None, Some(_)) => (Bound::Added, Change::Narrower),
            (Some(_), None) => (Bound::Removed, Change::Wider),
            (Some((before, before_excludes, _)), Some((after, after_excludes, _))) => {
                if before_excludes != after_excludes {
                    verb =
                        if *after_excludes { " now excludes itself; it" } else { " now includes itself; it" };
                }
                let order = after.cmp(before);
                if order.is_eq() && before_excludes == after_excludes {
                    return;
                }
                let is_stricter = if order.is_eq() { *after_excludes } else { order.is_gt() == lower };
                let bound = match order {
                    Ordering::Equal => Bound::ExclusiveChanged,
                    Ordering::Greater => Bound::Increased,
                    Ordering::Less => Bound::Decreased,
                };
                (bound, if is_stricter { Change::Narrower } else { Change::Wider })
            }
        };
        let said = bounds.map(|bound| bound.as_ref().map(|(.., said)| said.clone()));
        let said = Sides { base: said.base.as_ref(), revision: said.revision.as_ref() };
        let found = pair
            .found(of_bound(keyword, bound), change, keyword_pointers(&said, schemas))
            .values((said.base.map(|it| &it.value), said.revision.map(|it| &it.value)));
        self.add(found.went(&format!("{keyword}{verb}")));
    }

    fn patterns(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let rules =
            [rule!("schema-pattern-added"), rule!("schema-pattern-removed"), rule!("schema-pattern-changed")];
        let raw = schemas.map(|schema| schema.all("pattern"));
        // Every text matches these.
        let restricts = |said: &KeywordValue| {
            !matches!(said.value.as_str(), Some("" | ".*" | "^.*" | ".*$" | "^.*$" | "^" | "$"))
        };
        let said = raw.map(|said| said.iter().filter(|said| restricts(said)).cloned().collect::<Vec<_>>());
        // A server that no longer promises a pattern need not send anything else; only the check of a generated client
        // may refuse it (decision 11).
        let stays = |said_of_base: &[KeywordValue], one: &KeywordValue| {
            said_of_base.iter().any(|other| other.value == one.value)
        };
        let is_removed = !said.base.is_empty() && said.revision.iter().all(|one| stays(&said.base, one));
        let effect = if pair.usage.direction != Direction::Request && is_removed {
            Effect::GeneratedCode
        } else {
            Effect::Wire
        };
        self.conjunction(pair, schemas, ("pattern", rules), &said, None, effect);
        if said.base.is_empty() && said.revision.is_empty() && raw.base != raw.revision {
            let (known, effect) = (Some(Change::Same), Effect::GeneratedCode);
            self.conjunction(pair, schemas, ("pattern", rules), &raw, known, effect);
        }
    }

    fn multiples(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let rules = [
            rule!("schema-multiple-of-added"),
            rule!("schema-multiple-of-removed"),
            rule!("schema-multiple-of-changed"),
        ];
        let said = schemas.map(|schema| schema.all("multipleOf"));
        let is_multiple = |one: &KeywordValue, other: &KeywordValue| {
            let ratio = one.value.as_f64().unwrap_or(0.0) / other.value.as_f64().unwrap_or(1.0);
            (ratio - ratio.round()).abs() < 1e-9 && ratio >= 1.0
        };
        let known = match (&said.base[..], &said.revision[..]) {
            ([before], [after]) if is_multiple(after, before) => Some(Change::Narrower),
            ([before], [after]) if is_multiple(before, after) => Some(Change::Wider),
            _ => None,
        };
        self.conjunction(pair, schemas, ("multipleOf", rules), &said, known, Effect::Wire);
    }

    fn uniqueness(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let at = schemas.map(|schema| schema.flag("uniqueItems"));
        let set = at.map(Option::is_some);
        let (rule, change) = match (set.base, set.revision) {
            (false, true) => (rule!("schema-unique-items-added"), Change::Narrower),
            (true, false) => (rule!("schema-unique-items-removed"), Change::Wider),
            _ => return,
        };
        let at = at.or(&schemas.schema_pointers());
        self.add(pair.found(rule, change, at).changed(set).went("uniqueItems"));
    }

    /// Compares the `xml` of two schemas.
    pub(super) fn xml(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let said = schemas.map(|schema| schema.outermost("xml"));
        if all_same(&said) {
            return;
        }
        for one in said.items() {
            let at = one.map(|node| Some(node.as_ref()?.pointer.clone())).or(&schemas.schema_pointers());
            self.xml_object(pair, &one, &at);
        }
    }

    fn xml_object(&mut self, pair: &SchemaPair<'a>, nodes: &Sides<Option<Node<'a>>>, at: &Sides<String>) {
        for field in ["name", "namespace", "prefix", "attribute", "wrapped"] {
            let values = nodes.map(|node| {
                let value = node.as_ref().and_then(|node| node.value.get(field));
                value.filter(|value| **value != Value::Bool(false))
            });
            if values.base == values.revision {
                continue;
            }
            let rule = of_field(Object::Xml, field);
            let found = if pair.usage.media == Media::Xml {
                pair.found(rule, Change::Other, at.clone())
            } else {
                // JSON has nothing of it.
                pair.noted(rule, at.clone()).effect(Effect::Documentation)
            };
            self.add(found.values((values.base, values.revision)).went(&format!("xml {field}")));
        }
        let extensions = nodes.map(|node| {
            let members = node.iter().flat_map(Node::members);
            members.filter(|(name, _)| name.starts_with("x-")).map(|(_, it)| it.value).collect::<Vec<_>>()
        });
        if extensions.base != extensions.revision {
            let found = pair.noted(rule!("extension-changed"), at.clone()).effect(Effect::Documentation);
            self.add(found.what("an extension of xml changed"));
        }
    }

    /// Compares `not`.
    pub(super) fn nots(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let nots = schemas.map(Schema::nots);
        let (pairs, lone) = paired(nots, |old, new| old.value() == new.value());
        for schemas in pairs {
            let usage = Use { inverted: !pair.usage.inverted, ..pair.usage };
            self.queue(schemas, usage, &pair.site, &format!("{}(not)", pair.path));
        }
        for lone in lone {
            let rule = lone.pick(rule!("schema-not-removed"), rule!("schema-not-added"));
            let at = lone.at(&lone.value.at, schemas.schema_pointers());
            let found = pair.found(rule, lone.pick(Change::Wider, Change::Narrower), at);
            self.add(found.value_of(&lone, lone.value.value()).what(format!("a `not` was {}", lone.verb())));
        }
    }
}

/// Where the values of a keyword are written, or the schemas.
fn keyword_pointers(said: &Sides<Option<&KeywordValue>>, schemas: &Sides<Schema<'_>>) -> Sides<String> {
    said.map(|said| said.map(|said| said.at.clone())).or(&schemas.schema_pointers())
}
