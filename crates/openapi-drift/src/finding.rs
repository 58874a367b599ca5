//! What a comparison finds.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::position::Position;

/// What a difference affects, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// What goes over the wire.
    Wire,
    /// The code that generators write from the document: names, types, checks.
    GeneratedCode,
    /// What people read.
    Documentation,
}

impl fmt::Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Wire => "wire",
            Self::GeneratedCode => "generated code",
            Self::Documentation => "documentation",
        })
    }
}

/// Who breaks when one side follows the revision and the other still the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Breaks {
    /// A client of the base, against a server of the revision.
    pub old_clients: bool,
    /// A server of the base, asked by a client of the revision.
    pub old_servers: bool,
}

impl Breaks {
    /// Nobody.
    pub const NEITHER: Self = Self { old_clients: false, old_servers: false };
    /// Old clients alone.
    pub const CLIENTS: Self = Self { old_clients: true, old_servers: false };
    /// Old servers alone.
    pub const SERVERS: Self = Self { old_clients: false, old_servers: true };
    /// Both.
    pub const BOTH: Self = Self { old_clients: true, old_servers: true };

    /// Whoever breaks in one or the other.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            old_clients: self.old_clients || other.old_clients,
            old_servers: self.old_servers || other.old_servers,
        }
    }
}

impl fmt::Display for Breaks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match (self.old_clients, self.old_servers) {
            (true, true) => "both old clients and old servers break",
            (true, false) => "old clients break",
            (false, true) => "old servers break",
            (false, false) => "neither old clients nor old servers break",
        })
    }
}

/// A place of a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// JSON pointer (RFC 6901), which resolves: of what is absent, to where it would stand.
    pub pointer: String,
    /// Its position in the text.
    #[serde(flatten)]
    pub position: Position,
}

/// A difference between two documents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The stable ID of the rule that found it: `schema-max-length-decreased`.
    pub rule: &'static str,
    /// What it affects.
    pub effect: Effect,
    /// Who breaks through what clients send, if it concerns that.
    pub request: Option<Breaks>,
    /// Who breaks through what servers send, if it concerns that.
    pub response: Option<Breaks>,
    /// Whether the base announced it (`deprecated`, and an `x-sunset` that has passed), so that nobody may be surprised.
    pub announced: bool,
    /// The place in the base.
    pub base: Location,
    /// The place in the revision.
    pub revision: Location,
    /// What the base says there.
    pub before: Option<Value>,
    /// What the revision says there.
    pub after: Option<Value>,
    /// The place as a reader of the API knows it, the same however the document is laid out: list members go by
    /// their names.
    pub canonical: String,
    /// One sentence: where, what, from what to what.
    pub message: String,
}

impl Finding {
    /// Who breaks, taking both ways together.
    pub fn breaks(&self) -> Breaks {
        self.request.unwrap_or_default().or(self.response.unwrap_or_default())
    }

    /// Whether a client that works today stops working over the wire without having been told.
    pub fn is_breaking(&self) -> bool {
        self.effect == Effect::Wire && self.breaks().old_clients && !self.announced
    }

    /// What the finding is known by from release to release: rule, canonical place, before and after, hashed
    /// (SHA-256, the first 64 bits in hexadecimal).
    pub fn fingerprint(&self) -> String {
        let value = |value: &Option<Value>| value.as_ref().map_or_else(String::new, Value::to_string);
        let mut hash = Sha256::new();
        for part in [self.rule, &self.canonical, &value(&self.before), &value(&self.after)] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let first = hash.finalize().into_iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(byte));
        format!("{first:016x}")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} [{}; {}", self.message, self.rule, self.effect)?;
        if self.request.is_some() || self.response.is_some() {
            write!(formatter, "; {}", self.breaks())?;
        }
        if self.announced {
            formatter.write_str("; announced")?;
        }
        formatter.write_str("]")
    }
}
