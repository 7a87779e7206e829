//! Trino's moments with a zone of their own, where its spelling holds the zone: literals, offsets in hours and minutes; texts
//! of columns, whose zones differ, where only the moment is asked for; and this statement's moment with so many digits.

use super::calls::{name_of, now, rename};
use super::spelling::{cast, text};
use crate::error::{Error, ErrorKind};
use crate::functions::{CAST_INSTANT, ISO_INSTANT, MOST_DIGITS, PARSED_INSTANT, TO_DIGITS};
use crate::sql::call;
use crate::zone::{self, hours_and_minutes};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, TimezoneInfo,
    TypedString, UnaryOperator, Value,
};

/// The most minutes that a zone's clocks are before or behind UTC.
const MOST_MINUTES: i64 = 14 * 60;
/// The most digits of a fraction of a second that Trino has.
const MOST_OF_TRINO: i64 = 12;

/// `from_unixtime` with an offset, `from_iso8601_timestamp` of a text that is written out and has one, `current_timestamp` and
/// `localtimestamp` with digits; `None` for other calls.
pub(super) fn respell(name: &str, mut args: Vec<Expr>) -> Result<Option<Expr>, Error> {
    Ok(match (name, args.as_slice()) {
        ("from_unixtime", [_, hours, minutes]) => {
            let (Some(hours), Some(minutes)) = (whole(hours), whole(minutes)) else {
                return Err(Error::unsupported("a time zone that is no constant"));
            };
            args.truncate(1);
            args.push(text(offset(hours, minutes)?));
            Some(call("from_unixtime", args))
        }
        ("from_iso8601_timestamp", [Expr::Value(written)]) => {
            let written = written.value.clone().into_string();
            let stamp = DataType::Timestamp(None, TimezoneInfo::None);
            written.and_then(|written| zoned(&written.replacen('T', " ", 1), &stamp))
        }
        ("current_timestamp", [digits]) => Some(call("with_timezone", vec![cut(digits)?, text("UTC")])),
        ("localtimestamp", [digits]) => Some(cut(digits)?),
        _ => None,
    })
}

/// Has moments of texts in any zone where nothing but the moment matters: what is compared, seconds since 1970, and what is
/// shown in a zone that the statement names.
pub(super) fn take_instants(expr: &mut Expr) {
    match expr {
        Expr::BinaryOp { left, op, right } if compares(op) => {
            of_any_zone(left);
            of_any_zone(right);
        }
        Expr::Between { expr: value, low, high, .. } => {
            for expr in [value, low, high] {
                of_any_zone(expr);
            }
        }
        Expr::InList { expr: value, list, .. } => {
            of_any_zone(value);
            list.iter_mut().for_each(of_any_zone);
        }
        Expr::AtTimeZone { timestamp, .. } => of_any_zone(timestamp),
        Expr::Function(function) if matches!(name_of(function).as_str(), "at_timezone" | "to_unixtime") => {
            if let FunctionArguments::List(list) = &mut function.args
                && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(moment))) = list.args.first_mut()
            {
                of_any_zone(moment);
            }
        }
        _ => {}
    }
}

fn compares(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn of_any_zone(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) => of_any_zone(inner),
        Expr::Cast { kind: CastKind::Cast, expr: value, data_type, .. }
            if matches!(data_type, DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone))
                && !matches!(value.as_ref(), Expr::Value(_)) =>
        {
            let value = std::mem::replace(value.as_mut(), Expr::Value(Value::Null.into()));
            *expr = call(CAST_INSTANT, vec![value]);
        }
        Expr::Function(function) => match name_of(function).as_str() {
            "from_iso8601_timestamp" => rename(function, ISO_INSTANT),
            "parse_datetime" => rename(function, PARSED_INSTANT),
            _ => {}
        },
        _ => {}
    }
}

/// `TIMESTAMP '2012-10-31 01:00 America/Los_Angeles'` as a moment of that zone; `None` for a literal without one.
pub(super) fn literal(typed: &TypedString) -> Option<Expr> {
    zoned(&typed.value.value.clone().into_string()?, &typed.data_type)
}

/// The same of `CAST('…' AS TIMESTAMP WITH TIME ZONE)`.
pub(super) fn cast_literal(kind: &CastKind, value: &Expr, data_type: &DataType) -> Option<Expr> {
    let DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) = data_type else { return None };
    match value {
        Expr::Value(value) if *kind == CastKind::Cast => zoned(&value.value.clone().into_string()?, data_type),
        _ => None,
    }
}

fn zoned(written: &str, data_type: &DataType) -> Option<Expr> {
    let DataType::Timestamp(precision, _) = data_type else { return None };
    let (date, time, zone) = zone::split(written)?;
    let local = cast(text(format!("{date} {time}").trim()), DataType::Timestamp(*precision, TimezoneInfo::None));
    Some(call("with_timezone", vec![local, text(zone)]))
}

/// A zone that is so many hours and minutes from UTC.
fn offset(hours: i64, minutes: i64) -> Result<String, Error> {
    let total = hours.checked_mul(60).and_then(|total| total.checked_add(minutes));
    let total = total.filter(|total| (-MOST_MINUTES..=MOST_MINUTES).contains(total));
    let seconds = total.and_then(|total| i32::try_from(total * 60).ok()).ok_or_else(|| {
        let message = format!("{hours} hours and {minutes} minutes are more than 14 hours from UTC");
        Error::new(ErrorKind::InvalidParameter, message)
    })?;
    Ok(hours_and_minutes(seconds))
}

/// This statement's moment, without a zone, cut to so many digits of a fraction of a second.
fn cut(digits: &Expr) -> Result<Expr, Error> {
    match whole(digits) {
        Some(count) if (0..=i64::from(MOST_DIGITS)).contains(&count) => {
            Ok(call(TO_DIGITS, vec![now(), digits.clone()]))
        }
        Some(count) if (0..=MOST_OF_TRINO).contains(&count) => Err(Error::unsupported(format_args!(
            "a moment of {count} digits of a second, which has {MOST_DIGITS} here,"
        ))),
        _ => {
            let message = format!("the digits of a moment's seconds are a number from 0 to {MOST_OF_TRINO}");
            Err(Error::new(ErrorKind::InvalidParameter, message))
        }
    }
}

/// A whole number that is written out.
fn whole(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => whole(expr)?.checked_neg(),
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spelled(written: &str) -> Option<String> {
        zoned(written, &DataType::Timestamp(None, TimezoneInfo::None)).map(|expr| expr.to_string())
    }

    // The forms of Trino's "TIMESTAMP WITH TIME ZONE".
    #[test]
    fn literals_with_zones() {
        for (written, local, zone) in [
            ("2001-08-22 03:04:05.321 America/Los_Angeles", "2001-08-22 03:04:05.321", "America/Los_Angeles"),
            ("2001-08-22 03:04 UTC", "2001-08-22 03:04", "UTC"),
            ("2001-08-22 03:04:05.321-08:00", "2001-08-22 03:04:05.321", "-08:00"),
            ("2001-08-22 +05:30", "2001-08-22", "+05:30"),
        ] {
            let expected = format!("with_timezone(CAST('{local}' AS TIMESTAMP), '{zone}')");
            assert_eq!(spelled(written), Some(expected), "{written}");
        }
        for written in ["2001-08-22 03:04:05.321", "2001-08-22", "2001-08-22T03:04:05", ""] {
            assert_eq!(spelled(written), None, "{written}");
        }
    }

    #[test]
    fn offsets_of_hours_and_minutes() {
        for (hours, minutes, zone) in [(5, 30, "+05:30"), (-8, 0, "-08:00"), (-5, -30, "-05:30"), (0, 0, "+00:00")] {
            assert_eq!(offset(hours, minutes).unwrap(), zone);
        }
        for (hours, minutes) in [(14, 1), (-15, 0), (i64::MAX, 0)] {
            assert_eq!(offset(hours, minutes).unwrap_err().kind, ErrorKind::InvalidParameter);
        }
    }
}
