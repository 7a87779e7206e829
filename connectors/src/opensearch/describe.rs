//! A request in a line, for EXPLAIN.

use super::dates;
use crate::connector::{Aggregate, AggregateRequest, Order, ScanRequest};
use crate::predicate::{Comparison, FullText, Predicate, Value};

/// How long the conditions may be.
const CONDITIONS_CHARS_MAX: usize = 1_000;

/// Such as `OpenSearch bool filter status = 500 on logs, 4 slices, sort ts DESC, limit 10`.
pub(super) fn describe(product: &str, request: &ScanRequest, slices: Option<usize>) -> String {
    let is_scored = request.predicates.iter().any(scores);
    let what = match (request.columns.is_empty(), request.predicates.is_empty(), is_scored) {
        (true, true, _) => "count",
        (true, false, _) => "count of bool filter",
        (false, true, _) => "match_all",
        (false, false, true) => "bool query",
        (false, false, false) => "bool filter",
    };
    let mut text = format!("{product} {what}");
    if !request.predicates.is_empty() {
        let conditions = join(&request.predicates, " AND ");
        text.push(' ');
        text.extend(conditions.chars().take(CONDITIONS_CHARS_MAX));
        if conditions.chars().count() > CONDITIONS_CHARS_MAX {
            text.push('…');
        }
    }
    text.push_str(" on ");
    text.push_str(&request.table);
    if let Some(slices) = slices.filter(|_| !request.columns.is_empty()) {
        text.extend([", ", &slices.to_string(), " slices"]);
    }
    if !request.order.is_empty() {
        let keys: Vec<String> = request.order.iter().map(order).collect();
        text.extend([", sort ", &keys.join(", ")]);
    }
    if let Some(limit) = request.limit {
        text.extend([", limit ", &limit.to_string()]);
    }
    text
}

/// Such as `OpenSearch aggregation count(*), max(n) by state of bool filter status = 500 on logs`.
pub(super) fn aggregates(product: &str, request: &AggregateRequest) -> String {
    let computed = request.aggregates.iter().map(|aggregate| match aggregate {
        Aggregate::Rows => "count(*)".to_owned(),
        Aggregate::Values(column) => format!("count({column})"),
        Aggregate::Min(column) => format!("min({column})"),
        Aggregate::Max(column) => format!("max({column})"),
        Aggregate::Sum(column) => format!("sum({column})"),
    });
    let mut text = format!("{product} aggregation");
    let computed = computed.collect::<Vec<_>>().join(", ");
    let groups = request.groups.join(", ");
    for (word, list) in [("", &computed), ("by ", &groups)] {
        if !list.is_empty() {
            text.extend([" ", word, list]);
        }
    }
    let rows = ScanRequest { columns: vec![String::new()], limit: None, order: vec![], ..request.rows.clone() };
    let of = describe("", &rows, None);
    text.extend([" of", &of]);
    text
}

/// Whether a condition gives documents a score.
pub(super) fn scores(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::FullText { .. } => true,
        Predicate::And(parts) | Predicate::Or(parts) => parts.iter().any(scores),
        Predicate::Not(part) => scores(part),
        _ => false,
    }
}

fn order(order: &Order) -> String {
    let direction = if order.descending { " DESC" } else { "" };
    // What SQL has unless told otherwise.
    let nulls = match (order.nulls_first, order.descending) {
        (true, false) => " NULLS FIRST",
        (false, true) => " NULLS LAST",
        _ => "",
    };
    format!("{}{direction}{nulls}", order.column)
}

fn join(predicates: &[Predicate], with: &str) -> String {
    predicates.iter().map(condition).collect::<Vec<_>>().join(with)
}

fn condition(predicate: &Predicate) -> String {
    match predicate {
        Predicate::Compare { column, comparison, value } => {
            let comparison = match comparison {
                Comparison::Eq => "=",
                Comparison::NotEq => "<>",
                Comparison::Lt => "<",
                Comparison::LtEq => "<=",
                Comparison::Gt => ">",
                Comparison::GtEq => ">=",
            };
            format!("{column} {comparison} {}", constant(value))
        }
        Predicate::In { column, values } => format!("{column} IN ({})", constants(values)),
        Predicate::InRows { columns, rows } => {
            let rows: Vec<String> = rows.iter().map(|row| format!("({})", constants(row))).collect();
            format!("({}) IN ({})", columns.join(", "), rows.join(", "))
        }
        Predicate::Prefix { column, prefix } => {
            let pattern = prefix.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            format!("{column} LIKE {}", quote(&format!("{pattern}%")))
        }
        Predicate::IsNull(column) => format!("{column} IS NULL"),
        Predicate::IsNotNull(column) => format!("{column} IS NOT NULL"),
        Predicate::FullText { kind, column, text } => {
            let name = match kind {
                FullText::Match => "match",
                FullText::Phrase => "match_phrase",
                FullText::QueryString => "query_string",
            };
            let column = column.as_ref().map(|column| format!("{column}, ")).unwrap_or_default();
            format!("{name}({column}{})", quote(text))
        }
        Predicate::And(parts) => format!("({})", join(parts, " AND ")),
        Predicate::Or(parts) => format!("({})", join(parts, " OR ")),
        Predicate::Not(part) => format!("NOT {}", condition(part)),
    }
}

fn constants(values: &[Value]) -> String {
    values.iter().map(constant).collect::<Vec<_>>().join(", ")
}

fn constant(value: &Value) -> String {
    match value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(digits, scale) if *scale > 0 => {
            let scale = usize::from(scale.unsigned_abs());
            let text = format!("{:0>width$}", digits.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = text.split_at(text.len() - scale);
            format!("{}{whole}.{fraction}", if *digits < 0 { "-" } else { "" })
        }
        Value::Decimal(digits, scale) => format!("{digits}{}", "0".repeat(usize::from(scale.unsigned_abs()))),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => quote(text),
        Value::Binary(bytes) => format!("{} bytes", bytes.len()),
        Value::Timestamp(micros) => quote(&dates::write(*micros).unwrap_or_else(|| micros.to_string())),
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_sql() {
        let mut request = ScanRequest {
            table: "logs-*".to_owned(),
            columns: vec!["msg".to_owned()],
            predicates: vec![
                Predicate::Compare {
                    column: "status".to_owned(),
                    comparison: Comparison::Eq,
                    value: Value::Integer(500),
                },
                Predicate::Or(vec![
                    Predicate::Not(Box::new(Predicate::Prefix { column: "k".to_owned(), prefix: "a_".to_owned() })),
                    Predicate::Compare {
                        column: "p".to_owned(),
                        comparison: Comparison::GtEq,
                        value: Value::Decimal(-5, 2),
                    },
                ]),
            ],
            limit: Some(10),
            order: vec![Order { column: "ts".to_owned(), descending: true, nulls_first: true }],
            checkpoints: vec![],
        };
        assert_eq!(
            describe("OpenSearch", &request, Some(4)),
            "OpenSearch bool filter status = 500 AND (NOT k LIKE 'a\\_%' OR p >= -0.05) on logs-*, 4 slices, sort ts DESC, limit 10"
        );
        request.columns.clear();
        request.predicates = vec![Predicate::FullText {
            kind: FullText::Phrase,
            column: Some("msg".to_owned()),
            text: "it's".to_owned(),
        }];
        (request.order, request.limit) = (vec![], None);
        assert_eq!(
            describe("Elasticsearch", &request, None),
            "Elasticsearch count of bool filter match_phrase(msg, 'it''s') on logs-*"
        );
    }
}
