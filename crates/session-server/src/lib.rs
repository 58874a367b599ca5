//! The server of the Session Service, as a library behind the program `sessiond`.
//!
//! A request goes one way: [`http`] reads it, [`credential`] and [`caller`] find who sends it, [`authorize`]
//! and [`rules`] decide, the store of `session-store` keeps, and [`http`] answers. The rules know neither HTTP
//! nor SQL; time and randomness reach them through [`environment`] alone.

pub mod admin;
pub mod authorize;
pub mod caller;
pub mod cli;
pub mod config;
pub mod credential;
mod dev;
pub mod environment;
pub mod error;
pub mod http;
mod internal;
pub mod limits;
mod logging;
pub mod metrics;
pub mod mint;
pub mod origin;
pub mod rules;
mod serve;
pub mod service;
pub mod sweep;
