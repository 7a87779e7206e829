//! The columns of system tables as Redshift's documentation has them, beside ours.
//!
//! Each line is a table and its columns in order, from the pages r_…, SYS_… of the Amazon Redshift Database Developer
//! Guide. Ours may have more columns behind them. Texts of any length are `text` here.

use super::{Kind, all};

const DOCUMENTED: &str = "
stl_alert_event_log userid:int query:int slice:int segment:int step:int pid:int xid:big event:text solution:text event_time:time
stl_analyze userid:int xid:big database:text table_id:int status:text rows:double modified_rows:double threshold_percent:int is_auto:text starttime:time endtime:time prevtime:time num_predicate_cols:int num_new_predicate_cols:int is_background:text auto_analyze_phase:text schema_name:text table_name:text
stl_connection_log event:text recordtime:time remotehost:text remoteport:text pid:int dbname:text username:text authmethod:text duration:int sslversion:text sslcipher:text mtu:int sslcompression:text sslexpansion:text iamauthguid:text application_name:text os_version:text driver_version:text plugin_name:text protocol_version:int sessionid:text compression:text
stl_ddltext userid:int xid:big pid:int label:text starttime:time endtime:time sequence:int text:text
stl_error userid:int process:text recordtime:time pid:int errcode:int file:text linenum:int context:text error:text
stl_explain userid:int query:int nodeid:int parentid:int plannode:text info:text user_query_id:big child_query_sequence:int query_uuid:text
stl_file_scan userid:int query:int slice:int name:text lines:big bytes:big loadtime:big curtime:time is_partial:int start_offset:big
stl_hash userid:int query:int slice:int segment:int step:int starttime:time endtime:time tasknum:int rows:big bytes:big slots:int occupied:int maxlength:int tbl:int is_diskbased:text workmem:big num_parts:int est_rows:big num_blocks_permitted:int resizes:int checksum:big runtime_filter_size:int max_runtime_filter_size:int
stl_hashjoin userid:int query:int slice:int segment:int step:int starttime:time endtime:time tasknum:int rows:big tbl:int num_parts:int join_type:int hash_looped:text switched_parts:text used_prefetching:text hash_segment:int hash_step:int checksum:big
stl_load_commits userid:int query:int slice:int name:text filename:text byte_offset:int lines_scanned:int errors:int curtime:time status:int file_format:text is_partial:int start_offset:big copy_job_id:big
stl_load_errors userid:int slice:int tbl:int starttime:time session:int query:int filename:text line_number:big colname:text type:text col_length:text position:int raw_line:text raw_field_value:text err_code:int err_reason:text is_partial:int start_offset:big copy_job_id:big
stl_plan_info userid:int query:int nodeid:int segment:int step:int locus:int plannode:int startupcost:double totalcost:double rows:big bytes:big
stl_query userid:int query:int label:text xid:big pid:int database:text querytxt:text starttime:time endtime:time aborted:int insert_pristine:int concurrency_scaling_status:int
stl_query_metrics userid:int service_class:int query:int segment:int step_type:int starttime:time slices:int max_rows:big rows:big max_cpu_time:big cpu_time:big max_blocks_read:int blocks_read:big max_run_time:big run_time:big max_blocks_to_disk:big blocks_to_disk:big step:int max_query_scan_size:big query_scan_size:big query_priority:int query_queue_time:big service_class_name:text
stl_querytext userid:int xid:big pid:int query:int sequence:int text:text user_query_id:big child_query_sequence:int query_uuid:text
stl_scan userid:int query:int slice:int segment:int step:int starttime:time endtime:time tasknum:int rows:big bytes:big fetches:big type:int tbl:int is_rrscan:text is_delayed_scan:text rows_pre_filter:big rows_pre_user_filter:big perm_table_name:text is_rlf_scan:text is_rlf_scan_reason:int num_em_blocks:int checksum:big runtime_filtering:text scan_region:int num_sortkey_as_predicate:int row_fetcher_state:int consumed_scan_ranges:big work_stealing_reason:big is_vectorized_scan:text is_vectorized_scan_reason:int row_fetcher_reason:big topology_signature:big use_tpm_partition:text is_rrscan_expr:text scanned_mega_value:text
stl_sessions userid:int starttime:time endtime:time process:int user_name:text db_name:text timeout_sec:int timed_out:int
stl_tr_conflict xact_id:big process_id:big xact_start_ts:time abort_time:time table_id:big
stl_unload_log userid:int query:int slice:int pid:int path:text start_time:time end_time:time line_count:big transfer_size:big file_format:text
stl_userlog userid:int username:text oldusername:text action:text usecreatedb:int usesuper:int usecatupd:int valuntil:time pid:int xid:big recordtime:time
stl_utilitytext userid:int xid:big pid:int label:text starttime:time endtime:time sequence:int text:text
stl_vacuum userid:int xid:big table_id:int status:text rows:big sortedrows:int blocks:int max_merge_partitions:int eventtime:time reclaimable_rows:big reclaimable_space_mb:big cutoff_xid:big is_recluster:int
stl_wlm_query userid:int xid:int task:int query:int service_class:int slot_count:int service_class_start_time:time queue_start_time:time queue_end_time:time total_queue_time:big exec_start_time:time exec_end_time:time total_exec_time:big service_class_end_time:time final_state:text est_peak_mem:big query_priority:text service_class_name:text
stl_wlm_rule_action userid:int query:int service_class:int rule:text action:text recordtime:time action_value:text service_class_name:text
stv_active_cursors userid:int name:text xid:big pid:int starttime:time row_count:big byte_count:big fetched_rows:big
stv_blocklist slice:int col:int tbl:int blocknum:int num_values:int extended_limits:int minvalue:big maxvalue:big sb_pos:int pinned:int on_disk:int modified:int hdr_modified:int unsorted:int tombstone:int preferred_diskno:int temporary:int newblock:int num_readers:int flags:int
stv_inflight userid:int slice:int query:int label:text xid:big pid:int starttime:time text:text suspended:int insert_pristine:int concurrency_scaling_status:int
stv_locks table_id:big last_commit:time last_update:time lock_owner:big lock_owner_pid:big lock_owner_start_ts:time lock_owner_end_ts:time lock_status:text
stv_partitions owner:int host:int diskno:int part_begin:big part_end:big used:int tossed:int capacity:int reads:big writes:big seek_forward:int seek_back:int is_san:int failed:int mbps:int mount:text
stv_query_metrics userid:int service_class:int query:int starttime:time slices:int segment:int step_type:int rows:big max_rows:big cpu_time:big max_cpu_time:big blocks_read:big max_blocks_read:big run_time:big max_run_time:big max_blocks_to_disk:big blocks_to_disk:big step:int max_query_scan_size:big query_scan_size:big query_priority:int query_queue_time:big
stv_recents userid:int status:text starttime:time duration:int user_name:text db_name:text query:text pid:int
stv_sessions starttime:time process:int user_name:text db_name:text timeout_sec:int
stv_slices node:int slice:int localslice:int type:text
stv_tbl_perm slice:int id:int name:text rows:big sorted_rows:big temp:int db_id:int insert_pristine:int delete_pristine:int backup:int dist_style:int block_count:int
stv_wlm_qmr_config service_class:int rule_name:text action:text metric_name:text metric_operator:text metric_value:double action_value:text
stv_wlm_query_queue_state service_class:int position:int task:int query:int slot_count:int start_time:time queue_time:big
stv_wlm_query_state xid:int task:int query:int service_class:int slot_count:int wlm_start_time:time state:text queue_time:big exec_time:big query_priority:text
stv_wlm_service_class_config service_class:int queueing_strategy:text num_query_tasks:int target_num_query_tasks:int evictable:text eviction_threshold:big query_working_mem:int target_query_working_mem:int min_step_mem:int name:text max_execution_time:big user_group_wild_card:bool query_group_wild_card:bool concurrency_scaling:text query_priority:text user_role_wild_card:bool
stv_wlm_service_class_state service_class:int num_queued_queries:int num_executing_queries:int num_serviced_queries:int num_executed_queries:int num_evicted_queries:int num_concurrency_scaling_queries:int
svcs_compile userid:int xid:big pid:int query:int segment:int locus:int starttime:time endtime:time compile:int
svl_compile userid:int xid:big pid:int query:int segment:int locus:int starttime:time endtime:time compile:int
svl_qlog userid:int query:int xid:big pid:int starttime:time endtime:time elapsed:big aborted:int label:text substring:text source_query:int concurrency_scaling_status_txt:text from_sp_call:int
svl_query_metrics userid:int query:int service_class:int dimension:text segment:int step:int step_label:text query_cpu_time:big query_blocks_read:big query_execution_time:big query_cpu_usage_percent:big query_temp_blocks_to_disk:big segment_execution_time:big cpu_skew:numeric(38,2) io_skew:numeric(38,2) scan_row_count:big join_row_count:big nested_loop_join_row_count:big return_row_count:big spectrum_scan_row_count:big spectrum_scan_size_mb:big query_queue_time:big
svl_query_metrics_summary userid:int query:int service_class:int query_cpu_time:big query_blocks_read:big query_execution_time:big query_cpu_usage_percent:numeric(38,2) query_temp_blocks_to_disk:big segment_execution_time:big cpu_skew:numeric(38,2) io_skew:numeric(38,2) scan_row_count:big join_row_count:big nested_loop_join_row_count:big return_row_count:big spectrum_scan_row_count:big spectrum_scan_size_mb:big query_queue_time:big
svl_query_queue_info database:text query:int xid:big userid:int querytxt:text queue_start_time:time exec_start_time:time service_class:int slots:int queue_elapsed:big exec_elapsed:big wlm_total_elapsed:big commit_queue_elapsed:big commit_exec_time:big service_class_name:text
svl_query_report userid:int query:int slice:int segment:int step:int start_time:time end_time:time elapsed_time:big rows:big bytes:big label:text is_diskbased:text workmem:big is_rrscan:text is_delayed_scan:text rows_pre_filter:big
svl_query_summary userid:int query:int stm:int seg:int step:int maxtime:big avgtime:big rows:big bytes:big rate_row:double rate_byte:double label:text is_diskbased:text workmem:big is_rrscan:text is_delayed_scan:text rows_pre_filter:big
svl_s3list query:int segment:int node:int slice:int eventtime:time bucket:text prefix:text recursive:text retrieved_files:int max_file_size:big avg_file_size:double generated_splits:int avg_split_length:double duration:big
svl_s3query userid:int query:int segment:int step:int node:int slice:int starttime:time endtime:time elapsed:int external_table_name:text is_partitioned:text is_rrscan:text s3_scanned_rows:big s3_scanned_bytes:big s3query_returned_rows:big s3query_returned_bytes:big files:int splits:int total_split_size:big max_split_size:big total_retries:int max_retries:int max_request_duration:int avg_request_duration:double max_request_parallelism:int avg_request_parallelism:double
svl_s3query_summary userid:int query:int xid:big pid:int segment:int step:int starttime:time endtime:time elapsed:int aborted:int external_table_name:text file_format:text is_partitioned:text is_rrscan:text is_nested:text s3_scanned_rows:big s3_scanned_bytes:big s3query_returned_rows:big s3query_returned_bytes:big files:int files_max:int files_avg:int splits:int splits_max:int splits_avg:int total_split_size:big max_split_size:big avg_split_size:big total_retries:int max_retries:int max_request_duration:int avg_request_duration:double max_request_parallelism:int avg_request_parallelism:double total_slowdown_count:big max_slowdown_count:int
svl_statementtext userid:int xid:big pid:int label:text starttime:time endtime:time sequence:int type:text text:text
svl_user_info usename:text usesysid:int usecreatedb:bool usesuper:bool usecatupd:bool useconnlimit:text syslogaccess:text last_ddl_ts:time sessiontimeout:int external_id:text
svv_columns table_catalog:text table_schema:text table_name:text column_name:text ordinal_position:int column_default:text is_nullable:text data_type:text character_maximum_length:int numeric_precision:int numeric_precision_radix:int numeric_scale:int datetime_precision:int interval_type:text interval_precision:text character_set_catalog:text character_set_schema:text character_set_name:text collation_catalog:text collation_schema:text collation_name:text domain_name:text remarks:text
svv_external_columns redshift_database_name:text schemaname:text tablename:text columnname:text external_type:text columnnum:int part_key:int is_nullable:text
svv_external_databases eskind:int esoptions:text databasename:text location:text parameters:text
svv_external_partitions schemaname:text tablename:text values:text location:text input_format:text output_format:text serialization_lib:text serde_parameters:text compressed:int parameters:text
svv_external_schemas esoid:oid eskind:small schemaname:text esowner:int databasename:text esoptions:text
svv_external_tables redshift_database_name:text schemaname:text tablename:text tabletype:text location:text input_format:text output_format:text serialization_lib:text serde_parameters:text compressed:int parameters:text
svv_all_columns database_name:text schema_name:text table_name:text column_name:text ordinal_position:int column_default:text is_nullable:text data_type:text character_maximum_length:int numeric_precision:int numeric_scale:int remarks:text
svv_column_privileges namespace_name:text relation_name:text column_name:text privilege_type:text identity_id:int identity_name:text identity_type:text
svv_function_privileges namespace_name:text function_name:text argument_types:text privilege_type:text identity_id:int identity_name:text identity_type:text admin_option:bool
svv_iam_privileges iam_arn:text command_type:text identity_id:int identity_name:text identity_type:text
svv_interleaved_columns tbl:int col:int interleaved_skew:numeric(19,2) last_reindex:time
svv_language_privileges language_name:text privilege_type:text identity_id:int identity_name:text identity_type:text admin_option:bool
svv_ml_model_privileges namespace_name:text model_name:text model_version:int privilege_type:text identity_id:int identity_name:text identity_type:text admin_option:bool
svv_query_inflight userid:int slice:int query:int pid:int starttime:time suspended:int text:text sequence:int
svv_query_state userid:int query:int seg:int step:int maxtime:big avgtime:big rows:big bytes:big cpu:big memory:big rate_row:double rate_byte:double label:text is_diskbased:text workmem:big num_parts:int is_rrscan:text is_delayed_scan:text
svv_redshift_columns database_name:text schema_name:text table_name:text column_name:text ordinal_position:int data_type:text column_default:text is_nullable:text encoding:text distkey:bool sortkey:int column_acl:text remarks:text
svv_redshift_schema_quota database_name:text schema_name:text schema_owner:int quota:int disk_usage:int
svv_relation_privileges namespace_name:text relation_name:text privilege_type:text identity_id:int identity_name:text identity_type:text admin_option:bool
svv_rls_attached_policy relschema:text relname:text relkind:text polname:text grantor:text grantee:text granteekind:text is_pol_on:bool is_rls_on:bool rls_conjunction_type:text
svv_rls_policy poldb:text polname:text polalias:text polatts:text polqual:text polenabled:bool polmodifiedby:text polmodifiedtime:time
svv_rls_relation datname:text relschema:text relname:text relkind:text is_rls_on:bool is_rls_datashare_on:bool rls_conjunction_type:text rls_datashare_conjunction_type:text
svv_role_grants role_id:int role_name:text granted_role_id:int granted_role_name:text
svv_schema_privileges namespace_name:text privilege_type:text identity_id:int identity_name:text identity_type:text admin_option:bool privilege_scope:text
svv_schema_quota_state schema_id:int schema_name:text schema_owner:int quota:int disk_usage:int disk_usage_pct:double
svv_system_privileges system_privilege:text identity_id:int identity_name:text identity_type:text
svv_table_info database:text schema:text table_id:oid table:text encoded:text diststyle:text sortkey1:text max_varchar:int sortkey1_enc:text sortkey_num:int size:big pct_used:numeric(10,4) empty:big unsorted:numeric(5,2) stats_off:numeric(5,2) tbl_rows:numeric(38,0) skew_sortkey1:numeric(19,2) skew_rows:numeric(19,2) estimated_visible_rows:numeric(38,0) risk_event:text vacuum_sort_benefit:numeric(12,2) create_time:time
svv_tables table_catalog:text table_schema:text table_name:text table_type:text remarks:text
svv_user_grants user_id:int user_name:text role_id:int role_name:text admin_option:bool
svv_user_info user_name:text user_id:int createdb:bool superuser:bool catalog_update:bool connection_limit:text syslog_access:text last_ddl_timestamp:time session_timeout:int external_user_id:text
svv_vacuum_progress table_name:text status:text time_remaining_estimate:text
svv_vacuum_summary table_name:text xid:big sort_partitions:big merge_increments:big elapsed_time:big row_delta:big sortedrow_delta:big block_delta:int max_merge_partitions:int
sys_analyze_history user_id:int transaction_id:big database_name:text schema_name:text table_name:text table_id:int is_automatic:text status:text start_time:time end_time:time rows:double modified_rows:double analyze_threshold_percent:int last_analyze_time:time
sys_connection_log event:text record_time:time remote_host:text remote_port:text session_id:int database_name:text user_name:text auth_method:text duration:int ssl_version:text ssl_cipher:text mtu:int ssl_compression:text ssl_expansion:text iam_auth_guid:text application_name:text driver_version:text os_version:text plugin_name:text protocol_version:int
sys_external_query_detail user_id:int query_id:big transaction_id:big child_query_sequence:int segment_id:int source_type:text start_time:time end_time:time duration:big total_partitions:int qualified_partitions:int scanned_files:big returned_rows:big returned_bytes:big file_format:text file_location:text external_query_text:text warning_message:text table_name:text is_recursive:text is_nested:text s3list_time:big get_partition_time:big query_uuid:text
sys_load_detail user_id:int query_id:int file_name:text bytes_scanned:int lines_scanned:int record_time:time splits_scanned:int start_time:time end_time:time file_etag:text file_last_modified:time
sys_load_error_detail user_id:int query_id:big transaction_id:big session_id:int database_name:text table_id:int start_time:time file_name:text line_number:big column_name:text column_type:text column_length:text position:int error_code:int error_message:text
sys_load_history user_id:int query_id:big transaction_id:big session_id:int database_name:text status:text table_name:text start_time:time end_time:time duration:big data_source:text file_format:text loaded_rows:big loaded_bytes:big source_file_count:int source_file_bytes:big file_count_scanned:int file_bytes_scanned:big error_count:big copy_job_id:big
sys_query_detail user_id:int query_id:big child_query_sequence:int stream_id:int segment_id:int step_id:int step_name:text table_id:int table_name:text is_rrscan:text start_time:time end_time:time duration:big alert:text input_bytes:big input_rows:big output_bytes:big output_rows:big blocks_read:big blocks_write:big local_read_io:big remote_read_io:big source:text data_skewness:int time_skewness:int is_active:text spilled_block_local_disk:big spilled_block_remote_disk:big step_attribute:text metrics_level:text plan_parent_id:int plan_node_id:int
sys_query_explain user_id:int query_id:big child_query_sequence:int plan_node_id:int plan_parent_id:int plan_node:text node_info:text
sys_query_history user_id:int query_id:big query_label:text transaction_id:big session_id:int database_name:text query_type:text status:text result_cache_hit:bool start_time:time end_time:time elapsed_time:big queue_time:big execution_time:big error_message:text returned_rows:big returned_bytes:big query_text:text redshift_version:text usage_limit:text compute_type:text compile_time:big planning_time:big lock_wait_time:big service_class_id:int service_class_name:text query_priority:text short_query_accelerated:text user_query_hash:text generic_query_hash:text query_hash_version:int result_cache_query_id:int username:text
sys_query_text user_id:int query_id:big transaction_id:big session_id:int start_time:time sequence:int text:text
sys_session_history user_id:text session_id:int database_name:text status:text session_timeout:int start_time:time end_time:time
sys_transaction_history user_id:int transaction_id:big isolation_level:text status:text transaction_start_time:time commit_start_time:time commit_end_time:time blocks_committed:big undo_transaction_id:big
sys_unload_detail user_id:int query_id:int session_id:int transaction_id:big file_name:text start_time:time end_time:time line_count:big transfer_size:big file_format:text
sys_unload_history user_id:int query_id:big transaction_id:big session_id:int database_name:text status:text start_time:time end_time:time duration:big file_format:text compression_type:text unloaded_location:text unloaded_rows:big unloaded_files_count:big unloaded_files_size:big error_message:text
sys_userlog user_id:int user_name:text original_user_name:text action:text has_create_db_privs:int is_superuser:int has_update_catalog_privs:int password_expiration:time session_id:int transaction_id:big record_time:time
sys_vacuum_history user_id:int transaction_id:big query_id:big database_name:text schema_name:text table_name:text table_id:int vacuum_type:text is_automatic:bool status:text start_time:time end_time:time record_time:time duration:int rows_before_vacuum:big size_before_vacuum:int reclaimable_rows:big reclaimed_rows:big reclaimed_blocks:big sortedrows_before_vacuum:int sortedrows_after_vacuum:int
";

/// Columns that are wider here, since microseconds of an hour do not fit.
const WIDER: [(&str, &str); 6] = [
    ("stl_connection_log", "duration"),
    ("stv_recents", "duration"),
    ("svl_s3query", "elapsed"),
    ("svl_s3query_summary", "elapsed"),
    ("sys_connection_log", "duration"),
    ("sys_vacuum_history", "duration"),
];

/// How a kind is written above.
fn written(kind: Kind) -> String {
    match kind {
        Kind::Bool => "bool".to_owned(),
        Kind::Int2 => "small".to_owned(),
        Kind::Int4 => "int".to_owned(),
        Kind::Int8 => "big".to_owned(),
        Kind::Double => "double".to_owned(),
        Kind::Numeric(precision, scale) => format!("numeric({precision},{scale})"),
        Kind::Oid => "oid".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Time => "time".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn system_tables_have_the_documented_columns_and_types() {
    let mut complaints = Vec::new();
    for line in DOCUMENTED.lines().filter(|line| !line.is_empty()) {
        let (name, columns) = line.split_once(' ').unwrap_or((line, ""));
        let Some(table) = all().find(|table| table.name == name) else {
            complaints.push(format!("there is no {name}"));
            continue;
        };
        let mut own = table.columns.iter();
        for documented in columns.split(' ') {
            let (column, kind) = documented.split_once(':').unwrap_or((documented, ""));
            let found = own.next().map(|(name, kind)| ((*name).to_owned(), written(*kind)));
            let kind = if WIDER.contains(&(name, column)) { "big" } else { kind };
            let expected = (column.to_owned(), kind.to_owned());
            if found.as_ref() != Some(&expected) {
                complaints.push(format!("{name}: {expected:?}, and found {found:?}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
