//! What the suite needs of the schemas: values at each bound, and no keyword that no check considers.

use openapi_drift::{Object, walk};
use session_test_support::samples::unsupported;

use crate::probe::probes;
use crate::suite::Suite;

/// Checks every schema.
pub(crate) fn check(suite: &Suite) {
    let contract = &suite.contract;
    for (pointer, what) in unsupported(contract) {
        suite.check(false, "keyword-unknown", &pointer, || what);
    }
    walk(contract.document(), &mut |object, pointer, value| {
        if object != Object::Schema || value.get("$ref").is_some() {
            return;
        }
        for keyword in probes(contract, pointer).out_of_reach {
            suite.check(false, "bound-out-of-reach", &keyword, || {
                let word = keyword.rsplit('/').next().unwrap_or_default();
                format!(
                    "no value is at the bound of {word} and otherwise valid: the schema contradicts itself"
                )
            });
        }
    });
}
