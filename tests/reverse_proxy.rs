//! The configurations in `deploy/`, as nginx and Caddy run them in front of sessiond, over TLS.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use session_test_support::{Sessiond, seed};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The name in the configurations.
const NAME: &str = "sessions.example";

/// How long a program may take to start or to respond.
const PATIENCE: Duration = Duration::from_mins(1);

/// The address of a client that is not the proxy's; all of 127.0.0.0/8 is the loopback.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 7);

/// What sessiond is told about the proxy.
const SETTINGS: &str = "trusted_proxies = ['127.0.0.1/32']\nclient_address_header = 'x-forwarded-for'\n";

/// A program with a configuration of `deploy/`, in front of a server. Dropping it kills the process.
struct Proxy {
    child: Child,
    address: SocketAddr,
    tls: TlsConnector,
    folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text with this part of it, which it must have, replaced.
fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "the configuration in deploy/ has no {old}");
    text.replace(old, new)
}

/// Writes a self-signed certificate for [`NAME`] and its key to `certificate.pem` and `key.pem`.
fn make_certificate(folder: &Path) {
    let settings = format!(
        "[req]\ndistinguished_name = name\nx509_extensions = extensions\nprompt = no\n[name]\nCN = {NAME}\n\
         [extensions]\nsubjectAltName = DNS:{NAME}\nbasicConstraints = CA:FALSE\n"
    );
    std::fs::write(folder.join("openssl.cnf"), settings).unwrap();
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-config", "openssl.cnf", "-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn trusting(certificate: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

impl Proxy {
    /// nginx with `deploy/nginx.conf`, in one process that writes to its folder alone.
    async fn nginx(server: SocketAddr) -> Self {
        Self::start(|folder, port| {
            let path = |name: &str| folder.join(name).display().to_string();
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
            let temporary = temporary.map(|kind| format!("{kind}_temp_path {};\n", path(kind))).concat();
            let mut text = include_str!("../deploy/nginx.conf").to_owned();
            for (old, new) in [
                ("user www-data;\n", String::new()),
                ("/run/nginx.pid", path("nginx.pid")),
                ("/var/log/nginx/error.log", path("log")),
                ("/var/log/nginx/access.log", path("access.log")),
                ("http {\n", format!("http {{\n{temporary}")),
                ("127.0.0.1:8080;", format!("{server};")),
                ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
                ("/etc/ssl/sessions.example.pem", path("certificate.pem")),
                ("/etc/ssl/sessions.example.key", path("key.pem")),
            ] {
                text = replaced(&text, old, &new);
            }
            std::fs::write(folder.join("nginx.conf"), text).unwrap();
            let mut command = Command::new("nginx");
            command.arg("-p").arg(folder).arg("-e").arg(folder.join("log"));
            command.args(["-c", "nginx.conf", "-g", "daemon off; master_process off;"]);
            command
        })
        .await
    }

    /// Caddy with `deploy/Caddyfile`.
    async fn caddy(server: SocketAddr) -> Self {
        Self::start(|folder, port| {
            let path = |name: &str| folder.join(name).display().to_string();
            let (site, certificate) = ("\nsessions.example {\n", "# tls /etc/ssl/sessions.example.pem");
            let mut text = include_str!("../deploy/Caddyfile").to_owned();
            for (old, new) in [
                (site, format!("\nhttps://{NAME}:{port} {{\n\tbind 127.0.0.1\n")),
                (certificate, format!("tls {}", path("certificate.pem"))),
                ("/etc/ssl/sessions.example.key", path("key.pem")),
                ("reverse_proxy 127.0.0.1:8080", format!("reverse_proxy {server}")),
            ] {
                text = replaced(&text, old, &new);
            }
            std::fs::write(folder.join("Caddyfile"), text).unwrap();
            let mut command = Command::new("caddy");
            command.args(["run", "--config"]).arg(folder.join("Caddyfile"));
            for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
                command.env(variable, folder);
            }
            command
        })
        .await
    }

    /// Starts the command that `prepare` makes for a folder and a port.
    async fn start(prepare: impl Fn(&Path, u16) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_certificate(folder.path());
        let tls = trusting(&folder.path().join("certificate.pem"));
        // Neither program reports the port that it got, so a free one is chosen for it; somebody else may be faster.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = prepare(folder.path(), address.port());
        let output = std::fs::File::create(folder.path().join("output")).unwrap();
        let name = command.get_program().display().to_string();
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).spawn();
        let child = spawned
            .unwrap_or_else(|error| panic!("{name}: {error}; `cargo xtask test` installs what is missing"));
        let mut proxy = Self { child, address, tls, folder };
        let start = Instant::now();
        while TcpStream::connect(proxy.address).await.is_err() {
            let ended = proxy.child.try_wait().unwrap();
            assert!(
                ended.is_none() && start.elapsed() < PATIENCE,
                "{name} did not start: {}",
                proxy.output()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        proxy
    }

    fn output(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("output") + &read("log")
    }

    /// A connection from [`CLIENT`] on which nothing has been sent.
    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((CLIENT, 0).into()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    async fn connect_tls(&self) -> TlsStream<TcpStream> {
        let name = ServerName::try_from(NAME).unwrap();
        self.tls.connect(name, self.connect().await).await.unwrap()
    }

    /// Sends this and returns all that comes back until the proxy closes the connection.
    async fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect_tls().await;
        // Fails if the proxy has refused the request before all of it has arrived.
        let _ = stream.write_all(request.as_bytes()).await;
        answer(stream).await
    }

    /// As [`Proxy::send`], but closes the client's side after the request.
    async fn send_and_half_close(&self, request: &str) -> Answer {
        let mut stream = self.connect_tls().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        answer(stream).await
    }
}

/// What a proxy sent, and how long it took to close the connection.
#[derive(Debug)]
struct Answer {
    text: String,
    after: Duration,
}

impl Answer {
    /// The status; 0 if there was no response.
    fn status(&self) -> u16 {
        self.text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// The status and, of an error of the contract, the code.
    fn outcome(&self) -> (u16, String) {
        let body = self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        // Past the length of a chunk, if there is one.
        let object = body.find('{').zip(body.rfind('}')).map_or("", |(from, to)| &body[from..=to]);
        let body: Value = serde_json::from_str(object).unwrap_or_default();
        (self.status(), body["code"].as_str().unwrap_or_default().to_owned())
    }
}

async fn answer(mut stream: impl tokio::io::AsyncRead + Unpin) -> Answer {
    let (start, mut bytes) = (Instant::now(), Vec::new());
    // A connection may also end with a reset or without the end of TLS.
    let _ =
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the proxy closes it");
    Answer { text: String::from_utf8_lossy(&bytes).into_owned(), after: start.elapsed() }
}

/// A request with this authorization, further headers and body.
fn request(line: &str, token: &str, headers: &str, body: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: {NAME}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{headers}connection: close\r\n\r\n{body}",
        body.len()
    )
}

const CREATE: &str = "POST /api/v1/session";
const WHOAMI: &str = "GET /api/v1/whoami";
const BODY: &str = r#"{"session_type":"api"}"#;

/// What both programs do.
async fn check(server: &Sessiond, proxy: &Proxy) {
    let key = server.key(&["session:create", "session:read"]);
    let body = json!({ "session_type": "browser", "interaction": {} });
    let (session, token) = server.create(&key, body).await;
    let id = session["summary"]["id"].as_str().unwrap();

    // A request, and the client's address although the client forges it.
    let forged =
        "forwarded: for=198.51.100.1\r\nx-forwarded-for: 198.51.100.2\r\nx-forwarded-for: 198.51.100.3\r\n";
    let fetched = proxy.send(&request(WHOAMI, &token, forged, "")).await;
    assert_eq!(fetched.status(), 200, "{fetched:?} {}", proxy.output());
    let seen = server.fetch(id, &key).await;
    assert_eq!(seen.body["summary"]["last_seen"]["remote_ip"], CLIENT.to_string(), "{:?}", seen.body);

    // What is malformed reaches sessiond as it is, and what is too long does not reach it.
    let doubled = proxy.send(&request("GET /api/v1//whoami", &token, "", "")).await;
    assert_eq!(doubled.outcome(), (400, "bad_request".to_owned()), "{doubled:?}");
    let long = proxy.send(&request(CREATE, &key, "", &" ".repeat(20_000))).await;
    assert_eq!(long.outcome(), (413, "bad_request".to_owned()), "{long:?}");
    let longer = proxy.send(&request(CREATE, &key, "", &" ".repeat(200_000))).await;
    // nginx says so; Caddy 2.6 reports any end of its copy to sessiond as 502.
    assert!([413, 502].contains(&longer.status()), "{longer:?}");
    let headers = format!("x-long: {}\r\n", "a".repeat(60_000));
    let refused = proxy.send(&request(WHOAMI, &token, &headers, "")).await;
    assert!([400, 431].contains(&refused.status()), "{refused:?}");
    assert_eq!(proxy.send(&request("GET /metrics", &token, "", "")).await.status(), 404);

    // Connections that stall are closed before sessiond would close them.
    let silent = async { answer(proxy.connect().await).await };
    let no_request = proxy.send("");
    let half_headers = proxy.send("GET /api/v1/whoami HTTP/1.1\r\nhost: sessions.example\r\nx-half: ");
    let half_body = request(CREATE, &key, "", BODY);
    let half_body = proxy.send(&half_body[..half_body.len() - 5]);
    let (silent, no_request, half_headers, half_body) =
        tokio::join!(silent, no_request, half_headers, half_body);
    for stalled in [silent, half_headers, half_body] {
        assert!(stalled.after < Duration::from_secs(25), "{stalled:?}");
        assert!([0, 400, 408].contains(&stalled.status()), "{stalled:?}");
    }
    assert!(no_request.text.is_empty(), "{no_request:?}");
    assert_eq!(server.fetch(seed::SESSION_ID, &key).await.status, 404);
}

#[tokio::test]
async fn nginx_protects_sessiond_and_reports_the_clients_address() {
    let server = Sessiond::start_with_settings(SETTINGS).await;
    let proxy = Proxy::nginx(server.direct()).await;
    check(&server, &proxy).await;
    // The response also reaches a client that has closed its side.
    let key = server.key(&["session:create"]);
    let created = proxy.send_and_half_close(&request(CREATE, &key, "", BODY)).await;
    assert_eq!(created.status(), 201, "{created:?} {}", proxy.output());
}

#[tokio::test]
async fn caddy_protects_sessiond_and_reports_the_clients_address() {
    let server = Sessiond::start_with_settings(SETTINGS).await;
    let proxy = Proxy::caddy(server.direct()).await;
    check(&server, &proxy).await;
}

#[tokio::test]
async fn the_proxies_replace_what_a_client_wrote_about_its_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    for proxy in [Proxy::nginx(server).await, Proxy::caddy(server).await] {
        let forged = "forwarded: for=198.51.100.1\r\nx-forwarded-for: 198.51.100.2\r\n";
        let request = request(WHOAMI, "token", forged, "");
        let received = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
            String::from_utf8(head).unwrap().to_lowercase()
        };
        let (head, answer) = tokio::join!(received, proxy.send(&request));
        assert_eq!(answer.status(), 204, "{answer:?}");
        assert!(head.starts_with("get /api/v1/whoami http/1.1\r\n"), "{head}");
        let named = |name: &str| head.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>();
        assert_eq!(named("x-forwarded-for:"), [format!("x-forwarded-for: {CLIENT}")], "{head}");
        assert_eq!(named("forwarded:"), [""; 0], "{head}");
        assert_eq!(named("authorization:"), ["authorization: bearer token"], "{head}");
    }
}
