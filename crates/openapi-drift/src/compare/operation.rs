//! Paths, operations, parameters, bodies and responses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Change, Comparison, Media, Two, Use, Way, Work, both_same, brief, free, templates, went};
use crate::extensions::date;
use crate::fields::{METHODS, Object};
use crate::finding::{Breaks, Effect};
use crate::node::Node;
use crate::normal::{Meant, Schema, Side};
use crate::read::template_names;

/// An operation of each document.
#[derive(Clone, Debug)]
pub(super) struct Pair<'a> {
    operation: Two<Node<'a>>,
    item: Two<Node<'a>>,
    path: Two<&'a str>,
    roots: Two<Node<'a>>,
    way: Way,
    site: String,
}

/// A parameter or a header of each document.
#[derive(Clone, Debug)]
pub(super) struct Fielded<'a> {
    pub(super) object: Object,
    pub(super) pair: Two<Node<'a>>,
    /// Which way it goes.
    pub(super) way: Way,
    pub(super) site: String,
}

impl<'a> Comparison<'a> {
    pub(super) fn paths(&mut self, roots: &Two<Node<'a>>) {
        let paths = Two { base: templates(&roots.base), revision: templates(&roots.revision) };
        let all: BTreeSet<&String> = paths.base.keys().chain(paths.revision.keys()).collect();
        for template in all {
            let of = |side: &BTreeMap<String, (&'a str, Node<'a>)>| side.get(template).cloned();
            match (of(&paths.base), of(&paths.revision)) {
                (Some(base), Some(revision)) => {
                    let path = Two { base: base.0, revision: revision.0 };
                    self.path_items(
                        &Two { base: base.1, revision: revision.1 },
                        &path,
                        roots,
                        Way::Request,
                        "",
                    );
                }
                (only, other) => self.lone_path(only, other),
            }
        }
    }

    /// A path that one document has. Its servers and parameters count in its operations alone.
    fn lone_path(&mut self, base: Option<(&'a str, Node<'a>)>, revision: Option<(&'a str, Node<'a>)>) {
        let removed = base.is_some();
        let Some((path, place)) = base.or(revision) else { return };
        let side = if removed { Side::Base } else { Side::Revision };
        let item = self.follow(side, &place).unwrap_or_else(|| place.clone());
        let elsewhere = "/paths".to_owned();
        let mut operations = 0;
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            operations += 1;
            let at = if removed {
                Two { base: operation.pointer.clone(), revision: elsewhere.clone() }
            } else {
                Two { base: elsewhere.clone(), revision: operation.pointer.clone() }
            };
            let site = format!("{} {path}", method.to_uppercase());
            self.lone_operation(&operation, removed, Way::Request, at, &site);
        }
        if operations == 0 {
            let verb = if removed { "removed" } else { "added" };
            let at = Two {
                base: if removed { place.pointer.clone() } else { elsewhere.clone() },
                revision: if removed { elsewhere } else { place.pointer.clone() },
            };
            let (rule, what) =
                (format!("path-{verb}"), format!("the path, which has no operation, was {verb}"));
            self.tell(rule, Effect::Documentation, Breaks::NEITHER, at, None, None, path, what);
        }
    }

    fn lone_operation(&mut self, operation: &Node<'a>, removed: bool, way: Way, at: Two<String>, site: &str) {
        let (rule, breaks, verb) = if removed {
            ("operation-removed", Breaks::CLIENTS, "removed")
        } else {
            ("operation-added", Breaks::SERVERS, "added")
        };
        // A callback that is never asked for, or that a client does not know, is as one that came or went as a whole.
        let breaks = match (way, removed) {
            (Way::Unused, _) | (Way::Response, false) => Breaks::NEITHER,
            _ => breaks,
        };
        let known = operation.value.get("operationId");
        let (before, after) = if removed { (known, None) } else { (None, known) };
        let place = self.found.len();
        self.tell(rule, on_wire(way), breaks, at, before, after, site, format!("the operation was {verb}"));
        if removed {
            self.announce(place, operation.flag("deprecated"), operation.value.get("x-sunset"));
        }
    }

    /// Marks the findings from this place on as announced, if what was removed had said so.
    pub(super) fn announce(&mut self, place: usize, deprecated: bool, sunset: Option<&Value>) {
        if !deprecated {
            return;
        }
        let passed = match sunset.map(|value| value.as_str().and_then(date)) {
            None => true,
            Some(Some(day)) => self.options.today.is_some_and(|today| day <= today),
            Some(None) => false,
        };
        for found in self.found.iter_mut().skip(place) {
            found.announced = passed;
            if !passed && let Some(sunset) = sunset {
                found.what = format!("{} before its sunset, {}", found.what, brief(sunset));
            }
        }
    }

    fn path_items(
        &mut self,
        pair: &Two<Node<'a>>,
        path: &Two<&'a str>,
        roots: &Two<Node<'a>>,
        way: Way,
        within: &str,
    ) {
        let name = format!("{within}{}", path.revision);
        self.beside_reference(pair, &name);
        let Some(item) = self.follow_both(pair, &name) else { return };
        self.annotations(Object::PathItem, &item, &name);
        for method in METHODS {
            let site = format!("{within}{} {}", method.to_uppercase(), path.revision);
            match (item.base.get(method), item.revision.get(method)) {
                (Some(base), Some(revision)) => {
                    let key =
                        (base.pointer.clone(), revision.pointer.clone(), Some(Use::new(way, Media::Json)));
                    if self.seen.insert(key) {
                        self.work.push(Work::Operation(Pair {
                            operation: Two { base, revision },
                            item: item.clone(),
                            path: path.clone(),
                            roots: roots.clone(),
                            way,
                            site,
                        }));
                    }
                }
                (Some(base), None) => {
                    let at = Two { base: base.pointer.clone(), revision: item.revision.pointer.clone() };
                    self.lone_operation(&base, true, way, at, &site);
                }
                (None, Some(revision)) => {
                    let at = Two { base: item.base.pointer.clone(), revision: revision.pointer.clone() };
                    self.lone_operation(&revision, false, way, at, &site);
                }
                (None, None) => {}
            }
        }
    }

    /// What stands beside the `$ref` of a path item: what that means is undefined (3.0.3, Path Item Object), so it counts
    /// as a whole.
    fn beside_reference(&mut self, pair: &Two<Node<'a>>, site: &str) {
        let beside = |place: &Node<'a>| {
            let refers = place.text("$ref").is_some();
            let members = place.members().filter(|(name, _)| refers && *name != "$ref");
            members.collect::<BTreeMap<_, _>>()
        };
        let (base, revision) = (beside(&pair.base), beside(&pair.revision));
        let names: BTreeSet<&str> = base.keys().chain(revision.keys()).copied().collect();
        for name in names {
            let (old, new) = (base.get(name), revision.get(name));
            let (before, after) = (old.map(|it| it.value), new.map(|it| it.value));
            if !both_same(before, after) {
                let at = pair.either(old, new);
                let what = format!("{name}, which stands beside a $ref, {}", went(before, after));
                let (rule, effect) = ("path-item-sibling-changed", Effect::Wire);
                self.tell(rule, effect, Breaks::BOTH, at, before, after, site, what);
            }
        }
    }

    pub(super) fn operations(&mut self, pair: &Pair<'a>) {
        self.steps += 1;
        let Pair { operation, item, path, roots, way, site } = pair;
        self.annotations(Object::Operation, operation, site);
        self.parameters(operation, item, path, *way, site);
        self.servers_of(operation, item, roots, site);
        self.security_of(operation, roots, site);
        let bodies = (operation.base.get("requestBody"), operation.revision.get("requestBody"));
        self.lone_or_both_bodies(bodies, operation, *way, site);
        let of = |place: &Node<'a>| place.get_or_null("responses");
        let responses = Two { base: of(&operation.base), revision: of(&operation.revision) };
        self.annotations(Object::Responses, &responses, site);
        self.responses(&responses, way.back(), site);
        let (base, revision) = (operation.base.map("callbacks"), operation.revision.map("callbacks"));
        let names: BTreeSet<&str> = base.keys().chain(revision.keys()).copied().collect();
        for name in names {
            let site = format!("{site}, callback {name}");
            match (base.get(name), revision.get(name)) {
                (Some(base), Some(revision)) => {
                    let pair = Two { base: base.clone(), revision: revision.clone() };
                    self.callback(&pair, *way, &site);
                }
                (old, new) => {
                    let (rule, breaks, what) = match old {
                        Some(_) => ("callback-removed", Breaks::CLIENTS, "was removed"),
                        None => ("callback-added", Breaks::NEITHER, "was added"),
                    };
                    let values = (old.map(|it| it.value), new.map(|it| it.value));
                    self.sent(rule, breaks, *way, operation.either(old, new), values, &site, what);
                }
            }
        }
    }

    /// In a callback, the server is the one that asks.
    pub(super) fn callback(&mut self, pair: &Two<Node<'a>>, way: Way, site: &str) {
        let Some(pair) = self.follow_both(pair, site) else { return };
        self.annotations(Object::Callback, &pair, site);
        let expressions = |place: &Node<'a>| {
            let members = place.members();
            members.filter(|(name, _)| !name.starts_with("x-")).collect::<BTreeMap<_, _>>()
        };
        let (base, revision) = (expressions(&pair.base), expressions(&pair.revision));
        let names: BTreeSet<&str> = base.keys().chain(revision.keys()).copied().collect();
        for name in names {
            match (base.get(name), revision.get(name)) {
                (Some(base), Some(revision)) => {
                    let items = Two { base: base.clone(), revision: revision.clone() };
                    let path = Two { base: name, revision: name };
                    // A callback inherits neither servers nor security nor parameters.
                    let roots = Two { base: base.clone(), revision: revision.clone() };
                    self.path_items(&items, &path, &roots, way.back(), &format!("{site}, "));
                }
                (base, revision) => {
                    let (rule, breaks, verb) = match base {
                        Some(_) => ("callback-expression-removed", Breaks::CLIENTS, "removed"),
                        None => ("callback-expression-added", Breaks::NEITHER, "added"),
                    };
                    let at = pair.either(base, revision);
                    let what = format!("the expression {name} was {verb}");
                    let breaks = if way == Way::Unused { Breaks::NEITHER } else { breaks };
                    self.tell(rule, on_wire(way), breaks, at, None, None, site, what);
                }
            }
        }
    }

    fn parameters(
        &mut self,
        operation: &Two<Node<'a>>,
        item: &Two<Node<'a>>,
        path: &Two<&'a str>,
        way: Way,
        site: &str,
    ) {
        let base = self.effective(Side::Base, &item.base, &operation.base, path.base);
        let revision = self.effective(Side::Revision, &item.revision, &operation.revision, path.revision);
        let names: BTreeSet<&(String, String)> = base.keys().chain(revision.keys()).collect();
        for key in names {
            let named = |(_, place): &(Node<'a>, Node<'a>)| {
                let (kind, name) =
                    (place.text("in").unwrap_or_default(), place.text("name").unwrap_or_default());
                format!("{site}, {kind} parameter {name}")
            };
            match (base.get(key), revision.get(key)) {
                (old, new) if key.0 == "header" && IGNORED.contains(&key.1.as_str()) => {
                    let value = |parameter: Option<&(Node<'a>, Node<'a>)>| parameter.map(|it| it.1.value);
                    let (before, after) = (value(old), value(new));
                    if !both_same(before, after) {
                        let at = operation.either(old.map(|it| &it.0), new.map(|it| &it.0));
                        let what = format!(
                            "the header parameter {}, which is ignored, {}",
                            key.1,
                            went(before, after)
                        );
                        let (rule, effect) = ("ignored-parameter-changed", Effect::Documentation);
                        self.tell(rule, effect, Breaks::NEITHER, at, before, after, site, what);
                    }
                }
                (Some(old), Some(new)) => {
                    let pair = Two { base: old.1.clone(), revision: new.1.clone() };
                    let site = named(new);
                    let (before, after) = (pair.base.value.get("name"), pair.revision.value.get("name"));
                    if key.0 == "path" && before != after {
                        let what = format!("the name, which is not sent, {}", went(before, after));
                        let at = pair.field_at("name");
                        let rule = "path-parameter-renamed";
                        self.tell(
                            rule,
                            Effect::GeneratedCode,
                            Breaks::NEITHER,
                            at,
                            before,
                            after,
                            &site,
                            what,
                        );
                    }
                    self.work.push(Work::Header(Fielded { object: Object::Parameter, pair, way, site }));
                }
                (Some(old), None) => {
                    let at =
                        Two { base: old.0.pointer.clone(), revision: operation.revision.pointer.clone() };
                    let breaks = of_lone(way, true, old.1.flag("required"));
                    let place = self.found.len();
                    let value = Some(old.1.value);
                    self.tell(
                        "parameter-removed",
                        on_wire(way),
                        breaks,
                        at,
                        value,
                        None,
                        &named(old),
                        "was removed",
                    );
                    self.announce(place, old.1.flag("deprecated"), old.1.value.get("x-sunset"));
                }
                (None, Some(new)) => {
                    let at = Two { base: operation.base.pointer.clone(), revision: new.0.pointer.clone() };
                    let required = new.1.flag("required");
                    let rule = if required { "required-parameter-added" } else { "optional-parameter-added" };
                    let breaks = of_lone(way, false, required);
                    let value = Some(new.1.value);
                    self.tell(rule, on_wire(way), breaks, at, None, value, &named(new), "was added");
                }
                (None, None) => {}
            }
        }
    }

    /// An operation's parameters, those of its path included, by where they go and what they are called there: where
    /// each stands, and where its references lead.
    fn effective(
        &mut self,
        side: Side,
        item: &Node<'a>,
        operation: &Node<'a>,
        path: &str,
    ) -> BTreeMap<(String, String), (Node<'a>, Node<'a>)> {
        let mut all = BTreeMap::new();
        for place in item.list("parameters").into_iter().chain(operation.list("parameters")) {
            let Some(parameter) = self.follow(side, &place) else {
                let key = ("unresolved".to_owned(), place.text("$ref").unwrap_or_default().to_owned());
                all.insert(key, (place.clone(), place));
                continue;
            };
            let (kind, name) =
                (parameter.text("in").unwrap_or_default(), parameter.text("name").unwrap_or_default());
            let known = match kind {
                "header" => name.to_ascii_lowercase(),
                "path" => {
                    let place = template_names(path).iter().position(|other| *other == name);
                    place.map_or_else(|| name.to_owned(), |place| place.to_string())
                }
                _ => name.to_owned(),
            };
            all.insert((kind.to_owned(), known), (place, parameter));
        }
        all
    }

    /// A parameter, or a header of a response or of an encoding.
    pub(super) fn headers(&mut self, work: &Fielded<'a>) {
        self.steps += 1;
        let Fielded { object, pair, way, site } = work;
        let Some(pair) = self.follow_both(pair, site) else { return };
        let key =
            (pair.base.pointer.clone(), pair.revision.pointer.clone(), Some(Use::new(*way, Media::Text)));
        if !self.seen.insert(key) {
            return;
        }
        self.annotations(*object, &pair, site);
        for field in ["in", "name"] {
            // Parameters that an operation uses are known by these.
            let (before, after) = (pair.base.value.get(field), pair.revision.value.get(field));
            if *way == Way::Unused && before != after {
                let what = format!("{field} {}", went(before, after));
                let (rule, at) = (format!("{object}-{field}-changed"), pair.field_at(field));
                self.of_value(&rule, Change::Other, *way, at, before, after, site, what);
            }
        }
        self.change_of_flag(&pair, "required", Change::Narrower, *object, *way, site);
        self.change_of_flag(&pair, "allowEmptyValue", Change::Wider, *object, *way, site);
        self.change_of_flag(&pair, "allowReserved", Change::Other, *object, *way, site);
        let style = |place: &Node<'a>| place.text("style").unwrap_or_else(|| default_style(place)).to_owned();
        let styles = Two { base: style(&pair.base), revision: style(&pair.revision) };
        if styles.base != styles.revision {
            let (before, after) = (Value::from(styles.base.clone()), Value::from(styles.revision.clone()));
            let what = format!("style {}", went(Some(&before), Some(&after)));
            let (rule, at) = (format!("{object}-style-changed"), pair.field_at("style"));
            self.of_value(&rule, Change::Other, *way, at, Some(&before), Some(&after), site, what);
        }
        let explode = |place: &Node<'a>, style: &str| match place.value.get("explode") {
            Some(value) => *value == Value::Bool(true),
            None => style == "form",
        };
        let (before, after) = (explode(&pair.base, &styles.base), explode(&pair.revision, &styles.revision));
        if before != after {
            let (before, after) = (Value::from(before), Value::from(after));
            let what = format!("explode {}", went(Some(&before), Some(&after)));
            let (rule, at) = (format!("{object}-explode-changed"), pair.field_at("explode"));
            if single(&pair.base) && single(&pair.revision) {
                // There is nothing to explode (3.0.3, Parameter Object).
                let (effect, before, after) = (Effect::GeneratedCode, Some(&before), Some(&after));
                self.tell(rule, effect, Breaks::NEITHER, at, before, after, site, what);
            } else {
                self.of_value(&rule, Change::Other, *way, at, Some(&before), Some(&after), site, what);
            }
        }
        let schemas = (pair.base.get("schema"), pair.revision.get("schema"));
        let contents = (pair.base.get("content"), pair.revision.get("content"));
        if contents.0.is_some() && contents.1.is_some() {
            self.contents(&pair, *way, site);
        }
        if contents.0.is_some() == contents.1.is_some() {
            let meant = |place: &Node<'a>| Meant::field(place, "schema");
            let usage = Use::new(*way, Media::Text);
            let pair = Two { base: meant(&pair.base), revision: meant(&pair.revision) };
            self.later(pair, usage, site.clone(), String::new());
        } else {
            let (before, after) = (contents.0.or(schemas.0), contents.1.or(schemas.1));
            let at = Two {
                base: before.as_ref().map_or_else(|| pair.base.pointer.clone(), |it| it.pointer.clone()),
                revision: after
                    .as_ref()
                    .map_or_else(|| pair.revision.pointer.clone(), |it| it.pointer.clone()),
            };
            let (before, after) = (before.map(|it| it.value), after.map(|it| it.value));
            let what = "how the value is written changed between schema and content";
            self.of_value(
                &format!("{object}-serialization-changed"),
                Change::Other,
                *way,
                at,
                before,
                after,
                site,
                what,
            );
        }
    }

    fn change_of_flag(
        &mut self,
        pair: &Two<Node<'a>>,
        field: &str,
        when_set: Change,
        object: Object,
        way: Way,
        site: &str,
    ) {
        let (before, after) = (pair.base.flag(field), pair.revision.flag(field));
        if before == after {
            return;
        }
        let change = if after { when_set } else { when_set.inverted() };
        let rule = match (field, after) {
            ("required", true) => format!("{object}-became-required"),
            ("required", false) => format!("{object}-became-optional"),
            _ => format!("{object}-{}-changed", super::kebab(field)),
        };
        let (before, after) = (Value::from(before), Value::from(after));
        let what = format!("{field} {}", went(Some(&before), Some(&after)));
        self.of_value(&rule, change, way, pair.field_at(field), Some(&before), Some(&after), site, what);
    }

    /// A finding of a value that goes this way.
    #[expect(clippy::too_many_arguments, reason = "each is a part of every finding")]
    fn of_value(
        &mut self,
        rule: &str,
        change: Change,
        way: Way,
        at: Two<String>,
        before: Option<&Value>,
        after: Option<&Value>,
        site: &str,
        what: impl Into<String>,
    ) {
        self.sent(rule, change.breaks(way), way, at, (before, after), site, what);
    }

    fn lone_or_both_bodies(
        &mut self,
        bodies: (Option<Node<'a>>, Option<Node<'a>>),
        operation: &Two<Node<'a>>,
        way: Way,
        site: &str,
    ) {
        let site = format!("{site}, request body");
        match bodies {
            (Some(base), Some(revision)) => self.request_bodies(&Two { base, revision }, way, &site),
            (None, None) => {}
            (only, other) => {
                let removed = only.is_some();
                let Some(place) = only.or(other) else { return };
                let side = if removed { Side::Base } else { Side::Revision };
                let body = self.follow(side, &place);
                let required = body.as_ref().is_some_and(|body| body.flag("required"));
                let rule = match (removed, required) {
                    (true, _) => "request-body-removed",
                    (false, true) => "required-request-body-added",
                    (false, false) => "optional-request-body-added",
                };
                let breaks = of_lone(way, removed, required);
                let at = if removed {
                    Two { base: place.pointer.clone(), revision: operation.revision.pointer.clone() }
                } else {
                    Two { base: operation.base.pointer.clone(), revision: place.pointer.clone() }
                };
                let value = body.as_ref().map(|body| body.value);
                let (before, after) = if removed { (value, None) } else { (None, value) };
                let what = if removed { "was removed" } else { "was added" };
                self.tell(rule, on_wire(way), breaks, at, before, after, &site, what);
            }
        }
    }

    pub(super) fn request_bodies(&mut self, pair: &Two<Node<'a>>, way: Way, site: &str) {
        let Some(pair) = self.follow_both(pair, site) else { return };
        let key =
            (pair.base.pointer.clone(), pair.revision.pointer.clone(), Some(Use::new(way, Media::Json)));
        if self.seen.insert(key) {
            self.annotations(Object::RequestBody, &pair, site);
            self.change_of_flag(&pair, "required", Change::Narrower, Object::RequestBody, way, site);
            self.contents(&pair, way, site);
        }
    }

    fn contents(&mut self, owner: &Two<Node<'a>>, way: Way, site: &str) {
        let (base, revision) = (media_types(&owner.base), media_types(&owner.revision));
        let (mut used, mut gone, mut specialized) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        for (name, old) in &base {
            let counterpart = [name.clone()].into_iter().chain(ranges(name));
            let exact = counterpart.into_iter().find(|candidate| revision.contains_key(candidate));
            let related = exact.clone().or_else(|| {
                revision.keys().find(|other| !base.contains_key(*other) && same_syntax(name, other)).cloned()
            });
            let site = format!("{site}, {name}");
            let Some(other) = related else {
                gone.push((name, old, site));
                continue;
            };
            used.insert(other.clone());
            let Some(new) = revision.get(&other) else { continue };
            if other != *name {
                // `application/problem+json` is JSON, but not all JSON is that.
                let change =
                    if other.contains('*') || name.contains('+') { Change::Wider } else { Change::Narrower };
                let rule =
                    if change == Change::Wider { "media-type-generalized" } else { "media-type-specialized" };
                let (before, after) = (Value::from(name.clone()), Value::from(other.clone()));
                let at = Two { base: old.pointer.clone(), revision: new.pointer.clone() };
                let what = format!("the media type {}", went(Some(&before), Some(&after)));
                self.of_value(rule, change, way, at, Some(&before), Some(&after), &site, what);
            }
            self.media_type(&Two { base: old.clone(), revision: new.clone() }, name, way, &site);
        }
        for (name, new) in &revision {
            if used.contains(name) {
                continue;
            }
            if let Some((range, old)) = ranges(name).into_iter().find_map(|range| base.get_key_value(&range))
            {
                specialized.insert(range);
                // Beside the range that there still is, it is described alone; without it, the others of it are gone.
                let change = if revision.contains_key(range) { Change::Same } else { Change::Narrower };
                let (before, after) = (Value::from(range.clone()), Value::from(name.trim_end()));
                let at = Two { base: old.pointer.clone(), revision: new.pointer.clone() };
                let what = format!("the media type {}", went(Some(&before), Some(&after)));
                let site = format!("{site}, {name}");
                let rule = "media-type-specialized".to_owned();
                self.of_value(&rule, change, way, at, Some(&before), Some(&after), &site, what);
                self.media_type(&Two { base: old.clone(), revision: new.clone() }, name, way, &site);
                continue;
            }
            // Whoever asks for it is served; who does not need not know it.
            let breaks = Breaks::SERVERS;
            let at = Two { base: owner.base.pointer.clone(), revision: new.pointer.clone() };
            let site = format!("{site}, {name}");
            let (values, what) = ((None, Some(new.value)), "the media type was added");
            self.sent("media-type-added", breaks, way, at, values, &site, what);
        }
        for (_, old, site) in gone.into_iter().filter(|(name, ..)| !specialized.contains(*name)) {
            let at = Two { base: old.pointer.clone(), revision: owner.revision.pointer.clone() };
            // A server that answers in another way than it said leaves its clients without an answer.
            let breaks = Breaks::CLIENTS;
            let (values, what) = ((Some(old.value), None), "the media type was removed");
            self.sent("media-type-removed", breaks, way, at, values, &site, what);
        }
    }

    fn media_type(&mut self, pair: &Two<Node<'a>>, name: &str, way: Way, site: &str) {
        self.annotations(Object::MediaType, pair, site);
        let usage = Use::new(way, Media::of(name));
        let meant = |place: &Node<'a>| Meant::field(place, "schema");
        let schemas = Two { base: meant(&pair.base), revision: meant(&pair.revision) };
        self.later(schemas, usage, site.to_owned(), String::new());
        let (base, revision) = (pair.base.map("encoding"), pair.revision.map("encoding"));
        let names: BTreeSet<&str> = base.keys().chain(revision.keys()).copied().collect();
        for property in names {
            let site = format!("{site}, encoding of {property}");
            match (base.get(property), revision.get(property)) {
                (Some(base), Some(revision)) => {
                    let pair = Two { base: base.clone(), revision: revision.clone() };
                    self.encodings(&pair, way, &site);
                }
                // An encoding that says nothing is none.
                (Some(only), None) | (None, Some(only))
                    if only.value.as_object().is_some_and(serde_json::Map::is_empty) => {}
                (base, revision) => {
                    let at = pair.either(base, revision);
                    let (before, after) = (base.map(|it| it.value), revision.map(|it| it.value));
                    let what = if base.is_some() { "was removed" } else { "was added" };
                    self.of_value("encoding-changed", Change::Other, way, at, before, after, &site, what);
                }
            }
        }
    }

    fn encodings(&mut self, pair: &Two<Node<'a>>, way: Way, site: &str) {
        self.annotations(Object::Encoding, pair, site);
        for field in ["contentType", "style", "explode", "allowReserved"] {
            let (before, after) = (pair.base.value.get(field), pair.revision.value.get(field));
            let default = |value: Option<&Value>, style: &str| match (field, value) {
                ("style", None) => Value::from("form"),
                ("allowReserved", None) => Value::from(false),
                ("explode", None) => Value::from(style == "form"),
                (_, value) => value.cloned().unwrap_or_default(),
            };
            let style = |place: &Node<'a>| place.text("style").unwrap_or("form");
            if default(before, style(&pair.base)) != default(after, style(&pair.revision)) {
                let (rule, at) = (format!("encoding-{}-changed", super::kebab(field)), pair.field_at(field));
                let what = format!("{field} {}", went(before, after));
                self.of_value(&rule, Change::Other, way, at, before, after, site, what);
            }
        }
        self.header_maps(pair, way, site);
    }

    pub(super) fn responses(&mut self, pair: &Two<Node<'a>>, way: Way, site: &str) {
        let statuses = |place: &Node<'a>| {
            let members = place.members().filter(|(name, _)| !name.starts_with("x-"));
            members.collect::<BTreeMap<_, _>>()
        };
        let (base, revision) = (statuses(&pair.base), statuses(&pair.revision));
        let cover = |statuses: &BTreeMap<&str, Node<'a>>, status: &str| {
            let range = format!("{}XX", status.get(..1).unwrap_or_default());
            let all = [range.as_str(), "default"].into_iter().filter(|name| *name != status);
            all.into_iter().find_map(|name| {
                statuses.get_key_value(name).map(|(name, place)| ((*name).to_owned(), place.clone()))
            })
        };
        let mut used = BTreeSet::new();
        for (status, old) in &base {
            let named = format!("{site}, response {status}");
            let at = Two { base: old.pointer.clone(), revision: pair.revision.pointer.clone() };
            if let Some(new) = revision.get(status) {
                self.response(&Two { base: old.clone(), revision: new.clone() }, way, &named);
            } else if let Some((covering, new)) = cover(&revision, status).filter(|_| *status != "default") {
                used.insert(covering.clone());
                let at = Two { base: old.pointer.clone(), revision: new.pointer.clone() };
                let what = format!("the status is now one of {covering}");
                let (before, after) = (Value::from(*status), Value::from(covering));
                let rule = "response-status-generalized";
                self.sent(rule, Breaks::NEITHER, way, at, (Some(&before), Some(&after)), &named, what);
                self.response(&Two { base: old.clone(), revision: new }, way, &named);
            } else {
                // An unknown error is handled as its class (RFC 9110, 15); a success that is gone leaves nothing to handle.
                let success = status.starts_with(['1', '2', '3']);
                let breaks = if success { Breaks::CLIENTS } else { Breaks::NEITHER };
                let rule = if success { "response-success-removed" } else { "response-error-removed" };
                self.sent(rule, breaks, way, at, (Some(old.value), None), &named, "the status was removed");
            }
        }
        for (status, new) in &revision {
            if base.contains_key(status) || used.contains(*status) {
                continue;
            }
            let named = format!("{site}, response {status}");
            if let Some((covering, old)) = cover(&base, status).filter(|_| *status != "default") {
                let at = Two { base: old.pointer.clone(), revision: new.pointer.clone() };
                let what = format!("the status was one of {covering}, and is now described alone");
                let (before, after) = (Value::from(covering), Value::from(*status));
                let rule = "response-status-specialized";
                self.sent(rule, Breaks::NEITHER, way, at, (Some(&before), Some(&after)), &named, what);
                self.response(&Two { base: old, revision: new.clone() }, way, &named);
                continue;
            }
            let success = status.starts_with(['1', '2', '3']);
            let rule = if success { "response-success-added" } else { "response-error-added" };
            let at = Two { base: pair.base.pointer.clone(), revision: new.pointer.clone() };
            // Clients treat a status that they do not know as the x00 of its class (RFC 9110, 15).
            self.sent(
                rule,
                Breaks::NEITHER,
                way,
                at,
                (None, Some(new.value)),
                &named,
                "the status was added",
            );
        }
    }

    /// A finding of what goes this way; what no operation uses breaks nobody.
    #[expect(clippy::too_many_arguments, reason = "each is a part of every finding")]
    fn sent(
        &mut self,
        rule: &str,
        breaks: Breaks,
        way: Way,
        at: Two<String>,
        values: (Option<&Value>, Option<&Value>),
        site: &str,
        what: impl Into<String>,
    ) {
        self.add(super::Found {
            rule: rule.to_owned(),
            effect: on_wire(way),
            way,
            breaks: if way == Way::Unused { Breaks::NEITHER } else { breaks },
            announced: false,
            at,
            before: values.0.cloned(),
            after: values.1.cloned(),
            site: site.to_owned(),
            what: what.into(),
        });
    }

    pub(super) fn response(&mut self, pair: &Two<Node<'a>>, way: Way, site: &str) {
        let Some(pair) = self.follow_both(pair, site) else { return };
        let key =
            (pair.base.pointer.clone(), pair.revision.pointer.clone(), Some(Use::new(way, Media::Json)));
        if !self.seen.insert(key) {
            return;
        }
        self.annotations(Object::Response, &pair, site);
        self.contents(&pair, way, site);
        self.header_maps(&pair, way, site);
        let (base, revision) = (pair.base.map("links"), pair.revision.map("links"));
        let names: BTreeSet<&str> = base.keys().chain(revision.keys()).copied().collect();
        for name in names {
            let site = format!("{site}, link {name}");
            match (base.get(name), revision.get(name)) {
                (Some(base), Some(revision)) => {
                    let pair = Two { base: base.clone(), revision: revision.clone() };
                    if let Some(pair) = self.follow_both(&pair, &site) {
                        self.annotations(Object::Link, &pair, &site);
                    }
                }
                (base, revision) => {
                    let (rule, breaks, what) = if base.is_some() {
                        ("link-removed", Breaks::CLIENTS, "was removed")
                    } else {
                        ("link-added", Breaks::NEITHER, "was added")
                    };
                    let at = pair.either(base, revision);
                    let (before, after) = (base.map(|it| it.value), revision.map(|it| it.value));
                    self.tell(rule, Effect::GeneratedCode, breaks, at, before, after, &site, what);
                }
            }
        }
    }

    fn header_maps(&mut self, owner: &Two<Node<'a>>, way: Way, site: &str) {
        let names = |place: &Node<'a>| {
            let mut headers = BTreeMap::new();
            for (name, place) in place.map("headers") {
                headers.insert(free(&headers, name.to_ascii_lowercase()), place);
            }
            headers
        };
        let (base, revision) = (names(&owner.base), names(&owner.revision));
        let all: BTreeSet<&String> = base.keys().chain(revision.keys()).collect();
        for name in all {
            let site = format!("{site}, header {name}");
            match (base.get(name), revision.get(name)) {
                (Some(base), Some(revision)) => self.work.push(Work::Header(Fielded {
                    object: Object::Header,
                    pair: Two { base: base.clone(), revision: revision.clone() },
                    way,
                    site,
                })),
                (Some(old), None) => {
                    let header = self.follow(Side::Base, old);
                    let at = Two { base: old.pointer.clone(), revision: owner.revision.pointer.clone() };
                    let place = self.found.len();
                    let values = (Some(old.value), None);
                    self.sent("header-removed", Breaks::CLIENTS, way, at, values, &site, "was removed");
                    if let Some(header) = header {
                        self.announce(place, header.flag("deprecated"), header.value.get("x-sunset"));
                    }
                }
                (None, Some(new)) => {
                    let required =
                        self.follow(Side::Revision, new).is_some_and(|header| header.flag("required"));
                    let at = Two { base: owner.base.pointer.clone(), revision: new.pointer.clone() };
                    let (rule, change) = if required {
                        ("required-header-added", Change::Narrower)
                    } else {
                        ("optional-header-added", Change::Same)
                    };
                    let values = (None, Some(new.value));
                    self.sent(rule, change.breaks(way), way, at, values, &site, "was added");
                }
                (None, None) => {}
            }
        }
    }
}

/// Who breaks by a parameter or a body that one document lacks. In a callback the client is the one that is asked: what it
/// does not know it ignores, as with the properties of a response (decision 11).
const fn of_lone(way: Way, removed: bool, required: bool) -> Breaks {
    match (way, removed) {
        (Way::Unused, _) => Breaks::NEITHER,
        (Way::Request, true) => Breaks { old_clients: true, old_servers: required },
        (Way::Request, false) => Breaks { old_clients: required, old_servers: true },
        (Way::Response, true) => Breaks::CLIENTS,
        (Way::Response, false) => Breaks { old_clients: false, old_servers: required },
    }
}

/// What no operation uses is not on the wire.
const fn on_wire(way: Way) -> Effect {
    match way {
        Way::Unused => Effect::GeneratedCode,
        Way::Request | Way::Response => Effect::Wire,
    }
}

/// The media types of an object's `content`, without their parameters and in lower case.
fn media_types<'a>(owner: &Node<'a>) -> BTreeMap<String, Node<'a>> {
    let mut found = BTreeMap::new();
    for (name, place) in owner.map("content") {
        let plain = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        found.insert(free(&found, plain), place);
    }
    found
}

/// `application/*` and `*/*` of `application/json`.
fn ranges(name: &str) -> Vec<String> {
    let own = name.split_once('/').map(|(kind, _)| format!("{kind}/*"));
    let all = own.into_iter().chain(["*/*".to_owned()]);
    all.filter(|range| range != name).collect()
}

/// Header parameters whose definition shall be ignored: content and security say them (3.0.3, Parameter Object).
const IGNORED: [&str; 3] = ["accept", "authorization", "content-type"];

/// Whether a parameter's value is surely a single one, neither a list nor an object.
fn single(parameter: &Node<'_>) -> bool {
    let schema = Schema::of(&Meant::field(parameter, "schema"));
    matches!(schema.types()[..], ["string" | "integer" | "number" | "boolean"])
}

/// Whether one of two media types is the other with a structured syntax suffix (RFC 6838, 4.2.8).
fn same_syntax(one: &str, other: &str) -> bool {
    let plain = |name: &str| match (name.split_once('/'), name.rsplit_once('+')) {
        (Some((kind, _)), Some((_, suffix))) => format!("{kind}/{suffix}"),
        _ => name.to_owned(),
    };
    one.contains('+') != other.contains('+') && plain(one) == plain(other)
}

/// The style of a parameter or header that names none (3.0.3, Parameter Object).
fn default_style(place: &Node<'_>) -> &'static str {
    match place.text("in") {
        Some("query" | "cookie") => "form",
        _ => "simple",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structured_syntax_is_its_syntax() {
        assert!(same_syntax("application/problem+json", "application/json"));
        assert!(!same_syntax("application/problem+json", "application/xml"));
    }
}
