//! `cargo xtask bench compare`: the time to compare two large documents, relative to the time to parse their JSON.

use std::io::Write;
use std::time::{Duration, Instant};

use openapi_drift::{Document, Options, compare};
use serde_json::{Map, Value};

use crate::process::{Failed, root, say};

/// The size of each document, in bytes.
const SIZE: usize = 500_000;

/// The number of times that each measurement is taken; the median is reported.
const TURNS: usize = 11;

/// Compares the contract, repeated until it is large, with itself and with a document that differs in every copy.
pub(crate) fn run(out: &mut dyn Write) -> Result<(), Failed> {
    let text = std::fs::read_to_string(root().join("openapi.json"))
        .map_err(|error| Failed(format!("openapi.json cannot be read: {error}")))?;
    let large = repeated(&text)?;
    let other = large
        .replace("\"maxLength\": 1024", "\"maxLength\": 512")
        .replace("\"summary\": \"", "\"summary\": \"Now: ");
    let parse = |text: &str| Document::parse(text).map_err(|problem| Failed(problem.to_string()));
    let (base, same, different) = (parse(&large)?, parse(&large)?, parse(&other)?);
    let bare = median(|| {
        serde_json::from_str::<Value>(&large).map(drop).map_err(|error| Failed(error.to_string()))
    })?;
    let report = |name: &str, elapsed: Duration| {
        let ratio = elapsed.as_secs_f64() / bare.as_secs_f64();
        format!("{name}: {:.1} ms, {ratio:.1} times parsing its JSON", elapsed.as_secs_f64() * 1000.0)
    };
    let operations = base.value()["paths"].as_object().map_or(0, Map::len);
    say(out, &format!("two documents of {} KB with {operations} paths", large.len() / 1000))?;
    say(out, &report("parse its JSON", bare))?;
    say(out, &report("read a document and check every field", median(|| parse(&large).map(drop))?))?;
    for (name, revision) in
        [("compare with the same", &same), ("compare with one that differs in every copy", &different)]
    {
        let mut found = 0;
        let elapsed = median(|| {
            found = compare(&base, revision, Options::default())
                .map_err(|error| Failed(error.to_string()))?
                .len();
            Ok(())
        })?;
        say(out, &format!("{}, {found} findings", report(name, elapsed)))?;
    }
    Ok(())
}

/// Returns the median duration of the work.
fn median(mut work: impl FnMut() -> Result<(), Failed>) -> Result<Duration, Failed> {
    let mut durations = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let began = Instant::now();
        work()?;
        durations.push(began.elapsed());
    }
    durations.sort();
    Ok(durations.get(TURNS / 2).copied().unwrap_or_default())
}

/// Returns the document with copies of its paths and schemas, each under other names, until it is large enough.
fn repeated(text: &str) -> Result<String, Failed> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| Failed(error.to_string()));
    let mut document = parse(text)?;
    let mut copies = 0;
    loop {
        let pretty = serde_json::to_string_pretty(&document).map_err(|error| Failed(error.to_string()))?;
        if pretty.len() >= SIZE {
            return Ok(pretty);
        }
        copies += 1;
        let copy = text
            .replace("/components/schemas/", &format!("/components/schemas/Copy{copies}_"))
            .replace("\"/api/v1/", &format!("\"/api/copy{copies}/"))
            .replace("\"operationId\": \"", &format!("\"operationId\": \"copy{copies}_"));
        let mut copy = parse(&copy)?;
        let take = |value: &mut Value| value.as_object_mut().map(std::mem::take).unwrap_or_default();
        let (paths, schemas) = (take(&mut copy["paths"]), take(&mut copy["components"]["schemas"]));
        if let Some(all) = document["paths"].as_object_mut() {
            all.extend(paths);
        }
        if let Some(all) = document["components"]["schemas"].as_object_mut() {
            all.extend(schemas.into_iter().map(|(name, schema)| (format!("Copy{copies}_{name}"), schema)));
        }
    }
}
