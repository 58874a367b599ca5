//! The bytes of a request body: received only when they are asked for, and what is left of them is discarded.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::EXPECT;
use http_body_util::BodyExt;
use session_types::ErrorCode;

use crate::request_error::RequestError;

/// The greatest request body in bytes. The longest valid one escapes each of its 1,024 + 200 characters
/// as a surrogate pair, twelve bytes each, beside less than 1 KiB of IDs: below 16 KiB.
pub const REQUEST_BODY_MAX_BYTES: usize = 16 * 1024;

/// How many bytes of a body that nobody reads are discarded, so that its sender gets to read the response. The connection
/// of a sender of more is closed.
const DISCARD_MAX_BYTES: usize = 4 * 1024 * 1024;

/// For how long the rest of a body is discarded, at most: 4 MiB take less on a fast line, and 16 KiB on a slow one.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// A body of which nothing has been read. Dropping it discards, in the background, what its sender still sends: if a server
/// closes a connection with unread data, the kernel resets it, and the sender may lose the response.
pub(crate) struct UnreadBody {
    /// `None` once there is nothing left to discard.
    body: Option<dropshot::Body>,
    /// Whether the sender waits for `100 Continue`. Without it, nothing follows, and to discard is to ask for the body.
    sender_waits: bool,
}

impl UnreadBody {
    /// The body of a request.
    pub(crate) fn of(request: hyper::Request<dropshot::Body>) -> Self {
        let sender_waits = request.headers().contains_key(EXPECT);
        Self { body: Some(request.into_body()), sender_waits }
    }

    /// Receives the body. Fails with `bad_request` if it is longer than [`REQUEST_BODY_MAX_BYTES`] or breaks off.
    pub(crate) async fn receive(mut self) -> Result<Bytes, RequestError> {
        let refuse = |status, message: &str| Err(RequestError::new(status, ErrorCode::BadRequest, message));
        let mut bytes = BytesMut::new();
        self.sender_waits = false;
        while let Some(body) = &mut self.body {
            match body.frame().await {
                None => self.body = None,
                Some(Err(error)) => {
                    self.body = None;
                    return refuse(StatusCode::BAD_REQUEST, &format!("the body broke off: {error}"));
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if bytes.len() + data.len() > REQUEST_BODY_MAX_BYTES {
                        return refuse(
                            StatusCode::PAYLOAD_TOO_LARGE,
                            &format!(
                                "the body is longer than {REQUEST_BODY_MAX_BYTES} bytes; send only the properties of \
                                 the contract"
                            ),
                        );
                    }
                    bytes.extend_from_slice(&data);
                }
            }
        }
        Ok(bytes.freeze())
    }
}

impl Drop for UnreadBody {
    fn drop(&mut self) {
        let rest =
            self.body.take().filter(|body| !self.sender_waits && !hyper::body::Body::is_end_stream(body));
        // Without a runtime there is no connection either.
        if let (Some(rest), Ok(runtime)) = (rest, tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(DISCARD_TIMEOUT, discard(rest)));
        }
    }
}

/// Reads a body to its end or to [`DISCARD_MAX_BYTES`].
async fn discard(mut body: dropshot::Body) {
    let mut discarded = 0;
    while discarded <= DISCARD_MAX_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}
