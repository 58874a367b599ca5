//! Where measurements are kept: a file of JSON with the description of the machine, and tables in the documentation.

use std::process::Command;

use serde::Serialize;
use serde_json::json;

use super::load::machine;
use crate::process::{Failed, output, root};

/// Writes `bench/results/NAME-DATE.json`. Returns its path in the repository.
pub(super) fn store(name: &str, measured: &impl Serialize) -> Result<String, Failed> {
    let date = output(Command::new("date").args(["--utc", "+%F"]))?;
    let date = date.trim();
    let file = format!("bench/results/{name}-{date}.json");
    let failed = |error: &dyn std::fmt::Display| Failed(format!("{file}: {error}"));
    let result = json!({
        "command": format!("cargo xtask bench {name}"),
        "date": date,
        "machine": machine(),
        "measured": measured,
    });
    let text = serde_json::to_string_pretty(&result).map_err(|error| failed(&error))?;
    std::fs::create_dir_all(root().join("bench/results"))
        .and_then(|()| std::fs::write(root().join(&file), text + "\n"))
        .map_err(|error| failed(&error))?;
    Ok(file)
}

/// Replaces the part of a file of the repository that is between `<!-- NAME: written by … -->` and `<!-- NAME: end -->`.
pub(super) fn document(file: &str, name: &str, part: &str) -> Result<(), Failed> {
    let failed = |error: std::io::Error| Failed(format!("{file}: {error}"));
    let path = root().join(file);
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let begin = format!("<!-- {name}: written by `cargo xtask bench {name}` -->\n");
    let text = replaced(&text, &begin, &format!("<!-- {name}: end -->"), &format!("\n{part}\n"))
        .ok_or_else(|| Failed(format!("{file}: the marks of the part `{name}` are missing")))?;
    std::fs::write(path, text).map_err(failed)
}

/// The text with another part between these marks; `None` if one of them is missing.
pub(super) fn replaced(text: &str, begin: &str, end: &str, part: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some([before, begin, part, end, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_of_a_part_is_replaced() {
        let text = "a\n<one>\nold\n</one>\nb\n<two>\n</two>\n";
        let new = replaced(text, "<one>\n", "</one>", "new\n").unwrap();
        assert_eq!(new, "a\n<one>\nnew\n</one>\nb\n<two>\n</two>\n");
        assert_eq!(replaced(&new, "<one>\n", "</one>", "new\n").unwrap(), new);
        assert_eq!(replaced(text, "<three>", "</three>", "new"), None);
        assert_eq!(replaced(text, "<one>", "</three>", "new"), None);
    }
}
