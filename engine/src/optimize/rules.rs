//! The order of the logical optimizer's rules: DataFusion's, with ours in their places.

use super::set_comparisons::SetComparisons;
use super::shifted_sums::ShiftedSums;
use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion::optimizer::rewrite_set_comparison::RewriteSetComparison;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use std::sync::Arc;

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// DataFusion's rules with ours in place.
pub(crate) fn rules() -> Vec<Rule> {
    let (common, comparisons) = (CommonSubexprEliminate::new(), RewriteSetComparison::new());
    let place = |rule: Rule| -> Vec<Rule> {
        if rule.name() == common.name() {
            // What sums have in common is seen before it is computed below them.
            vec![Arc::new(ShiftedSums), rule]
        } else if rule.name() == comparisons.name() {
            vec![Arc::new(SetComparisons::default())]
        } else {
            vec![rule]
        }
    };
    Optimizer::new().rules.into_iter().flat_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_stand_among_datafusions() {
        let rules = rules();
        let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), Optimizer::new().rules.len() + 1);
        assert!(names.windows(2).any(|pair| pair == ["shifted_sums", "common_sub_expression_eliminate"]), "{names:?}");
    }
}
