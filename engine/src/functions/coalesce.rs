//! COALESCE of moments and literal texts: such a text is of no type yet and is read as the others' type. Decimals beside
//! floating-point numbers are such numbers.
//!
//! DataFusion's own finds no type that texts and moments have in common. Here texts may stand beside moments, where the
//! dialect lets them, until the plan is finished; then `plan` casts those that are literals and refuses the others.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::functions::core::coalesce;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// Its name.
pub(crate) const COALESCE: &str = "coalesce";

/// The function.
pub(super) fn function(texts_mix: bool) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Coalesce {
        inner: coalesce(),
        texts_mix,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// The type that literal texts among arguments are read as; `None` where all are texts, or where texts go with the others.
pub(crate) fn type_of_literals(arguments: &[DataType]) -> Option<DataType> {
    let is_text = |argument: &&DataType| super::is_text(argument);
    arguments.iter().find(is_text)?;
    let mut moments = arguments.iter().filter(|argument| !is_text(argument) && !argument.is_null());
    let first = moments.next().filter(|first| first.is_temporal())?;
    moments.all(|other| other == first).then(|| first.clone())
}

/// Whether there are both decimals and floating-point numbers, and nothing that is no number.
pub(crate) fn mixes_doubles<'t>(types: impl IntoIterator<Item = &'t DataType>) -> bool {
    let (mut decimals, mut doubles) = (false, false);
    for data_type in types {
        decimals |= data_type.is_decimal();
        doubles |= data_type.is_floating();
        if !data_type.is_numeric() && !data_type.is_null() {
            return false;
        }
    }
    decimals && doubles
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Coalesce {
    inner: Arc<ScalarUDF>,
    /// Whether literal texts may stand beside moments.
    texts_mix: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Coalesce {
    fn name(&self) -> &'static str {
        COALESCE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn simplify(&self, arguments: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(arguments, context)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(arguments)
    }

    fn conditional_arguments<'a>(&self, arguments: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(arguments)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        if mixes_doubles(arguments) {
            return Ok(vec![DataType::Float64; arguments.len()]);
        }
        match type_of_literals(arguments).filter(|_| self.texts_mix) {
            Some(wanted) => Ok(vec![wanted; arguments.len()]),
            None => self.inner.coerce_types(arguments),
        }
    }
}
