//! Sums of one expression plus constants as one sum and one count: `sum(x + c)` is `sum(x) + c * count(x)`.
//!
//! A grouping over `sum(x), sum(x + 1), sum(x + 2)` adds up `x` once and counts once; the rest is computed of each group's
//! two values. It is done where it is exact and where at least two of a grouping's functions become one sum and one count.
//!
//! **Nothing but the sum is given up.** `x + c` that leaves its type is an error (22003), so the range of x's type plus c has
//! to lie within the type in which it is added ([`linear`]): a SMALLINT plus an INTEGER constant does, an INTEGER plus 1
//! does not. Floating-point numbers are never touched: their sums depend on what is added when.
//!
//! **The sum overflows where it did.** By what is summed and what the sum is:
//!
//! - INTEGER (and what is narrower) gives BIGINT. DataFusion's sum, product and addition of BIGINT all wrap around, so that
//!   what comes out is the same number modulo 2⁶⁴, whatever happens on the way.
//! - BIGINT gives NUMERIC(38,0) in Redshift's dialect. With fewer than 2⁶³ rows the sum of x and c times the count stay below
//!   2¹²⁶ and so below 10³⁸; what both add up to has 128 bits.
//! - DECIMAL of up to 18 digits gives 38 digits, which 2⁶³ such numbers, and their constants, do not fill. More digits are left.
//! - BIGINT gives BIGINT in Athena's dialect, an error beyond it, which x may meet where x + c does not: left.
//!
//! A group without values has a NULL sum, which NULL plus something stays. FILTER goes to both; DISTINCT and ORDER BY are left,
//! and so are functions that give another value each time. Of a grouping without two candidates only the list of functions is
//! looked at.

mod linear;
mod rule;
#[cfg(test)]
mod tests;

pub(super) use rule::ShiftedSums;
