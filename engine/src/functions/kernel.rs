//! A scalar function of ours: its declaration, which is its documentation too, and how DataFusion calls it.
//!
//! A declaration says what the arguments are turned into before the call, so that a kernel sees few types: all texts as
//! views, all whole numbers with 64 bits, all moments in microseconds. A strict function (which most are) gives NULL for
//! a NULL argument, and its kernel is not asked for such rows.

pub(crate) use crate::error::shown_type;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Dialect;
use crate::tables;
use crate::zone::Zone;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What an argument is turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text: `Utf8View`.
    Text,
    /// A text: `Utf8View`; or bytes: `BinaryView`.
    TextOrBytes,
    /// A SUPER: `Utf8View`. The planner makes one of a text that is none; values of other types become SUPER here.
    Super,
    /// A text in JSON: `Utf8View`. Of a SUPER it is what is kept of it; Trino's [`JSON`] is one, too.
    Json,
    /// The same, or bytes that may be such a text, as `BinaryView`.
    JsonBytes,
    /// Trino's [`JSON`], no text: `Utf8View`.
    Document,
    /// A whole number: `Int64`.
    Int,
    /// A floating-point number: `Float64`.
    Float,
    /// A number as it is; a text becomes a double.
    Number,
    /// A truth value.
    Bool,
    /// A date: `Date32`.
    Date,
    /// A moment without zone, in microseconds; dates and texts become one.
    Stamp,
    /// The same, or a time of day in microseconds, which all arguments of the kind are then.
    StampOrTime,
    /// A moment without zone as [`Kind::Stamp`] takes it; one with a zone is refused.
    Clocks,
    /// A moment in microseconds with or without zone, as it is; dates and texts become one without.
    Instant,
    /// The same, or a time of day in microseconds, which all arguments of the kind are then.
    InstantOrTime,
    /// A date, or a moment in microseconds with or without zone, as it is; a text becomes a moment.
    Moment,
    /// The same, or a time of day in microseconds.
    MomentOrTime,
    /// The same, or an interval as it is.
    MomentOrSpan,
    /// A time zone's name: a text as it is, so that a constant stays one.
    Zone,
    /// Anything, as it is.
    Any,
}

impl Kind {
    /// Whether the kernel sees texts, or may.
    fn is_of_texts(self) -> bool {
        matches!(self, Self::Text | Self::TextOrBytes | Self::Json | Self::JsonBytes | Self::Document)
    }
}

/// What a function gives.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gives {
    /// `Utf8View`
    Text,
    /// [`JSON`]; the kernel gives texts.
    Json,
    /// `Int64`
    Int8,
    /// `Int32`
    Int4,
    /// `Float64`
    Float,
    /// `Boolean`
    Bool,
    /// `Date32`
    Date,
    /// Microseconds without zone.
    Stamp,
    /// Microseconds in UTC.
    StampTz,
    /// Microseconds in the zone that this argument names, a constant; in UTC where it is not given.
    InZone(usize),
    /// A number like the first argument, with as many digits after the point as the second says.
    Scaled {
        /// Whether the digits that are cut stay as zeros.
        keeps_scale: bool,
    },
    /// A SUPER: `Utf8View`, marked.
    Super,
    /// A HLLSKETCH: `Utf8View`, marked.
    Sketch,
    /// A SUPER of the large texts that are elements of one; anything else as it is.
    Element,
    /// What follows from the arguments' types.
    Of(fn(&[DataType]) -> Result<DataType>),
}

/// A kernel: the arguments in their types and the rows to compute, all of one length.
pub(super) type Kernel = fn(&Call<'_>) -> Result<ArrayRef>;

/// What a kernel works on.
pub(super) struct Call<'a> {
    /// The arguments, each with [`Call::rows`] values, or with one where the function takes constants.
    pub(super) args: &'a [ArrayRef],
    /// How many rows.
    pub(super) rows: usize,
    /// For a strict function the rows that have all arguments.
    pub(super) nulls: Option<NullBuffer>,
    /// What the result is.
    pub(super) gives: DataType,
    /// The session's time zone.
    pub(super) zone: Zone,
}

impl Call<'_> {
    /// The same call for a result of another type, of which its own is made then.
    pub(super) fn giving(&self, gives: DataType) -> Self {
        Self { args: self.args, rows: self.rows, nulls: self.nulls.clone(), gives, zone: self.zone }
    }
}

/// A function's declaration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scalar {
    pub(super) name: &'static str,
    pub(super) dialects: &'static [Dialect],
    takes: &'static [Kind],
    optional: usize,
    variadic: bool,
    strict: bool,
    constants: bool,
    volatility: Volatility,
    pub(super) gives: Gives,
    kernel: Kernel,
    /// How it is called; empty for functions that only we write.
    pub(super) syntax: &'static str,
    pub(super) about: &'static str,
    /// Expressions with their results.
    pub(super) examples: &'static [(&'static str, &'static str)],
}

/// Both dialects.
pub(super) const BOTH: &[Dialect] = &[Dialect::Redshift, Dialect::Athena];
/// Redshift only.
pub(super) const REDSHIFT: &[Dialect] = &[Dialect::Redshift];
/// Athena only.
pub(super) const ATHENA: &[Dialect] = &[Dialect::Athena];

/// A function over arguments of these kinds.
pub(super) const fn scalar(
    name: &'static str,
    dialects: &'static [Dialect],
    takes: &'static [Kind],
    gives: Gives,
    kernel: Kernel,
) -> Scalar {
    Scalar {
        name,
        dialects,
        takes,
        optional: 0,
        variadic: false,
        strict: true,
        constants: false,
        volatility: Volatility::Immutable,
        gives,
        kernel,
        syntax: "",
        about: "",
        examples: &[],
    }
}

impl Scalar {
    /// The last arguments may be missing.
    pub(super) const fn optional(self, optional: usize) -> Self {
        Self { optional, ..self }
    }

    /// The last argument may be repeated.
    pub(super) const fn variadic(self) -> Self {
        Self { variadic: true, ..self }
    }

    /// Arguments that are one value for all rows reach the kernel as one row ([`super::rows::Spread`]).
    pub(super) const fn with_constants(self) -> Self {
        Self { constants: true, ..self }
    }

    /// NULL arguments reach the kernel.
    pub(super) const fn with_nulls(self) -> Self {
        Self { strict: false, ..self }
    }

    /// What it gives may change from one statement to the next.
    pub(super) const fn stable(self) -> Self {
        Self { volatility: Volatility::Stable, ..self }
    }

    /// Each call gives another value.
    pub(super) const fn volatile(self) -> Self {
        Self { volatility: Volatility::Volatile, ..self }
    }

    /// What the generated page says of it.
    pub(super) const fn doc(
        self,
        syntax: &'static str,
        about: &'static str,
        examples: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { syntax, about, examples, ..self }
    }

    /// The function as DataFusion calls it.
    pub(super) fn udf(self, dialect: Dialect) -> Arc<ScalarUDF> {
        let signature = if self.takes.is_empty() {
            Signature::nullary(self.volatility)
        } else {
            Signature::user_defined(self.volatility)
        };
        Arc::new(ScalarUDF::new_from_impl(Function { declaration: self, dialect, signature }))
    }

    /// The kinds of as many arguments as there are.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> + use<> {
        let takes = self.takes;
        takes.iter().copied().chain(takes.last().copied().into_iter().cycle())
    }

    fn count_fits(&self, count: usize) -> bool {
        let most = self.takes.len();
        count + self.optional >= most && (count <= most || self.variadic)
    }
}

struct Function {
    declaration: Scalar,
    /// Whose function it is.
    dialect: Dialect,
    signature: Signature,
}

/// The declaration of a function that is one of ours.
pub(super) fn declared(function: &ScalarUDF) -> Option<&Scalar> {
    function.inner().downcast_ref::<Function>().map(|function| &function.declaration)
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.declaration.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.declaration, &other.declaration);
        ours.name == theirs.name && self.dialect == other.dialect
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.declaration.name.hash(state);
        self.dialect.hash(state);
    }
}

/// The type of Trino's JSON, in canonical form: all other texts are of another type.
pub(crate) const JSON: DataType = DataType::LargeUtf8;

/// The type of times of day.
pub(super) const TIME_OF_DAY: DataType = DataType::Time64(TimeUnit::Microsecond);

/// Whether a type is one of texts.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The type that an argument is cast to; `None` where it is none.
fn coerced(kind: Kind, found: &DataType) -> Option<DataType> {
    let stamp = || DataType::Timestamp(TimeUnit::Microsecond, None);
    let (text, number) = (is_text(found), found.is_numeric());
    Some(match (kind, found) {
        (Kind::Super, _) if text => DataType::Utf8View,
        // It is read when the function is called: a cast would take the quotes from it.
        (kind, found) if kind.is_of_texts() && *found == JSON => JSON,
        (Kind::Document, DataType::Null) => JSON,
        (Kind::Document, _) => return None,
        (Kind::Super | Kind::Any, _) => found.clone(),
        (Kind::JsonBytes | Kind::TextOrBytes, DataType::Binary | DataType::LargeBinary | DataType::BinaryView) => {
            DataType::BinaryView
        }
        (Kind::Json | Kind::JsonBytes | Kind::TextOrBytes, _) => return coerced(Kind::Text, found),
        (Kind::Moment, DataType::Null) => stamp(),
        (Kind::MomentOrSpan, DataType::Interval(_) | DataType::Duration(_)) => found.clone(),
        (
            Kind::StampOrTime | Kind::InstantOrTime | Kind::MomentOrTime | Kind::MomentOrSpan,
            DataType::Time32(_) | DataType::Time64(_),
        ) => TIME_OF_DAY,
        (Kind::StampOrTime, _) => return coerced(Kind::Stamp, found),
        (Kind::InstantOrTime, _) => return coerced(Kind::Instant, found),
        (Kind::MomentOrTime | Kind::MomentOrSpan, _) => return coerced(Kind::Moment, found),
        (_, DataType::Dictionary(_, value)) => return coerced(kind, value),
        (
            Kind::Text,
            DataType::Null | DataType::Boolean | DataType::Date32 | DataType::Binary | DataType::BinaryView,
        ) => DataType::Utf8View,
        (Kind::Text, DataType::Timestamp(..) | DataType::Time64(_)) => DataType::Utf8View,
        (Kind::Text, _) if text || number => DataType::Utf8View,
        (Kind::Int, DataType::Null) => DataType::Int64,
        (Kind::Int, _) if number || text => DataType::Int64,
        (Kind::Float, DataType::Null) => DataType::Float64,
        (Kind::Float, _) if number || text => DataType::Float64,
        (Kind::Number, DataType::Null) => DataType::Float64,
        (Kind::Number, DataType::UInt64) => DataType::Int64,
        (Kind::Number, _) if number => found.clone(),
        (Kind::Number, _) if text => DataType::Float64,
        (Kind::Bool, DataType::Boolean | DataType::Null) => DataType::Boolean,
        (Kind::Date, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Null) => {
            DataType::Date32
        }
        // Read when the function is called, as the dialect reads them.
        (Kind::Date | Kind::Stamp | Kind::Moment, _) if text => DataType::Utf8View,
        (Kind::Stamp, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Null) => stamp(),
        (Kind::Moment, DataType::Date32) => DataType::Date32,
        (Kind::Moment | Kind::Instant, DataType::Timestamp(_, zone)) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        (Kind::Clocks, DataType::Timestamp(_, Some(_))) => return None,
        (Kind::Clocks | Kind::Instant, _) => return coerced(Kind::Stamp, found),
        (Kind::Zone, _) if text || found.is_null() => found.clone(),
        _ => return None,
    })
}

/// Whether an argument is what its kind stands for, or a narrower number.
fn is_widened(kind: Kind, found: &DataType) -> bool {
    let text = is_text(found);
    match (kind, found) {
        (_, DataType::Null) | (Kind::Super | Kind::Any | Kind::Zone, _) => true,
        (_, DataType::Dictionary(_, value)) => is_widened(kind, value),
        (Kind::TextOrBytes | Kind::JsonBytes, DataType::Binary | DataType::LargeBinary | DataType::BinaryView) => true,
        (Kind::Json | Kind::JsonBytes | Kind::Document, _) => text,
        (Kind::Text | Kind::TextOrBytes, _) => text && *found != JSON,
        (Kind::Int, _) => found.is_integer(),
        (Kind::Float | Kind::Number, _) => found.is_numeric(),
        (Kind::Bool, _) => *found == DataType::Boolean,
        _ => !text,
    }
}

/// What a text is read as where a date or moment is wanted, and JSON where a text is.
pub(super) fn read_as(kind: Kind, found: &DataType) -> Option<DataType> {
    match kind {
        kind if kind.is_of_texts() && *found == JSON => Some(DataType::Utf8View),
        Kind::Date if is_text(found) => Some(DataType::Date32),
        Kind::Stamp
        | Kind::StampOrTime
        | Kind::Clocks
        | Kind::Instant
        | Kind::InstantOrTime
        | Kind::Moment
        | Kind::MomentOrTime
        | Kind::MomentOrSpan
            if is_text(found) =>
        {
            Some(DataType::Timestamp(TimeUnit::Microsecond, None))
        }
        _ => None,
    }
}

impl Function {
    /// The types that the kernel sees.
    fn seen(&self, args: &[DataType]) -> Vec<DataType> {
        self.declaration
            .kinds()
            .zip(args)
            .map(|(kind, found)| read_as(kind, found).unwrap_or_else(|| found.clone()))
            .collect()
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.declaration.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        let wrong = || {
            let types: Vec<String> = found.iter().map(shown_type).collect();
            let message = format!("function {}({}) does not exist", self.declaration.name, types.join(", "));
            let error = Error::new(ErrorKind::UndefinedFunction, message);
            let syntax = self.declaration.syntax;
            DataFusionError::from(if syntax.is_empty() { error } else { error.with_hint(format!("it is {syntax}")) })
        };
        if !self.declaration.count_fits(found.len()) {
            return Err(wrong());
        }
        // What only we write is given what it takes.
        let converts = self.dialect.rules().arguments_convert || self.declaration.name.starts_with('$');
        let types = self.declaration.kinds().zip(found).map(|(kind, found)| {
            let taken = converts || is_widened(kind, found);
            coerced(kind, found).filter(|_| taken).ok_or_else(wrong)
        });
        let mut types = types.collect::<DataFusionResult<Vec<DataType>>>()?;
        let is_either = |kind| matches!(kind, Kind::StampOrTime | Kind::InstantOrTime);
        let timed = |(kind, found): (Kind, &DataType)| is_either(kind) && *found == TIME_OF_DAY;
        if self.declaration.kinds().zip(&types).any(timed) {
            for ((kind, found), to) in self.declaration.kinds().zip(found).zip(&mut types) {
                if is_either(kind) && *to != TIME_OF_DAY {
                    // A text without a type is of the other's; a moment is no time.
                    if !is_text(to) && !found.is_null() {
                        return Err(wrong());
                    }
                    *to = TIME_OF_DAY;
                }
            }
        }
        Ok(types)
    }

    fn return_type(&self, args: &[DataType]) -> DataFusionResult<DataType> {
        Ok(match self.declaration.gives {
            Gives::Text | Gives::Super | Gives::Sketch => DataType::Utf8View,
            Gives::Element => match args.first() {
                Some(DataType::LargeUtf8) | None => DataType::Utf8View,
                Some(other) => other.clone(),
            },
            Gives::Json => JSON,
            Gives::Int8 => DataType::Int64,
            Gives::Int4 => DataType::Int32,
            Gives::Float => DataType::Float64,
            Gives::Bool => DataType::Boolean,
            Gives::Date => DataType::Date32,
            Gives::Stamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Gives::StampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Gives::InZone(_) => return Err(Error::internal("a zone follows from no type").into()),
            Gives::Scaled { keeps_scale } => super::math::scaled(args, None, keeps_scale)?,
            Gives::Of(follows) => follows(&self.seen(args))?,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let gives = match self.declaration.gives {
            Gives::Scaled { keeps_scale } => {
                let digit = args.scalar_arguments.get(1).copied().flatten();
                let digit = digit.and_then(|value| value.cast_to(&DataType::Int64).ok());
                let digit = digit.and_then(|value| if let ScalarValue::Int64(digit) = value { digit } else { None });
                super::math::scaled(&types, digit, keeps_scale)?
            }
            Gives::InZone(at) => {
                let named = args.scalar_arguments.get(at).copied();
                let zone = named.map_or_else(|| Ok("UTC".into()), super::zones::constant)?;
                DataType::Timestamp(TimeUnit::Microsecond, Some(zone))
            }
            _ => self.return_type(&types)?,
        };
        let is_super = match self.declaration.gives {
            Gives::Super => true,
            Gives::Element => types.first() == Some(&DataType::LargeUtf8),
            _ => false,
        };
        let field = Field::new(self.name(), gives, true);
        Ok(Arc::new(match self.declaration.gives {
            Gives::Sketch => tables::sketch_field(field),
            _ if is_super => tables::super_field(field),
            _ => field,
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let volatile = self.declaration.volatility == Volatility::Volatile;
        let constant = !volatile && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let rows_of_constants = if self.declaration.constants { 1 } else { rows };
        let gives = args.return_field.data_type().clone();
        let columns = self.declaration.kinds().zip(&args.args).map(|(kind, arg)| {
            let read = read_as(kind, &arg.data_type());
            if read.is_none() && (kind != Kind::Super || is_text(&arg.data_type())) {
                return arg.to_array(rows_of_constants);
            }
            let convert = |values: &ArrayRef| match &read {
                Some(data_type) if is_text(data_type) => Ok(cast(values, data_type)?),
                Some(data_type) => super::cast::as_type(values, data_type, self.dialect),
                None => super::semistructured::as_documents(values),
            };
            match arg {
                ColumnarValue::Array(values) => Ok(convert(values)?),
                ColumnarValue::Scalar(value) => {
                    ScalarValue::try_from_array(&convert(&value.to_array()?)?, 0)?.to_array_of_size(rows_of_constants)
                }
            }
        });
        let columns = columns.collect::<DataFusionResult<Vec<_>>>()?;
        let mut nulls = None;
        for column in columns.iter().filter(|_| self.declaration.strict) {
            let own = column.logical_nulls();
            if column.len() == rows {
                nulls = NullBuffer::union(nulls.as_ref(), own.as_ref());
            } else if own.is_some_and(|own| own.null_count() > 0) {
                return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&gives)?));
            }
        }
        if nulls.as_ref().is_some_and(|nulls| nulls.null_count() == rows) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&gives)?));
        }
        let zone = Zone::of_session(&args.config_options);
        let mut made = (self.declaration.kernel)(&Call { args: &columns, rows, nulls, gives, zone })?;
        if matches!(self.declaration.gives, Gives::Json) {
            made = cast(&made, &JSON)?;
        }
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?));
        }
        Ok(ColumnarValue::Array(made))
    }
}
