//! `UPDATE`, `DELETE`, `MERGE` and `TRUNCATE` of managed tables.
//!
//! Each becomes a query that finds the rows to change: the table that changes stands in it under the name [`TARGET`],
//! which no user can write, so that the same table may be read elsewhere in the statement as any other.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::{Assignment, Delete, Merge, MergeInsert, MergeMatched, ObjectName, Statement, TARGET, Update};
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    self, Expr, Ident, ObjectNamePart, Query, SelectFlavor, SelectItem, SetExpr, TableAlias, TableFactor,
    TableWithJoins, Value, With,
};
use sqlparser::tokenizer::Token;

/// `WITH name AS (query), …` before UPDATE or DELETE, which then read what it names.
pub(super) fn with(
    cursor: &mut Cursor,
    statement: fn(&mut Cursor, Option<With>) -> Result<Statement>,
) -> Result<Statement> {
    let with = cursor.with_clause()?;
    statement(cursor, Some(with))
}

/// `UPDATE t [[AS] alias] SET c = {expression|DEFAULT}, … [FROM relations] [WHERE condition]`
pub(super) fn update(cursor: &mut Cursor, with: Option<With>) -> Result<Statement> {
    cursor.expect("UPDATE")?;
    let position = cursor.position();
    let (table, alias) = target(cursor, &["SET"])?;
    cursor.expect("SET")?;
    let assignments = assignments(cursor)?;
    let mut from = vec![target_relation(&table, alias.as_deref())];
    if cursor.eat("FROM") {
        from.extend(cursor.relations()?);
    }
    let selection = condition(cursor)?;
    let query = cursor.settled(Query { with, ..select(values(&assignments), from, selection) }, position)?;
    Ok(Statement::Update(Box::new(Update { table, alias, assignments, query })))
}

/// `DELETE [FROM] t [[AS] alias] [{USING|FROM} relations] [WHERE condition]`
pub(super) fn delete(cursor: &mut Cursor, with: Option<With>) -> Result<Statement> {
    cursor.expect("DELETE")?;
    cursor.eat("FROM");
    let position = cursor.position();
    let (table, alias) = target(cursor, &["USING", "FROM", "WHERE"])?;
    let mut from = vec![target_relation(&table, alias.as_deref())];
    if cursor.eat("USING") || cursor.eat("FROM") {
        from.extend(cursor.relations()?);
    }
    let selection = condition(cursor)?;
    let query = cursor.settled(Query { with, ..select(Vec::new(), from, selection) }, position)?;
    Ok(Statement::Delete(Box::new(Delete { table, alias, query })))
}

/// `TRUNCATE [TABLE] t`
pub(super) fn truncate(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("TRUNCATE")?;
    cursor.eat("TABLE");
    Ok(Statement::Truncate(cursor.object_name()?))
}

/// `MERGE INTO t USING source ON condition {WHEN … | REMOVE DUPLICATES}`, as Redshift has it: at most one WHEN MATCHED
/// and one WHEN NOT MATCHED.
pub(super) fn merge(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("MERGE INTO")?;
    let position = cursor.position();
    let (table, alias) = target(cursor, &["USING"])?;
    cursor.expect("USING")?;
    let source = cursor.relation()?;
    cursor.expect("ON")?;
    let on = cursor.expression()?;
    let mut clauses = Clauses::default();
    if cursor.eat("REMOVE DUPLICATES") {
        clauses.remove_duplicates = true;
    } else {
        while cursor.eat("WHEN") {
            clauses.when(cursor)?;
        }
        if clauses.matched.is_none() && clauses.insert.is_none() {
            return Err(cursor.syntax_error("WHEN or REMOVE DUPLICATES"));
        }
    }
    let target = target_relation(&table, alias.as_deref());
    let relation = TableWithJoins { relation: source, joins: Vec::new() };
    let assigned = match &clauses.matched {
        Some(MergeMatched::Update(assignments)) => values(assignments),
        _ => Vec::new(),
    };
    let matched = select(assigned, vec![target.clone(), relation.clone()], Some(on.clone()));
    let matching = select(vec![number(1)], vec![target], Some(on));
    let missing = Expr::Exists { subquery: Box::new(matching), negated: true };
    let inserted = match &clauses.insert {
        Some(insert) => insert.values.iter().map(|value| value_of(value.as_ref())).collect(),
        None => Vec::new(),
    };
    let unmatched = if clauses.remove_duplicates {
        select(vec![SelectItem::Wildcard(ast::WildcardAdditionalOptions::default())], vec![relation], None)
    } else {
        select(inserted, vec![relation], Some(missing))
    };
    Ok(Statement::Merge(Box::new(Merge {
        table,
        alias,
        matched: clauses.matched,
        insert: clauses.insert,
        remove_duplicates: clauses.remove_duplicates,
        matched_query: cursor.settled(matched, position)?,
        unmatched_query: cursor.settled(unmatched, position)?,
    })))
}

/// The WHEN clauses of a MERGE.
#[derive(Default)]
struct Clauses {
    matched: Option<MergeMatched>,
    insert: Option<MergeInsert>,
    remove_duplicates: bool,
}

impl Clauses {
    /// What follows WHEN.
    fn when(&mut self, cursor: &mut Cursor) -> Result<()> {
        let position = cursor.position();
        let matched = !cursor.eat("NOT");
        cursor.expect("MATCHED")?;
        if cursor.at("AND") || cursor.at("BY") {
            return Err(cursor.unsupported("a condition in WHEN of MERGE"));
        }
        cursor.expect("THEN")?;
        if if matched { self.matched.is_some() } else { self.insert.is_some() } {
            let message = "MERGE has more than one clause of a kind";
            return Err(Error::new(ErrorKind::Syntax, message).with_position(position));
        }
        if !matched {
            self.insert = Some(insert_clause(cursor)?);
        } else if cursor.eat("DELETE") {
            self.matched = Some(MergeMatched::Delete);
        } else {
            cursor.expect("UPDATE SET")?;
            self.matched = Some(MergeMatched::Update(assignments(cursor)?));
        }
        Ok(())
    }
}

/// `INSERT [(columns)] VALUES (value, …)`
fn insert_clause(cursor: &mut Cursor) -> Result<MergeInsert> {
    cursor.expect("INSERT")?;
    let columns = if *cursor.peek() == Token::LParen { cursor.list(Cursor::identifier)? } else { Vec::new() };
    cursor.expect("VALUES")?;
    Ok(MergeInsert { columns, values: cursor.list(expression_or_default)? })
}

/// The table that changes and its alias; a word of `next` is none.
fn target(cursor: &mut Cursor, next: &[&str]) -> Result<(ObjectName, Option<String>)> {
    let table = cursor.object_name()?;
    let named =
        cursor.eat("AS") || (matches!(cursor.peek(), Token::Word(_)) && !next.iter().any(|word| cursor.at(word)));
    let alias = if named { Some(cursor.identifier()?) } else { None };
    Ok((table, alias))
}

fn assignments(cursor: &mut Cursor) -> Result<Vec<Assignment>> {
    let mut assignments = Vec::new();
    loop {
        let position = cursor.position();
        // Redshift takes the table's name before a column, and it means nothing.
        let name = cursor.object_name()?;
        let column = name.parts.last().cloned().unwrap_or_default();
        cursor.expect_token(&Token::Eq)?;
        assignments.push(Assignment { column, position, value: expression_or_default(cursor)? });
        if !cursor.eat_token(&Token::Comma) {
            return Ok(assignments);
        }
    }
}

fn expression_or_default(cursor: &mut Cursor) -> Result<Option<Expr>> {
    if cursor.eat("DEFAULT") { Ok(None) } else { Ok(Some(cursor.expression()?)) }
}

fn condition(cursor: &mut Cursor) -> Result<Option<Expr>> {
    if cursor.at("WHERE CURRENT OF") {
        return Err(cursor.unsupported("WHERE CURRENT OF"));
    }
    if cursor.eat("WHERE") { Ok(Some(cursor.expression()?)) } else { Ok(None) }
}

/// The values of assignments; a DEFAULT is NULL here, and put in when the table is known.
fn values(assignments: &[Assignment]) -> Vec<SelectItem> {
    assignments.iter().map(|assignment| value_of(assignment.value.as_ref())).collect()
}

fn value_of(value: Option<&Expr>) -> SelectItem {
    SelectItem::UnnamedExpr(value.cloned().unwrap_or_else(|| Expr::Value(Value::Null.into())))
}

fn number(number: u8) -> SelectItem {
    SelectItem::UnnamedExpr(Expr::Value(Value::Number(number.to_string(), false).into()))
}

/// The table that changes, as a relation called by its alias or by its own name.
fn target_relation(table: &ObjectName, alias: Option<&str>) -> TableWithJoins {
    let name = alias.or_else(|| table.parts.last().map(String::as_str)).unwrap_or_default();
    let name = Ident::with_quote('"', name);
    target_table(Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None }))
}

/// The relation of the name [`TARGET`], which whoever plans the query puts a table in the place of.
pub(crate) fn target_table(alias: Option<TableAlias>) -> TableWithJoins {
    let name = ast::ObjectName(vec![ObjectNamePart::Identifier(Ident::new(TARGET))]);
    TableWithJoins { relation: table(name, alias), joins: Vec::new() }
}

/// A table as a relation.
pub(super) fn table(name: ast::ObjectName, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Table {
        name,
        alias,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

/// A query of one SELECT.
pub(super) fn select(projection: Vec<SelectItem>, from: Vec<TableWithJoins>, selection: Option<Expr>) -> Query {
    let select = ast::Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection,
        connect_by: Vec::new(),
        group_by: ast::GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
