//! What the property tests of this crate share.

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

/// Returns `text` with the character at `place`, modulo its length, replaced by `new`, and with `new` inserted before it.
pub(crate) fn changed_and_extended(text: &str, place: usize, new: char) -> [String; 2] {
    assert!(text.is_ascii() && !text.is_empty(), "each byte is a character");
    let place = place % text.len();
    let (head, tail) = text.split_at(place);
    [format!("{head}{new}{}", &tail[1..]), format!("{head}{new}{tail}")]
}
