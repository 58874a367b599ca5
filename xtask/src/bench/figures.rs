//! The stored instruction counts, and how measured ones are compared with them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// By how much a measured count may differ from the stored one. Two measurements of the same program differ by half a per
/// cent: by when its background tasks run, and by the random keys of its hash tables.
const MARGIN_PER_CENT: u64 = 5;

/// The instructions of each operation, and what they depend on apart from the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Figures {
    /// The command that writes the file.
    pub(super) written_by: String,
    /// The architecture, and whether it has AVX2: valgrind simulates one of two processors accordingly, for which the C
    /// library has different functions.
    pub(super) processor: String,
    /// The version of the compiler.
    pub(super) rustc: String,
    /// The version of valgrind.
    pub(super) valgrind: String,
    /// Instructions in user space per request, by operation.
    pub(super) instructions_per_request: BTreeMap<String, u64>,
}

/// Whether measured figures are as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All are within the margin.
    Same,
    /// They are of another kind of processor, so that they say nothing about the program.
    Incomparable(String),
    /// What differs, a line each.
    Differ(Vec<String>),
}

impl Figures {
    /// Compares measured figures with these.
    ///
    /// Another version of the compiler or of valgrind is compared as well: it changes a count by less than the margin or
    /// deserves to be noticed, and a check that is silent after each update of a toolchain, which nothing here pins, would
    /// check nothing. A count that is too small is a difference too: otherwise the next change could be slower by what this
    /// one has gained.
    pub(super) fn compare(&self, measured: &Self) -> Outcome {
        if self.processor != measured.processor {
            return Outcome::Incomparable(format!(
                "the stored instruction counts are of {}, and this machine is {}: they are not compared",
                self.processor, measured.processor
            ));
        }
        let mut lines = Vec::new();
        for (operation, count) in &measured.instructions_per_request {
            let Some(stored) = self.instructions_per_request.get(operation) else {
                lines.push(format!("{operation}: no instruction count is stored"));
                continue;
            };
            let (more, less) = (100 + MARGIN_PER_CENT, 100 - MARGIN_PER_CENT);
            let word = if count * 100 > stored * more {
                "more"
            } else if count * 100 < stored * less {
                "fewer"
            } else {
                continue;
            };
            let per_mille = (count.abs_diff(*stored) * 1000).checked_div(*stored).unwrap_or_default();
            let (whole, tenths) = (per_mille / 10, per_mille % 10);
            lines.push(format!("{operation}: {count} instructions, {whole}.{tenths} % {word} than {stored}"));
        }
        let is_gone = |operation: &&String| !measured.instructions_per_request.contains_key(*operation);
        for operation in self.instructions_per_request.keys().filter(is_gone) {
            lines.push(format!("{operation}: stored, but not measured any more"));
        }
        if lines.is_empty() {
            return Outcome::Same;
        }
        for (what, stored, now) in
            [("rustc", &self.rustc, &measured.rustc), ("valgrind", &self.valgrind, &measured.valgrind)]
        {
            if stored != now {
                lines.push(format!("the stored counts are of {what} {stored}, these of {now}"));
            }
        }
        Outcome::Differ(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(counts: &[(&str, u64)]) -> Figures {
        Figures {
            written_by: "the command".to_owned(),
            processor: "x86_64 with AVX2".to_owned(),
            rustc: "1".to_owned(),
            valgrind: "3".to_owned(),
            instructions_per_request: counts
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
        }
    }

    #[test]
    fn counts_within_five_per_cent_are_the_same() {
        let stored = figures(&[("fetch", 1_000)]);
        for count in [950, 1_000, 1_050] {
            assert_eq!(stored.compare(&figures(&[("fetch", count)])), Outcome::Same);
        }
    }

    #[test]
    fn a_slowdown_and_a_gain_of_more_than_five_per_cent_differ() {
        let stored = figures(&[("create", 500), ("fetch", 1_000)]);
        let measured = figures(&[("create", 474), ("fetch", 1_051)]);
        let lines = [
            "create: 474 instructions, 5.2 % fewer than 500",
            "fetch: 1051 instructions, 5.1 % more than 1000",
        ];
        assert_eq!(stored.compare(&measured), Outcome::Differ(lines.map(str::to_owned).to_vec()));
    }

    #[test]
    fn an_operation_on_one_side_alone_differs() {
        let lines = ["list: no instruction count is stored", "fetch: stored, but not measured any more"];
        let outcome = figures(&[("fetch", 1)]).compare(&figures(&[("list", 1)]));
        assert_eq!(outcome, Outcome::Differ(lines.map(str::to_owned).to_vec()));
    }

    #[test]
    fn another_compiler_is_compared_and_named_only_if_a_count_differs() {
        let stored = figures(&[("fetch", 1_000)]);
        let newer = |count| Figures { rustc: "2".to_owned(), ..figures(&[("fetch", count)]) };
        assert_eq!(stored.compare(&newer(1_010)), Outcome::Same);
        let Outcome::Differ(lines) = stored.compare(&newer(2_000)) else { panic!("not noticed") };
        assert_eq!(lines.last().unwrap(), "the stored counts are of rustc 1, these of 2");
    }

    #[test]
    fn another_processor_is_not_compared() {
        let other = Figures { processor: "aarch64".to_owned(), ..figures(&[("fetch", 9_000)]) };
        assert!(matches!(figures(&[("fetch", 1_000)]).compare(&other), Outcome::Incomparable(_)));
    }
}
