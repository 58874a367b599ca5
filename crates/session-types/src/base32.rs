//! Crockford's base32 in lower case and without its aliases: one text for each value.
//!
//! A codec library would need the alphabet, the padding and a canonical check configured; the two loops below are shorter.

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The number of characters that encode `bytes` bytes.
pub const fn encoded_len(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// Appends `bytes` as base32 to `text`; the last character is padded with zero bits.
pub fn encode_into(bytes: &[u8], text: &mut String) {
    let mut buffer = 0_u32;
    let mut bits = 0;
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(buffer >> bits) as usize & 31]));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(buffer << (5 - bits)) as usize & 31]));
    }
}

/// Decodes exactly `N` bytes; `None` for another length, an invalid character or padding that is not zero.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != encoded_len(N) {
        return None;
    }
    let mut bytes = [0; N];
    decode_into(text, &mut bytes)?;
    Some(bytes)
}

/// Decodes as many bytes as the text has; `None` as for [`decode`].
pub fn decode_vec(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() * 5 / 8];
    // A longer text than the bytes need would be a second text for the same value.
    if text.len() != encoded_len(bytes.len()) {
        return None;
    }
    decode_into(text, &mut bytes)?;
    Some(bytes)
}

fn decode_into(text: &str, bytes: &mut [u8]) -> Option<()> {
    let mut at = 0;
    let mut buffer = 0_u32;
    let mut bits = 0;
    for character in text.bytes() {
        buffer = (buffer << 5) | u32::from(value_of(character)?);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *bytes.get_mut(at)? = u8::try_from(buffer >> bits).ok()?;
            at += 1;
            buffer &= (1 << bits) - 1;
        }
    }
    (buffer == 0).then_some(())
}

/// Returns the value of a character; `None` for one that is not in the alphabet.
pub(crate) const fn value_of(character: u8) -> Option<u8> {
    let value = VALUES[character as usize];
    if value < 32 { Some(value) } else { None }
}

/// The value of each byte, 255 for those that are not in the alphabet.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 32 {
        values[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(bytes: &[u8]) -> String {
        let mut text = String::new();
        encode_into(bytes, &mut text);
        text
    }

    proptest! {
        #[test]
        fn bytes_round_trip(bytes in any::<[u8; 32]>(), four in any::<[u8; 4]>()) {
            prop_assert_eq!(decode::<32>(&encode(&bytes)), Some(bytes));
            prop_assert_eq!(decode::<4>(&encode(&four)), Some(four));
        }

        #[test]
        fn bytes_of_any_length_round_trip(bytes: Vec<u8>, text in "[0-9a-z]{0,40}") {
            prop_assert_eq!(decode_vec(&encode(&bytes)), Some(bytes));
            if let Some(bytes) = decode_vec(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }

        #[test]
        fn a_text_decodes_to_one_value_or_none(text in "[0-9a-z]{52}") {
            if let Some(bytes) = decode::<32>(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }

    #[test]
    fn padding_that_is_not_zero_is_refused() {
        assert_eq!(decode::<4>("0000000"), Some([0; 4]));
        assert_eq!(decode::<4>("0000001"), None);
    }
}
