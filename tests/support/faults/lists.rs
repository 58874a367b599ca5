//! Queries and pages of lists.

use futures::FutureExt;
use serde_json::Value;

use super::deployment::Deployment;
use super::fault::Fault;
use super::requests::UNKNOWN;
use crate::proxy::{Request, Response};
use crate::tokens::is_id;

/// The greatest `limit` of the contract.
const LIMIT_MAX: u64 = 1_000;

/// Every status of a session.
const STATUSES: [&str; 5] = ["new", "unauthenticated", "authenticated", "complete", "revoked"];

/// The faults of this kind.
pub(super) const FAULTS: &[Fault] = &[
    Fault::in_request("unknown-parameter-ignored", "An unknown query parameter is ignored.", |request, _| {
        request.edit_query(|pairs| pairs.retain(|(name, _)| name != UNKNOWN));
    }),
    Fault::in_request(
        "parameter-twice-accepted",
        "Of a query parameter that is there twice, the first counts.",
        |request, _| {
            request.edit_query(|pairs| {
                let mut names = Vec::new();
                pairs.retain(|(name, _)| {
                    let first = !names.contains(name);
                    names.push(name.clone());
                    first
                });
            });
        },
    ),
    Fault::in_request(
        "limit-above-maximum-accepted",
        "A `limit` above 1000 counts as 1000.",
        |request, _| {
            request.edit_query(|pairs| {
                for (name, value) in pairs {
                    if name == "limit" && value.parse::<u64>().is_ok_and(|limit| limit > LIMIT_MAX) {
                        *value = LIMIT_MAX.to_string();
                    }
                }
            });
        },
    ),
    Fault::in_request("limit-zero-accepted", "A `limit` of 0 counts as absent.", |request, _| {
        request.edit_query(|pairs| pairs.retain(|(name, value)| name != "limit" || value != "0"));
    }),
    Fault::in_request(
        "unknown-status-ignored",
        "A filter by a status that is not listed is ignored.",
        |request, _| {
            request.edit_query(|pairs| {
                pairs.retain(|(name, value)| name != "status" || STATUSES.contains(&value.as_str()));
            });
        },
    ),
    Fault::in_request(
        "filters-beside-page-token",
        "Filters beside a `page_token` are ignored instead of refused.",
        |request, _| {
            request.edit_query(|pairs| {
                if pairs.iter().any(|(name, _)| name == "page_token") {
                    pairs.retain(|(name, _)| name == "page_token" || name == "limit");
                }
            });
        },
    ),
    Fault::in_request("device-filter-ignored", "A list is not filtered by `device_id`.", |request, _| {
        request.edit_query(|pairs| pairs.retain(|(name, value)| name != "device_id" || !is_id(value)));
    }),
    Fault::in_request("status-filter-ignored", "A list is not filtered by `status`.", |request, _| {
        request.edit_query(|pairs| {
            pairs.retain(|(name, value)| name != "status" || !STATUSES.contains(&value.as_str()));
        });
    }),
    Fault::in_request("account-filter-ignored", "A list is not filtered by `account_id`.", |request, _| {
        request.edit_query(|pairs| pairs.retain(|(name, value)| name != "account_id" || !is_id(value)));
    }),
    Fault::in_request(
        "default-limit-ignored",
        "Without a `limit`, a page has at most 10 sessions.",
        |request, _| {
            let absent = ["limit", "page_token"].into_iter().all(|name| request.query_value(name).is_none());
            if absent && request.is_of(&["list_sessions"]) {
                let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
                let joint = if query.is_empty() { "" } else { "&" };
                request.target = format!("{path}?{query}{joint}limit=10");
            }
        },
    ),
    Fault::in_response("page-reversed", "A page begins with its oldest session.", |_, response| {
        response.edit_success(|body| {
            if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
                items.reverse();
            }
        });
    }),
    Fault::in_follow_up("page-token-ignored", "Every page is the first one.", |server, request, response| {
        first_page(server, request, response).boxed()
    }),
    Fault::in_follow_up(
        "one-item-too-many",
        "A page has one session more than `limit` allows.",
        |server, request, response| one_item_too_many(server, request, response).boxed(),
    ),
    Fault::in_response("no-next-page", "A page never says that there is a next one.", |_, response| {
        response.edit_success(|body| {
            if let Some(page) = body.as_object_mut() {
                page.remove("next_page");
            }
        });
    }),
];

/// Adds the first session of the next page to a page.
async fn one_item_too_many(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
) -> Option<Response> {
    let next_page = response.json()["next_page"].as_str()?.to_owned();
    let (path, _) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let target = format!("{path}?limit=1&page_token={next_page}");
    let next = server.send(Request { target, ..request.clone() }).await.json();
    let mut longer = response.clone();
    longer.edit_success(|body| {
        if let (Some(items), Some(one)) = (body["items"].as_array_mut(), next["items"].get(0)) {
            items.push(Value::clone(one));
        }
    });
    Some(longer)
}

/// Fetches the first page of as many sessions in the place of a later one.
async fn first_page(server: &Deployment<'_>, request: &Request, response: &Response) -> Option<Response> {
    request.query_value("page_token").filter(|_| request.is_of(&["list_sessions"]))?;
    let limit = response.json()["items"].as_array()?.len().max(1);
    let (path, _) = request.target.split_once('?')?;
    Some(server.send(Request { target: format!("{path}?limit={limit}"), ..request.clone() }).await)
}
