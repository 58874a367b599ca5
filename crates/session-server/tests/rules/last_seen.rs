//! How far what is stored is behind the last interactions: what a crash loses, and what other nodes do not see yet.

use super::nodes::idle;
use super::*;

/// How often last interactions are written.
const INTERVAL: Duration = Duration::from_secs(5);

/// The idle lifetime of a browser's session by default.
const IDLE: Duration = Duration::from_mins(30);

/// An eighth of it.
const STEP: Duration = Duration::from_secs(225);

impl World {
    /// Uses the session of a token.
    async fn use_it(&self, token: &[u8]) {
        let caller = self.caller(token).await.unwrap();
        self.fetch_own(caller);
    }

    async fn seen_ms(&self, id: SessionId) -> u64 {
        self.store.session_fetch(id).await.unwrap().unwrap().last_seen.unwrap().at.as_ms()
    }

    async fn create_used(&self) -> (SessionId, Vec<u8>) {
        let created = self.create(Some(Interaction::default())).await;
        (created.session.summary.id, created.authtoken.expose_secret().as_bytes().to_vec())
    }

    async fn status_at(&self, id: SessionId) -> SessionStatus {
        self.fetch(key(), id).await.summary.status
    }
}

#[tokio::test]
async fn of_a_session_that_is_used_all_the_time_few_interactions_are_written_and_none_is_behind_by_a_step() {
    let world = world();
    let (id, token) = world.create_used().await;
    let (mut writes, mut written_ms) = (0, world.seen_ms(id).await);
    for _ in 0..IDLE.as_secs() / INTERVAL.as_secs() {
        let now_ms = world.pass(INTERVAL);
        world.use_it(&token).await;
        world.sessions.write_due_last_seen().await.unwrap();
        let seen_ms = world.seen_ms(id).await;
        assert!(Duration::from_millis(now_ms - seen_ms) < STEP, "{seen_ms} at {now_ms}");
        writes += u32::from(seen_ms != written_ms);
        written_ms = seen_ms;
        let shown = world.fetch(key(), id).await.summary.last_seen.unwrap().at;
        assert_eq!(shown.as_ms(), now_ms, "reads of this node show each one");
    }
    assert!((8..=12).contains(&writes), "{writes}");
}

#[tokio::test]
async fn after_a_crash_a_session_lives_for_its_idle_lifetime_less_a_step_after_its_last_use() {
    let world = world();
    let (id, token) = world.create_used().await;
    // Not a multiple of a shard's turn.
    for _ in 0..41 {
        world.pass(INTERVAL);
        world.use_it(&token).await;
        world.sessions.write_due_last_seen().await.unwrap();
    }
    let restarted = world.node_with(Lifetimes::default());
    world.pass(Duration::from_secs(IDLE.as_secs() - STEP.as_secs()));
    assert_eq!(restarted.status_at(id).await, SessionStatus::Unauthenticated);
    world.pass(STEP);
    assert_eq!(restarted.status_at(id).await, SessionStatus::Complete);
}

#[tokio::test]
async fn the_first_interaction_after_a_step_without_one_is_written_in_the_next_interval_and_not_an_earlier_one()
 {
    for (pause, is_written) in [(Duration::from_millis(225_000 - 1), false), (STEP, true)] {
        let world = world();
        let (id, token) = world.create_used().await;
        let created_ms = world.seen_ms(id).await;
        let used_ms = world.pass(pause);
        world.use_it(&token).await;
        world.sessions.write_due_last_seen().await.unwrap();
        assert_eq!(world.seen_ms(id).await, if is_written { used_ms } else { created_ms });
    }
}

#[tokio::test]
async fn for_other_nodes_a_session_that_is_used_every_second_never_expires() {
    for idle_s in [6, 7, 10, 60, 600] {
        let world = world();
        let lifetimes = idle(Duration::from_secs(idle_s));
        let (node, other) = (world.node_with(lifetimes.clone()), world.node_with(lifetimes));
        let (id, token) = node.create_used().await;
        for second in 1..=3 * idle_s {
            node.pass(Duration::from_secs(1));
            node.use_it(&token).await;
            if second % INTERVAL.as_secs() == 0 {
                node.sessions.write_due_last_seen().await.unwrap();
            }
            let status = other.status_at(id).await;
            assert_eq!(status, SessionStatus::Unauthenticated, "{idle_s} s, after {second} s");
        }
    }
}
