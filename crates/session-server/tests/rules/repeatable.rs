//! Requests with an idempotency key, over a day.

use session_types::IdempotencyKey;

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn idempotency_key() -> IdempotencyKey {
    IdempotencyKey::try_from("64ac4f0c".to_owned()).unwrap()
}

async fn create_with_key(world: &World) -> Result<SessionWithAuthtoken, Error> {
    create_session(world.request(Operation::CreateSession, key()), Some(idempotency_key()), create(None))
        .await
}

async fn authenticate_with_key(world: &World, id: SessionId) -> Result<SessionWithAuthtoken, Error> {
    authenticate_session(
        world.request(Operation::AuthenticateSession, key()),
        id,
        Some(idempotency_key()),
        who(),
    )
    .await
}

fn token(created: &SessionWithAuthtoken) -> &str {
    created.authtoken.expose_secret()
}

async fn sessions(world: &World) -> usize {
    world.store.store.session_page(None, 100).await.unwrap().items.len()
}

/// With which a sweep deletes records alone.
const FOR_EVER: Retention = Retention { sessions: None, events: None };

#[tokio::test]
async fn a_request_may_be_repeated_for_24_hours_and_is_a_new_one_after_that() {
    let world = world();
    let first = create_with_key(&world).await.unwrap();
    world.pass(DAY);
    world.sweep(FOR_EVER).await;
    let last = create_with_key(&world).await.unwrap();
    assert_eq!((token(&last), last.session.summary.id), (token(&first), first.session.summary.id));
    world.pass(Duration::from_millis(1));
    // No sweep has deleted the record yet.
    let new = create_with_key(&world).await.unwrap();
    assert_ne!((token(&new), new.session.summary.id), (token(&first), first.session.summary.id));
    let again = create_with_key(&world).await.unwrap();
    assert_eq!(token(&again), token(&new));
    assert_eq!(sessions(&world).await, 2);
}

#[tokio::test]
async fn a_sweep_deletes_what_makes_a_token_again_after_24_hours() {
    for (age, left) in [(DAY, 1), (DAY + Duration::from_millis(1), 0)] {
        let world = world();
        create_with_key(&world).await.unwrap();
        let now = Timestamp::from_ms(world.pass(age)).unwrap();
        world.sweep(FOR_EVER).await;
        assert_eq!(world.store.record_delete(now, 10).await, Ok(left));
    }
}

#[tokio::test]
async fn a_request_may_be_repeated_after_a_jump_of_the_clock() {
    let world = world();
    let first = create_with_key(&world).await.unwrap();
    world.clock.ahead_ms.store(100 * 24 * 3_600_000, Ordering::SeqCst);
    assert_eq!(token(&create_with_key(&world).await.unwrap()), token(&first));
    world.sweep(FOR_EVER).await;
    assert_eq!(token(&create_with_key(&world).await.unwrap()), token(&first));
    assert_eq!(sessions(&world).await, 1);
}

#[tokio::test]
async fn many_expired_records_are_not_in_the_way_of_a_new_one() {
    let world = world();
    let first = create_with_key(&world).await.unwrap();
    for number in 0..1_100 {
        let key = IdempotencyKey::try_from(number.to_string()).ok();
        create_session(world.request(Operation::CreateSession, super::key()), key, create(None))
            .await
            .unwrap();
    }
    world.pass(2 * DAY);
    assert_ne!(token(&create_with_key(&world).await.unwrap()), token(&first));
}

#[tokio::test]
async fn a_repeated_authentication_changes_nothing_and_returns_the_session_as_it_is_then() {
    let world = world();
    let id = world.create(None).await.session.summary.id;
    let first = authenticate_with_key(&world, id).await.unwrap();
    world.pass(Duration::from_mins(1));
    let again = authenticate_with_key(&world, id).await.unwrap();
    assert_eq!((token(&again), &again.session), (token(&first), &first.session));
    assert_eq!(world.store.replaced.load(Ordering::SeqCst), 1);
    // The token works.
    let caller = world.caller(token(&again).as_bytes()).await.unwrap();
    assert_eq!(world.fetch_own(caller).summary.id, id);

    world.complete(id).await;
    let ended = authenticate_with_key(&world, id).await.unwrap();
    assert_eq!((token(&ended), ended.session.summary.status), (token(&first), SessionStatus::Complete));
    assert_eq!(world.caller(token(&ended).as_bytes()).await.unwrap_err().code, ErrorCode::BadAuthtoken);
}

#[tokio::test]
async fn a_key_counts_for_one_session_and_one_operation() {
    let world = world();
    let created = create_with_key(&world).await.unwrap();
    let (one, two) = (created.session.summary.id, world.create(None).await.session.summary.id);
    let [of_one, of_two] = [
        authenticate_with_key(&world, one).await.unwrap(),
        authenticate_with_key(&world, two).await.unwrap(),
    ];
    assert_eq!([of_one.session.summary.id, of_two.session.summary.id], [one, two]);
    assert!(token(&of_one) != token(&of_two) && token(&of_one) != token(&created));
}

#[tokio::test]
async fn the_same_request_on_another_node_at_the_same_time_authenticates_once() {
    let world = world();
    let id = world.create(None).await.session.summary.id;
    let elsewhere =
        Request { sessions: world.restarted(), ..world.request(Operation::AuthenticateSession, key()) };
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let first = async move {
        let first = authenticate_session(elsewhere, id, Some(idempotency_key()), who()).await.unwrap();
        sender.send(first).unwrap();
    };
    // After this node has found no record and before it makes the change.
    *world.store.before_change.lock().unwrap() = Some(first.boxed());
    let second = authenticate_with_key(&world, id).await.unwrap();
    let first = receiver.await.unwrap();
    assert_eq!((token(&second), &second.session), (token(&first), &first.session));
    assert_eq!(world.store.replaced.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_that_was_refused_does_not_use_up_its_key() {
    let world = world();
    let id = world.create(None).await.session.summary.id;
    let other = SessionAuthenticate { account_id: AccountId(Id::from_bytes([77; 20])), ..who() };
    world.authenticate(id).await;
    let request = world.request(Operation::AuthenticateSession, key());
    let refused = authenticate_session(request, id, Some(idempotency_key()), other).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidValue);
    authenticate_with_key(&world, id).await.unwrap();
}

#[tokio::test]
async fn the_session_of_a_repeated_creation_was_deleted() {
    let world = world();
    let id = create_with_key(&world).await.unwrap().session.summary.id;
    world.complete(id).await;
    world.pass(Duration::from_mins(1));
    let retention = Retention { sessions: Some(Duration::from_secs(1)), events: None };
    assert_eq!(world.sweep(retention).await.deleted, 1);
    let refused = create_with_key(&world).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidValue);
    assert!(refused.message.starts_with("Idempotency-Key: "), "{refused}");
}
