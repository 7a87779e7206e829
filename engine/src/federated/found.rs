//! What a join finds out of the rows that it wants while the query runs, as conditions for the system: keys are looked up
//! instead of a whole table being read.
//!
//! Nothing waits for it: what is known when the first row is asked for is used, which is all of it where the join has
//! its other side in memory. The join decides again, so a weaker condition is right and an unknown one is left out.
//!
//! DataFusion gives a join's keys as a list: of values, or of rows (`struct`) where the join is on several columns. A join
//! in partitions gives a list for each, chosen by a CASE; a row that is wanted satisfies one of them, so that together
//! they are one list. A join without rows wants nothing (`false`), and then nothing is asked.

use super::table::ForeignTable;
use super::value::{is_lossless, of_scalar};
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, CaseExpr, Column, InListExpr, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_common::physical_expr::snapshot_physical_expr;
use millrace_connectors::{Comparison, Predicate, Pushdown, SUPER_METADATA, Value};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

/// The most keys that are looked up; of more only the bounds are asked for. They are a hundred requests of DynamoDB's
/// `BatchGetItem` and cost what a scan of 40 MB does, within the 65,536 terms that a search index takes, and some megabytes
/// of memory here.
pub(crate) const MOST_KEYS: usize = 10_000;

/// The function that DataFusion makes rows of several columns by.
const ROW: &str = "struct";

/// The conditions that filters over columns of `schema` are at this moment, those that the table's system takes; `None`
/// where no row is wanted.
pub(super) fn taken(
    filters: &[Arc<dyn PhysicalExpr>],
    schema: &Schema,
    table: &ForeignTable,
) -> Result<Option<Vec<Predicate>>> {
    let reader = Reader { schema, table };
    let mut facts = Vec::new();
    for filter in filters {
        match reader.read(&snapshot_physical_expr(Arc::clone(filter))?) {
            Found::Nothing => return Ok(None),
            Found::Facts(more) => facts.extend(more),
        }
    }
    let takes = |predicate: &Predicate| {
        let answers = table.connector().pushdown(&table.name, std::slice::from_ref(predicate));
        answers.first().is_some_and(|answer| *answer != Pushdown::Unsupported)
    };
    Ok(Some(facts.iter().flat_map(|fact| fact.taken(&takes)).collect()))
}

/// What a filter says.
#[derive(Debug, Clone, PartialEq)]
enum Found {
    /// No row satisfies it.
    Nothing,
    /// All of these, and perhaps more that is not understood.
    Facts(Vec<Fact>),
}

/// What is known of wanted rows.
#[derive(Debug, Clone, PartialEq)]
struct Fact {
    /// The columns, as their system calls them.
    columns: Vec<String>,
    says: Says,
}

#[derive(Debug, Clone, PartialEq)]
enum Says {
    /// The one column compares so.
    Bound(Comparison, ScalarValue),
    /// The columns have the values of one of these rows, none of which is NULL.
    Rows(Vec<Vec<ScalarValue>>),
}

impl Fact {
    /// What is known of rows of which either is.
    fn either(&self, other: &Self) -> Option<Self> {
        if self.columns != other.columns {
            return None;
        }
        let says = match (&self.says, &other.says) {
            (Says::Rows(one), Says::Rows(two)) => Says::Rows([one.as_slice(), two.as_slice()].concat()),
            (Says::Bound(comparison, one), Says::Bound(same, two)) if comparison == same => {
                let weaker = match comparison {
                    Comparison::Lt | Comparison::LtEq => Ordering::Greater,
                    Comparison::Gt | Comparison::GtEq => Ordering::Less,
                    Comparison::Eq | Comparison::NotEq => return None,
                };
                let value = if one.partial_cmp(two)? == weaker { one } else { two };
                Says::Bound(*comparison, value.clone())
            }
            _ => return None,
        };
        Some(Self { columns: self.columns.clone(), says })
    }

    /// What the system takes of it. Rows of several columns that it does not look up, or that are too many, are asked for
    /// by the values of each column.
    fn taken(&self, takes: &dyn Fn(&Predicate) -> bool) -> Vec<Predicate> {
        match self.predicate().filter(takes) {
            Some(predicate) => vec![predicate],
            None if self.columns.len() > 1 => self.by_column().into_iter().filter(takes).collect(),
            None => Vec::new(),
        }
    }

    /// The condition; none of a list that is too long, or of a constant that has no exact counterpart.
    fn predicate(&self) -> Option<Predicate> {
        let rows = match &self.says {
            Says::Bound(comparison, value) => {
                let (column, comparison) = (self.columns.first()?.clone(), *comparison);
                return Some(Predicate::Compare { column, comparison, value: of_scalar(value)? });
            }
            Says::Rows(rows) => rows,
        };
        if let [_] = self.columns.as_slice() {
            return self.by_column().pop();
        }
        let rows = constants(rows.iter().map(Vec::as_slice))?;
        Some(Predicate::InRows { columns: self.columns.clone(), rows })
    }

    /// What a list says of each column by itself.
    fn by_column(&self) -> Vec<Predicate> {
        let Says::Rows(rows) = &self.says else { return Vec::new() };
        let list = |(at, column): (usize, &String)| {
            let values = constants(rows.iter().filter_map(|row| row.get(at..=at)))?;
            Some(Predicate::In { column: column.clone(), values: values.concat() })
        };
        self.columns.iter().enumerate().filter_map(list).collect()
    }
}

/// Rows of constants, each once; `None` when they are too many, or when one has no exact counterpart.
fn constants<'a>(rows: impl Iterator<Item = &'a [ScalarValue]>) -> Option<Vec<Vec<Value>>> {
    let mut seen = HashSet::new();
    let rows: Vec<_> = rows.filter(|row| seen.insert(*row)).take(MOST_KEYS + 1).collect();
    if rows.len() > MOST_KEYS {
        return None;
    }
    rows.into_iter().map(|row| row.iter().map(of_scalar).collect()).collect()
}

/// Reads filters over a scan's columns.
struct Reader<'a> {
    schema: &'a Schema,
    table: &'a ForeignTable,
}

impl Reader<'_> {
    fn read(&self, filter: &Arc<dyn PhysicalExpr>) -> Found {
        if let Some(constant) = literal(filter) {
            // A condition that is NULL keeps no row either.
            let keeps = !matches!(constant, ScalarValue::Boolean(Some(false) | None) | ScalarValue::Null);
            return if keeps { Found::Facts(Vec::new()) } else { Found::Nothing };
        }
        if let Some(binary) = filter.downcast_ref::<BinaryExpr>() {
            return match binary.op() {
                Operator::And => match (self.read(binary.left()), self.read(binary.right())) {
                    (Found::Facts(mut one), Found::Facts(two)) => {
                        one.extend(two);
                        Found::Facts(one)
                    }
                    _ => Found::Nothing,
                },
                Operator::Or => any([self.read(binary.left()), self.read(binary.right())].into_iter()),
                _ => Found::Facts(self.bound(binary).into_iter().collect()),
            };
        }
        if let Some(case) = filter.downcast_ref::<CaseExpr>() {
            let branches = case.when_then_expr().iter().map(|(_, then)| then).chain(case.else_expr());
            return any(branches.map(|branch| self.read(branch)));
        }
        let list = filter.downcast_ref::<InListExpr>().and_then(|list| self.list(list));
        list.unwrap_or_else(|| Found::Facts(Vec::new()))
    }

    fn bound(&self, binary: &BinaryExpr) -> Option<Fact> {
        let comparison = match binary.op() {
            Operator::Eq => Comparison::Eq,
            Operator::Lt => Comparison::Lt,
            Operator::LtEq => Comparison::LtEq,
            Operator::Gt => Comparison::Gt,
            Operator::GtEq => Comparison::GtEq,
            _ => return None,
        };
        let value = literal(binary.right())?;
        let column = self.column(binary.left(), &value.data_type())?;
        Some(Fact { columns: vec![column], says: Says::Bound(comparison, value.clone()) })
    }

    /// A list of values, or of rows; of rows the columns that are the system's own.
    fn list(&self, list: &InListExpr) -> Option<Found> {
        if list.negated() {
            return None;
        }
        let given = list.list().iter().map(literal).collect::<Option<Vec<_>>>()?;
        let (parts, rows) = match list.expr().downcast_ref::<ScalarFunctionExpr>() {
            Some(row) if row.fun().name() == ROW => {
                (row.args(), given.into_iter().map(fields).collect::<Option<Vec<_>>>()?)
            }
            _ => (std::slice::from_ref(list.expr()), given.into_iter().map(|value| vec![value.clone()]).collect()),
        };
        let types: Vec<DataType> = rows.first()?.iter().map(ScalarValue::data_type).collect();
        let (mut places, mut columns) = (Vec::new(), Vec::new());
        for (at, part) in parts.iter().enumerate() {
            if let Some(column) = self.column(part, types.get(at)?).filter(|column| !columns.contains(column)) {
                places.push(at);
                columns.push(column);
            }
        }
        if columns.is_empty() {
            return None;
        }
        let kept = |row: Vec<ScalarValue>| -> Option<Vec<ScalarValue>> {
            // A NULL is equal to nothing.
            places.iter().map(|at| row.get(*at).filter(|value| !value.is_null()).cloned()).collect()
        };
        let rows: Vec<_> = rows.into_iter().filter_map(kept).collect();
        if rows.is_empty() {
            return Some(Found::Nothing);
        }
        Some(Found::Facts(vec![Fact { columns, says: Says::Rows(rows) }]))
    }

    /// A column, as its system calls it, that is compared with values of a type.
    fn column(&self, expr: &Arc<dyn PhysicalExpr>, with: &DataType) -> Option<String> {
        let column = expr.downcast_ref::<Column>()?;
        let seen = self.schema.fields().get(column.index()).filter(|field| field.name() == column.name())?;
        let (name, field) = self.table.column(seen.name())?;
        let is_compared = !field.metadata().contains_key(SUPER_METADATA) && is_lossless(field.data_type(), with);
        is_compared.then(|| name.to_owned())
    }
}

/// What is known of rows that satisfy one of several filters.
fn any(branches: impl Iterator<Item = Found>) -> Found {
    let mut facts = branches.filter_map(|found| match found {
        Found::Nothing => None,
        Found::Facts(facts) => Some(facts),
    });
    let Some(first) = facts.next() else { return Found::Nothing };
    let common = facts.fold(first, |common, other| {
        common.iter().filter_map(|fact| other.iter().find_map(|also| fact.either(also))).collect()
    });
    Found::Facts(common)
}

fn literal(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expr.downcast_ref::<Literal>().map(Literal::value)
}

/// The values of a row of several columns; those of one that is NULL are NULL.
fn fields(row: &ScalarValue) -> Option<Vec<ScalarValue>> {
    let ScalarValue::Struct(row) = row else { return None };
    let field = |column: &ArrayRef| {
        if row.is_null(0) {
            ScalarValue::try_new_null(column.data_type())
        } else {
            ScalarValue::try_from_array(column, 0)
        }
    };
    row.columns().iter().map(field).collect::<Result<_>>().ok()
}

#[cfg(test)]
mod tests;
