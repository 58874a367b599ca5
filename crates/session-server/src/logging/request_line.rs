//! The line of a request in JSON, written straight into bytes.

use std::borrow::Cow;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode, Uri};
use humantime::format_rfc3339_nanos;
use session_api::Operation;
use session_types::{ErrorCode, without_tokens};

/// What the line of a request says. The names of its fields are those of dropshot's records.
#[derive(Clone, Copy)]
pub(crate) struct RequestLine<'a> {
    /// The peer of the connection, which may be a proxy.
    pub(crate) remote_addr: SocketAddr,
    /// The ID of the request.
    pub(crate) request_id: &'a str,
    /// The method; those of the contract have no character that JSON escapes.
    pub(crate) method: &'a Method,
    /// The target of the request, as its caller wrote it.
    pub(crate) uri: &'a Uri,
    /// The operation.
    pub(crate) operation: Operation,
    /// The status of the response.
    pub(crate) status: StatusCode,
    /// The code of the error in the response, if it is one.
    pub(crate) code: Option<ErrorCode>,
    /// The time from the arrival of the request at its operation to the response.
    pub(crate) latency: Duration,
}

/// More than the line of a request for one session has.
const USUAL_MAX_BYTES: usize = 512;

/// The last second of the year 9999, after which RFC 3339 has no text for a time; in seconds since 1970.
const TIME_MAX_S: u64 = 253_402_300_799;

impl RequestLine<'_> {
    /// Returns the line, which ends with a line feed. Only the target is written by the caller, so only that is escaped and may
    /// have a token, which is redacted.
    pub(super) fn to_json(self, now: SystemTime) -> Vec<u8> {
        let target = target(self.uri);
        let target = redacted(&target);
        // Of a clock that was never set, or set wrong.
        let now = now.clamp(UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(TIME_MAX_S));
        let mut line = Vec::with_capacity(USUAL_MAX_BYTES + target.len());
        // Writing to memory cannot fail.
        let _ = write!(
            line,
            r#"{{"ts":"{}","level":"INFO","msg":"request completed","listener":"contract","remote_addr":"{}","req_id":"{}","method":"{}","uri":"#,
            format_rfc3339_nanos(now),
            self.remote_addr,
            self.request_id,
            self.method,
        );
        let _ = serde_json::to_writer(&mut line, &target);
        let _ = write!(
            line,
            r#","operation":"{}","response_code":{}"#,
            self.operation.as_ref(),
            self.status.as_u16()
        );
        if let Some(code) = self.code {
            let _ = write!(line, r#","code":"{}""#, code.as_ref());
        }
        let _ = writeln!(line, r#","latency_us":{}}}"#, self.latency_us());
        line
    }

    pub(super) fn latency_us(&self) -> u64 {
        u64::try_from(self.latency.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Returns the text of a target; only one in absolute form, which HTTP/2 always has, has to be put together.
fn target(uri: &Uri) -> Cow<'_, str> {
    match uri.path_and_query() {
        Some(target) if uri.authority().is_none() => Cow::Borrowed(target.as_str()),
        _ => Cow::Owned(uri.to_string()),
    }
}

fn redacted(text: &str) -> Cow<'_, str> {
    match without_tokens(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(redacted) => Cow::Owned(String::from_utf8_lossy(&redacted).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::near_miss::cases;

    fn line_of(uri: &Uri, then: impl FnOnce(RequestLine<'_>) -> Vec<u8>) -> Vec<u8> {
        then(RequestLine {
            remote_addr: ([192, 0, 2, 1], 4_711).into(),
            request_id: "cee34a24-7f8c-4b4e-8d84-5bcf9e8d9a1c",
            method: &Method::GET,
            uri,
            operation: Operation::FetchSession,
            status: StatusCode::OK,
            code: None,
            latency: Duration::from_micros(77),
        })
    }

    #[test]
    fn the_line_of_a_request_has_these_fields_and_the_code_of_an_error() {
        let uri = Uri::from_static("/api/v1/session/x?a=\\b");
        let now = UNIX_EPOCH + Duration::new(1_764_421_925, 1_000);
        let line = line_of(&uri, |line| line.to_json(now));
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        let mut expected = json!({
            "ts": "2025-11-29T13:12:05.000001000Z",
            "level": "INFO",
            "msg": "request completed",
            "listener": "contract",
            "remote_addr": "192.0.2.1:4711",
            "req_id": "cee34a24-7f8c-4b4e-8d84-5bcf9e8d9a1c",
            "method": "GET",
            "uri": "/api/v1/session/x?a=\\b",
            "operation": "fetch_session",
            "response_code": 200,
            "latency_us": 77,
        });
        assert_eq!(serde_json::from_slice::<Value>(&line).unwrap(), expected);
        let line = line_of(&uri, |line| {
            let remote_addr = "[2001:db8::1]:80".parse().unwrap();
            let (status, code) = (StatusCode::NOT_FOUND, Some(ErrorCode::NotFound));
            RequestLine { remote_addr, status, code, ..line }.to_json(now)
        });
        expected["remote_addr"] = json!("[2001:db8::1]:80");
        expected["response_code"] = json!(404);
        expected["code"] = json!("not_found");
        assert_eq!(serde_json::from_slice::<Value>(&line).unwrap(), expected);
    }

    /// Bytes of a target, many of which mean something in JSON, in percent encoding or in a token.
    fn any_target() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![any::<u8>(), proptest::sample::select(&b"\"\\{}%_?/ssk7a"[..])];
        let part = prop_oneof![
            4 => byte.prop_map(|byte| vec![byte]),
            1 => Just([b"ssk_".as_slice(), &[b'7'; 91]].concat()),
        ];
        proptest::collection::vec(part, 0..40).prop_map(|parts| [b"/".as_slice(), &parts.concat()].concat())
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn every_target_that_is_a_uri_makes_one_valid_line_that_repeats_it_without_tokens(bytes in any_target()) {
            for prefix in [&b""[..], b"https://sessions.example"] {
                let Ok(uri) = Uri::try_from([prefix, &bytes].concat()) else { continue };
                let line = line_of(&uri, |line| line.to_json(SystemTime::now()));
                prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
                prop_assert_eq!(without_tokens(&line).len(), line.len());
                let parsed: Value = serde_json::from_slice(&line).unwrap();
                let text = uri.to_string();
                prop_assert_eq!(parsed["uri"].as_str().unwrap().as_bytes(), &*without_tokens(text.as_bytes()));
            }
        }

        #[test]
        fn times_and_addresses_are_written_as_they_are_read(
            seconds in 0_u64..=TIME_MAX_S, nanos in 0_u32..1_000_000_000, remote_addr: SocketAddr,
        ) {
            let time = UNIX_EPOCH + Duration::new(seconds, nanos).min(Duration::from_secs(TIME_MAX_S));
            let uri = Uri::from_static("/");
            let line = line_of(&uri, |line| RequestLine { remote_addr, ..line }.to_json(time));
            let line: Value = serde_json::from_slice(&line).unwrap();
            let ts = line["ts"].as_str().unwrap();
            prop_assert_eq!(humantime::parse_rfc3339(ts).unwrap(), time);
            prop_assert_eq!(ts.len(), "1970-01-01T00:00:00.000000000Z".len());
            prop_assert_eq!(line["remote_addr"].as_str().unwrap(), remote_addr.to_string());
        }
    }

    #[test]
    fn a_time_without_a_text_of_its_own_has_the_nearest_one() {
        for (time, expected) in [
            (UNIX_EPOCH - Duration::from_secs(1), "1970-01-01T00:00:00.000000000Z"),
            (UNIX_EPOCH + Duration::from_secs(TIME_MAX_S + 1), "9999-12-31T23:59:59.000000000Z"),
        ] {
            let line = line_of(&Uri::from_static("/"), |line| line.to_json(time));
            let line: Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(line["ts"], json!(expected));
        }
    }
}
