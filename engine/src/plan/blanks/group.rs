//! Groups of texts that are equal but for blanks or case. What a group shows is its text with the fewest blanks, or the
//! first by its bytes of those that differ in case.

use super::Walker;
use super::collation::{Ignored, as_type};
use super::ends::Texts;
use crate::functions::{self, COUNT_BLANKS, ORDERED_TEXT, WITH_BLANKS};
use crate::plan::groups::{Finish, GROUPING, Key, Show, keys_of, regroup};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, LogicalPlan, when};
use std::sync::Arc;

impl Walker {
    /// The distinct rows of a plan.
    pub(super) fn distinct(&mut self, input: Arc<LogicalPlan>) -> Result<(LogicalPlan, Vec<Texts>)> {
        let texts = self.inputs();
        let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
        let mut differs = false;
        for column in &columns {
            differs |= self.ignored_in(column)?.any();
        }
        if !differs {
            return Ok((LogicalPlan::Distinct(Distinct::All(input)), texts));
        }
        Ok((self.aggregate(Aggregate::try_new(input, columns, Vec::new())?)?.0, texts))
    }

    /// A grouping; its columns keep their names.
    pub(super) fn aggregate(&mut self, mut aggregate: Aggregate) -> Result<(LogicalPlan, Vec<Texts>)> {
        let is_set = matches!(aggregate.group_expr.first(), Some(Expr::GroupingSet(_)));
        let schema = Arc::clone(&aggregate.schema);
        let planned = keys_of(&aggregate.group_expr)?;
        let known = |expr: &Expr| self.texts(expr).unwrap_or_default();
        let mut texts: Vec<Texts> = planned.iter().map(known).collect();
        // The number of the grouping set.
        texts.extend(is_set.then(Texts::default));
        texts.extend(aggregate.aggr_expr.iter().map(known));

        let dialect = self.dialect;
        let number_at = planned.len();
        let mut keys = Vec::with_capacity(planned.len());
        for (place, key) in planned.into_iter().enumerate() {
            let data_type = schema.field(place).data_type().clone();
            let shown: Option<(Expr, Show<'_>)> = match self.ignored_in(&key)? {
                Ignored { case: true, .. } => {
                    let text = min(self.expr(key.clone())?.data);
                    // A key that is none of the row's set is NULL.
                    Some((
                        text,
                        Box::new(move |key, text| if is_set { when(key.is_not_null(), text).end() } else { Ok(text) }),
                    ))
                }
                Ignored { blanks: true, .. } => {
                    let whole = self.expr(key.clone())?.data;
                    let fewest = min(functions::call(dialect, COUNT_BLANKS, vec![whole])?);
                    Some((
                        fewest,
                        Box::new(move |key, count| {
                            Ok(as_type(functions::call(dialect, WITH_BLANKS, vec![key, count])?, &data_type))
                        }),
                    ))
                }
                _ => None,
            };
            keys.push(Key { compared: self.key(key.clone())?, planned: key, shown });
        }
        let mut finishes: Vec<Option<Finish<'_>>> = Vec::with_capacity(aggregate.aggr_expr.len());
        let first_result = number_at + usize::from(is_set);
        for (place, expr) in aggregate.aggr_expr.iter_mut().enumerate() {
            // GROUPING names keys as they were planned.
            if matches!(expr, Expr::AggregateFunction(call) if call.func.name() == GROUPING) {
                finishes.push(None);
                continue;
            }
            *expr = self.expr(std::mem::take(expr))?.data;
            finishes.push(match self.extreme(expr)? {
                Some(extreme) => {
                    *expr = extreme;
                    let data_type = schema.field(first_result + place).data_type().clone();
                    Some(Box::new(move |result| {
                        Ok(as_type(functions::call(dialect, ORDERED_TEXT, vec![result])?, &data_type))
                    }))
                }
                None => None,
            });
        }
        let plan = regroup(aggregate, &keys, &finishes)?;
        if is_set && plan.schema().fields().len() < schema.fields().len() {
            texts.remove(number_at);
        }
        Ok((plan, texts))
    }

    /// What does not count in the texts of an expression when they are compared with one another.
    fn ignored_in(&self, key: &Expr) -> Result<Ignored> {
        self.texts(key).map_or(Ok(Ignored::default()), |texts| self.ignored(&[texts]))
    }
}
