//! `pg_proc`, `pg_proc_info`, `pg_language`, `svv_redshift_functions`: the functions that there are. Those that are always
//! there take many types, so none of theirs are listed.

use super::table::Kind::{Bool, Int2, Int4, Oid, Oids, Text, Texts};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Rows, SystemTable, Value, classes, oid, quoted, row, types};
use crate::builtin;
use crate::error::Result;
use crate::resolve::rights;
use crate::session::Context;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{ADMIN, Privilege, Securable, SqlFunction, Volatility};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Functions' numbers begin here.
const FIRST: usize = 200_000_000;

/// The functions that users have made, with their schemas.
pub(super) fn users_functions(snapshot: &Snapshot) -> impl Iterator<Item = (&String, &SqlFunction)> {
    snapshot.databases().flat_map(|database| database.functions.iter().map(|function| (&database.name, function)))
}

/// The functions that a user may call of those that users have made, with their schemas.
pub(super) fn callable<'a>(
    snapshot: &'a Snapshot,
    user: &'a str,
) -> impl Iterator<Item = (&'a String, &'a SqlFunction)> {
    let principals = snapshot.principals();
    users_functions(snapshot).filter(move |(schema, function)| {
        rights::may_on_schema(principals, user, schema, Privilege::Usage)
            && rights::may_execute(principals, user, schema, function)
    })
}

/// The functions that are always there, in the order of their names, each with its kind as `prokind` tells it.
static OWN_FUNCTIONS: LazyLock<Vec<(String, char)>> = LazyLock::new(|| {
    let functions = builtin::functions();
    let mut kinds = BTreeMap::new();
    kinds.extend(functions.scalar.keys().map(|name| (name.clone(), 'f')));
    kinds.extend(functions.window.keys().map(|name| (name.clone(), 'w')));
    kinds.extend(functions.aggregate.keys().map(|name| (name.clone(), 'a')));
    kinds.into_iter().collect()
});

/// The function that a user has made of a number, with its schema.
pub(crate) fn users_function(snapshot: &Snapshot, number: i64) -> Option<(&String, &SqlFunction)> {
    users_functions(snapshot).find(|(schema, function)| oid::function(schema, &function.signature()) == number)
}

/// A function by its number, as a cast to `regprocedure` shows it: `f(integer)`, with its schema unless that is one of
/// `path`.
pub(crate) fn name(snapshot: &Snapshot, path: &[String], number: i64) -> Option<String> {
    if let Some((schema, function)) = users_function(snapshot, number) {
        let signature = function.signature();
        return Some(if path.contains(schema) { signature } else { format!("{schema}.{signature}") });
    }
    let at = usize::try_from(number).ok()?.checked_sub(FIRST)?;
    OWN_FUNCTIONS.get(at).map(|(name, _)| format!("{name}()"))
}

/// The statement that makes a function, laid out as PostgreSQL's `pg_get_functiondef` does.
pub(crate) fn function_text(schema: &str, function: &SqlFunction) -> String {
    let mut tag = "$function".to_owned();
    while function.body.contains(&tag) {
        tag.push('x');
    }
    let name = format!("{}.{}", quoted(schema), quoted(&function.name));
    let (arguments, returns) = (function.arguments.join(", "), &function.returns);
    let (volatility, body) = (function.volatility.name(), &function.body);
    format!(
        "CREATE OR REPLACE FUNCTION {name}({arguments})\n RETURNS {returns}\n LANGUAGE sql\n {volatility}\n\
         AS {tag}${body}{tag}$\n"
    )
}

/// `pg_proc_info`: of each function what Redshift tells beside `pg_proc`, its kind above all.
async fn info(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let owner = principals.user_id(ADMIN);
    let own = OWN_FUNCTIONS.iter().enumerate().map(|(at, (name, kind))| {
        let none = Value::Ints(Vec::new());
        row![FIRST + at, name, oid::PG_CATALOG_OID, owner, 12, *kind, 2276, false, 0, none, NULL, NULL, NULL, name]
    });
    let made = users_functions(&snapshot).map(|(schema, function)| {
        let arguments: Vec<i64> = function.arguments.iter().filter_map(|name| types::by_name(name)).collect();
        row![
            oid::function(schema, &function.signature()),
            &function.name,
            oid::schema(schema),
            principals.user_id(function.owner.as_deref().unwrap_or(ADMIN)),
            14,
            'f',
            types::by_name(&function.returns),
            false,
            function.arguments.len(),
            arguments,
            NULL,
            NULL,
            NULL,
            &function.body
        ]
    });
    Ok(own.chain(made).collect())
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_proc_info",
        columns: &[
            ("prooid", Oid),
            ("proname", Text),
            ("pronamespace", Oid),
            ("proowner", Int4),
            ("prolang", Oid),
            ("prokind", Text),
            ("prorettype", Oid),
            ("proretset", Bool),
            ("pronargs", Int2),
            ("proargtypes", Oids),
            ("proargnames", Texts),
            ("proargmodes", Texts),
            ("proallargtypes", Oids),
            ("prosrc", Text),
        ],
        rows: |context| Box::pin(info(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_proc",
        columns: &[
            ("oid", Oid),
            ("proname", Text),
            ("pronamespace", Oid),
            ("proowner", Int4),
            ("prolang", Oid),
            ("proisagg", Bool),
            ("prosecdef", Bool),
            ("proisstrict", Bool),
            ("proretset", Bool),
            ("provolatile", Text),
            ("pronargs", Int2),
            ("prorettype", Oid),
            ("proargtypes", Oids),
            ("proargnames", Texts),
            ("prosrc", Text),
            ("probin", Text),
            ("proacl", Texts),
            ("proiswindow", Bool),
            ("prokind", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let owner = context.snapshot().await?.principals().user_id(ADMIN);
                let rows = OWN_FUNCTIONS.iter().enumerate().map(|(at, (name, kind))| {
                    let arguments = Value::Ints(Vec::new());
                    row![
                        FIRST + at,
                        name,
                        oid::PG_CATALOG_OID,
                        owner,
                        12,
                        *kind == 'a',
                        false,
                        false,
                        false,
                        "i",
                        0,
                        2276,
                        arguments,
                        NULL,
                        name,
                        NULL,
                        NULL,
                        *kind == 'w',
                        *kind
                    ]
                });
                let mut rows: Rows = rows.collect();
                let snapshot = context.snapshot().await?;
                for (schema, function) in users_functions(&snapshot) {
                    let arguments: Vec<i64> =
                        function.arguments.iter().filter_map(|name| types::by_name(name)).collect();
                    let returns = types::by_name(&function.returns);
                    let volatility = match function.volatility {
                        Volatility::Volatile => "v",
                        Volatility::Stable => "s",
                        Volatility::Immutable => "i",
                    };
                    let owner = function.owner.as_deref().unwrap_or(ADMIN);
                    let principals = snapshot.principals();
                    rows.push(row![
                        oid::function(schema, &function.signature()),
                        &function.name,
                        oid::schema(schema),
                        principals.user_id(owner),
                        14,
                        false,
                        false,
                        false,
                        false,
                        volatility,
                        function.arguments.len(),
                        returns,
                        arguments,
                        NULL,
                        &function.body,
                        NULL,
                        classes::access_list_of_all(principals, &function.securable(schema), owner),
                        false,
                        'f'
                    ]);
                }
                Ok(rows)
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_redshift_functions",
        columns: &[
            ("database_name", Text),
            ("schema_name", Text),
            ("function_name", Text),
            ("function_type", Text),
            ("argument_type", Text),
            ("result_type", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let rows = users_functions(&snapshot).map(|(schema, function)| {
                    let arguments = function.arguments.join(", ");
                    row![DATABASE, schema, &function.name, "REGULAR FUNCTION", arguments, &function.returns]
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_language",
        columns: &[
            ("oid", Oid),
            ("lanname", Text),
            ("lanispl", Bool),
            ("lanpltrusted", Bool),
            ("lanplcallfoid", Oid),
            ("lanvalidator", Oid),
            ("lanacl", Texts),
            ("tableoid", Oid),
            ("lanowner", Int4),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let owner = snapshot.principals().user_id(ADMIN);
                let table = oid::system(PG_CATALOG, "pg_language");
                let sql = Securable::Language("sql".to_owned());
                let access = classes::access_list_of_all(snapshot.principals(), &sql, ADMIN);
                Ok(vec![
                    row![12, "internal", false, false, 0, 0, NULL, table, owner],
                    row![14, "sql", false, true, 0, 0, access, table, owner],
                ])
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_tablespace",
        columns: &[("oid", Oid), ("spcname", Text), ("spcowner", Int4), ("spclocation", Text), ("spcacl", Texts)],
        rows: |context| {
            Box::pin(async {
                let owner = context.snapshot().await?.principals().user_id(ADMIN);
                Ok(vec![row![1663, "pg_default", owner, "", NULL]])
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_am",
        columns: &[("oid", Oid), ("amname", Text), ("amhandler", Text), ("amtype", Text)],
        rows: |_| Box::pin(async { Ok(vec![row![403, "btree", "bthandler", "i"]]) }),
    },
];
