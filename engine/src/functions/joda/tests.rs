//! What a server of Trino 435 answered: `format_datetime`, `date_format`, `parse_datetime`, `date_parse`.

#![allow(clippy::unwrap_used)]

use super::{Pattern, Shown};
use chrono::NaiveDateTime;

fn moment(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

fn written(pattern: &str, at: &str) -> String {
    let moment = Shown { local: moment(at), offset: 0, zone: "UTC", abbreviation: "UTC" };
    Pattern::joda(pattern).unwrap().write(&moment).unwrap()
}

#[test]
fn numbers_have_as_many_digits_as_letters() {
    for (pattern, early, late) in [
        ("G C CC", "AD 20 20", "AD 19 19"),
        ("Y YY YYY YYYYY", "2020 20 2020 02020", "1985 85 1985 01985"),
        ("y yy yyyy yyyyy", "2020 20 2020 02020", "1985 85 1985 01985"),
        ("x xx xxxx", "2020 20 2020", "1985 85 1985"),
        ("w ww www", "10 10 010", "52 52 052"),
        ("e ee E EEE EEEE", "4 04 Thu Thu Thursday", "7 07 Sun Sun Sunday"),
        ("D DD DDD DDDD", "65 65 065 0065", "363 363 363 0363"),
        ("M MM MMM MMMM MMMMM", "3 03 Mar March March", "12 12 Dec December December"),
        ("d dd ddd a aa", "5 05 005 AM AM", "29 29 029 PM PM"),
        ("K KK h hh", "0 00 12 12", "0 00 12 12"),
        ("H HH HHH k kk kkk", "0 00 000 24 24 024", "12 12 012 12 12 012"),
        ("m mm s ss", "4 04 5 05", "34 34 56 56"),
        ("S SS SSS SSSS SSSSSSSSS", "6 67 678 6780 678000000", "1 10 100 1000 100000000"),
        ("'a''b' '' % [x] é", "a'b ' % [2020] é", "a'b ' % [1985] é"),
    ] {
        assert_eq!(written(pattern, "2020-03-05T00:04:05.678"), early, "{pattern}");
        assert_eq!(written(pattern, "1985-12-29T12:34:56.1"), late, "{pattern}");
    }
    assert_eq!(written("yyyy yy Y G C", "0001-01-01T00:00:00"), "0001 01 1 AD 0");
}

#[test]
fn zones_are_written() {
    let at = |zone, offset, abbreviation| Shown { local: moment("2020-03-05T00:00:00"), offset, zone, abbreviation };
    for (pattern, new_york, utc, fixed) in [
        ("z zzz", "EST EST", "UTC UTC", "+05:30 +05:30"),
        ("Z ZZ", "-0500 -05:00", "+0000 +00:00", "+0530 +05:30"),
        ("ZZZ ZZZZ", "America/New_York America/New_York", "UTC UTC", "+05:30 +05:30"),
    ] {
        let pattern = Pattern::joda(pattern).unwrap();
        assert!(pattern.has_zone());
        assert_eq!(pattern.write(&at("America/New_York", -18000, "EST")).unwrap(), new_york);
        assert_eq!(pattern.write(&at("UTC", 0, "UTC")).unwrap(), utc);
        assert_eq!(pattern.write(&at("+05:30", 19800, "")).unwrap(), fixed);
    }
    let long = Pattern::joda("zzzz").unwrap();
    assert_eq!(long.write(&at("UTC", 0, "UTC")).unwrap(), "Coordinated Universal Time");
    assert_eq!(long.write(&at("America/New_York", -18000, "EST")).unwrap_err().sqlstate(), "0A000");
}

#[test]
fn mysqls_patterns_are_written() {
    for (pattern, early, late) in [
        ("%a %b %c %d %e", "Thu Mar 3 05 5", "Sun Dec 12 29 29"),
        ("%f %h %H %i %I", "678000 12 00 04 12", "100000 01 13 34 01"),
        ("%j %k %l %m %M %p", "065 0 12 03 March AM", "363 13 1 12 December PM"),
        ("%r|%s|%S|%T", "12:04:05 AM|05|05|00:04:05", "01:34:56 PM|56|56|13:34:56"),
        ("%v %W %x %y %Y", "10 Thursday 2020 20 2020", "52 Sunday 1985 85 1985"),
        ("%q%G%o%%%z%", "qGo%z", "qGo%z"),
    ] {
        let parsed = Pattern::mysql(pattern).unwrap();
        let write = |at| parsed.write(&Shown { local: moment(at), offset: 0, zone: "UTC", abbreviation: "" }).unwrap();
        assert_eq!(write("2020-03-05T00:04:05.678"), early, "{pattern}");
        assert_eq!(write("1985-12-29T13:34:56.1"), late, "{pattern}");
    }
    for letter in "uUVwXD".chars() {
        assert_eq!(Pattern::mysql(&format!("%{letter}")).unwrap_err().sqlstate(), "0A000");
    }
}

#[test]
fn texts_are_read() {
    for (text, pattern, expected) in [
        ("2020-1-5", "yyyy-MM-dd", "2020-01-05T00:00:00"),
        ("2020-01-05", "y-M-d", "2020-01-05T00:00:00"),
        ("20200105", "yyyyMMdd", "2020-01-05T00:00:00"),
        ("2020-01-05 12 PM", "yyyy-MM-dd hh a", "2020-01-05T12:00:00"),
        ("2020-01-05 01 pm", "yyyy-MM-dd hh a", "2020-01-05T13:00:00"),
        ("march 5 2020", "MMM d yyyy", "2020-03-05T00:00:00"),
        ("mar 5 2020", "MMMM d yyyy", "2020-03-05T00:00:00"),
        ("2020", "yy", "2020-01-01T00:00:00"),
        ("5", "yy", "0005-01-01T00:00:00"),
        ("2005", "yyMM", "2020-05-01T00:00:00"),
        ("+2020", "yyyy", "2020-01-01T00:00:00"),
        ("-5", "yyyy", "-0005-01-01T00:00:00"),
        ("12345", "yyyy", "+12345-01-01T00:00:00"),
        ("5 BC", "Y G", "-0004-01-01T00:00:00"),
        ("5 BC", "yyyy G", "0005-01-01T00:00:00"),
        ("20", "CC", "2000-01-01T00:00:00"),
        ("0.5", "s.S", "1970-01-01T00:00:00.5"),
        ("1.2", "s.SS", "1970-01-01T00:00:01.2"),
        ("0.123456", "s.SSSSSS", "1970-01-01T00:00:00.123"),
        ("2020-060", "yyyy-DDD", "2020-02-29T00:00:00"),
        ("2020-W10-4", "xxxx-'W'ww-e", "2020-03-05T00:00:00"),
        ("24", "kk", "1970-01-01T00:00:00"),
        ("Fri 2020-03-05", "EEE yyyy-MM-dd", "2020-03-06T00:00:00"),
        ("10", "w", "2000-03-06T00:00:00"),
        ("2020 ab", "yyyy 'AB'", "2020-01-01T00:00:00"),
        ("2020 2021", "yyyy yyyy", "2021-01-01T00:00:00"),
        ("10 PM 3", "hh a HH", "1970-01-01T10:00:00"),
    ] {
        let read = Pattern::joda(pattern).unwrap().read(text);
        assert_eq!(read.unwrap(), (moment(expected), None), "{text} by {pattern}");
    }
}

#[test]
fn texts_are_read_by_mysqls_patterns() {
    for (text, pattern, expected) in [
        ("2020-01-05 01 pm", "%Y-%m-%d %h %p", "2020-01-05T13:00:00"),
        ("69", "%y", "2069-01-01T00:00:00"),
        ("70", "%y", "1970-01-01T00:00:00"),
        ("10:20:30 PM", "%r", "1970-01-01T22:20:30"),
        ("0.1234567", "%s.%f", "1970-01-01T00:00:00.123"),
        ("060 2020", "%j %Y", "2020-02-29T00:00:00"),
        ("Thursday 2020", "%W %Y", "2020-01-02T00:00:00"),
        ("10 2020", "%v %x", "2020-03-02T00:00:00"),
        ("%5", "%%%d", "2000-01-05T00:00:00"),
        ("5", "%c", "2000-05-01T00:00:00"),
        ("2020", "%Y%", "2020-01-01T00:00:00"),
        ("x", "x", "1970-01-01T00:00:00"),
    ] {
        let read = Pattern::mysql(pattern).unwrap().read(text);
        assert_eq!(read.unwrap().0, moment(expected), "{text} by {pattern}");
    }
}

#[test]
fn zones_are_read() {
    for (text, pattern, offset) in [
        ("10:20 +0530", "HH:mm Z", 19800),
        ("10:20 -05:30", "HH:mm ZZ", -19800),
        ("10:20 -05", "HH:mm Z", -18000),
        ("10:20 z", "HH:mm Z", 0),
        ("10:20 America/New_York", "HH:mm ZZZ", -18000),
        ("10:20 EDT", "HH:mm z", -18000),
        ("10:20 UTC", "HH:mm zzz", 0),
    ] {
        let (local, zone) = Pattern::joda(pattern).unwrap().read(text).unwrap();
        assert_eq!(local, moment("1970-01-01T10:20:00"), "{text}");
        let seconds = zone.unwrap().offset_at(local.and_utc().timestamp_micros()).unwrap() / 1_000_000;
        assert_eq!(seconds, offset, "{text}");
    }
}

#[test]
fn what_is_not_as_the_pattern_says_is_refused() {
    for (text, pattern, message) in [
        ("2020-01-05 13", "yyyy-MM-dd hh", "value 13 for clockhourOfHalfday must be in the range [1,12]"),
        ("24", "HH", "value 24 for hourOfDay must be in the range [0,23]"),
        ("12", "KK", "value 12 for hourOfHalfday must be in the range [0,11]"),
        ("2020-02-30", "yyyy-MM-dd", "value 30 for dayOfMonth must be in the range [1,29]"),
        ("366 2021", "DDD yyyy", "value 366 for dayOfYear must be in the range [1,365]"),
        ("53 2021", "ww xxxx", "value 53 for weekOfWeekyear must be in the range [1,52]"),
        ("00", "MM", "value 0 for monthOfYear must be in the range [1,12]"),
        ("0.1234567", "s.SSS", "\"0.1234567\" is malformed at \"4567\""),
        ("2020 ", "yyyy", "\"2020 \" is malformed at \" \""),
        (" 2020", "yyyy", "invalid format: \" 2020\""),
        ("", "yyyy", "invalid format: \"\""),
        ("10 pst", "HH z", "is malformed at \"pst\""),
        ("10 +05:30", "HH ZZZ", "is malformed at \"+05:30\""),
        ("202005", "yyMM", "is malformed at \"05\""),
    ] {
        let error = Pattern::joda(pattern).unwrap().read(text).unwrap_err();
        assert!(error.to_string().contains(message), "{text} by {pattern}: {error}");
    }
    for pattern in ["", "b", "yyyy q", "u"] {
        assert_eq!(Pattern::joda(pattern).unwrap_err().sqlstate(), "22023", "{pattern}");
    }
    for (text, pattern) in [("5", "%y"), ("2020", "%y"), ("10000", "%Y"), ("2020-01-01 10", "%Y-%m-%d"), ("13", "%l")] {
        assert!(Pattern::mysql(pattern).unwrap().read(text).is_err(), "{text} by {pattern}");
    }
    assert_eq!(Pattern::mysql("").unwrap_err().sqlstate(), "22023");
}
