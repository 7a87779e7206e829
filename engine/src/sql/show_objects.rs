//! Redshift's `SHOW … FROM …`: what the database has, as queries of tables that hold what they show.
//!
//! A statement becomes a query over the schema [`SHOWN`], so it takes parameters and tells its columns like any other:
//! Redshift's drivers send `SHOW TABLES FROM SCHEMA $1.$2 LIKE $3`. A name that nothing has is an error.

use crate::error::{Error, Result};
use crate::sql::cursor::Cursor;
use crate::sql::{Statement, function, placeholders, refuse};
use sqlparser::ast::{self, Expr, Value};
use sqlparser::dialect::RedshiftSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

/// The schema of the tables that are shown.
pub(crate) const SHOWN: &str = "millrace_show";

/// The columns of `SHOW PARAMETERS OF FUNCTION`, whose table has the function's signature beside them.
const PARAMETERS: &str = "database_name, schema_name, function_name, parameter_name, ordinal_position, parameter_type, \
                          data_type, character_maximum_length, numeric_precision, numeric_scale";

/// A query that is being put together.
struct Shown {
    table: &'static str,
    columns: &'static str,
    /// Conditions with `$n` for the n-th value.
    conditions: Vec<String>,
    values: Vec<Expr>,
    limit: Option<String>,
}

/// The statement when it is in one of these forms; SHOW has been taken.
pub(super) fn statement(cursor: &mut Cursor) -> Option<Result<Statement>> {
    let from_schema = |cursor: &Cursor, kind: &str| cursor.at(&format!("{kind} FROM SCHEMA"));
    let ours = cursor.at("DATABASES")
        || cursor.at("SCHEMAS FROM DATABASE")
        || ["TABLES", "PROCEDURES", "FUNCTIONS"].iter().any(|kind| from_schema(cursor, kind))
        || cursor.at("TABLES FROM DATABASE")
        || cursor.at("COLUMNS FROM TABLE")
        || cursor.at("COLUMNS FROM DATABASE")
        || cursor.at("CONSTRAINTS")
        || cursor.at("GRANTS")
        || cursor.at("COLUMN GRANTS")
        || cursor.at("PARAMETERS OF");
    ours.then(|| show(cursor))
}

fn show(cursor: &mut Cursor) -> Result<Statement> {
    let mut shown = Shown { table: "databases", columns: "*", conditions: Vec::new(), values: Vec::new(), limit: None };
    // The column that LIKE is about.
    let like = if cursor.eat("DATABASES") {
        if let Some(error) = refuse::option(cursor, "SHOW DATABASES", &["FROM", "IN"]) {
            return Err(error);
        }
        "database_name"
    } else if cursor.eat("SCHEMAS FROM DATABASE") {
        shown.table = "schemas";
        shown.database(cursor)?;
        "schema_name"
    } else if cursor.eat("TABLES FROM SCHEMA") {
        shown.table = "tables";
        shown.schema(cursor)?;
        "table_name"
    } else if cursor.eat("TABLES FROM DATABASE") {
        shown.table = "tables";
        shown.database(cursor)?;
        "table_name"
    } else if cursor.eat("COLUMNS FROM TABLE") {
        shown.table = "columns";
        shown.relation(cursor, ["database_name", "schema_name", "table_name"])?;
        "column_name"
    } else if cursor.eat("COLUMNS FROM DATABASE") {
        shown.table = "columns";
        shown.database(cursor)?;
        "column_name"
    } else if cursor.eat("PROCEDURES FROM SCHEMA") {
        shown.table = "procedures";
        shown.schema(cursor)?;
        "procedure_name"
    } else if cursor.eat("FUNCTIONS FROM SCHEMA") {
        shown.table = "functions";
        shown.schema(cursor)?;
        "function_name"
    } else if cursor.eat("CONSTRAINTS") {
        shown.constraints(cursor)?;
        ""
    } else if cursor.eat("COLUMN GRANTS ON TABLE") {
        shown.table = "column_grants";
        shown.relation(cursor, ["database_name", "schema_name", "table_name"])?;
        shown.grantee(cursor)?;
        "column_name"
    } else if cursor.eat("PARAMETERS OF") {
        shown.parameters(cursor)?;
        "parameter_name"
    } else {
        cursor.expect("GRANTS")?;
        shown.grants(cursor)?;
        ""
    };
    if !like.is_empty() && cursor.eat("LIKE") {
        let pattern = value(cursor)?;
        shown.condition(format!("{like} LIKE $?"), pattern);
    }
    shown.filters(cursor)?;
    if cursor.eat("LIMIT") {
        shown.limit = Some(cursor.optional_number().ok_or_else(|| cursor.syntax_error("a number"))?);
    }
    shown.statement()
}

impl Shown {
    /// Adds a condition, in which `$?` is the value.
    fn condition(&mut self, text: impl AsRef<str>, value: Expr) {
        self.values.push(value);
        self.conditions.push(text.as_ref().replace("$?", &format!("${}", self.values.len())));
    }

    fn database(&mut self, cursor: &mut Cursor) -> Result<()> {
        let name = name(cursor)?;
        self.condition("database_name = millrace_database($?)", name);
        Ok(())
    }

    /// `[database.]schema`
    fn schema(&mut self, cursor: &mut Cursor) -> Result<()> {
        let first = name(cursor)?;
        let schema = if cursor.eat_token(&Token::Period) {
            self.condition("database_name = millrace_database($?)", first);
            name(cursor)?
        } else {
            first
        };
        self.condition("schema_name = millrace_schema($?)", schema);
        Ok(())
    }

    /// `[[database.]schema.]table`, and the columns that have them.
    fn relation(&mut self, cursor: &mut Cursor, columns: [&str; 3]) -> Result<()> {
        let mut parts = vec![name(cursor)?];
        while parts.len() < 3 && cursor.eat_token(&Token::Period) {
            parts.push(name(cursor)?);
        }
        let [of_database, of_schema, of_table] = columns;
        let table = parts.pop().ok_or_else(|| cursor.syntax_error("a name"))?;
        let schema = parts.pop();
        if let Some(database) = parts.pop() {
            self.condition(format!("{of_database} = millrace_database($?)"), database);
        }
        let schema = match schema {
            Some(schema) => {
                self.condition(format!("{of_schema} = millrace_schema($?)"), schema);
                format!("${}", self.values.len())
            }
            None => {
                self.conditions.push(format!("{of_schema} = current_schema()"));
                "current_schema()".to_owned()
            }
        };
        self.condition(format!("{of_table} = millrace_table({schema}, $?)"), table);
        Ok(())
    }

    /// `{PRIMARY KEYS | FOREIGN KEYS [EXPORTED]} FROM TABLE t`
    fn constraints(&mut self, cursor: &mut Cursor) -> Result<()> {
        if cursor.eat("PRIMARY KEYS FROM TABLE") {
            self.table = "primary_keys";
            return self.relation(cursor, ["database_name", "schema_name", "table_name"]);
        }
        self.table = "foreign_keys";
        cursor.expect("FOREIGN KEYS")?;
        let exported = cursor.eat("EXPORTED");
        cursor.expect("FROM TABLE")?;
        let side = if exported {
            ["pk_database_name", "pk_schema_name", "pk_table_name"]
        } else {
            ["fk_database_name", "fk_schema_name", "fk_table_name"]
        };
        self.relation(cursor, side)
    }

    /// `{PROCEDURE|FUNCTION} [[d.]s.]f [(types)]`
    fn parameters(&mut self, cursor: &mut Cursor) -> Result<()> {
        if cursor.eat("PROCEDURE") {
            self.table = "procedure_parameters";
            let mut last = name(cursor)?;
            while cursor.eat_token(&Token::Period) {
                last = name(cursor)?;
            }
            skip_arguments(cursor)?;
            self.condition("procedure_name = millrace_routine($?)", last);
            return Ok(());
        }
        cursor.expect("FUNCTION")?;
        (self.table, self.columns) = ("function_parameters", PARAMETERS);
        self.function(cursor, "signature")
    }

    /// What follows `SHOW GRANTS`.
    fn grants(&mut self, cursor: &mut Cursor) -> Result<()> {
        self.table = "grants";
        if cursor.at("FOR") {
            self.grantee(cursor)?;
            if cursor.eat("FROM DATABASE") {
                self.database(cursor)?;
            }
            return Ok(());
        }
        cursor.expect("ON")?;
        if cursor.eat("TABLES FROM DATABASE") {
            self.conditions.push("object_type = 'TABLE'".to_owned());
            self.database(cursor)?;
        } else if cursor.eat("DATABASE") {
            self.conditions.push("object_type = 'DATABASE'".to_owned());
            self.database(cursor)?;
        } else if cursor.eat("SCHEMA") {
            self.conditions.push("object_type = 'SCHEMA'".to_owned());
            self.schema(cursor)?;
        } else if cursor.eat("FUNCTION") {
            self.function(cursor, "schema_name || '.' || object_name")?;
            self.conditions.push("object_type = 'FUNCTION'".to_owned());
        } else if cursor.eat("PROCEDURE") {
            let mut last = name(cursor)?;
            while cursor.eat_token(&Token::Period) {
                last = name(cursor)?;
            }
            skip_arguments(cursor)?;
            self.condition("object_name = millrace_routine($?)", last);
        } else {
            if let Some(error) = refuse::option(cursor, "SHOW GRANTS ON", &["MODEL", "TEMPLATE", "DATASHARE", "ROLE"]) {
                return Err(error);
            }
            cursor.eat("TABLE");
            self.conditions.push("object_type = 'TABLE'".to_owned());
            self.relation(cursor, ["database_name", "schema_name", "object_name"])?;
        }
        self.grantee(cursor)
    }

    /// `[[database.]schema.]f ([[name] type, …])`: all of them tell functions apart. `signature` is what has them.
    fn function(&mut self, cursor: &mut Cursor, signature: &str) -> Result<()> {
        let mut parts = vec![name(cursor)?];
        while parts.len() < 3 && cursor.eat_token(&Token::Period) {
            parts.push(name(cursor)?);
        }
        if parts.len() == 3 {
            let database = parts.remove(0);
            self.condition("database_name = millrace_database($?)", database);
        }
        let types = types(cursor)?;
        let mut numbered = |values: Vec<Expr>| -> Vec<String> {
            let numbers = self.values.len() + 1..=self.values.len() + values.len();
            self.values.extend(values);
            numbers.map(|number| format!("${number}")).collect()
        };
        let (parts, types) = (numbered(parts).join(", "), numbered(types).join(" || ', ' || "));
        self.conditions.push(format!("{signature} = millrace_function({parts}, {types})"));
        Ok(())
    }

    /// `[FOR {user | ROLE role | PUBLIC}]`
    fn grantee(&mut self, cursor: &mut Cursor) -> Result<()> {
        if !cursor.eat("FOR") {
            return Ok(());
        }
        if cursor.eat("PUBLIC") {
            self.conditions.push("identity_type = 'public'".to_owned());
            return Ok(());
        }
        let kind = if cursor.eat("ROLE") { "role" } else { "user" };
        let name = if kind == "role" { name(cursor)? } else { user(cursor)? };
        self.conditions.push(format!("identity_type = '{kind}'"));
        self.condition("identity_name = $?", name);
        Ok(())
    }

    /// `[WHERE column {LIKE|=} value AND …]`, as drivers narrow a whole database's list.
    fn filters(&mut self, cursor: &mut Cursor) -> Result<()> {
        if !cursor.eat("WHERE") {
            return Ok(());
        }
        loop {
            let column = ["schema_name", "table_name", "column_name", "object_name"]
                .into_iter()
                .find(|column| cursor.eat(&column.to_uppercase()))
                .ok_or_else(|| cursor.syntax_error("SCHEMA_NAME, TABLE_NAME or COLUMN_NAME"))?;
            let column = if self.table == "grants" && column == "table_name" { "object_name" } else { column };
            let operator = if cursor.eat_token(&Token::Eq) {
                "="
            } else {
                cursor.expect("LIKE")?;
                "LIKE"
            };
            let value = value(cursor)?;
            self.condition(format!("{column} {operator} $?"), value);
            if !cursor.eat("AND") {
                return Ok(());
            }
        }
    }

    fn statement(self) -> Result<Statement> {
        let mut text = format!("SELECT {} FROM {SHOWN}.{}", self.columns, self.table);
        if !self.conditions.is_empty() {
            text.push_str(" WHERE ");
            text.push_str(&self.conditions.join(" AND "));
        }
        if let Some(limit) = self.limit {
            text.push_str(" LIMIT ");
            text.push_str(&limit);
        }
        let parsed =
            Parser::new(&RedshiftSqlDialect {}).try_with_sql(&text).and_then(|mut parser| parser.parse_query());
        let query: Box<ast::Query> = parsed.map_err(|error| Error::internal(format!("a SHOW was misread: {error}")))?;
        let mut statement = Statement::Query(query);
        let values: Vec<_> = self.values.into_iter().map(Some).collect();
        placeholders::replace(&mut statement, &values);
        Ok(statement)
    }
}

/// `([name] type, …)` in one text, or a parameter in the place of each type, as Redshift's drivers send them.
fn types(cursor: &mut Cursor) -> Result<Vec<Expr>> {
    if *cursor.peek() == Token::LParen && matches!(cursor.peek_nth(1), Token::Placeholder(_)) {
        return cursor.list(|cursor| parameter(cursor).ok_or_else(|| cursor.syntax_error("a parameter")));
    }
    let (types, _) = function::arguments(cursor)?;
    let types: Vec<String> = types.into_iter().map(|(written, _)| written).collect();
    Ok(vec![text(types.join(", "))])
}

/// Takes `(type, …)`; all functions of a name are the same here.
fn skip_arguments(cursor: &mut Cursor) -> Result<()> {
    if !cursor.eat_token(&Token::LParen) {
        return Ok(());
    }
    let mut open = 1;
    while open > 0 {
        match cursor.peek() {
            Token::LParen => open += 1,
            Token::RParen => open -= 1,
            Token::EOF => return Err(cursor.syntax_error("\")\"")),
            _ => {}
        }
        cursor.advance();
    }
    Ok(())
}

/// A name, or a parameter in its place.
fn name(cursor: &mut Cursor) -> Result<Expr> {
    if let Some(parameter) = parameter(cursor) {
        return Ok(parameter);
    }
    cursor.identifier().map(text)
}

/// A user's name, or a parameter in its place.
fn user(cursor: &mut Cursor) -> Result<Expr> {
    if let Some(parameter) = parameter(cursor) {
        return Ok(parameter);
    }
    cursor.user_name().map(text)
}

/// A string, or a parameter in its place.
fn value(cursor: &mut Cursor) -> Result<Expr> {
    if let Some(parameter) = parameter(cursor) {
        return Ok(parameter);
    }
    cursor.string().map(text)
}

fn parameter(cursor: &mut Cursor) -> Option<Expr> {
    let Token::Placeholder(name) = cursor.peek() else { return None };
    let parameter = Expr::Value(Value::Placeholder(name.clone()).into());
    cursor.advance();
    Some(parameter)
}

fn text(value: String) -> Expr {
    Expr::Value(Value::SingleQuotedString(value).into())
}
