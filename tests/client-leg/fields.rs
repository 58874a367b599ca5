//! The fields of the client's types, read from their debug output. A property that the contract no longer has is in no
//! response, so no response shows that the client still has it.

/// The names of the structs and their fields in a debug output, in its order.
pub(crate) fn fields(shown: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut within: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut last = String::new();
    let mut characters = shown.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => skip_text(&mut characters),
            '{' | '[' | '(' => within.push(std::mem::take(&mut last)),
            '}' | ']' | ')' => drop(within.pop()),
            ':' if characters.peek() == Some(&' ') => {
                let holder = within.last().cloned().unwrap_or_default();
                // A keyword of Rust is followed by an underscore.
                found.push((holder, word.trim_end_matches('_').to_owned()));
            }
            _ => {}
        }
        if character.is_alphanumeric() || character == '_' {
            word.push(character);
        } else if !word.is_empty() {
            last = std::mem::take(&mut word);
            if character == '(' || character == '[' {
                last.clear();
            }
        }
    }
    found
}

/// Skips to the end of a string.
fn skip_text(characters: &mut impl Iterator<Item = char>) {
    while let Some(character) = characters.next() {
        match character {
            '"' => return,
            '\\' => drop(characters.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_structs() {
        let shown = r#"Page { items: [Item { id: Id("a: \" b: {"), type_: Some(Kind), at: 1.5, ip: ::1 }], next: None }"#;
        let of = |name: &str, field: &str| (name.to_owned(), field.to_owned());
        assert_eq!(
            fields(shown),
            [
                of("Page", "items"),
                of("Item", "id"),
                of("Item", "type"),
                of("Item", "at"),
                of("Item", "ip"),
                of("Page", "next")
            ]
        );
    }
}
