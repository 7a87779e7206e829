//! Arithmetic of several steps in one go, with 64 bits.
//!
//! [`super::kernel`] reads and writes 128 bits of each row at each step, all rows before the next step. Here some rows at
//! a time go through all steps, so that what is between them stays in the first cache; what several expressions have in
//! common is computed once. The largest magnitude of each operand is known, hence the largest that each step can give:
//! where that has no room in 64 bits, whoever asked turns to [`Bound::whole`], which goes step by step.

use super::expression::{DecimalArithmetic, step};
use super::kernel::{factor, result_type};
use super::scaled::Scaled;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use std::ops::{Add, Mul, Range, Sub};
use std::sync::Arc;

/// Rows that go through all steps before the next ones.
pub(in crate::physical) const CHUNK_ROWS: usize = 1024;

/// The largest magnitude that a step may give.
const MOST: u64 = i64::MAX as u64;

/// Expressions, each with those below it that are arithmetic of ours; one that stands in several places is here once.
#[derive(Debug, Default)]
pub(in crate::physical) struct Tree {
    /// Operands before the steps that use them.
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    expr: Arc<dyn PhysicalExpr>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Anything else's result.
    Leaf,
    Step {
        op: Operator,
        left: usize,
        right: usize,
    },
}

impl Tree {
    /// The node of an expression.
    pub(in crate::physical) fn add(&mut self, expr: &Arc<dyn PhysicalExpr>) -> usize {
        if !is_volatile(expr)
            && let Some(known) = self.nodes.iter().position(|node| node.expr.eq(expr))
        {
            return known;
        }
        let kind = match expr.downcast_ref::<DecimalArithmetic>().map(DecimalArithmetic::parts) {
            Some((left, op, right)) => Kind::Step { op, left: self.add(left), right: self.add(right) },
            None => Kind::Leaf,
        };
        self.nodes.push(Node { expr: Arc::clone(expr), kind });
        self.nodes.len() - 1
    }

    /// Whether there is a step.
    pub(super) fn has_steps(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.kind, Kind::Step { .. }))
    }

    /// What has to be computed for some nodes, in order.
    pub(in crate::physical) fn below(&self, nodes: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut wanted = vec![false; self.nodes.len()];
        for node in nodes {
            wanted[node] = true;
        }
        for at in (0..self.nodes.len()).rev() {
            if let (true, Kind::Step { left, right, .. }) = (wanted[at], self.nodes[at].kind) {
                (wanted[left], wanted[right]) = (true, true);
            }
        }
        (0..self.nodes.len()).filter(|at| wanted[*at]).collect()
    }

    /// The nodes over the rows of a batch, of which the leaves are evaluated.
    pub(in crate::physical) fn bind(&self, batch: &RecordBatch) -> Result<Bound<'_>> {
        let rows = batch.num_rows();
        let mut operands: Vec<Operand> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            operands.push(match node.kind {
                Kind::Leaf => match node.expr.downcast_ref::<Scaled>() {
                    Some(scaled) => Operand::scaled(scaled, scaled.number().evaluate(batch)?, rows),
                    None => Operand::leaf(node.expr.evaluate(batch)?, rows),
                },
                Kind::Step { op, left, right } => Operand::step(op, &operands[left], &operands[right]),
            });
        }
        Ok(Bound { tree: self, operands, rows })
    }
}

/// A [`Tree`] over a batch.
pub(in crate::physical) struct Bound<'a> {
    tree: &'a Tree,
    operands: Vec<Operand>,
    rows: usize,
}

struct Operand {
    /// Of a leaf.
    value: Option<ColumnarValue>,
    /// `None` for what 64 bits are not for.
    form: Option<Form>,
    nulls: Option<NullBuffer>,
}

#[derive(Debug, Clone, Copy)]
struct Form {
    precision: u8,
    scale: i8,
    /// The value of all rows.
    one: Option<i64>,
    /// What a step multiplies its operands by first; the one with more digits behind the point is as it is.
    factors: (i64, i64),
}

impl Form {
    fn of(value: &ColumnarValue, rows: usize) -> Option<Self> {
        let (precision, scale) = match value.data_type() {
            DataType::Decimal128(precision, scale) => (precision, scale),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => (19, 0),
            _ => return None,
        };
        let one = match value {
            ColumnarValue::Array(array) if array.len() == rows => None,
            ColumnarValue::Scalar(ScalarValue::Decimal128(Some(value), ..)) => Some(i64::try_from(*value).ok()?),
            ColumnarValue::Scalar(ScalarValue::Int64(Some(value))) => Some(*value),
            _ => return None,
        };
        Some(Self { precision, scale, one, factors: (1, 1) })
    }

    /// The form of a step's result, and what its operands are multiplied by; `None` for types that [`super::kernel`]
    /// leaves to Arrow too.
    fn of_step(op: Operator, left: Self, right: Self) -> Option<Self> {
        let (precision, scale) = result_type(op, (left.precision, left.scale), (right.precision, right.scale))?;
        let factors = match op {
            Operator::Multiply => (1, 1),
            _ => (factor(scale - left.scale)?, factor(scale - right.scale)?),
        };
        Some(Self { precision, scale, one: None, factors })
    }
}

impl Operand {
    fn leaf(value: ColumnarValue, rows: usize) -> Self {
        let nulls = match &value {
            ColumnarValue::Array(array) => array.logical_nulls().filter(|nulls| nulls.null_count() > 0),
            ColumnarValue::Scalar(value) => value.is_null().then(|| NullBuffer::new_null(rows)),
        };
        Self { form: Form::of(&value, rows), nulls, value: Some(value) }
    }

    /// A decimal whose number is the value.
    fn scaled(scaled: &Scaled, number: ColumnarValue, rows: usize) -> Self {
        let number = Self::leaf(number, rows);
        let (precision, scale) = scaled.form();
        let form = number.form.filter(|form| form.one.is_none()).map(|form| Form { precision, scale, ..form });
        Self { form, ..number }
    }

    fn step(op: Operator, left: &Self, right: &Self) -> Self {
        let form = match (left.form, right.form) {
            // Two single values are no work worth having.
            (Some(left), Some(right)) if left.one.is_none() || right.one.is_none() => Form::of_step(op, left, right),
            _ => None,
        };
        Self { value: None, form, nulls: NullBuffer::union(left.nulls.as_ref(), right.nulls.as_ref()) }
    }
}

/// The values of some rows by node. One is used for all rows, so that its memory is.
#[derive(Debug, Default)]
pub(in crate::physical) struct Chunk {
    columns: Vec<Vec<i64>>,
    /// No value of a node is larger; `None` for what was not computed.
    most: Vec<Option<u64>>,
}

impl Chunk {
    /// The values of a node, what stands below NULLs included, and what none of them surpasses; `None` if 64 bits may not
    /// have room for them or for what they are made of.
    pub(in crate::physical) fn values(&self, node: usize) -> Option<(&[i64], u64)> {
        let most = self.most.get(node).copied().flatten()?;
        Some((self.columns.get(node)?, most))
    }

    /// Bytes that it holds.
    pub(in crate::physical) fn size(&self) -> usize {
        self.columns.iter().map(|column| column.capacity() * size_of::<i64>()).sum()
    }
}

impl Bound<'_> {
    /// Where a node is NULL.
    pub(in crate::physical) fn nulls(&self, node: usize) -> Option<&NullBuffer> {
        self.operands[node].nulls.as_ref()
    }

    /// A node's values of all rows, with 128 bits where they need them.
    pub(in crate::physical) fn whole(&self, node: usize) -> Result<ColumnarValue> {
        match (&self.operands[node].value, self.tree.nodes[node].kind) {
            (_, Kind::Step { op, left, right }) => step(op, &self.whole(left)?, &self.whole(right)?, self.rows),
            (Some(value), Kind::Leaf) => match self.tree.nodes[node].expr.downcast_ref::<Scaled>() {
                Some(scaled) => Ok(ColumnarValue::Array(scaled.of(&value.to_array(self.rows)?)?)),
                None => Ok(value.clone()),
            },
            (None, Kind::Leaf) => internal_err!("an operand has no value"),
        }
    }

    /// Computes nodes, given with all that is below them, for some rows.
    pub(in crate::physical) fn compute(&self, nodes: &[usize], rows: &Range<usize>, chunk: &mut Chunk) {
        chunk.columns.resize_with(self.operands.len(), Vec::new);
        chunk.most.clear();
        chunk.most.resize(self.operands.len(), None);
        for at in nodes {
            let (before, rest) = chunk.columns.split_at_mut(*at);
            if let Some(column) = rest.first_mut() {
                column.clear();
                chunk.most[*at] = self.compute_node(*at, rows, before, &chunk.most, column);
            }
        }
    }

    fn compute_node(
        &self,
        at: usize,
        rows: &Range<usize>,
        before: &[Vec<i64>],
        most: &[Option<u64>],
        column: &mut Vec<i64>,
    ) -> Option<u64> {
        let operand = &self.operands[at];
        let form = operand.form?;
        match self.tree.nodes[at].kind {
            Kind::Leaf => match form.one {
                Some(one) => {
                    column.resize(rows.len(), one);
                    Some(one.unsigned_abs())
                }
                None => narrow(operand.value.as_ref()?, rows, column),
            },
            Kind::Step { op, left, right } => {
                // Nothing overflows where the bound does not.
                let most = most_of_step(op, most[left]?, most[right]?, form.factors)?;
                compute_step(op, form.factors, &before[left], &before[right], column);
                Some(most)
            }
        }
    }

    /// A last step over two nodes, whose result may have 128 bits; `None` where an operand may have more than 64.
    pub(super) fn last_step(&self, op: Operator, left: usize, right: usize) -> Result<Option<ArrayRef>, ArrowError> {
        let (left_operand, right_operand) = (&self.operands[left], &self.operands[right]);
        let Some(form) = Operand::step(op, left_operand, right_operand).form else { return Ok(None) };
        let nodes = self.tree.below([left, right]);
        let (mut chunk, mut values) = (Chunk::default(), Vec::<i128>::with_capacity(self.rows));
        for rows in chunks(self.rows) {
            self.compute(&nodes, &rows, &mut chunk);
            let (Some((a, _)), Some((b, _))) = (chunk.values(left), chunk.values(right)) else { return Ok(None) };
            compute_step(op, form.factors, a, b, &mut values);
        }
        let nulls = NullBuffer::union(left_operand.nulls.as_ref(), right_operand.nulls.as_ref());
        let array = PrimitiveArray::<Decimal128Type>::new(values.into(), nulls);
        Ok(Some(Arc::new(array.with_precision_and_scale(form.precision, form.scale)?)))
    }
}

/// Rows, so many at a time.
pub(in crate::physical) fn chunks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(CHUNK_ROWS).map(move |begin| begin..rows.min(begin + CHUNK_ROWS))
}

/// Appends what a step gives for operands that are multiplied first, of which one by nothing but 1.
fn compute_step<T>(op: Operator, factors: (i64, i64), a: &[i64], b: &[i64], values: &mut Vec<T>)
where
    T: From<i64> + Copy + Add<Output = T> + Sub<Output = T> + Mul<Output = T>,
{
    let (f, g) = (T::from(factors.0), T::from(factors.1));
    let each = a.iter().zip(b).map(|(a, b)| (T::from(*a), T::from(*b)));
    match (op, factors) {
        (Operator::Multiply, _) => values.extend(each.map(|(a, b)| a * b)),
        (Operator::Plus, (1, 1)) => values.extend(each.map(|(a, b)| a + b)),
        (Operator::Plus, (_, 1)) => values.extend(each.map(|(a, b)| a * f + b)),
        (Operator::Plus, _) => values.extend(each.map(|(a, b)| a + b * g)),
        (_, (1, 1)) => values.extend(each.map(|(a, b)| a - b)),
        (_, (_, 1)) => values.extend(each.map(|(a, b)| a * f - b)),
        _ => values.extend(each.map(|(a, b)| a - b * g)),
    }
}

/// The largest magnitude that a step can give, if 64 bits have room for it.
fn most_of_step(op: Operator, left: u64, right: u64, (f, g): (i64, i64)) -> Option<u64> {
    let (left, right) = (u128::from(left), u128::from(right));
    let most = match op {
        Operator::Multiply => left * right,
        _ => left * u128::from(f.unsigned_abs()) + right * u128::from(g.unsigned_abs()),
    };
    u64::try_from(most).ok().filter(|most| *most <= MOST)
}

/// Appends the values of some rows of an array, and tells a power of two that no magnitude surpasses; `None` if one has
/// more than 64 bits. Loops of one thing each and no branch, so that they run on vectors.
fn narrow(value: &ColumnarValue, rows: &Range<usize>, column: &mut Vec<i64>) -> Option<u64> {
    let ColumnarValue::Array(array) = value else { return None };
    match array.data_type() {
        DataType::Decimal128(..) => {
            let values = array.as_primitive_opt::<Decimal128Type>()?.values().get(rows.clone())?;
            column.extend(values.iter().map(|value| *value as i64));
            let excess = values.iter().fold(0, |bits, value| bits | ((value >> 64) as i64 ^ (*value as i64 >> 63)));
            (excess == 0).then(|| power(column))
        }
        DataType::Int64 => widen::<Int64Type>(array, rows, column),
        DataType::Int32 => widen::<Int32Type>(array, rows, column),
        DataType::Int16 => widen::<Int16Type>(array, rows, column),
        DataType::Int8 => widen::<Int8Type>(array, rows, column),
        _ => None,
    }
}

fn widen<T: ArrowPrimitiveType>(array: &ArrayRef, rows: &Range<usize>, column: &mut Vec<i64>) -> Option<u64>
where
    i64: From<T::Native>,
{
    let values = array.as_primitive_opt::<T>()?.values().get(rows.clone())?;
    column.extend(values.iter().map(|value| i64::from(*value)));
    Some(power(column))
}

/// The power of two that no value surpasses, negative ones included.
fn power(values: &[i64]) -> u64 {
    let bits = values.iter().fold(0, |bits, value| bits | (value ^ (value >> 63)));
    1 << (64 - bits.leading_zeros())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::Decimal128Array;
    use arrow::datatypes::Schema;
    use datafusion::physical_expr::expressions::{BinaryExpr, col, lit};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// Columns of decimals with NULLs, of which each has up to so many bits.
    fn batch(random: &mut StdRng, rows: usize, bits: [u32; 3]) -> RecordBatch {
        let mut column = |bits: u32, scale: i8| -> ArrayRef {
            let most = (1_i128 << bits) - 1;
            let mut values: Vec<_> =
                (0..rows).map(|_| random.random_bool(0.9).then(|| random.random_range(-most..=most))).collect();
            // The bounds themselves, and a value below NULL.
            values.extend([Some(most), Some(-most - 1), None]);
            Arc::new(Decimal128Array::from(values).with_precision_and_scale(38 - scale as u8, scale).unwrap())
        };
        let columns = [("a", column(bits[0], 2)), ("b", column(bits[1], 0)), ("c", column(bits[2], 4))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    }

    /// A random expression over the columns, ours and DataFusion's.
    fn expression(random: &mut StdRng, schema: &Schema, depth: u32) -> [Arc<dyn PhysicalExpr>; 2] {
        if depth == 0 || random.random_bool(0.2) {
            let leaf = match random.random_range(0..4) {
                0 => col("a", schema).unwrap(),
                1 => col("b", schema).unwrap(),
                2 => col("c", schema).unwrap(),
                _ => lit(ScalarValue::Decimal128(Some(random.random_range(-9..99)), 3, 1)),
            };
            return [Arc::clone(&leaf), leaf];
        }
        let op = [Operator::Plus, Operator::Minus, Operator::Multiply][random.random_range(0..3)];
        let [left, theirs_left] = expression(random, schema, depth - 1);
        let [right, theirs_right] = expression(random, schema, depth - 1);
        let ours = BinaryExpr::new(left, op, right);
        let ours = DecimalArithmetic::of(&ours, schema).unwrap().unwrap();
        [Arc::new(ours), Arc::new(BinaryExpr::new(theirs_left, op, theirs_right))]
    }

    #[test]
    fn chains_give_what_arrow_gives_step_by_step() {
        let mut random = StdRng::seed_from_u64(23);
        let (mut narrow, mut failed) = (0, 0);
        for round in 0..600 {
            let rows = [0, 1, 40, CHUNK_ROWS + 7][round % 4];
            let bits = [[24, 7, 7], [31, 20, 10], [62, 3, 3], [63, 63, 63], [100, 20, 10]][round % 5];
            let batch = batch(&mut random, rows, bits);
            let [ours, theirs] = expression(&mut random, &batch.schema(), 1 + round as u32 % 3);
            let rows = batch.num_rows();
            let array = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(&batch).and_then(|value| value.into_array(rows));
            let whole = match (array(&ours), array(&theirs)) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(&found, &expected, "{theirs}");
                    expected
                }
                (Err(found), Err(expected)) => {
                    assert_eq!(found.to_string(), expected.to_string(), "{theirs}");
                    failed += 1;
                    continue;
                }
                (found, expected) => panic!("{theirs}: {found:?} beside {expected:?}"),
            };
            let whole = whole.as_primitive::<Decimal128Type>();
            let (mut tree, mut chunk) = (Tree::default(), Chunk::default());
            let node = tree.add(&ours);
            let bound = tree.bind(&batch).unwrap();
            for rows in chunks(rows) {
                bound.compute(&tree.below([node]), &rows, &mut chunk);
                let Some((values, most)) = chunk.values(node) else { continue };
                narrow += 1;
                for (row, value) in rows.zip(values) {
                    assert!(whole.is_null(row) || whole.value(row) == i128::from(*value), "{theirs}");
                    assert!(value.unsigned_abs() <= most, "{theirs}");
                }
            }
        }
        assert!(narrow > 100 && failed > 0, "{narrow} narrow, {failed} failed");
    }

    #[test]
    fn what_is_common_is_there_once() {
        let mut random = StdRng::seed_from_u64(5);
        let batch = batch(&mut random, 10, [20, 7, 7]);
        let schema = batch.schema();
        let ours = |left: &Arc<dyn PhysicalExpr>, op, right: &Arc<dyn PhysicalExpr>| -> Arc<dyn PhysicalExpr> {
            let binary = BinaryExpr::new(Arc::clone(left), op, Arc::clone(right));
            Arc::new(DecimalArithmetic::of(&binary, &schema).unwrap().unwrap())
        };
        let [a, b, c] = ["a", "b", "c"].map(|name| col(name, &schema).unwrap());
        let product = ours(&a, Operator::Multiply, &b);
        let longer = ours(&ours(&a, Operator::Multiply, &b), Operator::Plus, &c);
        let mut tree = Tree::default();
        let (first, second, again) = (tree.add(&product), tree.add(&longer), tree.add(&a));
        assert_eq!((tree.nodes.len(), again), (5, 0));
        assert_eq!(tree.below([first]), [0, 1, first]);
        assert_eq!(tree.below([second]), [0, 1, first, 3, second]);
    }

    #[test]
    fn bounds_are_those_of_64_bits() {
        assert_eq!([0, 1, 2, 3, i64::MAX].map(|value| power(&[value])), [1, 2, 4, 4, 1 << 63]);
        assert_eq!([-1, -2, -3, -4, -5, i64::MIN].map(|value| power(&[0, value])), [1, 2, 4, 4, 8, 1 << 63]);
        let most = |op, left, right| most_of_step(op, left, right, (1, 1));
        assert_eq!(most(Operator::Multiply, 1 << 31, 1 << 31), Some(1 << 62));
        assert_eq!(most(Operator::Multiply, 1 << 32, 1 << 31), None);
        assert_eq!(most(Operator::Minus, MOST - 1, 1), Some(MOST));
        assert_eq!(most(Operator::Plus, MOST, 1), None);
        assert_eq!(most_of_step(Operator::Plus, 1 << 40, 1, (1 << 20, 1 << 59)), Some((1 << 60) + (1 << 59)));
    }
}
