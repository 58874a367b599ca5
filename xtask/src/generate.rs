//! `cargo xtask generate`: the client from the contract.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use openapi_drift::Object;
use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, InterfaceStyle, TypeImpl};
use quote::{format_ident, quote};
use serde_json::{Map, Value};

use crate::process::{Failed, root, say};

/// Where the client is written.
pub(crate) const TARGET: &str = "crates/session-client/src/generated.rs";

/// The first lines of the file.
const HEADER: &str = "\
// Generated from openapi.json by `cargo xtask generate`; do not edit.
// To change it, change openapi.json and run `cargo xtask generate` again.

";

fn target() -> PathBuf {
    root().join(TARGET)
}

/// Writes the client from `openapi.json`.
pub(crate) fn write(out: &mut dyn Write) -> Result<(), Failed> {
    let code = match code_of(&root().join("openapi.json"))? {
        Ok(code) => code,
        Err(reason) => return Err(Failed(format!("openapi.json: {reason}"))),
    };
    std::fs::write(target(), code).map_err(|error| Failed(format!("{TARGET} cannot be written: {error}")))?;
    say(out, &format!("generate: wrote {TARGET}"))
}

/// Whether the client that is there is the one of this contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is.
    Current,
    /// It is another, from this line on.
    Stale(usize),
    /// There is no client of this contract, and why.
    None(String),
}

/// Holds the client that is there against this contract.
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

/// As [`state`], in words; answers whether it is current.
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

/// The client's code; the inner error says why the contract has none.
fn code_of(spec: &Path) -> Result<Result<String, String>, Failed> {
    let text = std::fs::read_to_string(spec)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", spec.display())))?;
    let document = serde_json::from_str(&text).map(|mut document| {
        plain_next_page(&mut document);
        document
    });
    let responses = document.as_ref().map(response_types).unwrap_or_default();
    let document: OpenAPI = match document.and_then(serde_json::from_value) {
        Ok(document) => document,
        Err(error) => return Ok(Err(format!("no OpenAPI 3.0 document: {error}"))),
    };
    let mut settings = GenerationSettings::new();
    settings
        // A parameter that is added later breaks no caller of a builder.
        .with_interface(InterfaceStyle::Builder)
        .with_inner_type(quote!(crate::inner::Inner))
        // Redacts itself, which a generated string would not.
        .with_replacement("Authtoken", "crate::token::Token", std::iter::empty())
        // To the millisecond and convertible, which a generated double would not be.
        .with_replacement("Timestamp", "crate::timestamp::Timestamp", std::iter::empty())
        // What `next_page` is: the generated stream passes the one on as the other.
        .with_replacement("PageToken", "::std::string::String", std::iter::empty())
        // Both alternatives of the contract; the generated enum would number them.
        .with_replacement(
            "RemoteIp",
            "::std::net::IpAddr",
            [TypeImpl::Display, TypeImpl::FromStr].into_iter(),
        );
    // progenitor panics on some documents; that, too, is a fault of the document.
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

        /// Whether the body is a response of the contract, of any of its types.
        pub(crate) fn is_response(body: &[u8]) -> bool {
            fn parses<T: serde::de::DeserializeOwned>(body: &[u8]) -> bool {
                serde_json::from_slice::<T>(body).is_ok()
            }
            #(parses::<types::#types>(body))||*
        }
    };
    let file = syn::parse2(tokens)
        .map_err(|error| Failed(format!("progenitor wrote code that is no Rust: {error}")))?;
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
            // As progenitor names them: `Session_Page` is `SessionPage`.
            names.extend(references.filter_map(|it| it.rsplit('/').next()).map(|name| name.replace('_', "")));
        }
    });
    names
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
    fn the_client_that_is_checked_in_is_current_however_the_contract_is_laid_out() {
        assert_eq!(checked(|_| {}), (true, "generate: generated.rs is current\n".to_owned()));
    }

    #[test]
    fn a_stale_client_is_named_with_the_command_that_mends_it() {
        let (current, text) = checked(|document| {
            document["components"]["schemas"]["Session_Type"]["enum"][1] = json!("program");
        });
        assert!(!current && text.contains("stale") && text.contains("`cargo xtask generate`"), "{text}");
    }

    #[test]
    fn a_contract_of_which_no_client_can_be_made_is_drift() {
        let faults: [fn(&mut Value); 4] = [
            |document| document["openapi"] = json!("3.1.0"),
            |document| document["paths"]["/api/v1/whoami"]["get"]["operationId"] = json!("fetch_session"),
            |document| document["paths"] = json!([]),
            // On which progenitor panics.
            |document| document["components"]["schemas"]["Error_Code"]["enum"][0] = json!("not_found"),
        ];
        for fault in faults {
            let (current, text) = checked(fault);
            assert!(!current && text.starts_with("generate: "), "{text}");
        }
    }
}
