//! `cargo xtask bench`: measurements side by side in one run, so that their ratios carry over to other machines.

pub(crate) mod all;
mod chart;
pub(crate) mod compare;
mod cores;
mod figures;
pub(crate) mod growth;
pub(crate) mod instructions;
mod load;
mod operation;
mod peers;
mod postgres;
mod record;
mod report;
mod results;
mod scenario;
mod servers;
pub(crate) mod writes;

use std::io::Write;
use std::time::Instant;

use session_test_support::seed::DOMAIN_ID;

use self::cores::Memory;
pub(crate) use self::load::Settings;
use self::load::{Measured, ROUNDS, Store, machine, measure, rate, request};
use self::operation::{CREATE_CONNECTIONS, create_sessions};
use crate::process::{Failed, key, release, say, serve, target};

/// Fills a store, then measures fetches side by side with a bare response of the same HTTP stack.
pub(crate) fn fetch(settings: &Settings, out: &mut dyn Write) -> Result<(), Failed> {
    if settings.store == Store::Postgres {
        return postgres::fetch(settings, out);
    }
    let mut say = |text: String| say(out, &text);
    let target = target()?;
    let program = if let Some(program) = &settings.sessiond {
        program.clone()
    } else {
        release(&["--bin=sessiond"])?.join("sessiond")
    };
    // On the disk of the build, because a temporary folder may be in memory.
    let folder = tempfile::tempdir_in(&target)
        .map_err(|error| Failed(format!("a folder for the store cannot be created: {error}")))?;
    // A free port for the internal listener, because the server logs the one that it chose only at level `info`.
    let internal = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Failed(format!("no free port: {error}")))?
        .to_string();
    let sessiond = serve(&program, folder.path(), "", &["--internal-listen", &internal])?;
    let address = sessiond.address.to_string();
    let key = key(&sessiond, &["--domain", DOMAIN_ID], &["session:read", "session:create"])?;

    say(format!("machine: {}", machine()))?;
    let began = Instant::now();
    let made = create_sessions(&address, &key, settings.sessions)?.made;
    let per_second = rate(made.len(), began.elapsed());
    let database = std::fs::metadata(folder.path().join("sessions.db")).map_or(0, |file| file.len());
    say(format!(
        "create: {} sessions, {per_second:.0}/s over {CREATE_CONNECTIONS} connections, each on the disk before its response; \
         database {} MiB, {}",
        made.len(),
        database / (1024 * 1024),
        Memory::describe(sessiond.pid())?
    ))?;

    say(format!("{} connections, {} s each:", settings.connections, settings.seconds))?;
    let mut bare = Measured::default();
    let mut own = Measured::default();
    let mut by_key = Measured::default();
    // In turns, so that a slow phase of the machine affects all of them.
    for _ in 0..ROUNDS {
        bare.add(measure(&internal, settings, |_| request("/health", ""))?);
        own.add(measure(&address, settings, |random| {
            let (id, token) = &made[random % made.len()];
            request(&format!("/api/v1/session/{id}"), token)
        })?);
        by_key.add(measure(&address, settings, |random| {
            let (id, _) = &made[random % made.len()];
            request(&format!("/api/v1/session/{id}"), &key)
        })?);
    }
    for (name, measured) in [
        ("bare response of the HTTP stack", &mut bare),
        ("fetch with the session's own token", &mut own),
        ("fetch with an API key", &mut by_key),
    ] {
        measured.latencies_us.sort_unstable();
        say(format!(
            "{name:<36} {:>7.0} requests/s  p50 {:>5} µs  p99 {:>6} µs",
            measured.per_second(),
            measured.percentile_us(50),
            measured.percentile_us(99),
        ))?;
    }
    say(format!(
        "relative to the bare response: {:.2} with the session's own token, {:.2} with an API key",
        own.per_second() / bare.per_second(),
        by_key.per_second() / bare.per_second(),
    ))?;
    say(Memory::describe(sessiond.pid())?)
}
