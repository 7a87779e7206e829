//! Prepared statements: parsed once, bound to values as often as wanted.
//!
//! A statement means the tables as they are when it is executed: its plan is kept as long as they are the same, and made
//! anew after that. What it takes and gives is found when somebody asks, by planning it with NULLs.

use super::context::Context;
use super::temporary::Temporaries;
use super::transaction::Transaction;
use super::{Block, Session, done, literal};
use crate::error::{Error, ErrorKind, Result};
use crate::exec;
use crate::plan;
use crate::resolve::{self, Relation};
use crate::result::StatementResult;
use crate::sql::placeholders;
use crate::sql::{Bound, Discard, Insert, ParsedStatement, PreparedStatement, Statement, TARGET};
use crate::{lake, tables};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::datasource::TableProvider;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::ast::{self, Expr};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex;

/// How many prepared statements a session may keep.
const MOST_PREPARED: usize = 10_000;

/// How many parameters' types are looked for one by one.
const MOST_SINGLE_LOOKS: usize = 8;

/// A statement with parameters.
#[derive(Debug)]
pub struct Prepared {
    /// `None` for an empty text.
    parsed: Option<Arc<ParsedStatement>>,
    /// The types that were given, one a parameter.
    given: Vec<Option<DataType>>,
    types: OnceLock<Vec<DataType>>,
    schema: OnceLock<Option<SchemaRef>>,
}

impl Prepared {
    /// Whether it gives rows.
    pub fn gives_rows(&self) -> bool {
        self.parsed.as_ref().is_some_and(|parsed| placeholders::gives_rows(&parsed.statement))
    }

    /// Whether it ends a transaction, which is possible after an error too.
    fn ends_transaction(&self) -> bool {
        matches!(self.parsed.as_ref().map(|parsed| &parsed.statement), Some(Statement::Commit | Statement::Rollback))
    }

    /// The columns that [`Session::prepared_schema`] has told of.
    pub fn known_schema(&self) -> Option<SchemaRef> {
        self.schema.get().cloned().flatten()
    }

    /// How many parameters it has.
    pub fn parameter_count(&self) -> usize {
        self.given.len()
    }
}

/// The prepared statements of a session that have names.
pub(super) type PreparedStatements = BTreeMap<String, Arc<Prepared>>;

impl Session {
    /// Prepares a text of one statement or none, with the types of parameters that are known.
    ///
    /// # Errors
    /// As [`Session::parse`]; `Syntax` for several statements; `FailedTransaction`.
    pub fn prepare(&self, text: &str, types: &[Option<DataType>]) -> Result<Prepared> {
        let parsed = self.parse_again(text)?;
        if parsed.len() > 1 {
            return Err(Error::new(ErrorKind::Syntax, "cannot insert multiple commands into a prepared statement"));
        }
        let prepared = new_prepared(parsed.first().cloned(), types)?;
        if !prepared.ends_transaction() {
            self.check_not_failed()?;
        }
        Ok(prepared)
    }

    /// Keeps a prepared statement under a name.
    ///
    /// # Errors
    /// `DuplicatePrepared`, `LimitExceeded`.
    pub fn keep_prepared(&mut self, name: &str, prepared: Arc<Prepared>) -> Result<()> {
        if self.prepared.contains_key(name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Error::new(ErrorKind::DuplicatePrepared, message));
        }
        if self.prepared.len() >= MOST_PREPARED {
            let message = format!("a session may keep {MOST_PREPARED} prepared statements");
            return Err(Error::new(ErrorKind::LimitExceeded, message).with_hint("deallocate some"));
        }
        self.prepared.insert(name.to_owned(), prepared);
        Ok(())
    }

    /// The prepared statement of a name.
    ///
    /// # Errors
    /// `UndefinedPrepared`.
    pub fn prepared(&self, name: &str) -> Result<Arc<Prepared>> {
        self.prepared.get(name).cloned().ok_or_else(|| unknown(name))
    }

    /// Forgets a prepared statement; `false` when there is none of that name.
    pub fn forget_prepared(&mut self, name: &str) -> bool {
        self.prepared.remove(name).is_some()
    }

    /// The types of a prepared statement's parameters: those that were given, then what the statement tells, then text.
    ///
    /// # Errors
    /// What looking up its tables says.
    pub async fn parameter_types<'a>(&self, prepared: &'a Prepared) -> Result<&'a [DataType]> {
        if let Some(types) = prepared.types.get() {
            return Ok(types);
        }
        let types = match &prepared.parsed {
            Some(parsed) if prepared.given.iter().any(Option::is_none) => {
                let context = self.reading_context(parsed).await?;
                Box::pin(infer(&context, parsed, &prepared.given)).await?
            }
            _ => prepared.given.iter().map(|given| given.clone().unwrap_or(DataType::Utf8)).collect(),
        };
        Ok(prepared.types.get_or_init(|| types))
    }

    /// The columns of a prepared statement's rows; `None` when it gives none.
    ///
    /// # Errors
    /// What planning it says.
    pub async fn prepared_schema(&mut self, prepared: &Prepared) -> Result<Option<SchemaRef>> {
        let Some(parsed) = prepared.parsed.as_ref().filter(|_| prepared.gives_rows()) else { return Ok(None) };
        if let Some(schema) = prepared.schema.get() {
            return Ok(schema.clone());
        }
        let types = self.parameter_types(prepared).await?.to_vec();
        let schema = match &parsed.statement {
            Statement::Query(_) => {
                let context = self.reading_context(parsed).await?;
                let nulls = types.iter().map(literal::null).collect::<Result<Vec<_>>>()?;
                match schema_with(&context, parsed, nulls).await {
                    Ok(schema) => schema,
                    // Some functions want a value to say what they give.
                    Err(error) if !types.is_empty() => {
                        let samples = types.iter().map(literal::sample).collect::<Result<Vec<_>>>()?;
                        schema_with(&context, parsed, samples).await.map_err(|_| error)?
                    }
                    Err(error) => return Err(error),
                }
            }
            Statement::Explain(explain) => exec::explain::described(self.dialect(), explain)?.schema,
            Statement::Cursor(cursor) => self.cursor_schema(cursor)?,
            // What shows something changes nothing.
            _ => self.execute(parsed).await?.schema,
        };
        Ok(prepared.schema.get_or_init(|| Some(schema)).clone())
    }

    /// Looks up what a prepared statement names: its parameters' types and, for a query, its columns.
    ///
    /// # Errors
    /// What planning it says.
    pub async fn analyze(&mut self, prepared: &Prepared) -> Result<()> {
        self.parameter_types(prepared).await?;
        if matches!(prepared.parsed.as_ref().map(|parsed| &parsed.statement), Some(Statement::Query(_))) {
            self.prepared_schema(prepared).await?;
        }
        Ok(())
    }

    /// The plan by which expressions, written as a list of columns, are computed of a table that is given, in the dialect of
    /// the session: for who looks at what single expressions cost.
    ///
    /// # Errors
    /// What planning them says.
    pub async fn plan_over(&self, expressions: &str, table: Arc<dyn TableProvider>) -> Result<Arc<dyn ExecutionPlan>> {
        let parsed = self.parse(&format!("SELECT {expressions} FROM \"{TARGET}\""))?;
        let [ParsedStatement { statement: Statement::Query(query), .. }] = parsed.as_slice() else {
            return Err(Error::new(ErrorKind::Syntax, "these are no expressions"));
        };
        let context = self.reading_context(&parsed[0]).await?;
        let planned = plan::plan_query(&context, resolve::resolve_change(&context, query, table).await?)?;
        Box::pin(exec::query::physical_plan(&context, &planned)).await
    }

    /// A prepared statement with values, one a parameter; `None` for an empty text. [`Session::parameter_types`] was
    /// asked for the types before.
    ///
    /// # Errors
    /// `ProtocolViolation` for another number of values; `InvalidText` for a value that is none of its type.
    pub fn bind(
        &self,
        prepared: &Prepared,
        types: &[DataType],
        values: Vec<Option<String>>,
    ) -> Result<Option<ParsedStatement>> {
        let wanted = prepared.parameter_count();
        if values.len() != wanted || types.len() != wanted {
            let message = format!("bind message supplies {} parameters, but {wanted} are required", values.len());
            return Err(Error::new(ErrorKind::ProtocolViolation, message));
        }
        let Some(parsed) = &prepared.parsed else { return Ok(None) };
        let literals = values.iter().zip(types).map(|(value, data_type)| literal::literal(value.as_deref(), data_type));
        let mut with_values = with_values(parsed, literals.collect::<Result<Vec<_>>>()?);
        if wanted > 0 && parsed.number != 0 {
            let bound = Bound { statement: Arc::clone(parsed), types: types.to_vec(), values };
            (with_values.number, with_values.bound) = (parsed.number, Some(Arc::new(bound)));
        }
        Ok(Some(with_values))
    }

    pub(super) fn check_not_failed(&self) -> Result<()> {
        if self.block.as_ref().is_some_and(Block::has_failed) {
            let message = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Error::new(ErrorKind::FailedTransaction, message));
        }
        Ok(())
    }

    /// What a statement is planned in that does not run.
    async fn reading_context(&self, parsed: &ParsedStatement) -> Result<Context> {
        let transaction = match &self.block {
            Some(block) => Arc::clone(&block.transaction),
            None => Arc::new(Mutex::new(Transaction::new(false, self.temporary.clone()))),
        };
        self.context(parsed, (transaction, self.block.is_some())).await
    }

    pub(super) async fn execute_prepared(
        &mut self,
        parsed: &ParsedStatement,
        statement: &PreparedStatement,
    ) -> Result<StatementResult> {
        match statement {
            PreparedStatement::Prepare { name, types, statement } => {
                let context = self.reading_context(parsed).await?;
                let mut given = Vec::with_capacity(types.len());
                for data_type in types {
                    given.push(Some(type_of(&context, parsed, data_type).await?));
                }
                let number = self.warehouse.texts().number();
                let inner = ParsedStatement { number, ..parsed.within(statement.as_ref().clone()) };
                let prepared = new_prepared(Some(inner), &given)?;
                // As in PostgreSQL, names are looked up now.
                self.analyze(&prepared).await?;
                self.keep_prepared(name, Arc::new(prepared))?;
                Ok(done("PREPARE"))
            }
            PreparedStatement::Execute { name, values } => {
                let prepared = self.prepared(name)?;
                let wanted = prepared.parameter_count();
                if values.len() != wanted {
                    let message = format!("wrong number of parameters for prepared statement \"{name}\"");
                    let detail = format!("expected {wanted} parameters but got {}", values.len());
                    return Err(Error::new(ErrorKind::Syntax, message).with_detail(detail));
                }
                let types = self.parameter_types(&prepared).await?;
                let values = values.iter().zip(types).map(|(value, data_type)| {
                    Ok(match literal::null(data_type)? {
                        Expr::Cast { data_type, .. } => literal::cast(value.clone(), data_type),
                        _ => value.clone(),
                    })
                });
                let values = values.collect::<Result<Vec<_>>>()?;
                let Some(inner) = &prepared.parsed else { return Ok(StatementResult::nothing()) };
                let bound = with_values(inner, values);
                // A position in the prepared text is none in this one.
                let result = Box::pin(self.execute_in_transaction(&bound)).await;
                result.map_err(|error| Error { position: None, ..error })
            }
            PreparedStatement::Deallocate(None) => {
                self.prepared.clear();
                Ok(done("DEALLOCATE ALL"))
            }
            PreparedStatement::Deallocate(Some(name)) => {
                if self.forget_prepared(name) {
                    Ok(done("DEALLOCATE"))
                } else {
                    Err(unknown(name))
                }
            }
            PreparedStatement::Discard(what @ (Discard::All | Discard::Temporary)) => {
                let all = *what == Discard::All;
                if self.block.is_some() {
                    let verb = if all { "DISCARD ALL" } else { "DISCARD TEMP" };
                    let message = format!("{verb} cannot run inside a transaction block");
                    return Err(Error::new(ErrorKind::ActiveTransaction, message));
                }
                self.temporary = Temporaries::of_session(self.warehouse.next_session());
                if !all {
                    return Ok(done("DISCARD TEMP"));
                }
                self.settings.set(self.state.config_mut(), "all", None)?;
                self.prepared.clear();
                Ok(done("DISCARD ALL"))
            }
            PreparedStatement::Discard(Discard::Plans) => Ok(done("DISCARD PLANS")),
            PreparedStatement::Discard(Discard::Sequences) => Ok(done("DISCARD SEQUENCES")),
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::UndefinedPrepared, format!("prepared statement \"{name}\" does not exist"))
}

fn new_prepared(mut parsed: Option<ParsedStatement>, types: &[Option<DataType>]) -> Result<Prepared> {
    let count = match &mut parsed {
        Some(parsed) => plan::with_room(|| placeholders::count(&mut parsed.statement))?,
        None => 0,
    };
    let mut given = types.to_vec();
    given.resize(count.max(types.len()), None);
    Ok(Prepared { parsed: parsed.map(Arc::new), given, types: OnceLock::new(), schema: OnceLock::new() })
}

fn with_values(parsed: &ParsedStatement, values: Vec<Expr>) -> ParsedStatement {
    with_some(parsed, &values.into_iter().map(Some).collect::<Vec<_>>())
}

fn with_some(parsed: &ParsedStatement, values: &[Option<Expr>]) -> ParsedStatement {
    let mut bound = parsed.clone();
    if !values.is_empty() {
        // With these values it is a statement of its own.
        bound.number = 0;
        plan::with_room(|| placeholders::replace(&mut bound.statement, values));
    }
    bound
}

/// The columns that a query gives with these values.
async fn schema_with(context: &Context, parsed: &ParsedStatement, values: Vec<Expr>) -> Result<SchemaRef> {
    let Statement::Query(query) = with_values(parsed, values).statement else {
        return Err(Error::internal("a query was lost"));
    };
    let planned = exec::query::logical_plan(context, &query).await?;
    // The columns of a set operation have their common types only then.
    let state = context.state();
    let analyzed = plan::with_room(|| state.analyzer().execute_and_check(planned, state.config_options(), |_, _| {}))?;
    let schema = plan::declared_schema(&analyzed, analyzed.schema().inner());
    Ok(plan::shown_schema(&schema).unwrap_or(schema))
}

/// The type that SQL names.
async fn type_of(context: &Context, parsed: &ParsedStatement, data_type: &ast::DataType) -> Result<DataType> {
    let text = "SELECT NULL";
    let mut cast = crate::sql::parse(text, context.dialect())?;
    let Some(Statement::Query(query)) = cast.first_mut().map(|parsed| &mut parsed.statement) else {
        return Err(Error::internal("a query was lost"));
    };
    if let ast::SetExpr::Select(select) = query.body.as_mut() {
        let null = Expr::Value(ast::Value::Null.into());
        select.projection = vec![ast::SelectItem::UnnamedExpr(literal::cast(null, data_type.clone()))];
    }
    let statement = Statement::Query(query.clone());
    let schema = schema_with(context, &parsed.within(statement), Vec::new()).await?;
    Ok(schema.field(0).data_type().clone())
}

/// What a statement tells of its parameters' types; what it does not tell is text.
async fn infer(context: &Context, parsed: &ParsedStatement, given: &[Option<DataType>]) -> Result<Vec<DataType>> {
    let mut types = given.to_vec();
    let mut statement = parsed.statement.clone();
    for number in placeholders::limits(&statement) {
        set(&mut types, number, DataType::Int64);
    }
    let casts = plan::with_room(|| placeholders::casts(&mut statement));
    let mut known: BTreeMap<String, Option<DataType>> = BTreeMap::new();
    for (number, data_type) in casts {
        let name = data_type.to_string();
        if !known.contains_key(&name) {
            // A type that is none is told when the statement runs.
            known.insert(name.clone(), type_of(context, parsed, &data_type).await.ok());
        }
        if let Some(data_type) = known.get(&name).cloned().flatten() {
            set(&mut types, number, data_type);
        }
    }
    if let Some((query, columns)) = assigned(context, &statement).await? {
        for (number, column) in placeholders::columns(query) {
            if let Some(data_type) = columns.get(column) {
                set(&mut types, number, data_type.clone());
            }
        }
    } else if let Statement::Query(query) = &statement {
        // What stands in the list of columns by itself is text, as in PostgreSQL.
        for (number, _) in placeholders::columns(query) {
            set(&mut types, number, DataType::Utf8);
        }
    }
    if types.iter().any(Option::is_none) {
        let found = planned_types(context, parsed, &types).await;
        for (number, data_type) in found.unwrap_or_default() {
            set(&mut types, number, data_type);
        }
    }
    // One that nothing is known of may keep the plan from telling of the others.
    for number in (1..=types.len()).take(MOST_SINGLE_LOOKS) {
        if types[number - 1].is_none() {
            let mut others: Vec<_> = types.iter().map(|known| known.clone().or(Some(DataType::Utf8))).collect();
            others[number - 1] = None;
            let found = planned_types(context, parsed, &others).await.unwrap_or_default();
            let data_type = found.into_iter().find(|(found, _)| *found == number);
            set(&mut types, number, data_type.map_or(DataType::Utf8, |(_, data_type)| data_type));
        }
    }
    Ok(types.into_iter().map(|known| known.unwrap_or(DataType::Utf8)).collect())
}

fn set(types: &mut [Option<DataType>], number: usize, data_type: DataType) {
    if let Some(unknown @ None) = types.get_mut(number - 1) {
        *unknown = Some(data_type);
    }
}

/// The query whose columns a statement puts into columns of a table, with the types of those.
async fn assigned<'a>(context: &Context, statement: &'a Statement) -> Result<Option<(&'a ast::Query, Vec<DataType>)>> {
    match statement {
        Statement::Insert(insert) => {
            let Insert { table, columns, query: Some(query) } = insert.as_ref() else { return Ok(None) };
            let known = columns_of(&resolve::find_relation(context, table).await?)?;
            let types = if columns.is_empty() {
                known.into_iter().map(|(_, data_type)| data_type).collect()
            } else {
                let named = columns.iter().map(|name| known.iter().find(|(known, _)| known == name));
                // A column that does not exist is told when the statement runs.
                named.map(|found| found.map_or(DataType::Utf8, |(_, data_type)| data_type.clone())).collect()
            };
            Ok(Some((query, types)))
        }
        Statement::Update(update) => {
            let known = columns_of(&resolve::find_relation(context, &update.table).await?)?;
            let names = update.assignments.iter().map(|assignment| &assignment.column);
            let named = names.map(|name| known.iter().find(|(known, _)| known == name));
            let types = named.map(|found| found.map_or(DataType::Utf8, |(_, data_type)| data_type.clone()));
            Ok(Some((&update.query, types.collect())))
        }
        _ => Ok(None),
    }
}

/// A table's columns in the order that INSERT takes them.
fn columns_of(relation: &Relation) -> Result<Vec<(String, DataType)>> {
    match relation {
        Relation::Managed(table) => {
            let schema = tables::arrow_schema(&table.columns)?;
            Ok(schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect())
        }
        Relation::Foreign(table) => {
            let fields = table.columns().fields().iter();
            Ok(fields.map(|field| (field.name().clone(), field.data_type().clone())).collect())
        }
        Relation::Catalog(table) => {
            let columns = table.storage.columns.iter().chain(&table.partition_keys);
            let fields = columns.map(lake::types::to_field);
            Ok(fields.map(|field| (field.name().clone(), field.data_type().clone())).collect())
        }
    }
}

/// The types that the planner gives to the parameters whose type is not known yet, by number.
async fn planned_types(
    context: &Context,
    parsed: &ParsedStatement,
    known: &[Option<DataType>],
) -> Result<Vec<(usize, DataType)>> {
    let values = known.iter().map(|known| known.as_ref().map(literal::null).transpose());
    let bound = with_some(parsed, &values.collect::<Result<Vec<_>>>()?);
    let mut found = Vec::new();
    for planned in exec::explain::plans_of(context, &bound.statement).await? {
        for (name, data_type) in planned.get_parameter_types()? {
            let number = name.strip_prefix('$').and_then(|number| number.parse().ok());
            found.extend(number.zip(data_type));
        }
    }
    Ok(found)
}
