//! The dialects, the parser and our statements: text in, [`Statement`] out, no I/O.

mod dialect;
mod statement;

pub use dialect::Dialect;
pub use statement::*;
