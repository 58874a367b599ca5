//! Compares two OpenAPI 3.0 documents.

mod compare;
mod date;
mod document;
mod fields;
mod finding;
mod normal;
mod position;

pub use compare::{Options, TooComplex, compare};
pub use date::{Date, NotADate};
pub use document::{Document, Fault, LONGEST};
pub use fields::{FIELDS, Field, METHODS, Object, Shape, Treatment};
pub use finding::{At, Breaks, Effect, Finding};
pub use position::Position;
