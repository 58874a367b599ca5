//! What every store is held to, test by test the same.
//!
//! [`contract_suite!`](crate::contract_suite) makes one test of each function here, on a new store.
#![expect(missing_docs, reason = "the name of each test is the sentence that it proves")]

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use session_api::{
    AccountId, DeviceId, DomainId, ID_TIME_MAX_MS, Id, IdentityId, InteractionDetails, PoolId, SessionId,
    SessionKind, SessionStatus, SessionSummary, SessionType, Timestamp, Title, UserAgent,
};

use crate::{ApiKey, KeyId, Reference, Scope, SecretHash, Store, StoreError, StoredSession};

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
        }
    };
    ($open:expr => $($name:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let (_keep, store) = $open;
            $crate::contract::$name(std::sync::Arc::new(store)).await;
        }
    )*};
}

/// An ID that ends in these bytes.
pub fn id(time_ms: u64, last: u64) -> Id {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&last.to_be_bytes());
    Id::compose(time_ms, 0, random)
}

/// A new session without anything that may be left out.
pub fn session(last: u64) -> StoredSession {
    StoredSession {
        summary: SessionSummary {
            account_id: None,
            authenticated_identity_id: None,
            device_id: None,
            domain_id: DomainId(id(1, 1)),
            first_seen: None,
            id: SessionId(id(1_234_567_890_000, last)),
            last_seen: None,
            pool_id: PoolId(id(1, 2)),
            session_type: SessionType::Browser,
            status: SessionStatus::New,
            title: None,
            kind: SessionKind::Session,
        },
        token_hash: Some(SecretHash([7; 32])),
        revision: 0,
    }
}

fn key(last: u64) -> ApiKey {
    ApiKey {
        id: KeyId(id(5, last)),
        name: "gateway".to_owned(),
        domain_id: DomainId(id(1, 1)),
        pool_id: None,
        scopes: vec![Scope::SessionRead, Scope::SessionRevoke],
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
    let ids = (any_id(), any_id(), any_id(), of((any_id(), any_id())), of(any_id()));
    let words = (proptest::sample::select(SessionType::ALL), proptest::sample::select(SessionStatus::ALL));
    let seen = (of(any_interaction()), of(any_interaction()));
    let rest = (of("[ -~é-ÿ😀]{1,60}|t{200}"), of(any::<[u8; 32]>()), 0..u64::from(u32::MAX));
    (ids, words, seen, rest).prop_map(|(ids, words, (first_seen, last_seen), (title, token, revision))| {
        StoredSession {
            summary: SessionSummary {
                id: SessionId(ids.0),
                domain_id: DomainId(ids.1),
                pool_id: PoolId(ids.2),
                account_id: ids.3.map(|(account, _)| AccountId(account)),
                authenticated_identity_id: ids.3.map(|(_, identity)| IdentityId(identity)),
                device_id: ids.4.map(DeviceId),
                session_type: words.0,
                status: words.1,
                first_seen,
                last_seen,
                title: title.map(|text| Title::try_from(text).expect("within bounds")),
                kind: SessionKind::Session,
            },
            token_hash: token.map(SecretHash),
            revision,
        }
    })
}

pub async fn any_session_comes_back_equal(store: Arc<impl Store>) {
    let mut runner = TestRunner::default();
    for _ in 0..256 {
        let session = any_session().new_tree(&mut runner).expect("a strategy without filters").current();
        store.session_create(session.clone()).await.expect("created");
        let fetched = store.session_fetch(session.summary.id).await.expect("fetched");
        assert_eq!(fetched, Some(session));
    }
}

pub async fn what_is_not_there_is_not_found(store: Arc<impl Store>) {
    store.ready().await.expect("ready");
    assert_eq!(store.session_fetch(session(1).summary.id).await, Ok(None));
    assert_eq!(store.session_page(None, 10).await, Ok(vec![]));
    assert_eq!(store.session_replace(session(1)).await, Ok(false));
    assert_eq!(store.key_fetch(key(1).id).await, Ok(None));
    assert_eq!(store.key_list().await, Ok(vec![]));
    assert_eq!(store.key_revoke(key(1).id, Timestamp::from_ms(1).expect("in range")).await, Ok(false));
    assert_eq!(store.reference_find(id(9, 9), DomainId(id(1, 1)), None).await, Ok(None));
}

pub async fn a_taken_id_is_refused_and_changes_nothing(store: Arc<impl Store>) {
    let first = session(1);
    store.session_create(first.clone()).await.expect("created");
    let mut second = session(1);
    second.summary.pool_id = PoolId(id(1, 77));
    second.summary.status = SessionStatus::Revoked;
    assert_eq!(store.session_create(second.clone()).await, Err(StoreError::AlreadyExists));
    assert_eq!(store.session_fetch(first.summary.id).await, Ok(Some(first)));
    // The pool of the refused one was not kept: another domain may still take it.
    second.summary.id = SessionId(id(3, 3));
    second.summary.domain_id = DomainId(id(1, 99));
    assert_eq!(store.session_create(second).await, Ok(()));
}

pub async fn a_pool_belongs_to_its_first_domain(store: Arc<impl Store>) {
    store.session_create(session(1)).await.expect("created");
    let mut stranger = session(2);
    stranger.summary.domain_id = DomainId(id(1, 99));
    assert_eq!(store.session_create(stranger.clone()).await, Err(StoreError::PoolOfOtherDomain));
    let mut bound = key(1);
    bound.domain_id = DomainId(id(1, 99));
    bound.pool_id = Some(PoolId(id(1, 2)));
    assert_eq!(store.key_create(bound).await, Err(StoreError::PoolOfOtherDomain));
    assert_eq!(store.session_fetch(stranger.summary.id).await, Ok(None));
}

pub async fn of_two_replacements_of_one_revision_one_is_made(store: Arc<impl Store>) {
    store.session_create(session(1)).await.expect("created");
    let mut one = session(1);
    one.summary.status = SessionStatus::Revoked;
    one.token_hash = None;
    let mut other = session(1);
    other.summary.status = SessionStatus::Authenticated;
    assert_eq!(store.session_replace(one.clone()).await, Ok(true));
    assert_eq!(store.session_replace(other).await, Ok(false));
    one.revision = 1;
    assert_eq!(store.session_fetch(one.summary.id).await, Ok(Some(one)));
}

pub async fn concurrent_replacements_are_made_one_after_another(store: Arc<impl Store>) {
    let id = session(1).summary.id;
    store.session_create(session(1)).await.expect("created");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut made = 0_u64;
                while made < 25 {
                    let session = store.session_fetch(id).await.expect("fetched").expect("there");
                    made += u64::from(store.session_replace(session).await.expect("answered"));
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
    let mut stranger = session(3).summary;
    stranger.domain_id = DomainId(id(1, 99));
    let mut again = session(1).summary;
    again.pool_id = PoolId(id(1, 77));
    let lines = vec![session(1).summary, again.clone(), stranger, session(2).summary];
    let outcome = store.session_import(lines).await.expect("imported");
    assert_eq!(
        outcome,
        vec![Ok(()), Err(StoreError::AlreadyExists), Err(StoreError::PoolOfOtherDomain), Ok(())]
    );
    // The pool of the refused one was not kept: another domain may still take it.
    again.id = SessionId(id(3, 3));
    again.domain_id = DomainId(id(1, 99));
    assert_eq!(store.session_import(vec![again]).await, Ok(vec![Ok(())]));
    let imported = store.session_fetch(session(2).summary.id).await.expect("fetched").expect("there");
    assert_eq!((imported.summary, imported.token_hash), (session(2).summary, None));
}

pub async fn pages_hold_every_session_once_in_order(store: Arc<impl Store>) {
    let all: Vec<_> = (0..57).map(|last| session(last).summary).collect();
    let shuffled = (0..57).map(|place| all[(place * 20) % 57].clone()).collect();
    store.session_import(shuffled).await.expect("imported");
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
    one.summary.account_id = Some(AccountId(account));
    one.summary.authenticated_identity_id = Some(IdentityId(identity));
    one.summary.device_id = Some(DeviceId(device));
    let (domain, pool) = (one.summary.domain_id, one.summary.pool_id);
    store.session_create(one).await.expect("created");
    for (id, reference) in [
        (account, Reference::Account),
        (identity, Reference::Identity),
        (device, Reference::Device),
        (pool.0, Reference::Pool),
        (domain.0, Reference::Domain),
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
    let at = |ms| Timestamp::from_ms(ms).expect("in range");
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
    let mut create = Box::pin(store.session_create(session(1)));
    // One poll hands the change over.
    let poll = std::future::poll_fn(|context| std::task::Poll::Ready(create.as_mut().poll(context)));
    let _ = poll.await;
    drop(create);
    // A later change of the same writer is made after it.
    store.session_create(session(2)).await.expect("created");
    assert_eq!(store.session_fetch(session(1).summary.id).await, Ok(Some(session(1))));
}
