//! `openapi-drift`: what breaks between two contracts, for people and for CI.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use openapi_drift::breaking::{self, Settings};

/// Holds an `OpenAPI` 3.0 document against an earlier one: who breaks, and what its version must become.
///
/// The exit code is 0 if nobody breaks, 1 if somebody does, and 2 if the documents could not be compared.
#[derive(Debug, Parser)]
#[command(name = "openapi-drift", version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

fn main() -> ExitCode {
    match breaking::run(&Arguments::parse().settings, Path::new("."), &mut std::io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the line that says why there is no answer")]
            {
                eprintln!("openapi-drift: {error}");
            }
            ExitCode::from(2)
        }
    }
}
