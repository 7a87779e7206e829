//! Calls and operators of a dialect in functions that the planner knows: other names, other orders of arguments, bare
//! date parts, and functions that are an expression of others.

use super::spelling::{cast, decimal_literal, number, text};
use super::{aggregates, intervals, own_zones};
use crate::error::{Error, ErrorKind};
use crate::functions::{
    DATE_PART, ELEMENT_TEXTS, NEXT_STEP, PLAIN_TEXT, REGEXP_LIKE, SERIES_STEP, STRPOS_OF_INSTANCE, TIMETZ,
    is_plain_pattern,
};
use crate::sql::{Dialect, call};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, DateTimeField, ExactNumberInfo, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, TimezoneInfo, UnaryOperator, Value,
};

/// A function's name; empty where it has a schema.
pub(super) fn name_of(function: &Function) -> String {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => ident.value.to_lowercase(),
        _ => String::new(),
    }
}

/// Functions that are DataFusion's under another name.
const RENAMED_IN_REDSHIFT: &[(&str, &str)] = &[
    ("ceiling", "ceil"),
    ("char_length", "character_length"),
    ("dexp", "exp"),
    ("dlog1", "ln"),
    ("dlog10", "log10"),
    ("len", "character_length"),
    ("length", "character_length"),
    ("listaggdistinct", "listagg"),
    ("nvl", "coalesce"),
    ("replicate", "repeat"),
    ("stddev_samp", "stddev"),
    ("textlen", "character_length"),
    ("variance", "var_samp"),
];

const RENAMED_IN_ATHENA: &[(&str, &str)] = &[
    ("all", "bool_and"),
    ("approx_percentile", "approx_percentile_cont"),
    ("arbitrary", "any_value"),
    ("array_remove", "array_remove_all"),
    ("arrays_overlap", "array_has_any"),
    ("bitwise_and_agg", "bit_and"),
    ("bitwise_or_agg", "bit_or"),
    ("bitwise_xor_agg", "bit_xor"),
    ("ceiling", "ceil"),
    ("char_length", "character_length"),
    ("contains", "array_has"),
    ("every", "bool_and"),
    ("filter", "array_filter"),
    ("is_nan", "isnan"),
    ("length", "character_length"),
    ("levenshtein_distance", "levenshtein"),
    ("repeat", "array_repeat"),
    ("transform", "array_transform"),
    ("any_match", "array_any_match"),
    ("title_case", "initcap"),
    ("truncate", "trunc"),
    ("variance", "var_samp"),
    ("zip", "arrays_zip"),
];

/// Functions of texts that are DataFusion's, with the arguments that are texts: values of other types become such in
/// Redshift's dialect (its "Implicit conversion types").
const OF_TEXTS: &[(&str, &[usize])] = &[
    ("ascii", &[0]),
    ("btrim", &[0, 1]),
    ("concat", &[0]),
    ("initcap", &[0]),
    ("left", &[0]),
    ("lower", &[0]),
    ("ltrim", &[0, 1]),
    ("md5", &[0]),
    ("repeat", &[0]),
    ("replace", &[0, 1, 2]),
    ("reverse", &[0]),
    ("right", &[0]),
    ("rtrim", &[0, 1]),
    ("split_part", &[0, 1]),
    ("strpos", &[0, 1]),
    ("charindex", &[0, 1]),
    ("substr", &[0]),
    ("substring", &[0]),
    ("upper", &[0]),
];

/// Functions whose first argument is a part of a date, with or without quotes.
const WITH_PARTS: [&str; 8] =
    ["date_part", "pgdate_part", "date_trunc", "dateadd", "datediff", "date_add", "date_diff", "datepart"];

/// Spells an expression, not what is in it.
pub(super) fn respell(expr: &mut Expr, dialect: Dialect) -> Result<(), Error> {
    let (redshift, as_texts) = (dialect == Dialect::Redshift, dialect.rules().numbers_as_texts);
    match expr {
        Expr::Identifier(ident)
            if redshift && ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("sysdate") =>
        {
            *expr = session_now();
        }
        Expr::UnaryOp { op, expr: inner } => {
            let name = match op {
                UnaryOperator::PGSquareRoot => "sqrt",
                UnaryOperator::PGCubeRoot => "cbrt",
                UnaryOperator::PGAbs => "abs",
                UnaryOperator::BitwiseNot => "$bitwise_not",
                // The smallest whole number has no counterpart.
                UnaryOperator::Minus if !matches!(**inner, Expr::Value(_)) => "$negate",
                _ => return Ok(()),
            };
            let inner = take(inner);
            *expr = call(name, vec![inner]);
        }
        Expr::BinaryOp { left, op: BinaryOperator::PGExp, right } => {
            let args = vec![take(left), take(right)];
            *expr = call("power", args);
        }
        Expr::SimilarTo { negated, expr: value, pattern, escape_char } => {
            let escape = match escape_char {
                Some(value) => Expr::Value(value.clone()),
                None => text("\\"),
            };
            let matched = call("$similar_to", vec![take(value), take(pattern), escape]);
            *expr = if *negated { not(matched) } else { matched };
        }
        Expr::Extract { field, expr: value, .. } if !is_plain_part(field, redshift) => {
            let mut part = part_name(field);
            // Trino's weeks begin on Monday, with 1.
            if !redshift && part == "dow" {
                "isodow".clone_into(&mut part);
            }
            *expr = call("$date_part", vec![text(part), take(value)]);
        }
        Expr::AtTimeZone { timestamp, time_zone } => {
            let (zone, moment) = (take(time_zone), take(timestamp));
            *expr =
                if redshift { call("timezone", vec![zone, moment]) } else { call("at_timezone", vec![moment, zone]) };
        }
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: value, data_type, .. }
            if dialect.rules().zoned_times && is_timetz(data_type) =>
        {
            *expr = call(TIMETZ, vec![take(value)]);
        }
        Expr::Cast { kind, expr: value, data_type, .. } if !redshift => {
            if let Some(spelled) = own_zones::cast_literal(kind, value, data_type) {
                *expr = spelled;
            }
        }
        Expr::TypedString(typed) if dialect.rules().zoned_times && is_timetz(&typed.data_type) => {
            *expr = call(TIMETZ, vec![Expr::Value(typed.value.clone())]);
        }
        Expr::TypedString(typed) if typed.data_type == DataType::JSON && dialect.rules().json_is_a_type => {
            *expr = call("json_parse", vec![Expr::Value(typed.value.clone())]);
        }
        Expr::TypedString(typed) if !redshift => {
            if let Some(written) = decimal_literal(typed).or_else(|| own_zones::literal(typed)) {
                *expr = written;
            }
        }
        Expr::Convert { expr: value, data_type: Some(data_type), charset: None, styles, .. } if styles.is_empty() => {
            *expr = cast(take(value), data_type.clone());
        }
        // The planner plans the elements without what stands around: parameters of lambdas, columns of relations beside.
        Expr::Array(array) => {
            let elements = std::mem::take(&mut array.elem);
            *expr = call("make_array", elements);
        }
        Expr::Substring { expr: value, .. } if as_texts && !is_string(value) => {
            **value = call(PLAIN_TEXT, vec![take(value)]);
        }
        Expr::Position { expr: sought, r#in: within } if as_texts => {
            for value in [sought, within] {
                if !is_string(value) {
                    **value = call(PLAIN_TEXT, vec![take(value)]);
                }
            }
        }
        Expr::Substring { expr: value, substring_from, substring_for, .. } if !redshift => {
            let from = substring_from.as_mut().map_or_else(|| number(1), take);
            let mut args = vec![take(value), from];
            args.extend(substring_for.as_mut().map(take));
            *expr = call("substr", args);
        }
        // A number is trimmed as the text that it is.
        Expr::Trim { expr: value, .. } if as_texts && !is_string(value) => {
            **value = cast(take(value), DataType::Varchar(None));
        }
        Expr::Interval(interval) => match intervals::literal(interval, dialect.rules().interval_style)? {
            Some(literal) => *expr = literal,
            None => intervals::in_units(interval)?,
        },
        Expr::Cast { kind, expr: value, data_type: DataType::Interval { fields: Some(fields), precision }, .. } => {
            if let Some(made) = intervals::qualified_cast(kind, value, *fields, *precision)? {
                *expr = made;
            }
        }
        Expr::Function(function) => {
            if let Some(spelled) = respell_function(function, dialect)? {
                *expr = spelled;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The expressions that a function is called with; `None` where one is none, or has a name.
pub(super) fn plain_args(function: &Function) -> Option<Vec<Expr>> {
    match &function.args {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            })
            .collect(),
    }
}

fn respell_function(function: &mut Function, dialect: Dialect) -> Result<Option<Expr>, Error> {
    let name = name_of(function);
    let redshift = dialect == Dialect::Redshift;
    if let Some(spelled) = aggregates::respell(function, &name, dialect)? {
        return Ok(Some(spelled));
    }
    quote_part(function, dialect);
    if dialect.rules().numbers_as_texts
        && let Some((_, texts)) = OF_TEXTS.iter().find(|(known, _)| *known == name)
    {
        write_out(function, texts);
    }
    let renamed = if redshift { RENAMED_IN_REDSHIFT } else { RENAMED_IN_ATHENA };
    if let Some((_, other)) = renamed.iter().find(|(from, _)| *from == name) {
        rename(function, other);
        return Ok(None);
    }
    let Some(args) = plain_args(function) else { return Ok(None) };
    if redshift { respell_redshift(&name, args) } else { respell_athena(&name, args) }
}

/// Redshift's `DATEADD(month, …)`: the part as a text. Trino's unit is any expression.
pub(super) fn quote_part(function: &mut Function, dialect: Dialect) {
    if dialect.rules().bare_parts
        && WITH_PARTS.contains(&name_of(function).as_str())
        && let FunctionArguments::List(list) = &mut function.args
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))) = list.args.first_mut()
        && let Expr::Identifier(Ident { value, .. }) = expr
    {
        *expr = text(value.clone());
    }
}

/// Marks arguments that are to be texts, but for literals that are.
fn write_out(function: &mut Function, texts: &[usize]) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    for (at, argument) in list.args.iter_mut().enumerate() {
        if texts.contains(&at)
            && let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument
            && !is_string(expr)
        {
            let value = std::mem::replace(expr, null());
            *expr = call(PLAIN_TEXT, vec![value]);
        }
    }
}

pub(super) fn rename(function: &mut Function, name: &str) {
    function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]);
}

fn respell_redshift(name: &str, args: Vec<Expr>) -> Result<Option<Expr>, Error> {
    Ok(Some(match (name, args.as_slice()) {
        ("getdate", []) => call("date_trunc", vec![text("second"), session_now()]),
        ("localtimestamp", []) => session_now(),
        ("charindex", [sought, within]) => call("strpos", vec![within.clone(), sought.clone()]),
        ("convert_timezone", [zone, moment]) => call("$from_utc", vec![zone.clone(), moment.clone()]),
        ("concat", [_, _, ..]) => joined(args),
        // A function without arguments is none of several.
        ("array", []) => call("json_parse", vec![text("[]")]),
        ("object", []) => call("json_parse", vec![text("{}")]),
        ("decode", [_, _, _, ..]) => decode(args),
        // PostgreSQL's texts of values, which scripts over the catalog use.
        ("textin" | "int2out" | "int4out" | "int8out" | "oidout", [value]) => {
            cast(value.clone(), DataType::Varchar(None))
        }
        (
            "timestamptz_cmp"
            | "timestamptz_cmp_date"
            | "timestamptz_cmp_timestamp"
            | "date_cmp_timestamptz"
            | "timestamp_cmp_timestamptz",
            [one, other],
        ) => compared(one, other, &DataType::Timestamp(None, TimezoneInfo::Tz)),
        ("interval_cmp", [one, other]) => compared(one, other, &DataType::Interval { fields: None, precision: None }),
        ("nvl2", [value, some, none]) => {
            case(vec![(Expr::IsNotNull(Box::new(value.clone())), some.clone())], Some(none.clone()))
        }
        ("date_part" | "pgdate_part" | "datepart", [Expr::Value(part), value]) => {
            let part = part.value.clone().into_string().unwrap_or_default().to_lowercase();
            call(DATE_PART, vec![text(part), value.clone()])
        }
        ("date_part_year", [value]) => cast(call("$date_part", vec![text("year"), value.clone()]), DataType::Int(None)),
        ("timeofday", []) => call("to_char", vec![zoned_now(), text("Dy Mon DD HH24:MI:SS.US YYYY TZ")]),
        ("to_varbyte", [value, Expr::Value(format)]) => varbyte(value, &format.value, "decode")?,
        ("from_varbyte", [value, Expr::Value(format)]) => varbyte(value, &format.value, "encode")?,
        ("from_hex", [value]) => call("decode", vec![value.clone(), text("hex")]),
        ("text_to_numeric_alt", [_, ..]) => return alternative_decimal(args).map(Some),
        ("pow", [_, _]) => call("power", args),
        ("mod", [value, by]) => Expr::Nested(Box::new(binary(value.clone(), BinaryOperator::Modulo, by.clone()))),
        ("isnull", [value, other]) => call("coalesce", vec![value.clone(), other.clone()]),
        _ => return Ok(None),
    }))
}

fn respell_athena(name: &str, args: Vec<Expr>) -> Result<Option<Expr>, Error> {
    let operator = |op: BinaryOperator, args: &[Expr]| binary(args[0].clone(), op, args[1].clone());
    Ok(Some(match (name, args.as_slice()) {
        ("concat", [_, _, ..]) => joined(args),
        ("rand" | "random", []) => call("random", Vec::new()),
        ("rand" | "random", [end]) => whole_random(number(0), end.clone()),
        ("rand" | "random", [start, end]) => whole_random(start.clone(), end.clone()),
        ("strpos", [_, _, _]) => call(STRPOS_OF_INSTANCE, args),
        ("sequence", [start, stop, step]) => {
            call("generate_series", vec![start.clone(), stop.clone(), call(SERIES_STEP, vec![step.clone()])])
        }
        ("sequence", [start, stop]) => {
            let step = call(NEXT_STEP, args.clone());
            call("generate_series", vec![start.clone(), stop.clone(), step])
        }
        ("array_position", [array, value]) => {
            let found = cast(call("$library_array_position", args.clone()), DataType::BigInt(None));
            case(
                vec![(any_null(&[array.clone(), value.clone()]), null())],
                Some(call("coalesce", vec![found, number(0)])),
            )
        }
        ("array_join", [array, rest @ ..]) => {
            let texts = call(ELEMENT_TEXTS, vec![array.clone()]);
            let joined = call("array_to_string", std::iter::once(texts).chain(rest.iter().cloned()).collect());
            case(vec![(any_null(rest), null())], Some(joined))
        }
        // NULL among the elements is the largest and the smallest.
        ("array_max" | "array_min", [array]) => {
            let order = text(if name == "array_max" { "DESC" } else { "ASC" });
            call("element_at", vec![call("array_sort", vec![array.clone(), order, text("NULLS FIRST")]), number(1)])
        }
        ("array_sort", [array]) => call("array_sort", vec![array.clone(), text("ASC"), text("NULLS LAST")]),
        ("map", []) => call("map", vec![call("make_array", Vec::new()), call("make_array", Vec::new())]),
        ("array_first", [array]) => call("element_at", vec![array.clone(), number(1)]),
        ("array_last", [array]) => call("element_at", vec![array.clone(), number(-1)]),
        ("bitwise_right_shift_arithmetic", [_, _]) => operator(BinaryOperator::PGBitwiseShiftRight, &args),
        ("if", [condition, then]) => case(vec![(condition.clone(), then.clone())], None),
        ("if", [condition, then, other]) => case(vec![(condition.clone(), then.clone())], Some(other.clone())),
        ("greatest" | "least", [_, ..]) => {
            case(vec![(any_null(&args), null())], Some(call(&format!("$library_{name}"), args)))
        }
        ("pow", [_, _]) => call("power", args),
        ("mod", [_, _]) => Expr::Nested(Box::new(operator(BinaryOperator::Modulo, &args))),
        ("replace", [_, _]) => call("replace", vec![args[0].clone(), args[1].clone(), text("")]),
        ("e", []) => call("exp", vec![number(1)]),
        ("bitwise_and", [left, right]) => of_bits(BinaryOperator::BitwiseAnd, left, right),
        ("bitwise_or", [left, right]) => of_bits(BinaryOperator::BitwiseOr, left, right),
        ("bitwise_xor", [left, right]) => of_bits(BinaryOperator::PGBitwiseXor, left, right),
        ("bitwise_not", [value]) => call("$bitwise_not", vec![value.clone()]),
        ("bitwise_left_shift", [_, _]) => operator(BinaryOperator::PGBitwiseShiftLeft, &args),
        ("normalize", [value, Expr::Identifier(form)]) => {
            call("normalize", vec![value.clone(), text(form.value.to_uppercase())])
        }
        ("array_sort", [_, Expr::Lambda(_)]) => call("$array_sort", args),
        ("regexp_like", [_, pattern]) if !is_plain(pattern) => call(REGEXP_LIKE, args),
        ("regexp_replace", [_, _, Expr::Lambda(_)]) => call("$regexp_replace", args),
        ("array_histogram", [_]) => call("$histogram", args),
        ("all_match", [array, Expr::Lambda(lambda)]) => {
            let mut lambda = lambda.clone();
            lambda.body = Box::new(not(Expr::Nested(lambda.body)));
            not(call("array_any_match", vec![array.clone(), Expr::Lambda(lambda)]))
        }
        ("none_match", [_, Expr::Lambda(_)]) => not(call("array_any_match", args)),
        ("try", [inner]) => Expr::Nested(Box::new(tried(inner.clone()))),
        ("date", [value]) => cast(value.clone(), DataType::Date),
        ("localtimestamp", []) => now(),
        ("localtime", []) => cast(now(), DataType::Time(None, TimezoneInfo::None)),
        ("current_timezone", []) => text("UTC"),
        ("to_utf8", [value]) => cast(value.clone(), DataType::Bytea),
        _ => return own_zones::respell(name, args),
    }))
}

/// An operator over the 64 bits of numbers.
fn of_bits(op: BinaryOperator, left: &Expr, right: &Expr) -> Expr {
    let wide = |number: &Expr| cast(number.clone(), DataType::BigInt(None));
    Expr::Nested(Box::new(binary(wide(left), op, wide(right))))
}

/// A text as bytes (`decode`) or bytes as a text (`encode`), in a format by its name.
fn varbyte(value: &Expr, format: &Value, function: &str) -> Result<Expr, Error> {
    let name = format.clone().into_string().unwrap_or_default().to_lowercase();
    Ok(match (name.as_str(), function) {
        ("utf8" | "utf-8", "decode") => cast(value.clone(), DataType::Bytea),
        ("utf8" | "utf-8", _) => cast(value.clone(), DataType::Varchar(None)),
        ("hex", "decode") => call("$read_hex", vec![value.clone()]),
        ("binary", "decode") => call("$read_bits", vec![value.clone()]),
        ("binary", _) => call("$written_bits", vec![value.clone()]),
        ("hex" | "base64", _) => call(function, vec![value.clone(), text(name)]),
        _ => {
            let message = format!("unknown format \"{name}\"");
            return Err(
                Error::new(ErrorKind::InvalidParameter, message).with_hint("formats are hex, binary, utf8, base64")
            );
        }
    })
}

/// `TEXT_TO_NUMERIC_ALT(text [, format] [, precision, scale])`: a text with so many digits behind the point as a decimal.
fn alternative_decimal(mut args: Vec<Expr>) -> Result<Expr, Error> {
    let literal = |expr: &Expr| match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse::<u64>().ok(),
            _ => None,
        },
        _ => None,
    };
    let (mut precision, mut scale) = (38, 0);
    if args.len() > 2 {
        let wrong =
            || Error::new(ErrorKind::InvalidParameter, "precision and scale of text_to_numeric_alt are numbers");
        let last = args.split_off(args.len() - 2);
        precision = literal(&last[0]).ok_or_else(wrong)?;
        scale = literal(&last[1]).ok_or_else(wrong)?;
    }
    args.insert(1, number(scale));
    let scale = i64::try_from(scale).unwrap_or(i64::MAX);
    let decimal = DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale));
    Ok(cast(call("$text_to_numeric_alt", args), decimal))
}

/// `TRY(e)`: what may fail in `e` gives NULL: casts and divisions. Other errors stay errors.
fn tried(mut expr: Expr) -> Expr {
    use datafusion::sql::sqlparser::ast::visit_expressions_mut;
    use std::ops::ControlFlow;
    let _: ControlFlow<()> = visit_expressions_mut(&mut expr, |part| {
        match part {
            Expr::Cast { kind, .. } => *kind = CastKind::TryCast,
            Expr::BinaryOp { op: BinaryOperator::Divide | BinaryOperator::Modulo, right, .. } => {
                let divisor = take(right);
                **right = call("nullif", vec![divisor, number(0)]);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    expr
}

/// DECODE: NULL equals NULL.
fn decode(args: Vec<Expr>) -> Expr {
    let mut args = args.into_iter();
    let value = args.next().unwrap_or_else(null);
    let (mut branches, mut otherwise) = (Vec::new(), None);
    while let Some(sought) = args.next() {
        let Some(result) = args.next() else {
            otherwise = Some(sought);
            break;
        };
        branches.push((Expr::IsNotDistinctFrom(Box::new(value.clone()), Box::new(sought)), result));
    }
    case(branches, otherwise)
}

/// A random whole number from `start` on, below `end`.
fn whole_random(start: Expr, end: Expr) -> Expr {
    let width = binary(end, BinaryOperator::Minus, start.clone());
    let share = binary(call("random", Vec::new()), BinaryOperator::Multiply, width);
    let offset = cast(call("floor", vec![share]), DataType::BigInt(None));
    Expr::Nested(Box::new(binary(start, BinaryOperator::Plus, offset)))
}

/// -1, 0 or 1 for less, equal, greater, of two values as a type.
fn compared(one: &Expr, other: &Expr, as_type: &DataType) -> Expr {
    let branch = |op, result: i32| {
        let (one, other) = (cast(one.clone(), as_type.clone()), cast(other.clone(), as_type.clone()));
        (binary(one, op, other), number(result))
    };
    case(vec![branch(BinaryOperator::Lt, -1), branch(BinaryOperator::Eq, 0), branch(BinaryOperator::Gt, 1)], None)
}

pub(super) fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    let conditions = branches.into_iter().map(|(condition, result)| CaseWhen { condition, result }).collect();
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions,
        else_result: otherwise.map(Box::new),
    }
}

/// Texts in a row; one that is NULL makes all of it NULL.
fn joined(args: Vec<Expr>) -> Expr {
    let joined = args.into_iter().reduce(|all, next| binary(all, BinaryOperator::StringConcat, next));
    Expr::Nested(Box::new(joined.unwrap_or_else(null)))
}

pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let nested = |expr: Expr| match expr {
        Expr::BinaryOp { .. } => Expr::Nested(Box::new(expr)),
        expr => expr,
    };
    Expr::BinaryOp { left: Box::new(nested(left)), op, right: Box::new(nested(right)) }
}

pub(super) fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(expr))) }
}

/// Whether one of them is NULL.
fn any_null(args: &[Expr]) -> Expr {
    let unknown = args.iter().cloned().map(|arg| Expr::IsNull(Box::new(arg)));
    unknown.reduce(|all, one| binary(all, BinaryOperator::Or, one)).unwrap_or_else(null)
}

pub(super) fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

pub(super) fn take(expr: &mut Box<Expr>) -> Expr {
    std::mem::replace(expr.as_mut(), null())
}

/// This statement's moment, without a zone.
pub(super) fn now() -> Expr {
    cast(call("now", Vec::new()), DataType::Timestamp(None, TimezoneInfo::None))
}

/// The same with one.
fn zoned_now() -> Expr {
    call("timezone", vec![text("UTC"), call("now", Vec::new())])
}

/// What clocks of the session's zone show at this statement's moment (Redshift's SYSDATE and GETDATE).
fn session_now() -> Expr {
    cast(zoned_now(), DataType::Timestamp(None, TimezoneInfo::None))
}

/// Parts that DataFusion computes as both services do.
fn is_plain_part(field: &DateTimeField, redshift: bool) -> bool {
    use DateTimeField as F;
    let shared = matches!(field, F::Year | F::Month | F::Day | F::Hour | F::Minute | F::Quarter);
    shared || (redshift && matches!(field, F::Dow | F::Doy | F::Week(None) | F::Second))
}

fn is_string(literal: &Expr) -> bool {
    matches!(literal, Expr::Value(value) if !matches!(value.value, Value::Number(..)))
}

/// Whether DataFusion's functions take a pattern, as far as one sees.
fn is_plain(pattern: &Expr) -> bool {
    matches!(pattern, Expr::Value(value) if value.value.clone().into_string().is_some_and(|text| is_plain_pattern(&text)))
}

fn is_timetz(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Time(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone))
}

fn part_name(field: &DateTimeField) -> String {
    match field {
        DateTimeField::Custom(ident) => ident.value.to_lowercase(),
        other => other.to_string().to_lowercase(),
    }
}
