//! The origin of a request: its ID in the log, and the caller's address and user agent.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, USER_AGENT};
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::Deserialize;
use session_types::UserAgent;

/// The header in which proxies report the caller's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ClientAddressHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ClientAddressHeader {
    const ALL: [Self; 2] = [Self::XForwardedFor, Self::Forwarded];

    const fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Self::Forwarded => FORWARDED,
        }
    }
}

impl TryFrom<String> for ClientAddressHeader {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let named = Self::ALL.into_iter().find(|header| text.eq_ignore_ascii_case(header.name().as_str()));
        named.ok_or("the header is x-forwarded-for or forwarded, whichever the proxies write")
    }
}

/// Proxies that are trusted to report the caller's address, in one header.
///
/// A proxy writes one header and passes on what its client wrote in the other one, so only one may be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    /// The networks of the proxies.
    pub networks: Vec<IpNet>,
    /// The header that they write.
    pub header: ClientAddressHeader,
}

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
    /// The origin of a request from this peer with these headers. Without trusted proxies, the caller is the peer.
    pub fn of(
        request_id: &str,
        peer: SocketAddr,
        headers: &HeaderMap,
        trusted_proxies: Option<&TrustedProxies>,
    ) -> Self {
        let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            request_id: request_id.to_owned(),
            address: trusted_proxies
                .map_or_else(|| peer.ip().to_canonical(), |proxies| address_of(peer.ip(), headers, proxies)),
            user_agent: user_agent.and_then(|text| UserAgent::try_from(text.to_owned()).ok()),
        }
    }
}

/// Whether one of the networks contains the address.
pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Returns the peer's address or, behind trusted proxies, the right-most address of the header that they write that is not
/// a trusted proxy's. Each proxy appends its client, so every address to the left of the first untrusted one may be forged.
fn address_of(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> IpAddr {
    let mut address = peer.to_canonical();
    if !contains(&proxies.networks, address) {
        return address;
    }
    let values = headers.get_all(proxies.header.name());
    let values: Vec<&str> = values.iter().map(|value| value.to_str().unwrap_or("unreadable")).collect();
    for hop in values.iter().flat_map(|value| value.split(',')).rev() {
        let hop = match proxies.header {
            ClientAddressHeader::XForwardedFor => hop,
            ClientAddressHeader::Forwarded => forwarded_for(hop),
        };
        // Hidden or invalid: the proxy that wrote it is the last known address.
        let Some(known) = node_address(hop.trim()) else { break };
        address = known.to_canonical();
        if !contains(&proxies.networks, address) {
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

    /// The caller's address behind proxies that write this header.
    fn address_in(header: ClientAddressHeader, peer: &str, headers: &[(&str, &str)]) -> String {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).into();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        address_of(peer.parse().unwrap(), &map, &TrustedProxies { networks, header }).to_string()
    }

    #[test]
    fn the_address_is_the_right_most_one_that_is_not_a_trusted_proxys() {
        const XFF: &str = "x-forwarded-for";
        type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);
        let table: [Row; 23] = [
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
            // An open quote of the caller does not hide what the proxy appended.
            ("10.0.0.1", &[("forwarded", "for=\"198.51.100.1, for=203.0.113.7")], "203.0.113.7"),
            // Without the header that the proxies write, the last proxy is the last known address.
            ("10.0.0.1", &[("x-real-ip", "198.51.100.1")], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "by=203.0.113.7")], "10.0.0.1"),
        ];
        for (peer, headers, expected) in table {
            let is_forwarded = headers.iter().any(|(name, _)| *name == "forwarded");
            let (header, other) = if is_forwarded {
                (ClientAddressHeader::Forwarded, (XFF, "198.51.100.66"))
            } else {
                (ClientAddressHeader::XForwardedFor, ("forwarded", "for=198.51.100.66"))
            };
            assert_eq!(address_in(header, peer, headers), expected, "{peer} {headers:?}");
            // The other header, which a proxy passes on as its client wrote it, changes nothing.
            let with_other = [headers, &[other]].concat();
            assert_eq!(address_in(header, peer, &with_other), expected, "{peer} {with_other:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_causes_a_panic_or_is_trusted_from_an_untrusted_peer(text in "[ -~]{0,80}") {
            let headers = [("x-forwarded-for", text.as_str()), ("forwarded", &text)];
            for header in ClientAddressHeader::ALL {
                address_in(header, "10.0.0.1", &headers);
                prop_assert_eq!(address_in(header, "192.0.2.1", &headers), "192.0.2.1");
            }
        }
    }
}
