//! Responses with another body than the contract has for them.

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::fault::Fault;
use super::message::edit_text;
use crate::seed;

/// The faults of this kind.
pub(super) const FAULTS: &[Fault] = &[
    Fault::in_response(
        "property-undocumented",
        "A success has the property `version`, which the contract does not document.",
        |_, response| {
            response.edit_success(|body| {
                if let Some(body) = body.as_object_mut() {
                    body.insert("version".to_owned(), json!(1));
                }
            });
        },
    ),
    Fault::in_response(
        "property-undocumented-inside",
        "`last_seen` has the property `country`, which the contract does not document.",
        |_, response| {
            response.edit_each("last_seen", |seen| drop(seen.insert("country".to_owned(), json!("NL"))));
        },
    ),
    Fault::in_response(
        "property-undocumented-of-errors",
        "An error has the property `details`, which the contract does not document.",
        |_, response| response.edit_error(|error| drop(error.insert("details".to_owned(), json!({})))),
    ),
    Fault::in_response("no-status", "A session is returned without its `status`.", |_, response| {
        response.edit_each("summary", |summary| drop(summary.remove("status")));
    }),
    Fault::in_response("no-type", "A session is returned without its `type`.", |_, response| {
        response.edit_each("summary", |summary| drop(summary.remove("type")));
    }),
    Fault::in_response("no-actions", "A session is returned without `actions.revoke`.", |_, response| {
        response.edit_each("actions", |actions| drop(actions.remove("revoke")));
    }),
    Fault::in_response("error-without-message", "An error has no `message`.", |_, response| {
        response.edit_error(|error| drop(error.remove("message")));
    }),
    Fault::in_response("error-without-status", "An error has no `status`.", |_, response| {
        response.edit_error(|error| drop(error.remove("status")));
    }),
    Fault::in_response("error-empty", "An error has no body.", |_, response| {
        if !response.status.is_success() {
            response.body = Bytes::new();
        }
    }),
    Fault::in_response("time-as-text", "The time of the last interaction is a string.", |_, response| {
        response.edit_each("last_seen", |seen| {
            let text = seen.get("at").map(Value::to_string);
            seen.extend(text.map(|text| ("at".to_owned(), json!(text))));
        });
    }),
    Fault::in_response(
        "time-in-milliseconds",
        "The time of the last interaction is in milliseconds.",
        |_, response| {
            response.edit_each("last_seen", |seen| {
                let seconds = seen.get("at").and_then(Value::as_f64);
                seen.extend(seconds.map(|seconds| ("at".to_owned(), json!(seconds * 1000.0))));
            });
        },
    ),
    Fault::in_response("count-as-text", "The count of revoked sessions is a string.", |_, response| {
        response.edit_success(|body| {
            if let Some(count) = body.get_mut("revoked") {
                *count = json!(count.to_string());
            }
        });
    }),
    Fault::in_response(
        "count-one-too-high",
        "The count of revoked sessions is one more than were revoked.",
        |_, response| {
            response.edit_success(|body| {
                if let Some(count) = body.get_mut("revoked") {
                    *count = json!(count.as_u64().unwrap_or_default() + 1);
                }
            });
        },
    ),
    Fault::in_response(
        "revocation-always-offered",
        "`actions.revoke` is true even if the caller may not revoke the session.",
        |_, response| {
            response.edit_each("actions", |actions| drop(actions.insert("revoke".to_owned(), json!(true))));
        },
    ),
    Fault::in_response(
        "another-session-returned",
        "A response is about another session than the request.",
        |request, response| {
            if request.session_id().is_some() {
                response.edit_each("summary", |summary| {
                    summary.insert("id".to_owned(), json!(seed::SESSION_ID));
                });
            }
        },
    ),
    Fault::in_response(
        "completed-as-authenticated",
        "A session that was signed out is returned as authenticated.",
        |request, response| {
            if request.is_of(&["complete_session"]) {
                response.edit_each("summary", |summary| {
                    summary.insert("status".to_owned(), json!("authenticated"));
                });
            }
        },
    ),
    Fault::in_response("absent-as-null", "A `title` that is not known is null.", |_, response| {
        response.edit_each("summary", |summary| {
            summary.entry("title").or_insert(Value::Null);
        });
    }),
    Fault::in_response(
        "no-next-page-as-null",
        "`next_page` of the last page is null.",
        |request, response| {
            if request.is_of(&["list_sessions"]) {
                response.edit_success(|body| {
                    if let Some(page) = body.as_object_mut() {
                        page.entry("next_page").or_insert(Value::Null);
                    }
                });
            }
        },
    ),
    Fault::in_response("list-without-wrapper", "A page is the list of its items alone.", |_, response| {
        response.edit_success(|body| {
            if let Some(items) = body.get_mut("items").map(Value::take) {
                *body = items;
            }
        });
    }),
    Fault::in_response("status-in-capitals", "The status of a session is in capitals.", |_, response| {
        response.edit_each("summary", |summary| {
            edit_text(summary, "status", |status| status.make_ascii_uppercase());
        });
    }),
    Fault::in_response("id-in-capitals", "The ID of a session is in capitals.", |_, response| {
        response.edit_each("summary", |summary| edit_text(summary, "id", |id| id.make_ascii_uppercase()));
    }),
    Fault::in_response(
        "authtoken-truncated",
        "A token is returned without its last characters.",
        |_, response| {
            response.edit_success(|body| {
                if let Some(body) = body.as_object_mut() {
                    edit_text(body, "authtoken", |token| token.truncate(90));
                }
            });
        },
    ),
    Fault::in_response("user-agent-omitted", "The last interaction has no `user_agent`.", |_, response| {
        response.edit_each("last_seen", |seen| drop(seen.remove("user_agent")));
    }),
    Fault::in_response("title-omitted", "A session is returned without its `title`.", |_, response| {
        response.edit_each("summary", |summary| drop(summary.remove("title")));
    }),
    Fault::in_response("remote-ip-with-port", "`remote_ip` has a port after the address.", |_, response| {
        response.edit_each("last_seen", |seen| {
            edit_text(seen, "remote_ip", |address| address.push_str(":443"));
        });
    }),
    Fault::in_response("code-in-capitals", "The code of an error is in capitals.", |_, response| {
        response.edit_error(|error| edit_text(error, "code", |code| code.make_ascii_uppercase()));
    }),
    Fault::in_response(
        "required-value-as-invalid-value",
        "A missing value is reported with the code of a value that is not allowed.",
        |_, response| response.replace_code("required_value", "invalid_value"),
    ),
    Fault::in_response(
        "bad-authtoken-as-not-authenticated",
        "A wrong token is reported with the code of a missing one.",
        |_, response| response.replace_code("bad_authtoken", "not_authenticated"),
    ),
    Fault::in_response(
        "invalid-action-as-bad-request",
        "What the session's state does not allow is reported with the code `bad_request`.",
        |_, response| response.replace_code("invalid_action", "bad_request"),
    ),
    Fault::in_response(
        "code-unknown",
        "A session that does not exist is reported with a code that the contract does not list.",
        |_, response| response.replace_code("not_found", "no_such_session"),
    ),
    Fault::in_response(
        "id-of-another-kind-not-reported",
        "The ID of a device in the place of a session's is reported as one that nothing has.",
        |_, response| {
            if response.code() == "unexpected_ref_type" {
                response.replace_code("unexpected_ref_type", "not_found");
                response.replace_status(400, 404);
            }
        },
    ),
];
