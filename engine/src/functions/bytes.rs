//! Values' bytes: how many there are, bits of them, their digits and hashes.

use super::farm;
use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, REDSHIFT, Scalar, scalar, shown_type};
use super::text::{binary, bytes_of, decoded};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Dialect;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::length::length;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int16Type, Int64Type, TimeUnit};

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("octet_length", REDSHIFT, &[Kind::Any], Gives::Int4, |call| {
        Ok(cast(&length(&written(&call.args[0])?)?, &call.gives)?)
    }),
    scalar("to_hex", REDSHIFT, &[Kind::Any], Gives::Text, digits),
    scalar("$bytes_and", BOTH, &[Kind::Any, Kind::Any], Gives::Of(binary), |call| bits(call, |a, b| a & b)),
    scalar("$bytes_or", BOTH, &[Kind::Any, Kind::Any], Gives::Of(binary), |call| bits(call, |a, b| a | b)),
    scalar("$bytes_xor", BOTH, &[Kind::Any, Kind::Any], Gives::Of(binary), |call| bits(call, |a, b| a ^ b)),
    scalar("$read_bits", REDSHIFT, &[Kind::Text], Gives::Of(binary), |call| decoded(call, "bits", read_bits)),
    scalar("$written_bits", REDSHIFT, &[Kind::TextOrBytes], Gives::Text, |call| {
        let values = bytes_of(&call.args[0])?;
        let values = values.as_binary::<i32>();
        call.texts(|row| Ok(Some(written_bits(values.value(row)))))
    }),
    // The first byte may lack a digit.
    scalar("$read_hex", REDSHIFT, &[Kind::Text], Gives::Of(binary), |call| {
        decoded(call, "hexadecimal digits", |text| {
            let whole = if text.len() % 2 == 0 { hex::decode(text) } else { hex::decode(format!("0{text}")) };
            whole.ok()
        })
    }),
    scalar("bitwise_right_shift", ATHENA, &[Kind::Any, Kind::Int], Gives::Of(whole), shifted).doc(
        "bitwise_right_shift(number, count)",
        "A number's bits moved to the right, zeros before them; bitwise_right_shift_arithmetic keeps the sign.",
        &[("bitwise_right_shift(7, 2)", "1"), ("bitwise_right_shift(-1, 31)", "1")],
    ),
    scalar("murmur3_32_hash", REDSHIFT, &[Kind::Any, Kind::Int], Gives::Int4, murmur).optional(1).doc(
        "murmur3_32_hash(value [, seed])",
        "The 32-bit Murmur3 hash of a value, of the bytes that Apache Iceberg's specification makes of it.",
        &[
            ("murmur3_32_hash(1)", "1392991556"),
            ("murmur3_32_hash('Amazon Redshift')", "-1563580564"),
            ("murmur3_32_hash('cd', murmur3_32_hash('ab'))", "1711522338"),
        ],
    ),
    scalar("farmfingerprint64", REDSHIFT, &[Kind::TextOrBytes], Gives::Int8, |call| {
        let values = bytes_of(&call.args[0])?;
        let values = values.as_binary::<i32>();
        call.ints(|row| Ok(Some(farm::fingerprint(values.value(row)).cast_signed())))
    })
    .doc(
        "farmfingerprint64(text | varbyte)",
        "FarmHash's 64-bit fingerprint of bytes.",
        &[
            ("farmfingerprint64('Amazon Redshift')", "8085098817162212970"),
            ("farmfingerprint64(to_varbyte('Amazon Redshift', 'utf8'))", "8085098817162212970"),
        ],
    ),
    scalar("getbit", REDSHIFT, &[Kind::Any, Kind::Int], Gives::Int4, bit).doc(
        "getbit(varbyte, index)",
        "A bit, counted from 0 for the last, least significant one.",
        &[("getbit(from_hex('4d'), 2)", "1"), ("getbit(from_hex('4d00'), 9)", "0")],
    ),
];

/// The bytes of two values of one length, put together one by one.
fn bits(call: &Call<'_>, of: fn(u8, u8) -> u8) -> Result<ArrayRef> {
    let (left, right) = (bytes_of(&call.args[0])?, bytes_of(&call.args[1])?);
    let (left, right) = (left.as_binary::<i32>(), right.as_binary::<i32>());
    call.binaries(|row| {
        let (left, right) = (left.value(row), right.value(row));
        if left.len() != right.len() {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "binary values of different lengths have no bits in common",
            ));
        }
        Ok(left.iter().zip(right).map(|(left, right)| of(*left, *right)).collect::<Vec<u8>>())
    })
}

/// Bytes from their bits, of which the first byte may lack some.
fn read_bits(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0_u8; text.len().div_ceil(8)];
    for (at, digit) in text.bytes().rev().enumerate() {
        let bit = match digit {
            b'0' => 0_u8,
            b'1' => 1,
            _ => return None,
        };
        let byte = bytes.len() - 1 - at / 8;
        bytes[byte] |= bit << (at % 8);
    }
    Some(bytes)
}

fn written_bits(bytes: &[u8]) -> String {
    let mut made = String::with_capacity(bytes.len() * 8);
    for byte in bytes {
        made.extend((0..8_u8).rev().map(|at| if byte & (1_u8 << at) == 0 { '0' } else { '1' }));
    }
    made
}

fn whole(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(whole @ (DataType::Int16 | DataType::Int32 | DataType::Int64)) => Ok(whole.clone()),
        other => {
            let found = other.map_or_else(|| "nothing".to_owned(), shown_type);
            Err(Error::new(ErrorKind::DatatypeMismatch, format!("a whole number is needed, not {found}")))
        }
    }
}

fn shifted(call: &Call<'_>) -> Result<ArrayRef> {
    let counts = call.int(1);
    // Numbers of fewer bits have only their own to move.
    let bits = call.gives.primitive_width().unwrap_or(8) as u32 * 8;
    let mask = u64::MAX >> (64 - bits);
    let numbers = cast(&call.args[0], &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>();
    let moved = |row: usize| {
        let count = u32::try_from(counts.value(row)).unwrap_or(bits);
        (numbers.value(row).cast_unsigned() & mask).checked_shr(count).unwrap_or(0)
    };
    match call.gives {
        DataType::Int16 => call.values::<Int16Type>(|row| Ok(Some(moved(row) as i16))),
        DataType::Int32 => call.int4s(|row| Ok(Some(moved(row) as i32))),
        _ => call.ints(|row| Ok(Some(moved(row).cast_signed()))),
    }
}

/// Whether values of a type are bytes.
pub(crate) fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// A value as a text, unless it is bytes.
fn written(values: &ArrayRef) -> Result<ArrayRef> {
    if is_binary(values.data_type()) {
        return Ok(ArrayRef::clone(values));
    }
    super::cast::as_text(values, Dialect::Redshift)
}

/// A number's digits, or those of bytes, in hexadecimal.
fn digits(call: &Call<'_>) -> Result<ArrayRef> {
    let values = &call.args[0];
    match values.data_type() {
        bytes if is_binary(bytes) => {
            let bytes = bytes_of(values)?;
            let bytes = bytes.as_binary::<i32>();
            call.texts(|row| Ok(Some(hex::encode(bytes.value(row)))))
        }
        whole if whole.is_integer() || *whole == DataType::Null => {
            let is_long = matches!(whole, DataType::Int64 | DataType::UInt64);
            let numbers = cast(values, &DataType::Int64)?;
            let numbers = numbers.as_primitive::<Int64Type>();
            call.texts(|row| {
                let number = numbers.value(row);
                Ok(Some(if is_long { format!("{number:x}") } else { format!("{:x}", number as i32) }))
            })
        }
        other => {
            let message = format!("function to_hex({}) does not exist", shown_type(other));
            Err(Error::new(ErrorKind::UndefinedFunction, message).with_hint("it is to_hex(number | varbyte)"))
        }
    }
}

fn bit(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, indices) = (bytes_of(&call.args[0])?, call.int(1));
    let values = values.as_binary::<i32>();
    call.int4s(|row| {
        let (bytes, index) = (values.value(row), indices.value(row));
        let place = usize::try_from(index).ok().filter(|place| place / 8 < bytes.len());
        match place {
            Some(place) => Ok(Some(i32::from((bytes[bytes.len() - 1 - place / 8] >> (place % 8)) & 1))),
            None => {
                let message = format!("bit {index} is not one of the {} of a value", bytes.len() * 8);
                Err(Error::new(ErrorKind::InvalidParameter, message))
            }
        }
    })
}

fn murmur(call: &Call<'_>) -> Result<ArrayRef> {
    let bytes = hashed_bytes(&call.args[0])?;
    let seeds = call.has(1).then(|| call.int(1));
    call.int4s(|row| Ok(Some(murmur3(bytes.value(row), seeds.map_or(0, |seeds| seeds.value(row) as u32)))))
}

/// The bytes of values that are hashed (Apache Iceberg, "32-bit hash requirements"): whole numbers, days and microseconds
/// as 8 bytes, the first the lowest, doubles likewise, decimals as the fewest bytes of their digits, the first the highest.
fn hashed_bytes(values: &ArrayRef) -> Result<BinaryArray> {
    let of_numbers = |numbers: &ArrayRef| -> Result<BinaryArray> {
        let numbers = cast(numbers, &DataType::Int64)?;
        Ok(numbers.as_primitive::<Int64Type>().iter().map(|number| number.map(i64::to_le_bytes)).collect())
    };
    match values.data_type() {
        DataType::Date32 => of_numbers(&cast(values, &DataType::Int32)?),
        DataType::Timestamp(_, zone) => {
            of_numbers(&cast(values, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?)
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            of_numbers(&cast(values, &DataType::Time64(TimeUnit::Microsecond))?)
        }
        DataType::Float32 | DataType::Float64 => {
            let numbers = cast(values, &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>().iter();
            Ok(numbers.map(|number| number.map(|number| number.to_bits().to_le_bytes())).collect())
        }
        DataType::Decimal128(..) => {
            let mut built = BinaryBuilder::new();
            for digits in values.as_primitive::<Decimal128Type>() {
                match digits.map(i128::to_be_bytes) {
                    Some(bytes) => built.append_value(fewest(&bytes)),
                    None => built.append_null(),
                }
            }
            Ok(built.finish())
        }
        whole if whole.is_integer() || *whole == DataType::Boolean => of_numbers(values),
        DataType::Null => Ok(BinaryArray::new_null(values.len())),
        other => match bytes_of(values) {
            Ok(bytes) => Ok(bytes.as_binary::<i32>().clone()),
            Err(_) => {
                let message = format!("a value of type {} has no hash", shown_type(other));
                Err(Error::new(ErrorKind::DatatypeMismatch, message))
            }
        },
    }
}

/// A number in two's complement without the bytes at its beginning that say no more than its sign.
fn fewest(bytes: &[u8]) -> &[u8] {
    let says_nothing = |pair: &&[u8]| (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xff && pair[1] >= 0x80);
    let idle = bytes.windows(2).take_while(says_nothing).count();
    &bytes[idle..]
}

/// Murmur3 for 32 bits, as its x86 variant.
fn murmur3(bytes: &[u8], seed: u32) -> i32 {
    let mixed = |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(seed, |hash, block| {
        (hash ^ mixed(u32::from_le_bytes(*block))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let last = rest.iter().rev().fold(0, |all, byte| (all << 8) | u32::from(*byte));
    hash ^= mixed(last) ^ bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    (hash ^ (hash >> 16)).cast_signed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use datafusion::arrow::array::{Date32Array, Decimal128Array, Float64Array, Int32Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn values_are_hashed_as_iceberg_says() {
        // The examples of the specification's appendix.
        let decimal = Decimal128Array::from(vec![1420]).with_precision_and_scale(9, 2).unwrap();
        let cases: [(ArrayRef, i32); 5] = [
            (Arc::new(Int32Array::from(vec![34])), 2_017_239_379),
            (Arc::new(decimal), -500_754_589),
            (Arc::new(Date32Array::from(vec![17_486])), -653_330_422),
            (Arc::new(StringArray::from(vec!["iceberg"])), 1_210_000_089),
            (Arc::new(Float64Array::from(vec![1.0])), -142_385_009),
        ];
        for (values, expected) in cases {
            let bytes = hashed_bytes(&values).unwrap();
            assert_eq!(murmur3(bytes.value(0), 0), expected, "{}", values.data_type());
        }
    }
}
