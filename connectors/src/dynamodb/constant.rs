//! Constants as DynamoDB compares them: within one type only, exactly.

use super::column::{Kind, Scalar};
use crate::number::Number;
use crate::predicate::Value;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// The longest value of a partition key in bytes.
const PARTITION_KEY_BYTES: usize = 2048;

/// The longest value of a sort key in bytes.
const SORT_KEY_BYTES: usize = 1024;

/// A constant of one of DynamoDB's scalar types.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Constant {
    /// A string, ordered by its UTF-8 bytes.
    Text(String),
    /// A number.
    Number(Number),
    /// Bytes, ordered as unsigned.
    Binary(Vec<u8>),
    /// A truth value, which has no order in DynamoDB.
    Boolean(bool),
}

impl Constant {
    /// A condition's constant for a column of this kind; `None` where DynamoDB and SQL would not compare the same.
    pub(super) fn new(kind: Kind, value: &Value) -> Option<Self> {
        let number = |number: Number| number.is_storable().then_some(Self::Number(number));
        match (kind.compared()?, value) {
            (Scalar::S, Value::Text(text)) => Some(Self::Text(text.clone())),
            (Scalar::N, Value::Integer(integer)) => number(Number::decimal(i128::from(*integer), 0)),
            (Scalar::N, Value::Decimal(unscaled, scale)) => number(Number::decimal(*unscaled, *scale)),
            (Scalar::B, Value::Binary(bytes)) => Some(Self::Binary(bytes.clone())),
            (Scalar::Bool, Value::Boolean(truth)) => Some(Self::Boolean(*truth)),
            _ => None,
        }
    }

    /// The value of an attribute of a scalar type.
    pub(super) fn of(attribute: &AttributeValue) -> Option<Self> {
        match attribute {
            AttributeValue::S(text) => Some(Self::Text(text.clone())),
            AttributeValue::N(text) => Number::parse(text).map(Self::Number),
            AttributeValue::B(bytes) => Some(Self::Binary(bytes.as_ref().to_vec())),
            AttributeValue::Bool(truth) => Some(Self::Boolean(*truth)),
            _ => None,
        }
    }

    /// As DynamoDB takes it.
    pub(super) fn attribute(&self) -> AttributeValue {
        match self {
            Self::Text(text) => AttributeValue::S(text.clone()),
            Self::Number(number) => AttributeValue::N(number.to_string()),
            Self::Binary(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
            Self::Boolean(truth) => AttributeValue::Bool(*truth),
        }
    }

    /// Its type.
    pub(super) fn scalar(&self) -> Scalar {
        match self {
            Self::Text(_) => Scalar::S,
            Self::Number(_) => Scalar::N,
            Self::Binary(_) => Scalar::B,
            Self::Boolean(_) => Scalar::Bool,
        }
    }

    /// Whether comparisons other than `=` and `<>` are allowed.
    pub(super) fn is_ordered(&self) -> bool {
        !matches!(self, Self::Boolean(_))
    }

    /// How an attribute stands to it; `None` when it is of another type.
    pub(super) fn order_of(&self, attribute: &AttributeValue) -> Option<Ordering> {
        match (attribute, self) {
            (AttributeValue::S(text), Self::Text(constant)) => Some(text.as_str().cmp(constant)),
            (AttributeValue::N(text), Self::Number(constant)) => Some(Number::parse(text)?.cmp(constant)),
            (AttributeValue::B(bytes), Self::Binary(constant)) => Some(bytes.as_ref().cmp(constant.as_slice())),
            (AttributeValue::Bool(truth), Self::Boolean(constant)) => Some(truth.cmp(constant)),
            _ => None,
        }
    }

    /// Its bytes in a request, about.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(_) => 40,
            Self::Binary(bytes) => bytes.len(),
            Self::Boolean(_) => 1,
        }
    }

    /// Whether a partition key can have this value.
    pub(super) fn fits_partition_key(&self) -> bool {
        self.is_ordered() && (1..=PARTITION_KEY_BYTES).contains(&self.len())
    }

    /// Whether a sort key can have this value.
    pub(super) fn fits_sort_key(&self) -> bool {
        self.is_ordered() && (1..=SORT_KEY_BYTES).contains(&self.len())
    }
}

/// As SQL writes it.
impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Number(number) => number.fmt(f),
            Self::Binary(bytes) => {
                f.write_str("X'")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))?;
                f.write_str("'")
            }
            Self::Boolean(truth) => truth.fmt(f),
        }
    }
}
