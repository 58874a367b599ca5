//! `GET /api/v1/session`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::TryStreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use session_client::Client;
use session_test_support::{Response, Sessiond, seed};

const SCOPES: [&str; 4] = ["session:create", "session:update", "session:read", "session:revoke"];
const OTHER_ACCOUNT: &str = "013xrzp12g3nqk8n6cyr5x0k8yb10h00";

async fn list(server: &Sessiond, token: &str, query: &str) -> Response {
    server.request(Method::GET, &format!("/api/v1/session{query}"), Some(token), None).await
}

fn ids(answer: &Response) -> Vec<String> {
    let items = answer.body["items"].as_array().unwrap_or_else(|| panic!("{:?}", answer.body));
    items.iter().map(|item| item["summary"]["id"].as_str().unwrap().to_owned()).collect()
}

/// Every page of a list.
async fn all_pages(server: &Sessiond, token: &str, query: &str) -> Vec<String> {
    let mut answer = list(server, token, query).await;
    let mut all = ids(&answer);
    while let Some(next) = answer.body["next_page"].as_str().map(str::to_owned) {
        answer = list(server, token, &format!("?page_token={next}")).await;
        all.extend(ids(&answer));
    }
    all
}

#[tokio::test]
async fn pages_have_every_session_once_newest_first_and_so_does_the_clients_stream() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let mut made = Vec::new();
    for _ in 0..23 {
        let (session, _) = server.create(&key, json!({ "session_type": "browser" })).await;
        made.push(session["summary"]["id"].as_str().unwrap().to_owned());
    }
    made.reverse();
    for limit in [1, 5, 22, 23, 24, 1_000] {
        assert_eq!(all_pages(&server, &key, &format!("?limit={limit}")).await, made, "{limit} a page");
    }
    let first = list(&server, &key, "").await;
    assert_eq!(first.body.get("next_page"), None, "a hundred fit one page unless told otherwise");
    assert_eq!(first.body["items"][0]["actions"], json!({ "revoke": true }));

    let client = Client::connect(&server.url(), &key.parse().unwrap()).unwrap();
    let limit = std::num::NonZeroU32::new(7).unwrap();
    let streamed: Vec<_> = client.list_sessions().limit(limit).stream().try_collect().await.unwrap();
    let streamed: Vec<_> = streamed.iter().map(|session| session.summary.id.to_string()).collect();
    assert_eq!(streamed, made);
}

#[tokio::test]
async fn every_filter_selects_matching_sessions_and_is_bound_to_the_page_token() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let mut sessions = Vec::new();
    for place in 0..40_usize {
        let mut session = seed::summary();
        session["id"] = json!(format!("013xrzp12g3nqk8nkv4y96wrbzje{place:04}"));
        session["status"] =
            json!(["new", "unauthenticated", "authenticated", "complete", "revoked"][place % 5]);
        session["session_type"] = json!(["browser", "api"][place / 5 % 2]);
        if place % 3 == 0 {
            session["account_id"] = json!(OTHER_ACCOUNT);
        }
        if place % 4 == 0 {
            session["device_id"] = json!("013xrzp12g3nqk8ncwfp3ra29yjzx100");
        }
        if place % 7 == 0 {
            session["authenticated_identity_id"] = json!("013xrzp12g3nqk8n3f5qv5e2r757sh00");
        }
        sessions.push(session);
    }
    server.import(&sessions);
    for filters in [
        vec![("account_id", OTHER_ACCOUNT)],
        vec![("authenticated_identity_id", "013xrzp12g3nqk8n3f5qv5e2r757sh00")],
        vec![("device_id", "013xrzp12g3nqk8ncwfp3ra29yjzx100")],
        vec![("pool_id", seed::POOL_ID)],
        vec![("status", "new")],
        vec![("status", "complete")],
        vec![("status", "revoked")],
        vec![("session_type", "api")],
        vec![("account_id", seed::ACCOUNT_ID), ("status", "authenticated"), ("session_type", "browser")],
        vec![("device_id", seed::DEVICE_ID), ("status", "complete")],
    ] {
        let passes = |session: &&Value| filters.iter().all(|(name, value)| session[*name] == **value);
        let mut expected: Vec<_> =
            sessions.iter().filter(passes).map(|session| session["id"].as_str().unwrap()).collect();
        expected.reverse();
        assert!(!expected.is_empty(), "{filters:?}");
        let query: Vec<_> = filters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = format!("?limit=3&{}", query.join("&"));
        assert_eq!(all_pages(&server, &key, &query).await, expected, "{filters:?}");
    }
}

#[tokio::test]
async fn a_list_with_few_matches_has_empty_pages_and_the_clients_stream_goes_on_after_them() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    // All are of one account, and only the oldest is of the type `api`.
    let sessions: Vec<_> = (0..12_000)
        .map(|place| {
            let mut session = seed::summary();
            session["id"] = json!(format!("013xrzp12g3nqk8nkv4y96wrbzj{place:05}"));
            session["session_type"] = json!(if place == 0 { "api" } else { "browser" });
            session
        })
        .collect();
    server.import(&sessions);
    let oldest = sessions[0]["id"].as_str().unwrap();
    let query = format!("?account_id={}&session_type=api", seed::ACCOUNT_ID);
    let first = list(&server, &key, &query).await;
    assert_eq!(ids(&first), [""; 0]);
    assert!(first.body["next_page"].is_string(), "{:?}", first.body);
    assert_eq!(all_pages(&server, &key, &query).await, [oldest]);

    let client = Client::connect(&server.url(), &key.parse().unwrap()).unwrap();
    let request = client
        .list_sessions()
        .account_id(seed::ACCOUNT_ID.to_owned())
        .session_type(session_client::types::SessionType::Api);
    let streamed: Vec<_> = request.stream().try_collect().await.unwrap();
    assert_eq!(streamed.iter().map(|session| session.summary.id.to_string()).collect::<Vec<_>>(), [oldest]);
}

#[tokio::test]
async fn a_query_that_is_not_allowed_is_refused_by_name() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    for (query, named) in [
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=ten", "limit"),
        ("?status=asleep", "status"),
        ("?session_type=tv", "session_type"),
        ("?account_id=x", "account_id"),
        ("?account_id=", "account_id"),
        ("?colour=red", "colour"),
        ("?limit=1&limit=2", "limit"),
        ("?page_token=", "page_token"),
        ("?page_token=00000000", "page_token"),
        ("?page_token=ILOU", "page_token"),
        (&format!("?page_token={}", "0".repeat(1_025)), "page_token"),
    ] {
        let answer = list(&server, &key, query).await;
        assert_eq!(answer.outcome(), (400, "invalid_value"), "{query}: {:?}", answer.body);
        assert!(answer.message().contains(named), "{query}: {}", answer.message());
    }
    for _ in 0..2 {
        server.create(&key, json!({ "session_type": "api" })).await;
    }
    let next = list(&server, &key, "?limit=1").await.body["next_page"].as_str().unwrap().to_owned();
    let more = list(&server, &key, &format!("?page_token={next}&status=new")).await;
    assert_eq!(more.outcome(), (400, "invalid_value"));
    assert_eq!(list(&server, &key, &format!("?page_token={next}&limit=5")).await.status, 200);
}

#[tokio::test]
async fn each_caller_lists_only_its_own_sessions_whatever_the_page_token() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let other_pool = "013xrzp12g3nqk8ng09nmc8kwqzfaf00";
    let elsewhere = server.key_with(&["--domain", seed::DOMAIN_ID, "--pool", other_pool], &SCOPES);
    let elsewhere = elsewhere["key"].as_str().unwrap();
    let stranger = server.key_with(&["--domain", "013xrzp12g3nqk8n32sd3jyxq5a8yw00"], &SCOPES);
    let stranger = stranger["key"].as_str().unwrap();
    let mut tokens = Vec::new();
    for account in [seed::ACCOUNT_ID, OTHER_ACCOUNT, seed::ACCOUNT_ID, OTHER_ACCOUNT] {
        let (session, _) = server.create(&key, json!({ "session_type": "browser" })).await;
        let id = session["summary"]["id"].as_str().unwrap().to_owned();
        let token = server.authenticate(&key, &id, account).await;
        tokens.push((id, token));
    }
    let own = [tokens[2].0.clone(), tokens[0].0.clone()];
    assert_eq!(all_pages(&server, &tokens[0].1, "?limit=1").await, own);
    assert_eq!(ids(&list(&server, elsewhere, "").await), [""; 0]);
    assert_eq!(ids(&list(&server, stranger, "").await), [""; 0]);
    // A pool of another domain looks like an empty one.
    assert_eq!(ids(&list(&server, stranger, &format!("?pool_id={}", seed::POOL_ID)).await), [""; 0]);
    for (token, query) in [
        (&*tokens[0].1, format!("?account_id={OTHER_ACCOUNT}")),
        (elsewhere, format!("?pool_id={}", seed::POOL_ID)),
    ] {
        assert_eq!(list(&server, token, &query).await.outcome(), (403, "not_permitted"), "{query}");
    }
    // The page token of a list over everything.
    let next = list(&server, &key, "?limit=1").await.body["next_page"].as_str().unwrap().to_owned();
    assert_eq!(ids(&list(&server, elsewhere, &format!("?page_token={next}&limit=9")).await), [""; 0]);
    let theirs = list(&server, &tokens[0].1, &format!("?page_token={next}&limit=9")).await;
    assert_eq!(ids(&theirs), own, "it is only a place: what is listed follows from the caller");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_pages_through_while_a_hundred_writers_create_and_revoke() {
    let server = Arc::new(Sessiond::start_with(&["--log-level", "warn"]).await);
    let key = server.key(&SCOPES);
    let sessions: Vec<_> = (0..400)
        .map(|place| {
            let mut session = seed::summary();
            session["id"] = json!(format!("013xrzp12g3nqk8nkv4y96wrbzje{place:04}"));
            session
        })
        .collect();
    server.import(&sessions);
    let mut there: Vec<String> =
        sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect();
    there.reverse();
    let (done, writes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let writers: Vec<_> = (0..100)
        .map(|_| {
            let (server, key, client) = (Arc::clone(&server), key.clone(), client.clone());
            let (done, writes) = (Arc::clone(&done), Arc::clone(&writes));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    let url = format!("http://{}/api/v1/session", server.direct());
                    let post = |url: String, body: &'static str| {
                        client
                            .post(url)
                            .bearer_auth(&key)
                            .header("content-type", "application/json")
                            .body(body)
                    };
                    let made = post(url.clone(), r#"{"session_type":"api"}"#).send().await.unwrap();
                    let made: Value = serde_json::from_slice(&made.bytes().await.unwrap()).unwrap();
                    let id = made["session"]["summary"]["id"].as_str().unwrap();
                    let revoked = post(format!("{url}/{id}/revoke"), "").send().await.unwrap();
                    assert_eq!(revoked.status(), 200);
                    writes.fetch_add(2, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for _ in 0..3 {
        // Those that come after the first page are newer than it.
        let listed = all_pages(&server, &key, "?limit=29").await;
        let mut once = listed.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), listed.len(), "none appears twice");
        let throughout: Vec<_> = listed.into_iter().filter(|id| there.contains(id)).collect();
        assert_eq!(throughout, there);
    }
    done.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(writes.load(Ordering::SeqCst) > 200, "{writes:?} writes went on meanwhile");
}
