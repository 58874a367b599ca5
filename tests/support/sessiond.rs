//! `sessiond` as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::calls::{Call, call};
use crate::seed;
use crate::validating_proxy::{self, Violations};

/// How long a process may take for what takes it milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, built as the tests are.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // target/PROFILE/deps/e2e-HASH, and the program is in target/PROFILE.
        let tests = std::env::current_exe().unwrap();
        let folder = tests.parent().and_then(Path::parent).unwrap();
        let release = folder.file_name().is_some_and(|name| name == "release");
        let mut build = std::process::Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--package", "session-server", "--bin", "sessiond"]);
        build.args(release.then_some("--release"));
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().unwrap().success(), "sessiond cannot be built");
        folder.join("sessiond")
    })
}

/// The program, without the settings of whoever runs the tests.
fn program() -> std::process::Command {
    let mut command = std::process::Command::new(binary());
    for name in ["CONFIG", "STORE", "LISTEN", "INTERNAL_LISTEN", "LOG_FORMAT", "LOG_LEVEL"] {
        command.env_remove(format!("SESSIOND_{name}"));
    }
    command
}

/// Settings without lifetimes: the reference page's session is of 2009, and would have ended long ago.
pub fn settings_without_lifetimes() -> &'static str {
    static FILE: OnceLock<(TempDir, String)> = OnceLock::new();
    let (_, path) = FILE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessiond.toml");
        let never = "{ idle = 'none', absolute = 'none' }";
        std::fs::write(&path, format!("[lifetime]\nbrowser = {never}\napi = {never}\n")).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    });
    path
}

/// Lets this process and those it starts hold as many connections as the machine allows.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// A command of `sessiond` that runs to its end.
#[derive(Debug)]
pub struct Command {
    command: std::process::Command,
    input: Vec<u8>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Command {
    /// `sessiond` with these arguments.
    pub fn new(arguments: &[&str]) -> Self {
        let mut command = program();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, input: Vec::new() }
    }

    /// Gives it an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in this folder.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Gives it this standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Finished {
        let mut child = self.command.spawn().unwrap();
        let mut stdin: ChildStdin = child.stdin.take().unwrap();
        let input = std::mem::take(&mut self.input);
        // It may end without reading all of its input.
        let feeding = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        Finished {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// An answer over the wire.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Value,
}

impl Answer {
    /// The status and, of an error, the code.
    pub fn outcome(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }

    /// The error's message.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// A running server on a store of its own. When it is dropped, the process is killed, and the test fails if
/// the proxy saw an answer that the contract does not allow.
#[derive(Debug)]
pub struct Sessiond {
    child: Child,
    folder: Option<TempDir>,
    store: String,
    direct: SocketAddr,
    proxy: SocketAddr,
    /// Making one takes longer than a request.
    client: reqwest::Client,
    violations: Violations,
    log: Arc<Mutex<String>>,
    /// What it printed before it was ready, and after.
    stdout: Arc<Mutex<String>>,
}

impl Sessiond {
    /// Starts one on an empty store.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one on an empty store, with further flags.
    pub async fn start_with(flags: &[&str]) -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), flags).await
    }

    /// Starts one on an empty store with these settings.
    pub async fn start_with_settings(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessiond.toml");
        std::fs::write(&path, settings).unwrap();
        let path = path.to_str().unwrap().to_owned();
        Self::start_on(folder, &["--config", &path]).await
    }

    /// Starts one on the store in this folder, without lifetimes unless the flags name other settings.
    pub async fn start_on(folder: TempDir, flags: &[&str]) -> Self {
        let store = format!("sqlite:{}", folder.path().join("sessions.db").display());
        let mut child = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"])
            .args(["--log-format", "json", "--store", &store])
            .args(flags)
            .env("SESSIOND_CONFIG", settings_without_lifetimes())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = collect(child.stderr.take().unwrap());
        let stdout = collect(child.stdout.take().unwrap());
        let address = |text: &str| text.lines().next()?.strip_prefix("listening on http://")?.parse().ok();
        let direct = wait_for(|| address(&stdout.lock().unwrap()))
            .unwrap_or_else(|| panic!("{}", log.lock().unwrap()));
        let (proxy, violations) = validating_proxy::start(direct).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { child, folder: Some(folder), store, direct, proxy, client, violations, log, stdout }
    }

    /// The address of the proxy in front of it, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// Its own address, for loads that are not judged.
    pub fn direct(&self) -> SocketAddr {
        self.direct
    }

    /// Its store.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// The folder of its store.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a line of the log holds this text.
    pub fn logged(&self, text: &str) {
        let found = wait_for(|| self.log().contains(text).then_some(()));
        assert!(found.is_some(), "{text} is not in {}", self.log());
    }

    /// What it has printed.
    pub fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    /// A command on its store.
    pub fn command(&self, arguments: &[&str]) -> Command {
        Command::new(
            &[arguments, &["--store", &self.store, "--config", settings_without_lifetimes()]].concat(),
        )
    }

    /// A new API key of the seed's domain; bound to the seed's pool if there are no other flags.
    pub fn key(&self, scopes: &[&str]) -> String {
        self.key_with(&["--domain", seed::DOMAIN_ID, "--pool", seed::POOL_ID], scopes)["key"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Imports sessions, which must succeed.
    pub fn import(&self, sessions: &[Value]) {
        let lines = sessions.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let finished = self.command(&["import", "-"]).input(lines).run();
        assert_eq!(finished.code, 0, "{finished:?}");
    }

    /// The events since the beginning, as `sessiond events` prints them.
    pub fn events(&self) -> Vec<Value> {
        let finished = self.command(&["events"]).run();
        assert_eq!(finished.code, 0, "{finished:?}");
        finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A new API key with these flags and scopes, as `key create --output json` prints it.
    pub fn key_with(&self, flags: &[&str], scopes: &[&str]) -> Value {
        let mut arguments = vec!["key", "create", "--name", "test", "--output", "json"];
        arguments.extend(flags);
        for scope in scopes {
            arguments.extend(["--scope", scope]);
        }
        let finished = self.command(&arguments).run();
        assert_eq!(finished.code, 0, "{finished:?}");
        serde_json::from_str(&finished.stdout).unwrap()
    }

    /// Sends a request and returns the answer, judged.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let body = body.map(|body| {
            headers.insert("content-type", "application/json".parse().unwrap());
            body.to_string()
        });
        self.send(method, path, headers, body.unwrap_or_default()).await
    }

    /// Sends a request with exactly these headers and this body, and returns the answer, judged.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let url = format!("{}{path}", self.url());
        let answer = self.client.request(method, url).headers(headers).body(body).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    /// Sends a valid request of an operation.
    pub async fn call(&self, operation_id: &str, session_id: &str, token: Option<&str>) -> Answer {
        let Call { method, path, body, .. } = call(operation_id, session_id);
        self.request(method, &path, token, body).await
    }

    /// Fetches a session.
    pub async fn fetch(&self, id: &str, token: &str) -> Answer {
        self.request(Method::GET, &format!("/api/v1/session/{id}"), Some(token), None).await
    }

    /// Creates a session with this body, which must succeed; returns it and its token.
    pub async fn create(&self, key: &str, body: Value) -> (Value, String) {
        let answer = self.request(Method::POST, "/api/v1/session", Some(key), Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        let token = answer.body["authtoken"].as_str().unwrap().to_owned();
        (answer.body["session"].clone(), token)
    }

    /// Authenticates a session as an account and the seed's identity, which must succeed; returns the token.
    pub async fn authenticate(&self, key: &str, id: &str, account_id: &str) -> String {
        let path = format!("/api/v1/session/{id}/authenticate");
        let body = json!({ "account_id": account_id, "authenticated_identity_id": seed::IDENTITY_ID });
        let answer = self.request(Method::POST, &path, Some(key), Some(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer.body["authtoken"].as_str().unwrap().to_owned()
    }

    /// Fetches a page of the internal listener, whose address is in the log: status and text.
    pub async fn internal(&self, path: &str) -> (u16, String) {
        let address = |text: &str| {
            text.lines().find_map(|line| {
                let record: Value = serde_json::from_str(line).ok()?;
                record["internal_listen"].as_str().map(str::to_owned)
            })
        };
        let address =
            wait_for(|| address(&self.log.lock().unwrap())).expect("the internal address is in the log");
        let answer = self.client.get(format!("http://{address}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Sends it a signal, by its process ID.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; returns the exit code, if it had one.
    pub async fn ended(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "it did not end: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it as `kill -9` does, and returns the folder of its store.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.folder.take().unwrap()
    }

    /// Asks it to stop, waits until it has, and returns the folder of its store.
    pub async fn stop(mut self) -> TempDir {
        self.signal(rustix::process::Signal::TERM);
        assert_eq!(self.ended().await, Some(0), "{}", self.log());
        self.folder.take().unwrap()
    }
}

impl Drop for Sessiond {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let violations = self.violations.lock().unwrap();
        if !thread::panicking() {
            assert!(violations.is_empty(), "responses that the contract does not allow: {violations:#?}");
            assert!(!self.log.lock().unwrap().contains("panicked"), "{}", self.log.lock().unwrap());
        }
    }
}

/// Reads a stream to its end into a text that can be looked at meanwhile.
fn collect(stream: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let collected = Arc::clone(&text);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = collected.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}

fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(value) = found() {
            return Some(value);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}
