//! Reading one line of an import, and refusing a session that this server could not have stored.

use std::time::Duration;

use serde_json::Value;
use session_api::SessionSummary;
use session_types::{SessionStatus, Timestamp};

/// How far ahead of the clock the time of an imported ID, or of an interaction, may be: as far as the clocks of two
/// machines differ. A session from further ahead would outlive its lifetimes.
const AHEAD_MAX: Duration = Duration::from_secs(5);

/// Returns the session of a line, or why it is refused. The reason begins with the name of the property.
pub(super) fn summary_of_line(line: &[u8], now: Timestamp) -> Result<SessionSummary, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("it is not JSON: {error}"))?;
    // From the text and not from the value, which has lost the duplicates.
    let session: SessionSummary =
        serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(line))
            .map_err(|error| without_position(&error))?;
    let written = serde_json::to_value(&session).map_err(|error| error.to_string())?;
    if let Some(reason) = not_written(&value, &written) {
        return Err(reason);
    }
    check_times(&session, now)?;
    check_account(&session)?;
    Ok(session)
}

/// Returns the text of an error without the position of a line in itself.
fn without_position(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let text = error.to_string();
    text.split_once(" at line 1 column ").map_or(text.clone(), |(text, _)| text.to_owned())
}

/// Returns what is in the line and would not be written for its session. The type ignores unknown properties, because a
/// response may get new ones, and takes a list for an object; an import that did so would lose or guess data.
fn not_written(read: &Value, written: &Value) -> Option<String> {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => {
            read.iter().find_map(|(name, value)| match written.get(name) {
                None => Some(format!("{name}: a session has no such property")),
                Some(written) => not_written(value, written).map(|reason| match written {
                    Value::Object(_) if value.is_object() => format!("{name}.{reason}"),
                    _ => format!("{name}: {reason}"),
                }),
            })
        }
        (_, Value::Object(_)) => Some("it must be an object".to_owned()),
        _ => None,
    }
}

/// Fails if a time of the session is in the future, or if its interactions are in the wrong order.
fn check_times(session: &SessionSummary, now: Timestamp) -> Result<(), String> {
    let latest = now.as_ms().saturating_add(u64::try_from(AHEAD_MAX.as_millis()).unwrap_or(u64::MAX));
    let times = [
        ("id", Some(session.id.0.created_at())),
        ("first_seen.at", session.first_seen.as_ref().map(|seen| seen.at)),
        ("last_seen.at", session.last_seen.as_ref().map(|seen| seen.at)),
    ];
    for (name, at) in times {
        if at.is_some_and(|at| at.as_ms() > latest) {
            return Err(format!(
                "{name}: its time is more than {} s in the future; correct it, or the clock of this machine",
                AHEAD_MAX.as_secs()
            ));
        }
    }
    match (&session.first_seen, &session.last_seen) {
        (Some(first), Some(last)) if last.at < first.at => {
            Err("last_seen.at: it is before first_seen.at".to_owned())
        }
        (Some(_), Some(_)) | (None, None) => Ok(()),
        _ => Err("first_seen and last_seen come together or not at all".to_owned()),
    }
}

/// Fails if the session would be authenticated as nobody. Otherwise any status may come with an account or without: the
/// session of the reference page is new and has one, which gives it no more rights.
fn check_account(session: &SessionSummary) -> Result<(), String> {
    if session.account_id.is_some() != session.authenticated_identity_id.is_some() {
        return Err("account_id and authenticated_identity_id come together or not at all".to_owned());
    }
    if session.status == SessionStatus::Authenticated && session.account_id.is_none() {
        return Err("account_id: it is required, because status is authenticated".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;
    use session_store::contract_suite::any_session;
    use session_types::ID_TIME_MAX_MS;

    use super::*;
    use crate::admin::transfer::LINE_MAX_BYTES;
    use crate::near_miss::{cases, changed_and_extended};
    use crate::summary::summary_of;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms).unwrap()
    }

    /// The time in [`ID`] and in the interactions of [`line()`].
    const TIME_MS: u64 = 1_234_567_890_000;
    const ID: &str = "013xrzp12g3nqk8nkv4y96wrbzje9dsr";

    /// A line with these properties, or texts in place of others, as JSON.
    fn line(properties: &[(&str, &str)]) -> String {
        let quoted = |text: &str| format!("\"{text}\"");
        let mut all = vec![
            ("id", quoted(ID)),
            ("domain_id", quoted(ID)),
            ("pool_id", quoted(ID)),
            ("session_type", quoted("browser")),
            ("status", quoted("new")),
            ("type", quoted("session")),
        ];
        for (name, text) in properties {
            all.retain(|(known, _)| known != name);
            all.push((name, (*text).to_owned()));
        }
        let all: Vec<_> = all.iter().map(|(name, text)| format!("\"{name}\":{text}")).collect();
        format!("{{{}}}", all.join(","))
    }

    #[test]
    fn a_line_is_refused_for_each_reason_and_names_the_property() {
        let account = format!("\"{ID}\"");
        let seen = r#"{"at":1234567890}"#;
        let two = |name: &str, text: &str| line(&[]).replacen('{', &format!("{{\"{name}\":{text},"), 1);
        let early = r#"{"at":1234567889.999}"#;
        let late = r#"{"at":1234567895.001}"#;
        for (line, reason) in [
            (line(&[]).replace('}', ""), "it is not JSON"),
            ("[]".to_owned(), "invalid length 0"),
            (
                format!(
                    "[null,null,null,\"{ID}\",null,\"{ID}\",null,\"{ID}\",\"api\",\"new\",null,\"session\"]"
                ),
                "it must be an object",
            ),
            (
                line(&[("first_seen", "[1,null,null]"), ("last_seen", seen)]),
                "first_seen: it must be an object",
            ),
            (two("status", r#""revoked""#), "duplicate field `status`"),
            (two("status", r#""new""#), "duplicate field `status`"),
            (two("id", &account), "duplicate field `id`"),
            (two("type", r#""session""#), "duplicate field `type`"),
            (line(&[("title", r#""a","title":"b""#)]), "duplicate field `title`"),
            (line(&[("title", r#"null,"title":"b""#)]), "duplicate field `title`"),
            (
                line(&[("first_seen", r#"{"at":1,"at":2}"#), ("last_seen", seen)]),
                "first_seen: duplicate field `at`",
            ),
            (line(&[("colour", r#""red","colour":"red""#)]), "colour: a session has no such property"),
            (line(&[("title", "null")]), "title: a session has no such property"),
            (
                line(&[("first_seen", r#"{"at":1,"by":2}"#), ("last_seen", seen)]),
                "first_seen.by: a session has",
            ),
            (line(&[("id", "\"013xrzp82g3nqk8nkv4y96wrbzje9dsr\"")]), "id: its time is more than 5 s"),
            (line(&[("id", "\"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\"")]), "id: its time is more than 5 s"),
            (line(&[("first_seen", late), ("last_seen", late)]), "first_seen.at: its time is more than 5 s"),
            (line(&[("first_seen", seen), ("last_seen", late)]), "last_seen.at: its time is more than 5 s"),
            (line(&[("first_seen", seen), ("last_seen", early)]), "last_seen.at: it is before"),
            (line(&[("first_seen", seen)]), "first_seen and last_seen come together"),
            (line(&[("last_seen", seen)]), "first_seen and last_seen come together"),
            (line(&[("account_id", &account)]), "account_id and authenticated_identity_id come together"),
            (
                line(&[("authenticated_identity_id", &account)]),
                "account_id and authenticated_identity_id come",
            ),
            (line(&[("status", "\"authenticated\"")]), "account_id: it is required"),
        ] {
            let refused = summary_of_line(line.as_bytes(), at(TIME_MS)).unwrap_err();
            assert!(refused.contains(reason), "{line}: {refused}");
        }
    }

    #[test]
    fn a_line_that_is_a_few_seconds_ahead_and_each_state_are_accepted() {
        let account = format!("\"{ID}\"");
        let seen = r#"{"at":1234567890}"#;
        let both = [("account_id", &*account), ("authenticated_identity_id", &*account)];
        let interactions = [("first_seen", seen), ("last_seen", seen)];
        for (status, properties) in [
            ("new", vec![]),
            ("new", [both, interactions].concat()),
            ("unauthenticated", vec![]),
            ("unauthenticated", interactions.to_vec()),
            ("authenticated", both.to_vec()),
            ("authenticated", [both, interactions].concat()),
            ("complete", vec![]),
            ("revoked", [both, interactions].concat()),
        ] {
            let status = format!("\"{status}\"");
            let line = line(&[&properties[..], &[("status", &*status)]].concat());
            let ahead_ms = u64::try_from(AHEAD_MAX.as_millis()).unwrap();
            summary_of_line(line.as_bytes(), at(TIME_MS - ahead_ms)).unwrap();
            assert!(summary_of_line(line.as_bytes(), at(TIME_MS - ahead_ms - 1)).is_err(), "{line}");
        }
    }

    /// Whether two values are equal, a number or an IP address in any of its texts.
    fn is_same(one: &Value, two: &Value) -> bool {
        match (one, two) {
            (Value::Object(one), Value::Object(two)) => {
                one.len() == two.len()
                    && one
                        .iter()
                        .all(|(name, value)| two.get(name).is_some_and(|other| is_same(value, other)))
            }
            (Value::Number(one), Value::Number(two)) => one.as_f64() == two.as_f64(),
            (Value::String(one), Value::String(two)) if one != two => {
                let address = |text: &str| text.parse::<IpAddr>().map(|ip| ip.to_canonical()).ok();
                address(one).is_some_and(|one| Some(one) == address(two))
            }
            _ => one == two,
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_line_is_refused_or_all_of_it_is_in_the_session(
            stored in any_session(), bytes: Vec<u8>, place: usize,
            new in prop_oneof![any::<u8>(), proptest::sample::select(&b"0123456789-.eE\",:{}[] a"[..])],
        ) {
            let mut session = summary_of(stored);
            session.last_seen = session.first_seen.clone();
            let line = serde_json::to_vec(&session).unwrap();
            let place = place % line.len();
            prop_assert!(summary_of_line(&line[..place], at(ID_TIME_MAX_MS)).is_err());
            let longer = [&line[..], &[new]].concat();
            prop_assert!(new.is_ascii_whitespace() || summary_of_line(&longer, at(ID_TIME_MAX_MS)).is_err());
            let [changed, extended] = changed_and_extended(&line, place, &[new]);
            for line in [bytes, changed, extended] {
                if let Ok(read) = summary_of_line(&line, at(ID_TIME_MAX_MS)) {
                    let written = serde_json::to_value(&read).unwrap();
                    let line: Value = serde_json::from_slice(&line).unwrap();
                    prop_assert!(is_same(&line, &written), "{} {}", line, written);
                    prop_assert_eq!(summary_of_line(written.to_string().as_bytes(), at(ID_TIME_MAX_MS)), Ok(read));
                }
            }
        }

        #[test]
        fn any_session_round_trips_through_its_line(stored in any_session()) {
            let mut session = summary_of(stored);
            session.last_seen = session.first_seen.clone();
            if check_account(&session).is_err() {
                session.status = SessionStatus::New;
            }
            let line = serde_json::to_vec(&session).unwrap();
            prop_assert!(line.len() as u64 * 2 <= LINE_MAX_BYTES);
            prop_assert_eq!(summary_of_line(&line, at(ID_TIME_MAX_MS)), Ok(session));
        }
    }
}
