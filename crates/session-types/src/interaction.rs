//! An interaction: one use of a session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::RemoteIp;
use crate::text::UserAgent;
use crate::timestamp::Timestamp;

/// A snapshot of the details of a particular device
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InteractionDetails {
    /// The time of the interaction, by the server's clock
    pub at: Timestamp,
    /// The address that it came from
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<RemoteIp>,
    /// The `User-Agent` of the browser or program
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<UserAgent>,
}
