//! Cuts tokens out of texts that people get to see.
//!
//! Nothing of ours writes one there, but a caller may have put it where it does not belong: into a URL, which dropshot
//! logs, or in the place of a property's name, which a message repeats.

/// The characters behind the prefix that are enough to take a word for a token: more than any name has.
const TOKEN_MIN_CHARS: usize = 16;

/// The text with `[REDACTED]` for everything that looks like a token.
pub fn without_tokens(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let body = rest.strip_prefix(b"sst_").or_else(|| rest.strip_prefix(b"ssk_"));
        let length =
            body.map_or(0, |body| body.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count());
        if length < TOKEN_MIN_CHARS {
            out.push(*byte);
            rest = after;
        } else {
            out.extend_from_slice(b"[REDACTED]");
            rest = &rest[4 + length..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_cut_out_and_everything_else_stays() {
        let token = format!("ssk_{}", "7".repeat(91));
        let text = format!("a {token}, sst_short sst_{}é", "z".repeat(16));
        let cut = String::from_utf8(without_tokens(text.as_bytes())).unwrap();
        assert_eq!(cut, "a [REDACTED], sst_short [REDACTED]é");
        assert_eq!(without_tokens(b""), b"");
    }
}
