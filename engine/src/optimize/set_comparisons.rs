//! `x = ANY (query)`, `x > ALL (query)`: DataFusion's rule, where there is such a comparison.
//!
//! In each pass of the optimizer that rule puts the columns of all inputs of a node together and makes the node's
//! expressions anew, to look for one. A look at the plan is cheaper, and few plans have any.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::rewrite_set_comparison::RewriteSetComparison;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// `RewriteSetComparison` for plans that have something for it.
#[derive(Debug, Default)]
pub(super) struct SetComparisons(RewriteSetComparison);

impl OptimizerRule for SetComparisons {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if has_comparison(&plan)? { self.0.rewrite(plan, config) } else { Ok(Transformed::no(plan)) }
    }
}

/// Whether a plan or a query in it compares a value with all or any of a query's.
fn has_comparison(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|part| Ok(matches!(part, Expr::SetComparison(_))))?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use datafusion::optimizer::OptimizerContext;
    use datafusion::prelude::SessionContext;
    use std::sync::Arc;

    #[tokio::test]
    async fn comparisons_are_found_wherever_they_stand() {
        let session = SessionContext::new();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("k", Arc::clone(&column)), ("v", column)]).unwrap();
        session.register_batch("t", batch).unwrap();
        let cases = [
            ("SELECT k FROM t WHERE v > ALL (SELECT v FROM t u WHERE u.k = 1)", true),
            ("SELECT k FROM t WHERE k = 1 OR (v = 2 AND NOT k = ANY (SELECT k FROM t u))", true),
            ("SELECT a.k FROM t a JOIN (SELECT k FROM t WHERE v < ANY (SELECT v FROM t u)) b ON a.k = b.k", true),
            ("SELECT k FROM t WHERE k IN (SELECT k FROM t u WHERE u.v > ALL (SELECT v FROM t w))", true),
            ("SELECT k FROM t WHERE v > 1 AND k IN (SELECT k FROM t u WHERE EXISTS (SELECT v FROM t w))", false),
            ("SELECT a.k, sum(b.v) FROM t a JOIN t b ON a.k = b.k GROUP BY a.k HAVING sum(b.v) > 1 ORDER BY 1", false),
        ];
        for (query, found) in cases {
            let plan = session.sql(query).await.unwrap().into_unoptimized_plan();
            let config = OptimizerContext::new();
            let theirs = RewriteSetComparison::new().rewrite(plan.clone(), &config).unwrap();
            let ours = SetComparisons::default().rewrite(plan, &config).unwrap();
            assert_eq!((ours.transformed, theirs.transformed), (found, found), "{query}");
            assert_eq!(ours.data, theirs.data, "{query}");
        }
    }
}
