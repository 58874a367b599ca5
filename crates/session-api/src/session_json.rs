//! The JSON of a session, put together from a summary that was serialized before.
//!
//! A session is fetched far more often than it changes, so its summary is serialized once for many responses. Nothing but a
//! [`SessionSummary`] becomes a [`SummaryJson`], and nothing else a [`SessionJson`], so that such a response always has the
//! schema of [`Session`](crate::Session).

use std::ops::Range;

use session_types::InteractionDetails;

use crate::types::{AvailableActions, SessionSummary};

/// The JSON of a [`SessionSummary`].
#[derive(Clone, Debug)]
pub struct SummaryJson {
    text: Box<str>,
    /// The place of the property `last_seen` with its comma; where it would be, if there is none.
    last_seen: Range<usize>,
}

impl SummaryJson {
    /// Serializes a summary. Fails only if that does.
    pub fn new(summary: &SessionSummary) -> Result<Self, serde_json::Error> {
        let text = serde_json::to_string(summary)?;
        // No value has these texts: in a string, a quotation mark follows a backslash, and no other object has these names.
        let end = text.find("\"pool_id\":").unwrap_or(text.len());
        let start = text.find("\"last_seen\":").unwrap_or(end);
        Ok(Self { text: text.into(), last_seen: start..end })
    }

    /// How much memory the text takes, in bytes.
    pub const fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// The JSON of a [`Session`](crate::Session).
#[derive(Debug)]
pub struct SessionJson(Vec<u8>);

const HEAD: [&str; 2] =
    ["{\"actions\":{\"revoke\":false},\"summary\":", "{\"actions\":{\"revoke\":true},\"summary\":"];

impl SessionJson {
    /// A session with this summary.
    pub fn new(actions: AvailableActions, summary: &SummaryJson) -> Self {
        Self::of_parts(actions, &[&summary.text])
    }

    /// A session with this summary, but this last interaction. Fails only if that cannot be serialized.
    pub fn with_last_seen(
        actions: AvailableActions,
        summary: &SummaryJson,
        last_seen: &InteractionDetails,
    ) -> Result<Self, serde_json::Error> {
        let (before, after) =
            (&summary.text[..summary.last_seen.start], &summary.text[summary.last_seen.end..]);
        let last_seen = serde_json::to_string(last_seen)?;
        Ok(Self::of_parts(actions, &[before, "\"last_seen\":", &last_seen, ",", after]))
    }

    /// The bytes of the JSON.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn of_parts(AvailableActions { revoke }: AvailableActions, summary: &[&str]) -> Self {
        let head = HEAD[usize::from(revoke)];
        let len = head.len() + summary.iter().map(|part| part.len()).sum::<usize>() + 1;
        // With its final capacity, so that it becomes the body without another copy.
        let mut json = Vec::with_capacity(len);
        json.extend_from_slice(head.as_bytes());
        for part in summary {
            json.extend_from_slice(part.as_bytes());
        }
        json.push(b'}');
        Self(json)
    }
}
