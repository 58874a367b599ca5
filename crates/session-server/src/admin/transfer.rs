//! Sessions as JSON lines, in the contract's own shape.

use serde_json::json;
use session_store::{Actor, EventAction, EventId, SkippedRow, StoreError};
use session_types::{ErrorCode, ID_SEQUENCE_MAX, Id, SessionId, Timestamp};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use tokio::sync::mpsc;

use super::command::Line;
use super::session_line::summary_of_line;
use crate::error::Error;
use crate::sessions::Sessions;
use crate::storage::Storage;
use crate::summary::{session_of, summary_of};

/// How many rows are written in one transaction, or read at once.
const BATCH: usize = 1_000;

/// The greatest length of a line, in bytes: twice that of the longest session with every character escaped.
pub(super) const LINE_MAX_BYTES: u64 = 64 * 1024;

/// Adds a session for each line of the input, and reports each line that is refused by its number. Returns whether all
/// were added.
pub(super) async fn import(
    sessions: &Sessions,
    mut input: impl AsyncBufRead + Unpin + Send,
    output: &mpsc::Sender<Line>,
) -> Result<bool, Error> {
    let (mut imported, mut refused) = (0_u64, 0_u64);
    let mut number = 0_u64;
    let mut ended = false;
    while !ended {
        let now = sessions.storage().now();
        let mut numbers = Vec::with_capacity(BATCH);
        let mut summaries = Vec::with_capacity(BATCH);
        while summaries.len() < BATCH {
            let Some(line) = next_line(&mut input).await? else {
                ended = true;
                break;
            };
            number += 1;
            match line.and_then(|line| {
                if line.trim_ascii().is_empty() { Ok(None) } else { summary_of_line(&line, now).map(Some) }
            }) {
                Ok(Some(summary)) => {
                    numbers.push(number);
                    summaries.push(summary);
                }
                Ok(None) => {}
                Err(reason) => {
                    refused += 1;
                    let _ = output.send(Line::Err(format!("line {number}: {reason}"))).await;
                }
            }
        }
        let batch = summaries
            .into_iter()
            .map(|summary| {
                let (action, actor) = (EventAction::Imported, Actor::Operator);
                let event = sessions.new_event(action, summary.id, actor, None, None)?;
                let mut session = session_of(summary);
                session.created_at = session.created_at.min(sessions.storage().now());
                Ok((sessions.with_times(session), event))
            })
            .collect::<Result<_, Error>>()?;
        let outcome = sessions.storage().call(|store| store.session_import(batch)).await?;
        for (number, outcome) in numbers.into_iter().zip(outcome) {
            let reason = match outcome {
                Ok(()) => {
                    imported += 1;
                    continue;
                }
                Err(StoreError::AlreadyExists) => "a session with this ID exists".to_owned(),
                Err(other) => other.to_string(),
            };
            refused += 1;
            let _ = output.send(Line::Err(format!("line {number}: {reason}"))).await;
        }
    }
    let _ = output.send(Line::Err(format!("imported {imported}, refused {refused}"))).await;
    Ok(refused == 0)
}

/// Returns the next line, or why it is refused; `None` at the end of the input.
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
    // Skip the rest of it, a piece at a time.
    loop {
        line.clear();
        let read = input.take(LINE_MAX_BYTES).read_until(b'\n', &mut line).await.map_err(unreadable)?;
        if read == 0 || line.last() == Some(&b'\n') {
            return Ok(Some(Err(format!("it is longer than {LINE_MAX_BYTES} bytes"))));
        }
    }
}

/// Writes every session, by ascending ID. Returns whether all were written.
pub(super) async fn export(sessions: &Sessions, output: &mpsc::Sender<Line>) -> Result<bool, Error> {
    let (mut after, mut is_complete) = (None, true);
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
        let page = sessions.storage().page(|store| store.session_page(after, BATCH as u32)).await?;
        after = page.next.map(SessionId);
        for session in page.items {
            let line =
                serde_json::to_string(&summary_of(sessions.current(session))).map_err(Error::unexpected)?;
            if output.send(Line::Out(line)).await.is_err() {
                return Ok(false);
            }
        }
        is_complete &= report_skipped(&page.skipped, output).await;
        if after.is_none() {
            return Ok(is_complete);
        }
    }
}

/// Names the rows that cannot be read. Returns whether there are none.
pub(super) async fn report_skipped(skipped: &[SkippedRow], output: &mpsc::Sender<Line>) -> bool {
    for row in skipped {
        let _ = output.send(Line::Err(format!("sessiond: {row}"))).await;
    }
    skipped.is_empty()
}

/// Writes every event from this time on, the oldest first. Returns whether all were written.
pub(super) async fn events(
    storage: &Storage,
    since: Option<Timestamp>,
    output: &mpsc::Sender<Line>,
) -> Result<bool, Error> {
    // The last ID before that time.
    let mut after = since
        .and_then(|since| since.as_ms().checked_sub(1))
        .map(|ms| EventId(Id::compose(ms, ID_SEQUENCE_MAX, [255; 10])));
    let mut is_complete = true;
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
        let page = storage.page(|store| store.event_page(after, BATCH as u32)).await?;
        after = page.next.map(EventId);
        for event in &page.items {
            let mut line = json!({
                "at": event.at(),
                "action": event.action.as_ref(),
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
        is_complete &= report_skipped(&page.skipped, output).await;
        if after.is_none() {
            return Ok(is_complete);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
