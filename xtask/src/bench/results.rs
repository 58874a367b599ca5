//! What a run of `cargo xtask bench` has found: the file in `bench/results`, and whether the bars are reached.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cores::Memory;
use super::scenario::Round;

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The day, in UTC.
    pub(crate) date: String,
    /// The commit, with `-dirty` if the files differ from it.
    pub(crate) commit: String,
    pub(crate) machine: String,
    /// The version of each program and library that takes part, by its name.
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) sessions: usize,
    pub(crate) rounds: usize,
    /// Of each round.
    pub(crate) seconds: u32,
    pub(crate) scenarios: Vec<Measured>,
    /// That of sessiond on the embedded store with the default cache.
    pub(crate) memory: Option<Memory>,
    pub(crate) bars: Vec<Bar>,
    /// What was not measured, and why.
    pub(crate) notes: Vec<String>,
}

/// A row: the median of its rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) requests_per_second: f64,
    /// Per request, in user mode and in the kernel.
    pub(crate) cpu_us: Option<f64>,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Of all rounds.
    pub(crate) errors: u64,
    /// Requests per second, relative to those of raw hyper and of dropshot with a constant.
    pub(crate) vs_hyper: Option<f64>,
    pub(crate) vs_dropshot: Option<f64>,
}

impl Measured {
    /// The median of the rounds, which are at least one.
    pub(crate) fn of(name: &str, what: &str, rounds: &[Round]) -> Self {
        let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        let cpu_us: Option<Vec<f64>> = rounds.iter().map(|round| round.cpu_us).collect();
        Self {
            name: name.to_owned(),
            what: what.to_owned(),
            requests_per_second: rounded(of(|round| round.requests_per_second), 0),
            cpu_us: cpu_us.map(|all| rounded(median(all), 2)),
            p50_us: of(|round| round.p50_us),
            p99_us: of(|round| round.p99_us),
            errors: rounds.iter().map(|round| round.errors).sum(),
            vs_hyper: None,
            vs_dropshot: None,
        }
    }
}

/// Computes the ratios of all rows to the baselines among them.
pub(crate) fn relate(rows: &mut [Measured]) {
    let rate = |name: &str| Some(rows.iter().find(|row| row.name == name)?.requests_per_second);
    let (hyper, dropshot) = (rate("hyper"), rate("dropshot"));
    for row in rows {
        let ratio = |baseline: f64| rounded(row.requests_per_second / baseline, 3);
        (row.vs_hyper, row.vs_dropshot) = (hyper.map(ratio), dropshot.map(ratio));
    }
}

/// A figure that must hold, from issue 13.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bar {
    pub(crate) what: String,
    /// Either of the two.
    pub(crate) at_least: Option<f64>,
    pub(crate) at_most: Option<f64>,
    /// `None` if it was not measured.
    pub(crate) measured: Option<f64>,
    pub(crate) reached: bool,
}

impl Bar {
    fn new(what: &str, limit: Limit, measured: Option<f64>) -> Self {
        let measured = measured.map(|value| rounded(value, 3));
        let (at_least, at_most, reached) = match limit {
            Limit::AtLeast(limit) => (Some(limit), None, measured.is_some_and(|value| value >= limit)),
            Limit::AtMost(limit) => (None, Some(limit), measured.is_some_and(|value| value <= limit)),
        };
        Self { what: what.to_owned(), at_least, at_most, measured, reached }
    }

    /// `reached`, `NOT reached` or `not measured`.
    pub(crate) fn verdict(&self) -> &'static str {
        match (self.measured, self.reached) {
            (None, _) => "not measured",
            (_, true) => "reached",
            (_, false) => "NOT reached",
        }
    }
}

#[derive(Clone, Copy)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

/// The bars of issue 13, "What must hold".
pub(crate) fn bars(rows: &[Measured], memory: Option<Memory>) -> Vec<Bar> {
    use Limit::{AtLeast, AtMost};
    let row = |name: &str| rows.iter().find(|row| row.name == name);
    let vs_hyper = |name: &str| row(name)?.vs_hyper;
    let cpu = |name: &str| row(name)?.cpu_us;
    let ratio = |one: Option<f64>, other: Option<f64>| Some(one? / other?);
    let rate = |name: &str| Some(row(name)?.requests_per_second);
    #[expect(clippy::cast_precision_loss, reason = "a count of errors")]
    let errors = row("connections").map(|row| row.errors as f64);
    vec![
        Bar::new(
            "embedded, hits: CPU per request, × dropshot's constant",
            AtMost(1.2),
            ratio(cpu("key-hot"), cpu("dropshot")),
        ),
        Bar::new("embedded, hits: requests/s, × raw hyper", AtLeast(0.6), vs_hyper("key-hot")),
        Bar::new(
            "embedded, all sessions, a cache for a tenth: × raw hyper",
            AtLeast(0.45),
            vs_hyper("key-uniform"),
        ),
        Bar::new("embedded, own token, all sessions: × raw hyper", AtLeast(0.4), vs_hyper("token-uniform")),
        Bar::new(
            "PostgreSQL without cache, × a deadpool of sixteen connections",
            AtLeast(1.4),
            ratio(rate("postgres"), rate("postgres-pool")),
        ),
        Bar::new("PostgreSQL with the bounded cache: × raw hyper", AtLeast(0.55), vs_hyper("postgres-cache")),
        Bar::new(
            "resident memory with the default cache, MB",
            AtMost(300.0),
            memory.map(|memory| memory.resident_mb),
        ),
        Bar::new(
            "4,096 connections: p99, × p50",
            AtMost(20.0),
            row("connections").map(|row| row.p99_us / row.p50_us),
        ),
        Bar::new("4,096 connections: errors", AtMost(0.0), errors),
    ]
}

/// The middle value, or the mean of the two in the middle; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// With so many decimals.
fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (value * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(requests_per_second: f64, cpu_us: Option<f64>, p99_us: f64) -> Round {
        Round { requests_per_second, cpu_us, p50_us: 100.0, p99_us, errors: 1 }
    }

    #[test]
    fn a_row_is_the_median_of_each_figure_on_its_own_and_the_sum_of_the_errors() {
        let rounds =
            [round(3.0, Some(1.0), 500.0), round(9.0, Some(7.0), 100.0), round(5.0, Some(2.0), 300.0)];
        let row = Measured::of("x", "X", &rounds);
        assert_eq!((row.requests_per_second, row.cpu_us, row.p99_us, row.errors), (5.0, Some(2.0), 300.0, 3));
        let even = Measured::of("x", "X", &rounds[..2]);
        assert_eq!((even.requests_per_second, even.cpu_us), (6.0, Some(4.0)));
        assert_eq!(Measured::of("x", "X", &[round(1.0, None, 1.0)]).cpu_us, None);
    }

    #[test]
    fn every_row_is_related_to_both_baselines() {
        let mut rows = [("hyper", 100.0), ("dropshot", 80.0), ("key-hot", 60.0)]
            .map(|(name, rate)| Measured::of(name, "", &[round(rate, None, 1.0)]));
        relate(&mut rows);
        assert_eq!((rows[2].vs_hyper, rows[2].vs_dropshot), (Some(0.6), Some(0.75)));
        relate(&mut rows[2..]);
        assert_eq!((rows[2].vs_hyper, rows[2].vs_dropshot), (None, None));
    }

    #[test]
    fn a_bar_is_reached_at_its_limit_and_not_beyond_it_and_not_if_nothing_was_measured() {
        let bar = |limit, measured| Bar::new("", limit, measured).verdict();
        assert_eq!(bar(Limit::AtLeast(0.6), Some(0.6)), "reached");
        assert_eq!(bar(Limit::AtLeast(0.6), Some(0.599)), "NOT reached");
        assert_eq!(bar(Limit::AtMost(1.2), Some(1.2)), "reached");
        assert_eq!(bar(Limit::AtMost(1.2), Some(1.201)), "NOT reached");
        assert_eq!(bar(Limit::AtMost(1.2), None), "not measured");
    }

    #[test]
    fn each_bar_of_the_issue_is_computed_from_its_rows() {
        let row = |name: &str, rate, cpu| Measured::of(name, "", &[round(rate, Some(cpu), 1500.0)]);
        let mut rows = [
            row("hyper", 100.0, 8.0),
            row("dropshot", 75.0, 10.0),
            row("key-hot", 65.0, 12.5),
            row("key-uniform", 46.0, 0.0),
            row("token-uniform", 39.0, 0.0),
            row("postgres", 15.0, 0.0),
            row("postgres-pool", 10.0, 0.0),
            row("postgres-cache", 50.0, 0.0),
            row("connections", 50.0, 0.0),
        ];
        relate(&mut rows);
        let memory = Memory { resident_mb: 250.0, anonymous_mb: 0.0, file_mb: 0.0, peak_mb: 400.0 };
        let found = bars(&rows, Some(memory));
        let measured: Vec<f64> = found.iter().filter_map(|bar| bar.measured).collect();
        assert_eq!(measured, [1.25, 0.65, 0.46, 0.39, 1.5, 0.5, 250.0, 15.0, 1.0]);
        let reached: Vec<bool> = found.iter().map(|bar| bar.reached).collect();
        assert_eq!(reached, [false, true, true, false, true, false, true, true, false]);
        assert!(bars(&[], None).iter().all(|bar| bar.verdict() == "not measured"));
    }
}
