//! Trino's `regexp_replace(text, pattern, groups -> …)`: all matches of a batch become what a lambda makes of their groups.

use super::regex::trino;
use super::rows::Last;
use crate::error::{Error, ErrorKind};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringViewBuilder, UInt64Array};
use datafusion::arrow::compute::{cast, take_arrays};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDF,
    HigherOrderUDFImpl, LambdaParametersProgress, ValueOrLambda, Volatility,
};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

static REPLACE: LazyLock<Arc<HigherOrderUDF>> = LazyLock::new(|| {
    let arguments = vec![ValueOrLambda::Value(()), ValueOrLambda::Value(()), ValueOrLambda::Lambda(())];
    let signature = HigherOrderSignature::exact(arguments, Volatility::Immutable);
    Arc::new(HigherOrderUDF::new_from_impl(Replace { signature }))
});

/// The function of a name.
pub(super) fn find(name: &str) -> Option<Arc<HigherOrderUDF>> {
    (name == REPLACE.name()).then(|| Arc::clone(&REPLACE))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Replace {
    signature: HigherOrderSignature,
}

fn wrong_arguments() -> Error {
    let message = "function regexp_replace() takes a text, a pattern and a lambda of one parameter";
    Error::new(ErrorKind::UndefinedFunction, message)
}

/// What the lambda is given: the groups of a match.
fn groups_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)))
}

impl HigherOrderUDFImpl for Replace {
    fn name(&self) -> &'static str {
        "$regexp_replace"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let is_text = |found: &DataType| super::is_text(found) || found.is_null();
        match types {
            [text, pattern] if is_text(text) && is_text(pattern) => Ok(vec![DataType::Utf8View, DataType::Utf8View]),
            _ => Err(wrong_arguments().into()),
        }
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        _fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let groups = Arc::new(Field::new("groups", groups_type(), true));
        Ok(LambdaParametersProgress::Complete(vec![vec![groups]]))
    }

    fn return_field_from_args(&self, _args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new("", DataType::Utf8View, true)))
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [ValueOrLambda::Value(texts), ValueOrLambda::Value(patterns), ValueOrLambda::Lambda(lambda)] =
            args.args.as_slice()
        else {
            return Err(wrong_arguments().into());
        };
        let (texts, patterns) = (texts.to_array(rows)?, patterns.to_array(rows)?);
        let (texts, patterns) = (texts.as_string_view(), patterns.as_string_view());
        let mut groups = ListBuilder::new(StringViewBuilder::new());
        let (mut matches, mut match_rows): (Vec<Range<usize>>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut last = Last::new();
        for row in (0..rows).filter(|row| texts.is_valid(*row) && patterns.is_valid(*row)) {
            let (text, pattern) = (texts.value(row), last.of(patterns.value(row), trino)?);
            for found in pattern.captures(text) {
                let mut found = found?.into_iter();
                matches.extend(found.next().flatten());
                for group in found {
                    groups.values().append_option(group.map(|group| &text[group]));
                }
                groups.append(true);
                match_rows.push(row as u64);
            }
        }
        let count = matches.len();
        let replacements = if count == 0 {
            Arc::new(StringViewBuilder::new().finish()) as ArrayRef
        } else {
            let groups: ArrayRef = Arc::new(groups.finish());
            let rows = UInt64Array::from(match_rows.clone());
            let made =
                lambda.evaluate(&[&|| Ok(Arc::clone(&groups))], |captured| Ok(take_arrays(captured, &rows, None)?))?;
            cast(&made.into_array(count)?, &DataType::Utf8View)?
        };
        let replacements = replacements.as_string_view();
        let mut built = StringViewBuilder::with_capacity(rows);
        let mut next = 0;
        for row in 0..rows {
            if texts.is_null(row) || patterns.is_null(row) {
                built.append_null();
                continue;
            }
            let (text, mut end, mut made, mut is_known) = (texts.value(row), 0, String::new(), true);
            while next < count && match_rows[next] == row as u64 {
                made.push_str(&text[end..matches[next].start]);
                end = matches[next].end;
                is_known &= replacements.is_valid(next);
                if is_known {
                    made.push_str(replacements.value(next));
                }
                next += 1;
            }
            made.push_str(&text[end..]);
            built.append_option(is_known.then_some(made));
        }
        Ok(ColumnarValue::Array(Arc::new(built.finish())))
    }
}
