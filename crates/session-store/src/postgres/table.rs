//! The columns of each table, and how rows are written and read.

use std::sync::LazyLock;

use session_types::{Id, Timestamp};
use tokio_postgres::Row;

use super::column::{Invalid, Property, Value, read, value_at};
use super::error::Result;
use crate::event::Event;
use crate::idempotency::IdempotencyRecord;
use crate::key::ApiKey;
use crate::schema::{other_records, session_fields};
use crate::store::{LastSeen, Page, Revocation, SkippedRow, StoreError, StoredSession};

/// How many rows one page visits at most, whether or not they match.
pub(super) const VISITS_MAX: u32 = 10_000;

/// A type whose fields are columns of one table.
pub(super) trait Record: Sized {
    /// The table and its columns.
    fn columns() -> &'static Columns;

    /// Reads a row that has the values of the columns from `position` on, the ID first.
    fn read(row: &Row, position: usize) -> std::result::Result<Self, Invalid>;

    /// Returns the value of each column.
    fn values(&self) -> Vec<Value<'_>>;
}

/// The columns of a record.
pub(super) struct Columns {
    table: &'static str,
    /// Names and types.
    columns: Vec<(String, &'static str)>,
}

impl Columns {
    fn new(table: &'static str, properties: &[(&str, &[(&str, &'static str)])]) -> Self {
        let columns = properties.iter().flat_map(|(name, columns)| {
            columns.iter().map(move |(suffix, column_type)| (format!("{name}{suffix}"), *column_type))
        });
        Self { table, columns: columns.collect() }
    }

    /// How many columns there are.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// Returns the names, each after `prefix`, with commas.
    pub(super) fn names(&self, prefix: &str) -> String {
        self.columns.iter().map(|(name, _)| format!("{prefix}{name}")).collect::<Vec<_>>().join(", ")
    }

    /// Returns the statement that selects the columns and ends like this.
    pub(super) fn select(&self, end: &str) -> String {
        format!("SELECT {} FROM {} {end}", self.names(""), self.table)
    }

    /// Returns the beginning of an `INSERT` of the columns and of further ones.
    pub(super) fn insert(&self, further: &str) -> String {
        format!("INSERT INTO {} ({}{further})", self.table, self.names(""))
    }

    /// Returns a parameter for each column, with its type: `$5::bytea` for the first one if `before` is 4.
    fn parameters(&self, before: usize) -> impl Iterator<Item = (&str, String)> {
        self.columns.iter().enumerate().map(move |(place, (name, column_type))| {
            (name.as_str(), format!("${}::{column_type}", before + place + 1))
        })
    }

    /// Returns a parameter for each column, with commas. The first one follows the parameter of the number `before`.
    pub(super) fn values(&self, before: usize) -> String {
        self.parameters(before).map(|(_, parameter)| parameter).collect::<Vec<_>>().join(", ")
    }

    /// Returns `column = parameter` for each column, apart: those that are in `compared`, and the others.
    pub(super) fn equations(&self, compared: &[&str]) -> (Vec<String>, Vec<String>) {
        let equation = |(name, parameter): (&str, String)| (name.to_owned(), format!("{name} = {parameter}"));
        let (compared, set): (Vec<_>, Vec<_>) =
            self.parameters(0).map(equation).partition(|(name, _)| compared.contains(&name.as_str()));
        let equations =
            |pairs: Vec<(String, String)>| pairs.into_iter().map(|(_, equation)| equation).collect();
        (equations(compared), equations(set))
    }

    /// Describes a row that cannot be read, of which the ID is at `position`.
    fn skipped(&self, row: &Row, position: usize, invalid: &Invalid) -> SkippedRow {
        let id = read::<Id>(row, position).map_or_else(|invalid| invalid.cause, |id| id.to_string());
        let column = invalid.column.checked_sub(position).and_then(|place| self.columns.get(place));
        let name = column.map_or("", |(name, _)| name);
        SkippedRow { table: self.table.to_owned(), id, cause: format!("{name}: {}", invalid.cause) }
    }
}

/// Returns the suffixes and types of the columns of a field.
fn columns_of<R, T: Property>(_field: fn(&R) -> &T) -> &'static [(&'static str, &'static str)] {
    T::COLUMNS
}

/// Implements [`Record`]. A field's column has its name unless another one follows `as`. A field that is missing does
/// not compile.
macro_rules! records {
    ($($table:literal: $record:ident { $($field:ident $(as $column:literal)?,)* })*) => {$(
        impl Record for $record {
            fn columns() -> &'static Columns {
                static COLUMNS: LazyLock<Columns> = LazyLock::new(|| Columns::new($table, &[$(
                    (records!(@name $field $($column)?), columns_of(|record: &$record| &record.$field)),
                )*]));
                &COLUMNS
            }

            fn read(row: &Row, mut position: usize) -> std::result::Result<Self, Invalid> {
                Ok(Self { $($field: Property::read(row, &mut position)?,)* })
            }

            fn values(&self) -> Vec<Value<'_>> {
                let mut values = Vec::with_capacity(Self::columns().len());
                $(self.$field.write(&mut values);)*
                values
            }
        }
    )*};
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $column:literal) => { $column };
}

macro_rules! session_record {
    ($($field:ident,)*) => {
        records! { "session": StoredSession { $($field,)* } }
    };
}

session_fields!(session_record);

other_records!(records);

/// Returns the minute of a time, for the indexes.
pub(super) fn minute(time: Timestamp) -> i64 {
    (time.as_ms() / 60_000).cast_signed()
}

/// Returns the minute in which a lifetime passes.
pub(super) fn expires_minute(expires_at: Option<Timestamp>) -> Value<'static> {
    expires_at.map_or(Value::Null, |time| Value::Number(minute(time)))
}

/// Reads a row with the columns of a session and, after them, the time of the pending revocation that applies to it.
pub(super) fn session(row: &Row) -> std::result::Result<StoredSession, Invalid> {
    session_at(row, 0)
}

/// As [`session`], of a row that has these columns from `position` on.
pub(super) fn session_at(row: &Row, position: usize) -> std::result::Result<StoredSession, Invalid> {
    let mut session = StoredSession::read(row, position)?;
    if let Some(at) = read(row, position + StoredSession::columns().len())? {
        session.revoke(at);
    }
    Ok(session)
}

/// Returns what `read` makes of the columns of an outer join from `position` on, the ID first; `None` if nothing was joined.
pub(super) fn joined<T: Record>(
    row: &Row,
    position: usize,
    read: impl FnOnce(&Row, usize) -> std::result::Result<T, Invalid>,
) -> Result<Option<T>> {
    let is_joined = value_at(row, position).map(|id| id != Value::Null);
    let record = is_joined.and_then(|is_joined| is_joined.then(|| read(row, position)).transpose());
    record.map_err(|invalid| StoreError::Failed(T::columns().skipped(row, position, &invalid).to_string()))
}

/// Returns what `read` makes of the one row of a read by primary key; `None` without a row.
pub(super) fn one<T: Record>(
    rows: &[Row],
    read: impl FnOnce(&Row) -> std::result::Result<T, Invalid>,
) -> Result<Option<T>> {
    let failed =
        |row, invalid: &Invalid| StoreError::Failed(T::columns().skipped(row, 0, invalid).to_string());
    rows.first().map(|row| read(row).map_err(|invalid| failed(row, &invalid))).transpose()
}

/// Adds what `read` makes of a row to a page, or names the row as skipped.
pub(super) fn add<T: Record>(
    page: &mut Page<T>,
    row: &Row,
    read: impl Fn(&Row) -> std::result::Result<T, Invalid>,
) {
    match read(row) {
        Ok(record) => page.items.push(record),
        Err(invalid) => page.skipped.push(T::columns().skipped(row, 0, &invalid)),
    }
}

/// Returns the page that consists of the rows of a statement which selects at most `limit`, each with its ID first.
pub(super) fn page<T: Record>(
    rows: &[Row],
    limit: u32,
    read: impl Fn(&Row) -> std::result::Result<T, Invalid>,
) -> Result<Page<T>> {
    let mut page = Page::default();
    for row in rows {
        add(&mut page, row, &read);
    }
    page.next = rows.last().filter(|_| rows.len() >= limit as usize).map(id).transpose()?;
    Ok(page)
}

/// Returns the ID that a row begins with.
pub(super) fn id(row: &Row) -> Result<Id> {
    value(row, 0)
}

/// Returns the value in a column that is no field of a record.
pub(super) fn value<T: Property>(row: &Row, column: usize) -> Result<T> {
    read(row, column).map_err(|invalid| StoreError::Failed(format!("column {column}: {}", invalid.cause)))
}

/// Returns whether a column is true.
pub(super) fn is_true(row: &Row, column: usize) -> Result<bool> {
    row.try_get(column).map_err(|error| StoreError::Failed(error.to_string()))
}

/// Returns the row of a statement that always returns one.
pub(super) fn only(rows: &[Row]) -> Result<&Row> {
    rows.first().ok_or_else(no_row)
}

/// A statement that always returns a row returned none.
pub(super) fn no_row() -> StoreError {
    StoreError::Failed("a statement returned no row".to_owned())
}
