//! Lists of sessions, a page at a time.

use serde::{Deserialize, Serialize};
use session_api::{PageToken, SessionList, SessionPage};
use session_store::{SessionFilter, StateFilter};
use session_types::{ErrorCode, SessionId, SessionStatus};

use crate::authorize::{Target, authorize, authorized_filter};
use crate::error::Error;
use crate::request::Request;
use crate::session_view::session_for;
use crate::sessions::{LAST_SEEN_GRACE, Sessions};
use crate::stored_lifetimes;

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
            state_filter(sessions, query.status).await?,
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
async fn state_filter(sessions: &Sessions, status: Option<SessionStatus>) -> Result<StateFilter, Error> {
    let status = match status {
        None => return Ok(StateFilter::Any),
        Some(SessionStatus::Revoked) => return Ok(StateFilter::Status(SessionStatus::Revoked)),
        Some(status) => status,
    };
    // Otherwise the stored lifetimes of some sessions are by other settings. Read before the sessions are.
    let are_applied = stored_lifetimes::are_applied(sessions).await?;
    let now = sessions.storage().now();
    Ok(match status {
        SessionStatus::Complete if are_applied => StateFilter::Complete(now),
        SessionStatus::Complete => StateFilter::Any,
        // A recent interaction may not be written yet; until then the stored lifetime passes too early.
        live if are_applied => StateFilter::Unexpired(live, now.saturating_sub(LAST_SEEN_GRACE)),
        live => StateFilter::Status(live),
    })
}

#[cfg(test)]
mod tests {
    use proptest::option::of;
    use proptest::prelude::*;
    use proptest::sample::select;
    use session_api::{PAGE_LIMIT_MAX, PAGE_TOKEN_MAX_CHARS, PageLimit};
    use session_types::{AccountId, DeviceId, ID_BYTES, Id, IdentityId, PoolId, SessionType};
    use strum::VariantArray;

    use super::*;
    use crate::near_miss::{cases, changed_and_extended};

    fn any_id() -> impl Strategy<Value = Id> {
        any::<[u8; ID_BYTES]>().prop_map(Id::from_bytes)
    }

    fn any_limit() -> impl Strategy<Value = Option<PageLimit>> {
        of((1..=PAGE_LIMIT_MAX).prop_map(|limit| PageLimit::try_from(limit).unwrap()))
    }

    /// Any list, without a page token.
    fn any_list() -> impl Strategy<Value = SessionList> {
        let ids = (of(any_id()), of(any_id()), of(any_id()), of(any_id()));
        let words = (of(select(SessionStatus::VARIANTS)), of(select(SessionType::VARIANTS)));
        (ids, words, any_limit()).prop_map(
            |((account, identity, device, pool), (status, session_type), limit)| SessionList {
                account_id: account.map(AccountId),
                authenticated_identity_id: identity.map(IdentityId),
                device_id: device.map(DeviceId),
                pool_id: pool.map(PoolId),
                status,
                session_type,
                limit,
                page_token: None,
            },
        )
    }

    /// The list of a request with a page token of this content and this limit.
    fn with_token(content: &[u8], limit: Option<PageLimit>) -> SessionList {
        SessionList { limit, page_token: Some(PageToken::new(content.to_vec())), ..SessionList::default() }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn a_position_round_trips_through_the_text_of_its_page_token(
            id in any_id(), query in any_list(), other in any_limit(), filter in any_list(),
        ) {
            let before = SessionId(id);
            let content = serde_json::to_vec(&Position { before, query: query.clone() }).unwrap();
            let text = PageToken::new(content.clone()).to_string();
            prop_assert!(text.len() <= PAGE_TOKEN_MAX_CHARS);
            let token = PageToken::try_from(text).unwrap();
            prop_assert_eq!(token.as_bytes(), &content);
            let resumed = resume(with_token(&content, other)).unwrap();
            prop_assert_eq!(resumed, (Some(before), SessionList { limit: other.or(query.limit), ..query }));
            // A filter beside the token is refused, whatever the token contains.
            let has_filter = SessionList { limit: None, ..filter.clone() } != SessionList::default();
            let beside = SessionList { page_token: Some(token), ..filter };
            prop_assert_eq!(resume(beside).is_err(), has_filter);
        }

        #[test]
        fn any_text_is_no_page_token_or_is_written_the_same(text in "[0-9a-hjkmnp-tv-z]{0,40}|\\PC*", long in 1_000_usize..1_100) {
            for text in [text, "0".repeat(long)] {
                let is_long = text.len() > PAGE_TOKEN_MAX_CHARS;
                if let Ok(token) = PageToken::try_from(text.clone()) {
                    prop_assert_eq!(token.to_string(), text);
                    prop_assert!(!is_long);
                }
            }
        }

        #[test]
        fn any_content_is_refused_or_a_position_that_resumes_the_same(
            id in any_id(), query in any_list(), bytes: Vec<u8>, place: usize, new: u8,
        ) {
            let content = serde_json::to_vec(&Position { before: SessionId(id), query }).unwrap();
            let place = place % content.len();
            prop_assert!(resume(with_token(&content[..place], None)).is_err());
            prop_assert!(resume(with_token(&[&content[..], &[new]].concat(), None)).is_err() || new.is_ascii_whitespace());
            let [changed, extended] = changed_and_extended(&content, place, &[new]);
            for content in [bytes, changed, extended] {
                if let Ok((Some(before), query)) = resume(with_token(&content, None)) {
                    let written = serde_json::to_vec(&Position { before, query: query.clone() }).unwrap();
                    prop_assert_eq!(resume(with_token(&written, None)).unwrap(), (Some(before), query));
                }
            }
        }
    }
}
