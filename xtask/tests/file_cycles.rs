//! No source file of a crate depends on another one that depends on it, directly or through others.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules of a crate: each file's path by its module path, such as `["rules", "create_session"]`.
type Modules = BTreeMap<Vec<String>, PathBuf>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The root files of every library and program of the workspace whose code spans several files.
fn crate_roots() -> Vec<PathBuf> {
    let mut roots = Vec::new();
    let crates = std::fs::read_dir(root().join("crates")).unwrap();
    for folder in crates.map(|entry| entry.unwrap().path().join("src")).chain([root().join("xtask/src")]) {
        let files = ["lib.rs", "main.rs"].map(|name| folder.join(name));
        roots.extend(files.into_iter().find(|file| file.exists()));
    }
    for file in ["tests/support/lib.rs", "tests/wire/main.rs", "tests/client-leg/main.rs"] {
        roots.push(root().join(file));
    }
    roots
}

/// Finds every file below a folder whose module is not its root.
fn modules(root: &Path) -> Modules {
    let mut found = Modules::from([(Vec::new(), root.to_owned())]);
    collect(root.parent().unwrap(), &[], root, &mut found);
    found
}

fn collect(folder: &Path, module: &[String], root: &Path, found: &mut Modules) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let child = [module, std::slice::from_ref(&name)].concat();
        if path.is_dir() {
            collect(&path, &child, root, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && path != *root {
            let module = if name == "mod" { module.to_vec() } else { child };
            found.insert(module, path);
        }
    }
}

/// The code of a file without comments, texts, quoted code and tests.
fn production(text: &str) -> String {
    let without_texts = |line: &str| line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines()
        .map(|line| without_texts(line.split("//").next().unwrap_or_default()))
        .filter(|line| !line.contains("quote!("))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every path in the code that starts at the crate's root, at a parent module or at a child module, as a module path from
/// the root.
fn paths(code: &str, module: &[String], modules: &Modules) -> Vec<Vec<String>> {
    // Generated code has modules within the file, in which `super` is that file.
    let generated = module.last().is_some_and(|name| name == "generated");
    let mut found = Vec::new();
    let is_word = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    let children =
        modules.keys().filter(|child| child.len() == module.len() + 1 && child.starts_with(module));
    for child in children {
        let name = format!("{}::", child[module.len()]);
        let used = |(start, _): (usize, &str)| {
            let before = &code[..start];
            !before.ends_with(is_word) && !before.ends_with("::")
        };
        if code.match_indices(&name).any(used) {
            found.push(child.clone());
        }
    }
    let parents = if generated { "" } else { code };
    for (start, prefix) in code.match_indices("crate::").chain(parents.match_indices("super::")) {
        if code[..start].ends_with(is_word) || code[..start].ends_with("super::") {
            continue;
        }
        let mut base = if prefix == "crate::" { Vec::new() } else { module[..module.len() - 1].to_vec() };
        let mut rest = &code[start + prefix.len()..];
        while let Some(more) = rest.strip_prefix("super::") {
            base.pop();
            rest = more;
        }
        expand(&mut rest, base, &mut found);
    }
    found
}

/// Expands `a::{b, c::d}` behind a prefix.
fn expand(rest: &mut &str, prefix: Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut path = prefix;
    loop {
        *rest = rest.trim_start();
        if let Some(inner) = rest.strip_prefix('{') {
            *rest = inner;
            loop {
                *rest = rest.trim_start();
                if let Some(after) = rest.strip_prefix('}') {
                    *rest = after;
                    return;
                }
                let before = rest.len();
                expand(rest, path.clone(), found);
                *rest = rest.trim_start().strip_prefix(',').unwrap_or(rest);
                if rest.len() == before {
                    return;
                }
            }
        }
        let end = rest.find(|character: char| !(character.is_alphanumeric() || character == '_'));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        if !word.is_empty() && word != "self" {
            path.push(word.to_owned());
        }
        *rest = after;
        match after.strip_prefix("::") {
            Some(more) => *rest = more,
            None => break,
        }
    }
    found.push(path);
    // `a as b`.
    if let Some(alias) = rest.trim_start().strip_prefix("as ") {
        *rest = alias.trim_start_matches(|character: char| character.is_alphanumeric() || character == '_');
    }
}

/// The file of the longest module path that begins a path: the one in which the item is, or from which it is taken.
fn file_of<'a>(modules: &'a Modules, path: &[String]) -> &'a PathBuf {
    (0..=path.len()).rev().find_map(|length| modules.get(&path[..length])).unwrap()
}

/// The files that each file uses.
fn dependencies(root: &Path) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let modules = modules(root);
    let uses = |(module, file): (&Vec<String>, &PathBuf)| {
        let code = production(&std::fs::read_to_string(file).unwrap());
        let paths = paths(&code, module, &modules);
        let used = paths.iter().map(|path| file_of(&modules, path)).filter(|used| *used != file);
        (file.clone(), used.cloned().collect())
    };
    modules.iter().map(uses).collect()
}

/// A cycle, if there is one: its files in order.
fn cycle(graph: &BTreeMap<PathBuf, BTreeSet<PathBuf>>) -> Option<Vec<PathBuf>> {
    fn visit(
        file: &PathBuf,
        graph: &BTreeMap<PathBuf, BTreeSet<PathBuf>>,
        stack: &mut Vec<PathBuf>,
        done: &mut BTreeSet<PathBuf>,
    ) -> Option<Vec<PathBuf>> {
        if let Some(start) = stack.iter().position(|other| other == file) {
            return Some(stack[start..].to_vec());
        }
        if done.contains(file) {
            return None;
        }
        stack.push(file.clone());
        for used in graph.get(file).into_iter().flatten() {
            if let Some(found) = visit(used, graph, stack, done) {
                return Some(found);
            }
        }
        stack.pop();
        done.insert(file.clone());
        None
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|file| visit(file, graph, &mut Vec::new(), &mut done))
}

#[test]
fn no_file_depends_on_itself_through_others() {
    let (mut edges, mut problems) = (0, Vec::new());
    for root in crate_roots() {
        let graph = dependencies(&root);
        edges += graph.values().map(BTreeSet::len).sum::<usize>();
        let found = cycle(&graph);
        problems.extend(found);
    }
    assert_eq!(problems, Vec::<Vec<PathBuf>>::new());
    assert!(edges > 100, "only {edges} uses were found");
}

#[test]
fn a_cycle_is_found_in_every_way_of_writing_a_path() {
    let files = [
        ("lib.rs", "mod one; mod two; mod folder;"),
        ("one.rs", "use crate::{two::{A, B as C}, folder};"),
        ("two.rs", "fn f() { crate::folder::inner::g() }"),
        ("folder.rs", "mod inner; // crate::one"),
        ("folder/inner.rs", "use super::super::one;"),
    ];
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let graph = dependencies(&folder.path().join("lib.rs"));
    let found = cycle(&graph).unwrap();
    let names: Vec<_> = found.iter().map(|file| file.file_name().unwrap().to_string_lossy()).collect();
    assert_eq!(names, ["inner.rs", "one.rs", "two.rs"]);
    std::fs::write(folder.path().join("two.rs"), "#[cfg(test)]\nmod tests { use crate::folder::inner; }")
        .unwrap();
    assert_eq!(cycle(&dependencies(&folder.path().join("lib.rs"))), None);
}
