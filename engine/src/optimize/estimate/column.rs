//! What is estimated of rows and of one column of them.

use datafusion::arrow::datatypes::DataType;

/// Bytes of a value of which nothing is known but that it has no fixed width: an Arrow view and a short text.
const USUAL_TEXT_BYTES: f64 = 24.;

/// What is estimated of a plan's rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Estimate {
    /// Rows; never negative.
    pub(crate) rows: f64,
    /// Whether every table below told its rows.
    pub(crate) known: bool,
    /// One for each field of the plan's schema.
    pub(crate) columns: Vec<ColumnEstimate>,
}

/// What is estimated of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnEstimate {
    /// Different values among the rows, NULL apart.
    pub(crate) distinct: f64,
    /// Different values before any filter: what a join key is drawn from.
    pub(crate) domain: f64,
    /// Whether `domain` was counted, not guessed from rows and bounds.
    pub(crate) measured: bool,
    /// The share of NULLs.
    pub(crate) nulls: f64,
    /// The smallest and largest value, on the scale of [`super::number::position`].
    pub(crate) range: Option<(f64, f64)>,
    /// Bytes of a value in memory.
    pub(crate) width: f64,
    /// The rows of the table that the column comes from, before any filter: no set of its columns has more values.
    pub(crate) table_rows: f64,
    /// Whether it is an aggregate's result, whose distribution nobody knows.
    pub(crate) computed: bool,
}

impl ColumnEstimate {
    /// A column of which only the type is known.
    pub(crate) fn unknown(rows: f64, data_type: &DataType) -> Self {
        Self {
            distinct: rows.max(1.),
            domain: rows.max(1.),
            measured: false,
            nulls: 0.,
            range: None,
            width: width(data_type),
            table_rows: rows.max(1.),
            computed: false,
        }
    }

    /// The column among fewer rows of its own, chosen without regard to it.
    pub(crate) fn among(&self, rows_before: f64, rows: f64) -> Self {
        let mut kept = self.clone();
        kept.distinct = remaining(self.distinct, rows_before, rows);
        kept
    }
}

impl Estimate {
    /// Bytes of a row.
    pub(crate) fn width(&self) -> f64 {
        // A row costs something even where no column of it is kept.
        self.columns.iter().map(|column| column.width).sum::<f64>().max(1.)
    }

    /// The same columns among fewer rows, chosen without regard to any.
    pub(crate) fn scaled(&self, rows: f64) -> Self {
        let columns = self.columns.iter().map(|column| column.among(self.rows, rows)).collect();
        Self { rows, known: self.known, columns }
    }
}

/// How many of `distinct` values are met when `rows` of `rows_before` rows are drawn (Yao's formula, its usual
/// approximation).
pub(crate) fn remaining(distinct: f64, rows_before: f64, rows: f64) -> f64 {
    if rows >= rows_before || rows_before <= 0. {
        return distinct;
    }
    let share = (rows / rows_before).clamp(0., 1.);
    let each = (rows_before / distinct.max(1.)).max(1.);
    (distinct * (1. - (1. - share).powf(each))).clamp(0., rows.max(0.)).max(1.)
}

/// Bytes of a value in memory.
pub(crate) fn width(data_type: &DataType) -> f64 {
    match data_type {
        DataType::Boolean => 1.,
        _ => data_type.primitive_width().map_or(USUAL_TEXT_BYTES, |bytes| bytes as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::remaining;

    #[test]
    fn values_that_are_left() {
        // A key loses as many values as rows; a column of few values keeps them.
        let cases = [
            (1_000., 1_000., 100., 100.),
            (10., 1_000., 500., 10.),
            (100., 100., 100., 100.),
            (5., 100., 0., 1.),
            (1_000., 2_000., 1_000., 750.),
        ];
        for (distinct, before, rows, expected) in cases {
            let found = remaining(distinct, before, rows);
            assert!((found - expected).abs() < 1., "{distinct} of {before} in {rows}: {found}");
        }
    }
}
