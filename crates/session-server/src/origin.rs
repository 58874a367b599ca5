//! The origin of a request: its ID in the log, and the caller's address and user agent.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, USER_AGENT};
use ipnet::IpNet;
use session_types::UserAgent;

/// The origin of a request.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The ID of the request in the log.
    pub request_id: String,
    /// The caller's address.
    pub address: IpAddr,
    /// The caller's `User-Agent`; `None` if there is none or it is not valid for a session.
    pub user_agent: Option<UserAgent>,
}

impl Origin {
    /// The origin of a request from this peer with these headers.
    pub fn of(request_id: &str, peer: SocketAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Self {
        let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            request_id: request_id.to_owned(),
            address: address_of(peer.ip(), headers, trusted_proxies),
            user_agent: user_agent.and_then(|text| UserAgent::try_from(text.to_owned()).ok()),
        }
    }
}

/// Whether one of the networks contains the address.
pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Returns the peer's address or, behind trusted proxies, the right-most address of `Forwarded` (RFC 7239), otherwise of
/// `X-Forwarded-For`, that is not a trusted proxy's. Each proxy appends its client, so every address to the left of the
/// first untrusted one may be forged.
fn address_of(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let mut address = peer.to_canonical();
    if !contains(trusted_proxies, address) {
        return address;
    }
    let text = |name: &str| {
        let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("unreadable"));
        values.collect::<Vec<_>>().join(",")
    };
    let (forwarded, others) = (text(FORWARDED.as_str()), text("x-forwarded-for"));
    let hops: Vec<&str> = if forwarded.is_empty() {
        others.split(',').collect()
    } else {
        forwarded.split(',').map(forwarded_for).collect()
    };
    for hop in hops.into_iter().rev() {
        // Hidden or invalid: the proxy that wrote it is the last known address.
        let Some(known) = node_address(hop.trim()) else { break };
        address = known.to_canonical();
        if !contains(trusted_proxies, address) {
            break;
        }
    }
    address
}

/// Returns the value of `for` in an element of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> &str {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map_or("", |(_, value)| value)
}

/// Parses the address of a node with or without a port, quoted or not.
fn node_address(node: &str) -> Option<IpAddr> {
    let node = node.strip_prefix('"').and_then(|node| node.strip_suffix('"')).unwrap_or(node);
    let bracketed = node.strip_prefix('[').and_then(|node| node.strip_suffix(']'));
    let bare = bracketed.unwrap_or(node).parse::<IpAddr>();
    bare.ok().or_else(|| node.parse::<SocketAddr>().ok().map(|node| node.ip()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn address(peer: &str, headers: &[(&str, &str)]) -> String {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).into();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        address_of(peer.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn the_address_is_the_right_most_one_that_is_not_a_trusted_proxys() {
        const XFF: &str = "x-forwarded-for";
        type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);
        let table: [Row; 20] = [
            ("192.0.2.1", &[], "192.0.2.1"),
            ("::ffff:192.0.2.1", &[], "192.0.2.1"),
            // From anyone else, headers are ignored.
            ("192.0.2.1", &[(XFF, "203.0.113.7")], "192.0.2.1"),
            ("192.0.2.1", &[("forwarded", "for=203.0.113.7")], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "203.0.113.7")], "203.0.113.7"),
            ("::ffff:10.0.0.1", &[(XFF, "203.0.113.7")], "203.0.113.7"),
            ("fd00::1", &[(XFF, "203.0.113.7")], "203.0.113.7"),
            // What the caller wrote itself is further left.
            ("10.0.0.1", &[(XFF, "198.51.100.1, 203.0.113.7")], "203.0.113.7"),
            ("10.0.0.1", &[(XFF, "198.51.100.1"), (XFF, "203.0.113.7")], "203.0.113.7"),
            ("10.0.0.1", &[(XFF, "203.0.113.7, 10.0.0.2 , 10.0.0.3")], "203.0.113.7"),
            ("10.0.0.1", &[(XFF, "10.0.0.2,10.0.0.3")], "10.0.0.2"),
            ("10.0.0.1", &[(XFF, "203.0.113.7, nonsense")], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "203.0.113.7:4711")], "203.0.113.7"),
            ("10.0.0.1", &[(XFF, "2001:db8::1")], "2001:db8::1"),
            ("10.0.0.1", &[(XFF, "::ffff:203.0.113.7")], "203.0.113.7"),
            (
                "10.0.0.1",
                &[("forwarded", "proto=https;For=\"[2001:db8::1]:4711\", for=10.0.0.9")],
                "2001:db8::1",
            ),
            ("10.0.0.1", &[("forwarded", "for=203.0.113.7, for=_hidden")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "for=unknown")], "10.0.0.1"),
            // The standard header takes precedence.
            ("10.0.0.1", &[(XFF, "198.51.100.1"), ("forwarded", "for=203.0.113.7")], "203.0.113.7"),
        ];
        for (peer, headers, expected) in table {
            assert_eq!(address(peer, headers), expected, "{peer} {headers:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_causes_a_panic_or_is_trusted_from_an_untrusted_peer(text in "[ -~]{0,80}") {
            address("10.0.0.1", &[("x-forwarded-for", &text), ("forwarded", &text)]);
            prop_assert_eq!(address("192.0.2.1", &[("x-forwarded-for", &text), ("forwarded", &text)]), "192.0.2.1");
        }
    }
}
