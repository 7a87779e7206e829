//! Conditions that DynamoDB decides exactly as SQL does.
//!
//! A [`Condition`] has no NOT: negation is moved to the columns, where a missing or NULL attribute makes either form
//! not true. What remains holds in DynamoDB exactly when it is true in SQL, so AND and OR need no third truth value.
//! An AND or OR has two parts at least, since DynamoDB refuses parentheses that it does not need.
//! [`Condition::holds`] decides it here, for accesses that take no filter; both must agree.

use super::Item;
use super::column::{Kind, Scalar};
use super::constant::Constant;
use crate::predicate::{Comparison, Predicate, Value};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// The constants of an IN that are shown; the others are counted.
const SHOWN_VALUES: usize = 20;

/// A comparison of a column with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Operator {
    /// `=`
    Eq,
    /// `<>`, for columns that have a value of the constant's type.
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
}

impl Operator {
    fn new(comparison: Comparison, negated: bool) -> Self {
        match (comparison, negated) {
            (Comparison::Eq, false) | (Comparison::NotEq, true) => Self::Eq,
            (Comparison::NotEq, false) | (Comparison::Eq, true) => Self::NotEq,
            (Comparison::Lt, false) | (Comparison::GtEq, true) => Self::Lt,
            (Comparison::LtEq, false) | (Comparison::Gt, true) => Self::LtEq,
            (Comparison::Gt, false) | (Comparison::LtEq, true) => Self::Gt,
            (Comparison::GtEq, false) | (Comparison::Lt, true) => Self::GtEq,
        }
    }

    /// As SQL and DynamoDB both write it.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
        }
    }

    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::NotEq => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::LtEq => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::GtEq => order.is_ge(),
        }
    }
}

/// A condition on an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Condition {
    /// A column compared with a constant.
    Compare {
        /// The column.
        column: String,
        /// How.
        operator: Operator,
        /// With what.
        value: Constant,
    },
    /// A column that has one of these values, or another value than all of them.
    In {
        /// The column.
        column: String,
        /// The constants, at least one, of one type; in order where they are more than are shown.
        values: Vec<Constant>,
        /// Whether it has another value.
        negated: bool,
    },
    /// Columns that together have the values of one of these rows.
    Rows {
        /// The columns, at least two.
        columns: Vec<String>,
        /// The rows, each once and in order.
        rows: Vec<Vec<Constant>>,
    },
    /// A text that begins so, or otherwise.
    Prefix {
        /// The column.
        column: String,
        /// The beginning.
        prefix: String,
        /// Whether it begins otherwise.
        negated: bool,
    },
    /// A column that is NULL, or is not.
    Null {
        /// The column.
        column: String,
        /// Whether it is not NULL.
        negated: bool,
    },
    /// A column whose attribute is of another type than DynamoDB compares as SQL does: whether it is kept is decided
    /// when its value is known.
    Other {
        /// The column.
        column: String,
        /// The type that it has not.
        than: Scalar,
    },
    /// All of these.
    And(Vec<Condition>),
    /// One of these.
    Or(Vec<Condition>),
}

impl Condition {
    /// The condition of a predicate over columns of known kinds; `None` when DynamoDB does not decide it as SQL does.
    /// Of columns that have values of several types it keeps all items whose attribute is of another.
    pub(super) fn new(predicate: &Predicate, kind: &dyn Fn(&str) -> Option<Kind>) -> Option<Self> {
        Self::build(predicate, kind, false)
    }

    fn build(predicate: &Predicate, kind: &dyn Fn(&str) -> Option<Kind>, negated: bool) -> Option<Self> {
        match predicate {
            Predicate::Compare { column, comparison, value } => {
                let (operator, value) =
                    match (Operator::new(*comparison, negated), Constant::new(kind(column)?, value)?) {
                        // Of two truth values, not the one is the other.
                        (Operator::NotEq, Constant::Boolean(truth)) => (Operator::Eq, Constant::Boolean(!truth)),
                        pair => pair,
                    };
                let decided = value.is_ordered() || operator == Operator::Eq;
                decided.then(|| Self::Compare { column: column.clone(), operator, value }.or_other(column, kind))
            }
            Predicate::In { column, values } => {
                let of = kind(column)?;
                let values = values.iter().map(|value| Constant::new(of, value)).collect::<Option<Vec<_>>>()?;
                if values.is_empty() {
                    return None;
                }
                Some(Self::one_of(column, values, negated).or_other(column, kind))
            }
            Predicate::InRows { columns, rows } => {
                let kinds = columns.iter().map(|column| kind(column).filter(|kind| !kind.is_mixed()));
                let kinds = kinds.collect::<Option<Vec<_>>>()?;
                let row = |row: &Vec<Value>| -> Option<Vec<Constant>> {
                    kinds.iter().zip(row).map(|(kind, value)| Constant::new(*kind, value)).collect()
                };
                let mut rows = rows.iter().map(row).collect::<Option<Vec<_>>>()?;
                rows.sort();
                rows.dedup();
                (!negated && !rows.is_empty()).then(|| Self::Rows { columns: columns.clone(), rows })
            }
            Predicate::Prefix { column, prefix } => (kind(column)?.compared() == Some(Scalar::S)).then(|| {
                let begins = Self::Prefix { column: column.clone(), prefix: prefix.clone(), negated };
                begins.or_other(column, kind)
            }),
            Predicate::IsNull(column) => Self::null(column, kind, negated),
            Predicate::IsNotNull(column) => Self::null(column, kind, !negated),
            Predicate::FullText { .. } => None,
            Predicate::Not(inner) => Self::build(inner, kind, !negated),
            Predicate::And(parts) | Predicate::Or(parts) => {
                let all = matches!(predicate, Predicate::And(_)) != negated;
                let parts = parts.iter().map(|part| Self::build(part, kind, negated)).collect::<Option<Vec<_>>>()?;
                (!parts.is_empty()).then(|| if all { Self::all(parts) } else { Self::any(parts) })
            }
        }
    }

    /// A missing attribute is NULL, but so may be one that does not fit.
    fn null(column: &str, kind: &dyn Fn(&str) -> Option<Kind>, negated: bool) -> Option<Self> {
        let known = kind(column)?;
        (negated || !known.hides_misfits()).then(|| Self::Null { column: column.to_owned(), negated })
    }

    /// This, or a value of another type than the one that it is about.
    fn or_other(self, column: &str, kind: &dyn Fn(&str) -> Option<Kind>) -> Self {
        match kind(column).filter(|kind| kind.is_mixed()).and_then(Kind::compared) {
            Some(than) => Self::Or(vec![self, Self::Other { column: column.to_owned(), than }]),
            None => self,
        }
    }

    /// Whether it is the whole condition, and not a weaker one.
    pub(super) fn is_exact(&self, kind: &dyn Fn(&str) -> Option<Kind>) -> bool {
        match self {
            Self::Other { .. } => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().all(|part| part.is_exact(kind)),
            one => one.columns().into_iter().all(|column| !kind(column).is_some_and(Kind::hides_misfits)),
        }
    }

    /// One of these values, or another one than all of them.
    fn one_of(column: &str, mut values: Vec<Constant>, negated: bool) -> Self {
        if values.len() > SHOWN_VALUES {
            // A list that is too long to be shown is searched.
            values.sort();
            values.dedup();
        }
        Self::In { column: column.to_owned(), values, negated }
    }

    fn all(parts: Vec<Self>) -> Self {
        let mut parts: Vec<Self> = parts.into_iter().flat_map(Self::conjuncts).collect();
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                Self::And(parts)
            }
        }
    }

    /// One of these; several values of one column are an IN, which a key can be looked up by.
    fn any(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let values = |part: &Self| match part {
            Self::Compare { column, operator: Operator::Eq, value } => Some((column.clone(), vec![value.clone()])),
            Self::In { column, values, negated: false } => Some((column.clone(), values.clone())),
            _ => None,
        };
        let lists: Option<Vec<_>> = parts.iter().map(values).collect();
        match lists {
            Some(lists) if lists.windows(2).all(|pair| pair[0].0 == pair[1].0) => {
                let column = lists[0].0.clone();
                Self::one_of(&column, lists.into_iter().flat_map(|(_, values)| values).collect(), false)
            }
            _ => Self::Or(parts),
        }
    }

    /// The conditions that this one joins by AND.
    pub(super) fn conjuncts(self) -> Vec<Self> {
        match self {
            Self::And(parts) => parts.into_iter().flat_map(Self::conjuncts).collect(),
            one => vec![one],
        }
    }

    /// Whether an item is kept.
    pub(super) fn holds(&self, item: &Item) -> bool {
        let attribute = |column: &String| item.get(column).filter(|value| !value.is_null());
        match self {
            Self::Compare { column, operator, value } => {
                let order = attribute(column).and_then(|attribute| value.order_of(attribute));
                order.is_some_and(|order| operator.accepts(order))
            }
            Self::In { column, values, negated } => attribute(column).and_then(Constant::of).is_some_and(|own| {
                let many = values.len() > SHOWN_VALUES;
                let found = if many { values.binary_search(&own).is_ok() } else { values.contains(&own) };
                // To values of another type it is neither equal nor unequal.
                values.first().is_some_and(|value| value.scalar() == own.scalar()) && found != *negated
            }),
            Self::Rows { columns, rows } => {
                let own = columns.iter().map(|column| attribute(column).and_then(Constant::of));
                own.collect::<Option<Vec<_>>>().is_some_and(|own| rows.binary_search(&own).is_ok())
            }
            Self::Prefix { column, prefix, negated } => match attribute(column) {
                Some(AttributeValue::S(text)) => text.starts_with(prefix.as_str()) != *negated,
                _ => false,
            },
            Self::Null { column, negated } => attribute(column).is_some() == *negated,
            Self::Other { column, than } => {
                attribute(column).is_some_and(|attribute| Scalar::has(attribute) != Some(*than))
            }
            Self::And(parts) => parts.iter().all(|part| part.holds(item)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(item)),
        }
    }

    /// The columns that it looks at, perhaps several times.
    pub(super) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Compare { column, .. }
            | Self::In { column, .. }
            | Self::Prefix { column, .. }
            | Self::Null { column, .. }
            | Self::Other { column, .. } => vec![column],
            Self::Rows { columns, .. } => columns.iter().map(String::as_str).collect(),
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::columns).collect(),
        }
    }

    /// Whether it is true only of items that have this attribute, not NULL.
    pub(super) fn requires(&self, name: &str) -> bool {
        match self {
            Self::Compare { column, .. }
            | Self::In { column, .. }
            | Self::Prefix { column, .. }
            | Self::Other { column, .. } => column == name,
            Self::Rows { columns, .. } => columns.iter().any(|column| column == name),
            Self::Null { column, negated } => *negated && column == name,
            Self::And(parts) => parts.iter().any(|part| part.requires(name)),
            Self::Or(parts) => parts.iter().all(|part| part.requires(name)),
        }
    }
}

/// As SQL writes it.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = |negated: &bool| if *negated { " NOT" } else { "" };
        match self {
            Self::Compare { column, operator, value } => write!(f, "{column} {} {value}", operator.symbol()),
            Self::In { column, values, negated } => {
                write!(f, "{column}{} IN ({})", not(negated), list(values))
            }
            Self::Rows { columns, rows } => write!(f, "({}) IN ({})", columns.join(", "), listed(rows)),
            Self::Prefix { column, prefix, negated } => {
                let pattern = prefix.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
                write!(f, "{column}{} LIKE '{}%'", not(negated), pattern.replace('\'', "''"))
            }
            Self::Null { column, negated } => write!(f, "{column} IS{} NULL", not(negated)),
            Self::Other { column, than } => write!(f, "{column} is no {}", than.name()),
            Self::And(parts) => f.write_str(&joined(parts, " AND ")),
            Self::Or(parts) => write!(f, "({})", joined(parts, " OR ")),
        }
    }
}

/// Conditions in a line.
pub(super) fn joined(conditions: &[Condition], word: &str) -> String {
    let texts: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    texts.join(word)
}

/// Constants in a line, the first of many.
pub(super) fn list(values: &[Constant]) -> String {
    let mut texts: Vec<String> = values.iter().take(SHOWN_VALUES).map(ToString::to_string).collect();
    if values.len() > SHOWN_VALUES {
        texts.push(format!("… {} values", values.len()));
    }
    texts.join(", ")
}

/// Rows of constants in a line, the first of many.
pub(super) fn listed(rows: &[Vec<Constant>]) -> String {
    let mut texts: Vec<String> = rows.iter().take(SHOWN_VALUES).map(|row| format!("({})", list(row))).collect();
    if rows.len() > SHOWN_VALUES {
        texts.push(format!("… {} rows", rows.len()));
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::predicate::{FullText, Value};

    fn kind(column: &str) -> Option<Kind> {
        match column {
            "s" => Some(Kind::Text),
            "n" => Some(Kind::Decimal(2)),
            "b" => Some(Kind::Boolean),
            "digits" => Some(Kind::Digits),
            "m" => Some(Kind::Super),
            _ => None,
        }
    }

    fn compare(column: &str, comparison: Comparison, value: Value) -> Predicate {
        Predicate::Compare { column: column.to_owned(), comparison, value }
    }

    fn text(predicate: Predicate) -> Option<String> {
        Condition::new(&predicate, &kind).map(|condition| condition.to_string())
    }

    #[test]
    fn only_what_both_decide_alike_is_a_condition() {
        let not = |inner| Predicate::Not(Box::new(inner));
        let int = Value::Integer;
        let s = |comparison| compare("s", comparison, Value::Text("it's".to_owned()));
        for (predicate, expected) in [
            (s(Comparison::Lt), Some("s < 'it''s'")),
            (not(s(Comparison::Eq)), Some("s <> 'it''s'")),
            (compare("s", Comparison::Eq, int(1)), None),
            (compare("n", Comparison::GtEq, Value::Decimal(150, 2)), Some("n >= 1.5")),
            (compare("n", Comparison::Eq, Value::Float(1.5)), None),
            (compare("b", Comparison::NotEq, Value::Boolean(true)), Some("b = false")),
            (compare("b", Comparison::Lt, Value::Boolean(true)), None),
            (compare("digits", Comparison::Eq, Value::Text("1".to_owned())), None),
            (compare("m", Comparison::Eq, Value::Text("1".to_owned())), None),
            (compare("unseen", Comparison::Eq, int(1)), None),
            (not(Predicate::IsNull("m".to_owned())), Some("m IS NOT NULL")),
            (Predicate::FullText { kind: FullText::Match, column: None, text: String::new() }, None),
            (
                not(Predicate::Or(vec![compare("n", Comparison::Lt, int(1)), Predicate::IsNull("s".to_owned())])),
                Some("n >= 1 AND s IS NOT NULL"),
            ),
            (
                Predicate::Or(vec![compare("n", Comparison::Eq, int(1)), compare("n", Comparison::Eq, int(2))]),
                Some("n IN (1, 2)"),
            ),
            (Predicate::Or(vec![compare("n", Comparison::Eq, int(1)), compare("m", Comparison::Eq, int(2))]), None),
            (not(Predicate::Prefix { column: "s".to_owned(), prefix: "5%".to_owned() }), Some("s NOT LIKE '5\\%%'")),
        ] {
            assert_eq!(text(predicate.clone()).as_deref(), expected, "{predicate:?}");
        }
    }

    #[test]
    fn rows_of_several_columns_are_a_condition_where_each_column_is_compared() {
        let rows = |columns: [&str; 2], rows: &[(&str, i64)]| Predicate::InRows {
            columns: columns.map(str::to_owned).to_vec(),
            rows: rows.iter().map(|(s, n)| vec![Value::Text((*s).to_owned()), Value::Integer(*n)]).collect(),
        };
        let asked = || rows(["s", "n"], &[("b", 2), ("a", 1), ("b", 2)]);
        assert_eq!(text(asked()).as_deref(), Some("(s, n) IN (('a', 1), ('b', 2))"));
        for none in [
            rows(["s", "m"], &[("a", 1)]),
            rows(["s", "unseen"], &[("a", 1)]),
            rows(["n", "s"], &[("a", 1)]),
            rows(["s", "n"], &[]),
            Predicate::Not(Box::new(asked())),
        ] {
            assert_eq!(text(none.clone()), None, "{none:?}");
        }
        let condition = Condition::new(&asked(), &kind).unwrap();
        let holds = |s: AttributeValue, n: &str| {
            let n = AttributeValue::N(n.to_owned());
            condition.holds(&[("s".to_owned(), s), ("n".to_owned(), n)].into_iter().collect())
        };
        let s = |text: &str| AttributeValue::S(text.to_owned());
        assert!(holds(s("a"), "1.0") && holds(s("b"), "2"));
        assert!(!holds(s("a"), "2") && !holds(s("c"), "1") && !holds(AttributeValue::Null(true), "1"));
    }

    /// What a list that is too long to be looked through decides is what a short one does.
    #[test]
    fn long_lists_are_searched() {
        let values = |negated| {
            let list = Predicate::In { column: "n".to_owned(), values: (0..1000).rev().map(Value::Integer).collect() };
            Condition::new(&if negated { Predicate::Not(Box::new(list)) } else { list }, &kind).unwrap()
        };
        for (attribute, within, without) in [
            (AttributeValue::N("7.00".to_owned()), true, false),
            (AttributeValue::N("7.5".to_owned()), false, true),
            (AttributeValue::N("1000".to_owned()), false, true),
            (AttributeValue::S("7".to_owned()), false, false),
            (AttributeValue::Null(true), false, false),
        ] {
            let item = [("n".to_owned(), attribute.clone())].into_iter().collect();
            assert_eq!((values(false).holds(&item), values(true).holds(&item)), (within, without), "{attribute:?}");
        }
    }

    /// PostgreSQL's answers for a table of these rows; NULL is not kept.
    #[test]
    fn items_are_kept_as_in_sql() {
        let item = |attributes: &[(&str, AttributeValue)]| -> Item {
            attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        let items = [
            item(&[("n", AttributeValue::N("1".to_owned())), ("s", AttributeValue::S("ab".to_owned()))]),
            item(&[("n", AttributeValue::N("2.50".to_owned())), ("s", AttributeValue::Null(true))]),
            item(&[("s", AttributeValue::S("b".to_owned()))]),
        ];
        let kept = |predicate: Predicate| {
            let condition = Condition::new(&predicate, &kind).unwrap();
            items.iter().map(|item| u8::from(condition.holds(item)).to_string()).collect::<String>()
        };
        let not = |inner| Predicate::Not(Box::new(inner));
        let one_of = || Predicate::In { column: "n".to_owned(), values: vec![Value::Integer(1), Value::Integer(7)] };
        let begins = || Predicate::Prefix { column: "s".to_owned(), prefix: "a".to_owned() };
        assert_eq!(kept(compare("n", Comparison::Eq, Value::Decimal(25, 1))), "010");
        assert_eq!(kept(compare("n", Comparison::NotEq, Value::Integer(1))), "010");
        assert_eq!(kept(one_of()), "100");
        assert_eq!(kept(not(one_of())), "010");
        assert_eq!(kept(begins()), "100");
        assert_eq!(kept(not(begins())), "001");
        assert_eq!(kept(Predicate::IsNull("s".to_owned())), "010");
        assert_eq!(kept(Predicate::IsNotNull("n".to_owned())), "110");
        assert_eq!(kept(Predicate::Or(vec![begins(), Predicate::IsNull("n".to_owned())])), "101");
    }
}
