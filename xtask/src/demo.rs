//! `cargo xtask demo`: a session from its creation to its fetch, over real HTTP.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::process::{Failed, Sessiond, cargo, output, say, target};

/// The session of the reference page, as a line for `sessiond import`.
const SEED: &str = include_str!("../seed-session.json");
/// Without lifetimes: that session is of 2009, and would have ended long ago.
const SETTINGS: &str = "\
[lifetime]
browser = { idle = 'none', absolute = 'none' }
";
const SEED_DOMAIN_ID: &str = "013xrzp12g3nqk8n32sd3jyxq5a8ywe2";
const SEED_POOL_ID: &str = "013xrzp12g3nqk8ng09nmc8kwqzfafa2";
const SEED_SESSION_ID: &str = "013xrzp12g3nqk8nkv4y96wrbzje9dsr";

/// Builds and runs; `out` gets the session of the reference page as it was fetched and nothing else,
/// `progress` what happens meanwhile. `keep` leaves the server up until it is interrupted.
pub(crate) fn run(keep: bool, out: &mut dyn Write, progress: &mut dyn Write) -> Result<(), Failed> {
    say(progress, "demo: building sessiond, and `login`, which is an example of the generated client")?;
    cargo(&["build", "--quiet", "--locked", "--package", "session-server", "--bin", "sessiond"])?;
    cargo(&["build", "--quiet", "--locked", "--package", "session-client", "--example", "login"])?;
    let programs = target()?.join("debug");
    let folder = tempfile::tempdir().map_err(|error| Failed(format!("no temporary folder: {error}")))?;
    let mut sessiond = Sessiond::start(&programs.join("sessiond"), folder.path(), SETTINGS, "127.0.0.1:0")?;
    say(progress, &format!("demo: sessiond listens on http://{} with an empty store", sessiond.address))?;
    let bound = ["--domain", SEED_DOMAIN_ID, "--pool", SEED_POOL_ID];
    let key = sessiond.key(&bound, &["session:create", "session:update", "session:read"])?;

    let login = |environment: &[(&str, &str)]| {
        let mut command = Command::new(programs.join("examples/login"));
        command.env("SESSION_ADDRESS", format!("http://{}", sessiond.address)).env("SESSION_API_KEY", &key);
        command.env("NO_PROXY", "127.0.0.1");
        output(command.envs(environment.iter().copied()))
    };
    say(progress, "demo: a login created and authenticated a session, and fetched it with its own token:")?;
    say(progress, login(&[])?.trim_end())?;

    say(progress, &format!("demo: imported the session of the reference page, {SEED_SESSION_ID}"))?;
    let mut import = sessiond
        .command(&["import", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| Failed(format!("sessiond import cannot be started: {error}")))?;
    if let Some(mut input) = import.stdin.take() {
        input
            .write_all(SEED.as_bytes())
            .map_err(|error| Failed(format!("sessiond import does not read: {error}")))?;
    }
    let imported = import.wait().map_err(|error| Failed(error.to_string()))?;
    if !imported.success() {
        return Err(Failed(format!("sessiond import failed: {imported}")));
    }
    let fetched = login(&[("SESSION_ID", SEED_SESSION_ID)])?;
    say(progress, "demo: a login authenticated it and fetched it with its own token:")?;
    say(out, fetched.trim_end())?;

    if keep {
        say(
            progress,
            &format!("demo: left up at http://{} with the API key {key}; Ctrl-C ends it", sessiond.address),
        )?;
        sessiond.wait();
    }
    Ok(())
}
