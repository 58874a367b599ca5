//! The reads of a request for the caller and for the session that its path names.
//!
//! With a slow store, time stands still while a test computes, so that only the store's passes.

use session_server::rules::record_interaction::record_interaction;
use tokio::time::Instant;

use super::*;

const KEY_MS: u64 = 50;

/// A session, and a key and a session's token that may read it, in a store that may take its time.
struct Slow {
    world: World,
    id: SessionId,
    key: String,
    token: String,
    /// Of the session itself.
    own: String,
}

/// One whose reads take as long as this, in milliseconds.
async fn slow(key_ms: u64, session_ms: u64) -> Slow {
    let world = world();
    let (_, key) = stored_key(&world, 9, 1).await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let id = world.create(None).await.session.summary.id;
        let request = world.request(Operation::AuthenticateSession, super::key());
        tokens.push((id, authenticate_session(request, id, None, who()).await.unwrap().authtoken));
    }
    let token = |place: usize| tokens[place].1.expose_secret().to_owned();
    let (id, own, token) = (tokens[0].0, token(0), token(1));
    if key_ms > 0 {
        tokio::time::pause();
    }
    world.store.key_ms.store(key_ms, Ordering::SeqCst);
    world.store.session_ms.store(session_ms, Ordering::SeqCst);
    Slow { world, id, key, token, own }
}

impl Slow {
    /// What the server does with a request whose path names a session: the result, how often it waited for [`KEY_MS`], and the reads.
    async fn ask<T, F: Future<Output = Result<T, Error>>>(
        &self,
        operation: Operation,
        token: &str,
        id: SessionId,
        rule: impl FnOnce(Request, SessionId) -> F,
    ) -> (Result<T, Error>, u128, usize) {
        let start = Instant::now();
        let Slow { world, .. } = self;
        let asked = async {
            let token = Some(token.as_bytes());
            let (caller, credential, prefetched) =
                authenticate(&world.sessions, &world.limits, token, Some(id), &origin()).await?;
            rule(Request { credential, prefetched, ..world.request(operation, caller) }, id).await
        };
        let (result, reads) = world.counting(asked).await;
        (result, start.elapsed().as_millis() / u128::from(KEY_MS), reads)
    }

    async fn fetch(&self, token: &str, id: SessionId) -> (Result<Session, Error>, u128, usize) {
        let (fetched, waits, reads) = self.ask(Operation::FetchSession, token, id, fetch_session).await;
        (fetched.map(session_of), waits, reads)
    }
}

#[tokio::test]
async fn a_fetch_waits_for_the_store_once_by_an_api_key_and_by_another_sessions_token() {
    let slow = slow(KEY_MS, KEY_MS).await;
    for (token, reads) in [(&slow.key, 1), (&slow.token, 2), (&slow.own, 1)] {
        let (fetched, waits, made) = slow.fetch(token, slow.id).await;
        assert_eq!((fetched.unwrap().summary.id, waits, made), (slow.id, 1, reads));
    }
}

#[tokio::test]
async fn a_change_reads_the_session_together_with_the_key() {
    let slow = slow(0, 0).await;
    let interact = |request, id| record_interaction(request, id, Interaction::default());
    let (changed, _, reads) = slow.ask(Operation::RecordInteraction, &slow.key, slow.id, interact).await;
    assert_eq!((changed.unwrap().summary.id, reads), (slow.id, 1));
}

#[tokio::test]
async fn a_change_that_another_one_precedes_reads_the_session_again() {
    let slow = slow(0, 0).await;
    let store = Arc::clone(&slow.world.store);
    let id = slow.id;
    let revoke = async move {
        let mut session = store.store.session_fetch(id).await.unwrap().unwrap();
        session.status = SessionStatus::Revoked;
        assert!(store.store.session_replace(session, None, None, None).await.unwrap());
    };
    *slow.world.store.before_change.lock().unwrap() = Some(revoke.boxed());
    let interact = |request, id| record_interaction(request, id, Interaction::default());
    let (refused, _, _) = slow.ask(Operation::RecordInteraction, &slow.key, id, interact).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidAction);
}

#[tokio::test]
async fn a_malformed_token_reads_neither_the_caller_nor_the_session() {
    let slow = slow(KEY_MS, KEY_MS).await;
    for token in ["ssk_", "x", "", &slow.key[..94], &slow.own[..94]] {
        let (refused, waits, reads) = slow.fetch(token, slow.id).await;
        assert_eq!((refused.unwrap_err().code, waits, reads), (ErrorCode::BadAuthtoken, 0, 0), "{token}");
    }
}

#[tokio::test]
async fn an_invalid_token_is_refused_alike_whatever_session_the_path_names() {
    let slow = slow(KEY_MS, KEY_MS).await;
    let damage = || {
        let path = slow.world.folder.path().join("sessions.db");
        let sql = "UPDATE session SET title = printf('%0300d', 1)";
        assert_eq!(rusqlite::Connection::open(path).unwrap().execute(sql, []), Ok(2));
    };
    for is_damaged in [false, true] {
        if is_damaged {
            damage();
            // A commit of the store's own, after which readers see that.
            slow.world.store.ready().await.unwrap();
        }
        assert_eq!(slow.fetch(&slow.key, slow.id).await.0.is_err(), is_damaged);
        for kind in [Kind::ApiKey, Kind::Session] {
            let forged = Credential::new(kind, Id::from_bytes([9; 20]), SecretBox::new(Box::new([3; 32])));
            let forged = forged.reveal();
            for id in [slow.id, SessionId(Id::from_bytes([8; 20]))] {
                let (refused, waits, _) = slow.fetch(forged.expose_secret(), id).await;
                let refused = refused.unwrap_err();
                assert_eq!((refused.code, waits), (ErrorCode::BadAuthtoken, 1));
                assert_eq!(refused.message, Error::bad_authtoken().message);
            }
        }
    }
}

#[tokio::test]
async fn a_session_whose_lifetime_passes_after_it_was_read_is_complete() {
    let slow = slow(0, 0).await;
    // As while a body arrives.
    let late = async |request: Request, id| {
        slow.world.pass(Duration::from_hours(13));
        record_interaction(request, id, Interaction::default()).await
    };
    let (refused, _, _) = slow.ask(Operation::RecordInteraction, &slow.key, slow.id, late).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidAction);
}
