//! The house: imports point down, each file opens with its role, and none grows too long.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A longer file holds two things.
const LONGEST: usize = 450;

/// Imports that point up all the same, as `file -> room`, each with its reason. Better empty.
const ALLOWED: [(&str, &str); 0] = [];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// Folders of what others wrote, or a build did.
const NOT_OURS: [&str; 4] = ["target", "node_modules", "build", "corpus"];

/// All files below a folder whose names end so.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !NOT_OURS.contains(&&*name) && !name.starts_with('.') {
            found.extend(files(&path, extensions));
        } else if let Some(extension) = path.extension()
            && extensions.contains(&&*extension.to_string_lossy())
        {
            found.push(path);
        }
    }
    found
}

/// Rooms and their floors; a higher number is further up.
type Floors = HashMap<String, usize>;

/// The floors of `src/`: the rows `| floor | room | ...` of ARCHITECTURE.md.
fn floors_of_the_crate() -> Floors {
    let text = read(&root().join("ARCHITECTURE.md"));
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let floor = cells.next()?.parse().ok()?;
        Some((cells.next()?.trim_matches('`').to_owned(), floor))
    });
    rows.collect()
}

/// The floors of the harness: the rows of the table in `src/bench.rs`, from the top down.
fn floors_of_the_harness() -> Floors {
    let text = read(&root().join("src/bench.rs"));
    let (_, table) = text
        .split_once("Imports point down, in this order")
        .expect("the table of the harness");
    let rooms = table.lines().filter_map(|line| {
        let cell = line.strip_prefix("//! | `")?.split('`').next()?;
        Some(
            cell.trim_end_matches('/')
                .trim_end_matches(".rs")
                .to_owned(),
        )
    });
    let rooms: Vec<String> = rooms.collect();
    let from_the_top = rooms.into_iter().rev().zip(1..);
    from_the_top.collect()
}

/// The room that a file belongs to, by its path below the folder of all rooms.
fn room_of(path: &Path) -> String {
    let first = path.components().next().expect("a file");
    let name = Path::new(first.as_os_str()).with_extension("");
    name.to_string_lossy().into_owned()
}

/// The rooms that code names by `prefix`, such as `crate::`, outside of comments.
fn named(text: &str, prefix: &str) -> Vec<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut rooms = Vec::new();
    for line in code {
        for (start, _) in line.match_indices(prefix) {
            let rest = &line[start + prefix.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            rooms.push(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    rooms
}

/// The imports that do not point down, of all files below `folder`, as `file -> room`.
fn upward(folder: &str, prefix: &str, floors: &Floors) -> Vec<String> {
    let folder = root().join(folder);
    let mut wrong = Vec::new();
    for path in files(&folder, &["rs"]) {
        let inside = path.strip_prefix(&folder).expect("below the folder");
        let room = room_of(inside);
        // What only gathers: the crate's own file, and the programs.
        if ["lib", "bin"].contains(&&*room) {
            continue;
        }
        let Some(floor) = floors.get(&room) else {
            wrong.push(format!("{} is in no table of floors", inside.display()));
            continue;
        };
        for other in named(&read(&path), prefix) {
            let is_below = floors.get(&other).is_some_and(|below| below < floor);
            let arrow = format!("{} -> {other}", inside.display());
            let allowed = ALLOWED.iter().any(|(allowed, _)| *allowed == arrow);
            if other != room && !allowed && !is_below {
                wrong.push(arrow);
            }
        }
    }
    wrong
}

#[test]
fn imports_point_down() {
    let floors = floors_of_the_crate();
    assert!(floors.len() > 10, "{floors:?}");
    assert_eq!(upward("src", "crate::", &floors), [""; 0]);
}

#[test]
fn imports_of_the_harness_point_down() {
    let floors = floors_of_the_harness();
    assert!(floors.len() > 5, "{floors:?}");
    assert_eq!(upward("src/bench", "crate::bench::", &floors), [""; 0]);
}

#[test]
fn an_import_that_points_up_is_found() {
    assert_eq!(named("use crate::actor::{System};", "crate::"), ["actor"]);
    assert_eq!(
        named("    /// [`crate::actor::System`]", "crate::"),
        [""; 0]
    );
    assert_eq!(
        named("let x = crate::job::Job(crate::caller::wait);", "crate::"),
        ["job", "caller"]
    );
    let floors = Floors::from([("error".to_owned(), 9), ("headers".to_owned(), 9)]);
    let found = upward("src", "crate::", &floors);
    assert!(
        found.contains(&"error.rs -> headers".to_owned()),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|line| line == "job.rs is in no table of floors")
    );
}

#[test]
fn each_file_opens_with_its_role_and_none_is_too_long() {
    // Declarations (`.pyi`, `.d.ts`) are as long as what they declare: one module each.
    let written = ["rs", "py", "js", "mjs", "sh"];
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "bindings"] {
        for path in files(&root().join(folder), &written) {
            let text = read(&path);
            let shown = path.strip_prefix(root()).unwrap_or(&path).display();
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            if is_rust && !text.starts_with("//!") {
                wrong.push(format!("{shown} does not open with `//!`"));
            }
            let lines = text.lines().count();
            if lines > LONGEST {
                wrong.push(format!("{shown} has {lines} lines"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// The words that a table has, each in front of a colon: `status: HTTPError`, `"status": HTTPError`.
fn words_of(table: &str) -> Vec<&str> {
    let rows = table.lines().filter_map(|line| line.split_once(": "));
    rows.map(|(word, _)| word.trim().trim_matches('"'))
        .collect()
}

#[test]
fn both_packages_have_a_class_for_each_kind_of_error() {
    let between = |path: &str, start: &str, end: &str| {
        let text = read(&root().join(path));
        let (_, rest) = text.split_once(start).expect(start);
        rest.split_once(end).expect(end).0.to_owned()
    };
    let core = between("src/error.rs", "pub fn kind(&self)", "\n    }\n");
    let kinds: Vec<&str> = core
        .lines()
        .filter_map(|line| line.split_once("=> \"")?.1.split('"').next())
        .collect();
    assert!(kinds.len() > 10 && kinds.contains(&"closed"), "{kinds:?}");
    let node = between("bindings/node/lib/errors.js", "const CLASSES = {\n", "};");
    let path = "bindings/python/python/hedgerow/exceptions.py";
    let python = between(path, "_CLASSES: dict[str, type[HedgerowError]] = {\n", "}");
    for kind in kinds {
        assert!(
            words_of(&node).contains(&kind),
            "{kind} has no class in Node"
        );
        // Of settings, Python's own error is raised (`bindings/python/src/exception.rs`).
        let in_python = kind == "config" || words_of(&python).contains(&kind);
        assert!(in_python, "{kind} has no class in Python");
    }
}
