//! Reports of nodes, and leases.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::id;
use crate::{NodeId, NodeReport, Store};

/// Passes in no test.
const LONG: Duration = Duration::from_mins(10);

/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(200);

/// More than [`SHORT`] by what a store with a coarse clock may be late.
const AFTER_SHORT: Duration = Duration::from_millis(300);

fn node(last: u64) -> NodeId {
    NodeId(id(1, last))
}

fn report(last: u64, settings: &str) -> NodeReport {
    NodeReport { node: node(last), settings: settings.to_owned() }
}

pub async fn a_report_returns_the_other_nodes_that_are_alive(store: Arc<impl Store>) {
    let reported = async |last, settings: &str, ttl| {
        store.node_report(node(last), settings.to_owned(), ttl).await.expect("reported")
    };
    assert_eq!(reported(2, "a", LONG).await, []);
    assert_eq!(reported(1, "a", LONG).await, [report(2, "a")]);
    // The latest report of a node counts.
    assert_eq!(reported(2, "b", LONG).await, [report(1, "a")]);
    assert_eq!(reported(3, "c", SHORT).await, [report(1, "a"), report(2, "b")]);
    tokio::time::sleep(AFTER_SHORT).await;
    assert_eq!(reported(1, "a", LONG).await, [report(2, "b")]);
    // A node that was taken for dead returns.
    assert_eq!(reported(3, "c", LONG).await, [report(1, "a"), report(2, "b")]);
    assert_eq!(reported(1, "a", LONG).await, [report(2, "b"), report(3, "c")]);
}

pub async fn a_lease_is_held_by_one_node_until_it_expires(store: Arc<impl Store>) {
    let acquired = async |name, last, duration| {
        store.lease_acquire(name, node(last), duration).await.expect("the store works")
    };
    assert!(acquired("one", 1, LONG).await);
    assert!(!acquired("one", 2, LONG).await);
    assert!(acquired("other", 2, LONG).await, "leases of other names are others");
    assert!(acquired("one", 1, SHORT).await, "its holder renews it, also to a shorter time");
    tokio::time::sleep(AFTER_SHORT).await;
    assert!(acquired("one", 2, LONG).await);
    assert!(!acquired("one", 1, LONG).await, "its former holder has lost it");
    assert!(acquired("one", 2, LONG).await);
}

pub async fn a_lease_that_is_renewed_in_time_never_expires(store: Arc<impl Store>) {
    // Renewed eight times within its duration, so that a slow machine does not end it.
    let (duration, pause) = (Duration::from_millis(800), Duration::from_millis(100));
    assert_eq!(store.lease_acquire("one", node(1), duration).await, Ok(true));
    for _ in 0..12 {
        tokio::time::sleep(pause).await;
        assert_eq!(store.lease_acquire("one", node(1), duration).await, Ok(true));
        assert_eq!(store.lease_acquire("one", node(2), duration).await, Ok(false));
    }
}

pub async fn of_nodes_that_acquire_a_lease_at_once_one_gets_it(store: Arc<impl Store>) {
    let mut held = 0;
    let attempts = (0..16).map(|last| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.lease_acquire("one", node(last), LONG).await })
    });
    for attempt in attempts.collect::<Vec<_>>() {
        held += usize::from(attempt.await.expect("no panic").expect("the store works"));
    }
    assert_eq!(held, 1);
}
