//! Numbers: rounding that keeps decimals exact, functions that blame what has no result, bits.

use super::arithmetic::division_by_zero;
use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use super::parts::DAY_US;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};

use Kind::{Float, Int, Number};

const CUT: Gives = Gives::Scaled { keeps_scale: false };
const KEPT: Gives = Gives::Scaled { keeps_scale: true };

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("round", REDSHIFT, &[Number, Int], CUT, |call| digits(call, Way::Half)).optional(1).doc(
        "round(number [, digits])",
        "A number rounded to so many digits after the point, halves away from zero.",
        &[("round(28.05)", "28"), ("round(28.05, 1)", "28.1"), ("round(-2.5)", "-3"), ("round(1234, -2)", "1200")],
    ),
    scalar("round", ATHENA, &[Number, Int], KEPT, |call| digits(call, Way::Half)).optional(1).doc(
        "round(number [, digits])",
        "A number rounded to so many digits after the point, halves away from zero.",
        &[("round(2.5)", "3"), ("round(2.456, 2)", "2.460")],
    ),
    scalar("trunc", REDSHIFT, &[Kind::Any, Int], CUT, trunc).optional(1).doc(
        "trunc(number [, digits]), trunc(timestamp)",
        "A number cut to so many digits after the point, or the date of a moment.",
        &[
            ("trunc(111.86)", "111"),
            ("trunc(111.86, 1)", "111.8"),
            ("trunc(timestamp '2011-07-21 10:32:38')", "2011-07-21"),
        ],
    ),
    scalar("trunc", ATHENA, &[Number, Int], Gives::Of(truncated), trunc).optional(1).doc(
        "truncate(number [, digits])",
        "A number cut to so many digits after the point; a decimal keeps its type where they are said.",
        &[("truncate(2.56)", "2"), ("truncate(-2.56, 1)", "-2.50")],
    ),
    scalar("ceil", BOTH, &[Number], CUT, |call| digits(call, Way::Up)).doc(
        "ceil(number), ceiling(number)",
        "The smallest whole number that is not less.",
        &[("ceil(1.2)", "2"), ("ceiling(-1.2)", "-1"), ("ceil(7)", "7")],
    ),
    scalar("floor", BOTH, &[Number], CUT, |call| digits(call, Way::Down)).doc(
        "floor(number)",
        "The largest whole number that is not greater.",
        &[("floor(-1.2)", "-2"), ("floor(1.5e0)", "1.0")],
    ),
    scalar("sign", BOTH, &[Number], Gives::Of(sign_type), sign).doc(
        "sign(number)",
        "-1, 0 or 1.",
        &[("sign(-2.5)", "-1"), ("sign(0)", "0")],
    ),
    scalar("power", REDSHIFT, &[Float, Float], Gives::Float, |call| {
        let (bases, exponents) = (call.float(0), call.float(1));
        call.floats(|row| {
            let (base, exponent) = (bases.value(row), exponents.value(row));
            if base < 0.0 && exponent.fract() != 0.0 {
                return Err(no_result("a negative number raised to a non-integer power yields a complex result"));
            }
            if base == 0.0 && exponent < 0.0 {
                return Err(no_result("zero raised to a negative power is undefined"));
            }
            finite(base.powf(exponent), base.is_finite() && exponent.is_finite())
        })
    })
    .doc(
        "power(base, exponent), base ^ exponent",
        "A power.",
        &[("power(2, 10)", "1024.0"), ("2 ^ 0.5", "1.4142135623730951")],
    ),
    scalar("power", ATHENA, &[Float, Float], Gives::Float, |call| {
        let (bases, exponents) = (call.float(0).values(), call.float(1).values());
        call.all::<Float64Type>(|row| bases[row].powf(exponents[row]))
    })
    .doc("power(base, exponent)", "A power.", &[("power(2, 10)", "1024.0")]),
    scalar("sqrt", REDSHIFT, &[Float], Gives::Float, |call| {
        checked(call, |x| x >= 0.0, "cannot take square root of a negative number", f64::sqrt)
    })
    .doc("sqrt(number), |/ number", "The square root.", &[("sqrt(16)", "4.0"), ("|/ 25.0", "5.0")]),
    scalar("sqrt", ATHENA, &[Float], Gives::Float, |call| {
        let numbers = call.float(0).values();
        call.all::<Float64Type>(|row| numbers[row].sqrt())
    })
    .doc(
        "sqrt(number)",
        "The square root, NaN of a negative number.",
        &[("sqrt(16)", "4.0"), ("sqrt(-1e0)", "NaN")],
    ),
    scalar("ln", REDSHIFT, &[Float], Gives::Float, |call| checked(call, |x| x > 0.0, NO_LOGARITHM, f64::ln)).doc(
        "ln(number), dlog1(number)",
        "The natural logarithm.",
        &[("ln(1)", "0.0")],
    ),
    scalar("log", REDSHIFT, &[Float, Float], Gives::Float, |call| {
        if call.has(1) { logarithm(call) } else { checked(call, |x| x > 0.0, NO_LOGARITHM, f64::log10) }
    })
    .optional(1)
    .doc(
        "log([base,] number), dlog10(number)",
        "The logarithm to base 10, or to another one.",
        &[("log(100)", "2.0"), ("log(2, 100)", "6.643856189774725"), ("dlog10(1000)", "3.0")],
    ),
    scalar("log10", REDSHIFT, &[Float], Gives::Float, |call| checked(call, |x| x > 0.0, NO_LOGARITHM, f64::log10)),
    scalar("asin", REDSHIFT, &[Float], Gives::Float, |call| angle(call, f64::asin)).doc(
        "asin(number), acos(number)",
        "The angle that has a sine or cosine; an error beyond -1 and 1.",
        &[("asin(0)", "0.0"), ("acos(1)", "0.0")],
    ),
    scalar("acos", REDSHIFT, &[Float], Gives::Float, |call| angle(call, f64::acos)),
    scalar("degrees", REDSHIFT, &[Float], Gives::Float, |call| {
        let numbers = call.float(0);
        call.floats(|row| finite(numbers.value(row).to_degrees(), numbers.value(row).is_finite()))
    }),
    scalar("exp", REDSHIFT, &[Float], Gives::Float, |call| {
        let numbers = call.float(0);
        call.floats(|row| finite(numbers.value(row).exp(), numbers.value(row).is_finite()))
    })
    .doc("exp(number), dexp(number)", "The power of e.", &[("exp(0)", "1.0")]),
    scalar("width_bucket", ATHENA, &[Float, Float, Float, Int], Gives::Int8, width_bucket).doc(
        "width_bucket(number, from, to, count)",
        "In which of so many equal parts of a range a number is; 0 before, count + 1 behind.",
        &[("width_bucket(5.0, 0.0, 10.0, 4)", "3")],
    ),
    scalar("is_finite", ATHENA, &[Float], Gives::Bool, |call| {
        let numbers = call.float(0);
        call.bools(|row| Ok(Some(numbers.value(row).is_finite())))
    })
    .doc("is_finite(number)", "Whether a number is neither infinite nor NaN.", &[("is_finite(1.5)", "true")]),
    scalar("is_infinite", ATHENA, &[Float], Gives::Bool, |call| {
        let numbers = call.float(0);
        call.bools(|row| Ok(Some(numbers.value(row).is_infinite())))
    })
    .doc("is_infinite(number)", "Whether a number is infinite.", &[("is_infinite(infinity())", "true")]),
    scalar("infinity", ATHENA, &[], Gives::Float, |call| call.all::<Float64Type>(|_| f64::INFINITY)).doc(
        "infinity()",
        "What is larger than all numbers.",
        &[("infinity()", "inf")],
    ),
    scalar("nan", ATHENA, &[], Gives::Float, |call| call.all::<Float64Type>(|_| f64::NAN)).doc(
        "nan()",
        "What is no number.",
        &[("is_nan(nan())", "true")],
    ),
    scalar("bitwise_xor", ATHENA, &[Int, Int], Gives::Int8, |call| {
        let (left, right) = (call.int(0).values(), call.int(1).values());
        call.all::<Int64Type>(|row| left[row] ^ right[row])
    })
    .doc("bitwise_xor(number, number)", "The bits that one of two numbers has.", &[("bitwise_xor(19, 25)", "10")]),
    scalar("bitwise_not", ATHENA, &[Int], Gives::Int8, |call| {
        let numbers = call.int(0).values();
        call.all::<Int64Type>(|row| !numbers[row])
    })
    .doc("bitwise_not(number)", "All bits turned.", &[("bitwise_not(19)", "-20")]),
    scalar("bit_count", ATHENA, &[Int, Int], Gives::Int8, |call| {
        let (numbers, bits) = (call.int(0), call.int(1));
        call.ints(|row| {
            let width = bits.value(row);
            if !(2..=64).contains(&width) {
                return Err(Error::new(ErrorKind::InvalidParameter, format!("bits are 2 to 64, not {width}")));
            }
            let kept = numbers.value(row) as u64 & (u64::MAX >> (64 - width));
            Ok(Some(i64::from(kept.count_ones())))
        })
    })
    .doc(
        "bit_count(number, bits)",
        "How many of the lowest bits are set.",
        &[("bit_count(9, 64)", "2"), ("bit_count(-7, 8)", "6")],
    ),
    scalar("great_circle_distance", ATHENA, &[Float, Float, Float, Float], Gives::Float, |call| {
        call.floats(|row| {
            let [from, to] = [0, 2].map(|at| (call.float(at).value(row), call.float(at + 1).value(row)));
            great_circle(from, to).map(Some)
        })
    })
    .doc(
        "great_circle_distance(latitude, longitude, latitude, longitude)",
        "The kilometers between two points on Earth, in degrees.",
        &[
            ("round(great_circle_distance(36.12, -86.67, 33.94, -118.40), 6)", "2886.448973"),
            ("round(great_circle_distance(0, 0, 0, 90), 6)", "10007.559106"),
        ],
    ),
];

/// The kilometers between two points, a latitude and a longitude each, on a sphere as large as Earth (Vincenty's formula).
fn great_circle(from: (f64, f64), to: (f64, f64)) -> Result<f64> {
    const RADIUS_KM: f64 = 6371.01;
    for (latitude, longitude) in [from, to] {
        if !((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude)) {
            let message = "a latitude is from -90 to 90, a longitude from -180 to 180";
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
    }
    let ((from_sin, from_cos), (to_sin, to_cos)) = (from.0.to_radians().sin_cos(), to.0.to_radians().sin_cos());
    let (sin, cos) = (to.1 - from.1).to_radians().sin_cos();
    let across = (to_cos * sin).hypot(from_cos * to_sin - from_sin * to_cos * cos);
    Ok(RADIUS_KM * across.atan2(from_sin * to_sin + from_cos * to_cos * cos))
}

const NO_LOGARITHM: &str = "cannot take logarithm of a number that is not positive";

fn no_result(message: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

fn finite(value: f64, from_finite: bool) -> Result<Option<f64>> {
    if value.is_infinite() && from_finite {
        return Err(super::arithmetic::out_of_range(&DataType::Float64));
    }
    Ok(Some(value))
}

fn checked(call: &Call<'_>, has: fn(f64) -> bool, message: &str, of: fn(f64) -> f64) -> Result<ArrayRef> {
    let numbers = call.float(0);
    call.floats(|row| {
        let number = numbers.value(row);
        if has(number) || number.is_nan() { Ok(Some(of(number))) } else { Err(no_result(message)) }
    })
}

/// The logarithm of the second argument to the base that the first is (PostgreSQL: to 1 there is none).
fn logarithm(call: &Call<'_>) -> Result<ArrayRef> {
    let (bases, numbers) = (call.float(0), call.float(1));
    call.floats(|row| {
        let (base, number) = (bases.value(row), numbers.value(row));
        if base <= 0.0 || number <= 0.0 {
            return Err(no_result(NO_LOGARITHM));
        }
        if base.total_cmp(&1.0).is_eq() {
            return Err(division_by_zero());
        }
        Ok(Some(number.ln() / base.ln()))
    })
}

/// The angle of a sine or cosine.
fn angle(call: &Call<'_>, of: fn(f64) -> f64) -> Result<ArrayRef> {
    let numbers = call.float(0);
    call.floats(|row| {
        let number = numbers.value(row);
        if number.abs() > 1.0 {
            return Err(Error::new(ErrorKind::NumericOverflow, "input is out of range"));
        }
        Ok(Some(of(number)))
    })
}

/// What becomes of digits that are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the nearest, halves away from zero.
    Half,
    /// Towards zero.
    Cut,
    /// To the larger one.
    Up,
    /// To the smaller one.
    Down,
}

impl Way {
    fn whole(self, number: f64) -> f64 {
        match self {
            Self::Half => number.round(),
            Self::Cut => number.trunc(),
            Self::Up => number.ceil(),
            Self::Down => number.floor(),
        }
    }

    /// What is added to a quotient that was cut, by a unit or by one that is more than twice any number.
    fn correction(self, rest: i128, unit: Option<i128>) -> i128 {
        match self {
            Self::Half if unit.is_some_and(|unit| rest.unsigned_abs() >= unit.unsigned_abs() - rest.unsigned_abs()) => {
                rest.signum()
            }
            Self::Up => i128::from(rest > 0),
            Self::Down => -i128::from(rest < 0),
            _ => 0,
        }
    }
}

fn trunc(call: &Call<'_>) -> Result<ArrayRef> {
    if call.args[0].data_type().is_temporal() {
        let micros =
            cast(&call.args[0], &DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Microsecond, None))?;
        let micros = micros.as_primitive::<datafusion::arrow::datatypes::TimestampMicrosecondType>();
        return call.dates(|row| Ok(i32::try_from(micros.value(row).div_euclid(DAY_US)).ok()));
    }
    digits(call, Way::Cut)
}

fn digits(call: &Call<'_>, way: Way) -> Result<ArrayRef> {
    let wanted = |row: usize| if call.has(1) { call.int(1).value(row).clamp(-400, 400) as i32 } else { 0 };
    match call.args[0].data_type() {
        DataType::Decimal128(_, scale) => {
            let DataType::Decimal128(precision, kept) = call.gives else {
                return Err(Error::internal("a decimal is lost"));
            };
            let (scale, kept) = (i32::from(*scale), i32::from(kept));
            let numbers = call.args[0].as_primitive::<Decimal128Type>();
            let limit = 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
            call.values::<Decimal128Type>(|row| {
                let rounded = at_digit(numbers.value(row), scale, wanted(row), kept, way);
                rounded.filter(|value| value.abs() < limit).map(Some).ok_or_else(super::arithmetic::overflow)
            })
        }
        t if t.is_integer() => {
            let numbers = cast(&call.args[0], &DataType::Int64)?;
            let numbers = numbers.as_primitive::<Int64Type>();
            let array = {
                let wide = call.giving(DataType::Int64);
                wide.ints(|row| {
                    let rounded = at_digit(i128::from(numbers.value(row)), 0, wanted(row), 0, way);
                    let rounded = rounded.and_then(|value| i64::try_from(value).ok());
                    rounded.map(Some).ok_or_else(|| super::arithmetic::out_of_range(&DataType::Int64))
                })?
            };
            Ok(cast(&array, &call.gives)?)
        }
        _ => {
            let numbers = cast(&call.args[0], &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            let wide = call.giving(DataType::Float64);
            let array = wide.floats(|row| Ok(Some(float_at_digit(numbers.value(row), wanted(row), way))))?;
            Ok(cast(&array, &call.gives)?)
        }
    }
}

/// A floating-point number without the digits behind one, counted from the point.
pub(super) fn float_at_digit(number: f64, digits: i32, way: Way) -> f64 {
    let whole = |number: f64| way.whole(number);
    if digits == 0 || !number.is_finite() {
        return whole(number);
    }
    let factor = 10_f64.powi(digits.abs());
    let moved = if digits > 0 { number * factor } else { number / factor };
    // So many digits that nothing is cut, or none at all.
    if !moved.is_finite() {
        return number;
    }
    let kept = whole(moved);
    if digits > 0 { kept / factor } else { kept * factor }
}

/// A decimal of a scale and at most 38 digits without the digits behind one, in another scale; `None` where it has too
/// many digits there.
pub(super) fn at_digit(number: i128, scale: i32, digit: i32, kept: i32, way: Way) -> Option<i128> {
    let dropped = scale - digit;
    if dropped <= 0 {
        return rescaled(number, kept - scale);
    }
    let unit = 10_i128.checked_pow(dropped.unsigned_abs());
    let (quotient, rest) = unit.map_or((0, number), |unit| (number / unit, number % unit));
    rescaled(quotient + way.correction(rest, unit), kept - digit)
}

/// A number with so many more digits after the point, or fewer.
fn rescaled(number: i128, digits: i32) -> Option<i128> {
    if number == 0 || digits == 0 {
        return Some(number);
    }
    match 10_i128.checked_pow(digits.unsigned_abs()) {
        Some(shift) if digits > 0 => number.checked_mul(shift),
        Some(shift) => Some(number / shift),
        None => (digits < 0).then_some(0),
    }
}

fn sign_type(args: &[DataType]) -> Result<DataType> {
    Ok(match args.first() {
        Some(DataType::Decimal128(..)) => DataType::Decimal128(1, 0),
        Some(other) => other.clone(),
        None => DataType::Int64,
    })
}

fn sign(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = cast(&call.args[0], &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let wide = call.giving(DataType::Float64);
    let signs = wide.floats(|row| {
        let number = numbers.value(row);
        Ok(Some(if number == 0.0 || number.is_nan() { number } else { number.signum() }))
    })?;
    Ok(cast(&signs, &call.gives)?)
}

fn width_bucket(call: &Call<'_>) -> Result<ArrayRef> {
    let (numbers, from, to, counts) = (call.float(0), call.float(1), call.float(2), call.int(3));
    call.ints(|row| {
        let (number, low, high, count) = (numbers.value(row), from.value(row), to.value(row), counts.value(row));
        if count <= 0 || (high - low).abs() == 0.0 || !low.is_finite() || !high.is_finite() || number.is_nan() {
            return Err(no_result("width_bucket() needs a range, a number and a positive count"));
        }
        let place = (number - low) / (high - low);
        Ok(Some(if place < 0.0 {
            0
        } else if place >= 1.0 {
            count + 1
        } else {
            (place * count as f64).floor() as i64 + 1
        }))
    })
}

/// The type of a number that is rounded to a digit, which is known where it is a literal.
pub(super) fn scaled(args: &[DataType], digit: Option<i64>, keeps_scale: bool) -> Result<DataType> {
    Ok(match args.first() {
        Some(DataType::Decimal128(precision, scale)) => {
            let kept = if args.len() < 2 {
                0
            } else if keeps_scale {
                *scale
            } else {
                digit.map_or(*scale, |digit| digit.clamp(0, i64::from(*scale)) as i8)
            };
            // Rounding up may need one digit more.
            let whole = precision.saturating_sub(*scale as u8).saturating_add(1);
            DataType::Decimal128(whole.saturating_add(kept as u8).min(38), kept)
        }
        Some(DataType::Timestamp(..) | DataType::Date32) => DataType::Date32,
        Some(number) if number.is_numeric() => number.clone(),
        Some(DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null) => DataType::Float64,
        _ => return Err(Error::new(ErrorKind::DatatypeMismatch, "a number is needed")),
    })
}

/// The type of a number that is cut (Trino's `truncate`): nothing is carried, so that no digit is added.
fn truncated(args: &[DataType]) -> Result<DataType> {
    Ok(match args {
        [DataType::Decimal128(precision, scale)] => {
            DataType::Decimal128(precision.saturating_sub(scale.unsigned_abs()).max(1), 0)
        }
        [DataType::Decimal128(..), ..] => args[0].clone(),
        _ => scaled(args, None, true)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn digits_are_exact() {
        for (number, scale, digit, kept, half, cut) in [
            (2805, 2, 1, 1, 281, 280),
            (-2805, 2, 1, 1, -281, -280),
            (2805, 2, 0, 0, 28, 28),
            (25, 1, 0, 0, 3, 2),
            (-25, 1, 0, 0, -3, -2),
            (1250, 0, -2, 0, 1300, 1200),
            (12_345, 2, 5, 2, 12_345, 12_345),
            (5, 1, -3, 0, 0, 0),
            (-5, 1, 0, 0, -1, 0),
            (99_999_999_999_999_999_999_999_999_999_999_999_999, 38, -1, 0, 0, 0),
        ] {
            assert_eq!(at_digit(number, scale, digit, kept, Way::Half), Some(half), "{number} {digit}");
            assert_eq!(at_digit(number, scale, digit, kept, Way::Cut), Some(cut), "{number} {digit}");
        }
        // A unit that has more than 38 digits.
        assert_eq!(at_digit(1, 38, -1, 0, Way::Up), Some(10));
        assert_eq!(at_digit(-1, 38, -1, 0, Way::Down), Some(-10));
        assert_eq!(at_digit(1, 38, -40, 0, Way::Up), None);
    }
}
