//! IP addresses.

use std::net::IpAddr;

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::{InstanceType, Metadata, Schema, SchemaObject, StringValidation, SubschemaValidation};
use serde::{Deserialize, Serialize};

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
        let address = |format: &str, description: &str, lengths: (u32, u32), example: &str| {
            SchemaObject {
                metadata: Some(Box::new(Metadata {
                    description: Some(description.to_owned()),
                    ..Metadata::default()
                })),
                instance_type: Some(InstanceType::String.into()),
                format: Some(format.to_owned()),
                string: Some(Box::new(StringValidation {
                    min_length: Some(lengths.0),
                    max_length: Some(lengths.1),
                    pattern: None,
                })),
                extensions: [("example".to_owned(), example.into())].into(),
                ..SchemaObject::default()
            }
            .into()
        };
        let alternatives = vec![
            address("ipv4", "IPv4 address in dotted-decimal notation", (7, 15), "127.0.0.1"),
            address(
                "ipv6",
                "IPv6 address; responses have the text form of RFC 5952, and an address that maps an IPv4 one is \
                 returned as that",
                // The shortest is `::`; the longest ends in an IPv4 address (INET6_ADDRSTRLEN).
                (2, 45),
                "2001:db8::1",
            ),
        ];
        SchemaObject {
            subschemas: Some(Box::new(SubschemaValidation {
                one_of: Some(alternatives),
                ..SubschemaValidation::default()
            })),
            ..SchemaObject::default()
        }
        .into()
    }
}
