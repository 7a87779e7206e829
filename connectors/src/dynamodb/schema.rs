//! Kinds of columns from a sample of items.
//!
//! One type of attribute gives its kind, several give SUPER; NULL says nothing. Numbers are `bigint` when all of the
//! sample are whole and fit, else `decimal(38,s)` with the largest scale of the sample when the digits before and after
//! the point fit together, else text with all digits. A key that no item of the sample has is of its declared type, a
//! number then `bigint`.

use super::Item;
use super::column::Kind;
use crate::number::Number;
use aws_sdk_dynamodb::types::{AttributeValue, ScalarAttributeType};
use std::collections::BTreeMap;

/// The digits of Arrow's and SQL's decimals.
const DECIMAL_DIGITS: usize = 38;

/// What a sample of items shows of their attributes.
#[derive(Debug, Default)]
pub(super) struct Sample {
    attributes: BTreeMap<String, Seen>,
}

/// The attributes of one name.
#[derive(Debug, Default)]
struct Seen {
    text: bool,
    number: bool,
    binary: bool,
    boolean: bool,
    /// Maps, lists, sets, and what is not known.
    other: bool,
    /// Numbers that are no `bigint`.
    wide: bool,
    /// The most digits before the point.
    whole: usize,
    /// The most digits after it.
    scale: usize,
}

impl Sample {
    /// Looks at an item.
    pub(super) fn add(&mut self, item: &Item) {
        for (name, value) in item {
            if let Some(seen) = self.attributes.get_mut(name) {
                seen.add(value);
            } else {
                let mut seen = Seen::default();
                seen.add(value);
                self.attributes.insert(name.clone(), seen);
            }
        }
    }

    /// The attributes that were seen.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().map(String::as_str)
    }

    /// The kind of a column, of a type when it is declared as part of a key.
    pub(super) fn kind(&self, name: &str, declared: Option<&ScalarAttributeType>) -> Kind {
        let none = Seen::default();
        let seen = self.attributes.get(name).unwrap_or(&none);
        let declared_as = |kind: ScalarAttributeType| declared == Some(&kind);
        let types = [
            (seen.text || declared_as(ScalarAttributeType::S), Kind::Text),
            (seen.number || declared_as(ScalarAttributeType::N), seen.numbers()),
            (seen.binary || declared_as(ScalarAttributeType::B), Kind::Binary),
            (seen.boolean, Kind::Boolean),
            (seen.other, Kind::Super),
        ];
        let mut kinds = types.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind);
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => kind,
            _ => Kind::Super,
        }
    }
}

impl Seen {
    fn add(&mut self, value: &AttributeValue) {
        match value {
            AttributeValue::S(_) => self.text = true,
            AttributeValue::N(text) => {
                self.number = true;
                match Number::parse(text) {
                    Some(number) => {
                        self.wide |= number.integer().is_none();
                        self.whole = self.whole.max(number.whole_digits());
                        self.scale = self.scale.max(number.scale());
                    }
                    None => self.other = true,
                }
            }
            AttributeValue::B(_) => self.binary = true,
            AttributeValue::Bool(_) => self.boolean = true,
            AttributeValue::Null(_) => {}
            _ => self.other = true,
        }
    }

    fn numbers(&self) -> Kind {
        if !self.wide {
            Kind::Integer
        } else if self.whole + self.scale <= DECIMAL_DIGITS {
            Kind::Decimal(self.scale as u8)
        } else {
            Kind::Digits
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> AttributeValue {
        AttributeValue::N(text.to_owned())
    }

    fn kind(values: &[AttributeValue]) -> Kind {
        let mut sample = Sample::default();
        for value in values {
            sample.add(&Item::from([("a".to_owned(), value.clone())]));
        }
        sample.kind("a", None)
    }

    #[test]
    fn numbers_get_the_narrowest_exact_type() {
        assert_eq!(kind(&[n("1"), n("-9223372036854775808")]), Kind::Integer);
        assert_eq!(kind(&[n("1"), n("9223372036854775808")]), Kind::Decimal(0));
        assert_eq!(kind(&[n("1"), n("2.50"), n("0.125")]), Kind::Decimal(3));
        assert_eq!(kind(&[n("99999999999999999999999999999999999999")]), Kind::Decimal(0));
        assert_eq!(kind(&[n("99999999999999999999999999999999999999"), n("0.1")]), Kind::Digits);
        assert_eq!(kind(&[n("1E+100")]), Kind::Digits);
        assert_eq!(kind(&[n("1E-130")]), Kind::Digits);
    }

    #[test]
    fn one_type_is_kept_and_several_are_super() {
        let s = || AttributeValue::S("x".to_owned());
        assert_eq!(kind(&[s(), AttributeValue::Null(true)]), Kind::Text);
        assert_eq!(kind(&[AttributeValue::Bool(true)]), Kind::Boolean);
        assert_eq!(kind(&[s(), n("1")]), Kind::Super);
        assert_eq!(kind(&[AttributeValue::Null(true)]), Kind::Super);
        assert_eq!(kind(&[AttributeValue::Ss(vec!["x".to_owned()])]), Kind::Super);
        assert_eq!(Sample::default().kind("k", Some(&ScalarAttributeType::N)), Kind::Integer);
        assert_eq!(Sample::default().kind("k", Some(&ScalarAttributeType::S)), Kind::Text);
    }
}
