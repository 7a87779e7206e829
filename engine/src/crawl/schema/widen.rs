//! The type that holds the values of two types.

use super::Unknown;
use millrace_catalog::model::{HiveType, StructField};

/// The digits of Hive's widest decimal.
const DECIMAL_DIGITS: u8 = 38;

/// Two types at a place that do not go together: the place (`address.zip`, `items[]`), the one type, the other.
pub(super) type Conflict = (String, HiveType, HiveType);

/// What joining two types needs and finds.
#[derive(Default)]
pub(super) struct Join<'a> {
    /// Of the one and of the other.
    pub(super) unknown: [Option<&'a Unknown>; 2],
    /// What became a string within a type.
    pub(super) conflicts: Vec<Conflict>,
}

/// The narrowest type that holds both; `None` when none but string does.
///
/// Whole numbers widen to larger ones, to `double` beside fractions (`float` where the number has no more than 16
/// bits), and to a decimal beside one, if 38 digits are enough. A decimal beside `float` or `double` is `double`: that
/// side is inexact by itself. `date` and `timestamp` are `timestamp`. Lengths of `varchar` and `char` grow; beside
/// `string` they are `string`. Structs have the fields of both, by name without regard to case; a field, element, key
/// or value whose types do not go together is a string.
pub(super) fn widen(a: &HiveType, b: &HiveType) -> Option<HiveType> {
    Join::default().join("", a, b)
}

impl Join<'_> {
    /// As [`widen`], for the column or field `place`; one without a value gives way to the other.
    pub(super) fn join(&mut self, place: &str, a: &HiveType, b: &HiveType) -> Option<HiveType> {
        let [unknown_a, unknown_b] =
            self.unknown.map(|unknown| unknown.is_some_and(|unknown| unknown.contains(&place.to_lowercase())));
        if a == b || unknown_b {
            return Some(a.clone());
        }
        if unknown_a {
            return Some(b.clone());
        }
        match (a, b) {
            (HiveType::Array(a), HiveType::Array(b)) => {
                Some(HiveType::Array(Box::new(self.join_inner(format!("{place}[]"), a, b))))
            }
            (HiveType::Map(key, value), HiveType::Map(other_key, other_value)) => {
                let key = self.join_inner(format!("{place}.key"), key, other_key);
                let value = self.join_inner(format!("{place}.value"), value, other_value);
                Some(HiveType::Map(Box::new(key), Box::new(value)))
            }
            (HiveType::Struct(a), HiveType::Struct(b)) => Some(HiveType::Struct(self.join_fields(place, a, b))),
            _ => join_scalars(a, b),
        }
    }

    fn join_inner(&mut self, place: String, a: &HiveType, b: &HiveType) -> HiveType {
        self.join(&place, a, b).unwrap_or_else(|| {
            self.conflicts.push((place, a.clone(), b.clone()));
            HiveType::String
        })
    }

    /// Fields in the order of the first, new ones behind.
    fn join_fields(&mut self, place: &str, a: &[StructField], b: &[StructField]) -> Vec<StructField> {
        let mut fields = a.to_vec();
        for field in b {
            let lower = field.name.to_lowercase();
            match fields.iter_mut().find(|known| known.name.to_lowercase() == lower) {
                Some(known) => {
                    let place = format!("{place}.{}", known.name);
                    known.data_type = self.join_inner(place, &known.data_type, &field.data_type);
                }
                None => fields.push(field.clone()),
            }
        }
        fields
    }
}

fn join_scalars(a: &HiveType, b: &HiveType) -> Option<HiveType> {
    use HiveType::{Char, Date, Decimal, Double, Float, String, Timestamp, Varchar};
    if let (Some(left), Some(right)) = (whole_bits(a), whole_bits(b)) {
        return Some(if left >= right { a.clone() } else { b.clone() });
    }
    Some(match (a, b) {
        (Float, Double) | (Double, Float) | (Decimal(..), Float | Double) | (Float | Double, Decimal(..)) => Double,
        (Float, whole) | (whole, Float) => {
            // A float has 24 bits of its own.
            if whole_bits(whole)? <= 16 { Float } else { Double }
        }
        (Double, whole) | (whole, Double) if whole_bits(whole).is_some() => Double,
        (Decimal(precision, scale), Decimal(other, other_scale)) => {
            decimal(whole_digits(*precision, *scale).max(whole_digits(*other, *other_scale)), *scale.max(other_scale))?
        }
        (Decimal(precision, scale), whole) | (whole, Decimal(precision, scale)) => {
            let digits = match whole_bits(whole)? {
                8 => 3,
                16 => 5,
                32 => 10,
                _ => 19,
            };
            decimal(whole_digits(*precision, *scale).max(digits), *scale)?
        }
        (Date, Timestamp) | (Timestamp, Date) => Timestamp,
        (Char(length), Char(other)) => Char(*length.max(other)),
        (Varchar(length) | Char(length), Varchar(other) | Char(other)) => Varchar(*length.max(other)),
        (String, Varchar(_) | Char(_)) | (Varchar(_) | Char(_), String) => String,
        _ => return None,
    })
}

/// The bits of a type of whole numbers.
fn whole_bits(kind: &HiveType) -> Option<u8> {
    match kind {
        HiveType::TinyInt => Some(8),
        HiveType::SmallInt => Some(16),
        HiveType::Int => Some(32),
        HiveType::BigInt => Some(64),
        _ => None,
    }
}

/// The digits before the point.
fn whole_digits(precision: u8, scale: i8) -> u8 {
    precision.saturating_sub_signed(scale)
}

/// A decimal of so many digits before and behind the point, if there is one.
fn decimal(whole_digits: u8, scale: i8) -> Option<HiveType> {
    let precision = whole_digits.checked_add_signed(scale)?;
    (precision <= DECIMAL_DIGITS).then_some(HiveType::Decimal(precision, scale))
}
