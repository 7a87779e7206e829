//! What is SUPER, steps into it and operators over it, when the planner asks for them.

use crate::error::Error;
use crate::functions::{self, is_text};
use crate::plan::dialect::members::Members;
use crate::plan::dialect::sketches::is_sketch;
use crate::sql::{Dialect, call as ast_call};
use crate::tables;
use datafusion::common::{DFSchema, ExprSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, Operator, binary_expr, lit};
use datafusion::sql::sqlparser::ast::{self, BinaryOperator};

/// A step from a value.
pub(super) const GET: &str = "$super_get";
/// `+`
pub(super) const ADD: &str = "$super_add";
/// What makes a SUPER of what is none.
pub(super) const SUPER: &str = "$super";

/// Functions whose result is SUPER where an argument is: they choose among their arguments.
pub(super) const CHOOSING: [&str; 3] = ["coalesce", "nullif", "nvl2"];

/// Whether an expression is SUPER.
pub(super) fn is_super(expr: &Expr, schema: &dyn ExprSchema) -> bool {
    match expr {
        Expr::Column(column) => schema.field_from_column(column).is_ok_and(|field| tables::is_super(field)),
        Expr::OuterReferenceColumn(field, _) => tables::is_super(field),
        Expr::Alias(alias) => is_super(&alias.expr, schema),
        // A field that is made of a cast's forgets that the type is another now.
        Expr::Cast(cast) => tables::is_super(&cast.field),
        Expr::TryCast(cast) => tables::is_super(&cast.field),
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            results.chain(case.else_expr.as_deref()).any(|value| is_super(value, schema))
        }
        Expr::ScalarFunction(call) if CHOOSING.contains(&call.name()) => {
            call.args.iter().any(|value| is_super(value, schema))
        }
        Expr::ScalarFunction(call) => {
            functions::gives_super(&call.func).unwrap_or_else(|| has_super_field(expr, schema))
        }
        // To make a field of a long chain of these would take the square of its length.
        Expr::BinaryExpr(_) | Expr::Not(_) | Expr::Like(_) | Expr::Literal(_, None) => false,
        other => has_super_field(other, schema),
    }
}

fn has_super_field(expr: &Expr, schema: &dyn ExprSchema) -> bool {
    expr.to_field(schema).is_ok_and(|(_, field)| tables::is_super(&field))
}

/// A value as SUPER.
pub(crate) fn as_super(value: Expr, schema: &dyn ExprSchema) -> Result<Expr> {
    if is_super(&value, schema) {
        Ok(value)
    } else if is_sketch(&value, schema) {
        call(functions::SUPER_SKETCH, vec![value])
    } else {
        call(SUPER, vec![value])
    }
}

/// A value as an argument that is SUPER. What is neither SUPER nor a text, functions take as it is.
pub(super) fn as_argument(value: Expr, schema: &dyn ExprSchema) -> Result<Expr> {
    if value.get_type(schema).is_ok_and(|found| is_text(&found)) { as_super(value, schema) } else { Ok(value) }
}

/// The same before it is planned.
pub(crate) fn super_value(value: ast::Expr) -> ast::Expr {
    ast_call(SUPER, vec![value])
}

pub(super) fn call(name: &str, args: Vec<Expr>) -> Result<Expr> {
    let function = functions::scalar(Dialect::Redshift, name)
        .ok_or_else(|| Error::internal(format!("the function {name} is missing")))?;
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
}

fn text(text: &str) -> Expr {
    Expr::Literal(ScalarValue::Utf8View(Some(text.to_owned())), None)
}

/// A SUPER as the text that casts read, for a kind of type.
pub(super) fn plain(value: Expr, kind: &str) -> Result<Expr> {
    call("$super_scalar", vec![value, text(kind)])
}

/// What equal values have in common.
pub(super) fn key(value: Expr, schema: &dyn ExprSchema) -> Result<Expr> {
    call("$super_key", vec![as_argument(value, schema)?])
}

/// A step from a value.
fn get(value: Expr, key: Expr) -> Result<Expr> {
    match value {
        Expr::ScalarFunction(mut path) if path.name() == GET => {
            path.args.push(key);
            Ok(Expr::ScalarFunction(path))
        }
        value => call(GET, vec![value, key]),
    }
}

/// `c.a.b`, where `c` is a column.
pub(in crate::plan::dialect) fn members(column: Expr, names: &[String], members: &Members) -> Result<Expr> {
    names.iter().try_fold(column, |value, name| get(value, text(&members.after_column(name))))
}

/// `[0]` and `.a` after a value.
pub(in crate::plan::dialect) fn access(
    raw: RawFieldAccessExpr,
    schema: &DFSchema,
    members: &Members,
) -> Result<PlannerResult<RawFieldAccessExpr>> {
    if !is_super(&raw.expr, schema) {
        return Ok(PlannerResult::Original(raw));
    }
    Ok(PlannerResult::Planned(match raw.field_access {
        GetFieldAccess::NamedStructField { name } => match name.try_as_str() {
            Some(Some(name)) => get(raw.expr, text(&members.meant(name)))?,
            _ => return Err(Error::unsupported("a step to a member whose name is no text").into()),
        },
        GetFieldAccess::ListIndex { key } => get(raw.expr, *key)?,
        GetFieldAccess::ListRange { .. } => return Err(Error::unsupported("a slice of a SUPER value").into()),
    }))
}

/// An operator over values of which one is SUPER.
pub(in crate::plan::dialect) fn operator(
    mut raw: RawBinaryExpr,
    schema: &DFSchema,
) -> Result<PlannerResult<RawBinaryExpr>> {
    let (left, right) = (is_super(&raw.left, schema), is_super(&raw.right, schema));
    if !left && !right {
        return Ok(PlannerResult::Original(raw));
    }
    let compared = match raw.op {
        BinaryOperator::Eq => Some(Operator::Eq),
        BinaryOperator::NotEq => Some(Operator::NotEq),
        BinaryOperator::Lt => Some(Operator::Lt),
        BinaryOperator::LtEq => Some(Operator::LtEq),
        BinaryOperator::Gt => Some(Operator::Gt),
        BinaryOperator::GtEq => Some(Operator::GtEq),
        _ => None,
    };
    if let Some(operator) = compared {
        return Ok(PlannerResult::Planned(comparison(raw.left, operator, raw.right, schema)?));
    }
    let function = match raw.op {
        BinaryOperator::Plus => ADD,
        BinaryOperator::Minus => "$super_subtract",
        BinaryOperator::Multiply => "$super_multiply",
        BinaryOperator::Divide => "$super_divide",
        BinaryOperator::Modulo => "$super_modulo",
        _ => {
            if left {
                raw.left = plain(raw.left, "text")?;
            }
            if right {
                raw.right = plain(raw.right, "text")?;
            }
            return Ok(PlannerResult::Original(raw));
        }
    };
    Ok(PlannerResult::Planned(call(function, vec![raw.left, raw.right])?))
}

/// A comparison of values of which one is SUPER: deeply where it is of equality.
pub(super) fn comparison(left: Expr, operator: Operator, right: Expr, schema: &dyn ExprSchema) -> Result<Expr> {
    if matches!(operator, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq) {
        let args = vec![as_argument(left, schema)?, as_argument(right, schema)?];
        return Ok(binary_expr(call("$super_compare", args)?, operator, lit(0_i32)));
    }
    Ok(binary_expr(key(left, schema)?, operator, key(right, schema)?))
}
