//! Every rule: its ID, what it is about, and what it reports.
//!
//! An ID is written in full, here and where the rule is used, and is never assembled. The macro `rule!` looks it up when the
//! crate is compiled, so that an ID that is not listed does not compile.

use crate::fields::Object;
use crate::finding::Effect;

/// A rule of the comparison, of the linter, or of the program.
#[derive(Debug)]
pub struct Rule {
    /// The stable ID: `schema-max-length-decreased`. Ledgers, acceptances and fingerprints name it.
    pub id: &'static str,
    /// What it is about.
    pub kind: Kind,
    subject: Subject,
}

/// What a rule reports.
#[derive(Debug)]
enum Subject {
    /// What the sentence describes.
    Sentence(&'static str),
    /// A difference in this field, as a whole.
    Field(Object, &'static str),
    /// A difference in a bound of a schema.
    Bound(&'static str, Bound),
}

/// How a bound of a schema differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Added,
    Removed,
    Increased,
    Decreased,
    /// It now excludes itself, or includes itself.
    ExclusiveChanged,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A problem of one document.
    Problem,
    /// A difference between two documents, with the gravest effect that it has.
    Change(Effect),
    /// The acceptance of changes, and the version that reflects them.
    Policy,
}

impl Rule {
    /// What it reports, in one sentence.
    pub fn summary(&self) -> String {
        match self.subject {
            Subject::Sentence(summary) => summary.to_owned(),
            Subject::Field(object, field) => format!("the field `{field}` of a {object} object changed"),
            Subject::Bound(keyword, bound) => match bound {
                Bound::Added => format!("`{keyword}` was added"),
                Bound::Removed => format!("`{keyword}` was removed"),
                Bound::Increased => format!("`{keyword}` increased"),
                Bound::Decreased => format!("`{keyword}` decreased"),
                Bound::ExclusiveChanged => format!("`{keyword}` now excludes or includes itself"),
            },
        }
    }

    /// The word for the kind and effect: `problem`, `wire`, `generated-code`, `documentation` or `policy`.
    pub const fn word(&self) -> &'static str {
        match self.kind {
            Kind::Problem => "problem",
            Kind::Change(Effect::Wire) => "wire",
            Kind::Change(Effect::GeneratedCode) => "generated-code",
            Kind::Change(Effect::Documentation) => "documentation",
            Kind::Policy => "policy",
        }
    }
}

/// Two rules are the same if they have the same ID.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

const fn problem(id: &'static str, summary: &'static str) -> Rule {
    Rule { id, kind: Kind::Problem, subject: Subject::Sentence(summary) }
}

const fn policy(id: &'static str, summary: &'static str) -> Rule {
    Rule { id, kind: Kind::Policy, subject: Subject::Sentence(summary) }
}

const fn change(effect: Effect, id: &'static str, summary: &'static str) -> Rule {
    Rule { id, kind: Kind::Change(effect), subject: Subject::Sentence(summary) }
}

const fn field(object: Object, field: &'static str, effect: Effect, id: &'static str) -> Rule {
    Rule { id, kind: Kind::Change(effect), subject: Subject::Field(object, field) }
}

const fn bound(keyword: &'static str, bound: Bound, id: &'static str) -> Rule {
    Rule { id, kind: Kind::Change(Effect::Wire), subject: Subject::Bound(keyword, bound) }
}

/// The rule of an ID. In a constant, an ID that is not listed does not compile.
pub(crate) const fn get(id: &str) -> &'static Rule {
    let mut index = 0;
    while index < RULES.len() {
        if same(RULES[index].id.as_bytes(), id.as_bytes()) {
            return &RULES[index];
        }
        index += 1;
    }
    panic!("no rule has this ID; add it to RULES")
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// The rule of an ID, if one has it.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// The rule of an ID, looked up at compile time.
macro_rules! rule {
    ($id:literal) => {
        const { $crate::rules::get($id) }
    };
}
pub(crate) use rule;

/// The rule that compares a field as a whole.
pub(crate) fn of_field(object: Object, field: &str) -> &'static Rule {
    of(|subject| matches!(*subject, Subject::Field(of, name) if (of, name) == (object, field)))
}

/// The rule about a bound of a schema.
pub(crate) fn of_bound(keyword: &str, bound: Bound) -> &'static Rule {
    of(|subject| matches!(*subject, Subject::Bound(of, how) if (of, how) == (keyword, bound)))
}

fn of(is_subject: impl Fn(&Subject) -> bool) -> &'static Rule {
    // A test looks up every field and bound, so that this is never the fallback.
    RULES.iter().find(|rule| is_subject(&rule.subject)).unwrap_or(rule!("extension-changed"))
}

use Effect::{Documentation as D, GeneratedCode as G, Wire as W};
use Object as O;

/// Every rule: problems of a document, then differences between two, then policy.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    problem("too-long", "the text exceeds the largest size that is read"),
    problem("not-json", "the text is not JSON"),
    problem("not-openapi-3.0", "the document is not one of OpenAPI 3.0"),
    problem("duplicate-key", "an object has a key twice"),
    problem("unknown-field", "OpenAPI 3.0.3 does not have the field"),
    problem("wrong-kind", "a value is of another kind than the specification demands"),
    problem("unknown-word", "a string is not one of those that the specification lists"),
    problem("external-reference", "a reference points out of the document"),
    problem("long-reference", "a reference leads over too many others"),
    problem("unresolved-reference", "a reference is dangling or circular"),
    problem("ignored-sibling", "fields beside a `$ref` are ignored"),
    problem("missing-field", "a required field is missing"),
    problem("no-operation", "the document has no operation"),
    problem("operation-incomplete", "an operation lacks an ID, a summary, a tag, or a client or server error"),
    problem("tag-undeclared", "the document's tags do not list an operation's tag"),
    problem("no-response", "an operation has no response"),
    problem("duplicate-operation-id", "two operations have one ID"),
    problem("duplicate-path", "two paths differ only in the names of their parameters"),
    problem("meaningless-body", "a GET, HEAD or DELETE operation has a request body"),
    problem("duplicate-parameter", "two parameters have one name and location"),
    problem("unknown-path-parameter", "a path parameter is not in the path"),
    problem("missing-path-parameter", "the path names a parameter that is not declared"),
    problem("optional-path-parameter", "a path parameter is not required"),
    problem("ignored-header", "a header parameter is ignored, because another field describes it"),
    problem("impossible-style", "a parameter cannot have its style"),
    problem("misplaced-field", "a field has no effect where it is"),
    problem("schema-and-content", "a parameter has both schema and content"),
    problem("no-schema", "a value has no schema"),
    problem("many-contents", "the content of a parameter has not exactly one media type"),
    problem("two-examples", "two fields that give examples exclude each other"),
    problem("unknown-scheme", "security names a scheme that does not exist"),
    problem("unknown-scope", "security names a scope that its scheme does not have"),
    problem("array-without-items", "an array does not declare its items"),
    problem("empty-range", "bounds exclude every value"),
    problem("empty-list", "a list of a schema is empty"),
    problem("duplicate-item", "a list of a schema has an item twice"),
    problem("read-and-write-only", "a property is both readOnly and writeOnly"),
    problem("required-undeclared", "a required name is not a property"),
    problem("unknown-format", "values are not validated against the format"),
    problem("circular-schema", "a schema is part of itself"),
    problem("schema-invalid", "a schema cannot be compiled"),
    problem("example-invalid", "an example, default or allowed value violates its schema"),
    problem("unused", "nothing uses a component or a tag"),
    problem("malformed-extension", "a known extension has a value of the wrong form"),
    problem("misplaced-extension", "a known extension is in an object that it does not apply to"),
    change(W, "reference-unresolved", "a reference can be resolved in one document only"),
    change(W, "faulty-place-changed", "a value that is not OpenAPI 3.0.3 changed"),
    change(D, "document-servers-changed", "the document's servers changed, and no operation inherits them"),
    change(D, "document-security-changed", "the document's security changed, and no operation inherits it"),
    change(G, "component-added", "a component that nothing uses was added"),
    change(G, "component-removed", "a component that nothing uses was removed"),
    change(G, "extension-changed", "an extension field changed"),
    change(W, "sunset-moved-earlier", "the date of an announced removal moved to an earlier day"),
    change(W, "required-scope-added", "an operation now requires a scope"),
    change(W, "required-scope-removed", "an operation no longer requires a scope"),
    change(W, "required-scope-changed", "an operation requires another scope"),
    change(W, "property-scope-added", "a property of a request body now requires a further scope"),
    change(W, "property-scope-removed", "a property of a request body no longer requires a further scope"),
    change(W, "property-scope-changed", "a property of a request body requires another further scope"),
    change(W, "authenticated-session-required", "an operation now requires an authenticated session"),
    change(W, "authenticated-session-not-required", "an operation no longer requires an authenticated session"),
    change(W, "max-body-bytes-added", "the size of a request body is now limited"),
    change(W, "max-body-bytes-removed", "the size of a request body is no longer limited"),
    change(W, "max-body-bytes-decreased", "the largest size of a request body decreased"),
    change(W, "max-body-bytes-increased", "the largest size of a request body increased"),
    change(W, "error-codes-added", "the error codes of a response are now listed"),
    change(W, "error-codes-removed", "the error codes of a response are no longer listed"),
    change(W, "error-code-added", "a response may have another error code"),
    change(W, "error-code-removed", "a response no longer has an error code"),
    change(D, "path-added", "a path without operations was added"),
    change(D, "path-removed", "a path without operations was removed"),
    change(W, "path-item-sibling-changed", "a field beside the `$ref` of a path item changed"),
    change(W, "operation-added", "an operation was added"),
    change(W, "operation-removed", "an operation was removed"),
    change(W, "callback-added", "a callback was added"),
    change(W, "callback-removed", "a callback was removed"),
    change(W, "callback-expression-added", "an expression of a callback was added"),
    change(W, "callback-expression-removed", "an expression of a callback was removed"),
    change(D, "ignored-parameter-changed", "a header parameter changed that is ignored"),
    change(G, "path-parameter-renamed", "a path parameter has another name"),
    change(W, "parameter-removed", "a parameter was removed"),
    change(W, "required-parameter-added", "a required parameter was added"),
    change(W, "optional-parameter-added", "an optional parameter was added"),
    change(W, "parameter-became-required", "a parameter became required"),
    change(W, "parameter-became-optional", "a parameter became optional"),
    change(W, "parameter-serialization-changed", "a parameter changed between schema and content"),
    change(W, "header-removed", "a header was removed"),
    change(W, "required-header-added", "a required header was added"),
    change(W, "optional-header-added", "an optional header was added"),
    change(W, "header-became-required", "a header became required"),
    change(W, "header-became-optional", "a header became optional"),
    change(W, "header-serialization-changed", "a header changed between schema and content"),
    change(W, "request-body-removed", "the request body was removed"),
    change(W, "required-request-body-added", "a required request body was added"),
    change(W, "optional-request-body-added", "an optional request body was added"),
    change(W, "request-body-became-required", "the request body became required"),
    change(W, "request-body-became-optional", "the request body became optional"),
    change(W, "media-type-added", "a media type was added"),
    change(W, "media-type-removed", "a media type was removed"),
    change(W, "media-type-generalized", "a media type was replaced by one that includes it"),
    change(W, "media-type-specialized", "a media type was replaced by one that it includes"),
    change(W, "encoding-changed", "the encoding of a property was added or removed"),
    change(W, "response-success-added", "a status that is not an error was added"),
    change(W, "response-success-removed", "a status that is not an error was removed"),
    change(W, "response-error-added", "an error status was added"),
    change(W, "response-error-removed", "an error status was removed"),
    change(W, "response-status-generalized", "a status is now described by a range or the default"),
    change(W, "response-status-specialized", "a status is now described by itself"),
    change(G, "link-added", "a link was added"),
    change(G, "link-removed", "a link was removed"),
    change(W, "security-requirement-added", "other credentials are now accepted"),
    change(W, "security-requirement-removed", "credentials are no longer accepted"),
    change(W, "security-scope-added", "credentials now need another scope"),
    change(W, "security-scope-removed", "credentials need a scope less"),
    change(G, "security-reworded", "security is written in another way and accepts the same credentials"),
    change(G, "security-scheme-added", "a security scheme was added"),
    change(G, "security-scheme-removed", "a security scheme was removed"),
    change(W, "oauth-flow-added", "an OAuth flow was added"),
    change(W, "oauth-flow-removed", "an OAuth flow was removed"),
    change(W, "oauth-scope-added", "an OAuth scope was added"),
    change(W, "oauth-scope-removed", "an OAuth scope was removed"),
    change(D, "oauth-scope-description-changed", "the description of an OAuth scope changed"),
    change(W, "server-added", "a server was added"),
    change(W, "server-removed", "a server was removed"),
    change(W, "server-variable-changed", "a server variable was added or removed"),
    change(W, "server-variable-default-changed", "the default of a server variable changed"),
    change(W, "server-variable-enum-changed", "the values of a server variable became listed or unlisted"),
    change(W, "server-variable-value-added", "a server variable may have another value"),
    change(W, "server-variable-value-removed", "a server variable no longer has a value"),
    change(G, "schema-renamed", "a schema is referred to by another name"),
    change(W, "schema-type-added", "a type was added where any was allowed"),
    change(W, "schema-type-removed", "the type was removed"),
    change(W, "schema-type-changed", "the type changed"),
    change(W, "schema-type-widened", "the type changed to one that includes it"),
    change(W, "schema-type-narrowed", "the type changed to one that it includes"),
    change(W, "schema-became-nullable", "null is now allowed"),
    change(W, "schema-became-not-nullable", "null is no longer allowed"),
    change(W, "schema-nullable-changed", "`nullable` changed where it has no effect"),
    change(W, "schema-enum-added", "the allowed values are now listed"),
    change(W, "schema-enum-removed", "the allowed values are no longer listed"),
    change(W, "schema-enum-value-added", "another value is allowed"),
    change(W, "schema-enum-value-removed", "a value is no longer allowed"),
    change(W, "schema-format-added", "`format` was added"),
    change(W, "schema-format-removed", "`format` was removed"),
    change(W, "schema-format-changed", "`format` changed"),
    change(W, "schema-pattern-added", "`pattern` was added"),
    change(W, "schema-pattern-removed", "`pattern` was removed"),
    change(W, "schema-pattern-changed", "`pattern` changed"),
    change(W, "schema-multiple-of-added", "`multipleOf` was added"),
    change(W, "schema-multiple-of-removed", "`multipleOf` was removed"),
    change(W, "schema-multiple-of-changed", "`multipleOf` changed"),
    bound("minLength", Bound::Added, "schema-min-length-added"),
    bound("minLength", Bound::Removed, "schema-min-length-removed"),
    bound("minLength", Bound::Increased, "schema-min-length-increased"),
    bound("minLength", Bound::Decreased, "schema-min-length-decreased"),
    bound("maxLength", Bound::Added, "schema-max-length-added"),
    bound("maxLength", Bound::Removed, "schema-max-length-removed"),
    bound("maxLength", Bound::Increased, "schema-max-length-increased"),
    bound("maxLength", Bound::Decreased, "schema-max-length-decreased"),
    bound("minItems", Bound::Added, "schema-min-items-added"),
    bound("minItems", Bound::Removed, "schema-min-items-removed"),
    bound("minItems", Bound::Increased, "schema-min-items-increased"),
    bound("minItems", Bound::Decreased, "schema-min-items-decreased"),
    bound("maxItems", Bound::Added, "schema-max-items-added"),
    bound("maxItems", Bound::Removed, "schema-max-items-removed"),
    bound("maxItems", Bound::Increased, "schema-max-items-increased"),
    bound("maxItems", Bound::Decreased, "schema-max-items-decreased"),
    bound("minProperties", Bound::Added, "schema-min-properties-added"),
    bound("minProperties", Bound::Removed, "schema-min-properties-removed"),
    bound("minProperties", Bound::Increased, "schema-min-properties-increased"),
    bound("minProperties", Bound::Decreased, "schema-min-properties-decreased"),
    bound("maxProperties", Bound::Added, "schema-max-properties-added"),
    bound("maxProperties", Bound::Removed, "schema-max-properties-removed"),
    bound("maxProperties", Bound::Increased, "schema-max-properties-increased"),
    bound("maxProperties", Bound::Decreased, "schema-max-properties-decreased"),
    bound("minimum", Bound::Added, "schema-minimum-added"),
    bound("minimum", Bound::Removed, "schema-minimum-removed"),
    bound("minimum", Bound::Increased, "schema-minimum-increased"),
    bound("minimum", Bound::Decreased, "schema-minimum-decreased"),
    bound("minimum", Bound::ExclusiveChanged, "schema-minimum-exclusive-changed"),
    bound("maximum", Bound::Added, "schema-maximum-added"),
    bound("maximum", Bound::Removed, "schema-maximum-removed"),
    bound("maximum", Bound::Increased, "schema-maximum-increased"),
    bound("maximum", Bound::Decreased, "schema-maximum-decreased"),
    bound("maximum", Bound::ExclusiveChanged, "schema-maximum-exclusive-changed"),
    change(W, "schema-unique-items-added", "items must now be unique"),
    change(W, "schema-unique-items-removed", "items need no longer be unique"),
    change(W, "schema-not-added", "a `not` was added"),
    change(W, "schema-not-removed", "a `not` was removed"),
    change(W, "schema-closed", "unlisted properties are no longer allowed"),
    change(W, "schema-opened", "unlisted properties are now allowed"),
    change(W, "required-name-undeclared", "a required name that is not a property was added or removed"),
    change(W, "property-became-required", "a property became required"),
    change(W, "property-became-optional", "a property became optional"),
    change(W, "required-property-added", "a required property was added"),
    change(W, "required-property-removed", "a required property was removed"),
    change(W, "optional-property-added", "an optional property was added"),
    change(W, "optional-property-removed", "an optional property was removed"),
    change(W, "property-became-read-only", "a property is no longer sent in requests"),
    change(W, "property-became-not-read-only", "a property is now sent in requests"),
    change(W, "property-became-write-only", "a property is no longer in responses"),
    change(W, "property-became-not-write-only", "a property is now in responses"),
    change(W, "schema-wrapped-in-one-of", "a schema became one of the alternatives of a `oneOf`"),
    change(W, "schema-wrapped-in-any-of", "a schema became one of the alternatives of an `anyOf`"),
    change(W, "schema-unwrapped-from-one-of", "a `oneOf` was replaced by one schema"),
    change(W, "schema-unwrapped-from-any-of", "an `anyOf` was replaced by one schema"),
    change(W, "schema-one-of-added", "a `oneOf` was added"),
    change(W, "schema-one-of-removed", "a `oneOf` was removed"),
    change(W, "schema-any-of-added", "an `anyOf` was added"),
    change(W, "schema-any-of-removed", "an `anyOf` was removed"),
    change(W, "schema-one-of-member-added", "an alternative of a `oneOf` was added"),
    change(W, "schema-one-of-member-removed", "an alternative of a `oneOf` was removed"),
    change(W, "schema-any-of-member-added", "an alternative of an `anyOf` was added"),
    change(W, "schema-any-of-member-removed", "an alternative of an `anyOf` was removed"),
    change(W, "schema-alternatives-changed", "a `oneOf` became an `anyOf`, or an `anyOf` a `oneOf`"),
    change(W, "schema-discriminator-added", "a discriminator was added"),
    change(W, "schema-discriminator-removed", "a discriminator was removed"),
    change(W, "schema-discriminator-property-changed", "a discriminator has another property"),
    change(W, "schema-discriminator-mapping-added", "a discriminator has another value"),
    change(W, "schema-discriminator-mapping-removed", "a discriminator no longer has a value"),
    change(W, "schema-discriminator-mapping-changed", "a value of a discriminator means another schema"),
    field(O::OpenApi, "openapi", D, "document-openapi-changed"),
    field(O::OpenApi, "tags", D, "document-tags-changed"),
    field(O::OpenApi, "externalDocs", D, "document-external-docs-changed"),
    field(O::Info, "title", D, "info-title-changed"),
    field(O::Info, "description", D, "info-description-changed"),
    field(O::Info, "termsOfService", D, "info-terms-of-service-changed"),
    field(O::Info, "contact", D, "info-contact-changed"),
    field(O::Info, "license", D, "info-license-changed"),
    field(O::Info, "version", D, "info-version-changed"),
    field(O::PathItem, "summary", D, "path-item-summary-changed"),
    field(O::PathItem, "description", D, "path-item-description-changed"),
    field(O::Operation, "tags", G, "operation-tags-changed"),
    field(O::Operation, "summary", D, "operation-summary-changed"),
    field(O::Operation, "description", D, "operation-description-changed"),
    field(O::Operation, "externalDocs", D, "operation-external-docs-changed"),
    field(O::Operation, "operationId", G, "operation-operation-id-changed"),
    field(O::Operation, "deprecated", D, "operation-deprecated-changed"),
    field(O::Parameter, "description", D, "parameter-description-changed"),
    field(O::Parameter, "deprecated", D, "parameter-deprecated-changed"),
    field(O::Parameter, "example", D, "parameter-example-changed"),
    field(O::Parameter, "examples", D, "parameter-examples-changed"),
    field(O::Parameter, "allowEmptyValue", W, "parameter-allow-empty-value-changed"),
    field(O::Parameter, "allowReserved", W, "parameter-allow-reserved-changed"),
    field(O::Parameter, "style", W, "parameter-style-changed"),
    field(O::Parameter, "explode", W, "parameter-explode-changed"),
    field(O::Parameter, "in", W, "parameter-in-changed"),
    field(O::Parameter, "name", W, "parameter-name-changed"),
    field(O::Header, "description", D, "header-description-changed"),
    field(O::Header, "deprecated", D, "header-deprecated-changed"),
    field(O::Header, "example", D, "header-example-changed"),
    field(O::Header, "examples", D, "header-examples-changed"),
    field(O::Header, "allowEmptyValue", W, "header-allow-empty-value-changed"),
    field(O::Header, "allowReserved", W, "header-allow-reserved-changed"),
    field(O::Header, "style", W, "header-style-changed"),
    field(O::Header, "explode", W, "header-explode-changed"),
    field(O::RequestBody, "description", D, "request-body-description-changed"),
    field(O::MediaType, "example", D, "media-type-example-changed"),
    field(O::MediaType, "examples", D, "media-type-examples-changed"),
    field(O::Encoding, "contentType", W, "encoding-content-type-changed"),
    field(O::Encoding, "style", W, "encoding-style-changed"),
    field(O::Encoding, "explode", W, "encoding-explode-changed"),
    field(O::Encoding, "allowReserved", W, "encoding-allow-reserved-changed"),
    field(O::Response, "description", D, "response-description-changed"),
    field(O::Link, "operationRef", G, "link-operation-ref-changed"),
    field(O::Link, "operationId", G, "link-operation-id-changed"),
    field(O::Link, "parameters", G, "link-parameters-changed"),
    field(O::Link, "requestBody", G, "link-request-body-changed"),
    field(O::Link, "description", D, "link-description-changed"),
    field(O::Link, "server", G, "link-server-changed"),
    field(O::Example, "summary", D, "example-summary-changed"),
    field(O::Example, "description", D, "example-description-changed"),
    field(O::Example, "value", D, "example-value-changed"),
    field(O::Example, "externalValue", D, "example-external-value-changed"),
    field(O::SecurityScheme, "description", D, "security-scheme-description-changed"),
    field(O::SecurityScheme, "bearerFormat", D, "security-scheme-bearer-format-changed"),
    field(O::SecurityScheme, "type", W, "security-scheme-type-changed"),
    field(O::SecurityScheme, "name", W, "security-scheme-name-changed"),
    field(O::SecurityScheme, "in", W, "security-scheme-in-changed"),
    field(O::SecurityScheme, "scheme", W, "security-scheme-scheme-changed"),
    field(O::SecurityScheme, "openIdConnectUrl", W, "security-scheme-open-id-connect-url-changed"),
    field(O::OAuthFlow, "authorizationUrl", W, "oauth-flow-authorization-url-changed"),
    field(O::OAuthFlow, "tokenUrl", W, "oauth-flow-token-url-changed"),
    field(O::OAuthFlow, "refreshUrl", W, "oauth-flow-refresh-url-changed"),
    field(O::Server, "description", D, "server-description-changed"),
    field(O::ServerVariable, "description", D, "server-variable-description-changed"),
    field(O::Schema, "title", D, "schema-title-changed"),
    field(O::Schema, "description", D, "schema-description-changed"),
    field(O::Schema, "externalDocs", D, "schema-external-docs-changed"),
    field(O::Schema, "example", D, "schema-example-changed"),
    field(O::Schema, "deprecated", D, "schema-deprecated-changed"),
    field(O::Schema, "readOnly", G, "schema-read-only-changed"),
    field(O::Schema, "writeOnly", G, "schema-write-only-changed"),
    field(O::Schema, "default", W, "schema-default-changed"),
    field(O::Xml, "name", W, "schema-xml-name-changed"),
    field(O::Xml, "namespace", W, "schema-xml-namespace-changed"),
    field(O::Xml, "prefix", W, "schema-xml-prefix-changed"),
    field(O::Xml, "attribute", W, "schema-xml-attribute-changed"),
    field(O::Xml, "wrapped", W, "schema-xml-wrapped-changed"),
    policy("acceptance-without-reason", "an acceptance has no reason"),
    policy("acceptance-without-end", "an acceptance has no valid date on which it expires"),
    policy("acceptance-expired", "an acceptance has expired"),
    policy("acceptance-unused", "no breaking change has the fingerprint of an acceptance"),
    policy("version-too-low", "`info.version` does not reflect the changes"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The text of every source file but this one and tests.
    fn sources(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.file_name().is_some_and(|name| name != "rules.rs" && name != "tests.rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                text.push_str(source.split("#[cfg(test)]").next().unwrap());
            }
        }
    }

    #[test]
    fn each_rule_is_used_and_each_id_is_that_of_one_rule() {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        let mut ids = BTreeSet::new();
        for rule in RULES {
            assert!(ids.insert(rule.id), "{} is listed twice", rule.id);
            let used = match rule.subject {
                Subject::Field(object, name) => {
                    crate::fields::find(object, name).is_some() && of_field(object, name) == rule
                }
                Subject::Bound(keyword, bound) => {
                    let of = crate::fields::find(Object::Schema, keyword).is_some();
                    of && of_bound(keyword, bound) == rule
                }
                Subject::Sentence(_) => text.contains(&format!("rule!(\"{}\")", rule.id)),
            };
            assert!(used, "no code uses {}; remove it", rule.id);
            assert!(rule.summary().len() > 10 && !rule.summary().ends_with('.'), "{}", rule.summary());
        }
    }

    #[test]
    fn each_field_off_the_wire_and_each_bound_has_a_rule() {
        use crate::fields::{FIELDS, Treatment};

        // These are compared as a whole by the field that contains them.
        let contained = [O::Contact, O::License, O::ExternalDocs, O::Tag];
        for field in FIELDS.iter().filter(|field| !contained.contains(&field.object)) {
            if matches!(field.treatment, Treatment::Documentation | Treatment::GeneratedCode) {
                let own = of_field(field.object, field.name).id != "extension-changed";
                assert!(own, "no rule compares {} of {}", field.name, field.object);
            }
        }
        for keyword in ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"] {
            for bound in [Bound::Added, Bound::Removed, Bound::Increased, Bound::Decreased] {
                assert_ne!(of_bound(keyword, bound).id, "extension-changed", "{keyword} {bound:?}");
            }
        }
        for keyword in ["minimum", "maximum"] {
            assert_ne!(of_bound(keyword, Bound::ExclusiveChanged).id, "extension-changed");
        }
    }
}
