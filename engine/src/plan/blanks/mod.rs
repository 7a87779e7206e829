//! Blanks at the ends of texts, which do not count when texts are compared: all texts in Redshift's dialect ("Character
//! types: significance of trailing blanks"), those of CHAR in Athena's (Trino: a comparison pads the shorter one).
//!
//! A pass over the finished plan knows of each column whether a text of it may end with a blank ([`ends`]): tables of our
//! own tell, since their files were looked at when they were written. Where none may, comparisons stay as they are, so
//! that they prune, run on dictionaries and are pushed down as ever. Elsewhere what is compared loses its blanks first:
//! operands of operators ([`compare`]), keys of joins, sorts and windows (here), keys of groups ([`group`]), which still
//! show a text of the group. A filter gets bounds besides, which files can be pruned by.
//!
//! Systems that decide conditions themselves compare as they do, here too: texts of foreign tables and of system tables
//! are compared exactly. Keys of partitions are taken to end with no blank.
//!
//! CHAR: in Redshift's dialect a value has no blanks at its end, in Athena's functions see it padded; both show it padded
//! (`declared` says which columns are CHAR).

mod compare;
mod ends;
mod group;

use crate::functions::{self, WITHOUT_BLANKS};
use crate::sql::Dialect;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, JoinConstraint, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Distinct, Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, SortExpr, Subquery, lit,
};
use ends::Texts;
use std::sync::Arc;

/// Rewrites the comparisons of a plan and of the queries in it; names and types stay.
pub(super) fn rewrite(plan: LogicalPlan, dialect: Dialect) -> Result<LogicalPlan> {
    Ok(Walker::new(dialect).plan(plan)?.0)
}

/// The columns that a node's expressions may name.
struct Scope {
    inputs: Vec<(DFSchemaRef, Vec<Texts>)>,
    schema: DFSchema,
}

impl Scope {
    /// What is known of a column; `None` where it is no text.
    fn texts(&self, column: &Column) -> Option<Texts> {
        let found = self.inputs.iter().find_map(|(schema, texts)| {
            let at = schema.maybe_index_of_column(column)?;
            Some((schema.field(at), texts.get(at).copied().unwrap_or(Texts::UNKNOWN)))
        });
        found.filter(|(field, _)| ends::is_plain_text(field)).map(|(_, texts)| texts)
    }

    /// What is known of the columns of all inputs, one after the other.
    fn columns(&self) -> Vec<Texts> {
        self.inputs.iter().flat_map(|(_, texts)| texts.iter().copied()).collect()
    }

    fn input(&self, at: usize) -> Vec<Texts> {
        self.inputs.get(at).map(|(_, texts)| texts.clone()).unwrap_or_default()
    }
}

/// Goes through a plan from its tables up.
struct Walker {
    dialect: Dialect,
    /// Those of the queries around the node, then its own.
    scopes: Vec<Scope>,
    /// The scalar subqueries that were rewritten, each with what is known of its column.
    queries: Vec<(Arc<LogicalPlan>, Texts)>,
    /// How many columns were added below filters.
    hoisted: usize,
}

/// The name of what is compared, where it is computed before a filter.
const NAME: &str = "\u{1}bare";

impl Walker {
    fn new(dialect: Dialect) -> Self {
        Self { dialect, scopes: Vec::new(), queries: Vec::new(), hoisted: 0 }
    }

    /// A plan rewritten, and what is known of its columns.
    fn plan(&mut self, plan: LogicalPlan) -> Result<(LogicalPlan, Vec<Texts>)> {
        let mut inputs = Vec::new();
        let width = |plan: &LogicalPlan| plan.inputs().iter().map(|input| input.schema().fields().len()).sum::<usize>();
        let before = width(&plan);
        let plan = plan.map_children(|child| {
            let (child, texts) = self.plan(child)?;
            inputs.push((Arc::clone(child.schema()), texts));
            Ok(Transformed::yes(child))
        })?;
        let plan = if width(&plan.data) == before { plan.data } else { plan.data.recompute_schema()? };
        let schema = merge_schema(&plan.inputs());
        self.scopes.push(Scope { inputs, schema });
        let rewritten = self.node(plan);
        self.scopes.pop();
        rewritten
    }

    /// What is known of the columns of a view's plan.
    fn columns(&self, view: &LogicalPlan) -> Vec<Texts> {
        Self::new(self.dialect).plan(view.clone()).map(|(_, texts)| texts).unwrap_or_default()
    }

    fn scope(&self) -> Option<&Scope> {
        self.scopes.last()
    }

    fn inputs(&self) -> Vec<Texts> {
        self.scope().map(Scope::columns).unwrap_or_default()
    }

    /// A node whose inputs are rewritten.
    fn node(&mut self, plan: LogicalPlan) -> Result<(LogicalPlan, Vec<Texts>)> {
        match plan {
            LogicalPlan::Filter(filter) => Ok((self.filter(filter)?, self.inputs())),
            LogicalPlan::Join(join) => {
                let texts = self.joined(join.join_type);
                Ok((self.join(join)?, texts))
            }
            LogicalPlan::Sort(mut sort) => {
                sort.expr = sort.expr.into_iter().map(|key| self.sort_key(key)).collect::<Result<_>>()?;
                Ok((LogicalPlan::Sort(sort), self.inputs()))
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input),
            LogicalPlan::Distinct(Distinct::On(mut on)) => {
                let texts = on.select_expr.iter().map(|expr| self.texts(expr).unwrap_or_default()).collect();
                on.on_expr = on.on_expr.into_iter().map(|key| self.key(key)).collect::<Result<_>>()?;
                let sort = on.sort_expr.map(|keys| keys.into_iter().map(|key| self.sort_key(key)).collect());
                on.sort_expr = sort.transpose()?;
                Ok((LogicalPlan::Distinct(Distinct::On(on)), texts))
            }
            plan => {
                let names = NamePreserver::new(&plan);
                let plan = plan.map_expressions(|expr| {
                    let name = names.save(&expr);
                    let rewritten = self.expr(expr)?;
                    Ok(if rewritten.transformed { Transformed::yes(name.restore(rewritten.data)) } else { rewritten })
                })?;
                let texts = self.output(&plan.data);
                Ok((plan.data, texts))
            }
        }
    }

    fn filter(&mut self, filter: Filter) -> Result<LogicalPlan> {
        let bounds = self.bounds(&filter.predicate);
        let predicate = self.expr(filter.predicate)?.data;
        let predicate = bounds.into_iter().fold(predicate, Expr::and);
        let (predicate, input) = self.hoist(predicate, filter.input)?;
        Ok(LogicalPlan::Filter(Filter::try_new(predicate, input)?))
    }

    /// DataFusion makes a join of a subquery where a column of it equals something of the query around it, so a text that
    /// lost its blanks becomes a column.
    fn hoist(&mut self, predicate: Expr, input: Arc<LogicalPlan>) -> Result<(Expr, Arc<LogicalPlan>)> {
        let is_outer = |expr: &Expr| expr.exists(|part| Ok(matches!(part, Expr::OuterReferenceColumn(..))));
        let is_bare = |expr: &Expr| matches!(expr, Expr::ScalarFunction(call) if call.name() == WITHOUT_BLANKS);
        if !is_outer(&predicate)? {
            return Ok((predicate, input));
        }
        let mut columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
        let width = columns.len();
        let mut parts = split_conjunction_owned(predicate);
        for part in &mut parts {
            let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = part else { continue };
            let own: &mut Expr = match (is_outer(left)?, is_outer(right)?) {
                (false, true) => left,
                (true, false) => right,
                _ => continue,
            };
            if is_bare(&*own) {
                let name = format!("{NAME}{}", self.hoisted);
                self.hoisted += 1;
                let column = Expr::Column(Column::from_name(&name));
                columns.push(std::mem::replace(own, column).alias(name));
            }
        }
        let predicate = conjunction(parts).unwrap_or_else(|| lit(true));
        if columns.len() == width {
            return Ok((predicate, input));
        }
        Ok((predicate, Arc::new(LogicalPlanBuilder::from(input).project(columns)?.build()?)))
    }

    fn join(&mut self, mut join: Join) -> Result<LogicalPlan> {
        for (left, right) in &mut join.on {
            if let Some(sides) = self.sides(left, Operator::Eq, right) {
                (*left, *right) = sides;
                // Names of USING are resolved by now, and it takes plain columns only.
                join.join_constraint = JoinConstraint::On;
            }
        }
        join.filter = join.filter.map(|filter| self.expr(filter)).transpose()?.map(|filter| filter.data);
        Ok(LogicalPlan::Join(join))
    }

    fn joined(&self, kind: JoinType) -> Vec<Texts> {
        let input = |at| self.scope().map(|scope| scope.input(at)).unwrap_or_default();
        match kind {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => input(0),
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => input(1),
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => self.inputs(),
        }
    }

    fn sort_key(&mut self, key: SortExpr) -> Result<SortExpr> {
        Ok(SortExpr { expr: self.key(key.expr)?, ..key })
    }

    /// What rows are sorted, grouped or parted by.
    fn key(&mut self, key: Expr) -> Result<Expr> {
        let loses = self.texts(&key).is_some_and(|texts| self.is_ignored(&[texts]) && texts.blanks);
        let key = self.expr(key)?.data;
        if loses { self.without_blanks(key) } else { Ok(key) }
    }

    /// Whether blanks at the ends of these texts do not count when they are compared.
    fn is_ignored(&self, texts: &[Texts]) -> bool {
        let by_dialect = self.dialect.rules().blanks_are_ignored || texts.iter().any(|texts| texts.char.is_some());
        by_dialect && texts.iter().all(|texts| !texts.exact)
    }

    fn without_blanks(&self, text: Expr) -> Result<Expr> {
        functions::call(self.dialect, WITHOUT_BLANKS, vec![text])
    }

    /// A query whose one column has lost its blanks.
    fn column_without_blanks(&self, query: &Subquery) -> Result<Subquery> {
        let schema = query.subquery.schema();
        let (qualifier, field) = schema.qualified_field(0);
        let column = self.without_blanks(Expr::Column(Column::from((qualifier, field))))?;
        let column = column.alias_qualified(qualifier.cloned(), field.name());
        let plan = LogicalPlanBuilder::from(Arc::clone(&query.subquery)).project([column])?.build()?;
        Ok(query.with_plan(Arc::new(plan)))
    }
}
