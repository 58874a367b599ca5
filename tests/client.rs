//! The generated client against a real `sessiond`.

use serde_json::json;
use session_client::types::{
    AccountId, ErrorCode, IdentityId, SessionAuthenticate, SessionCreate, SessionId, SessionStatus,
    SessionType,
};
use session_client::{Client, Error};
use session_test_support::{Sessiond, seed};

fn client(server: &Sessiond, token: &str) -> Client {
    Client::connect(&server.url(), &token.parse().unwrap()).unwrap()
}

#[tokio::test]
async fn the_session_of_the_reference_page_is_imported_served_and_fetched_field_by_field() {
    let server = Sessiond::start().await;
    let imported = server.command(&["import", "-"]).input(seed::summary().to_string()).run();
    assert_eq!(imported.code, 0, "{imported:?}");
    let client = client(&server, &server.key(&["session:read"]));
    let id: SessionId = seed::SESSION_ID.parse().unwrap();
    let fetched = client.fetch_session().session_id(id).send().await.unwrap().into_inner();
    let fetched = serde_json::to_value(fetched).unwrap();
    let expected = json!({ "actions": { "revoke": false }, "summary": seed::summary() });
    // Field by field, so that a failure names the one that differs.
    for (name, value) in expected["summary"].as_object().unwrap() {
        assert_eq!(fetched["summary"][name], *value, "{name}");
    }
    assert_eq!(fetched, expected, "and nothing beside them");
}

#[tokio::test]
async fn a_login_creates_authenticates_and_fetches_with_the_new_token() {
    let server = Sessiond::start().await;
    let login = client(&server, &server.key(&["session:create", "session:authenticate"]));
    let body = SessionCreate::builder().session_type(SessionType::Browser);
    let created = login.create_session().body(body).send().await.unwrap().into_inner();
    let id = created.session.summary.id.clone();
    assert_eq!(created.session.summary.status, SessionStatus::New);

    let who = SessionAuthenticate::builder()
        .account_id(seed::ACCOUNT_ID.parse::<AccountId>().unwrap())
        .authenticated_identity_id(seed::IDENTITY_ID.parse::<IdentityId>().unwrap());
    let sent = login.authenticate_session().session_id(id.clone()).body(who).send().await;
    let authenticated = sent.unwrap().into_inner();
    let token = authenticated.authtoken;
    assert!(!format!("{token:?}").contains(token.expose_secret()));

    let own = client(&server, token.expose_secret());
    let fetched = own.fetch_session().session_id(id).send().await.unwrap().into_inner();
    let whoami = own.fetch_own_session().send().await.unwrap().into_inner();
    assert_eq!(serde_json::to_value(&fetched).unwrap(), serde_json::to_value(&whoami).unwrap());
    assert_eq!(fetched.summary.status, SessionStatus::Authenticated);
    assert_eq!(fetched.summary.account_id.unwrap().as_str(), seed::ACCOUNT_ID);

    let old = client(&server, created.authtoken.expose_secret());
    let error: Error = old.fetch_own_session().send().await.unwrap_err().into();
    assert_eq!(error.code(), Some(ErrorCode::BadAuthtoken));
}

#[tokio::test]
async fn an_error_carries_the_code_the_message_and_the_request_of_the_log() {
    let server = Sessiond::start().await;
    let client = client(&server, &server.key(&["session:read"]));
    let id: SessionId = seed::SESSION_ID.parse().unwrap();
    let error: Error = client.fetch_session().session_id(id).send().await.unwrap_err().into();
    let Error::Refused { code, message, status, request_id } = error else { panic!("{error}") };
    assert_eq!((code, status.as_u16()), (ErrorCode::NotFound, 404));
    assert!(message.contains("no such session"), "{message}");
    let request_id = request_id.unwrap();
    server.logged(&request_id);
}
