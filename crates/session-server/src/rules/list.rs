//! Lists of sessions, a page at a time.

use serde::{Deserialize, Serialize};
use session_api::{ErrorCode, PageToken, SessionId, SessionList, SessionPage, SessionStatus, Timestamp};
use session_store::{SessionFilter, StateFilter, StoredSession};

use super::seen_by;
use crate::authorize::{Action, authorize, reach};
use crate::caller::Caller;
use crate::error::Error;
use crate::service::{SEEN_GRACE, Service};

/// What a page token holds. Forging one gains nothing: whoever sends it is authorized anew, and a place alone opens
/// nothing.
#[derive(Serialize, Deserialize)]
struct Place {
    /// The last session of the page before.
    #[serde(rename = "b")]
    before: SessionId,
    /// The filters and the limit.
    #[serde(rename = "q")]
    query: SessionList,
}

impl Service {
    /// A page of the sessions that the caller may read and that pass every filter, newest first.
    ///
    /// Fails with `not_permitted`, `not_authenticated`, or `invalid_value` for a page token that is none.
    pub async fn session_list(&self, caller: Caller, query: SessionList) -> Result<SessionPage, Error> {
        authorize(&caller, Action::List, None)?;
        let (mut before, query) = resumed(query)?;
        let now = self.clock.now();
        let filters: Vec<_> = states(query.status, now)
            .into_iter()
            .map(|state| {
                Ok(SessionFilter {
                    identity_id: query.authenticated_identity_id,
                    device_id: query.device_id,
                    session_type: query.session_type,
                    ..reach(&caller, query.account_id, query.pool_id, state)?
                })
            })
            .collect::<Result<_, Error>>()?;
        let limit = query.limit.unwrap_or_default().get();
        // One more tells whether there is a next page.
        let wanted = limit as usize + 1;
        let mut items = Vec::new();
        loop {
            let (rows, ended) = self.merged(&filters, before, limit + 1).await?;
            before = rows.last().map(|row| row.summary.id).or(before);
            let current = rows.into_iter().map(|row| self.current(row).summary);
            items
                .extend(current.filter(|summary| query.status.is_none_or(|status| summary.status == status)));
            if ended || items.len() >= wanted {
                break;
            }
        }
        let more = items.len() >= wanted;
        items.truncate(limit as usize);
        let next_page = match items.last() {
            Some(last) if more => {
                let place = Place { before: last.id, query };
                Some(PageToken::new(serde_json::to_vec(&place).map_err(Error::unexpected)?).to_string())
            }
            _ => None,
        };
        Ok(SessionPage {
            items: items.into_iter().map(|summary| seen_by(&caller, summary)).collect(),
            next_page,
        })
    }

    /// The next sessions of several lists as one list, and whether they have ended.
    async fn merged(
        &self,
        filters: &[SessionFilter],
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<(Vec<StoredSession>, bool), Error> {
        let mut rows = Vec::new();
        // Below it, a list that was cut off may have more.
        let mut floor = None;
        for filter in filters {
            let page = self.within(self.store.session_list(*filter, before, limit)).await?;
            if page.len() == limit as usize {
                floor = floor.max(page.last().map(|row| row.summary.id));
            }
            rows.extend(page);
        }
        rows.retain(|row| floor.is_none_or(|floor| row.summary.id >= floor));
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.summary.id));
        rows.dedup_by_key(|row| row.summary.id);
        Ok((rows, floor.is_none()))
    }
}

/// Where to go on, and with which filters.
fn resumed(query: SessionList) -> Result<(Option<SessionId>, SessionList), Error> {
    let Some(token) = &query.page_token else { return Ok((None, query)) };
    let invalid = |message: &str| Error::new(ErrorCode::InvalidValue, format!("page_token: {message}"));
    if (SessionList { limit: None, page_token: None, ..query.clone() }) != SessionList::default()
    {
        return Err(invalid("it carries the filters; send it with no other parameter than limit"));
    }
    let place: Place = serde_json::from_slice(token.as_bytes())
        .map_err(|_| invalid("it must be the `next_page` of an answer, exactly as it was there"))?;
    let limit = query.limit.or(place.query.limit);
    Ok((Some(place.before), SessionList { limit, page_token: None, ..place.query }))
}

/// The states, as they are kept, among which all sessions of a status are; what is there beside them is left out when
/// its lifetime has been looked at.
fn states(status: Option<SessionStatus>, now: Timestamp) -> Vec<StateFilter> {
    // What was seen lately may not be written yet, and then its lifetime seems to pass too early.
    let lately_ms = now.as_ms().saturating_sub(u64::try_from(SEEN_GRACE.as_millis()).unwrap_or(0));
    let lately = Timestamp::from_ms(lately_ms).unwrap_or(now);
    match status {
        None => vec![StateFilter::Any],
        Some(SessionStatus::Revoked) => vec![StateFilter::Status(SessionStatus::Revoked)],
        Some(SessionStatus::Complete) => {
            vec![StateFilter::Status(SessionStatus::Complete), StateFilter::EndsBy(now)]
        }
        Some(live) => vec![StateFilter::StatusUntil(live, lately)],
    }
}
