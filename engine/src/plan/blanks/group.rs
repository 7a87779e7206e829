//! Groups of texts that are equal but for blanks. What a group shows is its text with the fewest blanks.

use super::Walker;
use super::ends::Texts;
use crate::functions::{self, COUNT_BLANKS, WITH_BLANKS};
use crate::plan::groups::{GROUPING, Key, keys_of, regroup};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, LogicalPlan};
use std::sync::Arc;

impl Walker {
    /// The distinct rows of a plan.
    pub(super) fn distinct(&mut self, input: Arc<LogicalPlan>) -> Result<(LogicalPlan, Vec<Texts>)> {
        let texts = self.inputs();
        let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
        if !columns.iter().any(|column| self.loses_blanks(column)) {
            return Ok((LogicalPlan::Distinct(Distinct::All(input)), texts));
        }
        Ok((self.aggregate(Aggregate::try_new(input, columns, Vec::new())?)?.0, texts))
    }

    /// A grouping; its columns keep their names.
    pub(super) fn aggregate(&mut self, mut aggregate: Aggregate) -> Result<(LogicalPlan, Vec<Texts>)> {
        let is_set = matches!(aggregate.group_expr.first(), Some(Expr::GroupingSet(_)));
        let width = aggregate.schema.fields().len();
        let keys = keys_of(&aggregate.group_expr)?;
        let known = |expr: &Expr| self.texts(expr).unwrap_or_default();
        let mut texts: Vec<Texts> = keys.iter().map(known).collect();
        // The number of the grouping set.
        texts.extend(is_set.then(Texts::default));
        texts.extend(aggregate.aggr_expr.iter().map(known));

        let number_at = keys.len();
        let mut compared = Vec::with_capacity(keys.len());
        for key in keys {
            let shown = if self.loses_blanks(&key) {
                let whole = self.expr(key.clone())?.data;
                Some((min(functions::call(self.dialect, COUNT_BLANKS, vec![whole])?), WITH_BLANKS))
            } else {
                None
            };
            compared.push(Key { compared: self.key(key.clone())?, key, shown });
        }
        for expr in &mut aggregate.aggr_expr {
            // GROUPING names keys as they were planned.
            if !matches!(expr, Expr::AggregateFunction(call) if call.func.name() == GROUPING) {
                *expr = self.expr(std::mem::take(expr))?.data;
            }
        }
        let plan = regroup(aggregate, compared, self.dialect)?;
        if is_set && plan.schema().fields().len() < width {
            texts.remove(number_at);
        }
        Ok((plan, texts))
    }

    fn loses_blanks(&self, key: &Expr) -> bool {
        self.texts(key).is_some_and(|texts| texts.blanks && self.is_ignored(&[texts]))
    }
}
