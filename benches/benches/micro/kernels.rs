//! Kernels of functions and operators: an expression is planned as in a query, then computed over one batch again and
//! again. What is told is values a second of one thread.

use crate::RUNTIME;
use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;
use datafusion::datasource::MemTable;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use millrace_benches::side::Ours;
use std::sync::{Arc, LazyLock};

/// A batch as DataFusion's operators pass it on by default.
const ROWS: usize = 8_192;

const DAY_US: i64 = 86_400_000_000;

/// Expressions over the batch's columns.
const REDSHIFT: [&str; 31] = [
    "substring(word, 3, 4)",
    "substring(accented, 3, 4)",
    "substring(line, 9)",
    "word || line",
    "word || '-' || word",
    "upper(word)",
    "lower(line)",
    "word LIKE 'name 1%'",
    "date_trunc('day', s)",
    "date_trunc('month', s)",
    "date_trunc('month', d)",
    "date_trunc('week', s)",
    "dateadd(day, 30, s)",
    "dateadd(day, n, s)",
    "dateadd(month, 18, s)",
    "datediff(day, s, later)",
    "datediff(month, s, later)",
    "datediff(year, d, later)",
    "extract(year FROM s)",
    "extract(month FROM d)",
    "extract(epoch FROM s)",
    "date_part(dow, s)",
    "p + q",
    "p * q",
    "p * (1 - q)",
    "p / q",
    "json_extract_path_text(document, 'status')",
    "json_extract_path_text(document, 'address', 'city')",
    "json_extract_path_text(document, 'nothing')",
    "json_extract_array_element_text(list, 3)",
    "n * 3 + 1",
];

/// The same in Athena's words.
const ATHENA: [&str; 19] = [
    "substr(word, 3, 4)",
    "substr(word, -4)",
    "substr(accented, 3, 4)",
    "word || line",
    "upper(word)",
    "word LIKE 'name 1%'",
    "date_trunc('month', s)",
    "date_trunc('month', d)",
    "date_add('day', 30, s)",
    "date_add('month', 18, d)",
    "date_diff('day', s, later)",
    "date_diff('month', s, later)",
    "year(s)",
    "extract(week FROM s)",
    "p * q",
    "p / q",
    "json_extract_scalar(document, '$.status')",
    "json_extract_scalar(document, '$.address.city')",
    "json_extract(document, '$.address')",
];

/// A document of 300 bytes; what is looked for stands in its middle.
fn document(row: usize) -> String {
    let start = format!(
        r#"{{"id":1{row:05},"name":"customer {row:06}","email":"c{row:06}@example.com","phone":"+49 30 {row:06}","#
    );
    let middle = format!(
        r#""address":{{"street":"Long street {:03}","city":"Town {:02}","zip":"{row:05}"}},"status":"{}","#,
        row % 1_000,
        row % 100,
        ["active", "closed", "paused"][row % 3],
    );
    let end = r#""balance":1250.75,"tags":["a","b","c"],"verified":true,"parent":null,"note":""#;
    let filler = "x".repeat(300 - start.len() - middle.len() - end.len() - 2);
    format!("{start}{middle}{end}{filler}\"}}")
}

static BATCH: LazyLock<RecordBatch> = LazyLock::new(|| {
    let texts =
        |of: &dyn Fn(usize) -> String| -> ArrayRef { Arc::new(StringViewArray::from_iter_values((0..ROWS).map(of))) };
    let moments = |first: i64, step: i64| -> ArrayRef {
        let values = (0..ROWS as i64).map(|row| first + row * step);
        Arc::new(TimestampMicrosecondArray::from_iter_values(values))
    };
    let decimals = |least: i128, step: i128| -> ArrayRef {
        let values = (0..ROWS as i128).map(|row| least + row * step % 1_000_000);
        Arc::new(Decimal128Array::from_iter_values(values).with_data_type(DataType::Decimal128(12, 2)))
    };
    let days = Date32Array::from_iter_values((0..ROWS as i32).map(|row| 8_000 + row * 7 % 9_000));
    let counts = Int64Array::from_iter_values((0..ROWS as i64).map(|row| row % 365));
    RecordBatch::try_from_iter_with_nullable([
        ("word", texts(&|row| format!("name {row:05}")), true),
        ("line", texts(&|row| format!("A note of some length about row {row}")), true),
        ("accented", texts(&|row| format!("größe {row}")), true),
        ("d", Arc::new(days) as ArrayRef, true),
        ("s", moments(700_000_000_000_000, 97_003_000_017), true),
        ("later", moments(700_000_000_000_000 + 40 * DAY_US, 98_003_000_017), true),
        ("n", Arc::new(counts) as ArrayRef, true),
        ("p", decimals(100, 7_919), true),
        ("q", decimals(1, 104_729), true),
        ("document", texts(&document), true),
        ("list", texts(&|row| format!(r#"[{row}, "text {row}", 7.25, {{"a": [1, 2]}}, "last", true, null]"#)), true),
    ])
    .unwrap()
});

/// An expression as a plan has it, and the columns that it wants.
struct Planned {
    expression: Arc<dyn PhysicalExpr>,
    batch: RecordBatch,
}

impl Planned {
    fn new(dialect: &str, expression: &str) -> Self {
        RUNTIME.block_on(async {
            let mut ours = Ours::new(1).await.unwrap();
            ours.run(&format!("SET dialect = {dialect}")).await.unwrap();
            let table = MemTable::try_new(BATCH.schema(), vec![vec![BATCH.clone()]]).unwrap();
            let plan = ours.plan_over(expression, Arc::new(table)).await.unwrap();
            let projection = projection(&plan).unwrap();
            let input = projection.input().schema();
            let columns = input.fields().iter().map(|field| BATCH.schema().index_of(field.name()).unwrap());
            let batch = BATCH.project(&columns.collect::<Vec<_>>()).unwrap();
            Self { expression: Arc::clone(&projection.expr()[0].expr), batch }
        })
    }
}

/// What computes, above the table.
fn projection(plan: &Arc<dyn ExecutionPlan>) -> Option<&ProjectionExec> {
    plan.downcast_ref::<ProjectionExec>().or_else(|| plan.children().into_iter().find_map(projection))
}

fn measure(bencher: Bencher<'_, '_>, dialect: &str, expression: &str) {
    let planned = Planned::new(dialect, expression);
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench(|| black_box(&planned.expression).evaluate(black_box(&planned.batch)).unwrap());
}

#[divan::bench(args = REDSHIFT)]
fn redshift(bencher: Bencher<'_, '_>, expression: &str) {
    measure(bencher, "redshift", expression);
}

#[divan::bench(args = ATHENA)]
fn athena(bencher: Bencher<'_, '_>, expression: &str) {
    measure(bencher, "athena", expression);
}
