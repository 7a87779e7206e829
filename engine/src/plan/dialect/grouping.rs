//! ROLLUP and CUBE among the sets of GROUPING SETS, as the sets that they stand for (Redshift: "Aggregation extensions").

use super::calls::{name_of, plain_args};
use crate::error::Error;
use datafusion::sql::sqlparser::ast::Expr;

/// The most columns of a CUBE, of which each doubles the sets.
const MOST_COLUMNS: usize = 10;

/// Puts the sets in the place of such calls in a key of GROUP BY.
///
/// # Errors
/// `Unsupported` for a CUBE of too many columns.
pub(super) fn respell(key: &mut Expr) -> Result<(), Error> {
    let Expr::GroupingSets(sets) = key else { return Ok(()) };
    let mut made = Vec::with_capacity(sets.len());
    for set in std::mem::take(sets) {
        match nested(&set) {
            None => made.push(set),
            Some((false, columns)) => made.extend((0..=columns.len()).rev().map(|count| columns[..count].concat())),
            Some((true, columns)) if columns.len() > MOST_COLUMNS => {
                return Err(Error::unsupported(format_args!("CUBE of more than {MOST_COLUMNS} columns")));
            }
            Some((true, columns)) => made.extend((0..1_usize << columns.len()).rev().map(|chosen| {
                let has = |at: usize| chosen & (1 << (columns.len() - 1 - at)) != 0;
                columns
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| has(*at))
                    .flat_map(|(_, column)| column.clone())
                    .collect::<Vec<Expr>>()
            })),
        }
    }
    *sets = made;
    Ok(())
}

/// Whether a set is CUBE, else ROLLUP, and of what columns; several in parentheses count as one.
fn nested(set: &[Expr]) -> Option<(bool, Vec<Vec<Expr>>)> {
    let [Expr::Function(function)] = set else { return None };
    let is_cube = match name_of(function).as_str() {
        "cube" => true,
        "rollup" => false,
        _ => return None,
    };
    let columns = plain_args(function)?.into_iter().map(|column| match column {
        Expr::Tuple(columns) => columns,
        column => vec![column],
    });
    Some((is_cube, columns.collect()))
}
