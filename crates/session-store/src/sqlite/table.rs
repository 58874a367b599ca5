//! The columns of each table, and the statements that are made of them.

use std::sync::LazyLock;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Params, Row, named_params};
use session_types::Id;

use super::column::{Column, Property};
use super::error::{Result, failed};
use super::pending::{IS_NOT_REVOKED, LAST_PENDING, REVOKED_AT};
use crate::event::Event;
use crate::idempotency::IdempotencyRecord;
use crate::key::ApiKey;
use crate::schema::{other_records, session_fields};
use crate::store::{LastSeen, Page, Revocation, SkippedRow, StoreError, StoredSession};

/// A type whose fields are columns of one table.
pub(super) trait Record: Sized {
    /// The statements that name the columns.
    fn statements() -> &'static Statements;

    /// Reads a row that has the values of [`Statements::columns`] from `position` on.
    fn read(row: &Row<'_>, position: usize) -> rusqlite::Result<Self>;

    /// An expression that is selected after the columns.
    const DERIVED: Option<&str> = None;

    /// A column that is written with the others but is no field: its name and expression.
    const COMPUTED: Option<(&str, &str)> = None;

    /// Applies the value of [`Record::DERIVED`], which is at this position.
    fn derive(self, _row: &Row<'_>, _position: usize) -> rusqlite::Result<Self> {
        Ok(self)
    }

    /// Returns the name and value of a parameter for each column.
    fn parameters(&self) -> Vec<(&'static str, ToSqlOutput<'_>)>;
}

/// How many rows one page visits at most, whether or not they match: some 20 ms.
pub(super) const VISITS_MAX: u32 = 10_000;

/// The minute in which a lifetime passes, for the indexes: its column and expression.
const EXPIRES_MINUTE: (&str, &str) = ("expires_minute", ":expires_at / 60000");

/// The columns of a session that an update compares instead of setting them.
const COMPARED: [&str; 5] = ["id", "domain_id", "pool_id", "session_type", "revision"];

/// The fields of a record that an update uses in a further condition only, because they are no columns.
const CONDITIONS: [&str; 1] = ["first_at"];

/// The statements of a record, with a parameter for each column: `:id` for the column `id`.
pub(super) struct Statements {
    table: String,
    parameters: Vec<String>,
    /// What a row is read of: the columns, the ID first, and [`Record::DERIVED`].
    pub(super) columns: String,
    /// How many values that are.
    width: usize,
    /// The first row from an ID on.
    select_from_id: String,
    select_page: String,
    insert: String,
}

impl Statements {
    fn new(
        table: &str,
        properties: &[(&str, &[&str])],
        derived: Option<&str>,
        computed: Option<(&str, &str)>,
    ) -> Self {
        let columns: Vec<String> = properties
            .iter()
            .flat_map(|(name, suffixes)| suffixes.iter().map(move |suffix| format!("{name}{suffix}")))
            .collect();
        let parameters: Vec<String> = columns.iter().map(|column| format!(":{column}")).collect();
        let width = columns.len() + usize::from(derived.is_some());
        let (name, expression) = computed.unzip();
        let names = columns.iter().map(String::as_str).chain(name).collect::<Vec<_>>().join(", ");
        let values = parameters.iter().map(String::as_str).chain(expression).collect::<Vec<_>>().join(", ");
        let insert = format!("INSERT INTO {table} ({names}) VALUES ({values})");
        let columns = columns.iter().map(String::as_str).chain(derived).collect::<Vec<_>>().join(", ");
        Self {
            table: table.to_owned(),
            select_from_id: format!("SELECT {columns} FROM {table} WHERE id >= :id ORDER BY id LIMIT 1"),
            select_page: format!("SELECT {columns}, 1 FROM {table} WHERE id > :after ORDER BY id"),
            insert,
            columns,
            width,
            parameters,
        }
    }

    /// Returns the `UPDATE` of a session that sets the columns of this record, one of which is the end of the lifetime,
    /// compares those of [`COMPARED`] and increments the revision, unless a pending revocation applies to the session. It ends in its `WHERE`, so that a
    /// further condition can be appended.
    pub(super) fn session_update(&self) -> String {
        let fields = self.parameters.iter().map(|parameter| &parameter[1..]);
        let columns = fields.filter(|field| !CONDITIONS.contains(field));
        let (compared, set): (Vec<_>, Vec<_>) = columns.partition(|column| COMPARED.contains(column));
        let equal = |columns: Vec<&str>, separator: &str| {
            columns.iter().map(|column| format!("{column} = :{column}")).collect::<Vec<_>>().join(separator)
        };
        let (set, compared) = (equal(set, ", "), equal(compared, " AND "));
        let (minute, expression) = EXPIRES_MINUTE;
        format!(
            "UPDATE session SET {set}, {minute} = {expression}, revision = revision + 1, \
             written_after = {LAST_PENDING} WHERE {compared} AND {IS_NOT_REVOKED}"
        )
    }

    /// Describes a row that cannot be read.
    fn skipped(&self, row: &Row<'_>, error: &rusqlite::Error) -> SkippedRow {
        let id = match row.get_ref(0) {
            Ok(ValueRef::Blob(bytes)) => match bytes.try_into() {
                Ok(bytes) => Id::from_bytes(bytes).to_string(),
                Err(_) => format!("{bytes:02x?}"),
            },
            _ => "unknown".to_owned(),
        };
        let cause = match error {
            rusqlite::Error::FromSqlConversionFailure(column, _, cause) => {
                format!("{}: {cause}", self.parameters.get(*column).map_or("", |name| &name[1..]))
            }
            other => other.to_string(),
        };
        SkippedRow { table: self.table.clone(), id, cause }
    }
}

/// Returns the suffixes of the columns of a field.
fn suffixes<R, T: Property>(_field: fn(&R) -> &T) -> &'static [&'static str] {
    T::SUFFIXES
}

/// Implements [`Record`]. A field's column has its name unless another one follows `as`. A field that is missing does
/// not compile.
macro_rules! records {
    ($($table:literal: $record:ident { $($field:ident $(as $column:literal)?,)* $(; $($derived:item)*)? })*) => {$(
        impl Record for $record {
            fn statements() -> &'static Statements {
                static STATEMENTS: LazyLock<Statements> = LazyLock::new(|| {
                    Statements::new($table, &[$(
                        (records!(@name $field $($column)?), suffixes(|record: &$record| &record.$field)),
                    )*], <$record as Record>::DERIVED, <$record as Record>::COMPUTED)
                });
                &STATEMENTS
            }

            fn read(row: &Row<'_>, mut position: usize) -> rusqlite::Result<Self> {
                Self { $($field: Property::read(row, &mut position)?,)* }.derive(row, position)
            }

            $($($derived)*)?

            fn parameters(&self) -> Vec<(&'static str, ToSqlOutput<'_>)> {
                let names = &Self::statements().parameters;
                let mut values = Vec::with_capacity(names.len());
                $(self.$field.write(&mut values);)*
                names.iter().map(String::as_str).zip(values).collect()
            }
        }
    )*};
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $column:literal) => { $column };
}

macro_rules! session_record {
    ($($field:ident,)*) => {
        records! {
            "session": StoredSession {
                $($field,)*
                ;
                const DERIVED: Option<&str> = Some(REVOKED_AT);
                const COMPUTED: Option<(&str, &str)> = Some(EXPIRES_MINUTE);

                fn derive(mut self, row: &Row<'_>, mut position: usize) -> rusqlite::Result<Self> {
                    if let Some(at) = Property::read(row, &mut position)? {
                        self.revoke(at);
                    }
                    Ok(self)
                }
            }
        }
    };
}

session_fields!(session_record);

other_records!(records);

/// Returns the record with this ID.
///
/// Whether there is one does not show in the time that this takes: without one, the next record is read in its place and
/// discarded. What still differs is what differs from record to record: how long its texts are, and whether its page is
/// in the cache. Above all others, where there is no next record, the first one is read after that, some 2 us. Such an ID is
/// newer than every record, and nobody was given it.
pub(super) fn fetch<T: Record>(connection: &Connection, id: Id) -> Result<Option<T>> {
    let read = |from: &[u8]| {
        let read = |row: &Row<'_>| {
            let record = T::read(row, 0);
            Ok((record, row.get_ref(0)? == ValueRef::Blob(id.as_bytes())))
        };
        connection
            .prepare_cached(&T::statements().select_from_id)
            .and_then(|mut select| select.query_row(named_params! { ":id": from }, read).optional())
            .map_err(failed)
    };
    let found = match read(id.as_bytes())? {
        // No ID sorts below the empty blob.
        None => read(&[])?,
        found => found,
    };
    match found {
        Some((record, true)) => record.map(Some).map_err(failed),
        Some((_, false)) | None => Ok(None),
    }
}

/// Returns at most `limit` records with an ID above `after`, by ascending ID.
pub(super) fn page<T: Record>(connection: &Connection, after: Option<Id>, limit: u32) -> Result<Page<T>> {
    // No ID sorts below the empty blob.
    let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
    visit(connection, &T::statements().select_page, named_params! { ":after": after }, limit)
}

/// Visits the rows that a statement selects until `limit` of them match or [`VISITS_MAX`] were visited, and returns those
/// that match. The statement selects [`Statements::columns`] and whether the row matches.
pub(super) fn visit<T: Record>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    limit: u32,
) -> Result<Page<T>> {
    let statements = T::statements();
    let mut select = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = select.query(parameters).map_err(failed)?;
    let mut page = Page::default();
    let (mut visits, mut last) = (0, None);
    while let Some(row) = rows.next().map_err(failed)? {
        visits += 1;
        let id: rusqlite::Result<Id> = read_value(row);
        last = id.as_ref().ok().copied().or(last);
        if row.get(statements.width).map_err(failed)? {
            match T::read(row, 0) {
                Ok(record) => page.items.push(record),
                Err(error) => page.skipped.push(statements.skipped(row, &error)),
            }
        }
        if page.items.len() >= limit as usize || visits >= VISITS_MAX {
            let unreadable = || StoreError::Failed(format!("{}: no ID can be read", statements.table));
            page.next = Some(last.ok_or_else(unreadable)?);
            break;
        }
    }
    Ok(page)
}

/// Reads a row that has one property.
pub(super) fn read_value<T: Property>(row: &Row<'_>) -> rusqlite::Result<T> {
    T::read(row, &mut 0)
}

/// Returns whether a statement selects a row.
pub(super) fn exists(connection: &Connection, sql: &str, parameters: impl Params) -> Result<bool> {
    connection.prepare_cached(sql).and_then(|mut select| select.exists(parameters)).map_err(failed)
}

/// Adds a session, to which no pending revocation applies. Returns SQLite's error, as [`insert_in_txn`] does.
pub(super) fn session_insert_in_txn(
    connection: &Connection,
    session: &StoredSession,
) -> rusqlite::Result<()> {
    static STAMP: LazyLock<String> = LazyLock::new(|| {
        format!(
            "UPDATE session SET written_after = {LAST_PENDING} WHERE id = :id AND {LAST_PENDING} IS NOT NULL"
        )
    });
    insert_in_txn(connection, session)?;
    connection.prepare_cached(&STAMP)?.execute(named_params! { ":id": session.id.to_column() }).map(drop)
}

/// Adds a record. Returns SQLite's error, because what a taken ID means depends on the record.
pub(super) fn insert_in_txn<T: Record>(connection: &Connection, record: &T) -> rusqlite::Result<()> {
    connection.prepare_cached(&T::statements().insert)?.execute(&record.parameters()[..]).map(drop)
}

/// Executes a statement that changes rows. Returns their number.
pub(super) fn execute_in_txn(connection: &Connection, sql: &str, parameters: impl Params) -> Result<u64> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(parameters))
        .map(|count| count as u64)
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_name_every_column_of_a_record() {
        let statements = LastSeen::statements();
        assert_eq!(
            statements.session_update(),
            "UPDATE session SET last_seen_at = :last_seen_at, last_seen_ip = :last_seen_ip, \
             last_seen_user_agent = :last_seen_user_agent, expires_at = :expires_at, \
             expires_minute = :expires_at / 60000, revision = revision + 1, written_after = "
                .to_owned()
                + LAST_PENDING
                + " WHERE id = :id AND "
                + IS_NOT_REVOKED
        );
    }
}
