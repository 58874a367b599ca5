//! Seeded faults: one table of deviations from the contract, each of which the wire leg must find.
//!
//! No fault is in `sessiond`. A [`crate::fault_proxy`] in front of a plain server changes what passes, so that a client sees
//! what it would see of a server with that fault:
//!
//! - A wrong response is a plain server's response that the proxy rewrites.
//! - A check that is missing is a request that the proxy rewrites so that the plain server's check passes, or, where only
//!   the server can tell that the check failed, a further request after the refusal.
//! - A limit, lifetime or switch that is ignored is a setting with which the plain server is started.

mod bodies;
mod callers;
mod credentials;
mod deployment;
mod fault;
mod headers;
mod lists;
mod message;
mod requests;
mod rules;
mod statuses;

pub(crate) use credentials::Credentials;
pub use credentials::Keyring;
pub(crate) use deployment::Deployment;
pub use fault::Fault;

/// Every fault.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    [
        statuses::FAULTS,
        headers::FAULTS,
        bodies::FAULTS,
        requests::FAULTS,
        callers::FAULTS,
        rules::FAULTS,
        lists::FAULTS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_fault_has_a_unique_name_a_meaning_and_one_change() {
        let mut names = BTreeSet::from([Fault::CONTROL.name]);
        for fault in all() {
            let name = fault.name;
            assert!(names.insert(name), "{name} is not unique");
            assert!(
                name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
            );
            assert!(fault.meaning.len() > 20 && fault.meaning.ends_with('.'), "{name}: {}", fault.meaning);
            let changes = [
                fault.request.is_some(),
                fault.response.is_some(),
                fault.follow_up.is_some(),
                fault.settings.is_some(),
            ];
            assert_eq!(changes.into_iter().filter(|present| *present).count(), 1, "{name}");
        }
        assert!(names.len() > 111, "faults were removed: there are {}", names.len() - 1);
    }
}
