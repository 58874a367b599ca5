//! Values as SQLite stores them: most in one column, some in a group of columns.

use std::fmt::Display;
use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Type, ValueRef};
use session_types::{
    AccountId, DeviceId, DomainId, Id, IdentityId, InteractionDetails, PoolId, RemoteIp, Scope, SessionId,
    SessionStatus, SessionType, Timestamp, Title, UserAgent,
};

use crate::event::{Actor, EventAction, EventId};
use crate::key::{KeyId, SecretHash};

/// A value that is stored in one column. rusqlite's own traits cannot be implemented for types of another crate.
pub(super) trait Column: Sized {
    /// Returns the value for SQLite.
    fn to_column(&self) -> ToSqlOutput<'_>;

    /// Reads the value. Fails on one that no version of this program writes.
    fn from_column(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

const NULL: ToSqlOutput<'_> = ToSqlOutput::Borrowed(ValueRef::Null);

fn blob(bytes: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Blob(bytes))
}

fn text(text: &str) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
}

fn invalid(error: impl Display) -> FromSqlError {
    FromSqlError::Other(error.to_string().into())
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> FromSqlResult<T> {
    text.parse().map_err(invalid)
}

impl<T: Column> Column for Option<T> {
    fn to_column(&self) -> ToSqlOutput<'_> {
        self.as_ref().map_or(NULL, T::to_column)
    }

    fn from_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        if value == ValueRef::Null { Ok(None) } else { T::from_column(value).map(Some) }
    }
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
    SessionType: |word| text(word.as_ref()), |value| parse(value.as_str()?);
    SessionStatus: |word| text(word.as_ref()), |value| parse(value.as_str()?);
    EventAction: |word| text(word.as_ref()), |value| parse(value.as_str()?);
    String: |string| text(string), |value| FromSql::column_result(value);
    Title: |title| text(title.as_str()), |value| Self::try_from(String::from_column(value)?).map_err(invalid);
    UserAgent: |agent| text(agent.as_str()), |value| Self::try_from(String::from_column(value)?).map_err(invalid);
    RemoteIp: |ip| String::from(*ip).into(), |value| Self::try_from(String::from_column(value)?).map_err(invalid);
    // A number of this program is far below the greatest that SQLite stores, 2^63 - 1.
    u64: |number| i64::try_from(*number).unwrap_or(i64::MAX).into(), |value| FromSql::column_result(value);
    Timestamp: |time| time.as_ms().cast_signed().into(),
        |value| Self::from_ms(u64::from_column(value)?).map_err(invalid);
    Vec<Scope>: |scopes| scopes.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ").into(),
        |value| value.as_str()?.split_whitespace().map(parse).collect();
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

/// Reads the columns of a row from the first to the last.
pub(super) struct ColumnReader<'row> {
    row: &'row Row<'row>,
    position: usize,
}

impl<'row> ColumnReader<'row> {
    /// Starts at the first column.
    pub(super) fn new(row: &'row Row<'row>) -> Self {
        Self { row, position: 0 }
    }

    /// Reads the columns of the next property.
    pub(super) fn next<T: Property>(&mut self) -> rusqlite::Result<T> {
        T::read(self)
    }
}

/// A value with a column or a group of columns. Its columns have the property's name, each followed by a suffix.
pub(super) trait Property: Sized {
    /// The suffixes of the columns, in the order in which they are written and read.
    const SUFFIXES: &'static [&'static str];

    /// Appends the value of each column.
    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>);

    /// Reads the columns.
    fn read(columns: &mut ColumnReader<'_>) -> rusqlite::Result<Self>;
}

impl<T: Column> Property for T {
    const SUFFIXES: &'static [&'static str] = &[""];

    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>) {
        values.push(self.to_column());
    }

    fn read(columns: &mut ColumnReader<'_>) -> rusqlite::Result<Self> {
        /// So that rusqlite adds the column to an error.
        struct Read<T>(T);

        impl<T: Column> FromSql for Read<T> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                T::from_column(value).map(Self)
            }
        }

        let position = columns.position;
        columns.position += 1;
        columns.row.get(position).map(|Read(value)| value)
    }
}

/// Without an interaction, all columns are null.
impl Property for Option<InteractionDetails> {
    const SUFFIXES: &'static [&'static str] = InteractionDetails::SUFFIXES;

    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>) {
        match self {
            Some(details) => details.write(values),
            None => values.extend(Self::SUFFIXES.iter().map(|_| NULL)),
        }
    }

    fn read(columns: &mut ColumnReader<'_>) -> rusqlite::Result<Self> {
        let (at, remote_ip, user_agent) = (columns.next()?, columns.next()?, columns.next()?);
        Ok(Option::map(at, |at| InteractionDetails { at, remote_ip, user_agent }))
    }
}

impl Property for InteractionDetails {
    const SUFFIXES: &'static [&'static str] = &["_at", "_ip", "_user_agent"];

    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>) {
        let Self { at, remote_ip, user_agent } = self;
        values.extend([at.to_column(), remote_ip.to_column(), user_agent.to_column()]);
    }

    fn read(columns: &mut ColumnReader<'_>) -> rusqlite::Result<Self> {
        Ok(Self { at: columns.next()?, remote_ip: columns.next()?, user_agent: columns.next()? })
    }
}

impl Property for Actor {
    const SUFFIXES: &'static [&'static str] = &["_kind", "_id"];

    fn write<'a>(&'a self, values: &mut Vec<ToSqlOutput<'a>>) {
        let id = self.id().map_or(NULL, |id| id.as_bytes().to_vec().into());
        values.extend([text(self.kind()), id]);
    }

    fn read(columns: &mut ColumnReader<'_>) -> rusqlite::Result<Self> {
        let position = columns.position;
        let (kind, id) = (columns.next::<String>()?, columns.next()?);
        Self::from_parts(&kind, id).ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(position, Type::Text, "its ID does not fit".into())
        })
    }
}
