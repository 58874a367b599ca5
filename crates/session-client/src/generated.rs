// Generated from openapi.json by `cargo xtask generate`; do not edit.
// To change it, change openapi.json and run `cargo xtask generate` again.

#[allow(unused_imports)]
pub use progenitor_client::{ByteStream, ClientInfo, Error, ResponseValue};
#[allow(unused_imports)]
use progenitor_client::{encode_path, ClientHooks, OperationInfo, RequestBuilderExt};
/// Types used as operation parameters and responses.
#[allow(clippy::all)]
pub mod types {
    ///A valid account ID
    #[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[serde(transparent)]
    pub struct AccountId(::std::string::String);
    impl ::std::ops::Deref for AccountId {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }
    impl ::std::convert::From<AccountId> for ::std::string::String {
        fn from(value: AccountId) -> Self {
            value.0
        }
    }
    impl ::std::str::FromStr for AccountId {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            if value.chars().count() > 32usize {
                return Err("longer than 32 characters".into());
            }
            if value.chars().count() < 32usize {
                return Err("shorter than 32 characters".into());
            }
            static PATTERN: ::std::sync::LazyLock<::regress::Regex> = ::std::sync::LazyLock::new(||
            { ::regress::Regex::new("^[0-9a-hjkmnp-tv-z]{32}$").unwrap() });
            if PATTERN.find(value).is_none() {
                return Err("doesn't match pattern \"^[0-9a-hjkmnp-tv-z]{32}$\"".into());
            }
            Ok(Self(value.to_string()))
        }
    }
    impl ::std::convert::TryFrom<&str> for AccountId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for AccountId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl<'de> ::serde::Deserialize<'de> for AccountId {
        fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
        where
            D: ::serde::Deserializer<'de>,
        {
            ::std::string::String::deserialize(deserializer)?
                .parse()
                .map_err(|e: self::error::ConversionError| {
                    <D::Error as ::serde::de::Error>::custom(e.to_string())
                })
        }
    }
    ///A valid device ID
    #[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[serde(transparent)]
    pub struct DeviceId(::std::string::String);
    impl ::std::ops::Deref for DeviceId {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }
    impl ::std::convert::From<DeviceId> for ::std::string::String {
        fn from(value: DeviceId) -> Self {
            value.0
        }
    }
    impl ::std::str::FromStr for DeviceId {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            if value.chars().count() > 32usize {
                return Err("longer than 32 characters".into());
            }
            if value.chars().count() < 32usize {
                return Err("shorter than 32 characters".into());
            }
            static PATTERN: ::std::sync::LazyLock<::regress::Regex> = ::std::sync::LazyLock::new(||
            { ::regress::Regex::new("^[0-9a-hjkmnp-tv-z]{32}$").unwrap() });
            if PATTERN.find(value).is_none() {
                return Err("doesn't match pattern \"^[0-9a-hjkmnp-tv-z]{32}$\"".into());
            }
            Ok(Self(value.to_string()))
        }
    }
    impl ::std::convert::TryFrom<&str> for DeviceId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for DeviceId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl<'de> ::serde::Deserialize<'de> for DeviceId {
        fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
        where
            D: ::serde::Deserializer<'de>,
        {
            ::std::string::String::deserialize(deserializer)?
                .parse()
                .map_err(|e: self::error::ConversionError| {
                    <D::Error as ::serde::de::Error>::custom(e.to_string())
                })
        }
    }
    ///A valid domain ID
    #[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[serde(transparent)]
    pub struct DomainId(::std::string::String);
    impl ::std::ops::Deref for DomainId {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }
    impl ::std::convert::From<DomainId> for ::std::string::String {
        fn from(value: DomainId) -> Self {
            value.0
        }
    }
    impl ::std::str::FromStr for DomainId {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            if value.chars().count() > 32usize {
                return Err("longer than 32 characters".into());
            }
            if value.chars().count() < 32usize {
                return Err("shorter than 32 characters".into());
            }
            static PATTERN: ::std::sync::LazyLock<::regress::Regex> = ::std::sync::LazyLock::new(||
            { ::regress::Regex::new("^[0-9a-hjkmnp-tv-z]{32}$").unwrap() });
            if PATTERN.find(value).is_none() {
                return Err("doesn't match pattern \"^[0-9a-hjkmnp-tv-z]{32}$\"".into());
            }
            Ok(Self(value.to_string()))
        }
    }
    impl ::std::convert::TryFrom<&str> for DomainId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for DomainId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl<'de> ::serde::Deserialize<'de> for DomainId {
        fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
        where
            D: ::serde::Deserializer<'de>,
        {
            ::std::string::String::deserialize(deserializer)?
                .parse()
                .map_err(|e: self::error::ConversionError| {
                    <D::Error as ::serde::de::Error>::custom(e.to_string())
                })
        }
    }
    ///Why the request failed
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    #[serde(tag = "status")]
    pub enum Error {
        #[serde(rename = "error")]
        Error {
            code: ErrorCode,
            ///For people: what is wrong, where, and how to fix it
            message: ::std::string::String,
        },
    }
    ///The kind of the error, for programs
    #[derive(
        ::serde::Deserialize,
        ::serde::Serialize,
        Clone,
        Copy,
        Debug,
        Eq,
        Hash,
        Ord,
        PartialEq,
        PartialOrd
    )]
    pub enum ErrorCode {
        #[serde(rename = "bad_request")]
        BadRequest,
        #[serde(rename = "bad_authtoken")]
        BadAuthtoken,
        #[serde(rename = "not_authenticated")]
        NotAuthenticated,
        #[serde(rename = "not_permitted")]
        NotPermitted,
        #[serde(rename = "not_implemented")]
        NotImplemented,
        #[serde(rename = "unknown")]
        Unknown,
        #[serde(rename = "not_found")]
        NotFound,
        #[serde(rename = "unexpected_ref_type")]
        UnexpectedRefType,
        #[serde(rename = "unexpected")]
        Unexpected,
        #[serde(rename = "invalid_action")]
        InvalidAction,
        #[serde(rename = "invalid_value")]
        InvalidValue,
        #[serde(rename = "required_value")]
        RequiredValue,
    }
    impl ::std::fmt::Display for ErrorCode {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            match *self {
                Self::BadRequest => f.write_str("bad_request"),
                Self::BadAuthtoken => f.write_str("bad_authtoken"),
                Self::NotAuthenticated => f.write_str("not_authenticated"),
                Self::NotPermitted => f.write_str("not_permitted"),
                Self::NotImplemented => f.write_str("not_implemented"),
                Self::Unknown => f.write_str("unknown"),
                Self::NotFound => f.write_str("not_found"),
                Self::UnexpectedRefType => f.write_str("unexpected_ref_type"),
                Self::Unexpected => f.write_str("unexpected"),
                Self::InvalidAction => f.write_str("invalid_action"),
                Self::InvalidValue => f.write_str("invalid_value"),
                Self::RequiredValue => f.write_str("required_value"),
            }
        }
    }
    impl ::std::str::FromStr for ErrorCode {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            match value {
                "bad_request" => Ok(Self::BadRequest),
                "bad_authtoken" => Ok(Self::BadAuthtoken),
                "not_authenticated" => Ok(Self::NotAuthenticated),
                "not_permitted" => Ok(Self::NotPermitted),
                "not_implemented" => Ok(Self::NotImplemented),
                "unknown" => Ok(Self::Unknown),
                "not_found" => Ok(Self::NotFound),
                "unexpected_ref_type" => Ok(Self::UnexpectedRefType),
                "unexpected" => Ok(Self::Unexpected),
                "invalid_action" => Ok(Self::InvalidAction),
                "invalid_value" => Ok(Self::InvalidValue),
                "required_value" => Ok(Self::RequiredValue),
                _ => Err("invalid value".into()),
            }
        }
    }
    impl ::std::convert::TryFrom<&str> for ErrorCode {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for ErrorCode {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    ///A key of a request that may be sent again
    #[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[serde(transparent)]
    pub struct IdempotencyKey(::std::string::String);
    impl ::std::ops::Deref for IdempotencyKey {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }
    impl ::std::convert::From<IdempotencyKey> for ::std::string::String {
        fn from(value: IdempotencyKey) -> Self {
            value.0
        }
    }
    impl ::std::str::FromStr for IdempotencyKey {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            if value.chars().count() > 255usize {
                return Err("longer than 255 characters".into());
            }
            if value.chars().count() < 1usize {
                return Err("shorter than 1 characters".into());
            }
            static PATTERN: ::std::sync::LazyLock<::regress::Regex> = ::std::sync::LazyLock::new(||
            { ::regress::Regex::new("^[!-~]*$").unwrap() });
            if PATTERN.find(value).is_none() {
                return Err("doesn't match pattern \"^[!-~]*$\"".into());
            }
            Ok(Self(value.to_string()))
        }
    }
    impl ::std::convert::TryFrom<&str> for IdempotencyKey {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for IdempotencyKey {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl<'de> ::serde::Deserialize<'de> for IdempotencyKey {
        fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
        where
            D: ::serde::Deserializer<'de>,
        {
            ::std::string::String::deserialize(deserializer)?
                .parse()
                .map_err(|e: self::error::ConversionError| {
                    <D::Error as ::serde::de::Error>::custom(e.to_string())
                })
        }
    }
    ///A valid identity ID
    #[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[serde(transparent)]
    pub struct IdentityId(::std::string::String);
    impl ::std::ops::Deref for IdentityId {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }
    impl ::std::convert::From<IdentityId> for ::std::string::String {
        fn from(value: IdentityId) -> Self {
            value.0
        }
    }
    impl ::std::str::FromStr for IdentityId {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            if value.chars().count() > 32usize {
                return Err("longer than 32 characters".into());
            }
            if value.chars().count() < 32usize {
                return Err("shorter than 32 characters".into());
            }
            static PATTERN: ::std::sync::LazyLock<::regress::Regex> = ::std::sync::LazyLock::new(||
            { ::regress::Regex::new("^[0-9a-hjkmnp-tv-z]{32}$").unwrap() });
            if PATTERN.find(value).is_none() {
                return Err("doesn't match pattern \"^[0-9a-hjkmnp-tv-z]{32}$\"".into());
            }
            Ok(Self(value.to_string()))
        }
    }
    impl ::std::convert::TryFrom<&str> for IdentityId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for IdentityId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl<'de> ::serde::Deserialize<'de> for IdentityId {
        fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
        where
            D: ::serde::Deserializer<'de>,
        {
            ::std::string::String::deserialize(deserializer)?
                .parse()
                .map_err(|e: self::error::ConversionError| {
                    <D::Error as ::serde::de::Error>::custom(e.to_string())
                })
        }
    }
    ///A snapshot of the details of a particular device
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    pub struct InteractionDetails {
        pub at: crate::timestamp::Timestamp,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub remote_ip: ::std::option::Option<::std::net::IpAddr>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub user_agent: ::std::option::Option<UserAgent>,
    }
    impl InteractionDetails {
        pub fn builder() -> builder::InteractionDetails {
            Default::default()
        }
    }
    ///The maximum number of sessions on a page
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    #[serde(transparent)]
    pub struct PageLimit(pub ::std::num::NonZeroU32);
    impl ::std::ops::Deref for PageLimit {
        type Target = ::std::num::NonZeroU32;
        fn deref(&self) -> &::std::num::NonZeroU32 {
            &self.0
        }
    }
    impl ::std::convert::From<PageLimit> for ::std::num::NonZeroU32 {
        fn from(value: PageLimit) -> Self {
            value.0
        }
    }
    impl ::std::convert::From<::std::num::NonZeroU32> for PageLimit {
        fn from(value: ::std::num::NonZeroU32) -> Self {
            Self(value)
        }
    }
    impl ::std::fmt::Display for PageLimit {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            self.0.fmt(f)
        }
    }
    impl ::std::str::FromStr for PageLimit {
        type Err = <::std::num::NonZeroU32 as ::std::str::FromStr>::Err;
        fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
            Ok(Self(value.parse()?))
        }
    }
    impl ::std::convert::TryFrom<&str> for PageLimit {
        type Error = <::std::num::NonZeroU32 as ::std::str::FromStr>::Err;
        fn try_from(value: &str) -> ::std::result::Result<Self, Self::Error> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<String> for PageLimit {
        type Error = <::std::num::NonZeroU32 as ::std::str::FromStr>::Err;
        fn try_from(value: String) -> ::std::result::Result<Self, Self::Error> {
            value.parse()
        }
    }
    ///A valid pool ID
    #[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[serde(transparent)]
    pub struct PoolId(::std::string::String);
    impl ::std::ops::Deref for PoolId {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }
    impl ::std::convert::From<PoolId> for ::std::string::String {
        fn from(value: PoolId) -> Self {
            value.0
        }
    }
    impl ::std::str::FromStr for PoolId {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            if value.chars().count() > 32usize {
                return Err("longer than 32 characters".into());
            }
            if value.chars().count() < 32usize {
                return Err("shorter than 32 characters".into());
            }
            static PATTERN: ::std::sync::LazyLock<::regress::Regex> = ::std::sync::LazyLock::new(||
            { ::regress::Regex::new("^[0-9a-hjkmnp-tv-z]{32}$").unwrap() });
            if PATTERN.find(value).is_none() {
                return Err("doesn't match pattern \"^[0-9a-hjkmnp-tv-z]{32}$\"".into());
            }
            Ok(Self(value.to_string()))
        }
    }
    impl ::std::convert::TryFrom<&str> for PoolId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for PoolId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl<'de> ::serde::Deserialize<'de> for PoolId {
        fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
        where
            D: ::serde::Deserializer<'de>,
        {
            ::std::string::String::deserialize(deserializer)?
                .parse()
                .map_err(|e: self::error::ConversionError| {
                    <D::Error as ::serde::de::Error>::custom(e.to_string())
                })
        }
    }
    ///Which sessions to revoke: exactly one of `account_id`, `authenticated_identity_id`, `device_id` and `pool_id`
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default)]
    #[serde(deny_unknown_fields)]
    pub struct Revocation {
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub account_id: ::std::option::Option<AccountId>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub authenticated_identity_id: ::std::option::Option<IdentityId>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub device_id: ::std::option::Option<DeviceId>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub except_session_id: ::std::option::Option<SessionId>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub pool_id: ::std::option::Option<PoolId>,
    }
    impl Revocation {
        pub fn builder() -> builder::Revocation {
            Default::default()
        }
    }
    ///The result of a revocation
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    pub struct RevocationResult {
        ///The number of live sessions that were revoked
        pub revoked: u64,
    }
    impl RevocationResult {
        pub fn builder() -> builder::RevocationResult {
            Default::default()
        }
    }
    ///A session, and what the caller may do with it now
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    pub struct Session {
        pub actions: SessionAvailableActions,
        pub summary: SessionSummary,
    }
    impl Session {
        pub fn builder() -> builder::Session {
            Default::default()
        }
    }
    ///The identity that authenticated. For a session that is already authenticated, the account must be the same.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    #[serde(deny_unknown_fields)]
    pub struct SessionAuthenticate {
        pub account_id: AccountId,
        pub authenticated_identity_id: IdentityId,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub interaction: ::std::option::Option<SessionInteraction>,
    }
    impl SessionAuthenticate {
        pub fn builder() -> builder::SessionAuthenticate {
            Default::default()
        }
    }
    ///What the caller may do with the session now
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    pub struct SessionAvailableActions {
        ///Whether this caller's revoke of this session would now be accepted
        pub revoke: bool,
    }
    impl SessionAvailableActions {
        pub fn builder() -> builder::SessionAvailableActions {
            Default::default()
        }
    }
    ///A session to create. `account_id` and `authenticated_identity_id` come together or not at all.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    #[serde(deny_unknown_fields)]
    pub struct SessionCreate {
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub account_id: ::std::option::Option<AccountId>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub authenticated_identity_id: ::std::option::Option<IdentityId>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub device_id: ::std::option::Option<DeviceId>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub interaction: ::std::option::Option<SessionInteraction>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub pool_id: ::std::option::Option<PoolId>,
        pub session_type: SessionType,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub title: ::std::option::Option<SessionTitle>,
    }
    impl SessionCreate {
        pub fn builder() -> builder::SessionCreate {
            Default::default()
        }
    }
    ///A valid session ID
    #[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[serde(transparent)]
    pub struct SessionId(::std::string::String);
    impl ::std::ops::Deref for SessionId {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }
    impl ::std::convert::From<SessionId> for ::std::string::String {
        fn from(value: SessionId) -> Self {
            value.0
        }
    }
    impl ::std::str::FromStr for SessionId {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            if value.chars().count() > 32usize {
                return Err("longer than 32 characters".into());
            }
            if value.chars().count() < 32usize {
                return Err("shorter than 32 characters".into());
            }
            static PATTERN: ::std::sync::LazyLock<::regress::Regex> = ::std::sync::LazyLock::new(||
            { ::regress::Regex::new("^[0-9a-hjkmnp-tv-z]{32}$").unwrap() });
            if PATTERN.find(value).is_none() {
                return Err("doesn't match pattern \"^[0-9a-hjkmnp-tv-z]{32}$\"".into());
            }
            Ok(Self(value.to_string()))
        }
    }
    impl ::std::convert::TryFrom<&str> for SessionId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for SessionId {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl<'de> ::serde::Deserialize<'de> for SessionId {
        fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
        where
            D: ::serde::Deserializer<'de>,
        {
            ::std::string::String::deserialize(deserializer)?
                .parse()
                .map_err(|e: self::error::ConversionError| {
                    <D::Error as ::serde::de::Error>::custom(e.to_string())
                })
        }
    }
    ///An interaction that the caller reports; the server adds the time
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default)]
    #[serde(deny_unknown_fields)]
    pub struct SessionInteraction {
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub remote_ip: ::std::option::Option<::std::net::IpAddr>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub user_agent: ::std::option::Option<UserAgent>,
    }
    impl SessionInteraction {
        pub fn builder() -> builder::SessionInteraction {
            Default::default()
        }
    }
    ///Sessions, newest first
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    pub struct SessionPage {
        pub items: ::std::vec::Vec<Session>,
        ///The `page_token` of the next page; left out on the last one
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub next_page: ::std::option::Option<::std::string::String>,
    }
    impl SessionPage {
        pub fn builder() -> builder::SessionPage {
            Default::default()
        }
    }
    ///The state of the session
    #[derive(
        ::serde::Deserialize,
        ::serde::Serialize,
        Clone,
        Copy,
        Debug,
        Eq,
        Hash,
        Ord,
        PartialEq,
        PartialOrd
    )]
    pub enum SessionStatus {
        #[serde(rename = "new")]
        New,
        #[serde(rename = "unauthenticated")]
        Unauthenticated,
        #[serde(rename = "authenticated")]
        Authenticated,
        #[serde(rename = "complete")]
        Complete,
        #[serde(rename = "revoked")]
        Revoked,
    }
    impl ::std::fmt::Display for SessionStatus {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            match *self {
                Self::New => f.write_str("new"),
                Self::Unauthenticated => f.write_str("unauthenticated"),
                Self::Authenticated => f.write_str("authenticated"),
                Self::Complete => f.write_str("complete"),
                Self::Revoked => f.write_str("revoked"),
            }
        }
    }
    impl ::std::str::FromStr for SessionStatus {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            match value {
                "new" => Ok(Self::New),
                "unauthenticated" => Ok(Self::Unauthenticated),
                "authenticated" => Ok(Self::Authenticated),
                "complete" => Ok(Self::Complete),
                "revoked" => Ok(Self::Revoked),
                _ => Err("invalid value".into()),
            }
        }
    }
    impl ::std::convert::TryFrom<&str> for SessionStatus {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for SessionStatus {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    ///The properties of a session. A property without a value is left out, never null.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    pub struct SessionSummary {
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub account_id: ::std::option::Option<AccountId>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub authenticated_identity_id: ::std::option::Option<IdentityId>,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub device_id: ::std::option::Option<DeviceId>,
        pub domain_id: DomainId,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub first_seen: ::std::option::Option<InteractionDetails>,
        pub id: SessionId,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub last_seen: ::std::option::Option<InteractionDetails>,
        pub pool_id: PoolId,
        pub session_type: SessionType,
        pub status: SessionStatus,
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub title: ::std::option::Option<SessionTitle>,
        #[serde(rename = "type")]
        pub type_: SessionSummaryType,
    }
    impl SessionSummary {
        pub fn builder() -> builder::SessionSummary {
            Default::default()
        }
    }
    ///`SessionSummaryType`
    #[derive(
        ::serde::Deserialize,
        ::serde::Serialize,
        Clone,
        Copy,
        Debug,
        Eq,
        Hash,
        Ord,
        PartialEq,
        PartialOrd
    )]
    pub enum SessionSummaryType {
        #[serde(rename = "session")]
        Session,
    }
    impl ::std::fmt::Display for SessionSummaryType {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            match *self {
                Self::Session => f.write_str("session"),
            }
        }
    }
    impl ::std::str::FromStr for SessionSummaryType {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            match value {
                "session" => Ok(Self::Session),
                _ => Err("invalid value".into()),
            }
        }
    }
    impl ::std::convert::TryFrom<&str> for SessionSummaryType {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for SessionSummaryType {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    ///A name for people
    #[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[serde(transparent)]
    pub struct SessionTitle(::std::string::String);
    impl ::std::ops::Deref for SessionTitle {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }
    impl ::std::convert::From<SessionTitle> for ::std::string::String {
        fn from(value: SessionTitle) -> Self {
            value.0
        }
    }
    impl ::std::str::FromStr for SessionTitle {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            if value.chars().count() > 200usize {
                return Err("longer than 200 characters".into());
            }
            if value.chars().count() < 1usize {
                return Err("shorter than 1 characters".into());
            }
            static PATTERN: ::std::sync::LazyLock<::regress::Regex> = ::std::sync::LazyLock::new(||
            {
                ::regress::Regex::new(
                        "^[^\\x00-\\x1f\\x7f-\\x9f\\u061C\\u200E-\\u200F\\u2028-\\u202E\\u2066-\\u2069]*$",
                    )
                    .unwrap()
            });
            if PATTERN.find(value).is_none() {
                return Err(
                    "doesn't match pattern \"^[^\\x00-\\x1f\\x7f-\\x9f\\u061C\\u200E-\\u200F\\u2028-\\u202E\\u2066-\\u2069]*$\""
                        .into(),
                );
            }
            Ok(Self(value.to_string()))
        }
    }
    impl ::std::convert::TryFrom<&str> for SessionTitle {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for SessionTitle {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl<'de> ::serde::Deserialize<'de> for SessionTitle {
        fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
        where
            D: ::serde::Deserializer<'de>,
        {
            ::std::string::String::deserialize(deserializer)?
                .parse()
                .map_err(|e: self::error::ConversionError| {
                    <D::Error as ::serde::de::Error>::custom(e.to_string())
                })
        }
    }
    ///What uses the session
    #[derive(
        ::serde::Deserialize,
        ::serde::Serialize,
        Clone,
        Copy,
        Debug,
        Eq,
        Hash,
        Ord,
        PartialEq,
        PartialOrd
    )]
    pub enum SessionType {
        #[serde(rename = "browser")]
        Browser,
        #[serde(rename = "api")]
        Api,
    }
    impl ::std::fmt::Display for SessionType {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            match *self {
                Self::Browser => f.write_str("browser"),
                Self::Api => f.write_str("api"),
            }
        }
    }
    impl ::std::str::FromStr for SessionType {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            match value {
                "browser" => Ok(Self::Browser),
                "api" => Ok(Self::Api),
                _ => Err("invalid value".into()),
            }
        }
    }
    impl ::std::convert::TryFrom<&str> for SessionType {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for SessionType {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    ///A session and its token
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug)]
    pub struct SessionWithAuthtoken {
        pub authtoken: crate::token::Token,
        pub session: Session,
    }
    impl SessionWithAuthtoken {
        pub fn builder() -> builder::SessionWithAuthtoken {
            Default::default()
        }
    }
    ///User-Agent string
    #[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[serde(transparent)]
    pub struct UserAgent(::std::string::String);
    impl ::std::ops::Deref for UserAgent {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }
    impl ::std::convert::From<UserAgent> for ::std::string::String {
        fn from(value: UserAgent) -> Self {
            value.0
        }
    }
    impl ::std::str::FromStr for UserAgent {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            if value.chars().count() > 1024usize {
                return Err("longer than 1024 characters".into());
            }
            if value.chars().count() < 1usize {
                return Err("shorter than 1 characters".into());
            }
            static PATTERN: ::std::sync::LazyLock<::regress::Regex> = ::std::sync::LazyLock::new(||
            {
                ::regress::Regex::new(
                        "^[^\\x00-\\x1f\\x7f-\\x9f\\u061C\\u200E-\\u200F\\u2028-\\u202E\\u2066-\\u2069]*$",
                    )
                    .unwrap()
            });
            if PATTERN.find(value).is_none() {
                return Err(
                    "doesn't match pattern \"^[^\\x00-\\x1f\\x7f-\\x9f\\u061C\\u200E-\\u200F\\u2028-\\u202E\\u2066-\\u2069]*$\""
                        .into(),
                );
            }
            Ok(Self(value.to_string()))
        }
    }
    impl ::std::convert::TryFrom<&str> for UserAgent {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl ::std::convert::TryFrom<::std::string::String> for UserAgent {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }
    impl<'de> ::serde::Deserialize<'de> for UserAgent {
        fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
        where
            D: ::serde::Deserializer<'de>,
        {
            ::std::string::String::deserialize(deserializer)?
                .parse()
                .map_err(|e: self::error::ConversionError| {
                    <D::Error as ::serde::de::Error>::custom(e.to_string())
                })
        }
    }
    /// Types for composing complex structures.
    pub mod builder {
        #[derive(Clone, Debug)]
        pub struct InteractionDetails {
            at: ::std::result::Result<
                crate::timestamp::Timestamp,
                ::std::string::String,
            >,
            remote_ip: ::std::result::Result<
                ::std::option::Option<::std::net::IpAddr>,
                ::std::string::String,
            >,
            user_agent: ::std::result::Result<
                ::std::option::Option<super::UserAgent>,
                ::std::string::String,
            >,
        }
        impl ::std::default::Default for InteractionDetails {
            fn default() -> Self {
                Self {
                    at: Err("no value supplied for at".to_string()),
                    remote_ip: Ok(Default::default()),
                    user_agent: Ok(Default::default()),
                }
            }
        }
        impl InteractionDetails {
            pub fn at<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::timestamp::Timestamp>,
                T::Error: ::std::fmt::Display,
            {
                self.at = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for at: {e}"));
                self
            }
            pub fn remote_ip<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::net::IpAddr>>,
                T::Error: ::std::fmt::Display,
            {
                self.remote_ip = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for remote_ip: {e}")
                    });
                self
            }
            pub fn user_agent<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::UserAgent>>,
                T::Error: ::std::fmt::Display,
            {
                self.user_agent = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for user_agent: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<InteractionDetails> for super::InteractionDetails {
            type Error = super::error::ConversionError;
            fn try_from(
                value: InteractionDetails,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    at: value.at?,
                    remote_ip: value.remote_ip?,
                    user_agent: value.user_agent?,
                })
            }
        }
        impl ::std::convert::From<super::InteractionDetails> for InteractionDetails {
            fn from(value: super::InteractionDetails) -> Self {
                Self {
                    at: Ok(value.at),
                    remote_ip: Ok(value.remote_ip),
                    user_agent: Ok(value.user_agent),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct Revocation {
            account_id: ::std::result::Result<
                ::std::option::Option<super::AccountId>,
                ::std::string::String,
            >,
            authenticated_identity_id: ::std::result::Result<
                ::std::option::Option<super::IdentityId>,
                ::std::string::String,
            >,
            device_id: ::std::result::Result<
                ::std::option::Option<super::DeviceId>,
                ::std::string::String,
            >,
            except_session_id: ::std::result::Result<
                ::std::option::Option<super::SessionId>,
                ::std::string::String,
            >,
            pool_id: ::std::result::Result<
                ::std::option::Option<super::PoolId>,
                ::std::string::String,
            >,
        }
        impl ::std::default::Default for Revocation {
            fn default() -> Self {
                Self {
                    account_id: Ok(Default::default()),
                    authenticated_identity_id: Ok(Default::default()),
                    device_id: Ok(Default::default()),
                    except_session_id: Ok(Default::default()),
                    pool_id: Ok(Default::default()),
                }
            }
        }
        impl Revocation {
            pub fn account_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::AccountId>>,
                T::Error: ::std::fmt::Display,
            {
                self.account_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for account_id: {e}")
                    });
                self
            }
            pub fn authenticated_identity_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::IdentityId>>,
                T::Error: ::std::fmt::Display,
            {
                self.authenticated_identity_id = value
                    .try_into()
                    .map_err(|e| {
                        format!(
                            "error converting supplied value for authenticated_identity_id: {e}"
                        )
                    });
                self
            }
            pub fn device_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::DeviceId>>,
                T::Error: ::std::fmt::Display,
            {
                self.device_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for device_id: {e}")
                    });
                self
            }
            pub fn except_session_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::SessionId>>,
                T::Error: ::std::fmt::Display,
            {
                self.except_session_id = value
                    .try_into()
                    .map_err(|e| {
                        format!(
                            "error converting supplied value for except_session_id: {e}"
                        )
                    });
                self
            }
            pub fn pool_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::PoolId>>,
                T::Error: ::std::fmt::Display,
            {
                self.pool_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for pool_id: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<Revocation> for super::Revocation {
            type Error = super::error::ConversionError;
            fn try_from(
                value: Revocation,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    account_id: value.account_id?,
                    authenticated_identity_id: value.authenticated_identity_id?,
                    device_id: value.device_id?,
                    except_session_id: value.except_session_id?,
                    pool_id: value.pool_id?,
                })
            }
        }
        impl ::std::convert::From<super::Revocation> for Revocation {
            fn from(value: super::Revocation) -> Self {
                Self {
                    account_id: Ok(value.account_id),
                    authenticated_identity_id: Ok(value.authenticated_identity_id),
                    device_id: Ok(value.device_id),
                    except_session_id: Ok(value.except_session_id),
                    pool_id: Ok(value.pool_id),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct RevocationResult {
            revoked: ::std::result::Result<u64, ::std::string::String>,
        }
        impl ::std::default::Default for RevocationResult {
            fn default() -> Self {
                Self {
                    revoked: Err("no value supplied for revoked".to_string()),
                }
            }
        }
        impl RevocationResult {
            pub fn revoked<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<u64>,
                T::Error: ::std::fmt::Display,
            {
                self.revoked = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for revoked: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<RevocationResult> for super::RevocationResult {
            type Error = super::error::ConversionError;
            fn try_from(
                value: RevocationResult,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self { revoked: value.revoked? })
            }
        }
        impl ::std::convert::From<super::RevocationResult> for RevocationResult {
            fn from(value: super::RevocationResult) -> Self {
                Self { revoked: Ok(value.revoked) }
            }
        }
        #[derive(Clone, Debug)]
        pub struct Session {
            actions: ::std::result::Result<
                super::SessionAvailableActions,
                ::std::string::String,
            >,
            summary: ::std::result::Result<super::SessionSummary, ::std::string::String>,
        }
        impl ::std::default::Default for Session {
            fn default() -> Self {
                Self {
                    actions: Err("no value supplied for actions".to_string()),
                    summary: Err("no value supplied for summary".to_string()),
                }
            }
        }
        impl Session {
            pub fn actions<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::SessionAvailableActions>,
                T::Error: ::std::fmt::Display,
            {
                self.actions = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for actions: {e}")
                    });
                self
            }
            pub fn summary<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::SessionSummary>,
                T::Error: ::std::fmt::Display,
            {
                self.summary = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for summary: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<Session> for super::Session {
            type Error = super::error::ConversionError;
            fn try_from(
                value: Session,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    actions: value.actions?,
                    summary: value.summary?,
                })
            }
        }
        impl ::std::convert::From<super::Session> for Session {
            fn from(value: super::Session) -> Self {
                Self {
                    actions: Ok(value.actions),
                    summary: Ok(value.summary),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct SessionAuthenticate {
            account_id: ::std::result::Result<super::AccountId, ::std::string::String>,
            authenticated_identity_id: ::std::result::Result<
                super::IdentityId,
                ::std::string::String,
            >,
            interaction: ::std::result::Result<
                ::std::option::Option<super::SessionInteraction>,
                ::std::string::String,
            >,
        }
        impl ::std::default::Default for SessionAuthenticate {
            fn default() -> Self {
                Self {
                    account_id: Err("no value supplied for account_id".to_string()),
                    authenticated_identity_id: Err(
                        "no value supplied for authenticated_identity_id".to_string(),
                    ),
                    interaction: Ok(Default::default()),
                }
            }
        }
        impl SessionAuthenticate {
            pub fn account_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::AccountId>,
                T::Error: ::std::fmt::Display,
            {
                self.account_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for account_id: {e}")
                    });
                self
            }
            pub fn authenticated_identity_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::IdentityId>,
                T::Error: ::std::fmt::Display,
            {
                self.authenticated_identity_id = value
                    .try_into()
                    .map_err(|e| {
                        format!(
                            "error converting supplied value for authenticated_identity_id: {e}"
                        )
                    });
                self
            }
            pub fn interaction<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<
                    ::std::option::Option<super::SessionInteraction>,
                >,
                T::Error: ::std::fmt::Display,
            {
                self.interaction = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for interaction: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<SessionAuthenticate>
        for super::SessionAuthenticate {
            type Error = super::error::ConversionError;
            fn try_from(
                value: SessionAuthenticate,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    account_id: value.account_id?,
                    authenticated_identity_id: value.authenticated_identity_id?,
                    interaction: value.interaction?,
                })
            }
        }
        impl ::std::convert::From<super::SessionAuthenticate> for SessionAuthenticate {
            fn from(value: super::SessionAuthenticate) -> Self {
                Self {
                    account_id: Ok(value.account_id),
                    authenticated_identity_id: Ok(value.authenticated_identity_id),
                    interaction: Ok(value.interaction),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct SessionAvailableActions {
            revoke: ::std::result::Result<bool, ::std::string::String>,
        }
        impl ::std::default::Default for SessionAvailableActions {
            fn default() -> Self {
                Self {
                    revoke: Err("no value supplied for revoke".to_string()),
                }
            }
        }
        impl SessionAvailableActions {
            pub fn revoke<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<bool>,
                T::Error: ::std::fmt::Display,
            {
                self.revoke = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for revoke: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<SessionAvailableActions>
        for super::SessionAvailableActions {
            type Error = super::error::ConversionError;
            fn try_from(
                value: SessionAvailableActions,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self { revoke: value.revoke? })
            }
        }
        impl ::std::convert::From<super::SessionAvailableActions>
        for SessionAvailableActions {
            fn from(value: super::SessionAvailableActions) -> Self {
                Self { revoke: Ok(value.revoke) }
            }
        }
        #[derive(Clone, Debug)]
        pub struct SessionCreate {
            account_id: ::std::result::Result<
                ::std::option::Option<super::AccountId>,
                ::std::string::String,
            >,
            authenticated_identity_id: ::std::result::Result<
                ::std::option::Option<super::IdentityId>,
                ::std::string::String,
            >,
            device_id: ::std::result::Result<
                ::std::option::Option<super::DeviceId>,
                ::std::string::String,
            >,
            interaction: ::std::result::Result<
                ::std::option::Option<super::SessionInteraction>,
                ::std::string::String,
            >,
            pool_id: ::std::result::Result<
                ::std::option::Option<super::PoolId>,
                ::std::string::String,
            >,
            session_type: ::std::result::Result<
                super::SessionType,
                ::std::string::String,
            >,
            title: ::std::result::Result<
                ::std::option::Option<super::SessionTitle>,
                ::std::string::String,
            >,
        }
        impl ::std::default::Default for SessionCreate {
            fn default() -> Self {
                Self {
                    account_id: Ok(Default::default()),
                    authenticated_identity_id: Ok(Default::default()),
                    device_id: Ok(Default::default()),
                    interaction: Ok(Default::default()),
                    pool_id: Ok(Default::default()),
                    session_type: Err("no value supplied for session_type".to_string()),
                    title: Ok(Default::default()),
                }
            }
        }
        impl SessionCreate {
            pub fn account_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::AccountId>>,
                T::Error: ::std::fmt::Display,
            {
                self.account_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for account_id: {e}")
                    });
                self
            }
            pub fn authenticated_identity_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::IdentityId>>,
                T::Error: ::std::fmt::Display,
            {
                self.authenticated_identity_id = value
                    .try_into()
                    .map_err(|e| {
                        format!(
                            "error converting supplied value for authenticated_identity_id: {e}"
                        )
                    });
                self
            }
            pub fn device_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::DeviceId>>,
                T::Error: ::std::fmt::Display,
            {
                self.device_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for device_id: {e}")
                    });
                self
            }
            pub fn interaction<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<
                    ::std::option::Option<super::SessionInteraction>,
                >,
                T::Error: ::std::fmt::Display,
            {
                self.interaction = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for interaction: {e}")
                    });
                self
            }
            pub fn pool_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::PoolId>>,
                T::Error: ::std::fmt::Display,
            {
                self.pool_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for pool_id: {e}")
                    });
                self
            }
            pub fn session_type<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::SessionType>,
                T::Error: ::std::fmt::Display,
            {
                self.session_type = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for session_type: {e}")
                    });
                self
            }
            pub fn title<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::SessionTitle>>,
                T::Error: ::std::fmt::Display,
            {
                self.title = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for title: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<SessionCreate> for super::SessionCreate {
            type Error = super::error::ConversionError;
            fn try_from(
                value: SessionCreate,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    account_id: value.account_id?,
                    authenticated_identity_id: value.authenticated_identity_id?,
                    device_id: value.device_id?,
                    interaction: value.interaction?,
                    pool_id: value.pool_id?,
                    session_type: value.session_type?,
                    title: value.title?,
                })
            }
        }
        impl ::std::convert::From<super::SessionCreate> for SessionCreate {
            fn from(value: super::SessionCreate) -> Self {
                Self {
                    account_id: Ok(value.account_id),
                    authenticated_identity_id: Ok(value.authenticated_identity_id),
                    device_id: Ok(value.device_id),
                    interaction: Ok(value.interaction),
                    pool_id: Ok(value.pool_id),
                    session_type: Ok(value.session_type),
                    title: Ok(value.title),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct SessionInteraction {
            remote_ip: ::std::result::Result<
                ::std::option::Option<::std::net::IpAddr>,
                ::std::string::String,
            >,
            user_agent: ::std::result::Result<
                ::std::option::Option<super::UserAgent>,
                ::std::string::String,
            >,
        }
        impl ::std::default::Default for SessionInteraction {
            fn default() -> Self {
                Self {
                    remote_ip: Ok(Default::default()),
                    user_agent: Ok(Default::default()),
                }
            }
        }
        impl SessionInteraction {
            pub fn remote_ip<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::net::IpAddr>>,
                T::Error: ::std::fmt::Display,
            {
                self.remote_ip = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for remote_ip: {e}")
                    });
                self
            }
            pub fn user_agent<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::UserAgent>>,
                T::Error: ::std::fmt::Display,
            {
                self.user_agent = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for user_agent: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<SessionInteraction> for super::SessionInteraction {
            type Error = super::error::ConversionError;
            fn try_from(
                value: SessionInteraction,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    remote_ip: value.remote_ip?,
                    user_agent: value.user_agent?,
                })
            }
        }
        impl ::std::convert::From<super::SessionInteraction> for SessionInteraction {
            fn from(value: super::SessionInteraction) -> Self {
                Self {
                    remote_ip: Ok(value.remote_ip),
                    user_agent: Ok(value.user_agent),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct SessionPage {
            items: ::std::result::Result<
                ::std::vec::Vec<super::Session>,
                ::std::string::String,
            >,
            next_page: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
        }
        impl ::std::default::Default for SessionPage {
            fn default() -> Self {
                Self {
                    items: Err("no value supplied for items".to_string()),
                    next_page: Ok(Default::default()),
                }
            }
        }
        impl SessionPage {
            pub fn items<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::vec::Vec<super::Session>>,
                T::Error: ::std::fmt::Display,
            {
                self.items = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for items: {e}")
                    });
                self
            }
            pub fn next_page<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.next_page = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for next_page: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<SessionPage> for super::SessionPage {
            type Error = super::error::ConversionError;
            fn try_from(
                value: SessionPage,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    items: value.items?,
                    next_page: value.next_page?,
                })
            }
        }
        impl ::std::convert::From<super::SessionPage> for SessionPage {
            fn from(value: super::SessionPage) -> Self {
                Self {
                    items: Ok(value.items),
                    next_page: Ok(value.next_page),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct SessionSummary {
            account_id: ::std::result::Result<
                ::std::option::Option<super::AccountId>,
                ::std::string::String,
            >,
            authenticated_identity_id: ::std::result::Result<
                ::std::option::Option<super::IdentityId>,
                ::std::string::String,
            >,
            device_id: ::std::result::Result<
                ::std::option::Option<super::DeviceId>,
                ::std::string::String,
            >,
            domain_id: ::std::result::Result<super::DomainId, ::std::string::String>,
            first_seen: ::std::result::Result<
                ::std::option::Option<super::InteractionDetails>,
                ::std::string::String,
            >,
            id: ::std::result::Result<super::SessionId, ::std::string::String>,
            last_seen: ::std::result::Result<
                ::std::option::Option<super::InteractionDetails>,
                ::std::string::String,
            >,
            pool_id: ::std::result::Result<super::PoolId, ::std::string::String>,
            session_type: ::std::result::Result<
                super::SessionType,
                ::std::string::String,
            >,
            status: ::std::result::Result<super::SessionStatus, ::std::string::String>,
            title: ::std::result::Result<
                ::std::option::Option<super::SessionTitle>,
                ::std::string::String,
            >,
            type_: ::std::result::Result<
                super::SessionSummaryType,
                ::std::string::String,
            >,
        }
        impl ::std::default::Default for SessionSummary {
            fn default() -> Self {
                Self {
                    account_id: Ok(Default::default()),
                    authenticated_identity_id: Ok(Default::default()),
                    device_id: Ok(Default::default()),
                    domain_id: Err("no value supplied for domain_id".to_string()),
                    first_seen: Ok(Default::default()),
                    id: Err("no value supplied for id".to_string()),
                    last_seen: Ok(Default::default()),
                    pool_id: Err("no value supplied for pool_id".to_string()),
                    session_type: Err("no value supplied for session_type".to_string()),
                    status: Err("no value supplied for status".to_string()),
                    title: Ok(Default::default()),
                    type_: Err("no value supplied for type_".to_string()),
                }
            }
        }
        impl SessionSummary {
            pub fn account_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::AccountId>>,
                T::Error: ::std::fmt::Display,
            {
                self.account_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for account_id: {e}")
                    });
                self
            }
            pub fn authenticated_identity_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::IdentityId>>,
                T::Error: ::std::fmt::Display,
            {
                self.authenticated_identity_id = value
                    .try_into()
                    .map_err(|e| {
                        format!(
                            "error converting supplied value for authenticated_identity_id: {e}"
                        )
                    });
                self
            }
            pub fn device_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::DeviceId>>,
                T::Error: ::std::fmt::Display,
            {
                self.device_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for device_id: {e}")
                    });
                self
            }
            pub fn domain_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::DomainId>,
                T::Error: ::std::fmt::Display,
            {
                self.domain_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for domain_id: {e}")
                    });
                self
            }
            pub fn first_seen<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<
                    ::std::option::Option<super::InteractionDetails>,
                >,
                T::Error: ::std::fmt::Display,
            {
                self.first_seen = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for first_seen: {e}")
                    });
                self
            }
            pub fn id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::SessionId>,
                T::Error: ::std::fmt::Display,
            {
                self.id = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for id: {e}"));
                self
            }
            pub fn last_seen<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<
                    ::std::option::Option<super::InteractionDetails>,
                >,
                T::Error: ::std::fmt::Display,
            {
                self.last_seen = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for last_seen: {e}")
                    });
                self
            }
            pub fn pool_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::PoolId>,
                T::Error: ::std::fmt::Display,
            {
                self.pool_id = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for pool_id: {e}")
                    });
                self
            }
            pub fn session_type<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::SessionType>,
                T::Error: ::std::fmt::Display,
            {
                self.session_type = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for session_type: {e}")
                    });
                self
            }
            pub fn status<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::SessionStatus>,
                T::Error: ::std::fmt::Display,
            {
                self.status = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for status: {e}")
                    });
                self
            }
            pub fn title<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::SessionTitle>>,
                T::Error: ::std::fmt::Display,
            {
                self.title = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for title: {e}")
                    });
                self
            }
            pub fn type_<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::SessionSummaryType>,
                T::Error: ::std::fmt::Display,
            {
                self.type_ = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for type_: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<SessionSummary> for super::SessionSummary {
            type Error = super::error::ConversionError;
            fn try_from(
                value: SessionSummary,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    account_id: value.account_id?,
                    authenticated_identity_id: value.authenticated_identity_id?,
                    device_id: value.device_id?,
                    domain_id: value.domain_id?,
                    first_seen: value.first_seen?,
                    id: value.id?,
                    last_seen: value.last_seen?,
                    pool_id: value.pool_id?,
                    session_type: value.session_type?,
                    status: value.status?,
                    title: value.title?,
                    type_: value.type_?,
                })
            }
        }
        impl ::std::convert::From<super::SessionSummary> for SessionSummary {
            fn from(value: super::SessionSummary) -> Self {
                Self {
                    account_id: Ok(value.account_id),
                    authenticated_identity_id: Ok(value.authenticated_identity_id),
                    device_id: Ok(value.device_id),
                    domain_id: Ok(value.domain_id),
                    first_seen: Ok(value.first_seen),
                    id: Ok(value.id),
                    last_seen: Ok(value.last_seen),
                    pool_id: Ok(value.pool_id),
                    session_type: Ok(value.session_type),
                    status: Ok(value.status),
                    title: Ok(value.title),
                    type_: Ok(value.type_),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct SessionWithAuthtoken {
            authtoken: ::std::result::Result<crate::token::Token, ::std::string::String>,
            session: ::std::result::Result<super::Session, ::std::string::String>,
        }
        impl ::std::default::Default for SessionWithAuthtoken {
            fn default() -> Self {
                Self {
                    authtoken: Err("no value supplied for authtoken".to_string()),
                    session: Err("no value supplied for session".to_string()),
                }
            }
        }
        impl SessionWithAuthtoken {
            pub fn authtoken<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::token::Token>,
                T::Error: ::std::fmt::Display,
            {
                self.authtoken = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for authtoken: {e}")
                    });
                self
            }
            pub fn session<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<super::Session>,
                T::Error: ::std::fmt::Display,
            {
                self.session = value
                    .try_into()
                    .map_err(|e| {
                        format!("error converting supplied value for session: {e}")
                    });
                self
            }
        }
        impl ::std::convert::TryFrom<SessionWithAuthtoken>
        for super::SessionWithAuthtoken {
            type Error = super::error::ConversionError;
            fn try_from(
                value: SessionWithAuthtoken,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    authtoken: value.authtoken?,
                    session: value.session?,
                })
            }
        }
        impl ::std::convert::From<super::SessionWithAuthtoken> for SessionWithAuthtoken {
            fn from(value: super::SessionWithAuthtoken) -> Self {
                Self {
                    authtoken: Ok(value.authtoken),
                    session: Ok(value.session),
                }
            }
        }
    }
    /// Error types.
    pub mod error {
        /// Error from a `TryFrom` or `FromStr` implementation.
        pub struct ConversionError(::std::borrow::Cow<'static, str>);
        impl ::std::error::Error for ConversionError {}
        impl ::std::fmt::Display for ConversionError {
            fn fmt(
                &self,
                f: &mut ::std::fmt::Formatter<'_>,
            ) -> Result<(), ::std::fmt::Error> {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }
        impl ::std::fmt::Debug for ConversionError {
            fn fmt(
                &self,
                f: &mut ::std::fmt::Formatter<'_>,
            ) -> Result<(), ::std::fmt::Error> {
                ::std::fmt::Debug::fmt(&self.0, f)
            }
        }
        impl From<&'static str> for ConversionError {
            fn from(value: &'static str) -> Self {
                Self(value.into())
            }
        }
        impl From<String> for ConversionError {
            fn from(value: String) -> Self {
                Self(value.into())
            }
        }
    }
}
#[derive(Clone, Debug)]
/**Client for Session Service

Sessions of people and programs: a login flow creates and authenticates them, gateways fetch them on every request, and callers with permission complete and revoke them.

Version: 2.1.0*/
pub struct Client {
    pub(crate) baseurl: String,
    pub(crate) client: reqwest::Client,
    pub(crate) inner: crate::inner::Inner,
}
impl Client {
    /// Create a new client.
    ///
    /// `baseurl` is the base URL provided to the internal
    /// `reqwest::Client`, and should include a scheme and hostname,
    /// as well as port and a path stem if applicable.
    pub fn new(baseurl: &str, inner: crate::inner::Inner) -> Self {
        #[cfg(not(target_arch = "wasm32"))]
        let client = {
            let dur = ::std::time::Duration::from_secs(15u64);
            reqwest::ClientBuilder::new().connect_timeout(dur).timeout(dur)
        };
        #[cfg(target_arch = "wasm32")]
        let client = reqwest::ClientBuilder::new();
        Self::new_with_client(baseurl, client.build().unwrap(), inner)
    }
    /// Construct a new client with an existing `reqwest::Client`,
    /// allowing more control over its configuration.
    ///
    /// `baseurl` is the base URL provided to the internal
    /// `reqwest::Client`, and should include a scheme and hostname,
    /// as well as port and a path stem if applicable.
    pub fn new_with_client(
        baseurl: &str,
        client: reqwest::Client,
        inner: crate::inner::Inner,
    ) -> Self {
        Self {
            baseurl: baseurl.to_string(),
            client,
            inner,
        }
    }
}
impl ClientInfo<crate::inner::Inner> for Client {
    fn api_version() -> &'static str {
        "2.1.0"
    }
    fn baseurl(&self) -> &str {
        self.baseurl.as_str()
    }
    fn client(&self) -> &reqwest::Client {
        &self.client
    }
    fn inner(&self) -> &crate::inner::Inner {
        &self.inner
    }
}
impl ClientHooks<crate::inner::Inner> for &Client {}
impl Client {
    /**Revoke sessions

Revokes all live sessions of one account, identity, device or pool in one transaction, and returns their number. With `except_session_id`, this is "sign out everywhere else". Requires an API key with the scope `session:revoke`, or the token of an authenticated session, which can revoke sessions of its own account only.

Sends a `POST` request to `/api/v1/revocation`

```ignore
let response = client.revoke_sessions()
    .body(body)
    .send()
    .await;
```*/
    pub fn revoke_sessions(&self) -> builder::RevokeSessions<'_> {
        builder::RevokeSessions::new(self)
    }
    /**List sessions

Returns the sessions that the caller may read and that match every filter, newest first, in pages. Pages are stable while sessions are created and deleted: a session that exists throughout appears exactly once. Requires an API key with the scope `session:read`, or the token of an authenticated session, which lists sessions of its own account only.

Sends a `GET` request to `/api/v1/session`

Arguments:
- `account_id`: Only sessions of this account
- `authenticated_identity_id`: Only sessions in which this identity authenticated last
- `device_id`: Only sessions of this device
- `limit`: The maximum number of sessions on a page; 100 by default
- `page_token`: The `next_page` of the previous page; it contains the filters, so only `limit` may be combined with it
- `pool_id`: Only sessions of this pool
- `session_type`: Only sessions of this type
- `status`: Only sessions with this status
```ignore
let response = client.list_sessions()
    .account_id(account_id)
    .authenticated_identity_id(authenticated_identity_id)
    .device_id(device_id)
    .limit(limit)
    .page_token(page_token)
    .pool_id(pool_id)
    .session_type(session_type)
    .status(status)
    .send()
    .await;
```*/
    pub fn list_sessions(&self) -> builder::ListSessions<'_> {
        builder::ListSessions::new(self)
    }
    /**Create session

Creates a session and returns it with its token, which is shown only once. With an account and an identity, the session starts as `authenticated`. Requires an API key with the scope `session:create`, and with an account also `session:authenticate`.

Sends a `POST` request to `/api/v1/session`

Arguments:
- `idempotency_key`: Lets the caller send the request again if it got no response: within 24 hours, the same key with the same body changes nothing more and returns the session as it is then, with the same token. That token is not valid any more if the session has ended or was authenticated again. With another body the key is refused with `invalid_value`. A request that was refused does not use up its key. A key counts for one API key, operation and session; choose a new one, such as a UUID, for each request.
- `body`
```ignore
let response = client.create_session()
    .idempotency_key(idempotency_key)
    .body(body)
    .send()
    .await;
```*/
    pub fn create_session(&self) -> builder::CreateSession<'_> {
        builder::CreateSession::new(self)
    }
    /**Fetch session

Returns the session and what the caller may do with it now. Requires an API key with the scope `session:read`, the session's own token, or the token of an authenticated session of the same account. A session that the caller may not read looks the same as one that does not exist. With the session's own token, this counts as an interaction if the session has had one before; the response shows the session as it was before it.

Sends a `GET` request to `/api/v1/session/{session_id}`

Arguments:
- `session_id`: The session
```ignore
let response = client.fetch_session()
    .session_id(session_id)
    .send()
    .await;
```*/
    pub fn fetch_session(&self) -> builder::FetchSession<'_> {
        builder::FetchSession::new(self)
    }
    /**Authenticate session

Records that an identity authenticated, and returns a new token; the previous token stops working. May be repeated to step up, with the same account. Requires an API key with the scope `session:authenticate`.

Sends a `POST` request to `/api/v1/session/{session_id}/authenticate`

Arguments:
- `session_id`: The session
- `idempotency_key`: Lets the caller send the request again if it got no response: within 24 hours, the same key with the same body changes nothing more and returns the session as it is then, with the same token. That token is not valid any more if the session has ended or was authenticated again. With another body the key is refused with `invalid_value`. A request that was refused does not use up its key. A key counts for one API key, operation and session; choose a new one, such as a UUID, for each request.
- `body`
```ignore
let response = client.authenticate_session()
    .session_id(session_id)
    .idempotency_key(idempotency_key)
    .body(body)
    .send()
    .await;
```*/
    pub fn authenticate_session(&self) -> builder::AuthenticateSession<'_> {
        builder::AuthenticateSession::new(self)
    }
    /**Complete session

Signs the session out: it becomes `complete`, and its token stops working. Requires an API key with the scope `session:update`, or the session's own token.

Sends a `POST` request to `/api/v1/session/{session_id}/complete`

Arguments:
- `session_id`: The session
```ignore
let response = client.complete_session()
    .session_id(session_id)
    .send()
    .await;
```*/
    pub fn complete_session(&self) -> builder::CompleteSession<'_> {
        builder::CompleteSession::new(self)
    }
    /**Record interaction

Records that the session was used now: a new session becomes `unauthenticated`, and the idle lifetime starts again. Requires an API key with the scope `session:update`.

Sends a `POST` request to `/api/v1/session/{session_id}/interaction`

Arguments:
- `session_id`: The session
- `body`
```ignore
let response = client.record_interaction()
    .session_id(session_id)
    .body(body)
    .send()
    .await;
```*/
    pub fn record_interaction(&self) -> builder::RecordInteraction<'_> {
        builder::RecordInteraction::new(self)
    }
    /**Revoke session

Ends the session: it becomes `revoked`, and its token stops working. Requires an API key with the scope `session:revoke`, the session's own token, or the token of an authenticated session of the same account.

Sends a `POST` request to `/api/v1/session/{session_id}/revoke`

Arguments:
- `session_id`: The session
```ignore
let response = client.revoke_session()
    .session_id(session_id)
    .send()
    .await;
```*/
    pub fn revoke_session(&self) -> builder::RevokeSession<'_> {
        builder::RevokeSession::new(self)
    }
    /**Fetch own session

Returns the session of the token. This counts as an interaction if the session has had one before; the response shows the session as it was before it. Requires a session token.

Sends a `GET` request to `/api/v1/whoami`

```ignore
let response = client.fetch_own_session()
    .send()
    .await;
```*/
    pub fn fetch_own_session(&self) -> builder::FetchOwnSession<'_> {
        builder::FetchOwnSession::new(self)
    }
}
/// Types for composing operation parameters.
#[allow(clippy::all)]
pub mod builder {
    use super::types;
    #[allow(unused_imports)]
    use super::{
        encode_path, ByteStream, ClientInfo, ClientHooks, Error, OperationInfo,
        RequestBuilderExt, ResponseValue,
    };
    /**Builder for [`Client::revoke_sessions`]

[`Client::revoke_sessions`]: super::Client::revoke_sessions*/
    #[derive(Debug, Clone)]
    pub struct RevokeSessions<'a> {
        client: &'a super::Client,
        body: Result<types::builder::Revocation, String>,
    }
    impl<'a> RevokeSessions<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                body: Ok(::std::default::Default::default()),
            }
        }
        pub fn body<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::Revocation>,
            <V as std::convert::TryInto<types::Revocation>>::Error: std::fmt::Display,
        {
            self.body = value
                .try_into()
                .map(From::from)
                .map_err(|s| {
                    format!("conversion to `Revocation` for body failed: {}", s)
                });
            self
        }
        pub fn body_map<F>(mut self, f: F) -> Self
        where
            F: std::ops::FnOnce(
                types::builder::Revocation,
            ) -> types::builder::Revocation,
        {
            self.body = self.body.map(f);
            self
        }
        ///Sends a `POST` request to `/api/v1/revocation`
        pub async fn send(
            self,
        ) -> Result<ResponseValue<types::RevocationResult>, Error<types::Error>> {
            let Self { client, body } = self;
            let body = body
                .and_then(|v| types::Revocation::try_from(v).map_err(|e| e.to_string()))
                .map_err(Error::InvalidRequest)?;
            let url = format!("{}/api/v1/revocation", client.baseurl,);
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map
                .append(
                    ::reqwest::header::HeaderName::from_static("api-version"),
                    ::reqwest::header::HeaderValue::from_static(
                        super::Client::api_version(),
                    ),
                );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .post(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .json(&body)
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "revoke_sessions",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200u16 => ResponseValue::from_response(response).await,
                400u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                401u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                403u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                408u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                413u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                415u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                429u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                500u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                501u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                503u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /**Builder for [`Client::list_sessions`]

[`Client::list_sessions`]: super::Client::list_sessions*/
    #[derive(Debug, Clone)]
    pub struct ListSessions<'a> {
        client: &'a super::Client,
        account_id: Result<Option<types::AccountId>, String>,
        authenticated_identity_id: Result<Option<types::IdentityId>, String>,
        device_id: Result<Option<types::DeviceId>, String>,
        limit: Result<Option<types::PageLimit>, String>,
        page_token: Result<Option<::std::string::String>, String>,
        pool_id: Result<Option<types::PoolId>, String>,
        session_type: Result<Option<types::SessionType>, String>,
        status: Result<Option<types::SessionStatus>, String>,
    }
    impl<'a> ListSessions<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                account_id: Ok(None),
                authenticated_identity_id: Ok(None),
                device_id: Ok(None),
                limit: Ok(None),
                page_token: Ok(None),
                pool_id: Ok(None),
                session_type: Ok(None),
                status: Ok(None),
            }
        }
        pub fn account_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::AccountId>,
        {
            self.account_id = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `AccountId` for account_id failed".to_string()
                });
            self
        }
        pub fn authenticated_identity_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::IdentityId>,
        {
            self.authenticated_identity_id = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `IdentityId` for authenticated_identity_id failed"
                        .to_string()
                });
            self
        }
        pub fn device_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::DeviceId>,
        {
            self.device_id = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `DeviceId` for device_id failed".to_string()
                });
            self
        }
        pub fn limit<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::PageLimit>,
        {
            self.limit = value
                .try_into()
                .map(Some)
                .map_err(|_| "conversion to `PageLimit` for limit failed".to_string());
            self
        }
        pub fn page_token<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<::std::string::String>,
        {
            self.page_token = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `:: std :: string :: String` for page_token failed"
                        .to_string()
                });
            self
        }
        pub fn pool_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::PoolId>,
        {
            self.pool_id = value
                .try_into()
                .map(Some)
                .map_err(|_| "conversion to `PoolId` for pool_id failed".to_string());
            self
        }
        pub fn session_type<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionType>,
        {
            self.session_type = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `SessionType` for session_type failed".to_string()
                });
            self
        }
        pub fn status<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionStatus>,
        {
            self.status = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `SessionStatus` for status failed".to_string()
                });
            self
        }
        ///Sends a `GET` request to `/api/v1/session`
        pub async fn send(
            self,
        ) -> Result<ResponseValue<types::SessionPage>, Error<types::Error>> {
            let Self {
                client,
                account_id,
                authenticated_identity_id,
                device_id,
                limit,
                page_token,
                pool_id,
                session_type,
                status,
            } = self;
            let account_id = account_id.map_err(Error::InvalidRequest)?;
            let authenticated_identity_id = authenticated_identity_id
                .map_err(Error::InvalidRequest)?;
            let device_id = device_id.map_err(Error::InvalidRequest)?;
            let limit = limit.map_err(Error::InvalidRequest)?;
            let page_token = page_token.map_err(Error::InvalidRequest)?;
            let pool_id = pool_id.map_err(Error::InvalidRequest)?;
            let session_type = session_type.map_err(Error::InvalidRequest)?;
            let status = status.map_err(Error::InvalidRequest)?;
            let url = format!("{}/api/v1/session", client.baseurl,);
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map
                .append(
                    ::reqwest::header::HeaderName::from_static("api-version"),
                    ::reqwest::header::HeaderValue::from_static(
                        super::Client::api_version(),
                    ),
                );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .get(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .query(&progenitor_client::QueryParam::new("account_id", &account_id))
                .query(
                    &progenitor_client::QueryParam::new(
                        "authenticated_identity_id",
                        &authenticated_identity_id,
                    ),
                )
                .query(&progenitor_client::QueryParam::new("device_id", &device_id))
                .query(&progenitor_client::QueryParam::new("limit", &limit))
                .query(&progenitor_client::QueryParam::new("page_token", &page_token))
                .query(&progenitor_client::QueryParam::new("pool_id", &pool_id))
                .query(
                    &progenitor_client::QueryParam::new("session_type", &session_type),
                )
                .query(&progenitor_client::QueryParam::new("status", &status))
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "list_sessions",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200u16 => ResponseValue::from_response(response).await,
                400u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                401u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                403u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                429u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                500u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                501u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                503u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
        ///Streams `GET` requests to `/api/v1/session`
        pub fn stream(
            self,
        ) -> impl futures::Stream<
            Item = Result<types::Session, Error<types::Error>>,
        > + Unpin + 'a {
            use ::futures::StreamExt;
            use ::futures::TryFutureExt;
            use ::futures::TryStreamExt;
            let next = Self {
                account_id: Ok(None),
                authenticated_identity_id: Ok(None),
                device_id: Ok(None),
                page_token: Ok(None),
                pool_id: Ok(None),
                session_type: Ok(None),
                status: Ok(None),
                ..self.clone()
            };
            self.send()
                .map_ok(move |page| {
                    let page = page.into_inner();
                    let first = futures::stream::iter(page.items).map(Ok);
                    let rest = futures::stream::try_unfold(
                            (page.next_page, next),
                            |(next_page, next)| async {
                                if next_page.is_none() {
                                    Ok(None)
                                } else {
                                    Self {
                                        page_token: Ok(next_page),
                                        ..next.clone()
                                    }
                                        .send()
                                        .map_ok(|page| {
                                            let page = page.into_inner();
                                            Some((
                                                futures::stream::iter(page.items).map(Ok),
                                                (page.next_page, next),
                                            ))
                                        })
                                        .await
                                }
                            },
                        )
                        .try_flatten();
                    first.chain(rest)
                })
                .try_flatten_stream()
                .boxed()
        }
    }
    /**Builder for [`Client::create_session`]

[`Client::create_session`]: super::Client::create_session*/
    #[derive(Debug, Clone)]
    pub struct CreateSession<'a> {
        client: &'a super::Client,
        idempotency_key: Result<Option<types::IdempotencyKey>, String>,
        body: Result<types::builder::SessionCreate, String>,
    }
    impl<'a> CreateSession<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                idempotency_key: Ok(None),
                body: Ok(::std::default::Default::default()),
            }
        }
        pub fn idempotency_key<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::IdempotencyKey>,
        {
            self.idempotency_key = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `IdempotencyKey` for idempotency_key failed"
                        .to_string()
                });
            self
        }
        pub fn body<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionCreate>,
            <V as std::convert::TryInto<types::SessionCreate>>::Error: std::fmt::Display,
        {
            self.body = value
                .try_into()
                .map(From::from)
                .map_err(|s| {
                    format!("conversion to `SessionCreate` for body failed: {}", s)
                });
            self
        }
        pub fn body_map<F>(mut self, f: F) -> Self
        where
            F: std::ops::FnOnce(
                types::builder::SessionCreate,
            ) -> types::builder::SessionCreate,
        {
            self.body = self.body.map(f);
            self
        }
        ///Sends a `POST` request to `/api/v1/session`
        pub async fn send(
            self,
        ) -> Result<ResponseValue<types::SessionWithAuthtoken>, Error<types::Error>> {
            let Self { client, idempotency_key, body } = self;
            let idempotency_key = idempotency_key.map_err(Error::InvalidRequest)?;
            let body = body
                .and_then(|v| {
                    types::SessionCreate::try_from(v).map_err(|e| e.to_string())
                })
                .map_err(Error::InvalidRequest)?;
            let url = format!("{}/api/v1/session", client.baseurl,);
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(2usize);
            header_map
                .append(
                    ::reqwest::header::HeaderName::from_static("api-version"),
                    ::reqwest::header::HeaderValue::from_static(
                        super::Client::api_version(),
                    ),
                );
            if let Some(value) = idempotency_key {
                header_map.append("Idempotency-Key", value.to_string().try_into()?);
            }
            #[allow(unused_mut)]
            let mut request = client
                .client
                .post(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .json(&body)
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "create_session",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                201u16 => ResponseValue::from_response(response).await,
                400u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                401u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                403u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                408u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                413u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                415u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                429u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                500u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                501u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                503u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /**Builder for [`Client::fetch_session`]

[`Client::fetch_session`]: super::Client::fetch_session*/
    #[derive(Debug, Clone)]
    pub struct FetchSession<'a> {
        client: &'a super::Client,
        session_id: Result<types::SessionId, String>,
    }
    impl<'a> FetchSession<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionId>,
        {
            self.session_id = value
                .try_into()
                .map_err(|_| {
                    "conversion to `SessionId` for session_id failed".to_string()
                });
            self
        }
        ///Sends a `GET` request to `/api/v1/session/{session_id}`
        pub async fn send(
            self,
        ) -> Result<ResponseValue<types::Session>, Error<types::Error>> {
            let Self { client, session_id } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/api/v1/session/{}", client.baseurl, encode_path(& session_id
                .to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map
                .append(
                    ::reqwest::header::HeaderName::from_static("api-version"),
                    ::reqwest::header::HeaderValue::from_static(
                        super::Client::api_version(),
                    ),
                );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .get(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "fetch_session",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200u16 => ResponseValue::from_response(response).await,
                400u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                401u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                404u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                429u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                500u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                501u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                503u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /**Builder for [`Client::authenticate_session`]

[`Client::authenticate_session`]: super::Client::authenticate_session*/
    #[derive(Debug, Clone)]
    pub struct AuthenticateSession<'a> {
        client: &'a super::Client,
        session_id: Result<types::SessionId, String>,
        idempotency_key: Result<Option<types::IdempotencyKey>, String>,
        body: Result<types::builder::SessionAuthenticate, String>,
    }
    impl<'a> AuthenticateSession<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
                idempotency_key: Ok(None),
                body: Ok(::std::default::Default::default()),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionId>,
        {
            self.session_id = value
                .try_into()
                .map_err(|_| {
                    "conversion to `SessionId` for session_id failed".to_string()
                });
            self
        }
        pub fn idempotency_key<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::IdempotencyKey>,
        {
            self.idempotency_key = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `IdempotencyKey` for idempotency_key failed"
                        .to_string()
                });
            self
        }
        pub fn body<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionAuthenticate>,
            <V as std::convert::TryInto<
                types::SessionAuthenticate,
            >>::Error: std::fmt::Display,
        {
            self.body = value
                .try_into()
                .map(From::from)
                .map_err(|s| {
                    format!("conversion to `SessionAuthenticate` for body failed: {}", s)
                });
            self
        }
        pub fn body_map<F>(mut self, f: F) -> Self
        where
            F: std::ops::FnOnce(
                types::builder::SessionAuthenticate,
            ) -> types::builder::SessionAuthenticate,
        {
            self.body = self.body.map(f);
            self
        }
        ///Sends a `POST` request to `/api/v1/session/{session_id}/authenticate`
        pub async fn send(
            self,
        ) -> Result<ResponseValue<types::SessionWithAuthtoken>, Error<types::Error>> {
            let Self { client, session_id, idempotency_key, body } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let idempotency_key = idempotency_key.map_err(Error::InvalidRequest)?;
            let body = body
                .and_then(|v| {
                    types::SessionAuthenticate::try_from(v).map_err(|e| e.to_string())
                })
                .map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/api/v1/session/{}/authenticate", client.baseurl, encode_path(&
                session_id.to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(2usize);
            header_map
                .append(
                    ::reqwest::header::HeaderName::from_static("api-version"),
                    ::reqwest::header::HeaderValue::from_static(
                        super::Client::api_version(),
                    ),
                );
            if let Some(value) = idempotency_key {
                header_map.append("Idempotency-Key", value.to_string().try_into()?);
            }
            #[allow(unused_mut)]
            let mut request = client
                .client
                .post(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .json(&body)
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "authenticate_session",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200u16 => ResponseValue::from_response(response).await,
                400u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                401u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                403u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                404u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                408u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                409u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                413u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                415u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                429u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                500u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                501u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                503u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /**Builder for [`Client::complete_session`]

[`Client::complete_session`]: super::Client::complete_session*/
    #[derive(Debug, Clone)]
    pub struct CompleteSession<'a> {
        client: &'a super::Client,
        session_id: Result<types::SessionId, String>,
    }
    impl<'a> CompleteSession<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionId>,
        {
            self.session_id = value
                .try_into()
                .map_err(|_| {
                    "conversion to `SessionId` for session_id failed".to_string()
                });
            self
        }
        ///Sends a `POST` request to `/api/v1/session/{session_id}/complete`
        pub async fn send(
            self,
        ) -> Result<ResponseValue<types::Session>, Error<types::Error>> {
            let Self { client, session_id } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/api/v1/session/{}/complete", client.baseurl, encode_path(& session_id
                .to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map
                .append(
                    ::reqwest::header::HeaderName::from_static("api-version"),
                    ::reqwest::header::HeaderValue::from_static(
                        super::Client::api_version(),
                    ),
                );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .post(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "complete_session",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200u16 => ResponseValue::from_response(response).await,
                400u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                401u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                403u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                404u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                409u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                429u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                500u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                501u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                503u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /**Builder for [`Client::record_interaction`]

[`Client::record_interaction`]: super::Client::record_interaction*/
    #[derive(Debug, Clone)]
    pub struct RecordInteraction<'a> {
        client: &'a super::Client,
        session_id: Result<types::SessionId, String>,
        body: Result<types::builder::SessionInteraction, String>,
    }
    impl<'a> RecordInteraction<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
                body: Ok(::std::default::Default::default()),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionId>,
        {
            self.session_id = value
                .try_into()
                .map_err(|_| {
                    "conversion to `SessionId` for session_id failed".to_string()
                });
            self
        }
        pub fn body<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionInteraction>,
            <V as std::convert::TryInto<
                types::SessionInteraction,
            >>::Error: std::fmt::Display,
        {
            self.body = value
                .try_into()
                .map(From::from)
                .map_err(|s| {
                    format!("conversion to `SessionInteraction` for body failed: {}", s)
                });
            self
        }
        pub fn body_map<F>(mut self, f: F) -> Self
        where
            F: std::ops::FnOnce(
                types::builder::SessionInteraction,
            ) -> types::builder::SessionInteraction,
        {
            self.body = self.body.map(f);
            self
        }
        ///Sends a `POST` request to `/api/v1/session/{session_id}/interaction`
        pub async fn send(
            self,
        ) -> Result<ResponseValue<types::Session>, Error<types::Error>> {
            let Self { client, session_id, body } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let body = body
                .and_then(|v| {
                    types::SessionInteraction::try_from(v).map_err(|e| e.to_string())
                })
                .map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/api/v1/session/{}/interaction", client.baseurl, encode_path(&
                session_id.to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map
                .append(
                    ::reqwest::header::HeaderName::from_static("api-version"),
                    ::reqwest::header::HeaderValue::from_static(
                        super::Client::api_version(),
                    ),
                );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .post(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .json(&body)
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "record_interaction",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200u16 => ResponseValue::from_response(response).await,
                400u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                401u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                403u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                404u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                408u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                409u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                413u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                415u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                429u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                500u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                501u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                503u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /**Builder for [`Client::revoke_session`]

[`Client::revoke_session`]: super::Client::revoke_session*/
    #[derive(Debug, Clone)]
    pub struct RevokeSession<'a> {
        client: &'a super::Client,
        session_id: Result<types::SessionId, String>,
    }
    impl<'a> RevokeSession<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::SessionId>,
        {
            self.session_id = value
                .try_into()
                .map_err(|_| {
                    "conversion to `SessionId` for session_id failed".to_string()
                });
            self
        }
        ///Sends a `POST` request to `/api/v1/session/{session_id}/revoke`
        pub async fn send(
            self,
        ) -> Result<ResponseValue<types::Session>, Error<types::Error>> {
            let Self { client, session_id } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/api/v1/session/{}/revoke", client.baseurl, encode_path(& session_id
                .to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map
                .append(
                    ::reqwest::header::HeaderName::from_static("api-version"),
                    ::reqwest::header::HeaderValue::from_static(
                        super::Client::api_version(),
                    ),
                );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .post(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "revoke_session",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200u16 => ResponseValue::from_response(response).await,
                400u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                401u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                403u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                404u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                409u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                429u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                500u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                501u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                503u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /**Builder for [`Client::fetch_own_session`]

[`Client::fetch_own_session`]: super::Client::fetch_own_session*/
    #[derive(Debug, Clone)]
    pub struct FetchOwnSession<'a> {
        client: &'a super::Client,
    }
    impl<'a> FetchOwnSession<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self { client: client }
        }
        ///Sends a `GET` request to `/api/v1/whoami`
        pub async fn send(
            self,
        ) -> Result<ResponseValue<types::Session>, Error<types::Error>> {
            let Self { client } = self;
            let url = format!("{}/api/v1/whoami", client.baseurl,);
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map
                .append(
                    ::reqwest::header::HeaderName::from_static("api-version"),
                    ::reqwest::header::HeaderValue::from_static(
                        super::Client::api_version(),
                    ),
                );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .get(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "fetch_own_session",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200u16 => ResponseValue::from_response(response).await,
                400u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                401u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                403u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                429u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                500u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                501u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                503u16 => {
                    Err(
                        Error::ErrorResponse(
                            ResponseValue::from_response(response).await?,
                        ),
                    )
                }
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
}
/// Items consumers will typically use such as the Client.
pub mod prelude {
    pub use self::super::Client;
}
/// Returns whether the body parses as any of the contract's responses.
pub(crate) fn is_response(body: &[u8]) -> bool {
    fn parses<T: serde::de::DeserializeOwned>(body: &[u8]) -> bool {
        serde_json::from_slice::<T>(body).is_ok()
    }
    parses::<types::Error>(body) || parses::<types::RevocationResult>(body)
        || parses::<types::Session>(body) || parses::<types::SessionPage>(body)
        || parses::<types::SessionWithAuthtoken>(body)
}
/// The operations that take an idempotency key.
pub(crate) const REPEATABLE: &[&str] = &["authenticate_session", "create_session"];
