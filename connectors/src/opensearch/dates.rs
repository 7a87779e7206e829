//! Dates as documents hold them.
//!
//! The formats that mappings have unless told otherwise are read here; values of all others are asked of the server in
//! one of these. Times are nanoseconds since the epoch, UTC, as wide as years go.

use chrono::{DateTime, NaiveDate, Utc};

/// A format that is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `strict_date_optional_time`: a year, then month, day, hour, minute, second and fraction as far as they go.
    OptionalTime,
    /// `epoch_millis`.
    EpochMillis,
    /// `epoch_second`.
    EpochSecond,
}

/// A mapping's formats, `||` between them; `None` when one is not read here. Absent is the servers' default.
pub(super) fn formats(text: Option<&str>) -> Option<Vec<Format>> {
    let Some(text) = text else { return Some(vec![Format::OptionalTime, Format::EpochMillis]) };
    text.split("||")
        .map(|format| match format.trim() {
            "strict_date_optional_time" | "strict_date_optional_time_nanos" => Some(Format::OptionalTime),
            "epoch_millis" => Some(Format::EpochMillis),
            "epoch_second" => Some(Format::EpochSecond),
            _ => None,
        })
        .collect()
}

/// Reads a value by the first format that takes it.
pub(super) fn parse(text: &str, formats: &[Format]) -> Option<i128> {
    formats.iter().find_map(|format| match format {
        Format::OptionalTime => optional_time(text),
        Format::EpochMillis => epoch(text, 6),
        Format::EpochSecond => epoch(text, 9),
    })
}

/// Writes microseconds as the servers read them in `strict_date_optional_time`; `None` outside years 0 to 9999.
pub(super) fn write(micros: i64) -> Option<String> {
    let time = DateTime::<Utc>::from_timestamp_micros(micros)?;
    let text = time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    (text.len() == "2015-01-01T00:00:00.000000Z".len()).then_some(text)
}

/// A number of units, where one has ten to the `digits` nanoseconds.
fn epoch(text: &str, digits: u32) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (negative, whole) = whole.strip_prefix('-').map_or((false, whole), |whole| (true, whole));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 19
        || fraction.len() > digits as usize
        || !is_number(whole)
        || !is_number(fraction)
    {
        return None;
    }
    let mut nanos = whole.parse::<i128>().ok()? * 10_i128.pow(digits);
    if !fraction.is_empty() {
        nanos += fraction.parse::<i128>().ok()? * 10_i128.pow(digits - fraction.len() as u32);
    }
    Some(if negative { -nanos } else { nanos })
}

/// Reads pieces of a text from its front.
struct Pieces<'a>(&'a str);

impl Pieces<'_> {
    fn take(&mut self, marks: &[char]) -> bool {
        let rest = self.0.strip_prefix(marks);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let piece = self.0.get(..digits).filter(|piece| piece.bytes().all(|byte| byte.is_ascii_digit()))?;
        self.0 = &self.0[digits..];
        piece.parse().ok()
    }

    /// Four digits, or more after a sign.
    fn year(&mut self) -> Option<i32> {
        let (after, before) = (self.take(&['+']), self.take(&['-']));
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let fits = match (after, before) {
            (true, _) => (5..=9).contains(&digits),
            (false, true) => (4..=9).contains(&digits),
            (false, false) => digits == 4,
        };
        let year = self.number(digits).filter(|_| fits)? as i32;
        Some(if before { -year } else { year })
    }

    fn fraction(&mut self) -> Option<u32> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        Some(self.number(digits)? * 10_u32.pow(9 - digits as u32))
    }

    /// Seconds east of UTC: `Z`, `+01:00`, `+0100`, `+01`, or nothing.
    fn offset(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.take(&['Z']) {
            return Some(0);
        }
        let sign = if self.take(&['+']) { 1 } else { -i64::from(self.take(&['-'])) };
        let hours = self.number(2).filter(|hours| sign != 0 && *hours <= 18)?;
        let colon = self.take(&[':']);
        let minutes = if colon || !self.0.is_empty() { self.number(2).filter(|minutes| *minutes < 60)? } else { 0 };
        Some(sign * i64::from(hours * 3600 + minutes * 60))
    }
}

fn optional_time(text: &str) -> Option<i128> {
    let mut pieces = Pieces(text);
    let year = pieces.year()?;
    let (mut month, mut day, mut clock, mut nanos, mut offset) = (1, 1, 0, 0, 0);
    if pieces.take(&['-']) {
        month = pieces.number(2)?;
        if pieces.take(&['-']) {
            day = pieces.number(2)?;
        }
    }
    if pieces.take(&['T']) && !pieces.0.is_empty() {
        let hour = pieces.number(2).filter(|hour| *hour < 24)?;
        let (mut minute, mut second) = (0, 0);
        if pieces.take(&[':']) {
            minute = pieces.number(2).filter(|minute| *minute < 60)?;
            if pieces.take(&[':']) {
                second = pieces.number(2).filter(|second| *second < 60)?;
                if pieces.take(&['.', ',']) {
                    nanos = pieces.fraction()?;
                }
            }
        }
        clock = i64::from(hour * 3600 + minute * 60 + second);
        offset = pieces.offset()?;
    }
    if !pieces.0.is_empty() {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    Some(i128::from(days * 86_400 + clock - offset) * 1_000_000_000 + i128::from(nanos))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The instants are those of `date -u -d … +%s`.
    #[test]
    fn the_default_format_reads_a_time_as_far_as_it_goes() {
        let default = formats(None).unwrap();
        for (text, seconds, nanos) in [
            ("2015", 1_420_070_400_i64, 0),
            ("2015-03", 1_425_168_000, 0),
            ("2015-01-01", 1_420_070_400, 0),
            ("2015-01-01T12", 1_420_113_600, 0),
            ("2015-01-01T12:10Z", 1_420_114_200, 0),
            ("2015-01-01T12:10:30Z", 1_420_114_230, 0),
            ("2015-01-01T12:10:30.5+01:00", 1_420_110_630, 500_000_000),
            ("2015-01-01T12:10:30,123456789-0130", 1_420_119_630, 123_456_789),
            ("1960-03-15T00:00:00.001Z", -309_225_600, 1_000_000),
            ("1420070400001", 1_420_070_400, 1_000_000),
            ("-1", -1, 999_000_000),
            ("20150", 20, 150_000_000),
            ("+20150", 573_705_417_600, 0),
            ("-2015-03", -125_749_324_800, 0),
        ] {
            let expected = i128::from(seconds) * 1_000_000_000 + nanos;
            assert_eq!(parse(text, &default), Some(expected), "{text}");
        }
        for text in
            ["", "2015-", "2015-13-01", "2015-02-30", "2015-01-01T25", "2015-01-01T12:10:30.", "15-01-01", "x", "+2015"]
        {
            assert_eq!(parse(text, &default), None, "{text}");
        }
    }

    #[test]
    fn formats_are_tried_in_order_and_others_are_left_to_the_server() {
        assert_eq!(formats(Some("epoch_second")).map(|formats| parse("1.5", &formats)), Some(Some(1_500_000_000)));
        assert_eq!(formats(Some("dd/MM/yyyy||epoch_millis")), None);
        let order = formats(Some("epoch_millis||strict_date_optional_time")).unwrap();
        assert_eq!(parse("2015", &order), Some(2_015_000_000));
    }

    #[test]
    fn constants_are_written_to_the_microsecond() {
        assert_eq!(write(1_420_070_400_000_001).unwrap(), "2015-01-01T00:00:00.000001Z");
        assert_eq!(write(-1).unwrap(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(write(i64::MAX), None);
    }
}
