//! Who sends a request.

use session_api::ErrorCode;
use session_api::SessionId;
use session_store::{Actor, ApiKey, KeyId, StoredSession};

use crate::credential::{Credential, Kind};
use crate::error::Error;
use crate::origin::Origin;
use crate::rules::state;
use crate::service::Service;

/// A caller whose credential was proved.
#[derive(Debug)]
pub enum Caller {
    /// A service with an API key.
    Key(ApiKey),
    /// The holder of a session's token.
    Session(Box<StoredSession>),
}

/// One answer for every token that does not work, so that it tells nothing about why.
fn bad_authtoken() -> Error {
    Error::new(ErrorCode::BadAuthtoken, "the token is not valid (any more); authenticate again for a new one")
}

impl Caller {
    /// Who it is in an event.
    pub const fn actor(&self) -> Actor {
        match self {
            Self::Key(key) => Actor::Key(key.id),
            Self::Session(session) => Actor::Session(session.summary.id),
        }
    }
}

impl Service {
    /// The caller whose token this is; one read by primary key.
    ///
    /// Fails with `not_authenticated` without a token, with `bad_authtoken` if it is malformed, unknown, replaced,
    /// revoked, expired or of an ended session, and as [`crate::limits`] says if too many were.
    pub async fn caller(&self, token: Option<&[u8]>, origin: &Origin) -> Result<Caller, Error> {
        let token = token.ok_or_else(|| {
            Error::new(
                ErrorCode::NotAuthenticated,
                "no token was sent; send one as `Authorization: Bearer TOKEN`",
            )
        })?;
        let credential = Credential::parse(token);
        let id = credential.as_ref().map(|credential| credential.id);
        match self.proved(credential).await {
            Err(error) if error.code == ErrorCode::BadAuthtoken => {
                match self.limits.failed_authentication(origin.address, id) {
                    // The warning is for the log in any case.
                    Err(limited) => Err(Error { warning: error.warning, ..limited }),
                    Ok(()) => Err(error),
                }
            }
            other => other,
        }
    }

    async fn proved(&self, credential: Option<Credential>) -> Result<Caller, Error> {
        let credential = credential.ok_or_else(bad_authtoken)?;
        match credential.kind {
            Kind::Session => {
                let id = SessionId(credential.id);
                let session = self.within(self.store.session_fetch(id)).await?;
                let session = session.map(|session| self.current(session));
                let kept = session.as_ref().and_then(|session| session.token_hash);
                let proved = credential.proves(kept);
                match session {
                    Some(session)
                        if proved && !state::is_final(session.summary.status) =>
                    {
                        Ok(Caller::Session(Box::new(session)))
                    }
                    Some(session)
                        if session
                            .replaced_token_hashes
                            .iter()
                            .any(|hash| credential.proves(Some(*hash))) =>
                    {
                        // Its holder has a newer one, so whoever sends it may have stolen it.
                        let warning = Some(format!("a replaced token of session {id} was used again"));
                        Err(Error { warning, ..bad_authtoken() })
                    }
                    _ => Err(bad_authtoken()),
                }
            }
            Kind::ApiKey => {
                let key = self.within(self.store.key_fetch(KeyId(credential.id))).await?;
                let proved = credential.proves(key.as_ref().map(|key| key.secret_hash));
                match key {
                    Some(key) if proved && key.revoked_at.is_none() => {
                        Ok(Caller::Key(key))
                    }
                    _ => Err(bad_authtoken()),
                }
            }
        }
    }
}
