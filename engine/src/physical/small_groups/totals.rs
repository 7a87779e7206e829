//! Sums, averages and counts of decimals and whole numbers, which this operator does itself.
//!
//! Accumulators get arrays of 128-bit values, one function after the other. Here all that is summed is computed together,
//! some rows at a time, with 64 bits ([`crate::physical::decimal`]), and added with 64 bits ([`super::sums`]); functions
//! of the same expression share its sums and counts. What comes of it is given to DataFusion's accumulators as the state
//! of another one, so that what they make of it, NULLs and overflow included, is their own. Where a batch has values that
//! 64 bits have no room for, its rows from there on are theirs too.

use super::exec::Function;
use super::sums::{Nobody, Sums};
use crate::physical::decimal::{Bound, CHUNK_ROWS, Chunk, Tree, chunks};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Int64Array, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Schema, i256};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use std::ops::Range;
use std::sync::Arc;

/// What rows are counted by.
static ONES: [i64; CHUNK_ROWS] = [1; CHUNK_ROWS];

/// What a function's accumulator is given.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Count,
    /// A sum of this type.
    Sum(DataType),
    /// A count and a sum of this type.
    Average(DataType),
}

/// All that is summed and counted of one partition's rows.
#[derive(Debug)]
pub(super) struct Totals {
    tree: Tree,
    /// What is summed, with all that is below.
    computed: Vec<usize>,
    filters: Vec<Arc<dyn PhysicalExpr>>,
    columns: Vec<Column>,
    /// How many rows each group has.
    rows: Sums,
    chunk: Chunk,
    /// By function, whether it is done here.
    done: Vec<bool>,
}

/// What is done with one expression's values, of those rows that a filter chooses.
#[derive(Debug)]
struct Column {
    /// Whose NULLs are left out; nothing for `count(*)`.
    argument: Option<usize>,
    filter: Option<usize>,
    /// Where anybody wants them.
    sums: Option<Sums>,
    /// How many of its rows each group does not count here.
    missing: Sums,
    /// Who is given what.
    functions: Vec<(usize, Kind)>,
}

/// Groups of some rows: of those that count, and of those that do not, with nobody's in the others' places.
#[derive(Debug, Default)]
struct Routes {
    counted: Vec<u16>,
    missing: Vec<u16>,
}

impl Totals {
    /// For those of an aggregation's functions that it can do. Both lists are in the same order.
    pub(super) fn of(
        expressions: &[Arc<AggregateFunctionExpr>],
        functions: &[Function],
        input: &Schema,
    ) -> Result<Self> {
        let mut totals = Self {
            tree: Tree::default(),
            computed: Vec::new(),
            filters: Vec::new(),
            columns: Vec::new(),
            rows: Sums::new(),
            chunk: Chunk::default(),
            done: Vec::with_capacity(functions.len()),
        };
        for (at, (expression, function)) in expressions.iter().zip(functions).enumerate() {
            let kind = kind_of(expression, &function.arguments, input)?;
            totals.done.push(kind.is_some());
            if let (Some(kind), Some(argument)) = (kind, function.arguments.first()) {
                totals.add(at, kind, argument, function.filter.as_ref());
            }
        }
        let summed = totals.columns.iter().filter(|column| column.sums.is_some()).filter_map(|column| column.argument);
        totals.computed = totals.tree.below(summed);
        Ok(totals)
    }

    fn add(
        &mut self,
        function: usize,
        kind: Kind,
        argument: &Arc<dyn PhysicalExpr>,
        filter: Option<&Arc<dyn PhysicalExpr>>,
    ) {
        let counts_rows = argument.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null());
        let argument = (kind != Kind::Count || !counts_rows).then(|| self.tree.add(argument));
        let filter = filter.map(|filter| {
            let known = self.filters.iter().position(|known| known.eq(filter) && !is_volatile(filter));
            known.unwrap_or_else(|| {
                self.filters.push(Arc::clone(filter));
                self.filters.len() - 1
            })
        });
        let known = self.columns.iter().position(|known| known.argument == argument && known.filter == filter);
        let at = known.unwrap_or_else(|| {
            self.columns.push(Column { argument, filter, sums: None, missing: Sums::new(), functions: Vec::new() });
            self.columns.len() - 1
        });
        let column = &mut self.columns[at];
        if kind != Kind::Count && column.sums.is_none() {
            column.sums = Some(Sums::new());
        }
        column.functions.push((function, kind));
    }

    /// Whether a function is done here.
    pub(super) fn does(&self, function: usize) -> bool {
        self.done[function]
    }

    /// Takes in rows, whose groups are some of so many.
    pub(super) fn take_in(
        &mut self,
        batch: &RecordBatch,
        groups: &[u16],
        count: usize,
        functions: &mut [Function],
    ) -> Result<()> {
        let Self { tree, computed, filters, columns, rows, chunk, .. } = self;
        if columns.is_empty() {
            return Ok(());
        }
        let operands = tree.bind(batch)?;
        let filters = filters.iter().map(|filter| chosen(filter, batch)).collect::<Result<Vec<_>>>()?;
        let counted = |column: &Column| {
            let nulls = column.argument.and_then(|node| operands.nulls(node));
            NullBuffer::union(nulls, column.filter.map(|at| &filters[at]))
        };
        let counted: Vec<_> = columns.iter().map(counted).collect();
        let mut narrow = vec![batch.num_rows(); columns.len()];
        let (nobody, mut routes) = (Nobody::beside(count), Routes::default());
        for range in chunks(batch.num_rows()) {
            let groups = &groups[range.clone()];
            operands.compute(computed, &range, chunk);
            rows.add(groups, &ONES[..groups.len()], 1, nobody);
            for ((column, counted), narrow) in columns.iter_mut().zip(&counted).zip(&mut narrow) {
                let is_narrow = range.end <= *narrow
                    && column.add(
                        chunk,
                        groups,
                        counted.as_ref().map(|counted| (counted, &range)),
                        nobody,
                        &mut routes,
                    );
                if !is_narrow {
                    *narrow = range.start.min(*narrow);
                    column.missing.add(groups, &ONES[..groups.len()], 1, nobody);
                }
            }
        }
        for (column, begin) in columns.iter_mut().zip(narrow) {
            if begin < batch.num_rows() {
                column.give(rows, count, functions)?;
                column.leave(&operands, &filters, begin..batch.num_rows(), groups, count, functions)?;
            }
        }
        Ok(())
    }

    /// Gives the accumulators what is here, of so many groups; then begins again.
    pub(super) fn give(&mut self, count: usize, functions: &mut [Function]) -> Result<()> {
        for column in &mut self.columns {
            column.give(&mut self.rows, count, functions)?;
            column.missing.begin(&[]);
        }
        self.rows.begin(&[]);
        Ok(())
    }

    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        let column = |column: &Column| column.missing.size() + column.sums.as_ref().map_or(0, Sums::size);
        self.rows.size() + self.chunk.size() + self.columns.iter().map(column).sum::<usize>()
    }
}

impl Column {
    /// Adds the rows of a chunk, or those that are counted; `false`, and nothing is added, where 64 bits have no room for
    /// values.
    fn add(
        &mut self,
        chunk: &Chunk,
        groups: &[u16],
        counted: Option<(&NullBuffer, &Range<usize>)>,
        nobody: Nobody,
        routes: &mut Routes,
    ) -> bool {
        let values = self.argument.and_then(|node| chunk.values(node));
        if self.sums.is_some() && values.is_none() {
            return false;
        }
        let groups = match counted {
            Some((counted, rows)) => {
                routes.part(groups, counted, rows, nobody);
                self.missing.add(&routes.missing, &ONES[..groups.len()], 1, nobody);
                routes.counted.as_slice()
            }
            None => groups,
        };
        if let (Some(sums), Some((values, most))) = (&mut self.sums, values) {
            sums.add(groups, values, most, nobody);
        }
        true
    }

    /// Gives the accumulators what is here; then no row is counted.
    fn give(&mut self, rows: &mut Sums, count: usize, functions: &mut [Function]) -> Result<()> {
        let counts = rows.totals(count).iter().zip(self.missing.totals(count));
        let counts: Vec<u64> = counts.map(|(rows, missing)| (rows - missing) as u64).collect();
        let sums = self.sums.as_mut().map(|sums| sums.totals(count)).unwrap_or_default();
        let groups: Vec<usize> = (0..count).collect();
        for (function, kind) in &self.functions {
            functions[*function].accumulator.merge_batch(&kind.states(sums, &counts)?, &groups, count)?;
        }
        self.missing.begin(rows.totals(count));
        if let Some(sums) = &mut self.sums {
            sums.begin(&[]);
        }
        Ok(())
    }

    /// Leaves rows to the accumulators.
    fn leave(
        &self,
        operands: &Bound<'_>,
        filters: &[NullBuffer],
        rows: Range<usize>,
        groups: &[u16],
        count: usize,
        functions: &mut [Function],
    ) -> Result<()> {
        let Some(argument) = self.argument else { return Ok(()) };
        let values = [operands.whole(argument)?.into_array(rows.end)?.slice(rows.start, rows.len())];
        let filter = self.filter.map(|at| {
            let chosen = filters[at].inner().slice(rows.start, rows.len());
            BooleanArray::new(chosen, None)
        });
        let groups: Vec<usize> = groups[rows].iter().map(|group| usize::from(*group)).collect();
        for (function, _) in &self.functions {
            functions[*function].accumulator.update_batch(&values, &groups, filter.as_ref(), count)?;
        }
        Ok(())
    }
}

impl Routes {
    /// Parts rows in those that are counted and those that are not.
    fn part(&mut self, groups: &[u16], counted: &NullBuffer, rows: &Range<usize>, nobody: Nobody) {
        let counted = counted.slice(rows.start, rows.len());
        let each = || groups.iter().zip(&counted);
        let nobody = nobody.group();
        self.counted.clear();
        self.counted.extend(each().map(|(group, counted)| if counted { *group } else { nobody }));
        self.missing.clear();
        self.missing.extend(each().map(|(group, counted)| if counted { nobody } else { *group }));
    }
}

impl Kind {
    /// The state of an accumulator that has seen `counts` values with these sums.
    fn states(&self, sums: &[i128], counts: &[u64]) -> Result<Vec<ArrayRef>> {
        let nulls = counts.contains(&0).then(|| counts.iter().map(|count| *count > 0).collect::<NullBuffer>());
        Ok(match self {
            Self::Count => {
                let counts = Int64Array::from_iter_values(counts.iter().map(|count| *count as i64));
                vec![Arc::new(counts) as ArrayRef]
            }
            Self::Sum(data_type) => vec![as_type(sums, data_type, nulls)?],
            Self::Average(data_type) => {
                let counts = UInt64Array::new(counts.to_vec().into(), nulls.clone());
                vec![Arc::new(counts) as ArrayRef, as_type(sums, data_type, nulls)?]
            }
        })
    }
}

/// Sums as a state has them. Whole numbers wrap around, as they do when DataFusion adds them one by one.
fn as_type(sums: &[i128], data_type: &DataType, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    Ok(match *data_type {
        DataType::Decimal128(precision, scale) => {
            let sums = Decimal128Array::new(sums.to_vec().into(), nulls);
            Arc::new(sums.with_precision_and_scale(precision, scale)?)
        }
        DataType::Decimal256(precision, scale) => {
            let sums = Decimal256Array::new(sums.iter().map(|sum| i256::from_i128(*sum)).collect(), nulls);
            Arc::new(sums.with_precision_and_scale(precision, scale)?)
        }
        _ => Arc::new(Int64Array::new(sums.iter().map(|sum| *sum as i64).collect(), nulls)),
    })
}

/// What a function's accumulator is given; `None` for functions and types that are left to it. Functions are told by name
/// and by their state, since the sums and averages of the dialects have names and states of DataFusion's.
fn kind_of(
    function: &AggregateFunctionExpr,
    arguments: &[Arc<dyn PhysicalExpr>],
    input: &Schema,
) -> Result<Option<Kind>> {
    let [argument] = arguments else { return Ok(None) };
    if function.is_distinct() {
        return Ok(None);
    }
    let states: Vec<DataType> = function.state_fields()?.iter().map(|field| field.data_type().clone()).collect();
    let name = function.fun().name();
    if let ("count", [DataType::Int64]) = (name, states.as_slice()) {
        return Ok(Some(Kind::Count));
    }
    let (scale, is_whole) = match argument.data_type(input)? {
        DataType::Decimal128(_, scale) => (scale, false),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => (0, true),
        _ => return Ok(None),
    };
    let is_sum = |state: &DataType| match state {
        DataType::Decimal128(_, of_state) | DataType::Decimal256(_, of_state) => *of_state == scale,
        DataType::Int64 => is_whole,
        _ => false,
    };
    Ok(match (name, states.as_slice()) {
        ("sum" | "SUM", [sum]) if is_sum(sum) => Some(Kind::Sum(sum.clone())),
        ("avg", [DataType::UInt64, sum]) if is_sum(sum) => Some(Kind::Average(sum.clone())),
        _ => None,
    })
}

/// The rows of a batch that a filter chooses.
fn chosen(filter: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<NullBuffer> {
    let chosen = as_filter(filter, batch)?;
    Ok(NullBuffer::new(match chosen.nulls() {
        Some(nulls) => chosen.values() & nulls.inner(),
        None => chosen.values().clone(),
    }))
}

/// What a filter says of each row.
pub(super) fn as_filter(filter: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let chosen = filter.evaluate(batch)?.into_array(batch.num_rows())?;
    chosen.as_boolean_opt().cloned().ok_or_else(|| internal_datafusion_err!("a filter gave no truth values"))
}
