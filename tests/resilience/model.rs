//! The state machine of one session and its tokens, as docs/sessions.md describes it, written again from outside: what
//! each request must return in each state, and the state after it.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// Identifies a token of a session: the number of the request that it is a result of.
pub(crate) type TokenNumber = u32;

/// The status of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    New,
    Unauthenticated,
    Authenticated,
    Complete,
    Revoked,
}

impl Status {
    /// The status of this name.
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "new" => Self::New,
            "unauthenticated" => Self::Unauthenticated,
            "authenticated" => Self::Authenticated,
            "complete" => Self::Complete,
            "revoked" => Self::Revoked,
            _ => return None,
        })
    }

    /// Whether it has ended.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Revoked)
    }
}

/// What a response shows of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) status: Status,
    pub(crate) account: Option<Arc<str>>,
    /// The user agent of its first interaction, which shows which of several was the first.
    pub(crate) first_seen: Option<Arc<str>>,
    /// `actions.revoke`.
    pub(crate) revocable: bool,
}

impl View {
    /// Reads a session of the contract; `None` if it is none.
    pub(crate) fn parse(session: &Value) -> Option<Self> {
        let summary = &session["summary"];
        let text = |value: &Value| value.as_str().map(Arc::from);
        Some(Self {
            status: Status::parse(summary["status"].as_str()?)?,
            account: text(&summary["account_id"]),
            first_seen: text(&summary["first_seen"]["user_agent"]),
            revocable: session["actions"]["revoke"].as_bool()?,
        })
    }
}

/// A session. `status` is `None` until it has been created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) status: Option<Status>,
    pub(crate) account: Option<Arc<str>>,
    pub(crate) first_seen: Option<Arc<str>>,
    /// The one token that is valid while the session is live.
    pub(crate) token: Option<TokenNumber>,
    /// Whether the server has been killed.
    pub(crate) crashed: bool,
}

impl State {
    /// Whether the token of this number is valid.
    pub(crate) fn accepts(&self, token: TokenNumber) -> bool {
        self.is_live() && self.token == Some(token)
    }

    fn is_live(&self) -> bool {
        self.status.is_some_and(|status| !status.is_final())
    }

    fn view(&self) -> Option<View> {
        Some(View {
            status: self.status?,
            account: self.account.clone(),
            first_seen: self.first_seen.clone(),
            revocable: self.is_live(),
        })
    }
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// An API key with every scope.
    Key,
    /// The session's own token of this number.
    Own(TokenNumber),
    /// The token of another session of this account, which is authenticated throughout.
    Peer(Arc<str>),
}

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create {
        account: Option<Arc<str>>,
        interaction: Option<Arc<str>>,
        token: TokenNumber,
    },
    Authenticate {
        account: Arc<str>,
        token: TokenNumber,
    },
    Interact {
        user_agent: Arc<str>,
    },
    Complete,
    Revoke,
    /// Revokes every session of the account, apart from the session with the ID `except`.
    RevokeAccount {
        account: Arc<str>,
        except: Option<Arc<str>>,
    },
    Fetch,
    /// Reads the session of the caller's own token.
    Whoami,
    /// Lists the sessions of the account.
    List {
        account: Arc<str>,
    },
    /// Not a request: the server is killed.
    Crash,
}

/// The part of a response that the model predicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A success that shows the session.
    Session(View),
    /// A revocation of an account succeeded. Whether this session is one of those that it revoked; `None` if the count does
    /// not show it.
    Revoked(Option<bool>),
    /// A list with, or without, the session.
    Listed(Option<View>),
    /// A refusal with this code.
    Refused(&'static str),
    /// The server was killed.
    Crashed,
    /// No response, or one that leaves the outcome open: the change was made at some time after the request, or never.
    Open,
}

/// Returns the response to a request in this state, and the state after it.
pub(crate) fn apply(state: &State, caller: &Caller, action: &Action) -> (Seen, State) {
    let refused = |code: &'static str| (Seen::Refused(code), state.clone());
    match caller {
        Caller::Own(token) if !state.accepts(*token) => return refused("bad_authtoken"),
        Caller::Peer(account)
            if matches!(action, Action::Fetch | Action::Revoke)
                && state.account.as_ref() != Some(account) =>
        {
            return refused("not_found");
        }
        _ => {}
    }
    let mut after = state.clone();
    match action {
        Action::RevokeAccount { account, .. } => {
            let revokes = state.is_live() && state.account.as_ref() == Some(account);
            after.status = if revokes { Some(Status::Revoked) } else { state.status };
            return (Seen::Revoked(Some(revokes)), after);
        }
        Action::List { account } => {
            let listed = state.account.as_ref() == Some(account);
            return (Seen::Listed(if listed { state.view() } else { None }), after);
        }
        Action::Crash => {
            after.crashed = true;
            return (Seen::Crashed, after);
        }
        Action::Create { account, interaction, token } => {
            if state.status.is_some() {
                return refused("the session exists");
            }
            after.status = Some(match (account, interaction) {
                (Some(_), _) => Status::Authenticated,
                (None, Some(_)) => Status::Unauthenticated,
                (None, None) => Status::New,
            });
            (after.account, after.first_seen) = (account.clone(), interaction.clone());
            after.token = Some(*token);
        }
        _ if state.status.is_none() => return refused("not_found"),
        Action::Fetch | Action::Whoami => {}
        _ if !state.is_live() => return refused("invalid_action"),
        Action::Authenticate { account, token } => {
            if state.account.as_ref().is_some_and(|own| own != account) {
                return refused("invalid_value");
            }
            after.status = Some(Status::Authenticated);
            (after.account, after.token) = (Some(account.clone()), Some(*token));
        }
        Action::Interact { user_agent } => {
            if state.status == Some(Status::New) {
                after.status = Some(Status::Unauthenticated);
            }
            after.first_seen.get_or_insert_with(|| user_agent.clone());
        }
        Action::Complete => after.status = Some(Status::Complete),
        Action::Revoke => after.status = Some(Status::Revoked),
    }
    let seen = after.view().map_or(Seen::Open, Seen::Session);
    (seen, after)
}

impl Seen {
    /// The refusal with this code.
    pub(crate) fn refused(code: &str) -> Self {
        let known = ["bad_authtoken", "invalid_action", "invalid_value", "not_found"];
        Self::Refused(
            known.into_iter().find(|known| *known == code).unwrap_or("a code that no state explains"),
        )
    }

    /// Whether a response that the model predicts is the one that was observed.
    pub(crate) fn explains(&self, observed: &Self) -> bool {
        match (self, observed) {
            (_, Self::Open) | (Self::Revoked(_), Self::Revoked(None)) => true,
            _ => self == observed,
        }
    }
}

impl Action {
    /// Whether it only reads.
    pub(crate) const fn reads(&self) -> bool {
        matches!(self, Self::Fetch | Self::Whoami | Self::List { .. })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { account, interaction, token } => {
                let account = account.as_deref().unwrap_or("no account");
                let interaction = interaction.as_deref().unwrap_or("no interaction");
                write!(f, "create with {account} and {interaction}: token {token}")
            }
            Self::Authenticate { account, token } => write!(f, "authenticate as {account}: token {token}"),
            Self::Interact { user_agent } => write!(f, "interact by {user_agent}"),
            Self::Complete => f.write_str("complete"),
            Self::Revoke => f.write_str("revoke"),
            Self::RevokeAccount { account, .. } => write!(f, "revoke all of {account}"),
            Self::Fetch => f.write_str("fetch"),
            Self::Whoami => f.write_str("whoami"),
            Self::List { account } => write!(f, "list {account}"),
            Self::Crash => f.write_str("kill -9 and restart"),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("key"),
            Self::Own(token) => write!(f, "own token {token}"),
            Self::Peer(_) => f.write_str("another session's token"),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account.as_deref().unwrap_or("no account");
        let first = self.first_seen.as_deref().unwrap_or("nobody");
        let revocable = if self.revocable { "" } else { "not " };
        write!(f, "{:?}, {account}, first seen by {first}, {revocable}revocable", self.status)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.view(), self.token) {
            (None, _) => f.write_str("absent"),
            (Some(view), Some(token)) => write!(f, "{view}, token {token}"),
            (Some(view), None) => write!(f, "{view}, no known token"),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(session) => write!(f, "{session}"),
            Self::Revoked(revoked) => write!(f, "revoked it: {revoked:?}"),
            Self::Listed(None) => f.write_str("not in the list"),
            Self::Listed(Some(session)) => write!(f, "in the list: {session}"),
            Self::Refused(code) => f.write_str(code),
            Self::Crashed => f.write_str("restarted"),
            Self::Open => f.write_str("made or not"),
        }
    }
}
