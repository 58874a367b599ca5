//! Every field of the `OpenAPI` Specification 3.0.3, the shape of its value, and how a comparison treats it.
//!
//! Parsing, linting and comparing all use this one table, so that a field that it does not have is an error and never
//! skipped.

/// An object of the specification. In messages: `path-item`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Object {
    /// `OpenAPI` Object, the document itself.
    #[strum(to_string = "document")]
    OpenApi,
    /// Info Object.
    Info,
    /// Contact Object.
    Contact,
    /// License Object.
    License,
    /// Server Object.
    Server,
    /// Server Variable Object.
    ServerVariable,
    /// Components Object.
    Components,
    /// Paths Object.
    Paths,
    /// Path Item Object.
    PathItem,
    /// Operation Object.
    Operation,
    /// External Documentation Object.
    ExternalDocs,
    /// Parameter Object.
    Parameter,
    /// Request Body Object.
    RequestBody,
    /// Media Type Object.
    MediaType,
    /// Encoding Object.
    Encoding,
    /// Responses Object.
    Responses,
    /// Response Object.
    Response,
    /// Callback Object.
    Callback,
    /// Example Object.
    Example,
    /// Link Object.
    Link,
    /// Header Object.
    Header,
    /// Tag Object.
    Tag,
    /// Schema Object.
    Schema,
    /// Discriminator Object.
    Discriminator,
    /// XML Object.
    Xml,
    /// Security Scheme Object.
    SecurityScheme,
    /// OAuth Flows Object.
    #[strum(to_string = "oauth-flows")]
    OAuthFlows,
    /// OAuth Flow Object.
    #[strum(to_string = "oauth-flow")]
    OAuthFlow,
    /// Security Requirement Object.
    SecurityRequirement,
}

impl Object {
    /// Whether the specification lets the object carry `x-` extensions.
    pub const fn extensible(self) -> bool {
        !matches!(self, Self::Discriminator | Self::SecurityRequirement)
    }

    /// Whether a Reference Object may replace the object.
    pub const fn referable(self) -> bool {
        matches!(
            self,
            Self::Schema
                | Self::Response
                | Self::Parameter
                | Self::Example
                | Self::RequestBody
                | Self::Header
                | Self::SecurityScheme
                | Self::Link
                | Self::Callback
        )
    }

    /// The shape of each member, if the author of the document chooses the keys.
    pub const fn names(self) -> Option<Shape> {
        match self {
            Self::Paths | Self::Callback => Some(Shape::One(Self::PathItem)),
            Self::Responses => Some(Shape::One(Self::Response)),
            Self::SecurityRequirement => Some(Shape::Texts),
            _ => None,
        }
    }
}

/// The shape of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// A string that is one of these.
    Word(&'static [&'static str]),
    /// A boolean.
    Flag,
    /// A number.
    Number,
    /// A number above zero.
    Positive,
    /// A whole number, zero or above.
    Count,
    /// Any JSON value.
    Any,
    /// Any JSON values.
    Values,
    /// A list of strings.
    Texts,
    /// An object of strings.
    TextMap,
    /// An object of any values.
    AnyMap,
    /// This object.
    One(Object),
    /// A list of this object.
    List(Object),
    /// An object of which each member is this object.
    Map(Object),
    /// `true`, `false`, or a schema.
    FlagOrSchema,
}

/// How a comparison treats a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It is for people: a difference affects documentation.
    Documentation,
    /// It is for generators: a difference affects generated code.
    GeneratedCode,
    /// It describes requests and responses, and has rules of its own.
    Wire,
    /// It has no meaning by itself: it is compared where it is used.
    WhereUsed,
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The object that has it.
    pub object: Object,
    /// Its name.
    pub name: &'static str,
    /// The shape of its value.
    pub shape: Shape,
    /// Whether the specification requires it.
    pub required: bool,
    /// How a comparison treats it.
    pub treatment: Treatment,
}

const fn field(object: Object, name: &'static str, shape: Shape, treatment: Treatment) -> Field {
    Field { object, name, shape, required: false, treatment }
}

const fn required(object: Object, name: &'static str, shape: Shape, treatment: Treatment) -> Field {
    Field { object, name, shape, required: true, treatment }
}

/// The methods of a path item.
pub const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

use Object as O;
use Shape as S;
use Treatment as T;

/// The table: every fixed field of every object, in the order of the specification.
pub const FIELDS: &[Field] = &[
    required(O::OpenApi, "openapi", S::Text, T::Documentation),
    required(O::OpenApi, "info", S::One(O::Info), T::WhereUsed),
    field(O::OpenApi, "servers", S::List(O::Server), T::WhereUsed),
    required(O::OpenApi, "paths", S::One(O::Paths), T::WhereUsed),
    field(O::OpenApi, "components", S::One(O::Components), T::WhereUsed),
    field(O::OpenApi, "security", S::List(O::SecurityRequirement), T::WhereUsed),
    field(O::OpenApi, "tags", S::List(O::Tag), T::Documentation),
    field(O::OpenApi, "externalDocs", S::One(O::ExternalDocs), T::Documentation),
    required(O::Info, "title", S::Text, T::Documentation),
    field(O::Info, "description", S::Text, T::Documentation),
    field(O::Info, "termsOfService", S::Text, T::Documentation),
    field(O::Info, "contact", S::One(O::Contact), T::Documentation),
    field(O::Info, "license", S::One(O::License), T::Documentation),
    required(O::Info, "version", S::Text, T::Documentation),
    field(O::Contact, "name", S::Text, T::Documentation),
    field(O::Contact, "url", S::Text, T::Documentation),
    field(O::Contact, "email", S::Text, T::Documentation),
    required(O::License, "name", S::Text, T::Documentation),
    field(O::License, "url", S::Text, T::Documentation),
    required(O::Server, "url", S::Text, T::Wire),
    field(O::Server, "description", S::Text, T::Documentation),
    field(O::Server, "variables", S::Map(O::ServerVariable), T::Wire),
    field(O::ServerVariable, "enum", S::Texts, T::Wire),
    required(O::ServerVariable, "default", S::Text, T::Wire),
    field(O::ServerVariable, "description", S::Text, T::Documentation),
    field(O::Components, "schemas", S::Map(O::Schema), T::WhereUsed),
    field(O::Components, "responses", S::Map(O::Response), T::WhereUsed),
    field(O::Components, "parameters", S::Map(O::Parameter), T::WhereUsed),
    field(O::Components, "examples", S::Map(O::Example), T::WhereUsed),
    field(O::Components, "requestBodies", S::Map(O::RequestBody), T::WhereUsed),
    field(O::Components, "headers", S::Map(O::Header), T::WhereUsed),
    field(O::Components, "securitySchemes", S::Map(O::SecurityScheme), T::WhereUsed),
    field(O::Components, "links", S::Map(O::Link), T::WhereUsed),
    field(O::Components, "callbacks", S::Map(O::Callback), T::WhereUsed),
    field(O::PathItem, "$ref", S::Text, T::WhereUsed),
    field(O::PathItem, "summary", S::Text, T::Documentation),
    field(O::PathItem, "description", S::Text, T::Documentation),
    field(O::PathItem, "get", S::One(O::Operation), T::Wire),
    field(O::PathItem, "put", S::One(O::Operation), T::Wire),
    field(O::PathItem, "post", S::One(O::Operation), T::Wire),
    field(O::PathItem, "delete", S::One(O::Operation), T::Wire),
    field(O::PathItem, "options", S::One(O::Operation), T::Wire),
    field(O::PathItem, "head", S::One(O::Operation), T::Wire),
    field(O::PathItem, "patch", S::One(O::Operation), T::Wire),
    field(O::PathItem, "trace", S::One(O::Operation), T::Wire),
    field(O::PathItem, "servers", S::List(O::Server), T::WhereUsed),
    field(O::PathItem, "parameters", S::List(O::Parameter), T::WhereUsed),
    field(O::Operation, "tags", S::Texts, T::GeneratedCode),
    field(O::Operation, "summary", S::Text, T::Documentation),
    field(O::Operation, "description", S::Text, T::Documentation),
    field(O::Operation, "externalDocs", S::One(O::ExternalDocs), T::Documentation),
    field(O::Operation, "operationId", S::Text, T::GeneratedCode),
    field(O::Operation, "parameters", S::List(O::Parameter), T::Wire),
    field(O::Operation, "requestBody", S::One(O::RequestBody), T::Wire),
    required(O::Operation, "responses", S::One(O::Responses), T::Wire),
    field(O::Operation, "callbacks", S::Map(O::Callback), T::Wire),
    field(O::Operation, "deprecated", S::Flag, T::Documentation),
    field(O::Operation, "security", S::List(O::SecurityRequirement), T::Wire),
    field(O::Operation, "servers", S::List(O::Server), T::Wire),
    field(O::ExternalDocs, "description", S::Text, T::Documentation),
    required(O::ExternalDocs, "url", S::Text, T::Documentation),
    required(O::Parameter, "name", S::Text, T::Wire),
    required(O::Parameter, "in", S::Word(&["query", "header", "path", "cookie"]), T::Wire),
    field(O::Parameter, "description", S::Text, T::Documentation),
    field(O::Parameter, "required", S::Flag, T::Wire),
    field(O::Parameter, "deprecated", S::Flag, T::Documentation),
    field(O::Parameter, "allowEmptyValue", S::Flag, T::Wire),
    field(O::Parameter, "style", S::Word(STYLES), T::Wire),
    field(O::Parameter, "explode", S::Flag, T::Wire),
    field(O::Parameter, "allowReserved", S::Flag, T::Wire),
    field(O::Parameter, "schema", S::One(O::Schema), T::Wire),
    field(O::Parameter, "example", S::Any, T::Documentation),
    field(O::Parameter, "examples", S::Map(O::Example), T::Documentation),
    field(O::Parameter, "content", S::Map(O::MediaType), T::Wire),
    field(O::RequestBody, "description", S::Text, T::Documentation),
    required(O::RequestBody, "content", S::Map(O::MediaType), T::Wire),
    field(O::RequestBody, "required", S::Flag, T::Wire),
    field(O::MediaType, "schema", S::One(O::Schema), T::Wire),
    field(O::MediaType, "example", S::Any, T::Documentation),
    field(O::MediaType, "examples", S::Map(O::Example), T::Documentation),
    field(O::MediaType, "encoding", S::Map(O::Encoding), T::Wire),
    field(O::Encoding, "contentType", S::Text, T::Wire),
    field(O::Encoding, "headers", S::Map(O::Header), T::Wire),
    field(O::Encoding, "style", S::Word(STYLES), T::Wire),
    field(O::Encoding, "explode", S::Flag, T::Wire),
    field(O::Encoding, "allowReserved", S::Flag, T::Wire),
    field(O::Responses, "default", S::One(O::Response), T::Wire),
    required(O::Response, "description", S::Text, T::Documentation),
    field(O::Response, "headers", S::Map(O::Header), T::Wire),
    field(O::Response, "content", S::Map(O::MediaType), T::Wire),
    field(O::Response, "links", S::Map(O::Link), T::Wire),
    field(O::Example, "summary", S::Text, T::Documentation),
    field(O::Example, "description", S::Text, T::Documentation),
    field(O::Example, "value", S::Any, T::Documentation),
    field(O::Example, "externalValue", S::Text, T::Documentation),
    field(O::Link, "operationRef", S::Text, T::GeneratedCode),
    field(O::Link, "operationId", S::Text, T::GeneratedCode),
    field(O::Link, "parameters", S::AnyMap, T::GeneratedCode),
    field(O::Link, "requestBody", S::Any, T::GeneratedCode),
    field(O::Link, "description", S::Text, T::Documentation),
    field(O::Link, "server", S::One(O::Server), T::GeneratedCode),
    field(O::Header, "description", S::Text, T::Documentation),
    field(O::Header, "required", S::Flag, T::Wire),
    field(O::Header, "deprecated", S::Flag, T::Documentation),
    field(O::Header, "allowEmptyValue", S::Flag, T::Wire),
    field(O::Header, "style", S::Word(&["simple"]), T::Wire),
    field(O::Header, "explode", S::Flag, T::Wire),
    field(O::Header, "allowReserved", S::Flag, T::Wire),
    field(O::Header, "schema", S::One(O::Schema), T::Wire),
    field(O::Header, "example", S::Any, T::Documentation),
    field(O::Header, "examples", S::Map(O::Example), T::Documentation),
    field(O::Header, "content", S::Map(O::MediaType), T::Wire),
    required(O::Tag, "name", S::Text, T::Documentation),
    field(O::Tag, "description", S::Text, T::Documentation),
    field(O::Tag, "externalDocs", S::One(O::ExternalDocs), T::Documentation),
    field(O::Schema, "title", S::Text, T::Documentation),
    field(O::Schema, "multipleOf", S::Positive, T::Wire),
    field(O::Schema, "maximum", S::Number, T::Wire),
    field(O::Schema, "exclusiveMaximum", S::Flag, T::Wire),
    field(O::Schema, "minimum", S::Number, T::Wire),
    field(O::Schema, "exclusiveMinimum", S::Flag, T::Wire),
    field(O::Schema, "maxLength", S::Count, T::Wire),
    field(O::Schema, "minLength", S::Count, T::Wire),
    field(O::Schema, "pattern", S::Text, T::Wire),
    field(O::Schema, "maxItems", S::Count, T::Wire),
    field(O::Schema, "minItems", S::Count, T::Wire),
    field(O::Schema, "uniqueItems", S::Flag, T::Wire),
    field(O::Schema, "maxProperties", S::Count, T::Wire),
    field(O::Schema, "minProperties", S::Count, T::Wire),
    field(O::Schema, "required", S::Texts, T::Wire),
    field(O::Schema, "enum", S::Values, T::Wire),
    field(O::Schema, "type", S::Word(TYPES), T::Wire),
    field(O::Schema, "allOf", S::List(O::Schema), T::Wire),
    field(O::Schema, "oneOf", S::List(O::Schema), T::Wire),
    field(O::Schema, "anyOf", S::List(O::Schema), T::Wire),
    field(O::Schema, "not", S::One(O::Schema), T::Wire),
    field(O::Schema, "items", S::One(O::Schema), T::Wire),
    field(O::Schema, "properties", S::Map(O::Schema), T::Wire),
    field(O::Schema, "additionalProperties", S::FlagOrSchema, T::Wire),
    field(O::Schema, "description", S::Text, T::Documentation),
    field(O::Schema, "format", S::Text, T::Wire),
    field(O::Schema, "default", S::Any, T::Wire),
    field(O::Schema, "nullable", S::Flag, T::Wire),
    field(O::Schema, "discriminator", S::One(O::Discriminator), T::Wire),
    field(O::Schema, "readOnly", S::Flag, T::Wire),
    field(O::Schema, "writeOnly", S::Flag, T::Wire),
    field(O::Schema, "xml", S::One(O::Xml), T::Wire),
    field(O::Schema, "externalDocs", S::One(O::ExternalDocs), T::Documentation),
    field(O::Schema, "example", S::Any, T::Documentation),
    field(O::Schema, "deprecated", S::Flag, T::Documentation),
    required(O::Discriminator, "propertyName", S::Text, T::Wire),
    field(O::Discriminator, "mapping", S::TextMap, T::Wire),
    field(O::Xml, "name", S::Text, T::Wire),
    field(O::Xml, "namespace", S::Text, T::Wire),
    field(O::Xml, "prefix", S::Text, T::Wire),
    field(O::Xml, "attribute", S::Flag, T::Wire),
    field(O::Xml, "wrapped", S::Flag, T::Wire),
    required(O::SecurityScheme, "type", S::Word(&["apiKey", "http", "oauth2", "openIdConnect"]), T::Wire),
    field(O::SecurityScheme, "description", S::Text, T::Documentation),
    field(O::SecurityScheme, "name", S::Text, T::Wire),
    field(O::SecurityScheme, "in", S::Word(&["query", "header", "cookie"]), T::Wire),
    field(O::SecurityScheme, "scheme", S::Text, T::Wire),
    field(O::SecurityScheme, "bearerFormat", S::Text, T::Documentation),
    field(O::SecurityScheme, "flows", S::One(O::OAuthFlows), T::Wire),
    field(O::SecurityScheme, "openIdConnectUrl", S::Text, T::Wire),
    field(O::OAuthFlows, "implicit", S::One(O::OAuthFlow), T::Wire),
    field(O::OAuthFlows, "password", S::One(O::OAuthFlow), T::Wire),
    field(O::OAuthFlows, "clientCredentials", S::One(O::OAuthFlow), T::Wire),
    field(O::OAuthFlows, "authorizationCode", S::One(O::OAuthFlow), T::Wire),
    field(O::OAuthFlow, "authorizationUrl", S::Text, T::Wire),
    field(O::OAuthFlow, "tokenUrl", S::Text, T::Wire),
    field(O::OAuthFlow, "refreshUrl", S::Text, T::Wire),
    required(O::OAuthFlow, "scopes", S::TextMap, T::Wire),
];

/// The types of a schema.
const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];

/// The styles of a parameter.
const STYLES: &[&str] =
    &["matrix", "label", "form", "simple", "spaceDelimited", "pipeDelimited", "deepObject"];

/// The field of this name of this object.
pub fn find(object: Object, name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.object == object && field.name == name)
}

/// Every fixed field of this object.
pub(crate) fn fields(object: Object) -> impl Iterator<Item = &'static Field> {
    FIELDS.iter().filter(move |field| field.object == object)
}
