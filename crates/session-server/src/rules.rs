//! The rules: what each operation does. They know neither HTTP nor SQL.

pub mod authenticate_session;
pub mod create_session;
pub mod end_session;
pub mod fetch_session;
pub mod list_sessions;
pub mod record_interaction;
pub(crate) mod repeatable;
pub mod revoke_sessions;
mod target;
