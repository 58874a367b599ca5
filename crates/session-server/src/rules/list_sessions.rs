//! Lists of sessions, a page at a time.

use serde::{Deserialize, Serialize};
use session_api::{PageToken, SessionList, SessionPage};
use session_store::{SessionFilter, StateFilter, StoredSession};
use session_types::{ErrorCode, SessionId, SessionStatus, Timestamp};

use crate::authorize::{Target, authorize, authorized_filter};
use crate::error::Error;
use crate::request::Request;
use crate::sessions::{LAST_SEEN_GRACE, Sessions};
use crate::summary::session_for;

/// The content of a page token. Forging one gains nothing: every request is authorized, and a position grants no access.
#[derive(Serialize, Deserialize)]
struct Position {
    /// The last session of the previous page.
    #[serde(rename = "b")]
    before: SessionId,
    /// The filters and the limit.
    #[serde(rename = "q")]
    query: SessionList,
}

/// Returns a page of the sessions that the caller may read and that match every filter, newest first.
///
/// Fails with `not_permitted`, `not_authenticated`, or `invalid_value` for an invalid page token.
pub async fn list_sessions(request: Request, query: SessionList) -> Result<SessionPage, Error> {
    authorize(&request.caller, request.operation, Target::NoSession)?;
    let (mut before, query) = resume(query)?;
    let sessions = &request.sessions;
    let filters: Vec<_> = state_filters(query.status, sessions.storage().now())
        .into_iter()
        .map(|state| {
            Ok(SessionFilter {
                identity_id: query.authenticated_identity_id,
                device_id: query.device_id,
                session_type: query.session_type,
                ..authorized_filter(&request.caller, query.account_id, query.pool_id, state)?
            })
        })
        .collect::<Result<_, Error>>()?;
    let limit = query.limit.unwrap_or_default().get();
    // One more shows whether there is a next page.
    let wanted = limit as usize + 1;
    let mut items = Vec::new();
    loop {
        let (rows, at_end) = merged_list(sessions, &filters, before, limit + 1).await?;
        before = rows.last().map(|row| row.id).or(before);
        let current = rows.into_iter().map(|row| sessions.current(row));
        items.extend(current.filter(|session| query.status.is_none_or(|status| session.status == status)));
        if at_end || items.len() >= wanted {
            break;
        }
    }
    let has_next = items.len() >= wanted;
    items.truncate(limit as usize);
    let next_page = match items.last() {
        Some(last) if has_next => {
            let position = Position { before: last.id, query };
            Some(PageToken::new(serde_json::to_vec(&position).map_err(Error::unexpected)?))
        }
        _ => None,
    };
    let items = items.into_iter().map(|session| session_for(&request.caller, session)).collect();
    Ok(SessionPage { items, next_page })
}

/// Returns the next rows of several lists as one list, and whether all lists are at their end.
async fn merged_list(
    sessions: &Sessions,
    filters: &[SessionFilter],
    before: Option<SessionId>,
    limit: u32,
) -> Result<(Vec<StoredSession>, bool), Error> {
    let mut rows = Vec::new();
    // Below it, a list that was cut off may have more rows.
    let mut floor = None;
    for filter in filters {
        let page = sessions.storage().call(|store| store.session_list(*filter, before, limit)).await?;
        if page.len() == limit as usize {
            floor = floor.max(page.last().map(|row| row.id));
        }
        rows.extend(page);
    }
    rows.retain(|row| floor.is_none_or(|floor| row.id >= floor));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    rows.dedup_by_key(|row| row.id);
    Ok((rows, floor.is_none()))
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

/// Returns the stored states that contain all sessions of a status. They contain others too, which are left out once
/// their lifetime has been checked.
fn state_filters(status: Option<SessionStatus>, now: Timestamp) -> Vec<StateFilter> {
    // A recent interaction may not be written yet; until then the stored lifetime passes too early.
    let recently = now.saturating_sub(LAST_SEEN_GRACE);
    match status {
        None => vec![StateFilter::Any],
        Some(SessionStatus::Revoked) => vec![StateFilter::Status(SessionStatus::Revoked)],
        Some(SessionStatus::Complete) => {
            vec![StateFilter::Status(SessionStatus::Complete), StateFilter::Expired(now)]
        }
        Some(live) => vec![StateFilter::Unexpired(live, recently)],
    }
}
