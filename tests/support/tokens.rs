//! The parts of a token, for tokens that look right and are not; page tokens that are longer than they need to be.

use serde_json::Value;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The number of characters of a token's prefix, ID, secret and checksum, in this order.
const PREFIX: usize = 4;
const ID: usize = 32;
const SECRET: usize = 52;
const CHECKSUM: usize = 7;

fn encode(bytes: &[u8]) -> String {
    let bit = |place: usize| bytes.get(place / 8).map_or(0, |byte| byte >> (7 - place % 8) & 1);
    let character = |at: usize| (0..5).fold(0, |value, place| value << 1 | bit(at * 5 + place));
    (0..(bytes.len() * 8).div_ceil(5)).map(|at| char::from(ALPHABET[usize::from(character(at))])).collect()
}

fn decode(text: &str) -> Vec<u8> {
    let value = |character: u8| ALPHABET.iter().position(|known| *known == character).unwrap_or_default();
    let bits: Vec<u8> = text
        .bytes()
        .flat_map(|one| (0..5).rev().map(move |place| u8::from(value(one) >> place & 1 == 1)))
        .collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |value, bit| value << 1 | bit)).collect()
}

/// The ID in a token, if the token has the form of one. The checksum may be wrong.
pub(crate) fn id_of(token: &str) -> Option<&str> {
    let rest = token.strip_prefix("sst_").or_else(|| token.strip_prefix("ssk_"))?;
    let of_alphabet = rest.bytes().all(|byte| ALPHABET.contains(&byte));
    (rest.len() == ID + SECRET + CHECKSUM && of_alphabet).then(|| rest.get(..ID))?
}

/// Whether the text has the form of an ID.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == ID && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// Whether this is the token of a session, by its prefix.
pub(crate) fn is_session_token(token: &str) -> bool {
    token.starts_with("sst_")
}

/// The token with the checksum that belongs to the rest of it.
pub(crate) fn with_right_checksum(token: &str) -> String {
    let body = token.get(..PREFIX + ID + SECRET).unwrap_or(token);
    let checksum = crc32fast::hash(body.as_bytes()).to_be_bytes();
    format!("{body}{}", encode(&checksum))
}

/// The token of one with the secret of another, with the checksum that belongs to it.
pub fn with_secret_of(token: &str, other: &str) -> String {
    let part = |text: &str, from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    let body = part(token, 0, PREFIX + ID) + &part(other, PREFIX + ID, PREFIX + ID + SECRET);
    with_right_checksum(&body)
}

/// The same place in a list, in as many bytes: what the server wrote is JSON, to which blanks add nothing.
pub fn page_token_of(token: &str, bytes: usize) -> String {
    let mut place = decode(token);
    place.resize(bytes, b' ');
    encode(&place)
}

/// A text that no ID has yet: `template` with its last characters counted up.
pub fn numbered(template: &str, number: usize) -> String {
    let digits = encode(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    format!("{}{digits}", template.get(..template.len() - digits.len()).unwrap_or_default())
}

/// The member of a JSON object as a text, at a pointer.
pub fn text_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_token_is_found_whatever_its_checksum() {
        let (id, other) = ("0".repeat(32), "1".repeat(32));
        let token = with_right_checksum(&format!("sst_{id}{}", "a".repeat(SECRET)));
        assert_eq!(id_of(&token), Some(id.as_str()));
        let wrong = format!("ssk_{}", token.replacen(&id, &other, 1).get(PREFIX..).unwrap_or_default());
        assert_eq!(id_of(&wrong), Some(other.as_str()));
        assert_eq!(id_of(&with_right_checksum(&wrong)), Some(other.as_str()));
        assert_ne!(with_right_checksum(&wrong), wrong);
        for none in ["sst_", "guess", &token.to_uppercase(), &token[..60], &token.replacen("sst_", "xst_", 1)]
        {
            assert_eq!(id_of(none), None, "{none}");
        }
    }

    #[test]
    fn bytes_come_back_equal_and_a_longer_place_begins_with_the_shorter_one() {
        assert_eq!(decode(&encode(b"{\"b\":1}")), b"{\"b\":1}");
        let longer = page_token_of(&encode(b"{}"), 640);
        assert_eq!(longer.len(), 1024);
        assert!(decode(&longer).starts_with(b"{}   "));
    }
}
