//! The layout's pure functions, the hash, and that arranging keeps every row.

mod arrange;
mod hash;
mod state;
