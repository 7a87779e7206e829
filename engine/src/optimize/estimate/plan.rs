//! Estimates of whole plans, node by node.

use super::column::{ColumnEstimate, Estimate, width};
use super::filter::filtered;
use super::join::joined;
use super::scan::Known;
use crate::optimize::marker::Estimated;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, ExprSchemable, FetchType, Join, LogicalPlan, TableScan};

/// Powers that the columns of a GROUP BY count with beside the one of most values.
const GROUP_POWER: f64 = 0.8;

/// Estimates plans over scans of which something is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimator<'a> {
    known: &'a Known,
}

impl<'a> Estimator<'a> {
    /// Over these scans.
    pub(crate) fn new(known: &'a Known) -> Self {
        Self { known }
    }

    /// What a plan gives.
    pub(crate) fn plan(self, plan: &LogicalPlan) -> Estimate {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, &[]),
            LogicalPlan::Filter(filter) => {
                let conditions = split_conjunction(&filter.predicate);
                match filter.input.as_ref() {
                    // A scan may have been given the condition too; it counts once.
                    LogicalPlan::TableScan(scan) => self.scan(scan, &conditions),
                    input => filtered(&self.plan(input), &finder(input.schema()), &conditions),
                }
            }
            LogicalPlan::Projection(projection) => {
                let input = self.plan(&projection.input);
                let find = finder(projection.input.schema());
                let fields = projection.schema.fields().iter();
                let columns = projection.expr.iter().zip(fields);
                let columns = columns
                    .map(|(expr, field)| computed(expr, &input.columns, input.rows, &find, field.data_type()))
                    .collect();
                Estimate { columns, ..input }
            }
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input),
            LogicalPlan::Sort(sort) => fetched(self.plan(&sort.input), sort.fetch),
            LogicalPlan::Repartition(repartition) => self.plan(&repartition.input),
            LogicalPlan::Limit(limit) => {
                let fetch = limit.get_fetch_type().ok();
                let fetch = fetch.and_then(|fetch| if let FetchType::Literal(rows) = fetch { rows } else { None });
                fetched(self.plan(&limit.input), fetch)
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let input = self.plan(input);
                let rows = groups(input.columns.iter(), input.rows);
                input.scaled(rows)
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => {
                let inputs: Vec<Estimate> = union.inputs.iter().map(|input| self.plan(input)).collect();
                stacked(&inputs).unwrap_or_else(|| unknown(plan, 0., true))
            }
            LogicalPlan::Values(values) => unknown(plan, values.values.len() as f64, true),
            LogicalPlan::EmptyRelation(empty) => unknown(plan, f64::from(u8::from(empty.produce_one_row)), true),
            LogicalPlan::Window(window) => {
                let mut input = self.plan(&window.input);
                let more = window.schema.fields().iter().skip(input.columns.len());
                input.columns.extend(more.map(|field| ColumnEstimate::unknown(input.rows, field.data_type())));
                input
            }
            LogicalPlan::Extension(extension) => match extension.node.as_any().downcast_ref::<Estimated>() {
                Some(marker) => marker.estimate().clone(),
                None => self.other(plan),
            },
            _ => self.other(plan),
        }
    }

    fn other(self, plan: &LogicalPlan) -> Estimate {
        let inputs: Vec<Estimate> = plan.inputs().into_iter().map(|input| self.plan(input)).collect();
        let rows = inputs.iter().map(|input| input.rows).fold(1., f64::max);
        unknown(plan, rows, !inputs.is_empty() && inputs.iter().all(|input| input.known))
    }

    fn scan(self, scan: &TableScan, conditions: &[&Expr]) -> Estimate {
        let (rows, applied) = self.known.rows_of(scan);
        let mut all: Vec<&Expr> = conditions.to_vec();
        all.extend(scan.filters.iter().filter(|filter| !conditions.contains(filter)));
        all.retain(|condition| !applied.contains(condition));
        // A filter that the scan decides alone may name a column that it does not give.
        let find = finder(&scan.projected_schema);
        fetched(filtered(&rows, &find, &all), scan.fetch)
    }

    fn aggregate(self, aggregate: &Aggregate) -> Estimate {
        let input = self.plan(&aggregate.input);
        let find = finder(aggregate.input.schema());
        let fields = aggregate.schema.fields();
        let keys: Vec<ColumnEstimate> = match aggregate.group_expr.as_slice() {
            [Expr::GroupingSet(_)] => {
                fields.iter().map(|field| ColumnEstimate::unknown(input.rows, field.data_type())).collect()
            }
            keys => {
                let typed = keys.iter().zip(fields.iter());
                typed.map(|(key, field)| computed(key, &input.columns, input.rows, &find, field.data_type())).collect()
            }
        };
        let rows = if keys.is_empty() { 1. } else { groups(keys.iter(), input.rows) };
        let mut columns: Vec<_> = keys.iter().map(|key| key.among(input.rows, rows.max(key.distinct))).collect();
        let results = fields.iter().skip(columns.len());
        let result = |field: &datafusion::arrow::datatypes::FieldRef| ColumnEstimate {
            computed: true,
            ..ColumnEstimate::unknown(rows, field.data_type())
        };
        columns.extend(results.map(result));
        columns.truncate(fields.len());
        Estimate { rows, known: input.known, columns }
    }

    fn join(self, join: &Join) -> Estimate {
        let (left, right) = (self.plan(&join.left), self.plan(&join.right));
        let (find_left, find_right) = (finder(join.left.schema()), finder(join.right.schema()));
        let pair = |(l, r): &(Expr, Expr)| {
            (key(l, &left, &find_left, join.left.schema()), key(r, &right, &find_right, join.right.schema()))
        };
        let pairs: Vec<_> = join.on.iter().map(pair).collect();
        let find = |column: &Column| find_left(column).or_else(|| find_right(column).map(|at| at + left.columns.len()));
        joined(&left, &right, &pairs, join.filter.as_ref(), &find, join.join_type)
    }
}

/// What is known of a join key.
fn key(expr: &Expr, input: &Estimate, find: &dyn Fn(&Column) -> Option<usize>, schema: &DFSchema) -> ColumnEstimate {
    let data_type = expr.get_type(schema).unwrap_or(DataType::Null);
    computed(expr, &input.columns, input.rows, find, &data_type)
}

/// Where a schema has a column.
pub(super) fn finder(schema: &DFSchema) -> impl Fn(&Column) -> Option<usize> + '_ {
    |column| schema.maybe_index_of_column(column)
}

/// What is known of an expression over some rows.
pub(crate) fn computed(
    expr: &Expr,
    columns: &[ColumnEstimate],
    rows: f64,
    find: &dyn Fn(&Column) -> Option<usize>,
    data_type: &DataType,
) -> ColumnEstimate {
    let column = |column: &Column| find(column).and_then(|at| columns.get(at));
    match expr {
        Expr::Column(named) => {
            if let Some(known) = column(named) {
                return known.clone();
            }
        }
        Expr::Alias(alias) => return computed(&alias.expr, columns, rows, find, data_type),
        // Another width of number has the same values; a text has another order.
        Expr::Cast(cast) => {
            let mut found = computed(&cast.expr, columns, rows, find, data_type);
            found.width = width(data_type);
            if !data_type.is_numeric() && !data_type.is_temporal() {
                found.range = None;
            }
            return found;
        }
        _ => {}
    }
    let mut found = ColumnEstimate::unknown(rows, data_type);
    let named = expr.column_refs();
    let known: Vec<&ColumnEstimate> = named.iter().filter_map(|named| column(named)).collect();
    if known.len() == named.len() {
        let product = |of: fn(&ColumnEstimate) -> f64| known.iter().map(|column| of(column).max(1.)).product::<f64>();
        found.distinct = product(|column| column.distinct).min(rows).max(1.);
        found.domain = product(|column| column.domain).max(found.distinct);
        found.computed = known.iter().any(|column| column.computed);
        if let Some(table_rows) = known.iter().map(|column| column.table_rows).reduce(f64::max) {
            found.table_rows = table_rows;
        }
    }
    found
}

/// How many groups there are by some keys.
fn groups<'b>(keys: impl Iterator<Item = &'b ColumnEstimate>, rows: f64) -> f64 {
    let mut counts: Vec<f64> = keys.map(|key| key.distinct.max(1.) + f64::from(u8::from(key.nulls > 0.))).collect();
    counts.sort_by(|a, b| b.total_cmp(a));
    let powers = std::iter::once(1.).chain(std::iter::repeat(GROUP_POWER));
    counts.iter().zip(powers).map(|(count, power)| count.powf(power)).product::<f64>().min(rows).max(1.)
}

fn fetched(input: Estimate, fetch: Option<usize>) -> Estimate {
    match fetch {
        Some(fetch) if (fetch as f64) < input.rows => input.scaled(fetch as f64),
        _ => input,
    }
}

/// The rows of several inputs, one after another.
fn stacked(inputs: &[Estimate]) -> Option<Estimate> {
    let (first, rest) = inputs.split_first()?;
    let mut sum = first.clone();
    for input in rest {
        sum.rows += input.rows;
        sum.known &= input.known;
        for (column, other) in sum.columns.iter_mut().zip(&input.columns) {
            column.distinct = column.distinct.max(other.distinct);
            column.domain = column.domain.max(other.domain);
            column.measured &= other.measured;
            column.table_rows += other.table_rows;
            column.range = column.range.zip(other.range).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1)));
        }
    }
    Some(sum)
}

fn unknown(plan: &LogicalPlan, rows: f64, known: bool) -> Estimate {
    let columns = plan.schema().fields().iter().map(|field| ColumnEstimate::unknown(rows, field.data_type()));
    Estimate { rows, known, columns: columns.collect() }
}
