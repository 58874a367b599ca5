//! `cargo xtask generate`: generates the client from the contract.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use openapi_drift::Object;
use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, InterfaceStyle, TypeImpl};
use quote::{format_ident, quote};
use serde_json::{Map, Value};

use crate::process::{Failed, root, say};

/// The path of the generated client in the repository.
pub(crate) const TARGET: &str = "crates/session-client/src/generated.rs";

/// The first lines of the generated file.
const HEADER: &str = "\
// Generated from openapi.json by `cargo xtask generate`; do not edit.
// To change it, change openapi.json and run `cargo xtask generate` again.

";

fn target() -> PathBuf {
    root().join(TARGET)
}

/// Generates the client from `openapi.json` and writes it.
pub(crate) fn write(out: &mut dyn Write) -> Result<(), Failed> {
    let code = match code_of(&root().join("openapi.json"))? {
        Ok(code) => code,
        Err(reason) => return Err(Failed(format!("openapi.json: {reason}"))),
    };
    std::fs::write(target(), code).map_err(|error| Failed(format!("{TARGET} cannot be written: {error}")))?;
    say(out, &format!("generate: wrote {TARGET}"))
}

/// The state of the checked-in client, compared with the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is the client of this contract.
    Current,
    /// It differs from the client of this contract, from this line on.
    Stale(usize),
    /// No client can be generated from this contract, for this reason.
    None(String),
}

/// Compares the checked-in client with the client of this contract.
pub(crate) fn state(spec: &Path) -> Result<State, Failed> {
    let wanted = match code_of(spec)? {
        Ok(code) => code,
        Err(reason) => return Ok(State::None(reason)),
    };
    let found = match std::fs::read_to_string(target()) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failed(format!("{TARGET} cannot be read: {error}"))),
    };
    if found == wanted {
        return Ok(State::Current);
    }
    let same = found.lines().zip(wanted.lines()).take_while(|(found, wanted)| found == wanted).count();
    Ok(State::Stale(same + 1))
}

/// Writes the [`state`] as a sentence and returns whether the client is current.
pub(crate) fn check(spec: &Path, out: &mut dyn Write) -> Result<bool, Failed> {
    let state = state(spec)?;
    let text = match &state {
        State::Current => "generated.rs is current".to_owned(),
        State::Stale(line) => format!("{TARGET} is stale from line {line} on; run `cargo xtask generate`"),
        State::None(reason) => reason.clone(),
    };
    say(out, &format!("generate: {text}"))?;
    Ok(state == State::Current)
}

/// Generates the client's code. The inner error is the reason why none can be generated from this contract.
fn code_of(spec: &Path) -> Result<Result<String, String>, Failed> {
    let text = std::fs::read_to_string(spec)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", spec.display())))?;
    let document = serde_json::from_str(&text).map(|mut document| {
        plain_next_page(&mut document);
        document
    });
    let responses = document.as_ref().map(response_types).unwrap_or_default();
    let repeatable = document.as_ref().map(repeatable_operations).unwrap_or_default();
    let document: OpenAPI = match document.and_then(serde_json::from_value) {
        Ok(document) => document,
        Err(error) => return Ok(Err(format!("it is not an OpenAPI 3.0 document: {error}"))),
    };
    let mut settings = GenerationSettings::new();
    settings
        // A new parameter breaks no caller of a builder.
        .with_interface(InterfaceStyle::Builder)
        .with_inner_type(quote!(crate::inner::Inner))
        // Redacts itself, unlike a generated string.
        .with_replacement("Authtoken", "crate::token::Token", std::iter::empty())
        // Exact to the millisecond and convertible to a system time, unlike a generated double.
        .with_replacement("Timestamp", "crate::timestamp::Timestamp", std::iter::empty())
        // The type of `next_page`, because the generated stream passes one on as the other.
        .with_replacement("PageToken", "::std::string::String", std::iter::empty())
        // One type for both alternatives, instead of an enum with numbered variants.
        .with_replacement(
            "RemoteIp",
            "::std::net::IpAddr",
            [TypeImpl::Display, TypeImpl::FromStr].into_iter(),
        );
    // progenitor panics on some documents; that is a problem of the document as well.
    let generated = std::panic::catch_unwind(|| Generator::new(&settings).generate_tokens(&document));
    let tokens = match generated {
        Ok(Ok(tokens)) => tokens,
        Ok(Err(error)) => return Ok(Err(format!("no client can be generated: {error}"))),
        Err(_) => {
            return Ok(Err("no client can be generated: progenitor panicked".to_owned()));
        }
    };
    let types = responses.iter().map(|name| format_ident!("{name}"));
    let tokens = quote! {
        #tokens

        /// Returns whether the body parses as any of the contract's responses.
        pub(crate) fn is_response(body: &[u8]) -> bool {
            fn parses<T: serde::de::DeserializeOwned>(body: &[u8]) -> bool {
                serde_json::from_slice::<T>(body).is_ok()
            }
            #(parses::<types::#types>(body))||*
        }

        /// The operations that take an idempotency key.
        pub(crate) const REPEATABLE: &[&str] = &[#(#repeatable),*];
    };
    let file =
        syn::parse2(tokens).map_err(|error| Failed(format!("progenitor generated invalid Rust: {error}")))?;
    Ok(Ok(format!("{HEADER}{}", prettyplease::unparse(&file))))
}

/// Makes `next_page` of every page a plain string, the only type for which progenitor generates a stream of all pages.
fn plain_next_page(document: &mut Value) {
    for schema in document["components"]["schemas"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(next_page) = schema.pointer_mut("/properties/next_page").and_then(Value::as_object_mut) {
            next_page.retain(|field, _| field == "description");
            next_page.insert("type".to_owned(), "string".into());
        }
    }
}

/// The names of the generated types of all response bodies.
fn response_types(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    openapi_drift::walk(document, &mut |object, _, value| {
        if object == Object::Response {
            let schemas = value["content"].as_object().into_iter().flat_map(Map::values);
            let references = schemas.filter_map(|media| media["schema"]["$ref"].as_str());
            // progenitor names `Session_Page` `SessionPage`.
            names.extend(references.filter_map(|it| it.rsplit('/').next()).map(|name| name.replace('_', "")));
        }
    });
    names
}

/// The IDs of the operations that take an idempotency key.
fn repeatable_operations(document: &Value) -> BTreeSet<String> {
    let takes_key = |parameter: &Value| {
        let reference = parameter["$ref"].as_str().and_then(|it| document.pointer(it.strip_prefix('#')?));
        let parameter = reference.unwrap_or(parameter);
        let name = parameter["name"].as_str().unwrap_or_default();
        parameter["in"] == "header" && name.eq_ignore_ascii_case("Idempotency-Key")
    };
    let mut ids = BTreeSet::new();
    openapi_drift::walk(document, &mut |object, _, value| {
        let parameters = value["parameters"].as_array().into_iter().flatten();
        if object == Object::Operation && parameters.into_iter().any(takes_key) {
            ids.extend(value["operationId"].as_str().map(str::to_owned));
        }
    });
    ids
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(change: impl FnOnce(&mut Value)) -> (bool, String) {
        let mut document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
        change(&mut document);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("openapi.json");
        std::fs::write(&path, document.to_string()).unwrap();
        let mut out = Vec::new();
        let current = check(&path, &mut out).unwrap();
        (current, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_checked_in_client_is_current_whatever_the_layout_of_the_contract() {
        assert_eq!(checked(|_| {}), (true, "generate: generated.rs is current\n".to_owned()));
    }

    #[test]
    fn a_stale_client_is_reported_with_the_command_that_fixes_it() {
        let (current, text) = checked(|document| {
            document["components"]["schemas"]["Session_Type"]["enum"][1] = json!("program");
        });
        assert!(!current && text.contains("stale") && text.contains("`cargo xtask generate`"), "{text}");
    }

    #[test]
    fn a_contract_from_which_no_client_can_be_generated_is_drift() {
        let changes: [fn(&mut Value); 4] = [
            |document| document["openapi"] = json!("3.1.0"),
            |document| document["paths"]["/api/v1/whoami"]["get"]["operationId"] = json!("fetch_session"),
            |document| document["paths"] = json!([]),
            // progenitor panics on this one.
            |document| document["components"]["schemas"]["Error_Code"]["enum"][0] = json!("not_found"),
        ];
        for change in changes {
            let (current, text) = checked(change);
            assert!(!current && text.starts_with("generate: "), "{text}");
        }
    }
}
