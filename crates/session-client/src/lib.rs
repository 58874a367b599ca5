//! Client of the Session Service.
//!
//! [`Client`], [`builder`] and [`types`] are generated from the contract, `openapi.json`. Written by hand are a constructor
//! that takes an address and a token, time-outs, retries of safe calls, and an [`Error`] with the contract's
//! [`ErrorCode`](types::ErrorCode).
//!
//! ```no_run
//! use session_client::types::{ErrorCode, SessionId};
//! use session_client::{Client, Error, Token};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let token: Token = std::env::var("SESSION_TOKEN")?.parse()?;
//! let client = Client::connect("https://sessions.example", &token)?;
//! let session_id: SessionId = "013xrzp12g3nqk8nkv4y96wrbzje9dsr".parse()?;
//! match client.fetch_session().session_id(session_id).send().await.map_err(Error::from) {
//!     Ok(session) => println!("{:?}, {:?}", session.summary.status, session.summary.title),
//!     Err(error) if error.code() == Some(ErrorCode::NotFound) => println!("no such session"),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(())
//! # }
//! ```

mod connect;
mod error;
#[expect(
    missing_docs,
    unreachable_pub,
    unused_imports,
    clippy::pedantic,
    clippy::unwrap_used,
    reason = "generated; each `unwrap` is of a constant pattern of the contract"
)]
#[rustfmt::skip]
mod generated;
mod inner;
mod timestamp;
mod token;

pub use connect::InvalidAddress;
pub use error::{Error, RawError};
pub use generated::{Client, ClientInfo, ResponseValue, builder, types};
pub use inner::{Inner, Options};
pub use timestamp::Timestamp;
pub use token::{InvalidToken, Token};

/// Compiles the Rust code of the README as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
