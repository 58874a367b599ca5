//! IP addresses.

use std::net::IpAddr;

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::{Schema, SchemaObject, SubschemaValidation};
use serde::{Deserialize, Serialize};

use crate::schema;

/// An IPv4 or IPv6 address; an IPv4 address mapped into IPv6 is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemoteIp(IpAddr);

impl From<IpAddr> for RemoteIp {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }
}

impl TryFrom<String> for RemoteIp {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse::<IpAddr>()
            .map(Self::from)
            .map_err(|_| "it must be an IPv4 address such as 127.0.0.1 or an IPv6 address such as ::1")
    }
}

impl From<RemoteIp> for String {
    fn from(ip: RemoteIp) -> Self {
        ip.0.to_string()
    }
}

impl JsonSchema for RemoteIp {
    fn schema_name() -> String {
        "RemoteIp".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let ipv4 = ("ipv4", "IPv4 address in dotted-decimal notation", (7, 15), "127.0.0.1");
        let description = "IPv6 address; responses use the text form of RFC 5952, and return an IPv4-mapped address as \
                           IPv4";
        // The shortest is `::`; the longest ends in an IPv4 address (INET6_ADDRSTRLEN).
        let ipv6 = ("ipv6", description, (2, 45), "2001:db8::1");
        let alternatives = [ipv4, ipv6].map(|(format, description, lengths, example)| {
            let text = schema::string(description, lengths, "", example);
            SchemaObject { format: Some(format.to_owned()), ..text }.into()
        });
        SchemaObject {
            subschemas: Some(Box::new(SubschemaValidation {
                one_of: Some(alternatives.into()),
                ..SubschemaValidation::default()
            })),
            ..SchemaObject::default()
        }
        .into()
    }
}
