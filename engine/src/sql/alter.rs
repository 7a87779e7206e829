//! `ALTER TABLE` as Hive, Athena and Redshift Spectrum spell it, and `MSCK REPAIR TABLE`.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::tokens::word;
use crate::sql::{
    AlterOperation, AlterTable, Distribution, RepairTable, Statement, crawler, function, managed_table, partition,
    refuse, types,
};
use millrace_catalog::model::Parameters;
use sqlparser::tokenizer::Token;

/// The whole statement.
pub(super) fn alter(cursor: &mut Cursor) -> Result<Statement> {
    for database in ["ALTER DATABASE", "ALTER SCHEMA"] {
        if cursor.at(database) {
            let error = cursor.unsupported(&format!("{database} … SET DBPROPERTIES"));
            return Err(if cursor.mentions("dbproperties") { error } else { refuse::object(cursor) });
        }
    }
    if cursor.at("ALTER CRAWLER") {
        return crawler::alter(cursor);
    }
    if cursor.at("ALTER FUNCTION") && !cursor.is_athena() {
        return function::alter(cursor);
    }
    if !cursor.at("ALTER TABLE") {
        return Err(refuse::object(cursor));
    }
    cursor.expect("ALTER TABLE")?;
    let table = cursor.object_name()?;
    let operation = operation(cursor)?;
    // RESTRICT is what happens anyway: partitions keep their own columns.
    if let Some(error) = refuse::option(cursor, "ALTER TABLE …", &["CASCADE"]) {
        return Err(error);
    }
    cursor.eat("RESTRICT");
    Ok(Statement::AlterTable(AlterTable { table, operation }))
}

fn operation(cursor: &mut Cursor) -> Result<AlterOperation> {
    if cursor.at("PARTITION") {
        alter_partition(cursor)
    } else if cursor.eat("ADD") {
        add(cursor)
    } else if cursor.eat("DROP") {
        drop(cursor)
    } else if cursor.eat("REPLACE COLUMNS") {
        Ok(AlterOperation::ReplaceColumns(types::column_list(cursor)?))
    } else if cursor.eat("CHANGE") {
        change(cursor)
    } else if cursor.eat("RENAME TO") {
        Ok(AlterOperation::RenameTable(cursor.object_name()?))
    } else if cursor.eat("RENAME COLUMN") {
        let old = cursor.identifier()?;
        cursor.expect("TO")?;
        Ok(AlterOperation::RenameColumn { old, new: cursor.identifier()? })
    } else if cursor.eat("SET") {
        set(cursor)
    } else if cursor.eat("OWNER TO") {
        Ok(AlterOperation::Owner(cursor.user_name()?))
    } else if cursor.eat("APPEND FROM") {
        append(cursor)
    } else if !cursor.is_athena() && cursor.eat("ALTER") {
        let mut operations = vec![alter_managed(cursor)?];
        while cursor.eat_token(&Token::Comma) {
            cursor.expect("ALTER")?;
            operations.push(alter_managed(cursor)?);
        }
        Ok(if operations.len() == 1 { operations.remove(0) } else { AlterOperation::Several(operations) })
    } else if cursor.eat("UNSET TBLPROPERTIES") {
        let if_exists = cursor.eat("IF EXISTS");
        Ok(AlterOperation::UnsetProperties { if_exists, keys: cursor.list(Cursor::string)? })
    } else {
        let options = &[
            "ALTER",
            "ARCHIVE",
            "CLUSTERED BY",
            "COMPACT",
            "CONCATENATE",
            "DISABLE",
            "ENABLE",
            "EXCHANGE",
            "EXECUTE",
            "NOT CLUSTERED",
            "NOT SKEWED",
            "RECOVER PARTITIONS",
            "ROW LEVEL SECURITY",
            "SKEWED BY",
            "TOUCH",
            "UNARCHIVE",
            "UPDATE",
        ];
        let error = refuse::option(cursor, "ALTER TABLE …", options);
        Err(error.unwrap_or_else(|| cursor.syntax_error("an operation of ALTER TABLE")))
    }
}

fn add(cursor: &mut Cursor) -> Result<AlterOperation> {
    if cursor.eat("COLUMNS") {
        return Ok(AlterOperation::AddColumns(types::column_list(cursor)?));
    }
    let if_not_exists = cursor.if_not_exists();
    if if_not_exists || cursor.at("PARTITION") {
        let mut partitions = Vec::new();
        cursor.expect("PARTITION")?;
        loop {
            let spec = partition::spec(cursor)?;
            let location = if cursor.eat("LOCATION") { Some(cursor.string()?) } else { None };
            partitions.push((spec, location));
            if cursor.eat_token(&Token::Comma) {
                cursor.expect("PARTITION")?;
            } else if !cursor.eat("PARTITION") {
                return Ok(AlterOperation::AddPartitions { if_not_exists, partitions });
            }
        }
    }
    let options = &["CONSTRAINT", "PRIMARY KEY", "FOREIGN KEY", "UNIQUE"];
    if cursor.is_athena() {
        if let Some(error) = refuse::option(cursor, "ALTER TABLE … ADD", options) {
            return Err(error);
        }
        cursor.expect("COLUMN")?;
        return Ok(AlterOperation::AddColumns(vec![types::column(cursor)?]));
    }
    if let Some(constraint) = managed_table::constraint(cursor)? {
        return Ok(AlterOperation::AddConstraint(constraint));
    }
    cursor.eat("COLUMN");
    if *cursor.peek_nth(2) == Token::Lt {
        return Ok(AlterOperation::AddColumns(vec![types::column(cursor)?]));
    }
    let mut constraints = Vec::new();
    let column = managed_table::column(cursor, &mut constraints)?;
    if constraints.is_empty() {
        return Ok(AlterOperation::AddColumn(Box::new(column)));
    }
    Err(cursor.unsupported("a constraint in ALTER TABLE … ADD COLUMN"))
}

/// What follows `ALTER TABLE t ALTER`: what only managed tables have.
fn alter_managed(cursor: &mut Cursor) -> Result<AlterOperation> {
    if cursor.eat("DISTSTYLE") {
        let style = managed_table::distribution(cursor)?;
        let key = if cursor.eat("DISTKEY") { Some(cursor.identifier()?) } else { None };
        return Ok(AlterOperation::Distribution { style, key });
    }
    if cursor.eat("DISTKEY") {
        let key = Some(cursor.identifier()?);
        return Ok(AlterOperation::Distribution { style: Distribution::Key, key });
    }
    if cursor.at("SORTKEY") || cursor.at("COMPOUND SORTKEY") || cursor.at("INTERLEAVED SORTKEY") {
        return Ok(AlterOperation::SortKey(managed_table::sort_key(cursor)?));
    }
    if cursor.eat("ENCODE AUTO") {
        return Ok(AlterOperation::EncodeAuto);
    }
    cursor.eat("COLUMN");
    let column = cursor.identifier()?;
    if cursor.eat("TYPE") {
        let position = cursor.position();
        return Ok(AlterOperation::ColumnType { column, data_type: managed_table::type_text(cursor)?, position });
    }
    if let Some(error) = refuse::option(cursor, "ALTER TABLE … ALTER COLUMN …", &["COLLATE"]) {
        return Err(error);
    }
    cursor.expect("ENCODE")?;
    Ok(AlterOperation::ColumnEncoding { column, encoding: cursor.identifier()? })
}

/// What follows `APPEND FROM`.
fn append(cursor: &mut Cursor) -> Result<AlterOperation> {
    let source = cursor.object_name()?;
    let (mut ignore_extra, mut fill_target) = (false, false);
    loop {
        if cursor.eat("IGNOREEXTRA") {
            ignore_extra = true;
        } else if cursor.eat("FILLTARGET") {
            fill_target = true;
        } else {
            return Ok(AlterOperation::AppendFrom { source, ignore_extra, fill_target });
        }
    }
}

fn drop(cursor: &mut Cursor) -> Result<AlterOperation> {
    if let Some(error) = refuse::option(cursor, "ALTER TABLE … DROP", &["PARTITION FIELD"]) {
        return Err(error);
    }
    if cursor.eat("CONSTRAINT") {
        return Ok(AlterOperation::DropConstraint(cursor.identifier()?));
    }
    let if_exists = cursor.eat("IF EXISTS");
    let partition = cursor.at("PARTITION") && *cursor.peek_nth(1) == Token::LParen;
    if !(if_exists || partition) {
        cursor.eat("COLUMN");
        let name = cursor.identifier()?;
        return Ok(AlterOperation::DropColumn(name, !cursor.is_athena() && cursor.eat("CASCADE")));
    }
    let mut partitions = Vec::new();
    loop {
        cursor.expect("PARTITION")?;
        partitions.push(partition::conditions(cursor)?);
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    if let Some(error) = refuse::option(cursor, "ALTER TABLE … DROP PARTITION …", &["PURGE", "IGNORE PROTECTION"]) {
        return Err(error);
    }
    Ok(AlterOperation::DropPartitions { if_exists, partitions })
}

/// What follows `CHANGE`.
fn change(cursor: &mut Cursor) -> Result<AlterOperation> {
    // A column may be called "column": then its new name and type follow, and no third word but these.
    let third = word(cursor.peek_nth(3)).map(str::to_ascii_uppercase);
    if third.is_some_and(|third| !["AFTER", "CASCADE", "COMMENT", "FIRST", "RESTRICT"].contains(&third.as_str())) {
        cursor.eat("COLUMN");
    }
    let old = cursor.identifier()?;
    let new = types::column(cursor)?;
    let place = if cursor.eat("FIRST") {
        Some(None)
    } else if cursor.eat("AFTER") {
        Some(Some(cursor.identifier()?))
    } else {
        None
    };
    Ok(AlterOperation::ChangeColumn { old, new, place })
}

/// What follows `ALTER TABLE t`, from `PARTITION (…)` on.
fn alter_partition(cursor: &mut Cursor) -> Result<AlterOperation> {
    cursor.expect("PARTITION")?;
    let partition = partition::spec(cursor)?;
    if cursor.eat("RENAME TO PARTITION") {
        return Ok(AlterOperation::RenamePartition { from: partition, to: partition::spec(cursor)? });
    }
    if cursor.eat("SET LOCATION") {
        return Ok(AlterOperation::SetPartitionLocation { partition, location: cursor.string()? });
    }
    let options = &["SET", "ADD COLUMNS", "REPLACE COLUMNS", "CHANGE", "COMPACT", "CONCATENATE"];
    let error = refuse::option(cursor, "ALTER TABLE … PARTITION …", options);
    Err(error.unwrap_or_else(|| cursor.syntax_error("RENAME TO PARTITION or SET LOCATION")))
}

fn set(cursor: &mut Cursor) -> Result<AlterOperation> {
    if cursor.eat("LOCATION") {
        Ok(AlterOperation::SetLocation(cursor.string()?))
    } else if cursor.eat("TBLPROPERTIES") || cursor.eat("TABLE PROPERTIES") {
        Ok(AlterOperation::SetProperties(cursor.properties()?))
    } else if cursor.eat("SERDEPROPERTIES") {
        Ok(AlterOperation::SetSerDe { library: None, properties: cursor.properties()? })
    } else if cursor.eat("SERDE") {
        let library = Some(cursor.string()?);
        let properties = if cursor.eat("WITH SERDEPROPERTIES") { cursor.properties()? } else { Parameters::new() };
        Ok(AlterOperation::SetSerDe { library, properties })
    } else if cursor.eat("FILEFORMAT") || cursor.eat("FILE FORMAT") {
        if let Some(error) = refuse::option(cursor, "SET FILEFORMAT", &["INPUTFORMAT"]) {
            return Err(error);
        }
        Ok(AlterOperation::SetFileFormat(cursor.identifier()?.to_ascii_uppercase()))
    } else {
        let error = refuse::option(cursor, "ALTER TABLE … SET", &["SKEWED", "OWNER", "SCHEMA"]);
        Err(error.unwrap_or_else(|| cursor.syntax_error("LOCATION, TBLPROPERTIES, SERDEPROPERTIES or FILE FORMAT")))
    }
}

/// `MSCK REPAIR TABLE t [ADD|DROP|SYNC PARTITIONS]`
pub(super) fn repair(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("MSCK REPAIR TABLE")?;
    let table = cursor.object_name()?;
    let (add, drop) = if cursor.eat("SYNC PARTITIONS") {
        (true, true)
    } else if cursor.eat("DROP PARTITIONS") {
        (false, true)
    } else {
        cursor.eat("ADD PARTITIONS");
        (true, false)
    };
    Ok(Statement::RepairTable(RepairTable { table, add, drop }))
}
