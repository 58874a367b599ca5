//! The rules of the session's life, one file for each operation. They know neither HTTP nor SQL.

pub mod authenticate;
pub mod create;
pub mod fetch;
pub mod state;

use session_api::{Interaction, InteractionDetails, Session, SessionSummary, Timestamp};

use crate::caller::Caller;

/// The session as this caller sees it.
fn seen_by(caller: &Caller, summary: SessionSummary) -> Session {
    let revoke = fetch::revoke_allowed(caller, &summary).is_ok();
    Session { actions: session_api::AvailableActions { revoke }, summary }
}

/// Notes an interaction: the last one always, the first one once.
fn note_interaction(summary: &mut SessionSummary, interaction: Interaction, now: Timestamp) {
    let details =
        InteractionDetails { at: now, remote_ip: interaction.remote_ip, user_agent: interaction.user_agent };
    summary.first_seen.get_or_insert_with(|| details.clone());
    // Never back in time, also when the clock is.
    if summary.last_seen.as_ref().is_none_or(|last| last.at <= now) {
        summary.last_seen = Some(details);
    }
}
