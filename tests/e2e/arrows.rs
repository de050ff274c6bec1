//! Which way the arrows of the house point: crates depend on what stands below them, and files inside a crate import one
//! another in one direction only.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Every crate of ours with those it may depend on, from the ground up (docs/src/architecture.md).
const CRATES: [(&str, &[&str]); 14] = [
    ("schemas", &[]),
    ("tools/pool", &[]),
    ("tools/resize", &[]),
    ("tools/talk", &["clipa-pool"]),
    ("tools/text", &["clipa-pool", "clipa-schemas"]),
    ("tools/bert", &["clipa-schemas", "clipa-text"]),
    ("tools/synth", &["clipa-pool", "clipa-schemas"]),
    ("trainer/recipe", &["clipa-schemas"]),
    ("trainer/torch-ext", &[]),
    ("trainer/stream", &["clipa-pool", "clipa-recipe", "clipa-resize", "clipa-schemas"]),
    (
        "tools/prep",
        &[
            "clipa-bert",
            "clipa-pool",
            "clipa-recipe",
            "clipa-resize",
            "clipa-schemas",
            "clipa-synth",
            "clipa-talk",
            "clipa-text",
        ],
    ),
    ("tools/inspect", &["clipa-pool", "clipa-schemas", "clipa-talk"]),
    (
        "trainer/train",
        &["clipa-recipe", "clipa-schemas", "clipa-stream", "clipa-talk", "torch-ext"],
    ),
    ("tools/xtask", &["clipa-talk"]),
];

/// Circles that are known and still to be cut. Nothing is ever added here.
const STILL_THERE: [&str; 1] = ["tools/prep: lists, lists::read"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

#[test]
fn crates_depend_on_what_stands_below_them_only() {
    for (folder, allowed) in CRATES {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let needed = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let needed = needed.split("\n[").next().unwrap_or_default();
        let ours = needed
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|name| name.starts_with("clipa-") || *name == "torch-ext");
        for name in ours {
            assert!(allowed.contains(&name), "{folder} must not depend on {name}");
        }
    }
}

#[test]
fn no_files_of_a_crate_import_one_another_in_a_circle() {
    let circles: Vec<String> = CRATES
        .iter()
        .flat_map(|(folder, _)| Files::read(&root().join(folder).join("src")).circles(folder))
        .collect();
    assert_eq!(circles, STILL_THERE, "cut the circles; take those that are cut from the list");
}

#[test]
fn a_circle_is_found_through_groups_re_exports_and_paths() {
    let files = |texts: &[(&str, &str)]| Files {
        texts: texts.iter().map(|(module, text)| (path_of(module), (*text).to_owned())).collect(),
    };
    let circle = files(&[
        ("", "mod a;\nmod b;\npub use self::a::Thing;\n"),
        ("a", "use super::{b::work, Other};\npub struct Thing;"),
        ("b", "pub fn work(thing: &crate::Thing) {}"),
    ]);
    assert_eq!(circle.circles("x"), ["x: a, b"]);
    let tree = files(&[
        ("", "mod a;\nmod b;\npub use self::{a::Thing, b::work};\n"),
        ("a", "pub struct Thing;\n#[cfg(test)]\nmod tests { use crate::b::work; }"),
        ("b", "use crate::Thing; // not crate::b::work"),
    ]);
    assert_eq!(tree.circles("x"), Vec::<String>::new());
}

#[test]
fn a_file_that_calls_its_child_is_in_a_circle_with_it_where_the_child_takes_from_it() {
    let files = |parent: &str, child: &str| Files {
        texts: [("", "pub mod a;\n"), ("a", parent), ("a::b", child)]
            .map(|(module, text)| (path_of(module), text.to_owned()))
            .into(),
    };
    let called = "mod b;\npub struct Found;\nfn all() -> Found { b::one() }\n";
    let imported = "pub(super) mod b;\nuse self::b::one;\npub struct Found;\n";
    for parent in [called, imported] {
        for child in ["use super::Found;\n", "fn one() -> super::Found {}", "use super::{Found};"] {
            assert_eq!(files(parent, child).circles("x"), ["x: a, a::b"], "{parent}{child}");
        }
        assert_eq!(files(parent, "pub struct Found;").circles("x"), Vec::<String>::new());
    }
    let index = "mod b;\nmod c;\npub use self::b::Found;\n";
    assert_eq!(files(index, "pub struct Found;").circles("x"), Vec::<String>::new());
}

/// A module by the names that lead to it; the crate's root has none.
type Module = Vec<String>;

/// The source files of a crate, by module.
struct Files {
    texts: BTreeMap<Module, String>,
}

fn path_of(module: &str) -> Module {
    module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl Files {
    fn read(source: &Path) -> Files {
        let mut files = Files { texts: BTreeMap::new() };
        files.collect(source, &[]);
        assert!(!files.texts.is_empty(), "{} holds no files", source.display());
        files
    }

    fn collect(&mut self, folder: &Path, above: &[String]) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let mut module = above.to_vec();
            if path.is_dir() {
                // programs are crates of their own, tests look at everything
                if name != "bin" && name != "tests" {
                    module.push(name);
                    self.collect(&path, &module);
                }
            } else if path.extension().is_some_and(|end| end == "rs") && !name.contains("test") {
                if !["mod", "lib", "main"].contains(&name.as_str()) {
                    module.push(name);
                }
                self.texts.insert(module, fs::read_to_string(&path).unwrap());
            }
        }
    }

    /// Groups of files that reach one another, a line each.
    fn circles(&self, folder: &str) -> Vec<String> {
        let imports: BTreeMap<&Module, BTreeSet<Module>> =
            self.texts.iter().map(|(module, text)| (module, self.imports(module, text))).collect();
        let reach = |from: &Module| -> BTreeSet<Module> {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = open.pop() {
                for next in imports.get(&module).into_iter().flatten() {
                    if seen.insert(next.clone()) {
                        open.push(next.clone());
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.texts.keys().map(|module| (module, reach(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, reaches) in &reached {
            let circle: Vec<String> = reaches
                .iter()
                .filter(|other| reached.get(other).is_some_and(|back| back.contains(*module)))
                .map(|other| if other.is_empty() { "lib".to_owned() } else { other.join("::") })
                .collect();
            if circle.len() > 1 {
                circles.insert(format!("{folder}: {}", circle.join(", ")));
            }
        }
        circles.into_iter().collect()
    }

    /// The files that one imports from, its re-exports left out: a folder's index names everything in it.
    fn imports(&self, module: &Module, text: &str) -> BTreeSet<Module> {
        let mut found = BTreeSet::new();
        for path in paths(text) {
            if let Some(target) = self.resolve(module, &path)
                && target != *module
            {
                found.insert(target);
            }
        }
        found
    }

    /// The file that defines what a path names.
    fn resolve(&self, from: &Module, path: &[String]) -> Option<Module> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => {
                let mut above = from.clone();
                let mut rest = path;
                while rest.first().is_some_and(|name| name == "super") {
                    above.pop()?;
                    rest = &rest[1..];
                }
                (above, rest)
            }
            _ => (from.clone(), path),
        };
        let is_relative = at == *from && path[0] != "self";
        while let Some(name) = rest.first() {
            let mut deeper = at.clone();
            deeper.push(name.clone());
            if self.texts.contains_key(&deeper) {
                (at, rest) = (deeper, &rest[1..]);
                continue;
            }
            // an item of this module, or one that it re-exports from below
            let target = self.texts.get(&at).and_then(|text| {
                paths_of_uses(text, "pub").find(|reexport| reexport.last() == Some(name))
            });
            return match target {
                Some(reexport) if reexport != path => self.resolve(&at, &reexport),
                _ => (!is_relative || at != *from).then_some(at),
            };
        }
        Some(at)
    }
}

/// Every path that a file's own code names: its private `use`s, and in the text what begins with `crate::`, `super::`
/// or the name of a module that the file declares.
fn paths(text: &str) -> Vec<Vec<String>> {
    let code = code_of(text);
    let mut paths: Vec<Vec<String>> = paths_of_uses(text, "").collect();
    let named = |start: &str, code: &str, paths: &mut Vec<Vec<String>>| {
        for (place, _) in code.match_indices(start) {
            let before = code[..place].chars().next_back();
            let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$';
            if before.is_some_and(is_name) || before == Some('(') || before == Some('{') {
                continue;
            }
            let path: String = code[place..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || "_:".contains(*c))
                .collect();
            // with a brace behind it, it is a group, and read as one
            paths.extend(Some(path_of(path.trim_end_matches(':'))).filter(|path| path.len() > 1));
        }
    };
    named("crate::", &code, &mut paths);
    named("super::", &code, &mut paths);
    let without_uses = without_uses(&code);
    for child in declared(&code) {
        named(&format!("{child}::"), &without_uses, &mut paths);
    }
    paths
}

/// The code with its `use` statements left out.
fn without_uses(code: &str) -> String {
    let is_use = |statement: &str| {
        let line = statement.trim_start().lines().find(|line| !line.starts_with("#["));
        line.is_some_and(|line| {
            line.starts_with("use ") || line.contains(" use ") || line.starts_with("pub use ")
        })
    };
    code.split_inclusive(';').filter(|statement| !is_use(statement)).collect()
}

/// The modules that a file declares.
fn declared(code: &str) -> impl Iterator<Item = &str> {
    let without_visibility = |line: &'_ str| -> usize {
        let word = line.split(' ').next().unwrap_or_default();
        if word.starts_with("pub") { word.len() + 1 } else { 0 }
    };
    code.lines().filter_map(move |line| {
        let line = line.get(without_visibility(line)..)?;
        line.strip_prefix("mod ")?.strip_suffix(';')
    })
}

/// The paths of a file's `use` statements, groups taken apart; of those with this visibility in front.
fn paths_of_uses<'t>(text: &'t str, visibility: &'t str) -> impl Iterator<Item = Vec<String>> + 't {
    let code = code_of(text);
    let mut found = Vec::new();
    for statement in code.split(';') {
        let Some((before, tree)) = statement.rsplit_once("use ") else { continue };
        let front = before.rsplit(['}', ']', '\n']).next().unwrap_or_default().trim();
        if front == visibility || (visibility == "pub" && front.starts_with("pub")) {
            expand(tree.trim(), &[], &mut found);
        }
    }
    found.into_iter()
}

fn expand(tree: &str, above: &[String], found: &mut Vec<Vec<String>>) {
    let tree = tree.split(" as ").next().unwrap_or(tree).trim();
    if let Some((head, group)) = tree.split_once('{') {
        let mut above = above.to_vec();
        above.extend(path_of(head.trim().trim_end_matches("::")));
        let group = group.rsplit_once('}').map_or(group, |(inner, _)| inner);
        let (mut depth, mut start) = (0, 0);
        for (place, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&group[start..place], &above, found);
                    start = place + 1;
                }
                _ => {}
            }
        }
        expand(&group[start..], &above, found);
    } else if !tree.is_empty() {
        let mut path = above.to_vec();
        path.extend(path_of(tree).into_iter().filter(|name| name != "self" || above.is_empty()));
        found.push(path);
    }
}

/// A file without its comments and its tests.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    code.lines()
        .map(|line| line.split("//").next().unwrap_or(line))
        .fold(String::new(), |code, line| code + line + "\n")
}
