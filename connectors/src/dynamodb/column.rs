//! How attributes become the values of columns, and what DynamoDB can be asked of them.

use super::Item;
use crate::connector::SUPER_METADATA;
use crate::declared::Invalid;
use crate::typed::Type;
use arrow::datatypes::{DataType, Field};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

/// How a column's attributes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A number that is whole and has 64 bits.
    Integer,
    /// A number of up to 38 digits, this many after the point.
    Decimal(u8),
    /// A number that fits no numeric type: all of its digits as text.
    Digits,
    /// Bytes.
    Binary,
    /// A truth value.
    Boolean,
    /// Anything, as JSON.
    Super,
    /// The whole item as JSON, each attribute with its type.
    Item,
    /// What a user declared.
    Declared(Declared),
}

/// How attributes of a declared column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Declared {
    /// What they become.
    pub(super) to: Type,
    /// Which of them DynamoDB compares as SQL compares the column's values.
    pub(super) compared: Compared,
    /// What becomes of those that do not fit.
    pub(super) invalid: Invalid,
    /// Whether the column's name is a path to a value within an attribute.
    pub(super) nested: bool,
}

/// Which attributes of a declared column DynamoDB compares as SQL does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Compared {
    /// None.
    None,
    /// Those of this type; others may be there.
    Some(Scalar),
    /// All: they are part of a key of the table or of a local index, and so of this type.
    All(Scalar),
    /// All that fit: they are part of a key of a global index, which lacks those of other types. A table may have such
    /// items from before the index, so others do not fit the column rather than be found or not.
    Only(Scalar),
}

/// A type of attributes that DynamoDB compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Scalar {
    /// Strings.
    S,
    /// Numbers.
    N,
    /// Bytes.
    B,
    /// Truth values.
    Bool,
}

impl Scalar {
    /// Its name in `attribute_type`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
            Self::Bool => "BOOL",
        }
    }

    /// The type of an attribute.
    pub(super) fn has(attribute: &AttributeValue) -> Option<Self> {
        match attribute {
            AttributeValue::S(_) => Some(Self::S),
            AttributeValue::N(_) => Some(Self::N),
            AttributeValue::B(_) => Some(Self::B),
            AttributeValue::Bool(_) => Some(Self::Bool),
            _ => None,
        }
    }

    /// The type whose values keep identity and order as values of a declared type.
    pub(super) fn of(to: Type) -> Option<Self> {
        match to {
            Type::Text => Some(Self::S),
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Decimal(..) => Some(Self::N),
            Type::Binary => Some(Self::B),
            Type::Boolean => Some(Self::Bool),
            // Floats are rounded, and what texts become is ordered otherwise.
            Type::Float32 | Type::Float64 | Type::Date | Type::Timestamp | Type::Super => None,
        }
    }
}

impl Kind {
    /// Arrow's type.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::Digits | Self::Super | Self::Item => DataType::Utf8View,
            Self::Integer => DataType::Int64,
            Self::Decimal(scale) => DataType::Decimal128(38, scale as i8),
            Self::Binary => DataType::Binary,
            Self::Boolean => DataType::Boolean,
            Self::Declared(declared) => declared.to.data_type(),
        }
    }

    /// The type of the attributes that DynamoDB compares as SQL does.
    pub(super) fn compared(self) -> Option<Scalar> {
        match self {
            Self::Text => Some(Scalar::S),
            Self::Integer | Self::Decimal(_) => Some(Scalar::N),
            Self::Binary => Some(Scalar::B),
            Self::Boolean => Some(Scalar::Bool),
            Self::Digits | Self::Super | Self::Item => None,
            Self::Declared(declared) => match declared.compared {
                Compared::None => None,
                Compared::Some(scalar) | Compared::All(scalar) | Compared::Only(scalar) => Some(scalar),
            },
        }
    }

    /// Whether attributes of other types than [`Kind::compared`] may have values, too.
    pub(super) fn is_mixed(self) -> bool {
        matches!(self, Self::Declared(Declared { compared: Compared::Some(_), .. }))
    }

    /// Whether attributes that do not fit are NULL.
    pub(super) fn hides_misfits(self) -> bool {
        matches!(self, Self::Declared(Declared { invalid: Invalid::Null, .. }))
    }

    /// Whether an attribute that does not fit what was declared is an error.
    pub(super) fn refuses_misfits(self) -> bool {
        matches!(self, Self::Declared(Declared { invalid: Invalid::Error, .. }))
    }

    /// Whether it is a part of an attribute.
    pub(super) fn is_nested(self) -> bool {
        matches!(self, Self::Declared(Declared { nested: true, .. }))
    }

    /// What its attributes are called in messages.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Integer => "bigint".to_owned(),
            Self::Decimal(scale) => format!("decimal(38,{scale})"),
            Self::Digits => "a number".to_owned(),
            Self::Binary => "binary".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Super | Self::Item => "super".to_owned(),
            Self::Declared(declared) => declared.to.to_string(),
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    /// The attribute's name.
    pub(super) name: String,
    /// How it is read.
    pub(super) kind: Kind,
    /// Whether every item has it: a part of the table's key.
    pub(super) required: bool,
}

impl Column {
    /// The column in Arrow's schema.
    pub(super) fn field(&self) -> Field {
        let field = Field::new(&self.name, self.kind.data_type(), !self.required);
        match self.kind {
            Kind::Super | Kind::Item => field.with_metadata([(SUPER_METADATA.to_owned(), String::new())].into()),
            Kind::Declared(declared) => declared.to.field(&self.name),
            _ => field,
        }
    }

    /// The attributes that it may stand in: the one of its name, and for a path the one that it begins with.
    pub(super) fn attributes(&self) -> impl Iterator<Item = &str> {
        let holder = if self.kind.is_nested() { self.name.split('.').next() } else { None };
        std::iter::once(self.name.as_str()).chain(holder)
    }

    /// Its value in an item, if it has one that is not NULL.
    pub(super) fn value<'a>(&self, item: &'a Item) -> Option<&'a AttributeValue> {
        let whole = item.get(&self.name);
        let found = match whole {
            None if self.kind.is_nested() => {
                let mut parts = self.name.split('.');
                let first = item.get(parts.next()?)?;
                parts.try_fold(first, |value, part| value.as_m().ok()?.get(part))
            }
            whole => whole,
        };
        found.filter(|value| !value.is_null())
    }
}
