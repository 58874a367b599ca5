//! Changes at the same time as a revocation of many sessions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use session_types::{DomainId, SessionId, SessionStatus};

use super::fixture::{create, id, import, interaction_at, revocation, session, write_revocations};
use crate::{EventAction, EventId, LastSeen, Revocation, SecretHash, Store, StoreError, StoredSession};

/// More sessions than a store revokes at once.
const MANY: u64 = 300;

/// How many tasks change sessions.
const TASKS: u64 = 6;

/// Returns every session by its ID.
async fn all(store: &impl Store) -> BTreeMap<SessionId, StoredSession> {
    let (mut sessions, mut after) = (BTreeMap::new(), None);
    loop {
        let page = store.session_page(after, 1_000).await.expect("listed");
        sessions.extend(page.items.into_iter().map(|session| (session.id, session)));
        after = page.next.map(SessionId);
        if after.is_none() {
            return sessions;
        }
    }
}

/// Returns how many sessions were revoked, by their events.
async fn revoked_events(store: &impl Store) -> u64 {
    let (mut count, mut after) = (0, None);
    loop {
        let page = store.event_page(after, 1_000).await.expect("listed");
        count += page.items.iter().filter(|event| event.action == EventAction::Revoked).count() as u64;
        after = page.next.map(EventId);
        if after.is_none() {
            return count;
        }
    }
}

pub async fn a_session_that_is_added_during_a_revocation_is_before_or_after_it(store: Arc<impl Store>) {
    let mut counted = 0;
    for round in 0..8 {
        let domain_id = DomainId(id(1, 1_000 + round));
        let of_domain = move |last| StoredSession { domain_id, ..session(round * 100_000 + last) };
        import(&*store, (0..MANY).map(of_domain).collect()).await.expect("imported");
        // 0 before the revocation, 1 while it is made, 2 when it has returned.
        let phase = Arc::new(AtomicU64::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (store, phase) = (Arc::clone(&store), Arc::clone(&phase));
                tokio::spawn(async move {
                    let mut added = Vec::new();
                    let mut after_it = 0;
                    while after_it < 10 {
                        let one = of_domain(10_000 * (task + 1) + added.len() as u64);
                        let began = phase.load(Ordering::SeqCst);
                        create(&*store, &one).await.expect("created");
                        added.push((one.id, began, phase.load(Ordering::SeqCst)));
                        after_it += u64::from(began == 2);
                    }
                    added
                })
            })
            .collect();
        while all(&*store).await.len() as u64 <= round * MANY + 2 * TASKS {
            tokio::task::yield_now().await;
        }
        phase.store(1, Ordering::SeqCst);
        let of_all = Revocation { domain_id, ..revocation(round, 5) };
        let count = store.session_revoke_many(of_all, None).await.expect("revoked");
        phase.store(2, Ordering::SeqCst);
        let mut added = Vec::new();
        for task in tasks {
            added.extend(task.await.expect("no panic"));
        }
        let before = all(&*store).await;
        for (id, began, ended) in added {
            let is_revoked = before[&id].status == SessionStatus::Revoked;
            assert!(is_revoked || ended > 0, "acknowledged before the revocation began");
            assert!(!is_revoked || began < 2, "added after the revocation returned");
        }
        write_revocations(&*store).await;
        assert_eq!(all(&*store).await, before, "what was read while it was pending stays");
        counted += count;
        let revoked = before.values().filter(|session| session.status == SessionStatus::Revoked).count();
        assert_eq!(revoked as u64, counted, "the revocation counted those that it revoked");
        assert_eq!(revoked_events(&*store).await, counted);
    }
}

pub async fn a_revoked_session_never_lives_again_whatever_is_changed_at_the_same_time(
    store: Arc<impl Store>,
) {
    let before: Vec<_> = (0..MANY)
        .map(|last| StoredSession {
            status: SessionStatus::Unauthenticated,
            last_seen: Some(interaction_at(1)),
            ..session(last)
        })
        .collect();
    import(&*store, before).await.expect("imported");
    let is_revoked = Arc::new(AtomicBool::new(false));
    let is_done = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, is_revoked, is_done) =
                (Arc::clone(&store), Arc::clone(&is_revoked), Arc::clone(&is_done));
            tokio::spawn(async move {
                let mut round = task;
                let mut changed = 0_u64;
                let mut revoked = 0_u64;
                while !is_done.load(Ordering::SeqCst) {
                    round += 7;
                    let id = session(round % MANY).id;
                    let was_revoked = is_revoked.load(Ordering::SeqCst);
                    let read = store.session_fetch(id).await.expect("fetched").expect("it exists");
                    let is_live = !read.status.is_final();
                    assert!(!(was_revoked && is_live), "it lives after the revocation");
                    revoked += u64::from(!is_live);
                    // A change that has read the session before.
                    let live = StoredSession {
                        status: SessionStatus::Authenticated,
                        token_hash: Some(SecretHash([u8::try_from(task).expect("small"); 32])),
                        ended_at: None,
                        revision: if is_live { read.revision } else { read.revision - 1 },
                        ..read
                    };
                    let was_revoked = is_revoked.load(Ordering::SeqCst);
                    let is_changed = match round % 3 {
                        0 => store.session_replace(live, None, None, None).await,
                        1 => store.session_replace_many(vec![(live, None)]).await.map(|made| made[0]),
                        _ => {
                            let (first_at, details) = (interaction_at(2).at, interaction_at(2));
                            let seen = LastSeen { session_id: id, first_at, details, expires_at: None };
                            store.session_update_last_seen(vec![seen]).await.map(|()| false)
                        }
                    };
                    let is_changed = is_changed.expect("the store works");
                    assert!(!(was_revoked && is_changed), "it was changed after the revocation");
                    changed += u64::from(is_changed);
                }
                (changed, revoked)
            })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let revoked = store.session_revoke_many(revocation(1, 5), None).await;
    is_revoked.store(true, Ordering::SeqCst);
    assert_eq!(revoked, Ok(MANY));
    let read = all(&*store).await;
    while store.revocation_write(interaction_at(1).at).await.expect("written") {
        assert_eq!(all(&*store).await, read);
    }
    assert_eq!(all(&*store).await, read);
    is_done.store(true, Ordering::SeqCst);
    let (mut changed, mut refused) = (0, 0);
    for task in tasks {
        let (of_task, revoked) = task.await.expect("no panic");
        changed += of_task;
        refused += revoked;
    }
    assert!(changed > 0 && refused > 0, "{changed} changes before it, {refused} reads after it");
    assert!(read.values().all(|session| session.status == SessionStatus::Revoked));
    assert_eq!(revoked_events(&*store).await, MANY);
    let again = store.session_revoke_many(revocation(2, 6), None).await;
    assert_eq!(again, Ok::<_, StoreError>(0));
}
