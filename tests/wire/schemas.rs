//! What the suite needs of the schemas: values at each bound, and no keyword that no check considers.

use std::collections::BTreeSet;

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
    suite.check(!contract.operations().is_empty(), "no-operation", "", || {
        "openapi.json has no operation; add one".to_owned()
    });
    let mut schemas = BTreeSet::new();
    walk(contract.document(), &mut |object, pointer, value| match object {
        Object::Schema if value.get("$ref").is_none() => drop(schemas.insert(pointer.to_owned())),
        // Without a schema, any body would be valid.
        Object::MediaType => suite.check(value.get("schema").is_some(), "schema-missing", pointer, || {
            "the media type has no schema; add one".to_owned()
        }),
        _ => {}
    });
    for schema in schemas {
        suite.check(contract.validator(&schema).is_some(), "schema-invalid", &schema, || {
            "the schema cannot be compiled; see `cargo xtask check --static`".to_owned()
        });
        for keyword in probes(contract, &schema).out_of_reach {
            suite.check(false, "bound-out-of-reach", &keyword, || {
                let word = keyword.rsplit('/').next().unwrap_or_default();
                format!(
                    "no value is at the bound of {word} and otherwise valid: the schema contradicts itself"
                )
            });
        }
    }
}
