//! What a part of the run counted and found.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::history::Contradiction;
use crate::service::Counts;

/// How many findings of a part are printed.
const PRINTED_MAX: usize = 10;

/// A part that could not do its work.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An acknowledged change is gone.
    Lost,
    /// A token or key that was replaced, revoked or of an ended session was accepted.
    DeadToken,
    /// No order of the requests explains the responses.
    WrongOrder,
    /// A response of 500.
    ServerError,
    /// Anything else that must not be.
    Other,
}

/// The counts and findings of a part.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What was counted, in one line.
    pub(crate) summary: String,
    /// The requests that were answered.
    pub(crate) operations: u64,
    /// The faults that were injected, and the races.
    pub(crate) faults: u64,
    /// The changes that succeeded.
    pub(crate) acknowledged: u64,
    /// The changes of which it is not known whether they were made.
    pub(crate) unknown: u64,
    /// Each finding: its meaning, and what was seen.
    findings: Vec<(Kind, String)>,
}

impl Outcome {
    /// Nothing was done, for this reason.
    pub(crate) fn skipped(summary: String) -> Self {
        Self { summary, ..Self::default() }
    }

    /// Adds what was counted of requests, and the responses of 500.
    pub(crate) fn count_requests(&mut self, counts: &Counts) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.operations += count(&counts.responses);
        self.acknowledged += count(&counts.acknowledged);
        self.unknown += count(&counts.unknown);
        for error in counts.take_server_errors() {
            self.add(Kind::ServerError, error);
        }
    }

    /// Adds a finding.
    pub(crate) fn add(&mut self, kind: Kind, text: impl Into<String>) {
        self.findings.push((kind, text.into()));
    }

    /// Adds a history that no order explains. Only those that are printed are described.
    pub(crate) fn add_contradiction(&mut self, place: &str, contradiction: &Contradiction) {
        let text = if self.findings.len() < PRINTED_MAX { contradiction.describe() } else { String::new() };
        self.add(contradiction.kind, format!("{place}: {text}"));
    }

    /// Adds the findings and counts of another outcome.
    pub(crate) fn extend(&mut self, other: Self) {
        self.operations += other.operations;
        self.faults += other.faults;
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.findings.extend(other.findings);
    }

    /// Whether nothing was found.
    pub(crate) const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The number of findings of a kind.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.findings.iter().filter(|finding| finding.0 == kind).count()
    }

    /// Writes the summary, and the first findings below it.
    pub(crate) fn write(&self, name: &str, took: Duration, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "{name:<12} {:>3} s  {}", took.as_secs(), self.summary)?;
        for (kind, text) in self.findings.iter().take(PRINTED_MAX) {
            writeln!(out, "  {kind}: {}", text.replace('\n', "\n    "))?;
        }
        match self.findings.len().saturating_sub(PRINTED_MAX) {
            0 => Ok(()),
            more => writeln!(out, "  and {more} more"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::DeadToken => "dead token accepted",
            Self::WrongOrder => "wrong order",
            Self::ServerError => "answer of 500",
            Self::Other => "other",
        })
    }
}

/// Writes what was done, and then the four counts that must be 0, and the number of other findings. Returns whether all are 0.
pub(crate) fn write_total(outcomes: &[Outcome], out: &mut dyn Write) -> std::io::Result<bool> {
    let sum = |number: fn(&Outcome) -> u64| outcomes.iter().map(number).sum::<u64>();
    writeln!(
        out,
        "resilience: {} requests answered, {} faults and races, {} changes acknowledged, {} of unknown outcome",
        sum(|outcome| outcome.operations),
        sum(|outcome| outcome.faults),
        sum(|outcome| outcome.acknowledged),
        sum(|outcome| outcome.unknown),
    )?;
    let count = |kind| outcomes.iter().map(|outcome| outcome.count(kind)).sum::<usize>();
    let [lost, dead, orders, errors, other] =
        [Kind::Lost, Kind::DeadToken, Kind::WrongOrder, Kind::ServerError, Kind::Other].map(count);
    writeln!(
        out,
        "resilience: {lost} lost, {dead} dead tokens accepted, {orders} wrong orders, {errors} answers of 500, {other} \
         other failures"
    )?;
    Ok(lost + dead + orders + errors + other == 0)
}
