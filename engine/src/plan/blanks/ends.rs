//! What is known of the ends of texts: of a table's columns, and of what is computed from them.

use super::Walker;
use super::collation::Collation;
use crate::federated::ForeignTable;
use crate::functions::{
    self, CHAR, COALESCE, COLLATE, FOLDED, ORDERED, ORDERED_TEXT, TRY_VARCHAR, VARCHAR, WITH_BLANKS, WITHOUT_BLANKS,
};
use crate::lake::table::LakeTable;
use crate::plan::view::View;
use crate::sql::Collation as Named;
use crate::tables::{self, ManagedTableProvider, SqlType};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::{MemTable, source_as_provider};
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, TableScan};
use std::sync::Arc;

/// What is known of the texts of a column or expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::plan) struct Texts {
    /// One may end with a blank.
    pub(super) blanks: bool,
    /// Another system or the catalog compares them, and blanks count.
    pub(super) exact: bool,
    /// They are of a CHAR of so many characters.
    pub(super) char: Option<u32>,
    /// None has more characters.
    pub(super) most: Option<usize>,
    /// Whether their case counts.
    pub(super) collation: Collation,
}

impl Texts {
    /// Nothing is known.
    pub(super) const UNKNOWN: Self =
        Self { blanks: true, exact: false, char: None, most: None, collation: Collation::Any };

    /// A table's column of which nothing is known.
    const COLUMN: Self = Self { collation: Collation::Sensitive, ..Self::UNKNOWN };

    const EXACT: Self = Self { exact: true, ..Self::COLUMN };

    /// Those of NULL: none.
    const NOTHING: Self = Self { blanks: false, most: Some(0), ..Self::UNKNOWN };

    /// Whether their case counts, where that is known.
    pub(in crate::plan) fn collation(&self) -> Option<Named> {
        match self.collation {
            Collation::Sensitive => Some(Named::CaseSensitive),
            Collation::Insensitive => Some(Named::CaseInsensitive),
            Collation::Any | Collation::Mixed => None,
        }
    }

    /// Of two, any.
    pub(super) fn or(self, other: Self) -> Self {
        let collation = self.collation.with(other.collation);
        if self == Self::NOTHING || other == Self::NOTHING {
            return Self { collation, ..if self == Self::NOTHING { other } else { self } };
        }
        Self {
            blanks: self.blanks || other.blanks,
            exact: self.exact && other.exact,
            char: self.char.zip(other.char).map(|(one, other)| one.max(other)),
            most: self.most.zip(other.most).map(|(one, other)| one.max(other)),
            collation,
        }
    }

    /// What a function makes of them that gives no column.
    fn computed(self) -> Self {
        Self { exact: false, char: None, ..self }
    }

    /// The most characters that one may have.
    fn longest(self) -> Option<usize> {
        self.char.map(|length| length as usize).or(self.most)
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

/// Whether an expression is NULL as written.
pub(super) fn is_null(expr: &Expr) -> bool {
    let fits = |data_type: DataType| data_type.is_null() || functions::is_text(&data_type);
    matches!(expr, Expr::Literal(value, _) if value.is_null() && fits(value.data_type()))
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

/// Functions that give one of their arguments.
pub(super) const CHOOSERS: [&str; 4] = [COALESCE, "nvl", "greatest", "least"];

impl Walker {
    /// What is known of an expression's texts; `None` for what is no text.
    pub(super) fn texts(&self, expr: &Expr) -> Option<Texts> {
        match expr {
            Expr::Literal(..) if is_null(expr) => Some(Texts::NOTHING),
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
                self.choice(results.map(AsRef::as_ref))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
                let (first, last) = (self.texts(left), self.texts(right));
                first.or(last).map(|_| {
                    // The end is the right one's, where that is not empty.
                    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
                    let is_last = literal(right).is_some_and(|text| !text.is_empty());
                    let blanks = last.blanks || (!is_last && first.blanks);
                    Texts { blanks, collation: first.collation.with(last.collation), ..Texts::default() }
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
        let field = self.scope().and_then(|scope| expr.to_field(scope.schema()).ok());
        field.is_some_and(|(_, field)| is_plain_text(&field))
    }

    /// A number, moment or truth value as a text ends with no blank.
    fn cast(&self, inner: &Expr, to: &Field) -> Option<Texts> {
        if !is_plain_text(to) {
            return None;
        }
        let from = self.scope().and_then(|scope| inner.to_field(scope.schema()).ok());
        let simple = from.is_some_and(|(_, from)| {
            let from = from.data_type();
            from.is_numeric() || from.is_temporal() || *from == DataType::Boolean
        });
        let texts = self.texts(inner).unwrap_or(if simple { Texts::default() } else { Texts::UNKNOWN });
        Some(Texts { char: None, ..texts })
    }

    /// An aggregate that gives one of the values.
    fn chosen(&self, name: &str, value: Option<&Expr>) -> Texts {
        const CHOOSE: [&str; 8] =
            ["min", "max", "any_value", "arbitrary", "first_value", "last_value", "nth_value", "mode"];
        let texts = value.and_then(|value| self.texts(value)).unwrap_or(Texts::UNKNOWN);
        if CHOOSE.contains(&name) {
            return Texts { exact: false, ..texts };
        }
        Texts { collation: texts.collation, ..Texts::UNKNOWN }
    }

    /// One of several values: a CHAR where all are, and in Trino's dialect where one is and none is longer than known.
    pub(super) fn choice<'a>(&self, values: impl Iterator<Item = &'a Expr>) -> Option<Texts> {
        let all: Vec<Texts> = values.filter_map(|value| self.texts(value)).collect();
        let texts = Texts { exact: false, ..all.iter().copied().reduce(Texts::or)? };
        let is_char = self.dialect.rules().char_is_padded && all.iter().any(|texts| texts.char.is_some());
        if texts.char.is_some() || !is_char {
            return Some(texts);
        }
        let longest = all.iter().map(|texts| texts.longest()).collect::<Option<Vec<_>>>();
        let longest = longest.and_then(|longest| longest.into_iter().max());
        Some(Texts { char: longest.and_then(|longest| u32::try_from(longest).ok()), ..texts })
    }

    fn call(&self, call: &ScalarFunction) -> Texts {
        if call.name() == COLLATE {
            return self.collated(call);
        }
        let all = call.args.iter().filter_map(|arg| self.texts(arg));
        let collation = all.fold(Collation::Any, |all, texts| all.with(texts.collation));
        Texts { collation, ..self.called(call) }
    }

    fn called(&self, call: &ScalarFunction) -> Texts {
        let texts = |at: usize| call.args.get(at).and_then(|arg| self.texts(arg));
        let first = || texts(0).map_or(Texts::default(), Texts::computed);
        let most = |at: usize| call.args.get(at).and_then(number);
        match (call.name(), call.args.len()) {
            (CHAR, 2) => {
                let blanks = self.dialect.rules().char_is_padded;
                let char = most(1).and_then(|most| u32::try_from(most).ok());
                Texts { blanks, char, most: most(1), ..Texts::UNKNOWN }
            }
            (VARCHAR | TRY_VARCHAR, 2..) => {
                let fits = first().most.zip(most(1)).is_some_and(|(longest, most)| longest <= most);
                if fits { first() } else { Texts { most: most(1), ..Texts::UNKNOWN } }
            }
            // What a number or moment is as a text.
            ("cast" | "try_cast", _) => first(),
            (WITHOUT_BLANKS, _) | ("btrim" | "rtrim" | "trim", 1) => Texts { blanks: false, ..first() },
            (WITH_BLANKS, _) => Texts { most: None, ..first() },
            (FOLDED, _) => first(),
            // The text itself, on its way through an aggregate.
            (ORDERED, 2) => texts(1).unwrap_or(Texts::UNKNOWN),
            (ORDERED_TEXT, 1) => texts(0).unwrap_or(Texts::UNKNOWN),
            ("lower" | "upper" | "initcap", 1) => Texts { most: None, ..first() },
            ("nullif", _) => texts(0).map_or(Texts::UNKNOWN, |value| Texts { exact: false, ..value }),
            ("right" | "ltrim", _) => first(),
            ("left", 2) => Texts { most: most(1), ..Texts::UNKNOWN },
            ("substr" | "substring", 3) => Texts { most: most(2), ..Texts::UNKNOWN },
            ("$super_key" | "$super_order", _) => Texts::default(),
            ("md5" | "sha1" | "sha" | "func_sha1" | "sha2" | "to_hex", _) => Texts::default(),
            (name, _) if CHOOSERS.contains(&name) => self.choice(call.args.iter()).unwrap_or(Texts::UNKNOWN),
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
            LogicalPlan::Union(_) => {
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
        let all: Vec<Texts> = (0..columns).map(|at| self.stored(scan, at)).collect();
        match &scan.projection {
            Some(projection) => projection.iter().map(|at| all.get(*at).copied().unwrap_or(Texts::UNKNOWN)).collect(),
            None => all,
        }
    }

    /// What a table tells of one of its columns.
    fn stored(&self, scan: &TableScan, at: usize) -> Texts {
        let Ok(provider) = source_as_provider(&scan.source) else { return Texts::UNKNOWN };
        let provider = crate::resolve::behind_grants(&provider);
        if let Some(view) = provider.downcast_ref::<View>() {
            return view.texts(at).unwrap_or(Texts::UNKNOWN);
        }
        if let Some(table) = provider.downcast_ref::<CteWorkTable>() {
            let rows = self.working.iter().rev().find(|(name, _)| name == table.name());
            return rows.and_then(|(_, rows)| rows.get(at).copied()).unwrap_or(Texts::UNKNOWN);
        }
        if let Some(table) = provider.downcast_ref::<ManagedTableProvider>() {
            let column = table.table().columns.get(at);
            let (char, most) = match column.and_then(|column| column.data_type.parse().ok()) {
                Some(SqlType::Char(length)) => (Some(length), Some(length as usize)),
                Some(SqlType::Varchar(length)) => (None, Some(length as usize)),
                _ => (None, None),
            };
            let ignores_case = column.is_some_and(|column| column.case_insensitive);
            let collation = if ignores_case { Collation::Insensitive } else { Collation::Sensitive };
            return Texts { blanks: table.may_end_with_blank(at), exact: false, char, most, collation };
        }
        if let Some(table) = provider.downcast_ref::<LakeTable>() {
            return Texts { blanks: !table.is_constant(at), char: table.char_length(at), ..Texts::COLUMN };
        }
        if provider.downcast_ref::<ForeignTable>().is_some() || provider.downcast_ref::<MemTable>().is_some() {
            return Texts::EXACT;
        }
        Texts::UNKNOWN
    }
}
