//! The operations that are measured, one request at a time, and the sessions that they are about.

use session_test_support::seed::{POOL_ID, USER_AGENT};

use super::load::on_connections;
use crate::process::Failed;

/// How many sessions are fetched again and again.
const HOT: usize = 100;

/// The connections that create sessions: enough that many share each commit.
pub(super) const CREATE_CONNECTIONS: usize = 128;

/// The scopes of a key for all operations.
pub(super) const SCOPES: [&str; 4] = ["session:read", "session:create", "session:update", "session:revoke"];

/// What the requests need: an API key and sessions of its domain.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    pub(super) key: String,
    /// ID and token of each.
    pub(super) made: Vec<(String, String)>,
}

/// An operation that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Fetches of a few sessions with an API key.
    FetchHit,
    /// Fetches of a few sessions, each with its own token.
    FetchOwnToken,
    /// Fetches with an API key, each of a session that was not fetched before.
    FetchMiss,
    /// The newest ten sessions of the domain.
    ListOfTen,
    /// A creation with an interaction.
    Create,
    /// An interaction, of each session in turn.
    Interaction,
    /// A revocation, each of another session.
    Revoke,
}

impl Operation {
    /// Its name in results.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::FetchHit => "fetch_hit",
            Self::FetchOwnToken => "fetch_own_token",
            Self::FetchMiss => "fetch_miss",
            Self::ListOfTen => "list_of_ten",
            Self::Create => "create",
            Self::Interaction => "interaction",
            Self::Revoke => "revoke",
        }
    }

    /// The status of each response.
    pub(super) const fn status(self) -> &'static str {
        if matches!(self, Self::Create) { "201" } else { "200" }
    }

    /// How many sessions as many requests need.
    pub(super) const fn sessions(self, requests: usize) -> usize {
        match self {
            Self::FetchHit | Self::FetchOwnToken | Self::Interaction | Self::Create | Self::ListOfTen => HOT,
            Self::FetchMiss | Self::Revoke => HOT + requests,
        }
    }

    /// The request with this number. There must be as many sessions as [`Operation::sessions`] says.
    pub(super) fn request(self, number: usize, sessions: &Sessions) -> String {
        let made = &sessions.made;
        let (id, token) = match self {
            Self::FetchMiss => &made[HOT + number],
            // From the end, so that few of them were fetched before.
            Self::Revoke => &made[made.len() - 1 - number],
            Self::Interaction => &made[number % made.len()],
            _ => &made[number % HOT.min(made.len())],
        };
        let key = &sessions.key;
        match self {
            Self::FetchHit | Self::FetchMiss => message("GET", &format!("/{id}"), key, ""),
            Self::FetchOwnToken => message("GET", &format!("/{id}"), token, ""),
            Self::ListOfTen => message("GET", "?limit=10", key, ""),
            Self::Create => create(key),
            Self::Interaction => message("POST", &format!("/{id}/interaction"), key, &interaction()),
            Self::Revoke => message("POST", &format!("/{id}/revoke"), key, ""),
        }
    }
}

/// A request with this method, path below that of sessions, token and body.
fn message(method: &str, path: &str, token: &str, body: &str) -> String {
    let head = format!(
        "{method} /api/v1/session{path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
    );
    if body.is_empty() {
        return head + "\r\n";
    }
    format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn interaction() -> String {
    format!(r#"{{"remote_ip":"127.0.0.1","user_agent":"{USER_AGENT}"}}"#)
}

fn create(key: &str) -> String {
    let body =
        format!(r#"{{"pool_id":"{POOL_ID}","session_type":"browser","interaction":{}}}"#, interaction());
    message("POST", "", key, &body)
}

/// Creates as many sessions with this key.
pub(super) fn create_sessions(address: &str, key: &str, count: usize) -> Result<Sessions, Failed> {
    let request = create(key);
    let made = on_connections(address, CREATE_CONNECTIONS, |connection, number| {
        let mine = (number..count).step_by(CREATE_CONNECTIONS);
        mine.map(|_| {
            let body = connection.send(&request, Operation::Create.status())?;
            let body: serde_json::Value = serde_json::from_slice(body)
                .map_err(|error| Failed(format!("a response is not JSON: {error}")))?;
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            Ok((text(&body["session"]["summary"]["id"]), text(&body["authtoken"])))
        })
        .collect()
    })?;
    Ok(Sessions { key: key.to_owned(), made })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn sessions(count: usize) -> Sessions {
        let made = (0..count).map(|number| (format!("id-{number}."), format!("token-{number}."))).collect();
        Sessions { key: "key".to_owned(), made }
    }

    #[test]
    fn misses_and_revocations_are_each_of_another_session_and_hits_of_a_few() {
        let distinct = |operation: Operation| {
            let sessions = sessions(operation.sessions(500));
            (0..500).map(|number| operation.request(number, &sessions)).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(distinct(Operation::FetchMiss), 500);
        assert_eq!(distinct(Operation::Revoke), 500);
        assert_eq!(distinct(Operation::FetchHit), HOT);
        assert_eq!(distinct(Operation::FetchOwnToken), HOT);
        assert_eq!(distinct(Operation::ListOfTen), 1);
    }

    #[test]
    fn a_miss_is_no_hit() {
        let sessions = sessions(Operation::FetchMiss.sessions(500));
        let of = |operation: Operation| -> BTreeSet<String> {
            (0..500).map(|number| operation.request(number, &sessions)).collect()
        };
        assert!(of(Operation::FetchMiss).is_disjoint(&of(Operation::FetchHit)));
    }

    #[test]
    fn a_body_has_its_length() {
        let request = Operation::Create.request(0, &sessions(1));
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{body}");
    }
}
