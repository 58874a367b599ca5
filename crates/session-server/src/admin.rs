//! The commands that act on a store: API keys, import, export and events.
//!
//! A server that runs on an embedded store is its only writer, so the commands then reach it through a socket in the
//! data directory; otherwise they open the store themselves. The same function carries them out either way.

pub mod command;
mod execute;
pub(crate) mod run;
pub(crate) mod socket;
mod transfer;
