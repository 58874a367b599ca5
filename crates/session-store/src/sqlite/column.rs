//! Values as SQLite stores them: most in one column, some in a group of columns.

use std::fmt::Display;
use std::net::IpAddr;

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Type, ValueRef};
use session_types::{
    AccountId, DeviceId, DomainId, Id, IdentityId, InteractionDetails, PoolId, RemoteIp, Scope, SessionId,
    SessionStatus, SessionType, Timestamp, Title, UserAgent,
};

use crate::event::{Actor, EventAction, EventId};
use crate::idempotency::RecordId;
use crate::key::{KeyId, SecretHash};

/// A value that is stored in one column. rusqlite's own traits cannot be implemented for types of another crate.
pub(super) trait Column: Sized {
    /// Returns the value for SQLite.
    fn to_column(&self) -> ToSqlOutput<'_>;

    /// Reads the value. Fails on one that no version of this program writes.
    fn from_column(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

pub(super) const NULL: ToSqlOutput<'_> = ToSqlOutput::Borrowed(ValueRef::Null);

fn blob(bytes: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Blob(bytes))
}

fn text(text: &str) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
}

fn invalid(error: impl Display) -> FromSqlError {
    FromSqlError::Other(error.to_string().into())
}

/// Implements [`Column`] by two expressions: of `self`, and of `value`, the stored value.
macro_rules! columns {
    ($($type:ty: |$this:ident| $write:expr, |$value:ident| $read:expr;)*) => {$(
        impl Column for $type {
            fn to_column(&self) -> ToSqlOutput<'_> {
                let $this = self;
                $write
            }

            fn from_column($value: ValueRef<'_>) -> FromSqlResult<Self> {
                $read
            }
        }
    )*};
}

columns! {
    Id: |id| blob(id.as_bytes()), |value| FromSql::column_result(value).map(Self::from_bytes);
    SecretHash: |hash| blob(&hash.0), |value| FromSql::column_result(value).map(Self);
    RecordId: |id| blob(&id.0), |value| FromSql::column_result(value).map(Self);
    [u8; 32]: |bytes| blob(bytes), |value| FromSql::column_result(value);
    [u8; 16]: |bytes| blob(bytes), |value| FromSql::column_result(value);
    SessionType: |word| text(word.as_ref()), |value| value.as_str()?.parse().map_err(invalid);
    SessionStatus: |word| text(word.as_ref()), |value| value.as_str()?.parse().map_err(invalid);
    EventAction: |word| text(word.as_ref()), |value| value.as_str()?.parse().map_err(invalid);
    String: |string| text(string), |value| FromSql::column_result(value);
    Title: |title| text(title.as_str()), |value| Self::from_stored(String::from_column(value)?).map_err(invalid);
    UserAgent: |agent| text(agent.as_str()), |value| Self::from_stored(String::from_column(value)?).map_err(invalid);
    RemoteIp: |ip| String::from(*ip).into(),
        |value| value.as_str()?.parse::<IpAddr>().map(Self::from).map_err(invalid);
    // A number of this program is far below the greatest that SQLite stores, 2^63 - 1.
    u64: |number| i64::try_from(*number).unwrap_or(i64::MAX).into(), |value| FromSql::column_result(value);
    Timestamp: |time| time.as_ms().cast_signed().into(),
        |value| Self::from_ms(u64::from_column(value)?).map_err(invalid);
    Vec<Scope>: |scopes| scopes.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ").into(),
        |value| value.as_str()?.split_whitespace().map(|word| word.parse().map_err(invalid)).collect();
    Vec<SecretHash>: |hashes| if hashes.is_empty() {
            NULL
        } else {
            hashes.iter().flat_map(|hash| hash.0).collect::<Vec<_>>().into()
        },
        |value| {
            let bytes = value.as_blob_or_null()?.unwrap_or_default();
            Ok(bytes.as_chunks().0.iter().copied().map(SecretHash).collect())
        };
}

macro_rules! id_columns {
    ($($name:ident)*) => {
        columns! { $($name: |id| id.0.to_column(), |value| Id::from_column(value).map(Self);)* }
    };
}

id_columns! { SessionId AccountId IdentityId DeviceId DomainId PoolId KeyId EventId }

/// A value with a column or a group of columns. Its columns have the property's name, each followed by a suffix.
pub(super) trait Property: Sized {
    /// The suffixes of the columns, in the order in which they are written and read.
    const SUFFIXES: &'static [&'static str];

    /// Appends the value of each column.
    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>);

    /// Reads the columns from `position` on, and advances it behind them.
    fn read(row: &Row<'_>, position: &mut usize) -> rusqlite::Result<Self> {
        Self::read_from(row.get_ref(*position)?, row, position)
    }

    /// As [`Property::read`]. `first` is the value of the first column: to get one from SQLite takes longer than to read it.
    fn read_from(first: ValueRef<'_>, row: &Row<'_>, position: &mut usize) -> rusqlite::Result<Self>;
}

impl<T: Column> Property for T {
    const SUFFIXES: &'static [&'static str] = &[""];

    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>) {
        values.push(self.to_column());
    }

    fn read_from(first: ValueRef<'_>, _row: &Row<'_>, position: &mut usize) -> rusqlite::Result<Self> {
        let value = T::from_column(first).map_err(|error| {
            let cause = match error {
                FromSqlError::Other(cause) => cause,
                error => Box::new(error),
            };
            rusqlite::Error::FromSqlConversionFailure(*position, first.data_type(), cause)
        })?;
        *position += 1;
        Ok(value)
    }
}

/// `None` is null in every column.
impl<T: Property> Property for Option<T> {
    const SUFFIXES: &'static [&'static str] = T::SUFFIXES;

    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>) {
        match self {
            Some(value) => value.write(values),
            None => values.extend(T::SUFFIXES.iter().map(|_| NULL)),
        }
    }

    fn read_from(first: ValueRef<'_>, row: &Row<'_>, position: &mut usize) -> rusqlite::Result<Self> {
        if first != ValueRef::Null {
            return T::read_from(first, row, position).map(Some);
        }
        *position += T::SUFFIXES.len();
        Ok(None)
    }
}

impl Property for InteractionDetails {
    const SUFFIXES: &'static [&'static str] = &["_at", "_ip", "_user_agent"];

    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>) {
        let Self { at, remote_ip, user_agent } = self;
        at.write(values);
        remote_ip.write(values);
        user_agent.write(values);
    }

    fn read_from(first: ValueRef<'_>, row: &Row<'_>, position: &mut usize) -> rusqlite::Result<Self> {
        Ok(Self {
            at: Property::read_from(first, row, position)?,
            remote_ip: Property::read(row, position)?,
            user_agent: Property::read(row, position)?,
        })
    }
}

impl Property for Actor {
    const SUFFIXES: &'static [&'static str] = &["_kind", "_id"];

    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>) {
        let id = self.id().map_or(NULL, |id| id.as_bytes().to_vec().into());
        values.extend([text(self.kind()), id]);
    }

    fn read_from(first: ValueRef<'_>, row: &Row<'_>, position: &mut usize) -> rusqlite::Result<Self> {
        let (kind, id) = (String::read_from(first, row, position)?, Option::read(row, position)?);
        Self::from_parts(&kind, id).ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(
                *position - 1,
                Type::Blob,
                "not an ID of this kind".into(),
            )
        })
    }
}
