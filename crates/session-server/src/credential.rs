//! Credentials: the format of a token, and its verification.
//!
//! A token is a prefix that names its kind, the ID of its session or key, 256 random bits, and a checksum, so that a
//! mistyped or truncated token is refused without a read. Prefix and checksum also let secret scanners find leaked tokens.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use session_store::{IdempotencyRecord, SecretHash};
use session_types::{API_KEY_PREFIX, ID_BYTES, Id, SESSION_TOKEN_PREFIX, base32};
use sha2::{Digest, Sha256};
use strum::VariantArray;
use subtle::{Choice, ConstantTimeEq};

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Kind {
    /// The token of one session; it contains the session's ID.
    Session,
    /// The API key of a service; it contains the key's ID.
    ApiKey,
}

impl Kind {
    /// What tokens of this kind begin with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => SESSION_TOKEN_PREFIX,
            Self::ApiKey => API_KEY_PREFIX,
        }
    }
}

/// How many replaced tokens of a session are recognised as such. A session steps up a few times; an older token is
/// refused like an unknown one.
pub(crate) const REPLACED_TOKENS_MAX: usize = 8;

/// A well-formed token, which is valid if its secret matches the stored hash.
pub struct Credential {
    /// Its kind.
    pub kind: Kind,
    /// The ID of its session or key.
    pub id: Id,
    secret: SecretBox<[u8; 32]>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} token of {}", self.kind, self.id)
    }
}

/// Separates the secrets of [`Credential::token_of`] from anything else that may be made from the same secret one day.
const TOKEN_OF_RECORD: &[u8] = b"sessiond 1: the token in the response to a request with an idempotency key";

const ID_CHARS: usize = base32::encoded_len(ID_BYTES);
const SECRET_CHARS: usize = base32::encoded_len(32);
const CHECKSUM_CHARS: usize = base32::encoded_len(4);

impl Credential {
    /// A credential with these parts.
    pub const fn new(kind: Kind, id: Id, secret: SecretBox<[u8; 32]>) -> Self {
        Self { kind, id, secret }
    }

    /// Parses a token; `None` if the format or the checksum is wrong.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let kind = Kind::VARIANTS.iter().copied().find(|kind| text.starts_with(kind.prefix()))?;
        let (body, checksum) = text.split_at_checked(text.len().checked_sub(CHECKSUM_CHARS)?)?;
        let (id, secret) = body.get(kind.prefix().len()..)?.split_at_checked(ID_CHARS)?;
        let bytes = SecretBox::new(Box::new(base32::decode::<32>(secret)?));
        let credential = Self::new(kind, base32::decode(id).map(Id::from_bytes)?, bytes);
        (base32::decode::<4>(checksum)? == checksum_of(body)).then_some(credential)
    }

    /// Returns the token in clear text, for its holder only.
    pub fn reveal(&self) -> SecretString {
        // With its final capacity, so that no copy is left behind in memory.
        let mut text = String::with_capacity(4 + ID_CHARS + SECRET_CHARS + CHECKSUM_CHARS);
        text.push_str(self.kind.prefix());
        base32::encode_into(self.id.as_bytes(), &mut text);
        base32::encode_into(self.secret.expose_secret(), &mut text);
        let checksum = checksum_of(&text);
        base32::encode_into(&checksum, &mut text);
        SecretString::from(text)
    }

    /// Returns the hash of the secret, which is all that is stored.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.secret.expose_secret()).into())
    }

    /// Returns the token in the response to the request of this record, whose caller has this API key: always the same one.
    ///
    /// Its secret is the HMAC-SHA-256 (RFC 2104) of the salt and the record's ID under this secret. So it is as good as a
    /// random one to everybody who does not have this secret, also with the record, and cannot be made without the salt.
    pub(crate) fn token_of(&self, record: &IdempotencyRecord) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret())
            .unwrap_or_else(|_| unreachable!("a key of HMAC may have any length"));
        // Each part but the first, which is always the same, has a fixed length.
        for part in [TOKEN_OF_RECORD, &record.salt, &record.id.0] {
            mac.update(part);
        }
        let secret = SecretBox::new(Box::new(mac.finalize().into_bytes().into()));
        Self::new(Kind::Session, record.session_id.0, secret)
    }
}

/// Returns for each stored hash whether it is the hash of the secret.
///
/// Compares it `N` times, whatever is stored, `None` too. So the time reveals neither whether the ID is known nor how close
/// the secret is.
pub fn matches<const N: usize>(hash: SecretHash, stored: [Option<SecretHash>; N]) -> [bool; N] {
    let hash = words(hash);
    stored.map(|stored| {
        let is_known = Choice::from(u8::from(stored.is_some()));
        let stored = words(stored.unwrap_or(SecretHash([0; 32])));
        bool::from(hash.ct_eq(&stored) & is_known)
    })
}

/// Returns the hash in words, which are compared in an eighth of the steps of its bytes.
fn words(hash: SecretHash) -> [u64; 4] {
    let (words, _) = hash.0.as_chunks::<8>();
    std::array::from_fn(|place| u64::from_ne_bytes(words[place]))
}

fn checksum_of(body: &str) -> [u8; 4] {
    crc32fast::hash(body.as_bytes()).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use session_types::AUTHTOKEN_CHARS;

    use super::*;
    use crate::near_miss::{cases, changed_and_extended};

    fn credential(kind: Kind, id: [u8; 20], secret: [u8; 32]) -> Credential {
        Credential::new(kind, Id::from_bytes(id), SecretBox::new(Box::new(secret)))
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn a_token_round_trips_and_matches_only_its_own_hash(id: [u8; 20], secret: [u8; 32], other: [u8; 32]) {
            for kind in Kind::VARIANTS.iter().copied() {
                let token = credential(kind, id, secret);
                let text = token.reveal();
                prop_assert_eq!(text.expose_secret().len(), AUTHTOKEN_CHARS);
                let read = Credential::parse(text.expose_secret().as_bytes()).unwrap();
                prop_assert_eq!((read.kind, read.id), (kind, token.id));
                let of_other = credential(kind, id, other).hash();
                let matches = matches(read.hash(), [Some(token.hash()), None, Some(of_other)]);
                prop_assert_eq!(matches, [true, false, secret == other]);
            }
        }

        #[test]
        fn a_token_with_one_byte_changed_added_or_removed_is_refused(
            (id, secret) in any::<([u8; 20], [u8; 32])>(),
            place in 0..AUTHTOKEN_CHARS,
            new in prop_oneof!["[0-9a-z_]".prop_map(|text| text.as_bytes()[0]), any::<u8>()],
        ) {
            for kind in Kind::VARIANTS.iter().copied() {
                let text = credential(kind, id, secret).reveal();
                let text = text.expose_secret().as_bytes();
                let [changed, extended] = changed_and_extended(text, place, &[new]);
                prop_assert_eq!(Credential::parse(&changed).is_some(), changed == text);
                prop_assert!(Credential::parse(&extended).is_none());
                prop_assert!(Credential::parse(&[text, &[new]].concat()).is_none());
                prop_assert!(Credential::parse(&[&text[..place], &text[place + 1..]].concat()).is_none());
                prop_assert!(Credential::parse(&text[..place]).is_none());
                prop_assert!(Credential::parse(&text[place + 1..]).is_none());
            }
        }

        #[test]
        fn any_bytes_are_refused_or_written_the_same(
            bytes: Vec<u8>,
            text in "ss[tk]_\\PC{0,120}",
            body in "ss[tk]_[0-9a-hjkmnp-tv-z]{84}",
        ) {
            // With a valid checksum, so that the parser reaches the padding of the secret.
            let mut valid = body.clone();
            base32::encode_into(&checksum_of(&body), &mut valid);
            for bytes in [&bytes[..], text.as_bytes(), valid.as_bytes()] {
                if let Some(read) = Credential::parse(bytes) {
                    let written = read.reveal();
                    prop_assert_eq!(written.expose_secret().as_bytes(), bytes);
                }
            }
        }
    }

    #[test]
    fn a_token_that_is_truncated_or_longer_is_refused() {
        let text = credential(Kind::ApiKey, [3; 20], [4; 32]).reveal();
        let text = text.expose_secret();
        for cut in 0..text.len() {
            assert!(Credential::parse(&text.as_bytes()[..cut]).is_none(), "{cut}");
        }
        assert!(Credential::parse(format!("{text}0").as_bytes()).is_none());
    }

    #[test]
    fn printing_a_credential_shows_no_secret() {
        let token = credential(Kind::Session, [3; 20], [4; 32]);
        let text = token.reveal();
        let printed = format!("{token:?} {:?} {text:?}", token.hash());
        assert!(!printed.contains(&text.expose_secret()[36..88]));
        assert!(!printed.contains("[4,"));
        assert!(printed.starts_with(&format!("Session token of {}", token.id)), "{printed}");
    }
}
