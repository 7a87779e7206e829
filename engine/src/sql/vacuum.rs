//! `VACUUM`, with Redshift's options; both dialects take it.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{ObjectName, Statement, refuse};

/// `VACUUM [FULL|SORT ONLY|DELETE ONLY|REINDEX|RECLUSTER] [[table] [TO n PERCENT] [BOOST]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vacuum {
    /// What is done.
    pub mode: VacuumMode,
    /// Which table; all managed tables of the database when `None`.
    pub table: Option<ObjectName>,
    /// `TO n PERCENT`, 0 to 100. Above so many percent of sorted rows nothing is sorted, and so many percent of the
    /// rows that stay are not deleted ones. 95 in Redshift when `None`.
    pub threshold: Option<u8>,
    /// `BOOST`.
    pub boost: bool,
}

/// What a [`Vacuum`] does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VacuumMode {
    /// `FULL`: sorts, and leaves deleted rows out.
    #[default]
    Full,
    /// `SORT ONLY`.
    SortOnly,
    /// `DELETE ONLY`.
    DeleteOnly,
    /// `REINDEX`: looks at the values of an interleaved sort key anew, then as `FULL`.
    Reindex,
    /// `RECLUSTER`: sorts what is not sorted, and lets what is sorted be.
    Recluster,
}

impl VacuumMode {
    /// The option's words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::SortOnly => "SORT ONLY",
            Self::DeleteOnly => "DELETE ONLY",
            Self::Reindex => "REINDEX",
            Self::Recluster => "RECLUSTER",
        }
    }
}

/// The whole statement.
pub(super) fn vacuum(cursor: &mut Cursor) -> Result<Statement> {
    use VacuumMode::{DeleteOnly, Full, Recluster, Reindex, SortOnly};
    cursor.expect("VACUUM")?;
    // PostgreSQL's options, which mean other things.
    if let Some(error) = refuse::option(cursor, "VACUUM", &["FREEZE", "VERBOSE", "ANALYZE"]) {
        return Err(error);
    }
    let modes = [Full, SortOnly, DeleteOnly, Reindex, Recluster];
    let mode = modes.into_iter().find(|mode| cursor.eat(mode.name())).unwrap_or_default();
    let named = !cursor.at_end() && !cursor.at("TO") && !cursor.at("BOOST");
    let table = if named { Some(cursor.object_name()?) } else { None };
    if table.is_none() && !cursor.at_end() {
        return Err(cursor.syntax_error("the name of a table"));
    }
    let threshold = if cursor.at("TO") { Some(threshold(cursor, mode)?) } else { None };
    let boost = cursor.at("BOOST");
    if boost && mode == Reindex {
        return Err(cursor.unsupported("VACUUM REINDEX … BOOST"));
    }
    cursor.eat("BOOST");
    Ok(Statement::Vacuum(Vacuum { mode, table, threshold, boost }))
}

/// `TO n PERCENT`.
fn threshold(cursor: &mut Cursor, mode: VacuumMode) -> Result<u8> {
    if mode == VacuumMode::Reindex {
        return Err(cursor.unsupported("VACUUM REINDEX … TO n PERCENT"));
    }
    cursor.expect("TO")?;
    let wrong = cursor.syntax_error("an integer between 0 and 100");
    let number = cursor.optional_number().and_then(|number| number.parse::<u8>().ok());
    let Some(number) = number.filter(|number| *number <= 100) else { return Err(wrong) };
    cursor.expect("PERCENT")?;
    Ok(number)
}
