//! The state of a comparison: what is found, what is still to be compared, and what has been.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use time::Date;

use super::found::{Change, Direction, Found};
use super::sides::{Side, Sides};
use super::text::brief;
use crate::extensions::date;
use crate::fields::Object;
use crate::finding::{Breaks, Effect};
use crate::node::Node;
use crate::normal::SchemaRef;
use crate::rules::{Rule, rule};
use crate::value::same;

/// The settings of a comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The day on which removals are judged: one that was announced with `deprecated` and an `x-sunset` breaks nobody
    /// from that day on. Without a day, no sunset has passed.
    pub today: Option<Date>,
}

/// The documents nest so many schemas in each other's alternatives that a comparison would take too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the documents take more than {MAX_STEPS} steps to compare; name schemas that are used in alternatives"
)]
pub struct TooComplex;

/// Far above any real pair: one of 500 KB takes some ten thousand.
pub(super) const MAX_STEPS: usize = 2_000_000;

/// How a value is serialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Media {
    /// As JSON: the type is in the text.
    Json,
    /// As XML.
    Xml,
    /// As a string, of which only the schema declares the type.
    Text,
}

/// How a schema is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) direction: Direction,
    pub(super) media: Media,
    /// Under an odd number of `not`.
    pub(super) inverted: bool,
}

impl Use {
    pub(super) const fn new(direction: Direction, media: Media) -> Self {
        Self { direction, media, inverted: false }
    }
}

/// A schema of each document.
#[derive(Clone, Debug)]
pub(super) struct SchemaPair<'a> {
    pub(super) schemas: Sides<SchemaRef<'a>>,
    pub(super) usage: Use,
    /// The operation and the part of it.
    pub(super) site: String,
    /// The property: `summary.title`.
    pub(super) path: String,
}

impl SchemaPair<'_> {
    /// A difference between the schemas that changes the set of values.
    pub(super) fn found(&self, rule: &'static Rule, change: Change, at: Sides<String>) -> Found {
        let change = if self.usage.inverted { change.inverted() } else { change };
        self.noted(rule, at).change(self.usage.direction, change)
    }

    /// A difference between the schemas that changes no value.
    pub(super) fn noted(&self, rule: &'static Rule, at: Sides<String>) -> Found {
        Found::new(rule, at, &self.site).of_property(&self.path)
    }
}

/// An operation of each document.
#[derive(Clone, Debug)]
pub(super) struct OperationPair<'a> {
    pub(super) operation: Sides<Node<'a>>,
    /// The path items.
    pub(super) item: Sides<Node<'a>>,
    pub(super) path: Sides<&'a str>,
    /// The owners of inherited servers and security.
    pub(super) roots: Sides<Node<'a>>,
    pub(super) direction: Direction,
    pub(super) site: String,
}

/// A parameter or a header of each document.
#[derive(Clone, Debug)]
pub(super) struct ParameterPair<'a> {
    pub(super) object: Object,
    pub(super) nodes: Sides<Node<'a>>,
    pub(super) direction: Direction,
    pub(super) site: String,
}

/// Something that is still to be compared. References are not followed at once: a chain of them may be longer than the
/// stack.
#[derive(Debug)]
pub(super) enum Work<'a> {
    Schema(SchemaPair<'a>),
    Operation(OperationPair<'a>),
    Parameter(ParameterPair<'a>),
}

/// Compares one item of work. A pointer, because the files that compare use this one.
pub(super) type Dispatch<'a> = fn(&mut Comparison<'a>, &Work<'a>);

/// A comparison in progress.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    pub(super) options: Options,
    pub(super) found: Vec<Found>,
    work: Vec<Work<'a>>,
    dispatch: Dispatch<'a>,
    seen: HashSet<(String, String, Option<Use>)>,
    reached: HashSet<(Side, String)>,
    /// Whether two alternatives agree, as far as it is known.
    pub(super) agreed: HashMap<(String, String, Use), bool>,
    /// The alternatives that are being compared with each other. Until that is done, they are assumed to agree.
    pub(super) trying: HashSet<(String, String, Use)>,
    /// The number of such assumptions.
    pub(super) assumed: usize,
    /// Whether the only question is if there is a difference on the wire.
    pub(super) trial: bool,
    pub(super) disagrees: bool,
    pub(super) steps: usize,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(options: Options, dispatch: Dispatch<'a>) -> Self {
        Self {
            options,
            found: Vec::new(),
            work: Vec::new(),
            dispatch,
            seen: HashSet::new(),
            reached: HashSet::new(),
            agreed: HashMap::new(),
            trying: HashSet::new(),
            assumed: 0,
            trial: false,
            disagrees: false,
            steps: 0,
        }
    }

    /// A comparison that only finds out whether there is a difference on the wire. It takes what is known about
    /// alternatives along, which `end_trial` brings back.
    pub(super) fn begin_trial(&mut self) -> Self {
        Self {
            trial: true,
            agreed: std::mem::take(&mut self.agreed),
            trying: std::mem::take(&mut self.trying),
            assumed: self.assumed,
            steps: self.steps,
            ..Self::new(self.options, self.dispatch)
        }
    }

    /// Takes over the results of a trial. Returns whether there is no difference, and whether the trial made assumptions.
    pub(super) fn end_trial(&mut self, trial: Self) -> (bool, bool) {
        let assumed = trial.assumed > self.assumed;
        (self.assumed, self.steps) = (trial.assumed, trial.steps);
        (self.agreed, self.trying) = (trial.agreed, trial.trying);
        (!trial.disagrees, assumed)
    }

    /// Compares until nothing is left.
    pub(super) fn work_off(&mut self) {
        while let Some(work) = self.work.pop() {
            if self.steps > MAX_STEPS || self.trial && self.disagrees {
                return;
            }
            self.steps += 1;
            (self.dispatch)(self, &work);
        }
    }

    pub(super) fn push(&mut self, work: Work<'a>) {
        self.work.push(work);
    }

    /// Adds a difference. One in what no operation uses is not on the wire.
    pub(super) fn add(&mut self, mut found: Found) {
        if self.trial {
            self.disagrees |= found.effect == Effect::Wire;
            return;
        }
        if found.direction == Direction::Unused {
            found.effect = found.effect.max(Effect::GeneratedCode);
            found.breaks = Breaks::NEITHER;
        }
        self.found.push(found);
    }

    /// Adds a removal. It is announced if what is removed was deprecated and its sunset has passed.
    pub(super) fn add_removal(&mut self, mut found: Found, deprecated: bool, sunset: Option<&Value>) {
        if deprecated {
            found.announced = match sunset.map(|value| value.as_str().and_then(date)) {
                None => true,
                Some(day) => day.is_some_and(|day| self.options.today.is_some_and(|today| day <= today)),
            };
            if let (false, Some(sunset)) = (found.announced, sunset) {
                found.what = format!("{} before its sunset, {}", found.what, brief(sunset));
            }
        }
        self.add(found);
    }

    /// Whether two places have not been compared for this use before.
    pub(super) fn first_time(&mut self, pointers: Sides<String>, usage: Option<Use>) -> bool {
        self.seen.insert((pointers.base, pointers.revision, usage))
    }

    /// Notes that an operation leads to a pointer.
    pub(super) fn reach(&mut self, side: Side, pointer: String) {
        self.reached.insert((side, pointer));
    }

    /// Whether an operation leads to a pointer.
    pub(super) fn is_reached(&self, side: Side, pointer: &str) -> bool {
        self.reached.contains(&(side, pointer.to_owned()))
    }

    /// Follows the references of a node.
    pub(super) fn follow(&mut self, side: Side, node: &Node<'a>) -> Option<Node<'a>> {
        let target = node.resolve().ok()?;
        if target.pointer != node.pointer {
            self.reach(side, target.pointer.clone());
        }
        Some(target)
    }

    /// Follows the references of both. If one cannot be resolved that is a difference, and there is nothing to compare.
    pub(super) fn follow_both(&mut self, nodes: &Sides<Node<'a>>, site: &str) -> Option<Sides<Node<'a>>> {
        match (self.follow(Side::Base, &nodes.base), self.follow(Side::Revision, &nodes.revision)) {
            (Some(base), Some(revision)) => Some(Sides { base, revision }),
            (None, None) if same(nodes.base.value, nodes.revision.value) => None,
            _ => {
                let found = Found::new(rule!("reference-unresolved"), nodes.pointers(), site)
                    .values((Some(nodes.base.value), Some(nodes.revision.value)))
                    .what("a reference cannot be resolved");
                self.add(found.breaks(Direction::Request, Breaks::BOTH));
                None
            }
        }
    }

    /// Queues two schemas, unless they have been compared for this use.
    pub(super) fn queue(&mut self, schemas: Sides<SchemaRef<'a>>, usage: Use, site: &str, path: &str) {
        if schemas.base.nodes.is_empty() && schemas.revision.nodes.is_empty() {
            return;
        }
        let pair = SchemaPair { schemas, usage, site: site.to_owned(), path: path.to_owned() };
        if self.first_time(pair.schemas.map(SchemaRef::identity), Some(usage)) {
            self.work.push(Work::Schema(pair));
        } else {
            self.renamed(&pair);
        }
    }

    /// Reports that two schemas are referred to by different names.
    pub(super) fn renamed(&mut self, pair: &SchemaPair<'a>) {
        let names = pair.schemas.map(|schema| schema.name().map(Value::from));
        let (Some(_), Some(_), true) = (&names.base, &names.revision, names.base != names.revision) else {
            return;
        };
        let at = pair.schemas.map(|schema| schema.at.clone());
        let found = pair.noted(rule!("schema-renamed"), at);
        let found = found.values((names.base.as_ref(), names.revision.as_ref()));
        self.add(found.went("the schema's name"));
    }
}
