//! Redaction of tokens in texts for people.
//!
//! The server writes no token into logs or messages, but a caller may send one in the wrong place: in a URL, which dropshot
//! logs, as the name of a property, which an error message repeats, or in a title, which is stored and exported.

use std::borrow::Cow;

use crate::base32;
use crate::id::ID_CHARS;
use crate::token::{API_KEY_PREFIX, SESSION_TOKEN_PREFIX};

/// The least number of characters after the prefix of what is redacted: more than a name that starts like a token has.
const AFTER_PREFIX_MIN_CHARS: usize = 16;

/// The least number of characters of what is redacted without a prefix: more than an ID has, which is a name.
const RUN_MIN_CHARS: usize = ID_CHARS + 1;

/// The least number of different characters in it: more than a digest in hexadecimal has. Fewer than one in a million of our
/// secrets, which are 52 random characters, has fewer.
const RUN_MIN_DIFFERENT: u32 = 17;

/// What stands in place of a token: shorter than all that it replaces.
const REDACTED: &[u8] = b"[REDACTED]";

/// Returns the text with `[REDACTED]` in place of everything that looks like a token or like a part of one, in lower or
/// upper case, percent-encoded or not.
pub fn without_tokens(text: &[u8]) -> Cow<'_, [u8]> {
    if may_have_token(text) { scan(text) } else { Cow::Borrowed(text) }
}

/// A quick check, because nearly no text has a token, and every line of the log and every stored text is checked.
fn may_have_token(text: &[u8]) -> bool {
    let follows_prefix = |at: usize| {
        at.checked_sub(3)
            .is_some_and(|from| is_prefix([from, from + 1, from + 2].map(|at| text[at].to_ascii_lowercase())))
    };
    memchr::memchr2_iter(b'%', b'_', text).any(|at| text[at] == b'%' || follows_prefix(at))
        || has_long_run(text)
}

/// Whether so many consecutive bytes are characters of our base32 as [`Run::is_secret`] requires.
fn has_long_run(text: &[u8]) -> bool {
    let mut start = 0;
    while let Some(window) = text.get(start..start + RUN_MIN_CHARS) {
        // From its end: no run that includes another byte is long enough, so nothing before that byte has to be read.
        match window.iter().rposition(|byte| base32::value_of(byte.to_ascii_lowercase()).is_none()) {
            Some(at) => start += at + 1,
            None => return true,
        }
    }
    false
}

fn scan(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut copied = 0;
    let mut run = Run::default();
    // The last three characters, and where each begins.
    let mut last = [(0, 0); 3];
    let mut at = 0;
    loop {
        // The end of the text ends a run as well.
        let (character, length) = character_at(text, at).unwrap_or((b' ', 1));
        let mut end = at + length;
        let bit = base32::value_of(character).map(|value| 1_u32 << value);
        if let Some(bit) = bit {
            run.add(at, bit);
        } else {
            let mut redact = run.is_secret().then_some((run.start, at));
            if character == b'_' && is_prefix(last.map(|(_, character)| character)) {
                let tail = alphanumerics(&text[end..]);
                if tail.characters >= AFTER_PREFIX_MIN_CHARS {
                    end += tail.bytes;
                    redact = Some((redact.map_or(last[0].0, |(start, _)| start), end));
                }
            }
            if let Some((from, to)) = redact {
                out.extend_from_slice(&text[copied..from]);
                out.extend_from_slice(REDACTED);
                copied = to;
            }
            run = Run::default();
        }
        if at >= text.len() {
            break;
        }
        last = [last[1], last[2], (at, character)];
        at = end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.extend_from_slice(&text[copied..]);
    Cow::Owned(out)
}

/// Consecutive characters of our base32.
#[derive(Default)]
struct Run {
    start: usize,
    characters: usize,
    /// A bit for each different character.
    different: u32,
}

impl Run {
    const fn add(&mut self, at: usize, bit: u32) {
        if self.characters == 0 {
            self.start = at;
        }
        self.characters += 1;
        self.different |= bit;
    }

    const fn is_secret(&self) -> bool {
        self.characters >= RUN_MIN_CHARS && self.different.count_ones() >= RUN_MIN_DIFFERENT
    }
}

struct Tail {
    characters: usize,
    bytes: usize,
}

/// The letters and digits at the start of a text.
fn alphanumerics(text: &[u8]) -> Tail {
    let mut tail = Tail { characters: 0, bytes: 0 };
    while let Some((character, length)) = character_at(text, tail.bytes)
        && character.is_ascii_alphanumeric()
    {
        tail.characters += 1;
        tail.bytes += length;
    }
    tail
}

/// Whether these characters begin a token, before the underscore.
fn is_prefix(characters: [u8; 3]) -> bool {
    [SESSION_TOKEN_PREFIX, API_KEY_PREFIX].iter().any(|prefix| prefix.as_bytes()[..3] == characters)
}

/// Returns the character in lower case and its length in bytes; `%73` is an `s`, and so is `%2573`.
fn character_at(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let mut character = *text.get(at)?;
    let mut length = 1;
    while character == b'%'
        && let Some([high, low]) = text.get(at + length..at + length + 2)
        && let (Some(high), Some(low)) = (char::from(*high).to_digit(16), char::from(*low).to_digit(16))
        && let Ok(decoded) = u8::try_from(high << 4 | low)
    {
        character = decoded;
        length += 2;
    }
    Some((character.to_ascii_lowercase(), length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(text: &str) -> String {
        String::from_utf8(without_tokens(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn a_token_is_redacted_and_everything_else_stays() {
        let token = format!("ssk_{}", "7".repeat(91));
        let text = format!("a {token}, sst_short sst_{}é", "z".repeat(16));
        assert_eq!(redacted(&text), "a [REDACTED], sst_short [REDACTED]é");
        for plain in ["", "%", "%7", "é%", "sst_", "100 % sst_ %73st_"] {
            assert_eq!(redacted(plain), plain);
        }
    }

    #[test]
    fn a_part_of_a_token_is_redacted_from_the_first_character_beyond_an_ids_length() {
        let id = "0123456789abcdefghjkmnpqrstvwxyz";
        for before in ["", "/", "uri: /", "lou", "%2F"] {
            assert_eq!(redacted(&format!("{before}{id}")), format!("{before}{id}"));
            assert_eq!(redacted(&format!("{before}{id}0")), format!("{before}[REDACTED]"));
        }
    }

    #[test]
    fn names_and_digests_stay_readable() {
        for name in [
            "013xrzp12g3nqk8nkv4y96wrbzje9dsr",
            "/api/v1/session/013xrzp12g3nqk8nkv4y96wrbzje9dsr/revoke?x=013xrzp12g3nqk8nkv4y96wrbzje9dsr",
            "deploy 3f786850e387550fdab836ed7e6dc881de23001b",
            "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            "19aa1f5f-5785-4263-83fb-f53151882602",
            &"x".repeat(1_000),
        ] {
            assert_eq!(redacted(name), name);
        }
    }

    /// A base32 text of so many characters, as random as a secret.
    fn secret(characters: usize) -> impl Strategy<Value = String> {
        proptest::string::string_regex(&format!("[0-9a-hjkmnp-tv-z]{{{characters}}}")).unwrap()
    }

    /// The text with each character as `how` says: as it is, in upper case, or percent-encoded.
    fn encoded(text: &str, how: &[u8]) -> String {
        let written = text.chars().zip(how.iter().cycle()).map(|(character, how)| match how % 5 {
            0 | 1 => character.to_string(),
            2 => character.to_ascii_uppercase().to_string(),
            3 => format!("%{:02x}", character as u32),
            _ => format!("%25{:02X}", character.to_ascii_uppercase() as u32),
        });
        written.collect()
    }

    proptest! {
        #[test]
        fn a_token_is_redacted_however_it_is_written(
            prefix in "ss[tk]_", id in secret(32), secret in secret(52), checksum in secret(7), how: [u8; 13],
            before in "|[ -~]{0,9}[ =/\"]", after in "|[ =/\"&][ -~]{0,9}",
        ) {
            for token in [
                format!("{prefix}{id}{secret}{checksum}"),
                format!("{id}{secret}{checksum}"),
                format!("{id}{secret}"),
                format!("{secret}{checksum}"),
                secret.clone(),
                format!("{prefix}{}", &id[..16]),
            ] {
                // A percent sign before a character would make a different one of it.
                prop_assume!(!before.contains('%') && !after.contains('%'));
                let text = format!("{before}{}{after}", encoded(&token, &how));
                prop_assert_eq!(redacted(&text), format!("{before}[REDACTED]{after}"), "{}", text);
            }
        }

        #[test]
        fn no_text_causes_a_panic_and_what_is_redacted_stays_so(text in "([ -~]|%[0-9a-f]{2}|ss[tk]_|[0-9a-z]{20}|[0-9a-hjkmnp-tv-zA-HJ]{30,36}|é){0,30}") {
            let once = redacted(&text);
            // The quick check misses nothing that the scan finds.
            prop_assert_eq!(once.as_bytes(), &*scan(text.as_bytes()));
            prop_assert!(once.chars().count() <= text.chars().count());
            prop_assert_eq!(redacted(&once), once);
        }

        #[test]
        fn no_id_is_redacted(id in secret(32), before in "[ =/\"]", after in "[ =/\"?&]") {
            let text = format!("{before}{id}{after}");
            prop_assert_eq!(redacted(&text), text);
        }
    }
}
