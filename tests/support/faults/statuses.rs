//! Responses with another status than the contract has for them.

use super::fault::Fault;

/// The faults of this kind.
pub(super) const FAULTS: &[Fault] = &[
    Fault::in_response(
        "created-as-200",
        "A session that was created is reported with 200.",
        |_, response| {
            response.replace_status(201, 200);
        },
    ),
    Fault::in_response(
        "revoked-as-202",
        "The revocation of a session is reported as accepted for later (202).",
        |request, response| {
            if request.is_of(&["revoke_session"]) {
                response.replace_status(200, 202);
            }
        },
    ),
    Fault::in_response("bad-request-as-422", "An invalid request is refused with 422.", |_, response| {
        response.replace_status(400, 422);
    }),
    Fault::in_response(
        "bad-request-as-200",
        "An invalid request is refused with 200 and an error object.",
        |_, response| response.replace_status(400, 200),
    ),
    Fault::in_response(
        "unauthorized-as-403",
        "A missing or wrong credential is refused with 403.",
        |_, response| response.replace_status(401, 403),
    ),
    Fault::in_response(
        "forbidden-as-404",
        "What a caller may not do is refused as if it did not exist (404).",
        |_, response| response.replace_status(403, 404),
    ),
    Fault::in_response(
        "not-found-as-403",
        "A session that does not exist, or that the caller may not read, is refused with 403.",
        |_, response| response.replace_status(404, 403),
    ),
    Fault::in_response(
        "not-found-as-500",
        "A session that does not exist is reported as an internal error.",
        |_, response| response.replace_status(404, 500),
    ),
    Fault::in_response(
        "conflict-as-400",
        "What the session's state does not allow is refused with 400.",
        |_, response| response.replace_status(409, 400),
    ),
    Fault::in_response(
        "conflict-as-200",
        "What the session's state does not allow is refused with 200 and an error object.",
        |_, response| response.replace_status(409, 200),
    ),
    Fault::in_response(
        "content-too-large-as-400",
        "A body that is too long is refused with 400.",
        |_, response| {
            response.replace_status(413, 400);
        },
    ),
    Fault::in_response(
        "unsupported-media-type-as-400",
        "A body of another media type is refused with 400.",
        |_, response| response.replace_status(415, 400),
    ),
    Fault::in_response("too-many-requests-as-503", "A rate limit is reported with 503.", |_, response| {
        response.replace_status(429, 503);
    }),
    Fault::in_response(
        "internal-error-as-503",
        "A failure of the store is reported with 503.",
        |_, response| {
            response.replace_status(500, 503);
        },
    ),
    Fault::in_response(
        "not-implemented-as-404",
        "An operation that the deployment has disabled is refused with 404.",
        |_, response| response.replace_status(501, 404),
    ),
    Fault::in_response(
        "unavailable-as-500",
        "A store that does not respond in time is reported with 500.",
        |_, response| response.replace_status(503, 500),
    ),
];
