//! The manifest's tables: DuckLake 1.0's, with the names, columns and types that DuckDB's ducklake extension gives
//! them in a SQLite file, and ours beside them (`millrace_*`), which that extension does not look at.

/// The statements that add an empty manifest to the catalog's file: snapshot 0, with DuckLake's schema `main`.
///
/// Indexes change nothing for DuckDB. Those on `begin_snapshot` and `end_snapshot` find what changed since a snapshot.
pub(crate) const TABLES: &[&str] = &[
    r#"CREATE TABLE ducklake_metadata(
        "key" VARCHAR NOT NULL, "value" VARCHAR NOT NULL, "scope" VARCHAR, scope_id BIGINT
    )"#,
    "CREATE TABLE ducklake_snapshot(
        snapshot_id BIGINT PRIMARY KEY, snapshot_time TIMESTAMPTZ, schema_version BIGINT, next_catalog_id BIGINT,
        next_file_id BIGINT
    )",
    "CREATE TABLE ducklake_snapshot_changes(
        snapshot_id BIGINT PRIMARY KEY, changes_made VARCHAR, author VARCHAR, commit_message VARCHAR,
        commit_extra_info VARCHAR
    )",
    "CREATE TABLE ducklake_schema(
        schema_id BIGINT PRIMARY KEY, schema_uuid UUID, begin_snapshot BIGINT, end_snapshot BIGINT,
        schema_name VARCHAR, path VARCHAR, path_is_relative BOOLEAN
    )",
    "CREATE TABLE ducklake_table(
        table_id BIGINT, table_uuid UUID, begin_snapshot BIGINT, end_snapshot BIGINT, schema_id BIGINT,
        table_name VARCHAR, path VARCHAR, path_is_relative BOOLEAN
    )",
    r#"CREATE TABLE ducklake_view(
        view_id BIGINT, view_uuid UUID, begin_snapshot BIGINT, end_snapshot BIGINT, schema_id BIGINT,
        view_name VARCHAR, dialect VARCHAR, "sql" VARCHAR, column_aliases VARCHAR
    )"#,
    r#"CREATE TABLE ducklake_tag(
        object_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, "key" VARCHAR, "value" VARCHAR
    )"#,
    r#"CREATE TABLE ducklake_column_tag(
        table_id BIGINT, column_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, "key" VARCHAR,
        "value" VARCHAR
    )"#,
    "CREATE TABLE ducklake_data_file(
        data_file_id BIGINT PRIMARY KEY, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT,
        file_order BIGINT, path VARCHAR, path_is_relative BOOLEAN, file_format VARCHAR, record_count BIGINT,
        file_size_bytes BIGINT, footer_size BIGINT, row_id_start BIGINT, partition_id BIGINT,
        encryption_key VARCHAR, mapping_id BIGINT, partial_max BIGINT
    )",
    "CREATE TABLE ducklake_file_column_stats(
        data_file_id BIGINT, table_id BIGINT, column_id BIGINT, column_size_bytes BIGINT, value_count BIGINT,
        null_count BIGINT, min_value VARCHAR, max_value VARCHAR, contains_nan BOOLEAN, extra_stats VARCHAR
    )",
    "CREATE TABLE ducklake_file_variant_stats(
        data_file_id BIGINT, table_id BIGINT, column_id BIGINT, variant_path VARCHAR, shredded_type VARCHAR,
        column_size_bytes BIGINT, value_count BIGINT, null_count BIGINT, min_value VARCHAR,
        max_value VARCHAR, contains_nan BOOLEAN, extra_stats VARCHAR
    )",
    "CREATE TABLE ducklake_delete_file(
        delete_file_id BIGINT PRIMARY KEY, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT,
        data_file_id BIGINT, path VARCHAR, path_is_relative BOOLEAN, format VARCHAR, delete_count BIGINT,
        file_size_bytes BIGINT, footer_size BIGINT, encryption_key VARCHAR, partial_max BIGINT
    )",
    "CREATE TABLE ducklake_column(
        column_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, table_id BIGINT, column_order BIGINT,
        column_name VARCHAR, column_type VARCHAR, initial_default VARCHAR, default_value VARCHAR,
        nulls_allowed BOOLEAN, parent_column BIGINT, default_value_type VARCHAR,
        default_value_dialect VARCHAR
    )",
    "CREATE TABLE ducklake_table_stats(
        table_id BIGINT, record_count BIGINT, next_row_id BIGINT, file_size_bytes BIGINT
    )",
    "CREATE TABLE ducklake_table_column_stats(
        table_id BIGINT, column_id BIGINT, contains_null BOOLEAN, contains_nan BOOLEAN, min_value VARCHAR,
        max_value VARCHAR, extra_stats VARCHAR
    )",
    "CREATE TABLE ducklake_partition_info(
        partition_id BIGINT, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT
    )",
    r#"CREATE TABLE ducklake_partition_column(
        partition_id BIGINT, table_id BIGINT, partition_key_index BIGINT, column_id BIGINT,
        "transform" VARCHAR
    )"#,
    "CREATE TABLE ducklake_file_partition_value(
        data_file_id BIGINT, table_id BIGINT, partition_key_index BIGINT, partition_value VARCHAR
    )",
    "CREATE TABLE ducklake_files_scheduled_for_deletion(
        data_file_id BIGINT, path VARCHAR, path_is_relative BOOLEAN, schedule_start TIMESTAMPTZ
    )",
    "CREATE TABLE ducklake_inlined_data_tables(table_id BIGINT, table_name VARCHAR, schema_version BIGINT)",
    r#"CREATE TABLE ducklake_column_mapping(mapping_id BIGINT, table_id BIGINT, "type" VARCHAR)"#,
    "CREATE TABLE ducklake_name_mapping(
        mapping_id BIGINT, column_id BIGINT, source_name VARCHAR, target_field_id BIGINT,
        parent_column BIGINT, is_partition BOOLEAN
    )",
    "CREATE TABLE ducklake_schema_versions(begin_snapshot BIGINT, schema_version BIGINT, table_id BIGINT)",
    "CREATE TABLE ducklake_macro(
        schema_id BIGINT, macro_id BIGINT, macro_name VARCHAR, begin_snapshot BIGINT, end_snapshot BIGINT
    )",
    r#"CREATE TABLE ducklake_macro_impl(
        macro_id BIGINT, impl_id BIGINT, dialect VARCHAR, "sql" VARCHAR, "type" VARCHAR
    )"#,
    "CREATE TABLE ducklake_macro_parameters(
        macro_id BIGINT, impl_id BIGINT, column_id BIGINT, parameter_name VARCHAR, parameter_type VARCHAR,
        default_value VARCHAR, default_value_type VARCHAR
    )",
    "CREATE TABLE ducklake_sort_info(sort_id BIGINT, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT)",
    "CREATE TABLE ducklake_sort_expression(
        sort_id BIGINT, table_id BIGINT, sort_key_index BIGINT, expression VARCHAR, dialect VARCHAR,
        sort_direction VARCHAR, null_order VARCHAR
    )",
    "CREATE TABLE millrace_managed_table(
        table_id BIGINT NOT NULL,
        begin_snapshot BIGINT NOT NULL,
        end_snapshot BIGINT,
        document TEXT NOT NULL,
        PRIMARY KEY (table_id, begin_snapshot)
    )",
    "CREATE TABLE millrace_data_file(data_file_id INTEGER PRIMARY KEY, bucket BIGINT, sorted BIGINT NOT NULL)",
    "CREATE TABLE millrace_identity(
        table_id BIGINT NOT NULL,
        column_id BIGINT NOT NULL,
        next_value BIGINT NOT NULL,
        PRIMARY KEY (table_id, column_id)
    ) WITHOUT ROWID",
    "CREATE TABLE millrace_named_snapshot(
        name TEXT PRIMARY KEY,
        snapshot_id BIGINT NOT NULL,
        create_time_ms BIGINT NOT NULL
    ) WITHOUT ROWID",
    "CREATE TABLE millrace_manifest(documented BIGINT NOT NULL)",
    "CREATE INDEX millrace_by_id_table ON ducklake_table (table_id)",
    "CREATE INDEX millrace_by_name_table ON ducklake_table (schema_id, table_name) WHERE end_snapshot IS NULL",
    "CREATE INDEX millrace_begin_table ON ducklake_table (begin_snapshot)",
    "CREATE INDEX millrace_end_table ON ducklake_table (end_snapshot) WHERE end_snapshot IS NOT NULL",
    "CREATE INDEX millrace_by_table_column ON ducklake_column (table_id)",
    "CREATE INDEX millrace_begin_column ON ducklake_column (begin_snapshot)",
    "CREATE INDEX millrace_end_column ON ducklake_column (end_snapshot) WHERE end_snapshot IS NOT NULL",
    "CREATE INDEX millrace_by_object_tag ON ducklake_tag (object_id)",
    "CREATE INDEX millrace_begin_tag ON ducklake_tag (begin_snapshot)",
    "CREATE INDEX millrace_end_tag ON ducklake_tag (end_snapshot) WHERE end_snapshot IS NOT NULL",
    "CREATE INDEX millrace_by_table_column_tag ON ducklake_column_tag (table_id)",
    "CREATE INDEX millrace_begin_column_tag ON ducklake_column_tag (begin_snapshot)",
    "CREATE INDEX millrace_end_column_tag ON ducklake_column_tag (end_snapshot) WHERE end_snapshot IS NOT NULL",
    "CREATE INDEX millrace_begin_managed_table ON millrace_managed_table (begin_snapshot)",
    "CREATE INDEX millrace_end_managed_table ON millrace_managed_table (end_snapshot) WHERE end_snapshot IS NOT NULL",
    "CREATE INDEX millrace_by_table_data_file ON ducklake_data_file (table_id)",
    "CREATE INDEX millrace_end_data_file ON ducklake_data_file (end_snapshot) WHERE end_snapshot IS NOT NULL",
    "CREATE INDEX millrace_by_table_delete_file ON ducklake_delete_file (table_id)",
    "CREATE INDEX millrace_by_file_delete_file ON ducklake_delete_file (data_file_id)",
    "CREATE INDEX millrace_end_delete_file ON ducklake_delete_file (end_snapshot) WHERE end_snapshot IS NOT NULL",
    "CREATE INDEX millrace_by_file_column_stats ON ducklake_file_column_stats (data_file_id)",
    "CREATE INDEX millrace_by_table_stats ON ducklake_table_stats (table_id)",
    "CREATE INDEX millrace_by_table_column_stats ON ducklake_table_column_stats (table_id)",
    "CREATE INDEX millrace_by_table_inlined ON ducklake_inlined_data_tables (table_id)",
    "CREATE INDEX millrace_by_table_schema_versions ON ducklake_schema_versions (table_id)",
    "INSERT INTO ducklake_metadata VALUES ('version', '1.0', NULL, NULL), ('created_by', 'Millrace', NULL, NULL),
        ('encrypted', 'false', NULL, NULL)",
    "INSERT INTO ducklake_snapshot VALUES (0, NOW(), 0, 1, 0)",
    r#"INSERT INTO ducklake_snapshot_changes VALUES (0, 'created_schema:"main"', NULL, NULL, NULL)"#,
    "INSERT INTO ducklake_schema VALUES (0, NEW_UUID(), 0, NULL, 'main', 'main/', TRUE)",
    "INSERT INTO millrace_manifest VALUES (0)",
];

/// The keys that a data file was arranged by, as a document ([`FileLayout`](crate::model::FileLayout)).
pub(crate) const FILE_LAYOUTS: &[&str] = &["ALTER TABLE millrace_data_file ADD COLUMN layout TEXT"];

/// What the planner is told of rows: sketches by file, and by table what they give together and what ANALYZE found.
///
/// `millrace_column_estimate.sketch` is that of all rows ever written, until ANALYZE reads the live files' sketches.
/// `statistics_version` moves with every change, so that a reader knows by one number that what it keeps still holds.
pub(crate) const ESTIMATES: &[&str] = &[
    "CREATE TABLE millrace_file_sketch(
        data_file_id BIGINT NOT NULL,
        column_id BIGINT NOT NULL,
        sketch BLOB NOT NULL,
        PRIMARY KEY (data_file_id, column_id)
    ) WITHOUT ROWID",
    "CREATE TABLE millrace_column_estimate(
        table_id BIGINT NOT NULL,
        column_id BIGINT NOT NULL,
        distinct_count BIGINT,
        sketch BLOB,
        document TEXT,
        PRIMARY KEY (table_id, column_id)
    ) WITHOUT ROWID",
    "CREATE TABLE millrace_table_estimate(table_id INTEGER PRIMARY KEY, document TEXT NOT NULL)",
    "CREATE TABLE millrace_predicate_column(
        table_id BIGINT NOT NULL,
        column_id BIGINT NOT NULL,
        first_use_ms BIGINT NOT NULL,
        last_use_ms BIGINT NOT NULL,
        PRIMARY KEY (table_id, column_id)
    ) WITHOUT ROWID",
    "ALTER TABLE millrace_manifest ADD COLUMN statistics_version BIGINT NOT NULL DEFAULT 0",
];

/// How often queries used columns, for keys that are left to the warehouse.
pub(crate) const COLUMN_USES: &[&str] = &[
    "ALTER TABLE millrace_predicate_column ADD COLUMN filters BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE millrace_predicate_column ADD COLUMN joins BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE millrace_predicate_column ADD COLUMN groups BIGINT NOT NULL DEFAULT 0",
];

/// Which columns of a file have texts that end with a blank: a JSON list of their ids, NULL where nobody looked.
pub(crate) const BLANK_ENDS: &[&str] = &["ALTER TABLE millrace_data_file ADD COLUMN blank_ended TEXT"];
