//! Decimal arithmetic in the width of its values.
//!
//! SQL's precisions grow with each operation: `l_extendedprice * (1 - l_discount)` of two `decimal(15,2)` has 38 digits,
//! and Arrow's kernels then check each of its 128-bit operations for overflow, though nearly all values there are have
//! less than 64 bits. [`kernel`] looks at a batch's values once: where all have 64 bits, no sum or product of two can
//! overflow 128 bits, and plain loops compute them. Where one is wider, Arrow's kernel does the batch. Results and types
//! are the same in either case. Steps upon steps go through [`tree`], which has no array between them. [`rule`] puts it where
//! a plan computes.

mod expression;
mod kernel;
mod rule;
mod scaled;
mod tree;

use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;

pub(super) use rule::NarrowDecimals;
pub(super) use scaled::Scaled;
pub(super) use tree::{Bound, CHUNK_ROWS, Chunk, Tree, chunks};

/// The arithmetic that one of these expressions does.
pub(crate) fn arithmetic_of(expr: &dyn PhysicalExpr) -> Option<BinaryExpr> {
    expr.downcast_ref::<expression::DecimalArithmetic>().map(expression::DecimalArithmetic::plain)
}
