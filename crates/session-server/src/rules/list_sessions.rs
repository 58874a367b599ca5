//! Lists of sessions, a page at a time.

use serde::{Deserialize, Serialize};
use session_api::{PageToken, SessionList, SessionPage};
use session_store::{SessionFilter, StateFilter};
use session_types::{ErrorCode, SessionId, SessionStatus, Timestamp};

use crate::authorize::{Target, authorize, authorized_filter};
use crate::error::Error;
use crate::request::Request;
use crate::sessions::LAST_SEEN_GRACE;
use crate::summary::session_for;

/// How often one request reads from the store: again only if lifetimes that have just passed leave a page short.
const READS_MAX: u32 = 4;

/// The content of a page token. Forging one gains nothing: every request is authorized, and a position grants no access.
#[derive(Serialize, Deserialize)]
struct Position {
    /// The last session that the previous page has or has passed.
    #[serde(rename = "b")]
    before: SessionId,
    /// The filters and the limit.
    #[serde(rename = "q")]
    query: SessionList,
}

/// Returns a page of the sessions that the caller may read and that match every filter, newest first. A list in which few
/// sessions match may have a short or empty page before its end: one page visits a bounded number of sessions.
///
/// Fails with `not_permitted`, `not_authenticated`, or `invalid_value` for an invalid page token.
pub async fn list_sessions(request: Request, query: SessionList) -> Result<SessionPage, Error> {
    authorize(&request.caller, request.operation, Target::NoSession)?;
    let (mut before, query) = resume(query)?;
    let sessions = &request.sessions;
    let filter = SessionFilter {
        identity_id: query.authenticated_identity_id,
        device_id: query.device_id,
        session_type: query.session_type,
        ..authorized_filter(
            &request.caller,
            query.account_id,
            query.pool_id,
            state_filter(query.status, sessions.storage().now()),
        )?
    };
    let limit = query.limit.unwrap_or_default().get();
    // One more shows whether there is a next page.
    let wanted = limit as usize + 1;
    let mut items = Vec::new();
    let mut reads = 0;
    loop {
        let page = sessions.storage().page(|store| store.session_list(filter, before, limit + 1)).await?;
        // A page that is not full ends the list, or has visited as many sessions as one request may.
        let was_full = page.items.len() >= wanted;
        before = page.next.map(SessionId);
        let current = page.items.into_iter().map(|row| sessions.current(row));
        items.extend(current.filter(|session| query.status.is_none_or(|status| session.status == status)));
        reads += 1;
        if before.is_none() || !was_full || items.len() >= wanted || reads >= READS_MAX {
            break;
        }
    }
    if items.len() >= wanted {
        items.truncate(limit as usize);
        before = items.last().map(|session| session.id);
    }
    let next_page = match before {
        Some(before) => {
            let position = Position { before, query };
            Some(PageToken::new(serde_json::to_vec(&position).map_err(Error::unexpected)?))
        }
        None => None,
    };
    let items = items.into_iter().map(|session| session_for(&request.caller, session)).collect();
    Ok(SessionPage { items, next_page })
}

/// Returns where the page starts, and the filters of the list.
fn resume(query: SessionList) -> Result<(Option<SessionId>, SessionList), Error> {
    let Some(token) = &query.page_token else { return Ok((None, query)) };
    let invalid = |message: &str| Error::new(ErrorCode::InvalidValue, format!("page_token: {message}"));
    if (SessionList { limit: None, page_token: None, ..query.clone() }) != SessionList::default() {
        return Err(invalid("it contains the filters; send no other parameter with it than limit"));
    }
    let position: Position = serde_json::from_slice(token.as_bytes())
        .map_err(|_| invalid("it must be the `next_page` of a response, unchanged"))?;
    let limit = query.limit.or(position.query.limit);
    Ok((Some(position.before), SessionList { limit, page_token: None, ..position.query }))
}

/// Returns the stored state that contains all sessions of a status. It contains others too, which are left out once
/// their lifetime has been checked.
fn state_filter(status: Option<SessionStatus>, now: Timestamp) -> StateFilter {
    match status {
        None => StateFilter::Any,
        Some(SessionStatus::Revoked) => StateFilter::Status(SessionStatus::Revoked),
        Some(SessionStatus::Complete) => StateFilter::Complete(now),
        // A recent interaction may not be written yet; until then the stored lifetime passes too early.
        Some(live) => StateFilter::Unexpired(live, now.saturating_sub(LAST_SEEN_GRACE)),
    }
}
