//! Several nodes on one store, with the same and with other lifetimes.

use prometheus_client::metrics::gauge::Gauge;
use session_server::lifecycle::lifetime::TypeLifetimes;
use session_server::node::Node;
use session_server::stored_lifetimes::{Part, are_applied, prepare};
use session_store::EventAction;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

/// How long a report and a lease are valid.
const VALID_FOR: Duration = Duration::from_secs(20);

/// The default lifetimes, but a browser's session may be idle for this long.
pub(super) fn idle(browser: Duration) -> Lifetimes {
    let mut default = TypeLifetimes::default();
    default.browser.idle = Some(browser);
    Lifetimes { default, ..Lifetimes::default() }
}

impl World {
    /// Another node on the same store, which starts now with these lifetimes.
    pub(super) fn node_with(&self, lifetimes: Lifetimes) -> World {
        static SEED: AtomicU64 = AtomicU64::new(1);
        let random = Arc::new(Counter(AtomicU64::new(SEED.fetch_add(1, Ordering::SeqCst) << 3)));
        let storage = Storage::new(self.store.clone(), self.clock.clone(), random, STORE_TIMEOUT);
        let sessions = Arc::new(Sessions::new(storage, lifetimes));
        World {
            sessions,
            limits: Arc::clone(&self.limits),
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            reads: Arc::clone(&self.reads),
            folder: Arc::clone(&self.folder),
        }
    }

    fn member(&self) -> (Node, Gauge) {
        let gauge = Gauge::default();
        (Node::new(Arc::clone(&self.sessions), gauge.clone()).unwrap(), gauge)
    }

    async fn apply(&self) -> Part {
        apply_part(&self.sessions, || true).await.unwrap()
    }

    async fn stored_end(&self, id: SessionId) -> Option<u64> {
        self.store.session_fetch(id).await.unwrap().unwrap().expires_at.map(Timestamp::as_ms)
    }

    /// How many sessions are listed as unauthenticated, and how many as complete.
    async fn listed(&self) -> (usize, usize) {
        let live = self.count_with(SessionStatus::Unauthenticated).await;
        (live, self.count_with(SessionStatus::Complete).await)
    }
}

#[tokio::test]
async fn lists_are_exact_before_and_after_changed_lifetimes_are_applied() {
    for (others, listed) in [(10, (0, 3)), (30, (3, 0)), (60, (3, 0))] {
        let world = world();
        for _ in 0..3 {
            world.create(Some(Interaction::default())).await;
        }
        world.pass(20 * MINUTE);
        assert_eq!(world.listed().await, (3, 0));
        let restarted = world.node_with(idle(others * MINUTE));
        assert_eq!(restarted.listed().await, listed, "{others} minutes, before");
        prepare(&restarted.sessions).await.unwrap();
        assert_eq!(restarted.listed().await, listed, "{others} minutes, prepared");
        assert_eq!(world.listed().await, (3, 0), "on a node with the former ones");
        assert!(restarted.apply().await.is_last);
        assert!(are_applied(&restarted.sessions).await.unwrap());
        assert_eq!(restarted.listed().await, listed, "{others} minutes, after");
        assert_eq!(world.listed().await, (3, 0), "on a node with the former ones");
    }
    // Of which the stored end has passed.
    let world = world();
    world.create(Some(Interaction::default())).await;
    world.pass(40 * MINUTE);
    let restarted = world.node_with(idle(60 * MINUTE));
    assert_eq!((world.listed().await, restarted.listed().await), ((0, 1), (1, 0)));
}

#[tokio::test]
async fn a_node_with_other_lifetimes_makes_no_list_of_another_node_rely_on_its_times() {
    let world = world();
    let other = world.node_with(idle(10 * MINUTE));
    assert!(are_applied(&world.sessions).await.unwrap());
    prepare(&other.sessions).await.unwrap();
    assert!(!are_applied(&world.sessions).await.unwrap());
    let id = other.create(Some(Interaction::default())).await.session.summary.id;
    assert_eq!(other.stored_end(id).await, Some(START_MS + 10 * 60 * 1_000));
    world.pass(20 * MINUTE);
    assert_eq!((world.listed().await, other.listed().await), ((1, 0), (0, 1)));
}

#[tokio::test]
async fn nodes_with_other_lifetimes_are_reported_and_nothing_is_applied_until_they_are_gone() {
    let world = world();
    let other = world.node_with(idle(10 * MINUTE));
    let ((node, gauge), (other_node, other_gauge)) = (world.member(), other.member());
    node.beat().await.unwrap();
    assert!(node.agrees());
    other_node.beat().await.unwrap();
    node.beat().await.unwrap();
    for (node, gauge) in [(&node, &gauge), (&other_node, &other_gauge)] {
        assert_eq!((node.agrees(), gauge.get()), (false, 1));
        assert!(!are_applied(node.sessions()).await.unwrap());
    }
    let id = other.create(Some(Interaction::default())).await.session.summary.id;
    assert_eq!(apply_part(&world.sessions, || node.agrees()).await.unwrap(), Part::default());
    assert_eq!(world.stored_end(id).await, Some(START_MS + 10 * 60 * 1_000));

    other_node.leave().await.unwrap();
    node.beat().await.unwrap();
    assert_eq!((node.agrees(), gauge.get()), (true, 0));
    assert_eq!(world.apply().await, Part { checked: 1, is_last: true });
    assert_eq!(world.stored_end(id).await, Some(START_MS + 30 * 60 * 1_000));
    assert!(are_applied(&world.sessions).await.unwrap());
}

#[tokio::test]
async fn nodes_with_the_same_lifetimes_agree() {
    let world = world();
    let (one, two) = (world.member(), world.node_with(Lifetimes::default()).member());
    for (node, gauge) in [&one, &two, &one] {
        node.beat().await.unwrap();
        assert_eq!((node.agrees(), gauge.get()), (true, 0));
    }
    assert!(are_applied(&world.sessions).await.unwrap());
}

#[tokio::test]
async fn one_node_sweeps_until_it_leaves_or_cannot_renew_its_lease() {
    let world = world();
    let ((one, _), (two, _)) = (world.member(), world.node_with(Lifetimes::default()).member());
    assert!(!one.sweeps(), "before its first beat");
    for node in [&one, &two] {
        node.beat().await.unwrap();
    }
    assert_eq!((one.sweeps(), two.sweeps()), (true, false));
    assert_eq!(two.while_it_sweeps(async { unreachable!() }).await, None::<()>);
    assert_eq!(one.while_it_sweeps(async { 1 }).await, Some(1));
    world.pass(VALID_FOR.saturating_sub(Duration::from_millis(1)));
    assert!(one.sweeps());
    world.pass(Duration::from_millis(1));
    assert!(!one.sweeps(), "another node may sweep now");
    one.beat().await.unwrap();
    assert!(one.sweeps());
    one.leave().await.unwrap();
    two.beat().await.unwrap();
    one.beat().await.unwrap();
    assert_eq!((one.sweeps(), two.sweeps()), (false, true));
}

#[tokio::test]
async fn work_of_the_sweep_ends_in_the_middle_when_the_lease_is_lost() {
    let world = world();
    let (node, _) = world.member();
    node.beat().await.unwrap();
    // A few real milliseconds before the end.
    world.pass(VALID_FOR.saturating_sub(Duration::from_millis(20)));
    let endless = node.while_it_sweeps(std::future::pending::<()>());
    let pass = async {
        world.pass(Duration::from_millis(20));
    };
    assert_eq!(futures::future::join(endless, pass).await.0, None);
}

#[tokio::test]
async fn lifetimes_are_applied_in_parts_that_another_node_resumes() {
    let world = world();
    let template = world.create(None).await.session.summary.id;
    let template = world.store.session_fetch(template).await.unwrap().unwrap();
    let imported = (0..10_050_u32).map(|number| {
        let mut bytes = [7; 20];
        bytes[16..].copy_from_slice(&number.to_be_bytes());
        let session = StoredSession { id: SessionId(Id::from_bytes(bytes)), ..template.clone() };
        (
            session,
            world.sessions.new_event(
                EventAction::Imported,
                template.id,
                session_store::Actor::Operator,
                None,
                None,
            ),
        )
    });
    let imported = imported.map(|(session, event)| (session, event.unwrap())).collect();
    assert!(world.store.store.session_import(imported).await.unwrap().iter().all(Result::is_ok));

    let changed = || world.node_with(idle(10 * MINUTE));
    assert_eq!(changed().apply().await, Part { checked: 10_000, is_last: false });
    assert!(!are_applied(&changed().sessions).await.unwrap());
    // A node that starts with the same lifetimes does not start it again.
    prepare(&changed().sessions).await.unwrap();
    assert_eq!(changed().apply().await, Part { checked: 51, is_last: true });
    assert_eq!(changed().apply().await, Part { checked: 0, is_last: true });
    let mut after = None;
    loop {
        let page = world.store.session_page(after, 5_000).await.unwrap();
        for session in page.items {
            assert_eq!(session.expires_at.unwrap().as_ms(), START_MS + 10 * 60 * 1_000);
        }
        after = page.next.map(SessionId);
        if after.is_none() {
            break;
        }
    }
    // One with others does.
    let third = world.node_with(idle(20 * MINUTE));
    assert_eq!(third.apply().await, Part { checked: 10_000, is_last: false });
    prepare(&changed().sessions).await.unwrap();
    assert_eq!(third.apply().await, Part { checked: 10_000, is_last: false });
}

#[tokio::test]
async fn sessions_whose_stored_end_is_by_shorter_lifetimes_neither_end_nor_stop_the_sweep() {
    let world = world();
    let mut api = create(None);
    api.session_type = SessionType::Api;
    for _ in 0..450 {
        world.create(None).await;
    }
    let live = world.create(None).await.session.summary.id;
    let mut lifetimes = idle(60 * MINUTE);
    lifetimes.default.api.idle = Some(40 * MINUTE);
    let restarted = world.node_with(lifetimes);
    create_session(restarted.request(Operation::CreateSession, key()), None, api).await.unwrap();
    restarted.pass(50 * MINUTE);
    assert_eq!(restarted.sweep(FOR_EVER).await, Swept { expired: 1, ..Swept::default() });
    assert_eq!(restarted.stored_end(live).await, Some(START_MS + 60 * 60 * 1_000));
    restarted.pass(10 * MINUTE);
    restarted.pass(Duration::from_secs(10));
    assert_eq!(restarted.sweep(FOR_EVER).await, Swept { expired: 451, ..Swept::default() });
}

#[tokio::test]
async fn sessions_whose_stored_end_is_by_longer_lifetimes_end_once_the_shorter_ones_are_applied() {
    let world = world();
    let id = world.create(None).await.session.summary.id;
    let restarted = world.node_with(idle(10 * MINUTE));
    restarted.pass(20 * MINUTE);
    assert_eq!(restarted.sweep(FOR_EVER).await, Swept::default());
    restarted.apply().await;
    assert_eq!(restarted.sweep(FOR_EVER).await, Swept { expired: 1, ..Swept::default() });
    let ended_at = restarted.store.session_fetch(id).await.unwrap().unwrap().ended_at;
    assert_eq!(ended_at.map(Timestamp::as_ms), Some(START_MS + 10 * 60 * 1_000));
}

#[tokio::test]
async fn an_interaction_after_a_stored_end_by_shorter_lifetimes_is_written() {
    let world = world();
    let created = world.create(Some(Interaction::default())).await;
    let (id, token) = (created.session.summary.id, created.authtoken.expose_secret().as_bytes());
    let restarted = world.node_with(idle(60 * MINUTE));
    let seen_ms = restarted.pass(40 * MINUTE);
    let caller = restarted.caller(token).await.unwrap();
    restarted.fetch_own(caller);
    restarted.sessions.write_last_seen().await.unwrap();
    let stored = restarted.store.session_fetch(id).await.unwrap().unwrap();
    assert_eq!(stored.last_seen.unwrap().at.as_ms(), seen_ms);
    assert_eq!(stored.expires_at.unwrap().as_ms(), seen_ms + 60 * 60 * 1_000);
}

#[tokio::test]
async fn in_the_background_only_the_node_with_the_lease_sweeps_and_applies_lifetimes() {
    let world = world();
    let id = world.create(None).await.session.summary.id;
    world.pass(Duration::from_hours(13));
    let (first, _) = world.member();
    first.beat().await.unwrap();
    let other = world.node_with(idle(10 * MINUTE));
    let (second, _) = other.member();
    let second = Arc::new(second);
    prepare(&other.sessions).await.unwrap();
    let log = slog::Logger::root(slog::Discard, slog::o!());
    let interval = Duration::from_millis(10);
    let background = session_server::sweep::start(Arc::clone(&second), interval, FOR_EVER, log);
    let status = async || world.store.session_fetch(id).await.unwrap().unwrap().status;
    tokio::time::sleep(10 * interval).await;
    assert_eq!(status().await, SessionStatus::New);

    first.leave().await.unwrap();
    second.beat().await.unwrap();
    while status().await == SessionStatus::New || !are_applied(&other.sessions).await.unwrap() {
        tokio::time::sleep(interval).await;
    }
    assert_eq!(status().await, SessionStatus::Complete);
    background.abort();
}
