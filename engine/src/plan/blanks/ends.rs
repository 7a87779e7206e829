//! What is known of the ends of texts: of a table's columns, and of what is computed from them.

use super::Walker;
use crate::federated::ForeignTable;
use crate::functions::{self, CHAR, WITH_BLANKS, WITHOUT_BLANKS};
use crate::lake::table::LakeTable;
use crate::tables::{self, ManagedTableProvider, SqlType};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::{MemTable, source_as_provider};
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, TableScan};
use std::sync::Arc;

/// What is known of the texts of a column or expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Texts {
    /// One may end with a blank.
    pub(super) blanks: bool,
    /// Another system or the catalog compares them, and blanks count.
    pub(super) exact: bool,
    /// They are of a CHAR of so many characters.
    pub(super) char: Option<u32>,
    /// None has more characters.
    pub(super) most: Option<usize>,
}

impl Texts {
    /// Nothing is known.
    pub(super) const UNKNOWN: Self = Self { blanks: true, exact: false, char: None, most: None };

    const EXACT: Self = Self { exact: true, ..Self::UNKNOWN };

    /// Of two, any.
    fn or(self, other: Self) -> Self {
        Self {
            blanks: self.blanks || other.blanks,
            exact: self.exact && other.exact,
            char: self.char.filter(|_| self.char == other.char),
            most: self.most.zip(other.most).map(|(one, other)| one.max(other)),
        }
    }

    /// What a function makes of them that gives no column.
    fn computed(self) -> Self {
        Self { exact: false, char: None, ..self }
    }
}

/// Whether a column holds texts; SUPER values are compared otherwise.
pub(super) fn is_plain_text(field: &Field) -> bool {
    functions::is_text(field.data_type()) && !tables::is_super(field) && !tables::is_sketch(field)
}

/// The text of a literal.
pub(super) fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// The whole number of a literal.
fn number(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => usize::try_from(*number).ok(),
        Expr::Literal(ScalarValue::Int32(Some(number)), _) => usize::try_from(*number).ok(),
        Expr::Cast(cast) => number(&cast.expr),
        _ => None,
    }
}

impl Walker {
    /// What is known of an expression's texts; `None` for what is no text.
    pub(super) fn texts(&self, expr: &Expr) -> Option<Texts> {
        match expr {
            Expr::Literal(..) => literal(expr).map(|text| Texts {
                blanks: text.ends_with(' '),
                most: Some(text.chars().count()),
                ..Texts::default()
            }),
            Expr::Column(column) => self.scope()?.texts(column),
            Expr::OuterReferenceColumn(field, column) => {
                let outer = self.scopes.iter().rev().skip(1).find_map(|scope| scope.texts(column));
                is_plain_text(field).then(|| outer.unwrap_or(Texts::UNKNOWN))
            }
            Expr::Alias(alias) => self.texts(&alias.expr),
            Expr::Cast(cast) => self.cast(&cast.expr, &cast.field),
            Expr::TryCast(cast) => self.cast(&cast.expr, &cast.field),
            Expr::Case(case) => {
                let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
                results.filter_map(|result| self.texts(result)).reduce(Texts::or).map(Texts::computed)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
                let (first, last) = (self.texts(left), self.texts(right));
                first.or(last).map(|_| {
                    // The end is the right one's, where that is not empty.
                    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
                    let is_last = literal(right).is_some_and(|text| !text.is_empty());
                    Texts { blanks: last.blanks || (!is_last && first.blanks), ..Texts::default() }
                })
            }
            Expr::BinaryExpr(_) => None,
            Expr::ScalarSubquery(query) => {
                let field = query.subquery.schema().fields().first()?;
                let known = self.queries.iter().find(|(known, _)| Arc::ptr_eq(known, &query.subquery));
                is_plain_text(field).then(|| known.map_or(Texts::UNKNOWN, |(_, texts)| texts.computed()))
            }
            Expr::ScalarFunction(call) => self.is_text(expr).then(|| self.call(call)),
            Expr::AggregateFunction(AggregateFunction { func, params }) => {
                self.is_text(expr).then(|| self.chosen(func.name(), params.args.first()))
            }
            Expr::WindowFunction(window) => {
                let WindowFunction { fun, params } = window.as_ref();
                let texts = || params.args.iter().filter_map(|arg| self.texts(arg)).reduce(Texts::or);
                self.is_text(expr).then(|| match fun.name() {
                    "lag" | "lead" => texts().map_or(Texts::UNKNOWN, Texts::computed),
                    name => self.chosen(name, params.args.first()),
                })
            }
            _ => self.is_text(expr).then_some(Texts::UNKNOWN),
        }
    }

    fn is_text(&self, expr: &Expr) -> bool {
        let field = self.scope().and_then(|scope| expr.to_field(&scope.schema).ok());
        field.is_some_and(|(_, field)| is_plain_text(&field))
    }

    /// A number, moment or truth value as a text ends with no blank.
    fn cast(&self, inner: &Expr, to: &Field) -> Option<Texts> {
        if !is_plain_text(to) {
            return None;
        }
        let from = self.scope().and_then(|scope| inner.to_field(&scope.schema).ok());
        let simple = from.is_some_and(|(_, from)| {
            let from = from.data_type();
            from.is_numeric() || from.is_temporal() || from.is_null() || *from == DataType::Boolean
        });
        let texts = self.texts(inner).unwrap_or(if simple { Texts::default() } else { Texts::UNKNOWN });
        Some(Texts { char: None, ..texts })
    }

    /// An aggregate that gives one of the values.
    fn chosen(&self, name: &str, value: Option<&Expr>) -> Texts {
        const CHOOSE: [&str; 8] =
            ["min", "max", "any_value", "arbitrary", "first_value", "last_value", "nth_value", "mode"];
        let texts = value.filter(|_| CHOOSE.contains(&name)).and_then(|value| self.texts(value));
        texts.map_or(Texts::UNKNOWN, |texts| Texts { exact: false, ..texts })
    }

    fn call(&self, call: &ScalarFunction) -> Texts {
        let texts = |at: usize| call.args.get(at).and_then(|arg| self.texts(arg));
        let first = || texts(0).map_or(Texts::default(), Texts::computed);
        let most = |at: usize| call.args.get(at).and_then(number);
        match (call.name(), call.args.len()) {
            (CHAR, 2) => {
                let blanks = self.dialect.rules().char_is_padded;
                Texts { blanks, exact: false, char: most(1).and_then(|most| u32::try_from(most).ok()), most: most(1) }
            }
            ("$varchar", 2) => {
                let fits = first().most.zip(most(1)).is_some_and(|(longest, most)| longest <= most);
                if fits { first() } else { Texts { most: most(1), ..Texts::UNKNOWN } }
            }
            // What a number or moment is as a text.
            ("cast" | "try_cast", _) => first(),
            (WITHOUT_BLANKS, _) | ("btrim" | "rtrim" | "trim", 1) => Texts { blanks: false, ..first() },
            (WITH_BLANKS, _) => Texts { most: None, ..first() },
            ("lower" | "upper" | "initcap", 1) => Texts { most: None, ..first() },
            ("right" | "ltrim" | "nullif", _) => first(),
            ("left", 2) => Texts { most: most(1), ..Texts::UNKNOWN },
            ("substr" | "substring", 3) => Texts { most: most(2), ..Texts::UNKNOWN },
            ("$super_key" | "$super_order", _) => Texts::default(),
            ("md5" | "sha1" | "sha" | "func_sha1" | "sha2" | "to_hex", _) => Texts::default(),
            ("coalesce" | "greatest" | "least", _) => {
                let all = call.args.iter().filter_map(|arg| self.texts(arg)).reduce(Texts::or);
                all.map_or(Texts::UNKNOWN, Texts::computed)
            }
            ("concat", _) => {
                let any = call.args.iter().filter_map(|arg| self.texts(arg)).any(|texts| texts.blanks);
                Texts { blanks: any, ..Texts::default() }
            }
            _ => Texts::UNKNOWN,
        }
    }

    /// What is known of the columns of a node that is neither a filter nor a join nor a grouping.
    pub(super) fn output(&self, plan: &LogicalPlan) -> Vec<Texts> {
        let of = |expr: &Expr| self.texts(expr).unwrap_or_default();
        match plan {
            LogicalPlan::TableScan(scan) => self.table(scan),
            LogicalPlan::Projection(projection) => projection.expr.iter().map(of).collect(),
            LogicalPlan::Window(window) => {
                let mut texts = self.inputs();
                texts.extend(window.window_expr.iter().map(of));
                texts
            }
            LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Repartition(_) => self.inputs(),
            LogicalPlan::Union(_) | LogicalPlan::RecursiveQuery(_) => {
                let width = plan.schema().fields().len();
                (0..width).map(|at| self.any_input(at)).collect()
            }
            LogicalPlan::Values(values) => (0..plan.schema().fields().len())
                .map(|at| {
                    let rows = values.values.iter().filter_map(|row| self.texts(row.get(at)?));
                    rows.reduce(Texts::or).unwrap_or_default()
                })
                .collect(),
            plan => {
                // The elements of an array have its name and are no column of the input.
                let of = |column: &Column| self.scope().and_then(|scope| scope.texts(column)).unwrap_or(Texts::UNKNOWN);
                plan.schema().columns().iter().map(of).collect()
            }
        }
    }

    /// A column of which each input has values.
    fn any_input(&self, at: usize) -> Texts {
        let inputs = self.scope().map(|scope| scope.inputs.as_slice()).unwrap_or_default();
        let texts = inputs.iter().filter_map(|(_, texts)| texts.get(at).copied());
        texts.reduce(Texts::or).unwrap_or(Texts::UNKNOWN)
    }

    fn table(&self, scan: &TableScan) -> Vec<Texts> {
        let columns = scan.source.schema().fields().len();
        let all = match scan.source.get_logical_plan() {
            Some(view) => self.columns(&view),
            None => (0..columns).map(|at| stored(scan, at)).collect(),
        };
        match &scan.projection {
            Some(projection) => projection.iter().map(|at| all.get(*at).copied().unwrap_or(Texts::UNKNOWN)).collect(),
            None => all,
        }
    }
}

/// What a table tells of one of its columns.
fn stored(scan: &TableScan, at: usize) -> Texts {
    let Ok(provider) = source_as_provider(&scan.source) else { return Texts::UNKNOWN };
    let provider = crate::resolve::behind_grants(&provider);
    if let Some(table) = provider.downcast_ref::<ManagedTableProvider>() {
        let column = table.table().columns.get(at);
        let (char, most) = match column.and_then(|column| column.data_type.parse().ok()) {
            Some(SqlType::Char(length)) => (Some(length), Some(length as usize)),
            Some(SqlType::Varchar(length)) => (None, Some(length as usize)),
            _ => (None, None),
        };
        return Texts { blanks: table.may_end_with_blank(at), exact: false, char, most };
    }
    if let Some(table) = provider.downcast_ref::<LakeTable>() {
        return Texts { blanks: !table.is_constant(at), char: table.char_length(at), ..Texts::UNKNOWN };
    }
    if provider.downcast_ref::<ForeignTable>().is_some() || provider.downcast_ref::<MemTable>().is_some() {
        return Texts::EXACT;
    }
    Texts::UNKNOWN
}
