//! Chains beside DataFusion's steps.
#![allow(clippy::unwrap_used)]

use super::rule::join;
use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray, RecordBatch, StringArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, IsNullExpr, col, lit};
use std::sync::Arc;

const TYPES: [DataType; 3] = [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View];
const ROWS: usize = 1_000;

/// Empty texts, short ones and long ones, of letters of one byte and of more; each seventh or so is NULL.
fn values(seed: usize, nulls: bool) -> Vec<Option<String>> {
    let value = |row: usize| {
        let mixed = (row + 1) * (seed + 7_919) % 104_729;
        let letters = ["a", "ö", "日", "x"].into_iter().cycle().skip(mixed % 4);
        (!nulls || !mixed.is_multiple_of(7)).then(|| letters.take(mixed % 23).collect::<String>())
    };
    (0..ROWS).map(value).collect()
}

/// Three columns of a type, of which the last has no NULL, cut out of longer ones.
fn batch(data_type: &DataType) -> RecordBatch {
    let column = |seed: usize, nulls: bool| -> ArrayRef {
        let texts = StringArray::from(values(seed, nulls));
        cast(&texts, data_type).unwrap().slice(11 + seed, ROWS - 50)
    };
    RecordBatch::try_from_iter_with_nullable([
        ("a", column(1, true), true),
        ("b", column(2, true), true),
        ("c", column(3, false), false),
    ])
    .unwrap()
}

fn text(value: Option<&str>, data_type: &DataType) -> Arc<dyn PhysicalExpr> {
    lit(ScalarValue::from(value.map(str::to_owned)).cast_to(data_type).unwrap())
}

fn concat(left: &Arc<dyn PhysicalExpr>, right: &Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(Arc::clone(left), Operator::StringConcat, Arc::clone(right)))
}

fn array(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> ArrayRef {
    expr.evaluate(batch).unwrap().into_array(batch.num_rows()).unwrap()
}

/// What stands for a chain computes what DataFusion's steps do, and shows the same.
fn is_as_steps(chain: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) {
    let joined = join(chain, &batch.schema()).unwrap();
    assert!(joined.transformed, "{chain}");
    let schema = batch.schema();
    assert_eq!(joined.data.data_type(&schema).unwrap(), chain.data_type(&schema).unwrap(), "{chain}");
    assert_eq!(joined.data.nullable(&schema).unwrap(), chain.nullable(&schema).unwrap(), "{chain}");
    for batch in [batch.clone(), batch.slice(3, 100), batch.slice(0, 0)] {
        assert_eq!(&array(&joined.data, &batch), &array(chain, &batch), "{chain}");
    }
}

#[test]
fn chains_compute_what_steps_do() {
    for data_type in &TYPES {
        let batch = batch(data_type);
        let column = |name| col(name, &batch.schema()).unwrap();
        let (a, b, c) = (column("a"), column("b"), column("c"));
        let dash = text(Some(" – "), data_type);
        let long = text(Some("a text of more than twelve bytes"), data_type);
        for chain in [
            concat(&a, &b),
            concat(&c, &c),
            concat(&concat(&a, &dash), &b),
            concat(&concat(&long, &c), &long),
            concat(&a, &concat(&concat(&dash, &b), &concat(&c, &a))),
            concat(&a, &text(Some(""), data_type)),
            concat(&concat(&a, &text(None, data_type)), &c),
            concat(&dash, &long),
        ] {
            is_as_steps(&chain, &batch);
            assert_eq!(join(&chain, &batch.schema()).unwrap().data.to_string(), flat(&chain).to_string());
        }
    }
}

/// The same chain, leaning to the left.
fn flat(chain: &Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    fn parts(expr: &Arc<dyn PhysicalExpr>) -> Vec<Arc<dyn PhysicalExpr>> {
        match expr.downcast_ref::<BinaryExpr>() {
            Some(binary) => [parts(binary.left()), parts(binary.right())].concat(),
            None => vec![Arc::clone(expr)],
        }
    }
    parts(chain).into_iter().reduce(|all, next| concat(&all, &next)).unwrap()
}

#[test]
fn parts_may_be_of_several_types() {
    let columns: [(&str, ArrayRef); 3] = [
        ("short", Arc::new(StringArray::from(vec![Some("a"), None, Some("")]))),
        ("large", Arc::new(LargeStringArray::from(vec![Some("b"), Some("c"), Some("ö")]))),
        ("view", Arc::new(StringViewArray::from(vec![Some("d"), Some("e"), Some("twelve and more")]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let column = |name| col(name, &batch.schema()).unwrap();
    let chain = concat(&concat(&column("short"), &column("large")), &column("view"));
    let joined = join(&chain, &batch.schema()).unwrap();
    assert!(joined.transformed);
    let made = array(&joined.data, &batch);
    assert_eq!(made.data_type(), &chain.data_type(&batch.schema()).unwrap());
    let expected = StringViewArray::from(vec![Some("abd"), None, Some("ötwelve and more")]);
    assert_eq!(cast(&made, &DataType::Utf8View).unwrap().as_string_view(), &expected);
}

#[test]
fn chains_within_other_expressions_are_found() {
    let batch = batch(&DataType::Utf8View);
    let column = |name| col(name, &batch.schema()).unwrap();
    let chain = concat(&concat(&column("a"), &column("b")), &column("c"));
    let within: Arc<dyn PhysicalExpr> = Arc::new(IsNullExpr::new(chain));
    is_as_steps(&within, &batch);
}

#[test]
fn literals_alone_are_one_value() {
    let batch = batch(&DataType::Utf8View);
    let (a, b) = (text(Some("con"), &DataType::Utf8View), text(Some("cat"), &DataType::Utf8View));
    let joined = join(&concat(&a, &b), &batch.schema()).unwrap().data;
    let ColumnarValue::Scalar(value) = joined.evaluate(&batch).unwrap() else { panic!("{joined} is an array") };
    assert_eq!(value, ScalarValue::Utf8View(Some("concat".to_owned())));
}

#[test]
fn short_values_are_in_their_views() {
    let columns: [(&str, ArrayRef); 1] = [("a", Arc::new(StringViewArray::from(vec!["sixsix", "", "six"])))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let a = col("a", &batch.schema()).unwrap();
    let joined = join(&concat(&a, &a), &batch.schema()).unwrap().data;
    let made = array(&joined, &batch);
    assert_eq!(made.as_string_view(), &StringViewArray::from(vec!["sixsixsixsix", "", "sixsix"]));
    assert!(made.as_string_view().data_buffers().is_empty());
}

#[test]
fn comparisons_are_left_alone() {
    let batch = batch(&DataType::Utf8);
    let a = col("a", &batch.schema()).unwrap();
    let compared: Arc<dyn PhysicalExpr> = Arc::new(BinaryExpr::new(Arc::clone(&a), Operator::Eq, a));
    assert!(!join(&compared, &batch.schema()).unwrap().transformed);
}
