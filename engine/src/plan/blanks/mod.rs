//! Blanks at the ends of texts, which do not count when texts are compared: all texts in Redshift's dialect ("Character
//! types: significance of trailing blanks"), those of CHAR in Athena's (Trino: a comparison pads the shorter one).
//!
//! A pass over the finished plan knows of each column whether a text of it may end with a blank ([`ends`]): tables of our
//! own tell, since their files were looked at when they were written. Where none may, comparisons stay as they are, so
//! that they prune, run on dictionaries and are pushed down as ever. Elsewhere what is compared loses its blanks first:
//! operands of operators ([`compare`]), keys of joins and sorts (here), keys of groups ([`group`]), which still show a text
//! of the group, the least and the largest text ([`extremes`]). A filter gets bounds besides, which files can be pruned by.
//!
//! Texts whose collation ignores case ([`collation`]) lose their case in the same places; no file is pruned by them.
//!
//! A view's query was rewritten when it was planned, in the dialect that the view was made in; it is a table here, which
//! tells what is known of its columns.
//!
//! Systems that decide conditions themselves compare as they do, here too: texts of foreign tables and of system tables
//! are compared exactly. Keys of partitions are taken to end with no blank.
//!
//! CHAR: in Redshift's dialect a value has no blanks at its end, in Athena's functions see it padded; both show it padded
//! (`declared` says which columns are CHAR).

mod collation;
mod compare;
mod ends;
mod extremes;
mod group;
mod recursive;

pub(super) use ends::Texts;

use crate::sql::Dialect;
use collation::{Ignored, is_key};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, JoinConstraint, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Distinct, DistinctOn, Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, SortExpr,
    Subquery, lit,
};
use std::cell::OnceCell;
use std::sync::Arc;

/// Rewrites the comparisons of a plan and of the queries in it, and tells what is known of its columns; names and types
/// stay.
pub(super) fn rewrite(plan: LogicalPlan, dialect: Dialect) -> Result<(LogicalPlan, Vec<Texts>)> {
    Walker::new(dialect).plan(plan)
}

/// The columns that a node's expressions may name.
struct Scope {
    inputs: Vec<(DFSchemaRef, Vec<Texts>)>,
    /// Those of several inputs together, once somebody asks for them: most expressions name columns alone.
    together: OnceCell<DFSchema>,
}

impl Scope {
    fn new(inputs: Vec<(DFSchemaRef, Vec<Texts>)>) -> Self {
        Self { inputs, together: OnceCell::new() }
    }

    fn schema(&self) -> &DFSchema {
        match self.inputs.as_slice() {
            [(schema, _)] => schema,
            inputs => self.together.get_or_init(|| {
                let mut together = DFSchema::empty();
                for (schema, _) in inputs {
                    together.merge(schema);
                }
                together
            }),
        }
    }

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
    /// The recursive queries around the node, each with what is known of the rows that it reads of itself.
    working: Vec<(String, Vec<Texts>)>,
    /// Whether a text was found that ignores its case.
    collates: bool,
}

/// The name of what is compared, where it is computed before a filter.
const NAME: &str = "\u{1}bare";

impl Walker {
    fn new(dialect: Dialect) -> Self {
        let (scopes, queries, working) = (Vec::new(), Vec::new(), Vec::new());
        Self { dialect, scopes, queries, hoisted: 0, working, collates: false }
    }

    /// A plan rewritten, and what is known of its columns.
    fn plan(&mut self, plan: LogicalPlan) -> Result<(LogicalPlan, Vec<Texts>)> {
        if let LogicalPlan::RecursiveQuery(query) = plan {
            return self.recursive(query);
        }
        let mut inputs = Vec::new();
        let width = |plan: &LogicalPlan| plan.inputs().iter().map(|input| input.schema().fields().len()).sum::<usize>();
        let before = width(&plan);
        let plan = plan.map_children(|child| {
            let (child, texts) = self.plan(child)?;
            inputs.push((Arc::clone(child.schema()), texts));
            Ok(Transformed::yes(child))
        })?;
        let plan = if width(&plan.data) == before { plan.data } else { plan.data.recompute_schema()? };
        self.scopes.push(Scope::new(inputs));
        let rewritten = self.node(plan);
        self.scopes.pop();
        let (plan, texts) = rewritten?;
        self.note_collations(&texts)?;
        Ok((plan, texts))
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
            LogicalPlan::Distinct(Distinct::On(on)) => self.distinct_on(on),
            LogicalPlan::Window(window) => self.window(window),
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

    /// The first row of each group of rows that are equal in some expressions, which all of its others are taken from.
    fn distinct_on(&mut self, on: DistinctOn) -> Result<(LogicalPlan, Vec<Texts>)> {
        let texts = on.select_expr.iter().map(|expr| self.texts(expr).unwrap_or_default()).collect();
        let names = NamePreserver::new_for_projection();
        let mut select = Vec::with_capacity(on.select_expr.len());
        for expr in on.select_expr {
            let name = names.save(&expr);
            let rewritten = self.expr(expr)?;
            select.push(if rewritten.transformed { name.restore(rewritten.data) } else { rewritten.data });
        }
        let keys = on.on_expr.into_iter().map(|key| self.key(key)).collect::<Result<_>>()?;
        let sort = on.sort_expr.map(|keys| keys.into_iter().map(|key| self.sort_key(key)).collect());
        let on = DistinctOn { on_expr: keys, select_expr: select, sort_expr: sort.transpose()?, ..on };
        Ok((LogicalPlan::Distinct(Distinct::On(on)), texts))
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
            if is_key(&*own) {
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
            if let Some(sides) = self.sides(left, Operator::Eq, right)? {
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
        let texts = self.texts(&key);
        let rewritten = self.expr(key)?.data;
        let Some(texts) = texts else { return Ok(rewritten) };
        let ignored = self.ignored(&[texts])?;
        if ignored.any() { self.key_of(&rewritten, texts, ignored) } else { Ok(rewritten) }
    }

    /// A query whose one column is what is compared in place of its texts.
    fn column_as_key(&self, query: &Subquery, texts: Texts, ignored: Ignored) -> Result<Subquery> {
        let schema = query.subquery.schema();
        let (qualifier, field) = schema.qualified_field(0);
        let column = self.key_of(&Expr::Column(Column::from((qualifier, field))), texts, ignored)?;
        let column = collation::as_type(column, field.data_type());
        let column = column.alias_qualified(qualifier.cloned(), field.name());
        let plan = LogicalPlanBuilder::from(Arc::clone(&query.subquery)).project([column])?.build()?;
        Ok(query.with_plan(Arc::new(plan)))
    }
}
