//! The least and the largest text, as texts compare: MIN, MAX, GREATEST, LEAST.
//!
//! Each text goes into the function behind what it is compared as, in one text ([`ORDERED`]), and comes out of it alone.

use super::Walker;
use super::collation::as_type;
use super::ends::Texts;
use crate::functions::{self, ORDERED, ORDERED_TEXT};
use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Window};

/// Aggregates that give the least or the largest value.
pub(super) const EXTREMES: [&str; 2] = ["min", "max"];

impl Walker {
    /// An aggregate or a window that gives an extreme text, over texts with what they are compared as; `None` where
    /// texts are compared as they are.
    pub(super) fn extreme(&self, expr: &Expr) -> Result<Option<Expr>> {
        match expr {
            Expr::Alias(alias) => self.extreme(&alias.expr),
            Expr::AggregateFunction(call) if EXTREMES.contains(&call.func.name()) => {
                let Some(args) = self.ordered(&call.params.args)? else { return Ok(None) };
                let mut call = call.clone();
                call.params.args = args;
                Ok(Some(Expr::AggregateFunction(call)))
            }
            Expr::WindowFunction(call) if EXTREMES.contains(&call.fun.name()) => {
                let Some(args) = self.ordered(&call.params.args)? else { return Ok(None) };
                let mut call = call.clone();
                call.params.args = args;
                Ok(Some(Expr::WindowFunction(call)))
            }
            _ => Ok(None),
        }
    }

    /// GREATEST or LEAST of texts.
    pub(super) fn extreme_argument(&self, call: &ScalarFunction) -> Result<Option<Expr>> {
        if !["greatest", "least"].contains(&call.name()) {
            return Ok(None);
        }
        let Some(args) = self.ordered(&call.args)? else { return Ok(None) };
        let chosen = Expr::ScalarFunction(ScalarFunction { func: call.func.clone(), args });
        let text = functions::call(self.dialect, ORDERED_TEXT, vec![chosen])?;
        Ok(Some(self.typed(text, &Expr::ScalarFunction(call.clone()))))
    }

    fn ordered(&self, args: &[Expr]) -> Result<Option<Vec<Expr>>> {
        let all: Option<Vec<Texts>> = args.iter().map(|arg| self.texts(arg)).collect();
        let Some(all) = all else { return Ok(None) };
        let ignored = self.ignored(&all)?;
        if !ignored.any() {
            return Ok(None);
        }
        let ordered = args.iter().zip(all).map(|(arg, texts)| {
            let key = self.key_of(arg, texts, ignored)?;
            functions::call(self.dialect, ORDERED, vec![key, arg.clone()])
        });
        ordered.collect::<Result<_>>().map(Some)
    }

    /// Windows; those that give an extreme text give it with what it is compared as, which is taken off above them.
    pub(super) fn window(&mut self, window: Window) -> Result<(LogicalPlan, Vec<Texts>)> {
        let Window { window_expr, input, schema } = window;
        let mut texts = self.inputs();
        texts.extend(window_expr.iter().map(|expr| self.texts(expr).unwrap_or_default()));
        let names = NamePreserver::new_for_projection();
        // None of the input's columns is one.
        let mut is_extreme = vec![false; input.schema().fields().len()];
        let mut computed = Vec::with_capacity(window_expr.len());
        for expr in window_expr {
            let name = names.save(&expr);
            let rewritten = self.expr(expr)?;
            let extreme = self.extreme(&rewritten.data)?;
            is_extreme.push(extreme.is_some());
            let changed = rewritten.transformed || extreme.is_some();
            let expr = extreme.unwrap_or(rewritten.data);
            computed.push(if changed { name.restore(expr) } else { expr });
        }
        let plan = LogicalPlan::Window(Window::try_new(computed, input)?);
        if !is_extreme.contains(&true) {
            return Ok((plan, texts));
        }
        let columns = is_extreme.into_iter().enumerate().map(|(at, is_extreme)| {
            let (relation, field) = plan.schema().qualified_field(at);
            let column = Expr::Column(Column::from((relation, field)));
            if !is_extreme {
                return Ok(column);
            }
            let text = functions::call(self.dialect, ORDERED_TEXT, vec![column])?;
            Ok(as_type(text, schema.field(at).data_type()).alias_qualified(relation.cloned(), field.name()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok((LogicalPlanBuilder::from(plan).project(columns)?.build()?, texts))
    }
}
