//! What a part of the run counted and found.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use crate::history::Contradiction;

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
    /// Each finding: its meaning, and what was seen.
    findings: Vec<(Kind, String)>,
}

impl Outcome {
    /// Nothing was done, for this reason.
    pub(crate) fn skipped(summary: String) -> Self {
        Self { summary, findings: Vec::new() }
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

    /// Adds the findings of another outcome.
    pub(crate) fn extend(&mut self, other: Self) {
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

/// Writes the four counts that must be 0, and the number of other findings. Returns whether all are 0.
pub(crate) fn write_total(outcomes: &[Outcome], out: &mut dyn Write) -> std::io::Result<bool> {
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
