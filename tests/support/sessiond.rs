//! A server behind the proxy that validates its responses, for the end-to-end tests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::contract::Contract;
use crate::launcher::{Command, Program, Server, WITHOUT_LIFETIMES, key_create, store_set};
use crate::requests::call;
use crate::seed;
use crate::validating_proxy::{self, Violations};

/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, built in the profile of the tests.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // target/PROFILE/deps/e2e-HASH, and the program is in target/PROFILE.
        let tests = std::env::current_exe().unwrap();
        let folder = tests.parent().and_then(Path::parent).unwrap();
        let release = folder.file_name().is_some_and(|name| name == "release");
        let mut build = std::process::Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked"]);
        build.args(if release {
            // Each program is linked for minutes.
            ["--release", "--package=session-server", "--bin=sessiond"]
        } else {
            // The selection of `cargo xtask test`: with another one, cargo chooses other features and compiles again.
            ["--workspace", "--all-features", "--bins"]
        });
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().unwrap().success(), "sessiond cannot be built");
        folder.join("sessiond")
    })
}

/// A command of `sessiond` with these arguments.
pub fn command(arguments: &[&str]) -> Command {
    Program::at(binary()).command(arguments)
}

/// Raises the limit of open files of this process and its children to the machine's maximum.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// A response.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Value,
}

impl Response {
    /// The status and, of an error, the code.
    pub fn outcome(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }

    /// The error's message.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// A running server on a store of its own. When it is dropped, the process is killed, and the test fails if a response
/// violated the contract.
#[derive(Debug)]
pub struct Sessiond {
    server: Server,
    folder: Option<TempDir>,
    proxy: SocketAddr,
    /// Making one takes longer than a request.
    client: reqwest::Client,
    violations: Violations,
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
        Self::launch(tempfile::tempdir().unwrap(), settings, &[]).await
    }

    /// Starts one on the store in this folder, without lifetimes.
    pub async fn start_on(folder: TempDir, flags: &[&str]) -> Self {
        Self::launch(folder, WITHOUT_LIFETIMES, flags).await
    }

    /// Starts one on the database at this URL, with these settings.
    pub async fn start_at(url: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        store_set(folder.path(), url);
        Self::launch(folder, settings, &[]).await
    }

    /// Starts one on an empty store through this program, which must end as [`binary`], with further flags.
    pub async fn start_through(program: &Path, flags: &[&str]) -> Self {
        Self::launch_through(program, tempfile::tempdir().unwrap(), WITHOUT_LIFETIMES, flags).await
    }

    async fn launch(folder: TempDir, settings: &str, flags: &[&str]) -> Self {
        Self::launch_through(binary(), folder, settings, flags).await
    }

    async fn launch_through(program: &Path, folder: TempDir, settings: &str, flags: &[&str]) -> Self {
        let server = Program::at(program).serve(folder.path(), settings, flags).unwrap();
        let (proxy, violations) = validating_proxy::start(server.address).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { server, folder: Some(folder), proxy, client, violations }
    }

    /// The address of the proxy in front of it, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// Its own address, without the proxy.
    pub fn direct(&self) -> SocketAddr {
        self.server.address
    }

    /// The URL of its store.
    pub fn store(&self) -> &str {
        &self.server.store
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The folder of its store.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// Waits until a line of the log contains this text.
    pub fn logged(&self, text: &str) {
        let found = self.server.wait_for(|server| server.log().contains(text).then_some(()));
        assert!(found.is_some(), "{text} is not in {}", self.log());
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        self.server.stdout()
    }

    /// A command on its store.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.server.command(arguments)
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
        let finished = self.command(&key_create(flags, scopes)).run();
        assert_eq!(finished.code, 0, "{finished:?}");
        serde_json::from_str(&finished.stdout).unwrap()
    }

    /// Sends a request through the validating proxy and returns the response.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Response {
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

    /// As [`Sessiond::request`], with exactly these headers and this body.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let url = format!("{}{path}", self.url());
        let answer = self.client.request(method, url).headers(headers).body(body).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Response { status, headers, body }
    }

    /// Sends a valid request of an operation.
    pub async fn call(&self, operation_id: &str, session_id: &str, token: Option<&str>) -> Response {
        static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::load);
        let request = call(&CONTRACT, operation_id, session_id);
        self.request(request.method.parse().unwrap(), &request.target, token, request.body).await
    }

    /// Fetches a session.
    pub async fn fetch(&self, id: &str, token: &str) -> Response {
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

    /// Fetches a page of the internal listener: status and text.
    pub async fn internal(&self, path: &str) -> (u16, String) {
        let address = self.server.internal_address().expect("the internal address is in the log");
        let answer = self.client.get(format!("http://{address}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// How much memory it occupies, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.pid())).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.server.signal(signal).unwrap();
    }

    /// Waits for its end and returns its exit code; -1 if a signal ended it.
    pub async fn ended(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(code) = self.server.ended().unwrap() {
                return Some(code);
            }
            assert!(began.elapsed() < PATIENCE, "it did not end: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it as `kill -9` does and returns the folder of its store.
    pub fn kill(mut self) -> TempDir {
        self.server.kill();
        self.folder.take().unwrap()
    }

    /// Asks it to stop, waits until it has, and returns the folder of its store.
    pub async fn stop(mut self) -> TempDir {
        self.signal(Signal::TERM);
        assert_eq!(self.ended().await, Some(0), "{}", self.log());
        self.folder.take().unwrap()
    }
}

impl Drop for Sessiond {
    fn drop(&mut self) {
        self.server.kill();
        let violations = self.violations.lock().unwrap();
        if !thread::panicking() {
            assert!(violations.is_empty(), "responses that the contract does not allow: {violations:#?}");
            assert!(!self.log().contains("panicked"), "{}", self.log());
        }
    }
}
