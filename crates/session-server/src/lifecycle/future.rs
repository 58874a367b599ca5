//! Times in the future, which a wrong clock left: they count as now.

use std::time::Duration;

use session_store::StoredSession;
use session_types::Timestamp;

/// Sets the times of a session that are after `now` to `now`. Returns how far the furthest one was ahead.
pub(crate) fn count_as_now(session: &mut StoredSession, now: Timestamp) -> Duration {
    let seen =
        [&mut session.first_seen, &mut session.last_seen].into_iter().flatten().map(|seen| &mut seen.at);
    let times = seen.chain([&mut session.created_at]).chain(&mut session.ended_at);
    let ahead_ms = times.map(|time| {
        let ahead_ms = time.as_ms().saturating_sub(now.as_ms());
        *time = (*time).min(now);
        ahead_ms
    });
    Duration::from_millis(ahead_ms.max().unwrap_or_default())
}

/// Whether a session has a time that is after `now`.
pub(crate) fn is_ahead(session: &StoredSession, now: Timestamp) -> bool {
    let seen = [&session.first_seen, &session.last_seen].into_iter().flatten().map(|seen| seen.at);
    seen.chain([session.created_at]).chain(session.ended_at).any(|time| time > now)
}

#[cfg(test)]
mod tests {
    use session_store::contract_suite::session;
    use session_types::InteractionDetails;

    use super::*;

    #[test]
    fn each_time_after_now_is_set_to_now_and_others_stay() {
        let now = session(1).created_at;
        let [past, soon, far] = [
            now.saturating_sub(Duration::from_secs(1)),
            now.saturating_add(Duration::from_secs(1)),
            now.saturating_add(Duration::from_secs(9)),
        ];
        let seen = |at| Some(InteractionDetails { at, remote_ip: None, user_agent: None });
        let with = |[created_at, first, last, ended]: [Timestamp; 4]| StoredSession {
            created_at,
            first_seen: seen(first),
            last_seen: seen(last),
            ended_at: Some(ended),
            ..session(1)
        };
        for (times, expected, ahead_s) in [
            ([past, past, now, past], [past, past, now, past], 0),
            ([far, past, past, past], [now, past, past, past], 9),
            ([past, far, soon, past], [past, now, now, past], 9),
            ([past, past, past, soon], [past, past, past, now], 1),
        ] {
            let mut session = with(times);
            assert_eq!(is_ahead(&session, now), ahead_s > 0);
            assert_eq!(count_as_now(&mut session, now), Duration::from_secs(ahead_s));
            assert_eq!(session, with(expected));
            assert!(!is_ahead(&session, now));
        }
        let mut bare = StoredSession { created_at: far, ..session(1) };
        assert_eq!(count_as_now(&mut bare, now), Duration::from_secs(9));
        assert_eq!(bare, StoredSession { created_at: now, ..session(1) });
    }
}
