//! Credentials: how a token is written, read and proved.
//!
//! A token is a prefix that tells its kind, the ID under which it is found, 256 random bits, and a checksum
//! that lets a mistyped or cut one be refused without asking the store. Prefix and checksum also let scanners
//! find leaked ones in public text.

use std::fmt;

use secrecy::{ExposeSecret, SecretBox, SecretString};
use session_api::base32;
use session_api::{ID_BYTES, Id};
use session_store::SecretHash;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;


/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One session; the token's ID is the session's.
    Session,
    /// A service; the token's ID is the key's.
    ApiKey,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Session, Self::ApiKey];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "sst_",
            Self::ApiKey => "ssk_",
        }
    }
}

/// A token that is well-formed; whether it is valid is for the store's hash to say.
pub struct Credential {
    /// What it stands for.
    pub kind: Kind,
    /// Under which it is found.
    pub id: Id,
    secret: SecretBox<[u8; 32]>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} token of {}", self.kind, self.id)
    }
}

const ID_CHARS: usize = base32::encoded_len(ID_BYTES);
const SECRET_CHARS: usize = base32::encoded_len(32);
const CHECKSUM_CHARS: usize = base32::encoded_len(4);

impl Credential {
    /// A credential of these parts.
    pub const fn new(kind: Kind, id: Id, secret: SecretBox<[u8; 32]>) -> Self {
        Self { kind, id, secret }
    }

    /// Reads a token; `None` if it is not exactly one, its checksum included.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let kind = Kind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        let (body, checksum) = text.split_at_checked(text.len().checked_sub(CHECKSUM_CHARS)?)?;
        let (id, secret) = body.get(kind.prefix().len()..)?.split_at_checked(ID_CHARS)?;
        let bytes = SecretBox::new(Box::new(base32::decode::<32>(secret)?));
        let credential = Self::new(kind, base32::decode(id).map(Id::from_bytes)?, bytes);
        let whole = base32::decode::<4>(checksum)? == checksum_of(body);
        whole.then_some(credential)
    }

    /// The token as its holder gets it.
    pub fn reveal(&self) -> SecretString {
        // Of its final size from the start, so that no copy is left behind in memory.
        let mut text = String::with_capacity(4 + ID_CHARS + SECRET_CHARS + CHECKSUM_CHARS);
        text.push_str(self.kind.prefix());
        base32::encode_into(self.id.as_bytes(), &mut text);
        base32::encode_into(self.secret.expose_secret(), &mut text);
        let checksum = checksum_of(&text);
        base32::encode_into(&checksum, &mut text);
        SecretString::from(text)
    }

    /// What is kept of the secret.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.secret.expose_secret()).into())
    }

    /// Whether the secret is the one of which `kept` was kept. Takes the same time whatever is kept, nothing
    /// included, so that the time does not tell whether the ID is known.
    pub fn proves(&self, kept: Option<SecretHash>) -> bool {
        let known = kept.is_some();
        let kept = kept.unwrap_or(SecretHash([0; 32]));
        bool::from(self.hash().0.ct_eq(&kept.0)) && known
    }
}

fn checksum_of(body: &str) -> [u8; 4] {
    crc32fast::hash(body.as_bytes()).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use session_api::AUTHTOKEN_CHARS;

    use super::*;

    fn credential(kind: Kind, id: [u8; 20], secret: [u8; 32]) -> Credential {
        Credential::new(kind, Id::from_bytes(id), SecretBox::new(Box::new(secret)))
    }

    proptest! {
        #[test]
        fn a_token_comes_back_equal_and_proves_only_its_own_hash(id: [u8; 20], secret: [u8; 32], other: [u8; 32]) {
            for kind in Kind::ALL {
                let token = credential(kind, id, secret);
                let text = token.reveal();
                prop_assert_eq!(text.expose_secret().len(), AUTHTOKEN_CHARS);
                let read = Credential::parse(text.expose_secret().as_bytes()).unwrap();
                prop_assert_eq!((read.kind, read.id), (kind, token.id));
                prop_assert!(read.proves(Some(token.hash())));
                prop_assert!(!read.proves(None));
                prop_assert_eq!(read.proves(Some(credential(kind, id, other).hash())), secret == other);
            }
        }

        #[test]
        fn a_token_with_one_character_changed_is_refused(secret: [u8; 32], place in 0..AUTHTOKEN_CHARS, new in "[0-9a-z_]") {
            let text = credential(Kind::Session, [3; 20], secret).reveal();
            let mut changed = text.expose_secret().to_owned();
            prop_assume!(changed[place..=place] != new);
            changed.replace_range(place..=place, &new);
            prop_assert!(Credential::parse(changed.as_bytes()).is_none());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, text in "ss[tk]_\\PC{0,120}") {
            let _ = Credential::parse(&bytes);
            let _ = Credential::parse(text.as_bytes());
        }
    }

    #[test]
    fn a_token_that_is_cut_or_longer_is_refused() {
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
    }
}
