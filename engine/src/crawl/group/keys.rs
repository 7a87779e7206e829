//! Partition keys: their names, types and values, out of folders' names.

use crate::crawl::schema::legal_names;
use crate::lake::types::parse_partition_value;
use crate::lake::write::parse_partition_path;
use millrace_catalog::model::{Column, HIVE_DEFAULT_PARTITION, HiveType};

/// The widest whole numbers with leading zeros that are numbers: months, days, hours. Longer ones are codes.
const WIDEST_PADDED: usize = 2;

/// The key of a folder in Hive's style, `year` of `year=2013`.
pub(super) fn hive_key(name: &str) -> Option<String> {
    parse_partition_path(name)?.pop().map(|(key, _)| key)
}

/// The value that a folder's name stands for; `None` is NULL.
pub(super) fn value(name: &str) -> Option<String> {
    match parse_partition_path(name).and_then(|mut pairs| pairs.pop()) {
        Some((_, value)) => value,
        None => (name != HIVE_DEFAULT_PARTITION).then(|| name.to_owned()),
    }
}

/// Whether a folder's name alone says that it is a partition: `year=2013`, `2013`, `2013-01-31`.
pub(super) fn looks_like_partition(name: &str) -> bool {
    let dated = name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    dated || hive_key(name).is_some()
}

/// The partition keys of levels with these Hive keys, typed by the values of each level, with what was changed.
pub(super) fn columns(kinds: &[Option<String>], values: &[Vec<Option<String>>]) -> (Vec<Column>, Vec<String>) {
    let name = |(level, kind): (usize, &Option<String>)| kind.clone().unwrap_or_else(|| format!("partition_{level}"));
    let names: Vec<String> = kinds.iter().enumerate().map(name).collect();
    let (legal, notes) = legal_names(&names);
    let typed = legal.into_iter().enumerate().map(|(level, name)| {
        let texts = values.iter().filter_map(|values| values.get(level)?.as_deref());
        Column::new(name, key_type(&texts.collect::<Vec<_>>()))
    });
    (typed.collect(), notes)
}

/// The narrowest of int, bigint, date and string that has all values. NULLs are no evidence.
///
/// Glue makes all keys strings; here a filter `month = 1` should find `month=01`.
fn key_type(values: &[&str]) -> HiveType {
    if values.is_empty() {
        return HiveType::String;
    }
    let all = |kind: &HiveType| values.iter().all(|value| parse_partition_value(Some(value), kind).is_ok());
    if whole_numbers(values)
        && let Some(kind) = [HiveType::Int, HiveType::BigInt].into_iter().find(|kind| all(kind))
    {
        return kind;
    }
    if all(&HiveType::Date) { HiveType::Date } else { HiveType::String }
}

/// Whether these are numbers of which no two texts are the same one: none has a sign that it needs not, and where one
/// has leading zeros all are as wide.
fn whole_numbers(values: &[&str]) -> bool {
    let digits = |value: &str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    if !values.iter().all(|value| digits(value.strip_prefix('-').unwrap_or(value)) && *value != "-0") {
        return false;
    }
    let padded = |value: &str| {
        let digits = value.strip_prefix('-').unwrap_or(value);
        digits.len() > 1 && digits.starts_with('0')
    };
    let width = values[0].len();
    !values.iter().any(|value| padded(value))
        || (width <= WIDEST_PADDED && values.iter().all(|value| digits(value) && value.len() == width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_evidence() {
        for (values, expected) in [
            (&["2013", "2014"][..], "int"),
            (&["01", "02", "12"], "int"),
            (&["1", "2", "12"], "int"),
            (&["01", "1"], "string"),
            (&["00501", "90210"], "string"),
            (&["20130131235959"], "bigint"),
            (&["99999999999999999999"], "string"),
            (&["-1", "1"], "int"),
            (&["-01", "01"], "string"),
            (&["+1"], "string"),
            (&["2013-01-31", "2013-02-28"], "date"),
            (&["2013-01-31", "2013-02-30"], "string"),
            (&["Jan", "Feb"], "string"),
            (&[""], "string"),
            (&[], "string"),
        ] {
            assert_eq!(key_type(values).to_string(), expected, "{values:?}");
        }
    }

    #[test]
    fn names_that_say_it() {
        for name in ["year=2013", "2013", "01", "2013-01-31", "2013_01", "dt=__HIVE_DEFAULT_PARTITION__"] {
            assert!(looks_like_partition(name), "{name}");
        }
        for name in ["weather", "v2", "=x", "2013a", ""] {
            assert!(!looks_like_partition(name), "{name}");
        }
        assert_eq!((hive_key("Year=1").as_deref(), value("a=b%2Fc").as_deref()), (Some("year"), Some("b/c")));
        assert_eq!((value("dt=__HIVE_DEFAULT_PARTITION__"), value("01").as_deref()), (None, Some("01")));
    }
}
