//! The names of columns that have no alias, and of those that a wildcard leaves out.

use crate::sql::{Dialect, Unnamed, folded, member};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, CastKind, DataType, ExcludeSelectItem, Expr, Ident, ObjectNamePart, Query, SelectItem, SetExpr, Value,
    ValueWithSpan,
};

/// Names what has no name, in the first operand of a query, which names all, and in the others.
pub(super) fn name_items(items: &mut [SelectItem], dialect: Dialect) {
    for (at, item) in items.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        let name = match (dialect.rules().unnamed, plain_name(expr)) {
            (_, Some(_)) => continue,
            (Unnamed::ByPosition, None) => format!("_col{at}"),
            (Unnamed::ByExpression, None) => derived_name(expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name),
        };
        let expr = std::mem::replace(expr, Expr::Identifier(Ident::new("")));
        *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) };
    }
}

/// Folds the names of columns that wildcards leave out: the planner compares them as they are written.
pub(super) fn fold_excluded(items: &mut [SelectItem]) {
    for item in items {
        let (SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options)) = item else { continue };
        let excluded: &mut [_] = match &mut options.opt_exclude {
            Some(ExcludeSelectItem::Single(name)) => std::slice::from_mut(name),
            Some(ExcludeSelectItem::Multiple(names)) => names.as_mut_slice(),
            None => &mut [],
        };
        for part in excluded.iter_mut().flat_map(|name| &mut name.0) {
            if let ObjectNamePart::Identifier(name) = part {
                name.value = folded(name);
            }
        }
        if let Some(except) = &mut options.opt_except {
            for name in std::iter::once(&mut except.first_element).chain(&mut except.additional_elements) {
                name.value = folded(name);
            }
        }
    }
}

/// A column's own name, which it keeps.
fn plain_name(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(idents) => idents.last(),
        _ => None,
    }
}

/// PostgreSQL's rule (`FigureColname`): the name, and whether it is as good as a column's or function's.
fn derived_name(expr: &Expr) -> Option<(String, bool)> {
    let strong = |name: &str| Some((name.to_lowercase(), true));
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Some((folded(plain_name(expr)?), true)),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(field)) => Some(folded(field)),
                AccessExpr::Dot(Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(field), .. })) => {
                    Some(match member(field) {
                        (exact, true) => exact.to_owned(),
                        (field, false) => field.to_lowercase(),
                    })
                }
                _ => None,
            });
            field.map_or_else(|| derived_name(root), |name| Some((name, true)))
        }
        // APPROXIMATE COUNT.
        Expr::Function(function) if super::calls::name_of(function) == "approx_distinct" => strong("count"),
        Expr::Function(function) => {
            strong(&function.name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.clone())?)
        }
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => derived_name(inner),
        Expr::Cast {
            expr: inner, data_type, kind: CastKind::Cast | CastKind::DoubleColon | CastKind::TryCast, ..
        } => match derived_name(inner) {
            Some((name, true)) => Some((name, true)),
            _ => Some((type_name(data_type), false)),
        },
        Expr::TypedString(typed) => Some((type_name(&typed.data_type), false)),
        Expr::Interval(interval) => {
            let qualifier = super::intervals::qualifier(interval).ok().flatten();
            let name = match qualifier {
                Some(qualifier) if qualifier.is_months() => "intervaly2m",
                Some(_) => "intervald2s",
                None => "interval",
            };
            Some((name.to_owned(), false))
        }
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(derived_name) {
            Some((name, true)) => Some((name, true)),
            _ => Some(("case".to_owned(), false)),
        },
        Expr::Extract { .. } => strong("date_part"),
        Expr::Exists { .. } => strong("exists"),
        Expr::Subquery(query) => only_name(query).map(|name| (name, true)),
        Expr::Array(_) => strong("array"),
        Expr::Trim { .. } => strong("btrim"),
        Expr::Substring { .. } => strong("substring"),
        Expr::Position { .. } => strong("position"),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Convert { .. } => strong("convert"),
        _ => None,
    }
}

/// The name of a scalar subquery's column.
fn only_name(query: &Query) -> Option<String> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    match select.projection.first()? {
        SelectItem::UnnamedExpr(expr) => derived_name(expr).map(|(name, _)| name),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

/// PostgreSQL's own name of a type.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::SmallInt(_) | DataType::Int2(_) => "int2",
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => "int4",
        DataType::BigInt(_) | DataType::Int8(_) => "int8",
        DataType::Real | DataType::Float4 => "float4",
        DataType::Float(_) | DataType::Float8 | DataType::Double(_) | DataType::DoublePrecision => "float8",
        DataType::Decimal(_) | DataType::Numeric(_) | DataType::Dec(_) => "numeric",
        DataType::Boolean | DataType::Bool => "bool",
        DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::CharVarying(_) | DataType::Nvarchar(_) => {
            "varchar"
        }
        DataType::Char(_) | DataType::Character(_) => "bpchar",
        DataType::Text => "text",
        DataType::Date => "date",
        DataType::Timestamp(..) => "timestamp",
        DataType::Time(..) => "time",
        other => return other.to_string().to_lowercase(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    // PostgreSQL's answers; Trino's are by position.
    #[test]
    fn columns_are_named() {
        for (expr, redshift, athena) in [
            ("a", "a", "a"),
            ("t.a", "a", "a"),
            ("count(*)", "count", "_col0"),
            ("1", "?column?", "_col0"),
            ("a + 1", "?column?", "_col0"),
            ("a::date", "a", "_col0"),
            ("A::date", "a", "_col0"),
            ("\"A\"::date", "A", "_col0"),
            ("(SELECT \"A\" AS \"B\" FROM t)", "B", "_col0"),
            ("'1'::int", "int4", "_col0"),
            ("CAST(sum(a) AS bigint)", "sum", "_col0"),
            ("CASE WHEN a THEN 1 ELSE b END", "b", "_col0"),
            ("CASE WHEN a THEN 1 END", "case", "_col0"),
            ("EXTRACT(year FROM d)", "date_part", "_col0"),
            ("(SELECT max(x) FROM t)", "max", "_col0"),
            ("DATE '2020-01-01'", "date", "_col0"),
        ] {
            for (dialect, expected) in [(Dialect::Redshift, redshift), (Dialect::Athena, athena)] {
                let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(expr).unwrap().parse_expr().unwrap();
                let mut items = [SelectItem::UnnamedExpr(parsed)];
                name_items(&mut items, dialect);
                let found = match &items[0] {
                    SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
                    SelectItem::UnnamedExpr(expr) => plain_name(expr).unwrap().value.clone(),
                    _ => String::new(),
                };
                assert_eq!(found, expected, "{expr} in {dialect}");
            }
        }
    }
}
