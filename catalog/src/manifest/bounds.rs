//! Lower and upper bounds of a table's columns, merged over files and inlined rows. A bound that is not known to hold
//! is left out: DuckDB answers MIN and MAX and drops filters by them.

use super::types::is_number;
use crate::store::Number;
use std::cmp::Ordering;

/// What is known of a column's values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Whether there are NULLs, if known.
    pub(super) contains_null: Option<bool>,
    /// Whether there are NaNs, if known.
    pub(super) contains_nan: Option<bool>,
    /// A lower bound.
    pub(super) minimum: Option<String>,
    /// An upper bound.
    pub(super) maximum: Option<String>,
    /// Whether there is no value but NULL, so that missing bounds do not mean unknown ones.
    pub(super) empty: bool,
}

/// A bound as it is stored. One with U+0000, which PostgreSQL's texts do not have, is left out.
pub(super) fn storable<T: AsRef<str>>(bound: Option<T>) -> Option<T> {
    bound.filter(|text| !text.as_ref().contains('\0'))
}

impl Bounds {
    /// Of one value.
    pub(super) fn of(value: Option<String>) -> Self {
        Self { contains_null: Some(false), contains_nan: None, minimum: value.clone(), maximum: value, empty: false }
    }

    /// Of NULL.
    pub(super) fn null() -> Self {
        Self { contains_null: Some(true), empty: true, ..Self::default() }
    }

    /// Of these and those values.
    pub(super) fn merge(self, other: Self, ducklake_type: &str) -> Self {
        let contains_nan = either(self.contains_nan, other.contains_nan, self.empty, other.empty);
        let contains_null = match (self.contains_null, other.contains_null) {
            (Some(a), Some(b)) => Some(a || b),
            (a, b) => a.or(b).filter(|known| *known),
        };
        let (minimum, maximum) = match (self.empty, other.empty) {
            (true, _) => (other.minimum, other.maximum),
            (false, true) => (self.minimum, self.maximum),
            (false, false) => (
                extreme(self.minimum, other.minimum, ducklake_type, Ordering::Less),
                extreme(self.maximum, other.maximum, ducklake_type, Ordering::Greater),
            ),
        };
        Self { contains_null, contains_nan, minimum, maximum, empty: self.empty && other.empty }
    }
}

fn either(a: Option<bool>, b: Option<bool>, a_empty: bool, b_empty: bool) -> Option<bool> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a || b),
        (Some(known), None) if known || b_empty => Some(known),
        (None, Some(known)) if known || a_empty => Some(known),
        _ => None,
    }
}

fn extreme(a: Option<String>, b: Option<String>, ducklake_type: &str, wanted: Ordering) -> Option<String> {
    let (a, b) = (a?, b?);
    let ordering = compare(&a, &b, ducklake_type)?;
    Some(if ordering == wanted { a } else { b })
}

/// The order of two values' texts, where the text tells.
fn compare(a: &str, b: &str, ducklake_type: &str) -> Option<Ordering> {
    if ducklake_type.starts_with("float") {
        return a.parse::<f64>().ok()?.partial_cmp(&b.parse::<f64>().ok()?);
    }
    if is_number(ducklake_type) {
        if let (Ok(a), Ok(b)) = (a.parse::<i128>(), b.parse::<i128>()) {
            return Some(a.cmp(&b));
        }
        let key = |text: &str| {
            let mut key = String::new();
            Number::parse(text)?.encode(&mut key);
            Some(key)
        };
        return Some(key(a)?.cmp(&key(b)?));
    }
    match ducklake_type {
        "boolean" | "varchar" => Some(a.cmp(b)),
        // Within four digits of a year and one offset, the order of the texts is that of the times.
        "date" | "time" => plain_time(a, b).then(|| a.cmp(b)),
        "timestamp" => (plain_time(a, b) && has_year(a) && has_year(b)).then(|| a.cmp(b)),
        "timestamptz" => {
            let (a, b) = (a.strip_suffix("+00")?, b.strip_suffix("+00")?);
            (plain_time(a, b) && has_year(a) && has_year(b)).then(|| a.cmp(b))
        }
        _ => None,
    }
}

fn plain_time(a: &str, b: &str) -> bool {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || b"-:. ".contains(&byte));
    let width = |text: &str| text.find(['-', ':', '.']);
    plain(a) && plain(b) && width(a) == width(b) && width(a).is_some_and(|width| width > 0)
}

fn has_year(text: &str) -> bool {
    text.find('-') == Some(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ordered_by_type() {
        for (ducklake_type, less, greater) in [
            ("int32", "-2", "10"),
            ("int32", "9", "10"),
            ("decimal(38,2)", "99999999999999999999999999999999999.99", "100000000000000000000000000000000000.00"),
            ("decimal(9,2)", "-1.50", "-1.49"),
            ("float64", "1e-3", "0.5"),
            ("varchar", "10", "9"),
            ("boolean", "false", "true"),
            ("date", "0999-12-31", "2020-01-02"),
            ("timestamp", "2020-01-02 03:04:05", "2020-01-02 03:04:05.1"),
            ("timestamptz", "2020-01-02 03:04:05+00", "2020-01-02 03:04:05.1+00"),
        ] {
            assert_eq!(compare(less, greater, ducklake_type), Some(Ordering::Less), "{ducklake_type} {less}");
        }
        for (ducklake_type, a, b) in [
            ("float64", "nan", "1"),
            ("date", "10000-01-01", "2020-01-01"),
            ("date", "infinity", "2020-01-01"),
            ("date", "0044-03-15 (BC)", "2020-01-01"),
            ("timestamptz", "2020-01-02 03:04:05+05:30", "2020-01-02 03:04:05+00"),
            ("interval", "1 day", "2 days"),
        ] {
            assert_eq!(compare(a, b, ducklake_type), None, "{ducklake_type} {a}");
        }
    }

    #[test]
    fn unknown_bounds_stay_unknown_and_null_has_none() {
        let five = || Bounds::of(Some("5".to_owned()));
        let merged = Bounds::null().merge(five(), "int32");
        assert_eq!((merged.minimum.as_deref(), merged.contains_null), (Some("5"), Some(true)));
        assert_eq!(five().merge(Bounds::of(None), "int32").minimum, None);
        let wide = five().merge(Bounds::of(Some("40".to_owned())), "int32");
        assert_eq!((wide.minimum.as_deref(), wide.maximum.as_deref()), (Some("5"), Some("40")));
    }
}
