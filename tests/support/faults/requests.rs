//! Checks of a request's ID and body that are missing or too strict: the proxy makes a request valid that is not, or
//! invalid though it is valid.

use std::net::IpAddr;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::fault::Fault;
use super::message::{Object, edit_text};
use crate::proxy::Request;

/// The unknown property and query parameter that the wire leg sends.
pub(super) const UNKNOWN: &str = "colour";

/// The bounds of the contract on what these faults are about.
const ID_CHARS: usize = 32;
const TITLE_MAX_CHARS: usize = 200;
const USER_AGENT_MAX_CHARS: usize = 1_024;
const BODY_MAX_BYTES: usize = 16 * 1_024;

/// The faults of this kind.
pub(super) const FAULTS: &[Fault] = &[
    Fault::in_request("id-in-any-case", "A session ID in capitals is accepted.", |request, _| {
        if let Some(lower) = request.session_id().map(str::to_ascii_lowercase) {
            request.set_session_id(&lower);
        }
    }),
    Fault::in_request(
        "id-of-any-length",
        "A session ID that is too short is padded, one that is too long is cut.",
        |request, _| {
            // An encoded character is not one of an ID, whatever the length.
            if let Some(id) = request.session_id().filter(|id| !id.contains('%')) {
                let id: String = id.chars().chain("0".repeat(ID_CHARS).chars()).take(ID_CHARS).collect();
                request.set_session_id(&id);
            }
        },
    ),
    Fault::in_request(
        "unknown-property-ignored",
        "An unknown property of a body is ignored.",
        |request, _| {
            request.edit_body(|body| drop(body.remove(UNKNOWN)));
        },
    ),
    Fault::in_request(
        "unknown-property-inside-ignored",
        "An unknown property of an interaction in a body is ignored.",
        |request, _| {
            request.edit_body(|body| {
                if let Some(Value::Object(interaction)) = body.get_mut("interaction") {
                    interaction.remove(UNKNOWN);
                }
            });
        },
    ),
    Fault::in_request("null-ignored", "A property that is null counts as absent.", |request, _| {
        request.edit_body(|body| body.retain(|_, value| !value.is_null()));
    }),
    Fault::in_request("long-title-accepted", "A title that is too long is cut.", |request, _| {
        request.edit_body(|body| edit_text(body, "title", |title| cut(title, TITLE_MAX_CHARS)));
    }),
    Fault::in_request("long-user-agent-accepted", "A user agent that is too long is cut.", |request, _| {
        edit_interactions(request, |interaction| {
            edit_text(interaction, "user_agent", |agent| cut(agent, USER_AGENT_MAX_CHARS));
        });
    }),
    Fault::in_request("empty-title-accepted", "An empty title counts as absent.", |request, _| {
        request.edit_body(|body| {
            if body.get("title").is_some_and(|title| title == "") {
                body.remove("title");
            }
        });
    }),
    Fault::in_request(
        "control-characters-accepted",
        "Control characters in a title are removed instead of refused.",
        |request, _| {
            request.edit_body(|body| {
                edit_text(body, "title", |title| title.retain(|character| !character.is_ascii_control()));
            });
        },
    ),
    Fault::in_request("remote-ip-not-checked", "An address that is none is ignored.", |request, _| {
        edit_interactions(request, |interaction| {
            let address = interaction.get("remote_ip").and_then(Value::as_str);
            if address.is_some_and(|text| text.parse::<IpAddr>().is_err()) {
                interaction.remove("remote_ip");
            }
        });
    }),
    Fault::in_request(
        "unknown-session-type-accepted",
        "A session type that is not listed counts as `browser`.",
        |request, _| {
            request.edit_body(|body| {
                edit_text(body, "session_type", |kind| {
                    if !["browser", "api"].contains(&kind.as_str()) {
                        "browser".clone_into(kind);
                    }
                });
            });
        },
    ),
    Fault::in_request(
        "missing-session-type-accepted",
        "A session is created as `browser` if the body names no session type.",
        |request, _| {
            if request.is_of(&["create_session"]) {
                request.edit_body(|body| {
                    body.entry("session_type").or_insert(json!("browser"));
                });
            }
        },
    ),
    Fault::in_request(
        "missing-identity-accepted",
        "A session is authenticated without the identity that authenticated.",
        |request, _| {
            if request.is_of(&["authenticate_session"]) {
                request.edit_body(|body| {
                    if let Some(account) = body.get("account_id").cloned() {
                        body.entry("authenticated_identity_id").or_insert(account);
                    }
                });
            }
        },
    ),
    Fault::in_request(
        "number-as-title-accepted",
        "A title that is a number counts as a string.",
        |request, _| {
            request.edit_body(|body| {
                if let Some(title) = body.get_mut("title").filter(|title| title.is_number()) {
                    *title = json!(title.to_string());
                }
            });
        },
    ),
    Fault::in_request("media-type-not-checked", "A body of any media type is read as JSON.", |request, _| {
        if !request.body.is_empty() {
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
    }),
    Fault::in_request("body-size-not-checked", "A body of any length is read.", |request, _| {
        // The same JSON without blanks: the wire leg's long bodies are long because of them.
        if request.body.len() > BODY_MAX_BYTES
            && let Ok(body) = serde_json::from_slice::<Value>(&request.body)
        {
            request.body = body.to_string().into();
        }
    }),
    Fault::in_request("title-one-shorter", "A title of the greatest length is refused.", |request, _| {
        request.edit_body(|body| {
            edit_text(body, "title", |title| {
                if title.chars().count() == TITLE_MAX_CHARS {
                    title.clear();
                }
            });
        });
    }),
    Fault::in_request("ipv6-refused", "An IPv6 address is refused.", |request, _| {
        edit_interactions(request, |interaction| {
            edit_text(interaction, "remote_ip", |address| {
                if address.contains(':') {
                    "IPv6".clone_into(address);
                }
            });
        });
    }),
    Fault::in_request("session-type-api-refused", "The session type `api` is refused.", |request, _| {
        request.edit_body(|body| {
            edit_text(body, "session_type", |kind| {
                if kind == "api" {
                    "tv".clone_into(kind);
                }
            });
        });
    }),
];

/// Changes the interaction that a body is, and the one that it contains.
fn edit_interactions(request: &mut Request, change: impl Fn(&mut Object)) {
    request.edit_body(|body| {
        if let Some(Value::Object(interaction)) = body.get_mut("interaction") {
            change(interaction);
        }
        change(body);
    });
}

fn cut(text: &mut String, chars_max: usize) {
    if let Some((at, _)) = text.char_indices().nth(chars_max) {
        text.truncate(at);
    }
}
