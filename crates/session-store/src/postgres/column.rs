//! Values as PostgreSQL stores them: most in one column, some in a group of columns.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;

use bytes::BytesMut;
use session_types::{
    AccountId, DeviceId, DomainId, Id, IdentityId, InteractionDetails, PoolId, RemoteIp, Scope, SessionId,
    SessionStatus, SessionType, Timestamp, Title, UserAgent,
};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::event::{Actor, EventAction, EventId};
use crate::idempotency::RecordId;
use crate::key::{KeyId, SecretHash};

/// A value of one column. The driver's own traits cannot be implemented for types of another crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Bytes(Cow<'a, [u8]>),
    Text(Cow<'a, str>),
    Number(i64),
    /// An array.
    List(Vec<Self>),
}

/// Sorts below every ID.
pub(super) const START: Value<'_> = Value::Bytes(Cow::Borrowed(&[]));

/// Sorts above every ID.
pub(super) const END: Value<'_> = Value::Bytes(Cow::Borrowed(&[0xff; 21]));

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bytes(bytes) => bytes.as_ref().to_sql(ty, out),
            Self::Text(text) => text.as_ref().to_sql(ty, out),
            Self::Number(number) => number.to_sql(ty, out),
            Self::List(values) => values.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        let list = [Type::BYTEA_ARRAY, Type::TEXT_ARRAY, Type::INT8_ARRAY];
        <Self as FromSql>::accepts(ty) || list.contains(ty)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match *ty {
            Type::BYTEA => FromSql::from_sql(ty, raw).map(Cow::Borrowed).map(Self::Bytes),
            Type::TEXT => FromSql::from_sql(ty, raw).map(Cow::Borrowed).map(Self::Text),
            _ => i64::from_sql(ty, raw).map(Self::Number),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        [Type::BYTEA, Type::TEXT, Type::INT8].contains(ty)
    }
}

/// A value that no version of this program writes.
#[derive(Debug)]
pub(super) struct Invalid {
    /// The place of its column in the row.
    pub(super) column: usize,
    /// What is wrong with it.
    pub(super) cause: String,
}

impl<'a> Value<'a> {
    fn bytes<const N: usize>(self) -> Result<[u8; N], String> {
        match self {
            Self::Bytes(bytes) => {
                bytes.as_ref().try_into().map_err(|_| format!("{} bytes in place of {N}", bytes.len()))
            }
            _ => Err("no bytes".to_owned()),
        }
    }

    fn text(self) -> Result<Cow<'a, str>, String> {
        if let Self::Text(text) = self { Ok(text) } else { Err("no text".to_owned()) }
    }

    fn number(self) -> Result<u64, String> {
        if let Self::Number(number) = self {
            u64::try_from(number).map_err(text_of)
        } else {
            Err("no number".to_owned())
        }
    }
}

fn text_of(error: impl Display) -> String {
    error.to_string()
}

fn bytes(bytes: &[u8]) -> Value<'_> {
    Value::Bytes(Cow::Borrowed(bytes))
}

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

/// A value that is stored in one column.
pub(super) trait Column: Sized {
    /// The type of the column.
    const TYPE: &'static str;

    /// Returns the value for PostgreSQL.
    fn to_column(&self) -> Value<'_>;

    /// Reads the value. Fails on one that no version of this program writes.
    fn from_column(value: Value<'_>) -> Result<Self, String>;
}

/// Implements [`Column`] by the type of the column and two expressions: of `self`, and of `value`, the stored value.
macro_rules! columns {
    ($($type:ty as $column:literal: |$this:ident| $write:expr, |$value:ident| $read:expr;)*) => {$(
        impl Column for $type {
            const TYPE: &'static str = $column;

            fn to_column(&self) -> Value<'_> {
                let $this = self;
                $write
            }

            fn from_column($value: Value<'_>) -> Result<Self, String> {
                $read
            }
        }
    )*};
}

columns! {
    Id as "bytea": |id| bytes(id.as_bytes()), |value| value.bytes().map(Self::from_bytes);
    SecretHash as "bytea": |hash| bytes(&hash.0), |value| value.bytes().map(Self);
    RecordId as "bytea": |id| bytes(&id.0), |value| value.bytes().map(Self);
    [u8; 32] as "bytea": |array| bytes(array), |value| value.bytes();
    [u8; 16] as "bytea": |array| bytes(array), |value| value.bytes();
    SessionType as "text": |word| text(word.as_ref()), |value| value.text()?.parse().map_err(text_of);
    SessionStatus as "text": |word| text(word.as_ref()), |value| value.text()?.parse().map_err(text_of);
    EventAction as "text": |word| text(word.as_ref()), |value| value.text()?.parse().map_err(text_of);
    String as "text": |string| text(string), |value| value.text().map(Cow::into_owned);
    Title as "text": |title| text(title.as_str()), |value| Self::from_stored(String::from_column(value)?).map_err(text_of);
    UserAgent as "text": |agent| text(agent.as_str()), |value| Self::from_stored(String::from_column(value)?).map_err(text_of);
    RemoteIp as "text": |ip| Value::Text(String::from(*ip).into()), |value| Self::try_from(String::from_column(value)?).map_err(text_of);
    // A number of this program is far below the greatest that PostgreSQL stores, 2^63 - 1.
    u64 as "bigint": |number| Value::Number(i64::try_from(*number).unwrap_or(i64::MAX)), |value| value.number();
    Timestamp as "bigint": |time| Value::Number(time.as_ms().cast_signed()), |value| Self::from_ms(value.number()?).map_err(text_of);
    Vec<Scope> as "text": |scopes| Value::Text(scopes.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ").into()),
        |value| value.text()?.split_whitespace().map(|word| word.parse().map_err(text_of)).collect();
    Vec<SecretHash> as "bytea": |hashes| if hashes.is_empty() {
            Value::Null
        } else {
            Value::Bytes(hashes.iter().flat_map(|hash| hash.0).collect::<Vec<_>>().into())
        },
        |value| match value {
            Value::Bytes(bytes) => Ok(bytes.as_chunks().0.iter().copied().map(SecretHash).collect()),
            Value::Null => Ok(Self::new()),
            _ => Err("no bytes".to_owned()),
        };
}

macro_rules! id_columns {
    ($($name:ident)*) => {
        columns! { $($name as "bytea": |id| id.0.to_column(), |value| Id::from_column(value).map(Self);)* }
    };
}

id_columns! { SessionId AccountId IdentityId DeviceId DomainId PoolId KeyId EventId }

/// A value with a column or a group of columns. Its columns have the property's name, each followed by a suffix.
pub(super) trait Property: Sized {
    /// The suffixes and types of the columns, in the order in which they are written and read.
    const COLUMNS: &'static [(&'static str, &'static str)];

    /// Appends the value of each column.
    fn write<'a>(&'a self, values: &mut Vec<Value<'a>>);

    /// Reads the columns from `position` on, and advances it behind them.
    fn read(row: &Row, position: &mut usize) -> Result<Self, Invalid>;
}

/// Returns the values as an array.
pub(super) fn list<T: Column>(values: &[T]) -> Value<'_> {
    Value::List(values.iter().map(Column::to_column).collect())
}

/// Returns the value in a column.
pub(super) fn value_at(row: &Row, column: usize) -> Result<Value<'_>, Invalid> {
    row.try_get(column).map_err(|error| Invalid { column, cause: text_of(error) })
}

/// Returns the property that the columns of a row have, from `position` on.
pub(super) fn read<T: Property>(row: &Row, mut position: usize) -> Result<T, Invalid> {
    T::read(row, &mut position)
}

impl<T: Column> Property for T {
    const COLUMNS: &'static [(&'static str, &'static str)] = &[("", T::TYPE)];

    fn write<'a>(&'a self, values: &mut Vec<Value<'a>>) {
        values.push(self.to_column());
    }

    fn read(row: &Row, position: &mut usize) -> Result<Self, Invalid> {
        let column = *position;
        *position += 1;
        T::from_column(value_at(row, column)?).map_err(|cause| Invalid { column, cause })
    }
}

/// `None` is null in every column.
impl<T: Property> Property for Option<T> {
    const COLUMNS: &'static [(&'static str, &'static str)] = T::COLUMNS;

    fn write<'a>(&'a self, values: &mut Vec<Value<'a>>) {
        match self {
            Some(value) => value.write(values),
            None => values.extend(T::COLUMNS.iter().map(|_| Value::Null)),
        }
    }

    fn read(row: &Row, position: &mut usize) -> Result<Self, Invalid> {
        if value_at(row, *position)? != Value::Null {
            return T::read(row, position).map(Some);
        }
        *position += T::COLUMNS.len();
        Ok(None)
    }
}

impl Property for InteractionDetails {
    const COLUMNS: &'static [(&'static str, &'static str)] =
        &[("_at", "bigint"), ("_ip", "text"), ("_user_agent", "text")];

    fn write<'a>(&'a self, values: &mut Vec<Value<'a>>) {
        let Self { at, remote_ip, user_agent } = self;
        at.write(values);
        remote_ip.write(values);
        user_agent.write(values);
    }

    fn read(row: &Row, position: &mut usize) -> Result<Self, Invalid> {
        Ok(Self {
            at: Property::read(row, position)?,
            remote_ip: Property::read(row, position)?,
            user_agent: Property::read(row, position)?,
        })
    }
}

impl Property for Actor {
    const COLUMNS: &'static [(&'static str, &'static str)] = &[("_kind", "text"), ("_id", "bytea")];

    fn write<'a>(&'a self, values: &mut Vec<Value<'a>>) {
        let id = self.id().map_or(Value::Null, |id| Value::Bytes(id.as_bytes().to_vec().into()));
        values.extend([text(self.kind()), id]);
    }

    fn read(row: &Row, position: &mut usize) -> Result<Self, Invalid> {
        let (kind, id) = (String::read(row, position)?, Option::read(row, position)?);
        Self::from_parts(&kind, id)
            .ok_or_else(|| Invalid { column: *position - 1, cause: "not an ID of this kind".to_owned() })
    }
}
