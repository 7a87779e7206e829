//! `VACUUM`: Redshift's grammar, from its documentation.

use super::*;
use crate::sql::{Vacuum, VacuumMode};

#[test]
fn vacuum_has_redshifts_options() {
    use VacuumMode::{DeleteOnly, Full, Recluster, Reindex, SortOnly};
    for (text, mode, table, threshold, boost) in [
        ("VACUUM", Full, None, None, false),
        ("vacuum full", Full, None, None, false),
        ("VACUUM sales", Full, Some("sales"), None, false),
        ("VACUUM SORT ONLY sales TO 75 PERCENT", SortOnly, Some("sales"), Some(75), false),
        ("VACUUM DELETE ONLY sales TO 75 PERCENT BOOST", DeleteOnly, Some("sales"), Some(75), true),
        ("VACUUM REINDEX listing", Reindex, Some("listing"), None, false),
        ("VACUUM RECLUSTER listing", Recluster, Some("listing"), None, false),
        ("VACUUM FULL s.\"To\" TO 100 PERCENT", Full, Some("s.to"), Some(100), false),
        ("VACUUM t TO 0 PERCENT", Full, Some("t"), Some(0), false),
    ] {
        let Statement::Vacuum(vacuum) = one(text, Redshift) else { panic!("{text}") };
        let name = vacuum.table.as_ref().map(|name| name.parts.join("."));
        assert_eq!(name.as_deref(), table, "{text}");
        assert_eq!(vacuum, Vacuum { mode, threshold, boost, ..vacuum.clone() }, "{text}");
    }
}

#[test]
fn what_vacuum_does_not_take_is_told() {
    for text in
        ["VACUUM TO 5 PERCENT", "VACUUM BOOST", "VACUUM t TO 101 PERCENT", "VACUUM t TO x PERCENT", "VACUUM t 5"]
    {
        assert_eq!(error(text, Redshift).kind, ErrorKind::Syntax, "{text}");
    }
    for text in ["VACUUM REINDEX t TO 5 PERCENT", "VACUUM REINDEX t BOOST", "VACUUM ANALYZE t"] {
        assert_eq!(error(text, Redshift).kind, ErrorKind::Unsupported, "{text}");
    }
}
