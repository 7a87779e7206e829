//! Tables of things that do not exist here: truly empty, with the columns that clients ask for.

use super::table::Kind::{Bool, Int2, Int4, Int8, Oid, Text, Time};
use super::{Kind, PG_CATALOG, Rows, SystemTable};
use crate::error::Result;
use crate::session::Context;
use futures::future::BoxFuture;

fn none(_: &Context) -> BoxFuture<'_, Result<Rows>> {
    Box::pin(async { Ok(Rows::new()) })
}

const fn empty(name: &'static str, columns: &'static [(&'static str, Kind)]) -> SystemTable {
    SystemTable { schema: PG_CATALOG, name, columns, rows: |context| none(context) }
}

/// The columns of `svl_compile` and `svcs_compile`.
const COMPILED: &[(&str, Kind)] = &[
    ("userid", Int4),
    ("xid", Int8),
    ("pid", Int4),
    ("query", Int4),
    ("segment", Int4),
    ("locus", Int4),
    ("starttime", Time),
    ("endtime", Time),
    ("compile", Int4),
];

pub(super) const TABLES: &[SystemTable] = &[
    empty("pg_inherits", &[("inhrelid", Oid), ("inhparent", Oid), ("inhseqno", Int4)]),
    empty(
        "pg_trigger",
        &[
            ("oid", Oid),
            ("tgrelid", Oid),
            ("tgname", Text),
            ("tgfoid", Oid),
            ("tgtype", Int2),
            ("tgenabled", Bool),
            ("tgisconstraint", Bool),
            ("tgconstrname", Text),
            ("tgconstrrelid", Oid),
        ],
    ),
    empty("pg_rules", &[("schemaname", Text), ("tablename", Text), ("rulename", Text), ("definition", Text)]),
    empty("pg_matviews", &[("schemaname", Text), ("matviewname", Text), ("matviewowner", Text), ("definition", Text)]),
    empty("pg_enum", &[("oid", Oid), ("enumtypid", Oid), ("enumsortorder", Kind::Real), ("enumlabel", Text)]),
    empty("pg_range", &[("rngtypid", Oid), ("rngsubtype", Oid)]),
    empty(
        "pg_extension",
        &[("oid", Oid), ("extname", Text), ("extowner", Int4), ("extnamespace", Oid), ("extversion", Text)],
    ),
    empty("pg_collation", &[("oid", Oid), ("collname", Text), ("collnamespace", Oid)]),
    empty(
        "pg_operator",
        &[
            ("oid", Oid),
            ("oprname", Text),
            ("oprnamespace", Oid),
            ("oprowner", Int4),
            ("oprkind", Text),
            ("oprcanhash", Bool),
            ("oprcode", Oid),
            ("oprleft", Oid),
            ("oprright", Oid),
            ("oprresult", Oid),
        ],
    ),
    empty("pg_opclass", &[("oid", Oid), ("opcname", Text), ("opcnamespace", Oid), ("opcamid", Oid)]),
    empty(
        "pg_conversion",
        &[
            ("oid", Oid),
            ("conname", Text),
            ("connamespace", Oid),
            ("conowner", Int4),
            ("conforencoding", Int4),
            ("contoencoding", Int4),
            ("conproc", Oid),
            ("condefault", Bool),
        ],
    ),
    empty(
        "pg_cast",
        &[
            ("oid", Oid),
            ("castsource", Oid),
            ("casttarget", Oid),
            ("castfunc", Oid),
            ("castcontext", Text),
            ("castmethod", Text),
        ],
    ),
    empty("pg_largeobject", &[("loid", Oid), ("pageno", Int4)]),
    empty("pg_aggregate", &[("aggfnoid", Oid), ("aggtransfn", Oid), ("aggfinalfn", Oid)]),
    empty(
        "pg_statistic_indicator",
        &[("stairelid", Oid), ("stairows", Kind::Real), ("staiins", Kind::Real), ("staidels", Kind::Real)],
    ),
    empty(
        "svv_datashares",
        &[
            ("share_name", Text),
            ("share_id", Int4),
            ("share_owner", Int4),
            ("source_database", Text),
            ("consumer_database", Text),
            ("share_type", Text),
            ("createdate", Time),
        ],
    ),
    empty("pg_shdescription", &[("objoid", Oid), ("classoid", Oid), ("description", Text)]),
    empty("pg_db_role_setting", &[("setdatabase", Oid), ("setrole", Oid), ("setconfig", Kind::Texts)]),
    empty(
        "pg_foreign_data_wrapper",
        &[("oid", Oid), ("fdwname", Text), ("fdwowner", Int4), ("fdwacl", Kind::Texts), ("fdwoptions", Kind::Texts)],
    ),
    empty(
        "pg_foreign_server",
        &[
            ("oid", Oid),
            ("srvname", Text),
            ("srvowner", Int4),
            ("srvfdw", Oid),
            ("srvtype", Text),
            ("srvversion", Text),
            ("srvacl", Kind::Texts),
            ("srvoptions", Kind::Texts),
        ],
    ),
    empty("pg_user_mapping", &[("oid", Oid), ("umuser", Oid), ("umserver", Oid), ("umoptions", Kind::Texts)]),
    empty("pg_policy", &[("oid", Oid), ("polname", Text), ("polrelid", Oid), ("polcmd", Text)]),
    empty("pg_sequence", &[("seqrelid", Oid), ("seqtypid", Oid), ("seqstart", Int8), ("seqincrement", Int8)]),
    empty("pg_statistic_ext", &[("oid", Oid), ("stxrelid", Oid), ("stxname", Text), ("stxnamespace", Oid)]),
    // Code that Redshift compiles for segments.
    empty("svl_compile", COMPILED),
    empty("svcs_compile", COMPILED),
    // No schema has a quota, and no role a right on the system itself.
    empty(
        "svv_schema_quota_state",
        &[
            ("schema_id", Int4),
            ("schema_name", Text),
            ("schema_owner", Int4),
            ("quota", Int4),
            ("disk_usage", Int4),
            ("disk_usage_pct", Kind::Double),
        ],
    ),
    empty(
        "svv_redshift_schema_quota",
        &[
            ("database_name", Text),
            ("schema_name", Text),
            ("schema_owner", Int4),
            ("quota", Int4),
            ("disk_usage", Int4),
        ],
    ),
    empty(
        "svv_system_privileges",
        &[("system_privilege", Text), ("identity_id", Int4), ("identity_name", Text), ("identity_type", Text)],
    ),
    empty(
        "svv_iam_privileges",
        &[
            ("iam_arn", Text),
            ("command_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
        ],
    ),
    empty(
        "svv_ml_model_privileges",
        &[
            ("namespace_name", Text),
            ("model_name", Text),
            ("model_version", Int4),
            ("privilege_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
            ("admin_option", Bool),
        ],
    ),
    // Row-level security is refused.
    empty(
        "svv_rls_policy",
        &[
            ("poldb", Text),
            ("polname", Text),
            ("polalias", Text),
            ("polatts", Text),
            ("polqual", Text),
            ("polenabled", Bool),
            ("polmodifiedby", Text),
            ("polmodifiedtime", Time),
        ],
    ),
    empty(
        "svv_rls_relation",
        &[
            ("datname", Text),
            ("relschema", Text),
            ("relname", Text),
            ("relkind", Text),
            ("is_rls_on", Bool),
            ("is_rls_datashare_on", Bool),
            ("rls_conjunction_type", Text),
            ("rls_datashare_conjunction_type", Text),
        ],
    ),
    empty(
        "svv_rls_attached_policy",
        &[
            ("relschema", Text),
            ("relname", Text),
            ("relkind", Text),
            ("polname", Text),
            ("grantor", Text),
            ("grantee", Text),
            ("granteekind", Text),
            ("is_pol_on", Bool),
            ("is_rls_on", Bool),
            ("rls_conjunction_type", Text),
        ],
    ),
    // Libraries of Python functions; what Redshift keeps of BACKUP NO.
    empty("pg_library", &[("name", Text), ("language_oid", Oid), ("file_store_id", Int4), ("owner", Int4)]),
    empty("pg_conf", &[("key", Text), ("value", Text)]),
    empty("pg_foreign_table", &[("ftrelid", Oid), ("ftserver", Oid), ("ftoptions", Kind::Texts)]),
];
