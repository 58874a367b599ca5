//! What every store is held to, test by test the same.
//!
//! [`contract_suite!`](crate::contract_suite) makes one test of each function here, on a new store.
#![expect(missing_docs, reason = "the name of each test is the sentence that it proves")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use session_types::{
    AccountId, DeviceId, DomainId, ID_TIME_MAX_MS, Id, IdentityId, InteractionDetails, PoolId, Scope,
    SessionId, SessionStatus, SessionType, Timestamp, Title, UserAgent,
};
use strum::VariantArray;

use crate::{
    Actor, ApiKey, Event, EventAction, EventId, KeyId, LastSeen, ReferenceKind, SecretHash, SessionFilter,
    SessionTimes, StateFilter, Store, StoreError, StoredSession,
};

/// Makes a test of every function of the suite.
///
/// `$open` is an expression that gives a new, empty store, with whatever it needs to live.
#[macro_export]
macro_rules! contract_suite {
    ($open:expr) => {
        $crate::contract_suite! { $open =>
            any_session_comes_back_equal,
            what_is_not_there_is_not_found,
            a_taken_id_is_refused_and_changes_nothing,
            a_pool_belongs_to_its_first_domain,
            of_two_replacements_of_one_revision_one_is_made,
            concurrent_replacements_are_made_one_after_another,
            an_import_takes_what_is_valid_and_refuses_the_rest_by_place,
            pages_hold_every_session_once_in_order,
            references_are_found_within_their_domain_and_pool,
            keys_come_back_equal_and_stay_revoked,
            a_change_whose_caller_left_is_made,
            an_event_is_kept_with_its_change_and_only_with_it,
            lists_hold_exactly_what_passes_the_filter_newest_first,
            what_is_overdue_is_found_the_first_one_first,
            a_revocation_ends_what_is_live_and_counts_it,
            a_revocation_of_ten_thousand_is_exact_and_each_has_its_event,
            interactions_move_forward_and_wake_nobody,
            what_ended_long_ago_is_removed_in_batches,
            events_are_read_in_order_and_removed_in_batches,
            times_and_settings_are_kept,
            a_reader_pages_through_while_writers_come_and_go,
        }
    };
    ($open:expr => $($name:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let (_keep, store) = $open;
            $crate::contract_suite::$name(std::sync::Arc::new(store)).await;
        }
    )*};
}

/// An ID that ends in these bytes.
pub fn id(time_ms: u64, last: u64) -> Id {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&last.to_be_bytes());
    Id::compose(time_ms, 0, random)
}

/// A new session without any optional property but a token.
pub fn session(last: u64) -> StoredSession {
    StoredSession {
        id: SessionId(id(1_234_567_890_000, last)),
        domain_id: DomainId(id(1, 1)),
        pool_id: PoolId(id(1, 2)),
        session_type: SessionType::Browser,
        status: SessionStatus::New,
        account_id: None,
        identity_id: None,
        device_id: None,
        title: None,
        first_seen: None,
        last_seen: None,
        token_hash: Some(SecretHash([7; 32])),
        replaced_token_hashes: vec![],
        expires_at: None,
        ended_at: None,
        revision: 0,
    }
}

/// An event with its own ID of a session.
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

/// An event for whoever does not look at it; each has its own ID.
fn some_event(session: &StoredSession) -> Event {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    event(NEXT.fetch_add(1, Ordering::Relaxed), session.id)
}

async fn create(store: &impl Store, session: &StoredSession) -> Result<(), StoreError> {
    store.session_create(session.clone(), some_event(session)).await
}

async fn import(
    store: &impl Store,
    sessions: Vec<StoredSession>,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let with_events = sessions.into_iter().map(|session| (session.clone(), some_event(&session)));
    store.session_import(with_events.collect()).await
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(ms).expect("in range")
}

fn seen_at(ms: u64) -> InteractionDetails {
    InteractionDetails { at: at(ms), remote_ip: None, user_agent: None }
}

/// An API key with a read and a revoke scope, without a pool.
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

fn any_id() -> impl Strategy<Value = Id> {
    any::<[u8; 20]>().prop_map(Id::from_bytes)
}

fn any_interaction() -> impl Strategy<Value = InteractionDetails> {
    let agent = "[ -~é-ÿ一-龥😀-😎]{1,80}|x{1024}|😀{1024}";
    (0..=ID_TIME_MAX_MS, any::<Option<std::net::IpAddr>>(), proptest::option::of(agent)).prop_map(
        |(ms, ip, agent)| InteractionDetails {
            at: Timestamp::from_ms(ms).expect("within range"),
            remote_ip: ip.map(Into::into),
            user_agent: agent.map(|text| UserAgent::try_from(text).expect("within bounds")),
        },
    )
}

/// Any session that a store can hold.
pub fn any_session() -> impl Strategy<Value = StoredSession> {
    use proptest::option::of;
    use proptest::sample::select;

    let ids = (any_id(), any_id(), any_id(), of((any_id(), any_id())), of(any_id()));
    let words = (select(SessionType::VARIANTS), select(SessionStatus::VARIANTS));
    let interactions = (of(any_interaction()), of(any_interaction()));
    let time = || of((0..=ID_TIME_MAX_MS).prop_map(at));
    let others = (
        of("[ -~é-ÿ😀]{1,60}|t{200}"),
        of(any::<[u8; 32]>().prop_map(SecretHash)),
        proptest::collection::vec(any::<[u8; 32]>().prop_map(SecretHash), 0..4),
        (time(), time()),
        0..u64::from(u32::MAX),
    );
    (ids, words, interactions, others).prop_map(|(ids, words, (first_seen, last_seen), others)| {
        let (id, domain, pool, account_and_identity, device) = ids;
        let (session_type, status) = words;
        let (title, token_hash, replaced_token_hashes, (expires_at, ended_at), revision) = others;
        // Every field is named here: one without a strategy does not compile.
        StoredSession {
            id: SessionId(id),
            domain_id: DomainId(domain),
            pool_id: PoolId(pool),
            session_type,
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

pub async fn any_session_comes_back_equal(store: Arc<impl Store>) {
    let mut runner = TestRunner::default();
    for _ in 0..256 {
        let session = any_session().new_tree(&mut runner).expect("a strategy without filters").current();
        create(&*store, &session).await.expect("created");
        let fetched = store.session_fetch(session.id).await.expect("fetched");
        assert_eq!(fetched, Some(session));
    }
}

pub async fn what_is_not_there_is_not_found(store: Arc<impl Store>) {
    store.ready().await.expect("ready");
    assert_eq!(store.session_fetch(session(1).id).await, Ok(None));
    assert_eq!(store.session_page(None, 10).await, Ok(vec![]));
    assert_eq!(store.session_replace(session(1), None).await, Ok(false));
    assert_eq!(store.key_fetch(key(1).id).await, Ok(None));
    assert_eq!(store.key_list().await, Ok(vec![]));
    assert_eq!(store.key_revoke(key(1).id, Timestamp::from_ms(1).expect("in range")).await, Ok(false));
    assert_eq!(store.reference_find(id(9, 9), DomainId(id(1, 1)), None).await, Ok(None));
}

pub async fn a_taken_id_is_refused_and_changes_nothing(store: Arc<impl Store>) {
    let first = session(1);
    create(&*store, &first).await.expect("created");
    let mut second = session(1);
    second.pool_id = PoolId(id(1, 77));
    second.status = SessionStatus::Revoked;
    assert_eq!(create(&*store, &second).await, Err(StoreError::AlreadyExists));
    assert_eq!(store.session_fetch(first.id).await, Ok(Some(first)));
    // The pool of the refused one was not kept: another domain may still take it.
    second.id = SessionId(id(3, 3));
    second.domain_id = DomainId(id(1, 99));
    assert_eq!(create(&*store, &second).await, Ok(()));
}

pub async fn a_pool_belongs_to_its_first_domain(store: Arc<impl Store>) {
    create(&*store, &session(1)).await.expect("created");
    let mut stranger = session(2);
    stranger.domain_id = DomainId(id(1, 99));
    assert_eq!(create(&*store, &stranger).await, Err(StoreError::PoolOfOtherDomain));
    let mut bound = key(1);
    bound.domain_id = DomainId(id(1, 99));
    bound.pool_id = Some(PoolId(id(1, 2)));
    assert_eq!(store.key_create(bound).await, Err(StoreError::PoolOfOtherDomain));
    assert_eq!(store.session_fetch(stranger.id).await, Ok(None));
}

pub async fn of_two_replacements_of_one_revision_one_is_made(store: Arc<impl Store>) {
    create(&*store, &session(1)).await.expect("created");
    let mut one = session(1);
    one.status = SessionStatus::Revoked;
    one.token_hash = None;
    let mut other = session(1);
    other.status = SessionStatus::Authenticated;
    assert_eq!(store.session_replace(one.clone(), None).await, Ok(true));
    assert_eq!(store.session_replace(other, None).await, Ok(false));
    one.revision = 1;
    assert_eq!(store.session_fetch(one.id).await, Ok(Some(one)));
}

pub async fn concurrent_replacements_are_made_one_after_another(store: Arc<impl Store>) {
    let id = session(1).id;
    create(&*store, &session(1)).await.expect("created");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut made = 0_u64;
                while made < 25 {
                    let session = store.session_fetch(id).await.expect("fetched").expect("there");
                    made += u64::from(store.session_replace(session, None).await.expect("answered"));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let session = store.session_fetch(id).await.expect("fetched").expect("there");
    assert_eq!(session.revision, 200);
}

pub async fn an_import_takes_what_is_valid_and_refuses_the_rest_by_place(store: Arc<impl Store>) {
    let without_token = |last| StoredSession { token_hash: None, ..session(last) };
    let mut stranger = without_token(3);
    stranger.domain_id = DomainId(id(1, 99));
    let mut again = without_token(1);
    again.pool_id = PoolId(id(1, 77));
    let lines = vec![without_token(1), again.clone(), stranger, without_token(2)];
    let outcome = import(&*store, lines).await.expect("imported");
    assert_eq!(
        outcome,
        vec![Ok(()), Err(StoreError::AlreadyExists), Err(StoreError::PoolOfOtherDomain), Ok(())]
    );
    // The pool of the refused one was not kept: another domain may still take it.
    again.id = SessionId(id(3, 3));
    again.domain_id = DomainId(id(1, 99));
    assert_eq!(import(&*store, vec![again]).await, Ok(vec![Ok(())]));
    let imported = store.session_fetch(session(2).id).await.expect("fetched").expect("there");
    assert_eq!(imported, without_token(2));
    let events = store.event_page(None, 10).await.expect("events");
    assert_eq!(events.len(), 3, "one for each that went in");
}

pub async fn pages_hold_every_session_once_in_order(store: Arc<impl Store>) {
    let all: Vec<_> = (0..57).map(session).collect();
    let shuffled = (0..57).map(|place| all[(place * 20) % 57].clone()).collect();
    import(&*store, shuffled).await.expect("imported");
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = store.session_page(after, 10).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        assert!(page.len() <= 10);
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

pub async fn references_are_found_within_their_domain_and_pool(store: Arc<impl Store>) {
    let (account, identity, device) = (id(2, 1), id(2, 2), id(2, 3));
    let mut one = session(1);
    one.account_id = Some(AccountId(account));
    one.identity_id = Some(IdentityId(identity));
    one.device_id = Some(DeviceId(device));
    let (domain, pool) = (one.domain_id, one.pool_id);
    create(&*store, &one).await.expect("created");
    for (id, reference) in [
        (account, ReferenceKind::Account),
        (identity, ReferenceKind::Identity),
        (device, ReferenceKind::Device),
        (pool.0, ReferenceKind::Pool),
        (domain.0, ReferenceKind::Domain),
    ] {
        assert_eq!(store.reference_find(id, domain, None).await, Ok(Some(reference)));
        assert_eq!(store.reference_find(id, domain, Some(pool)).await, Ok(Some(reference)));
        assert_eq!(store.reference_find(id, DomainId(self::id(1, 99)), None).await, Ok(None));
    }
    let other_pool = Some(PoolId(id(1, 77)));
    for id in [account, identity, device, pool.0] {
        assert_eq!(store.reference_find(id, domain, other_pool).await, Ok(None));
    }
}

pub async fn keys_come_back_equal_and_stay_revoked(store: Arc<impl Store>) {
    let mut bound = key(2);
    bound.pool_id = Some(PoolId(id(1, 2)));
    bound.scopes = vec![];
    for key in [bound.clone(), key(1)] {
        assert_eq!(store.key_create(key.clone()).await, Ok(()));
        assert_eq!(store.key_create(key.clone()).await, Err(StoreError::AlreadyExists));
        assert_eq!(store.key_fetch(key.id).await, Ok(Some(key)));
    }
    assert_eq!(store.key_list().await, Ok(vec![key(1), bound.clone()]));
    assert_eq!(store.key_revoke(bound.id, at(8)).await, Ok(true));
    assert_eq!(store.key_revoke(bound.id, at(9)).await, Ok(true));
    bound.revoked_at = Some(at(8));
    assert_eq!(store.key_fetch(bound.id).await, Ok(Some(bound)));
}

pub async fn a_change_whose_caller_left_is_made(store: Arc<impl Store>) {
    let one = session(1);
    let mut change = Box::pin(create(&*store, &one));
    // One poll hands the change over.
    let poll = std::future::poll_fn(|context| std::task::Poll::Ready(change.as_mut().poll(context)));
    let _ = poll.await;
    drop(change);
    // A later change of the same writer is made after it.
    create(&*store, &session(2)).await.expect("created");
    assert_eq!(store.session_fetch(session(1).id).await, Ok(Some(session(1))));
}

pub async fn an_event_is_kept_with_its_change_and_only_with_it(store: Arc<impl Store>) {
    let one = session(1);
    let id = one.id;
    let with = |last, action, actor| Event { action, actor, ..event(last, id) };
    let created = with(1, EventAction::Created, Actor::Operator);
    assert_eq!(store.session_create(one.clone(), created.clone()).await, Ok(()));
    let refused = with(2, EventAction::Created, Actor::Server);
    assert_eq!(store.session_create(one.clone(), refused).await, Err(StoreError::AlreadyExists));
    let completed = with(3, EventAction::Completed, Actor::Session(id));
    assert_eq!(store.session_replace(one.clone(), Some(completed.clone())).await, Ok(true));
    let late = with(4, EventAction::Revoked, Actor::Server);
    assert_eq!(store.session_replace(one, Some(late)).await, Ok(false));
    assert_eq!(store.event_page(None, 10).await, Ok(vec![created, completed]));
}

/// Returns whether a session matches a filter, by the documentation of the filter.
fn matches(session: &StoredSession, filter: &SessionFilter) -> bool {
    let state = match filter.state {
        StateFilter::Any => true,
        StateFilter::Status(status) => session.status == status,
        StateFilter::Unexpired(status, at) => {
            session.status == status && session.expires_at.is_none_or(|expires_at| expires_at > at)
        }
        StateFilter::Expired(at) => session.expires_at.is_some_and(|expires_at| expires_at <= at),
    };
    state
        && session.domain_id == filter.domain_id
        && filter.pool_id.is_none_or(|id| session.pool_id == id)
        && filter.account_id.is_none_or(|id| session.account_id == Some(id))
        && filter.identity_id.is_none_or(|id| session.identity_id == Some(id))
        && filter.device_id.is_none_or(|id| session.device_id == Some(id))
        && filter.session_type.is_none_or(|session_type| session.session_type == session_type)
}

/// Sessions whose every value is one of two or three, so that each filter finds some of them.
fn varied(count: u64) -> Vec<StoredSession> {
    (0..count)
        .map(|last| {
            // The finaliser of splitmix64: the same spread in every run.
            let pick = |salt: u64, of: u64| {
                let mut mixed = last.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt << 32);
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                (mixed ^ (mixed >> 31)) % of
            };
            let domain = pick(1, 2);
            let mut one = session(last);
            one.domain_id = DomainId(id(1, domain));
            one.pool_id = PoolId(id(1, 10 + 2 * domain + pick(2, 2)));
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

pub async fn lists_hold_exactly_what_passes_the_filter_newest_first(store: Arc<impl Store>) {
    let all = varied(400);
    assert!(import(&*store, all.clone()).await.expect("imported").iter().all(Result::is_ok));
    let states = [
        StateFilter::Any,
        StateFilter::Status(SessionStatus::Revoked),
        StateFilter::Status(SessionStatus::Authenticated),
        StateFilter::Unexpired(SessionStatus::Authenticated, at(200)),
        StateFilter::Expired(at(200)),
    ];
    let mut found_some = 0;
    for bits in 0..32 {
        for state in states {
            let filter = SessionFilter {
                domain_id: DomainId(id(1, 1)),
                pool_id: (bits & 1 != 0).then_some(PoolId(id(1, 12))),
                account_id: (bits & 2 != 0).then_some(AccountId(id(2, 1))),
                identity_id: (bits & 4 != 0).then_some(IdentityId(id(2, 11))),
                device_id: (bits & 8 != 0).then_some(DeviceId(id(2, 20))),
                session_type: (bits & 16 != 0).then_some(SessionType::Api),
                state,
            };
            let mut expected: Vec<_> =
                all.iter().filter(|session| matches(session, &filter)).cloned().collect();
            expected.reverse();
            let mut listed = Vec::new();
            let mut before = None;
            loop {
                let page = store.session_list(filter, before, 7).await.expect("a page");
                let Some(last) = page.last() else { break };
                assert!(page.len() <= 7);
                before = Some(last.id);
                listed.extend(page);
            }
            assert_eq!(listed, expected, "{filter:?}");
            found_some += usize::from(!expected.is_empty());
        }
    }
    assert!(found_some > 80, "{found_some} of the 160 filters found something");
}

pub async fn what_is_overdue_is_found_the_first_one_first(store: Arc<impl Store>) {
    for (last, expires_at) in [(1, Some(30)), (2, None), (3, Some(10)), (4, Some(20)), (5, Some(31))] {
        create(&*store, &StoredSession { expires_at: expires_at.map(at), ..session(last) })
            .await
            .expect("created");
    }
    let overdue = async |time, limit| {
        let found = store.session_list_expired(at(time), limit).await.expect("found");
        found.iter().map(|session| session.expires_at.expect("it has one").as_ms()).collect::<Vec<_>>()
    };
    assert_eq!(overdue(30, 10).await, [10, 20, 30]);
    assert_eq!(overdue(30, 2).await, [10, 20]);
    assert_eq!(overdue(9, 10).await, [0; 0]);
}

pub async fn a_revocation_ends_what_is_live_and_counts_it(store: Arc<impl Store>) {
    let all = varied(400);
    import(&*store, all.clone()).await.expect("imported");
    let filter = SessionFilter {
        domain_id: DomainId(id(1, 1)),
        pool_id: None,
        account_id: Some(AccountId(id(2, 1))),
        identity_id: None,
        device_id: None,
        session_type: None,
        state: StateFilter::Any,
    };
    let live = |session: &&StoredSession| {
        !matches!(session.status, SessionStatus::Complete | SessionStatus::Revoked)
            && session.expires_at.is_none_or(|expires_at| expires_at > at(200))
    };
    let hit: Vec<_> = all.iter().filter(|session| matches(session, &filter)).filter(live).collect();
    assert!(hit.len() > 3, "{}", hit.len());
    let except = hit[0].id;
    let template = Event { action: EventAction::Revoked, ..event(77_777, except) };
    let revoke = || store.session_revoke_many(filter, Some(except), at(200), template.clone());
    assert_eq!(revoke().await, Ok(hit.len() as u64 - 1));
    assert_eq!(revoke().await, Ok(0), "they are not live any more");
    for before in &all {
        let after = store.session_fetch(before.id).await.expect("fetched").expect("there");
        let revoked = before.id != except && hit.iter().any(|hit| hit.id == before.id);
        if revoked {
            let mut expected = before.clone();
            expected.status = SessionStatus::Revoked;
            expected.token_hash = None;
            expected.expires_at = None;
            expected.ended_at = Some(at(200));
            expected.revision += 1;
            assert_eq!(after, expected);
        } else {
            assert_eq!(after, *before);
        }
    }
    let events = store.event_page(None, 1_000).await.expect("events");
    let mut told: Vec<_> = events.iter().filter(|event| event.action == EventAction::Revoked).collect();
    told.sort_by_key(|event| event.session_id);
    let ids: Vec<_> = hit[1..].iter().map(|session| session.id).collect();
    assert_eq!(told.iter().map(|event| event.session_id).collect::<Vec<_>>(), ids);
    assert!(
        told.iter().all(|event| (event.actor, &event.request_id) == (template.actor, &template.request_id))
    );
}

pub async fn a_revocation_of_ten_thousand_is_exact_and_each_has_its_event(store: Arc<impl Store>) {
    let mut all: Vec<_> = (0..10_000).map(session).collect();
    for session in &mut all {
        session.account_id = Some(AccountId(id(2, 1)));
        session.identity_id = Some(IdentityId(id(2, 2)));
        session.status = SessionStatus::Authenticated;
    }
    import(&*store, all).await.expect("imported");
    let filter = SessionFilter {
        domain_id: DomainId(id(1, 1)),
        pool_id: None,
        account_id: Some(AccountId(id(2, 1))),
        identity_id: None,
        device_id: None,
        session_type: None,
        state: StateFilter::Any,
    };
    let template = Event { action: EventAction::Revoked, ..event(0, session(0).id) };
    let template = Event { id: EventId(id(9_999, 0)), ..template };
    let authenticated = SessionFilter { state: StateFilter::Status(SessionStatus::Authenticated), ..filter };
    // Whoever reads meanwhile sees all of them live, or none.
    let reader = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            loop {
                let live = store.session_list(authenticated, None, 20_000).await.expect("listed").len();
                assert!(live == 10_000 || live == 0, "{live} of them are live");
                if live == 0 {
                    return;
                }
            }
        })
    };
    assert_eq!(store.session_revoke_many(filter, None, at(5), template).await, Ok(10_000));
    reader.await.expect("no panic");
    let authenticated = SessionFilter { state: StateFilter::Status(SessionStatus::Authenticated), ..filter };
    assert_eq!(store.session_list(authenticated, None, 1).await, Ok(vec![]));
    let events = store.event_page(Some(EventId(id(9_998, 0))), 20_000).await.expect("events");
    assert_eq!(events.len(), 10_000);
}

pub async fn interactions_move_forward_and_wake_nobody(store: Arc<impl Store>) {
    let mut seen = session(1);
    seen.status = SessionStatus::Unauthenticated;
    seen.first_seen = Some(seen_at(10));
    seen.last_seen = Some(seen_at(20));
    seen.expires_at = Some(at(100));
    let mut ended = seen.clone();
    ended.id = session(2).id;
    ended.status = SessionStatus::Revoked;
    ended.expires_at = None;
    ended.ended_at = Some(at(30));
    // Never seen: that is for a change of its state.
    let new = session(3);
    for session in [&seen, &ended, &new] {
        create(&*store, session).await.expect("created");
    }
    let see = |last: u64, ms: u64| LastSeen {
        session_id: session(last).id,
        details: seen_at(ms),
        expires_at: Some(at(ms + 100)),
    };
    let fetch = async |last| store.session_fetch(session(last).id).await.expect("fetched").expect("there");
    store.session_update_last_seen(vec![see(1, 50), see(2, 50), see(3, 50), see(4, 50)]).await.expect("kept");
    let mut expected = seen.clone();
    expected.last_seen = Some(seen_at(50));
    expected.expires_at = Some(at(150));
    expected.revision = 1;
    assert_eq!((fetch(1).await, fetch(2).await, fetch(3).await), (expected.clone(), ended, new));
    // Earlier than what is kept, and at the end of the lifetime.
    store.session_update_last_seen(vec![see(1, 49), see(1, 150), see(1, 151)]).await.expect("kept");
    assert_eq!(fetch(1).await, expected);
    // A replacement that was read before loses.
    assert_eq!(store.session_replace(seen, None).await, Ok(false));
}

pub async fn what_ended_long_ago_is_removed_in_batches(store: Arc<impl Store>) {
    for last in 0..10 {
        let ended_at = (last < 7).then(|| at(100 + last));
        create(&*store, &StoredSession { ended_at, ..session(last) }).await.expect("created");
    }
    assert_eq!(store.session_delete_ended(at(104), 3).await, Ok(3));
    assert_eq!(store.session_delete_ended(at(104), 3).await, Ok(2));
    assert_eq!(store.session_delete_ended(at(104), 3).await, Ok(0));
    let left = store.session_page(None, 100).await.expect("a page");
    let left: Vec<_> = left.into_iter().map(|session| session.id).collect();
    assert_eq!(left, (5..10).map(|last| session(last).id).collect::<Vec<_>>());
}

pub async fn events_are_read_in_order_and_removed_in_batches(store: Arc<impl Store>) {
    let of = |ms, last| Event { id: EventId(id(ms, last)), ..event(0, session(last).id) };
    for (ms, last) in [(30, 3), (10, 1), (20, 2), (40, 4)] {
        store.session_create(session(last), of(ms, last)).await.expect("created");
    }
    let ids = async |after: Option<EventId>, limit| {
        let events = store.event_page(after, limit).await.expect("events");
        events.iter().map(|event| event.at().as_ms()).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 10).await, [10, 20, 30, 40]);
    assert_eq!(ids(Some(of(20, 2).id), 1).await, [30]);
    assert_eq!(ids(Some(EventId(Id::compose(30, 0, [0; 10]))), 10).await, [30, 40]);
    assert_eq!(store.event_delete(at(30), 1).await, Ok(1));
    assert_eq!(store.event_delete(at(30), 5).await, Ok(1));
    assert_eq!(ids(None, 10).await, [30, 40]);
}

pub async fn times_and_settings_are_kept(store: Arc<impl Store>) {
    create(&*store, &session(1)).await.expect("created");
    let session_id = session(1).id;
    let times = vec![SessionTimes { session_id, expires_at: Some(at(7)), ended_at: None }];
    store.session_update_times(times).await.expect("kept");
    let expected = StoredSession { expires_at: Some(at(7)), revision: 1, ..session(1) };
    assert_eq!(store.session_fetch(session_id).await, Ok(Some(expected)));
    assert_eq!(store.setting_fetch("lifetimes").await, Ok(None));
    for value in ["one", "two"] {
        store.setting_replace("lifetimes", value.to_owned()).await.expect("kept");
        assert_eq!(store.setting_fetch("lifetimes").await, Ok(Some(value.to_owned())));
    }
}

pub async fn a_reader_pages_through_while_writers_come_and_go(store: Arc<impl Store>) {
    // Those that are there throughout.
    let all: Vec<_> = (0..500).map(|last| session(last * 1_000)).collect();
    import(&*store, all.clone()).await.expect("imported");
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = (1..=20_u64)
        .map(|writer| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                let mut round = 0;
                while !done.load(Ordering::SeqCst) {
                    round += 1;
                    // Among the others, everywhere.
                    let mut one = session((round * 37 % 500) * 1_000 + writer * 40 + round % 40);
                    one.ended_at = Some(at(1));
                    // It may be there since an earlier round.
                    let _ = create(&*store, &one).await;
                    store.session_delete_ended(at(1), 3).await.expect("removed");
                }
            })
        })
        .collect();
    let filter = SessionFilter {
        domain_id: DomainId(id(1, 1)),
        pool_id: None,
        account_id: None,
        identity_id: None,
        device_id: None,
        session_type: None,
        state: StateFilter::Any,
    };
    for _ in 0..5 {
        let mut listed = Vec::new();
        let mut before = None;
        loop {
            let page = store.session_list(filter, before, 13).await.expect("a page");
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            listed.extend(page.into_iter().filter(|session| session.ended_at.is_none()));
        }
        listed.reverse();
        assert_eq!(listed, all);
    }
    done.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("no panic");
    }
}
