"""What may differ from Trino, and why: name, reason, and whether it is that, told by how it differs, our SQL and both outcomes.

How it differs is one of: "lax" (only Trino refuses it), "refused" (only we do), "fails", "does not fail", "value", "type",
"typeof fails". What is lax and not here is counted too, without a name.
"""

import re

LATER = ("array_first|array_last|bitwise_xor_agg|cosine_distance|cosine_similarity|dot_product|euclidean_distance|great_circle_distance|timezone|set_agg")
SHARED = "octet_length|btrim|ascii|title_case|lpad|rpad"


def missing(names):
    return lambda what, sql, ours, theirs: (what == "lax" and theirs.code == "FUNCTION_NOT_FOUND"
                                            and re.search(rf"(Function '|for function )({names})\b", theirs.message))


def plain_types(outcome):
    """A type with varchar for what is a text here."""
    return re.sub(r"char\(\d+\)|\bjson\b", "varchar", re.sub(r"varchar\(\d+\)", "varchar", outcome.rows[0][0]))


def without_zeros(outcome):
    """Texts without the zeros that stand for parts of a second."""
    return re.sub(r"(:\d\d)\.0+(?!\d)", r"\1", f"{outcome.rows}")


DIFFERENCES = [
    ("functions that Athena has and Trino 435 has not", "AWS added them, or Trino later, or they are in a plugin of Trino's", missing(LATER)),
    ("functions of both dialects", "what Redshift has and Trino has not is taken too", missing(SHARED)),
    ("ILIKE and SIMILAR TO", "they are taken in both dialects", lambda what, sql, ours, theirs: what == "lax" and re.search(r"\bILIKE\b|\bSIMILAR TO\b", sql)),
    ("JSON_TABLE", "Trino 435 cannot send such a plan to itself", lambda what, sql, ours, theirs: theirs.code == "REMOTE_TASK_ERROR"),
    ("types of texts", "JSON and CHAR are texts to typeof, which has no lengths",
     lambda what, sql, ours, theirs: what == "type" and ours.rows[0][0] == plain_types(theirs)),
    ("zones that differ by row", "a column has one zone", lambda what, sql, ours, theirs: what in ("refused", "fails") and ours.code == "0A000" and "zone" in ours.message),
    ("comparisons of rows and arrays with NULL in them", "Trino refuses them when it meets one",
     lambda what, sql, ours, theirs: what == "lax" and "comparison not supported for" in theirs.message),
    ("names of types of times and intervals", "a defect: typeof says `time without time zone` and `interval`",
     lambda what, sql, ours, theirs: what == "type" and re.sub(r"\btime\b|interval (day to second|year to month)", "", theirs.rows[0][0])
     == re.sub(r"time without time zone|\binterval\b", "", ours.rows[0][0])),
    ("digits of moments", "moments have three, as in Athena, whatever a literal has",
     lambda what, sql, ours, theirs: what == "value" and without_zeros(ours) == without_zeros(theirs)),
    ("what is refused by both", "what is not supported says so", lambda what, sql, ours, theirs: ours.code == "0A000" and theirs.message and "not supported" in theirs.message),
    ("limits", "what would take too much memory is refused", lambda what, sql, ours, theirs: what in ("fails", "refused") and (ours.code == "54000" or "at most" in ours.message)),
]
