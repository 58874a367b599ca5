//! Changes that meet: of one session by several callers, and on several nodes.

use session_server::rules::record_interaction::record_interaction;
use session_store::{Actor, EventAction};

use super::*;

/// The identity of [`who`] authenticates on another node right before the next change of this one: the session's token
/// is replaced.
fn authenticated_elsewhere(world: &World, id: SessionId) {
    let store = Arc::clone(&world.store);
    let authenticate = async move {
        let mut session = store.store.session_fetch(id).await.unwrap().unwrap();
        session.token_hash = Some(SecretHash([9; 32]));
        assert!(store.store.session_replace(session, None, None, None).await.unwrap());
    };
    *world.store.before_change.lock().unwrap() = Some(authenticate.boxed());
}

/// A new authenticated session, and the caller with its token.
async fn signed_in(world: &World) -> (SessionId, Caller) {
    let created = world.create(None).await;
    let id = created.session.summary.id;
    let request = world.request(Operation::AuthenticateSession, key());
    let authenticated = authenticate_session(request, id, None, who()).await.unwrap();
    let caller = world.caller(authenticated.authtoken.expose_secret().as_bytes()).await.unwrap();
    (id, caller)
}

async fn status(world: &World, id: SessionId) -> SessionStatus {
    world.fetch(key(), id).await.summary.status
}

fn by_account() -> Revocation {
    Revocation { account_id: Some(who().account_id), pool_id: None, ..by_pool() }
}

#[tokio::test]
async fn a_token_that_is_replaced_before_its_change_is_made_changes_nothing() {
    let world = world();
    for operation in [Operation::CompleteSession, Operation::RevokeSession] {
        for own in [true, false] {
            let (callers, caller) = signed_in(&world).await;
            let (other, _) = signed_in(&world).await;
            if operation == Operation::CompleteSession && !own {
                continue;
            }
            let target = if own { callers } else { other };
            authenticated_elsewhere(&world, callers);
            let request = world.request(operation, caller);
            let outcome = match operation {
                Operation::CompleteSession => complete_session(request, target).await,
                _ => revoke_session(request, target).await,
            };
            let refused = outcome.map(|session| session.summary.status).unwrap_err();
            assert_eq!(refused.code, ErrorCode::BadAuthtoken, "{operation}, own session: {own}");
            assert_eq!(status(&world, target).await, SessionStatus::Authenticated, "{operation}, {own}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_replaced_before_its_revocation_of_many_is_made_revokes_none() {
    let world = world();
    let (callers, caller) = signed_in(&world).await;
    let (other, _) = signed_in(&world).await;
    authenticated_elsewhere(&world, callers);
    let request = world.request(Operation::RevokeSessions, caller);
    let refused = revoke_sessions(request, by_account()).await.map(|result| result.revoked).unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadAuthtoken);
    for id in [callers, other] {
        assert_eq!(status(&world, id).await, SessionStatus::Authenticated);
    }
}

#[tokio::test]
async fn a_revocation_of_many_writes_no_interactions_that_do_not_matter_for_it() {
    let world = world();
    let mut sessions = Vec::new();
    // Only the first one has an interaction without which it would have expired by then.
    for age in [Duration::from_mins(20), Duration::from_mins(9)] {
        let created = world.create(Some(Interaction::default())).await;
        let token = created.authtoken.expose_secret().as_bytes().to_vec();
        sessions.push((created.session.summary.id, token));
        world.pass(age);
    }
    for (_, token) in &sessions {
        let caller = world.caller(token).await.unwrap();
        world.fetch_own(caller);
    }
    world.pass(Duration::from_mins(2));
    assert_eq!(world.revoke_pool().await, 2);
    let mut seen_again = Vec::new();
    for (id, _) in sessions {
        let stored = world.store.session_fetch(id).await.unwrap().unwrap();
        seen_again.push(stored.first_seen != stored.last_seen);
    }
    assert_eq!(seen_again, [true, false]);
}

#[tokio::test]
async fn a_revocation_of_many_ends_a_session_that_lives_by_an_interaction_which_another_node_has_buffered() {
    let world = world();
    let random = Arc::new(Counter(AtomicU64::new(1 << 32)));
    let storage = Storage::new(world.store.clone(), world.clock.clone(), random, STORE_TIMEOUT);
    let other = World {
        sessions: Arc::new(Sessions::new(storage, Lifetimes::default())),
        limits: Arc::clone(&world.limits),
        store: Arc::clone(&world.store),
        clock: Arc::clone(&world.clock),
        reads: Arc::clone(&world.reads),
        folder: tempfile::tempdir().unwrap(),
    };
    let created = world.create(Some(Interaction::default())).await;
    let (id, token) = (created.session.summary.id, created.authtoken.expose_secret().as_bytes().to_vec());
    world.pass(Duration::from_mins(29));
    let caller = other.caller(&token).await.unwrap();
    other.fetch_own(caller);
    world.pass(Duration::from_mins(2));
    assert_eq!(status(&other, id).await, SessionStatus::Unauthenticated);
    assert_eq!(world.revoke_pool().await, 0, "by what this node knows, its lifetime has passed");
    for _ in 0..2 {
        for node in [&world, &other] {
            assert_eq!(status(node, id).await, SessionStatus::Complete);
            assert!(node.caller(&token).await.is_err());
        }
        other.sessions.write_last_seen().await.unwrap();
    }
}

#[tokio::test]
async fn a_revocation_of_many_marks_a_session_whose_lifetime_has_passed_and_does_not_count_it() {
    let world = world();
    let id = world.create(Some(Interaction::default())).await.session.summary.id;
    let ended_at_ms = world.pass(Duration::from_mins(30));
    world.pass(Duration::from_mins(1));
    assert_eq!(world.revoke_pool().await, 0, "it is not live any more");
    let summary = world.fetch(key(), id).await.summary;
    assert_eq!(summary.status, SessionStatus::Complete);
    let stored = world.store.session_fetch(id).await.unwrap().unwrap();
    assert_eq!(stored.ended_at.map(Timestamp::as_ms), Some(ended_at_ms));
    let events = world.store.event_page(None, 10).await.unwrap().items;
    let expired: Vec<_> = events.iter().filter(|event| event.action == EventAction::Expired).collect();
    let [event] = expired[..] else { panic!("{events:?}") };
    assert_eq!(
        (event.actor, &event.reason, event.request_id.as_deref()),
        (Actor::Server, &None, Some("a request"))
    );
    assert_eq!(world.sweep(FOR_EVER).await, Swept::default(), "nothing is left to mark");
}

#[tokio::test]
async fn a_session_that_ends_before_the_change_by_its_token_refuses_the_token() {
    let world = world();
    let (id, caller) = signed_in(&world).await;
    world.complete(id).await;
    let refused = revoke_session(world.request(Operation::RevokeSession, caller), id).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadAuthtoken);
}

#[tokio::test]
async fn of_64_concurrent_changes_of_one_session_each_is_made() {
    let world = world();
    let id = world.create(None).await.session.summary.id;
    let changes = (0..64).map(|place| {
        let world = &world;
        async move {
            match place % 4 {
                0 => world.authenticate(id).await,
                _ => interact(world, id).await.unwrap(),
            }
        }
    });
    let sessions = futures::future::join_all(changes).await;
    assert_eq!(sessions.len(), 64);
    assert_eq!(world.store.replaced.load(Ordering::SeqCst), 64);
}

async fn interact(world: &World, id: SessionId) -> Result<Session, Error> {
    record_interaction(world.request(Operation::RecordInteraction, key()), id, Interaction::default()).await
}

#[tokio::test]
async fn a_revoke_amid_a_flood_of_interactions_waits_for_at_most_two_of_them() {
    let world = world();
    let id = world.create(None).await.session.summary.id;
    // Each begins anew until the session has ended.
    let flood = futures::future::join_all((0..64).map(|_| async {
        while interact(&world, id).await.err().is_none_or(|error| error.code != ErrorCode::InvalidAction) {}
    }));
    let revoke = async {
        while world.store.replaced.load(Ordering::SeqCst) < 100 {
            tokio::task::yield_now().await;
        }
        let before = world.store.replaced.load(Ordering::SeqCst);
        revoke_session(world.request(Operation::RevokeSession, key()), id).await.unwrap();
        world.store.replaced.load(Ordering::SeqCst) - before
    };
    // In this order, the revoke is the last of those that run at once.
    let (_, changes) = futures::future::join(flood, revoke).await;
    assert!(changes <= 3, "{changes} changes of the session, the revoke among them");
}

#[tokio::test]
async fn an_interaction_at_the_end_of_the_lifetime_does_not_revive_the_session() {
    for late in [Duration::ZERO, Duration::from_millis(1), Duration::from_mins(5)] {
        let world = world();
        let created = world.create(Some(Interaction::default())).await;
        let (id, token) = (created.session.summary.id, created.authtoken.expose_secret().as_bytes());
        world.pass(Duration::from_mins(30) - Duration::from_millis(1));
        let caller = world.caller(token).await.unwrap();
        // The lifetime passes between the authentication of the request and its interaction.
        world.pass(Duration::from_millis(1) + late);
        world.fetch_own(caller);
        assert_eq!(status(&world, id).await, SessionStatus::Complete, "{late:?}");
        assert_eq!(world.caller(token).await.unwrap_err().code, ErrorCode::BadAuthtoken);
    }
}

#[tokio::test]
async fn interactions_keep_a_session_alive_beyond_its_stored_end_until_they_are_written() {
    let world = world();
    let created = world.create(Some(Interaction::default())).await;
    let (id, token) = (created.session.summary.id, created.authtoken.expose_secret().as_bytes());
    // The last of them is after the stored end, and each is before the end that the former one has set.
    for _ in 0..3 {
        world.pass(Duration::from_mins(29));
        let caller = world.caller(token).await.unwrap();
        world.fetch_own(caller);
    }
    assert_eq!(status(&world, id).await, SessionStatus::Unauthenticated);
    world.sessions.write_last_seen().await.unwrap();
    let stored = world.store.session_fetch(id).await.unwrap().unwrap();
    assert_eq!(stored.last_seen.unwrap().at.as_ms(), START_MS + 3 * 29 * 60 * 1_000);
    assert_eq!(status(&world, id).await, SessionStatus::Unauthenticated);
}
