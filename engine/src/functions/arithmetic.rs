//! Arithmetic that DataFusion does otherwise: whole numbers that must not wrap, quotients of decimals, division of
//! floating-point numbers by zero, days added to dates.
//!
//! The planner of operators puts these in the place of operators; their names cannot be called by users.

use super::bytes::is_binary;
use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use super::parts::add_in;
use super::text::{binary, bytes_of};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Digits;
use crate::zone::Zone;
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, i256,
};
use std::sync::Arc;

/// The most digits of a decimal.
const MOST_DIGITS: i32 = 38;

const DAY_US: i64 = 86_400_000_000;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$add", BOTH, &[Kind::Any, Kind::Any], Gives::Of(first), |call| integers(call, &Wrapping::ADD)).variadic(),
    scalar("$subtract", BOTH, &[Kind::Any, Kind::Any], Gives::Of(first), |call| integers(call, &Wrapping::SUBTRACT))
        .variadic(),
    scalar("$multiply", BOTH, &[Kind::Any, Kind::Any], Gives::Of(first), |call| integers(call, &Wrapping::MULTIPLY))
        .variadic(),
    scalar("$divide", REDSHIFT, &[Kind::Any, Kind::Any], Gives::Of(redshift_quotient), |call| {
        divide(call, Digits::Cut)
    }),
    scalar("$divide", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(trino_quotient), |call| divide(call, Digits::Round)),
    scalar("$add_float", REDSHIFT, &[Kind::Float, Kind::Float], Gives::Float, |call| floats(call, |a, b| a + b)),
    scalar("$subtract_float", REDSHIFT, &[Kind::Float, Kind::Float], Gives::Float, |call| floats(call, |a, b| a - b)),
    scalar("$multiply_float", REDSHIFT, &[Kind::Float, Kind::Float], Gives::Float, |call| floats(call, |a, b| a * b)),
    scalar("$divide_float", REDSHIFT, &[Kind::Float, Kind::Float], Gives::Float, |call| quotients(call, |a, b| a / b)),
    scalar("$modulo_float", REDSHIFT, &[Kind::Float, Kind::Float], Gives::Float, |call| quotients(call, |a, b| a % b)),
    scalar("$negate", BOTH, &[Kind::Any], Gives::Of(negated), |call| {
        let wide = datafusion::arrow::compute::cast(&call.args[0], &call.gives)?;
        datafusion::arrow::compute::kernels::numeric::neg(&wide).map_err(|_| out_of_range(&call.gives))
    }),
    scalar("$bitwise_not", BOTH, &[Kind::Any], Gives::Of(turned), bitwise_not),
    scalar("$add_days", BOTH, &[Kind::Moment, Kind::Int], Gives::Of(first), add_days),
    scalar("$days_between", BOTH, &[Kind::Date, Kind::Date], Gives::Int4, |call| {
        let (left, right) = (call.date(0).values(), call.date(1).values());
        call.all::<Int32Type>(|row| left[row].wrapping_sub(right[row]))
    }),
];

fn first(args: &[DataType]) -> Result<DataType> {
    args.first().cloned().ok_or_else(|| Error::internal("an operator without operands"))
}

/// What a number, or an interval, is below zero.
fn negated(args: &[DataType]) -> Result<DataType> {
    Ok(match first(args)? {
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Utf8 | DataType::Utf8View | DataType::Null => DataType::Float64,
        number if number.is_numeric() || matches!(number, DataType::Interval(_) | DataType::Duration(_)) => number,
        other => {
            let message = format!("operator does not exist: - {}", super::kernel::shown_type(&other));
            return Err(Error::new(ErrorKind::UndefinedFunction, message));
        }
    })
}

/// A whole number stays one of its width, bytes stay bytes.
fn turned(args: &[DataType]) -> Result<DataType> {
    let number = first(args)?;
    if number.is_signed_integer() {
        return Ok(number);
    }
    if is_binary(&number) {
        return binary(args);
    }
    let message = format!("operator does not exist: ~ {}", super::kernel::shown_type(&number));
    Err(Error::new(ErrorKind::UndefinedFunction, message))
}

fn bitwise_not(call: &Call<'_>) -> Result<ArrayRef> {
    let array = &call.args[0];
    if is_binary(array.data_type()) {
        let values = bytes_of(array)?;
        let values = values.as_binary::<i32>();
        return call.binaries(|row| Ok(values.value(row).iter().map(|byte| !byte).collect::<Vec<u8>>()));
    }
    Ok(match array.data_type() {
        DataType::Int8 => Arc::new(array.as_primitive::<Int8Type>().unary::<_, Int8Type>(|value| !value)),
        DataType::Int16 => Arc::new(array.as_primitive::<Int16Type>().unary::<_, Int16Type>(|value| !value)),
        DataType::Int32 => Arc::new(array.as_primitive::<Int32Type>().unary::<_, Int32Type>(|value| !value)),
        _ => Arc::new(array.as_primitive::<Int64Type>().unary::<_, Int64Type>(|value| !value)),
    })
}

/// 22003, in Redshift's words.
pub(super) fn overflow() -> Error {
    Error::new(ErrorKind::NumericOverflow, "Numeric data overflow (result precision)")
}

/// 22003 for a whole number.
pub(super) fn out_of_range(data_type: &DataType) -> Error {
    let name = super::kernel::shown_type(data_type);
    Error::new(ErrorKind::NumericOverflow, format!("{name} out of range"))
}

/// 22012.
pub(super) fn division_by_zero() -> Error {
    Error::new(ErrorKind::DivisionByZero, "division by zero")
}

/// One operation on all widths.
struct Wrapping {
    i8: fn(i8, i8) -> (i8, bool),
    i16: fn(i16, i16) -> (i16, bool),
    i32: fn(i32, i32) -> (i32, bool),
    i64: fn(i64, i64) -> (i64, bool),
}

impl Wrapping {
    const ADD: Self = Self {
        i8: i8::overflowing_add,
        i16: i16::overflowing_add,
        i32: i32::overflowing_add,
        i64: i64::overflowing_add,
    };
    const SUBTRACT: Self = Self {
        i8: i8::overflowing_sub,
        i16: i16::overflowing_sub,
        i32: i32::overflowing_sub,
        i64: i64::overflowing_sub,
    };
    const MULTIPLY: Self = Self {
        i8: i8::overflowing_mul,
        i16: i16::overflowing_mul,
        i32: i32::overflowing_mul,
        i64: i64::overflowing_mul,
    };
}

fn integers(call: &Call<'_>, op: &Wrapping) -> Result<ArrayRef> {
    match call.args[0].data_type() {
        DataType::Int8 => checked::<Int8Type>(call, op.i8),
        DataType::Int16 => checked::<Int16Type>(call, op.i16),
        DataType::Int32 => checked::<Int32Type>(call, op.i32),
        DataType::Int64 => checked::<Int64Type>(call, op.i64),
        other => Err(Error::internal(format!("arithmetic of whole numbers over {other}"))),
    }
}

/// Computes all rows without a branch and looks for an overflow only where some row had one, which may be a NULL. More
/// than two operands are computed from the left.
fn checked<T: ArrowPrimitiveType>(
    call: &Call<'_>,
    op: impl Fn(T::Native, T::Native) -> (T::Native, bool),
) -> Result<ArrayRef> {
    let mut left = call.args[0].as_primitive::<T>().values().clone();
    for right in &call.args[1..] {
        let right = right.as_primitive::<T>().values();
        let mut overflowed = false;
        let values = left.iter().zip(right).map(|(left, right)| {
            let (value, over) = op(*left, *right);
            overflowed |= over;
            value
        });
        let values = values.collect();
        if overflowed && (0..call.rows).any(|row| !call.is_null(row) && op(left[row], right[row]).1) {
            return Err(out_of_range(call.args[0].data_type()));
        }
        left = values;
    }
    Ok(Arc::new(PrimitiveArray::<T>::try_new(left, call.nulls.clone())?))
}

/// Redshift's doubles end in an error where they would become infinite.
fn floats(call: &Call<'_>, op: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (left, right) = (call.float(0).values(), call.float(1).values());
    let mut infinite = false;
    let values = left.iter().zip(right).map(|(left, right)| {
        let value = op(*left, *right);
        infinite |= value.is_infinite();
        value
    });
    let values: Vec<f64> = values.collect();
    let overflows = |row: usize| values[row].is_infinite() && left[row].is_finite() && right[row].is_finite();
    if infinite && (0..call.rows).any(|row| !call.is_null(row) && overflows(row)) {
        return Err(out_of_range(&DataType::Float64));
    }
    Ok(Arc::new(PrimitiveArray::<Float64Type>::try_new(values.into(), call.nulls.clone())?))
}

fn quotients(call: &Call<'_>, op: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let divisors = call.float(1).values();
    if divisors.contains(&0.0) && (0..call.rows).any(|row| !call.is_null(row) && divisors[row] == 0.0) {
        return Err(division_by_zero());
    }
    floats(call, op)
}

fn add_days(call: &Call<'_>) -> Result<ArrayRef> {
    let days = call.int(1);
    if *call.args[0].data_type() == DataType::Date32 {
        let dates = call.date(0);
        let added = |row: usize| i32::try_from(i64::from(dates.value(row)).checked_add(days.value(row))?).ok();
        return call.values::<Date32Type>(|row| added(row).map(Some).ok_or_else(|| out_of_range(&DataType::Date32)));
    }
    let stamps = call.stamp(0);
    // Days of a moment with a zone are the zone's.
    let is_zoned = matches!(call.args[0].data_type(), DataType::Timestamp(_, Some(_)));
    let zone = if is_zoned { call.zone } else { Zone::UTC };
    call.values::<TimestampMicrosecondType>(|row| {
        let added = if zone.is_utc() {
            days.value(row).checked_mul(DAY_US).and_then(|by| stamps.value(row).checked_add(by))
        } else {
            add_in(zone, stamps.value(row), 0, days.value(row), 0)
        };
        added.map(Some).ok_or_else(|| out_of_range(call.args[0].data_type()))
    })
}

/// Precision and scale of two decimals.
fn digits(args: &[DataType]) -> Result<[(i32, i32); 2]> {
    match args {
        [DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)] => {
            Ok([(i32::from(*p1), i32::from(*s1)), (i32::from(*p2), i32::from(*s2))])
        }
        _ => Err(Error::internal("a quotient of what are no decimals")),
    }
}

/// Redshift, "Computations with numeric values": scale max(4, s1+p2−s2+1), precision p1−s1+s2+scale; beyond 38 digits the
/// scale gives way, to 4 at least.
fn redshift_quotient(args: &[DataType]) -> Result<DataType> {
    let [(p1, s1), (p2, s2)] = digits(args)?;
    let mut scale = (s1 + p2 - s2 + 1).max(4);
    let mut precision = p1 - s1 + s2 + scale;
    if precision > MOST_DIGITS {
        scale = (MOST_DIGITS + scale - precision).max(scale.min(4));
        precision = MOST_DIGITS;
    }
    Ok(DataType::Decimal128(precision.max(1) as u8, scale as i8))
}

/// Trino, "Decimal functions and operators": precision p1+s2+max(0, s2−s1), scale max(s1, s2).
fn trino_quotient(args: &[DataType]) -> Result<DataType> {
    let [(p1, s1), (_, s2)] = digits(args)?;
    let precision = (p1 + s2 + (s2 - s1).max(0)).min(MOST_DIGITS);
    Ok(DataType::Decimal128(precision as u8, s1.max(s2) as i8))
}

fn divide(call: &Call<'_>, kept: Digits) -> Result<ArrayRef> {
    let types: Vec<DataType> = call.args.iter().map(|arg| arg.data_type().clone()).collect();
    let [(_, s1), (_, s2)] = digits(&types)?;
    let DataType::Decimal128(precision, scale) = call.gives else {
        return Err(Error::internal("a quotient that is no decimal"));
    };
    let shift = i32::from(scale) + s2 - s1;
    let (left, right) = (call.args[0].as_primitive::<Decimal128Type>(), call.args[1].as_primitive::<Decimal128Type>());
    let factor = u32::try_from(shift).ok().and_then(|shift| 10_i128.checked_pow(shift));
    let limit = 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    call.values::<Decimal128Type>(|row| {
        let (dividend, divisor) = (left.value(row), right.value(row));
        if divisor == 0 {
            return Err(division_by_zero());
        }
        let quotient = match factor.and_then(|factor| product(dividend, factor)) {
            Some(dividend) => quotient(dividend, divisor, kept),
            None => wide_quotient(dividend, divisor, shift, kept).ok_or_else(overflow)?,
        };
        if quotient <= -limit || quotient >= limit { Err(overflow()) } else { Ok(Some(quotient)) }
    })
}

/// A product, if it has 128 bits. Of two numbers of 64 bits it always has, which nearly all are.
#[inline]
fn product(left: i128, right: i128) -> Option<i128> {
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i128::from(left) * i128::from(right)),
        _ => left.checked_mul(right),
    }
}

#[inline]
fn quotient(dividend: i128, divisor: i128, kept: Digits) -> i128 {
    let quotient = match (i64::try_from(dividend), i64::try_from(divisor)) {
        // In 64 bits there is no quotient of the least number and -1.
        (Ok(dividend), Ok(divisor)) if divisor != -1 => i128::from(dividend / divisor),
        _ => dividend / divisor,
    };
    if kept == Digits::Cut {
        return quotient;
    }
    let rest = dividend - quotient * divisor;
    if rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs() {
        return quotient + if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
    }
    quotient
}

fn wide_quotient(dividend: i128, divisor: i128, shift: i32, kept: Digits) -> Option<i128> {
    let factor = i256::from_i128(10).checked_pow(shift.unsigned_abs())?;
    let (dividend, divisor) = (i256::from_i128(dividend), i256::from_i128(divisor));
    let (dividend, divisor) =
        if shift < 0 { (dividend, divisor.checked_mul(factor)?) } else { (dividend.checked_mul(factor)?, divisor) };
    let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
    let magnitude = |value: i256| if value.is_negative() { value.wrapping_neg() } else { value };
    let half_or_more = magnitude(rest) >= magnitude(divisor).wrapping_sub(magnitude(rest));
    let quotient = if kept == Digits::Round && half_or_more {
        let one = if dividend.is_negative() == divisor.is_negative() { i256::ONE } else { i256::MINUS_ONE };
        quotient.checked_add(one)?
    } else {
        quotient
    };
    quotient.to_i128()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_of_quotients_are_the_services() {
        let decimal = DataType::Decimal128;
        for (left, right, redshift, trino) in [
            // Redshift's page divides DECIMAL(8,2) by DECIMAL(8,2) so; Trino's page has the second formula.
            ((8, 2), (8, 2), (17, 9), (10, 2)),
            ((10, 0), (10, 0), (21, 11), (10, 0)),
            ((38, 4), (38, 4), (38, 4), (38, 4)),
            ((2, 1), (3, 2), (7, 4), (5, 2)),
        ] {
            let types = [decimal(left.0, left.1), decimal(right.0, right.1)];
            assert_eq!(redshift_quotient(&types).unwrap(), decimal(redshift.0, redshift.1), "{types:?}");
            assert_eq!(trino_quotient(&types).unwrap(), decimal(trino.0, trino.1), "{types:?}");
        }
    }

    #[test]
    fn quotients_are_cut_or_rounded() {
        for (dividend, divisor, cut, rounded) in [
            (20, 3, 6, 7),
            (-20, 3, -6, -7),
            (10, 3, 3, 3),
            (5, 2, 2, 3),
            (-5, 2, -2, -3),
            (5, -2, -2, -3),
            (6, 2, 3, 3),
        ] {
            assert_eq!(quotient(dividend, divisor, Digits::Cut), cut);
            assert_eq!(quotient(dividend, divisor, Digits::Round), rounded);
            assert_eq!(wide_quotient(dividend, divisor, 0, Digits::Cut), Some(cut));
            assert_eq!(wide_quotient(dividend, divisor, 0, Digits::Round), Some(rounded));
        }
        assert_eq!(wide_quotient(i128::MAX, 10, 20, Digits::Cut), None);
        for (dividend, divisor) in
            [(i64::MIN.into(), -1), (i128::MAX, i128::MAX - 1), (10_i128.pow(30), 7), (7, 10_i128.pow(30))]
        {
            assert_eq!(quotient(dividend, divisor, Digits::Cut), dividend / divisor, "{dividend} {divisor}");
            let wide = wide_quotient(dividend, divisor, 0, Digits::Round);
            assert_eq!(Some(quotient(dividend, divisor, Digits::Round)), wide, "{dividend} {divisor}");
        }
        for (left, right) in
            [(i64::MIN.into(), i64::MIN.into()), (i128::MAX, 2), (1_i128 << 64, 1 << 62), (-3, 1 << 100)]
        {
            assert_eq!(product(left, right), i128::checked_mul(left, right), "{left} {right}");
        }
        assert_eq!(wide_quotient(10_i128.pow(37), 10_i128.pow(30), 3, Digits::Cut), Some(10_i128.pow(10)));
    }
}
