//! Texts that match a pattern, for the patterns that contracts have: characters and classes in a row, each repeated.

/// What a class that excludes characters is taken to have otherwise: enough to see that more than ASCII is read.
const OTHERS: &str = "éßЖ語—🦀";

/// No longer text is made, whatever a document asks for.
pub const LENGTH_MAX: usize = 1 << 20;

/// Part of a pattern: one of these characters, so often.
#[derive(Debug)]
struct Atom {
    characters: Vec<char>,
    min: usize,
    max: Option<usize>,
}

/// A text of so many characters that matches the pattern; where it cannot be so short or long, the nearest. It goes
/// through the characters of each class in order, so that a reader who lacks one is found. `None` for a pattern of a
/// kind that this does not know.
pub fn text(pattern: &str, length: usize) -> Option<String> {
    let atoms = atoms(pattern)?;
    let length = length.min(LENGTH_MAX);
    let mut left = length.saturating_sub(atoms.iter().map(|atom| atom.min).sum());
    let mut text = String::new();
    for atom in &atoms {
        let more = atom.max.map_or(left, |max| left.min(max - atom.min));
        left -= more;
        text.extend(atom.characters.iter().cycle().take(atom.min + more));
    }
    Some(text)
}

fn atoms(pattern: &str) -> Option<Vec<Atom>> {
    let mut rest = pattern.strip_prefix('^').unwrap_or(pattern);
    rest = rest.strip_suffix('$').unwrap_or(rest);
    let mut atoms = Vec::new();
    while let Some(first) = rest.chars().next() {
        let characters;
        (characters, rest) = match first {
            '[' => class(&rest[1..])?,
            '\\' => escape(&rest[1..])?,
            '.' => (all().collect(), &rest[1..]),
            '(' | ')' | '|' | '^' | '$' | '*' | '+' | '?' | '{' => return None,
            _ => (vec![first], &rest[first.len_utf8()..]),
        };
        let (min, max, after) = repetition(rest)?;
        rest = after;
        if characters.is_empty() || min > LENGTH_MAX || max.is_some_and(|max| max < min) {
            return None;
        }
        atoms.push(Atom { characters, min, max });
    }
    Some(atoms)
}

fn all() -> impl Iterator<Item = char> {
    ('a'..='z').chain(' '..='`').chain('{'..='~').chain(OTHERS.chars())
}

/// Parses a class from behind its opening bracket.
fn class(mut rest: &str) -> Option<(Vec<char>, &str)> {
    let excludes = rest.starts_with('^');
    rest = rest.strip_prefix('^').unwrap_or(rest);
    let mut members: Vec<char> = Vec::new();
    loop {
        let first = rest.chars().next()?;
        let mut found;
        (found, rest) = match first {
            ']' => {
                rest = &rest[1..];
                break;
            }
            '\\' => escape(&rest[1..])?,
            _ => (vec![first], &rest[first.len_utf8()..]),
        };
        if let (Some(after), [from]) = (rest.strip_prefix('-'), found.as_slice())
            && !after.starts_with(']')
        {
            let from = *from;
            let to = after.chars().next()?;
            let end;
            (end, rest) = if to == '\\' { escape(&after[1..])? } else { (vec![to], &after[to.len_utf8()..]) };
            found = (from..=*end.first()?).collect();
        }
        members.extend(found);
    }
    if excludes {
        members = all().filter(|character| !members.contains(character)).collect();
    }
    Some((members, rest))
}

/// Parses an escape from behind its backslash.
fn escape(rest: &str) -> Option<(Vec<char>, &str)> {
    let first = rest.chars().next()?;
    let after = &rest[first.len_utf8()..];
    let hex = |digits: usize| {
        let code = u32::from_str_radix(after.get(..digits)?, 16).ok()?;
        Some((vec![char::from_u32(code)?], &after[digits..]))
    };
    match first {
        'x' => hex(2),
        'u' => hex(4),
        'd' => Some((('0'..='9').collect(), after)),
        'w' => Some((('0'..='9').chain('A'..='Z').chain(['_']).chain('a'..='z').collect(), after)),
        't' => Some((vec!['\t'], after)),
        'n' => Some((vec!['\n'], after)),
        'r' => Some((vec!['\r'], after)),
        _ if first.is_ascii_alphanumeric() => None,
        _ => Some((vec![first], after)),
    }
}

/// Parses a repetition: minimum, maximum and the rest.
fn repetition(rest: &str) -> Option<(usize, Option<usize>, &str)> {
    let Some(first) = rest.chars().next() else { return Some((1, Some(1), rest)) };
    match first {
        '*' => Some((0, None, &rest[1..])),
        '+' => Some((1, None, &rest[1..])),
        '?' => Some((0, Some(1), &rest[1..])),
        '{' => {
            let (counts, after) = rest[1..].split_once('}')?;
            let (min, max) = match counts.split_once(',') {
                None => (counts.parse().ok()?, Some(counts.parse().ok()?)),
                Some((min, "")) => (min.parse().ok()?, None),
                Some((min, max)) => (min.parse().ok()?, Some(max.parse().ok()?)),
            };
            Some((min, max, after))
        }
        _ => Some((1, Some(1), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_matches_its_pattern_and_shows_each_character() {
        let id = text("^[0-9a-hjkmnp-tv-z]{32}$", 32).unwrap();
        assert_eq!(id, "0123456789abcdefghjkmnpqrstvwxyz");
        assert_eq!(text("^sst_[ab]{3}$", 0).unwrap(), "sst_aba");
        assert_eq!(text("^[a-c]*$", 5).unwrap(), "abcab");
        let title = text("^[^\\x00-\\x1f\\x7f]*$", 200).unwrap();
        assert!(title.chars().count() == 200 && title.contains('語') && !title.contains('\u{7f}'));
    }

    #[test]
    fn a_pattern_of_another_kind_has_no_text() {
        for pattern in ["(a|b)", "a{3", "[a", "\\p{L}", "a**", "[]"] {
            assert_eq!(text(pattern, 3), None, "{pattern}");
        }
    }
}
