//! Groups of texts that are equal but for blanks. What a group shows is its text with the fewest blanks.

use super::Walker;
use super::ends::Texts;
use crate::functions::{self, COUNT_BLANKS, WITH_BLANKS};
use datafusion::common::{Column, DataFusionError};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder};
use std::sync::Arc;

/// The function that tells which keys a row is a group of.
const GROUPING: &str = "grouping";

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
    pub(super) fn aggregate(&mut self, aggregate: Aggregate) -> Result<(LogicalPlan, Vec<Texts>)> {
        let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
        let is_set = matches!(group_expr.first(), Some(Expr::GroupingSet(_)));
        let keys: Vec<Expr> = grouping_set_to_exprlist(&group_expr)?.into_iter().cloned().collect();
        let known = |expr: &Expr| self.texts(expr).unwrap_or_default();
        let mut texts: Vec<Texts> = keys.iter().map(known).collect();
        // The number of the grouping set.
        texts.extend(is_set.then(Texts::default));
        texts.extend(aggr_expr.iter().map(known));

        let compared = keys.iter().map(|key| self.key(key.clone())).collect::<Result<Vec<_>>>()?;
        let by = |expr: Expr| {
            let at = keys.iter().position(|key| *key == expr);
            at.map_or(expr, |at| compared[at].clone())
        };
        let groups: Vec<Expr> = group_expr.into_iter().map(|expr| each_key(expr, &by)).collect();
        let shown: Vec<Expr> = grouping_set_to_exprlist(&groups)?.into_iter().cloned().collect();
        let mut computed = Vec::new();
        let mut place = |expr: Expr| {
            computed.iter().position(|known| *known == expr).unwrap_or_else(|| {
                computed.push(expr);
                computed.len() - 1
            })
        };
        let mut results = Vec::with_capacity(aggr_expr.len());
        for expr in aggr_expr {
            results.push(place(match expr {
                Expr::AggregateFunction(mut call) if call.func.name() == GROUPING => {
                    call.params.args = call.params.args.into_iter().map(&by).collect();
                    Expr::AggregateFunction(call)
                }
                expr => self.expr(expr)?.data,
            }));
        }
        let mut blanks = Vec::with_capacity(keys.len());
        for key in &keys {
            blanks.push(if self.loses_blanks(key) {
                let whole = self.expr(key.clone())?.data;
                Some(place(min(functions::call(self.dialect, COUNT_BLANKS, vec![whole])?)))
            } else {
                None
            });
        }
        let first_result = shown.len() + usize::from(is_set);
        let grouped = Arc::new(LogicalPlan::Aggregate(Aggregate::try_new(input, groups, computed)?));
        let column = |at: usize| Expr::Column(Column::from(grouped.schema().qualified_field(at)));
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (key, blanks) in compared.iter().zip(blanks) {
            let at = shown.iter().position(|shown| shown == key).ok_or_else(lost)?;
            columns.push(match blanks {
                Some(count) => {
                    functions::call(self.dialect, WITH_BLANKS, vec![column(at), column(first_result + count)])?
                }
                None => column(at),
            });
        }
        columns.extend(is_set.then(|| column(shown.len())));
        columns.extend(results.into_iter().map(|at| column(first_result + at)));
        let before = schema.columns();
        let same = |(expr, before): (&Expr, &Column)| matches!(expr, Expr::Column(column) if column == before);
        if grouped.schema().fields().len() == before.len() && columns.iter().zip(&before).all(same) {
            return Ok((Arc::unwrap_or_clone(grouped), texts));
        }
        if is_set {
            // Nobody names the number of the set, which is gone when GROUPING is resolved.
            columns.remove(keys.len());
            texts.remove(keys.len());
        }
        let wanted = before.into_iter().enumerate().filter(|(at, _)| !is_set || *at != keys.len());
        let named = columns.into_iter().zip(wanted).map(|(expr, (_, wanted))| match expr {
            Expr::Column(column) if column == wanted => Expr::Column(column),
            expr => expr.alias_qualified(wanted.relation, wanted.name),
        });
        let named: Vec<Expr> = named.collect();
        Ok((LogicalPlanBuilder::from(grouped).project(named)?.build()?, texts))
    }

    fn loses_blanks(&self, key: &Expr) -> bool {
        self.texts(key).is_some_and(|texts| texts.blanks && self.is_ignored(&[texts]))
    }
}

fn lost() -> DataFusionError {
    DataFusionError::Internal("a key of a grouping was lost".to_owned())
}

/// The keys of a grouping, also those in sets.
fn each_key(expr: Expr, of: &impl Fn(Expr) -> Expr) -> Expr {
    let all = |keys: Vec<Expr>| keys.into_iter().map(of).collect();
    match expr {
        Expr::GroupingSet(GroupingSet::Rollup(keys)) => Expr::GroupingSet(GroupingSet::Rollup(all(keys))),
        Expr::GroupingSet(GroupingSet::Cube(keys)) => Expr::GroupingSet(GroupingSet::Cube(all(keys))),
        Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => {
            Expr::GroupingSet(GroupingSet::GroupingSets(sets.into_iter().map(all).collect()))
        }
        key => of(key),
    }
}
