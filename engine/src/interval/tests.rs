//! Values from Redshift's documentation ("Interval data types and literals") and from PostgreSQL 15.
#![allow(clippy::unwrap_used)]

use super::*;

/// The text of a literal, as `INTERVAL '…' qualifier::text` gives it.
fn shown(text: &str, qualifier: &str) -> Result<String> {
    let qualifier: Qualifier = qualifier.parse()?;
    let parts = parse(text, qualifier)?;
    if qualifier.is_months() {
        return Ok(super::text(parts.as_months(qualifier)?, 0, 0));
    }
    let (days, rest) = days_and_rest(parts.as_micros(qualifier)?);
    Ok(super::text(0, days, rest))
}

#[test]
fn literals_of_the_documentation() {
    for (literal, qualifier, expected) in [
        ("23", "month", "1 year 11 mons"),
        ("-2", "day", "-2 days"),
        ("1-2", "month", "1 year 2 mons"),
        ("13 day 1 hour 1 minute 1.123 seconds", "second", "13 days 01:01:01.123"),
        ("1 day 1 hour 1 minute 1.123 seconds", "minute", "1 day 01:01:00"),
        ("1-2", "year to month", "1 year 2 mons"),
        ("1 2:3:4.5678", "day to second", "1 day 02:03:04.5678"),
        ("20", "month", "1 year 8 mons"),
        ("2 days 1:1:1.123456", "hour to minute", "2 days 01:01:00"),
        ("1", "year", "1 year"),
        ("13 months", "year", "1 year"),
        ("13 months", "month", "1 year 1 mon"),
        ("1.234567", "second (3)", "00:00:01.235"),
        ("1.23456789", "second", "00:00:01.234567"),
        ("2:2", "minute to second", "00:02:02"),
        ("2:2", "hour to minute", "02:02:00"),
        ("5s", "second", "00:00:05"),
        ("5 HOURS", "hour", "05:00:00"),
        ("5 h", "hour", "05:00:00"),
    ] {
        assert_eq!(shown(literal, qualifier).unwrap(), expected, "{literal} {qualifier}");
    }
}

#[test]
fn texts_as_postgresql_reads_them() {
    for (literal, qualifier, expected) in [
        ("1.5 years", "month", "1 year 6 mons"),
        ("-1-2", "year to month", "-1 years -2 mons"),
        ("1 year 2 months ago", "year to month", "-1 years -2 mons"),
        ("1 decade", "year", "10 years"),
        ("P1Y2M", "year to month", "1 year 2 mons"),
        ("P1DT2H3M4.5S", "day to second", "1 day 02:03:04.5"),
        ("@ 3 days 2 hours", "day to second", "3 days 02:00:00"),
        ("7 days, 3 hours, 59 minutes", "day to second", "7 days 03:59:00"),
        ("1w 1h 1m 1s", "day to second", "7 days 01:01:01"),
        ("0.5 days", "day to second", "12:00:00"),
        ("1:30", "day to second", "01:30:00"),
        ("1:30.5", "day to second", "00:01:30.5"),
        ("-1 days +2:00", "day to second", "-22:00:00"),
        ("-00:00:00.000001", "day to second", "-00:00:00.000001"),
        ("250 ms", "second", "00:00:00.25"),
        ("0", "second", "00:00:00"),
    ] {
        assert_eq!(shown(literal, qualifier).unwrap(), expected, "{literal} {qualifier}");
    }
}

// PostgreSQL's 8.5.4 and 8.5.5; a number alone is of seconds (Redshift: "Interval literals").
#[test]
fn texts_without_qualifiers() {
    for (literal, expected) in [
        ("1 day 02:03:04", "1 day 02:03:04"),
        ("1 day, 02:03:04.5", "1 day 02:03:04.5"),
        ("02:03:04", "02:03:04"),
        ("02:03", "02:03:00"),
        ("02:03.5", "00:02:03.5"),
        ("-1 day +02:03", "-1 days +02:03:00"),
        ("-1 day 02:03", "-1 days +02:03:00"),
        ("1-2", "1 year 2 mons"),
        ("3 4:05:06", "3 days 04:05:06"),
        ("-1-2 +3 -4:05:06", "-1 years -2 mons +3 days -04:05:06"),
        ("1 year 2 months 3 days 4 hours 5 minutes 6 seconds", "1 year 2 mons 3 days 04:05:06"),
        ("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"),
        ("1 year 2 months 3 days 4 hours 5 minutes 6 seconds ago", "-1 years -2 mons -3 days -04:05:06"),
        ("1.5 weeks", "10 days 12:00:00"),
        ("1.5 months", "1 mon 15 days"),
        ("-0.25 months", "-7 days -12:00:00"),
        ("36 hours", "36:00:00"),
        ("1", "00:00:01"),
        ("1.0000007 seconds", "00:00:01.000001"),
    ] {
        let value = parse_unqualified(literal).unwrap();
        assert_eq!(super::text(value.months, value.days, value.nanoseconds / 1_000), expected, "{literal}");
    }
    for (literal, state) in [
        ("", "22007"),
        ("1 day 2 days", "22007"),
        ("1 hour 02:03", "22007"),
        ("1:2:3:4", "22007"),
        ("02:60", "22008"),
        ("200000000 years", "22008"),
        ("3000000000 days", "22008"),
    ] {
        assert_eq!(parse_unqualified(literal).unwrap_err().sqlstate(), state, "{literal}");
    }
}

#[test]
fn what_is_no_interval() {
    for (literal, qualifier, state) in [
        ("", "day", "22007"),
        ("x", "day", "22007"),
        ("1 parsec", "day", "22007"),
        ("1:2:3:4", "day to second", "22007"),
        ("200000000 years", "year", "22008"),
        ("200000000 days", "day", "22008"),
        ("1 year 1 day", "day to second", "22023"),
        ("1 year 1 day", "year to month", "22023"),
    ] {
        assert_eq!(shown(literal, qualifier).unwrap_err().sqlstate(), state, "{literal} {qualifier}");
    }
}

/// `format_type(1186, n)` of PostgreSQL 15.
#[test]
fn qualifiers_as_text_and_as_modifiers() {
    for (text, modifier) in [
        ("year to month", -1),
        ("day to second", -1),
        ("year", 327_679),
        ("month", 196_607),
        ("hour to minute", 201_392_127),
        ("day to second(3)", 470_286_339),
        ("second(0)", 268_435_456),
    ] {
        let qualifier: Qualifier = text.parse().unwrap();
        assert_eq!((qualifier.to_string().as_str(), qualifier.modifier()), (text, modifier));
        assert_eq!(Qualifier::of_modifier(modifier), Some(qualifier).filter(|_| modifier >= 0));
    }
    for text in ["month to day", "second to day", "week", "day(3)", "second(7)", "", "year to"] {
        assert!(text.parse::<Qualifier>().is_err(), "{text}");
    }
}

#[test]
fn duckdb_writes_them_otherwise() {
    assert_eq!(duckdb_text(20, 0, 0), "1 year 8 months");
    assert_eq!(duckdb_text(-13, 0, 0), "-1 year -1 month");
    assert_eq!(duckdb_text(0, 2, 3_660_500_000), "2 days 01:01:00.5");
    assert_eq!(duckdb_text(0, -1, -1), "-1 day -00:00:00.000001");
    assert_eq!(duckdb_text(0, 0, 0), "00:00:00");
}

#[test]
fn literals_as_trino_reads_and_writes_them() {
    let shown = |text: &str, qualifier: &str| -> Result<String> {
        let qualifier: Qualifier = qualifier.parse()?;
        let parts = parse_trino(text, qualifier)?;
        let months = qualifier.is_months();
        Ok(if months { trino_months(parts.as_months(qualifier)?) } else { trino_micros(parts.as_micros(qualifier)?) })
    };
    for (literal, qualifier, expected) in [
        ("3", "year", "3-0"),
        ("-14", "month", "-1-2"),
        ("1-6", "year to month", "1-6"),
        ("1", "year to month", "1-0"),
        ("2 03:04:05.678", "day to second", "2 03:04:05.678"),
        ("2", "day to second", "2 00:00:00.000"),
        ("-1 02:00", "day to minute", "-1 02:00:00.000"),
        ("1.5559", "second", "0 00:00:01.555"),
        ("-1.5", "second", "-0 00:00:01.500"),
        ("90", "minute", "0 01:30:00.000"),
        ("100:61", "hour to minute", "4 05:01:00.000"),
        ("1:100", "minute to second", "0 00:02:40.000"),
        (".5", "second", "0 00:00:00.500"),
        ("-+1", "day", "-1 00:00:00.000"),
        ("", "day", "0 00:00:00.000"),
    ] {
        assert_eq!(shown(literal, qualifier).unwrap(), expected, "{literal} {qualifier}");
    }
    for (literal, qualifier) in [
        (" 1", "day"),
        ("1 day", "day"),
        ("1.5", "day"),
        ("1:30", "day to second"),
        ("1 2", "year to month"),
        ("--1", "day"),
        ("1 -2:00", "day to minute"),
        ("1-", "year to month"),
    ] {
        assert_eq!(shown(literal, qualifier).unwrap_err().kind, ErrorKind::InvalidDateTime, "{literal} {qualifier}");
    }
    assert_eq!(shown("999999999", "year").unwrap_err().kind, ErrorKind::DateTimeOverflow);
}
