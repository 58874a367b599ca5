//! What HTTP demands of a message and neither hyper nor dropshot checks.

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri, Version};
use session_types::ErrorCode;

use crate::error::Error;

/// Fails with `bad_request` for a path with an empty segment, which dropshot's router skips although the rules of a proxy
/// for that path do not apply to it, and for a `Host` that RFC 9112, section 3.2, forbids: none in HTTP/1.1, more than one,
/// or one that is no authority.
pub(crate) fn check(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
    let refuse = |message: &str| Err(Error::new(ErrorCode::BadRequest, message));
    let path = uri.path().as_bytes();
    if path.windows(2).any(|pair| pair == b"//") || path.ends_with(b"/") {
        return refuse("the path has a doubled or trailing slash; send it exactly as the contract has it");
    }
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_11 => {
            refuse("the request has no Host header; send one with the name of the server")
        }
        (None, _) => Ok(()),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => {
            refuse("the Host header is not a name or address with or without a port; send that of the server")
        }
        (Some(_), Some(_)) => refuse("the request has more than one Host header; send one"),
    }
}

/// Whether this is `uri-host [ ":" port ]` (RFC 9110, section 7.2), so without user information.
fn is_host(host: &[u8]) -> bool {
    is_plain(host) || (!host.contains(&b'@') && Authority::try_from(host).is_ok())
}

/// Whether this is a name or an IPv4 address with or without a port, of which no copy has to be made to see that it is valid.
fn is_plain(host: &[u8]) -> bool {
    let colon = host.iter().position(|byte| *byte == b':');
    let (name, port) = host.split_at(colon.unwrap_or(host.len()));
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && port.iter().skip(1).all(u8::is_ascii_digit)
        && port.len() != 1
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::near_miss::cases;

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn a_host_that_is_accepted_at_first_sight_is_an_authority(host in "[a-zA-Z0-9.:-]{1,40}|[a-z.]{1,9}:[0-9]{0,9}") {
            prop_assert!(!is_plain(host.as_bytes()) || Authority::try_from(host.as_bytes()).is_ok(), "{}", host);
        }
    }

    #[test]
    fn a_path_has_no_empty_segment_and_a_request_one_valid_host() {
        const HTTP_10: Version = Version::HTTP_10;
        const HTTP_11: Version = Version::HTTP_11;
        const HTTP_2: Version = Version::HTTP_2;
        type Row = (Version, &'static str, &'static [&'static str], Option<&'static str>);
        let table: [Row; 19] = [
            (HTTP_11, "/api/v1/whoami", &["sessions.example"], None),
            (HTTP_11, "/api/v1/whoami?a=//", &["sessions.example:443"], None),
            (HTTP_11, "/api/v1/whoami", &["192.0.2.1"], None),
            (HTTP_11, "/api/v1/whoami", &["[2001:db8::1]:80"], None),
            (HTTP_11, "http://sessions.example/api/v1/whoami", &["sessions.example"], None),
            (HTTP_10, "/api/v1/whoami", &[], None),
            (HTTP_2, "https://sessions.example/api/v1/whoami", &[], None),
            (HTTP_11, "//api/v1/whoami", &["x"], Some("slash")),
            (HTTP_11, "/api//v1/whoami", &["x"], Some("slash")),
            (HTTP_11, "/api/v1/whoami/", &["x"], Some("slash")),
            (HTTP_2, "https://sessions.example/api/v1//whoami", &[], Some("slash")),
            (HTTP_11, "/api/v1/whoami", &[], Some("no Host")),
            (HTTP_11, "http://sessions.example/api/v1/whoami", &[], Some("no Host")),
            (HTTP_11, "/api/v1/whoami", &["x", "x"], Some("more than one")),
            (HTTP_10, "/api/v1/whoami", &["x", "y"], Some("more than one")),
            (HTTP_2, "https://x/api/v1/whoami", &["x", "y"], Some("more than one")),
            (HTTP_11, "/api/v1/whoami", &[""], Some("not a name")),
            (HTTP_11, "/api/v1/whoami", &["user@x"], Some("not a name")),
            (HTTP_11, "/api/v1/whoami", &["x/y"], Some("not a name")),
        ];
        for (version, uri, hosts, expected) in table {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_static(host));
            }
            let refused = check(version, &uri.parse().unwrap(), &headers).err();
            let message = refused.as_ref().map(|error| error.message.as_str());
            assert_eq!(message.is_some(), expected.is_some(), "{version:?} {uri} {hosts:?}: {message:?}");
            assert!(message.unwrap_or_default().contains(expected.unwrap_or_default()), "{message:?}");
            assert!(refused.is_none_or(|error| error.code == ErrorCode::BadRequest));
        }
    }
}
