//! Compares two OpenAPI 3.0 documents: what changed on the wire, in generated code and for readers, and who breaks.
//!
//! ```
//! use openapi_drift::{Document, Options, compare};
//!
//! let base = Document::parse(r#"{
//!     "openapi": "3.0.3",
//!     "info": { "title": "Things", "version": "1.0.0" },
//!     "paths": { "/thing": { "get": {
//!         "parameters": [{ "name": "limit", "in": "query", "schema": { "type": "integer", "maximum": 100 } }],
//!         "responses": { "200": { "description": "Things" } }
//!     } } }
//! }"#)?;
//! let revision = Document::parse(&base.value().to_string().replace("100", "50"))?;
//!
//! let findings = compare(&base, &revision, Options::default())?;
//! assert_eq!(findings.len(), 1);
//! assert_eq!(findings[0].rule, "schema-maximum-decreased");
//! assert!(findings[0].is_breaking());
//! assert_eq!(findings[0].base.position.line, 5);
//! assert_eq!(
//!     findings[0].to_string(),
//!     "GET /thing, query parameter limit: maximum went from 100 to 50 \
//!      [schema-maximum-decreased; wire; old clients break]"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is the same
//!
//! Documents are compared by what they say, not by how they say it. References are followed, recursive ones too;
//! `allOf`, `oneOf` and `anyOf` of one member are that member, and an `allOf` of several is all of them at once; a `oneOf` of
//! enumerations is one enumeration; parameters of a path and inherited security and servers count where they are used;
//! a default is the same said or unsaid; order counts only where it has a meaning; 1 is 1.0; headers have no case and
//! media types no parameters.
//!
//! ```
//! use openapi_drift::{Document, Options, compare};
//!
//! let with = |schema: &str, components: &str| Document::parse(&format!(r#"{{
//!     "openapi": "3.0.3", "info": {{ "title": "t", "version": "1.0.0" }},
//!     "paths": {{ "/a": {{ "post": {{
//!         "requestBody": {{ "content": {{ "application/json": {{ "schema": {schema} }} }} }},
//!         "responses": {{ "204": {{ "description": "Done" }} }}
//!     }} }} }},
//!     "components": {{ "schemas": {{ {components} }} }}
//! }}"#));
//! let inline = with(r#"{ "type": "string", "enum": ["on", "off"] }"#, "")?;
//! let spread = with(
//!     r##"{ "allOf": [{ "$ref": "#/components/schemas/Switch" }] }"##,
//!     r#""Switch": { "oneOf": [{ "type": "string", "enum": ["off"] }, { "type": "string", "enum": ["on"] }] }"#,
//! )?;
//! assert_eq!(compare(&inline, &spread, Options::default())?, []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is not skipped
//!
//! Nothing. Every field of OpenAPI 3.0.3 has its row in [`FIELDS`], with what its value must be and what a comparison does
//! with it. A field that the table does not have is one of [`Document::problems`].
//!
//! ```
//! use openapi_drift::Document;
//!
//! let document = Document::parse(r#"{
//!     "openapi": "3.0.3", "info": { "title": "t", "version": "1.0.0" }, "paths": {}, "webhooks": {}
//! }"#)?;
//! assert_eq!(document.problems()[0].pointer, "/webhooks");
//! assert_eq!(document.problems()[0].rule, "unknown-field");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who breaks
//!
//! [`Finding::request`] and [`Finding::response`] tell who breaks through what clients send and what servers send. A request
//! that may hold less breaks old clients, one that may hold more breaks old servers; with responses it is the other way
//! round. [`advise`] makes a version of it.
//!
//! ```
//! use openapi_drift::{Document, Options, advise, compare};
//!
//! let with = |required: &str| Document::parse(&format!(r#"{{
//!     "openapi": "3.0.3", "info": {{ "title": "t", "version": "1.4.0" }},
//!     "paths": {{ "/a": {{ "get": {{ "responses": {{ "200": {{ "description": "A", "content": {{ "application/json": {{
//!         "schema": {{ "type": "object", "required": [{required}], "properties": {{ "id": {{ "type": "string" }} }} }}
//!     }} }} }} }} }} }} }}
//! }}"#));
//! let (base, revision) = (with("\"id\"")?, with("")?);
//! let findings = compare(&base, &revision, Options::default())?;
//! assert_eq!(findings[0].rule, "property-became-optional");
//! assert!(findings[0].breaks().old_clients && !findings[0].breaks().old_servers);
//! assert_eq!(advise(&base, &revision, &findings).least.as_deref(), Some("2.0.0"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Rules have stable IDs, and so do fingerprints: [`Finding::fingerprint`] is that of rule, canonical place, before and after.
//!
//! # What it cannot tell
//!
//! - Patterns are compared as texts: that one takes all that another takes is told of none but those that take anything.
//! - Whole numbers beyond 64 bits, and digits beyond the seventeenth of a fraction, are gone when JSON has been read.
//! - A security scheme that only got another name is one requirement removed and one added.
//! - Alternatives without a name have their place in the list in their canonical place, so that another order of them gives
//!   other fingerprints, though no finding.
//! - Schemas that include one with a discriminator are found by their reference to it, alone or in an `allOf` of their own,
//!   not through a further wrapper.

#[cfg(feature = "cli")]
pub mod breaking;
mod compare;
mod document;
pub mod extensions;
mod fields;
mod finding;
mod lint;
mod node;
mod normal;
pub mod pointer;
mod position;
pub mod read;
#[cfg(feature = "cli")]
pub mod report;
pub mod rules;
mod shape;
pub mod validate;
mod value;
mod version;
mod walk;

pub use compare::{Options, TooComplex, compare};
pub use document::{Document, MAX_TEXT_BYTES, Problem};
pub use fields::{FIELDS, Field, METHODS, Object, Shape, Treatment, find};
pub use finding::{Breaks, Effect, Finding, Location};
pub use node::{MAX_REFERENCE_CHAIN, Node, Unresolved};
pub use pointer::push;
pub use position::Position;
pub use version::{Advice, Level, advise};
pub use walk::walk;
