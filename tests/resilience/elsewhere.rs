//! What one node has acknowledged, another node knows at once: a session that was revoked on one is read on another.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::races;
use crate::report::{Failed, Kind, Outcome};
use crate::scene::{NODES, Scene};
use crate::server::Target;
use crate::service::{Counts, Service};

/// How many sessions are revoked and read at the same time.
const AT_ONCE: usize = 16;

/// Reads of a session by its token and by key.
const READS: [&str; 2] = ["whoami", "fetch"];

/// Revokes this many sessions on one node, each read on another node before and at once afterwards.
pub(crate) async fn revocations(target: &Target, count: usize) -> Result<Outcome, Failed> {
    let scene = Scene::plain(target, &[]).await?;
    let (counts, key) = (Arc::<Counts>::default(), scene.rounds.key.clone());
    let mut nodes = Vec::new();
    for node in 0..NODES {
        nodes.push(scene.nodes.service_of(node, &counts)?);
    }
    let race = async |number: usize| {
        let (here, there) = (&nodes[number % NODES], &nodes[(number + 1) % NODES]);
        revoke_here_read_there(here, there, &key, number).await
    };
    let results = futures::stream::iter((0..count).map(race)).buffer_unordered(AT_ONCE);
    let results: Vec<Result<(), (Kind, String)>> = results.collect().await;
    let mut outcome = Outcome::default();
    for (kind, text) in results.into_iter().filter_map(Result::err) {
        outcome.add(kind, text);
    }
    outcome.count_requests(&counts);
    outcome.faults = count as u64;
    outcome.summary = format!(
        "{count} sessions revoked on one node and read on another at once, by key or by token: {counts}"
    );
    Ok(outcome)
}

async fn revoke_here_read_there(
    here: &Service,
    there: &Service,
    key: &str,
    number: usize,
) -> Result<(), (Kind, String)> {
    let status = |value: &Value| value["summary"]["status"].as_str().unwrap_or_default().to_owned();
    let failed = |what: &str, status: u16| Err((Kind::Other, format!("{what} returned {status}")));
    let send = async |node: &Service, method: Method, path: &str, token: &str, body: Option<Value>| {
        let response = node.send(method, path, token, body).await.response;
        response.map_or((0, Value::Null), |response| (response.status, response.body))
    };
    let body = Some(json!({ "session_type": "browser" }));
    let (code, created) = send(here, Method::POST, "/api/v1/session", key, body).await;
    let session = &created["session"]["summary"]["id"];
    let (Some(id), Some(token), 201) = (session.as_str(), created["authtoken"].as_str(), code) else {
        return failed("a creation", code);
    };
    let path = format!("/api/v1/session/{id}");
    let read = READS[number / NODES % READS.len()];
    let (path_read, by) = if read == "whoami" { ("/api/v1/whoami", token) } else { (path.as_str(), key) };
    let (code, before) = send(there, Method::GET, path_read, by, None).await;
    if code != 200 || status(&before) != "new" {
        let text = format!("{read} of a session that another node created returned {code}: {before}");
        return Err((Kind::Lost, text));
    }
    let (code, _) = send(here, Method::POST, &format!("{path}/revoke"), key, None).await;
    if code != 200 {
        return failed("a revocation", code);
    }
    let (code, after) = send(there, Method::GET, path_read, by, None).await;
    let dead = if read == "whoami" { code == 401 } else { code == 200 && status(&after) == "revoked" };
    if dead {
        return Ok(());
    }
    let kind = if read == "whoami" { Kind::DeadToken } else { Kind::WrongOrder };
    Err((kind, format!("{read} on another node after a revocation returned {code}: {after}")))
}

/// Races of many clients on one session, on three nodes.
pub(crate) async fn races(target: &Target, time: Duration, seed: u64) -> Result<Outcome, Failed> {
    let scene = Scene::plain(target, &[]).await?;
    let counts = Arc::<Counts>::default();
    let service = scene.nodes.service(&counts)?;
    let mut outcome = races::race(&service, &scene.rounds.key, &counts, time, seed).await?;
    outcome.summary = format!("on {NODES} nodes: {}", outcome.summary);
    Ok(outcome)
}
