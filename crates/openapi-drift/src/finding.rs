//! A difference between two documents, and who breaks by it.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::position::Position;

/// What a difference affects, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "lowercase")]
pub enum Effect {
    /// Requests and responses.
    Wire,
    /// The code that generators write from the document: names, types, checks.
    #[strum(to_string = "generated code")]
    GeneratedCode,
    /// Texts for people.
    Documentation,
}

/// Who breaks if one side implements the revision and the other still the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Breaks {
    /// A client of the base that calls a server of the revision.
    pub old_clients: bool,
    /// A server of the base that is called by a client of the revision.
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

    /// Those who break by one or the other.
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

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// JSON pointer (RFC 6901) to a value that the document has; for an absent value, to the object that lacks it.
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
    /// Who breaks by the requests, if it concerns them.
    pub request: Option<Breaks>,
    /// Who breaks by the responses, if it concerns them.
    pub response: Option<Breaks>,
    /// Whether the base announced it with `deprecated` and an `x-sunset` that has passed.
    pub announced: bool,
    /// The place in the base.
    pub base: Location,
    /// The place in the revision.
    pub revision: Location,
    /// The value in the base.
    pub before: Option<Value>,
    /// The value in the revision.
    pub after: Option<Value>,
    /// The place in a form that does not depend on the order of lists: their items go by their names.
    pub canonical: String,
    /// One sentence: the place, and what changed from what to what.
    pub message: String,
}

impl Finding {
    /// Who breaks by requests or responses.
    pub fn breaks(&self) -> Breaks {
        self.request.unwrap_or_default().or(self.response.unwrap_or_default())
    }

    /// Whether existing clients break on the wire by a change that was not announced.
    pub fn is_breaking(&self) -> bool {
        self.effect == Effect::Wire && self.breaks().old_clients && !self.announced
    }

    /// The identity of the finding from release to release: a hash of rule, canonical place, before and after (SHA-256,
    /// the first 64 bits in hexadecimal).
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
