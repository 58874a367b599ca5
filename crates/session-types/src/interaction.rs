//! An interaction: one use of a session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::RemoteIp;
use crate::not_null;
use crate::text::UserAgent;
use crate::timestamp::Timestamp;

/// A snapshot of the details of a particular device
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InteractionDetails {
    /// The time of the interaction, by the server's clock
    pub at: Timestamp,
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RemoteIp")]
    /// The address that it came from
    pub remote_ip: Option<RemoteIp>,
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UserAgent")]
    /// The `User-Agent` of the browser or program
    pub user_agent: Option<UserAgent>,
}
