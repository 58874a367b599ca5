//! `cargo xtask demo`: creates, authenticates and fetches a session over real HTTP.

use std::io::Write;
use std::process::Command;

use session_test_support::launcher::WITHOUT_LIFETIMES;
use session_test_support::seed;

use crate::process::{Failed, key, launch, output, programs, say, serve};

/// Builds and runs. Only the fetched session of the reference page is written to `out`; the steps are written to `progress`.
/// With `keep`, the server runs until it is interrupted.
pub(crate) fn run(keep: bool, out: &mut dyn Write, progress: &mut dyn Write) -> Result<(), Failed> {
    say(progress, "demo: building sessiond and `login`, an example program of the generated client")?;
    let programs = programs(&["--examples"])?;
    let folder = tempfile::tempdir()
        .map_err(|error| Failed(format!("a temporary folder cannot be created: {error}")))?;
    let mut sessiond = serve(&programs.join("sessiond"), folder.path(), WITHOUT_LIFETIMES, &[])?;
    say(
        progress,
        &format!("demo: sessiond is listening on http://{} with an empty store", sessiond.address),
    )?;
    let bound = ["--domain", seed::DOMAIN_ID, "--pool", seed::POOL_ID];
    let key = key(&sessiond, &bound, &["session:create", "session:authenticate", "session:read"])?;

    let login = |environment: &[(&str, &str)]| {
        let mut command = Command::new(programs.join("examples/login"));
        command.env("SESSION_ADDRESS", format!("http://{}", sessiond.address)).env("SESSION_API_KEY", &key);
        command.env("NO_PROXY", "127.0.0.1");
        output(command.envs(environment.iter().copied()))
    };
    say(progress, "demo: a login created and authenticated a session, and fetched it with its own token:")?;
    say(progress, login(&[])?.trim_end())?;

    say(progress, &format!("demo: imported the session of the reference page, {}", seed::SESSION_ID))?;
    sessiond.command(&["import", "-"]).input(seed::summary().to_string()).output().map_err(launch)?;
    let fetched = login(&[("SESSION_ID", seed::SESSION_ID)])?;
    say(progress, "demo: a login authenticated it and fetched it with its own token:")?;
    say(out, fetched.trim_end())?;

    if keep {
        say(
            progress,
            &format!(
                "demo: running at http://{} with the API key {key}; stop it with Ctrl-C",
                sessiond.address
            ),
        )?;
        sessiond.wait();
    }
    Ok(())
}
