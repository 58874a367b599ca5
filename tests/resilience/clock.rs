//! Jumps of the clock of a real process, with libfaketime. Its monotonic clock goes on as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use crate::report::{Failed, Kind, Outcome};
use crate::server::{Running, Target};
use crate::service::{Counts, Response, Service};

/// The library of Debian's package, under the folder of the machine's architecture.
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// A sweep each second, retention shorter than a jump, and a lifetime of sessions of type `browser` that ends during the
/// test.
const SETTINGS: &str = "[lifetime]\nbrowser = { idle = 'none', absolute = '8s' }\n\
                        api = { idle = '30d', absolute = '90d' }\n\
                        [sweep]\ninterval = '1s'\nsession_retention = '30d'\nevent_retention = '30d'\n";

/// The lifetime of sessions of type `browser`, and what a sweep and the load of the machine add to it.
const BROWSER_ENDS_WITHIN: Duration = Duration::from_secs(8 + 30);

/// How long the clock is wrong: several sweeps.
const WRONG_FOR: Duration = Duration::from_secs(4);

/// What the log says of a jump.
const JUMP_WARNING: &str = "the wall clock jumped";

/// How far the time in an ID may be from the clock.
const ID_TOLERANCE_S: u64 = 30;

/// The test's clock: a file that libfaketime reads.
struct Clock(PathBuf);

impl Clock {
    /// Sets the server's clock this many days ahead, and waits until the server has noticed.
    async fn set(&self, days: u32) -> Result<(), Failed> {
        let next = self.0.with_extension("next");
        std::fs::write(&next, format!("+{days}d\n"))?;
        std::fs::rename(next, &self.0)?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        Ok(())
    }
}

/// Lets the clock of a server jump and returns what was found.
pub(crate) async fn run(target: &Target) -> Result<Outcome, Failed> {
    let Some(library) = library() else {
        let summary =
            "SKIPPED: libfaketime is not installed; on Debian, `apt-get install faketime`".to_owned();
        return Ok(Outcome::skipped(summary));
    };
    let (folder, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let clock = Clock(other.path().join("clock"));
    clock.set(0).await?;
    let program = target
        .program()
        .env("LD_PRELOAD", &library.to_string_lossy())
        .env("FAKETIME_TIMESTAMP_FILE", &clock.0.to_string_lossy())
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_CACHE_DURATION", "1");
    let running = target.try_start(program, folder.path(), SETTINGS, &[]).await??;
    let (outcome, counts) = (Outcome::default(), Arc::<Counts>::default());
    let service = Service::new(running.address, &counts)?;
    let key = running.key()?.1;
    let mut check = Check { running, service, key, outcome };
    let result = check.jumps(&clock).await;
    let mut outcome = check.outcome;
    outcome.count_requests(&counts);
    outcome.faults = 2;
    outcome.summary = format!("2 jumps of the real clock, by 100 and 365 days and back: {}", result?);
    Ok(outcome)
}

struct Check {
    running: Running,
    service: Service,
    key: String,
    outcome: Outcome,
}

impl Check {
    /// Lets the clock jump twice. Returns what was counted.
    async fn jumps(&mut self, clock: &Clock) -> Result<String, Failed> {
        let mut live = Vec::new();
        for _ in 0..5 {
            live.push(self.create("api").await?);
        }
        let ended = self.create("api").await?;
        let path = format!("/api/v1/session/{ended}/complete");
        self.request(Method::POST, &path, None, 200).await?;
        let events = self.events().await?;

        clock.set(100).await?;
        tokio::time::sleep(WRONG_FOR).await;
        clock.set(0).await?;
        for id in &live {
            self.expect_status(id, &["new"], "after a jump of 100 days").await?;
        }
        self.expect_status(&ended, &["complete"], "after a jump of 100 days").await?;
        let after = self.events().await?;
        if !self.running.server.log().contains(JUMP_WARNING) {
            let text = format!("the log does not have {JUMP_WARNING:?} after a jump of 100 days");
            self.outcome.add(Kind::Other, text);
        }
        if let Some(lost) = events.iter().find(|event| !after.contains(event)) {
            self.outcome.add(Kind::Lost, format!("an event is gone after a jump of 100 days: {lost}"));
        }

        clock.set(365).await?;
        let future = self.create("browser").await?;
        clock.set(0).await?;
        let present = self.create("browser").await?;
        self.expect_present(&present);
        self.expect_end(&present, "a session that was created after a jump").await?;
        self.expect_end(&future, "a session that was created during a jump").await?;
        for id in &live {
            self.expect_status(id, &["new"], "at the end").await?;
        }
        let (sessions, events) = (live.len() + 3, self.events().await?.len());
        Ok(format!("{sessions} sessions and {events} events compared"))
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        status: u16,
    ) -> Result<Response, Failed> {
        let response = self.service.send(method, path, &self.key, body).await.response;
        let response = response.ok_or_else(|| Failed(format!("no response to {path}")))?;
        if response.status == status {
            return Ok(response);
        }
        Err(Failed(format!("{path}: {} instead of {status}: {}", response.status, response.body)))
    }

    /// Creates a session of this type and returns its ID.
    async fn create(&self, session_type: &str) -> Result<String, Failed> {
        let body = json!({ "session_type": session_type });
        let response = self.request(Method::POST, "/api/v1/session", Some(body), 201).await?;
        let id = response.body["session"]["summary"]["id"].as_str();
        id.map(str::to_owned).ok_or_else(|| Failed(format!("no session: {}", response.body)))
    }

    async fn status(&self, id: &str) -> Result<String, Failed> {
        let exchange =
            self.service.send(Method::GET, &format!("/api/v1/session/{id}"), &self.key, None).await;
        let response = exchange.response.ok_or_else(|| Failed(format!("no response to a fetch of {id}")))?;
        let status = response.body["summary"]["status"].as_str();
        Ok(status.map_or_else(|| response.code().to_owned(), str::to_owned))
    }

    async fn expect_status(&mut self, id: &str, allowed: &[&str], when: &str) -> Result<(), Failed> {
        let status = self.status(id).await?;
        if !allowed.contains(&status.as_str()) {
            self.outcome.add(Kind::Lost, format!("{when}, session {id} is {status}, not {}", allowed[0]));
        }
        Ok(())
    }

    /// Expects that the time in an ID that was minted just now is about that of the clock.
    fn expect_present(&mut self, id: &str) {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let minted_s = minted_ms(id) / 1_000;
        if minted_s.abs_diff(now_s) > ID_TOLERANCE_S {
            let ahead = minted_s.saturating_sub(now_s);
            let text = format!("an ID that was minted after the jump back is {ahead} s ahead: {id}");
            self.outcome.add(Kind::Other, text);
        }
    }

    async fn expect_end(&mut self, id: &str, what: &str) -> Result<(), Failed> {
        let began = std::time::Instant::now();
        while self.status(id).await? != "complete" {
            if began.elapsed() > BROWSER_ENDS_WITHIN {
                let text = format!("{what} outlives its lifetime of 8 s: {id} is {}", self.status(id).await?);
                self.outcome.add(Kind::Other, text);
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    async fn events(&self) -> Result<Vec<String>, Failed> {
        let command = self.running.server.command(&["events"]);
        let printed = tokio::task::spawn_blocking(move || command.output()).await??;
        Ok(printed.lines().map(str::to_owned).collect())
    }
}

/// The time in an ID: its first 50 bits.
fn minted_ms(id: &str) -> u64 {
    const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";
    let digits = id.chars().take(10).map(|digit| ALPHABET.find(digit).unwrap_or_default() as u64);
    digits.fold(0, |ms, digit| ms << 5 | digit)
}

/// The library, if it is installed.
pub(crate) fn library() -> Option<PathBuf> {
    let architectures = std::fs::read_dir("/usr/lib").ok()?;
    let candidates = architectures.filter_map(Result::ok).map(|folder| folder.path().join(LIBRARY));
    candidates.chain([Path::new("/usr/lib").join(LIBRARY)]).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_time_in_an_id_is_that_of_the_reference_page() {
        assert_eq!(super::minted_ms(session_test_support::seed::SESSION_ID), 1_234_567_890_000);
    }
}
