//! What the databases of all stores have in common: the columns of each record, and which sessions are live.

/// The fields of [`StoredSession`](crate::StoredSession) for the macro `$callback`: in every store, each is a column or a group of columns.
macro_rules! session_fields {
    ($callback:ident) => {
        $callback! {
            id,
            domain_id,
            pool_id,
            session_type,
            created_at,
            status,
            account_id,
            identity_id,
            device_id,
            title,
            first_seen,
            last_seen,
            token_hash,
            replaced_token_hashes,
            expires_at,
            ended_at,
            revision,
        }
    };
}
pub(crate) use session_fields;

/// The tables of the other records, and their fields, for the macro `$callback`. A field's column has its name unless another
/// one follows `as`.
macro_rules! other_records {
    ($callback:ident) => {
        $callback! {
            "session": LastSeen { session_id as "id", first_at, details as "last_seen", expires_at, }
            "api_key": ApiKey { id, name, domain_id, pool_id, scopes, secret_hash, revoked_at, }
            "revocation": Revocation {
                domain_id, pool_id, account_id, identity_id, device_id, except as "except_id", at, event_id, actor, reason,
                request_id,
            }
            "idempotency_record": IdempotencyRecord { id, request_hash, salt, session_id, created_at, }
            "event": Event { id, action, session_id, actor, reason, request_id, }
        }
    };
}
pub(crate) use other_records;

/// [`LIVE`], for `concat!`.
macro_rules! live {
    () => {
        "status IN ('new', 'unauthenticated', 'authenticated')"
    };
}
pub(crate) use live;

/// The condition, in SQL, that the status of a session is not final.
pub(crate) const LIVE: &str = live!();

#[cfg(test)]
mod tests {
    use session_types::SessionStatus;
    use strum::VariantArray;

    use super::*;

    #[test]
    fn a_session_is_live_in_every_status_that_is_not_final() {
        for status in SessionStatus::VARIANTS {
            assert_eq!(LIVE.contains(&format!("'{status}'")), !status.is_final(), "{status}");
        }
    }
}
