//! The numbers of objects: the same at every look, in every session and process.
//!
//! Managed and external relations have their catalog's numbers, which are never used again, interleaved. Schemas have
//! none: theirs is a hash of the name, and so is that of an index. All are below 2^31, for clients read oids as `integer`.

/// Numbers below are PostgreSQL's own objects.
const FIRST_RELATION: i64 = 100_000;
/// Numbers of schemas.
const FIRST_SCHEMA: i64 = 1 << 30;
/// Numbers of the indexes that constraints stand for.
const FIRST_INDEX: i64 = 3 << 29;

/// Numbers of the functions that users have made.
const FIRST_FUNCTION: i64 = 7 << 28;

/// The number of `pg_catalog`, as in PostgreSQL.
pub(crate) const PG_CATALOG_OID: i64 = 11;
/// The number of `public`, as in PostgreSQL.
const PUBLIC_OID: i64 = 2200;
/// The number of `information_schema`.
pub(crate) const INFORMATION_SCHEMA_OID: i64 = 11_000;
/// The number of the database.
pub(crate) const DATABASE_OID: i64 = 100_000 - 1;

/// A managed table's; one that the transaction is making has a number of its own above all others.
pub(crate) fn managed(id: i64) -> i64 {
    if id < 0 { i64::from(i32::MAX) + id } else { FIRST_RELATION + id * 2 }
}

/// An external table's or view's; one that the transaction is making as with [`managed`].
pub(crate) fn cataloged(id: i64) -> i64 {
    if id < 0 { i64::from(i32::MAX) + id } else { FIRST_RELATION + id * 2 + 1 }
}

/// A schema's.
pub(crate) fn schema(name: &str) -> i64 {
    match name {
        "pg_catalog" => PG_CATALOG_OID,
        "information_schema" => INFORMATION_SCHEMA_OID,
        "public" => PUBLIC_OID,
        _ => FIRST_SCHEMA + i64::from(hash(name) & 0x1fff_ffff),
    }
}

/// A system table's.
pub(crate) fn system(schema: &str, name: &str) -> i64 {
    match name {
        // What PostgreSQL's clients know by number.
        "pg_type" => 1247,
        "pg_attribute" => 1249,
        "pg_proc" => 1255,
        "pg_class" => 1259,
        _ => 12_000 + i64::from(hash(&format!("{schema}.{name}")) % 80_000),
    }
}

/// That of the index that a constraint of a relation stands for.
pub(crate) fn index(relation: i64, name: &str) -> i64 {
    FIRST_INDEX + i64::from(hash(&format!("{relation}.{name}")) & 0x0fff_ffff)
}

/// That of a function that a user has made.
pub(crate) fn function(schema: &str, signature: &str) -> i64 {
    FIRST_FUNCTION + i64::from(hash(&format!("{schema}.{signature}")) & 0x0fff_ffff)
}

/// FNV-1a, which never changes.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn no_two_system_tables_share_a_number() {
        let mut seen = HashSet::new();
        for table in crate::system::all() {
            assert!(seen.insert(super::system(table.schema, table.name)), "{}.{}", table.schema, table.name);
        }
    }
}
