//! The origin of a request: its ID in the log, and the caller's address and user agent.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
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
    /// The caller's header `User-Agent`, if there is one.
    pub user_agent: Option<HeaderValue>,
}

impl Origin {
    /// The origin of a request from this peer with these headers. Without trusted proxies, the caller is the peer.
    pub fn of(
        request_id: &str,
        peer: SocketAddr,
        headers: &HeaderMap,
        trusted_proxies: Option<&TrustedProxies>,
    ) -> Self {
        Self {
            request_id: request_id.to_owned(),
            address: trusted_proxies
                .map_or_else(|| peer.ip().to_canonical(), |proxies| address_of(peer.ip(), headers, proxies)),
            user_agent: headers.get(USER_AGENT).cloned(),
        }
    }

    /// Returns the caller's `User-Agent`; `None` if there is none or it is not valid for a session.
    pub fn user_agent(&self) -> Option<UserAgent> {
        let text = self.user_agent.as_ref()?.to_str().ok()?;
        UserAgent::try_from(text.to_owned()).ok()
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
    // Each hop is read on its own, so that bytes that the caller wrote do not make unreadable what a proxy appended to them.
    let hops = headers
        .get_all(proxies.header.name())
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for hop in hops.rev().map(|hop| str::from_utf8(hop).unwrap_or("unreadable")) {
        let hop = match proxies.header {
            ClientAddressHeader::XForwardedFor => hop,
            ClientAddressHeader::Forwarded => forwarded_for(hop),
        };
        // Hidden or invalid: the proxy that wrote it is the last known address.
        let Some(known) = node_address(hop.trim_ascii()) else { break };
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
    pairs.find(|(name, _)| name.trim_ascii().eq_ignore_ascii_case("for")).map_or("", |(_, value)| value)
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
    use std::net::{Ipv4Addr, Ipv6Addr};

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::near_miss::{cases, changed_and_extended};

    /// The caller's address behind proxies that write this header.
    fn address_in(header: ClientAddressHeader, peer: &str, headers: &[(&str, &[u8])]) -> IpAddr {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).into();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        address_of(peer.parse().unwrap(), &map, &TrustedProxies { networks, header })
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
            let expected: IpAddr = expected.parse().unwrap();
            let bytes = |(name, value): &(&'static str, &'static str)| (*name, value.as_bytes());
            let is_forwarded = headers.iter().any(|(name, _)| *name == "forwarded");
            let (header, other) = if is_forwarded {
                (ClientAddressHeader::Forwarded, (XFF, "198.51.100.66"))
            } else {
                (ClientAddressHeader::XForwardedFor, ("forwarded", "for=198.51.100.66"))
            };
            let mut written: Vec<_> = headers.iter().map(bytes).collect();
            assert_eq!(address_in(header, peer, &written), expected, "{peer} {headers:?}");
            // The other header, which a proxy passes on as its client wrote it, changes nothing.
            written.push(bytes(&other));
            assert_eq!(address_in(header, peer, &written), expected, "{peer} {headers:?} {other:?}");
        }
    }

    /// The forms in which a proxy writes an address and a port.
    fn nodes(address: IpAddr, port: u16) -> Vec<String> {
        let with_port = SocketAddr::new(address, port).to_string();
        let bare = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        let mut nodes: Vec<_> =
            [&bare, &with_port].into_iter().flat_map(|node| [node.clone(), format!("\"{node}\"")]).collect();
        nodes.push(address.to_string());
        nodes
    }

    /// The bytes of a value that a caller may send: all but the control characters.
    fn any_value() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![any::<u8>(), proptest::sample::select(&b"\",;=[]: \tfor.0123456789"[..])];
        proptest::collection::vec(byte, 0..60).prop_map(|mut bytes| {
            bytes.retain(|byte| *byte == b'\t' || !byte.is_ascii_control());
            bytes
        })
    }

    /// Addresses that are no trusted proxy's.
    fn any_client() -> impl Strategy<Value = IpAddr> {
        let six = any::<[u8; 15]>().prop_map(|rest| {
            let mut bytes = [0x20; 16];
            bytes[1..].copy_from_slice(&rest);
            Ipv6Addr::from(bytes).into()
        });
        let four = any::<[u8; 3]>().prop_map(|[a, b, c]| Ipv4Addr::new(192, a, b, c).into());
        prop_oneof![four, six]
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn no_header_causes_a_panic_or_is_trusted_from_an_untrusted_peer(value in any_value()) {
            let headers = [("x-forwarded-for", &value[..]), ("forwarded", &value)];
            for header in ClientAddressHeader::ALL {
                address_in(header, "10.0.0.1", &headers);
                prop_assert_eq!(address_in(header, "192.0.2.1", &headers).to_string(), "192.0.2.1");
            }
        }

        #[test]
        fn whatever_the_caller_wrote_the_address_is_the_one_that_the_proxy_appended(
            written in any_value(), client in any_client(), port: u16,
        ) {
            for (header, name, pair) in [
                (ClientAddressHeader::XForwardedFor, "x-forwarded-for", ""),
                (ClientAddressHeader::Forwarded, "forwarded", "for="),
            ] {
                for node in nodes(client, port) {
                    let appended = format!("{pair}{node}");
                    let in_one = [&written[..], b", ", appended.as_bytes()].concat();
                    prop_assert_eq!(address_in(header, "10.0.0.1", &[(name, &in_one)]), client);
                    let in_two = [(name, &written[..]), (name, appended.as_bytes())];
                    prop_assert_eq!(address_in(header, "10.0.0.1", &in_two), client);
                }
            }
        }

        #[test]
        fn an_address_is_read_in_each_form_and_any_other_text_is_refused_or_an_address_in_one(
            bytes: [u8; 16], is_four: bool, port: u16, text in "[\\[\"]{0,2}[0-9a-f:.]{0,24}[\\]\"]{0,2}|\\PC*", place: usize, new: u8,
        ) {
            let address = if is_four { Ipv4Addr::from([bytes[0], bytes[1], bytes[2], bytes[3]]).into() } else { IpAddr::from(bytes) };
            for node in nodes(address, port) {
                prop_assert_eq!(node_address(&node), Some(address), "{}", node);
            }
            if let Some(read) = node_address(&text) {
                prop_assert_eq!(node_address(&read.to_string()), Some(read));
            }
            // An IPv4 address has one text, so that a text that is nearly one is refused or that of another.
            if is_four {
                let text = address.to_string();
                let [changed, extended] = changed_and_extended(text.as_bytes(), place, &[new]);
                let cut = text.as_bytes()[..place % text.len()].to_vec();
                for near in [changed, extended, cut].map(String::from_utf8).into_iter().flatten() {
                    if let Some(read) = node_address(&near) {
                        // A colon makes the rest a port.
                        prop_assert_eq!(read.to_string(), near.split(':').next().unwrap());
                    }
                }
            }
        }
    }
}
