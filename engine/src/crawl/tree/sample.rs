//! Which of a folder's files are opened: the same ones for the same listing.

use object_store::ObjectMeta;
use std::collections::HashSet;

/// How many files of a folder are opened when the target does not say.
const DEFAULT_SAMPLE: usize = 4;
/// In folders of no more files than this one of each kind of name is opened: `customers.csv` and `orders.csv` are
/// probably two tables, `part-0.csv` and `part-1.csv` are not.
const MOST_FILES_BY_NAME: usize = 100;

/// The sample, by name: first, last and evenly between.
pub(super) fn choose(mut files: Vec<ObjectMeta>, sample_size: Option<u32>) -> Vec<ObjectMeta> {
    files.sort_by(|a, b| a.location.cmp(&b.location));
    let wanted = sample_size.map_or(DEFAULT_SAMPLE, |size| size.max(1) as usize);
    if files.len() <= wanted {
        return files;
    }
    let last = files.len() - 1;
    let mut chosen: HashSet<usize> = match wanted {
        1 => HashSet::from([0]),
        _ => (0..wanted).map(|at| at * last / (wanted - 1)).collect(),
    };
    if sample_size.is_none() && files.len() <= MOST_FILES_BY_NAME {
        let mut kinds: HashSet<String> =
            chosen.iter().map(|at| kind_of_name(files[*at].location.filename().unwrap_or_default())).collect();
        for (at, file) in files.iter().enumerate() {
            if kinds.insert(kind_of_name(file.location.filename().unwrap_or_default())) {
                chosen.insert(at);
            }
        }
    }
    let mut at = 0;
    files.retain(|_| {
        at += 1;
        chosen.contains(&(at - 1))
    });
    files.shrink_to_fit();
    files
}

/// A file's name with its words that have digits, such as numbers, times and UUIDs, made equal.
fn kind_of_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric());
    let is_number = |word: &str| {
        let hex = word.len() >= 4 && word.bytes().all(|b| b.is_ascii_hexdigit());
        hex || word.bytes().any(|b| b.is_ascii_digit())
    };
    words.map(|word| if is_number(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}
