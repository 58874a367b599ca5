//! The operations of a document as a reader of the API sees them: references followed, parameters of the path merged,
//! security inherited.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::document::Document;
use crate::fields::METHODS;
use crate::node::{Node, Unresolved};
use crate::pointer::push;

/// Security schemes that a caller must satisfy together, each with the scopes that it must have.
pub type Requirement<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// An operation of a path.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    /// One of [`METHODS`], in lower case.
    pub method: &'static str,
    /// The path template: `/things/{id}`.
    pub path: &'a str,
    /// The operation object.
    pub node: Node<'a>,
    item: Node<'a>,
    root: Node<'a>,
}

/// A parameter of an operation or of its path.
#[derive(Clone, Debug)]
pub struct Parameter<'a> {
    /// The parameter object, its references followed.
    pub node: Node<'a>,
    /// Its name.
    pub name: &'a str,
    /// The field `in`: `path`, `query`, `header` or `cookie`.
    pub location: &'a str,
    /// Whether a request must have it.
    pub required: bool,
}

/// The body of an operation's requests.
#[derive(Clone, Debug)]
pub struct RequestBody<'a> {
    /// The request body object, its references followed.
    pub node: Node<'a>,
    /// Whether a request must have it.
    pub required: bool,
}

/// A response of an operation.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// `200`, a range such as `4XX`, or `default`.
    pub status: &'a str,
    /// The response object, its references followed.
    pub node: Node<'a>,
}

/// A header of a response.
#[derive(Clone, Debug)]
pub struct Header<'a> {
    /// Its name, as the document writes it.
    pub name: &'a str,
    /// The header object, its references followed.
    pub node: Node<'a>,
    /// Whether each response has it.
    pub required: bool,
}

/// A media type of a body.
#[derive(Clone, Debug)]
pub struct MediaType<'a> {
    /// Its name, as the document writes it.
    pub name: &'a str,
    /// The media type object.
    pub node: Node<'a>,
}

impl Document {
    /// The document's root.
    pub const fn root(&self) -> Node<'_> {
        Node::root(self.value())
    }

    /// The value at a pointer, its references followed.
    pub fn resolve(&self, pointer: &str) -> Result<Node<'_>, Unresolved> {
        self.root().lookup(pointer).ok_or(Unresolved::Dangling)?.resolve()
    }

    /// Every operation, by path and in the order of [`METHODS`]. A path whose `$ref` cannot be resolved has none.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.root().map("paths").into_iter().filter(|(path, _)| !path.starts_with("x-"));
        paths.flat_map(move |(path, item)| {
            let item = item.resolve().ok();
            METHODS.into_iter().filter_map(move |method| {
                let item = item.clone()?;
                let node = item.get(method).filter(|node| node.value.is_object())?;
                Some(Operation { method, path, node, item, root: self.root() })
            })
        })
    }

    /// The operation that serves a request. The path is that of the request, without the server's own; a query is
    /// ignored. A template that matches literally precedes one with parameters (3.0.3, Paths Object).
    pub fn operation_for(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |operation: &Operation<'_>| {
            operation.method.eq_ignore_ascii_case(method) && matches(operation.path, path)
        };
        self.operations().filter(fits).min_by_key(|operation| operation.path.matches('{').count())
    }
}

impl<'a> Operation<'a> {
    /// The `operationId`.
    pub fn id(&self) -> Option<&'a str> {
        self.node.text("operationId")
    }

    /// The alternatives of security, the operation's own or else the document's. There is always one; the empty
    /// requirement asks for no credential.
    pub fn security(&self) -> Vec<Requirement<'a>> {
        requirements(&[&self.node, &self.root]).0
    }

    /// Its parameters and those of its path that it does not override. Without those whose `$ref` cannot be resolved.
    pub fn parameters(&self) -> Vec<Parameter<'a>> {
        let mut found: Vec<Parameter<'a>> = Vec::new();
        for node in self.node.list("parameters").into_iter().chain(self.item.list("parameters")) {
            let Ok(node) = node.resolve() else { continue };
            let (name, location) =
                (node.text("name").unwrap_or_default(), node.text("in").unwrap_or_default());
            let required = node.flag("required");
            if !found.iter().any(|other| (other.name, other.location) == (name, location)) {
                found.push(Parameter { node, name, location, required });
            }
        }
        found
    }

    /// The body of its requests. `None` also if its `$ref` cannot be resolved.
    pub fn request_body(&self) -> Option<RequestBody<'a>> {
        let node = self.node.get("requestBody")?.resolve().ok()?;
        Some(RequestBody { required: node.flag("required"), node })
    }

    /// Its responses. Without those whose `$ref` cannot be resolved.
    pub fn responses(&self) -> Vec<Response<'a>> {
        let all = self.node.map("responses").into_iter().filter(|(status, _)| !status.starts_with("x-"));
        all.filter_map(|(status, node)| Some(Response { status, node: node.resolve().ok()? })).collect()
    }

    /// The response that describes a status: its own, or else that of its range, or else the default.
    pub fn response_for(&self, status: u16) -> Option<Response<'a>> {
        let names = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()];
        let all = self.responses();
        names.iter().find_map(|name| all.iter().find(|response| response.status == name)).cloned()
    }
}

impl<'a> RequestBody<'a> {
    /// Its media types.
    pub fn content(&self) -> Vec<MediaType<'a>> {
        content(&self.node)
    }
}

impl<'a> Response<'a> {
    /// The media types of its body; none for a response without body.
    pub fn content(&self) -> Vec<MediaType<'a>> {
        content(&self.node)
    }

    /// Its headers. Without those whose `$ref` cannot be resolved.
    pub fn headers(&self) -> Vec<Header<'a>> {
        let all = self.node.map("headers").into_iter();
        all.filter_map(|(name, node)| {
            let node = node.resolve().ok()?;
            Some(Header { name, required: node.flag("required"), node })
        })
        .collect()
    }
}

impl<'a> Parameter<'a> {
    /// The schema of its value, or that of its only media type. Its references are not followed.
    pub fn schema(&self) -> Option<Node<'a>> {
        schema(&self.node)
    }
}

impl<'a> Header<'a> {
    /// The schema of its value, or that of its only media type. Its references are not followed.
    pub fn schema(&self) -> Option<Node<'a>> {
        schema(&self.node)
    }
}

impl<'a> MediaType<'a> {
    /// The schema of the body. Its references are not followed.
    pub fn schema(&self) -> Option<Node<'a>> {
        self.node.get("schema")
    }
}

fn content<'a>(owner: &Node<'a>) -> Vec<MediaType<'a>> {
    owner.map("content").into_iter().map(|(name, node)| MediaType { name, node }).collect()
}

fn schema<'a>(owner: &Node<'a>) -> Option<Node<'a>> {
    owner.get("schema").or_else(|| owner.map("content").into_values().next()?.get("schema"))
}

/// The alternatives of security of the first owner that has the field, and the pointer of that field; of none, the
/// pointer of the first owner. "No requirement" is the one that asks for nothing.
pub(crate) fn requirements<'a>(owners: &[&Node<'a>]) -> (Vec<Requirement<'a>>, String) {
    let owner = owners.iter().find(|owner| owner.value.get("security").is_some());
    let requirement = |node: &Node<'a>| {
        let scopes = |scopes: Node<'a>| {
            scopes.value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
        };
        node.members().map(|(name, node)| (name, scopes(node))).collect::<Requirement<'_>>()
    };
    let mut all: Vec<_> =
        owner.map(|owner| owner.list("security").iter().map(requirement).collect()).unwrap_or_default();
    if all.is_empty() {
        all.push(Requirement::new());
    }
    let pointer = match (owner, owners.first()) {
        (Some(owner), _) => push(&owner.pointer, "security"),
        (None, first) => first.map(|owner| owner.pointer.clone()).unwrap_or_default(),
    };
    (all, pointer)
}

/// Whether a path matches a template. A parameter matches at least one character, none of them a slash.
fn matches(template: &str, path: &str) -> bool {
    let Some((literal, rest)) = template.split_once('{') else { return template == path };
    let (Some(path), Some((_, rest))) = (path.strip_prefix(literal), rest.split_once('}')) else {
        return false;
    };
    let segment = path.find('/').unwrap_or(path.len());
    let ends = path.char_indices().map(|(index, letter)| index + letter.len_utf8());
    ends.take_while(|end| *end <= segment).any(|end| path.get(end..).is_some_and(|left| matches(rest, left)))
}

/// A path template without the names of its parameters: `/a/{}` of `/a/{id}`.
pub(crate) fn nameless(path: &str) -> String {
    let literal = |part: &str| part.split_once('}').map_or("", |(_, literal)| literal).replace('}', "");
    let (first, rest) = path.split_once('{').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let parts = rest.into_iter().flat_map(|rest| rest.split('{')).map(literal);
    [first.replace('}', "")].into_iter().chain(parts).collect::<Vec<_>>().join("{}")
}

/// The names of the parameters of a path template, in order.
pub(crate) fn template_names(path: &str) -> Vec<&str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_FIELD: &str = include_str!("../tests/data/every-field.json");

    #[test]
    fn operations_have_what_their_path_and_the_document_say() {
        let document = Document::parse(
            r##"{
                "openapi": "3.0.3", "info": { "title": "t", "version": "1.0.0" }, "security": [{ "key": [] }],
                "paths": {
                    "/a/{id}": {
                        "parameters": [
                            { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } },
                            { "$ref": "#/components/parameters/Page" }
                        ],
                        "get": {
                            "operationId": "a_fetch",
                            "parameters": [{ "name": "page", "in": "query", "required": true,
                                             "content": { "text/plain": { "schema": {} } } }],
                            "x-cost": 3,
                            "responses": {
                                "200": { "$ref": "#/components/responses/Done" },
                                "4XX": { "description": "wrong" },
                                "default": { "description": "other" }
                            }
                        },
                        "put": {
                            "security": [],
                            "requestBody": { "$ref": "#/components/requestBodies/A" },
                            "responses": { "204": { "description": "Done" } }
                        }
                    },
                    "/a/own": { "$ref": "#/paths/~1a~1{id}" },
                    "/lost": { "$ref": "#/paths/~1absent" },
                    "x-paths": {}
                },
                "components": {
                    "parameters": { "Page": { "name": "page", "in": "query", "schema": { "type": "integer" } } },
                    "requestBodies": { "A": { "required": true, "content": { "application/json": { "schema": {} } } } },
                    "responses": { "Done": { "description": "Done",
                        "headers": { "X-A": { "required": true, "schema": { "type": "integer" } } },
                        "content": { "application/json": {} } } },
                    "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } }
                }
            }"##,
        )
        .unwrap();
        let names: Vec<_> = document
            .operations()
            .map(|operation| format!("{} {}", operation.method, operation.path))
            .collect();
        assert_eq!(names, ["get /a/own", "put /a/own", "get /a/{id}", "put /a/{id}"]);

        let get = document.operation_for("GET", "/a/1?page=2").unwrap();
        assert_eq!((get.id(), get.path), (Some("a_fetch"), "/a/{id}"));
        assert_eq!(get.node.get("x-cost").unwrap().pointer, "/paths/~1a~1{id}/get/x-cost");
        let parameters: Vec<_> =
            get.parameters().iter().map(|one| (one.name, one.location, one.required)).collect();
        assert_eq!(parameters, [("page", "query", true), ("id", "path", true)]);
        assert_eq!(
            get.parameters()[0].schema().unwrap().pointer,
            "/paths/~1a~1{id}/get/parameters/0/content/text~1plain/schema"
        );
        assert_eq!(get.security(), [Requirement::from([("key", BTreeSet::new())])]);
        assert!(get.request_body().is_none());
        for (status, described) in [(200, "200"), (404, "4XX"), (500, "default")] {
            assert_eq!(get.response_for(status).unwrap().status, described);
        }
        let done = get.response_for(200).unwrap();
        assert_eq!(done.node.pointer, "/components/responses/Done");
        assert!(done.headers()[0].required && done.content()[0].schema().is_none());

        let put = document.operation_for("put", "/a/1").unwrap();
        assert_eq!(put.security(), [Requirement::new()]);
        assert!(put.request_body().unwrap().required && put.response_for(200).is_none());
        assert_eq!(
            put.request_body().unwrap().content()[0].schema().unwrap().pointer,
            "/components/requestBodies/A/content/application~1json/schema"
        );
        assert_eq!(put.parameters()[1].node.pointer, "/components/parameters/Page");

        assert_eq!(document.operation_for("get", "/a/own").unwrap().path, "/a/own");
        for (method, path) in [("post", "/a/1"), ("get", "/a/"), ("get", "/a/1/b"), ("get", "/lost")] {
            assert!(document.operation_for(method, path).is_none(), "{method} {path}");
        }
        assert_eq!(document.resolve("/paths/~1lost").unwrap_err(), Unresolved::Dangling);
    }

    #[test]
    fn templates_match_whole_segments_and_parts_of_them() {
        for (template, path, expected) in [
            ("/a", "/a", true),
            ("/a/{b}", "/a/x", true),
            ("/a/{b}", "/a/x/", false),
            ("/a/{b}", "/a/", false),
            ("/a/{b}.json", "/a/x.json", true),
            ("/a/{b}.json", "/a/.json", false),
            ("/a/{b}-{c}/d", "/a/1-2-3/d", true),
            ("/a/{b}/c", "/a/b/d", false),
            ("/{a}/ü", "/ü/ü", true),
        ] {
            assert_eq!(matches(template, path), expected, "{template} {path}");
        }
    }

    #[test]
    fn a_document_with_every_field_is_read() {
        let document = Document::parse(EVERY_FIELD).unwrap();
        assert!(document.operations().count() > 0);
        for operation in document.operations() {
            assert!(!operation.security().is_empty() && !operation.responses().is_empty());
        }
    }
}
