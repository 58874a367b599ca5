//! Redaction of tokens in texts for people.
//!
//! The server writes no token into logs or messages, but a caller may send one in the wrong place: in a URL, which dropshot
//! logs, or as the name of a property, which an error message repeats.

/// The least number of characters after the prefix of what is redacted: more than a name that starts like a token has.
const TOKEN_MIN_CHARS: usize = 16;

/// Returns the text with `[REDACTED]` in place of everything that looks like a token.
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
    fn a_token_is_redacted_and_everything_else_stays() {
        let token = format!("ssk_{}", "7".repeat(91));
        let text = format!("a {token}, sst_short sst_{}é", "z".repeat(16));
        let cut = String::from_utf8(without_tokens(text.as_bytes())).unwrap();
        assert_eq!(cut, "a [REDACTED], sst_short [REDACTED]é");
        assert_eq!(without_tokens(b""), b"");
    }
}
