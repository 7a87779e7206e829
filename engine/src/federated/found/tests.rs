//! Each form in which DataFusion's operators tell what they find.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::super::stub::{Stub, shown, table};
use super::*;
use datafusion::arrow::array::{Int64Array, StringViewArray, StructArray};
use datafusion::arrow::datatypes::{Field, Fields};
use datafusion::common::config::ConfigOptions;
use datafusion::functions::core::r#struct;
use datafusion::physical_expr::expressions::{DynamicFilterPhysicalExpr, IsNullExpr, lit};

type Expr = Arc<dyn PhysicalExpr>;

fn schema() -> Schema {
    let fields = [("a", DataType::Int64), ("b", DataType::Utf8View), ("doc", DataType::Utf8View)];
    Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec())
}

/// What becomes of filters; `None` where no row is wanted.
fn told(filters: &[Expr], takes_rows: bool) -> Option<String> {
    taken(filters, &schema(), &table(&Stub::new(takes_rows))).unwrap().map(|predicates| shown(&predicates))
}

fn column(name: &str) -> Expr {
    Arc::new(Column::new(name, schema().index_of(name).unwrap()))
}

fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Arc::new(BinaryExpr::new(left, operator, right))
}

fn and(left: Expr, right: Expr) -> Expr {
    binary(left, Operator::And, right)
}

fn between(low: i64, high: i64) -> Expr {
    and(binary(column("a"), Operator::GtEq, lit(low)), binary(column("a"), Operator::LtEq, lit(high)))
}

fn one_of(values: &[Option<i64>]) -> Expr {
    let values = Arc::new(Int64Array::from(values.to_vec()));
    Arc::new(InListExpr::try_new_from_array(column("a"), values, false, &schema()).unwrap())
}

fn texts(values: &[&str]) -> Expr {
    let values = Arc::new(StringViewArray::from(values.to_vec()));
    Arc::new(InListExpr::try_new_from_array(column("b"), values, false, &schema()).unwrap())
}

/// Two values that are together one of these rows, as a join on them tells it.
fn one_of_rows(parts: [Expr; 2], rows: &[(Option<i64>, Option<&str>)]) -> Expr {
    let fields =
        Fields::from(vec![Field::new("c0", DataType::Int64, true), Field::new("c1", DataType::Utf8View, true)]);
    let numbers: Int64Array = rows.iter().map(|(number, _)| *number).collect();
    let texts: StringViewArray = rows.iter().map(|(_, text)| *text).collect();
    let rows = StructArray::new(fields.clone(), vec![Arc::new(numbers), Arc::new(texts)], None);
    let field = Arc::new(Field::new("struct", DataType::Struct(fields), true));
    let row = ScalarFunctionExpr::new("struct", r#struct(), parts.to_vec(), field, Arc::new(ConfigOptions::default()));
    Arc::new(InListExpr::try_new_from_array(Arc::new(row), Arc::new(rows), false, &schema()).unwrap())
}

/// What each partition of a join tells, chosen by the partition of a row.
fn by_partition(partitions: Vec<Expr>, otherwise: bool) -> Expr {
    let of = binary(column("a"), Operator::Modulo, lit(partitions.len() as i64));
    let branches = partitions.into_iter().enumerate().map(|(at, then)| (lit(at as i64), then)).collect();
    Arc::new(CaseExpr::try_new(Some(of), branches, Some(lit(otherwise))).unwrap())
}

#[test]
fn each_form_is_a_condition() {
    let computed = || binary(column("a"), Operator::Plus, lit(1_i64));
    let is_null = || Arc::new(IsNullExpr::new(column("a"))) as Expr;
    let both = [(Some(1), Some("x")), (Some(2), Some("y")), (Some(1), Some("x"))];
    let cases: Vec<(Expr, &str)> = vec![
        (lit(true), ""),
        (binary(column("a"), Operator::Lt, lit(7_i64)), "a Lt Integer(7)"),
        (between(1, 5), "a GtEq Integer(1); a LtEq Integer(5)"),
        (and(between(1, 1), one_of(&[Some(1)])), "a GtEq Integer(1); a LtEq Integer(1); a in 1 from Integer(1)"),
        // Keys come once for each row, and a NULL is equal to nothing.
        (one_of(&[Some(3), None, Some(4), Some(3)]), "a in 2 from Integer(3)"),
        (texts(&["x", "y"]), "B in 2 from Text(\"x\")"),
        (one_of_rows([column("a"), column("b")], &both), "[\"a\", \"B\"] in 2 from [Integer(1), Text(\"x\")]"),
        (
            one_of_rows([column("a"), column("b")], &[(None, Some("x")), (Some(2), Some("y")), (Some(3), None)]),
            "[\"a\", \"B\"] in 1 from [Integer(2), Text(\"y\")]",
        ),
        // What is no column of the system is left out of its rows.
        (one_of_rows([computed(), column("b")], &both), "B in 2 from Text(\"x\")"),
        (one_of_rows([column("a"), column("doc")], &both), "a in 2 from Integer(1)"),
        (one_of_rows([computed(), column("doc")], &both), ""),
        // One of all partitions' keys, within the widest of their bounds.
        (
            by_partition(
                vec![
                    and(between(1, 5), one_of(&[Some(1), Some(5)])),
                    lit(false),
                    and(between(3, 9), one_of(&[Some(3), Some(9)])),
                ],
                false,
            ),
            "a GtEq Integer(1); a LtEq Integer(9); a in 4 from Integer(1)",
        ),
        (
            by_partition(
                vec![
                    one_of_rows([column("a"), column("b")], &both[..1]),
                    one_of_rows([column("a"), column("b")], &both[1..2]),
                ],
                false,
            ),
            "[\"a\", \"B\"] in 2 from [Integer(1), Text(\"x\")]",
        ),
        // One that has too many keys for a list tells only its bounds.
        (
            by_partition(vec![and(between(1, 5), one_of(&[Some(1)])), between(0, 2)], false),
            "a GtEq Integer(0); a LtEq Integer(5)",
        ),
        (by_partition(vec![one_of(&[Some(1)]), texts(&["x"])], false), ""),
        // One that was given up may have wanted any row.
        (by_partition(vec![one_of(&[Some(1)]), one_of(&[Some(2)])], true), ""),
        (by_partition(vec![one_of(&[Some(1)]), lit(true)], false), ""),
        // A NULL that is wanted, too.
        (binary(is_null(), Operator::Or, one_of(&[Some(1)])), ""),
        (binary(one_of(&[Some(2)]), Operator::Or, one_of(&[Some(1)])), "a in 2 from Integer(2)"),
        // What is compared otherwise here than there.
        (binary(column("doc"), Operator::Eq, lit("x")), ""),
        (binary(column("a"), Operator::NotEq, lit(1_i64)), ""),
        (binary(column("a"), Operator::Eq, lit(1.5)), ""),
    ];
    for (filter, expected) in cases {
        assert_eq!(told(std::slice::from_ref(&filter), true).as_deref(), Some(expected), "{filter}");
    }
}

#[test]
fn a_filter_that_no_row_satisfies_asks_for_nothing() {
    let nothing: Vec<Expr> = vec![
        lit(false),
        lit(ScalarValue::Boolean(None)),
        and(between(1, 5), lit(false)),
        one_of(&[None, None]),
        one_of_rows([column("a"), column("b")], &[(None, Some("x")), (Some(1), None)]),
        by_partition(vec![lit(false), lit(false)], false),
    ];
    for filter in nothing {
        assert_eq!(told(std::slice::from_ref(&filter), true), None, "{filter}");
        assert_eq!(told(&[one_of(&[Some(1)]), Arc::clone(&filter)], true), None, "{filter}");
    }
}

#[test]
fn a_filter_is_read_as_it_is_when_it_is_asked_for() {
    let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![column("a")], lit(true)));
    let given: [Expr; 1] = [Arc::clone(&filter) as _];
    assert_eq!(told(&given, true).as_deref(), Some(""));
    filter.update(one_of(&[Some(1), Some(2)])).unwrap();
    assert_eq!(told(&given, true).as_deref(), Some("a in 2 from Integer(1)"));
    filter.update(lit(false)).unwrap();
    assert_eq!(told(&given, true), None);
}

#[test]
fn rows_that_are_not_looked_up_are_asked_for_by_their_columns() {
    let rows = one_of_rows([column("a"), column("b")], &[(Some(1), Some("x")), (Some(2), Some("x"))]);
    assert_eq!(told(&[rows], false).as_deref(), Some("a in 2 from Integer(1); B in 1 from Text(\"x\")"));
}

#[test]
fn of_too_many_keys_only_the_bounds_are_asked_for() {
    let most = MOST_KEYS as i64;
    let keys = |from: i64, to: i64| and(between(from, to), one_of(&(from..=to).map(Some).collect::<Vec<_>>()));
    let bounds = format!("a GtEq Integer(0); a LtEq Integer({most})");
    let all = format!("a GtEq Integer(1); a LtEq Integer({most}); a in {most} from Integer(1)");
    assert_eq!(told(&[keys(1, most)], true), Some(all.clone()));
    assert_eq!(told(&[by_partition(vec![keys(1, 5_000), keys(5_001, most)], false)], true), Some(all));
    assert_eq!(told(&[keys(0, most)], true), Some(bounds.clone()));
    // Each partition within the limit, and together beyond it.
    assert_eq!(told(&[by_partition(vec![keys(0, 5_000), keys(5_001, most)], false)], true), Some(bounds));
    let rows: Vec<_> = (0..=most).map(|number| (Some(number), Some("x"))).collect();
    let rows = one_of_rows([column("a"), column("b")], &rows);
    // Of one of the two columns there are few values.
    for takes_rows in [true, false] {
        assert_eq!(told(std::slice::from_ref(&rows), takes_rows).as_deref(), Some("B in 1 from Text(\"x\")"));
    }
}
