//! The house's rules that no compiler checks, kept by reading the sources.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use millrace_tests::script::repository;
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below the repository's folders that hold sources.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut folders =
        ["catalog", "connectors", "engine", "cli", "tests", "benches"].map(|name| repository().join(name)).to_vec();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found
}

/// Fails with every complaint at once.
fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}

#[test]
fn sources_are_finished() {
    // Put together here, so that this file does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplemented", "!("], ["dbg", "!("], ["XX", "X:"]];
    let mut complaints = Vec::new();
    for path in files("rs") {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            for word in words.map(|parts| parts.concat()) {
                if line.contains(&word) {
                    complaints.push(format!("{}:{}: {word}", shown(&path), number + 1));
                }
            }
        }
    }
    report(&complaints);
}

#[test]
fn every_source_says_what_it_is() {
    let mut complaints = Vec::new();
    let sources = files("rs");
    assert!(sources.len() > 50, "the sources are not where this test looks for them");
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        if !text.starts_with("//! ") {
            complaints.push(format!("{} does not begin with its documentation (//!)", shown(&path)));
        }
    }
    report(&complaints);
}

#[test]
fn files_stay_short() {
    let mut complaints = Vec::new();
    for (extension, limit) in [("rs", 600), ("slt", 200)] {
        for path in files(extension) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            if lines >= limit {
                complaints.push(format!("{} has {lines} lines, the limit is {limit}", shown(&path)));
            }
        }
    }
    report(&complaints);
}

/// The names that stand left of `=` or `.workspace` in a crate's tables of dependencies.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && !line.trim().is_empty() && !line.starts_with('#') {
            names.extend(line.split(['.', '=', ' ']).next().map(str::to_owned));
        }
    }
    names
}

#[test]
fn leaves_stay_leaves() {
    let rules: [(&str, &[&str]); 4] = [
        ("catalog", &["datafusion", "arrow", "parquet", "object_store", "millrace-connectors", "millrace-engine"]),
        ("connectors", &["datafusion", "millrace-catalog", "millrace-engine"]),
        ("engine", &["clap", "anyhow", "rustyline", "millrace", "millrace-tests", "millrace-benches"]),
        ("cli", &["datafusion", "sqlparser", "sqlx", "object_store", "millrace-tests"]),
    ];
    let mut complaints = Vec::new();
    for (name, forbidden) in rules {
        let manifest = fs::read_to_string(repository().join(name).join("Cargo.toml")).unwrap();
        let dependencies = dependencies(&manifest);
        assert!(!dependencies.is_empty(), "{name} has no dependencies at all?");
        for dependency in forbidden.iter().filter(|dependency| dependencies.iter().any(|found| found == *dependency)) {
            complaints.push(format!("{name} depends on {dependency}"));
        }
    }
    report(&complaints);
}

#[test]
fn versions_stand_in_one_place() {
    let mut complaints = Vec::new();
    for name in ["catalog", "connectors", "engine", "cli", "tests", "benches"] {
        let manifest = fs::read_to_string(repository().join(name).join("Cargo.toml")).unwrap();
        let mut inside = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                inside = line.contains("dependencies");
            } else if inside && !line.is_empty() && !line.starts_with('#') && !line.contains("workspace") {
                complaints.push(format!("{name}/Cargo.toml: {line}"));
            }
        }
    }
    report(&complaints);
}

#[test]
fn the_documents_are_there_and_their_links_lead_somewhere() {
    let mut complaints = Vec::new();
    let documents = ["README.md", "docs/architecture.md", "docs/compatibility.md"].map(|name| repository().join(name));
    for path in documents {
        let Ok(text) = fs::read_to_string(&path) else {
            complaints.push(format!("{} is missing", shown(&path)));
            continue;
        };
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next()) {
            if !link.is_empty() && !link.contains("://") && !path.with_file_name(link).exists() {
                complaints.push(format!("{}: there is no {link}", shown(&path)));
            }
        }
    }
    report(&complaints);
}

#[test]
fn no_paths_of_somebodys_machine() {
    let mut complaints = Vec::new();
    for extension in ["rs", "slt", "inc", "toml", "sql", "py"] {
        for path in files(extension) {
            let text = fs::read_to_string(&path).unwrap();
            for root in [["/ho", "me/"], ["/ro", "ot/"], ["/wo", "rk/"]].map(|parts| parts.concat()) {
                if text.contains(&root) {
                    complaints.push(format!("{} holds a path below {root}", shown(&path)));
                }
            }
        }
    }
    report(&complaints);
}

#[test]
fn every_script_is_well_formed() {
    let mut complaints = Vec::new();
    for path in files("slt") {
        match sqllogictest::parse_file::<sqllogictest::DefaultColumnType>(&path) {
            Ok(records) if records.is_empty() => complaints.push(format!("{} is empty", shown(&path))),
            Ok(_) => {}
            Err(error) => complaints.push(format!("{}: {error}", shown(&path))),
        }
    }
    report(&complaints);
}
