//! The life of a session, as `docs/sessions.md` describes it: its states, its lifetimes and its interactions.

pub(crate) mod future;
pub mod interaction;
pub(crate) mod last_seen;
pub mod lifetime;
pub mod state;
mod title;
