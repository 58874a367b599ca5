//! The bodies that go over the wire.
//!
//! An absent value is left out of an answer, never `null`; a request is refused when it has a property
//! that is not listed here, or a `null`.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::{
    InstanceType, Metadata, NumberValidation, Schema, SchemaObject, StringValidation, SubschemaValidation,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base32;
use crate::id::{AccountId, DeviceId, DomainId, IdentityId, PoolId, SessionId};
use crate::text::{Title, UserAgent};
use crate::timestamp::Timestamp;

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

/// What is known of a session
///
/// It is also the line format of `sessiond import` and `sessiond export`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Session_Summary")]
pub struct SessionSummary {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AccountId")]
    /// The account of the identity that authenticated; left out before one has
    pub account_id: Option<AccountId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "IdentityId")]
    /// The identity that authenticated; left out before one has
    pub authenticated_identity_id: Option<IdentityId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeviceId")]
    /// The device; left out until known
    pub device_id: Option<DeviceId>,
    /// The domain of the pool
    pub domain_id: DomainId,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "one_of_interaction_details")]
    /// The first interaction; left out before there was one
    pub first_seen: Option<InteractionDetails>,
    /// The session's own ID
    pub id: SessionId,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "one_of_interaction_details")]
    /// The last interaction; left out before there was one
    pub last_seen: Option<InteractionDetails>,
    /// The pool that the session belongs to
    pub pool_id: PoolId,
    /// What the session is used from
    pub session_type: SessionType,
    /// Where the session is in its life
    pub status: SessionStatus,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Title")]
    /// A name for people to tell the session by; left out until known
    pub title: Option<Title>,
    #[serde(rename = "type")]
    /// Always `session`
    pub kind: SessionKind,
}

/// A snapshot of the details of a particular device
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InteractionDetails {
    /// When it was, by the server's clock
    pub at: Timestamp,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RemoteIp")]
    /// The address that it came from
    pub remote_ip: Option<RemoteIp>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UserAgent")]
    /// What the browser or program said of itself
    pub user_agent: Option<UserAgent>,
}

/// An interaction that the caller reports; the server adds the time
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Session_Interaction")]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RemoteIp")]
    /// The address that it came from
    pub remote_ip: Option<RemoteIp>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UserAgent")]
    /// What the browser or program said of itself
    pub user_agent: Option<UserAgent>,
}

/// A session to create
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Session_Create")]
#[serde(deny_unknown_fields)]
pub struct SessionCreate {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AccountId")]
    /// The account, if an identity has authenticated already; together with `authenticated_identity_id` or not at all
    pub account_id: Option<AccountId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "IdentityId")]
    /// The identity that has authenticated already; together with `account_id` or not at all
    pub authenticated_identity_id: Option<IdentityId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeviceId")]
    /// The device, if known
    pub device_id: Option<DeviceId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Interaction")]
    /// The first interaction, if the session begins with one
    pub interaction: Option<Interaction>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PoolId")]
    /// The pool; may be left out when the API key is bound to one
    pub pool_id: Option<PoolId>,
    /// What the session is used from
    pub session_type: SessionType,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Title")]
    /// A name for people to tell the session by
    pub title: Option<Title>,
}

/// Who authenticated
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Session_Authenticate")]
#[serde(deny_unknown_fields)]
pub struct SessionAuthenticate {
    /// The account; on a session that is authenticated already, the same one
    pub account_id: AccountId,
    /// The identity that proved itself
    pub authenticated_identity_id: IdentityId,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Interaction")]
    /// The interaction that this was part of
    pub interaction: Option<Interaction>,
}

/// A session and the token that stands for it from now on
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session_WithAuthtoken")]
pub struct SessionWithAuthtoken {
    /// The new token; it is shown this once
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
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    #[schemars(default)]
    /// The `page_token` of the next page; left out on the last one
    pub next_page: Option<String>,
}

/// The query of a list: filters, or the place where the page before ended
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionList {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AccountId")]
    /// Only sessions of this account
    pub account_id: Option<AccountId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "IdentityId")]
    /// Only sessions in which this identity authenticated last
    pub authenticated_identity_id: Option<IdentityId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeviceId")]
    /// Only sessions of this device
    pub device_id: Option<DeviceId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PoolId")]
    /// Only sessions of this pool
    pub pool_id: Option<PoolId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SessionStatus")]
    /// Only sessions in this state
    pub status: Option<SessionStatus>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SessionType")]
    /// Only sessions of this type
    pub session_type: Option<SessionType>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PageLimit")]
    /// How many sessions a page has at most; 100 unless told otherwise
    pub limit: Option<PageLimit>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PageToken")]
    /// The `next_page` of the page before; it carries the filters, so only `limit` may come with it
    pub page_token: Option<PageToken>,
}

/// How many items a page has when the caller does not say; that of dropshot.
pub const PAGE_LIMIT_DEFAULT: u32 = 100;

/// How many items a page has at most: about 700 KiB of sessions, which one answer may take.
pub const PAGE_LIMIT_MAX: u32 = 1_000;

/// How many items a page has at most
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

/// A place in a list, as an answer gave it. What is in it is for the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageToken(Vec<u8>);

impl PageToken {
    /// A token of these bytes.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes that it was made of.
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
        bytes.map(Self).ok_or("it must be the `next_page` of an answer, exactly as it was there")
    }
}

impl JsonSchema for PageToken {
    fn schema_name() -> String {
        "Page_Token".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        SchemaObject {
            instance_type: Some(InstanceType::String.into()),
            string: Some(Box::new(StringValidation {
                min_length: Some(1),
                max_length: u32::try_from(PAGE_TOKEN_MAX_CHARS).ok(),
                pattern: Some("^[0-9a-hjkmnp-tv-z]*$".to_owned()),
            })),
            ..SchemaObject::default()
        }
        .into()
    }
}

/// Which sessions to revoke: exactly one of account, identity, device and pool
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AccountId")]
    /// The sessions of this account
    pub account_id: Option<AccountId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "IdentityId")]
    /// The sessions in which this identity authenticated last
    pub authenticated_identity_id: Option<IdentityId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeviceId")]
    /// The sessions of this device
    pub device_id: Option<DeviceId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SessionId")]
    /// A session that stays as it is
    pub except_session_id: Option<SessionId>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PoolId")]
    /// The sessions of this pool
    pub pool_id: Option<PoolId>,
}

/// What a revocation did
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Revocation_Result")]
pub struct RevocationResult {
    /// How many sessions were live and are revoked now
    pub revoked: u64,
}

/// A token in the form in which its holder gets it; prints as `[REDACTED]` everywhere but in an answer.
#[derive(Clone, Debug)]
pub struct Authtoken(SecretString);

/// Number of characters of a token: prefix 4, ID 32, secret 52, checksum 7.
pub const AUTHTOKEN_CHARS: usize = 95;

impl From<SecretString> for Authtoken {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

impl Authtoken {
    /// The text, for its holder alone.
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Serialize for Authtoken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl JsonSchema for Authtoken {
    fn schema_name() -> String {
        "Authtoken".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        SchemaObject {
            metadata: Some(Box::new(Metadata {
                description: Some("A session token, sent as `Authorization: Bearer …`; a secret".to_owned()),
                ..Metadata::default()
            })),
            instance_type: Some(InstanceType::String.into()),
            string: Some(Box::new(StringValidation {
                min_length: u32::try_from(AUTHTOKEN_CHARS).ok(),
                max_length: u32::try_from(AUTHTOKEN_CHARS).ok(),
                pattern: Some("^sst_[0-9a-hjkmnp-tv-z]{91}$".to_owned()),
            })),
            ..SchemaObject::default()
        }
        .into()
    }
}

macro_rules! word_enums {
    ($($(#[$doc:meta])* $name:ident = $schema:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word that stands for the value on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(concat!("it must be one of:" $(, " ", $word)*).to_owned()),
                }
            }
        }

        // By hand: the derived one would describe each value apart, which makes a `oneOf` of them.
        impl JsonSchema for $name {
            fn schema_name() -> String {
                $schema.to_owned()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                SchemaObject {
                    instance_type: Some(InstanceType::String.into()),
                    enum_values: Some(vec![$($word.into(),)*]),
                    ..SchemaObject::default()
                }
                .into()
            }
        }
    )*};
}

word_enums! {
    /// What a session is used from.
    SessionType = "Session_Type" {
        /// A person's browser.
        Browser = "browser",
        /// A program.
        Api = "api",
    }
    /// Where a session is in its life.
    SessionStatus = "Session_Status" {
        /// Created, nothing seen yet.
        New = "new",
        /// Seen, nobody has proved who they are.
        Unauthenticated = "unauthenticated",
        /// An identity proved itself.
        Authenticated = "authenticated",
        /// Signed out, or its lifetime passed.
        Complete = "complete",
        /// Ended by someone who may.
        Revoked = "revoked",
    }
    /// The kind of object that a summary describes.
    SessionKind = "Session_Kind" {
        /// A session, the only kind.
        Session = "session",
    }
    /// The one value of an error's `status`.
    ErrorStatus = "Error_Status" {
        /// It is an error.
        Error = "error",
    }
    /// The kind of a fault, for programs.
    ErrorCode = "Error_Code" {
        /// The request cannot be read.
        BadRequest = "bad_request",
        /// The token is malformed, unknown, replaced, expired or of an ended session.
        BadAuthtoken = "bad_authtoken",
        /// There is no token, or its session is not authenticated where that is needed.
        NotAuthenticated = "not_authenticated",
        /// The caller may read this, but not do that.
        NotPermitted = "not_permitted",
        /// The contract allows it, this deployment cannot do it.
        NotImplemented = "not_implemented",
        /// The store did not answer in time; the outcome is not known.
        Unknown = "unknown",
        /// No such session, or one that the caller may not read.
        NotFound = "not_found",
        /// The ID is known, but as another kind.
        UnexpectedRefType = "unexpected_ref_type",
        /// A fault of the server.
        Unexpected = "unexpected",
        /// The session's state does not allow it.
        InvalidAction = "invalid_action",
        /// A value is not allowed.
        InvalidValue = "invalid_value",
        /// A required value is missing.
        RequiredValue = "required_value",
    }
}

/// The body of every error of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The kind of the fault.
    pub code: ErrorCode,
    /// One sentence for people: what, where and how to mend it.
    pub message: String,
    /// Always `error`.
    pub status: ErrorStatus,
}

impl ErrorBody {
    /// The body for a code and a sentence for people.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: ErrorStatus::Error }
    }
}

// By hand: the reference page writes the error as "One of" a single object.
impl JsonSchema for ErrorBody {
    fn schema_name() -> String {
        "Error".to_owned()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        /// The only alternative.
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "describes the fields of `ErrorBody`")]
        struct Fields {
            code: ErrorCode,
            message: String,
            status: ErrorStatus,
        }
        one_of(vec![Fields::json_schema(generator)])
    }
}

/// An IPv4 or IPv6 address; an IPv4 address mapped into IPv6 is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemoteIp(IpAddr);

impl RemoteIp {
    /// The address.
    pub const fn addr(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for RemoteIp {
    fn from(addr: IpAddr) -> Self {
        Self(addr.to_canonical())
    }
}

impl TryFrom<String> for RemoteIp {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse::<IpAddr>()
            .map(Self::from)
            .map_err(|_| "it must be an IPv4 address such as 127.0.0.1 or an IPv6 address such as ::1")
    }
}

impl From<RemoteIp> for String {
    fn from(ip: RemoteIp) -> Self {
        ip.0.to_string()
    }
}

impl JsonSchema for RemoteIp {
    fn schema_name() -> String {
        "RemoteIp".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let address = |format: &str, description: &str, lengths: (u32, u32), example: &str| {
            SchemaObject {
                metadata: Some(Box::new(Metadata {
                    description: Some(description.to_owned()),
                    ..Metadata::default()
                })),
                instance_type: Some(InstanceType::String.into()),
                format: Some(format.to_owned()),
                string: Some(Box::new(StringValidation {
                    min_length: Some(lengths.0),
                    max_length: Some(lengths.1),
                    pattern: None,
                })),
                extensions: [("example".to_owned(), example.into())].into(),
                ..SchemaObject::default()
            }
            .into()
        };
        one_of(vec![
            address("ipv4", "IPv4 address in dotted-decimal notation", (7, 15), "127.0.0.1"),
            address(
                "ipv6",
                "IPv6 address; answers have the text form of RFC 5952, and an address that maps an IPv4 one is \
                 answered as that",
                // The shortest is `::`; the longest ends in an IPv4 address (INET6_ADDRSTRLEN).
                (2, 45),
                "2001:db8::1",
            ),
        ])
    }
}

fn one_of_interaction_details(generator: &mut SchemaGenerator) -> Schema {
    one_of(vec![generator.subschema_for::<InteractionDetails>()])
}

fn one_of(alternatives: Vec<Schema>) -> Schema {
    SchemaObject {
        subschemas: Some(Box::new(SubschemaValidation {
            one_of: Some(alternatives),
            ..SubschemaValidation::default()
        })),
        ..SchemaObject::default()
    }
    .into()
}

/// Reads a property that may be left out but, when it is there, is not `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
