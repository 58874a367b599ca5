//! The ranges of indexes in which a list or a revocation finds its sessions.
//!
//! Every index leads with the domain, and one of each kind goes on with the pool, so that what another domain has, or
//! another pool of a key that is bound to one, is never visited.

use session_types::{SessionStatus, SessionType};
use strum::VariantArray;

use super::column::{Column, Property, Value};
use super::table::Record;
use crate::store::{SessionFilter, StoredSession};

/// Which indexes serve a filter. All filters of a shape have one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    /// Whether the filter is bound to a pool.
    in_pool: bool,
    /// The one condition of the filter that few sessions meet.
    owner: Option<&'static str>,
}

/// Each condition of a filter apart from its domain, which is `$1`: the column, and the parameter of which null is no
/// condition. These are the first parameters of every statement for a filter.
const CONDITIONS: [(&str, &str); 5] = [
    ("pool_id", "$2::bytea"),
    ("account_id", "$3::bytea"),
    ("identity_id", "$4::bytea"),
    ("device_id", "$5::bytea"),
    ("session_type", "$6::text"),
];

const ACCOUNT: &str = "account_id = $3::bytea";
const IDENTITY: &str = "identity_id = $4::bytea";
const DEVICE: &str = "device_id = $5::bytea";

/// Returns the first parameters of every statement for a filter.
pub(super) fn parameters(filter: &SessionFilter) -> Vec<Value<'_>> {
    let SessionFilter { domain_id, pool_id, account_id, identity_id, device_id, session_type, state: _ } =
        filter;
    let mut parameters = vec![domain_id.to_column()];
    pool_id.write(&mut parameters);
    account_id.write(&mut parameters);
    identity_id.write(&mut parameters);
    device_id.write(&mut parameters);
    session_type.write(&mut parameters);
    parameters
}

/// The condition that a row of `session` meets every condition of the filter apart from its state.
pub(super) fn matches() -> String {
    let matches = |(column, parameter)| format!("({parameter} IS NULL OR session.{column} = {parameter})");
    CONDITIONS.map(matches).join(" AND ")
}

impl Shape {
    /// Every shape.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [None, Some(ACCOUNT), Some(IDENTITY), Some(DEVICE)]
            .into_iter()
            .flat_map(|owner| [false, true].map(|in_pool| Self { in_pool, owner }))
    }

    /// Returns the shape of a filter.
    pub(super) fn of(filter: &SessionFilter) -> Self {
        let owner = match filter {
            SessionFilter { account_id: Some(_), .. } => Some(ACCOUNT),
            SessionFilter { identity_id: Some(_), .. } => Some(IDENTITY),
            SessionFilter { device_id: Some(_), .. } => Some(DEVICE),
            _ => None,
        };
        Self { in_pool: filter.pool_id.is_some(), owner }
    }

    /// Whether the filter names an account, an identity or a device.
    pub(super) const fn has_owner(self) -> bool {
        self.owner.is_some()
    }

    /// Returns the condition with which each range of an index begins.
    pub(super) const fn scope(self) -> &'static str {
        if self.in_pool { "domain_id = $1::bytea AND pool_id = $2::bytea" } else { "domain_id = $1::bytea" }
    }

    /// Returns the ID as the indexes of this kind have it. See the first migration.
    pub(super) const fn position(self) -> &'static str {
        if self.in_pool { "(''::bytea || id)" } else { "(id || ''::bytea)" }
    }

    /// Selects the sessions of the scope that meet a condition on the columns of one index, with their `position`. `end`
    /// sorts and limits them.
    pub(super) fn range(self, condition: &str, end: &str) -> String {
        format!(
            "(SELECT {}, written_after, {} AS position FROM session WHERE {} AND {condition} {end})",
            StoredSession::columns().names(""),
            self.position(),
            self.scope()
        )
    }

    /// Selects the sessions among which those of the filter are, apart from its state: of an owner, or of each status and
    /// type that meets `gate`, which is read only once. `condition` is one on the position, and `end` sorts and limits each
    /// range.
    pub(super) fn ranges(
        self,
        gate: impl Fn(SessionStatus) -> String,
        condition: &str,
        end: &str,
    ) -> Vec<String> {
        let condition = format!("{} {condition}", self.position());
        if let Some(owner) = self.owner {
            return vec![self.range(&format!("{owner} AND {condition}"), end)];
        }
        let kinds = SessionStatus::VARIANTS
            .iter()
            .flat_map(|status| SessionType::VARIANTS.iter().map(move |session_type| (status, session_type)));
        let of_kind = |(status, session_type): (&SessionStatus, &SessionType)| {
            let gate = gate(*status);
            let kind = format!(
                "status = '{status}' AND session_type = '{session_type}' AND {condition} AND {gate} \
                 AND ($6::text IS NULL OR $6::text = '{session_type}')"
            );
            self.range(&kind, end)
        };
        kinds.map(of_kind).collect()
    }
}
