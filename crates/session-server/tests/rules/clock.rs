//! A wall clock that is wrong for a while.

use session_server::rules::record_interaction::record_interaction;

use super::*;

const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// How far minting may run ahead of the clock.
const MINT_AHEAD_MAX_MS: u64 = 5_000;

/// For how long the clock must be steady after a jump, or after the start.
const STEADY_FOR: Duration = Duration::from_hours(1);

/// The default idle lifetime of a browser's session.
const IDLE: Duration = Duration::from_mins(30);

/// A millisecond less.
const fn almost(time: Duration) -> Duration {
    time.saturating_sub(Duration::from_millis(1))
}

impl World {
    /// Sets the wall clock ahead; no time passes.
    fn set_ahead(&self, by: Duration) {
        self.clock.ahead_ms.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Sets the wall clock right again.
    fn set_right(&self) {
        self.clock.ahead_ms.store(0, Ordering::SeqCst);
    }

    async fn status_of(&self, id: SessionId) -> SessionStatus {
        self.fetch(key(), id).await.summary.status
    }

    async fn stored(&self, id: SessionId) -> StoredSession {
        self.store.session_fetch(id).await.unwrap().unwrap()
    }

    async fn event_count(&self) -> usize {
        self.store.event_page(None, 1_000).await.unwrap().items.len()
    }

    async fn interact(&self, id: SessionId) -> Session {
        let request = self.request(Operation::RecordInteraction, key());
        record_interaction(request, id, Interaction::default()).await.unwrap()
    }

    /// The same store in a process that starts now.
    pub(super) fn restarted(&self) -> Arc<Sessions> {
        let random = Arc::new(Counter(AtomicU64::new(100)));
        let storage = Storage::new(self.store.clone(), self.clock.clone(), random, STORE_TIMEOUT);
        Arc::new(Sessions::new(storage, Lifetimes::default()))
    }
}

#[tokio::test]
async fn ids_are_at_most_seconds_ahead_at_once_after_one_request_a_year_ahead() {
    let world = world();
    world.set_ahead(YEAR);
    let during = world.create(None).await.session.summary.id;
    assert_eq!(during.0.time_ms(), START_MS + 365 * 24 * 3_600_000);
    world.set_right();
    let after = world.create(None).await.session.summary.id;
    let ahead_ms = after.0.time_ms().saturating_sub(START_MS);
    assert!(ahead_ms <= MINT_AHEAD_MAX_MS, "an ID is {} s ahead of the clock", ahead_ms / 1_000);
    let session = world.stored(after).await;
    assert_eq!(session.created_at.as_ms(), START_MS);
}

#[tokio::test]
async fn a_session_that_is_created_after_a_jump_ends_by_its_lifetimes() {
    let world = world();
    world.set_ahead(YEAR);
    world.create(None).await;
    world.set_right();
    let created = world.create(Some(Interaction::default())).await;
    let (id, token) = (created.session.summary.id, created.authtoken.expose_secret().as_bytes().to_vec());
    world.pass(almost(IDLE));
    assert_eq!(world.status_of(id).await, SessionStatus::Unauthenticated);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.status_of(id).await, SessionStatus::Complete);
    assert_eq!(world.caller(&token).await.unwrap_err().code, ErrorCode::BadAuthtoken);
}

#[tokio::test]
async fn a_session_that_is_created_during_a_jump_ends_by_its_lifetimes_from_the_correction_on() {
    let world = world();
    world.sweep(FOR_EVER).await;
    world.set_ahead(YEAR);
    let (with, without) = (world.create(Some(Interaction::default())).await, world.create(None).await);
    assert_eq!(world.sweep(FOR_EVER).await, Swept::default());
    world.set_right();
    // Until the next sweep, the creation counts as now.
    world.pass(Duration::from_secs(10));
    assert_eq!(
        world.fetch(key(), with.session.summary.id).await.summary.status,
        SessionStatus::Unauthenticated
    );
    assert_eq!(world.sweep(FOR_EVER).await, Swept { repaired: 2, ..Swept::default() });
    assert_eq!(world.sweep(FOR_EVER).await, Swept::default(), "once");
    world.pass(almost(IDLE));
    for (created, live) in [(&with, SessionStatus::Unauthenticated), (&without, SessionStatus::New)] {
        assert_eq!(world.status_of(created.session.summary.id).await, live);
    }
    world.pass(Duration::from_millis(1));
    for created in [with, without] {
        assert_eq!(world.status_of(created.session.summary.id).await, SessionStatus::Complete);
        let token = created.authtoken.expose_secret().as_bytes().to_vec();
        assert_eq!(world.caller(&token).await.unwrap_err().code, ErrorCode::BadAuthtoken);
    }
    world.pass(Duration::from_secs(10));
    assert_eq!(world.sweep(FOR_EVER).await, Swept { expired: 2, ..Swept::default() });
}

#[tokio::test]
async fn the_absolute_lifetime_of_a_session_that_is_used_counts_from_the_correction_on() {
    let world = world();
    world.set_ahead(YEAR);
    let id = world.create(Some(Interaction::default())).await.session.summary.id;
    world.set_right();
    world.sweep(FOR_EVER).await;
    // Twelve hours by default.
    for _ in 0..12 * 3 - 1 {
        world.pass(Duration::from_mins(20));
        assert_eq!(world.interact(id).await.summary.status, SessionStatus::Unauthenticated);
    }
    world.pass(Duration::from_mins(20));
    assert_eq!(world.status_of(id).await, SessionStatus::Complete);
}

#[tokio::test]
async fn a_session_that_is_used_during_a_jump_ends_by_its_idle_lifetime_from_its_next_use_on() {
    let world = world();
    let created = world.create(Some(Interaction::default())).await;
    let (id, token) = (created.session.summary.id, created.authtoken.expose_secret().as_bytes().to_vec());
    let use_it = async || {
        let caller = world.caller(&token).await.unwrap();
        world.fetch_own(caller);
    };
    // Within its lifetime, so that it can be used.
    world.set_ahead(Duration::from_mins(20));
    use_it().await;
    world.set_right();
    world.pass(Duration::from_mins(1));
    let last_seen = world.fetch(key(), id).await.summary.last_seen.unwrap();
    assert_eq!(last_seen.at.as_ms(), START_MS + 60_000, "a time in the future counts as now");
    use_it().await;
    world.pass(Duration::from_mins(1));
    let last_seen = world.fetch(key(), id).await.summary.last_seen.unwrap();
    assert_eq!(last_seen.at.as_ms(), START_MS + 60_000, "the interaction after the jump is the last one");
    world.sessions.write_last_seen().await.unwrap();
    assert_eq!(world.stored(id).await.last_seen.unwrap().at.as_ms(), START_MS + 60_000);
    world.pass(Duration::from_mins(29));
    assert_eq!(world.status_of(id).await, SessionStatus::Complete);
}

#[tokio::test]
async fn three_seconds_a_hundred_days_ahead_delete_and_mark_nothing() {
    let world = world();
    let retention = Retention { sessions: Some(90 * DAY), events: Some(90 * DAY) };
    let live = world.create(Some(Interaction::default())).await.session.summary.id;
    let mut ended = Vec::new();
    for _ in 0..300 {
        let id = world.create(None).await.session.summary.id;
        world.complete(id).await;
        ended.push(id);
    }
    let events = world.event_count().await;
    world.sweep(retention).await;
    world.set_ahead(100 * DAY);
    let mut swept = Vec::new();
    for _ in 0..3 {
        world.pass(Duration::from_secs(1));
        swept.push(world.sweep(retention).await);
    }
    world.set_right();
    swept.push(world.sweep(retention).await);
    assert_eq!(swept, [Swept::default(); 4], "{events} events");
    assert_eq!(world.event_count().await, events);
    assert_eq!(world.stored(live).await.status, SessionStatus::Unauthenticated);
    for id in ended {
        assert_eq!(world.stored(id).await.status, SessionStatus::Complete);
    }
}

#[tokio::test]
async fn a_revocation_during_a_jump_reaches_sessions_that_only_the_wrong_clock_ended() {
    let world = world();
    let created = world.create(None).await;
    let id = created.session.summary.id;
    world.pass(Duration::from_mins(1));
    world.set_ahead(100 * DAY);
    assert_eq!(world.status_of(id).await, SessionStatus::Complete);
    assert_eq!(world.revoke_pool().await, 1);
    world.set_right();
    assert_eq!(world.status_of(id).await, SessionStatus::Revoked);
    assert_eq!(world.stored(id).await.ended_at.map(Timestamp::as_ms), Some(START_MS + 60_000));
    // Without a jump, only live sessions are counted.
    world.create(None).await;
    world.pass(IDLE);
    assert_eq!(world.revoke_pool().await, 0);
}

#[tokio::test]
async fn a_jump_in_the_middle_of_a_sweep_deletes_nothing() {
    let world = world();
    let retention = Retention { sessions: Some(90 * DAY), events: Some(90 * DAY) };
    let expired = world.create(None).await.session.summary.id;
    world.pass(DAY);
    let ended = world.create(None).await.session.summary.id;
    world.complete(ended).await;
    let events = world.event_count().await;
    let clock = Arc::clone(&world.clock);
    let jump = async move {
        clock.ahead_ms.store(100 * 24 * 3_600_000, Ordering::SeqCst);
    };
    // Right before the sweep marks the expired session, which is the first thing that it does.
    *world.store.before_change.lock().unwrap() = Some(jump.boxed());
    assert_eq!(world.sweep(retention).await, Swept { expired: 1, ..Swept::default() });
    assert_eq!(world.stored(expired).await.status, SessionStatus::Complete);
    assert_eq!(world.stored(ended).await.status, SessionStatus::Complete);
    assert_eq!(world.event_count().await, events + 1, "the one of the session that was marked");
}

#[tokio::test]
async fn a_clock_that_stays_where_it_jumped_is_believed_after_an_hour() {
    let retention = Retention { sessions: Some(90 * DAY), events: None };
    for back_and_forth in [false, true] {
        let world = world();
        world.create(None).await;
        let ended = world.create(None).await.session.summary.id;
        world.complete(ended).await;
        world.set_ahead(100 * DAY);
        assert_eq!(world.sweep(retention).await, Swept::default());
        world.pass(almost(STEADY_FOR));
        assert_eq!(world.sweep(retention).await, Swept::default());
        if back_and_forth {
            // Another jump: the hour begins again.
            world.set_ahead(DAY);
            assert_eq!(world.sweep(retention).await, Swept::default());
            world.pass(almost(STEADY_FOR));
            assert_eq!(world.sweep(retention).await, Swept::default());
        }
        world.pass(Duration::from_millis(1));
        assert_eq!(world.sweep(retention).await, Swept { expired: 1, deleted: 2, ..Swept::default() });
    }
}

#[tokio::test]
async fn a_clock_that_is_corrected_in_small_steps_stops_no_sweep() {
    let world = world();
    let id = world.create(None).await.session.summary.id;
    for _ in 0..60 {
        world.set_ahead(Duration::from_secs(30));
        world.pass(Duration::from_secs(10));
        world.sweep(FOR_EVER).await;
    }
    assert_eq!(world.stored(id).await.status, SessionStatus::Complete);
}

#[tokio::test]
async fn times_in_the_future_at_the_start_are_repaired_after_an_hour_of_a_steady_clock() {
    let world = world();
    world.set_ahead(YEAR);
    let live = world.create(Some(Interaction::default())).await.session.summary.id;
    let ended = world.create(None).await.session.summary.id;
    world.complete(ended).await;
    world.set_right();
    // Whether the clock is right now or was right then cannot be known yet.
    let restarted = world.restarted();
    let sweep = async || sweep(&restarted, FOR_EVER).await.unwrap();
    let fetch = async || {
        let stored = restarted.storage().call(|store| store.session_fetch(live)).await.unwrap().unwrap();
        restarted.current(stored)
    };
    fetch().await;
    assert_eq!(sweep().await, Swept::default());
    world.pass(almost(STEADY_FOR));
    assert_eq!(sweep().await, Swept::default());
    assert_eq!(fetch().await.status, SessionStatus::Unauthenticated);
    let now = world.pass(Duration::from_millis(1));
    assert_eq!(sweep().await, Swept { repaired: 2, ..Swept::default() });
    let (live, ended) = (world.stored(live).await, world.stored(ended).await);
    let seen = live.last_seen.map(|last| last.at.as_ms());
    assert_eq!((live.created_at.as_ms(), seen), (now, Some(now)));
    assert_eq!(ended.ended_at.map(Timestamp::as_ms), Some(now), "its retention ends as well");
}
