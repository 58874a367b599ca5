//! Near misses of valid input, and how many a property test tries. `session-server` includes this file too.

use proptest::prelude::ProptestConfig;

/// The number of cases of one property: few in a debug build, which every change runs, and in a release build as many as
/// find an error that one input in some ten thousand shows.
const CASES: u32 = if cfg!(debug_assertions) { 256 } else { 100_000 };

/// Returns the configuration of a property test: [`CASES`], or as many as the variable `PROPTEST_CASES` says.
pub(crate) fn cases() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default()
    } else {
        ProptestConfig::with_cases(CASES)
    }
}

/// Returns `input` with the byte at `place`, modulo its length, replaced by `new`, and with `new` inserted before it.
pub(crate) fn changed_and_extended(input: &[u8], place: usize, new: &[u8]) -> [Vec<u8>; 2] {
    let (head, tail) = input.split_at(place % input.len());
    [[head, new, &tail[1..]].concat(), [head, new, tail].concat()]
}
