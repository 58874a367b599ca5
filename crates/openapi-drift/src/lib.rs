//! Reads, lints and compares OpenAPI 3.0 documents: what changed on the wire, in generated code and in the documentation,
//! and who breaks.
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
//! # What counts as equal
//!
//! Documents are compared by their meaning, not by their text. References are followed, recursive ones too;
//! `allOf`, `oneOf` and `anyOf` of one member are that member, and an `allOf` of several is all of them at once; a `oneOf` of
//! enumerations is one enumeration; parameters of a path and inherited security and servers count where they are used;
//! an explicit default equals an absent field; order counts only where it has a meaning; 1 is 1.0; names of headers are
//! case-insensitive, and parameters of media types do not count.
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
//! # No field is skipped
//!
//! Every field of OpenAPI 3.0.3 has a row in [`FIELDS`], with the shape of its value and how a comparison treats it. A field
//! that the table does not have is one of [`Document::problems`]; other problems are found by [`Document::lint`].
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
//! [`Finding::request`] and [`Finding::response`] say who breaks by requests and by responses. A request with fewer allowed
//! values breaks old clients, one with more breaks old servers; for responses it is the other way round. [`advise`] derives
//! the version that the changes require.
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
//! Rules have stable IDs: [`RULES`](rules::RULES) lists them, and so do `openapi-drift rules` and `RULES.md`. A
//! [`Finding::fingerprint`] identifies a finding from release to release by its rule, canonical place, before and after.
//!
//! # Reading and validating
//!
//! [`Document::operations`] returns the operations with references followed, [`Document::operation_for`] the one that serves
//! a request, and [`Document::validator`] validates values against a schema.
//!
//! ```
//! use openapi_drift::Document;
//!
//! let document = Document::parse(r#"{
//!     "openapi": "3.0.3", "info": { "title": "t", "version": "1.0.0" },
//!     "paths": { "/things/{id}": { "get": { "responses": { "200": { "description": "A thing", "content": {
//!         "application/json": { "schema": { "type": "object", "required": ["id"] } }
//!     } } } } } }
//! }"#)?;
//! let operation = document.operation_for("GET", "/things/7").ok_or("no operation")?;
//! let response = operation.response_for(200).ok_or("no response")?;
//! let schema = response.content()[0].schema().ok_or("no schema")?;
//! let errors = document.validator(&schema.pointer)?.errors(&serde_json::json!({}));
//! assert_eq!(errors[0].keyword, format!("{}/required", schema.pointer));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! - Patterns are compared as texts: only those that match every text are known to match all that another matches.
//! - Whole numbers beyond 64 bits, and digits beyond the seventeenth of a fraction, are lost when JSON is parsed.
//! - A renamed security scheme is one requirement removed and one added.
//! - The canonical place of an alternative without a name has its index, so that another order results in other
//!   fingerprints, though not in a finding.
//! - Schemas that include one with a discriminator are found by a reference to it, alone or in their own `allOf`, but not
//!   through a further wrapper.

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
