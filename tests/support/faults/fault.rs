//! What a fault is.

use futures::future::BoxFuture;

use super::credentials::Credentials;
use super::deployment::Deployment;
use crate::proxy::{Request, Response};

/// Changes a request before the server receives it.
type RequestChange = fn(&mut Request, &Credentials);

/// Changes a response before the client receives it. The request is the client's.
type ResponseChange = fn(&Request, &mut Response);

/// Sends a further request after a response of the server. Returns the response that the client receives instead, or
/// `None` if it receives the first one.
type FollowUp = for<'a> fn(&'a Deployment<'a>, &'a Request, &'a Response) -> BoxFuture<'a, Option<Response>>;

/// Changes the settings with which the server is started, in TOML.
type SettingsChange = fn(&str) -> String;

/// One deviation from the contract. One of the four changes is present; [`Fault::CONTROL`] has none.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What the fault is called in reports; unique.
    pub name: &'static str,
    /// What a server with this fault does, or which check it lacks.
    pub meaning: &'static str,
    /// How the proxy changes requests.
    pub(crate) request: Option<RequestChange>,
    /// How the proxy changes responses.
    pub(crate) response: Option<ResponseChange>,
    /// What the proxy sends after a response.
    pub(crate) follow_up: Option<FollowUp>,
    /// How the server's settings differ.
    pub(crate) settings: Option<SettingsChange>,
}

impl Fault {
    /// No fault: the proxy changes nothing, and the wire leg must find nothing.
    pub const CONTROL: Self = Self {
        name: "none",
        meaning: "The server is as it should be.",
        request: None,
        response: None,
        follow_up: None,
        settings: None,
    };

    pub(super) const fn in_request(name: &'static str, meaning: &'static str, change: RequestChange) -> Self {
        Self { name, meaning, request: Some(change), ..Self::CONTROL }
    }

    pub(super) const fn in_response(
        name: &'static str,
        meaning: &'static str,
        change: ResponseChange,
    ) -> Self {
        Self { name, meaning, response: Some(change), ..Self::CONTROL }
    }

    pub(super) const fn in_follow_up(name: &'static str, meaning: &'static str, follow_up: FollowUp) -> Self {
        Self { name, meaning, follow_up: Some(follow_up), ..Self::CONTROL }
    }

    pub(super) const fn in_settings(
        name: &'static str,
        meaning: &'static str,
        change: SettingsChange,
    ) -> Self {
        Self { name, meaning, settings: Some(change), ..Self::CONTROL }
    }
}
