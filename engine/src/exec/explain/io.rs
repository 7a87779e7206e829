//! Athena's `EXPLAIN (TYPE IO, FORMAT JSON)`: the tables that a statement reads, what it wants of their columns, and the
//! table that it writes, with the keys of Trino's documentation.
//!
//! A column's domain is read from conditions that compare it with constants; other conditions narrow nothing. Where one
//! column has several such conditions each is told as far as one range goes. What is not estimated is `"NaN"`.

use super::step::{Part, Step};
use super::{Planned, Steps};
use crate::error::Result;
use crate::plan;
use crate::session::Context;
use crate::system::DATABASE;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};
use serde_json::{Value, json};
use std::cmp::Ordering;

/// The name of what holds all schemas, as Athena calls it.
const CATALOG: &str = "awsdatacatalog";

/// The text, in one line of a result.
pub(super) fn text(context: &Context, plans: &[Planned], steps: &Steps, target: Option<String>) -> Result<String> {
    let mut wanted = Vec::new();
    for planned in plans {
        let optimized = plan::with_room(|| context.state().optimize(&planned.logical))?;
        plan::with_room(|| scans(&optimized, &[], &mut wanted))?;
    }
    let mut read = Vec::new();
    for part in &steps.parts {
        leaves(&part.root, &mut read);
    }
    let database = context.path().first().map_or(DATABASE, String::as_str);
    let inputs: Vec<Value> = read
        .into_iter()
        .map(|(name, step)| {
            let bare = name.rsplit('.').next().unwrap_or(name);
            let found = wanted.iter().position(|scan| scan.table == bare);
            let constraints = found.map(|at| wanted.remove(at).columns).unwrap_or_default();
            json!({"table": table(name, database), "columnConstraints": constraints, "estimate": estimate(step)})
        })
        .collect();
    let mut text = json!({"inputTableColumnInfos": inputs, "estimate": total(&steps.parts)});
    if let (Some(target), Some(object)) = (target, text.as_object_mut()) {
        object.insert("outputTable".to_owned(), table(&target, database));
    }
    Ok(serde_json::to_string_pretty(&text).unwrap_or_default())
}

fn table(name: &str, database: &str) -> Value {
    let (schema, table) = name.split_once('.').unwrap_or((database, name));
    json!({"catalog": CATALOG, "schemaTable": {"schema": schema, "table": table}})
}

fn estimate(step: &Step) -> Value {
    json!({"outputRowCount": step.rows.ceil() as u64, "outputSizeInBytes": step.bytes().ceil() as u64, "cpuCost": "NaN",
        "maxMemory": "NaN", "networkCost": "NaN"})
}

/// Of all plans together: rows of the last.
fn total(parts: &[Part]) -> Value {
    parts.last().map_or(Value::Null, |part| estimate(&part.root))
}

/// The scans of tables among some steps, in their order; of several steps of one scan the lowest.
fn leaves<'a>(step: &'a Step, found: &mut Vec<(&'a str, &'a Step)>) {
    match &step.table {
        Some(table) if step.children.is_empty() => found.push((table, step)),
        _ => step.children.iter().for_each(|child| leaves(child, found)),
    }
}

/// What is wanted of a table.
struct Scan {
    /// Without its schema.
    table: String,
    columns: Vec<Value>,
}

/// The scans of a plan, with the conditions above them and their own.
fn scans(plan: &LogicalPlan, above: &[Expr], found: &mut Vec<Scan>) -> Result<()> {
    match plan {
        LogicalPlan::Filter(filter) => {
            let mut conditions = above.to_vec();
            conditions.extend(split_conjunction(&filter.predicate).into_iter().cloned());
            scans(&filter.input, &conditions, found)?;
        }
        LogicalPlan::SubqueryAlias(alias) => scans(&alias.input, above, found)?,
        LogicalPlan::TableScan(scan) => {
            let name = plan::shown_name(scan.table_name.table()).to_owned();
            let qualified = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?;
            let conditions: Vec<&Expr> = above.iter().chain(&scan.filters).flat_map(split_conjunction).collect();
            found.push(Scan { table: name, columns: constraints(&conditions, &qualified) });
        }
        other => {
            for input in other.inputs() {
                scans(input, &[], found)?;
            }
        }
    }
    let mut within = Ok(());
    plan.apply_subqueries(|query| {
        within = scans(query, &[], found);
        Ok(if within.is_ok() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    within
}

/// One end of a range: the value, and whether it belongs to it; nothing where it is open.
type End = Option<(ScalarValue, bool)>;

/// The values that a condition leaves to a column.
#[derive(Clone)]
struct Domain {
    column: String,
    ranges: Vec<(End, End)>,
}

/// What conditions leave to columns.
fn domains(conditions: &[&Expr]) -> Vec<Domain> {
    let mut domains: Vec<Domain> = Vec::new();
    for found in conditions.iter().filter_map(|condition| domain(condition)) {
        match domains.iter_mut().find(|known| known.column == found.column) {
            Some(known) => known.narrow(found),
            None => domains.push(found),
        }
    }
    domains
}

fn constraints(conditions: &[&Expr], schema: &DFSchema) -> Vec<Value> {
    let told = |domain: Domain| {
        let field = schema.field_with_unqualified_name(&domain.column).ok()?;
        let ranges: Vec<Value> = domain.ranges.iter().map(|(low, high)| range(low, high)).collect();
        Some(json!({"columnName": domain.column, "type": type_name(field.data_type()),
            "domain": {"nullsAllowed": false, "ranges": ranges}}))
    };
    domains(conditions).into_iter().filter_map(told).collect()
}

impl Domain {
    fn of(column: &str, ranges: Vec<(End, End)>) -> Option<Self> {
        Some(Self { column: column.to_owned(), ranges })
    }

    /// Together with another condition on the same column.
    fn narrow(&mut self, other: Self) {
        let ([(low, high)], [(other_low, other_high)]) = (self.ranges.as_mut_slice(), other.ranges.as_slice()) else {
            // Of several values and a range the values say more.
            if self.ranges.len() == 1 {
                self.ranges = other.ranges;
            }
            return;
        };
        if tighter(other_low, low, Ordering::Greater) {
            low.clone_from(other_low);
        }
        if tighter(other_high, high, Ordering::Less) {
            high.clone_from(other_high);
        }
    }
}

/// Whether an end lies further inside than another.
fn tighter(one: &End, other: &End, inside: Ordering) -> bool {
    match (one, other) {
        (Some((one, whole)), Some((other, other_whole))) => match one.partial_cmp(other) {
            Some(Ordering::Equal) => *other_whole && !whole,
            order => order == Some(inside),
        },
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// What a condition leaves to the column that it compares with constants.
fn domain(condition: &Expr) -> Option<Domain> {
    let exactly = |value: &ScalarValue| (Some((value.clone(), true)), Some((value.clone(), true)));
    let boolean = |value: bool| exactly(&ScalarValue::Boolean(Some(value)));
    match condition {
        Expr::Column(column) => Domain::of(&column.name, vec![boolean(true)]),
        Expr::Not(inner) => match inner.as_ref() {
            Expr::Column(column) => Domain::of(&column.name, vec![boolean(false)]),
            _ => None,
        },
        Expr::BinaryExpr(compared) => {
            let (column, op, value) = match (compared.left.as_ref(), compared.right.as_ref()) {
                (Expr::Column(column), Expr::Literal(value, _)) => (column, compared.op, value),
                (Expr::Literal(value, _), Expr::Column(column)) => (column, compared.op.swap()?, value),
                _ => return None,
            };
            let end = |whole: bool| Some((value.clone(), whole));
            let range = match op {
                Operator::Eq => exactly(value),
                Operator::Gt => (end(false), None),
                Operator::GtEq => (end(true), None),
                Operator::Lt => (None, end(false)),
                Operator::LtEq => (None, end(true)),
                _ => return None,
            };
            Domain::of(&column.name, vec![range])
        }
        Expr::Between(between) if !between.negated => {
            match (between.expr.as_ref(), between.low.as_ref(), between.high.as_ref()) {
                (Expr::Column(column), Expr::Literal(low, _), Expr::Literal(high, _)) => {
                    Domain::of(&column.name, vec![(Some((low.clone(), true)), Some((high.clone(), true)))])
                }
                _ => None,
            }
        }
        Expr::InList(list) if !list.negated => {
            let Expr::Column(column) = list.expr.as_ref() else { return None };
            let values = list.list.iter().map(|value| match value {
                Expr::Literal(value, _) => Some(exactly(value)),
                _ => None,
            });
            Domain::of(&column.name, values.collect::<Option<Vec<_>>>()?)
        }
        _ => None,
    }
}

fn range(low: &End, high: &End) -> Value {
    let end = |end: &End, open: &str| match end {
        Some((value, true)) => json!({"value": value.to_string(), "bound": "EXACTLY"}),
        Some((value, false)) => json!({"value": value.to_string(), "bound": open}),
        None => json!({ "bound": open }),
    };
    json!({"low": end(low, "ABOVE"), "high": end(high, "BELOW")})
}

/// A type as Trino writes it.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp(3)".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp(3) with time zone".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "varbinary".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::{col, lit};

    fn told(conditions: &[Expr]) -> String {
        let end = |end: &End| match end {
            Some((value, true)) => value.to_string(),
            Some((value, false)) => format!("{value}!"),
            None => "-".to_owned(),
        };
        let ranges = |domain: &Domain| {
            let ranges = domain.ranges.iter().map(|(low, high)| format!("{}..{}", end(low), end(high)));
            format!("{} {}", domain.column, ranges.collect::<Vec<_>>().join(" "))
        };
        domains(&conditions.iter().collect::<Vec<_>>()).iter().map(ranges).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn conditions_become_ranges() {
        assert_eq!(told(&[col("a").eq(lit(1)), col("b").gt(lit(2))]), "a 1..1; b 2!..-");
        assert_eq!(told(&[col("a").gt(lit(1)), col("a").lt_eq(lit(9)), col("a").gt(lit(3))]), "a 3!..9");
        assert_eq!(told(&[lit(5).lt_eq(col("a")), col("a").gt(lit(5))]), "a 5!..-");
        assert_eq!(told(&[col("a").in_list(vec![lit(1), lit(2)], false), col("a").lt(lit(9))]), "a 1..1 2..2");
        assert_eq!(told(&[col("a").is_null(), col("a").eq(col("b"))]), "");
    }
}
