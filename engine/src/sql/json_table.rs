//! `json_table` (Trino: "json_table"): the rows that paths lead to in JSON, with a column for each value that other paths lead
//! to from there.
//!
//! sqlparser knows MySQL's form only and asks no dialect about an item of FROM, so the item is wrapped to be one that is an
//! expression: `TABLE(json_table(…))`. What is parsed there gives a query, as the only argument of a call, which
//! `table_functions` puts in the item's place. Its rows are an array's elements, each a text for each column: a function of
//! ours makes them of the document by the [`JsonTable`], and the query casts the texts. So the document is read once.

use super::calls::call;
use super::modify::select;
use super::tokens::{insert, is_word};
use super::trino_json::{
    Otherwise, Parsed, Shape, cast, choice, converted, default_text, eat, format_json, is_whole, json_or_value,
    otherwise, passing, returned, shape, text,
};
use super::trino_types::data_type;
use serde::{Deserialize, Serialize};
use sqlparser::ast::{CastKind, DataType, Expr, Ident, SelectItem, TableAlias, TableFactor, TableWithJoins, Value};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// The function's name, and that of the call that its query stands in.
pub(super) const NAME: &str = "json_table";

/// The name of the elements, and that of their relation.
const ROW: &str = "$row";
const ROWS: &str = "$rows";

/// How many levels of paths and of what puts them together there are at most. Each is two of JSON, of which 127 are read.
const MOST_LEVELS: usize = 50;

/// What the rows of a document are.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JsonTable {
    /// All paths, which the others name by their places here.
    pub(crate) paths: Vec<String>,
    pub(crate) rows: JsonRows,
    /// How many columns a row has.
    pub(crate) width: usize,
    /// How many defaults there are, which are arguments.
    pub(crate) defaults: usize,
    /// Whether it is an error that a path to rows cannot be followed; else there are no rows.
    pub(crate) fails: bool,
}

/// Rows, and how those of several paths are put together.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum JsonRows {
    /// Those of a path.
    Path(Box<JsonItems>),
    /// Those of one, then those of the next.
    Union(Vec<JsonRows>),
    /// Each of one beside each of the others.
    Cross(Vec<JsonRows>),
}

/// A row for each item that a path leads to, beside each row that is nested in it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JsonItems {
    pub(crate) path: usize,
    /// Columns with their places.
    pub(crate) columns: Vec<(usize, JsonColumn)>,
    pub(crate) nested: Option<JsonRows>,
    /// Whether an item without nested rows has a row.
    pub(crate) outer: bool,
}

/// What a column has of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum JsonColumn {
    /// Its number among those of its path.
    Ordinality,
    /// The scalar that a path leads to, perhaps to become a whole number.
    Value { path: usize, whole: bool, on_empty: Said, on_error: Said },
    /// The JSON that a path leads to.
    Query { path: usize, wrapper: String, quotes: String, on_empty: String, on_error: String },
}

impl JsonTable {
    /// Whether all paths and columns that are named by their places are there.
    pub(crate) fn is_sound(&self) -> bool {
        self.width > 0 && self.rows.is_sound(self)
    }
}

impl JsonRows {
    fn is_sound(&self, table: &JsonTable) -> bool {
        match self {
            Self::Path(items) => {
                let is_column = |(at, column): &(usize, JsonColumn)| match column {
                    JsonColumn::Ordinality => *at < table.width,
                    JsonColumn::Value { path, .. } | JsonColumn::Query { path, .. } => {
                        *at < table.width && *path < table.paths.len()
                    }
                };
                items.path < table.paths.len()
                    && items.columns.iter().all(is_column)
                    && items.nested.as_ref().is_none_or(|nested| nested.is_sound(table))
            }
            Self::Union(parts) | Self::Cross(parts) => parts.iter().all(|part| part.is_sound(table)),
        }
    }

    /// How many levels these are.
    fn depth(&self) -> usize {
        1 + match self {
            Self::Path(items) => items.nested.as_ref().map_or(0, Self::depth),
            Self::Union(parts) | Self::Cross(parts) => parts.iter().map(Self::depth).max().unwrap_or(0),
        }
    }
}

/// What is said of no item or of an error, and the default's number.
pub(crate) type Said = (String, Option<usize>);

/// Wraps the items of FROM that are such tables, and puts before names of columns in quotes what they were before they were
/// folded: keys have a case.
pub(super) fn rewrite(tokens: &mut Vec<TokenWithSpan>, starts: &mut Vec<usize>, text: &str) {
    let (mut added, mut tables) = (Vec::new(), Vec::new());
    let mut before: Option<&Token> = None;
    for (at, token) in tokens.iter().enumerate() {
        if matches!(token.token, Token::Whitespace(_)) {
            continue;
        }
        let opens = before.is_some_and(|before| {
            matches!(before, Token::Comma | Token::LParen) || is_word(before, "FROM") || is_word(before, "JOIN")
        });
        if opens
            && is_word(&token.token, NAME)
            && let Some(end) = closing(tokens, at + 1)
        {
            added.extend([(at, Token::make_keyword("TABLE")), (at, Token::LParen), (end + 1, Token::RParen)]);
            tables.push(at..=end);
        }
        before = Some(&token.token);
    }
    if tables.is_empty() {
        return;
    }
    // Of each parenthesis whether it is that of COLUMNS.
    let mut levels = Vec::new();
    let mut before = &Token::EOF;
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen => levels.push(is_word(before, "COLUMNS") && tables.iter().any(|table| table.contains(&at))),
            Token::RParen => {
                levels.pop();
            }
            Token::Word(Word { value, quote_style: Some(quote), .. })
                if levels.last() == Some(&true) && matches!(before, Token::LParen | Token::Comma) =>
            {
                let written = text.get(starts[at]..).and_then(|text| in_quotes(text, *quote));
                let key = written.filter(|written| written != value);
                added.extend(key.map(|key| (at, Token::TripleDoubleQuotedString(key))));
            }
            _ => {}
        }
        before = &token.token;
    }
    insert(tokens, starts, added);
}

/// What stands in the quotes that a text begins with.
fn in_quotes(text: &str, quote: char) -> Option<String> {
    let mut found = String::new();
    let mut chars = text.strip_prefix(quote)?.chars().peekable();
    while let Some(c) = chars.next() {
        if c == quote && chars.next_if_eq(&quote).is_none() {
            return Some(found);
        }
        found.push(c);
    }
    None
}

/// Where the parentheses end that begin with the next token; `None` where it begins none.
fn closing(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let shown = tokens.iter().enumerate().skip(from).filter(|(_, token)| !matches!(token.token, Token::Whitespace(_)));
    for (at, token) in shown {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// A path to rows as it is written, with what is nested in it.
struct Node {
    name: Option<String>,
    path: usize,
    /// Which columns are its own.
    columns: Vec<usize>,
    nested: Vec<Node>,
}

/// A column as it is written.
struct Declared {
    name: Ident,
    of: Kind,
}

enum Kind {
    Ordinality,
    Value { path: usize, returning: DataType, said: Box<Otherwise> },
    Query { path: usize, returning: (DataType, &'static str), shape: Shape },
}

/// What is found while the columns are parsed, in their order.
#[derive(Default)]
struct Grammar {
    paths: Vec<String>,
    columns: Vec<Declared>,
}

/// Parses what follows the opening parenthesis, up to the closing one.
pub(super) fn parse(parser: &mut Parser) -> Parsed<Expr> {
    let mut grammar = Grammar::default();
    let (input, _) = json_or_value(parser)?;
    parser.expect_token(&Token::Comma)?;
    let path = grammar.path(parser)?;
    let name = path_name(parser)?;
    let passed = passing(parser)?;
    let (columns, nested) = grammar.columns(parser)?;
    let root = Node { name, path, columns, nested };
    let plan = plan(parser)?;
    if plan.is_some() && root.nested.iter().any(Node::lacks_names) {
        let message = "nested paths of JSON_TABLE have names where there is a PLAN";
        return Err(ParserError::ParserError(message.to_owned()));
    }
    let mut names: Vec<&str> = grammar.columns.iter().map(|column| column.name.value.as_str()).collect();
    root.names(&mut names);
    names.sort_unstable();
    if let Some([twice, ..]) = names.windows(2).find(|two| two[0] == two[1]) {
        let message = format!("columns and paths of JSON_TABLE have different names: \"{twice}\" comes twice");
        return Err(ParserError::ParserError(message));
    }
    let plan = plan.unwrap_or(Plan::Default { outer: true, cross: false });
    let on_error = choice(parser, &[(&["ERROR", "ON", "ERROR"], "error"), (&["EMPTY", "ON", "ERROR"], "empty")]);
    parser.expect_token(&Token::RParen)?;
    grammar.query(input, passed, &root, &plan, on_error == Some("error"))
}

/// `AS name`
fn path_name(parser: &mut Parser) -> Parsed<Option<String>> {
    Ok(if eat(parser, &["AS"]) { Some(parser.parse_identifier()?.value.to_lowercase()) } else { None })
}

impl Grammar {
    fn add(&mut self, path: String) -> usize {
        self.paths.push(path);
        self.paths.len() - 1
    }

    fn path(&mut self, parser: &mut Parser) -> Parsed<usize> {
        let path = parser.parse_literal_string()?;
        Ok(self.add(path))
    }

    /// `COLUMNS (…)`: a path's own columns, and the paths that are nested in it.
    fn columns(&mut self, parser: &mut Parser) -> Parsed<(Vec<usize>, Vec<Node>)> {
        if !eat(parser, &["COLUMNS"]) {
            return parser.expected_ref("COLUMNS", parser.peek_token_ref());
        }
        parser.expect_token(&Token::LParen)?;
        let (mut own, mut nested) = (Vec::new(), Vec::new());
        loop {
            if nests(parser) {
                let path = self.path(parser)?;
                let name = path_name(parser)?;
                let (columns, inner) = self.columns(parser)?;
                nested.push(Node { name, path, columns, nested: inner });
            } else {
                own.push(self.columns.len());
                let column = self.column(parser)?;
                self.columns.push(column);
            }
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
        parser.expect_token(&Token::RParen)?;
        Ok((own, nested))
    }

    /// `name FOR ORDINALITY`, or `name type [FORMAT JSON …] [PATH path] …`
    fn column(&mut self, parser: &mut Parser) -> Parsed<Declared> {
        let key = match &parser.peek_token_ref().token {
            Token::TripleDoubleQuotedString(key) => Some(key.clone()),
            _ => None,
        };
        if key.is_some() {
            parser.advance_token();
        }
        let name = parser.parse_identifier()?;
        if eat(parser, &["FOR", "ORDINALITY"]) {
            return Ok(Declared { name, of: Kind::Ordinality });
        }
        let returning = data_type(parser, 0)?;
        let format = format_json(parser)?;
        let path = if eat(parser, &["PATH"]) { self.path(parser)? } else { self.add(path_of(&name, key)) };
        let of = match format {
            Some(encoding) => Kind::Query { path, returning: (returning, encoding), shape: shape(parser) },
            None => Kind::Value { path, returning, said: Box::new(otherwise(parser)?) },
        };
        Ok(Declared { name, of })
    }

    /// The query whose rows these are, in its call.
    fn query(self, input: Expr, passed: Vec<Expr>, root: &Node, plan: &Plan, fails: bool) -> Parsed<Expr> {
        let unsaid = if fails { "error" } else { "null" };
        let width = self.columns.len();
        let mut defaults = Vec::new();
        let mut said = |(said, default): (&str, Option<Expr>)| -> Said {
            let number = default.is_some().then_some(defaults.len());
            defaults.extend(default.map(|default| default_text(Some(default))));
            (said.to_owned(), number)
        };
        let (mut columns, mut items) = (Vec::with_capacity(width), Vec::with_capacity(width));
        for (at, declared) in self.columns.into_iter().enumerate() {
            let place = Expr::Value(Value::Number((at + 1).to_string(), false).into());
            let found = call("$library_array_element", vec![Expr::Identifier(quoted(ROW)), place]);
            let (column, expr) = match declared.of {
                Kind::Ordinality => (JsonColumn::Ordinality, cast(CastKind::Cast, found, DataType::BigInt(None))),
                Kind::Value { path, returning, said: otherwise } => {
                    let [on_empty, on_error] = *otherwise;
                    let on_error = on_error.unwrap_or((unsaid, None));
                    let whole = is_whole(&returning);
                    let expr = converted(found, returning, on_error.0, on_error.1.clone());
                    let on_empty = said(on_empty.unwrap_or(("null", None)));
                    (JsonColumn::Value { path, whole, on_empty, on_error: said(on_error) }, expr)
                }
                Kind::Query { path, returning, shape } => {
                    let column = JsonColumn::Query {
                        path,
                        wrapper: shape.wrapper.to_owned(),
                        quotes: shape.quotes.to_owned(),
                        on_empty: shape.on_empty.unwrap_or("null").to_owned(),
                        on_error: shape.on_error.unwrap_or(unsaid).to_owned(),
                    };
                    (column, returned(found, Some(returning)))
                }
            };
            columns.push(column);
            items.push(SelectItem::ExprWithAlias { expr, alias: declared.name });
        }
        let rows = plan.rows(root, &columns)?;
        if rows.depth() > MOST_LEVELS {
            return Err(ParserError::RecursionLimitExceeded);
        }
        let table = JsonTable { paths: self.paths, rows, width, defaults: defaults.len(), fails };
        let table = serde_json::to_string(&table).map_err(|error| ParserError::ParserError(error.to_string()))?;
        let mut args = vec![text(table), input];
        args.extend(defaults);
        args.extend(passed);
        let elements = call("unnest", vec![call("$json_rows", args)]);
        let elements = select(vec![SelectItem::ExprWithAlias { expr: elements, alias: quoted(ROW) }], Vec::new(), None);
        let alias = TableAlias { explicit: true, name: quoted(ROWS), columns: Vec::new(), at: None };
        let relation =
            TableFactor::Derived { lateral: false, subquery: Box::new(elements), alias: Some(alias), sample: None };
        let query = select(items, vec![TableWithJoins { relation, joins: Vec::new() }], None);
        Ok(call(NAME, vec![Expr::Subquery(Box::new(query))]))
    }
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

/// Takes `NESTED [PATH]`, which a path follows.
fn nests(parser: &mut Parser) -> bool {
    eat(parser, &["NESTED", "PATH"])
        || matches!(parser.peek_nth_token_ref(1).token, Token::SingleQuotedString(_)) && eat(parser, &["NESTED"])
}

/// The path of a column that names none: names without quotes are in upper case.
fn path_of(name: &Ident, key: Option<String>) -> String {
    let folded = || if name.quote_style.is_none() { name.value.to_uppercase() } else { name.value.clone() };
    let key = key.unwrap_or_else(folded);
    format!("lax $.\"{}\"", key.replace('"', "\"\""))
}

/// How the rows of paths are put together.
enum Plan {
    /// All in one way.
    Default { outer: bool, cross: bool },
    /// Each as it is written.
    Written(Written),
}

enum Written {
    Path(String),
    Nested { parent: String, outer: bool, child: Box<Written> },
    Union(Vec<Written>),
    Cross(Vec<Written>),
}

/// `[PLAN (…) | PLAN DEFAULT (…)]`
fn plan(parser: &mut Parser) -> Parsed<Option<Plan>> {
    let (mut outer, mut cross) = (None, None);
    if eat(parser, &["PLAN", "DEFAULT"]) {
        parser.expect_token(&Token::LParen)?;
        loop {
            let words: [(&[&str], &'static str); 4] =
                [(&["OUTER"], "outer"), (&["INNER"], "inner"), (&["CROSS"], "cross"), (&["UNION"], "union")];
            match choice(parser, &words) {
                Some(word @ ("outer" | "inner")) if outer.is_none() => outer = Some(word == "outer"),
                Some(word @ ("cross" | "union")) if cross.is_none() => cross = Some(word == "cross"),
                _ => return parser.expected_ref("OUTER or INNER, CROSS or UNION", parser.peek_token_ref()),
            }
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
        parser.expect_token(&Token::RParen)?;
        return Ok(Some(Plan::Default { outer: outer.unwrap_or(true), cross: cross.unwrap_or(false) }));
    }
    if eat(parser, &["PLAN"]) {
        parser.expect_token(&Token::LParen)?;
        let written = written(parser)?;
        parser.expect_token(&Token::RParen)?;
        return Ok(Some(Plan::Written(written)));
    }
    Ok(None)
}

/// `name [{ OUTER | INNER } part]`, `part UNION part …`, `part CROSS part …`
fn written(parser: &mut Parser) -> Parsed<Written> {
    let first = part(parser)?;
    let joins = choice(parser, &[(&["OUTER"], "outer"), (&["INNER"], "inner")]);
    if let (Some(join), Written::Path(parent)) = (joins, &first) {
        let child = Box::new(part(parser)?);
        return Ok(Written::Nested { parent: parent.clone(), outer: join == "outer", child });
    }
    let words: [&[&str]; 2] = [&["UNION"], &["CROSS"]];
    let Some(word) = words.into_iter().find(|word| eat(parser, word)) else { return Ok(first) };
    let mut parts = vec![first, part(parser)?];
    while eat(parser, word) {
        parts.push(part(parser)?);
    }
    Ok(if *word == ["CROSS"] { Written::Cross(parts) } else { Written::Union(parts) })
}

/// `name` or `(…)`
fn part(parser: &mut Parser) -> Parsed<Written> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(Written::Path(parser.parse_identifier()?.value.to_lowercase()));
    }
    let inner = written(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(inner)
}

impl Plan {
    fn rows(&self, root: &Node, columns: &[JsonColumn]) -> Parsed<JsonRows> {
        match self {
            Self::Default { outer, cross } => Ok(root.rows_by_default(*outer, *cross, columns)),
            Self::Written(written) => {
                let mut paths = vec![root];
                let rows = written.rows(&mut paths, columns)?;
                if paths.is_empty() { Ok(rows) } else { Err(misnamed()) }
            }
        }
    }
}

impl Written {
    /// The rows, of paths that are taken from those that stand side by side.
    fn rows<'n>(&self, paths: &mut Vec<&'n Node>, columns: &[JsonColumn]) -> Parsed<JsonRows> {
        let mut take = |name: &str| {
            let at = paths.iter().position(|path| path.name.as_deref() == Some(name)).ok_or_else(misnamed)?;
            Ok::<&'n Node, ParserError>(paths.remove(at))
        };
        match self {
            Self::Path(name) => {
                let path = take(name)?;
                if path.nested.is_empty() { Ok(path.rows(None, false, columns)) } else { Err(misnamed()) }
            }
            Self::Nested { parent, outer, child } => {
                let path = take(parent)?;
                let mut below: Vec<&Node> = path.nested.iter().collect();
                let nested = child.rows(&mut below, columns)?;
                if below.is_empty() { Ok(path.rows(Some(nested), *outer, columns)) } else { Err(misnamed()) }
            }
            Self::Union(parts) => {
                parts.iter().map(|part| part.rows(paths, columns)).collect::<Parsed<_>>().map(JsonRows::Union)
            }
            Self::Cross(parts) => {
                parts.iter().map(|part| part.rows(paths, columns)).collect::<Parsed<_>>().map(JsonRows::Cross)
            }
        }
    }
}

impl Node {
    /// Adds the names of it and of the paths nested in it.
    fn names<'n>(&'n self, all: &mut Vec<&'n str>) {
        all.extend(self.name.as_deref());
        self.nested.iter().for_each(|nested| nested.names(all));
    }

    /// Whether it or a path nested in it has no name.
    fn lacks_names(&self) -> bool {
        self.name.is_none() || self.nested.iter().any(Self::lacks_names)
    }

    fn rows(&self, nested: Option<JsonRows>, outer: bool, columns: &[JsonColumn]) -> JsonRows {
        let columns = self.columns.iter().map(|at| (*at, columns[*at].clone())).collect();
        JsonRows::Path(Box::new(JsonItems { path: self.path, columns, nested, outer }))
    }

    fn rows_by_default(&self, outer: bool, cross: bool, columns: &[JsonColumn]) -> JsonRows {
        let nested = self.nested.iter().map(|path| path.rows_by_default(outer, cross, columns));
        let mut nested: Vec<JsonRows> = nested.collect();
        let nested = match nested.len() {
            0 | 1 => nested.pop(),
            _ if cross => Some(JsonRows::Cross(nested)),
            _ => Some(JsonRows::Union(nested)),
        };
        self.rows(nested, outer, columns)
    }
}

fn misnamed() -> ParserError {
    ParserError::ParserError("PLAN names each path of JSON_TABLE once, nested ones behind theirs".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::sql::Names;
    use crate::sql::scan::Lexing;
    use crate::sql::tokens::tokenise;

    #[test]
    fn tables_in_from_are_wrapped() {
        for (written, wrapped) in [
            ("from json_table (a, (b)) as t", "from TABLE(json_table (a, (b))) as t"),
            ("from t, json_table(a) join json_table(b)", "from t, TABLE(json_table(a)) join TABLE(json_table(b))"),
            ("from (json_table(a) cross join b)", "from (TABLE(json_table(a)) cross join b)"),
            (
                "with t as (select 1) select json_table from json_table",
                "with t as (select 1) select json_table from json_table",
            ),
            ("with json_table (a) as (select 1)", "with json_table (a) as (select 1)"),
            ("from json_table(a", "from json_table(a"),
            (
                "from json_table(\"A\" columns (\"aB\" int, \"c\" int path f(\"D\")))",
                "from TABLE(json_table(\"a\" columns (\"\"\"aB\"\"\"\"ab\" int, \"c\" int path f(\"d\"))))",
            ),
            ("from json_table(a), columns (\"aB\")", "from TABLE(json_table(a)), columns (\"ab\")"),
        ] {
            let tokens = tokenise(written, Lexing::Trino, Names::Folded).unwrap().tokens;
            let found: String = tokens.iter().map(|token| token.token.to_string()).collect();
            assert_eq!(found, wrapped);
        }
    }
}
