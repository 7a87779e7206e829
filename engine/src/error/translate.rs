//! The one place where errors of libraries become [`Error`]s.
//!
//! An [`Error`] of ours that travelled through DataFusion or Arrow comes out as it went in; everything else is sorted
//! by what the user can do about it.

use super::types::{shown_call, shown_name};
use super::{Error, ErrorKind};
use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use millrace_catalog::CatalogError;
use millrace_connectors::ConnectorError;
use std::error::Error as StdError;

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        from_datafusion(&error)
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        from_arrow(&error)
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        from_store(&error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        from_io(&error)
    }
}

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        let message = error.to_string();
        let kind = match &error {
            CatalogError::NotFound { kind: "database" | "schema", .. } => ErrorKind::UndefinedSchema,
            CatalogError::NotFound { kind: "relation" | "table" | "view", .. } => ErrorKind::UndefinedTable,
            CatalogError::NotFound { .. } => ErrorKind::UndefinedObject,
            CatalogError::AlreadyExists { kind: "database" | "schema", .. } => ErrorKind::DuplicateSchema,
            CatalogError::AlreadyExists { kind: "relation" | "table" | "view", .. } => ErrorKind::DuplicateTable,
            CatalogError::AlreadyExists { .. } => ErrorKind::DuplicateObject,
            CatalogError::Conflict(_) | CatalogError::Serialization { .. } => ErrorKind::Serialization,
            CatalogError::OwnsObjects { .. } => ErrorKind::DependentObjects,
            CatalogError::InvalidArgument(_) => ErrorKind::InvalidParameter,
            CatalogError::ReadOnly(_) => ErrorKind::ReadOnly,
            CatalogError::Unavailable { message, .. } if message.contains("disk") && message.contains("full") => {
                ErrorKind::DiskFull
            }
            CatalogError::Unavailable { .. } => ErrorKind::Connection,
            CatalogError::UnknownOutcome { .. } => ErrorKind::UnknownOutcome,
            CatalogError::Damaged(_) => ErrorKind::DataCorrupted,
        };
        match error {
            CatalogError::OwnsObjects { objects, .. } => Error::new(kind, message).with_detail(objects.join("\n")),
            _ => Error::new(kind, message),
        }
    }
}

impl From<ConnectorError> for Error {
    fn from(error: ConnectorError) -> Self {
        let message = error.to_string();
        let kind = match &error {
            ConnectorError::NotFound { kind: "connector", .. } => ErrorKind::UndefinedObject,
            ConnectorError::NotFound { .. } => ErrorKind::UndefinedTable,
            ConnectorError::InvalidArgument(_) => ErrorKind::InvalidParameter,
            ConnectorError::Unsupported(_) => ErrorKind::Unsupported,
            ConnectorError::AccessDenied(_) => ErrorKind::InsufficientPrivilege,
            ConnectorError::Unavailable { .. } => ErrorKind::Connection,
            ConnectorError::BadData(_) => ErrorKind::Data,
        };
        let found = Error::new(kind, message);
        match error {
            ConnectorError::Unavailable { source: Some(source), .. } => {
                let detail = chain(source.as_ref());
                if found.message.contains(&detail) { found } else { found.with_detail(detail) }
            }
            _ => found,
        }
    }
}

/// An error's text and those of its sources, as far as they say more.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = plain(error);
    let mut next = error.source();
    while let Some(error) = next {
        let more = plain(error);
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = error.source();
    }
    text
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

/// Line and column, both from 1, that DataFusion's planner blames.
pub(crate) fn span_of(error: &DataFusionError) -> Option<(u64, u64)> {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => {
            diagnostic.span.map(|span| (span.start.line, span.start.column)).or_else(|| span_of(inner))
        }
        DataFusionError::Context(_, inner) => span_of(inner),
        DataFusionError::Shared(inner) => span_of(inner),
        DataFusionError::Collection(all) => all.first().and_then(span_of),
        _ => None,
    }
}

/// Looks for an error of ours, of Arrow, of a store or of the system among an error and its sources.
fn from_source(error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours.clone());
        }
        if let Some(datafusion) = error.downcast_ref::<DataFusionError>() {
            return Some(from_datafusion(datafusion));
        }
        if let Some(arrow) = error.downcast_ref::<ArrowError>() {
            return Some(from_arrow(arrow));
        }
        if let Some(store) = error.downcast_ref::<object_store::Error>() {
            return Some(from_store(store));
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(from_io(io));
        }
        next = error.source();
    }
    None
}

fn from_datafusion(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::ArrowError(arrow, _) => from_arrow(arrow),
        DataFusionError::ObjectStore(store) => from_store(store),
        DataFusionError::IoError(io) => from_io(io),
        DataFusionError::ParquetError(parquet) => match parquet.as_ref() {
            parquet::errors::ParquetError::External(source) => from_source(source.as_ref())
                .unwrap_or_else(|| Error::new(ErrorKind::BadFile, format!("a Parquet file is damaged: {source}"))),
            other => Error::new(ErrorKind::BadFile, format!("a Parquet file is damaged: {}", plain(other))),
        },
        DataFusionError::External(source) => {
            from_source(source.as_ref()).unwrap_or_else(|| Error::internal(lower(&source.to_string())))
        }
        DataFusionError::Context(context, inner) => {
            let inner = from_datafusion(inner);
            if inner.detail.is_none() && inner.kind == ErrorKind::Internal { inner.with_detail(context) } else { inner }
        }
        DataFusionError::Diagnostic(_, inner) => from_datafusion(inner),
        DataFusionError::Shared(inner) => from_datafusion(inner),
        DataFusionError::Collection(all) => {
            all.first().map_or_else(|| Error::internal("an empty collection of errors"), from_datafusion)
        }
        DataFusionError::SQL(parser, _) => Error::new(ErrorKind::Syntax, lower(&parser.to_string())),
        DataFusionError::NotImplemented(message)
            if ["ScalarSubquery(", "Exists(", "InSubquery("].iter().any(|query| message.contains(query)) =>
        {
            Error::unsupported("a subquery that names columns of the query around it other than in equalities")
        }
        DataFusionError::NotImplemented(message) => {
            Error::new(ErrorKind::Unsupported, format!("not supported: {}", lower(without_dump(message))))
        }
        DataFusionError::Internal(message) if message.contains("signature") || message.contains("No function") => {
            Error::new(ErrorKind::UndefinedFunction, lower(message.lines().next().unwrap_or_default()))
        }
        DataFusionError::SchemaError(schema, _) => from_schema(schema),
        DataFusionError::Plan(message) => from_plan(message),
        DataFusionError::Configuration(message) => Error::new(ErrorKind::InvalidParameter, lower(message)),
        DataFusionError::Execution(message) => from_execution(message),
        DataFusionError::ExecutionJoin(join) if join.is_cancelled() => cancelled(),
        DataFusionError::ResourcesExhausted(message) => {
            let kind = if message.contains("disk") { ErrorKind::DiskFull } else { ErrorKind::OutOfMemory };
            Error::new(kind, "the statement needs more memory than it may use").with_detail(plain(message))
        }
        other => Error::internal(plain(other)),
    }
}

/// Statement time-outs and Ctrl-C, in PostgreSQL's words.
fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "canceling statement due to user request")
}

fn from_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields }
            if field.relation.is_some() && !valid_fields.iter().any(|known| known.relation == field.relation) =>
        {
            let relation = field.relation.as_ref().map_or("", |relation| relation.table());
            Error::new(ErrorKind::UndefinedTable, format!("missing FROM-clause entry for table \"{relation}\""))
        }
        SchemaError::FieldNotFound { field, valid_fields } => {
            let error = Error::new(ErrorKind::UndefinedColumn, format!("column \"{}\" does not exist", field.name));
            let known = valid_fields.iter().map(|c| c.name.as_str());
            match nearest(&field.name, known) {
                Some(near) => error.with_hint(format!("did you mean \"{near}\"?")),
                None => error,
            }
        }
        SchemaError::AmbiguousReference { field } => {
            Error::new(ErrorKind::AmbiguousColumn, format!("column reference \"{}\" is ambiguous", field.name))
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::new(ErrorKind::DuplicateColumn, format!("column \"{name}\" is specified more than once"))
        }
    }
}

/// DataFusion's planner tells kinds of errors apart by their text only.
fn from_plan(message: &str) -> Error {
    let first = message.lines().next().unwrap_or_default();
    if let Some(rest) = first.strip_prefix("Invalid function '") {
        let name = rest.split('\'').next().unwrap_or_default();
        let error = Error::new(ErrorKind::UndefinedFunction, format!("function {name}() does not exist"));
        return match message.split("Did you mean '").nth(1).and_then(|rest| rest.split('\'').next()) {
            Some(near) => error.with_hint(format!("did you mean {near}()?")),
            None => error,
        };
    }
    // A function of ours says itself what it takes.
    if let Some((_, ours)) = message.split_once("user-defined coercion failed with: External error: ") {
        let ours = ours.split(" No function matches").next().unwrap_or(ours);
        let mut lines = ours.lines();
        let error = Error::new(ErrorKind::UndefinedFunction, lines.next().unwrap_or_default());
        return match lines.find_map(|line| line.strip_prefix("HINT: ")) {
            Some(hint) => error.with_hint(hint.trim_end_matches('.')),
            None => error,
        };
    }
    if let Some(called) =
        message.split("given name and argument types '").nth(1).and_then(|rest| rest.split('\'').next())
    {
        let message = format!("function {} does not exist", shown_call(called));
        return Error::new(ErrorKind::UndefinedFunction, message).with_hint("add explicit type casts");
    }
    // A lambda whose result, given back to it, makes a result of another type.
    if first.contains("ambdaVariable field and schema field mismatch") {
        let message = "a lambda makes a value of another type than it was called with";
        return Error::new(ErrorKind::UndefinedFunction, message).with_hint("cast what the lambda makes");
    }
    let kind = if first.contains("signature") || first.contains("No function matches") {
        ErrorKind::UndefinedFunction
    } else if first.contains("must appear in the GROUP BY clause") || first.contains("ggregate functions are not") {
        ErrorKind::Grouping
    } else if first.contains("coerce")
        || first.contains("non-boolean")
        || first.contains("Cannot infer common")
        || first.contains("data types")
    {
        ErrorKind::DatatypeMismatch
    } else if first.contains("is ambiguous") {
        ErrorKind::AmbiguousColumn
    } else if first.contains("table '") && first.contains("not found") {
        ErrorKind::UndefinedTable
    } else {
        ErrorKind::Syntax
    };
    let error = Error::new(kind, lower(first));
    let rest: Vec<&str> = message.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()).collect();
    if rest.is_empty() { error } else { error.with_detail(rest.join("; ")) }
}

fn from_execution(message: &str) -> Error {
    let message = message.strip_prefix("Arrow error: ").unwrap_or(message);
    let message = message.strip_prefix("Invalid argument error: ").unwrap_or(message);
    let lowered = message.to_ascii_lowercase();
    let kind = if lowered.contains("divide by zero") || lowered.contains("division by zero") {
        ErrorKind::DivisionByZero
    } else if lowered.contains("overflow") || lowered.contains("out of range") || lowered.contains("too large to store")
    {
        ErrorKind::NumericOverflow
    } else if lowered.contains("parse") || lowered.contains("cannot cast") {
        ErrorKind::InvalidText
    } else {
        ErrorKind::Data
    };
    Error::new(kind, lower(message))
}

fn from_arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(source) => {
            from_source(source.as_ref()).unwrap_or_else(|| Error::internal(lower(&source.to_string())))
        }
        ArrowError::DivideByZero => Error::new(ErrorKind::DivisionByZero, "division by zero"),
        ArrowError::ArithmeticOverflow(message) => {
            Error::new(ErrorKind::NumericOverflow, "Numeric data overflow").with_detail(message)
        }
        ArrowError::CastError(message) if message.starts_with("Can't cast value") => {
            let words: Vec<&str> = message.split_whitespace().collect();
            let message = match words.as_slice() {
                [_, _, _, value, _, _, name] => {
                    format!("value \"{value}\" is out of range for type {}", shown_name(name))
                }
                _ => lower(message),
            };
            Error::new(ErrorKind::NumericOverflow, message)
        }
        ArrowError::CastError(message) | ArrowError::ParseError(message) => {
            Error::new(ErrorKind::InvalidText, lower(message))
        }
        ArrowError::NotYetImplemented(message) => {
            Error::new(ErrorKind::Unsupported, format!("not supported: {}", lower(message)))
        }
        ArrowError::IoError(_, io) => from_io(io),
        ArrowError::ParquetError(message) => {
            Error::new(ErrorKind::BadFile, format!("a Parquet file is damaged: {}", lower(message)))
        }
        ArrowError::CsvError(message)
        | ArrowError::JsonError(message)
        | ArrowError::AvroError(message)
        | ArrowError::IpcError(message) => Error::new(ErrorKind::BadFile, lower(message)),
        ArrowError::ComputeError(message) | ArrowError::InvalidArgumentError(message) => from_execution(message),
        other => Error::internal(lower(&other.to_string())),
    }
}

fn from_store(error: &object_store::Error) -> Error {
    use object_store::Error as Store;
    match error {
        Store::NotFound { path, source } => {
            if source.to_string().contains("NoSuchBucket") {
                Error::new(ErrorKind::UndefinedFile, "the bucket does not exist").with_detail(plain(source))
            } else {
                Error::new(ErrorKind::UndefinedFile, format!("\"{path}\" does not exist"))
            }
        }
        Store::PermissionDenied { path, source } => {
            Error::new(ErrorKind::InsufficientPrivilege, format!("access to \"{path}\" is denied"))
                .with_detail(plain(source))
        }
        Store::Unauthenticated { path, source } => {
            Error::new(ErrorKind::InsufficientPrivilege, format!("no valid credentials for \"{path}\""))
                .with_detail(plain(source))
        }
        Store::Precondition { path, .. } => {
            Error::new(ErrorKind::Serialization, format!("\"{path}\" changed while it was read"))
                .with_hint("run the statement again")
        }
        Store::AlreadyExists { path, .. } => {
            Error::new(ErrorKind::DuplicateObject, format!("\"{path}\" already exists"))
        }
        Store::NotSupported { source } => Error::unsupported(plain(source)),
        Store::Generic { source, .. } => from_source(source.as_ref()).unwrap_or_else(|| {
            let text = plain(source);
            if let Some(error) = other_region(&text) {
                return error;
            }
            let kind = if text.contains("NoSuchBucket") {
                ErrorKind::UndefinedFile
            } else if text.contains("403") || text.contains("AccessDenied") {
                ErrorKind::InsufficientPrivilege
            } else {
                ErrorKind::Connection
            };
            Error::new(kind, "the object store does not answer as it should").with_detail(text)
        }),
        other => Error::new(ErrorKind::Connection, lower(&plain(other))),
    }
}

/// A bucket of another region than it was asked in, with the region where the store has named it: what
/// [`region`](crate::lake::region) found, or the text of `AuthorizationHeaderMalformed`.
pub(crate) fn other_region(text: &str) -> Option<Error> {
    let between = |mark: &str, end: char| text.split_once(mark)?.1.split(end).next().filter(|name| !name.is_empty());
    let named = between(crate::lake::region::MARK, '\'')
        .or_else(|| between("<Region>", '<'))
        .or_else(|| between("expecting '", '\''))
        .or_else(|| between("expecting &#39;", '&'))
        .or_else(|| between("expecting &apos;", '&'));
    let known = ["redirect without LOCATION", "PermanentRedirect", "AuthorizationHeaderMalformed"];
    if let Some(region) = named.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')) {
        let hint = format!("use REGION '{region}' in COPY and UNLOAD, or the warehouse's setting s3.region");
        let message = format!("the bucket is in the region \"{region}\", not where it was asked for");
        return Some(Error::new(ErrorKind::Connection, message).with_hint(hint));
    }
    known.iter().any(|mark| text.contains(mark)).then(|| {
        let hint = "name its region: REGION '…' in COPY and UNLOAD, s3.region for the warehouse";
        Error::new(ErrorKind::Connection, "the bucket is in another region").with_detail(text).with_hint(hint)
    })
}

fn from_io(error: &std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    if let Some(inner) = error.get_ref().and_then(|inner| from_source(inner)) {
        return inner;
    }
    // DataFusion's words for its limit, which come as nothing but a text.
    if error.to_string().contains("disk space during the spilling process") {
        return Error::new(ErrorKind::DiskFull, "the statement needs more temporary disk space than there may be")
            .with_hint("raise it with --set temporary_space_mb=…, or give statements more memory");
    }
    let kind = match error.kind() {
        Io::NotFound => ErrorKind::UndefinedFile,
        Io::PermissionDenied => ErrorKind::InsufficientPrivilege,
        Io::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        Io::StorageFull | Io::QuotaExceeded => ErrorKind::DiskFull,
        Io::InvalidData | Io::UnexpectedEof => ErrorKind::BadFile,
        _ => ErrorKind::Connection,
    };
    Error::new(kind, lower(&error.to_string()))
}

/// A message up to where it begins to show a syntax tree.
fn without_dump(message: &str) -> &str {
    let end = [" {", "(Function", "(Window"].iter().filter_map(|mark| message.find(mark)).min();
    message[..end.unwrap_or(message.len())].trim_end_matches([' ', ':'])
}

/// An error's text on one line.
fn plain(error: impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A library's sentence as a message of ours: no full stop, first letter lowercase unless the word is a name.
fn lower(message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    let mut chars = message.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(message.chars().skip(1)).collect()
        }
        _ => message.to_owned(),
    }
}

/// The known name that is nearest to what was written, when it is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance > 0 && *distance <= name.len().max(candidate.len()).div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_error_survives_the_way_through_libraries() {
        let ours = Error::new(ErrorKind::BadFile, "file is damaged").with_detail("line 3");
        let arrow = ArrowError::ExternalError(Box::new(DataFusionError::from(ours.clone())));
        let io = std::io::Error::other(arrow);
        let wrapped = DataFusionError::IoError(io).context("reading");
        assert_eq!(Error::from(wrapped), ours);
    }

    #[test]
    fn near_names_are_found_and_far_ones_not() {
        let known = ["flights", "planes", "weather"];
        assert_eq!(nearest("flighs", known.into_iter()), Some("flights"));
        assert_eq!(nearest("fligths", known.into_iter()), Some("flights"));
        assert_eq!(nearest("customers", known.into_iter()), None);
    }

    #[test]
    fn sqlstates_of_common_failures() {
        for (error, sqlstate) in [
            (DataFusionError::Plan("Invalid function 'foo'.\nDid you mean 'floor'?".to_owned()), "42883"),
            (DataFusionError::ResourcesExhausted("x".to_owned()), "53200"),
            (DataFusionError::from(ArrowError::DivideByZero), "22012"),
            (DataFusionError::IoError(std::io::Error::from(std::io::ErrorKind::StorageFull)), "53100"),
        ] {
            assert_eq!(Error::from(error).sqlstate(), sqlstate);
        }
    }

    #[test]
    fn what_foreign_systems_say() {
        let refused = std::io::Error::other("connection refused");
        for (error, sqlstate, text) in [
            (ConnectorError::NotFound { kind: "table", name: "t".to_owned() }, "42P01", "table \"t\" does not exist"),
            (ConnectorError::InvalidArgument("no number".to_owned()), "22023", "no number"),
            (ConnectorError::Unsupported("a join".to_owned()), "0A000", "a join is not supported"),
            (ConnectorError::AccessDenied("no key".to_owned()), "42501", "access is denied: no key"),
            (ConnectorError::BadData("no JSON".to_owned()), "22000", "no JSON"),
            (
                ConnectorError::Unavailable { message: "no answer".to_owned(), source: Some(Box::new(refused)) },
                "08006",
                "no answer\nDETAIL: connection refused",
            ),
        ] {
            let error = Error::from(error);
            assert_eq!((error.sqlstate(), error.to_string().as_str()), (sqlstate, text));
        }
    }
}
