//! The line of a request in JSON, written straight into bytes.

use std::borrow::Cow;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode, Uri};
use session_api::Operation;
use session_types::{ErrorCode, without_tokens};
use time::OffsetDateTime;

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

impl RequestLine<'_> {
    /// Returns the line, which ends with a line feed. Only the target is written by the caller, so only that is escaped and may
    /// have a token, which is redacted.
    pub(super) fn to_json(self, now: SystemTime) -> Vec<u8> {
        let target = target(self.uri);
        let target = redacted(&target);
        let mut line = Vec::with_capacity(USUAL_MAX_BYTES + target.len());
        line.extend_from_slice(b"{\"ts\":\"");
        push_time(&mut line, now);
        line.extend_from_slice(
            br#"","level":"INFO","msg":"request completed","listener":"contract","remote_addr":""#,
        );
        push_address(&mut line, self.remote_addr);
        push_text(&mut line, br#"","req_id":""#, self.request_id);
        push_text(&mut line, br#"","method":""#, self.method.as_str());
        line.extend_from_slice(br#"","uri":"#);
        // Writing a text to memory cannot fail.
        let _ = serde_json::to_writer(&mut line, &target);
        push_text(&mut line, br#","operation":""#, self.operation.as_ref());
        line.extend_from_slice(br#"","response_code":"#);
        push_number(&mut line, self.status.as_u16().into());
        if let Some(code) = self.code {
            push_text(&mut line, br#","code":""#, code.as_ref());
            line.push(b'"');
        }
        line.extend_from_slice(br#","latency_us":"#);
        push_number(&mut line, self.latency_us());
        line.extend_from_slice(b"}\n");
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

fn push_text(line: &mut Vec<u8>, name: &[u8], text: &str) {
    line.extend_from_slice(name);
    line.extend_from_slice(text.as_bytes());
}

/// Appends the time as RFC 3339 has it, in UTC with nanoseconds.
fn push_time(line: &mut Vec<u8>, time: SystemTime) {
    let time = OffsetDateTime::from(time);
    let (year, month, day) = time.to_calendar_date();
    // The years before 0 are those of a clock that was never set.
    push_digits(line, u32::try_from(year).unwrap_or_default(), 4);
    for (mark, number) in [
        (b'-', u8::from(month)),
        (b'-', day),
        (b'T', time.hour()),
        (b':', time.minute()),
        (b':', time.second()),
    ] {
        line.push(mark);
        push_digits(line, number.into(), 2);
    }
    line.push(b'.');
    push_digits(line, time.nanosecond(), 9);
    line.push(b'Z');
}

/// Appends the last `count` digits of a number, at most nine.
fn push_digits(line: &mut Vec<u8>, mut number: u32, count: usize) {
    let mut digits = [b'0'; 9];
    let digits = &mut digits[..count];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    line.extend_from_slice(digits);
}

fn push_number(line: &mut Vec<u8>, mut number: u64) {
    // As many as the greatest number has.
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[start..]);
}

fn push_address(line: &mut Vec<u8>, address: SocketAddr) {
    if let SocketAddr::V4(address) = address {
        let [first, rest @ ..] = address.ip().octets();
        push_number(line, first.into());
        for octet in rest {
            line.push(b'.');
            push_number(line, octet.into());
        }
        line.push(b':');
        push_number(line, address.port().into());
    } else {
        // Writing to memory cannot fail.
        let _ = write!(line, "{address}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use time::format_description::well_known::Rfc3339;

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
        fn a_time_is_written_as_rfc_3339_has_it(seconds in 0_u64..253_402_300_800, nanos in 0_u32..1_000_000_000) {
            let time = UNIX_EPOCH + Duration::new(seconds, nanos);
            let mut text = Vec::new();
            push_time(&mut text, time);
            let text = str::from_utf8(&text).unwrap();
            prop_assert_eq!(OffsetDateTime::parse(text, &Rfc3339).unwrap(), OffsetDateTime::from(time));
            prop_assert_eq!(text.len(), "1970-01-01T00:00:00.000000000Z".len());
        }

        #[test]
        fn numbers_and_addresses_are_written_as_their_display_has_them(number: u64, address: SocketAddr) {
            let mut text = Vec::new();
            push_number(&mut text, number);
            push_address(&mut text, address);
            prop_assert_eq!(String::from_utf8(text).unwrap(), format!("{number}{address}"));
        }
    }
}
