//! What a target leaves out: glob patterns over paths relative to it.
//!
//! Follows Glue's "Include and exclude patterns": `*` stays within a folder, `**` does not, `?` is one character of a
//! name, `[abc]`, `[a-z]` and `[!a-z]` are sets, `{a,b}` are alternatives that cannot be nested, `\` takes a
//! character's meaning. A leading period is a character like others.

use crate::error::{Error, ErrorKind, Result};
use regex::RegexSet;
use std::iter::Peekable;
use std::str::Chars;

/// The patterns of a target.
#[derive(Debug)]
pub(super) struct Exclusions {
    all: RegexSet,
    /// Those that end with `**`: a folder that one of them matches has nothing in it to list.
    open_ended: RegexSet,
}

impl Exclusions {
    /// # Errors
    /// `InvalidParameter` for a pattern with a bracket or brace that is not closed, or braces in braces.
    pub(super) fn new(globs: &[String]) -> Result<Self> {
        let mut all = Vec::new();
        let mut open_ended = Vec::new();
        for glob in globs {
            let invalid = |reason: &str| {
                Error::new(ErrorKind::InvalidParameter, format!("exclusion \"{glob}\" is invalid: {reason}"))
            };
            let regex = translate(glob.trim().trim_start_matches('/')).map_err(invalid)?;
            regex::Regex::new(&regex).map_err(|_| invalid("a set of characters is none"))?;
            if glob.trim_end().ends_with("**") {
                open_ended.push(regex.clone());
            }
            all.push(regex);
        }
        let set = |regexes: Vec<String>| {
            RegexSet::new(regexes)
                .map_err(|e| Error::new(ErrorKind::InvalidParameter, format!("the exclusions are too large: {e}")))
        };
        Ok(Self { all: set(all)?, open_ended: set(open_ended)? })
    }

    /// Whether a file of this relative path is left out.
    pub(super) fn exclude(&self, path: &str) -> bool {
        self.all.is_match(path)
    }

    /// Whether everything in a folder of this relative path is left out.
    pub(super) fn exclude_folder(&self, path: &str) -> bool {
        !self.open_ended.is_empty() && self.open_ended.is_match(&format!("{path}/"))
    }
}

fn translate(glob: &str) -> std::result::Result<String, &'static str> {
    let mut regex = String::from(r"(?s)\A");
    let mut chars = glob.chars().peekable();
    let mut in_group = false;
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                let mut across = false;
                while chars.next_if_eq(&'*').is_some() {
                    across = true;
                }
                regex.push_str(if across { ".*" } else { "[^/]*" });
            }
            '?' => regex.push_str("[^/]"),
            '\\' => push_literal(&mut regex, chars.next().ok_or("nothing stands behind the last \\")?),
            '[' => set_of_characters(&mut chars, &mut regex)?,
            '{' if in_group => return Err("braces stand in braces"),
            '{' => {
                in_group = true;
                regex.push_str("(?:");
            }
            '}' if in_group => {
                in_group = false;
                regex.push(')');
            }
            ',' if in_group => regex.push('|'),
            other => push_literal(&mut regex, other),
        }
    }
    if in_group {
        return Err("a brace is not closed");
    }
    regex.push_str(r"\z");
    Ok(regex)
}

/// What stands in brackets: `*`, `?` and `\` mean themselves there, a `-` at an end too.
fn set_of_characters(chars: &mut Peekable<Chars<'_>>, regex: &mut String) -> std::result::Result<(), &'static str> {
    let negated = chars.next_if_eq(&'!').is_some();
    regex.push_str(if negated { "[^/" } else { "[" });
    let mut members = 0;
    loop {
        match chars.next().ok_or("a bracket is not closed")? {
            ']' if members > 0 => break,
            '-' if members == 0 || chars.peek() == Some(&']') => regex.push_str(r"\-"),
            '-' => regex.push('-'),
            c => push_literal(regex, c),
        }
        members += 1;
    }
    regex.push(']');
    Ok(())
}

fn push_literal(regex: &mut String, c: char) {
    regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn excluded(glob: &str, path: &str) -> bool {
        Exclusions::new(&[glob.to_owned()]).unwrap().exclude(path)
    }

    /// The tables of Glue's developer guide, "Include and exclude patterns".
    #[test]
    fn the_documented_examples() {
        for (glob, yes, no) in [
            ("*.csv", "a.csv", "sub/a.csv"),
            ("*.*", "a.b", "ab"),
            ("*.{csv,avro}", "a.avro", "a.json"),
            ("foo.?", "foo.x", "foo.xy"),
            ("myfolder/*", "myfolder/mysource", "myfolder/mysource/data"),
            ("myfolder/*/*", "myfolder/mysource/data", "myfolder/mysource"),
            ("myfolder/**", "myfolder/mysource/mydata", "other/x"),
            ("myfolder**", "myfolder/mydata.txt", "other"),
            ("departments/**", "departments/finance.json", "employees/hr.json"),
            ("departments/market*", "departments/market-us.json", "departments/finance.json"),
            ("**.csv", "employees/juan/a.csv", "employees/a.txt"),
            ("employees/*.csv", "employees/a.csv", "employees/juan/a.csv"),
            ("*", ".hidden", "a/b"),
            ("[!a-c-]x", "dx", "-x"),
            ("[a\\*?]", "\\", "b"),
            ("\\[x\\]", "[x]", "x"),
        ] {
            assert!(excluded(glob, yes), "{glob} should match {yes}");
            assert!(!excluded(glob, no), "{glob} should not match {no}");
        }
    }

    /// "Excluding a subset of Amazon S3 partitions": only the first week of January stays.
    #[test]
    fn the_documented_partitions() {
        let globs = ["2015/01/{[!0],0[8-9]}**", "2015/0[2-9]/**", "2015/1[0-2]/**"].map(str::to_owned);
        let exclusions = Exclusions::new(&globs).unwrap();
        for month in 1..=12 {
            for day in 1..=28 {
                let stays = month == 1 && day <= 7;
                let folder = format!("2015/{month:02}/{day:02}");
                assert_eq!(exclusions.exclude(&format!("{folder}/x.json")), !stays, "{folder}");
                assert_eq!(exclusions.exclude_folder(&folder), !stays, "{folder}");
            }
        }
        assert!(!exclusions.exclude_folder("2015/01") && exclusions.exclude_folder("2015/02"));
    }

    #[test]
    fn bad_patterns_are_refused() {
        for glob in ["[a", "{a,b", "{a,{b}}", "a\\", "[z-a]"] {
            let error = Exclusions::new(&[glob.to_owned()]).unwrap_err();
            assert!(error.message.contains(glob), "{error:?}");
        }
    }
}
