//! Whether each acknowledged change has exactly one event, and each event a change.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::load::{Record, Revocation, Shared, lock};
use crate::model::Status;
use crate::report::{Failed, Kind, Outcome};
use crate::server::Running;

/// How long the events of an acknowledged change may take: those of a revocation of many sessions may follow its response.
const PATIENCE: Duration = Duration::from_secs(20);

/// The actions that end a session.
const ENDS: [&str; 3] = ["completed", "revoked", "expired"];

/// What was found, and how many events were read.
pub(crate) struct Checked {
    pub(crate) outcome: Outcome,
    pub(crate) count: usize,
}

/// Compares the events of a server with the changes that were requested.
pub(crate) async fn check(
    running: &Running,
    records: &[Shared],
    revocations: &[Revocation],
) -> Result<Checked, Failed> {
    let began = Instant::now();
    loop {
        let command = running.server.command(&["events"]);
        let printed = tokio::task::spawn_blocking(move || command.output()).await??;
        let events: Vec<Value> = printed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let outcome = compare(&events, records, revocations);
        let count = events.len();
        if outcome.is_clean() || began.elapsed() > PATIENCE {
            return Ok(Checked { outcome, count });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// An event: its action and the ID of the request.
type Event<'a> = (&'a str, &'a str);

fn compare(events: &[Value], records: &[Shared], revocations: &[Revocation]) -> Outcome {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let events: Vec<[String; 3]> = events
        .iter()
        .map(|event| ["session_id", "action", "request_id"].map(|name| text(event, name)))
        .collect();
    let mut by_session: HashMap<&str, Vec<Event<'_>>> = HashMap::new();
    let mut by_request: HashMap<&str, u64> = HashMap::new();
    for [session_id, action, request_id] in &events {
        by_session.entry(session_id).or_default().push((action, request_id));
        *by_request.entry(request_id).or_default() += 1;
    }
    let mut outcome = Outcome::default();
    for revocation in revocations {
        let Some((request_id, revoked)) = &revocation.acknowledged else { continue };
        let count = by_request.get(request_id.as_str()).copied().unwrap_or_default();
        if count != *revoked {
            let kind = if count < *revoked { Kind::Lost } else { Kind::Other };
            let text = format!("revocation {request_id} revoked {revoked} sessions and has {count} events");
            outcome.add(kind, text);
        }
    }
    for shared in records {
        let record = lock(shared);
        let events = by_session.get(record.id.as_str()).map_or(&[][..], Vec::as_slice);
        if let Err((kind, text)) = compare_one(&record, events, revocations) {
            outcome.add(kind, format!("session {}: {text}; its events: {events:?}", record.id));
        }
    }
    outcome
}

fn compare_one(
    record: &Record,
    events: &[Event<'_>],
    revocations: &[Revocation],
) -> Result<(), (Kind, String)> {
    // An interaction is an event only if it was the first of a new session.
    let certain = record.changes.iter().filter(|change| change.event != "seen");
    for (change, request_id) in certain.filter_map(|one| Some((one, one.request_id.as_deref()?))) {
        let count = events.iter().filter(|event| **event == (change.event, request_id)).count();
        if count != 1 {
            let kind = if count == 0 { Kind::Lost } else { Kind::Other };
            return Err((kind, format!("{} of request {request_id} has {count} events", change.event)));
        }
    }
    let count = |action: &str| events.iter().filter(|event| event.0 == action).count();
    for action in ["created", "authenticated", "seen", "completed", "revoked"] {
        let of_action = record.changes.iter().filter(|change| change.event == action);
        let open = of_action.clone().filter(|change| change.request_id.is_none()).count();
        let open_revocations = revocations.iter().filter(|one| one.acknowledged.is_none()).count();
        let possible = open + if action == "revoked" { open_revocations } else { 0 };
        let known = |request_id: &str| {
            of_action.clone().any(|change| change.request_id.as_deref() == Some(request_id))
                || revocations.iter().any(|one| {
                    action == "revoked" && one.acknowledged.as_ref().is_some_and(|(id, _)| id == request_id)
                })
        };
        let unexplained = events.iter().filter(|event| event.0 == action && !known(event.1)).count();
        if unexplained > possible {
            let text = format!("{unexplained} events `{action}` for {possible} requests without a response");
            return Err((Kind::Other, text));
        }
    }
    let first = record.created_new && record.initial.status == Some(Status::Unauthenticated);
    if count("seen") > usize::from(record.created_new) || first && count("seen") == 0 {
        return Err((Kind::Other, format!("{} first interactions", count("seen"))));
    }
    let ends: usize = ENDS.map(count).iter().sum();
    let expected = match record.initial.status {
        Some(Status::Complete) => count("completed") == 1 && ends == 1,
        Some(Status::Revoked) => count("revoked") == 1 && ends == 1,
        _ => ends == 0,
    };
    if expected {
        Ok(())
    } else {
        Err((Kind::Other, format!("it is {:?} and has {ends} events that end it", record.initial.status)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::history::Entry;
    use crate::load::Change;
    use crate::model::{Action, Caller, Seen, State};

    /// A session that was created and authenticated by requests 1 and 2, and then was, or was not, completed.
    fn record(status: Status, completed: Option<&str>) -> Vec<Shared> {
        let change =
            |request_id: Option<&str>, event| Change { request_id: request_id.map(str::to_owned), event };
        vec![Arc::new(Mutex::new(Record {
            id: "session".to_owned(),
            initial: State { status: Some(status), ..State::default() },
            entries: Vec::new(),
            tokens: Vec::new(),
            accounts: Vec::new(),
            changes: vec![
                change(Some("1"), "created"),
                change(Some("2"), "authenticated"),
                change(completed, "completed"),
            ],
            created_new: true,
        }))]
    }

    fn events(all: &[(&str, &str)]) -> Vec<Value> {
        let event = |(action, request_id): &(&str, &str)| json!({ "session_id": "session", "action": action, "request_id": request_id });
        all.iter().map(event).collect()
    }

    fn revocation(acknowledged: Option<u64>) -> Revocation {
        let action = Action::RevokeAccount { account: "a".into(), except: None };
        let (caller, seen) = (Caller::Key, Seen::Open);
        Revocation {
            account: "a".into(),
            entry: Entry { caller, action, seen, invoked: 0, responded: u64::MAX },
            acknowledged: acknowledged.map(|count| ("9".to_owned(), count)),
        }
    }

    #[track_caller]
    fn assert_found(outcome: &Outcome, expected: Option<Kind>) {
        let kinds = [Kind::Lost, Kind::Other].into_iter().filter(|kind| outcome.count(*kind) > 0);
        assert_eq!(kinds.collect::<Vec<_>>(), Vec::from_iter(expected), "{outcome:?}");
    }

    #[test]
    fn each_acknowledged_change_needs_one_event_and_each_event_a_request() {
        let begin = [("created", "1"), ("authenticated", "2")];
        let with = |more: &[(&str, &str)]| events(&[&begin, more].concat());
        let (live, complete) = (Status::Authenticated, Status::Complete);
        for (events, status, completed, expected) in [
            (with(&[("completed", "3")]), complete, Some("3"), None),
            (events(&begin[..1]), live, None, Some(Kind::Lost)),
            (with(&[]), live, None, None),
            (with(&[]), complete, Some("3"), Some(Kind::Lost)),
            (with(&[("completed", "3"), ("completed", "3")]), complete, Some("3"), Some(Kind::Other)),
            // A request without a response has an event if it was carried out.
            (with(&[("completed", "7")]), complete, None, None),
            (with(&[("completed", "7")]), live, None, Some(Kind::Other)),
            (with(&[]), complete, None, Some(Kind::Other)),
            (with(&[("authenticated", "8")]), live, None, Some(Kind::Other)),
            (with(&[("seen", "8")]), live, None, Some(Kind::Other)),
            (with(&[("revoked", "9")]), Status::Revoked, None, Some(Kind::Other)),
        ] {
            assert_found(&compare(&events, &record(status, completed), &[]), expected);
        }
    }

    #[test]
    fn a_revocation_of_many_has_as_many_events_as_it_revoked() {
        let all = events(&[("created", "1"), ("authenticated", "2"), ("revoked", "9")]);
        let record = record(Status::Revoked, None);
        for (acknowledged, expected) in
            [(Some(1), None), (None, None), (Some(2), Some(Kind::Lost)), (Some(0), Some(Kind::Other))]
        {
            assert_found(&compare(&all, &record, &[revocation(acknowledged)]), expected);
        }
    }
}
