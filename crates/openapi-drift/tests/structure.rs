//! The files of the crate do not depend on each other in a cycle.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Collects the code of each module by its name (`compare::schema`), without tests and comments.
fn sources(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_stem().unwrap().to_str().unwrap());
        if path.is_dir() {
            sources(&path, &format!("{name}::"), found);
        } else if !["lib", "main"].contains(&name.as_str()) && !name.ends_with("tests") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().lines();
            found.insert(
                name,
                code.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n"),
            );
        }
    }
}

/// The identifier after each occurrence of the marker.
fn words<'t>(text: &'t str, marker: &'t str) -> impl Iterator<Item = &'t str> {
    let end = |rest: &str| rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(0);
    text.split(marker).skip(1).map(move |rest| &rest[..end(rest)])
}

/// The modules that each module uses: by path, by `mod`, and by calling a method that only one other file defines.
fn uses(sources: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut definitions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, text) in sources.iter().filter(|(module, _)| module.starts_with("compare")) {
        for name in words(text, "fn ") {
            definitions.entry(name).or_default().insert(module);
        }
    }
    let mut all = BTreeMap::new();
    for (module, text) in sources {
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let (parent, top) = match module.rsplit_once("::") {
            Some((parent, _)) => (format!("{parent}::"), parent),
            None => (String::new(), module.as_str()),
        };
        let child = format!("{module}::");
        let mut add = |prefix: &str, name: &str| {
            used.extend(sources.get_key_value(&format!("{prefix}{name}")).map(|(name, _)| name.as_str()));
        };
        for name in words(text, "crate::") {
            add("", name);
        }
        for name in words(text, "super::") {
            add(&parent, name);
        }
        for name in words(text, "mod ") {
            add(&child, name);
        }
        if top.starts_with("compare") {
            for name in words(text, "self.").chain(words(text, "comparison.")) {
                if let Some(modules) = definitions.get(name).filter(|modules| modules.len() == 1) {
                    used.extend(modules);
                }
            }
        }
        used.remove(module.as_str());
        all.insert(module.as_str(), used);
    }
    all
}

#[test]
fn no_files_depend_on_each_other_in_a_cycle() {
    let mut found = BTreeMap::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    let mut remaining = uses(&found);
    assert!(remaining.len() > 30 && remaining["compare"].contains("compare::operation"));
    assert!(remaining["compare::schema"].contains("compare::alternatives"));
    // Repeatedly remove the files that use none of the remaining ones. Files that cannot be removed are in a cycle.
    loop {
        let independent: Vec<&str> =
            remaining.iter().filter(|(_, used)| used.is_empty()).map(|(module, _)| *module).collect();
        if independent.is_empty() {
            break;
        }
        for module in independent {
            remaining.remove(module);
            for used in remaining.values_mut() {
                used.remove(module);
            }
        }
    }
    assert!(remaining.is_empty(), "these files are in a cycle: {remaining:#?}");
}
