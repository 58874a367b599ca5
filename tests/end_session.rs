//! `POST /api/v1/session/{session_id}/complete` and `/revoke`

use std::sync::Arc;

use serde_json::json;
use session_test_support::{Sessiond, seed};

const SCOPES: [&str; 5] =
    ["session:create", "session:authenticate", "session:update", "session:read", "session:revoke"];

#[tokio::test]
async fn it_ends_a_session_once_and_its_token_stops() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    for (operation, status) in [("complete_session", "complete"), ("revoke_session", "revoked")] {
        for authenticated in [false, true] {
            let (session, mut token) = server.create(&key, json!({ "session_type": "browser" })).await;
            let id = session["summary"]["id"].as_str().unwrap();
            if authenticated {
                token = server.authenticate(&key, id, seed::ACCOUNT_ID).await;
            }
            let answer = server.call(operation, id, Some(&token)).await;
            assert_eq!(answer.body["summary"]["status"], status, "{:?}", answer.body);
            assert_eq!(answer.body["actions"]["revoke"], json!(false));
            assert_eq!(server.fetch(id, &token).await.outcome(), (401, "bad_authtoken"));
            assert_eq!(server.fetch(id, &key).await.body["summary"]["status"], status);
            // It is final, for everything.
            for again in ["complete_session", "revoke_session", "authenticate_session", "record_interaction"]
            {
                let refused = server.call(again, id, Some(&key)).await;
                assert_eq!(refused.outcome(), (409, "invalid_action"), "{again} after {operation}");
                assert!(refused.message().contains(status), "{}", refused.message());
            }
        }
    }
}

#[tokio::test]
async fn a_concurrent_revoke_and_authenticate_end_as_if_one_came_first() {
    let server = Arc::new(Sessiond::start().await);
    let key = server.key(&SCOPES);
    for _ in 0..40 {
        let (session, token) = server.create(&key, json!({ "session_type": "browser" })).await;
        let id = session["summary"]["id"].as_str().unwrap();
        let (revoked, authenticated) = tokio::join!(
            server.call("revoke_session", id, Some(&key)),
            server.call("authenticate_session", id, Some(&key)),
        );
        assert_eq!(revoked.status, 200, "{:?}", revoked.body);
        let mut tokens = vec![token];
        match authenticated.outcome() {
            (200, _) => tokens.push(authenticated.body["authtoken"].as_str().unwrap().to_owned()),
            outcome => assert_eq!(outcome, (409, "invalid_action")),
        }
        for token in tokens {
            assert_eq!(server.fetch(id, &token).await.outcome(), (401, "bad_authtoken"));
        }
        let end = server.fetch(id, &key).await;
        assert_eq!(end.body["summary"]["status"], "revoked");
        let known = end.body["summary"].get("account_id").is_some();
        assert_eq!(known, authenticated.status == 200, "what was acknowledged is there, and nothing else");
    }
}

#[tokio::test]
async fn reuse_of_a_replaced_token_is_logged_as_a_warning_with_the_sessions_id_and_without_the_token() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (session, first) = server.create(&key, json!({ "session_type": "browser" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    let second = server.authenticate(&key, id, seed::ACCOUNT_ID).await;
    let third = server.authenticate(&key, id, seed::ACCOUNT_ID).await;
    assert!(!server.log().contains("a replaced token"));
    for old in [&first, &second] {
        assert_eq!(server.fetch(id, old).await.outcome(), (401, "bad_authtoken"));
    }
    server.logged(&format!("a replaced token of session {id} was used again"));
    let warnings = || server.log().lines().filter(|line| line.contains("a replaced token")).count();
    for _ in 0..500 {
        if warnings() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(warnings(), 2);
    assert_eq!(server.fetch(id, &third).await.status, 200);
    for token in [&first, &second, &third] {
        assert!(!server.log().contains(&token[36..88]));
    }
}

#[tokio::test]
async fn every_state_allows_the_actions_that_the_documentation_lists() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let documented = include_str!("../docs/sessions.md");
    let actions = ["record_interaction", "authenticate_session", "complete_session", "revoke_session"];
    let mut rows = 0;
    for row in documented.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let status = cells[0];
        if !["new", "unauthenticated", "authenticated", "complete", "revoked"].contains(&status) {
            continue;
        }
        rows += 1;
        for (place, action) in actions.iter().enumerate() {
            // The words after a comma are a condition; `authenticate` keeps the account here.
            let after = cells[place + 1].split(['`', ',']).next().unwrap();
            let (session, _) = server.create(&key, json!({ "session_type": "browser" })).await;
            let id = session["summary"]["id"].as_str().unwrap();
            let prepared = match status {
                "new" => None,
                "unauthenticated" => Some("record_interaction"),
                "authenticated" => Some("authenticate_session"),
                "complete" => Some("complete_session"),
                _ => Some("revoke_session"),
            };
            if let Some(prepare) = prepared {
                assert_eq!(server.call(prepare, id, Some(&key)).await.status, 200);
            }
            let answer = server.call(action, id, Some(&key)).await;
            let now = server.fetch(id, &key).await.body["summary"]["status"].clone();
            if after == "refused" {
                assert_eq!(answer.outcome(), (409, "invalid_action"), "{status}, {action}");
                assert_eq!(now, status, "{action} changed nothing");
            } else {
                assert_eq!((answer.status.as_u16(), now), (200, json!(after)), "{status}, {action}");
            }
        }
    }
    assert_eq!(rows, 5);
}
