//! Between rows and what they stand for.

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, Row, params};
use session_api::{
    AccountId, DeviceId, DomainId, ID_BYTES, Id, IdentityId, InteractionDetails, PoolId, RemoteIp, SessionId,
    SessionKind, SessionSummary, Timestamp, Title, UserAgent,
};

use super::failed;
use crate::event::{Actor, Event, EventId};
use crate::key::{ApiKey, KeyId, Scope, SecretHash};
use crate::store::{Seen, StoreError, StoredSession};

macro_rules! session_columns {
    () => {
        "id, domain_id, pool_id, session_type, status, account_id, identity_id, device_id, title, \
         first_seen_at, first_seen_ip, first_seen_user_agent, last_seen_at, last_seen_ip, last_seen_user_agent, \
         token_hash, revision, replaced_token_hashes, ends_at, ended_at"
    };
}

/// In the order in which [`session_of_row`] reads them.
pub(super) const SESSION_COLUMNS: &str = session_columns!();
pub(super) const SESSION_BY_ID: &str = concat!("SELECT ", session_columns!(), " FROM session WHERE id = ?1");
/// In the order in which [`key_of_row`] reads them.
pub(super) const KEY_COLUMNS: &str = "id, name, domain_id, pool_id, scopes, secret_hash, revoked_at";

/// A value that no version of this program writes there.
fn foreign<E: std::error::Error + Send + Sync + 'static>(column: usize, error: E) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<Id> {
    row.get::<_, [u8; ID_BYTES]>(column).map(Id::from_bytes)
}

fn optional_id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Id>> {
    Ok(row.get::<_, Option<[u8; ID_BYTES]>>(column)?.map(Id::from_bytes))
}

/// A text of a type that checks it.
fn text<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: TryFrom<String>,
    T::Error: std::fmt::Display,
{
    let text: Option<String> = row.get(column)?;
    text.map(T::try_from)
        .transpose()
        .map_err(|error| foreign(column, std::io::Error::other(error.to_string())))
}

fn word<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: TryFrom<String>,
    T::Error: std::fmt::Display,
{
    text(row, column)?.ok_or_else(|| foreign(column, std::io::Error::other("missing")))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let ms: Option<u64> = row.get(column)?;
    ms.map(Timestamp::from_ms).transpose().map_err(|error| foreign(column, error))
}

/// The three columns from `column` on.
fn interaction(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<InteractionDetails>> {
    let Some(at) = time(row, column)? else { return Ok(None) };
    Ok(Some(InteractionDetails {
        at,
        remote_ip: text::<RemoteIp>(row, column + 1)?,
        user_agent: text::<UserAgent>(row, column + 2)?,
    }))
}

/// Reads [`SESSION_COLUMNS`].
pub(super) fn session_of_row(row: &Row<'_>) -> rusqlite::Result<StoredSession> {
    Ok(StoredSession {
        summary: SessionSummary {
            id: SessionId(id(row, 0)?),
            domain_id: DomainId(id(row, 1)?),
            pool_id: PoolId(id(row, 2)?),
            session_type: word(row, 3)?,
            status: word(row, 4)?,
            account_id: optional_id(row, 5)?.map(AccountId),
            authenticated_identity_id: optional_id(row, 6)?.map(IdentityId),
            device_id: optional_id(row, 7)?.map(DeviceId),
            title: text::<Title>(row, 8)?,
            first_seen: interaction(row, 9)?,
            last_seen: interaction(row, 12)?,
            kind: SessionKind::Session,
        },
        token_hash: row.get::<_, Option<[u8; 32]>>(15)?.map(SecretHash),
        revision: row.get(16)?,
        replaced_token_hashes: row
            .get::<_, Option<Vec<u8>>>(17)?
            .unwrap_or_default()
            .as_chunks()
            .0
            .iter()
            .map(|hash| SecretHash(*hash))
            .collect(),
        ends_at: time(row, 18)?,
        ended_at: time(row, 19)?,
    })
}

/// Reads [`KEY_COLUMNS`].
pub(super) fn key_of_row(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let scopes: String = row.get(4)?;
    Ok(ApiKey {
        id: KeyId(id(row, 0)?),
        name: row.get(1)?,
        domain_id: DomainId(id(row, 2)?),
        pool_id: optional_id(row, 3)?.map(PoolId),
        scopes: scopes
            .split_whitespace()
            .map(|scope| scope.parse::<Scope>().map_err(|error| foreign(4, error)))
            .collect::<Result<_, _>>()?,
        secret_hash: SecretHash(row.get(5)?),
        revoked_at: time(row, 6)?,
    })
}

/// Adds the pool if it is new. Fails if it belongs to another domain.
fn pool_claim_in_txn(connection: &Connection, pool: PoolId, domain: DomainId) -> Result<(), StoreError> {
    let owner = connection
        .prepare_cached("SELECT domain_id FROM pool WHERE id = ?1")
        .and_then(|mut select| {
            select.query_row([pool.0.as_bytes()], |row| row.get::<_, [u8; ID_BYTES]>(0)).optional()
        })
        .map_err(failed)?;
    match owner {
        Some(owner) if owner == *domain.0.as_bytes() => Ok(()),
        Some(_) => Err(StoreError::PoolOfOtherDomain),
        None => connection
            .prepare_cached("INSERT INTO pool (id, domain_id) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute([pool.0.as_bytes(), domain.0.as_bytes()]))
            .map(drop)
            .map_err(failed),
    }
}

/// A fault of an insert, told apart from a taken primary key.
fn insert_failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error() {
        Some(fault)
            if fault.code == ErrorCode::ConstraintViolation
                && fault.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY =>
        {
            StoreError::AlreadyExists
        }
        _ => failed(error),
    }
}

/// Executes an insert or a replacement, which number the same values the same way.
fn execute_with_session(
    statement: &mut CachedStatement<'_>,
    session: &StoredSession,
) -> rusqlite::Result<usize> {
    let summary = &session.summary;
    let (first, last) = (summary.first_seen.as_ref(), summary.last_seen.as_ref());
    let ip = |seen: Option<&InteractionDetails>| {
        seen.and_then(|seen| seen.remote_ip).map(|ip| ip.addr().to_string())
    };
    let replaced = session.replaced_token_hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>();
    statement.execute(params![
        summary.id.0.as_bytes(),
        summary.status.as_str(),
        summary.account_id.map(|id| *id.0.as_bytes()),
        summary.authenticated_identity_id.map(|id| *id.0.as_bytes()),
        summary.device_id.map(|id| *id.0.as_bytes()),
        summary.title.as_ref().map(Title::as_str),
        first.map(|seen| seen.at.as_ms()),
        ip(first),
        first.and_then(|seen| seen.user_agent.as_ref()).map(UserAgent::as_str),
        last.map(|seen| seen.at.as_ms()),
        ip(last),
        last.and_then(|seen| seen.user_agent.as_ref()).map(UserAgent::as_str),
        session.token_hash.map(|hash| hash.0),
        session.revision,
        summary.domain_id.0.as_bytes(),
        summary.pool_id.0.as_bytes(),
        summary.session_type.as_str(),
        (!replaced.is_empty()).then_some(replaced),
        session.ends_at.map(Timestamp::as_ms),
        session.ended_at.map(Timestamp::as_ms),
    ])
}

/// Whether there is a session with this ID.
pub(super) fn session_exists_in_txn(connection: &Connection, id: SessionId) -> Result<bool, StoreError> {
    connection
        .prepare_cached("SELECT 1 FROM session WHERE id = ?1")
        .and_then(|mut select| select.exists([id.0.as_bytes()]))
        .map_err(failed)
}

/// Adds a session and, if it is new, its pool.
pub(super) fn session_insert_in_txn(
    connection: &Connection,
    session: &StoredSession,
) -> Result<(), StoreError> {
    pool_claim_in_txn(connection, session.summary.pool_id, session.summary.domain_id)?;
    connection
        .prepare_cached(
            "INSERT INTO session (id, status, account_id, identity_id, device_id, title, \
             first_seen_at, first_seen_ip, first_seen_user_agent, last_seen_at, last_seen_ip, \
             last_seen_user_agent, token_hash, revision, domain_id, pool_id, session_type, \
             replaced_token_hashes, ends_at, ended_at) VALUES \
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        )
        .and_then(|mut insert| execute_with_session(&mut insert, session))
        .map(drop)
        .map_err(insert_failed)
}

/// Replaces a session whose revision is still the one given; answers whether it did.
pub(super) fn session_replace_in_txn(
    connection: &Connection,
    session: &StoredSession,
) -> Result<bool, StoreError> {
    let changed = connection
        .prepare_cached(
            "UPDATE session SET status = ?2, account_id = ?3, identity_id = ?4, device_id = ?5, title = ?6, \
             first_seen_at = ?7, first_seen_ip = ?8, first_seen_user_agent = ?9, last_seen_at = ?10, \
             last_seen_ip = ?11, last_seen_user_agent = ?12, token_hash = ?13, revision = ?14 + 1, \
             replaced_token_hashes = ?18, ends_at = ?19, ended_at = ?20 \
             WHERE id = ?1 AND revision = ?14 AND domain_id = ?15 AND pool_id = ?16 AND session_type = ?17",
        )
        .and_then(|mut update| execute_with_session(&mut update, session))
        .map_err(failed)?;
    Ok(changed > 0)
}

/// In the order in which [`event_of_row`] reads them.
pub(super) const EVENT_COLUMNS: &str = "id, action, session_id, actor_kind, actor_id, reason, request_id";

/// Reads [`EVENT_COLUMNS`].
pub(super) fn event_of_row(row: &Row<'_>) -> rusqlite::Result<Event> {
    let action: String = row.get(1)?;
    let kind: String = row.get(3)?;
    Ok(Event {
        id: EventId(id(row, 0)?),
        action: action.parse().map_err(|error| foreign(1, error))?,
        session_id: SessionId(id(row, 2)?),
        actor: Actor::of(&kind, optional_id(row, 4)?)
            .ok_or_else(|| foreign(3, std::io::Error::other("no actor")))?,
        reason: row.get(5)?,
        request_id: row.get(6)?,
    })
}

/// Adds an event.
pub(super) fn event_insert_in_txn(connection: &Connection, event: &Event) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO event (id, action, session_id, actor_kind, actor_id, reason, request_id) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                event.id.0.as_bytes(),
                event.action.as_str(),
                event.session_id.0.as_bytes(),
                event.actor.kind(),
                event.actor.id().map(|id| *id.as_bytes()),
                event.reason,
                event.request_id,
            ])
        })
        .map(drop)
        .map_err(failed)
}

/// Keeps an interaction as the last one, if it is later than that and the session is live.
pub(super) fn session_seen_in_txn(connection: &Connection, seen: &Seen) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE session SET last_seen_at = ?2, last_seen_ip = ?3, last_seen_user_agent = ?4, ends_at = ?5, \
             revision = revision + 1 WHERE id = ?1 AND last_seen_at <= ?2 AND ended_at IS NULL \
             AND status IN ('new', 'unauthenticated', 'authenticated') AND (ends_at IS NULL OR ends_at > ?2)",
        )
        .and_then(|mut update| {
            update.execute(params![
                seen.session_id.0.as_bytes(),
                seen.details.at.as_ms(),
                seen.details.remote_ip.map(|ip| ip.addr().to_string()),
                seen.details.user_agent.as_ref().map(UserAgent::as_str),
                seen.ends_at.map(Timestamp::as_ms),
            ])
        })
        .map(drop)
        .map_err(failed)
}

/// Adds an API key and, if it is bound to a new one, its pool.
pub(super) fn key_insert_in_txn(connection: &Connection, key: &ApiKey) -> Result<(), StoreError> {
    if let Some(pool_id) = key.pool_id {
        pool_claim_in_txn(connection, pool_id, key.domain_id)?;
    }
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    connection
        .execute(
            "INSERT INTO api_key (id, name, domain_id, pool_id, scopes, secret_hash, revoked_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                key.id.0.as_bytes(),
                key.name,
                key.domain_id.0.as_bytes(),
                key.pool_id.map(|id| *id.0.as_bytes()),
                scopes.join(" "),
                key.secret_hash.0,
                key.revoked_at.map(Timestamp::as_ms),
            ],
        )
        .map(drop)
        .map_err(insert_failed)
}
