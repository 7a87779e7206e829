//! Groups of texts that are equal but for blanks or case. What a group shows is its text with the fewest blanks, or the
//! first by its bytes of those that differ in case.

use super::Walker;
use super::collation::{Ignored, as_type};
use super::ends::Texts;
use crate::functions::{self, COUNT_BLANKS, ORDERED_TEXT, WITH_BLANKS};
use datafusion::common::{Column, DataFusionError};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, when};
use std::sync::Arc;

/// What a group's key is shown by, where that is not the key: the place of an aggregate.
#[derive(Clone, Copy)]
enum Shown {
    /// The fewest blanks of the group's texts.
    Blanks(usize),
    /// One of the group's texts.
    Text(usize),
}

/// The function that tells which keys a row is a group of.
const GROUPING: &str = "grouping";

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
            let (expr, is_extreme) = match expr {
                Expr::AggregateFunction(mut call) if call.func.name() == GROUPING => {
                    call.params.args = call.params.args.into_iter().map(&by).collect();
                    (Expr::AggregateFunction(call), false)
                }
                expr => {
                    let expr = self.expr(expr)?.data;
                    let extreme = self.extreme(&expr)?;
                    let is_extreme = extreme.is_some();
                    (extreme.unwrap_or(expr), is_extreme)
                }
            };
            results.push((place(expr), is_extreme));
        }
        let mut shows = Vec::with_capacity(keys.len());
        for key in &keys {
            let ignored = self.ignored_in(key)?;
            shows.push(match ignored {
                Ignored { case: true, .. } => Some(Shown::Text(place(min(self.expr(key.clone())?.data)))),
                Ignored { blanks: true, .. } => {
                    let whole = self.expr(key.clone())?.data;
                    Some(Shown::Blanks(place(min(functions::call(self.dialect, COUNT_BLANKS, vec![whole])?))))
                }
                _ => None,
            });
        }
        let first_result = shown.len() + usize::from(is_set);
        let grouped = Arc::new(LogicalPlan::Aggregate(Aggregate::try_new(input, groups, computed)?));
        let column = |at: usize| Expr::Column(Column::from(grouped.schema().qualified_field(at)));
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (place, (key, shows)) in compared.iter().zip(shows).enumerate() {
            let at = shown.iter().position(|shown| shown == key).ok_or_else(lost)?;
            columns.push(match shows {
                Some(Shown::Blanks(count)) => {
                    let args = vec![column(at), column(first_result + count)];
                    as_type(functions::call(self.dialect, WITH_BLANKS, args)?, schema.field(place).data_type())
                }
                // A key that is none of the row's set is NULL.
                Some(Shown::Text(text)) if is_set => {
                    when(column(at).is_not_null(), column(first_result + text)).end()?
                }
                Some(Shown::Text(text)) => column(first_result + text),
                None => column(at),
            });
        }
        columns.extend(is_set.then(|| column(shown.len())));
        for (at, is_extreme) in results {
            let result = column(first_result + at);
            let place = columns.len();
            columns.push(if is_extreme {
                let text = functions::call(self.dialect, ORDERED_TEXT, vec![result])?;
                as_type(text, schema.field(place).data_type())
            } else {
                result
            });
        }
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

    /// What does not count in the texts of an expression when they are compared with one another.
    fn ignored_in(&self, key: &Expr) -> Result<Ignored> {
        self.texts(key).map_or(Ok(Ignored::default()), |texts| self.ignored(&[texts]))
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
