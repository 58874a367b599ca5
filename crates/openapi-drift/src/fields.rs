//! Every field of the OpenAPI Specification 3.0.3, the shape of its value, and how a comparison treats it.
//!
//! Parsing, linting and comparing all use this one table, so that a field that it does not have is an error and never
//! skipped.

use std::sync::LazyLock;

/// An object of the specification. In messages: `path-item`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Object {
    /// OpenAPI Object, the document itself.
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

/// The methods of a path item.
pub const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

use Object as O;
use Shape as S;
use Treatment as T;

/// The fields of one object that have one shape and one treatment.
struct Row {
    object: Object,
    shape: Shape,
    treatment: Treatment,
    names: &'static [&'static str],
    required: bool,
}

const fn optional(object: O, shape: S, treatment: T, names: &'static [&'static str]) -> Row {
    Row { object, shape, treatment, names, required: false }
}

const fn required(object: O, shape: S, treatment: T, names: &'static [&'static str]) -> Row {
    Row { object, shape, treatment, names, required: true }
}

/// Every fixed field of every object, in the order of the specification's objects.
pub static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let fields = |&Row { object, shape, treatment, names, required }: &'static Row| {
        names.iter().map(move |name| Field { object, name, shape, required, treatment })
    };
    ROWS.iter().flat_map(fields).collect()
});

#[rustfmt::skip]
static ROWS: &[Row] = &[
    required(O::OpenApi, S::Text, T::Documentation, &["openapi"]),
    required(O::OpenApi, S::One(O::Info), T::WhereUsed, &["info"]),
    optional(O::OpenApi, S::List(O::Server), T::WhereUsed, &["servers"]),
    required(O::OpenApi, S::One(O::Paths), T::WhereUsed, &["paths"]),
    optional(O::OpenApi, S::One(O::Components), T::WhereUsed, &["components"]),
    optional(O::OpenApi, S::List(O::SecurityRequirement), T::WhereUsed, &["security"]),
    optional(O::OpenApi, S::List(O::Tag), T::Documentation, &["tags"]),
    optional(O::OpenApi, S::One(O::ExternalDocs), T::Documentation, &["externalDocs"]),
    required(O::Info, S::Text, T::Documentation, &["title", "version"]),
    optional(O::Info, S::Text, T::Documentation, &["description", "termsOfService"]),
    optional(O::Info, S::One(O::Contact), T::Documentation, &["contact"]),
    optional(O::Info, S::One(O::License), T::Documentation, &["license"]),
    optional(O::Contact, S::Text, T::Documentation, &["name", "url", "email"]),
    required(O::License, S::Text, T::Documentation, &["name"]),
    optional(O::License, S::Text, T::Documentation, &["url"]),
    required(O::Server, S::Text, T::Wire, &["url"]),
    optional(O::Server, S::Text, T::Documentation, &["description"]),
    optional(O::Server, S::Map(O::ServerVariable), T::Wire, &["variables"]),
    optional(O::ServerVariable, S::Texts, T::Wire, &["enum"]),
    required(O::ServerVariable, S::Text, T::Wire, &["default"]),
    optional(O::ServerVariable, S::Text, T::Documentation, &["description"]),
    optional(O::Components, S::Map(O::Schema), T::WhereUsed, &["schemas"]),
    optional(O::Components, S::Map(O::Response), T::WhereUsed, &["responses"]),
    optional(O::Components, S::Map(O::Parameter), T::WhereUsed, &["parameters"]),
    optional(O::Components, S::Map(O::Example), T::WhereUsed, &["examples"]),
    optional(O::Components, S::Map(O::RequestBody), T::WhereUsed, &["requestBodies"]),
    optional(O::Components, S::Map(O::Header), T::WhereUsed, &["headers"]),
    optional(O::Components, S::Map(O::SecurityScheme), T::WhereUsed, &["securitySchemes"]),
    optional(O::Components, S::Map(O::Link), T::WhereUsed, &["links"]),
    optional(O::Components, S::Map(O::Callback), T::WhereUsed, &["callbacks"]),
    optional(O::PathItem, S::Text, T::WhereUsed, &["$ref"]),
    optional(O::PathItem, S::Text, T::Documentation, &["summary", "description"]),
    optional(O::PathItem, S::One(O::Operation), T::Wire, &METHODS),
    optional(O::PathItem, S::List(O::Server), T::WhereUsed, &["servers"]),
    optional(O::PathItem, S::List(O::Parameter), T::WhereUsed, &["parameters"]),
    optional(O::Operation, S::Texts, T::GeneratedCode, &["tags"]),
    optional(O::Operation, S::Text, T::Documentation, &["summary", "description"]),
    optional(O::Operation, S::One(O::ExternalDocs), T::Documentation, &["externalDocs"]),
    optional(O::Operation, S::Text, T::GeneratedCode, &["operationId"]),
    optional(O::Operation, S::List(O::Parameter), T::Wire, &["parameters"]),
    optional(O::Operation, S::One(O::RequestBody), T::Wire, &["requestBody"]),
    required(O::Operation, S::One(O::Responses), T::Wire, &["responses"]),
    optional(O::Operation, S::Map(O::Callback), T::Wire, &["callbacks"]),
    optional(O::Operation, S::Flag, T::Documentation, &["deprecated"]),
    optional(O::Operation, S::List(O::SecurityRequirement), T::Wire, &["security"]),
    optional(O::Operation, S::List(O::Server), T::Wire, &["servers"]),
    optional(O::ExternalDocs, S::Text, T::Documentation, &["description"]),
    required(O::ExternalDocs, S::Text, T::Documentation, &["url"]),
    required(O::Parameter, S::Text, T::Wire, &["name"]),
    required(O::Parameter, S::Word(&["query", "header", "path", "cookie"]), T::Wire, &["in"]),
    optional(O::Parameter, S::Text, T::Documentation, &["description"]),
    optional(O::Parameter, S::Flag, T::Wire, &["required", "allowEmptyValue", "explode", "allowReserved"]),
    optional(O::Parameter, S::Flag, T::Documentation, &["deprecated"]),
    optional(O::Parameter, S::Word(STYLES), T::Wire, &["style"]),
    optional(O::Parameter, S::One(O::Schema), T::Wire, &["schema"]),
    optional(O::Parameter, S::Any, T::Documentation, &["example"]),
    optional(O::Parameter, S::Map(O::Example), T::Documentation, &["examples"]),
    optional(O::Parameter, S::Map(O::MediaType), T::Wire, &["content"]),
    optional(O::RequestBody, S::Text, T::Documentation, &["description"]),
    required(O::RequestBody, S::Map(O::MediaType), T::Wire, &["content"]),
    optional(O::RequestBody, S::Flag, T::Wire, &["required"]),
    optional(O::MediaType, S::One(O::Schema), T::Wire, &["schema"]),
    optional(O::MediaType, S::Any, T::Documentation, &["example"]),
    optional(O::MediaType, S::Map(O::Example), T::Documentation, &["examples"]),
    optional(O::MediaType, S::Map(O::Encoding), T::Wire, &["encoding"]),
    optional(O::Encoding, S::Text, T::Wire, &["contentType"]),
    optional(O::Encoding, S::Map(O::Header), T::Wire, &["headers"]),
    optional(O::Encoding, S::Word(STYLES), T::Wire, &["style"]),
    optional(O::Encoding, S::Flag, T::Wire, &["explode", "allowReserved"]),
    optional(O::Responses, S::One(O::Response), T::Wire, &["default"]),
    required(O::Response, S::Text, T::Documentation, &["description"]),
    optional(O::Response, S::Map(O::Header), T::Wire, &["headers"]),
    optional(O::Response, S::Map(O::MediaType), T::Wire, &["content"]),
    optional(O::Response, S::Map(O::Link), T::Wire, &["links"]),
    optional(O::Example, S::Text, T::Documentation, &["summary", "description", "externalValue"]),
    optional(O::Example, S::Any, T::Documentation, &["value"]),
    optional(O::Link, S::Text, T::GeneratedCode, &["operationRef", "operationId"]),
    optional(O::Link, S::AnyMap, T::GeneratedCode, &["parameters"]),
    optional(O::Link, S::Any, T::GeneratedCode, &["requestBody"]),
    optional(O::Link, S::Text, T::Documentation, &["description"]),
    optional(O::Link, S::One(O::Server), T::GeneratedCode, &["server"]),
    optional(O::Header, S::Text, T::Documentation, &["description"]),
    optional(O::Header, S::Flag, T::Wire, &["required", "allowEmptyValue", "explode", "allowReserved"]),
    optional(O::Header, S::Flag, T::Documentation, &["deprecated"]),
    optional(O::Header, S::Word(&["simple"]), T::Wire, &["style"]),
    optional(O::Header, S::One(O::Schema), T::Wire, &["schema"]),
    optional(O::Header, S::Any, T::Documentation, &["example"]),
    optional(O::Header, S::Map(O::Example), T::Documentation, &["examples"]),
    optional(O::Header, S::Map(O::MediaType), T::Wire, &["content"]),
    required(O::Tag, S::Text, T::Documentation, &["name"]),
    optional(O::Tag, S::Text, T::Documentation, &["description"]),
    optional(O::Tag, S::One(O::ExternalDocs), T::Documentation, &["externalDocs"]),
    optional(O::Schema, S::Text, T::Documentation, &["title", "description"]),
    optional(O::Schema, S::Positive, T::Wire, &["multipleOf"]),
    optional(O::Schema, S::Number, T::Wire, &["maximum", "minimum"]),
    optional(O::Schema, S::Flag, T::Wire, &["exclusiveMaximum", "exclusiveMinimum", "uniqueItems", "nullable", "readOnly", "writeOnly"]),
    optional(O::Schema, S::Count, T::Wire, &["maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"]),
    optional(O::Schema, S::Text, T::Wire, &["pattern", "format"]),
    optional(O::Schema, S::Texts, T::Wire, &["required"]),
    optional(O::Schema, S::Values, T::Wire, &["enum"]),
    optional(O::Schema, S::Word(TYPES), T::Wire, &["type"]),
    optional(O::Schema, S::List(O::Schema), T::Wire, &["allOf", "oneOf", "anyOf"]),
    optional(O::Schema, S::One(O::Schema), T::Wire, &["not", "items"]),
    optional(O::Schema, S::Map(O::Schema), T::Wire, &["properties"]),
    optional(O::Schema, S::FlagOrSchema, T::Wire, &["additionalProperties"]),
    optional(O::Schema, S::Any, T::Wire, &["default"]),
    optional(O::Schema, S::One(O::Discriminator), T::Wire, &["discriminator"]),
    optional(O::Schema, S::One(O::Xml), T::Wire, &["xml"]),
    optional(O::Schema, S::One(O::ExternalDocs), T::Documentation, &["externalDocs"]),
    optional(O::Schema, S::Any, T::Documentation, &["example"]),
    optional(O::Schema, S::Flag, T::Documentation, &["deprecated"]),
    required(O::Discriminator, S::Text, T::Wire, &["propertyName"]),
    optional(O::Discriminator, S::TextMap, T::Wire, &["mapping"]),
    optional(O::Xml, S::Text, T::Wire, &["name", "namespace", "prefix"]),
    optional(O::Xml, S::Flag, T::Wire, &["attribute", "wrapped"]),
    required(O::SecurityScheme, S::Word(&["apiKey", "http", "oauth2", "openIdConnect"]), T::Wire, &["type"]),
    optional(O::SecurityScheme, S::Text, T::Documentation, &["description", "bearerFormat"]),
    optional(O::SecurityScheme, S::Text, T::Wire, &["name", "scheme", "openIdConnectUrl"]),
    optional(O::SecurityScheme, S::Word(&["query", "header", "cookie"]), T::Wire, &["in"]),
    optional(O::SecurityScheme, S::One(O::OAuthFlows), T::Wire, &["flows"]),
    optional(O::OAuthFlows, S::One(O::OAuthFlow), T::Wire, &["implicit", "password", "clientCredentials", "authorizationCode"]),
    optional(O::OAuthFlow, S::Text, T::Wire, &["authorizationUrl", "tokenUrl", "refreshUrl"]),
    required(O::OAuthFlow, S::TextMap, T::Wire, &["scopes"]),
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
