//! A difference before the findings are ordered, and the one way to build it.

use serde_json::Value;

use super::members::Lone;
use super::sides::Sides;
use super::text::{property_prefix, went};
use crate::fields::Object;
use crate::finding::{Breaks, Effect};
use crate::node::Node;
use crate::rules::{Kind, Rule, of_field};

/// In which direction a value is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Direction {
    /// From client to server.
    Request,
    /// From server to client.
    Response,
    /// In neither: no operation uses it.
    Unused,
}

impl Direction {
    /// The direction of the reply.
    pub(super) const fn reversed(self) -> Self {
        match self {
            Self::Request => Self::Response,
            Self::Response => Self::Request,
            Self::Unused => Self::Unused,
        }
    }
}

/// How the set of allowed values changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// To a subset.
    Narrower,
    /// To a superset.
    Wider,
    /// To a set that is neither.
    Other,
    /// Not at all.
    Same,
}

impl Change {
    /// The change of the complement.
    pub(super) const fn inverted(self) -> Self {
        match self {
            Self::Narrower => Self::Wider,
            Self::Wider => Self::Narrower,
            other => other,
        }
    }

    /// Who breaks: a sender breaks that sends more than the receiver accepts.
    pub(super) const fn breaks(self, direction: Direction) -> Breaks {
        match (self, direction) {
            (Self::Same, _) | (_, Direction::Unused) => Breaks::NEITHER,
            (Self::Other, _) => Breaks::BOTH,
            (Self::Narrower, Direction::Request) | (Self::Wider, Direction::Response) => Breaks::CLIENTS,
            (Self::Wider, Direction::Request) | (Self::Narrower, Direction::Response) => Breaks::SERVERS,
        }
    }
}

/// A difference. By default it has the effect of its rule and breaks nobody.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) rule: &'static Rule,
    pub(super) effect: Effect,
    pub(super) direction: Direction,
    pub(super) breaks: Breaks,
    pub(super) announced: bool,
    pub(super) at: Sides<String>,
    pub(super) values: Sides<Option<Value>>,
    /// The operation or component, and the part of it.
    pub(super) site: String,
    /// The prefix of the sentence, which names a property.
    pub(super) prefix: String,
    /// What changed, as the end of a sentence.
    pub(super) what: String,
}

impl Found {
    pub(super) fn new(rule: &'static Rule, at: Sides<String>, site: &str) -> Self {
        let effect = match rule.kind {
            Kind::Change(effect) => effect,
            Kind::Problem | Kind::Policy => Effect::Documentation,
        };
        Self {
            rule,
            effect,
            direction: Direction::Request,
            breaks: Breaks::NEITHER,
            announced: false,
            at,
            values: Sides { base: None, revision: None },
            site: site.to_owned(),
            prefix: String::new(),
            what: String::new(),
        }
    }

    /// Another value of a field, under the rule of that field.
    pub(super) fn field(object: Object, field: &str, nodes: &Sides<Node<'_>>, site: &str) -> Self {
        let found = Self::new(of_field(object, field), nodes.field_pointers(field), site);
        found.values(nodes.values(field)).went(field)
    }

    /// A member that one document has: under the rule for its removal or its addition.
    pub(super) fn lone(
        [removed, added]: [&'static Rule; 2],
        lone: &Lone<Node<'_>>,
        owner: &Sides<Node<'_>>,
        site: &str,
    ) -> Self {
        Self::new(lone.pick(removed, added), lone.pointers(owner), site)
            .value_of(lone, Some(lone.value.value))
            .what(format!("was {}", lone.verb()))
    }

    /// The values before and after.
    pub(super) fn values(mut self, (base, revision): (Option<&Value>, Option<&Value>)) -> Self {
        self.values = Sides { base: base.cloned(), revision: revision.cloned() };
        self
    }

    /// A value before and another one after.
    pub(super) fn changed(self, values: Sides<impl Into<Value>>) -> Self {
        self.values((Some(&values.base.into()), Some(&values.revision.into())))
    }

    /// The value in the document that has the member.
    pub(super) fn value_of<T>(self, lone: &Lone<T>, value: Option<&Value>) -> Self {
        self.values(lone.pick((value, None), (None, value)))
    }

    /// The sentence about the change.
    pub(super) fn what(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// The sentence that this subject has another value.
    pub(super) fn went(self, subject: &str) -> Self {
        let what = format!("{subject} {}", went(self.values.base.as_ref(), self.values.revision.as_ref()));
        self.what(what)
    }

    /// The property that the sentence is about.
    pub(super) fn of_property(mut self, path: &str) -> Self {
        self.prefix = property_prefix(path);
        self
    }

    /// Who breaks by a value that is sent in this direction.
    pub(super) const fn breaks(mut self, direction: Direction, breaks: Breaks) -> Self {
        (self.direction, self.breaks) = (direction, breaks);
        self
    }

    /// Who breaks by a change of the values that are sent in this direction.
    pub(super) const fn change(self, direction: Direction, change: Change) -> Self {
        self.breaks(direction, change.breaks(direction))
    }

    /// A lesser effect than that of the rule.
    pub(super) const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }
}
