//! Casts as the dialects do them, where Arrow's differ: texts read leniently and blamed precisely, numbers rounded to
//! whole ones, numbers and moments written as the services write them.

use super::arithmetic::out_of_range;
use super::date_parts::micros;
use super::kernel::{JSON, is_text, shown_type};
use super::read_numbers::{decimal, float, truth};
use super::{intervals, json_casts, nested_casts, zoned_texts};
use crate::error::{Error, ErrorKind, Result};
use crate::interval::is_interval;
use crate::load;
use crate::sql::Dialect;
use crate::zone::{Zone, offset_text};
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanBuilder, PrimitiveBuilder, StringViewBuilder,
    TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Whether a cast is one of Trino's JSON, or to it.
fn is_of_json(from: &DataType, to: &DataType, dialect: Dialect) -> bool {
    dialect.rules().json_is_a_type && from != to && !from.is_null() && (*from == JSON || *to == JSON)
}

/// Whether Arrow's cast is not the dialect's.
pub(crate) fn differs(from: &DataType, to: &DataType, dialect: Dialect) -> bool {
    let fraction = |t: &DataType| t.is_floating() || matches!(t, DataType::Decimal128(..));
    let moment = |t: &DataType| {
        matches!(t, DataType::Timestamp(TimeUnit::Microsecond, _) | DataType::Time64(TimeUnit::Microsecond))
    };
    (is_text(from)
        && (to.is_signed_integer() || fraction(to) || moment(to) || matches!(to, DataType::Boolean | DataType::Date32)))
        || (is_text(to) && (from.is_floating() || matches!(from, DataType::Timestamp(..))))
        || (fraction(from) && to.is_signed_integer())
        || (is_text(from) && is_nested(to))
        || (Zone::own(from).is_some() && crosses_zones(from, to))
        || interval(from, to)
        || is_of_json(from, to, dialect)
}

/// Whether a cast gives what clocks show of a moment, or the other way round: what it makes follows from the session's zone.
pub(crate) fn crosses_zones(from: &DataType, to: &DataType) -> bool {
    let zoned = |t: &DataType| matches!(t, DataType::Timestamp(_, Some(_)));
    let days = |t: &DataType| matches!(t, DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64);
    let shows = |t: &DataType| days(t) || matches!(t, DataType::Time32(_) | DataType::Time64(_));
    (zoned(from) && shows(to)) || (zoned(to) && days(from))
}

/// Whether a type is one that JSON is read as.
fn is_nested(to: &DataType) -> bool {
    matches!(to, DataType::List(_) | DataType::Map(..) | DataType::Struct(_))
}

/// Whether one of the types is an interval's and the other needs ours: qualified intervals, and all to and from texts.
fn interval(from: &DataType, to: &DataType) -> bool {
    from != to
        && !from.is_null()
        && (intervals::is_qualified(from)
            || intervals::is_qualified(to)
            || (is_interval(from) && is_text(to))
            || (is_text(from) && is_interval(to)))
}

/// The cast to a type as a function of one argument; `safe` gives NULL where the other is an error.
pub(crate) fn function(to: DataType, safe: bool, dialect: Dialect) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Cast { to, safe, dialect, signature: Signature::any(1, Volatility::Immutable) }))
}

/// A value as the text that the dialect makes of it.
pub(super) fn as_text(array: &ArrayRef, dialect: Dialect) -> Result<ArrayRef> {
    as_text_in(array, dialect, Zone::UTC)
}

/// The same where clocks show the time of a zone.
pub(super) fn as_text_in(array: &ArrayRef, dialect: Dialect, zone: Zone) -> Result<ArrayRef> {
    Cast { to: DataType::Utf8View, safe: false, dialect, signature: Signature::any(1, Volatility::Immutable) }
        .cast(array, zone)
}

/// Values as those of a type, as the dialect casts them where clocks show UTC.
pub(super) fn as_type(array: &ArrayRef, to: &DataType, dialect: Dialect) -> Result<ArrayRef> {
    let signature = Signature::any(1, Volatility::Immutable);
    Cast { to: to.clone(), safe: false, dialect, signature }.cast(array, Zone::UTC)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Cast {
    to: DataType,
    safe: bool,
    dialect: Dialect,
    signature: Signature,
}

impl ScalarUDFImpl for Cast {
    fn name(&self) -> &'static str {
        if self.safe { "try_cast" } else { "cast" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> DataFusionResult<DataType> {
        if let Some(from) = args.first() {
            json_casts::check(from, &self.to, self.dialect)?;
        }
        if let Some(from) = args.first().filter(|from| interval(from, &self.to)) {
            intervals::check_cast(from, &self.to)?;
        }
        if let Some(from) = args.first().filter(|from| nested_casts::is_nested_cast(from, &self.to)) {
            nested_casts::check(from, &self.to)?;
        }
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let is_set = self.dialect.rules().zone_is_set;
        let zone = if is_set { Zone::of_session(&args.config_options) } else { Zone::UTC };
        match args.args.first() {
            Some(ColumnarValue::Array(array)) => Ok(ColumnarValue::Array(self.cast(array, zone)?)),
            Some(ColumnarValue::Scalar(value)) => {
                let made = self.cast(&value.to_array()?, zone)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?))
            }
            None => Err(Error::internal("a cast of nothing").into()),
        }
    }
}

impl Cast {
    fn cast(&self, array: &ArrayRef, zone: Zone) -> Result<ArrayRef> {
        let from = array.data_type();
        // Where a dialect sets no zone, moments have one of their own.
        let is_set = self.dialect.rules().zone_is_set;
        let zone = if is_set { zone } else { Zone::of_type(from).unwrap_or(zone) };
        if is_of_json(from, &self.to, self.dialect) {
            return if self.to == JSON {
                json_casts::written(array)
            } else {
                json_casts::read(cast(array, &DataType::Utf8View)?.as_string_view(), &self.to, self.safe)
            };
        }
        if crosses_zones(from, &self.to) {
            return self.cross_zones(array, zone);
        }
        if nested_casts::is_nested_cast(from, &self.to) {
            return nested_casts::convert(array, &self.to, self.dialect, self.safe);
        }
        if !differs(from, &self.to, self.dialect) {
            return self.plain(array);
        }
        if interval(from, &self.to) {
            return self.plain(&intervals::converted(array, &self.to, self.safe, self.dialect)?);
        }
        if is_nested(&self.to) {
            return json_casts::read(cast(array, &DataType::Utf8View)?.as_string_view(), &self.to, self.safe);
        }
        if is_text(from) {
            return self.read(&cast(array, &DataType::Utf8View)?, zone);
        }
        if is_text(&self.to) {
            let made = match from {
                DataType::Timestamp(_, zoned) => {
                    let name = zoned.as_deref().filter(|_| !zone.is_utc()).unwrap_or("UTC");
                    let zone = zoned.as_ref().map(|_| (zone, name));
                    let micros = micros(array)?;
                    let digits = self.dialect.rules().fraction_digits;
                    texts(micros.len(), |row| {
                        (!micros.is_null(row)).then(|| moment_text(micros.value(row), zone, digits))
                    })
                }
                DataType::Float32 => {
                    let floats = array.as_primitive::<Float32Type>();
                    texts(floats.len(), |row| {
                        (!floats.is_null(row)).then(|| float_text(&format!("{:e}", floats.value(row)), 6, self.dialect))
                    })
                }
                _ => {
                    let floats = cast(array, &DataType::Float64)?;
                    let floats = floats.as_primitive::<Float64Type>();
                    texts(floats.len(), |row| {
                        (!floats.is_null(row)).then(|| double_text(floats.value(row), self.dialect))
                    })
                }
            };
            return Ok(cast(&made, &self.to)?);
        }
        // Halves are rounded away from zero, before the width is looked at.
        match from {
            DataType::Decimal128(..) => {
                let whole = cast_with_options(array, &DataType::Decimal128(38, 0), &self.options())?;
                self.plain(&whole)
            }
            _ => {
                let floats = cast(array, &DataType::Float64)?;
                let rounded = floats.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::round);
                self.plain(&(Arc::new(rounded) as ArrayRef))
            }
        }
    }

    /// A text as it counts where not all of it does.
    fn trimmed<'t>(&self, text: &'t str) -> &'t str {
        if self.dialect.rules().casts_trim { text.trim() } else { text }
    }

    /// Whether blanks stand around a text that count.
    fn has_blanks(&self, text: &str) -> bool {
        self.trimmed(text).len() > text.trim().len()
    }

    fn options(&self) -> CastOptions<'static> {
        CastOptions { safe: self.safe, ..CastOptions::default() }
    }

    fn plain(&self, array: &ArrayRef) -> Result<ArrayRef> {
        cast_with_options(array, &self.to, &self.options())
            .map_err(|error| if self.to.is_integer() { out_of_range(&self.to) } else { error.into() })
    }

    /// A moment as what clocks of a zone show, or the other way round.
    fn cross_zones(&self, array: &ArrayRef, zone: Zone) -> Result<ArrayRef> {
        let moments = micros(array)?;
        let is_zoned = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
        let other = |micros: i64| if is_zoned { zone.to_local(micros) } else { zone.to_utc(micros) };
        let made: TimestampMicrosecondArray = if self.safe {
            moments.unary_opt(other)
        } else {
            moments.try_unary::<_, TimestampMicrosecondType, Error>(|micros| {
                other(micros).ok_or_else(|| out_of_range(&self.to))
            })?
        };
        let made: ArrayRef = if is_zoned { Arc::new(made) } else { Arc::new(made.with_timezone("UTC")) };
        Ok(cast_with_options(&made, &self.to, &self.options())?)
    }

    /// Texts as values.
    fn read(&self, array: &ArrayRef, zone: Zone) -> Result<ArrayRef> {
        match &self.to {
            DataType::Int8 => self.integers::<Int8Type>(array, "Short", |n| i8::try_from(n).ok()),
            DataType::Int16 => self.integers::<Int16Type>(array, "Short", |n| i16::try_from(n).ok()),
            DataType::Int32 => self.integers::<Int32Type>(array, "Integer", |n| i32::try_from(n).ok()),
            DataType::Int64 => self.integers::<Int64Type>(array, "Long", |n| i64::try_from(n).ok()),
            DataType::Float32 => self.primitives::<Float32Type>(array, |text| {
                let value = float(text.trim())?;
                let narrow = value as f32;
                (narrow.is_finite() || !value.is_finite()).then_some(narrow)
            }),
            DataType::Float64 => self.primitives::<Float64Type>(array, |text| float(text.trim())),
            DataType::Decimal128(precision, scale) => {
                let (precision, scale) = (*precision, *scale);
                self.primitives::<Decimal128Type>(array, |text| decimal(self.trimmed(text), precision, scale))
            }
            DataType::Boolean => {
                let texts = array.as_string_view();
                let mut built = BooleanBuilder::with_capacity(texts.len());
                for text in texts {
                    let Some(text) = text else {
                        built.append_null();
                        continue;
                    };
                    match truth(self.trimmed(text), self.dialect.rules().words_for_truth) {
                        None if !self.safe => return Err(self.invalid(text)),
                        value => built.append_option(value),
                    }
                }
                Ok(Arc::new(built.finish()))
            }
            DataType::Time64(_) => self.times(array),
            DataType::Date32 => self.primitives::<Date32Type>(array, |text| {
                let micros = self.moment(text)?;
                i32::try_from(micros.div_euclid(86_400_000_000)).ok()
            }),
            DataType::Timestamp(_, Some(_)) if !self.dialect.rules().zone_is_set => {
                zoned_texts::read(array.as_string_view(), &self.to, self.safe, false)
            }
            DataType::Timestamp(_, Some(_)) => self.primitives::<TimestampMicrosecondType>(array, |text| {
                load::zoned_moment_of(text, self.dialect.rules().dates_are_recognised, zone)
            }),
            _ if !self.dialect.rules().zone_is_set => {
                self.primitives::<TimestampMicrosecondType>(array, zoned_texts::clocks)
            }
            _ => self.primitives::<TimestampMicrosecondType>(array, |text| self.moment(text)),
        }
    }

    /// Redshift takes a date in many forms, Trino in one.
    fn moment(&self, text: &str) -> Option<i64> {
        load::moment_of(text, self.dialect.rules().dates_are_recognised)
    }

    fn times(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let texts = array.as_string_view();
        let mut built = PrimitiveBuilder::<Time64MicrosecondType>::with_capacity(texts.len());
        for text in texts {
            let read = |text: &str| {
                if self.has_blanks(text) { Err(self.invalid(text)) } else { load::sql_time(text, "time") }
            };
            match text.map(read).transpose() {
                Err(_) if self.safe => built.append_null(),
                read => built.append_option(read?.map(|(micros, _)| micros)),
            }
        }
        Ok(Arc::new(built.finish()))
    }

    fn primitives<T: ArrowPrimitiveType>(
        &self,
        array: &ArrayRef,
        read: impl Fn(&str) -> Option<T::Native>,
    ) -> Result<ArrayRef> {
        let texts = array.as_string_view();
        let mut built = PrimitiveBuilder::<T>::with_capacity(texts.len()).with_data_type(self.to.clone());
        for text in texts {
            match text.map(|text| (text, read(text))) {
                Some((text, None)) if !self.safe => return Err(self.invalid(text)),
                value => built.append_option(value.and_then(|(_, value)| value)),
            }
        }
        Ok(Arc::new(built.finish()))
    }

    fn integers<T: ArrowPrimitiveType>(
        &self,
        array: &ArrayRef,
        name: &str,
        narrow: impl Fn(i128) -> Option<T::Native>,
    ) -> Result<ArrayRef> {
        let texts = array.as_string_view();
        let mut built = PrimitiveBuilder::<T>::with_capacity(texts.len());
        for text in texts {
            let Some(text) = text else {
                built.append_null();
                continue;
            };
            let trimmed = self.trimmed(text);
            let value = match trimmed.parse::<i128>() {
                Ok(number) => match narrow(number) {
                    None if !self.safe => {
                        let message = format!("overflow, value '{text}', type: {name}");
                        return Err(Error::new(ErrorKind::NumericOverflow, message));
                    }
                    value => value,
                },
                Err(_) if self.safe => None,
                Err(_) => {
                    let sign = usize::from(trimmed.starts_with(['-', '+']));
                    let at = trimmed.char_indices().position(|(at, c)| at >= sign && !c.is_ascii_digit()).unwrap_or(0);
                    let message = format!("Invalid digit, Value '{}', Pos {at}, Type: {name}", first_char(trimmed, at));
                    return Err(
                        Error::new(ErrorKind::InvalidText, message).with_detail(format!("the text is \"{text}\""))
                    );
                }
            };
            built.append_option(value);
        }
        Ok(Arc::new(built.finish()))
    }

    fn invalid(&self, text: &str) -> Error {
        let is_decimal = matches!(self.to, DataType::Decimal128(..));
        if is_decimal && self.has_blanks(text) { no_value(&self.to, text) } else { invalid(&self.to, text) }
    }
}

/// A double as the text that the dialect makes of it.
pub(super) fn double_text(value: f64, dialect: Dialect) -> String {
    float_text(&format!("{value:e}"), 15, dialect)
}

/// A number from its shortest digits in scientific form; Redshift turns to an exponent from so many digits on.
fn float_text(shortest: &str, most: i32, dialect: Dialect) -> String {
    let Some((mantissa, exponent)) = shortest.split_once('e') else {
        return match shortest {
            "inf" => "Infinity".to_owned(),
            "-inf" => "-Infinity".to_owned(),
            other => other.to_owned(),
        };
    };
    let power: i32 = exponent.parse().unwrap_or(0);
    if dialect.rules().float_exponent {
        let dot = if mantissa.contains('.') { "" } else { ".0" };
        return format!("{mantissa}{dot}E{power}");
    }
    if power < -4 || power >= most {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", power.abs());
    }
    let negative = mantissa.starts_with('-');
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let point = power + 1;
    let plain = if point <= 0 {
        format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    } else if digits.len() <= point as usize {
        format!("{digits}{}", "0".repeat(point as usize - digits.len()))
    } else {
        format!("{}.{}", &digits[..point as usize], &digits[point as usize..])
    };
    if negative { format!("-{plain}") } else { plain }
}

/// What a text is no value of.
pub(super) fn invalid(to: &DataType, text: &str) -> Error {
    let name = shown_type(to);
    if matches!(to, DataType::Decimal128(..)) && float(text.trim()).is_some() {
        return Error::new(ErrorKind::NumericOverflow, format!("numeric field overflow: \"{text}\" as {name}"));
    }
    if to.is_floating() && text.trim().parse::<f64>().is_ok() {
        return Error::new(ErrorKind::NumericOverflow, format!("\"{text}\" is out of range for type {name}"));
    }
    no_value(to, text)
}

fn no_value(to: &DataType, text: &str) -> Error {
    Error::new(ErrorKind::InvalidText, format!("invalid input syntax for type {}: \"{text}\"", shown_type(to)))
}

fn first_char(text: &str, at: usize) -> String {
    text.chars().nth(at).map(String::from).unwrap_or_default()
}

fn texts(rows: usize, of: impl Fn(usize) -> Option<String>) -> ArrayRef {
    let mut built = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        built.append_option(of(row));
    }
    Arc::new(built.finish())
}

/// `2008-02-20 10:00:00.5`; in a zone with its offset, `+00`, or where a fraction has at least so many digits, with its name.
fn moment_text(micros: i64, zone: Option<(Zone, &str)>, digits: usize) -> String {
    let offset = zone.and_then(|(zone, _)| zone.offset_at(micros)).unwrap_or(0);
    let local = micros.saturating_add(offset);
    let Some(moment) = chrono::DateTime::from_timestamp_micros(local) else { return micros.to_string() };
    let mut text = moment.format("%Y-%m-%d %H:%M:%S").to_string();
    let fraction = format!("{:06}", micros.rem_euclid(1_000_000));
    let mut kept = fraction.trim_end_matches('0').len();
    if digits > 0 {
        kept = kept.max(digits);
    }
    if kept > 0 {
        text.push('.');
        text.push_str(&fraction[..kept]);
    }
    match zone {
        Some((_, name)) if digits > 0 => {
            text.push(' ');
            text.push_str(name);
        }
        Some(_) => text.push_str(&offset_text(offset)),
        None => {}
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cast_one(text: ScalarValue, to: &DataType, dialect: Dialect) -> Result<ScalarValue> {
        let cast = Cast { to: to.clone(), safe: false, dialect, signature: Signature::any(1, Volatility::Immutable) };
        Ok(ScalarValue::try_from_array(&cast.cast(&text.to_array()?, Zone::UTC)?, 0)?)
    }

    // PostgreSQL's float8out with extra_float_digits, and Trino's documentation of CAST to varchar.
    #[test]
    fn floats_as_texts() {
        for (value, redshift, athena) in [
            (1.0, "1", "1.0E0"),
            (-1.5, "-1.5", "-1.5E0"),
            (0.0001, "0.0001", "1.0E-4"),
            (0.000_01, "1e-05", "1.0E-5"),
            (123_456.789, "123456.789", "1.23456789E5"),
            (1e15, "1e+15", "1.0E15"),
            (1e14, "100000000000000", "1.0E14"),
            (f64::NAN, "NaN", "NaN"),
            (f64::INFINITY, "Infinity", "Infinity"),
        ] {
            for (dialect, expected) in [(Dialect::Redshift, redshift), (Dialect::Athena, athena)] {
                let made = cast_one(ScalarValue::from(value), &DataType::Utf8View, dialect).unwrap();
                assert_eq!(made, ScalarValue::Utf8View(Some(expected.to_owned())), "{value} in {dialect}");
            }
        }
    }

    // PostgreSQL's casts with America/New_York as its time zone, of winter and summer.
    #[test]
    fn moments_are_what_clocks_of_the_zone_show() {
        let zone = Zone::of_name("America/New_York").unwrap();
        let stamp = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        let made = |value: &ScalarValue, to: &DataType| {
            let signature = Signature::any(1, Volatility::Immutable);
            let cast = Cast { to: to.clone(), safe: false, dialect: Dialect::Redshift, signature };
            ScalarValue::try_from_array(&cast.cast(&value.to_array().unwrap(), zone).unwrap(), 0).unwrap()
        };
        for (local, written) in
            [("2020-01-01 22:30:00", "2020-01-01 22:30:00-05"), ("2020-07-01 22:30:00", "2020-07-01 22:30:00-04")]
        {
            let text = ScalarValue::Utf8View(Some(local.to_owned()));
            let moment = made(&text, &stamp(Some("UTC")));
            assert_eq!(made(&moment, &DataType::Utf8View), ScalarValue::Utf8View(Some(written.to_owned())));
            let plain = made(&moment, &stamp(None));
            assert_eq!(plain, made(&text, &stamp(None)));
            assert_eq!(made(&plain, &stamp(Some("UTC"))), moment);
            assert_eq!(made(&moment, &DataType::Date32), made(&text, &DataType::Date32));
            let with_offset = ScalarValue::Utf8View(Some(written.to_owned()));
            assert_eq!(made(&with_offset, &stamp(Some("UTC"))), moment);
        }
    }

    // Trino's "TIMESTAMP WITH TIME ZONE" and "AT TIME ZONE": what is shown, and what is left of it, are the zone's.
    #[test]
    fn moments_have_zones_of_their_own() {
        let stamp = |zone: &str| ScalarValue::TimestampMicrosecond(Some(1_351_645_200_000_000), Some(zone.into()));
        for (zone, shown) in [
            ("UTC", "2012-10-31 01:00:00.000 UTC"),
            ("America/Los_Angeles", "2012-10-30 18:00:00.000 America/Los_Angeles"),
            ("+05:30", "2012-10-31 06:30:00.000 +05:30"),
        ] {
            let made = |to| cast_one(stamp(zone), &to, Dialect::Athena).unwrap();
            assert_eq!(made(DataType::Utf8View), ScalarValue::Utf8View(Some(shown.to_owned())));
            let (plain, _) = shown.rsplit_once(' ').unwrap();
            let local = load::moment_of(plain, false).unwrap();
            let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
            assert_eq!(made(plain), ScalarValue::TimestampMicrosecond(Some(local), None));
            let days = (local / 86_400_000_000) as i32;
            assert_eq!(made(DataType::Date32), ScalarValue::Date32(Some(days)));
        }
        let shown = cast_one(stamp("+05:30"), &DataType::Utf8View, Dialect::Redshift).unwrap();
        assert_eq!(shown, ScalarValue::Utf8View(Some("2012-10-31 01:00:00+00".to_owned())));
    }

    #[test]
    fn numbers_are_rounded_to_whole_ones() {
        for (value, expected) in [(2.5, 3), (-2.5, -3), (2.4, 2), (0.5, 1)] {
            let made = cast_one(ScalarValue::from(value), &DataType::Int32, Dialect::Redshift).unwrap();
            assert_eq!(made, ScalarValue::Int32(Some(expected)));
        }
        let error = cast_one(ScalarValue::from(3e9), &DataType::Int32, Dialect::Redshift).unwrap_err();
        assert_eq!(error.sqlstate(), "22003");
    }
}
