//! SUPER in queries of Redshift's: paths into values, and FROM items that iterate over arrays and objects.

mod paths;
mod words;

pub(super) use paths::resolve;
pub(super) use words::rewrite;

/// What stands for the words KEEP and SET among the arguments of OBJECT_TRANSFORM.
pub(crate) const OBJECT_CLAUSES: [&str; 2] = ["\u{1}keep", "\u{1}set"];

/// What stands before a member's name whose case counts whatever the session says of members: it is in double quotes and
/// names in these keep their case.
const EXACT: &str = "\u{1}exact ";

/// A member's name, and whether its case counts whatever the session says of members.
pub(crate) fn member(name: &str) -> (&str, bool) {
    name.strip_prefix(EXACT).map_or((name, false), |exact| (exact, true))
}

/// What stands before the first name of a path after UNPIVOT.
const UNPIVOT: &str = "\u{1}unpivot ";
