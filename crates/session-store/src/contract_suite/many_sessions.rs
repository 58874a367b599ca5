//! Lists, replacements, imports and deletions of many sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use session_types::{
    AccountId, DeviceId, DomainId, IdentityId, InteractionDetails, PoolId, SessionId, SessionStatus,
    SessionType,
};

use super::fixture::{at, create, domain_filter, event, id, import, list, matches, session, varied};
use crate::{LastSeen, SessionFilter, StateFilter, Store, StoreError, StoredSession};

pub async fn of_many_replacements_exactly_those_of_unchanged_sessions_are_made(store: Arc<impl Store>) {
    for last in 1..4 {
        create(&*store, &session(last)).await.expect("created");
    }
    let read: Vec<_> = (1..5).map(session).collect();
    // Another node revokes one between the read and the replacement.
    let revoked = StoredSession {
        status: SessionStatus::Revoked,
        token_hash: None,
        ended_at: Some(at(5)),
        ..session(2)
    };
    assert_eq!(store.session_replace(revoked.clone(), None, None, None).await, Ok(true));
    let replacement = |session: &StoredSession| StoredSession { expires_at: Some(at(7)), ..session.clone() };
    let events: Vec<_> = read.iter().zip(50_001..).map(|(read, last)| event(last, read.id)).collect();
    let replacements = read.iter().zip(&events).map(|(read, event)| (replacement(read), Some(event.clone())));
    let replaced = store.session_replace_many(replacements.collect()).await;
    assert_eq!(replaced, Ok(vec![true, false, true, false]), "the last one does not exist");
    for expected in [replacement(&read[0]), revoked, replacement(&read[2])] {
        let expected = StoredSession { revision: 1, ..expected };
        assert_eq!(store.session_fetch(expected.id).await, Ok(Some(expected)));
    }
    let stored = store.event_page(None, 100).await.expect("read").items;
    let of_replacements: Vec<_> = stored.into_iter().filter(|stored| events.contains(stored)).collect();
    assert_eq!(of_replacements, [events[0].clone(), events[2].clone()]);
}

pub async fn an_import_adds_valid_sessions_and_returns_an_error_for_each_other_one(store: Arc<impl Store>) {
    let without_token = |last| StoredSession { token_hash: None, ..session(last) };
    let mut of_taken_id = without_token(1);
    of_taken_id.pool_id = PoolId(id(1, 77));
    let sessions = vec![without_token(1), of_taken_id, without_token(2)];
    let results = import(&*store, sessions).await.expect("imported");
    assert_eq!(results, vec![Ok(()), Err(StoreError::AlreadyExists), Ok(())]);
    let imported = store.session_fetch(session(2).id).await.expect("fetched").expect("it exists");
    assert_eq!(imported, without_token(2));
    let events = store.event_page(None, 10).await.expect("listed");
    assert_eq!(events.items.len(), 2, "one for each session that was added");
}

pub async fn pages_contain_every_session_once_in_order(store: Arc<impl Store>) {
    let all: Vec<_> = (0..57).map(session).collect();
    let shuffled = (0..57).map(|place| all[(place * 20) % 57].clone()).collect();
    import(&*store, shuffled).await.expect("imported");
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = store.session_page(after, 10).await.expect("listed");
        assert!(page.items.len() <= 10);
        paged.extend(page.items);
        after = page.next.map(SessionId);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
}

pub async fn lists_contain_exactly_the_matching_sessions_newest_first(store: Arc<impl Store>) {
    let all = varied(400);
    assert!(import(&*store, all.clone()).await.expect("imported").iter().all(Result::is_ok));
    let states = [
        StateFilter::Any,
        StateFilter::Status(SessionStatus::Revoked),
        StateFilter::Status(SessionStatus::Authenticated),
        StateFilter::Unexpired(SessionStatus::Authenticated, at(200)),
        StateFilter::Complete(at(200)),
    ];
    let mut matching = 0;
    for bits in 0..32 {
        for state in states {
            let filter = SessionFilter {
                domain_id: DomainId(id(1, 1)),
                pool_id: (bits & 1 != 0).then_some(PoolId(id(1, 11))),
                account_id: (bits & 2 != 0).then_some(AccountId(id(2, 1))),
                identity_id: (bits & 4 != 0).then_some(IdentityId(id(2, 11))),
                device_id: (bits & 8 != 0).then_some(DeviceId(id(2, 20))),
                session_type: (bits & 16 != 0).then_some(SessionType::Api),
                state,
            };
            let mut expected: Vec<_> =
                all.iter().filter(|session| matches(session, &filter)).cloned().collect();
            expected.reverse();
            assert_eq!(list(&*store, filter, 7).await, expected, "{filter:?}");
            matching += usize::from(!expected.is_empty());
        }
    }
    assert!(matching > 80, "{matching} of the 160 filters match a session");
}

pub async fn expired_sessions_are_listed_earliest_first(store: Arc<impl Store>) {
    const MINUTE_MS: u64 = 60_000;
    let of_minute = |minute| Some(minute * MINUTE_MS);
    // The last one passes a millisecond after the first one.
    let after_30 = Some(30 * MINUTE_MS + 1);
    for (last, expires_at) in
        [(1, of_minute(30)), (2, None), (3, of_minute(10)), (4, of_minute(20)), (5, after_30)]
    {
        create(&*store, &StoredSession { expires_at: expires_at.map(at), ..session(last) })
            .await
            .expect("created");
    }
    let expired = async |minute: u64, limit| {
        let sessions = store.session_list_expired(at(minute * MINUTE_MS), limit).await.expect("listed");
        let ends =
            sessions.items.iter().map(|session| session.expires_at.expect("it has a lifetime").as_ms());
        ends.map(|ms| ms / MINUTE_MS).collect::<Vec<_>>()
    };
    assert_eq!(expired(30, 10).await, [10, 20, 30]);
    assert_eq!(expired(30, 2).await, [10, 20]);
    assert_eq!(expired(9, 10).await, [0; 0]);
    assert_eq!(expired(31, 10).await, [10, 20, 30, 30]);
    // An interaction moves the end within its minute, or to another one.
    for (last, ms, expected) in [(3, 10 * MINUTE_MS + 5, [10, 20]), (3, 25 * MINUTE_MS, [20, 25])] {
        let details = InteractionDetails { at: at(5), remote_ip: None, user_agent: None };
        let seen = LastSeen {
            session_id: session(last).id,
            first_at: at(5),
            details: details.clone(),
            expires_at: Some(at(ms)),
        };
        let mut stored = store.session_fetch(session(last).id).await.expect("fetched").expect("it exists");
        stored.last_seen = Some(details);
        store.session_replace(stored, None, None, None).await.expect("replaced");
        store.session_update_last_seen(vec![seen]).await.expect("written");
        assert_eq!(expired(29, 10).await, expected, "{ms}");
    }
}

pub async fn expired_sessions_of_every_domain_are_listed_at_once(store: Arc<impl Store>) {
    let of = |domain: u64, last: u64| StoredSession {
        domain_id: DomainId(id(1, domain)),
        expires_at: Some(at(10)),
        ..session(100 * domain + last)
    };
    import(&*store, (0..50).map(|last| of(1, last)).chain([of(2, 0), of(3, 0)]).collect())
        .await
        .expect("imported");
    let expired = store.session_list_expired(at(10), 6).await.expect("listed").items;
    let of_domain = |domain| expired.iter().filter(|one| one.domain_id == DomainId(id(1, domain))).count();
    assert_eq!((expired.len(), of_domain(2), of_domain(3)), (4, 1, 1), "a large domain delays no other");
}

pub async fn a_list_visits_few_sessions_and_goes_on_where_it_stopped(store: Arc<impl Store>) {
    // The one session of the filter's type is the oldest of many.
    let mut all: Vec<_> = (0..12_000).map(session).collect();
    all[0].session_type = SessionType::Api;
    let account_id = Some(AccountId(id(2, 1)));
    for session in &mut all {
        session.account_id = account_id;
    }
    let oldest = all[0].clone();
    import(&*store, all).await.expect("imported");
    let filter = SessionFilter { account_id, session_type: Some(SessionType::Api), ..domain_filter() };
    let first = store.session_list(filter, None, 10).await.expect("listed");
    assert_eq!(first.items, vec![]);
    let next = first.next.map(SessionId);
    assert!(next.is_some_and(|next| next > oldest.id), "{next:?}");
    assert_eq!(list(&*store, filter, 10).await, [oldest]);
}

pub async fn ended_sessions_are_deleted_in_batches(store: Arc<impl Store>) {
    for last in 0..10 {
        let ended_at = (last < 7).then(|| at(100 + last));
        create(&*store, &StoredSession { ended_at, ..session(last) }).await.expect("created");
    }
    assert_eq!(store.session_delete_ended(at(104), 3).await, Ok(3));
    assert_eq!(store.session_delete_ended(at(104), 3).await, Ok(2));
    assert_eq!(store.session_delete_ended(at(104), 3).await, Ok(0));
    let remaining = store.session_page(None, 100).await.expect("listed");
    let remaining: Vec<_> = remaining.items.into_iter().map(|session| session.id).collect();
    assert_eq!(remaining, (5..10).map(|last| session(last).id).collect::<Vec<_>>());
}

pub async fn a_reader_sees_every_session_while_others_are_added_and_deleted(store: Arc<impl Store>) {
    // These are never deleted.
    let all: Vec<_> = (0..500).map(|last| session(last * 1_000)).collect();
    import(&*store, all.clone()).await.expect("imported");
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (1..=20_u64)
        .map(|writer| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                let mut round = 0;
                while !done.load(Ordering::SeqCst) {
                    round += 1;
                    // Its ID is between those of two others.
                    let mut one = session((round * 37 % 500) * 1_000 + writer * 40 + round % 40);
                    one.ended_at = Some(at(1));
                    // It may still exist from an earlier round.
                    let _ = create(&*store, &one).await;
                    store.session_delete_ended(at(1), 3).await.expect("deleted");
                }
            })
        })
        .collect();
    let filter = domain_filter();
    for _ in 0..5 {
        let mut listed = list(&*store, filter, 13).await;
        listed.retain(|session| session.ended_at.is_none());
        listed.reverse();
        assert_eq!(listed, all);
    }
    done.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("no panic");
    }
}
