//! Partitions' names as Hive writes them in folders and `SHOW PARTITIONS`.

use crate::model::{Column, HIVE_DEFAULT_PARTITION};
use std::fmt::Write;

/// `year=2013/month=1`: keys and values with Hive's escapes (`%3A` for a colon). NULL and the empty string are
/// `__HIVE_DEFAULT_PARTITION__`, as in Hive.
pub fn partition_name(keys: &[Column], values: &[Option<String>]) -> String {
    let mut name = String::new();
    for (index, (key, value)) in keys.iter().zip(values).enumerate() {
        if index > 0 {
            name.push('/');
        }
        escape(&mut name, &key.name);
        name.push('=');
        match value.as_deref() {
            None | Some("") => name.push_str(HIVE_DEFAULT_PARTITION),
            Some(value) => escape(&mut name, value),
        }
    }
    name
}

fn escape(name: &mut String, text: &str) {
    for c in text.chars() {
        let special =
            matches!(c, '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^' | '\u{7f}');
        if c < ' ' || special {
            // A String takes any text.
            let _ = write!(name, "%{:02X}", c as u32);
        } else {
            name.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HiveType;

    #[test]
    fn names_are_hives() {
        let keys = [Column::new("year", HiveType::Int), Column::new("at", HiveType::String)];
        // FileUtils.makePartName of Hive: the colon and the slash are escaped, the blank is not.
        for (values, name) in [
            ([Some("2013"), Some("1")], "year=2013/at=1"),
            ([None, Some("")], "year=__HIVE_DEFAULT_PARTITION__/at=__HIVE_DEFAULT_PARTITION__"),
            ([Some("1"), Some("10:00 a/b=c")], "year=1/at=10%3A00 a%2Fb%3Dc"),
            ([Some("1"), Some("50%\u{1}é")], "year=1/at=50%25%01é"),
        ] {
            assert_eq!(partition_name(&keys, &values.map(|v| v.map(str::to_owned))), name);
        }
    }
}
