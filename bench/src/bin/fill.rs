//! `fill URL SESSIONS FILE [EXPIRED]`: fills the store at this URL, `sqlite:PATH` or `postgres://…`, with live sessions, each
//! with a token, and writes a line `ID TOKEN` to the file for each of them. The lifetime of the first EXPIRED has passed.
//!
//! The tokens are made from a counter: the sessions of a measurement are nobody's.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use secrecy::{ExposeSecret, SecretBox};
use session_bench::{DOMAIN_ID, POOL_ID, TITLE, USER_AGENT};
use session_server::credential::{Credential, Kind};
use session_store::{
    Actor, Event, EventAction, EventId, PostgresOptions, PostgresStore, Sessions, SqliteStore, StoredSession,
    data_directory_prepare,
};
use session_types::{
    AccountId, DeviceId, DomainId, Id, IdentityId, InteractionDetails, PoolId, RemoteIp, SessionId,
    SessionStatus, SessionType, Timestamp, Title, UserAgent,
};
use sha2::{Digest, Sha256};

/// The sessions of a transaction: so many that the syncs of the disk take no time to speak of.
const BATCH: usize = 5_000;

/// They were created within this time before now, in order, as the IDs of a busy service are.
const HOUR_MS: u64 = 3_600_000;

/// The default idle lifetime of a session of type `api`: that of a browser's would pass during a measurement.
const LIFETIME_MS: u64 = 30 * 24 * HOUR_MS;

#[derive(Parser)]
struct Arguments {
    url: String,
    sessions: u64,
    file: String,
    #[arg(default_value_t = 0)]
    expired: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let store: Box<dyn Sessions> = if let Some(path) = arguments.url.strip_prefix("sqlite:") {
        let path = Path::new(path);
        data_directory_prepare(path)?;
        Box::new(SqliteStore::open(path)?)
    } else {
        Box::new(PostgresStore::open(PostgresOptions::parse(&arguments.url)?).await?)
    };
    let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let mut file = BufWriter::new(File::create(arguments.file)?);
    let numbers: Vec<u64> = (0..arguments.sessions).collect();
    for batch in numbers.chunks(BATCH) {
        let mut sessions = Vec::with_capacity(batch.len());
        for number in batch {
            let mut at_ms = now_ms - HOUR_MS + number * HOUR_MS / arguments.sessions;
            if *number < arguments.expired {
                at_ms -= LIFETIME_MS;
            }
            let (session, token) = session(*number, at_ms)?;
            let event = Event {
                id: EventId(id("event", *number, at_ms)),
                action: EventAction::Created,
                session_id: session.id,
                actor: Actor::Operator,
                reason: None,
                request_id: None,
            };
            writeln!(file, "{} {}", session.id, token.reveal().expose_secret())?;
            sessions.push((session, event));
        }
        for outcome in store.session_import(sessions).await? {
            outcome?;
        }
    }
    file.flush()?;
    Ok(())
}

/// The `number`th session, created at this time, and its token.
fn session(number: u64, at_ms: u64) -> Result<(StoredSession, Credential), Box<dyn Error>> {
    let id = SessionId(id("session", number, at_ms));
    let token = Credential::new(Kind::Session, id.0, SecretBox::new(Box::new(hash("token", number))));
    let seen = InteractionDetails {
        at: Timestamp::from_ms(at_ms)?,
        remote_ip: Some(RemoteIp::try_from(format!("203.0.113.{}", number % 256))?),
        user_agent: Some(UserAgent::from_stored(USER_AGENT.to_owned())?),
    };
    let mut session =
        StoredSession::new(id, DomainId(DOMAIN_ID.parse()?), PoolId(POOL_ID.parse()?), SessionType::Api);
    session.status = SessionStatus::Authenticated;
    session.account_id = Some(AccountId(self::id("account", number, at_ms)));
    session.identity_id = Some(IdentityId(self::id("identity", number, at_ms)));
    session.device_id = Some(DeviceId(self::id("device", number, at_ms)));
    session.title = Some(Title::from_stored(TITLE.to_owned())?);
    session.first_seen = Some(seen.clone());
    session.last_seen = Some(seen);
    session.token_hash = Some(token.hash());
    session.expires_at = Some(Timestamp::from_ms(at_ms + LIFETIME_MS)?);
    Ok((session, token))
}

/// An ID as sessiond mints it.
fn id(kind: &str, number: u64, at_ms: u64) -> Id {
    let mut random = [0; 10];
    random.copy_from_slice(&hash(kind, number)[..10]);
    Id::compose(at_ms, 0, random)
}

/// Different for each kind and number.
fn hash(kind: &str, number: u64) -> [u8; 32] {
    Sha256::digest(format!("{kind} {number}")).into()
}
