//! What the contract documents must occur: every response, every media type and error code of it, every property, listed
//! value and alternative.

use std::collections::BTreeSet;

use openapi_drift::push;
use session_test_support::coverage::collect;

use crate::suite::Suite;

/// Compares the responses of all requests with what the contract documents.
pub(crate) fn check(suite: &Suite) {
    let (contract, seen) = (&suite.contract, suite.seen.borrow());
    let (mut expected, mut visited) = (BTreeSet::new(), BTreeSet::new());
    for operation in contract.operations() {
        let id = &operation.id;
        let responses = contract.members(&push(&operation.pointer, "responses")).into_iter();
        for (status, pointer) in responses.filter(|(status, _)| !status.starts_with("x-")) {
            let provoked = seen.contains(&pointer);
            suite.check(provoked, "status-not-provoked", &pointer, || {
                format!(
                    "{id}: openapi.json documents a response {status}, which no request of the suite provokes"
                )
            });
            let response = contract.resolve(&pointer);
            let codes = contract.items(&push(&response, "x-error-codes"));
            let applies = status.starts_with(['4', '5']) || status == "default";
            suite.check(!applies || !codes.is_empty(), "codes-not-named", &response, || {
                format!("{id}: the response {status} has no x-error-codes; list its error codes")
            });
            expected.extend(codes);
            for (media, at) in contract.members(&push(&response, "content")) {
                let provoked = !provoked || seen.contains(&format!("{pointer}{}", push("", media)));
                suite.check(provoked, "media-type-not-provoked", &at, || {
                    format!(
                        "{id}: openapi.json documents {media} for a response {status}, which never had it"
                    )
                });
                collect(contract, &push(&at, "schema"), &mut visited, &mut expected);
            }
            for (_, header) in contract.members(&push(&response, "headers")) {
                collect(contract, &contract.child(&header, "schema"), &mut visited, &mut expected);
            }
        }
    }
    for pointer in expected {
        let mut tokens = pointer.rsplit('/');
        let (name, keyword) = (tokens.next().unwrap_or_default(), tokens.next().unwrap_or_default());
        let what = match keyword {
            "enum" | "x-error-codes" => format!("the value {}", contract.get(&pointer)),
            "properties" => format!("the property {name}"),
            "oneOf" | "anyOf" => format!("the alternative {name}"),
            // A response need not be at a bound.
            _ => continue,
        };
        suite.check(seen.contains(&pointer), "never-seen", &pointer, || {
            format!("openapi.json documents {what} for responses; no response had it")
        });
    }
}
