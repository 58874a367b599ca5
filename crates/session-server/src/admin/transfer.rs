//! Sessions as JSON lines, in the contract's own shape.

use serde_json::{Value, json};
use session_api::{ErrorCode, ID_SEQUENCE_MAX, Id, SessionSummary, Timestamp};
use session_store::{Actor, EventAction, EventId, StoreError};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use tokio::sync::mpsc;

use super::Line;
use crate::error::Error;
use crate::service::Service;

/// How many sessions are written in one transaction, and read at a time.
const BATCH: usize = 1_000;

/// The greatest length of a line in bytes: twice the longest session with every character escaped.
const LINE_MAX_BYTES: u64 = 64 * 1024;

/// Adds a session for each line of the input. Answers whether all went in; each that did not is reported by
/// its line number.
pub(super) async fn import(
    service: &Service,
    mut input: impl AsyncBufRead + Unpin + Send,
    output: &mpsc::Sender<Line>,
) -> Result<bool, Error> {
    let (mut imported, mut refused) = (0_u64, 0_u64);
    let mut number = 0_u64;
    let mut ended = false;
    while !ended {
        let mut numbers = Vec::with_capacity(BATCH);
        let mut sessions = Vec::with_capacity(BATCH);
        while sessions.len() < BATCH {
            let Some(line) = next_line(&mut input).await? else {
                ended = true;
                break;
            };
            number += 1;
            match line.and_then(|line| {
                if line.trim_ascii().is_empty() { Ok(None) } else { session_of_line(&line).map(Some) }
            }) {
                Ok(Some(session)) => {
                    numbers.push(number);
                    sessions.push(session);
                }
                Ok(None) => {}
                Err(reason) => {
                    refused += 1;
                    let _ = output.send(Line::Err(format!("line {number}: {reason}"))).await;
                }
            }
        }
        let sessions = sessions
            .into_iter()
            .map(|summary: SessionSummary| {
                let event = service.event(EventAction::Imported, summary.id, Actor::Operator, None, None)?;
                Ok((service.stored(summary, None), event))
            })
            .collect::<Result<_, Error>>()?;
        let outcome = service.within(service.store.session_import(sessions)).await?;
        for (number, outcome) in numbers.into_iter().zip(outcome) {
            let reason = match outcome {
                Ok(()) => {
                    imported += 1;
                    continue;
                }
                Err(StoreError::AlreadyExists) => "the session is already there".to_owned(),
                Err(StoreError::PoolOfOtherDomain) => "pool_id: it is a pool of another domain".to_owned(),
                Err(other) => other.to_string(),
            };
            refused += 1;
            let _ = output.send(Line::Err(format!("line {number}: {reason}"))).await;
        }
    }
    let _ = output.send(Line::Err(format!("imported {imported}, refused {refused}"))).await;
    Ok(refused == 0)
}

/// The next line without its end, or why it cannot be read; `None` at the end of the input.
async fn next_line(
    input: &mut (impl AsyncBufRead + Unpin + Send),
) -> Result<Option<Result<Vec<u8>, String>>, Error> {
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorCode::BadRequest, format!("the input cannot be read: {error}"))
    };
    let mut line = Vec::new();
    let read = input.take(LINE_MAX_BYTES).read_until(b'\n', &mut line).await.map_err(unreadable)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') || (line.len() as u64) < LINE_MAX_BYTES {
        return Ok(Some(Ok(line)));
    }
    // Over the rest of it, a piece at a time.
    loop {
        line.clear();
        let read = input.take(LINE_MAX_BYTES).read_until(b'\n', &mut line).await.map_err(unreadable)?;
        if read == 0 || line.last() == Some(&b'\n') {
            return Ok(Some(Err(format!("it is longer than {LINE_MAX_BYTES} bytes"))));
        }
    }
}

fn session_of_line(line: &[u8]) -> Result<SessionSummary, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("it is not JSON: {error}"))?;
    let session: SessionSummary =
        serde_path_to_error::deserialize(&value).map_err(|error| error.to_string())?;
    let written = serde_json::to_value(&session).map_err(|error| error.to_string())?;
    if let Some(name) = unknown_property(&value, &written) {
        return Err(format!("{name}: a session has no such property"));
    }
    if session.account_id.is_some() != session.authenticated_identity_id.is_some() {
        return Err("account_id and authenticated_identity_id come together or not at all".to_owned());
    }
    if session.first_seen.is_some() != session.last_seen.is_some() {
        return Err("first_seen and last_seen come together or not at all".to_owned());
    }
    Ok(session)
}

/// The path of a property that was read over. An answer may grow properties, so the type itself allows them;
/// an import that dropped one would lose it.
fn unknown_property(read: &Value, written: &Value) -> Option<String> {
    let (Value::Object(read), Value::Object(written)) = (read, written) else { return None };
    read.iter().find_map(|(name, value)| match written.get(name) {
        None => Some(name.clone()),
        Some(written) => unknown_property(value, written).map(|rest| format!("{name}.{rest}")),
    })
}

/// Writes every session, by ascending ID.
pub(super) async fn export(service: &Service, output: &mpsc::Sender<Line>) -> Result<bool, Error> {
    let mut after = None;
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
        let page = service.within(service.store.session_page(after, BATCH as u32)).await?;
        let Some(last) = page.last() else { return Ok(true) };
        after = Some(last.summary.id);
        for session in page {
            let line = serde_json::to_string(&service.current(session).summary).map_err(Error::unexpected)?;
            if output.send(Line::Out(line)).await.is_err() {
                return Ok(false);
            }
        }
    }
}

/// Writes every event from this time on, the first one first.
pub(super) async fn events(
    service: &Service,
    since: Option<Timestamp>,
    output: &mpsc::Sender<Line>,
) -> Result<bool, Error> {
    // Just below the first ID of that time.
    let mut after = since
        .and_then(|since| since.as_ms().checked_sub(1))
        .map(|ms| EventId(Id::compose(ms, ID_SEQUENCE_MAX, [255; 10])));
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
        let page = service.within(service.store.event_page(after, BATCH as u32)).await?;
        let Some(last) = page.last() else { return Ok(true) };
        after = Some(last.id);
        for event in &page {
            let mut line = json!({
                "at": event.at(),
                "action": event.action.as_str(),
                "session_id": event.session_id,
                "actor": { "type": event.actor.kind() },
            });
            if let Some(id) = event.actor.id() {
                line["actor"]["id"] = id.to_string().into();
            }
            for (name, text) in [("reason", &event.reason), ("request_id", &event.request_id)] {
                if let Some(text) = text {
                    line[name] = text.as_str().into();
                }
            }
            if output.send(Line::Out(line.to_string())).await.is_err() {
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use session_store::contract::any_session;

    use super::*;

    proptest! {
        #[test]
        fn any_session_comes_back_equal_from_its_line(stored in any_session()) {
            let mut session = stored.summary;
            if session.first_seen.is_some() != session.last_seen.is_some() {
                session.last_seen = session.first_seen.clone();
            }
            let line = serde_json::to_vec(&session).unwrap();
            prop_assert!(line.len() as u64 * 2 <= LINE_MAX_BYTES);
            prop_assert_eq!(session_of_line(&line), Ok(session));
        }
    }

    #[tokio::test]
    async fn lines_are_read_to_their_limit_and_the_next_one_is_whole() {
        let long = "x".repeat(200_000);
        let text = format!("one\n{long}\ntwo");
        let mut input = text.as_bytes();
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input).await.unwrap() {
            lines.push(line);
        }
        assert_eq!(lines[0], Ok(b"one\n".to_vec()));
        assert!(lines[1].is_err());
        assert_eq!(lines[2], Ok(b"two".to_vec()));
        assert_eq!(lines.len(), 3);
    }
}
