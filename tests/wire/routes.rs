//! Paths and methods that the contract does not have are refused.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use openapi_drift::{METHODS, push};
use session_test_support::seed;

use crate::suite::{Request, Suite};

fn request(method: &str, path: &str) -> Request {
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: None,
        stalls: false,
        what: String::new(),
    }
}

/// Sends methods that a path does not have, and paths next to those of the contract.
pub(crate) async fn check(suite: &Suite, server: SocketAddr) {
    let templates: Vec<&str> = suite.contract.members("/paths").into_iter().map(|(path, _)| path).collect();
    let filled = |path: &str| {
        let segments =
            path.split('/').map(|part| if part.starts_with('{') { seed::SESSION_ID } else { part });
        segments.collect::<Vec<_>>().join("/")
    };
    for template in &templates {
        let pointer = push("/paths", template);
        for method in METHODS.iter().filter(|method| suite.contract.get(&push(&pointer, method)).is_null()) {
            let method = method.to_uppercase();
            let answer = suite.send(server, &request(&method, &filled(template))).await;
            suite.check(answer.is_some_and(|answer| answer.status == 405), "method-undocumented", &pointer, || {
                format!("{method} {template}: openapi.json has no such operation, so the response is 405; it was another")
            });
        }
    }
    // The parent of each path, a child, a similar name, and another version.
    let mut others = BTreeSet::from(["/".to_owned(), "/metrics".to_owned(), "/openapi.json".to_owned()]);
    for template in &templates {
        let path = filled(template);
        others.insert(format!("{path}/other"));
        others.insert(format!("{path}s"));
        others.insert(path.replacen("/v1/", "/v2/", 1));
        others.extend(
            path.rsplit_once('/').map(|(above, _)| above.to_owned()).filter(|above| !above.is_empty()),
        );
    }
    let is_template =
        |path: &str| METHODS.iter().any(|method| suite.contract.operation_for(method, path).is_some());
    for path in others.iter().filter(|path| !is_template(path)) {
        for method in ["GET", "POST"] {
            let answer = suite.send(server, &request(method, path)).await;
            suite.check(
                answer.is_some_and(|answer| answer.status == 404),
                "path-undocumented",
                "/paths",
                || {
                    format!(
                        "{method} {path}: openapi.json has no such path, so the response is 404; it was another"
                    )
                },
            );
        }
    }
}
