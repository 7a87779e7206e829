//! The order of sort keys is the order of values.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use std::cmp::Ordering;

/// A small generator of repeatable noise (Knuth's MMIX constants).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 16
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }
}

fn encode(data_type: &str, value: &str) -> Result<String> {
    encode_value(&Column::new("k", data_type.parse().unwrap()), value, Purpose::Store)
}

/// Every pair of values must compare as their encodings do.
fn assert_ordered<T>(data_type: &str, values: &[(T, String)], compare: impl Fn(&T, &T) -> Ordering) {
    let encoded: Vec<_> = values.iter().map(|(value, text)| (value, text, encode(data_type, text).unwrap())).collect();
    for (a, a_text, a_key) in &encoded {
        assert!(a_key.as_str() >= FIRST && a_key.as_str() < LAST && LAST < NULL, "{a_text}");
        assert!(!a_key.contains(['\u{0}', '\u{1}']), "{a_text}");
        for (b, b_text, b_key) in &encoded {
            assert_eq!(compare(a, b), a_key.cmp(b_key), "{data_type}: {a_text} and {b_text}: {a_key:?}, {b_key:?}");
        }
    }
}

#[test]
fn integers_sort_as_numbers() {
    let mut noise = Noise(1);
    let mut numbers = vec![0, 1, -1, 9, 10, 99, 100, 101, -9, -10, -11, -100, -101, i64::MAX, i64::MIN, i64::MIN + 1];
    numbers.extend((0..150).map(|_| (noise.next() << 16) as i64 >> noise.below(60)));
    let mut values: Vec<_> = numbers.iter().map(|n| (*n, n.to_string())).collect();
    values.extend([(7, "007".to_owned()), (7, "+7".to_owned()), (0, "-0".to_owned()), (-7, "-07".to_owned())]);
    assert_ordered("bigint", &values, Ord::cmp);
}

#[test]
fn decimals_sort_as_numbers() {
    let mut noise = Noise(2);
    let mut values =
        vec![(0, "0".to_owned()), (0, "-0.000".to_owned()), (1500, "1.5".to_owned()), (1500, "01.50".to_owned())];
    for _ in 0..200 {
        let magnitude = i128::from(noise.next()) >> noise.below(47);
        let number = if noise.below(2) == 0 { magnitude } else { -magnitude };
        let sign = if number < 0 { "-" } else { "" };
        values.push((number, format!("{sign}{}.{:03}", number.abs() / 1000, number.abs() % 1000)));
    }
    let wide = "9".repeat(35);
    values.push((wide.parse::<i128>().unwrap() * 1000, wide.clone()));
    values.push((wide.parse::<i128>().unwrap() * -1000, format!("-{wide}.0")));
    assert_ordered("decimal(38,3)", &values, Ord::cmp);
}

#[test]
fn floats_sort_as_numbers() {
    let mut noise = Noise(3);
    let mut numbers =
        vec![0.0, -0.0, f64::MIN, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 5e-324, -5e-324];
    numbers.extend((0..200).map(|_| f64::from_bits(noise.next() << 16)).filter(|n| !n.is_nan()));
    let values: Vec<_> = numbers.iter().map(|n| (*n, n.to_string())).collect();
    assert_ordered("double", &values, |a, b| a.partial_cmp(b).unwrap());
    assert!(encode("double", "NaN").unwrap() > encode("double", "Infinity").unwrap());
    assert_eq!(encode("float", "0.1").unwrap(), encode("float", "0.10").unwrap());
}

#[test]
fn strings_sort_by_their_characters() {
    let texts = [
        "",
        "a",
        "a\u{0}",
        "a\u{0}b",
        "a\u{1}",
        "a\u{2}",
        "a\u{2}\u{2}",
        "a\u{3}",
        "a ",
        "ab",
        "b",
        "é",
        "日本",
        "𝄞",
        "~",
        "v",
        "w",
    ];
    let values: Vec<_> = texts.iter().map(|text| (*text, (*text).to_owned())).collect();
    assert_ordered("string", &values, |a, b| a.chars().cmp(b.chars()));
    assert_ordered("varchar(20)", &values, |a, b| a.chars().cmp(b.chars()));
    assert_eq!(encode("char(5)", "ab").unwrap(), encode("char(5)", "ab   ").unwrap());
}

#[test]
fn dates_and_timestamps_sort_by_time() {
    let mut noise = Noise(4);
    let mut dates = vec![((2024, 2, 29), "2024-2-29".to_owned()), ((1, 1, 1), "0001-01-01".to_owned())];
    let mut times = Vec::new();
    for _ in 0..150 {
        let date = (noise.below(9999) + 1, noise.below(12) + 1, noise.below(28) + 1);
        let text = format!("{:04}-{:02}-{:02}", date.0, date.1, date.2);
        let nanos = noise.below(1_000_000_000) / 10_u64.pow(noise.below(9) as u32) * 1000 % 1_000_000_000;
        let time = (noise.below(24), noise.below(60), noise.below(60), nanos);
        times.push(((date, time), format!("{text} {:02}:{:02}:{:02}.{:09}", time.0, time.1, time.2, time.3)));
        times.push(((date, (time.0, time.1, 0, 0)), format!("{text}T{}:{:02}", time.0, time.1)));
        times.push(((date, (0, 0, 0, 0)), text.clone()));
        dates.push((date, text));
    }
    assert_ordered("date", &dates, Ord::cmp);
    assert_ordered("timestamp", &times, Ord::cmp);
}

#[test]
fn values_of_another_type_are_refused() {
    for (data_type, values) in [
        ("int", &["", "x", "1.0", " 1", "1e3", "2147483648", "-2147483649", "+", "-", "0x1", "１"][..]),
        ("tinyint", &["128", "-129"]),
        ("smallint", &["32768"]),
        ("bigint", &["9223372036854775808"]),
        ("decimal(5,2)", &["1000", "0.001", "1,5", ".", "e1", "NaN", "--1"]),
        ("double", &["", "1,5", "x"]),
        ("boolean", &["", "yes", "2"]),
        (
            "date",
            &[
                "",
                "2023-02-29",
                "2024-13-01",
                "2024-00-01",
                "2024-01-00",
                "24-01-01",
                "2024-01-01 00:00:00",
                "2024-01-01-01",
            ],
        ),
        (
            "timestamp",
            &[
                "",
                "2024-01-01 24:00:00",
                "2024-01-01 00:60",
                "2024-01-01 00:00:00.",
                "2024-01-01 00:00:00.1234567890",
                "12:00",
            ],
        ),
        ("array<int>", &["1"]),
    ] {
        for value in values {
            let error = encode(data_type, value).map_err(|error| error.to_string());
            let message = error.expect_err(value);
            assert!(message.contains(data_type) && message.contains("\"k\""), "{message}");
        }
    }
    let error = encode("int", "abc").map_err(|error| error.to_string());
    assert_eq!(error, Err("invalid value \"abc\" for partition key \"k\" of type int".to_owned()));
}

/// A bound may lie outside of the key's type, and still compares.
#[test]
fn bounds_may_lie_outside_of_the_type() {
    let key = Column::new("k", HiveType::TinyInt);
    let compare = |value: &str| encode_value(&key, value, Purpose::Compare).unwrap();
    let ordered =
        ["-1e400", "-1e60", "-300", "-128", "-1.5", "-1", "-1e-90", "0", "1e-90", "1", "1.5", "127", "300", "1e60"];
    let encoded: Vec<String> = ordered.iter().map(|value| compare(value)).collect();
    assert!(encoded.is_sorted(), "{encoded:?}");
    assert_eq!(compare("1.0"), compare("1"));
    assert_eq!(compare("12e-1"), compare("1.2"));
}
