//! DynamoDB's expressions: conditions and columns with placeholders for all names and values.
//!
//! Names never stand in an expression themselves, since several hundred words are reserved and any character may be
//! part of one.

use super::condition::{Condition, Operator};
use super::constant::Constant;
use super::plan::{Range, Slice};
use super::table::Keys;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

/// The longest expression in bytes.
const EXPRESSION_BYTES: usize = 4096;

/// The most operators and functions of a filter, of the 300 that are allowed.
const OPERATORS: usize = 280;

/// The most bytes of the constants of a filter, of the 2 MB that are allowed.
const VALUE_BYTES: usize = 1 << 20;

/// The most values of one IN.
const IN_VALUES: usize = 100;

/// Expressions of one request and what their placeholders stand for.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    names: Vec<String>,
    values: HashMap<String, AttributeValue>,
}

impl Expressions {
    /// The names by their placeholders; `None` when there are none, since an empty list is refused.
    pub(super) fn names(&self) -> Option<HashMap<String, String>> {
        let names = self.names.iter().enumerate().map(|(at, name)| (format!("#n{at}"), name.clone()));
        (!self.names.is_empty()).then(|| names.collect())
    }

    /// The values by their placeholders; `None` when there are none.
    pub(super) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }

    fn name(&mut self, name: &str) -> String {
        let at = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        format!("#n{at}")
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// Items of one partition, perhaps of a part of it.
    pub(super) fn key_condition(&mut self, keys: &Keys, range: &Range) -> String {
        let partition = self.name(&keys.partition);
        let partition = format!("{partition} = {}", self.value(range.partition.attribute()));
        let (Some(sort), Some(slice)) = (&keys.sort, &range.slice) else { return partition };
        let sort = self.name(sort);
        let slice = match slice {
            Slice::Compare(operator, value) => {
                format!("{sort} {} {}", operator.symbol(), self.value(value.attribute()))
            }
            Slice::Between(low, high) => {
                let (low, high) = (self.value(low.attribute()), self.value(high.attribute()));
                format!("{sort} BETWEEN {low} AND {high}")
            }
            Slice::Prefix(prefix) => {
                format!("begins_with({sort}, {})", self.value(AttributeValue::S(prefix.clone())))
            }
        };
        format!("{partition} AND {slice}")
    }

    /// A filter of all of these; `None` for none.
    pub(super) fn filter(&mut self, conditions: &[Condition]) -> Option<String> {
        (!conditions.is_empty()).then(|| self.joined(conditions, " AND "))
    }

    /// The attributes that shall come, each once; `None` for none of them, or when they would be too long to name.
    pub(super) fn projection<'a>(&mut self, columns: impl Iterator<Item = &'a str>) -> Option<String> {
        let known = self.names.len();
        let mut placeholders: Vec<String> = Vec::new();
        for column in columns {
            let placeholder = self.name(column);
            if !placeholders.contains(&placeholder) {
                placeholders.push(placeholder);
            }
        }
        let text = placeholders.join(",");
        if text.is_empty() || text.len() > EXPRESSION_BYTES {
            self.names.truncate(known);
            return None;
        }
        Some(text)
    }

    fn joined(&mut self, conditions: &[Condition], word: &str) -> String {
        let texts: Vec<String> = conditions.iter().map(|condition| self.condition(condition)).collect();
        texts.join(word)
    }

    /// A condition that holds in DynamoDB when it is true in SQL. Negations ask for the type as well, because DynamoDB
    /// finds a missing attribute, and one of another type, unequal to everything.
    fn condition(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Compare { column, operator, value } => {
                let name = self.name(column);
                let placeholder = self.value(value.attribute());
                let compared = format!("{name} {} {placeholder}", operator.symbol());
                match operator {
                    Operator::NotEq => self.of_type(&name, value.scalar().name(), &compared),
                    _ => compared,
                }
            }
            Condition::In { column, values, negated } => {
                let name = self.name(column);
                let lists: Vec<String> = values.chunks(IN_VALUES).map(|values| self.list(&name, values)).collect();
                let listed = format!("({})", lists.join(" OR "));
                match (negated, values.first()) {
                    (true, Some(value)) => self.of_type(&name, value.scalar().name(), &format!("NOT {listed}")),
                    _ => listed,
                }
            }
            Condition::Rows { columns, rows } => {
                let rows: Vec<String> = rows.iter().map(|row| self.row(columns, row)).collect();
                if rows.len() == 1 { rows.concat() } else { format!("({})", rows.join(" OR ")) }
            }
            Condition::Prefix { column, prefix, negated } => {
                let name = self.name(column);
                let placeholder = self.value(AttributeValue::S(prefix.clone()));
                let begins = format!("begins_with({name}, {placeholder})");
                if *negated { self.of_type(&name, "S", &format!("NOT {begins}")) } else { begins }
            }
            Condition::Null { column, negated } => {
                let name = self.name(column);
                let null = self.value(AttributeValue::S("NULL".to_owned()));
                if *negated {
                    format!("(attribute_exists({name}) AND NOT attribute_type({name}, {null}))")
                } else {
                    format!("(attribute_not_exists({name}) OR attribute_type({name}, {null}))")
                }
            }
            Condition::Other { column, than } => {
                let name = self.name(column);
                let than = self.value(AttributeValue::S(than.name().to_owned()));
                let null = self.value(AttributeValue::S("NULL".to_owned()));
                format!(
                    "(attribute_exists({name}) AND NOT attribute_type({name}, {than}) AND NOT attribute_type({name}, {null}))"
                )
            }
            Condition::And(parts) => format!("({})", self.joined(parts, " AND ")),
            Condition::Or(parts) => format!("({})", self.joined(parts, " OR ")),
        }
    }

    fn of_type(&mut self, name: &str, type_name: &str, condition: &str) -> String {
        let type_name = self.value(AttributeValue::S(type_name.to_owned()));
        format!("(attribute_type({name}, {type_name}) AND {condition})")
    }

    /// Columns that together have these values.
    fn row(&mut self, columns: &[String], values: &[Constant]) -> String {
        let equal = columns.iter().zip(values).map(|(column, value)| {
            let name = self.name(column);
            format!("{name} = {}", self.value(value.attribute()))
        });
        format!("({})", equal.collect::<Vec<_>>().join(" AND "))
    }

    fn list(&mut self, name: &str, values: &[Constant]) -> String {
        let placeholders: Vec<String> = values.iter().map(|value| self.value(value.attribute())).collect();
        format!("{name} IN ({})", placeholders.join(","))
    }
}

/// What a filter may still grow by.
#[derive(Debug)]
pub(super) struct Room {
    bytes: usize,
    operators: usize,
    value_bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { bytes: EXPRESSION_BYTES - 96, operators: OPERATORS, value_bytes: VALUE_BYTES }
    }
}

impl Room {
    /// Whether the condition fits, too; then it takes its place.
    pub(super) fn take(&mut self, condition: &Condition) -> bool {
        let (bytes, operators, value_bytes) = size(condition);
        let fits = bytes <= self.bytes && operators <= self.operators && value_bytes <= self.value_bytes;
        if fits {
            self.bytes -= bytes;
            self.operators -= operators;
            self.value_bytes -= value_bytes;
        }
        fits
    }
}

/// At most the bytes, the operators and the values' bytes of a condition. A placeholder has up to 6 bytes.
fn size(condition: &Condition) -> (usize, usize, usize) {
    match condition {
        Condition::Compare { value, .. } => (70, 4, value.len()),
        Condition::In { values, .. } => {
            let lists = values.len().div_ceil(IN_VALUES);
            let bytes = values.iter().map(Constant::len).sum();
            (60 + lists * 16 + values.len() * 7, 4 + lists * 2, bytes)
        }
        Condition::Rows { columns, rows } => {
            let compared = columns.len() * rows.len();
            (2 + compared * 24 + rows.len() * 6, 4 + compared * 2, rows.iter().flatten().map(Constant::len).sum())
        }
        Condition::Prefix { prefix, .. } => (80, 5, prefix.len()),
        Condition::Null { .. } => (80, 5, 4),
        Condition::Other { .. } => (120, 8, 8),
        Condition::And(parts) | Condition::Or(parts) => {
            parts.iter().map(size).fold((2, 0, 0), |sum, part| (sum.0 + part.0 + 5, sum.1 + part.1 + 1, sum.2 + part.2))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dynamodb::column::Scalar;
    use crate::number::Number;

    fn text(text: &str) -> Constant {
        Constant::Text(text.to_owned())
    }

    fn compare(column: &str, operator: Operator, value: Constant) -> Condition {
        Condition::Compare { column: column.to_owned(), operator, value }
    }

    #[test]
    fn names_and_values_are_placeholders() {
        let mut expressions = Expressions::default();
        let keys = Keys { partition: "name".to_owned(), sort: Some("a.b".to_owned()) };
        let number = |text: &str| Constant::Number(Number::parse(text).unwrap());
        let range = Range { partition: text("x"), slice: Some(Slice::Between(number("1"), number("9"))) };
        assert_eq!(expressions.key_condition(&keys, &range), "#n0 = :v0 AND #n1 BETWEEN :v1 AND :v2");
        let conditions = [
            compare("status", Operator::NotEq, text("open")),
            Condition::In { column: "status".to_owned(), values: vec![text("a"), text("b")], negated: false },
            Condition::Null { column: "size".to_owned(), negated: true },
            Condition::Rows {
                columns: vec!["status".to_owned(), "size".to_owned()],
                rows: vec![vec![text("c"), number("1")], vec![text("d"), number("2")]],
            },
        ];
        assert_eq!(
            expressions.filter(&conditions).unwrap(),
            "(attribute_type(#n2, :v4) AND #n2 <> :v3) AND (#n2 IN (:v5,:v6)) AND (attribute_exists(#n3) AND NOT \
             attribute_type(#n3, :v7)) AND ((#n2 = :v8 AND #n3 = :v9) OR (#n2 = :v10 AND #n3 = :v11))"
        );
        assert_eq!(expressions.projection(["size", "name", "size"].into_iter()).unwrap(), "#n3,#n0");
        let names = expressions.names().unwrap();
        assert_eq!((names["#n1"].as_str(), names.len()), ("a.b", 4));
        assert_eq!(expressions.values().unwrap()[":v4"], AttributeValue::S("S".to_owned()));
    }

    #[test]
    fn long_lists_are_cut_and_long_filters_end() {
        let values = |count: usize| (0..count).map(|value| text(&value.to_string())).collect::<Vec<_>>();
        let listed = |count: usize, negated| Condition::In { column: "a".to_owned(), values: values(count), negated };
        let filter = Expressions::default().filter(&[listed(250, true)]).unwrap();
        assert_eq!(filter.matches(" IN (").count(), 3);
        let mut room = Room::default();
        assert!(room.take(&listed(250, true)));
        assert!(room.take(&listed(250, false)));
        assert!(!room.take(&listed(250, false)));
        assert!(!Room::default().take(&compare("a", Operator::Eq, text(&"x".repeat(VALUE_BYTES + 1)))));
    }

    /// What is said of a condition's size is no less than what it takes.
    #[test]
    fn sizes_are_upper_bounds() {
        let values: Vec<Constant> = (0..100).map(|value| text(&value.to_string())).collect();
        let parts = vec![
            compare("a", Operator::NotEq, text("x")),
            Condition::In { column: "a".to_owned(), values, negated: true },
            Condition::Rows {
                columns: vec!["a".to_owned(), "b".to_owned()],
                rows: (0..40).map(|value| vec![text(&value.to_string()), text("x")]).collect(),
            },
            Condition::Prefix { column: "a".to_owned(), prefix: "p".to_owned(), negated: true },
            Condition::Null { column: "a".to_owned(), negated: false },
            Condition::Other { column: "a".to_owned(), than: Scalar::Bool },
        ];
        let condition = Condition::Or(parts);
        let mut expressions = Expressions::default();
        for at in 0..999 {
            expressions.value(AttributeValue::N(at.to_string()));
        }
        assert!(expressions.filter(std::slice::from_ref(&condition)).unwrap().len() <= size(&condition).0);
    }

    #[test]
    fn too_many_columns_are_not_named() {
        let columns: Vec<String> = (0..1000).map(|at| format!("c{at}")).collect();
        let mut expressions = Expressions::default();
        assert_eq!(expressions.projection(columns.iter().map(String::as_str)), None);
        assert_eq!(expressions.names(), None);
    }
}
