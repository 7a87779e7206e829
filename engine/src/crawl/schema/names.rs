//! Names as the catalog and the services take them.

use std::collections::{HashMap, HashSet};

/// The longest name that AWS Glue takes, in characters.
const LONGEST: usize = 255;

/// Column names made legal (lower case, no blanks or signs but the underscore) and different, with what was changed.
///
/// Blanks around a name go, other characters than letters and digits become underscores; a name that is empty is
/// `col` with the column's number from 0; a name that repeats gets a number from 2 that makes it different. Lower case
/// and blanks around a name are not worth telling.
pub(crate) fn legal_names(names: &[String]) -> (Vec<String>, Vec<String>) {
    let wanted: Vec<String> = names.iter().enumerate().map(|(column, name)| legal_name(column, name)).collect();
    // A name that stands further behind as it is stays that column's.
    let mut taken: HashSet<String> = wanted.iter().cloned().collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let (mut legal, mut notes) = (Vec::with_capacity(names.len()), Vec::new());
    for (column, (name, given)) in wanted.iter().zip(names).enumerate() {
        let number = seen.entry(name.as_str()).or_insert(0);
        *number += 1;
        let mut unique = name.clone();
        if *number > 1 {
            loop {
                unique = format!("{name}_{number}");
                if taken.insert(unique.clone()) {
                    break;
                }
                *number += 1;
            }
            notes.push(format!("column {} is named \"{unique}\": the name \"{}\" repeats", column + 1, given.trim()));
        } else if *name != given.trim().to_lowercase() {
            let why = if given.trim().is_empty() {
                "it has no name".to_owned()
            } else {
                format!("\"{}\" is no legal name", shown(given))
            };
            notes.push(format!("column {} is named \"{name}\": {why}", column + 1));
        }
        legal.push(unique);
    }
    (legal, notes)
}

fn legal_name(column: usize, name: &str) -> String {
    let name = name.trim();
    if name.is_empty() { format!("col{column}") } else { with_underscores(name) }
}

/// A table's name from a folder's or file's name: lower case, letters, digits and underscores.
pub(crate) fn legal_table_name(name: &str) -> String {
    let name = name.trim();
    if name.is_empty() { "_".to_owned() } else { with_underscores(name) }
}

fn with_underscores(name: &str) -> String {
    let lower = name.to_lowercase();
    lower.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).take(LONGEST).collect()
}

/// A name in one line, cut where it is very long.
fn shown(name: &str) -> String {
    let mut shown: String = name.trim().escape_debug().take(64).collect();
    if name.chars().count() > 64 {
        shown.push('…');
    }
    shown
}
