//! The tests that every store passes.
//!
//! [`contract_suite!`](crate::contract_suite) makes one test of each public function that takes a store. Each test has
//! a new store.
#![expect(missing_docs, reason = "the name of each test is a sentence that says what it verifies")]

mod fixture;
mod idempotency;
mod many_sessions;
mod nodes;
mod one_session;
mod other_records;
mod races;
mod revocations;

pub use fixture::{any_session, event, id, key, revocation, session};
pub use idempotency::*;
pub use many_sessions::*;
pub use nodes::*;
pub use one_session::*;
pub use other_records::*;
pub use races::*;
pub use revocations::*;

/// Makes a test of every function of the suite.
///
/// `$open` is an expression for a future that returns a guard and a new, empty store. The guard is dropped after the test.
#[macro_export]
macro_rules! contract_suite {
    ($open:expr) => {
        $crate::contract_suite! { $open =>
            any_session_comes_back_equal,
            missing_records_are_not_found,
            a_taken_id_is_refused_and_changes_nothing,
            a_pools_id_is_known_within_its_domain_alone,
            of_two_replacements_of_one_revision_only_one_succeeds,
            concurrent_replacements_each_increment_the_revision,
            a_change_whose_future_is_dropped_is_made_with_its_event_or_not_at_all,
            a_change_by_a_token_is_made_only_if_the_token_is_valid_then,
            a_last_interaction_never_moves_back_or_revives_a_session,
            references_are_found_within_their_domain_and_pool,
            of_many_replacements_exactly_those_of_unchanged_sessions_are_made,
            an_import_adds_valid_sessions_and_returns_an_error_for_each_other_one,
            pages_contain_every_session_once_in_order,
            lists_contain_exactly_the_matching_sessions_newest_first,
            expired_sessions_are_listed_earliest_first,
            expired_sessions_of_every_domain_are_listed_at_once,
            a_list_visits_few_sessions_and_goes_on_where_it_stopped,
            a_revocation_ends_every_session_and_counts_those_whose_lifetime_has_not_passed,
            a_revocation_of_many_sessions_is_the_same_on_every_read_before_and_after_it_is_written,
            a_pending_revocation_counts_exactly_while_it_is_written,
            no_session_changes_to_which_a_pending_revocation_applies,
            a_session_that_is_added_or_changed_after_a_revocation_is_not_revoked,
            a_revocation_of_few_ends_a_session_for_good_whose_stored_lifetime_has_passed,
            a_pending_revocation_ends_a_session_for_good_whose_stored_lifetime_has_passed,
            of_several_pending_revocations_the_first_decides_how_a_session_ends,
            a_session_that_is_added_during_a_revocation_is_before_or_after_it,
            a_revoked_session_never_lives_again_whatever_is_changed_at_the_same_time,
            a_domain_has_a_bounded_number_of_pending_revocations,
            a_revocation_of_ten_thousand_sessions_is_atomic_and_adds_an_event_for_each,
            ended_sessions_are_deleted_in_batches,
            a_reader_sees_every_session_while_others_are_added_and_deleted,
            keys_come_back_equal_and_stay_revoked,
            a_key_and_a_session_are_read_at_once_whether_or_not_either_exists,
            a_session_that_is_read_with_a_key_has_the_pending_revocation_that_applies_to_it,
            an_event_is_stored_if_and_only_if_its_change_is,
            events_are_read_in_order_and_deleted_in_batches,
            a_record_is_added_with_its_change_or_not_at_all,
            a_change_whose_record_exists_is_refused_as_a_whole,
            of_concurrent_changes_with_one_record_only_one_is_made,
            records_are_deleted_oldest_first_in_batches,
            a_setting_is_replaced,
            a_report_returns_the_other_nodes_that_are_alive,
            a_lease_is_held_by_one_node_until_it_expires,
            a_lease_that_is_renewed_in_time_never_expires,
            of_nodes_that_acquire_a_lease_at_once_one_gets_it,
        }
    };
    ($open:expr => $($name:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let (_guard, store) = $open.await;
            $crate::contract_suite::$name(std::sync::Arc::new(store)).await;
        }
    )*};
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_macro_lists_every_test() {
        let sources = [
            include_str!("contract_suite/idempotency.rs"),
            include_str!("contract_suite/many_sessions.rs"),
            include_str!("contract_suite/nodes.rs"),
            include_str!("contract_suite/one_session.rs"),
            include_str!("contract_suite/other_records.rs"),
            include_str!("contract_suite/races.rs"),
            include_str!("contract_suite/revocations.rs"),
        ];
        let tests = sources.iter().flat_map(|source| source.split("\npub async fn ").skip(1));
        let missing: Vec<_> = tests
            .filter_map(|test| test.split_once('(').map(|(name, _)| format!(" {name},\n")))
            .filter(|name| !include_str!("contract_suite.rs").contains(name))
            .collect();
        assert_eq!(missing, Vec::<String>::new());
    }
}
