//! The bodies that go over the wire.
//!
//! A property without a value is left out of a response. A request with an unknown property or a `null` is refused. The
//! bodies of requests that may be repeated serialize, so that equal ones can be recognized.

use std::fmt;

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::{InstanceType, Metadata, NumberValidation, Schema, SchemaObject};
use serde::{Deserialize, Serialize};
use session_types::{
    AccountId, Authtoken, DeviceId, DomainId, ErrorCode, ErrorStatus, IdempotencyKey, IdentityId,
    InteractionDetails, PoolId, RemoteIp, SessionId, SessionKind, SessionStatus, SessionType, Title,
    UserAgent, base32, schema,
};

/// A session, and what the caller may do with it now
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Session {
    /// What this caller may do with the session
    pub actions: AvailableActions,
    /// The session itself
    pub summary: SessionSummary,
}

/// What the caller may do with the session now
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Session_AvailableActions")]
pub struct AvailableActions {
    /// Whether this caller's revoke of this session would now be accepted
    pub revoke: bool,
}

/// The properties of a session
///
/// Also the line format of `sessiond import` and `sessiond export`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Session_Summary")]
pub struct SessionSummary {
    /// The account; left out until an identity has authenticated
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// The identity that authenticated last; left out until one has
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticated_identity_id: Option<IdentityId>,
    /// The device; left out until known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// The domain of the pool
    pub domain_id: DomainId,
    /// The first interaction; left out until there was one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<InteractionDetails>,
    /// The session's own ID
    pub id: SessionId,
    /// The last interaction; left out until there was one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<InteractionDetails>,
    /// The pool that the session belongs to
    pub pool_id: PoolId,
    /// What uses the session
    pub session_type: SessionType,
    /// The state of the session
    pub status: SessionStatus,
    /// A name for people; left out until known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// Always `session`
    #[serde(rename = "type")]
    pub kind: SessionKind,
}

/// An interaction that the caller reports; the server adds the time
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Session_Interaction")]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// The address that it came from
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<RemoteIp>,
    /// The `User-Agent` of the browser or program
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<UserAgent>,
}

/// A session to create
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Session_Create")]
#[serde(deny_unknown_fields)]
pub struct SessionCreate {
    /// The account, if an identity has already authenticated; together with `authenticated_identity_id` or not at all
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// The identity that has already authenticated; together with `account_id` or not at all
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticated_identity_id: Option<IdentityId>,
    /// The device, if known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// The first interaction, if the session starts with one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<Interaction>,
    /// The pool; may be left out when the API key is bound to one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_id: Option<PoolId>,
    /// What uses the session
    pub session_type: SessionType,
    /// A name for people
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
}

impl SessionCreate {
    /// A session of this type, without anything that is optional.
    pub const fn new(session_type: SessionType) -> Self {
        Self {
            account_id: None,
            authenticated_identity_id: None,
            device_id: None,
            interaction: None,
            pool_id: None,
            session_type,
            title: None,
        }
    }
}

/// The identity that authenticated
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Session_Authenticate")]
#[serde(deny_unknown_fields)]
pub struct SessionAuthenticate {
    /// The account; for a session that is already authenticated, the same one
    pub account_id: AccountId,
    /// The identity
    pub authenticated_identity_id: IdentityId,
    /// The interaction in which it authenticated
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<Interaction>,
}

/// The headers of an operation that its caller may repeat
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct RepeatableHeaders {
    /// Lets the caller send the request again if it got no response: within 24 hours, the same key with the same body
    /// changes nothing more and returns the session as it is then, with the same token. That token is not valid any
    /// more if the session has ended or was authenticated again. With another body the key is refused with
    /// `invalid_value`. A request that was refused does not use up its key. A key counts for one API key, operation and
    /// session; choose a new one, such as a UUID, for each request.
    #[serde(rename = "Idempotency-Key")]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// A session and its token
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session_WithAuthtoken")]
pub struct SessionWithAuthtoken {
    /// The token, which is shown only once
    pub authtoken: Authtoken,
    /// The session
    pub session: Session,
}

/// Sessions, newest first
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Session_Page")]
pub struct SessionPage {
    /// The sessions
    pub items: Vec<Session>,
    /// The `page_token` of the next page; left out on the last one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page: Option<PageToken>,
}

/// The query of a list: filters, or the position of the next page
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionList {
    /// Only sessions of this account
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// Only sessions in which this identity authenticated last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticated_identity_id: Option<IdentityId>,
    /// Only sessions of this device
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// Only sessions of this pool
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_id: Option<PoolId>,
    /// Only sessions with this status
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SessionStatus>,
    /// Only sessions of this type
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_type: Option<SessionType>,
    /// The maximum number of sessions on a page; 100 by default
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageLimit>,
    /// The `next_page` of the previous page; it contains the filters, so only `limit` may be combined with it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<PageToken>,
}

/// The default number of items on a page, as in dropshot.
pub const PAGE_LIMIT_DEFAULT: u32 = 100;

/// The greatest number of items on a page: about 700 KiB of sessions, which one response may take.
pub const PAGE_LIMIT_MAX: u32 = 1_000;

/// The maximum number of items on a page
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PageLimit(u32);

impl PageLimit {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(PAGE_LIMIT_DEFAULT)
    }
}

impl From<PageLimit> for u32 {
    fn from(limit: PageLimit) -> Self {
        limit.0
    }
}

impl TryFrom<u32> for PageLimit {
    type Error = String;

    fn try_from(limit: u32) -> Result<Self, String> {
        if (1..=PAGE_LIMIT_MAX).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(format!("it must be a number from 1 to {PAGE_LIMIT_MAX}"))
        }
    }
}

impl JsonSchema for PageLimit {
    fn schema_name() -> String {
        "Page_Limit".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        SchemaObject {
            metadata: Some(Box::new(Metadata {
                default: Some(PAGE_LIMIT_DEFAULT.into()),
                ..Metadata::default()
            })),
            instance_type: Some(InstanceType::Integer.into()),
            format: Some("uint32".to_owned()),
            number: Some(Box::new(NumberValidation {
                minimum: Some(1.0),
                maximum: Some(PAGE_LIMIT_MAX.into()),
                ..NumberValidation::default()
            })),
            ..SchemaObject::default()
        }
        .into()
    }
}

/// The greatest length of a page token in characters: four IDs and two words of filters, with room to grow.
pub const PAGE_TOKEN_MAX_CHARS: usize = 1_024;

/// A position in a list, returned as `next_page`. Its content is up to the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageToken(Vec<u8>);

impl PageToken {
    /// A token with this content.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The content.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(base32::encoded_len(self.0.len()));
        base32::encode_into(&self.0, &mut text);
        f.write_str(&text)
    }
}

impl From<PageToken> for String {
    fn from(token: PageToken) -> Self {
        token.to_string()
    }
}

impl TryFrom<String> for PageToken {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let known = !text.is_empty() && text.len() <= PAGE_TOKEN_MAX_CHARS;
        let bytes = known.then(|| base32::decode_vec(&text)).flatten();
        bytes.map(Self).ok_or("it must be the `next_page` of a response, unchanged")
    }
}

impl JsonSchema for PageToken {
    fn schema_name() -> String {
        "Page_Token".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::string("", (1, PAGE_TOKEN_MAX_CHARS), "^[0-9a-hjkmnp-tv-z]*$", "").into()
    }
}

/// Which sessions to revoke: exactly one of account, identity, device and pool
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The sessions of this account
    pub account_id: Option<AccountId>,
    /// The sessions in which this identity authenticated last
    pub authenticated_identity_id: Option<IdentityId>,
    /// The sessions of this device
    pub device_id: Option<DeviceId>,
    /// A session that is not revoked
    pub except_session_id: Option<SessionId>,
    /// The sessions of this pool
    pub pool_id: Option<PoolId>,
}

/// The result of a revocation
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Revocation_Result")]
pub struct RevocationResult {
    /// The number of live sessions that were revoked
    pub revoked: u64,
}

/// The body of every error of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// The kind of the error.
    pub code: ErrorCode,
    /// For people: what is wrong, where, and how to fix it.
    pub message: String,
    /// Always `error`.
    pub status: ErrorStatus,
}

impl ErrorBody {
    /// The body of an error with this code and message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: ErrorStatus::Error }
    }
}
