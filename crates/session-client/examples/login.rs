//! A login flow: creates a session, authenticates it, and fetches it with its own token.
//!
//! Reads `SESSION_ADDRESS` (such as `http://127.0.0.1:8080`) and `SESSION_API_KEY`, a key with the scopes
//! `session:create` and `session:authenticate`, bound to a pool. Prints the fetched session as JSON. With `SESSION_ID`,
//! authenticates that session instead of creating one.
#![expect(clippy::print_stdout, reason = "the output of the example")]

use session_client::types::{
    AccountId, DeviceId, IdentityId, SessionAuthenticate, SessionCreate, SessionId, SessionInteraction,
    SessionType, UserAgent,
};
use session_client::{Client, Error, Token};

const USER_AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/91.0.4472.114 Safari/537.36";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::var("SESSION_ADDRESS").map_err(|_| "set SESSION_ADDRESS")?;
    let key: Token = std::env::var("SESSION_API_KEY").map_err(|_| "set SESSION_API_KEY")?.parse()?;
    let login = Client::connect(&address, &key)?;

    let session_id: SessionId = match std::env::var("SESSION_ID") {
        Ok(id) => id.parse()?,
        Err(_) => create(&login).await?,
    };

    // The person has signed in. From here on, only the new token works.
    let identity = SessionAuthenticate::builder()
        .account_id("013xrzp12g3nqk8n6cyr5x0k8yb10h59".parse::<AccountId>()?)
        .authenticated_identity_id("013xrzp12g3nqk8n3f5qv5e2r757shwd".parse::<IdentityId>()?);
    let authenticated = login.authenticate_session().session_id(session_id).body(identity).send().await;
    let authenticated = authenticated.map_err(Error::from)?.into_inner();

    // What a gateway does on every request, with the token that the browser sends.
    let gateway = Client::connect(&address, &authenticated.authtoken)?;
    let id = authenticated.session.summary.id;
    let session = gateway.fetch_session().session_id(id).send().await.map_err(Error::from)?;
    println!("{}", serde_json::to_string_pretty(&*session)?);
    Ok(())
}

/// Creates a session for a person who opens the login page. Returns its ID.
async fn create(login: &Client) -> Result<SessionId, Box<dyn std::error::Error>> {
    let interaction = SessionInteraction::builder()
        .remote_ip(Some("127.0.0.1".parse()?))
        .user_agent(Some(UserAgent::try_from(USER_AGENT)?));
    let body = SessionCreate::builder()
        .session_type(SessionType::Browser)
        .device_id(Some("013xrzp12g3nqk8ncwfp3ra29yjzx1gs".parse::<DeviceId>()?))
        .interaction(Some(interaction.try_into()?));
    let created = login.create_session().body(body).send().await.map_err(Error::from)?.into_inner();
    Ok(created.session.summary.id)
}
