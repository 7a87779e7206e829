//! The dialects, the parser and our statements: text in, [`Statement`] out, no I/O.
//!
//! 1. `scan` cuts the text at its semicolons and says which of three lexical rules each piece obeys.
//! 2. `tokens` tokenises a piece with sqlparser and folds its quoted names, or keeps them; `cursor` offers what a grammar needs.
//! 3. `parse` looks at the first words and calls the grammar of that family, one file each; queries go to sqlparser
//!    and through `query`, which rewrites or refuses what the planner would ignore.

mod administer;
mod alter;
mod analyze;
mod authorization;
mod bare_values;
mod calls;
mod comment;
mod connector_schema;
mod copy;
mod copy_stream;
mod crawler;
mod create_table_as;
mod cursor;
mod cursor_statement;
mod database;
mod diagnose;
mod dialect;
mod drop;
mod explain_statement;
mod external_table;
mod function;
mod grant;
mod insert;
pub(crate) mod json_table;
pub(crate) mod key_query;
mod load_statement;
mod managed_statement;
mod managed_table;
mod materialized_view;
mod modify;
mod nesting;
mod parse;
mod parsed;
mod partition;
pub(crate) mod placeholders;
mod prepared_statement;
mod principal_statement;
mod query;
mod refuse;
mod row_format;
mod scan;
pub(crate) mod semistructured;
mod session;
mod show;
mod show_objects;
mod snapshot;
mod split;
mod statement;
mod strings;
mod syntax;
mod table_functions;
mod time_travel;
mod tokens;
mod transaction;
pub(crate) mod trino_json;
mod trino_types;
mod types;
mod unload;
mod user;
mod vacuum;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use calls::{call, plain_function};
pub use connector_schema::CreateConnectorSchema;
pub use crawler::{CrawlerClauses, CrawlerStatement, Named, TargetClause};
pub use cursor_statement::CursorStatement;
pub use database::{CreateDatabase, CreateExternalSchema};
pub use dialect::{Dialect, Names};
pub(crate) use dialect::{Digits, IntervalStyle, Rules, Unnamed};
pub use explain_statement::{Explain, ExplainFormat, ExplainType};
pub use function::{AlterFunction, CreateFunction, DropFunction, FunctionName, FunctionOperation, NewOwner};
pub use load_statement::*;
pub use managed_statement::*;
pub use materialized_view::MaterializedViewStatement;
pub(crate) use modify::target_table;
pub(crate) use parse::parse_query;
pub use parse::{parse, parse_named};
pub(crate) use parsed::Bound;
pub use parsed::ParsedStatement;
pub use prepared_statement::{Discard, PreparedStatement};
pub use principal_statement::*;
pub(crate) use query::relation_name;
pub(crate) use semistructured::member;
pub(crate) use show_objects::SHOWN;
pub use split::{Open, Split, split};
pub use statement::*;
pub(crate) use syntax::is_reserved;
pub use time_travel::Moment;
pub(crate) use time_travel::moment_of;
pub(crate) use tokens::folded;
pub(crate) use types::hive_type;
pub use vacuum::{Vacuum, VacuumMode};
