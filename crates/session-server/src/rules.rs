//! The rules of the session's life, one file for each operation. They know neither HTTP nor SQL.

pub mod authenticate;
pub mod create;
pub mod end;
pub mod fetch;
pub mod interact;
pub mod lifetime;
pub mod list;
pub mod revoke_many;
pub(crate) mod seen;
pub mod state;
mod title;

use session_api::{Interaction, InteractionDetails, Session, SessionSummary, Timestamp};

use crate::caller::Caller;

/// The session as this caller sees it.
fn seen_by(caller: &Caller, summary: SessionSummary) -> Session {
    let revoke = fetch::revoke_allowed(caller, &summary).is_ok();
    Session { actions: session_api::AvailableActions { revoke }, summary }
}

/// Notes an interaction: the last one always, the first one once, and a title from the user agent if there is none.
fn note_interaction(summary: &mut SessionSummary, interaction: Interaction, now: Timestamp) {
    let details =
        InteractionDetails { at: now, remote_ip: interaction.remote_ip, user_agent: interaction.user_agent };
    summary.first_seen.get_or_insert_with(|| details.clone());
    if summary.title.is_none() {
        summary.title = details.user_agent.as_ref().and_then(title::title_of);
    }
    // Never back in time, also when the clock is.
    if summary.last_seen.as_ref().is_none_or(|last| last.at <= now) {
        summary.last_seen = Some(details);
    }
}
