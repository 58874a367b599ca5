//! The commands that act on a store: API keys, import, export, events, backup, restore and check.
//!
//! A server that runs on an embedded store is its only writer, so the commands then reach it through a socket in the
//! data directory; otherwise, and on a database, they open the store themselves. The same function carries them out
//! either way. Backup, restore and check are about the files of an embedded store, and act on them directly.

pub mod command;
mod execute;
pub(crate) mod files;
pub(crate) mod run;
mod session_line;
pub(crate) mod socket;
mod transfer;
