//! Compares two files: `cargo run -p openapi-drift --example compare BASE REVISION`.

use std::process::ExitCode;

use openapi_drift::{Document, Options, advise, compare};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut paths = std::env::args().skip(1);
    let (Some(base), Some(revision)) = (paths.next(), paths.next()) else {
        return Err("name two files: BASE REVISION".into());
    };
    let base = Document::parse(&std::fs::read_to_string(base)?)?;
    let revision = Document::parse(&std::fs::read_to_string(revision)?)?;
    let findings = compare(&base, &revision, Options::default())?;
    for finding in &findings {
        println!("{}: #{}: {finding}", finding.revision.position, finding.revision.pointer);
    }
    println!("{:?}", advise(&base, &revision, &findings));
    let breaks = findings.iter().any(openapi_drift::Finding::is_breaking);
    Ok(if breaks { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
