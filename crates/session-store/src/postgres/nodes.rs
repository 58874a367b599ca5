//! The nodes that share the store, and their leases, by the database's clock.

use std::time::Duration;

use super::column::{Column, Value};
use super::database::Database;
use super::error::Result;
use super::table::value;
use super::transaction::parameters;
use crate::store::{NodeId, NodeReport};

/// Returns a duration in milliseconds.
fn milliseconds(duration: Duration) -> Value<'static> {
    Value::Number(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

/// As [`crate::Nodes::node_report`].
pub(super) async fn report(
    database: &Database,
    node: NodeId,
    settings: String,
    ttl: Duration,
) -> Result<Vec<NodeReport>> {
    let upsert = "INSERT INTO node (id, settings, alive_until) \
                  VALUES ($1::bytea, $2::text, now() + $3::bigint * interval '1 millisecond') \
                  ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, alive_until = excluded.alive_until";
    let values = [node.0.to_column(), settings.to_column(), milliseconds(ttl)];
    database.change(upsert, &parameters(&values)).await?;
    database.change("DELETE FROM node WHERE alive_until <= now()", &[]).await?;
    let others = "SELECT id, settings FROM node WHERE id <> $1::bytea AND alive_until > now() ORDER BY id";
    let rows = database.read(others, &[&node.0.to_column()]).await?;
    rows.iter().map(|row| Ok(NodeReport { node: NodeId(value(row, 0)?), settings: value(row, 1)? })).collect()
}

/// As [`crate::Nodes::lease_acquire`].
pub(super) async fn lease_acquire(
    database: &Database,
    name: &'static str,
    holder: NodeId,
    duration: Duration,
) -> Result<bool> {
    let sql = "INSERT INTO lease AS held (name, holder, until) \
               VALUES ($1::text, $2::bytea, now() + $3::bigint * interval '1 millisecond') \
               ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
               WHERE held.holder = excluded.holder OR held.until <= now() RETURNING 1";
    let rows = database.change(sql, &[&name, &holder.0.to_column(), &milliseconds(duration)]).await?;
    Ok(!rows.is_empty())
}
