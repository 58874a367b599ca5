//! JSON pointers (RFC 6901), and those in references.

/// Appends a key to a JSON pointer, escaped.
///
/// ```
/// assert_eq!(openapi_drift::pointer::push("/paths", "/things"), "/paths/~1things");
/// ```
pub fn push(pointer: &str, key: &str) -> String {
    if key.contains(['~', '/']) {
        format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
    } else {
        format!("{pointer}/{key}")
    }
}

/// The pointer of the containing value; `None` for the root, which has none.
pub fn parent(pointer: &str) -> Option<&str> {
    pointer.rsplit_once('/').map(|(parent, _)| parent)
}

/// The key that a token of a pointer encodes: `/things` of `~1things`.
pub fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// The pointer in a reference to the same document: `/components/schemas/A b` of `#/components/schemas/A%20b`.
///
/// `None` for a reference to another document and for an invalid percent-encoding.
pub fn of_reference(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_built_split_and_read_from_references() {
        assert_eq!(push("/a", "b/c~d"), "/a/b~1c~0d");
        assert_eq!(unescape("b~1c~0d~01"), "b/c~d~1");
        assert_eq!((parent("/a/b"), parent("/a"), parent("")), (Some("/a"), Some(""), None));
        assert_eq!(of_reference("#/a%20%C3%BC~1b").as_deref(), Some("/a ü~1b"));
        for reference in ["other.json#/a", "#/a%2", "#/a%zz", "#/%ff"] {
            assert_eq!(of_reference(reference), None, "{reference}");
        }
    }
}
