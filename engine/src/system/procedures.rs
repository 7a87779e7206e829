//! `pg_proc` and `pg_language`: the functions that there are. Their arguments are of many types, so none are listed.

use super::table::Kind::{Bool, Int2, Int4, Oid, Oids, Text, Texts};
use super::table::NULL;
use super::{PG_CATALOG, SystemTable, Value, oid, row};
use millrace_catalog::model::ADMIN;
use std::collections::BTreeMap;

/// Functions' numbers begin here.
const FIRST: usize = 200_000_000;

pub(super) const TABLES: &[SystemTable] = &[
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
                let state = context.state();
                let owner = context.snapshot().await?.principals().user_id(ADMIN);
                let mut kinds: BTreeMap<String, char> = BTreeMap::new();
                kinds.extend(state.scalar_functions().keys().map(|name| (name.clone(), 'f')));
                kinds.extend(state.window_functions().keys().map(|name| (name.clone(), 'w')));
                kinds.extend(state.aggregate_functions().keys().map(|name| (name.clone(), 'a')));
                let rows = kinds.iter().enumerate().map(|(at, (name, kind))| {
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
                let owner = context.snapshot().await?.principals().user_id(ADMIN);
                let table = oid::system(PG_CATALOG, "pg_language");
                Ok(vec![
                    row![12, "internal", false, false, 0, 0, NULL, table, owner],
                    row![14, "sql", false, true, 0, 0, NULL, table, owner],
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
