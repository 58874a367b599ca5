//! The effect of an interaction on a session.

use session_api::Interaction;
use session_store::StoredSession;
use session_types::{InteractionDetails, Timestamp};

use crate::lifecycle::title::title_of;

/// Records an interaction: always as the last one, as the first one if there was none, and with a title made from the
/// user agent if the session has no title.
pub fn record(session: &mut StoredSession, interaction: Interaction, now: Timestamp) {
    let details =
        InteractionDetails { at: now, remote_ip: interaction.remote_ip, user_agent: interaction.user_agent };
    session.first_seen.get_or_insert_with(|| details.clone());
    if session.title.is_none() {
        session.title = details.user_agent.as_ref().and_then(title_of);
    }
    // Never back in time, even if the clock goes back.
    if session.last_seen.as_ref().is_none_or(|last| last.at <= now) {
        session.last_seen = Some(details);
    }
}
