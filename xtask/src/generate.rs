//! `cargo xtask generate`: the client from the contract.

use std::io::Write;
use std::path::{Path, PathBuf};

use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, InterfaceStyle, TypeImpl};
use quote::quote;

use crate::process::{Failed, root, say};

/// Where the client is written.
const TARGET: &str = "crates/session-client/src/generated.rs";

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
        Err(reason) => return Err(Failed(reason)),
    };
    std::fs::write(target(), code).map_err(|error| Failed(format!("{TARGET} cannot be written: {error}")))?;
    say(out, &format!("generate: wrote {TARGET}"))
}

/// Whether the client that is there is the one of this contract. If not, says so and what mends it.
pub(crate) fn check(spec: &Path, out: &mut dyn Write) -> Result<bool, Failed> {
    let wanted = match code_of(spec)? {
        Ok(code) => code,
        Err(reason) => {
            say(out, &format!("client: {reason}"))?;
            return Ok(false);
        }
    };
    let found = match std::fs::read_to_string(target()) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failed(format!("{TARGET} cannot be read: {error}"))),
    };
    if found == wanted {
        say(out, "client: generated.rs is current")?;
        return Ok(true);
    }
    let line = found.lines().zip(wanted.lines()).take_while(|(found, wanted)| found == wanted).count() + 1;
    say(out, &format!("client: {TARGET} is stale from line {line} on; run `cargo xtask generate`"))?;
    Ok(false)
}

/// The client's code; the inner error says why the contract has none.
fn code_of(spec: &Path) -> Result<Result<String, String>, Failed> {
    let text = std::fs::read_to_string(spec)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", spec.display())))?;
    let document: OpenAPI = match serde_json::from_str(&text) {
        Ok(document) => document,
        Err(error) => return Ok(Err(format!("{}: no OpenAPI 3.0 document: {error}", spec.display()))),
    };
    let mut settings = GenerationSettings::new();
    settings
        // A parameter that is added later breaks no caller of a builder.
        .with_interface(InterfaceStyle::Builder)
        .with_inner_type(quote!(crate::Inner))
        // Redacts itself, which a generated string would not.
        .with_replacement("Authtoken", "crate::Token", std::iter::empty())
        // Both alternatives of the contract; the generated enum would number them.
        .with_replacement(
            "RemoteIp",
            "::std::net::IpAddr",
            [TypeImpl::Display, TypeImpl::FromStr].into_iter(),
        );
    let tokens = match Generator::new(&settings).generate_tokens(&document) {
        Ok(tokens) => tokens,
        Err(error) => return Ok(Err(format!("{}: no client can be generated: {error}", spec.display()))),
    };
    let file = syn::parse2(tokens)
        .map_err(|error| Failed(format!("progenitor wrote code that is no Rust: {error}")))?;
    Ok(Ok(format!("{HEADER}{}", prettyplease::unparse(&file))))
}
