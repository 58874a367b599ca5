//! Sessions, events, keys and filters for the tests.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use session_types::{
    AccountId, DeviceId, DomainId, ID_TIME_MAX_MS, Id, IdentityId, InteractionDetails, PoolId, RemoteIp,
    Scope, SessionId, SessionStatus, SessionType, Timestamp, Title, UserAgent,
};
use strum::VariantArray;

use crate::{
    Actor, ApiKey, Event, EventAction, EventId, KeyId, Revocation, SecretHash, SessionFilter, StateFilter,
    Store, StoreError, StoredSession,
};

/// Returns the ID with this time and these last eight bytes; all others are zero.
pub fn id(time_ms: u64, last: u64) -> Id {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&last.to_be_bytes());
    Id::compose(time_ms, 0, random)
}

/// Returns a new session without optional properties, except that it has a token. `last` distinguishes its ID.
pub fn session(last: u64) -> StoredSession {
    let (id, domain_id, pool_id) = (id(1_234_567_890_000, last), id(1, 1), id(1, 2));
    StoredSession {
        token_hash: Some(SecretHash([7; 32])),
        ..StoredSession::new(SessionId(id), DomainId(domain_id), PoolId(pool_id), SessionType::Browser)
    }
}

/// Returns an event of a session. `last` distinguishes its ID.
pub fn event(last: u64, session_id: SessionId) -> Event {
    Event {
        id: EventId(id(9_000, last)),
        action: EventAction::Created,
        session_id,
        actor: Actor::Key(KeyId(id(5, 1))),
        reason: None,
        request_id: Some("a request".to_owned()),
    }
}

/// Returns an event with an unused ID, for tests that do not read it.
fn any_event(session: &StoredSession) -> Event {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    event(NEXT.fetch_add(1, Ordering::Relaxed), session.id)
}

/// Adds a session with any event.
pub(super) async fn create(store: &impl Store, session: &StoredSession) -> Result<(), StoreError> {
    store.session_create(session.clone(), any_event(session), None).await
}

/// Imports sessions, each with any event.
pub(super) async fn import(
    store: &impl Store,
    sessions: Vec<StoredSession>,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let with_events = sessions.into_iter().map(|session| (session.clone(), any_event(&session)));
    store.session_import(with_events.collect()).await
}

/// Returns the time of this many milliseconds.
pub(super) fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(ms).expect("in range")
}

/// Returns an interaction with every property. All but the time depend on it too.
pub(super) fn interaction_at(ms: u64) -> InteractionDetails {
    InteractionDetails {
        at: at(ms),
        remote_ip: Some(RemoteIp::try_from(format!("2001:db8::{ms}")).expect("an address")),
        user_agent: Some(UserAgent::try_from(format!("agent/{ms}")).expect("within bounds")),
    }
}

/// Returns an active API key for a domain. `last` distinguishes its ID.
pub fn key(last: u64) -> ApiKey {
    ApiKey {
        id: KeyId(id(5, last)),
        name: "gateway".to_owned(),
        domain_id: DomainId(id(1, 1)),
        pool_id: None,
        scopes: vec![Scope::Read, Scope::Revoke],
        secret_hash: SecretHash([9; 32]),
        revoked_at: None,
    }
}

/// Returns a filter for every session of the domain of [`session`].
pub(super) fn domain_filter() -> SessionFilter {
    SessionFilter {
        domain_id: session(0).domain_id,
        pool_id: None,
        account_id: None,
        identity_id: None,
        device_id: None,
        session_type: None,
        state: StateFilter::Any,
    }
}

/// Returns a revocation, at this time, of every session of the domain of [`session`]. `last` distinguishes the IDs of
/// its events.
pub fn revocation(last: u64, ms: u64) -> Revocation {
    Revocation {
        domain_id: session(0).domain_id,
        pool_id: None,
        account_id: None,
        identity_id: None,
        device_id: None,
        except: None,
        at: at(ms),
        event_id: EventId(id(ms, last << 32)),
        actor: Actor::Key(KeyId(id(5, 1))),
        reason: Some("account_id".to_owned()),
        request_id: Some("a request".to_owned()),
    }
}

/// Writes every pending revocation, as the server does in the background. Returns the number of batches.
pub(super) async fn write_revocations(store: &impl Store) -> usize {
    let mut batches = 1;
    while store.revocation_write(at(1)).await.expect("written") {
        batches += 1;
    }
    batches
}

fn any_id() -> impl Strategy<Value = Id> {
    any::<[u8; 20]>().prop_map(Id::from_bytes)
}

fn any_interaction() -> impl Strategy<Value = InteractionDetails> {
    let agent = "[ -~é-ÿ一-龥😀-😎]{1,80}|x{1024}|😀{1024}";
    (0..=ID_TIME_MAX_MS, any::<Option<std::net::IpAddr>>(), of(agent)).prop_map(|(ms, ip, agent)| {
        InteractionDetails {
            at: at(ms),
            remote_ip: ip.map(Into::into),
            user_agent: agent.map(|text| UserAgent::try_from(text).expect("within bounds")),
        }
    })
}

/// Generates any session that a store can store.
pub fn any_session() -> impl Strategy<Value = StoredSession> {
    let ids = (any_id(), any_id(), any_id(), of((any_id(), any_id())), of(any_id()));
    let words = (select(SessionType::VARIANTS), select(SessionStatus::VARIANTS));
    let interactions = (of(any_interaction()), of(any_interaction()));
    let time = || (0..=ID_TIME_MAX_MS).prop_map(at);
    let others = (
        of("[ -~é-ÿ😀]{1,60}|t{200}"),
        of(any::<[u8; 32]>().prop_map(SecretHash)),
        vec(any::<[u8; 32]>().prop_map(SecretHash), 0..4),
        (time(), of(time()), of(time())),
        0..u64::from(u32::MAX),
    );
    (ids, words, interactions, others).prop_map(|(ids, words, (first_seen, last_seen), others)| {
        let (id, domain, pool, account_and_identity, device) = ids;
        let (session_type, status) = words;
        let (title, token_hash, replaced_token_hashes, (created_at, expires_at, ended_at), revision) = others;
        // Without `..`, so that a new field without a strategy does not compile.
        StoredSession {
            id: SessionId(id),
            domain_id: DomainId(domain),
            pool_id: PoolId(pool),
            session_type,
            created_at,
            status,
            account_id: account_and_identity.map(|(account, _)| AccountId(account)),
            identity_id: account_and_identity.map(|(_, identity)| IdentityId(identity)),
            device_id: device.map(DeviceId),
            title: title.map(|text| Title::try_from(text).expect("within bounds")),
            first_seen,
            last_seen,
            token_hash,
            replaced_token_hashes,
            expires_at,
            ended_at,
            revision,
        }
    })
}

/// Returns whether a session matches a filter, by the documentation of the filter.
pub(super) fn matches(session: &StoredSession, filter: &SessionFilter) -> bool {
    let state = match filter.state {
        StateFilter::Any => true,
        StateFilter::Status(status) => session.status == status,
        StateFilter::Unexpired(status, at) => {
            session.status == status && session.expires_at.is_none_or(|expires_at| expires_at > at)
        }
        StateFilter::Complete(at) => {
            session.status == SessionStatus::Complete
                || session.expires_at.is_some_and(|expires_at| expires_at <= at)
        }
    };
    state
        && session.domain_id == filter.domain_id
        && filter.pool_id.is_none_or(|id| session.pool_id == id)
        && filter.account_id.is_none_or(|id| session.account_id == Some(id))
        && filter.identity_id.is_none_or(|id| session.identity_id == Some(id))
        && filter.device_id.is_none_or(|id| session.device_id == Some(id))
        && filter.session_type.is_none_or(|session_type| session.session_type == session_type)
}

/// Returns every session of a list, `limit` a page.
pub(super) async fn list(store: &impl Store, filter: SessionFilter, limit: u32) -> Vec<StoredSession> {
    let (mut listed, mut before) = (Vec::new(), None);
    loop {
        let page = store.session_list(filter, before, limit).await.expect("listed");
        assert!(page.items.len() <= limit as usize && page.skipped.is_empty());
        listed.extend(page.items);
        before = page.next.map(SessionId);
        if before.is_none() {
            return listed;
        }
    }
}

/// Returns sessions in which each property has one of a few values, so that each filter matches some of them.
pub(super) fn varied(count: u64) -> Vec<StoredSession> {
    (0..count)
        .map(|last| {
            // The finalizer of splitmix64: the same values in every run.
            let pick = |salt: u64, of: u64| {
                let mut mixed = last.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt << 32);
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                (mixed ^ (mixed >> 31)) % of
            };
            let domain = pick(1, 2);
            let mut one = session(last);
            one.domain_id = DomainId(id(1, domain));
            // The same IDs in both domains.
            one.pool_id = PoolId(id(1, 10 + pick(2, 2)));
            if pick(3, 2) == 0 {
                one.account_id = Some(AccountId(id(2, pick(4, 3))));
                one.identity_id = Some(IdentityId(id(2, 10 + pick(5, 3))));
            }
            one.device_id = (pick(6, 2) == 0).then(|| DeviceId(id(2, 20 + pick(7, 2))));
            one.session_type = SessionType::VARIANTS[usize::try_from(pick(8, 2)).expect("small")];
            one.status = SessionStatus::VARIANTS[usize::try_from(pick(9, 5)).expect("small")];
            let live = !matches!(one.status, SessionStatus::Complete | SessionStatus::Revoked);
            one.expires_at = (live && pick(10, 3) > 0).then(|| at(100 * (1 + pick(11, 3))));
            one.ended_at = (!live).then(|| at(50));
            one
        })
        .collect()
}
